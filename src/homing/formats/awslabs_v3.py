"""awslabs v3: the items of its DynamoDB table, a name and a JSON text. A records only.

    hostname  www.example.com
    data      {"route_53_zone_id": "Z...", "route_53_record_ttl": 60, "shared_secret": "..."}

Its set-up put the text together without escaping, so a secret with a quotation mark made a text that is not JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.formats.awslabs_v1 import take_v1_host
from homing.formats.host_attributes import find_hostname
from homing.formats.json_text import parse_json, shown

if TYPE_CHECKING:
    from homing.formats.document import Document
    from homing.formats.draft import Draft

NAME = "awslabs-v3"


def matches(document: Document) -> bool:
    """Tell whether it has an item with a name and its data."""
    return document.items is not None and any(item.has("hostname", "data") for item in document.items)


def take(document: Document, draft: Draft) -> None:
    """Take each host. Raises InvalidInput if it holds no items."""
    for item in document.find_items():
        where = item.where("hostname")
        with draft.taking(where):
            attributes = item.attributes()
            entry = _find_data(where, attributes, draft)
            beside = {name: value for name, value in attributes.items() if name not in ("hostname", "data")}
            take_v1_host(where, find_hostname(attributes), beside | entry, draft)


def _find_data(where: str, attributes: dict[str, Any], draft: Draft) -> dict[str, Any]:
    data = attributes.get("data")
    if isinstance(data, str):
        try:
            data = parse_json(data, lambda key, same: draft.repeat(where, f"data: {shown(key)}", identical=same))
        except InvalidInput as error:
            raise InvalidInput(f"data: {error}") from None
    if not isinstance(data, dict):
        raise InvalidInput("data is missing, or not an object")
    return data
