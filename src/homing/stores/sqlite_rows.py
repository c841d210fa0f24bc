"""Rows as SQL: how they are spelt in the file, and what one transaction of the writer does to them.

Nothing here opens, locks, syncs or waits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from homing.core.errors import Conflict, InvalidInput
from homing.core.hosts import RECORD_TYPES
from homing.core.names import Name, get_zone_of
from homing.core.records import RRset
from homing.core.rows import ABSENT, Row, RowKey, from_attributes, key_of, to_attributes
from homing.core.zone import next_serial

if TYPE_CHECKING:
    import sqlite3

    from homing.core.rows import Commit

COLUMNS = "hostname, record_type, version, attributes"

_FIND = "SELECT version, desired FROM rows WHERE hostname = ? AND record_type = ?"
_PUT = """INSERT INTO rows (hostname, record_type, version, seq, attributes) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET version = excluded.version, seq = excluded.seq, attributes = excluded.attributes"""
_DELETE = "DELETE FROM rows WHERE hostname = ? AND record_type = ?"
_REMEMBER = "INSERT OR REPLACE INTO deleted VALUES (?, ?, ?)"
_FORGET = "DELETE FROM deleted WHERE hostname = ? AND record_type = ?"

ROWS_REMEMBERED = 4096

_render = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # SQLite knows no NaN


@dataclass(frozen=True, slots=True)
class Put:
    """A row as it is going to be written."""

    key: RowKey
    version: int
    attributes: str
    desired: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """A commit with everything turned to text, so that the writer's thread has only SQL left to do."""

    expects: tuple[tuple[RowKey, int], ...]
    puts: tuple[Put, ...]
    deletes: tuple[RowKey, ...]


def to_write(commit: Commit) -> Write:
    """Turn a commit to text. Raises ValueError for one that breaks the contract of `Commit`."""
    written = [*map(key_of, commit.puts), *commit.deletes]
    if len(set(written)) != len(written):
        raise ValueError("one commit writes a row once")
    for row in commit.puts:
        if row.version != commit.expects.get(key_of(row), -2) + 1:
            raise ValueError(f"row {key_of(row)}: its version must be the expected one plus one")
    for key in commit.deletes:
        if key not in commit.expects:
            raise ValueError(f"row {key}: it is deleted without a version to expect")
    return Write(tuple(commit.expects.items()), tuple(_to_put(row) for row in commit.puts), commit.deletes)


def _to_put(row: Row) -> Put:
    key, attributes = key_of(row), to_attributes(row)
    "".join(key).encode()  # a lone surrogate fails here, for this caller alone (UnicodeEncodeError is a ValueError)
    desired = attributes.get("desired")
    return Put(key, row.version, _render(attributes), None if desired is None else _render(desired))


@lru_cache(maxsize=ROWS_REMEMBERED)
def from_columns(hostname: str, record_type: str, version: int, attributes: str) -> Row:
    """Read a row. Raises InvalidInput, with no word of its content, for one that nobody could serve.

    Rows are values, and most polls read a row that has not changed: reading its text again gives the same one.
    """
    try:
        known = json.loads(attributes)
        if isinstance(known, dict):
            return from_attributes((hostname, record_type), version, known)
    except (ValueError, RecursionError):
        pass
    raise InvalidInput(f"row {hostname} {record_type}: its attributes are not a JSON object")


def get_row(columns: tuple[str, str, int, str]) -> Row | None:
    """Read a row, or return None for one that nobody could serve."""
    try:
        return from_columns(*columns)
    except InvalidInput:
        return None


def get_rrset(desired: str) -> RRset | None:
    """Read a desired RRset, or return None for one that somebody spoilt."""
    try:
        match json.loads(desired):
            case {"ttl": int(ttl), "rdata": [*rdata]} if rdata and all(isinstance(text, str) for text in rdata):
                return RRset(ttl, tuple(rdata))
    except (ValueError, RecursionError):
        pass
    return None


