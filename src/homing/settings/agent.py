"""The agent's own settings: `[agent]` of `homing.toml`, `HOMING_AGENT_...`, flags.

What it sends, and to whom, is in `settings/client.py`.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.core.values import field, frozen
from homing.settings import values
from homing.settings.client import parse_url
from homing.settings.one_machine import AGENT_TABLE as TABLE
from homing.settings.table import load_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "HOMING_AGENT_"
HOOKS = ("on_change", "on_failure", "on_recovery")
"""Settings that are commands, which no shell runs."""


@frozen(kw_only=True)
class AgentSettings:
    """What the agent does besides sending."""

    state_file: Path | None = None
    """Where it keeps what it knows through a restart. Unset: `homing/agent.json` in the state directory."""
    ping_url: str | None = field(default=None, repr=False)
    """Fetched once an interval while all is well, and with `/fail` behind it when something is not."""
    on_change: tuple[str, ...] = ()
    """A command to run after a name has got another address."""
    on_failure: tuple[str, ...] = ()
    """A command to run when a name cannot be kept right."""
    on_recovery: tuple[str, ...] = ()
    """A command to run when all names are right again."""
    check_dns: bool = True
    """Whether DNS is asked what it shows, after each update and every half hour."""
    lan: bool = False
    """Whether the other names of the group are kept as well, as `homing lan --watch` does: see `[lan]`."""


def parse_command(value: Any) -> tuple[str, ...]:
    """Read a command: a text in the shell's quoting, or a list of words. No shell runs it. Raises InvalidInput."""
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return tuple(value)
    try:
        words = shlex.split(values.text(value))
    except ValueError:
        raise InvalidInput("expected a command; a quote is not closed") from None
    return tuple(words)


READERS: Mapping[str, Callable[[Any], Any]] = {
    "state_file": values.path,
    "ping_url": parse_url,
    "on_change": parse_command,
    "on_failure": parse_command,
    "on_recovery": parse_command,
    "check_dns": values.flag,
    "lan": values.flag,
}
"""How each setting is read; each raises InvalidInput with what was expected."""


def load_agent(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> AgentSettings:
    """Collect the settings; `flags` that are None were not given. Raises InvalidSettings."""
    return AgentSettings(**load_table(TABLE, READERS, PREFIX, flags, environment, file).values)


def default_state_file(environment: Mapping[str, str]) -> Path:
    """Return `homing/agent.json` where systemd or the XDG conventions keep what should last."""
    if folder := environment.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0]) / "agent.json"
    home = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or "/") / ".local" / "state"
    return Path(home) / "homing" / "agent.json"
