import string
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homing.core.addresses import (
    Address,
    complete,
    describe,
    interface_identifier_from_mac,
    interface_identifier_of,
    is_global,
    limit_key,
    parse_address,
    parse_address_with_length,
    parse_interface_identifier,
    parse_mac,
    parse_prefix,
    record_type_of,
    render_interface_identifier,
)
from homing.core.errors import InvalidAddress

PIECES = [*"0123456789abcfABCF:.[]/-% \n", "::", "::ffff:", "1.2.3.4", "2001:db8:", "/64"]
NEARLY_ADDRESSES = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
ADDRESSES = st.ip_addresses()
PREFIXES = st.builds(
    lambda number, length: IPv6Network((number >> (128 - length) << (128 - length), length)),
    st.integers(0x2000 << 112, (0x4000 << 112) - 1),
    st.integers(16, 120),
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::A", "2001:db8::a"),
        ("2001:0db8:0000:0000:0000:0000:0000:000a", "2001:db8::a"),
        ("[2001:db8::a]", "2001:db8::a"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::FFFF:c000:201]", "192.0.2.1"),
        ("::", "::"),
    ],
)
def test_an_address_is_read_in_any_of_its_forms(text: str, address: str) -> None:
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        *["", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04", "0x1.2.3.4", "1.2.3.4/32", "1.2.3.4 "],
        *[" 1.2.3.4", "1.2.3.4\n", "::1\n", "[::1]\n", "[1.2.3.4]", "[::1", "::1]", "[]", "[[::1]]", "fe80::1%eth0"],
        *["fe80::1%1", "::1/128", "1::2::3", ":::", "12345::", "2001:db8::1 2001:db8::2", "1.2.3.4,5.6.7.8", "auto"],
        *["\u0661.2.3.4", "1.2.3.\uff14", "\u0661::", "1.2.3.4\x00", "0" * 100_000, "::" + "0" * 63, "[" * 70],
    ],
)
def test_what_is_not_exactly_one_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress) as raised:
        parse_address(text)
    assert len(str(raised.value)) < 300
    assert str(raised.value).isprintable()


@given(st.text() | NEARLY_ADDRESSES | st.text(string.hexdigits + ":-."))
@example("/" + "9" * 5000)
@example("::/" + "9" * 5000)
def test_parsers_raise_nothing_but_invalid_address(text: str) -> None:
    for parse in (parse_address, parse_address_with_length, parse_prefix, parse_interface_identifier, parse_mac):
        try:
            parse(text)
        except InvalidAddress:
            continue
        assert set(text) <= set(string.hexdigits + ":.-/[]")


@given(ADDRESSES)
def test_parsing_takes_back_the_text_of_an_address(address: Address) -> None:
    expected = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    assert parse_address(str(address)) == expected
    assert parse_address(address.exploded.upper()) == expected
    assert parse_address(str(parse_address(str(address)))) == expected


@pytest.mark.parametrize(
    ("text", "address", "length"),
    [
        ("2001:db8:1::5/64", "2001:db8:1::5", 64),
        ("2001:db8:1::5", "2001:db8:1::5", None),
        ("192.0.2.1/24", "192.0.2.1", 24),
        ("192.0.2.1/0", "192.0.2.1", 0),
        ("::ffff:192.0.2.1/120", "192.0.2.1", 24),
        ("::/128", "::", 128),
    ],
)
def test_an_address_may_come_with_the_length_of_its_prefix(text: str, address: str, length: int | None) -> None:
    assert parse_address_with_length(text) == (ip_address(address), length)


@pytest.mark.parametrize(
    "text",
    [
        "::1/",
        "::1/129",
        "192.0.2.1/33",
        "::1/064",
        "::1/+64",
        "::1/-1",
        "::1/6_4",
        "::1/64/",
        "::1/64\n",
        "::1/\u0666",
        "/64",
        "::ffff:192.0.2.1/64",
        "192.0.2.1/255.255.255.0",
    ],
)
def test_lengths_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_address_with_length(text)


@given(PREFIXES)
def test_a_prefix_is_read_back(prefix: IPv6Network) -> None:
    assert parse_prefix(str(prefix)) == prefix


@pytest.mark.parametrize(
    "text",
    [
        "2001:db8::",
        "2001:db8::1/64",
        "2001:db8::/15",
        "2000::/15",
        "2001:db8::/121",
        "192.0.2.0/24",
        "2001:db8::/64\n",
        "::ffff:192.0.2.0/120",
        "::/0",
        "2001:db8::/128",
    ],
)
def test_what_is_no_prefix_to_complete_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_prefix(text)


def test_the_shortest_and_longest_prefixes_are_16_and_120() -> None:
    assert parse_prefix("2001::/16").prefixlen == 16
    assert parse_prefix("2001:db8::ff00/120").prefixlen == 120


def test_the_record_type_follows_the_family() -> None:
    assert record_type_of(IPv4Address("192.0.2.1")) == "A"
    assert record_type_of(IPv6Address("2001:db8::1")) == "AAAA"


def test_a_mac_address_becomes_a_modified_eui_64_identifier() -> None:
    identifier = interface_identifier_from_mac("00:11:22:33:44:55")
    assert render_interface_identifier(identifier) == "::211:22ff:fe33:4455"
    # RFC 4291 appendix A clears the bit again where it was set.
    assert render_interface_identifier(interface_identifier_from_mac("0211.2233.4455")) == "::11:22ff:fe33:4455"
    assert str(complete(parse_prefix("2001:db8:1::/64"), identifier)) == "2001:db8:1:0:211:22ff:fe33:4455"


