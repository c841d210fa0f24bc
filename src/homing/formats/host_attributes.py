"""A host out of the attributes that the awslabs tables have, whichever generation they come from.

Shared by the three readers, which rename what is called otherwise. What people typed is read as kindly as `core.rows`
reads a table; what Homing does not know is kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from homing.core.addresses import is_global, parse_address, parse_mac, record_type_of
from homing.core.errors import InvalidAddress, InvalidInput
from homing.core.hosts import Host, RecordType
from homing.core.names import Name, parse_hostname
from homing.core.records import RRset
from homing.core.rows import Row, RowKey, from_attributes
from homing.core.values import defaults_of, replace
from homing.formats.json_text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.formats.draft import Draft

DEFAULT_TTL = 60
"""Seconds; of the address that DNS shows until the first update, where the table names none. As awslabs had it."""
MAX_TTL = 2**31 - 1
"""RFC 2181 section 8."""

_KNOWN = frozenset(defaults_of(Host)) | {"ip_address", "pending"}
_TIMES = ("last_checked", "last_updated")
_COUNTS = (*_TIMES, "previous_secret_until", "signed_at", "removed_at")
_MAX_COUNT = 2**53
"""Larger whole numbers do not survive every JSON parser (RFC 8259 section 6)."""


def take_host(where: str, hostname: str, record_type: RecordType, attributes: Mapping[str, Any], draft: Draft) -> None:
    """Take a host into the draft. Its last known address becomes what DNS is to show. Raises InvalidInput."""
    name = parse_hostname(hostname)
    ttl = parse_ttl(attributes.get("ttl"))
    find_text(attributes, "shared_secret")
    given = {key: value for key, value in attributes.items() if value is not None or key not in _KNOWN}
    for key in _TIMES:
        given[key] = _get_seconds(where, key, given.get(key), draft)
    host = read_row((name, record_type), given | {"ttl": ttl})
    if not isinstance(host, Host):
        raise InvalidInput("not a host")
    _warn_of_mac(where, host, draft)
    desired = host.desired or _get_known_address(where, host, attributes.get("ip_address"), draft)
    draft.add(where, replace(host, desired=desired, published=None))


def read_row(key: RowKey, attributes: Mapping[str, Any]) -> Row:
    """Read a row of any kind as a new one, within the ranges that DNS allows. Raises InvalidInput."""
    try:
        row = from_attributes(key, 0, attributes)
    except InvalidInput as error:
        raise InvalidInput(str(error).removeprefix(f"row {key[0]} {key[1]}: ")) from None
    if isinstance(row, Host):
        parse_ttl(row.ttl)
        for name in _COUNTS:
            if not 0 <= (getattr(row, name) or 0) <= _MAX_COUNT:
                raise InvalidInput(f"{name} is out of range")
        for rrset in (row.desired, row.published):
            parse_ttl(rrset.ttl if rrset else None)
    return row


def find_hostname(attributes: Mapping[str, Any]) -> str:
    """Return the name as it was typed. Raises InvalidInput."""
    return find_text(attributes, "hostname")


def find_text(attributes: Mapping[str, Any], name: str) -> str:
    """Return a text that has to be there. Raises InvalidInput."""
    value = attributes.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"{name} is missing" if value in (None, "") else f"{name} is not text")
    return value


def parse_ttl(value: object) -> int | None:
    """Return a TTL in seconds, typed as a number or as text; None if there is none. Raises InvalidInput."""
    if value is None or value == "":
        return None
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.isdigit() and len(text) <= 10:
        value = int(text)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput("the ttl is not a whole number of seconds")
    if not 0 <= value <= MAX_TTL:
        raise InvalidInput(f"the ttl is not within 0 to {MAX_TTL} seconds")
    return value


def complete_hostname(text: str, zone: Name | None) -> Name:
    """Return a host's name: as it is, or a single label completed with the zone. Raises InvalidInput."""
    if "." in text:
        return parse_hostname(text)
    if zone is None:
        raise InvalidInput(f"{shown(text)!r} is only a label: name the zone that it is in (--zone)")
    return parse_hostname(f"{text}.{zone}")


def _get_known_address(where: str, host: Host, text: object, draft: Draft) -> RRset | None:
    if not text:
        return None
    try:
        address = parse_address(text.strip() if isinstance(text, str) else "")
    except InvalidAddress:
        address = None
    if address is None or record_type_of(address) != host.record_type:
        draft.warn(where, f"ip_address is no address for {host.record_type}; ignored until the first update")
        return None
    if not is_global(address) and not host.allow_internal:
        draft.warn(where, f"{address} is not a global address; taken as it is")
    return RRset(DEFAULT_TTL if host.ttl is None else host.ttl, (str(address),))


def _get_seconds(where: str, name: str, value: object, draft: Draft) -> object:
    """Return a time in seconds since 1970. awslabs wrote `str(datetime.now())`, on Lambda, where the clock is UTC."""
    if not isinstance(value, str) or value == "" or value.isdigit():
        return value
    try:
        time = datetime.fromisoformat(value.strip())
        seconds = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        seconds = -1
    if seconds < 0:
        draft.warn(where, f"{name} is not a time; left out")
        return None
    return seconds


def _warn_of_mac(where: str, host: Host, draft: Draft) -> None:
    """Clients compare it with what their system prints, so it stays as it was typed."""
    if host.mac_address is None:
        return
    try:
        parse_mac(host.mac_address)
    except InvalidAddress:
        draft.warn(where, "mac_address is not a MAC address; taken as it is")
