"""A table that awslabs v2 made and people have typed into, used in place: the whole way of an update through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from homing.core.hosts import Host
from homing.core.outcomes import Outcome
from homing.core.records import RRset, RRsetKey
from homing.stores.dynamodb import DynamoStore
from homing.stores.dynamodb_items import to_key
from tests.app.builders import CAM, SECRET, TV, CountingEntropy, ManualClock, World, legacy, list_request, make_world
from tests.app.flaky_publisher import FlakyPublisher
from tests.stores.dynamodb_server import connect, drop_table, make_table, moto_server
from tests.stores.dynamodb_values import ODD, TYPED, WatchedClient, edit_item, put_item, raw_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homing.stores.dynamodb_items import AttributeValue, Item

__all__ = ["moto_server"]

STATE = {
    *("version", "desired", "published", "pending", "rejected", "ip_address", "last_accessed", "last_checked"),
    *("last_updated", "signed_at", "signed_only"),
}
"""All that the role of the update function may write."""


@pytest.fixture
def watched(moto_server: str) -> Iterator[WatchedClient]:
    client = connect(moto_server)
    yield WatchedClient(client)
    client.close()


@pytest.fixture(params=[False, True], ids=["as awslabs made it", "with the pending index"])
def table(watched: WatchedClient, request: pytest.FixtureRequest) -> Iterator[str]:
    name = make_table(watched.client, has_pending_index=request.param)
    yield name
    drop_table(watched.client, name)


@pytest.fixture
def world(watched: WatchedClient, table: str) -> World:
    store: Any = DynamoStore(watched, table, CountingEntropy())  # type: ignore[arg-type]  # a stand-in with the same calls
    return make_world(store=store, publisher=FlakyPublisher(), clock=ManualClock())


def item_of(watched: WatchedClient, table: str) -> dict[str, AttributeValue]:
    item = raw_item(watched.client, table)
    assert item is not None
    return item


def written_names(watched: WatchedClient) -> set[str]:
    """Every attribute that an update expression named: what the rights of a role are about."""
    names = set()
    for _, payload in watched.calls:
        actions = [inner for action in payload.get("TransactItems", ()) for inner in action.values()] or [payload]
        for action in actions:
            if "UpdateExpression" in action:
                names |= set(action["ExpressionAttributeNames"].values())
    return names


@pytest.mark.parametrize("typed", [TYPED, ODD], ids=["plain", "odd"])
def test_an_update_changes_state_and_nothing_else(
    world: World, watched: WatchedClient, table: str, typed: Item
) -> None:
    put_item(watched.client, table, typed)
    assert world.service.update(legacy(SECRET, source="8.8.8.8")).outcome is Outcome.UPDATED
    after = item_of(watched, table)
    assert {name: value for name, value in after.items() if name not in STATE} == {
        name: value for name, value in typed.items() if name not in STATE
    }
    assert after["ip_address"] == {"S": "8.8.8.8"}
    assert after["last_updated"] == {"S": "2027-01-15 08:00:00"}
    assert after["desired"] == after["published"]
    assert "pending" not in after
    assert written_names(watched) <= {"hostname"} | STATE
    assert world.shown() == "8.8.8.8"


def test_a_poll_that_changes_nothing_is_one_read_and_a_change_a_read_and_two_writes(
    world: World, watched: WatchedClient, table: str
) -> None:
    put_item(watched.client, table, TYPED)
    world.service.update(legacy(SECRET, source="8.8.8.8"))
    watched.calls.clear()
    assert world.service.update(legacy(SECRET, source="8.8.8.8")).outcome is Outcome.UNCHANGED
    assert watched.take_operations() == ["Query"]
    assert world.service.update(legacy(SECRET, source="1.1.1.1")).outcome is Outcome.UPDATED
    assert watched.take_operations() == ["Query", "TransactWriteItems", "UpdateItem"]


def test_a_lock_that_the_console_sets_holds_from_the_next_request_on(
    world: World, watched: WatchedClient, table: str
) -> None:
    put_item(watched.client, table, TYPED)
    world.service.update(legacy(SECRET, source="8.8.8.8"))
    edit_item(watched.client, table, "lock_record", {"S": "true"})
    assert world.service.update(legacy(SECRET, source="1.1.1.1")).outcome is Outcome.LOCKED
    assert item_of(watched, table)["lock_record"] == {"S": "true"}


def test_what_the_console_edits_while_an_update_is_on_its_way_survives_it(
    world: World, watched: WatchedClient, table: str
) -> None:
    put_item(watched.client, table, TYPED)

    def edit(operation: str, _: Any) -> None:
        if operation == "TransactWriteItems":
            edit_item(watched.client, table, "comment", {"S": "moved to the attic"})
            edit_item(watched.client, table, "ttl", {"N": "300"})

    watched.before = edit
    assert world.service.update(legacy(SECRET, source="8.8.8.8")).outcome is Outcome.UPDATED
    item = item_of(watched, table)
    assert (item["comment"], item["ttl"]) == ({"S": "moved to the attic"}, {"N": "300"})


def test_a_group_lists_its_hosts(world: World, watched: WatchedClient, table: str) -> None:
    put_item(watched.client, table, TYPED)
    put_item(watched.client, table, {**TYPED, **to_key((TV, "A"))})
    put_item(watched.client, table, {**TYPED, **to_key((TV, "AAAA")), "read_privilege": {"BOOL": False}})
    answer = world.service.list_group(list_request(SECRET))
    assert [(host.hostname, host.mac_address) for host in answer.group] == [
        (CAM, "00:11:22:33:44:55"), (TV, "00:11:22:33:44:55"),
    ]  # fmt: skip


def test_what_dns_could_not_take_yet_is_found_pending_and_drained(
    world: World, watched: WatchedClient, table: str
) -> None:
    put_item(watched.client, table, TYPED)
    publisher = world.publisher
    assert isinstance(publisher, FlakyPublisher)
    publisher.faults = type(publisher.faults)(throttled=1.0)
    assert world.service.update(legacy(SECRET, source="8.8.8.8")).outcome is Outcome.UPDATED
    assert item_of(watched, table)["pending"] == {"N": "1"}
    publisher.faults = type(publisher.faults)()
    assert isinstance(world.clock, ManualClock)
    world.clock.time += 600
    assert world.outbox.drain() == 1
    assert "pending" not in item_of(watched, table)
    assert publisher.held == {RRsetKey(CAM, "A"): RRset(60, ("8.8.8.8",))}


def test_a_typed_row_that_nobody_can_read_is_refused_like_an_unknown_one(
    world: World, watched: WatchedClient, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad: Item = {**TYPED, "allow_internal": {"N": "7"}}
    put_item(watched.client, table, bad)
    assert world.service.update(legacy(SECRET)).outcome is Outcome.NOT_AUTHENTICATED
    assert "allow_internal is neither true nor false" in caplog.text
    assert SECRET not in caplog.text
    assert item_of(watched, table) == bad


def test_rows_of_the_table_are_all_there_for_the_operator(world: World, watched: WatchedClient, table: str) -> None:
    put_item(watched.client, table, TYPED)
    put_item(watched.client, table, {**ODD, **to_key((TV, "A"))})
    hosts = [row for row in world.store.scan() if isinstance(row, Host)]
    assert {host.hostname for host in hosts} == {CAM, TV}


def test_what_the_set_up_of_the_stack_keeps_is_no_row_and_no_damage(
    watched: WatchedClient, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = {"hostname": {"S": "#setup"}, "record_type": {"S": "#secret"}, "api_key": {"S": "k"}}
    watched.client.call("PutItem", {"TableName": table, "Item": secret})
    store = DynamoStore(watched.client, table, CountingEntropy())
    assert list(store.scan()) == []
    assert store.scan_damaged() == []
    assert not caplog.records
