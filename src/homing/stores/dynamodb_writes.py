"""What a commit sends to DynamoDB: conditions on versions, and of each row only the attributes that differ.

So whatever a commit did not have to change stays as it is, byte for byte: unknown attributes, sets, numbers typed as
text, what somebody edits in the console meanwhile. And a role whose rights end at the state columns
(`dynamodb:Attributes`) can write them. Nothing here calls anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.core.errors import Conflict
from homing.core.hosts import Host
from homing.core.rows import ABSENT, key_of
from homing.core.values import field, frozen
from homing.stores.dynamodb_items import HASH_KEY, TYPED_VERSION, VERSION, is_possible, to_item, to_key

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from homing.core.rows import Commit, Row, RowKey
    from homing.stores.dynamodb_held import Held
    from homing.stores.dynamodb_items import AttributeValue, Item

MAX_ACTIONS = 100
"""Amazon DynamoDB API Reference, "TransactWriteItems": so many actions at most, checks among them."""


@frozen
class RowWrite:
    """What is to be done to one row that now has the version `expected`."""

    key: RowKey
    expected: int
    wanted: Item = field(repr=False)
    """All attributes of the row but its key and version."""
    sets: Mapping[str, AttributeValue] = field(repr=False)
    removes: tuple[str, ...]
    before: Item | None = field(repr=False)
    """The item that this was compared with; None where there is none yet."""

    def is_done(self, item: Item | None) -> bool:
        """Tell whether an item is what this writes: then an answer got lost, and nobody else was faster."""
        if item is None:
            return False
        return all(item.get(name) == value for name, value in self.sets.items()) and not any(
            name in item for name in self.removes
        )

    def after(self) -> Item:
        """Return the item as it is once this is written."""
        before = self.before or to_key(self.key)
        kept = {name: value for name, value in before.items() if name not in self.removes}
        return {**kept, **self.sets}


def check_commit(commit: Commit) -> None:
    """Raise ValueError for a commit that breaks the contract of `Commit`, or could never be written."""
    written = written_keys(commit)
    if len(set(written)) != len(written):
        raise ValueError("one commit writes a row once")
    for row in commit.puts:
        if row.version != commit.expects.get(key_of(row), -2) + 1:
            raise ValueError(f"row {key_of(row)}: its version must be the expected one plus one")
    for key in commit.deletes:
        if key not in commit.expects:
            raise ValueError(f"row {key}: it is deleted without a version to expect")
    if impossible := [key for key in written if not is_possible(key)]:
        raise ValueError(f"row {impossible[0]!a}: DynamoDB takes no such key")
    if len(commit.expects) > MAX_ACTIONS:
        raise ValueError(f"one commit rests on {MAX_ACTIONS} rows at most")


def written_keys(commit: Commit) -> list[RowKey]:
    """Return the keys of the rows that a commit writes or deletes."""
    return [*map(key_of, commit.puts), *commit.deletes]


def checked_keys(commit: Commit) -> list[RowKey]:
    """Return the keys of the rows that a commit only rests on. Raises Conflict for a row that cannot be there."""
    written = frozenset(written_keys(commit))
    only_read = [key for key in commit.expects if key not in written]
    if any(not is_possible(key) and commit.expects[key] != ABSENT for key in only_read):
        raise Conflict("a row that the commit rests on cannot be there")
    return [key for key in only_read if is_possible(key)]


def to_write(row: Row, held: Held | None) -> RowWrite:
    """Compare a row with the item that it was made from; None where there is none yet."""
    wanted = to_item(row)
    known = _known_attributes(held, wanted) if held else {}
    sets = {name: value for name, value in wanted.items() if known.get(name) != value}
    removes = tuple(name for name in known if name not in wanted)
    sets = {VERSION: {"N": str(row.version)}} | sets
    return RowWrite(key_of(row), row.version - 1, wanted, sets, removes, held.item if held else None)


def _known_attributes(held: Held, wanted: Item) -> Item:
    """Return what an item says, spelt as Homing would: only then does a difference mean a change.

    What is told twice, for indexes and people, is compared as it stands, so that every commit also sets it right.
    """
    known = to_item(held.row) if held.spelt is None else held.spelt
    if not isinstance(held.row, Host):
        return known
    told = {"pending"} | ({"ip_address"} & (known.keys() | wanted.keys()))
    known = {name: value for name, value in known.items() if name not in told}
    return known | {name: held.item[name] for name in told if name in held.item}


def to_update(table: str, write: RowWrite) -> dict[str, Any]:
    """Return the UpdateItem, alone or in a transaction, that writes a row if it has the expected version."""
    condition, names, values = _condition(write.expected)
    clauses = []
    for number, (name, value) in enumerate(write.sets.items()):
        names[f"#s{number}"], values[f":s{number}"] = name, value
        clauses.append(f"#s{number} = :s{number}")
    expression = "SET " + ", ".join(clauses)
    for number, name in enumerate(write.removes):
        names[f"#r{number}"] = name
    if write.removes:
        expression += " REMOVE " + ", ".join(f"#r{number}" for number in range(len(write.removes)))
    return _action(table, write.key, condition, names, values) | {"UpdateExpression": expression}


def to_transaction(
    table: str, commit: Commit, writes: Sequence[RowWrite], checks: Collection[RowKey], token: str
) -> dict[str, Any]:
    """Return the TransactWriteItems that does all of a commit: first the writes in their order, then the rest."""
    actions = [{"Update": to_update(table, write)} for write in writes]
    actions += [{"Delete": _conditional(table, key, commit.expects[key])} for key in commit.deletes]
    actions += [{"ConditionCheck": _conditional(table, key, commit.expects[key])} for key in checks]
    return {"TransactItems": actions, "ClientRequestToken": token}


def _conditional(table: str, key: RowKey, expected: int) -> dict[str, Any]:
    return _action(table, key, *_condition(expected))


def _action(table: str, key: RowKey, condition: str, names: Mapping[str, str], values: Item) -> dict[str, Any]:
    """DynamoDB refuses an empty map of values."""
    action = {
        "TableName": table,
        "Key": to_key(key),
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return action | ({"ExpressionAttributeValues": values} if values else {})


def _condition(expected: int) -> tuple[str, dict[str, str], dict[str, AttributeValue]]:
    """Names are always placeholders: several of ours are reserved words."""
    if expected == ABSENT:
        return "attribute_not_exists(#h)", {"#h": HASH_KEY}, {}
    values: dict[str, AttributeValue] = {":v": {"N": str(expected)}}
    if expected == TYPED_VERSION:
        either = "#v = :v OR (attribute_exists(#h) AND attribute_not_exists(#v))"
        return either, {"#h": HASH_KEY, "#v": VERSION}, values
    return "#v = :v", {"#v": VERSION}, values
