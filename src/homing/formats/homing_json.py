"""Homing's own export: every row, in JSON, to be kept as a backup or read into another store.

    {"homing": 1, "rows": [{"hostname": "cam.home.example.", "record_type": "A", "shared_secret": "...", ...}, ...]}

**It holds every shared secret readable, and the token key.** Keep it as you keep a password file. Attributes are those
of `core.rows`; versions are left out, because they count the commits of one store.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from homing.core.accounts import Account, TokenKey, parse_username
from homing.core.addresses import parse_interface_identifier
from homing.core.errors import InvalidInput
from homing.core.hosts import RECORD_TYPES, Host
from homing.core.names import parse_hostname
from homing.core.rows import Row, RowKey, account_key, key_of, to_attributes, token_key_key
from homing.formats.host_attributes import find_text, read_row
from homing.formats.json_text import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from homing.formats.document import Document
    from homing.formats.draft import Draft

NAME = "homing"
FORMAT_VERSION = 1

_PASSWORD = re.compile(r"sha256\$[0-9a-f]{64}|scrypt\$[0-9]{1,7}\$[0-9]{1,2}\$[0-9]{1,2}\$[0-9a-f]{32}\$[0-9a-f]{64}")
_ACCOUNT = account_key("")[1]


def render_export(rows: Iterable[Row]) -> Iterator[str]:
    """Return the pieces of the JSON text, one row a line. Nothing but the row at hand is held in memory."""
    yield f'{{"homing": {FORMAT_VERSION}, "rows": ['
    separator = "\n"
    for row in rows:
        hostname, record_type = key_of(row)
        attributes = {"hostname": hostname, "record_type": record_type, **to_attributes(row)}
        yield separator + json.dumps(attributes, allow_nan=False)
        separator = ",\n"
    yield "\n]}\n"


def matches(document: Document) -> bool:
    """Tell whether it says that it is ours."""
    return isinstance(document.value, dict) and "homing" in document.value and "rows" in document.value


def take(document: Document, draft: Draft) -> None:
    """Take each row. Raises InvalidInput if it is no export, or one of a newer Homing."""
    match document.find_object():
        case {"homing": 1, "rows": [*rows]}:
            for number, row in enumerate(rows, 1):
                _take_row(f"item {number}", row, draft)
        case {"homing": int(version)} if version > FORMAT_VERSION:
            raise InvalidInput(f"an export of format {version}, which needs a newer Homing")
        case _:
            raise InvalidInput('not an export of Homing: {"homing": 1, "rows": [...]}')


def _take_row(place: str, attributes: object, draft: Draft) -> None:
    name = attributes.get("hostname") if isinstance(attributes, dict) else None
    where = f"{place} ({shown(name)})" if isinstance(name, str) else place
    with draft.taking(where):
        if not isinstance(attributes, dict):
            raise InvalidInput("not an object")
        row = read_row(_find_key(attributes), attributes)
        _check(row)
        draft.add(where, row)


def _find_key(attributes: Mapping[str, Any]) -> RowKey:
    """Return the key of a row in canonical form."""
    name, record_type = find_text(attributes, "hostname"), find_text(attributes, "record_type")
    if (name, record_type) == token_key_key():
        return token_key_key()
    if record_type in RECORD_TYPES:
        return (parse_hostname(name), record_type)
    if record_type != _ACCOUNT or not name.startswith("#"):
        raise InvalidInput("no such record type")
    hostnames = attributes.get("hostnames", [])
    if isinstance(hostnames, list) and not all(isinstance(hostname, str) for hostname in hostnames):
        raise InvalidInput("hostnames holds what is not text")
    return account_key(parse_username(name.removeprefix("#")))


def _check(row: Row) -> None:
    """Refuse what could be stored but never used, or used by anybody."""
    match row:
        case Host(interface_identifier=str(text)):
            parse_interface_identifier(text)
        case Account() if not _PASSWORD.fullmatch(row.password):
            raise InvalidInput("the password is not one that Homing has hashed")
        case TokenKey(secret=""):
            raise InvalidInput("the token key is empty")
