"""awslabs v1: `config.json`, one object of hostnames. A records only.

    {"host1.dyn.example.com.": {"aws_region": "us-west-2", "route_53_zone_id": "Z...", "route_53_record_ttl": 60,
                                "route_53_record_type": "A", "shared_secret": "..."}}

The zone is the one of the settings that the name is in, so region and zone id are not needed and are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.formats.host_attributes import take_host
from homing.formats.json_text import shown

if TYPE_CHECKING:
    from homing.formats.document import Document
    from homing.formats.draft import Draft

NAME = "awslabs-v1"

_LEFT_OUT = frozenset({"aws_region", "route_53_zone_id", "route_53_record_type", "route_53_record_ttl"})


def matches(document: Document) -> bool:
    """Tell whether it is an object with an object of a host in it."""
    return isinstance(document.value, dict) and any(
        isinstance(entry, dict) and "shared_secret" in entry for entry in document.value.values()
    )


def take(document: Document, draft: Draft) -> None:
    """Take each host. Raises InvalidInput if it is not an object."""
    for number, (hostname, entry) in enumerate(document.find_object().items(), 1):
        where = f"item {number} ({shown(hostname)})"
        with draft.taking(where):
            if not isinstance(entry, dict):
                raise InvalidInput("not an object")
            take_v1_host(where, hostname, entry, draft)


def take_v1_host(where: str, hostname: str, entry: dict[str, Any], draft: Draft) -> None:
    """Take a host as v1 and v3 describe it. Raises InvalidInput."""
    if entry.get("route_53_record_type", "A") != "A":
        draft.warn(where, "its record type is ignored: this version set A records only")
    attributes = {name: value for name, value in entry.items() if name not in _LEFT_OUT}
    take_host(where, hostname, "A", attributes | {"ttl": entry.get("route_53_record_ttl")}, draft)
