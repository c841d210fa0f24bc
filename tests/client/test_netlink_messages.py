"""Netlink's bytes: what the kernel sends is read, and nothing that anybody could send breaks the reader."""

from __future__ import annotations

import struct
from ipaddress import ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from homing.client.netlink_messages import (
    DEL_ADDRESS,
    DEL_LINK,
    DEL_NEIGHBOUR,
    DEL_ROUTE,
    GET_ADDRESS,
    GET_LINK,
    NEW_ADDRESS,
    NEW_LINK,
    NEW_NEIGHBOUR,
    NEW_ROUTE,
    Message,
    make_dump,
    parse_error,
    parse_messages,
    parse_values,
)
from homing.client.netlink_values import InterfaceAddress, Link, Neighbour, Route

KINDS = (NEW_LINK, DEL_LINK, NEW_ADDRESS, DEL_ADDRESS, NEW_NEIGHBOUR, DEL_NEIGHBOUR, NEW_ROUTE, DEL_ROUTE)
HOME_6 = ip_address("2001:db8:1::7")


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def message(kind: int, body: bytes, sequence: int = 1) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, sequence, 0) + body


def address_body(flags: int = 0x80, *more: bytes, family: int = 10, index: int = 3, length: int = 64) -> bytes:
    return struct.pack("=BBBBI", family, length, flags & 0xFF, 0, index) + b"".join(more)


def one_of(kind: int, body: bytes) -> object:
    values = parse_values(Message(kind, 0, 1, body))
    assert len(values) == 1
    return values[0]


def test_an_address_is_read_with_its_flags_and_lifetimes() -> None:
    body = address_body(
        0x80, attribute(1, HOME_6.packed), attribute(6, struct.pack("=IIII", 600, 3600, 1, 1)),
        attribute(8, struct.pack("=I", 0x901)),
    )  # fmt: skip
    found = one_of(NEW_ADDRESS, body)
    assert found == InterfaceAddress(3, HOME_6, 64, 0x901, 0, 600, 3600)
    assert isinstance(found, InterfaceAddress)
    assert found.is_temporary
    assert found.is_usable
    assert not found.is_deprecated


def test_a_lifetime_without_end_is_none() -> None:
    body = address_body(
        0x80, attribute(1, HOME_6.packed), attribute(6, struct.pack("=IIII", 2**32 - 1, 2**32 - 1, 0, 0))
    )
    found = one_of(NEW_ADDRESS, body)
    assert isinstance(found, InterfaceAddress)
    assert (found.preferred, found.valid) == (None, None)


def test_of_a_point_to_point_link_the_own_end_is_the_address() -> None:
    own, peer = ip_address("203.0.113.7"), ip_address("203.0.113.1")
    body = address_body(0x80, attribute(1, peer.packed), attribute(2, own.packed), family=2, length=32)
    found = one_of(NEW_ADDRESS, body)
    assert isinstance(found, InterfaceAddress)
    assert (found.address, found.peer) == (own, peer)


def test_a_secondary_ipv4_address_is_not_temporary() -> None:
    body = address_body(0x81, attribute(2, ip_address("203.0.113.7").packed), family=2, length=24)
    found = one_of(NEW_ADDRESS, body)
    assert isinstance(found, InterfaceAddress)
    assert not found.is_temporary


def test_a_link_and_a_neighbour_are_read() -> None:
    mac = bytes.fromhex("020000000001")
    body = struct.pack("=BxHiII", 0, 1, 4, 0x11043, 0) + attribute(3, b"eth0\0") + attribute(1, mac)
    assert one_of(NEW_LINK, body) == Link(4, "eth0", "02:00:00:00:00:01", 0x11043)
    body = struct.pack("=BxxxiHBB", 10, 4, 4, 0x80, 1) + attribute(1, HOME_6.packed) + attribute(2, mac)
    assert one_of(NEW_NEIGHBOUR, body) == Neighbour(4, HOME_6, "02:00:00:00:00:01", "stale")


def test_a_route_with_two_ways_is_two_routes() -> None:
    way = [
        struct.pack("=HBBi", 16, 0, 0, index) + attribute(5, ip_address(gateway).packed)
        for index, gateway in ((3, "192.0.2.1"), (4, "192.0.2.2"))
    ]
    body = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0) + attribute(6, struct.pack("=I", 100))
    found = parse_values(Message(NEW_ROUTE, 0, 1, body + attribute(9, b"".join(way))))
    anywhere = ip_network("0.0.0.0/0")
    assert found == (
        Route(anywhere, 3, ip_address("192.0.2.1"), 100),
        Route(anywhere, 4, ip_address("192.0.2.2"), 100),
    )
    assert all(one.is_default for one in found)


def test_only_the_default_route_of_the_main_table_is_the_default_route() -> None:
    body = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 100, 3, 0, 1, 0) + attribute(4, struct.pack("=I", 3))
    (found,) = parse_values(Message(NEW_ROUTE, 0, 1, body))
    assert isinstance(found, Route)
    assert (found.table, found.is_default) == (100, False)


def test_an_attribute_of_the_wrong_size_counts_as_missing() -> None:
    assert parse_values(Message(NEW_ADDRESS, 0, 1, address_body(0x80, attribute(1, b"123")))) == ()
    assert parse_values(Message(NEW_ADDRESS, 0, 1, address_body(0x80, attribute(1, HOME_6.packed), length=129))) == ()


def test_several_messages_stand_in_one_datagram() -> None:
    data = message(NEW_ADDRESS, b"12345") + bytes(3) + message(NEW_LINK, b"")
    assert [(one.kind, one.body) for one in parse_messages(data)] == [(NEW_ADDRESS, b"12345"), (NEW_LINK, b"")]


def test_a_dump_is_asked_for_in_one_well_formed_message() -> None:
    for kind in (GET_ADDRESS, GET_LINK):
        (asked,) = parse_messages(make_dump(kind, 7))
        assert (asked.kind, asked.flags, asked.sequence) == (kind, 0x301, 7)


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for one in parse_messages(data):
        parse_values(one)
        parse_error(one.body)


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(KINDS), st.binary(max_size=200))
def test_no_body_of_a_known_kind_breaks_the_reader(kind: int, body: bytes) -> None:
    for one in parse_values(Message(kind, 0, 1, body)):
        assert one.index > 0


attributes = st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=24)), max_size=6).map(
    lambda found: b"".join(attribute(kind, data) for kind, data in found)
)


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(KINDS), st.sampled_from([2, 10, 0, 7]), st.binary(min_size=15, max_size=15), attributes)
def test_well_formed_attributes_of_any_content_do_not_break_the_reader(
    kind: int, family: int, fixed: bytes, more: bytes
) -> None:
    size = {NEW_LINK: 16, DEL_LINK: 16, NEW_ADDRESS: 8, DEL_ADDRESS: 8}.get(kind, 12)
    for one in parse_values(Message(kind, 0, 1, (bytes([family]) + fixed)[:size] + more)):
        assert one.index > 0
        if isinstance(one, InterfaceAddress):
            assert 0 <= one.prefix_length <= one.address.max_prefixlen


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=200))
def test_a_length_that_cannot_be_ends_the_reading(data: bytes) -> None:
    assert sum(16 + len(one.body) for one in parse_messages(data)) <= len(data)
