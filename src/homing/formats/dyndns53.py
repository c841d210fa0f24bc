"""DynDNS53: the dictionary `conf` in `dyndns53.py`, or the dictionary alone.

    conf = {"user:password": {"hosts": {"host.example.com.": {"aws_region": "us-west-2", "zone_id": "Z...",
                                                             "record": {"ttl": 60, "type": "A"}, "last_update": None}}}}

Python source is parsed and one literal of it is evaluated; nothing is ever executed. Messages name the user and never
the key, which holds the password. Later versions have no `type` and set A or AAAA by the address: both are made.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.core.hosts import RECORD_TYPES, RecordType
from homing.core.names import Name, parse_hostname
from homing.formats.host_attributes import parse_ttl
from homing.formats.json_text import check_value, shown

if TYPE_CHECKING:
    from homing.formats.document import Document
    from homing.formats.draft import Draft

NAME = "dyndns53"
MAX_SOURCE = 1024 * 1024
"""Characters of Python; parsing takes a hundred times as much memory."""

_ASSIGNMENT = re.compile(r"^conf\b[^=\n]*=", re.MULTILINE)


def matches(document: Document) -> bool:
    """Tell whether it assigns `conf`, or is a dictionary that has accounts with hosts."""
    if document.value is None and _ASSIGNMENT.search(document.text):
        return True
    if document.value is not None and not isinstance(document.value, dict):
        return False
    try:
        conf = _find_conf(document, None)
    except (InvalidInput, RecursionError):
        return False
    return any(isinstance(entry, dict) and "hosts" in entry for entry in conf.values())


def take(document: Document, draft: Draft) -> None:
    """Take each account and its hosts. Raises InvalidInput if there is no dictionary to read."""
    for number, (key, entry) in enumerate(_find_conf(document, draft).items(), 1):
        username, colon, password = key.partition(":") if isinstance(key, str) else ("", "", "")
        where = f"item {number} ({shown(username)})" if colon else f"item {number}"
        with draft.taking(where):
            if not colon:
                raise InvalidInput("its key is not of the form user:password")
            hostnames = _take_hosts(where, entry, draft)
            draft.add_account(where, username, password, hostnames)


def _take_hosts(where: str, entry: object, draft: Draft) -> tuple[Name, ...]:
    """Take the hosts of one account, and return their names, each once."""
    match entry:
        case {"hosts": dict(hosts)}:
            pass
        case _:
            raise InvalidInput("there are no hosts")
    settings: dict[Name, object] = {}
    for text, setting in hosts.items():
        if not isinstance(text, str):
            raise InvalidInput("the name of a host is not text")
        hostname = parse_hostname(text)
        if hostname in settings:
            draft.repeat(where, hostname, identical=settings[hostname] == setting)
            continue
        settings[hostname] = setting
        _take_host(f"{where}, {hostname}", hostname, setting, draft)
    return tuple(settings)


def _take_host(where: str, hostname: Name, setting: object, draft: Draft) -> None:
    with draft.taking(where):
        record = setting.get("record", {}) if isinstance(setting, dict) else None
        if not isinstance(record, dict):
            raise InvalidInput("its settings are not a dictionary")
        draft.add_generated(where, hostname, _types(where, record, draft), parse_ttl(record.get("ttl")))


def _types(where: str, record: dict[Any, Any], draft: Draft) -> tuple[RecordType, ...]:
    given = record.get("type")
    for record_type in RECORD_TYPES:
        if given == record_type:
            return (record_type,)
    if given is not None:
        draft.warn(where, "its record type is ignored: it is neither A nor AAAA, so both are made")
    return RECORD_TYPES


# --- the dictionary


def _find_conf(document: Document, draft: Draft | None) -> dict[Any, Any]:
    if isinstance(document.value, dict):
        return document.value
    node = _find_literal(document.text)
    if draft is not None:
        _tell_repeats(node, draft)
    try:
        conf = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError):
        raise InvalidInput(
            f"conf, line {node.lineno}: only plain texts, numbers and dictionaries can be read"
        ) from None
    if not isinstance(conf, dict):
        raise InvalidInput(f"conf, line {node.lineno}: not a dictionary")
    check_value(conf)
    return conf


def _find_literal(text: str) -> ast.expr:
    """Return the expression that `conf` is assigned at the top level, or the only expression that there is."""
    body = _parse(text).body
    found = [value for statement in body if (value := _get_assigned(statement)) is not None]
    if not found and len(body) == 1 and isinstance(body[0], ast.Expr):
        found = [body[0].value]
    if not found:
        raise InvalidInput("no `conf = {...}` at the top level of the file")
    if len(found) > 1:
        raise InvalidInput(
            f"conf is assigned more than once: lines {', '.join(str(node.lineno) for node in found[:9])}"
        )
    return found[0]


def _get_assigned(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case (
            ast.Assign(targets=[ast.Name(id="conf")], value=value)
            | ast.AnnAssign(target=ast.Name(id="conf"), value=value)
        ):
            return value
    return None


def _parse(text: str) -> ast.Module:
    """Parse the file, or the dictionary alone where the code around it is Python 2. Raises InvalidInput."""
    if len(text) > MAX_SOURCE:
        raise InvalidInput(f"longer than {MAX_SOURCE // 1024 // 1024} MB, which is too long for Python")
    try:
        return _parse_source(text)
    except InvalidInput:
        block = _get_block(text)
        if block is None:
            raise
        return _parse_source(block)


def _parse_source(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes in other people's code
        try:
            return ast.parse(source)
        except SyntaxError as error:
            raise InvalidInput(f"not Python, line {error.lineno}") from None
        except (ValueError, MemoryError, RecursionError):
            raise InvalidInput("not Python: a character that no source may hold, or nested too deeply") from None


def _get_block(text: str) -> str | None:
    """Return the lines from `conf = {` to the brace that closes it at the beginning of a line."""
    starts = [found.start() for found in _ASSIGNMENT.finditer(text)]
    end = text.find("\n}", starts[0]) if len(starts) == 1 else -1
    return text[starts[0] : end + 2] if end >= 0 else None


def _tell_repeats(node: ast.expr, draft: Draft) -> None:
    """Python takes the last of two equal keys without a word."""
    for found in ast.walk(node):
        seen: dict[str, ast.expr] = {}
        for key, value in zip(found.keys, found.values, strict=True) if isinstance(found, ast.Dict) else ():
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                continue
            if key.value in seen:
                same = ast.dump(seen[key.value]) == ast.dump(value)
                draft.repeat(f"line {key.lineno}", shown(key.value.partition(":")[0]), identical=same)
            seen[key.value] = value
