"""The SAM DynDNS server: the items of its DynamoDB table, one user each, with one host each.

    {"user": {"S": "cabin"}, "pass": {"S": "..."}, "host": {"S": "cabin"}, "ttl": {"S": "300"}}

It set A or AAAA by the address that came, so both are made. Passwords were kept readable; here they become hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.core.hosts import RECORD_TYPES
from homing.formats.host_attributes import complete_hostname, find_text, parse_ttl

if TYPE_CHECKING:
    from homing.formats.document import Document
    from homing.formats.draft import Draft

NAME = "sam"
DEFAULT_TTL = 300
"""Seconds, where the item names none."""


def matches(document: Document) -> bool:
    """Tell whether it has an item with a user and a password."""
    return document.items is not None and any(item.has("user", "pass") for item in document.items)


def take(document: Document, draft: Draft) -> None:
    """Take each user and host. Raises InvalidInput if it holds no items."""
    for item in document.find_items():
        where = item.where("user")
        with draft.taking(where):
            _take_user(where, item.attributes(), draft)


def _take_user(where: str, attributes: dict[str, Any], draft: Draft) -> None:
    hostname = complete_hostname(find_text(attributes, "host"), draft.default_zone)
    ttl = parse_ttl(attributes.get("ttl"))
    draft.add_account(where, find_text(attributes, "user"), find_text(attributes, "pass"), (hostname,))
    draft.add_generated(where, hostname, RECORD_TYPES, DEFAULT_TTL if ttl is None else ttl)
