"""Secrets that stand in files of their own, and a word about files that others may read."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE = 4096
"""Bytes; no secret is longer."""


def read_secret(path: Path, origin: str, warnings: list[str], *, is_private: bool = False) -> str:
    """Return the secret that a file consists of. `is_private`: whoever made the file has seen to who may read it.

    Raises InvalidInput with the place that named the file, never with what is in it.
    """
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_FILE + 1).decode("utf-8").strip()
    except (OSError, ValueError):
        raise InvalidInput(f"{origin}: {path} cannot be read") from None
    if not text or len(text) > MAX_FILE:
        raise InvalidInput(f"{origin}: {path}: expected a secret in one line")
    if not is_private:
        warn_if_open(path, warnings)
    return text


def warn_if_open(path: Path, warnings: list[str]) -> None:
    """Tell of a file with a secret in it that others than its owner and group may read or write."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if os.name == "posix" and mode & (stat.S_IROTH | stat.S_IWOTH):
        warnings.append(f"{path} holds a secret and may be read by others: chmod 600 {path}")
