"""The DynamoDB store against the contract of every store, over HTTP against moto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from homing.stores.dynamodb import DynamoStore
from homing.stores.dynamodb_items import to_key, to_value
from homing.wiring.system import SystemEntropy
from tests.conformance.store_contract import Plant, StoreContract
from tests.conformance.test_stores import StoreMachine
from tests.stores.dynamodb_server import connect, drop_table, make_table, moto_server, start_moto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homing.app.ports import Store
    from homing.aws.dynamodb import DynamoDb
    from homing.core.rows import RowKey

__all__ = ["moto_server"]


class TestDynamoStore(StoreContract):
    threads, increments = 4, 15  # a request takes moto milliseconds

    @pytest.fixture
    def client(self, moto_server: str) -> Iterator[DynamoDb]:
        client = connect(moto_server)
        yield client
        client.close()

    @pytest.fixture
    def table(self, client: DynamoDb) -> Iterator[str]:
        name = make_table(client)
        yield name
        drop_table(client, name)

    @pytest.fixture
    def store(self, client: DynamoDb, table: str) -> Iterator[DynamoStore]:
        store = DynamoStore(client, table, SystemEntropy())
        yield store
        store.close()

    @pytest.fixture
    def plant(self, client: DynamoDb, table: str) -> Plant:
        def plant(key: RowKey, attributes: dict[str, Any]) -> None:
            item = {name: to_value(value) for name, value in attributes.items()}
            client.call("PutItem", {"TableName": table, "Item": {**to_key(key), **item}})

        return plant


class DynamoMachine(StoreMachine):
    """The same commits, fewer of them."""

    def make_stores(self) -> list[Store]:
        client = connect(start_moto())
        self.let_go.callback(client.close)
        table = make_table(client)
        self.let_go.callback(drop_table, client, table)
        return [DynamoStore(client, table, SystemEntropy())]


TestDynamoMachine = DynamoMachine.TestCase
TestDynamoMachine.settings = settings(max_examples=10, stateful_step_count=20, derandomize=True, deadline=None)
