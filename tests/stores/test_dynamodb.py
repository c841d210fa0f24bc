"""The DynamoDB store against moto: what it calls, what it leaves alone, and what people do to a table meanwhile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from homing.core.errors import Conflict, StoreUnavailable
from homing.core.hosts import Host
from homing.core.records import RRset
from homing.core.rows import Commit, key_of
from homing.core.values import replace
from homing.stores import dynamodb
from homing.stores.dynamodb import DynamoStore
from homing.stores.dynamodb_items import to_key
from homing.wiring.system import SystemEntropy
from tests.app.builders import CAM, SECRET
from tests.conformance.store_contract import make_host, put
from tests.stores.dynamodb_server import connect, drop_table, make_table, moto_server
from tests.stores.dynamodb_values import (
    KEY,
    ODD,
    TYPED,
    WatchedClient,
    edit_item,
    put_item,
    raw_item,
    readable_items,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homing.aws.dynamodb import DynamoDb
    from homing.stores.dynamodb_items import Item

__all__ = ["moto_server"]

ONE, TWO = RRset(60, ("192.0.2.1",)), RRset(60, ("192.0.2.2",))


@pytest.fixture(scope="module")
def client(moto_server: str) -> Iterator[DynamoDb]:
    client = connect(moto_server)
    yield client
    client.close()


@pytest.fixture
def table(client: DynamoDb) -> Iterator[str]:
    name = make_table(client)
    yield name
    drop_table(client, name)


@pytest.fixture
def watched(client: DynamoDb) -> WatchedClient:
    return WatchedClient(client)


def open_store(watched: WatchedClient, table: str) -> DynamoStore:
    return DynamoStore(watched, table, SystemEntropy())  # type: ignore[arg-type]  # a stand-in with the same calls


@pytest.fixture
def store(watched: WatchedClient, table: str) -> DynamoStore:
    return open_store(watched, table)


def load_host(store: DynamoStore) -> Host:
    row = store.load([KEY])[KEY]
    assert isinstance(row, Host)
    return row


# --- what it calls


def test_both_families_of_a_name_are_one_query_and_other_rows_one_batch(
    store: DynamoStore, watched: WatchedClient
) -> None:
    both = [make_host(), make_host(record_type="AAAA")]
    put(store, *both, make_host("tv"))
    watched.calls.clear()
    assert store.load([host.key for host in both]) == {host.key: host for host in both}
    assert set(store.load([make_host("tv").key])) == {make_host("tv").key}
    assert len(store.load([*(host.key for host in both), ("#user", "#account"), make_host("tv").key])) == 3
    assert watched.take_operations() == ["Query", "GetItem", "BatchGetItem"]


def test_every_read_that_decides_is_consistent(store: DynamoStore, watched: WatchedClient) -> None:
    store.load([KEY])
    store.load([KEY, (CAM, "AAAA")])
    store.load([KEY, ("tv.", "A")])
    list(store.scan())
    store.check()
    reads = [payload for _, payload in watched.calls]
    inner = [one for payload in reads for one in (payload.get("RequestItems") or {"": payload}).values()]
    assert len(inner) == 5
    assert all(one["ConsistentRead"] is True for one in inner)


def test_a_row_of_another_type_under_the_same_name_is_not_even_looked_at(
    store: DynamoStore, client: DynamoDb, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    put_item(client, table, {**to_key((CAM, "TXT")), "Note": {"S": "x"}})
    put_item(client, table, TYPED)
    assert list(store.load([KEY, (CAM, "AAAA")])) == [KEY]
    assert not caplog.records


def test_a_key_that_no_row_can_have_is_never_sent(store: DynamoStore, watched: WatchedClient) -> None:
    assert store.load([("#" + "x" * 5000, "#account"), ("", "A"), ("#\ud800", "#account")]) == {}
    assert not store.find_group("x" * 5000)
    assert watched.calls == []


def test_a_key_asked_for_twice_is_sent_once(store: DynamoStore, watched: WatchedClient) -> None:
    store.load([KEY, KEY])
    assert watched.take_operations() == ["GetItem"]


def test_a_change_is_one_read_and_one_write_and_its_mark_one_write_more(
    store: DynamoStore, watched: WatchedClient
) -> None:
    put(store, make_host())
    watched.calls.clear()
    (host,) = store.load([make_host().key]).values()
    assert isinstance(host, Host)
    assert watched.take_operations() == ["GetItem"]
    put(store, changed := host.next(desired=ONE))
    assert watched.take_operations() == ["UpdateItem"]
    put(store, changed.next(published=ONE))
    ((operation, mark),) = watched.calls
    assert operation == "UpdateItem"
    assert set(mark["ExpressionAttributeNames"].values()) == {"version", "published", "pending"}
    assert not store.find_pending(1)


def test_ninety_rows_are_one_transaction(store: DynamoStore, watched: WatchedClient) -> None:
    hosts = [make_host(f"h{number}") for number in range(90)]
    put(store, *hosts, also_expects={make_host(f"read{number}").key: 0 for number in range(10)})
    assert watched.take_operations() == ["TransactWriteItems"]
    assert len(store.load([host.key for host in hosts])) == 90


def test_a_row_that_was_only_read_is_checked_in_the_same_transaction(
    store: DynamoStore, watched: WatchedClient
) -> None:
    put(store, make_host(), also_expects={make_host(record_type="AAAA").key: 0})
    ((operation, payload),) = watched.calls
    assert operation == "TransactWriteItems"
    assert [list(action) for action in payload["TransactItems"]] == [["Update"], ["ConditionCheck"]]
    assert 1 <= len(payload["ClientRequestToken"]) <= 36


def test_a_commit_of_nothing_calls_nobody(store: DynamoStore, watched: WatchedClient) -> None:
    store.commit(Commit((), {}))
    assert watched.calls == []


def test_a_row_that_another_store_has_read_is_read_once_more_before_it_is_written(
    store: DynamoStore, watched: WatchedClient, table: str, client: DynamoDb
) -> None:
    put_item(client, table, ODD)
    host = load_host(open_store(WatchedClient(client), table))
    put(store, host.next(ttl=120))
    assert watched.take_operations() == ["GetItem", "UpdateItem"]
    item = raw_item(client, table)
    assert item == {**ODD, "ttl": {"N": "120"}, "version": {"N": "2"}}


def test_a_scan_reads_every_page(store: DynamoStore, watched: WatchedClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamodb, "PAGE_ROWS", 7)
    hosts = [make_host(f"h{number}", shared_secret="ours", desired=ONE) for number in range(20)]
    put(store, *hosts)
    watched.calls.clear()
    assert sorted(store.scan(), key=key_of) == sorted(hosts, key=key_of)
    assert watched.take_operations() == ["Scan"] * 3
    assert len(store.find_group("ours")) == 20
    assert watched.take_operations() == ["Query"] * 3 + ["BatchGetItem"]
    assert len(store.find_pending(20)) == 20
    assert watched.take_operations() == ["Query"] * 3
    assert len(store.find_pending(3)) == 3
    assert watched.take_operations() == ["Query"]


def test_a_table_without_the_pending_index_is_scanned_and_that_is_told_once(
    client: DynamoDb, watched: WatchedClient, caplog: pytest.LogCaptureFixture
) -> None:
    table = make_table(client, has_pending_index=False)
    store = open_store(watched, table)
    put(store, make_host("idle"), make_host("due", desired=ONE))
    watched.calls.clear()
    for _ in range(2):
        assert [host.hostname for host in store.find_pending(5)] == ["due.home.example."]
    assert watched.take_operations() == ["Query", "Scan"] * 2
    assert caplog.text.count("has no pending-index") == 1
    drop_table(client, table)


def test_a_host_found_pending_is_marked_without_another_read(
    store: DynamoStore, watched: WatchedClient, table: str
) -> None:
    put(open_store(watched, table), make_host(desired=ONE))
    watched.calls.clear()
    (host,) = store.find_pending(9)
    put(store, host.next(published=ONE))
    assert watched.take_operations() == ["Query", "UpdateItem"]


# --- what it leaves alone


def test_a_commit_leaves_alone_whatever_it_does_not_change(store: DynamoStore, client: DynamoDb, table: str) -> None:
    put_item(client, table, ODD)
    put(store, load_host(store).next(last_accessed="192.0.2.9"))
    assert raw_item(client, table) == {**ODD, "last_accessed": {"S": "192.0.2.9"}, "version": {"N": "2"}}


def test_what_the_console_edits_between_load_and_commit_survives(
    store: DynamoStore, client: DynamoDb, table: str
) -> None:
    put_item(client, table, ODD)
    host = load_host(store)
    edit_item(client, table, "lock_record", {"BOOL": True})
    edit_item(client, table, "comment", {"S": "edited"})
    put(store, first := host.next(desired=ONE))
    put(store, first.next(published=ONE))
    loaded = load_host(store)
    assert (loaded.lock_record, loaded.comment, loaded.published, loaded.version) == (True, "edited", ONE, 3)


def test_what_two_stores_change_of_one_row_is_both_there(
    store: DynamoStore, watched: WatchedClient, table: str
) -> None:
    other = open_store(watched, table)
    put(store, make_host())
    (host,) = store.load([make_host().key]).values()
    assert isinstance(host, Host)
    put(other, host.next(comment="theirs"))
    with pytest.raises(Conflict):
        put(store, host.next(ttl=5))
    (host,) = store.load([host.key]).values()
    assert isinstance(host, Host)
    put(store, host.next(ttl=5))
    (host,) = other.load([host.key]).values()
    assert isinstance(host, Host)
    assert (host.comment, host.ttl, host.version) == ("theirs", 5, 3)


def test_what_is_held_of_an_older_version_does_not_hide_a_change(
    store: DynamoStore, watched: WatchedClient, table: str
) -> None:
    put(store, make_host(comment="old"))
    other = open_store(watched, table)
    put(other, make_host(version=2, comment="new"))
    put(store, make_host(version=3, comment="old"))
    assert other.load([make_host().key]) == {make_host().key: make_host(version=3, comment="old")}


def test_a_typed_pending_mark_does_not_make_a_host_pending(store: DynamoStore, client: DynamoDb, table: str) -> None:
    put_item(client, table, {**TYPED, "pending": {"N": "1"}})
    put(store, make_host("due", desired=ONE))
    assert [host.hostname for host in store.find_pending(2)] == ["due.home.example."]
    put(store, load_host(store).next(comment="x"))
    assert "pending" not in (raw_item(client, table) or ())


def test_a_typed_row_is_version_one_and_fenced_as_such(
    store: DynamoStore, watched: WatchedClient, client: DynamoDb, table: str
) -> None:
    put_item(client, table, TYPED)
    host, late = load_host(store), load_host(open_store(watched, table))
    put(store, host.next(comment="first"))
    with pytest.raises(Conflict):
        put(open_store(watched, table), late.next(comment="late"))
    assert load_host(store).comment == "first"


def test_a_row_that_was_deleted_meanwhile_does_not_rise_again(store: DynamoStore, client: DynamoDb, table: str) -> None:
    put_item(client, table, TYPED)
    host = load_host(store)
    client.call("DeleteItem", {"TableName": table, "Key": to_key(KEY)})
    with pytest.raises(Conflict):
        put(store, host.next(comment="x"))
    assert raw_item(client, table) is None


def test_a_row_deleted_and_made_anew_is_not_taken_for_the_old_one(
    store: DynamoStore, watched: WatchedClient, table: str
) -> None:
    put(store, make_host(comment="old", ttl=5))
    other = open_store(watched, table)
    other.commit(Commit((), {make_host().key: 1}, (make_host().key,)))
    put(other, make_host(comment="new"))
    (scanned,) = store.scan()
    assert isinstance(scanned, Host)
    put(store, scanned.next(ttl=5))
    (host,) = other.load([make_host().key]).values()
    assert isinstance(host, Host)
    assert (host.comment, host.ttl) == ("new", 5)


def test_a_pending_index_that_lags_does_not_displace_what_was_read_since(
    store: DynamoStore, client: DynamoDb, watched: WatchedClient, table: str
) -> None:
    put(store, make_host(desired=ONE))
    stale = raw_item(client, table, make_host().key)
    (host,) = store.load([make_host().key]).values()
    assert isinstance(host, Host)
    put(store, moved := host.next(desired=TWO))
    watched.after = lambda operation, answer: {"Items": [stale]} if operation == "Query" else answer
    assert [found.version for found in store.find_pending(1)] == [1]
    watched.calls.clear()
    put(store, moved.next(published=TWO))
    assert watched.take_operations() == ["UpdateItem"]


def test_an_empty_secret_leaves_the_group_index(store: DynamoStore, client: DynamoDb, table: str) -> None:
    put_item(client, table, TYPED)
    host = load_host(store)
    put(store, host.next(shared_secret="", removed_at=5))
    item = raw_item(client, table)
    assert item is not None
    assert "shared_secret" not in item
    assert load_host(store).shared_secret == ""


def test_a_row_that_cannot_be_read_is_told_and_stays_as_it_is(
    store: DynamoStore, client: DynamoDb, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad: Item = {**TYPED, "lock_record": {"NULL": True}}
    put_item(client, table, bad)
    with caplog.at_level(logging.WARNING, "homing.stores"):
        assert store.load([KEY]) == {}
    (record,) = caplog.records
    assert record.getMessage() == f"table {table}: left out: row {CAM} A: lock_record is neither true nor false"
    with pytest.raises(Conflict):
        put(store, replace(make_host(), hostname=CAM))
    assert raw_item(client, table) == bad
    assert store.scan_damaged() == [f"row {CAM} A: lock_record is neither true nor false"]


def test_a_row_whose_version_nobody_could_have_written_is_left_out(
    store: DynamoStore, client: DynamoDb, table: str
) -> None:
    put_item(client, table, {**TYPED, "version": {"S": "three"}})
    assert store.load([KEY]) == {}
    assert store.scan_damaged() == [f"row {CAM} A: version is not a whole number"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(item=readable_items)
def test_no_item_loses_an_attribute_by_a_commit(store: DynamoStore, client: DynamoDb, table: str, item: Item) -> None:
    put_item(client, table, item)
    before = raw_item(client, table)
    row = store.load([KEY]).get(KEY)
    if not isinstance(row, Host):
        return
    put(store, row.next(last_accessed="192.0.2.200"))
    after = raw_item(client, table)
    assert before is not None
    assert after is not None
    touched = {"version", "pending", "ip_address", "last_accessed"}
    assert {name: after[name] for name in after.keys() - touched} == {
        name: before[name] for name in before.keys() - touched
    }
    assert SECRET not in repr(row)


# --- its end


def test_a_closed_store_calls_nobody(store: DynamoStore, watched: WatchedClient) -> None:
    pages = store.scan()
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.load([]), lambda: store.submit(Commit((), {})), lambda: store.find_group("x"),
        lambda: store.find_pending(0), store.scan_damaged, store.check, lambda: list(pages),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(StoreUnavailable, match="closed"):
            call()
    assert watched.calls == []
