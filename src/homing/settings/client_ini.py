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
import re
from pathlib import Path
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLACES = (Path("/usr/local/etc/dyndns.conf"), Path("/etc/dyndns.conf"))
MAX_FILE = 256 * 1024
"""Bytes; a file that is longer is not what it should be."""
_NAMES = {"url": "server", "token": "secret", "zoneid": "zone_id", "ipv4": "ipv4", "ipv6": "ipv6", "ttl": "ttl"}
"""What ddupdate calls a setting, and what we call it."""
_SECTION = re.compile(r"\[(.+)\].*")

Hosts = dict[str, dict[str, str]]


def find_ini(places: Sequence[Path] = PLACES) -> tuple[Path, ...]:
    """Return those of the two places that hold a file."""
    return tuple(place for place in places if place.is_file())


def read_ini(file: Path, warnings: list[str]) -> Hosts:
    """Return the raw settings of each name in one file. Raises InvalidInput with file, line and what was expected."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise InvalidInput(f"{file}: longer than {MAX_FILE} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidInput(f"{file}: line {line}: expected UTF-8") from None
    return parse_ini(text, str(file), warnings)


def parse_ini(text: str, origin: str, warnings: list[str]) -> Hosts:
    """Return the raw settings of each name. Raises InvalidInput; what is odd but clear becomes a warning."""
    parser = configparser.RawConfigParser(strict=False, default_section="\0")
    try:
        parser.read_string(text, origin)
    except configparser.MissingSectionHeaderError as error:
        raise InvalidInput(f"{origin}: line {error.lineno}: expected a section such as [host.example.com]") from None
    except configparser.ParsingError as error:
        lines = ", ".join(str(line) for line, _ in error.errors[:5])
        raise InvalidInput(f"{origin}: line {lines}: expected NAME=VALUE") from None
    except (configparser.Error, AttributeError):  # a continuation of nothing
        raise InvalidInput(f"{origin}: expected sections of NAME=VALUE") from None
    warnings += _repeated(text, origin)
    found: Hosts = {}
    for section in parser.sections():
        options: Mapping[str, str | None] = dict(parser.items(section))
        unknown = [name for name in options if name not in _NAMES]
        warnings += [f"{origin}: [{section[:80]}]: {name[:40]}: ddupdate knows no such setting" for name in unknown]
        found[section] = {_NAMES[name]: value for name, value in options.items() if name in _NAMES and value}
    return found


def merge_ini(files: Sequence[Hosts]) -> Hosts:
    """Return the settings of several files, of which the later ones override the first, option by option."""
    merged: Hosts = {}
    for hosts in files:
        for name, options in hosts.items():
            merged[name] = merged.get(name, {}) | options
    return merged


def account_of(name: str, options: Mapping[str, str]) -> dict[str, object]:
    """Return the raw settings of an account: its name is the section's, as it is written, for tokens are made of it."""
    return {"protocol": "ddupdate", "names": [name], **options}


def _repeated(text: str, origin: str) -> list[str]:
    """Tell of each section that stands there again; the last value of each option counts."""
    first: dict[str, int] = {}
    told = []
    for number, line in enumerate(text.splitlines(), 1):
        if found := _SECTION.fullmatch(line.strip()):
            if found[1] in first:
                told.append(
                    f"{origin}: line {number}: [{found[1][:80]}] stands in line {first[found[1]]} already; "
                    "the last value of each setting counts"
                )
            first.setdefault(found[1], number)
    return told
