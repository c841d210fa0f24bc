"""What the tests of the DynamoDB store are built from: a watched client, items as people type them, and any at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from homing.aws.budget import Budget
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.records import RRset
from homing.stores.dynamodb_items import to_key
from tests.app.builders import CAM, SECRET, ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.aws.dynamodb import DynamoDb
    from homing.core.rows import RowKey
    from homing.stores.dynamodb_items import AttributeValue, Item

KEY: RowKey = (CAM, "A")

TYPED: Item = {
    **to_key(KEY),
    "shared_secret": {"S": SECRET},
    "ttl": {"S": "60"},
    "allow_internal": {"BOOL": False},
    "lock_record": {"BOOL": False},
    "read_privilege": {"BOOL": True},
    "mac_address": {"S": "00:11:22:33:44:55"},
    "comment": {"S": "typed into the console"},
    "ip_address": {"S": "192.0.2.7"},
    "last_accessed": {"S": "192.0.2.7"},
    "last_checked": {"S": "2019-03-01 10:20:30.123456"},
    "last_updated": {"S": "2019-02-28 23:59:59.000001"},
}
"""A row of a table that awslabs v2 has served for years."""

ODD: Item = {
    **TYPED,
    "ttl": {"N": "60"},
    "lock_record": {"N": "0"},
    "read_privilege": {"S": "True"},
    "comment": {"NULL": True},
    "mac_address": {"S": ""},
    "Tags": {"SS": ["a", "b"]},
    "Photo": {"B": "aGVsbG8="},
    "Ports": {"NS": ["1", "2.5"]},
    "Rack": {"M": {"row": {"N": "12.50"}, "keys": {"BS": ["aGVsbG8="]}}},
    "Precise": {"N": "3.14159265358979323846264338327950288419"},
    "Gone": {"NULL": True},
    "Notes": {"L": [{"S": "x"}, {"BOOL": True}, {"N": "-3"}]},
}
"""A row in which people have left about everything that a console lets them."""


@dataclass
class WatchedClient:
    """A client whose calls a test can watch, or let something happen around."""

    client: DynamoDb
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    before: Callable[[str, Mapping[str, Any]], None] = lambda *_: None
    after: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda _, answer: answer
    slept: list[float] = field(default_factory=list)

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, dict(payload)))
        self.before(operation, payload)
        return self.after(operation, self.client.call(operation, payload))

    def new_budget(self) -> Budget:
        return Budget(5.0, ManualClock(), self.slept.append, lambda upper: upper)

    def take_operations(self) -> list[str]:
        """Return what was called since the last time."""
        operations = [operation for operation, _ in self.calls]
        self.calls.clear()
        return operations


def raw_item(client: DynamoDb, table: str, key: RowKey = KEY) -> dict[str, AttributeValue] | None:
    """The item as it is in the table, as a console would show it."""
    answer = client.call("GetItem", {"TableName": table, "Key": to_key(key), "ConsistentRead": True})
    item: dict[str, AttributeValue] | None = answer.get("Item")
    return item


def put_item(client: DynamoDb, table: str, item: Item) -> None:
    """Type a row into the console."""
    client.call("PutItem", {"TableName": table, "Item": item})


def edit_item(client: DynamoDb, table: str, name: str, value: AttributeValue, key: RowKey = KEY) -> None:
    """Edit one attribute in the console."""
    client.call("UpdateItem", {
        "TableName": table, "Key": to_key(key), "UpdateExpression": "SET #a = :a",
        "ExpressionAttributeNames": {"#a": name}, "ExpressionAttributeValues": {":a": value},
    })  # fmt: skip


# --- anything at all

_texts = st.text(max_size=6)
_digits = st.one_of(
    st.integers(-(10**37), 10**37).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
    st.just("3.14159265358979323846264338327950288419"),
)
_bytes = st.sampled_from(["aGVsbG8=", "AA==", "////"])
_plain: st.SearchStrategy[AttributeValue] = st.one_of(
    st.builds(lambda text: {"S": text}, _texts),
    st.builds(lambda digits: {"N": digits}, _digits),
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda text: {"B": text}, _bytes),
    st.builds(lambda texts: {"SS": texts}, st.lists(_texts.filter(bool), min_size=1, max_size=3, unique=True)),
    st.builds(lambda numbers: {"NS": [str(n) for n in numbers]}, st.lists(st.integers(), min_size=1, unique=True)),
    st.builds(lambda texts: {"BS": texts}, st.lists(_bytes, min_size=1, max_size=2, unique=True)),
)
values: st.SearchStrategy[AttributeValue] = st.recursive(
    _plain,
    lambda inner: st.one_of(
        st.builds(lambda members: {"L": members}, st.lists(inner, max_size=3)),
        st.builds(lambda members: {"M": members}, st.dictionaries(_texts.filter(bool), inner, max_size=3)),
    ),
    max_leaves=5,
)
_known = st.sampled_from([
    *("previous_secret", "previous_secret_until", "group", "ttl", "allow_internal", "allow_offline", "lock_record"),
    *("read_privilege", "signed_only", "mac_address", "interface_identifier", "comment", "desired", "published"),
    *("rejected", "signed_at", "last_accessed", "last_checked", "last_updated", "removed_at", "ip_address"),
])  # fmt: skip
_likely = st.sampled_from([
    *({"BOOL": True}, {"BOOL": False}, {"S": "true"}, {"S": ""}, {"N": "0"}, {"N": "1"}, {"S": "60"}, {"N": "2"}),
    *({"S": "2019-03-01 10:20:30.5"}, {"S": "192.0.2.1"}, {"NULL": True}, {"S": "yesterday"}),
    {"M": {"ttl": {"N": "60"}, "rdata": {"L": [{"S": "192.0.2.1"}]}}},
    {"M": {"ttl": {"N": "60"}, "rdata": {"L": [{"S": "192.0.2.2"}]}, "more": {"S": "typed"}}},
])  # fmt: skip
_index_keys = st.fixed_dictionaries(
    {},
    optional={
        "shared_secret": st.just({"S": SECRET}),
        "pending": st.just({"N": "1"}),
        "version": st.sampled_from([{"N": "1"}, {"N": "7"}]),
    },
)
readable_items: st.SearchStrategy[Item] = st.builds(
    lambda index, known, unknown: {**unknown, **known, **index, **to_key(KEY)},
    _index_keys,
    st.dictionaries(_known, _likely, max_size=5),
    st.dictionaries(st.text("XYZ", min_size=1), values, max_size=3),
)
"""Items that Homing can often read."""
any_items: st.SearchStrategy[Item] = st.one_of(
    readable_items,
    st.builds(
        lambda index, known: {**known, **index, **to_key(KEY)},
        _index_keys,
        st.dictionaries(_known | _texts.filter(bool), values, max_size=6),
    ),
)
"""Items with anything in any attribute but the keys of table and indexes, whose types DynamoDB itself demands."""

_rrsets = st.none() | st.builds(
    lambda ttl, number: RRset(ttl, (f"192.0.2.{number}",)), st.integers(0, 90), st.integers(1, 3)
)
hosts: st.SearchStrategy[Host] = st.builds(
    Host,
    hostname=st.just(Name(CAM)), record_type=st.just("A"), shared_secret=st.sampled_from(["", "a", "b"]),
    previous_secret=st.none() | st.just("old"), previous_secret_until=st.integers(0, 2),
    ttl=st.none() | st.integers(0, 2), allow_internal=st.booleans(), lock_record=st.booleans(),
    comment=st.sampled_from(["", "x", "ü"]), desired=_rrsets, published=_rrsets, rejected=st.none() | st.just("why"),
    signed_at=st.integers(0, 2), last_checked=st.none() | st.integers(0, 10**13),
    removed_at=st.none() | st.integers(1, 2),
    other=st.dictionaries(
        st.sampled_from(["X", "Y"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-2, 2) | st.just(1.5) | st.just("x"),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("k"), inner), max_leaves=3,
        ),
    ).map(lambda other: tuple(other.items())),
)  # fmt: skip
