"""What would keep a service from working that runs as a user made up for it, and sees neither homes nor /tmp.

Found before anything is installed, since afterwards it is a line in a journal at three in the morning.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import homing
from homing.settings.agent import HOOKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from homing.settings.agent import AgentSettings
    from homing.settings.client import ClientSettings

HOMES = ("/home", "/root", "/run/user")
"""What ProtectHome= hides: systemd.exec(5)."""
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - nothing is written there
"""What PrivateTmp= takes away."""
SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
"""Where systemd lets a service look for programs."""
_ADVICE = (
    "install Homing for the whole machine: `sudo python3 -m venv /opt/homing`, then"
    " `sudo /opt/homing/bin/pip install CLONE`, and use /opt/homing/bin/homing; or use --user"
)


def program_problems(paths: Iterable[Path] | None = None) -> list[str]:
    """Return why the service could not run this very program; one reason is enough for somebody to act."""
    for path in own_paths() if paths is None else paths:
        if why := why_closed(path):
            return [f"the service cannot run {path}: {why}; {_ADVICE}"]
    return []


def own_paths() -> tuple[Path, ...]:
    """Return what Python has to reach to run this program: itself, its library, and the packages."""
    import click

    packages = [Path(file) for file in (homing.__file__, click.__file__, os.__file__) if file]
    given = [Path(sys.executable), *packages]
    return tuple(dict.fromkeys((*given, *(path.resolve() for path in given))))


def settings_problems(accounts: Sequence[ClientSettings], agent: AgentSettings | None) -> list[str]:
    """Return what the settings want of files and programs that the service cannot reach."""
    problems = list(dict.fromkeys(_of_accounts(accounts)))
    if agent is None:
        return problems
    if agent.state_file is not None:
        problems.append(f"state_file: {agent.state_file}: the service writes to a folder of its own; leave it out")
    for name in HOOKS:
        if command := getattr(agent, name):
            problems += [f"{name}: {why}" for why in _command_problems(command[0])]
    return problems


def why_closed(path: Path) -> str | None:
    """Return why a user made up for a service cannot read a file; None if nothing is known against it."""
    for folder in HOMES:
        if path.is_relative_to(folder):
            return f"{folder} is hidden from it"
    for folder in TEMPORARY:
        if path.is_relative_to(folder):
            return f"it has a {folder} of its own"
    try:
        closed = next((one for one in (path, *path.parents) if not _is_open(one)), None)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return f"{closed} is not open to everybody: chmod o+r{'x' if closed.is_dir() else ''} {closed}" if closed else None


def _is_open(path: Path) -> bool:
    mode = path.stat().st_mode
    wanted = stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
    return bool(mode & wanted)


def _of_accounts(accounts: Sequence[ClientSettings]) -> Iterator[str]:
    for account in accounts:
        file = account.ca_file
        if file is not None:
            why = why_closed(file) if file.is_absolute() else "expected its whole path, from the root"
            if why:
                yield f"ca_file: {file}: {why}"
        for family in account.families:
            source = account.source(family)
            if source.kind == "command" and (words := source.argument.split()):
                yield from (f"ipv{family}: {why}" for why in _command_problems(words[0]))


def _command_problems(program: str) -> Iterator[str]:
    found = shutil.which(program, path=SEARCHED)
    if found is None:
        yield f"{program}: no such program" if "/" in program else f"{program}: not found in {SEARCHED}"
    elif why := why_closed(Path(found)):
        yield f"{program}: {why}"
