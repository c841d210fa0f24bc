"""The store of one machine: a SQLite file, shared by the server and the command line beside it.

Durable when `commit` returns (WAL, synchronous=FULL). Reads use one connection a thread and see every commit that has
returned, from any process. How the file is made and checked is in `sqlite_schema`, how rows are spelt in `sqlite_rows`.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from homing.core.errors import InvalidInput, Refused, StoreUnavailable
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.rows import key_of
from homing.stores import sqlite_rows, sqlite_schema
from homing.stores.group_commit import GroupCommit
from homing.stores.sqlite_feed import SqliteFeed
from homing.stores.sqlite_rows import COLUMNS, RowTransaction, get_row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from homing.app.ports import Clock, ZoneChanges
    from homing.core.rows import Commit, Row, RowKey

T = TypeVar("T")

PAGE_ROWS = 500
"""So many rows a scan reads at once: no reader holds back the checkpoints for long."""

_GROUP = f"SELECT {COLUMNS} FROM rows WHERE shared_secret = ? ORDER BY hostname, record_type"  # noqa: S608 - constant
_PENDING = f"SELECT {COLUMNS} FROM rows WHERE pending IS NOT NULL ORDER BY seq"  # noqa: S608 - constant
_PAGE = f"""SELECT {COLUMNS} FROM rows WHERE (hostname, record_type) > (?, ?)
    ORDER BY hostname, record_type LIMIT {PAGE_ROWS}"""  # noqa: S608 - constants


class SqliteStore:
    """Implements Store and ChangeFeed.

    `zones` are those whose serials move with their hosts; an opener that gives none leaves them as they are. A new
    file is made if there is none. Raises StoreDamaged for a file that is corrupt, empty, foreign or newer.
    """

    max_rows = 1_000_000

    def __init__(self, path: Path | str, *, zones: Collection[Name] = (), clock: Clock) -> None:
        self._path = Path(path).absolute()
        self._clock = clock
        self._threads = threading.local()
        self._connections: WeakSet[sqlite_schema.Connection] = WeakSet()
        self._lock = threading.Lock()
        self._closed = False
        sqlite_schema.prepare(self._path)
        self._identity = self._identify()
        self._serve(frozenset(zones))
        self._writer = GroupCommit(self._path, partial(sqlite_schema.connect, self._path), self._begin)
        self._feed = SqliteFeed(self._path)

    def load(self, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        """Return the rows that are there, at most 100 keys at a time."""
        if not keys:
            return {}
        values = [text for key in keys for text in key]
        try:
            found = self._read(sqlite_rows.select_keys(len(keys)), values)
        except UnicodeEncodeError:  # a lone surrogate is in no row, and SQLite cannot even be asked
            return self.load([key for key in keys if _is_unicode(key)])
        return {key_of(row): row for columns in found if (row := get_row(columns))}

    def commit(self, commit: Commit) -> None:
        """Write all of it, durably, or raise Conflict, StoreUnavailable or StoreDamaged."""
        self.submit(commit).result()

    def submit(self, commit: Commit) -> Future[None]:
        """Begin a commit; the future is resolved from the writer's thread once it is durable or has failed."""
        write = sqlite_rows.to_write(commit)
        return self._writer.submit(lambda transaction: transaction.write(write))

    def find_group(self, shared_secret: str) -> Sequence[Host]:
        """Return the hosts with this current secret that are not removed, in order of their keys."""
        if not shared_secret or not _is_unicode((shared_secret,)):
            return ()
        rows = map(get_row, self._read(_GROUP, (shared_secret,)))
        return [row for row in rows if isinstance(row, Host) and not row.is_removed]

    def find_pending(self, limit: int, is_wanted: Callable[[Host], bool] = lambda _: True) -> Sequence[Host]:
        """Return at most `limit` pending hosts that are wanted, those that have waited longest first."""
        return self._try(lambda connection: _take_hosts(connection.execute(_PENDING), limit, is_wanted))

    def scan(self) -> Iterator[Row]:
        """Yield every row, in order of keys."""
        for columns in self._scan_columns():
            if row := get_row(columns):
                yield row

    def scan_damaged(self) -> Sequence[str]:
        """Return one line for each row that cannot be read."""
        lines: list[str] = []
        for columns in self._scan_columns():
            try:
                sqlite_rows.from_columns(*columns)
            except InvalidInput as error:
                lines.append(str(error))
        return lines

    def changes_since(self, seq: int) -> ZoneChanges:
        """Return all that moved after `seq` (0: everything desired), seen at one moment."""
        return self._feed.changes_since(seq)

    def has_moved(self) -> bool:
        """Tell cheaply whether any process may have committed since the last `changes_since`."""
        return self._feed.has_moved()

    def zones(self) -> Mapping[Name, int]:
        """Return the zones that have serials here, with the serials they are at."""
        return {Name(name): serial for name, serial in self._read("SELECT name, serial FROM zones WHERE served")}

    def former_zones(self) -> Sequence[Name]:
        """Return the zones that were served before and are not now."""
        return [Name(name) for (name,) in self._read("SELECT name FROM zones WHERE NOT served ORDER BY name")]

    def touch_zone(self, zone: Name, content_digest: str) -> None:
        """Move the zone's serial if its static content has another digest than the last time it was touched."""
        self._writer.submit(lambda transaction: transaction.touch_zone(zone, content_digest)).result()

    def backup(self, destination: Path) -> None:
        """Write a consistent copy, mode 0600, while anybody goes on writing here. Raises Refused if a file is there."""
        destination = destination.absolute()
        if destination.exists():
            raise Refused(f"{destination} exists: name a file that does not")
        try:
            sqlite_schema.write_in_place(destination, self._copy)
        except FileExistsError:
            raise Refused(f"{destination} exists: name a file that does not") from None
        except OSError as error:
            raise Refused(f"no backup was made: {destination}: {error.strerror}") from error
        except sqlite3.Error as error:
            raise sqlite_schema.to_store_error(self._path, error) from error

    def check(self) -> None:
        """Return if the store answers, and is still the file that was opened."""
        self._check_identity()
        self._writer.check()
        self._read("SELECT value FROM meta", ())

    def close(self) -> None:
        """Finish the commits that are queued, and let go; the last to close empties the WAL into the file."""
        with self._lock:
            self._closed = True
            connections = list(self._connections)
        self._feed.close()
        for connection in connections:
            with connection.busy:
                connection.close()
        self._writer.close()

    def _serve(self, zones: frozenset[Name]) -> None:
        if not zones:
            return
        try:
            with closing(sqlite_schema.connect(self._path)) as connection:
                sqlite_rows.serve_zones(connection, zones, int(self._clock.now()))
        except sqlite3.Error as error:
            raise sqlite_schema.to_store_error(self._path, error) from error

    def _begin(self, connection: sqlite3.Connection) -> RowTransaction:
        self._check_identity()
        return RowTransaction(connection, int(self._clock.now()))

    def _copy(self, destination: Path) -> None:
        with closing(sqlite_schema.connect(self._path)) as connection:
            connection.execute("VACUUM INTO ?", (str(destination),))

    def _identify(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino)

    def _check_identity(self) -> None:
        """A file moved away still takes writes, and nobody would ever read them."""
        if self._identify() != self._identity:
            raise StoreUnavailable(f"{self._path} was replaced or removed while in use: restart Homing")

    def _scan_columns(self) -> Iterator[tuple[str, str, int, str]]:
        after = ("", "")
        while page := self._read(_PAGE, after):
            yield from page
            if len(page) < PAGE_ROWS or page[-1][:2] <= after:
                return
            after = page[-1][:2]

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._try(lambda connection: connection.execute(sql, values).fetchall())

    def _try(self, read: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection()
        try:
            with connection.busy:
                return read(connection)
        except sqlite3.Error as error:
            if self._closed:
                raise StoreUnavailable(f"{self._path}: the store is closed") from None
            raise sqlite_schema.to_store_error(self._path, error) from error

    def _connection(self) -> sqlite_schema.Connection:
        """Return this thread's connection."""
        if self._closed:
            raise StoreUnavailable(f"{self._path}: the store is closed")
        connection: sqlite_schema.Connection | None = getattr(self._threads, "connection", None)
        if connection is None:
            connection = sqlite_schema.connect(self._path)
            connection.execute("PRAGMA query_only = 1")
            with self._lock:
                self._connections.add(connection)
            self._threads.connection = connection
        return connection


def _take_hosts(rows: sqlite3.Cursor, limit: int, is_wanted: Callable[[Host], bool]) -> list[Host]:
    """Read until there are enough: rows that cannot be read, or are not wanted, must not crowd out the others."""
    hosts: list[Host] = []
    with closing(rows):
        for columns in rows if limit > 0 else ():
            if isinstance(row := get_row(columns), Host) and is_wanted(row):
                hosts.append(row)
            if len(hosts) >= limit:
                break
    return hosts


def _is_unicode(texts: Collection[str]) -> bool:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
