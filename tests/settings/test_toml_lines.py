"""The line that is told for a key of a TOML document is the one in which it stands, whatever stands around it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homing.settings.toml_lines import MAX_DEPTH, find_lines, find_repeated

if TYPE_CHECKING:
    from collections.abc import Callable

Path = tuple[str | int, ...]

NAMES = st.sampled_from(["a", "b-c", "client", "7", "x y", "a.b", "=", "#", "[", "'", '"', "\\", "é", "", "]]", '"""'])
SCALARS = st.sampled_from([
    "1", "-0.5e3", "true", "1979-05-27 07:32:00", "0xf", "nan", '""', "''", '"a # b"', "'[x]'",
    r'"\" = \\"',
    '"""one\n[no]\nx = 1"""', '"""\n\\"""  # no\n"""', '"""""two" quotes"""""', "'''\n# no\na = 1'''", "''''x''''",
    '"é, ]}"',
])  # fmt: skip
GAPS = st.sampled_from(["", "\n", '# a remark = 1 [x] "\n', "\n \t\n", "#'''\n"])


def quoted(name: str) -> st.SearchStrategy[str]:
    """A key as it may be written."""
    basic = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    forms = [basic]
    if "'" not in name:
        forms.append(f"'{name}'")
    if name and all(one.isascii() and (one.isalnum() or one in "-_") for one in name):
        forms.append(name)
    return st.sampled_from(forms)


class Document:
    """A document that grows, and the line of each key that was written into it."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[Path, int] = {}

    def note(self, path: Path) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def gap(self) -> None:
        self.text += self.draw(GAPS)

    def key(self, parts: list[str]) -> None:
        blank = self.draw(st.sampled_from(["", " ", "\t"]))
        self.text += (blank + "." + blank).join([self.draw(quoted(part)) for part in parts])

    def pairs(self, path: Path, *, is_inline: bool, depth: int) -> None:
        """Write some pairs, whose first names differ, so that none is a table already."""
        names = self.draw(st.lists(NAMES, unique=True, max_size=3))
        for number, name in enumerate(names):
            if is_inline and number:
                self.text += ", "
            if not is_inline:
                self.gap()
            parts = [name, *self.draw(st.lists(NAMES, max_size=2))]
            for end in range(1, len(parts) + 1):
                self.note((*path, *parts[:end]))
            self.key(parts)
            self.text += self.draw(st.sampled_from([" = ", "=", "\t="]))
            self.value((*path, *parts), depth)
            if not is_inline:
                self.text += self.draw(st.sampled_from(["\n", " # x\n", "\r\n"]))

    def value(self, path: Path, depth: int) -> None:
        kind = self.draw(st.sampled_from(["scalar", "array", "table"])) if depth else "scalar"
        if kind == "scalar":
            self.text += self.draw(SCALARS)
        elif kind == "table":
            self.text += "{ "
            self.pairs(path, is_inline=True, depth=depth - 1)
            self.text += " }"
        else:
            self.text += "["
            count = self.draw(st.integers(0, 3))
            for number in range(count):
                self.gap()
                self.note((*path, number))
                self.value((*path, number), depth - 1)
                self.gap()
                if number < count - 1 or self.draw(st.booleans()):
                    self.text += ","
            self.gap()
            self.text += "]"

    def table(self, name: str) -> None:
        """Write a table, or an array of tables, each perhaps with a table below it."""
        if not self.draw(st.booleans()):
            self.header([name], "[]", [(name,)])
            self.pairs_below((name,), [name])
            return
        for number in range(self.draw(st.integers(1, 3))):
            self.header([name], "[[]]", [(name,), (name, number)])
            self.pairs_below((name, number), [name])

    def pairs_below(self, path: Path, shown: list[str]) -> None:
        self.pairs(path, is_inline=False, depth=2)
        if self.draw(st.booleans()):
            self.header([*shown, "below it"], "[]", [(*path, "below it")])
            self.pairs((*path, "below it"), is_inline=False, depth=1)

    def header(self, shown: list[str], brackets: str, paths: list[Path]) -> None:
        self.gap()
        for path in paths:
            self.note(path)
        half = len(brackets) // 2
        self.text += self.draw(st.sampled_from(["", "  "])) + brackets[:half]
        self.key(shown)
        self.text += brackets[half:] + self.draw(st.sampled_from(["\n", " # [x]\n"]))


@st.composite
def documents(draw: Any) -> tuple[str, dict[Path, int]]:
    document = Document(draw)
    document.pairs((), is_inline=False, depth=2)
    for name in draw(st.lists(st.sampled_from(["t", "client x", "h.t", "hosts"]), unique=True, max_size=3)):
        document.table(name)
    return document.text, document.lines


def keys_of(value: Any, path: Path = ()) -> set[Path]:
    """Every path of a document, as Python's parser reads it."""
    inner = [*(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())]
    return {(*path, key) for key, _ in inner}.union(*(keys_of(one, (*path, key)) for key, one in inner), set())


