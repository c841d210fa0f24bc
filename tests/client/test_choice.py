"""Which address of a machine is published: the stable one that the Internet reaches, and not another every hour."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.client.choice import Wish, choose
from homing.client.netlink_values import (
    DAD_FAILED,
    DEPRECATED,
    LINK_CARRIER,
    LINK_LOOPBACK,
    LINK_UP,
    TEMPORARY,
    TENTATIVE,
    InterfaceAddress,
    Link,
    Route,
    Snapshot,
)

UP = LINK_UP | LINK_CARRIER
LINKS = (
    Link(1, "lo", None, UP | LINK_LOOPBACK),
    Link(2, "eth0", "02:00:00:00:00:02", UP),
    Link(3, "wwan0", "02:00:00:00:00:03", UP),
    Link(4, "eth1", "02:00:00:00:00:04", LINK_UP),
)
ROUTES = (Route(ip_network("::/0"), 2, ip_address("fe80::1"), 1024), Route(ip_network("0.0.0.0/0"), 2))
HOME, OTHER = "2a00:1450:1::7", "2a00:1450:2::7"


def at(address: str, index: int = 2, flags: int = 0, preferred: int | None = 3600, valid: int | None = 7200) -> (
    InterfaceAddress
):  # fmt: skip
    return InterfaceAddress(index, ip_address(address), 64, flags, 0, preferred, valid)


def chosen(
    *addresses: InterfaceAddress,
    wish: Wish = Wish(),  # noqa: B008 - a value
    current: str | None = None,
    version: int = 6,
    routes: tuple[Route, ...] = ROUTES,
) -> str | None:
    current_address = ip_address(current) if current else None
    found = choose(Snapshot(LINKS, addresses, routes), version, wish, current_address).address
    return str(found) if found else None


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (at("fe80::7"), "link-local"),
        (at("fd00::7"), "a ULA"),
        (at("2001:db8::7"), "documentation"),
        (at(OTHER, flags=TEMPORARY), "temporary"),
        (at(OTHER, flags=DEPRECATED), "deprecated"),
        (at(OTHER, preferred=0), "no longer preferred"),
        (at(OTHER, flags=TENTATIVE), "not checked for duplicates yet"),
        (at(OTHER, flags=DAD_FAILED), "a duplicate"),
        (at(OTHER, index=1), "on the loopback interface"),
        (at(OTHER, index=4), "on a link without a carrier"),
        (at(OTHER, index=9), "on a link that has gone"),
        (at("ff05::1"), "a group's"),
        (at("::"), "nobody's"),
    ],
)
def test_an_address_that_is_no_good_is_never_chosen(bad: InterfaceAddress, why: str) -> None:
    assert chosen(bad) is None, why
    assert chosen(bad, at(HOME, preferred=60)) == HOME, why


def test_what_there_is_none_of_is_explained() -> None:
    found = choose(Snapshot(LINKS, (at("fd00::7"), at(OTHER, flags=TEMPORARY)), ROUTES), 6, Wish())
    assert found.address is None
    assert "fd00::7 is not reachable from the Internet (Unique-Local)" in found.reason
    assert f"{OTHER} is temporary" in found.reason


def test_the_interface_of_the_default_route_wins() -> None:
    assert chosen(at(OTHER, index=3, preferred=None), at(HOME)) == HOME
    assert chosen(at(OTHER, index=3), at(HOME), wish=Wish("wwan0")) == OTHER
    failover = (*ROUTES, Route(ip_network("::/0"), 3, None, 100))
    assert chosen(at(OTHER, index=3), at(HOME), routes=failover) == OTHER


def test_a_link_that_leads_nowhere_is_not_taken_instead_while_the_one_that_does_has_none() -> None:
    """An address of a container's bridge, while a renumbered link has a deprecated one only."""
    old, bridge = at(HOME, flags=DEPRECATED, preferred=0), at(OTHER, index=3)
    assert chosen(old, bridge) is None
    assert chosen(bridge, wish=Wish("wwan0")) == OTHER
    assert chosen(bridge, routes=()) == OTHER, "without a default route, as of ifconfig, any will do"
    assert chosen(bridge, routes=ROUTES[1:]) == OTHER, "that of the other family says nothing"
    found = choose(Snapshot(LINKS, (old, bridge), ROUTES), 6, Wish())
    assert f"{OTHER} is on wwan0, which no default route goes through" in found.reason


