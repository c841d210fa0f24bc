"""In which line of a TOML document each key stands: Python's parser does not tell.

https://toml.io/en/v1.0.0. This reads documents that the parser has accepted, so it follows the form and checks nothing;
where it loses its way, later keys have no line.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from bisect import bisect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]
"""What leads to a key: names, and for arrays the number of the element, from 0."""

MAX_DEPTH = 12
"""Keys that are nested deeper have no line; no setting is."""
_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_PART = re.compile(r'[ \t]*(?:([A-Za-z0-9_-]+)|("(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'))[ \t]*')
_SCALAR = re.compile(
    r'"""(?:[^"\\]++|\\[\s\S]|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']++|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|[^\s,\]}#\"'\[{][^,\]}#\n]*"
)


def find_lines(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, in which each key of a document first stands, in a header or before its value."""
    scanner = _Scanner(text)
    with contextlib.suppress(_Lost, RecursionError, tomllib.TOMLDecodeError):
        scanner.document()
    return scanner.found


def find_repeated(text: str) -> tuple[Path, int, int] | None:
    """Return the first key or table that is given twice, with both lines, in a document that was refused for it."""
    scanner = _Scanner(text)
    with contextlib.suppress(_Lost, RecursionError, tomllib.TOMLDecodeError):
        scanner.document()
    return scanner.repeated


class _Lost(Exception):
    """The text is not of the form that was expected; what was found so far stands."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._sizes: dict[Path, int] = {}
        """How many elements each array of tables has so far."""
        self.repeated: tuple[Path, int, int] | None = None
        self._given: dict[Path, int] = {}
        """The line of each key that has a value, and of each header."""

    def document(self) -> None:
        table: Path = ()
        self._blank()
        while self.at < len(self.text):
            if self._take("[["):
                table = self._header("]]", is_array=True)
            elif self._take("["):
                table = self._header("]", is_array=False)
            else:
                self._pair(table)
            self._blank()

    def _header(self, end: str, *, is_array: bool) -> Path:
        """Read the name of a table. A name that is an array of tables means the last of them."""
        start, parts = self.at, [*self._key()]
        self._expect(end)
        path: Path = ()
        for number, part in enumerate(parts, 1):
            path = (*path, part)[:MAX_DEPTH]
            self._note(path, start)
            if is_array and number == len(parts):
                self._sizes[path] = self._sizes.get(path, 0) + 1
            if path in self._sizes:
                path = (*path, self._sizes[path] - 1)
                self._note(path, start)
        if not is_array:
            self._give(path, start)
        return path

    def _pair(self, table: Path) -> None:
        start, path = self.at, table
        for part in self._key():
            path = (*path, part)[: MAX_DEPTH + 1]
            self._note(path, start)
        self._give(path, start)
        self._expect("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._blank()
        if self._take("["):
            number = 0
            while not self._take_after_blank("]"):
                self._note((*path, number), self.at)
                self._value((*path, number)[: MAX_DEPTH + 1])
                number += 1
                self._blank()
                self._take(",")
        elif self._take("{"):
            while not self._take_after_blank("}"):
                self._pair(path)
                self._blank()
                self._take(",")
        else:
            self._read(_SCALAR)

    def _key(self) -> Iterator[str]:
        while True:
            bare, quoted = self._read(_PART).groups()
            yield bare if bare is not None else tomllib.loads(f"x = {quoted}")["x"]
            if not self._take("."):
                return

    def _note(self, path: Path, start: int) -> None:
        if len(path) <= MAX_DEPTH:
            self.found.setdefault(path, bisect(self._ends, start) + 1)

    def _give(self, path: Path, start: int) -> None:
        if len(path) > MAX_DEPTH:
            return
        line = bisect(self._ends, start) + 1
        if path in self._given and self.repeated is None:
            self.repeated = (path, self._given[path], line)
        self._given[path] = line

    def _blank(self) -> None:
        self._read(_BLANK)

    def _read(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if not found:
            raise _Lost
        self.at = found.end()
        return found

    def _take_after_blank(self, token: str) -> bool:
        self._blank()
        if self.at >= len(self.text):
            raise _Lost
        return self._take(token)

    def _take(self, token: str) -> bool:
        is_there = self.text.startswith(token, self.at)
        self.at += len(token) * is_there
        return is_there

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise _Lost
