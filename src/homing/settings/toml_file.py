"""`homing.toml` as a whole: where it lies, its tables, and the place of each key in it, file and line.

Reading it never raises anything but InvalidInput, whatever is in it.
"""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.core.values import field, frozen
from homing.settings.ownership import why_not_trusted
from homing.settings.text_file import is_file, read_text
from homing.settings.toml_lines import find_lines, find_repeated

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "homing.toml"
CONFIG = "HOMING_CONFIG"
"""The variable that names the file."""
MAX_FILE = 4 * 1024 * 1024
"""Bytes; zones with thousands of records fit in."""
_PLACE = re.compile(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")
_TWICE = re.compile(r"Cannot (?:overwrite|declare|redefine).*|Duplicate .*", re.IGNORECASE)
_DEEP_KEY = re.compile(r"""(?<![\w"'.-])(?:["']?[\w-]+["']?[ \t]*\.[ \t]*){200}""")
"""More parts than a name has labels. Python's own parser takes memory by the square of them."""


@frozen(slots=False)
class TomlFile:
    """What was read."""

    path: Path
    tables: Mapping[str, Any]
    text: str = field(repr=False)

    def place(self, *keys: str | int) -> str:
        """Return `FILE:LINE` of a key, by the names and numbers that lead to it; `FILE` where the line is unknown.

        A key that stands nowhere itself, such as a table that only dotted keys make, has the line of the first of them.
        """
        line = self._lines.get(keys)
        return f"{self.path}:{line}" if line else str(self.path)

    @cached_property
    def _lines(self) -> Mapping[tuple[str | int, ...], int]:
        return find_lines(self.text)


def find_file(environment: Mapping[str, str], told: list[str] | None = None) -> Path | None:
    """Return the file that is read: HOMING_CONFIG, or the first of the usual places that has one.

    A place that this user may not look into has none; one that HOMING_CONFIG names is read, whatever comes of it. A
    file in the folder of the moment that others may have put there is passed over, which `told` learns.
    """
    if given := environment.get(CONFIG):
        return Path(given)
    home = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or "/") / ".config"
    here = Path(FILE_NAME)
    if is_file(here):
        if (why := why_not_trusted(here)) is None:
            return here
        if told is not None:
            told.append(f"{here.absolute()} is not read, since {why}; if it is meant, name it: --config {FILE_NAME}")
    places = (Path(home) / "homing" / FILE_NAME, Path("/etc/homing") / FILE_NAME)
    return next((place for place in places if is_file(place)), None)


def read_toml(file: Path) -> TomlFile:
    """Read a file. Raises InvalidInput with file, line and what was expected; secrets that stand in it are not told."""
    return parse_toml(read_text(file, MAX_FILE), file)


def parse_toml(text: str, file: Path) -> TomlFile:
    """Read the text of a file, there or yet to be written. Raises InvalidInput as `read_toml` does."""
    if found := _DEEP_KEY.search(text):
        raise InvalidInput(f"{file}:{text.count(chr(10), 0, found.start()) + 1}: nested too deeply")
    try:
        return TomlFile(file, tomllib.loads(text), text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{file}:{_explain(str(error), text)}") from None
    except RecursionError:
        raise InvalidInput(f"{file}: nested too deeply") from None
    except (ValueError, OverflowError):  # what Python's own types refuse, such as a number of 5000 digits
        raise InvalidInput(f"{file}: a value that is out of all bounds") from None


def _explain(message: str, text: str) -> str:
    """Return `LINE: what is wrong` of the parser's own message, which has its place behind it."""
    found = _PLACE.fullmatch(message)
    if not found:
        return f"1: {message}"
    what, line, column = found.groups()
    if _TWICE.fullmatch(what) and (repeated := find_repeated(text)):
        keys, first, second = repeated
        name = ".".join(str(key + 1) if isinstance(key, int) else key for key in keys)
        return f"{second}: {name[:60]} is given in line {first} already: keep one"
    if what == "Invalid value":
        what = "expected a value; a text stands in quotes"
    if line is None:
        return f"{len(text.splitlines()) or 1}: {what}: the file ends too early"
    return f"{line}: {what} (column {column})"
