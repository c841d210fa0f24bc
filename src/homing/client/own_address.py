"""The address that this machine has itself, for accounts that take it from there. Pure: the kernel's tables come in.

What nobody has chosen (`auto`) is the address on the interface, if the Internet can reach it, and else what the server
sees: that is the address a connection happens to leave from, which on IPv6 is often a temporary one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.client.choice import Wish, choose

if TYPE_CHECKING:
    from homing.client.choice import Choice
    from homing.client.netlink_values import Snapshot
    from homing.core.addresses import Address
    from homing.settings.client import ClientSettings

_SEES = ("awslabs", "awslabs-post")
"""Protocols that set the address which the server sees: it has to be asked."""


def is_left_to_us(settings: ClientSettings, family: int) -> bool:
    """Tell whether nobody has chosen where the address of a family comes from, and any may be sent."""
    source = settings.ipv4 if family == 4 else settings.ipv6
    return source.kind == "auto" and settings.protocol not in _SEES


def choose_own(settings: ClientSettings, family: int, snapshot: Snapshot, current: Address | None = None) -> Choice:
    """Choose among the addresses of the interface that the account names; `current` is the one that is published."""
    source = settings.ipv4 if family == 4 else settings.ipv6
    internal = settings.allow_internal and source.kind != "auto"  # what nobody has chosen must not be a guess
    name = source.argument if source.kind == "interface" and source.argument else settings.interface
    return choose(snapshot, family, Wish(name, internal=internal, also_public=settings.public_networks), current)


def why_passing(address: Address, snapshot: Snapshot) -> str | None:
    """Return why an address that somebody sees of this machine will not stay; None for any other.

    While a new stable address is not usable yet, connections leave from an old or a temporary one.
    """
    for one in snapshot.addresses:
        if one.address == address:
            if one.is_temporary:
                return "a temporary address of this machine"
            if one.is_deprecated:
                return "a deprecated address of this machine"
            return None if one.is_usable else "an address of this machine that is not usable yet"
    return None
