"""The syntax of ddclient.conf, as ddclient 3.8 to 4.0 read it: `[NAME=VALUE, ...] [HOST[,HOST...] [LOGIN [PASSWORD]]]`.

Comments end at the line's end, and a line that ends in a backslash goes on in the next. Passwords have a rule of their
own, which was tried with 3.10: within one line, what stands from the first `'` to the last one, or else everything up
to a blank, commas, quotes, backslashes and `#` included. What the names mean is in `ddclient_conf.py`.
"""

from __future__ import annotations

import re
from bisect import bisect
from itertools import accumulate
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE = 1024 * 1024
"""Characters; a file that is longer is not what it should be."""
_BLANKS = re.compile(r"\s+")
_WORD = re.compile(r"[^\s,]+|,")
_PASSWORD = "password"  # noqa: S105 - the name of the setting
_NEVER_EMPTY = ("protocol", "server", "login", _PASSWORD, "use", "usev4", "usev6")
_ASSIGNMENT = re.compile(r"[A-Za-z][\w-]*=[\s\S]*")
_IN_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@frozen
class Assignment:
    """`NAME=VALUE`, and the line in which it stands."""

    name: str
    value: str = field(repr=False)
    line: int


@frozen
class Entry:
    """One line with all that continues it. Without hosts its assignments are for the hosts behind it."""

    assignments: tuple[Assignment, ...]
    hosts: tuple[tuple[str, int], ...]
    """Names of hosts, each with its line."""
    empty: tuple[tuple[str, int], ...] = ()
    """Names of settings that need a value and have none, each with its line: ddclient goes on without them."""


class _Scanner:
    """The text of one entry, and where its lines begin in it."""

    def __init__(self, pieces: list[tuple[int, str]], passwords: dict[str, str]) -> None:
        self.text = "".join(piece for _, piece in pieces)
        self.at = 0
        self._passwords = passwords
        self._numbers = [number for number, _ in pieces]
        self._starts = list(accumulate((len(piece) for _, piece in pieces[:-1]), initial=0))

    def line(self, at: int) -> int:
        return self._numbers[bisect(self._starts, at) - 1]

    def assignments(self) -> Iterator[Assignment]:
        """Raises InvalidInput for a quote that is not closed, and for a value that stands behind a blank."""
        while name := self._name():
            line = self.line(self.at)
            self.at += len(name) + 1
            value = self._passwords.get(name, self._value(name, line))
            if not value and name in _NEVER_EMPTY and self._is_word_next(line):
                raise InvalidInput(f"{line}: {name}: expected a value right behind the =")
            yield Assignment(name, value, line)

    def words(self) -> Iterator[tuple[int, list[tuple[str, int]]]]:
        """Return what stands behind the assignments: words, each with its line and its parts between commas."""
        parts: list[tuple[str, int]] = []
        line, is_joined = 0, False
        for found in _WORD.finditer(self.text, self.at):
            if found[0] == ",":
                is_joined = True
                continue
            if parts and not is_joined:
                yield line, parts
                parts = []
            line, is_joined = line if parts else self.line(found.start()), False
            parts.append((found[0], self.line(found.start())))
        if parts:
            yield line, parts

    def _name(self) -> str:
        """Return the name of the assignment that stands here, behind blanks and commas; empty if there is none."""
        text, end = self.text, self.at
        while end < len(text) and (text[end] == "," or text[end].isspace()):
            end += 1
        self.at = end
        while end < len(text) and text[end] in _IN_NAMES:
            end += 1
        is_name = text[end : end + 1] == "=" and text[self.at : self.at + 1].isalpha()
        return text[self.at : end] if is_name else ""

    def _is_word_next(self, line: int) -> bool:
        """Tell whether a word follows in the same line, which may be the value behind a blank: a password, perhaps."""
        at = _behind_blanks(self.text, self.at)
        is_there = at < len(self.text) and self.text[at] != "," and self.line(at) == line
        return is_there and not _ASSIGNMENT.fullmatch(self.text, at)

    def _value(self, name: str, line: int) -> str:
        value, quote, is_escaped = [], "", False
        while self.at < len(self.text):
            one = self.text[self.at]
            if is_escaped:
                value.append(one)
                is_escaped = False
            elif one == "\\":
                is_escaped = True
            elif quote and one == quote:
                quote = ""
            elif not quote and one in "'\"":
                quote = one
            elif not quote and (one == "," or one.isspace()):
                break
            else:
                value.append(one)
            self.at += 1
        if quote:
            raise InvalidInput(f"{line}: {name}: expected {quote} at the end of the value")
        return _BLANKS.sub(" ", "".join(value))


