"""Neighbour tables: what netlink and other systems' programs tell, and what of it is of our own link."""

from __future__ import annotations

import time
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.client.lan.neighbour_texts import parse_arp, parse_default_route, parse_ifconfig, parse_ndp
from homing.client.lan.neighbours import OwnPrefix, Sight, make_reading
from homing.client.netlink_values import (
    DEPRECATED,
    LINK_CARRIER,
    LINK_LOOPBACK,
    LINK_UP,
    TEMPORARY,
    TENTATIVE,
    InterfaceAddress,
    Link,
    Neighbour,
    Route,
    Snapshot,
)
from homing.core.addresses import parse_address
from homing.core.errors import InvalidInput

UP = LINK_UP | LINK_CARRIER
MAC = "00:11:22:33:44:55"

MACOS_ARP = """\
? (192.168.1.1) at 0:11:22:3:44:55 on en0 ifscope [ethernet]
? (192.168.1.7) at (incomplete) on en0 ifscope [ethernet]
? (192.168.1.255) at ff:ff:ff:ff:ff:ff on en0 ifscope [ethernet]
? (224.0.0.251) at 1:0:5e:0:0:fb on en0 ifscope permanent [ethernet]
"""
FREEBSD_ARP = """\
? (192.168.1.1) at 00:11:22:33:44:55 on em0 expires in 1199 seconds [ethernet]
? (192.168.1.8) at 00:11:22:33:44:66 on em0 expires in 12 seconds [ethernet]
? (192.168.1.2) at 00:11:22:33:44:77 on em0 permanent [ethernet]
"""
LINUX_ARP = """\
? (192.168.1.1) at 00:11:22:33:44:55 [ether] on eth0
? (192.168.1.7) at <incomplete> on eth0
? (192.168.1.9) at 00:11:22:33:44:66 [ether] PERM on eth0
"""
NDP = """\
Neighbor                        Linklayer Address  Netif Expire    S Flags
2600:1::1                       0:11:22:33:44:55   en0   23h59m58s R R
fe80::1%en0                     00:11:22:33:44:55  en0   1s        S
2600:1::7                       (incomplete)       en0   permanent I
2600:1::2                       00:11:22:33:44:77  en0   permanent R
"""
IFCONFIG = """\
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384
\tinet 127.0.0.1 netmask 0xff000000
\tinet6 ::1 prefixlen 128
en0: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500
\toptions=6460<TSO4,TSO6,CHANNEL_IO>
\tether 00:11:22:00:00:01
\tinet6 fe80::1c%en0 prefixlen 64 secured scopeid 0x4
\tinet 192.168.1.2 netmask 0xffffff00 broadcast 192.168.1.255
\tinet6 2600:1::2 prefixlen 64 autoconf secured
\tinet6 2600:1::3 prefixlen 64 deprecated autoconf temporary
\tstatus: active
"""


# --- from the kernel


def snapshot(*addresses: InterfaceAddress, routes: tuple[Route, ...] = ()) -> Snapshot:
    links = (
        Link(1, "lo", None, UP | LINK_LOOPBACK),
        Link(2, "eth0", "00:11:22:00:00:01", UP),
        Link(3, "wan", None, UP),
    )
    default = Route(ip_network("0.0.0.0/0"), 2, parse_address("192.168.1.1"))
    return Snapshot(links, addresses, (default, *routes))


def own(text: str, length: int, flags: int = 0, preferred: int | None = None) -> InterfaceAddress:
    return InterfaceAddress(2, parse_address(text), length, flags, preferred=preferred)


HERE = (own("192.168.1.2", 24), own("2600:1::2", 64, preferred=1800), own("fe80::2", 64))


def near(text: str, mac: str | None = MAC, state: str = "reachable", index: int = 2) -> Neighbour:
    return Neighbour(index, parse_address(text), mac, state)


