"""Rows: what is written is read back, what people type is understood, and what nobody could serve is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.accounts import Account, TokenKey
from homing.core.errors import InvalidInput, InvalidName
from homing.core.hosts import Host, RecordType
from homing.core.names import Name, parse_name
from homing.core.records import RRset
from homing.core.rows import (
    Row,
    account_key,
    from_attributes,
    host_key,
    key_of,
    to_attributes,
    token_key_key,
)

NAME = Name("cam.home.example.")
TEXT = st.text(max_size=12)
SOME = st.text(min_size=1, max_size=12)
POSITIVE = st.integers(1, 2**53)


def _rrsets(*texts: str) -> st.SearchStrategy[RRset | None]:
    rdata = st.lists(st.sampled_from(texts), min_size=1, unique=True).map(tuple)
    return st.none() | st.builds(RRset, st.integers(0, 2**31 - 1), rdata)


def _hosts(record_type: RecordType, rrsets: st.SearchStrategy[RRset | None]) -> st.SearchStrategy[Host]:
    return st.builds(
        Host, hostname=st.just(NAME), record_type=st.just(record_type), version=st.integers(1, 99),
        shared_secret=TEXT, previous_secret=st.none() | SOME, previous_secret_until=st.integers(0, 2**40),
        group=st.none() | SOME, ttl=st.none() | st.integers(0, 2**31 - 1), allow_internal=st.booleans(),
        allow_offline=st.booleans(), lock_record=st.booleans(), read_privilege=st.booleans(), signed_only=st.booleans(),
        mac_address=st.none() | SOME, interface_identifier=st.sampled_from([None, "::5", "::211:22ff:fe33:4455"]),
        comment=TEXT, desired=rrsets, published=rrsets, rejected=st.none() | SOME, signed_at=st.integers(0, 2**53),
        last_accessed=st.none() | SOME, last_checked=st.none() | POSITIVE, last_updated=st.none() | POSITIVE,
        removed_at=st.none() | POSITIVE, other=st.sampled_from([(), (("CustomTag", {"a": [1, None]}),)]),
    )  # fmt: skip


HOSTS = _hosts("A", _rrsets("192.0.2.1", "192.0.2.2")) | _hosts("AAAA", _rrsets("2001:db8::1", "2001:db8::2"))
ACCOUNTS = st.builds(
    Account, username=SOME, version=st.integers(1, 99), password=TEXT, comment=TEXT,
    hostnames=st.sampled_from([(), (NAME,), (NAME, Name("tv.home.example."))]),
)  # fmt: skip
ROWS = HOSTS | ACCOUNTS | st.builds(TokenKey, version=st.integers(1, 99), secret=TEXT)


@given(ROWS)
def test_what_is_written_is_read_back(row: Row) -> None:
    attributes = json.loads(json.dumps(to_attributes(row)))
    assert from_attributes(key_of(row), row.version, attributes) == row


@given(HOSTS)
def test_pending_is_an_attribute_only_while_there_is_something_to_publish(host: Host) -> None:
    attributes = to_attributes(host)
    assert ("pending" in attributes) is host.pending
    assert attributes.get("ip_address") == host.ip_address


def test_the_names_are_those_of_the_awslabs_tables() -> None:
    typed = {"shared_secret": "s", "ttl": "60", "allow_internal": "True", "lock_record": "false", "comment": "c",
             "read_privilege": True, "mac_address": "00:11", "ip_address": "192.0.2.1", "last_checked": 5,
             "last_accessed": "192.0.2.1", "last_updated": "7", "hostname": NAME, "record_type": "A"}  # fmt: skip
    host = from_attributes((NAME, "A"), 1, typed)
    assert host == Host(
        hostname=NAME, record_type="A", version=1, shared_secret="s", ttl=60, allow_internal=True, comment="c",
        read_privilege=True, mac_address="00:11", last_checked=5, last_accessed="192.0.2.1", last_updated=7,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("record_type", "attributes"),
    [("A", {"shared_secret": 5}), ("A", {"ttl": "many"}), ("A", {"ttl": True}), ("A", {"ttl": 1.5}),
     ("A", {"ttl": -1}), ("A", {"ttl": "2147483648"}),
     ("A", {"lock_record": "yes"}), ("A", {"lock_record": 2}), ("A", {"desired": "192.0.2.1"}),
     ("A", {"desired": {"ttl": 60, "rdata": []}}), ("A", {"desired": {"ttl": 60, "rdata": [1]}}),
     ("A", {"desired": {"ttl": 60, "rdata": ["2001:db8::1"]}}), ("AAAA", {"published": {"ttl": 60, "rdata": ["x"]}}),
     ("A", {"desired": {"ttl": -1, "rdata": ["192.0.2.1"]}}), ("AAAA", {"interface_identifier": "5"}),
     ("A", {"published": {"ttl": "60", "rdata": ["192.0.2.1"]}}), ("CNAME", {}), ("#account", {}),
     ("#account", {"password": "p", "hostnames": "cam"}), ("#account", {"password": "p", "hostnames": [1]}),
     ("#account", {"password": "p", "hostnames": ["a b"]}), ("#secret", {"secret": "s"})],
)  # fmt: skip
def test_a_row_that_nobody_could_serve_is_refused_by_its_name(record_type: str, attributes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"row {NAME} {record_type}: "):
        from_attributes((NAME, record_type), 1, attributes)


def test_the_objection_to_a_row_holds_no_secret() -> None:
    with pytest.raises(InvalidInput) as caught:
        from_attributes((NAME, "A"), 1, {"shared_secret": "canary", "ttl": "canary"})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("key", [account_key("a.example"), account_key("x"), token_key_key()])
def test_rows_that_are_no_hosts_have_names_that_no_parser_accepts(key: tuple[str, str]) -> None:
    with pytest.raises(InvalidName):
        parse_name(key[0])
    assert key != host_key(NAME, "A")
    assert key[1].startswith("#")
    assert account_key("-key") != token_key_key() != account_key("token-key")


@pytest.mark.parametrize(("typed", "meant"), [(1, True), (0, False), ("TRUE", True), ("", False)])
def test_a_flag_that_was_typed_as_a_number_or_a_text_is_read(typed: object, meant: bool) -> None:
    host = from_attributes((NAME, "A"), 1, {"lock_record": typed})
    assert isinstance(host, Host)
    assert host.lock_record is meant


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("2016-12-01 10:11:12.123456", 1480587072), ("2016-12-01 10:11:12", 1480587072), ("1480587072", 1480587072),
     ("2016-12-01T12:11:12+02:00", 1480587072), ("", None), ("yesterday", None), ("0001-01-01 00:00:00", 0)],
)  # fmt: skip
def test_times_are_read_as_awslabs_wrote_them(typed: str, seconds: int | None) -> None:
    host = from_attributes((NAME, "A"), 1, {"last_updated": typed, "last_checked": typed})
    assert isinstance(host, Host)
    assert (host.last_updated, host.last_checked) == (seconds, seconds)
