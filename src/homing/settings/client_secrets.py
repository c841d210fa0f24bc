"""Secrets that stand in files of their own, and a word about files that others may read or write."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.settings.text_file import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE = 4096
"""Bytes; no secret is longer."""


def read_secret(path: Path, warnings: list[str], *, is_private: bool = False) -> str:
    """Return the secret that a file, or a pipe, consists of. `is_private`: its maker has seen to who may read it.

    Raises InvalidInput, never with what is in it.
    """
    data = read_bytes(path, MAX_FILE, may_be_pipe=True)
    try:
        text = data.decode("utf-8-sig").strip()
    except ValueError:
        text = ""
    if not text or len(data) > MAX_FILE:
        raise InvalidInput(f"{path}: expected a secret in one line")
    if not is_private:
        warn_if_open(path, warnings)
    return text


def warn_if_open(path: Path, warnings: list[str]) -> None:
    """Tell of a file with a secret in it that others than its owner and group may read or write.

    The group may: root:homing and 0640 is how a service is given a secret that it cannot change, and where each user
    has a group of his own, a group's bits mean nobody else. Which group is which cannot be told from the outside.
    """
    if _mode(path) & (stat.S_IROTH | stat.S_IWOTH):
        warnings.append(f"{path} holds a secret and may be read by others: chmod o= {path}")


def warn_if_writable(path: Path, warnings: list[str]) -> None:
    """Tell of settings that anybody may change: they name commands, and the server that learns the secret."""
    if _mode(path) & stat.S_IWOTH:
        warnings.append(f"{path} may be written by others, and names commands that are run: chmod o-w {path}")


def _mode(path: Path) -> int:
    """Return who may do what. Windows has no such bits, and a pipe's say nothing: it is read once."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return 0
    return mode if os.name == "posix" and stat.S_ISREG(mode) else 0
