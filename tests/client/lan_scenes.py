"""Links, machines and members for the tests of `homing lan`."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

from homing.client.lan.neighbours import OwnLink, OwnPrefix, Sight
from homing.client.lan.values import Aim, Member, Scene
from homing.core.addresses import parse_address

if TYPE_CHECKING:
    from homing.client.lan.leases import Lease

MAC, OTHER = "00:11:22:33:44:55", "00:11:22:33:44:66"
EUI64 = "211:22ff:fe33:4455"
PREFIX = IPv6Network("2600:1:2:3::/64")
LINK = OwnLink(
    name="eth0",
    mac="00:11:22:00:00:01",
    networks=(IPv4Network("192.168.1.0/24"),),
    prefixes=(OwnPrefix(PREFIX, 1800),),
    addresses=(parse_address("192.168.1.2"), parse_address("2600:1:2:3::2")),
    sources=(parse_address("192.168.1.2"), parse_address("2600:1:2:3::2")),
)
AIM = Aim(own=frozenset({"me.home.example."}))


def member(record_type: str = "A", **more: Any) -> Member:
    given: dict[str, Any] = {"hostname": "cam.home.example.", "mac": MAC, "allow_internal": True} | more
    if isinstance(given.get("address"), str):
        given["address"] = parse_address(given["address"])
    return Member(record_type=record_type, **given)  # type: ignore[arg-type]  # A or AAAA


def sight(address: str, mac: str = MAC, state: str = "reachable", link: str = "eth0") -> Sight:
    return Sight(link, parse_address(address), mac, state)


def scene(
    *sights: Sight, links: tuple[OwnLink, ...] = (LINK,), leases: tuple[Lease, ...] = (), old: tuple[Sight, ...] = ()
) -> Scene:
    return Scene(links, sights, leases, old)
