"""IP addresses: parsing, which ones may be published, prefixes with interface identifiers, and keys for limits.

Values are those of the standard library's `ipaddress`. Its opinions about reachability are not used: the IANA
registries in `special_addresses` decide, alike on every release of Python. Nothing here asks the system about
its interfaces or routes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TYPE_CHECKING, Literal, TypeAlias

from homing.core.errors import InvalidAddress
from homing.core.special_addresses import IPV4_SPECIAL_BLOCKS, IPV6_SPECIAL_BLOCKS, OTHER_BLOCKS, SpecialBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_MAX_TEXT = 64
_CACHED = 4096
_MIN_PREFIX, _MAX_PREFIX = 16, 120  # lengths that leave room both for a network and for hosts
_MAX_IDENTIFIER_BITS = 128 - _MIN_PREFIX
_BROADCAST = IPv4Address("255.255.255.255")

_CHARACTERS = re.compile(r"[0-9A-Fa-f:.]+")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")
_FOUR_GROUPS = re.compile(r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){3}")
_MAC = re.compile(
    r"[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}"
    r"|[0-9A-Fa-f]{12}"
)


def parse_address(text: str) -> Address:
    """Return the one address that `text` is: dotted IPv4, or IPv6 (RFC 4291 section 2.2), perhaps in brackets.

    An IPv4-mapped address becomes the IPv4 address. Zone identifiers, lengths, blanks and leading zeros in IPv4
    are refused. Raises InvalidAddress.
    """
    return _parse_address(text)


def parse_address_with_length(text: str) -> tuple[Address, int | None]:
    """Return an address and the prefix length after its slash, if any: `2001:db8:1::5/64`. Raises InvalidAddress."""
    address_text, slash, length_text = text.partition("/")
    address = parse_address(address_text)
    if not slash:
        return address, None
    if _LENGTH.fullmatch(length_text) is None:
        raise InvalidAddress(f"not a prefix length: {text[:60]!r}")
    # The length of an IPv4-mapped address counts the 96 bits that are no longer there.
    dropped = 96 if address.version == 4 and ":" in address_text else 0
    length = int(length_text) - dropped
    if not 0 <= length <= address.max_prefixlen:
        raise InvalidAddress(f"prefix length out of range: {text[:60]!r}")
    return address, length


def parse_prefix(text: str) -> IPv6Network:
    """Return an IPv6 prefix to complete, /16 to /120, whose host bits are zero. Raises InvalidAddress."""
    address, length = parse_address_with_length(text)
    if not isinstance(address, IPv6Address) or length is None:
        raise InvalidAddress(f"not an IPv6 prefix: {text[:60]!r}")
    if not _MIN_PREFIX <= length <= _MAX_PREFIX:
        raise InvalidAddress(f"prefix length not within {_MIN_PREFIX} to {_MAX_PREFIX}: {text[:60]!r}")
    if interface_identifier_of(address, length):
        raise InvalidAddress(f"prefix with host bits: {text[:60]!r}")
    return IPv6Network((int(address), length))


def record_type_of(address: Address) -> Literal["A", "AAAA"]:
    """Return the type of the record that holds such an address."""
    return "A" if address.version == 4 else "AAAA"


def complete(prefix: IPv6Network, interface_identifier: int) -> IPv6Address:
    """Return the address in `prefix` whose host bits are the low bits of `interface_identifier`."""
    return IPv6Address(int(prefix.network_address) | interface_identifier & int(prefix.hostmask))


def parse_interface_identifier(text: str) -> int:
    """Return an interface identifier (RFC 4291 section 2.5.1), written `::211:22ff:fe33:4455` or as four groups.

    More than 64 bits may be given, to choose a subnet in a prefix shorter than /64. Raises InvalidAddress.
    """
    written = "::" + text if _FOUR_GROUPS.fullmatch(text) else text
    if len(written) > _MAX_TEXT or ":" not in written or _CHARACTERS.fullmatch(written) is None:
        raise InvalidAddress(f"not an interface identifier: {text[:60]!r}")
    try:
        identifier = int(IPv6Address(written))
    except ValueError as error:
        raise InvalidAddress(f"not an interface identifier: {text[:60]!r}") from error
    if identifier >> _MAX_IDENTIFIER_BITS:
        raise InvalidAddress(f"a whole address, not an interface identifier: {text[:60]!r}")
    return identifier


def render_interface_identifier(interface_identifier: int) -> str:
    """Return the text that `parse_interface_identifier` reads back, the same on every release of Python."""
    digits = f"{interface_identifier:x}"
    groups = [f"{int(digits[max(end - 4, 0) : end], 16):x}" for end in range(len(digits), 0, -4)]
    return "::" + ":".join(reversed(groups)) if interface_identifier else "::"


def interface_identifier_of(address: IPv6Address, prefix_length: int = 64) -> int:
    """Return what of `address` is behind its prefix."""
    return int(address) & ((1 << (128 - prefix_length)) - 1)


def interface_identifier_from_mac(mac: str) -> int:
    """Return the modified EUI-64 of a MAC address (RFC 4291 appendix A). Raises InvalidAddress."""
    number = int(parse_mac(mac).replace(":", ""), 16)
    return ((number >> 24) << 40 | 0xFFFE << 24 | number & 0xFFFFFF) ^ 0x02 << 56


def parse_mac(text: str) -> str:
    """Return a MAC address as `00:11:22:aa:bb:cc`, from that form or with `-`, in `.` groups, or bare.

    Raises InvalidAddress.
    """
    if _MAC.fullmatch(text) is None:
        raise InvalidAddress(f"not a MAC address: {text[:60]!r}")
    digits = re.sub(r"[:.-]", "", text).lower()
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))


def is_global(address: Address, also_public: Sequence[Network] = ()) -> bool:
    """Tell whether `address` may be published: unicast that all of the Internet can reach, or in `also_public`.

    The most specific row of the IANA registries that covers the address decides; N/A counts as no. Multicast,
    broadcast and the unspecified address never are, whatever `also_public` says.
    """
    block = _get_block(address)
    if block is None or (block.globally_reachable and _may_translate(address, block)):
        return True
    if not also_public or address.is_multicast or address.is_unspecified or address == _BROADCAST:
        return False
    return any(address in network for network in also_public)


def can_be_assigned(address: Address) -> bool:
    """Tell whether an address can be that of a host at all, on whatever network: not a group's, and not nobody's."""
    return not (address.is_multicast or address.is_unspecified or address == _BROADCAST)


def describe(address: Address) -> str | None:
    """Return the registered name of the special block that the address is in; None for plain global unicast."""
    block = _get_block(address)
    return None if block is None else block.name


def limit_key(address: Address, v4_length: int = 32, v6_length: int = 56) -> str:
    """Return a text that all addresses of one network have in common, and no others: the key of a rate limit."""
    if isinstance(address, IPv4Address):
        if v4_length == 32:
            return str(address)
        return f"{IPv4Address(int(address) >> (32 - v4_length) << (32 - v4_length))}/{v4_length}"
    return f"{int(address) >> (128 - v6_length):0{(v6_length + 3) // 4}x}/{v6_length}"


@lru_cache(maxsize=_CACHED)
def _parse_address(text: str) -> Address:
    bracketed = text[:1] == "[" and text[-1:] == "]"
    inner = text[1:-1] if bracketed else text
    if len(text) > _MAX_TEXT or _CHARACTERS.fullmatch(inner) is None:
        raise InvalidAddress(f"not an IP address: {text[:60]!r}")
    try:
        if ":" not in inner and not bracketed:
            return IPv4Address(inner)
        address = IPv6Address(inner)
    except ValueError as error:
        raise InvalidAddress(f"not an IP address: {text[:60]!r}") from error
    return address.ipv4_mapped or address


def _may_translate(address: Address, block: SpecialBlock) -> bool:
    """Refuse the well-known NAT64 prefix before IPv4 addresses that are not global (RFC 6052 section 3.1)."""
    return block.network != "64:ff9b::/96" or is_global(IPv4Address(int(address) & 0xFFFFFFFF))


def _get_block(address: Address) -> SpecialBlock | None:
    starts, blocks = _intervals(address.version)
    return blocks[bisect_right(starts, int(address)) - 1]


@cache
def _intervals(version: int) -> tuple[list[int], list[SpecialBlock | None]]:
    """Return where the most specific block changes, from address 0 on, and the block from there on."""
    rows = [(ip_network(row.network), row) for row in (*IPV4_SPECIAL_BLOCKS, *IPV6_SPECIAL_BLOCKS, *OTHER_BLOCKS)]
    spans = [
        (int(network.network_address), int(network.broadcast_address), row)
        for network, row in sorted(rows, key=lambda pair: -pair[0].prefixlen)
        if network.version == version
    ]
    starts = sorted({0} | {first for first, _, _ in spans} | {last + 1 for _, last, _ in spans})
    return starts, [next((row for first, last, row in spans if first <= at <= last), None) for at in starts]
