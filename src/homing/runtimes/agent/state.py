"""The agent's state file: JSON, written as a whole or not at all, read without trust."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_FILE = 1024 * 1024
"""Bytes; a file that is longer is not ours."""

_ADVICE = "End one of them, or give each a state_file in [agent] (--state-file)"


class StateFile:
    """What the agent knows of each account, by the account's key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._accounts = _read(path)
        self._lock: int | None = None

    def lock(self) -> str | None:
        """Keep other agents from writing it unnoticed; return a warning if one does already.

        The lock lies on a file beside it, which holds the process id of its owner, and ends with the process. Systems
        without flock(2), and folders where nothing can be written, have none.
        """
        try:
            import fcntl
        except ImportError:
            return None
        beside = self._path.with_name(f"{self._path.name}.lock")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError:
            return None  # the first `put` tells what is wrong
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"{self._path}: {_owner(descriptor)} uses it as well: each forgets what the other knows. {_ADVICE}"
        except OSError:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor
        return None

    def unlock(self) -> None:
        """Let go of it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def get(self, key: str) -> Mapping[str, Any] | None:
        """Return what was saved of an account; None for none, and for what cannot be read."""
        found = self._accounts.get(key)
        return found if isinstance(found, dict) else None

    def put(self, key: str, memory: Mapping[str, object]) -> str | None:
        """Save it, so that it survives a power cut; return what went wrong, if anything."""
        self._accounts[key] = memory
        new = self._path.with_name(f".{self._path.name}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
            with open(descriptor, "w", encoding="utf-8") as stream:
                json.dump({"accounts": self._accounts}, stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(new, self._path)
            self._sync_folder()
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()  # half a file on a full disk takes room from everybody
            return f"{self._path}: {error.strerror}"
        return None

    def keep_only(self, keys: set[str]) -> None:
        """Forget accounts that the settings do not have any more; written with the next `put`."""
        self._accounts = {key: memory for key, memory in self._accounts.items() if key in keys}

    def _sync_folder(self) -> None:
        if os.name != "posix":
            return
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _owner(descriptor: int) -> str:
    """Return who holds the lock, and close its file."""
    with open(descriptor, "rb") as stream:
        text = stream.read(20).strip()
    return f"another agent (process {text.decode()})" if text.isdigit() else "another agent"


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(MAX_FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    accounts = value.get("accounts") if isinstance(value, dict) else None
    return accounts if isinstance(accounts, dict) else {}
