"""The zones that a server serves, and how `[[zones]]` tables are read.

Every reader raises InvalidInput with what was expected, and InvalidPart where it is known which part is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.core.names import Name, parse_name
from homing.core.values import defaults_of, frozen
from homing.settings.values import entries, seconds, text

if TYPE_CHECKING:
    from collections.abc import Sequence


class InvalidPart(InvalidInput):
    """Parts of a value cannot be used; `parts` has the names and numbers that lead to each, and what is wrong."""

    def __init__(self, parts: Sequence[tuple[tuple[str | int, ...], str]]) -> None:
        super().__init__("\n".join(text for _, text in parts))
        self.parts = tuple(parts)


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


def zones(value: Any) -> tuple[ZoneSettings, ...]:
    """Read `[[zones]]` tables, or the bare names of zones. Raises InvalidPart where it is known which."""
    if isinstance(value, list | tuple) and value and all(isinstance(entry, dict) for entry in value):
        return _zones_of_tables(value)
    return tuple(zone_settings(parse_name(entry)) for entry in entries(value))


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
            return tuple(parse_name(entry) for entry in entries(value))
        case "records":
            if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
                raise InvalidInput("expected a list of lines")
            return tuple(value)
    return seconds(0, 2**31 - 1)(value)
