"""Files that a SQLite store opens, makes, refuses and copies."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from homing.core.errors import Refused, StoreDamaged, StoreUnavailable
from homing.core.records import RRset
from homing.core.rows import key_of
from homing.stores import sqlite_schema
from homing.stores.sqlite import SqliteStore
from tests.conformance.store_contract import make_host, put
from tests.conformance.test_stores import FixedClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound store with a few hundred hosts, closed."""
    path = tmp_path / "store.db"
    with closing(SqliteStore(path, clock=FixedClock())) as store:
        for start in range(0, 400, 80):
            put(store, *(make_host(f"h{number}", comment="x" * 50) for number in range(start, start + 80)))
    return path


def rows_of(path: Path) -> int:
    with closing(SqliteStore(path, clock=FixedClock())) as store:
        return len(list(store.scan()))


def empty(content: bytes) -> bytes:
    return b""


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def only_a_header(content: bytes) -> bytes:
    return content[:60]


def text(content: bytes) -> bytes:
    return b"[zones]\n" * 100


def overwritten(content: bytes) -> bytes:
    return content[:8192] + b"\xa5" * (len(content) - 8192)


def foreign(content: bytes) -> bytes:
    return content[:68] + b"\x00\x00\x00\x01" + content[72:]


@pytest.mark.parametrize("spoil", [empty, cut_short, only_a_header, text, overwritten, foreign])
def test_a_file_that_is_no_sound_store_is_refused_as_it_lies(path: Path, spoil: Callable[[bytes], bytes]) -> None:
    spoilt = spoil(path.read_bytes())
    path.write_bytes(spoilt)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="backup"):
            SqliteStore(path, clock=FixedClock())
        assert path.read_bytes() == spoilt


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE rows (x)")
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="another program"):
        SqliteStore(path, clock=FixedClock())
    assert path.read_bytes() == before


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    with pytest.raises(StoreDamaged, match="empty"):
        SqliteStore(tmp_path / "store.db", clock=FixedClock())


def test_a_log_without_its_file_is_not_taken_for_a_new_store(path: Path) -> None:
    store = SqliteStore(path, clock=FixedClock())
    put(store, make_host())
    log = path.with_name("store.db-wal")
    content = log.read_bytes()
    store.close()
    path.unlink()
    log.write_bytes(content)
    with pytest.raises(StoreDamaged, match="log"):
        SqliteStore(path, clock=FixedClock())
    assert [file.name for file in path.parent.iterdir()] == [log.name]


def test_a_newer_schema_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(sqlite_schema.MIGRATIONS) + 1}")
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="newer"):
        SqliteStore(path, clock=FixedClock())
    assert path.read_bytes() == before


def test_every_older_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    for version in range(len(sqlite_schema.MIGRATIONS)):
        path = tmp_path / f"from{version}.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA application_id = {sqlite_schema.APPLICATION_ID}")
            for statement in (line for step in sqlite_schema.MIGRATIONS[:version] for line in step):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version}")
        assert rows_of(path) == 0
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (len(sqlite_schema.MIGRATIONS),)


def test_a_migration_that_fails_leaves_the_old_schema(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ("CREATE TABLE half (x)", "CREATE TABLE rows (x)")
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "MIGRATIONS", (*sqlite_schema.MIGRATIONS, broken))
        with pytest.raises(StoreUnavailable, match="already exists"):
            SqliteStore(path, clock=FixedClock())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    assert rows_of(path) == 400


def test_a_crash_while_the_file_is_made_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(connection: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "store.db"
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "migrate", crash)
        with pytest.raises(KeyboardInterrupt):
            SqliteStore(path, clock=FixedClock())
    assert list(tmp_path.iterdir()) == []
    assert rows_of(path) == 0


def test_many_openers_make_one_store(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.db"
    stores: list[SqliteStore] = []
    threads = [threading.Thread(target=lambda: stores.append(SqliteStore(path, clock=FixedClock()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 8
    for number, store in enumerate(stores):
        put(store, make_host(f"h{number}"))
    assert all(len(list(store.scan())) == 8 for store in stores)
    for store in stores:
        store.close()


def test_a_place_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "store.db", tmp_path):
        with pytest.raises(StoreUnavailable):
            SqliteStore(path, clock=FixedClock())


def test_a_backup_is_consistent_while_others_write(path: Path, tmp_path: Path) -> None:
    """Each commit writes one comment into four hosts: a copy that holds two different ones was torn."""
    store = SqliteStore(path, clock=FixedClock())
    stop = threading.Event()
    threads = [threading.Thread(target=_write_four, args=(store, number, stop)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(5):
            _check_backup(store, tmp_path / f"backup{number}.db")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        store.close()


def test_a_backup_never_overwrites(path: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("precious")
    with closing(SqliteStore(path, clock=FixedClock())) as store:
        for destination in (there, path):
            with pytest.raises(Refused, match="exists"):
                store.backup(destination)
        with pytest.raises(Refused, match="no backup"):
            store.backup(tmp_path / "missing" / "copy")
    assert there.read_text() == "precious"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["store.db", "there"]


def _write_four(store: SqliteStore, writer: int, stop: threading.Event) -> None:
    version = 0
    while not stop.is_set():
        version += 1
        rrset = RRset(60, (f"192.0.2.{version % 250}",))
        put(store, *(make_host(f"w{writer}-{part}", version=version, desired=rrset) for part in range(4)))


def _check_backup(store: SqliteStore, copy: Path) -> None:
    store.backup(copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(SqliteStore(copy, clock=FixedClock())) as copied:
        versions: dict[str, set[int]] = {}
        for row in copied.scan():
            name = key_of(row)[0]
            if name.startswith("w"):
                versions.setdefault(name.partition("-")[0], set()).add(row.version)
        assert all(len(found) == 1 for found in versions.values())
