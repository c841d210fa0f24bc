"""The agent's own settings: `[agent]` of `homing.toml`, `HOMING_AGENT_...`, flags.

What it sends, and to whom, is in `settings/client.py`.

Every problem is told at once, with its place.
"""

from __future__ import annotations

import difflib
import os
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput, InvalidSettings
from homing.core.values import field, frozen
from homing.settings import values
from homing.settings.client import parse_url
from homing.settings.one_machine import AGENT_TABLE as TABLE
from homing.settings.one_machine import find_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "HOMING_AGENT_"


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
}
"""How each setting is read; each raises InvalidInput with what was expected."""


def load_agent(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> AgentSettings:
    """Collect the settings; `flags` that are None were not given. Raises InvalidSettings."""
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    file = file or find_file(environment)
    table = _read_table(file, problems) if file else {}
    found: dict[str, Any] = {}
    for name, read in READERS.items():
        variable = PREFIX + name.upper()
        layers = ((name, flags or {}, name), (variable, environment, variable), (f"{file}: {name}", table, name))
        for origin, layer, key in layers:
            if layer.get(key) is not None:
                try:
                    found[name] = read(layer[key])
                except InvalidInput as error:
                    problems.append(f"{origin}: {error}")
                break
    if problems:
        raise InvalidSettings(tuple(problems))
    return AgentSettings(**found)


def default_state_file(environment: Mapping[str, str]) -> Path:
    """Return `homing/agent.json` where systemd or the XDG conventions keep what should last."""
    if folder := environment.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0]) / "agent.json"
    home = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/")) / ".local" / "state"
    return Path(home) / "homing" / "agent.json"


def _read_table(file: Path, problems: list[str]) -> Mapping[str, Any]:
    """Return `[agent]`; what is wrong with the file as a whole is told by whoever reads the rest of it."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get(TABLE, {})
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(table, dict):
        problems.append(f"{file}: {TABLE}: expected a table, [{TABLE}]")
        return {}
    for name in table:
        if name not in READERS:
            close = difflib.get_close_matches(name, READERS, 1)
            meant = f"; is {close[0]} meant?" if close else ""
            problems.append(f"{file}: [{TABLE}]: {name}: no such setting{meant}")
    return table
