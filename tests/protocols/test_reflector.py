"""What is my address: bytes that old scripts cut up with whatever tool was at hand."""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from homing.core.addresses import parse_address
from homing.protocols import reflector
from tests.protocols.strategies import ADDRESSES, V4, V6

if TYPE_CHECKING:
    from homing.core.addresses import Address


def test_checkip_is_dyns_page_byte_for_byte() -> None:
    response = reflector.checkip(V4)
    assert response.status == 200
    assert response.content_type == "text/html"
    assert response.body.removesuffix(b"\r\n") == (
        b"<html><head><title>Current IP Check</title></head><body>Current IP Address: 203.0.113.7</body></html>"
    )
    assert ("cache-control", "no-cache") in response.headers


def test_no_header_of_checkip_looks_like_an_address() -> None:
    """ddclient 3.x scans headers and body together."""
    for name, value in reflector.checkip(V4).headers:
        assert not re.search(r"\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]+", f"{name} {value}")


def test_the_bare_answer_is_the_address_and_a_newline() -> None:
    assert reflector.bare(V4).body == b"203.0.113.7\n"
    assert reflector.bare(V6).body == b"2001:db8::7\n"
    assert reflector.bare(V4).content_type.startswith("text/plain")


def test_json_is_an_object_with_the_address() -> None:
    assert json.loads(reflector.as_json(V6).body) == {"address": "2001:db8::7"}


@given(ADDRESSES)
def test_every_reader_of_the_page_finds_the_address(address: Address) -> None:
    page = reflector.checkip(address).body.decode()
    mikrotik = page[page.index(": ") + 2 : page.index("</body>")]
    assert mikrotik == str(address)
    ddclient = page.partition("Current IP Address:")[2]
    pattern = r"\d+\.\d+\.\d+\.\d+" if isinstance(address, IPv4Address) else r"[0-9a-f:.]*:[0-9a-f:.]+"
    found = re.search(pattern, ddclient)
    assert found is not None
    assert parse_address(found[0]) == parse_address(str(address))


@pytest.mark.parametrize("make", [reflector.checkip, reflector.bare, reflector.as_json])
def test_the_text_is_canonical(make: object) -> None:
    assert callable(make)
    assert b"2001:db8::a" in make(parse_address("2001:0DB8:0:0:0:0:0:000A")).body
