"""The SQLite file: how it is made, told from others, brought up to date, and connected to.

Nothing here knows what a row means. A file that is not a sound store of this program is refused as it lies; no code
path replaces one or makes it empty.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import StoreDamaged, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

APPLICATION_ID = int.from_bytes(b"Homi", "big")
BUSY_SECONDS = 5.0
"""So long a connection waits for another process that writes."""
QUICK_CHECK_BYTES = 64 * 2**20
"""Files below this are checked page by page at every opening (about 0.1 s for 100,000 hosts); in a larger one damage
shows when it is read."""

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100  # https://www.sqlite.org/fileformat2.html#the_database_header
_APPLICATION_ID = slice(68, 72)
_OLDEST_SQLITE = (3, 38, 0)  # the first with STRICT tables and with JSON always built in

_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # each commit waits for its own fsync of the WAL
    "PRAGMA fullfsync = 1",  # on macOS fsync alone does not reach the disk
    "PRAGMA checkpoint_fullfsync = 1",
    "PRAGMA cache_size = -512",  # KiB a connection; the operating system's cache does the rest
    "PRAGMA journal_size_limit = 8388608",
    "PRAGMA trusted_schema = 1",  # some builds default to 0, and then forbid JSON in generated columns
    "PRAGMA cell_size_check = 1",
)

_VERSION_1 = (
    # One truth: what is indexed is generated from the attributes, so no edit by hand can make the two disagree.
    """CREATE TABLE rows (
        hostname TEXT NOT NULL,
        record_type TEXT NOT NULL,
        version INTEGER NOT NULL CHECK (version > 0),
        seq INTEGER NOT NULL,
        attributes TEXT NOT NULL CHECK (json_type(attributes) = 'object'),
        shared_secret TEXT GENERATED ALWAYS AS (json_extract(attributes, '$.shared_secret')) VIRTUAL,
        pending INTEGER GENERATED ALWAYS AS (json_extract(attributes, '$.pending')) VIRTUAL,
        desired TEXT GENERATED ALWAYS AS (json_extract(attributes, '$.desired')) STORED,
        PRIMARY KEY (hostname, record_type)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX rows_by_seq ON rows (seq)",
    "CREATE INDEX rows_pending ON rows (seq) WHERE pending IS NOT NULL",
    "CREATE INDEX rows_by_secret ON rows (shared_secret) WHERE shared_secret IS NOT NULL",
    # A row that is gone must still be told to whoever follows.
    """CREATE TABLE deleted (
        hostname TEXT NOT NULL, record_type TEXT NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (hostname, record_type)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX deleted_by_seq ON deleted (seq)",
    """CREATE TABLE zones (
        name TEXT NOT NULL PRIMARY KEY, serial INTEGER NOT NULL, content_digest TEXT,
        served INTEGER NOT NULL CHECK (served IN (0, 1))
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "INSERT INTO meta VALUES ('seq', 0)",
    # For an operator with the sqlite3 program. No secret is in it.
    """CREATE VIEW hosts AS SELECT
        hostname, record_type,
        attributes ->> '$.ip_address' AS ip_address,
        attributes -> '$.desired' AS desired,
        attributes -> '$.published' AS published,
        coalesce(pending, 0) AS pending,
        attributes ->> '$.rejected' AS rejected,
        attributes ->> '$.ttl' AS ttl,
        attributes ->> '$.group' AS "group",
        coalesce(attributes ->> '$.lock_record', 0) AS lock_record,
        attributes ->> '$.mac_address' AS mac_address,
        attributes ->> '$.comment' AS comment,
        datetime(attributes ->> '$.last_checked', 'unixepoch') AS last_checked,
        datetime(attributes ->> '$.last_updated', 'unixepoch') AS last_updated,
        datetime(attributes ->> '$.removed_at', 'unixepoch') AS removed_at,
        version
    FROM rows WHERE record_type IN ('A', 'AAAA')""",
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1,)
"""The statements that lead from `user_version` n to n + 1; each step is one transaction. Only ever appended to."""

# Bytes that are no UTF-8 spoil the row they are in (its JSON cannot be read), not the whole answer.
_to_text = partial(str, encoding="utf-8", errors="backslashreplace")


class Connection(sqlite3.Connection):
    """A connection that closes itself when the thread that used it is gone.

    Whoever uses it holds `busy`: closing it under another thread's query would crash the process.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.busy = threading.Lock()

    def __del__(self) -> None:
        self.close()


def connect(path: Path, *, mode: str = "rw") -> Connection:
    """Return a connection in autocommit, with every setting that durability rests on. It never makes a file."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
    )
    connection.text_factory = _to_text
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    return connection