def test_the_longest_lifetime_wins() -> None:
    assert chosen(at(HOME, preferred=600), at(OTHER, preferred=6000)) == OTHER
    assert chosen(at(HOME, preferred=6000), at(OTHER, preferred=None)) == OTHER


def test_the_published_address_stays_while_routers_renew_in_turns() -> None:
    assert chosen(at(HOME, preferred=3000), at(OTHER, preferred=3600), current=HOME) == HOME
    assert chosen(at(HOME, preferred=3600), at(OTHER, preferred=3000), current=HOME) == HOME


def test_a_prefix_that_is_not_renewed_any_more_is_left() -> None:
    """A provider that renumbers without a word: the old prefix is still preferred, for hours (RFC 8978)."""
    assert chosen(at(HOME, preferred=1700), at(OTHER, preferred=3600), current=HOME) == OTHER


def test_privacy_rotation_moves_nothing() -> None:
    for n in range(5):
        rotated = at(f"2a00:1450:1::{n:x}a1b", flags=TEMPORARY, preferred=86_000)
        assert chosen(rotated, at(HOME), current=HOME) == HOME


def test_renumbering_moves_to_the_new_prefix() -> None:
    assert chosen(at(HOME, flags=DEPRECATED, preferred=0), at(OTHER), current=HOME) == OTHER


def test_the_owner_may_wish_otherwise() -> None:
    assert chosen(at(HOME, flags=TEMPORARY), wish=Wish(temporary=True)) == HOME
    assert chosen(at("fd00::7"), wish=Wish(internal=True)) == "fd00::7"
    assert chosen(at("fd00::7"), at(HOME), wish=Wish(internal=True)) == HOME
    assert chosen(at("2001:db8::7"), wish=Wish(also_public=(ip_network("2001:db8::/32"),))) == "2001:db8::7"
    assert chosen(at(HOME), at(OTHER), wish=Wish(within=(ip_network("2a00:1450:2::/48"),))) == OTHER


def test_of_ipv4_the_first_address_wins_and_a_private_one_is_not_published() -> None:
    assert chosen(at("192.168.1.7"), version=4) is None
    assert chosen(at("100.64.0.7"), version=4) is None
    second = at("8.8.4.4", flags=TEMPORARY, preferred=None)
    assert chosen(second, at("8.8.8.8", preferred=None), version=4) == "8.8.8.8"


addresses = st.lists(
    st.builds(
        at,
        st.sampled_from([HOME, OTHER, "2a00:1450:3::7", "fd00::1", "fe80::1"]),
        st.sampled_from([1, 2, 3, 4, 5]),
        st.sampled_from([0, TEMPORARY, DEPRECATED, TENTATIVE]),
        st.sampled_from([None, 0, 100, 3000, 3600, 7000]),
    ),
    max_size=6,
)


@settings(deadline=None)  # the machine may be busy
@given(addresses, st.randoms(use_true_random=False), st.sampled_from([None, HOME, OTHER]))
def test_the_order_in_which_the_kernel_tells_does_not_matter(
    found: list[InterfaceAddress], random: object, current: str | None
) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis calls it object
    assert chosen(*found, current=current) == chosen(*shuffled, current=current)


@settings(deadline=None)  # the machine may be busy
@given(addresses, st.sampled_from([None, HOME, OTHER]))
def test_what_was_chosen_is_chosen_again(found: list[InterfaceAddress], current: str | None) -> None:
    first = chosen(*found, current=current)
    assert chosen(*found, current=first) == first
