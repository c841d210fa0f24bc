"""What the settings of an account mean for the agent: what it may do, how often, and how it is remembered."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from homing.client.agent.detection import is_free
from homing.client.agent.values import Plan
from homing.client.dialects import MAX_ROWS
from homing.core.values import defaults_of, field, frozen
from homing.protocols.dyndns2_client import MAX_HOSTNAMES

if TYPE_CHECKING:
    from pathlib import Path

    from homing.client.agent.known import State
    from homing.runtimes.agent.log import Level
    from homing.settings.agent import AgentSettings
    from homing.settings.client import ClientSettings
    from homing.settings.lan import LanSettings

DAY = 86_400.0


@frozen(kw_only=True)
class Errands:
    """What the agent does besides sending: `[agent]` without what reads it, which is megabytes of no use later."""

    ping_url: str | None = field(default=None, repr=False)
    on_change: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    on_recovery: tuple[str, ...] = ()
    check_dns: bool = True


@frozen
class Orders:
    """All settings of a run."""

    errands: Errands
    accounts: tuple[ClientSettings, ...]
    state_file: Path
    log_level: Level
    lan: LanSettings | None = None
    """None: the names of the network are nobody's business here."""
    lan_accounts: tuple[ClientSettings, ...] = ()
    """Those that can list a group."""


def errands_of(agent: AgentSettings) -> Errands:
    """Return what of `[agent]` the agent itself has to know."""
    return Errands(**{name: getattr(agent, name) for name in defaults_of(Errands)})


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
        most_names=_most_names(settings),
        sends_whole=settings.protocol == "dyndns2",
        interval=float(settings.interval),
        looks_are_free=is_free(settings),
        checks_dns=checks_dns,
        final_wait=None if is_dyn else 3600.0,
        refresh=25 * DAY if is_dyn else None,
    )


def _most_names(settings: ClientSettings) -> int:
    """Return how many names go in one request; a name that is its own user goes by itself."""
    if settings.protocol == "dyndns2" and settings.username is None:
        return 1
    return {"signed": MAX_ROWS // 2, "dyndns2": MAX_HOSTNAMES, "duckdns": MAX_HOSTNAMES}.get(settings.protocol, 1)


class Machine:
    """One account and what the agent knows of it."""

    def __init__(self, settings: ClientSettings, plan: Plan, state: State) -> None:
        self.settings = settings
        self.plan = plan
        self.state = state
        self.timer: float | None = None
        self.out: set[int] = set()
        """The numbers of the questions whose answers are waited for."""

    def waits_for(self, number: int) -> bool:
        """Tell whether the answer to a question is still waited for. Safe to be called by any thread."""
        return number in self.out

    @property
    def line_of_sends(self) -> str:
        """Whose sends wait for each other: those to one server."""
        return f"sends to {self.settings.server or self.settings.protocol}"

    @property
    def line_of_looks(self) -> str:
        """Whose looks wait for each other; they never wait for a send, nor a send for them."""
        return f"looks at {self.settings.server or self.settings.protocol}"

    @property
    def line_of_questions(self) -> str:
        """Whose questions to DNS wait for each other: those to one resolver."""
        return f"DNS at {self.settings.dns_server or 'the resolvers of this machine'}"

    @property
    def lines(self) -> tuple[str, ...]:
        """All of these."""
        return self.line_of_sends, self.line_of_looks, self.line_of_questions

    @property
    def key(self) -> str:
        """The account's key in the state file."""
        return key_of(self.plan)


def key_of(plan: Plan) -> str:
    """Return the key of an account in the state file: that of its server and its names."""
    return hashlib.sha256("\0".join((plan.server, *plan.names)).encode()).hexdigest()[:16]
