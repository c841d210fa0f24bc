"""What the settings of an account mean for the agent: what it may do, how often, and how it is remembered."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from homing.client.agent_values import Plan
from homing.client.detection import is_free
from homing.core.values import frozen

if TYPE_CHECKING:
    from pathlib import Path

    from homing.client.agent_values import State
    from homing.runtimes.agent_log import Level
    from homing.settings.agent import AgentSettings
    from homing.settings.client import ClientSettings

DAY = 86_400.0


@frozen
class Orders:
    """All settings of a run."""

    agent: AgentSettings
    accounts: tuple[ClientSettings, ...]
    state_file: Path
    log_level: Level


def plan_of(settings: ClientSettings, *, checks_dns: bool = True) -> Plan:
    """Return what an account's settings mean for the agent, with what its protocol's specification demands.

    Dyn's Remote Access API: no update after a refusal before the user has acted. Its like forget hosts after 30 days.
    """
    is_dyn = settings.protocol in ("dyndns2", "duckdns")
    told = (settings.protocol, settings.server, settings.username or "", settings.zone_id or "")
    whole = (*told, settings.secret or "", settings.api_key or "", *settings.names)
    return Plan(
        names=settings.names,
        server=" ".join(told[:3]),
        fingerprint=hashlib.sha256("\0".join(whole).encode()).hexdigest()[:8],
        sends_whole=settings.protocol == "dyndns2",
        interval=float(settings.interval),
        looks_are_free=is_free(settings),
        checks_dns=checks_dns,
        final_wait=None if is_dyn else 3600.0,
        refresh=25 * DAY if is_dyn else None,
    )


class Machine:
    """One account and what the agent knows of it."""

    def __init__(self, settings: ClientSettings, plan: Plan, state: State) -> None:
        self.settings = settings
        self.plan = plan
        self.state = state
        self.timer: float | None = None

    @property
    def key(self) -> str:
        """The account's key in the state file."""
        return key_of(self.plan)


def key_of(plan: Plan) -> str:
    """Return the key of an account in the state file: that of its server and its names."""
    return hashlib.sha256("\0".join((plan.server, *plan.names)).encode()).hexdigest()[:16]
