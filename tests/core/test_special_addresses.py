"""Every row of the registries, and the addresses on either side of its borders, decided by looking through all rows."""

from ipaddress import ip_address, ip_network

import pytest

from homing.core.addresses import Address, Network, describe, is_global
from homing.core.special_addresses import IPV4_SPECIAL_BLOCKS, IPV6_SPECIAL_BLOCKS, OTHER_BLOCKS, SpecialBlock

ROWS = (*IPV4_SPECIAL_BLOCKS, *IPV6_SPECIAL_BLOCKS, *OTHER_BLOCKS)
GLOBAL_UNICAST = ip_network("2000::/3")


def _borders(network: Network) -> list[Address]:
    first, last = network.network_address, network.broadcast_address
    before = [first - 1] if int(first) else []
    after = [last + 1] if int(last) + 1 < 1 << network.max_prefixlen else []
    return [*before, first, last, *after]


def _covering_row(address: Address) -> SpecialBlock | None:
    covering = [row for row in ROWS if address in ip_network(row.network)]
    return max(covering, key=lambda row: ip_network(row.network).prefixlen, default=None)


BORDERS = sorted({str(address) for row in ROWS for address in _borders(ip_network(row.network))})


@pytest.mark.parametrize("text", BORDERS)
def test_the_most_specific_row_decides_at_every_border(text: str) -> None:
    address = ip_address(text)
    row = _covering_row(address)
    assert describe(address) == (row.name if row else None)
    if row is None:
        assert is_global(address)
        assert not address.is_multicast
        assert address.version == 4 or address in GLOBAL_UNICAST
    elif row.network != "64:ff9b::/96":  # which the address that it embeds decides, see test_addresses
        assert is_global(address) is (row.globally_reachable is True)


@pytest.mark.parametrize("row", ROWS)
def test_rows_are_networks_without_host_bits_and_cite_an_rfc(row: SpecialBlock) -> None:
    assert str(ip_network(row.network)) == row.network.replace("::ffff:0:0/96", str(ip_network("::ffff:0:0/96")))
    assert row.reference.startswith("RFC ")
    assert row.name


def test_no_network_is_listed_twice_in_the_registries() -> None:
    networks = [row.network for row in ROWS]
    assert len(set(networks)) == len(networks)


# Written out apart from the table, so that a slip in the table shows.
@pytest.mark.parametrize(
    "text",
    [
        *["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1", "172.31.255.255"],
        *["192.0.0.1", "192.0.0.8", "192.0.0.11", "192.0.0.170", "192.0.0.171", "192.0.2.1", "192.88.99.1"],
        *["192.88.99.2", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.7", "224.0.0.1"],
        *["239.255.255.255", "240.0.0.1", "255.255.255.255"],
        *["::", "::1", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:2::1"],
        *["2001:1::4", "2001:10::1", "2001:40::1", "2001:db8::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1"],
        *["fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "1::1", "8000::1"],
    ],
)
def test_known_special_addresses_are_not_global(text: str) -> None:
    assert not is_global(ip_address(text))
    assert describe(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        *["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"],
        *["192.0.0.9", "192.0.0.10", "192.31.196.1", "192.52.193.1", "192.175.48.1", "192.0.1.1", "223.255.255.255"],
        *["2001:1::1", "2001:1::2", "2001:1::3", "2001:3::1", "2001:4:112::1", "2001:20::1", "2001:30::1"],
        *[
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2600::1",
            "2620:4f:8000::1",
            "2a00::1",
            "3fff:1000::1",
        ],
    ],
)
def test_known_public_addresses_are_global(text: str) -> None:
    assert is_global(ip_address(text))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("192.168.1.1", "Private-Use"),
        ("192.88.99.2", "6a44-relay anycast address"),
        ("203.0.113.7", "Documentation (TEST-NET-3)"),
        ("fe80::1", "Link-Local Unicast"),
        ("ff02::1", "Multicast"),
        ("fec0::1", "Reserved by IETF"),
        ("8.8.8.8", None),
    ],
)
def test_special_addresses_are_described_by_their_registered_name(text: str, name: str | None) -> None:
    assert describe(ip_address(text)) == name
