"""What Homing exports it reads back, exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.accounts import Account, TokenKey
from homing.core.credentials import hash_generated
from homing.core.errors import InvalidInput
from homing.core.hosts import Host, RecordType
from homing.core.names import Name
from homing.core.records import RRset
from homing.core.rows import Row, key_of
from homing.core.values import defaults_of
from homing.formats.homing_json import render_export
from tests.formats.reading import sample, taken

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
SOME_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
NAMES = st.from_regex(r"[a-z]([a-z0-9]{0,5}[a-z])?\.home\.example\.", fullmatch=True).map(Name)
COUNTS = st.integers(1, 2**53)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**37), 10**37)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def rrsets(record_type: RecordType) -> st.SearchStrategy[RRset | None]:
    addresses = st.ip_addresses(v=4 if record_type == "A" else 6).filter(
        lambda it: not getattr(it, "ipv4_mapped", None)
    )
    return st.none() | st.builds(
        RRset, st.integers(0, 2**31 - 1), st.lists(addresses.map(str), min_size=1, max_size=2).map(tuple)
    )


@st.composite
def host_rows(draw: st.DrawFn) -> Host:
    record_type: RecordType = draw(st.sampled_from(("A", "AAAA")))
    unknown = draw(st.dictionaries(TEXT.map("x-".__add__), JSON, max_size=3))
    flags = ("allow_internal", "allow_offline", "lock_record", "read_privilege", "signed_only")
    texts = ("previous_secret", "group", "mac_address", "rejected", "last_accessed")
    times = ("last_checked", "last_updated", "removed_at")
    fields: dict[str, Any] = {name: draw(st.booleans()) for name in flags}
    fields |= {name: draw(st.none() | SOME_TEXT) for name in texts}
    fields |= {name: draw(st.none() | COUNTS) for name in times}
    return Host(
        hostname=draw(NAMES),
        record_type=record_type,
        version=draw(st.integers(0, 9)),
        shared_secret=draw(TEXT),
        ttl=draw(st.none() | st.integers(1, 2**31 - 1)),
        comment=draw(TEXT),
        interface_identifier=draw(st.none() | st.just("::211:22ff:fe33:4455")),
        desired=draw(rrsets(record_type)),
        published=draw(rrsets(record_type)),
        signed_at=draw(st.just(0) | COUNTS),
        previous_secret_until=draw(st.just(0) | COUNTS),
        other=tuple(unknown.items()),
        **fields,
    )


ACCOUNTS = st.builds(
    Account,
    username=st.from_regex(r"[a-zA-Z0-9é@.][a-zA-Z0-9é@. ]{0,8}", fullmatch=True),
    version=st.integers(0, 9),
    password=SOME_TEXT.map(hash_generated),
    hostnames=st.lists(NAMES, max_size=3).map(tuple),
    comment=TEXT,
)
ROWS: st.SearchStrategy[list[Row]] = st.lists(
    host_rows() | ACCOUNTS | st.builds(TokenKey, version=st.integers(0, 9), secret=SOME_TEXT),
    max_size=5,
    unique_by=key_of,
)


@given(ROWS)
def test_an_export_is_read_back_exactly_but_for_versions(rows: list[Row]) -> None:
    text = "".join(render_export(rows))
    imported = taken(text)
    assert imported.problems == ()
    assert list(imported.rows) == [with_version_0(row) for row in rows]


def with_version_0(row: Row) -> Row:
    return type(row)(**{name: getattr(row, name) for name in defaults_of(type(row)) if name != "version"})


def test_an_export_has_one_row_a_line_and_no_versions() -> None:
    lines = "".join(render_export([TokenKey(secret="k" * 32, version=7)] * 2)).splitlines()
    assert len(lines) == 4
    assert json.loads(lines[2]) == {"hostname": "#token-key", "record_type": "#secret", "secret": "k" * 32}


def test_an_export_is_made_row_by_row() -> None:
    def rows() -> Any:
        yield TokenKey(secret="k" * 32)
        raise LookupError("the second row was asked for too early")

    pieces = render_export(rows())
    assert "k" * 32 in next(pieces) + next(pieces)


def test_the_sample_is_read() -> None:
    host, account, token_key = taken(sample("homing.json")).rows
    assert isinstance(host, Host)
    assert host.desired == RRset(60, ("2001:db8::7",))
    assert host.pending
    assert isinstance(account, Account)
    assert account.hostnames == ("cam.home.example.",)
    assert isinstance(token_key, TokenKey)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (5, "item 1: not an object"),
        ({"hostname": "a.example.com."}, "record_type is missing"),
        ({"hostname": "a.example.com.", "record_type": "TXT"}, "no such record type"),
        ({"hostname": "a..example.", "record_type": "A"}, "empty label"),
        ({"hostname": "#u:v", "record_type": "#account", "password": "x"}, "is no user name"),
        ({"hostname": "#u", "record_type": "#account", "password": "clear"}, "not one that Homing has hashed"),
        ({"hostname": "#u", "record_type": "#account", "password": "x", "hostnames": [5]}, "what is not text"),
        ({"hostname": "#u", "record_type": "#account", "password": "x", "hostnames": [[]]}, "what is not text"),
        ({"hostname": "#token-key", "record_type": "#secret", "secret": ""}, "the token key is empty"),
        ({"hostname": "a.b.", "record_type": "A", "desired": {"ttl": 1, "rdata": ["::1"]}}, "is no address for A"),
        (
            {"hostname": "a.b.", "record_type": "A", "desired": {"ttl": True, "rdata": ["1.1.1.1"]}},
            "desired is no RRset",
        ),
        ({"hostname": "a.b.", "record_type": "A", "interface_identifier": "x"}, "not an interface identifier"),
    ],
)
def test_a_row_that_could_not_be_served_is_a_problem(row: object, problem: str) -> None:
    imported = taken(json.dumps({"homing": 1, "rows": [row]}))
    assert imported.rows == ()
    assert problem in imported.problems[0]


def test_an_export_of_a_newer_homing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="needs a newer Homing"):
        taken('{"homing": 2, "rows": []}')
    with pytest.raises(InvalidInput, match="not an export"):
        taken('{"homing": 1, "rows": {}}')


def test_rows_that_are_there_twice_are_a_problem() -> None:
    text = "".join(render_export([TokenKey(secret="k" * 32), TokenKey(secret="l" * 32)]))
    assert "the token key is there twice, with different content" in taken(text).problems[0]
