"""Writing the client's part of homing.toml: what is read back is what was written, whatever the text."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidInput
from homing.settings.client_toml import render_client, render_text

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
HARD = st.text(st.sampled_from("\"'\\#\n\r\t\0\x7f\x1b{}[]=,\u2028\ufeff\U0001f600ab "), max_size=20)
NAMES = st.sampled_from(("names", "secret", "username", "server", "ipv4", "interval"))
VALUES = TEXTS | HARD | st.booleans() | st.integers(-(2**53), 2**53) | st.lists(TEXTS | HARD, max_size=4)
TABLES = st.dictionaries(NAMES, VALUES, max_size=4)


@given(TEXTS | HARD)
def test_a_text_is_read_back_as_it_was(text: str) -> None:
    assert tomllib.loads(f"a = {render_text(text)}")["a"] == text


@given(TABLES, st.lists(TABLES, max_size=3), TEXTS | HARD)
def test_tables_are_read_back_as_they_were(shared: object, hosts: list[object], heading: str) -> None:
    read = tomllib.loads(render_client(shared, hosts, heading))  # type: ignore[arg-type]  # what is drawn is a table
    client = read.get("client", {})
    assert client.pop("hosts", []) == hosts
    assert client == shared


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_a_text_that_is_no_unicode_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        render_text(text)


def test_it_reads_as_a_person_would_write_it() -> None:
    made = render_client({"interval": 600}, [{"names": ["a.example.com"], "secret": 'it\'s "x"'}], "two\nlines")
    assert made == (
        "# two\n# lines\n\n[client]\ninterval = 600\n\n"
        '[[client.hosts]]\nnames = ["a.example.com"]\nsecret = "it\'s \\"x\\""\n'
    )
