"""What a SQLite store promises beyond the contract: durability, group commit, serials, several processes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import Future, wait
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from homing.core.accounts import Account
from homing.core.errors import Conflict, StoreUnavailable
from homing.core.names import Name
from homing.core.records import RRset
from homing.core.rows import ABSENT, Commit, Row, key_of
from homing.core.zone import serial_is_newer
from homing.stores import group_commit, sqlite_schema
from homing.stores.sqlite import SqliteStore
from tests.conformance.store_contract import make_host, put
from tests.conformance.test_stores import FixedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ZONE, SUB, OTHER = Name("home.example."), Name("sub.home.example."), Name("other.example.")
ONE, TWO = RRset(60, ("192.0.2.1",)), RRset(60, ("192.0.2.2",))
CALLERS = 50
WRITER = """
import sys
from homing.core.errors import Conflict
from homing.stores.sqlite import SqliteStore
from tests.conformance.store_contract import make_host, put
from tests.conformance.test_stores import FixedClock
store = SqliteStore(sys.argv[1], clock=FixedClock())
done = 0
while done < 200:
    try:
        put(store, store.load([make_host().key])[make_host().key].next())
        done += 1
    except Conflict:
        pass
store.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path, zones=[ZONE, OTHER], clock=FixedClock())
    yield store
    store.close()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What every connection made from now on is told to do."""
    heard: list[str] = []
    connect = sqlite_schema.connect

    def traced(path: Path, *, mode: str = "rw") -> sqlite_schema.Connection:
        connection = connect(path, mode=mode)
        connection.set_trace_callback(heard.append)
        return connection

    monkeypatch.setattr(sqlite_schema, "connect", traced)
    return heard


def commit_of(*rows: Row) -> Commit:
    return Commit(rows, {key_of(row): row.version - 1 for row in rows})


def hold_writer(store: SqliteStore) -> Callable[[], None]:
    """Keep the writer's thread busy until the returned function is called."""
    let_go, held = threading.Event(), threading.Event()

    def wait_for_it(_: object) -> None:
        held.set()
        let_go.wait(30)

    store._writer.submit(wait_for_it)
    held.wait(30)
    return let_go.set


def test_every_connection_has_the_settings_that_durability_rests_on(store: SqliteStore, path: Path) -> None:
    put(store, make_host())
    values: dict[str, int | str] = {}

    def ask(transaction: object) -> None:
        execute = transaction._execute  # type: ignore[attr-defined] # the writer's own connection
        values.update({name: execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "fullfsync")})
        values.update({name: execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "busy_timeout")})

    store._writer.submit(ask).result()
    assert values == {"synchronous": 2, "fullfsync": 1, "journal_mode": "wal", "busy_timeout": 5000}


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.db"
    store = SqliteStore(path, clock=FixedClock())
    put(store, make_host())
    assert path.parent.stat().st_mode & 0o777 == 0o700
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["store.db", "store.db-wal", "store.db-shm"], "0o600")
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


def test_what_was_committed_is_there_after_opening_again(store: SqliteStore, path: Path) -> None:
    put(store, make_host(desired=ONE))
    store.close()
    with closing(SqliteStore(path, clock=FixedClock())) as again:
        assert list(again.scan()) == [make_host(desired=ONE)]
        assert list(again.zones()) == [ZONE, OTHER]


def test_an_operator_sees_hosts_and_no_secret(store: SqliteStore, path: Path) -> None:
    put(store, make_host(desired=ONE, previous_secret="secret-before"), Account(username="u", version=1, password="p"))
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM hosts").fetchall()
    assert len(rows) == 1
    assert rows[0][:3] == ("cam.home.example.", "A", "192.0.2.1")
    assert "secret" not in repr(rows)


def test_waiting_callers_share_one_sync(statements: list[str], path: Path) -> None:
    with closing(SqliteStore(path, clock=FixedClock())) as store:
        let_go = hold_writer(store)
        statements.clear()
        futures = [store.submit(commit_of(make_host(f"h{number}"))) for number in range(CALLERS)]
        let_go()
        wait(futures)
        assert sum(statement.startswith("INSERT INTO rows") for statement in statements) == CALLERS
        assert statements.count("COMMIT") <= 2


