"""The text of a file, parsed once for all readers that look at it: as JSON, as JSON lines, or as neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.formats.dynamodb_json import Item, get_items
from homing.formats.json_text import parse_json, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.formats.draft import Draft


@dataclass(frozen=True, slots=True)
class Document:
    """What a text is, before anybody knows its format."""

    text: str
    value: Any
    """The JSON value; None if it is not JSON."""
    items: tuple[Item, ...] | None
    """The items of a table, if the text has one of the shapes that items come in."""
    json_error: InvalidInput | None

    @property
    def looks_like_json(self) -> bool:
        """Whether it was meant as JSON, so that people want to hear what is wrong with it."""
        return self.text.lstrip()[:1] in ("{", "[")

    def find_object(self) -> Mapping[str, Any]:
        """Return the JSON object that the text is. Raises InvalidInput."""
        if isinstance(self.value, dict):
            return self.value
        raise self.json_error or InvalidInput("not a JSON object")

    def find_items(self) -> tuple[Item, ...]:
        """Return the items of the table that the text is. Raises InvalidInput."""
        if self.items is not None:
            return self.items
        raise self.json_error or InvalidInput(
            'no items: neither {"Items": [...]}, nor a list, nor one {"Item": {...}} a line'
        )


def parse_document(text: str, draft: Draft) -> Document:
    """Return what the text is. Problems of single lines, and keys that are there twice, go to the draft."""
    try:
        value = parse_json(text, _telling(draft, "file"))
    except InvalidInput as error:
        return Document(text, None, _get_lines(text, draft), error)
    if isinstance(value, dict) and (value.get("LastEvaluatedKey") or value.get("NextToken")):
        draft.warn("file", "the scan stopped before the end of the table; what is here is taken")
    return Document(text, value, get_items(value), None)


def _get_lines(text: str, draft: Draft) -> tuple[Item, ...] | None:
    """Read one JSON object a line, as exports to S3 are. None if the first one is not an object."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line and not line.isspace()]
    if not lines or not _is_object(lines[0][1]):
        return None
    items = []
    for number, line in lines:
        where = f"line {number}"
        with draft.taking(where):
            value = parse_json(line, _telling(draft, where))
            items.append(Item(where, value.get("Item", value) if isinstance(value, dict) else value))
    return tuple(items)


def _is_object(line: str) -> bool:
    try:
        return isinstance(parse_json(line, lambda _key, _identical: None), dict)
    except InvalidInput:
        return False


def _telling(draft: Draft, where: str) -> Callable[[str, bool], None]:
    return lambda key, identical: draft.repeat(where, shown(key), identical=identical)
