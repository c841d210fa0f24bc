"""DynamoDB's JSON: items whose values carry their types, as the AWS CLI prints them and exports to S3 hold them.

Amazon DynamoDB API reference, "AttributeValue". Sets become lists and binary values stay base64 text, because the rows
of a store hold JSON types. Plain items, without types, are read as well.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from homing.core.errors import InvalidInput
from homing.formats.json_text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})
_INTEGER = re.compile(r"-?[0-9]{1,38}")
_NUMBER = re.compile(r"-?[0-9]{1,200}(?:\.[0-9]{1,200})?(?:[eE][+-]?[0-9]{1,3})?")


class Item(NamedTuple):
    """One item of a table, as it was written, and where."""

    place: str
    raw: Any

    def where(self, attribute: str) -> str:
        """Return the place with the item's name, the text of `attribute`, for people."""
        value = self.raw.get(attribute) if isinstance(self.raw, dict) else None
        name = value.get("S") if isinstance(value, dict) else value
        return f"{self.place} ({shown(name)})" if isinstance(name, str) and name else self.place

    def has(self, *attributes: str) -> bool:
        """Tell whether it has all of these attributes."""
        return isinstance(self.raw, dict) and all(name in self.raw for name in attributes)

    def attributes(self) -> dict[str, Any]:
        """Return its attributes as JSON types. Raises InvalidInput."""
        if not isinstance(self.raw, dict):
            raise InvalidInput("not an object")
        return unwrap_item(self.raw) if _is_typed(self.raw) else self.raw


def get_items(value: Any) -> tuple[Item, ...] | None:
    """Return the items that `aws dynamodb scan` or `get-item` print, or a plain list holds; None for anything else."""
    match value:
        case {"Items": [*raws]} | [*raws]:
            return tuple(Item(f"item {number}", raw) for number, raw in enumerate(raws, 1))
        case {"Item": dict(raw)}:
            return (Item("item 1", raw),)
    return None


def unwrap_item(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a typed item. Raises InvalidInput, which names the attribute."""
    found = {}
    for name, value in raw.items():
        try:
            found[name] = unwrap(value)
        except InvalidInput as error:
            raise InvalidInput(f"{shown(name)}: {error}") from None
    return found


def unwrap(value: Any) -> Any:
    """Return one attribute value, such as `{"S": "text"}`, without its types. Raises InvalidInput."""
    match value:
        case {"S": str(text)} | {"B": str(text)} if len(value) == 1:
            return text
        case {"N": str(digits)} if len(value) == 1:
            return _number(digits)
        case {"BOOL": bool(flag)} if len(value) == 1:
            return flag
        case {"NULL": True} if len(value) == 1:
            return None
        case {"M": dict(members)} if len(value) == 1:
            return unwrap_item(members)
        case {"L": [*members]} if len(value) == 1:
            return [unwrap(member) for member in members]
        case {"NS": [*members]} if len(value) == 1:
            return [unwrap({"N": member}) for member in members]
        case {"SS": [*members]} | {"BS": [*members]} if len(value) == 1:
            return [unwrap({"S": member}) for member in members]
    raise InvalidInput("not a DynamoDB attribute value")


def _is_typed(raw: Mapping[str, Any]) -> bool:
    return all(isinstance(value, dict) and len(value) == 1 and _TYPES.issuperset(value) for value in raw.values())


def _number(digits: str) -> int | float:
    if _INTEGER.fullmatch(digits):
        return int(digits)
    if _NUMBER.fullmatch(digits) and math.isfinite(float(digits)):
        return float(digits)
    raise InvalidInput("not a number")
