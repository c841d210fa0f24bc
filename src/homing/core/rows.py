"""Rows of a store, whichever store it is: their keys, their attributes, and what one commit does to them.

A row is identified by (hostname, record type), as in the awslabs tables. Rows that are not hosts carry a record type
that no DNS type has and a name that no parser accepts. Attribute names are a contract: people type them into the
DynamoDB console, and `homing export` writes them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from homing.core.accounts import Account, TokenKey
from homing.core.addresses import (
    parse_address,
    parse_interface_identifier,
    record_type_of,
    render_interface_identifier,
)
from homing.core.errors import InvalidInput
from homing.core.hosts import RECORD_TYPES, Host, RecordType
from homing.core.names import Name, parse_name
from homing.core.records import RRset
from homing.core.values import defaults_of, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Row: TypeAlias = Host | Account | TokenKey
RowKey: TypeAlias = tuple[str, str]

ABSENT = 0
"""The version that `Commit.expects` names for a row that must not be there."""
MAX_ROWS = 90
"""So many rows may one commit write; DynamoDB's transactions hold 100 with what they only check."""

_ACCOUNT = "#account"
_DIGITS = re.compile(r"[0-9]{1,18}")
_TOKEN_KEY: RowKey = ("#token-key", "#secret")


@frozen
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
            return TokenKey(version=version, secret=_needed(attributes, "secret"))
        if record_type in RECORD_TYPES:
            return _host(name, record_type, version, attributes)
    except InvalidInput as error:
        raise InvalidInput(f"row {name} {record_type}: {error}") from None
    raise InvalidInput(f"row {name} {record_type}: no such record type")


def _host_attributes(host: Host) -> dict[str, Any]:
    known: dict[str, Any] = {name: value for name in _READERS if (value := getattr(host, name)) != _DEFAULTS[name]}
    for name in ("desired", "published"):
        if name in known:
            known[name] = _from_rrset(known[name])
    if host.desired is not None:
        known["ip_address"] = host.ip_address
    if host.pending:
        known["pending"] = 1
    return dict(host.other) | known


def _host(name: str, record_type: RecordType, version: int, attributes: Mapping[str, Any]) -> Host:
    """Read what is there; what is absent is the default. This is on the way of every poll."""
    known: dict[str, Any] = {}
    other: list[tuple[str, Any]] = []
    for attribute, value in attributes.items():
        read = _READERS.get(attribute)
        if read is not None:
            known[attribute] = read(attribute, value)
        elif attribute not in _NOT_READ:
            other.append((attribute, value))
    known.setdefault("shared_secret", "")
    for attribute in ("desired", "published"):
        if known.get(attribute) is not None:
            known[attribute] = _canonical(record_type, known[attribute])
    return Host(hostname=Name(name), record_type=record_type, version=version, other=tuple(other), **known)


def _account(name: str, version: int, attributes: Mapping[str, Any]) -> Account:
    hostnames = attributes.get("hostnames", [])
    if not isinstance(hostnames, list) or not all(isinstance(hostname, str) for hostname in hostnames):
        raise InvalidInput("hostnames is not a list of texts")
    return Account(
        username=name.removeprefix("#"),
        version=version,
        password=_needed(attributes, "password"),
        hostnames=tuple(parse_name(hostname) for hostname in hostnames),
        comment=_text("comment", attributes.get("comment", "")),
    )


def _needed(attributes: Mapping[str, Any], name: str) -> str:
    if name not in attributes:
        raise InvalidInput(f"{name} is missing")
    return _text(name, attributes[name])


def _from_rrset(rrset: RRset) -> dict[str, Any]:
    return {"ttl": rrset.ttl, "rdata": list(rrset.rdata)}


def _rrset(name: str, value: Any) -> RRset | None:
    match value:
        case None:
            return None
        case {"ttl": int(ttl), "rdata": [*rdata]} if rdata and all(isinstance(text, str) for text in rdata):
            if not isinstance(ttl, bool) and 0 <= ttl < 2**31:
                return RRset(ttl, tuple(rdata))
    raise InvalidInput(f"{name} is no RRset")


def _canonical(record_type: RecordType, rrset: RRset) -> RRset:
    """Raises InvalidInput for what somebody typed that is no address of this family; DNS must never see it."""
    addresses = [parse_address(text) for text in rrset.rdata]
    if any(record_type_of(address) != record_type for address in addresses):
        raise InvalidInput(f"{rrset.rdata[0]} is no address for {record_type}")
    return RRset(rrset.ttl, tuple(map(str, addresses)))


def _identifier(name: str, value: Any) -> str | None:
    text = _text_or_none(name, value)
    return None if text is None else render_interface_identifier(parse_interface_identifier(text))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is not text")
    return value


def _text_or_none(name: str, value: Any) -> str | None:
    return None if value is None else _text(name, value) or None


def _number_or_none(name: str, value: Any) -> int | None:
    """People type numbers as text into the console; both are read."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if value is None or value == "":
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    raise InvalidInput(f"{name} is not a whole number")


def _number(name: str, value: Any) -> int:
    return _number_or_none(name, value) or 0


def _ttl_or_none(name: str, value: Any) -> int | None:
    """Seconds that an RRset can have (RFC 2181 section 8): a row that says otherwise would desire what cannot be."""
    seconds = _number_or_none(name, value)
    if seconds is not None and not 0 <= seconds < 2**31:
        raise InvalidInput(f"{name} is not within 0 to {2**31 - 1} seconds")
    return seconds


def _time_or_none(name: str, value: Any) -> int | None:
    """Seconds since 1970, or the text of Python's `datetime` in UTC, as the awslabs tables hold it."""
    if not isinstance(value, str) or not value or _DIGITS.fullmatch(value.strip()):
        return _number_or_none(name, value)
    try:
        time = datetime.fromisoformat(value.strip())
        seconds = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None  # it is told to people, and nothing rests on it
    return max(0, seconds)


def _flag(name: str, value: Any) -> bool:
    """People type flags as numbers and as text; what could mean either is refused, since a lock hangs on it."""
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in ("true", "false", ""):
        return value.strip().lower() == "true"
    raise InvalidInput(f"{name} is neither true nor false")


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "shared_secret": _text,
    "previous_secret": _text_or_none,
    "previous_secret_until": _number,
    "group": _text_or_none,
    "ttl": _ttl_or_none,
    "allow_internal": _flag,
    "allow_offline": _flag,
    "lock_record": _flag,
    "read_privilege": _flag,
    "signed_only": _flag,
    "mac_address": _text_or_none,
    "interface_identifier": _identifier,
    "comment": _text,
    "desired": _rrset,
    "published": _rrset,
    "rejected": _text_or_none,
    "signed_at": _number,
    "last_accessed": _text_or_none,
    "last_checked": _time_or_none,
    "last_updated": _time_or_none,
    "removed_at": _number_or_none,
}
"""How each attribute of a host is read. The order is that in which they are written."""
_DEFAULTS = {name: default for name, default in defaults_of(Host).items() if name in _READERS} | {"shared_secret": ""}
_NOT_READ = frozenset({"ip_address", "pending", "hostname", "record_type", "version"})
"""Attributes that say again what is known: for people, for indexes, and in exports."""
