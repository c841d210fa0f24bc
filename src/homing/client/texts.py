"""Addresses in texts that others wrote, programs and leases: None for what is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homing.core.addresses import parse_address, parse_mac
from homing.core.errors import InvalidAddress

if TYPE_CHECKING:
    from homing.core.addresses import Address

_OCTETS = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}")


def get_address(text: str) -> Address | None:
    """Return the address that a text is."""
    try:
        return parse_address(text)
    except InvalidAddress:
        return None


def get_mac(text: str) -> str | None:
    """Return the MAC address that a text is; macOS leaves out leading zeros."""
    whole = ":".join(octet.zfill(2) for octet in text.split(":")) if _OCTETS.fullmatch(text) else text
    try:
        return parse_mac(whole)
    except InvalidAddress:
        return None
