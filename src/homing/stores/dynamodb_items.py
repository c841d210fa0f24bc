"""Rows as DynamoDB items: attribute values to Python and back, keys and versions. Nothing here calls anybody.

The attribute names are those of the awslabs v2 table, and so are the types, as far as Homing writes them. People type
into such a table as well: numbers as text, sets, binary values. What is only read is never spelt anew.
Amazon DynamoDB API Reference, "AttributeValue".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from homing.core.errors import InvalidInput
from homing.core.hosts import Host
from homing.core.rows import Row, RowKey, from_attributes, to_attributes
from homing.core.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

AttributeValue: TypeAlias = Mapping[str, Any]
"""One value with its type, such as `{"S": "text"}`."""
Item: TypeAlias = Mapping[str, AttributeValue]

HASH_KEY, RANGE_KEY = "hostname", "record_type"
VERSION = "version"
TYPED_VERSION = 1
"""A row that somebody typed has no version attribute: it is as one that was written once."""
MAX_HASH_KEY_BYTES, MAX_RANGE_KEY_BYTES = 2048, 1024
"""Amazon DynamoDB Developer Guide, "Quotas": the longest a key may be, in UTF-8."""

_INTEGER = re.compile(r"-?[0-9]{1,38}")
_SHORT_FRACTION = re.compile(r"-?(?=[0-9.]{3,16}\Z)[0-9]+\.[0-9]+")
"""So few digits are the same number as a float."""
_VERSION = re.compile(r"[1-9][0-9]{0,14}")
_TIMES = ("last_checked", "last_updated")
_MAY_BE_NULL = ("comment", "shared_secret")
"""Texts that mean nothing when they are NULL. For flags it might mean either, so that `core.rows` refuses it."""


class _NoJson:
    """What JSON types cannot hold: a set or a binary value. Whoever expects something else there refuses it."""


_NO_JSON = _NoJson()


class _Unreadable(Exception):
    """Somewhere inside a value there is what JSON types cannot hold."""


def to_key(key: RowKey) -> Item:
    """Return the primary key of a row."""
    return {HASH_KEY: {"S": key[0]}, RANGE_KEY: {"S": key[1]}}


def key_of_item(item: Item) -> RowKey:
    """Return the key of an item; both parts are texts by the table's own schema."""
    return (item[HASH_KEY]["S"], item[RANGE_KEY]["S"])


def is_possible(key: RowKey) -> bool:
    """Tell whether any row can have this key: not empty, not too long, and Unicode (a lone surrogate is not)."""
    try:
        return 0 < len(key[0].encode()) <= MAX_HASH_KEY_BYTES and 0 < len(key[1].encode()) <= MAX_RANGE_KEY_BYTES
    except UnicodeEncodeError:
        return False


def version_of(item: Item) -> int:
    """Return the version of an item. Raises InvalidInput for one that no commit could have written."""
    value = item.get(VERSION)
    if value is None:
        return TYPED_VERSION
    if not _VERSION.fullmatch(str(value.get("N"))):
        raise InvalidInput(f"row {' '.join(key_of_item(item))}: {VERSION} is not a whole number")
    return int(value["N"])


def from_item(item: Item) -> Row:
    """Read a row. Raises InvalidInput for one that nobody could serve, naming the row and the attribute.

    Unknown attributes that JSON types cannot hold are left out; writing the row does not touch them.
    """
    attributes: dict[str, Any] = {}
    for name, value in item.items():
        known = _from_attribute(value)
        if known is not None or name not in _MAY_BE_NULL:
            attributes[name] = known
    row = from_attributes(key_of_item(item), version_of(item), attributes)
    if isinstance(row, Host) and any(value is _NO_JSON for _, value in row.other):
        return replace(row, other=tuple(entry for entry in row.other if entry[1] is not _NO_JSON))
    return row


def to_item(row: Row) -> dict[str, AttributeValue]:
    """Return the attributes of a row besides key and version. Raises ValueError for what DynamoDB cannot hold."""
    known = to_attributes(row)
    if isinstance(row, Host):
        known |= {name: render_time(known[name]) for name in _TIMES if name in known}
    return {name: to_value(value) for name, value in known.items()}


def render_time(seconds: int) -> str | int:
    """Return a time in UTC as the awslabs table shows it; as it is where no calendar has it. Both are read back."""
    try:
        return str(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None))
    except (ValueError, OverflowError, OSError):
        return seconds


def from_value(value: AttributeValue) -> Any:
    """Return a value as JSON types. A number that neither an int nor a float is exactly stays text."""
    kind, content = next(iter(value.items()))
    match kind:
        case "S" | "BOOL":
            return content
        case "N":
            return _from_number(content)
        case "NULL":
            return None
        case "M":
            return {name: from_value(member) for name, member in content.items()}
        case "L":
            return [from_value(member) for member in content]
    raise _Unreadable


def to_value(value: Any) -> AttributeValue:
    """Return JSON types as a value. Raises ValueError for what DynamoDB cannot hold."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            value.encode()  # a lone surrogate fails here (UnicodeEncodeError is a ValueError)
            return {"S": value}
        case int():
            return {"N": str(value)}
        case float() if math.isfinite(value):
            return {"N": repr(value)}
        case Mapping():
            return {"M": {str(name): to_value(member) for name, member in value.items()}}
        case list() | tuple():
            return {"L": _to_values(value)}
    raise ValueError(f"DynamoDB holds no {type(value).__name__} such as this")


def _to_values(values: Iterable[Any]) -> list[AttributeValue]:
    return [to_value(value) for value in values]


def _from_attribute(value: AttributeValue) -> Any:
    try:
        return from_value(value)
    except _Unreadable:
        return _NO_JSON


def _from_number(digits: str) -> int | float | str:
    if _INTEGER.fullmatch(digits):
        return int(digits)
    return float(digits) if _SHORT_FRACTION.fullmatch(digits) else digits