def to_store_error(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Return what a failure of SQLite means to the callers of a store."""
    if isinstance(error, sqlite3.Error) and primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    return StoreUnavailable(f"{path}: {error}")


def primary_code(error: sqlite3.Error) -> int:
    """Return the primary result code (https://www.sqlite.org/rescode.html), 0 where SQLite gave none."""
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def prepare(path: Path) -> None:
    """Make the store if there is no file, refuse one that is not ours or not sound, and migrate an older one.

    Raises StoreDamaged or StoreUnavailable; the file then lies as it lay.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreUnavailable(f"SQLite {sqlite3.sqlite_version} is too old: 3.38 or newer is needed")
    try:
        if not path.exists():
            _check_alone(path)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_in_place(path, _make, overwrite_loses=True)
        _check_header(path)
        _check_content(path)
        with closing(connect(path)) as connection:
            migrate(connection)
            _use_wal(path, connection)
    except (sqlite3.Error, OSError) as error:
        raise to_store_error(path, error) from error


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest version, one transaction a step. Another process may be doing the same."""
    while _pragma(connection, "user_version") < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _pragma(connection, "user_version")
            for statement in MIGRATIONS[version] if version < len(MIGRATIONS) else ():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {min(version + 1, len(MIGRATIONS))}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def write_in_place(path: Path, write: Callable[[Path], None], *, overwrite_loses: bool = False) -> None:
    """Make a file under another name, mode 0600, and give it its own once it is whole and on disk.

    Raises FileExistsError if `path` is there by then; with `overwrite_loses` the one that was first is kept instead.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp: mode 0600, O_EXCL
    os.close(descriptor)
    try:
        write(Path(name))
        _sync(Path(name))
        _link(name, path)
    except FileExistsError:
        if not overwrite_loses:
            raise
    finally:
        Path(name).unlink(missing_ok=True)
    _sync(path.parent)


def _make(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
        _use_wal(path, connection)  # here, where nobody else is: the switch does not wait for other openers


def _link(name: str, path: Path) -> None:
    """Give a file its name unless something has it. Where links are forbidden, the name is taken first."""
    try:
        os.link(name, path)
    except FileExistsError:
        raise
    except OSError:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        Path(name).replace(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_alone(path: Path) -> None:
    """SQLite would replay the log of a file that is gone into the new one."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and not path.exists():  # another opener may just have made both
        raise _damaged(path, f"the file is missing, but its log {log.name} is there")


def _check_header(path: Path) -> None:
    """Look at the bytes themselves, before SQLite may touch anything."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header:
        raise _damaged(path, "the file is empty")
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise _damaged(path, "the file is no SQLite database")
    if int.from_bytes(header[_APPLICATION_ID], "big") != APPLICATION_ID:
        raise _damaged(path, "the database belongs to another program")


def _check_content(path: Path) -> None:
    """Let SQLite look, read-only: that also sees what is still in the WAL, and checkpoints nothing."""
    with closing(connect(path, mode="ro")) as connection:
        _pragma(connection, "schema_version")
        _check_version(path, _pragma(connection, "user_version"))
        if path.stat().st_size < QUICK_CHECK_BYTES:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise _damaged(path, str(found))


def _check_version(path: Path, version: int) -> None:
    if version > len(MIGRATIONS):
        raise StoreDamaged(
            f"{path} was written by a newer Homing (schema {version}, this one knows {len(MIGRATIONS)}): "
            "run that version, or restore a backup made by this one"
        )


def _use_wal(path: Path, connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreUnavailable(f"{path}: no write-ahead log is possible here ({mode}); keep the store on a local disk")


def _damaged(path: Path, what: str) -> StoreDamaged:
    return StoreDamaged(
        f"{path}: {what}. Nothing was changed. Stop Homing, move the file and its -wal and -shm away, "
        "copy a backup to this path, and start again"
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
