"""What every store does, whatever lies behind it. Subclass, give the fixtures `store` and `plant`, and run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from homing.core.accounts import Account, TokenKey
from homing.core.errors import Conflict, StoreUnavailable
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.records import RRset
from homing.core.rows import ABSENT, Commit, Row, RowKey, key_of

if TYPE_CHECKING:
    from homing.app.ports import Store

Plant = Callable[[RowKey, dict[str, Any]], None]
"""Puts a row into what lies behind a store, version 1, as somebody with a console would."""
PATIENCE = 30.0
"""Seconds after which a future that has not ended never will."""


def make_host(label: str = "cam", **attributes: Any) -> Host:
    """A host as a commit would write it for the first time."""
    known: dict[str, Any] = {"hostname": Name(f"{label}.home.example."), "record_type": "A", "version": 1}
    return Host(**(known | {"shared_secret": f"secret-of-{label}"} | attributes))


def put(
    store: Store, *rows: Row, also_expects: dict[RowKey, int] | None = None, deletes: tuple[RowKey, ...] = ()
) -> None:
    """Commit rows that carry their new versions."""
    expects = {key_of(row): row.version - 1 for row in rows}
    store.commit(Commit(rows, expects | (also_expects or {}), deletes))


def scanned(store: Store) -> list[Row]:
    """Every row, in order of keys."""
    return sorted(store.scan(), key=key_of)


class StoreContract:
    """Tests named as sentences of the contract in `homing.app.ports.Store`."""

    threads, increments = 8, 200
    """How many writers count, and how far each; fewer where every call goes over a network."""

    def test_a_missing_row_is_absent_from_the_answer(self, store: Store) -> None:
        put(store, make_host())
        assert store.load([]) == {}
        assert list(store.load([make_host("tv").key, make_host().key])) == [make_host().key]

    def test_what_was_committed_is_what_is_loaded(self, store: Store) -> None:
        full = make_host(
            previous_secret="old", previous_secret_until=9, group="attic", ttl=60, allow_internal=True,
            lock_record=True, read_privilege=True, mac_address="00:11", comment='ü "\U0001f3e0" \\ \x00',
            desired=RRset(60, ("192.0.2.1",)),
            published=RRset(30, ("192.0.2.2", "192.0.2.3")), rejected="why", signed_at=2**52, removed_at=3,
        )  # fmt: skip
        account = Account(username="ö user", version=1, password="hash", hostnames=(full.hostname,))
        rows: list[Row] = [full, account, TokenKey(version=1, secret="k")]
        put(store, *rows)
        assert store.load([key_of(row) for row in rows]) == {key_of(row): row for row in rows}

    def test_a_hundred_keys_are_loaded_at_once(self, store: Store) -> None:
        hosts = [make_host(f"h{number}") for number in range(100)]
        put(store, *hosts[:50])
        put(store, *hosts[50:])
        for count in (2, 3, 5, 100):
            assert store.load([host.key for host in hosts[:count]]) == {host.key: host for host in hosts[:count]}

    def test_unknown_attributes_survive(self, store: Store) -> None:
        other = (("CustomTag", {"deep": [1, "two", None, True]}), ("zz", "text"))
        put(store, make_host(other=other))
        put(store, _load(store, make_host()).next(comment="new"))
        assert dict(_load(store, make_host()).other) == dict(other)

    def test_versions_grow_by_one(self, store: Store) -> None:
        put(store, make_host())
        put(store, make_host().next())
        assert _load(store, make_host()).version == 2
        with pytest.raises(ValueError, match="version"):
            store.commit(Commit((make_host(version=9),), {make_host().key: 2}))

    @pytest.mark.parametrize("expected", [ABSENT, 1, 3])
    def test_a_moved_row_is_a_conflict(self, store: Store, expected: int) -> None:
        put(store, make_host())
        put(store, make_host().next(comment="second"))
        with pytest.raises(Conflict):
            put(store, make_host(version=expected + 1, comment="stale"))
        assert _load(store, make_host()).comment == "second"

    def test_a_row_expected_but_missing_is_a_conflict(self, store: Store) -> None:
        with pytest.raises(Conflict):
            put(store, make_host(version=2))
        assert scanned(store) == []

    def test_a_row_that_was_only_read_and_moved_is_a_conflict(self, store: Store) -> None:
        put(store, make_host("read"))
        with pytest.raises(Conflict):
            put(store, make_host(), also_expects={make_host("read").key: ABSENT})
        with pytest.raises(Conflict):
            put(store, make_host(), also_expects={make_host("absent").key: 1})
        assert make_host().key not in store.load([make_host().key])
        put(store, make_host(), also_expects={make_host("read").key: 1, make_host("absent").key: ABSENT})

    def test_several_rows_are_all_written_or_none(self, store: Store) -> None:
        put(store, make_host("b"))
        rows = [make_host("a"), make_host("b", comment="stale"), make_host("c")]
        with pytest.raises(Conflict):
            put(store, *rows, deletes=())
        assert scanned(store) == [make_host("b")]
        put(store, make_host("a"), make_host("b", version=2), make_host("c"))
        assert len(scanned(store)) == 3

    def test_deleted_rows_are_gone_with_the_commit(self, store: Store) -> None:
        put(store, make_host("a"), make_host("b"))
        gone = {key_of(make_host("a")): 1}
        put(store, make_host("c"), also_expects=gone, deletes=tuple(gone))
        assert [key_of(row) for row in scanned(store)] == [make_host("b").key, make_host("c").key]
        put(store, make_host("a", comment="again"))
        assert _load(store, make_host("a")).comment == "again"

    def test_a_conflicting_delete_deletes_nothing(self, store: Store) -> None:
        put(store, make_host())
        with pytest.raises(Conflict):
            store.commit(Commit((), {make_host().key: 2}, (make_host().key,)))
        assert _load(store, make_host()) == make_host()

    def test_what_was_submitted_is_there_once_its_future_has_ended(self, store: Store) -> None:
        done = [store.submit(Commit((host,), {host.key: ABSENT})) for host in (make_host("a"), make_host("b"))]
        assert [one.result(PATIENCE) for one in done] == [None, None]
        assert scanned(store) == [make_host("a"), make_host("b")]

    def test_what_is_attached_to_a_submitted_commit_sees_it_written(self, store: Store) -> None:
        seen: Future[list[Row]] = Future()
        done = store.submit(Commit((make_host(),), {make_host().key: ABSENT}))
        done.add_done_callback(lambda _: seen.set_result(scanned(store)))
        assert seen.result(PATIENCE) == [make_host()]

    def test_a_submitted_commit_whose_row_has_moved_ends_in_a_conflict_and_writes_nothing(self, store: Store) -> None:
        put(store, make_host())
        stale = (make_host(comment="stale"), make_host("new"))
        done = store.submit(Commit(stale, {host.key: ABSENT for host in stale}))
        assert isinstance(done.exception(PATIENCE), Conflict)
        assert scanned(store) == [make_host()]
        put(store, make_host().next())  # and the next commit is none the worse for it

    def test_a_closed_store_takes_no_submitted_commit(self, store: Store) -> None:
        store.close()
        with pytest.raises(StoreUnavailable):
            store.submit(Commit((make_host(),), {make_host().key: ABSENT})).result(PATIENCE)

    def test_concurrent_writers_lose_no_increment(self, store: Store) -> None:
        put(store, make_host())
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=_increment, args=(store, self.increments, failures)) for _ in range(self.threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert _load(store, make_host()).version == 1 + self.threads * self.increments

    def test_a_group_is_the_hosts_with_one_current_secret(self, store: Store) -> None:
        put(
            store,
            make_host("b", shared_secret="ours"),
            make_host("a", shared_secret="ours", record_type="AAAA"),
            make_host("a", shared_secret="ours"),
            make_host("gone", shared_secret="ours", removed_at=5),
            make_host("old", shared_secret="new", previous_secret="ours", previous_secret_until=2**40),
            make_host("none", shared_secret=""),
        )
        found = [(host.hostname, host.record_type) for host in store.find_group("ours")]
        assert found == [("a.home.example.", "A"), ("a.home.example.", "AAAA"), ("b.home.example.", "A")]
        assert not store.find_group("theirs")
        assert not store.find_group("")

    def test_pending_hosts_are_found_until_they_are_published(self, store: Store) -> None:
        rrset = RRset(60, ("192.0.2.1",))
        put(store, make_host("idle"), make_host("no", desired=rrset, rejected="bad"))
        put(store, *(make_host(f"p{number}", desired=rrset) for number in range(3)))
        assert {host.hostname for host in store.find_pending(9)} == {f"p{number}.home.example." for number in range(3)}
        assert len(store.find_pending(2)) == 2
        assert not store.find_pending(0)
        assert [host.hostname for host in store.find_pending(1, lambda host: "p2" in host.hostname)] == [
            "p2.home.example."
        ]
        for number in range(3):
            put(store, make_host(f"p{number}", desired=rrset, published=rrset, version=2))
        assert not store.find_pending(9)

    def test_a_scan_shows_every_row_once(self, store: Store) -> None:
        rows = [make_host(f"h{number}") for number in range(60)] + [make_host("h7", record_type="AAAA")]
        put(store, *rows)
        put(store, *(make_host(f"i{number}") for number in range(60)), Account(username="u", version=1, password="h"))
        keys = [key_of(row) for row in store.scan()]
        assert len(keys) == len(set(keys)) == 122

    def test_damaged_rows_are_left_out_and_listed_without_their_secrets(self, store: Store, plant: Plant) -> None:
        put(store, make_host())
        rrset = {"ttl": 60, "rdata": ["192.0.2.1"]}
        bad: dict[str, Any] = {"shared_secret": "secret-of-cam", "ttl": "soon", "desired": rrset, "pending": 1}
        for label in ("aa", "bb", "zz"):
            plant((f"{label}.home.example.", "A"), bad)
        plant(("odd.home.example.", "TXT"), {"shared_secret": "secret-of-cam"})
        plant(("#user", "#account"), {"password": "secret-of-user", "hostnames": [{}]})
        assert scanned(store) == [make_host()]
        assert list(store.find_group("secret-of-cam")) == [make_host()]
        assert store.load([("bb.home.example.", "A")]) == {}
        lines = store.scan_damaged()
        assert len(lines) == 5
        assert not any("secret-of" in line for line in lines)
        assert sum("home.example." in line for line in lines) == 4
        put(store, make_host("good", desired=RRset(60, ("192.0.2.1",))))
        assert [host.hostname for host in store.find_pending(1)] == ["good.home.example."]
        with pytest.raises(Conflict):
            put(store, make_host("bb"))

    def test_a_key_that_nobody_could_write_is_just_absent(self, store: Store) -> None:
        put(store, make_host())
        assert list(store.load([("#\ud800", "#account"), ("", ""), make_host().key])) == [make_host().key]
        assert not store.find_group("\ud800")

    def test_a_store_that_is_closed_says_so(self, store: Store) -> None:
        store.check()
        store.close()
        store.close()
        with pytest.raises(StoreUnavailable):
            store.load([make_host().key])
        with pytest.raises(StoreUnavailable):
            put(store, make_host())
        with pytest.raises(StoreUnavailable):
            list(store.scan())
        with pytest.raises(StoreUnavailable):
            store.check()


def _load(store: Store, host: Host) -> Host:
    row = store.load([host.key])[host.key]
    assert isinstance(row, Host)
    return row


def _increment(store: Store, increments: int, failures: list[BaseException]) -> None:
    done = 0
    try:
        while done < increments:
            try:
                put(store, _load(store, make_host()).next())
                done += 1
            except Conflict:
                continue
    except BaseException as error:  # told by the test's own thread
        failures.append(error)
