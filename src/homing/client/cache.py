"""What was last sent, for `homing update --cache`: a file that may be lost, old or broken at any time.

An entry says only that a server has acknowledged an address then. Whether it may save a request is decided elsewhere,
with a look at DNS.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.core.addresses import Address
    from homing.core.hosts import RecordType
    from homing.settings.client import ClientSettings

MAX_FILE = 1024 * 1024
"""Bytes; a file that is longer is not ours."""


class Cache:
    """The entries of one file. Reading never fails: what cannot be read is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _read(path)

    def holds(self, key: str, address: Address, now: float, max_age: float) -> bool:
        """Tell whether this address was acknowledged less than `max_age` seconds ago. A clock that jumped tells no."""
        entry = self._entries.get(key)
        if not isinstance(entry, dict):
            return False
        at = entry.get("at")
        if not isinstance(at, int | float) or isinstance(at, bool):
            return False
        return entry.get("address") == str(address) and now - max_age < at <= now  # `now - at` may be past all counting

    def put(self, key: str, address: Address, now: float) -> None:
        """Remember that the address was acknowledged now (seconds since 1970)."""
        self._entries[key] = {"address": str(address), "at": now}

    def drop(self, key: str) -> None:
        """Forget what was acknowledged: nobody knows what the name is set to."""
        self._entries.pop(key, None)

    def save(self) -> str | None:
        """Write the file as a whole or not at all; return what went wrong."""
        import tempfile

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".client-", dir=self._path.parent)
            try:
                with open(descriptor, "w", encoding="utf-8") as stream:
                    json.dump(self._entries, stream)
                os.replace(name, self._path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as error:
            return f"{self._path}: the cache cannot be written: {error.strerror}"
        return None


def default_path(environment: Mapping[str, str]) -> Path:
    """Return `homing/client.json` where systemd or the XDG conventions keep what may be lost."""
    if folder := environment.get("CACHE_DIRECTORY"):
        return Path(folder.split(":")[0]) / "client.json"
    home = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "/")) / ".cache"
    return Path(home) / "homing" / "client.json"


def key_of(settings: ClientSettings, name: str, record_type: RecordType) -> str:
    """Return the key of one name and type at one server; another secret or protocol is another key."""
    told = (settings.server, settings.protocol, settings.username, settings.zone_id, settings.secret)
    digest = hashlib.sha256("\0".join(one or "" for one in told).encode()).hexdigest()
    return f"{name.removesuffix('.').lower()} {record_type} {digest[:32]}"


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(MAX_FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
