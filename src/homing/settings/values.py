"""How the value of a setting is read: from TOML's own types, or from text of a flag or the environment.

Every reader raises InvalidInput with what was expected; lists are separated by commas in text.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from homing.core.errors import InvalidInput
from homing.core.names import Name, parse_name
from homing.core.values import defaults_of, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from homing.core.addresses import Network

T = TypeVar("T")


class InvalidPart(InvalidInput):
    """Parts of a value cannot be used; `parts` has the names and numbers that lead to each, and what is wrong."""

    def __init__(self, parts: Sequence[tuple[tuple[str | int, ...], str]]) -> None:
        super().__init__("\n".join(text for _, text in parts))
        self.parts = tuple(parts)


_DIGITS = re.compile(r" *[0-9]{1,12} *")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@frozen(kw_only=True)
class ZoneSettings:
    """A zone that is served: its name, and what stands in it besides hosts. Times are in seconds."""

    name: Name
    id: str
    """What ddupdate clients call the zone; its name without the last dot, unless set."""
    ns: tuple[Name, ...]
    """The names of its name servers; `ns1` in the zone, unless set."""
    admin: Name
    """The mailbox of who runs it, as the SOA writes it; `hostmaster` in the zone, unless set."""
    records: tuple[str, ...] = ()
    """Static records, one line each, as in a zone file: `www 300 IN A 192.0.2.1`."""
    ttl: int = 3600
    """TTL of SOA, NS and static records that name none."""
    refresh: int = 7200
    retry: int = 900
    expire: int = 1_209_600
    minimum: int = 60
    """How long resolvers may remember that a name does not exist."""


def zone_settings(name: Name, **given: Any) -> ZoneSettings:
    """Return the settings of a zone, with the defaults that depend on its name."""
    label = "" if name == "." else name
    defaults: dict[str, Any] = {
        "id": name.rstrip("."),
        "ns": (Name("ns1." + label),),
        "admin": Name("hostmaster." + label),
    }
    return ZoneSettings(name=name, **(defaults | given))


def optional(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Return a reader that takes empty text for "unset"."""
    return lambda value: None if value == "" else parse(value)


def text(value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput("expected a text")
    return value


def path(value: Any) -> Path:
    """Read a path; `~` is the home directory."""
    if isinstance(value, Path):
        return value
    try:
        return Path(text(value)).expanduser()
    except (RuntimeError, ValueError):
        raise InvalidInput(f"expected a path, not {_shown(value)}") from None


def flag(value: Any) -> bool:
    """Read yes or no."""
    words = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise InvalidInput(f"expected true or false, not {_shown(value)}")


def whole_number(low: int, high: int) -> Callable[[Any], int]:
    """Return a reader for whole numbers within bounds."""

    def parse(value: Any) -> int:
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise InvalidInput(f"expected a whole number from {low} to {high}, not {_shown(value)}")
        return number

    return parse


def seconds(low: int, high: int) -> Callable[[Any], int]:
    """Return a reader for durations in seconds; text may carry a unit: `90`, `5m`, `12h`, `7d`, `2w`."""
    bounded = whole_number(low, high)

    def parse(value: Any) -> int:
        if isinstance(value, str) and value.strip()[-1:] in _UNITS:
            amount, unit = value.strip()[:-1], value.strip()[-1]
            if _DIGITS.fullmatch(amount):
                return bounded(int(amount) * _UNITS[unit])
        return bounded(value)

    return parse


def one_of(*words: str) -> Callable[[Any], str]:
    """Return a reader for one of several words."""

    def parse(value: Any) -> str:
        if isinstance(value, str) and value.strip().lower() in words:
            return value.strip().lower()
        raise InvalidInput(f"expected {' or '.join(words)}, not {_shown(value)}")

    return parse


def networks(value: Any) -> tuple[Network, ...]:
    """Read networks such as `10.0.0.0/8`; a bare address is a network of one."""
    try:
        return tuple(ip_network(entry) for entry in _entries(value))
    except ValueError as error:
        raise InvalidInput(f"expected networks such as 10.0.0.0/8: {error}") from None


def listen_addresses(value: Any) -> tuple[tuple[str, int], ...]:
    """Read addresses and ports such as `127.0.0.1:8080` and `[::1]:8080`; port 0 takes any free one."""
    return tuple(_listen_address(entry) for entry in _entries(value))


def zones(value: Any) -> tuple[ZoneSettings, ...]:
    """Read `[[zones]]` tables, or the bare names of zones. Raises InvalidPart where it is known which."""
    if isinstance(value, list | tuple) and value and all(isinstance(entry, dict) for entry in value):
        return _zones_of_tables(value)
    return tuple(zone_settings(parse_name(entry)) for entry in _entries(value))


def _zones_of_tables(tables: Sequence[dict[str, Any]]) -> tuple[ZoneSettings, ...]:
    """Raises InvalidPart with the problems of every table."""
    found: list[ZoneSettings] = []
    problems: list[tuple[tuple[str | int, ...], str]] = []
    for number, table in enumerate(tables):
        try:
            found.append(_zone_of_table(table))
        except InvalidPart as error:
            problems += [((number, *keys), text) for keys, text in error.parts]
    if problems:
        raise InvalidPart(problems)
    return tuple(found)


def _zone_of_table(table: dict[str, Any]) -> ZoneSettings:
    known = set(defaults_of(ZoneSettings))
    label = f"zone {str(table.get('name', 'without a name'))[:60]}"
    there_are = f"no such setting; there are {', '.join(sorted(known))}"
    problems: list[tuple[tuple[str | int, ...], str]] = []
    if "name" not in table:
        problems.append(((), f"{label}: name is missing"))
    given: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            problems.append(((key,), f"{label}: {key[:60]}: {there_are}"))
            continue
        try:
            given[key] = _zone_value(key, value)
        except InvalidInput as error:
            problems += [((key,), f"{label}: {key}: {line}") for line in str(error).splitlines()]
    if problems:
        raise InvalidPart(problems)
    return zone_settings(given.pop("name"), **given)


def _zone_value(key: str, value: Any) -> Any:
    match key:
        case "name" | "admin":
            return parse_name(text(value).replace("@", "."))
        case "id":
            return text(value)
        case "ns":
            return tuple(parse_name(entry) for entry in _entries(value))
        case "records":
            if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
                raise InvalidInput("expected a list of lines")
            return tuple(value)
    return seconds(0, 2**31 - 1)(value)


def _entries(value: Any) -> list[str]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise InvalidInput("expected a list of texts")
    return [entry.strip() for entry in value if entry.strip()]


def _listen_address(entry: str) -> tuple[str, int]:
    host, colon, port = entry.rpartition(":")
    expected = f"expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080, not {_shown(entry)}"
    if not colon or not _DIGITS.fullmatch(port) or int(port) > 65_535:
        raise InvalidInput(expected)
    try:
        address = ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        raise InvalidInput(expected) from None
    return str(address), int(port)


def _shown(value: Any) -> str:
    try:
        return repr(value)[:60]
    except ValueError:  # more digits than Python writes
        return "a number of too many digits"
    except RecursionError:
        return "tables in tables"
