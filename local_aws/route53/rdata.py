"""What a value may be, for each record type (Developer Guide, "Supported DNS record types"; RFC 1035).

Route 53 keeps a value as it was written; nothing here changes one.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from local_aws.route53.names import BadName, parse_name

if TYPE_CHECKING:
    from collections.abc import Callable

_STRING = re.compile(r'"((?:[^"\\]|\\[0-7]{3}|\\.)*)"')
_ESCAPED = re.compile(r"\\(?:[0-7]{3}|.)")
MAX_STRING = 255


def problem_of(rrtype: str, value: str) -> str | None:
    """The message for a value that the type does not take, in the words of AWS; None if it takes it."""
    problem = _CHECKS.get(rrtype, _nothing_known)(value)
    return problem and f"Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"


def _ipv4(value: str) -> str | None:
    try:
        IPv4Address(value)
    except AddressValueError:
        return "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
    return None


def _ipv6(value: str) -> str | None:
    try:
        scoped = IPv6Address(value).scope_id
    except AddressValueError:
        scoped = "no address at all"
    return "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)" if scoped else None


def _text(value: str) -> str | None:
    """One or more strings in quotation marks, each up to 255 characters, with blanks between."""
    if not value.startswith('"') or not re.fullmatch(rf"{_STRING.pattern}(?:[ \t]+{_STRING.pattern})*", value):
        return "InvalidCharacterString (Value should be enclosed in quotation marks)"
    if any(len(_ESCAPED.sub("x", string)) > MAX_STRING for string in _STRING.findall(value)):
        return "CharacterStringTooLong (Value is too long)"
    return None


def _domain(value: str) -> str | None:
    if value.split() != [value]:
        return "UnsupportedCharacter (Value contains unsupported characters)"
    try:
        parse_name(value)
    except BadName as bad:
        return str(bad)
    return None


def _number_fields(count: int) -> Callable[[str], str | None]:
    """Several 16-bit numbers and then a domain name: MX, SRV."""

    def check(value: str) -> str | None:
        *numbers, last = value.split() or [""]
        if len(numbers) != count:
            return "RRDATAFieldCountMismatch (Value has a wrong number of fields)"
        if not all(number.isdecimal() and int(number) < 1 << 16 for number in numbers):
            return "IntegerOutOfRange (Value is not a number between 0 and 65535)"
        return _domain(last)

    return check


def _caa(value: str) -> str | None:
    if not re.fullmatch(r'\d{1,3} [A-Za-z0-9]+ "[^"]*"', value) or int(value.split(maxsplit=1)[0]) > 255:
        return "CAARRDATAInvalid (Value is not flags, a tag and a quoted value)"
    return None


def _nothing_known(value: str) -> str | None:
    return None if value.strip() else "RRDATAEmpty (Value is empty)"


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "A": _ipv4,
    "AAAA": _ipv6,
    "TXT": _text,
    "SPF": _text,
    "CNAME": _domain,
    "NS": _domain,
    "PTR": _domain,
    "MX": _number_fields(1),
    "SRV": _number_fields(3),
    "CAA": _caa,
}


def comparable(rrtype: str, value: str) -> str:
    """Two values of a set are duplicates if these are equal: addresses by meaning, other values by text."""
    if rrtype == "AAAA":
        return str(IPv6Address(value))
    return value
