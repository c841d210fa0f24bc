"""Any text is read or refused: formats are told apart, and nothing that a file holds breaks the reader."""

from __future__ import annotations

import ast
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homing.core.errors import InvalidInput
from homing.formats import imported as module
from homing.formats.imported import FORMATS, read
from homing.formats.imported_client import CLIENTS
from tests.formats.reading import SAMPLES, ZONE, sample, taken

SAMPLE_FORMATS = {
    "awslabs_v1.json": "awslabs-v1",
    "awslabs_v2_export.json": "awslabs-v2",
    "awslabs_v2_scan.json": "awslabs-v2",
    "awslabs_v3_scan.json": "awslabs-v3",
    "dyndns53.py.txt": "dyndns53",
    "homing.json": "homing",
    "sam_scan.json": "sam",
}
WORDS = st.sampled_from(
    [
        "homing",
        "rows",
        "Items",
        "Item",
        "hostname",
        "record_type",
        "shared_secret",
        "data",
        "user",
        "pass",
        "host",
        "hosts",
        "record",
        "ttl",
        "u:p",
        "S",
        "N",
        "M",
        "L",
        "BOOL",
        "#u",
        "#account",
        "#token-key",
        "#secret",
        "A",
        "ip_address",
        "last_checked",
        "desired",
        "published",
        "hostnames",
        "password",
        "a.example.com.",
        "{",
        "1.1.1.1",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS | st.just(1)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=12
)
ITEMS = st.lists(st.dictionaries(WORDS, VALUES, min_size=2, max_size=8), max_size=3)


class AllIsWell(Exception):
    """Nothing is left to do but to hash passwords, which is slow and tested elsewhere."""


def no_salt() -> bytes:
    raise AllIsWell


def read_or_refused(text: str, format: str | None = None) -> None:  # noqa: A002 - as read has it
    try:
        imported = read(text, format=format, default_zone=ZONE, salt=no_salt, secret=lambda: "s" * 32)
    except (InvalidInput, AllIsWell):
        return
    assert not (imported.rows and imported.problems)


def test_every_format_has_a_sample() -> None:
    assert set(SAMPLE_FORMATS) == {path.name for path in SAMPLES.iterdir()}
    assert set(SAMPLE_FORMATS.values()) == set(FORMATS)


@pytest.mark.parametrize(("name", "format_name"), SAMPLE_FORMATS.items())
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_each_sample_is_detected_as_what_it_is(name: str, format_name: str, mark: str) -> None:
    detected = taken(mark + sample(name), zone=ZONE)
    assert detected.rows
    assert detected == taken(sample(name), format_name, ZONE)
    detected_crlf = taken(sample(name).replace("\n", "\r\n"), zone=ZONE)
    assert detected_crlf == detected


def test_what_matches_nothing_is_refused_with_the_formats() -> None:
    for text in ("", "hello", "{}", "[]", '{"Items": []}', "42", "null", "import os"):
        with pytest.raises(InvalidInput, match=re.escape(", ".join((*FORMATS, *CLIENTS)))):
            taken(text)
    with pytest.raises(InvalidInput, match="no format 'csv'"):
        taken("{}", "csv")


def test_a_syntax_error_in_json_is_told_with_line_and_column_and_without_the_text() -> None:
    with pytest.raises(InvalidInput, match="line 2 column 20") as caught:
        taken('{"a.example.com.":\n {"shared_secret": geheim}}')
    assert "geheim" not in str(caught.value)
    with pytest.raises(InvalidInput, match="line 2 column 20"):
        taken('{"a.example.com.":\n {"shared_secret": geheim}}', "awslabs-v1")


@pytest.mark.parametrize("format_name", [None, *FORMATS])
@pytest.mark.parametrize(
    "bomb",
    [
        "[" * 200_000,
        '{"Items":' + "[" * 900 + "]" * 900 + "}",
        '{"a":' * 200_000,
        '{"homing": 1, "rows": ' + "[" * 60 + "]" * 60 + "}",
        '{"homing": 1, "rows": [{"x": ' + "9" * 10_000 + "}]}",
        '{"homing": 1, "rows": [{"x": 1e999}]}',
        '{"homing": 1, "rows": [{"x": NaN}]}',
        '{"homing": 1, "rows": [{"x": "\\ud800"}]}',
        "conf = " + "(" * 100_000,
        "conf = " + "[" * 150 + "]" * 150,
        "conf = " + "-" * 200_000 + "1",
        "conf = " + "+".join(["1"] * 50_000),
        "conf = " + "not " * 50_000 + "1",
        "conf = {'u:p': " + "9" * 10_000 + "}",
        "conf = {'u:p': 0x" + "f" * 100_000 + "}",
        "conf = {'u:p': {'hosts': {'\ud800': {}}}}",
        "conf = {'u:p': {'hosts': {'a.example.com': {}}}}\0",
        "conf = {'u:p': 'x' * 10**9}",
        "conf = {[]: 1}",
        "conf = {\n" * 20_000,
        "conf = {}\n" * 20_000,
        "conf=" + " " * 2_000_000,
    ],
)
def test_bombs_are_refused_cleanly(bomb: str, format_name: str | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        taken(bomb, format_name)
    assert len(str(caught.value)) < 500


def test_a_text_over_the_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHARACTERS", 2 * 1024 * 1024)
    with pytest.raises(InvalidInput, match="longer than 2 MB"):
        taken(" " * 2 * 1024 * 1024 + " ")


def test_no_password_is_hashed_when_there_is_a_problem() -> None:
    def never() -> bytes:
        raise AssertionError("a salt was asked for")

    text = json.dumps([{"user": "u", "pass": "p", "host": "a.example.com"}, {"user": "u2", "pass": ""}])
    imported = read(text, salt=never, secret=lambda: "s" * 32)
    assert imported.problems


@given(st.text())
@example("conf = ")
@example("{'u:p': {'hosts': {}}}")
@example("\ufeff\ud800")
def test_any_text_is_read_or_refused(text: str) -> None:
    for format_name in (None, *FORMATS):
        read_or_refused(text, format_name)
    read_or_refused("conf = " + text)


@given(VALUES | ITEMS | ITEMS.map(lambda items: {"homing": 1, "rows": items}), st.sampled_from(FORMATS))
def test_any_json_is_read_or_refused(value: object, format_name: str) -> None:
    read_or_refused(json.dumps(value))
    read_or_refused(json.dumps(value), format_name)
    read_or_refused("conf = " + repr(value), "dyndns53")


@given(st.sampled_from(sorted(SAMPLE_FORMATS)), st.data())
def test_a_sample_with_a_piece_replaced_is_read_or_refused(name: str, data: st.DataObject) -> None:
    text = sample(name)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    piece = data.draw(st.text(max_size=5) | WORDS)
    read_or_refused(text[:start] + piece + text[end:])


def test_the_sample_of_dyndns53_is_python_2_indeed() -> None:
    with pytest.raises(SyntaxError):
        ast.parse(sample("dyndns53.py.txt"))