def parse_lines(text: str, origin: str) -> tuple[Entry, ...]:
    """Return the entries of a file. Raises InvalidInput with every line that is malformed, and what was expected."""
    if len(text) > MAX_FILE:
        raise InvalidInput(f"{origin}: longer than {MAX_FILE} characters")
    entries, problems = [], []
    pieces: list[tuple[int, str]] = []
    passwords: dict[str, str] = {}
    for number, raw in enumerate([*text.replace("\r", "").split("\n"), ""], 1):
        try:
            piece = _lift_password(raw, passwords).partition("#")[0]
        except InvalidInput as error:
            problems.append(f"{origin}:{number}: {error}")
            continue
        is_continued = piece.rstrip().endswith("\\")
        pieces.append((number, piece.rstrip()[:-1] if is_continued else piece))
        if is_continued:
            continue
        if len(pieces) == 1 and not piece.strip():
            pieces = []
            continue
        try:
            entries.append(_parse_entry(_Scanner(pieces, passwords)))
        except InvalidInput as error:
            problems.append(f"{origin}:{error}")
        pieces, passwords = [], {}
    if problems:
        raise InvalidInput("\n".join(problems))
    return tuple(entry for entry in entries if entry.assignments or entry.hosts or entry.empty)


def _parse_entry(scanner: _Scanner) -> Entry:
    assignments = list(scanner.assignments())
    words = list(scanner.words())
    empty = [one for one in assignments if not one.value and one.name in _NEVER_EMPTY]
    assignments = [one for one in assignments if one not in empty]
    for line, parts in words[:2]:
        if any(part.startswith("=") for part, _ in parts):
            raise InvalidInput(f"{line}: expected NAME=VALUE without blanks around the =")
    if len(words) > 3:
        raise InvalidInput(f"{words[3][0]}: expected HOST[,HOST...] [LOGIN [PASSWORD]], and no more words")
    hosts = [(name, one.line) for one in assignments if one.name == "host" for name in one.value.split(",") if name]
    for name, (line, parts) in zip(("login", "password"), words[1:], strict=False):
        assignments.append(Assignment(name, ",".join(part for part, _ in parts), line))
    without = tuple((one.name, one.line) for one in empty)
    return Entry(tuple(assignments), (*(words[0][1] if words else ()), *hosts), without)


def _lift_password(line: str, passwords: dict[str, str]) -> str:
    """Put the value of the last password in a line aside, and return the line with a harmless one in its place.

    Raises InvalidInput.
    """
    end = line.find("#") if "#" in line else len(line)
    at = line.rfind(_PASSWORD, 0, end)
    while at >= 0:
        start = max(line.rfind(" ", 0, at), line.rfind("\t", 0, at)) + 1
        at = line.find(_PASSWORD, start, end)
        equals = _behind_blanks(line, at + len(_PASSWORD))
        if equals < end and line[equals] == "=" and (found := _find_value(line, equals + 1)):
            name = line[start : at + len(_PASSWORD)].rpartition(",")[2]
            passwords[name], value_end = found
            return f"{line[: at + len(_PASSWORD)]}=aside{line[value_end:]}"
        at = line.rfind(_PASSWORD, 0, start)
    return line


def _find_value(line: str, at: int) -> tuple[str, int] | None:
    """Return the value of a password that begins here or behind blanks, and where it ends.

    Raises InvalidInput for one of several words in double quotes, of which ddclient takes the first.
    """
    at = _behind_blanks(line, at)
    if line[at : at + 1] == "'":
        end = line.rfind("'")
        return (line[at + 1 : end], end + 1) if end > at else None
    found = _BLANKS.search(line, at)
    end = found.start() if found else len(line)
    if line[at : at + 1] == '"' and line.count('"', at, end) == 1 and '"' in line[end:].partition("#")[0]:
        raise InvalidInput("password: expected '...' around a password that has blanks in it")
    return (line[at:end], end) if end > at else None


def _behind_blanks(line: str, at: int) -> int:
    while at < len(line) and line[at] in " \t":
        at += 1
    return at