def test_a_batch_is_bounded(statements: list[str], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_BATCH", 10)
    with closing(SqliteStore(path, clock=FixedClock())) as store:
        let_go = hold_writer(store)
        statements.clear()
        futures = [store.submit(commit_of(make_host(f"h{number}"))) for number in range(CALLERS)]
        let_go()
        wait(futures)
        assert statements.count("COMMIT") == 6


def test_a_conflict_is_heard_by_its_own_caller_only(store: SqliteStore) -> None:
    let_go = hold_writer(store)
    futures = [store.submit(commit_of(make_host(label))) for label in ("a", "b", "a", "c")]
    let_go()
    outcomes = [type(future.exception()) for future in futures]
    assert outcomes == [type(None), type(None), Conflict, type(None)]
    assert len(list(store.scan())) == 3


def test_a_caller_that_gave_up_before_its_turn_changes_nothing(store: SqliteStore) -> None:
    let_go = hold_writer(store)
    futures = [store.submit(commit_of(make_host(label))) for label in ("a", "b")]
    assert futures[0].cancel()
    let_go()
    futures[1].result()
    assert list(store.scan()) == [make_host("b")]


def test_close_finishes_what_is_queued(store: SqliteStore, path: Path) -> None:
    let_go = hold_writer(store)
    futures = [store.submit(commit_of(make_host(f"h{number}"))) for number in range(CALLERS)]
    closing_thread = threading.Thread(target=store.close)
    closing_thread.start()
    let_go()
    closing_thread.join()
    assert all(future.done() and future.exception() is None for future in futures)
    with closing(SqliteStore(path, clock=FixedClock())) as again:
        assert len(list(again.scan())) == CALLERS


def test_a_full_disk_acknowledges_nobody_and_later_commits_may_succeed(store: SqliteStore) -> None:
    put(store, make_host("before"))
    _limit_pages(store, 1)
    let_go = hold_writer(store)
    futures = [store.submit(commit_of(make_host(f"h{number}", comment="x" * 4000))) for number in range(5)]
    let_go()
    assert [type(future.exception()) for future in futures] == [StoreUnavailable] * 5
    assert list(store.scan()) == [make_host("before")]
    _limit_pages(store, 100_000)
    put(store, make_host("after"))
    assert len(list(store.scan())) == 2


class FailingConnection(sqlite_schema.Connection):
    """Its COMMIT fails as after a failed fsync, once."""

    failures: list[int]

    def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.failures:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.failures.pop()
            raise error
        return super().execute(sql, parameters)  # type: ignore[arg-type] # as above


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE])
def test_after_a_failed_sync_nobody_is_acknowledged_any_more(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(sqlite_schema, "Connection", FailingConnection)
    monkeypatch.setattr(FailingConnection, "failures", [], raising=False)
    put(store, make_host("before"))
    let_go = hold_writer(store)
    futures: list[Future[None]] = [store.submit(commit_of(make_host(f"h{number}"))) for number in range(5)]
    FailingConnection.failures.extend([code])
    let_go()
    assert all(isinstance(future.exception(), StoreUnavailable) for future in futures)
    with pytest.raises(StoreUnavailable, match="until Homing is restarted"):
        put(store, make_host("later"))
    assert list(store.scan()) == [make_host("before")]
    store.close()
    with closing(SqliteStore(path, clock=FixedClock())) as again:
        put(again, make_host("later"))


def test_after_another_failure_of_commit_later_ones_may_succeed(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_schema, "Connection", FailingConnection)
    monkeypatch.setattr(FailingConnection, "failures", [sqlite3.SQLITE_BUSY], raising=False)
    with pytest.raises(StoreUnavailable):
        put(store, make_host("never"))
    put(store, make_host("later"))
    assert list(store.scan()) == [make_host("later")]


def test_a_store_replaced_under_a_running_server_takes_no_more_commits(store: SqliteStore, path: Path) -> None:
    put(store, make_host())
    path.rename(path.with_suffix(".away"))
    with pytest.raises(StoreUnavailable, match="replaced or removed"):
        put(store, make_host("later"))
    with pytest.raises(StoreUnavailable, match="replaced or removed"):
        store.check()


def test_two_processes_write_at_once(store: SqliteStore, path: Path) -> None:
    put(store, make_host())
    command = [sys.executable, "-c", WRITER, str(path)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert [row.version for row in store.scan()] == [401]


def test_another_process_is_seen_by_has_moved(store: SqliteStore, path: Path) -> None:
    put(store, make_host())
    assert store.has_moved()
    store.changes_since(0)
    assert not store.has_moved()
    store.load([make_host().key])
    assert not store.has_moved()
    subprocess.run([sys.executable, "-c", WRITER, path], check=True, timeout=60)
    assert store.has_moved()
    store.changes_since(0)
    put(store, make_host("own"))
    assert store.has_moved()


def test_changes_are_told_in_the_order_of_commits(store: SqliteStore) -> None:
    put(store, make_host("b", desired=ONE), make_host("a", desired=ONE), make_host("idle"))
    put(store, make_host(hostname=Name("cam.elsewhere.test."), desired=ONE))
    first = store.changes_since(0)
    assert first.rrsets == [(make_host("b").key, ONE), (make_host("a").key, ONE)]
    put(store, make_host("a", desired=TWO, version=2))
    put(store, make_host("b", version=2))
    gone = {key_of(make_host("b")): 2}
    put(store, make_host("c", desired=ONE), also_expects=gone, deletes=tuple(gone))
    put(store, make_host("a", desired=ONE, version=3))
    second = store.changes_since(first.seq)
    assert second.rrsets == [(make_host("c").key, ONE), (make_host("b").key, None), (make_host("a").key, ONE)]
    assert store.changes_since(second.seq).rrsets == []
    put(store, make_host("b", desired=TWO))
    assert store.changes_since(second.seq).rrsets == [(make_host("b").key, TWO)]
    assert len(store.changes_since(first.seq).rrsets) == 3


def test_the_serial_moves_for_desired_changes_in_its_zone_only(store: SqliteStore) -> None:
    first = dict(store.zones())
    put(store, make_host("idle"), Account(username="u", version=1, password="p"))
    put(store, make_host("idle", version=2, last_checked=5))
    assert store.zones() == first
    put(store, make_host("a", desired=ONE), make_host("b", desired=ONE))
    assert store.zones() == first | {ZONE: first[ZONE] + 1}
    put(store, make_host("a", desired=ONE, version=2, last_checked=5), make_host("b", desired=ONE, version=2, ttl=5))
    assert store.zones()[ZONE] == first[ZONE] + 1
    gone = {key_of(make_host("a")): 2}
    store.commit(Commit((), gone, tuple(gone)))
    assert store.changes_since(0).serials == first | {ZONE: first[ZONE] + 2}


@pytest.mark.parametrize("now", [1_800_000_000, 2**32 - 10])
def test_the_serial_grows_over_the_end_of_its_range(path: Path, now: int) -> None:
    class Clock:
        def now(self) -> float:
            return now

    with closing(SqliteStore(path, zones=[ZONE], clock=Clock())) as store:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE zones SET serial = ?", (2**32 - 3,))
        seen = [store.zones()[ZONE]]
        for version in range(1, 6):
            put(store, make_host(desired=RRset(60, (f"192.0.2.{version}",)), version=version))
            seen.append(store.zones()[ZONE])
    assert seen[-1] < seen[0]
    assert all(serial_is_newer(later, earlier) for earlier, later in pairwise(seen))
    assert 0 not in seen


def test_a_changed_digest_moves_the_serial_once(store: SqliteStore) -> None:
    first = store.zones()[ZONE]
    store.touch_zone(ZONE, "a")
    assert store.zones()[ZONE] == first
    store.touch_zone(ZONE, "b")
    store.touch_zone(ZONE, "b")
    assert store.zones()[ZONE] == first + 1
    store.touch_zone(Name("unknown.test."), "x")


def test_every_serial_moves_when_other_zones_are_served(store: SqliteStore, path: Path) -> None:
    first = dict(store.zones())
    put(store, make_host("cam.sub", desired=ONE))
    with closing(SqliteStore(path, zones=[ZONE, SUB], clock=FixedClock())) as second:
        assert set(second.zones()) == {ZONE, SUB}
        assert second.zones()[ZONE] == first[ZONE] + 2
        put(second, make_host("cam.sub", desired=TWO, version=2))
        assert second.zones()[ZONE] == first[ZONE] + 2
    with closing(SqliteStore(path, clock=FixedClock())) as third:
        assert set(third.zones()) == {ZONE, SUB}
    with closing(SqliteStore(path, zones=[ZONE], clock=FixedClock())) as fourth:
        assert fourth.zones() == {ZONE: first[ZONE] + 3}
        put(fourth, make_host("cam.sub", desired=ONE, version=3))
        assert fourth.zones() == {ZONE: first[ZONE] + 4}


def test_what_cannot_be_kept_fails_for_its_own_caller_before_the_writer(store: SqliteStore) -> None:
    nan = (("odd", float("nan")),)
    with pytest.raises(ValueError, match="JSON"):
        put(store, make_host(other=nan))
    with pytest.raises(ValueError, match="surrogates"):
        put(store, Account(username="\ud800", version=1, password="p"))
    with pytest.raises(ValueError, match="once"):
        store.commit(Commit((make_host(), make_host()), {key_of(make_host()): ABSENT}))
    assert list(store.scan()) == []


def test_a_row_with_spoilt_bytes_spoils_no_answer(store: SqliteStore, path: Path) -> None:
    put(store, make_host("a", comment="SPOIL"), make_host("b", desired=ONE))
    spoil = "UPDATE rows SET attributes = replace(attributes, 'SPOIL', CAST(x'ff' AS TEXT))"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(spoil)
    assert list(store.scan()) == [make_host("b", desired=ONE)]
    assert len(store.scan_damaged()) == 1


def test_a_spoilt_rrset_is_left_out_of_the_feed(store: SqliteStore, path: Path) -> None:
    put(store, make_host("a", desired=ONE), make_host("b", desired=ONE))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE rows SET attributes = json_set(attributes, '$.desired', 'x') WHERE hostname LIKE 'a.%'"
        )
    assert store.changes_since(0).rrsets == [(make_host("b").key, ONE)]


def _limit_pages(store: SqliteStore, pages: int) -> None:
    """PRAGMA max_page_count is how a full disk is made without one. It is the connection's own."""

    def limit(transaction: object) -> None:
        transaction._execute(f"PRAGMA max_page_count = {pages}").fetchone()  # type: ignore[attr-defined] # its connection

    store._writer.submit(limit).result()
