"""Settings of the names of a whole network: `[lan]` of `homing.toml`, `HOMING_LAN_...`, flags.

For `homing lan`, and for the agent with `lan = true` in `[agent]`. The server and the secret are those of `[client]`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.addresses import parse_prefix
from homing.core.errors import InvalidAddress, InvalidInput
from homing.core.values import frozen
from homing.settings import values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv6Network

TABLE = "lan"
PREFIX = "HOMING_LAN_"
_LONGEST_NAME = 15
"""Octets of the name of an interface (IFNAMSIZ, less the end)."""


@frozen(kw_only=True)
class LanSettings:
    """Where other machines are looked for, and what is believed."""

    interfaces: tuple[str, ...] = ()
    """The links to look at. Unset: the one of the default route."""
    leases: tuple[Path, ...] = ()
    """Leases of dnsmasq, Kea (CSV) or ISC dhcpd: a machine without a MAC address on the server is found by its name."""
    prefix: IPv6Network | None = None
    """The IPv6 prefix to complete. Unset: the one of the link."""
    eui64: bool = False
    """Set AAAA by the MAC address even if the machine is not seen."""
    wake: bool = True
    """Whether quiet machines are woken. Otherwise what the kernel knows already is believed, and no probe is sent."""
    interval: int | None = None
    """Between two rounds where nothing changes. Unset: that of `[client]`."""


def parse_interfaces(value: Any) -> tuple[str, ...]:
    """Read names of interfaces. Raises InvalidInput."""
    names = _entries(value, "interfaces, such as eth0")
    for name in names:
        if len(name.encode()) > _LONGEST_NAME or "/" in name or any(one.isspace() for one in name):
            raise InvalidInput(f"expected the name of an interface, such as eth0, and not {name[:40]!r}")
    return names


def parse_leases(value: Any) -> tuple[Path, ...]:
    """Read paths of lease files. Raises InvalidInput."""
    if isinstance(value, Path):
        return (value,)
    return tuple(values.path(one) for one in _entries(value, "paths of lease files"))


def read_prefix(value: Any) -> IPv6Network:
    """Read an IPv6 prefix. Raises InvalidInput."""
    try:
        return parse_prefix(values.text(value))
    except InvalidAddress as error:
        raise InvalidInput(f"expected an IPv6 prefix such as 2001:db8:1::/64: {error}") from None


def _entries(value: Any, what: str) -> tuple[str, ...]:
    """Return the parts of a list, or of text with commas in it."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(one, str | Path) for one in given):
        raise InvalidInput(f"expected a list of {what}")
    found = tuple(str(one).strip() for one in given)
    if not found or not all(found):
        raise InvalidInput(f"expected a list of {what}")
    return found


READERS: Mapping[str, Callable[[Any], Any]] = {
    "interfaces": parse_interfaces,
    "leases": parse_leases,
    "prefix": read_prefix,
    "eui64": values.flag,
    "wake": values.flag,
    "interval": values.seconds(30, 86_400),
}
"""How each setting is read; each raises InvalidInput with what was expected."""


def load_lan(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> LanSettings:
    """Collect the settings; `flags` that are None were not given. Raises InvalidSettings."""
    from homing.settings.table import load_table  # what reads TOML is of no use to an agent that has its orders

    return LanSettings(**load_table(TABLE, READERS, PREFIX, flags, environment, file).values)