def test_only_resolved_neighbours_of_the_chosen_links_networks_are_seen() -> None:
    table = [
        near("192.168.1.7"), near("192.168.1.7", state="stale", index=3), near("192.168.1.8", state="failed"),
        near("192.168.1.9", None, "incomplete"), near("10.0.0.7"), near("192.168.1.2"), near("192.168.1.255"),
        near("192.168.1.0"), near("192.168.1.10", "00:00:00:00:00:00"), near("192.168.1.11", "01:00:5e:00:00:01"),
        near("2600:1::7", state="stale"), near("2600:2::7"), near("fe80::7", state="permanent"),
        near("192.168.1.12", state="noarp"), near("192.168.1.13", "not a mac"),
    ]  # fmt: skip
    reading = make_reading(snapshot(*HERE), table)
    assert reading.sights == (
        Sight("eth0", parse_address("192.168.1.7"), MAC, "reachable"),
        Sight("eth0", parse_address("2600:1::7"), MAC, "stale"),
        Sight("eth0", parse_address("fe80::7"), MAC, "permanent"),
    )
    assert reading.unresolved == 1


def test_the_link_is_the_one_of_the_default_route_or_those_that_are_named() -> None:
    assert [link.name for link in make_reading(snapshot(*HERE), []).links] == ["eth0"]
    assert [link.name for link in make_reading(snapshot(*HERE), [], ["wan", "eth0"]).links] == ["wan", "eth0"]
    with pytest.raises(InvalidInput, match="there is no interface 'eth9'; there is eth0, wan"):
        make_reading(snapshot(), [], ["eth9"])
    with pytest.raises(InvalidInput, match="no default route"):
        make_reading(Snapshot(snapshot().links, (), ()), [])


def test_prefixes_are_ranked_by_how_long_they_will_be_preferred() -> None:
    here = (
        own("2600:1::2", 64, preferred=600), own("2600:2::2", 64, preferred=1800),
        own("2600:3::2", 64, preferred=0, flags=DEPRECATED), own("2600:1::5", 64, preferred=60),
        own("2600:4::2", 64, flags=TENTATIVE), own("2600:5::2", 64, preferred=9999, flags=TEMPORARY),
        own("fe80::2", 64),
    )  # fmt: skip
    link = make_reading(snapshot(*here), []).links[0]
    assert link.prefixes == (
        OwnPrefix(IPv6Network("2600:2::/64"), 1800),
        OwnPrefix(IPv6Network("2600:1::/64"), 600),
        OwnPrefix(IPv6Network("2600:3::/64"), 0, is_deprecated=True),
    )
    assert parse_address("2600:5::2") not in link.sources


def test_an_address_from_dhcpv6_finds_its_prefix_among_the_routes() -> None:
    routes = tuple(
        Route(IPv6Network(text), 2, gateway) for text, gateway in
        (("2600:1::/64", None), ("fe80::/64", None), ("ff00::/8", None), ("2600:9::/64", parse_address("fe80::1")))
    )  # fmt: skip
    link = make_reading(snapshot(own("2600:1::2", 128), routes=routes), []).links[0]
    assert link.prefixes == (OwnPrefix(IPv6Network("2600:1::/64")),)
    assert link.holds(parse_address("2600:1::7"))


def test_a_prefix_of_a_route_lives_as_long_as_our_own_addresses_in_it() -> None:
    """DHCPv6 gives a /128; the prefix that a router has taken back goes on in the routes for hours."""
    routes = tuple(Route(IPv6Network(text), 2) for text in ("2600:1::/64", "2600:2::/64", "2600:3::/64"))
    here = (
        own("2600:1::2", 128, DEPRECATED, preferred=0), own("2600:2::2", 128, preferred=600),
        own("2600:2::3", 128, preferred=1800), own("2600:2::4", 128, DEPRECATED, preferred=0),
        own("2600:2::5", 128, TEMPORARY, preferred=9999),
    )  # fmt: skip
    assert make_reading(snapshot(*here, routes=routes), []).links[0].prefixes == (
        OwnPrefix(IPv6Network("2600:3::/64")),
        OwnPrefix(IPv6Network("2600:2::/64"), 1800),
        OwnPrefix(IPv6Network("2600:1::/64"), 0, is_deprecated=True),
    )


def test_the_default_route_of_another_table_does_not_choose_the_link() -> None:
    other = Route(ip_network("0.0.0.0/0"), 3, parse_address("10.9.9.1"), 0, 100)
    main = Route(ip_network("0.0.0.0/0"), 2, parse_address("192.168.1.1"), 100)
    found = make_reading(Snapshot(snapshot().links, HERE, (other, main)), [])
    assert [link.name for link in found.links] == ["eth0"]


