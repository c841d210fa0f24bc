"""Whether others can change a file: what a job of root's runs, and a settings file that nobody named.

A settings file names commands that are run, and the server that learns a secret. Who may write into a folder may put
another file, or a link, in the place of any in it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_LINKS = 40


def why_not_trusted(file: Path) -> str | None:
    """Tell why others than root and this user decide what stands in a file; None where they do not, or on Windows.

    A link counts with its owner too. The group may write, as with other files of settings: where each user has a group
    of his own, its bits mean nobody else. Into a folder that is sticky, such as /tmp, others may put files of their
    own, but change none of ours. Less than `why_untrusted` asks: who runs a command in a folder has chosen it.
    """
    if os.name != "posix":
        return None
    try:
        link, target, folder = file.lstat(), file.stat(), file.parent.stat()
    except (OSError, ValueError):
        return None  # whoever reads it tells why that cannot be done
    ours = (0, os.geteuid())
    if link.st_uid not in ours or target.st_uid not in ours:
        return "it belongs to another user"
    if target.st_mode & stat.S_IWOTH:
        return "others may write it"
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        return "others may write into its folder"
    return None if folder.st_uid in ours else "its folder belongs to another user"


def why_untrusted(path: Path, user: int = 0, group: int = 0) -> str | None:
    """Return who else than `user` and root can change a file, or what is going to be made there; None if nobody can.

    `group` is the user's own, in which nobody else is taken to be. A folder in which everybody may make files, and
    only owners remove them, is good enough for anybody but root. Raises OSError where nobody can look.
    """
    for one in walked(path):
        try:
            found = one.lstat()
        except FileNotFoundError:
            return None
        if found.st_uid not in (0, user):
            return f"{one} belongs to user {found.st_uid}"
        if _may_be_written(found, user, group):
            return f"{one} may be written by others"
    return None


def walked(path: Path) -> Iterator[Path]:
    """Yield each folder and link that leads to a file, and the file itself. Raises OSError for links without end."""
    at, rest, links = Path("/"), list(reversed(path.parts[1:])), 0
    yield at
    while rest:
        part = rest.pop()
        here = at.parent if part == ".." else at / part
        yield here
        if here.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            target = Path(os.readlink(here))
            at = Path("/") if target.is_absolute() else at
            rest += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        else:
            at = here


def _may_be_written(found: os.stat_result, user: int, group: int) -> bool:
    """A link has no rights of its own, and what is said of a device is said of all programs."""
    mode = found.st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        return False
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX and user != 0:
        return False
    return bool(mode & stat.S_IWOTH or (mode & stat.S_IWGRP and found.st_gid not in (0, group)))