@lru_cache(maxsize=128)
def select_keys(count: int) -> str:
    """Return the query for so many keys: a fixed text each, so that it is prepared only once a connection."""
    if count == 1:
        return f"SELECT {COLUMNS} FROM rows WHERE hostname = ? AND record_type = ?"  # noqa: S608 - constants
    places = ", ".join(["(?, ?)"] * count)
    # A join, in this order: SQLite would answer "IN (VALUES ...)" of a pair by reading the whole table.
    return f"""WITH wanted(name, type) AS (VALUES {places})
        SELECT {COLUMNS} FROM wanted CROSS JOIN rows ON hostname = name AND record_type = type"""  # noqa: S608


class RowTransaction:
    """One transaction of the writer: the requests in it share the next `seq` and the zones that have moved."""

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._execute = connection.execute
        self._now = now
        self._first = self._seq = int(self._execute("SELECT value FROM meta WHERE key = 'seq'").fetchone()[0])
        self._changed: set[str] = set()

    def write(self, write: Write) -> None:
        """Write all of a commit. Raises Conflict, and has written nothing, if a row has moved."""
        held = {key: self._find_desired(key, version) for key, version in write.expects}
        for put in write.puts:
            self._seq += 1
            self._execute(_PUT, (*put.key, put.version, self._seq, put.attributes))
            if put.version == ABSENT + 1:
                self._execute(_FORGET, put.key)
            if put.desired != held[put.key]:
                self._changed.add(put.key[0])
        for key in write.deletes:
            self._delete(key, held[key])

    def touch_zone(self, zone: Name, content_digest: str) -> None:
        """Move the zone's serial if its static content is not what it was."""
        row = self._execute("SELECT content_digest FROM zones WHERE name = ?", (zone,)).fetchone()
        if row is None or row[0] == content_digest:
            return
        self._execute("UPDATE zones SET content_digest = ? WHERE name = ?", (content_digest, zone))
        if row[0] is not None:
            self._changed.add(zone)

    def finish(self) -> None:
        """Write the last `seq` used, and move the serial of every zone in which a desired RRset has changed."""
        if self._seq != self._first:
            self._execute("UPDATE meta SET value = ? WHERE key = 'seq'", (self._seq,))
        if not self._changed:
            return
        serials = dict(self._execute("SELECT name, serial FROM zones WHERE served"))
        for zone in {get_zone_of(Name(hostname), serials) for hostname in self._changed} - {None}:
            serial = next_serial(serials[zone], self._now)
            self._execute("UPDATE zones SET serial = ? WHERE name = ?", (serial, zone))

    def _find_desired(self, key: RowKey, version: int) -> str | None:
        row = self._execute(_FIND, key).fetchone()
        if (row[0] if row else ABSENT) != version:
            raise Conflict(f"row {key[0]} {key[1]} has moved")
        return row[1] if row else None

    def _delete(self, key: RowKey, desired: str | None) -> None:
        self._execute(_DELETE, key)
        if key[1] not in RECORD_TYPES:
            return
        self._seq += 1
        self._execute(_REMEMBER, (*key, self._seq))
        if desired is not None:
            self._changed.add(key[0])


def serve_zones(connection: sqlite3.Connection, zones: frozenset[Name], now: int) -> None:
    """Make these the zones that have serials. If they were others, names changed zones: then every serial moves."""
    if zones == {name for (name,) in connection.execute("SELECT name FROM zones WHERE served")}:
        return
    connection.execute("BEGIN IMMEDIATE")
    known = dict(connection.execute("SELECT name, serial FROM zones"))
    connection.execute("UPDATE zones SET served = 0")
    for zone in zones:
        connection.execute(
            "INSERT INTO zones VALUES (?, ?, NULL, 1) ON CONFLICT DO UPDATE SET serial = excluded.serial, served = 1",
            (zone, next_serial(known.get(zone, 0), now)),
        )
    connection.execute("COMMIT")
