"""What the DynamoDB store holds of the rows it wrote, where it has no room for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.core.records import RRset
from homing.core.rows import Commit
from homing.stores.dynamodb import DynamoStore
from homing.stores.dynamodb_held import HeldItems
from homing.wiring.system import SystemEntropy
from tests.conformance.store_contract import make_host, put
from tests.stores.dynamodb_server import connect, drop_table, make_table, moto_server
from tests.stores.dynamodb_values import WatchedClient, raw_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homing.core.hosts import Host

__all__ = ["moto_server"]

ONE, TWO = RRset(60, ("192.0.2.1",)), RRset(60, ("192.0.2.2",))


@pytest.fixture
def watched(moto_server: str) -> Iterator[WatchedClient]:
    client = connect(moto_server)
    yield WatchedClient(client)
    client.close()


@pytest.fixture
def table(watched: WatchedClient) -> Iterator[str]:
    name = make_table(watched.client)
    yield name
    drop_table(watched.client, name)


def commit(store: DynamoStore, *hosts: Host) -> None:
    store.commit(Commit(hosts, {host.key: host.version - 1 for host in hosts}))


def test_a_row_that_had_to_make_room_in_its_own_commit_is_held_whole(watched: WatchedClient, table: str) -> None:
    """Or the next write would set or leave behind attributes by half an item."""
    store = DynamoStore(watched, table, SystemEntropy())  # type: ignore[arg-type]  # a stand-in with the same calls
    waiting = make_host(desired=ONE)
    put(store, waiting)
    store._held = HeldItems(1)
    store.load([waiting.key])
    commit(store, fresh := make_host("fresh"), changed := waiting.next(desired=TWO))
    watched.calls.clear()
    commit(store, changed.next(published=TWO))
    ((operation, payload),) = watched.calls
    assert operation == "UpdateItem"
    assert sorted(payload["ExpressionAttributeNames"].values()) == ["pending", "published", "version", "version"]
    item = raw_item(watched.client, table, waiting.key) or {}
    assert "pending" not in item
    assert item["shared_secret"] == {"S": waiting.shared_secret}
    assert store.load([fresh.key])[fresh.key] == fresh
