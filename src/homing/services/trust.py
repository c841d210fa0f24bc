"""By what others than root could have a job of root's do what they want: what it reads, and what it runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from homing.settings.agent import HOOKS
from homing.settings.ownership import why_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from homing.settings.agent import AgentSettings
    from homing.settings.client import ClientSettings

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ADVICE = "keep it where only root can write, such as /etc or /opt, or install the service as another user than root"


def root_problems(
    paths: Iterable[Path], accounts: Sequence[ClientSettings], agent: AgentSettings | None
) -> Iterator[str]:
    """Yield by what others than root could have a job of root's do what they want: `paths` first, then commands."""
    for path in dict.fromkeys(paths):
        if why := _why(path):
            yield f"{path}: root would use it, but {why}: {_ADVICE}"
    for name, words in _commands(accounts, agent):
        for path in _files_of(words):
            if why := _why(path):
                yield f"{name}: {path}: root would run it, but {why}: {_ADVICE}"


def _why(path: Path) -> str | None:
    try:
        return why_untrusted(path)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"


def _commands(accounts: Sequence[ClientSettings], agent: AgentSettings | None) -> Iterator[tuple[str, Sequence[str]]]:
    for account in accounts:
        for family in account.families:
            source = account.source(family)
            if source.kind == "command":
                yield f"ipv{family}", source.argument.split()
    if agent is not None:
        yield from ((name, getattr(agent, name)) for name in HOOKS)


def _files_of(words: Sequence[str]) -> Iterator[Path]:
    """Return the program of a command, and the files that it is given: one may be a script."""
    for number, word in enumerate(words):
        found = shutil.which(word, path=SEARCHED) if number == 0 and "/" not in word else word
        if found and os.path.isabs(found) and (number == 0 or os.path.isfile(found)):
            yield Path(found)
