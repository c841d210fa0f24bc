"""awslabs v2: the items of its DynamoDB table, as `aws dynamodb scan` prints them or as an export to S3 holds them.

Attribute names are those of Homing's own rows (`core.rows`). The two example rows that its set-up made are rows like
any other. Homing can also use such a table as it is, without any import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.core.hosts import RECORD_TYPES, RecordType
from homing.formats.host_attributes import find_hostname, find_text, take_host

if TYPE_CHECKING:
    from homing.formats.document import Document
    from homing.formats.draft import Draft

NAME = "awslabs-v2"


def matches(document: Document) -> bool:
    """Tell whether it has an item with both of the table's keys."""
    return document.items is not None and any(item.has("hostname", "record_type") for item in document.items)


def take(document: Document, draft: Draft) -> None:
    """Take each host. Raises InvalidInput if it holds no items."""
    for item in document.find_items():
        where = item.where("hostname")
        with draft.taking(where):
            attributes = item.attributes()
            take_host(where, find_hostname(attributes), _find_record_type(attributes), attributes, draft)


def _find_record_type(attributes: dict[str, Any]) -> RecordType:
    text = find_text(attributes, "record_type").strip().upper()
    if text.startswith("#"):
        raise InvalidInput("a row of Homing's own: read the table with `homing export` instead")
    for record_type in RECORD_TYPES:
        if text == record_type:
            return record_type
    raise InvalidInput("record_type is neither A nor AAAA")
