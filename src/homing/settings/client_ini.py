"""ddupdate's own settings file, `dyndns.conf`, read as it is: one section for each name, INI as Python's configparser.

    [host.example.com]
    url=https://example.execute-api.us-west-1.amazonaws.com/Production
    token=...
    zoneid=...
    ipv4= ipv6= ttl=        optional

Its program reads both places, so that the later one adds to the first and overrides it, option by option; a section
that stands there twice counts the same way, with a warning.
"""

from __future__ import annotations

import configparser
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.core.values import field, frozen, replace
from homing.settings.text_file import is_file, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PLACES = (Path("/usr/local/etc/dyndns.conf"), Path("/etc/dyndns.conf"))
MAX_FILE = 256 * 1024
"""Bytes; a file that is longer is not what it should be."""
_NAMES = {"url": "server", "token": "secret", "zoneid": "zone_id", "ipv4": "ipv4", "ipv6": "ipv6", "ttl": "ttl"}
"""What ddupdate calls a setting, and what we call it."""
_SECTION = re.compile(r"\[(.+)\].*")


@frozen
class Option:
    """One option as it stands there."""

    name: str
    place: str
    text: str = field(repr=False)


@frozen
class Section:
    """The options of one name, by what we call them."""

    place: str
    options: Mapping[str, Option]


Hosts = dict[str, Section]


def find_ini(places: Sequence[Path] = PLACES) -> tuple[Path, ...]:
    """Return those of the two places that hold a file."""
    return tuple(place for place in places if is_file(place))


def read_ini(file: Path, warnings: list[str]) -> Hosts:
    """Return the raw settings of each name in one file. Raises InvalidInput with file, line and what was expected."""
    return parse_ini(read_text(file, MAX_FILE), str(file), warnings)


def parse_ini(text: str, origin: str, warnings: list[str]) -> Hosts:
    """Return the raw settings of each name. Raises InvalidInput; what is odd but clear becomes a warning."""
    lines = _Lines(text)
    parser = configparser.RawConfigParser(strict=False, default_section="\0", dict_type=lines.table)  # type: ignore[call-overload]  # a callable is enough
    try:
        parser.read_file(lines, origin)
    except configparser.MissingSectionHeaderError as error:
        raise InvalidInput(f"{origin}:{error.lineno}: expected a section such as [host.example.com]") from None
    except configparser.ParsingError as error:
        first = error.errors[0][0] if getattr(error, "errors", None) else lines.number
        raise InvalidInput(f"{origin}:{first}: expected NAME=VALUE") from None
    except (configparser.Error, AttributeError):  # a continuation of nothing
        raise InvalidInput(f"{origin}:{lines.number}: expected sections of NAME=VALUE") from None
    warnings += _repeated(text, origin)
    found: Hosts = {}
    for name in parser.sections():
        options = {
            key: Option(key, lines.place(origin, name, key), value) for key, value in parser.items(name) if value
        }
        unknown = [one for one in options.values() if one.name not in _NAMES]
        warnings += [f"{one.place}: {one.name[:40]}: ddupdate knows no such setting" for one in unknown]
        known = {_NAMES[key]: one for key, one in options.items() if key in _NAMES}
        found[name] = Section(lines.place(origin, name), known)
    return found


def merge_ini(files: Sequence[Hosts]) -> Hosts:
    """Return the settings of several files, of which the later ones override the first, option by option."""
    merged: Hosts = {}
    for hosts in files:
        for name, section in hosts.items():
            options = {**merged[name].options, **section.options} if name in merged else section.options
            merged[name] = replace(section, options=options)
    return merged


class _Lines:
    """The lines of a text, and in which of them the parser was when it took a section or an option.

    The parser tells nobody; but it puts what it has read into tables of ours, line by line.
    """

    def __init__(self, text: str) -> None:
        self.number = 0
        self._lines = io.StringIO(text)
        self._sections: dict[str, _Table] = {}

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            yield line

    def table(self) -> _Table:
        return _Table(self)

    def note_section(self, name: str, table: _Table) -> None:
        table.first = self.number
        self._sections[name] = table

    def place(self, origin: str, section: str, option: str | None = None) -> str:
        """Return `FILE:LINE`, or the file alone if the line is unknown."""
        table = self._sections.get(section)
        line = (table.lines.get(option) if option else table.first) if table else None
        return f"{origin}:{line}" if line else origin


class _Table(dict[str, Any]):
    """What the parser puts sections, and the options of a section, into."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()
        self.first: int | None = None
        self.lines: dict[str, int] = {}
        self._reader = lines

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, _Table):
            self._reader.note_section(name, value)
        elif isinstance(value, list):  # lines of a value; they are joined to a text when all has been read
            self.lines[name] = self._reader.number
        super().__setitem__(name, value)


def _repeated(text: str, origin: str) -> list[str]:
    """Tell of each section that stands there again; the last value of each option counts."""
    first: dict[str, int] = {}
    told = []
    for number, line in enumerate(text.split("\n"), 1):
        if found := _SECTION.fullmatch(line.strip()):
            if found[1] in first:
                told.append(
                    f"{origin}:{number}: [{found[1][:80]}] stands in line {first[found[1]]} already; "
                    "the last value of each setting counts"
                )
            first.setdefault(found[1], number)
    return told
