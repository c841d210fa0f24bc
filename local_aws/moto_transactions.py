"""moto's DynamoDB transactions, made fast and made true.

moto keeps a deep copy of the whole table, stream and all, for every action of a transaction, and puts the last one in
the table's place when it fails. That is slow; and whoever follows the stream goes on reading the one that was thrown
away. Here only the items that are named are kept, and put back, and the records of what never happened are dropped.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_whole: Callable[..., None] = DynamoDBBackend.transact_write_items


def install() -> None:
    """Change moto in this process. Its requests have to take turns."""
    setattr(DynamoDBBackend, "transact_write_items", _transact)  # noqa: B010 - mypy allows no method to be replaced


def _transact(backend: DynamoDBBackend, actions: list[dict[str, Any]]) -> None:
    kept = [(table, *keys, copy.deepcopy(table.get_item(*keys))) for table, keys in _named(backend, actions)]
    lengths = [(table.stream_shard, len(table.stream_shard.items)) for table, *_ in kept if table.stream_shard]
    setattr(Table, "__deepcopy__", lambda table, _: table)  # noqa: B010 - as above
    try:
        _whole(backend, actions)
    except BaseException:
        for table, hash_key, range_key, item in kept:
            if item is None:
                table.items[hash_key].pop(range_key, None)
            else:
                table.items[hash_key][range_key] = item
        for shard, length in reversed(lengths):
            del shard.items[length:]
        raise
    finally:
        delattr(Table, "__deepcopy__")


def _named(backend: DynamoDBBackend, actions: list[dict[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """Yield the table and the key values of each action; all tables here have two keys."""
    for action in actions:
        for told in action.values():
            table = backend.tables.get(told.get("TableName"))
            if table is not None:
                names = (table.hash_key_attr, table.range_key_attr)
                key = told.get("Key") or {name: told["Item"][name] for name in names}
                yield table, backend.get_keys_value(table, key)
