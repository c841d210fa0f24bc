"""The history of a SQLite store, for the one publisher in this process that follows it."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from homing.app.ports import ZoneChanges
from homing.core.errors import StoreUnavailable
from homing.core.names import Name, get_zone_of
from homing.core.records import RRset, RRsetKey
from homing.stores.sqlite_rows import get_rrset
from homing.stores.sqlite_schema import connect, to_store_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_MOVED = """SELECT seq, hostname, record_type, desired FROM rows WHERE seq > :seq AND record_type IN ('A', 'AAAA')
    UNION ALL SELECT seq, hostname, record_type, NULL FROM deleted WHERE seq > :seq ORDER BY seq"""
_ALL = """SELECT seq, hostname, record_type, desired FROM rows
    WHERE desired IS NOT NULL AND record_type IN ('A', 'AAAA') ORDER BY seq"""


class SqliteFeed:
    """Implements ChangeFeed on a connection of its own, so that `data_version` tells of every commit but its own.

    `has_moved` remembers where the last `changes_since` stood, so one feed serves one follower.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._seen = -1

    def changes_since(self, seq: int) -> ZoneChanges:
        """Return all that moved after `seq`, seen at one moment."""
        with self._lock:
            try:
                connection = self._connect()
                seen = _data_version(connection)  # before reading: what comes in between is seen twice, not never
                connection.execute("BEGIN")
                try:
                    changes = _read(connection, seq)
                finally:
                    connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise to_store_error(self._path, error) from error
            self._seen = seen
            return changes

    def has_moved(self) -> bool:
        """Tell whether any process may have committed since the last `changes_since`."""
        with self._lock:
            try:
                return _data_version(self._connect()) != self._seen
            except sqlite3.Error as error:
                raise to_store_error(self._path, error) from error

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreUnavailable(f"{self._path}: the store is closed")
        if self._connection is None:
            self._connection = connect(self._path)
            self._connection.execute("PRAGMA query_only = 1")
        return self._connection


def _data_version(connection: sqlite3.Connection) -> int:
    """https://www.sqlite.org/pragma.html#pragma_data_version: differs once another connection has committed."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _read(connection: sqlite3.Connection, seq: int) -> ZoneChanges:
    now = int(connection.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone()[0])
    serials = {Name(name): serial for name, serial in connection.execute("SELECT name, serial FROM zones WHERE served")}
    rows = connection.execute(_MOVED if seq else _ALL, {"seq": seq})
    return ZoneChanges(now, list(_to_rrsets(rows, serials)), serials)


def _to_rrsets(
    rows: Iterable[tuple[int, str, str, str | None]], zones: Mapping[Name, int]
) -> Iterator[tuple[RRsetKey, RRset | None]]:
    for _, hostname, record_type, desired in rows:
        if get_zone_of(Name(hostname), zones) is None:
            continue
        rrset = None if desired is None else get_rrset(desired)
        if rrset is not None or desired is None:  # a spoilt one is left out: DNS goes on showing what it showed
            yield RRsetKey(Name(hostname), record_type), rrset