def test_a_link_holds_its_neighbours_and_not_itself() -> None:
    link = make_reading(snapshot(*HERE), []).links[0]
    assert link.networks == (IPv4Network("192.168.1.0/24"),)
    assert [link.holds(parse_address(text)) for text in ("192.168.1.7", "2600:1::7", "fe80::7")] == [True] * 3
    for text in ("192.168.1.2", "2600:1::2", "192.168.2.1", "192.168.1.255", "2600:2::1"):
        assert not link.holds(parse_address(text))


# --- from programs


def test_arp_as_three_systems_print_it() -> None:
    def told(text: str) -> list[tuple[str, str, str, str]]:
        return [(one.link, str(one.address), one.mac, one.state) for one in parse_arp(text)]

    assert told(MACOS_ARP)[0] == ("en0", "192.168.1.1", "00:11:22:03:44:55", "stale")
    assert told(FREEBSD_ARP) == [
        ("em0", "192.168.1.1", MAC, "reachable"),
        ("em0", "192.168.1.8", "00:11:22:33:44:66", "stale"),
        ("em0", "192.168.1.2", "00:11:22:33:44:77", "permanent"),
    ]
    assert told(LINUX_ARP) == [
        ("eth0", "192.168.1.1", MAC, "stale"),
        ("eth0", "192.168.1.9", "00:11:22:33:44:66", "permanent"),
    ]


def test_ndp_tells_states() -> None:
    assert [(str(one.address), one.mac, one.state) for one in parse_ndp(NDP)] == [
        ("2600:1::1", MAC, "reachable"),
        ("fe80::1", MAC, "stale"),
        ("2600:1::2", "00:11:22:33:44:77", "permanent"),
    ]


def test_ifconfig_tells_links_and_addresses() -> None:
    found = parse_ifconfig(IFCONFIG)
    assert [(link.name, link.mac, link.is_up, link.is_loopback) for link in found.links] == [
        ("lo0", None, True, True),
        ("en0", "00:11:22:00:00:01", True, False),
    ]
    reading = make_reading(found, [near("192.168.1.7")], ["en0"])
    assert reading.links[0].networks == (IPv4Network("192.168.1.0/24"),)
    assert reading.links[0].prefixes == (OwnPrefix(IPv6Network("2600:1::/64")),)
    assert reading.links[0].sources == tuple(map(parse_address, ("fe80::1c", "192.168.1.2", "2600:1::2")))
    assert [str(one.address) for one in reading.sights] == ["192.168.1.7"]


def test_the_default_route_is_told_with_its_interface_and_its_gateway() -> None:
    links = parse_ifconfig(IFCONFIG)
    said = "   route to: default\ndestination: default\n    gateway: 192.168.1.1\n  interface: en0\n      flags: <UP>\n"
    found = parse_default_route(said, links)
    assert found.routes == (Route(ip_network("0.0.0.0/0"), 2, parse_address("192.168.1.1")),)
    assert [link.name for link in make_reading(found, []).links] == ["en0"]
    for text in ("", "route: writing to routing socket: not in table\n", said.replace("en0", "en9"),
                 said.replace("192.168.1.1", "link#5")):  # fmt: skip
        assert parse_default_route(text, links) == links


@given(
    st.text(max_size=300), st.sampled_from(["", MACOS_ARP, FREEBSD_ARP, LINUX_ARP, NDP, IFCONFIG]), st.integers(0, 300)
)
def test_whatever_a_program_prints_it_is_values_or_nothing(junk: str, whole: str, at: int) -> None:
    text = whole[:at] + junk + whole[at:]
    for one in (*parse_arp(text), *parse_ndp(text)):
        assert len(one.mac) == 17
    found = parse_ifconfig(text)
    assert all(one.prefix_length <= one.address.max_prefixlen for one in found.addresses)
    if found.links:
        make_reading(found, [], [found.links[0].name])
    parse_default_route(text, found)


def test_an_odd_line_of_arp_takes_no_time() -> None:
    started = time.process_time()
    for line in ("? (192.0.2.1) at " + "x" * 20_000, "? (192.0.2.1) at x" + " on" * 10_000, "x: " + "flags=a" * 5000):
        assert parse_arp(line) == ()
        assert parse_ifconfig(line).links == ()
    assert time.process_time() - started < 3
