"""The syntax of inadyn.conf, version 2, as libConfuse reads it: `NAME = VALUE`, `NAME = { VALUE, ... }`, and blocks.

    period = 300
    provider default@dyndns.org:1 { username = alice  hostname = { "a.example.com", b.example.com } }

Lines mean nothing. Comments begin with `#` or `//`, or stand between `/*` and `*/`; `${VARIABLE:-DEFAULT}` is put in
outside of single quotes. What the names mean is in `inadyn_conf.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_FILE = 1024 * 1024
"""Characters; a file that is longer is not what it should be."""
BLOCKS = ("provider", "custom")
_ENDS_A_WORD = frozenset(" \t\n\r\"'#={}()+,")
_ESCAPES = {"n": "\n", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "e": "\x1b", "t": "\t", "v": "\v", "\n": ""}
_HEX, _OCTAL = "0123456789abcdefABCDEF", "01234567"


@frozen
class Option:
    """A setting with its values, one unless it is a list."""

    name: str
    values: tuple[str, ...] = field(repr=False)
    line: int


@frozen
class Block:
    """`provider TITLE { ... }`, `custom TITLE { ... }`, or the file itself, whose kind and title are empty."""

    kind: str
    title: str
    line: int
    options: tuple[Option, ...]
    blocks: tuple[Block, ...] = ()


@frozen
class _Token:
    """A symbol, or a text: then `kind` is empty."""

    kind: str
    text: str = field(repr=False)
    line: int


class _Malformed(Exception):
    """What was expected, and the line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def parse_blocks(text: str, origin: str, environment: Mapping[str, str]) -> Block:
    """Return the file as a block. Raises InvalidInput with the line and what was expected there."""
    if len(text) > MAX_FILE:
        raise InvalidInput(f"{origin}: longer than {MAX_FILE} characters")
    try:
        return _Parser(list(_Lexer(text, environment).tokens())).file()
    except _Malformed as error:
        raise InvalidInput(f"{origin}:{error.line}: {error}") from None


# --- tokens


class _Lexer:
    def __init__(self, text: str, environment: Mapping[str, str]) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self._environment = environment

    def tokens(self) -> Iterator[_Token]:
        text = self.text
        while self.at < len(text):
            one, two = text[self.at], text[self.at : self.at + 2]
            line = self.line
            if one == "#" or two == "//":
                self._skip_to("\n", 0)
            elif two == "/*":
                self._skip_to("*/", 2)
            elif two == "${":
                yield _Token("", self._variable(), line)
            elif one in "\"'":
                yield _Token("", self._quoted(one), line)
            elif two == "+=":
                self.at += 2
                yield _Token("=", two, line)
            elif one in "{}()=,":
                self.at += 1
                yield _Token(one, one, line)
            elif one in " \t\r\n+":
                self._step()
            else:
                yield _Token("", self._word(), line)
        yield _Token("end", "", self.line)

    def _step(self) -> str:
        one = self.text[self.at]
        self.at += 1
        self.line += one == "\n"
        return one

    def _skip_to(self, end: str, more: int) -> None:
        found = self.text.find(end, self.at + more)
        stop = found + more if found >= 0 else len(self.text)
        self.line += self.text.count("\n", self.at, stop)
        self.at = stop

    def _variable(self) -> str:
        end = self.text.find("}", self.at)
        if end < 0:
            raise _Malformed(self.line, "expected } behind ${")
        name, _, default = self.text[self.at + 2 : end].partition(":-")
        self.line += self.text.count("\n", self.at, end)
        self.at = end + 1
        return self._environment.get(name, default)

    def _word(self) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in _ENDS_A_WORD:
            if self.text[self.at : self.at + 2] in ("//", "/*"):
                break
            self.at += 1
        return self.text[start : self.at]

    def _quoted(self, quote: str) -> str:
        line = self.line
        self.at += 1
        found: list[str] = []
        while self.at < len(self.text):
            if quote == '"' and self.text.startswith("${", self.at):
                found.append(self._variable())
                continue
            one = self._step()
            if one == quote:
                return "".join(found)
            found.append(self._escaped(quote) if one == "\\" and self.at < len(self.text) else one)
        raise _Malformed(line, f"expected {quote} at the end of a text that begins here")

    def _escaped(self, quote: str) -> str:
        one = self._step()
        if quote == "'":
            return one if one in "\\'" else "" if one == "\n" else "\\" + one
        if one in _OCTAL:
            return self._number(one, _OCTAL, 3, 8)
        if one == "x" and self.text[self.at : self.at + 1] in _HEX:
            return self._number("", _HEX, 2, 16)
        return _ESCAPES.get(one, one)

    def _number(self, digits: str, allowed: str, most: int, radix: int) -> str:
        while len(digits) < most and self.at < len(self.text) and self.text[self.at] in allowed:
            digits += self._step()
        if not digits or int(digits, radix) > 255:
            raise _Malformed(self.line, "expected a number of one octet behind a backslash")
        return chr(int(digits, radix))


# --- what they make


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def file(self) -> Block:
        options: list[Option] = []
        blocks: list[Block] = []
        while (token := self._take()).kind != "end":
            if not token.kind and token.text in BLOCKS:
                blocks.append(self._block(token))
            else:
                options.append(self._option(token, options))
        return Block("", "", 1, tuple(options), tuple(blocks))

    def _take(self) -> _Token:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token

    def _need(self, kind: str, what: str) -> _Token:
        token = self._take()
        if token.kind != kind:
            raise _Malformed(token.line, f"expected {what}")
        return token

    def _block(self, name: _Token) -> Block:
        title = self._need("", f"a name behind {name.text}, as in `{name.text} NAME {{ ... }}`")
        self._need("{", f"{{ behind {name.text} and its name")
        options: list[Option] = []
        while (token := self._take()).kind != "}":
            if token.kind == "end":
                raise _Malformed(name.line, f"expected }} at the end of the {name.text} that begins here")
            options.append(self._option(token, options))
        return Block(name.text, title.text, name.line, tuple(options))

    def _option(self, name: _Token, before: list[Option]) -> Option:
        if name.kind:
            raise _Malformed(name.line, "expected NAME = VALUE")
        token = self._take()
        if token.kind == "(" and name.text == "include":
            file = self._need("", "a file name in include(...)")
            self._need(")", ") behind include(...")
            return Option("include", (file.text,), name.line)
        if token.kind != "=":
            raise _Malformed(name.line, "expected NAME = VALUE; a value with blanks stands in quotes")
        added = [one.values for one in before if one.name == name.text.lower()][-1:] if token.text == "+=" else []
        token = self._take()
        values = self._list() if token.kind == "{" else (token.text,)
        if token.kind not in ("{", ""):
            raise _Malformed(token.line, "expected a value behind =; one with such characters stands in quotes")
        return Option(name.text.lower(), (*(added[0] if added else ()), *values), name.line)

    def _list(self) -> tuple[str, ...]:
        values = []
        while (token := self._take()).kind != "}":
            if token.kind:
                raise _Malformed(token.line, "expected a list such as { a.example.com, b.example.com }")
            values.append(token.text)
            token = self._take()
            if token.kind == "}":
                break
            if token.kind != ",":
                raise _Malformed(token.line, "expected a comma, or } at the end of the list")
        return tuple(values)