@given(documents())
def test_the_line_found_is_the_one_where_the_key_stands(made: tuple[str, dict[Path, int]]) -> None:
    text, lines = made
    read = keys_of(tomllib.loads(text))
    assert read == set(lines), "the test itself: what was written is what is read"
    assert find_lines(text) == {path: line for path, line in lines.items() if len(path) <= MAX_DEPTH}


@given(st.text(alphabet="[]{}=.,\"'#\\\r\n ab1é", max_size=60))
@example("[[a]]\n[[a.b]]\n[a.b.c]\nx=1\n[[a.b]]\n[[a]]\n[a.b]\n")
@example("a = '''" + "'" * 20)
def test_no_text_makes_it_stumble_and_what_python_reads_has_a_line(text: str) -> None:
    lines = find_lines(text)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert keys_of(tables) == set(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


def test_an_array_of_tables_is_counted_and_its_inner_tables_belong_to_the_last() -> None:
    lines = find_lines("[[client.hosts]]\nttl = 1\n\n[[client.hosts]]\n[client.hosts.x]\ny.z = [\n 1,\n 2]\n[client]\n")
    assert lines["client", "hosts", 0, "ttl"] == 2
    assert lines["client", "hosts", 1] == 4
    assert lines["client", "hosts", 1, "x", "y", "z"] == 6
    assert lines["client", "hosts", 1, "x", "y", "z", 1] == 8
    assert lines["client",] == 1


@pytest.mark.parametrize("text", ["a = " + "[" * 5000 + "]" * 5000, "x." * 40 + "y = 1", "[" + "x." * 40 + "y]\nz = 1"])
def test_what_is_nested_too_deeply_has_no_line(text: str) -> None:
    assert max(map(len, find_lines("b = 1\n" + text))) <= MAX_DEPTH
    assert find_lines("b = 1\n" + text)["b",] == 1


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("[client]\nserver = 1\n# x\n'server' = 2\n", (("client", "server"), 2, 4)),
        ("[a]\n[b]\n[a]\n", (("a",), 1, 3)),
        ("a.b = 1\na = {b = 2}\n", (("a", "b"), 1, 2)),
        ("[[a]]\nx = 1\n[[a]]\ny = 1\ny = 2\n", (("a", 1, "y"), 4, 5)),
        ("a = {b = 1, b = 2}\n", (("a", "b"), 1, 1)),
        ("a = 1\nb = [{c = 1}, {c = 2}]\n[d.e]\n[d]\n[[f]]\n[[f]]\n[f.g]\n", None),
    ],
)
def test_a_key_that_is_given_twice_is_found_with_both_lines(text: str, repeated: object) -> None:
    assert find_repeated(text) == repeated


@given(st.text(alphabet='ab.=[]{}"\n, #1', max_size=80))
def test_any_text_is_looked_through_for_repeats(text: str) -> None:
    found = find_repeated(text)
    assert found is None or 1 <= found[1] <= found[2] <= text.count("\n") + 1
