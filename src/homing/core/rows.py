"""Rows of a store, whichever store it is: their keys, their attributes, and what one commit does to them.

A row is identified by (hostname, record type), as in the awslabs tables. Rows that are not hosts carry a record type
that no DNS type has and a name that no parser accepts. Attribute names are a contract: people type them into the
DynamoDB console, and `homing export` writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from homing.core.accounts import Account, TokenKey
from homing.core.errors import InvalidInput
from homing.core.hosts import RECORD_TYPES, Host, RecordType
from homing.core.names import Name, parse_name
from homing.core.records import RRset

if TYPE_CHECKING:
    from collections.abc import Mapping

Row: TypeAlias = Host | Account | TokenKey
RowKey: TypeAlias = tuple[str, str]

ABSENT = 0
"""The version that `Commit.expects` names for a row that must not be there."""
MAX_ROWS = 90
"""So many rows may one commit write; DynamoDB's transactions hold 100 with what they only check."""

_ACCOUNT = "#account"
_TOKEN_KEY: RowKey = ("#token-key", "#secret")


@dataclass(frozen=True, slots=True)
class Commit:
    """What one request does, all of it or nothing.

    `expects` holds the version of every row that the decision rested on, written or only read; each of `puts` carries
    the expected version plus one.
    """

    puts: tuple[Row, ...]
    expects: Mapping[RowKey, int]
    deletes: tuple[RowKey, ...] = field(default=())


def host_key(hostname: Name, record_type: RecordType) -> RowKey:
    """Return the key of a host's row."""
    return (hostname, record_type)


def account_key(username: str) -> RowKey:
    """Return the key of an account's row."""
    return ("#" + username, _ACCOUNT)


def token_key_key() -> RowKey:
    """Return the key of the row that holds the ddupdate token key."""
    return _TOKEN_KEY


def key_of(row: Row) -> RowKey:
    """Return the key of any row."""
    match row:
        case Host():
            return (row.hostname, row.record_type)
        case Account():
            return account_key(row.username)
        case TokenKey():
            return _TOKEN_KEY


def to_attributes(row: Row) -> dict[str, Any]:
    """Return what a store keeps besides key and version, as JSON types; absent means the default."""
    match row:
        case Host():
            return _host_attributes(row)
        case Account():
            known = {"password": row.password, "hostnames": list(row.hostnames), "comment": row.comment or None}
            return {name: value for name, value in known.items() if value is not None}
        case TokenKey():
            return {"secret": row.secret}


def from_attributes(key: RowKey, version: int, attributes: Mapping[str, Any]) -> Row:
    """Read a row back. Raises InvalidInput for one that nobody could serve, naming the row and the attribute."""
    name, record_type = key
    try:
        if record_type == _ACCOUNT:
            return _account(name, version, attributes)
        if key == _TOKEN_KEY:
            return TokenKey(version=version, secret=_text(attributes, "secret"))
        if record_type in RECORD_TYPES:
            return _host(name, record_type, version, attributes)
    except InvalidInput as error:
        raise InvalidInput(f"row {name} {record_type}: {error}") from None
    raise InvalidInput(f"row {name} {record_type}: no such record type")


_PLAIN = (
    "shared_secret", "previous_secret", "previous_secret_until", "group", "ttl", "allow_internal", "allow_offline",
    "lock_record", "read_privilege", "signed_only", "mac_address", "interface_identifier", "comment", "rejected",
    "signed_at", "last_accessed", "last_checked", "last_updated", "removed_at",
)  # fmt: skip
_DERIVED = frozenset({"ip_address", "desired", "published", "pending"})
_KNOWN = frozenset(_PLAIN) | _DERIVED | {"hostname", "record_type", "version"}


def _host_attributes(host: Host) -> dict[str, Any]:
    known: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(host, name))}
    if host.desired is not None:
        known["desired"] = _from_rrset(host.desired)
        known["ip_address"] = host.ip_address
    if host.published is not None:
        known["published"] = _from_rrset(host.published)
    if host.pending:
        known["pending"] = 1
    return dict(host.other) | known


def _host(name: str, record_type: RecordType, version: int, attributes: Mapping[str, Any]) -> Host:
    return Host(
        hostname=Name(name),
        record_type=record_type,
        version=version,
        shared_secret=_text(attributes, "shared_secret", ""),
        previous_secret=_text_or_none(attributes, "previous_secret"),
        previous_secret_until=_number(attributes, "previous_secret_until") or 0,
        group=_text_or_none(attributes, "group"),
        ttl=_number(attributes, "ttl"),
        allow_internal=_flag(attributes, "allow_internal"),
        allow_offline=_flag(attributes, "allow_offline"),
        lock_record=_flag(attributes, "lock_record"),
        read_privilege=_flag(attributes, "read_privilege"),
        signed_only=_flag(attributes, "signed_only"),
        mac_address=_text_or_none(attributes, "mac_address"),
        interface_identifier=_text_or_none(attributes, "interface_identifier"),
        comment=_text(attributes, "comment", ""),
        desired=_to_rrset(attributes, "desired"),
        published=_to_rrset(attributes, "published"),
        rejected=_text_or_none(attributes, "rejected"),
        signed_at=_number(attributes, "signed_at") or 0,
        last_accessed=_text_or_none(attributes, "last_accessed"),
        last_checked=_number(attributes, "last_checked"),
        last_updated=_number(attributes, "last_updated"),
        removed_at=_number(attributes, "removed_at"),
        other=tuple((key, value) for key, value in attributes.items() if key not in _KNOWN),
    )


def _account(name: str, version: int, attributes: Mapping[str, Any]) -> Account:
    hostnames = attributes.get("hostnames", [])
    if not isinstance(hostnames, list) or not all(isinstance(hostname, str) for hostname in hostnames):
        raise InvalidInput("hostnames is not a list of texts")
    return Account(
        username=name.removeprefix("#"),
        version=version,
        password=_text(attributes, "password"),
        hostnames=tuple(parse_name(hostname) for hostname in hostnames),
        comment=_text(attributes, "comment", ""),
    )


def _from_rrset(rrset: RRset) -> dict[str, Any]:
    return {"ttl": rrset.ttl, "rdata": list(rrset.rdata)}


def _to_rrset(attributes: Mapping[str, Any], name: str) -> RRset | None:
    match attributes.get(name):
        case None:
            return None
        case {"ttl": int(ttl), "rdata": [*rdata]} if rdata and all(isinstance(text, str) for text in rdata):
            return RRset(ttl, tuple(rdata))
    raise InvalidInput(f"{name} is no RRset")


def _text(attributes: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = attributes.get(name, default)
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is missing" if value is None else f"{name} is not text")
    return value


def _text_or_none(attributes: Mapping[str, Any], name: str) -> str | None:
    return _text(attributes, name, "") or None


def _number(attributes: Mapping[str, Any], name: str) -> int | None:
    """People type numbers as text into the console; both are read."""
    value = attributes.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InvalidInput(f"{name} is not a whole number")


def _flag(attributes: Mapping[str, Any], name: str) -> bool:
    value = attributes.get(name, False)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false", ""):
        return value.strip().lower() == "true"
    raise InvalidInput(f"{name} is neither true nor false")
