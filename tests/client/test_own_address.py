"""One look chooses as the agent does: this machine's own address first, and never one that will not stay."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest

from homing.client import netlink, sources
from homing.client.agent import detection
from homing.client.netlink_values import DEPRECATED, TEMPORARY, TENTATIVE, InterfaceAddress, Link, Route, Snapshot
from homing.client.remote import Line
from homing.client.sources import Absent, NoAddress, find_address
from homing.settings.client import ClientSettings, parse_source
from tests.client.servers import Scripted, answer

if TYPE_CHECKING:
    from homing.core.addresses import Address

STABLE, PRIVACY, FOUR = "2a00:1450:1::7", "2a00:1450:1::cafe", "8.8.8.8"
LINKS = (Link(2, "eth0", "02:00:00:00:00:02", 0x11043), Link(3, "wwan0", "02:00:00:00:00:03", 0x11043))
read_tables = sources._tables


def at(address: str, flags: int = 0, index: int = 2) -> InterfaceAddress:
    return InterfaceAddress(index, ip_address(address), 64, flags, 0, 3600, 7200)


def machine(monkeypatch: pytest.MonkeyPatch, *addresses: InterfaceAddress) -> Snapshot:
    found = Snapshot(LINKS, addresses, (Route(ip_network("::/0"), 2), Route(ip_network("0.0.0.0/0"), 2)))
    monkeypatch.setattr(sources, "_tables", lambda: found)
    return found


def account(server: str, **options: Any) -> ClientSettings:
    read: dict[str, Any] = {
        name: parse_source(value) if name in ("ipv4", "ipv6") else value for name, value in options.items()
    }
    return ClientSettings(server=server, **read)


def find(family: Any, sees: str, **options: Any) -> tuple[Address | None, int]:
    """Return what is found while the server sees another address, and how often it was asked."""
    with Scripted(answer(sees), host="127.0.0.1" if family == 4 else "::1") as server:
        found = find_address(account(server.url, **options), family, Line(timeout=3))
    return found, len(server.requests)


def test_the_stable_address_is_found_while_connections_leave_from_a_temporary_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, at(PRIVACY, TEMPORARY), at(STABLE), at("fd00::7"))
    assert find(6, PRIVACY) == (ip_address(STABLE), 0)
    assert find(6, PRIVACY, ipv6="reflector") == (ip_address(PRIVACY), 1), "whoever names a source gets it"


@pytest.mark.parametrize("flags", [TEMPORARY, DEPRECATED, TENTATIVE])
def test_an_address_of_this_machine_that_will_not_stay_is_refused_although_the_server_sees_it(
    flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, at(PRIVACY, flags))
    with pytest.raises(NoAddress, match=r"of this machine.*name a source") as caught:
        find(6, PRIVACY)
    assert caught.value.is_temporary
    assert not isinstance(caught.value, Absent)


def test_behind_a_router_the_server_tells_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, at("192.168.1.7"), at("100.64.0.7"))
    assert find(4, FOUR) == (ip_address(FOUR), 1)
    assert find(4, FOUR, allow_internal=True) == (ip_address(FOUR), 1), "an internal address is never guessed"


def test_a_machine_with_an_address_of_its_own_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, at(FOUR))
    assert find(4, "9.9.9.9") == (ip_address(FOUR), 0)
    assert find(4, "9.9.9.9", protocol="duckdns") == (ip_address(FOUR), 0)


def test_of_the_interface_that_requests_leave_by_the_address_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, at(STABLE), at("2a00:1450:2::9", index=3))
    assert find(6, PRIVACY, interface="wwan0") == (ip_address("2a00:1450:2::9"), 0)


def test_where_the_protocol_sets_what_the_server_sees_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, at(FOUR))
    body = '{"return_message": "9.9.9.9", "return_status": "success"}'
    assert find(4, body, protocol="awslabs") == (ip_address("9.9.9.9"), 1)
    machine(monkeypatch, at(STABLE))
    with pytest.raises(Absent):
        find(6, PRIVACY, protocol="duckdns")


def test_the_agent_chooses_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for addresses in ((at(STABLE), at(PRIVACY, TEMPORARY), at(FOUR)), (at(FOUR), at(STABLE, index=3), at(STABLE))):
        tables = machine(monkeypatch, *addresses)
        settings = account("http://127.0.0.1:1")
        sight = detection.look(settings, tables, (), Line(timeout=1))
        assert sight.addresses == tuple(find_address(settings, family, Line(timeout=1)) for family in (4, 6))


def test_without_the_kernels_tables_the_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(sources, "_tables", read_tables)
    monkeypatch.setattr(netlink, "Tables", fail)
    assert find(4, FOUR) == (ip_address(FOUR), 1)
