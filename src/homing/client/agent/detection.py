"""What the agent looks at: this machine's addresses of the moment, and a mark that changes when one may have moved.

What nobody has chosen (`auto`) is the address on the interface, if the Internet can reach it, and else what the server
sees: a machine with an address of its own need not ask anybody, and hears of a change at once.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from homing.client.netlink_values import MAIN_TABLE, TEMPORARY
from homing.client.own_address import choose_own, is_left_to_us
from homing.client.sources import NoAddress, check, find_address
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from homing.client.netlink_values import Snapshot
    from homing.client.remote import Line
    from homing.core.addresses import Address
    from homing.settings.client import ClientSettings

_PLACES = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


@frozen
class Sight:
    """The addresses of an account, and why a family has none."""

    addresses: tuple[Address, ...]
    problems: tuple[str, ...]


def is_free(settings: ClientSettings, snapshot: Snapshot | None = None, current: Sequence[Address] = ()) -> bool:
    """Tell whether looking asks nobody but the kernel; where its tables are at hand, whether it does this time."""
    return all(
        settings.source(family).kind in ("interface", "address", "none")
        or _on_interface(settings, family, snapshot, _of(family, current)) is not None
        for family in settings.families
    )


def look(settings: ClientSettings, snapshot: Snapshot | None, current: Sequence[Address], line: Line) -> Sight:
    """Find the address of each family; `current` are those that are published. Never raises for want of one."""
    addresses, problems = [], []
    for family in settings.families:
        kind = settings.source(family).kind
        if kind == "none":
            continue
        found = _on_interface(settings, family, snapshot, _of(family, current))
        try:
            if found is not None:
                addresses.append(check(found, family, settings))
            elif (asked := find_address(settings, family, line)) is not None:
                addresses.append(asked)
            else:
                text = f"ipv{family}: the agent has to know the address: set ipv{family} to interface, router or a URL"
                problems.append(text)
        except NoAddress as error:
            problems.append(f"IPv{family}: {error}")
    return Sight(tuple(addresses), tuple(problems))


def mark(accounts: Sequence[ClientSettings], snapshot: Snapshot, current: Sequence[Sequence[Address]]) -> Hashable:
    """Return what stays the same as long as nothing has happened that could move an address.

    Lifetimes do not count, since routers renew them every few minutes, but what they make the choice does.
    """
    up = {link.index for link in snapshot.links if link.is_up}
    addresses = frozenset(
        (one.index, one.address, one.prefix_length, one.is_usable, one.is_deprecated)
        for one in snapshot.addresses
        if one.index in up
        and not one.address.is_link_local
        and not (one.address.version == 6 and one.flags & TEMPORARY)
    )
    ways = frozenset(
        (one.index, one.destination, one.gateway, one.priority)
        for one in snapshot.routes
        if one.is_default and one.table == MAIN_TABLE and one.index in up
    )
    chosen = tuple(
        [
            _on_interface(settings, family, snapshot, _of(family, held))
            for settings, held in zip(accounts, current, strict=True)
            for family in settings.families
        ]
    )
    return addresses, ways, chosen


def cheap_mark() -> Hashable:
    """Return the addresses that this machine would send from: all there is to see without netlink. Sends nothing."""
    found = []
    for family, place in _PLACES:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as unused:
                unused.connect((place, 9))
                found.append(str(unused.getsockname()[0]))
        except OSError:
            found.append("")
    return tuple(found)


def _of(family: int, addresses: Sequence[Address]) -> Address | None:
    return next((one for one in addresses if one.version == family), None)


def _on_interface(
    settings: ClientSettings, family: int, snapshot: Snapshot | None, current: Address | None
) -> Address | None:
    """Return the address on the interface, where the account takes it from there."""
    source = settings.ipv4 if family == 4 else settings.ipv6
    if snapshot is None or not (source.kind == "interface" or is_left_to_us(settings, family)):
        return None
    return choose_own(settings, family, snapshot, current).address