@pytest.mark.parametrize("text", ["00-11-22-AA-bb-CC", "00:11:22:aa:bb:cc", "0011.22aa.bbCC", "001122AABBCC"])
def test_every_form_of_a_mac_address_becomes_one(text: str) -> None:
    assert parse_mac(text) == "00:11:22:aa:bb:cc"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00:11:22:33:44",
        "00:11:22:33:44:55:66",
        "00:11-22:33:44:55",
        "0:1:2:3:4:5",
        "00112233445g",
        "0011:2233:4455",
        "00:11:22:33:44:55\n",
        " 00:11:22:33:44:55",
        "00112233445\u0665",
        "0011.2233.445",
    ],
)
def test_what_is_no_mac_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_mac(text)


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("::211:22ff:fe33:4455", 0x021122FFFE334455),
        ("0211:22ff:fe33:4455", 0x021122FFFE334455),
        ("::1:2:3:4", 0x0001000200030004),
        ("1:2:3:4", 0x0001000200030004),
        ("::1", 1),
        ("::5:0:0:0:1", 0x5_0000_0000_0000_0001),
        ("::", 0),
    ],
)
def test_an_interface_identifier_is_read_with_or_without_colons_before_it(text: str, identifier: int) -> None:
    assert parse_interface_identifier(text) == identifier


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1:2:3",
        "1:2:3:4:5",
        "2001:db8::1",
        "2001:db8:1:2:3:4:5:6",
        "::1/64",
        "::1%0",
        "::1\n",
        "1:2:3:4\n",
        "[::1]",
        "192.0.2.1",
        "00:11:22:33:44:55",
    ],
)
def test_what_is_no_interface_identifier_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_interface_identifier(text)


@given(st.integers(0, (1 << 112) - 1) | st.integers(0, (1 << 64) - 1) | st.integers(0, 0xFFFF).map(lambda n: n << 48))
@example(0xFFFF_0102_0304)  # newer releases of Python would print this with dots
def test_an_interface_identifier_is_read_back(identifier: int) -> None:
    text = render_interface_identifier(identifier)
    assert parse_interface_identifier(text) == identifier
    assert "." not in text


@given(PREFIXES, st.integers(0, (1 << 64) - 1))
def test_completing_a_prefix_keeps_the_prefix_and_the_low_bits(prefix: IPv6Network, identifier: int) -> None:
    address = complete(prefix, identifier)
    kept = 128 - prefix.prefixlen
    assert address in prefix
    assert interface_identifier_of(address, prefix.prefixlen) == identifier % (1 << kept)


@given(st.ip_addresses(v=6), st.integers(16, 120))
def test_an_address_is_its_prefix_completed_with_its_identifier(address: IPv6Address, length: int) -> None:
    prefix = IPv6Network((int(address), length), strict=False)
    assert complete(prefix, interface_identifier_of(address, length)) == address


@given(ADDRESSES)
def test_what_is_not_global_can_be_described(address: Address) -> None:
    assert is_global(address) or describe(address) is not None


def test_nat64_addresses_are_as_global_as_what_they_embed() -> None:
    assert is_global(IPv6Address("64:ff9b::8.8.8.8"))
    assert not is_global(IPv6Address("64:ff9b::192.168.1.1"))
    assert not is_global(IPv6Address("64:ff9b::127.0.0.1"))


def test_an_operator_may_declare_networks_publishable() -> None:
    networks = [ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")]
    assert is_global(IPv4Address("10.1.2.3"), networks)
    assert is_global(IPv6Address("fd00:1::1"), networks)
    assert not is_global(IPv4Address("10.2.0.1"), networks)
    assert not is_global(IPv6Address("fd00:2::1"), networks)
    assert is_global(IPv4Address("8.8.8.8"), networks)


@pytest.mark.parametrize("text", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"])
def test_what_is_no_unicast_address_is_never_publishable(text: str) -> None:
    assert not is_global(ip_address(text), [ip_network("0.0.0.0/0"), ip_network("::/0")])


@given(ADDRESSES, ADDRESSES, st.integers(1, 32), st.integers(1, 128))
def test_limit_keys_are_equal_exactly_within_one_network(one: Address, other: Address, four: int, six: int) -> None:
    def network(address: Address) -> object:
        return ip_network(f"{address}/{four if address.version == 4 else six}", strict=False)

    for candidate in (other, type(one)(int(one) ^ 1), type(one)(int(one) ^ (1 << (one.max_prefixlen - 1)))):
        same = network(one) == network(candidate)
        assert (limit_key(one, four, six) == limit_key(candidate, four, six)) is same


def test_limit_keys_take_one_ipv4_address_and_an_ipv6_site_by_default() -> None:
    assert limit_key(IPv4Address("192.0.2.1")) != limit_key(IPv4Address("192.0.2.2"))
    assert limit_key(IPv6Address("2001:db8:1:200::1")) == limit_key(IPv6Address("2001:db8:1:2ff::2"))
    assert limit_key(IPv6Address("2001:db8:1:200::1")) != limit_key(IPv6Address("2001:db8:1:300::1"))
