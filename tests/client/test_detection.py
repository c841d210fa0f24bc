"""What the agent looks at: the interface first where nobody has chosen, and a mark that ignores what is no news."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest

from homing.client import sources
from homing.client.agent import detection
from homing.client.agent.detection import cheap_mark, is_free, look, mark
from homing.client.netlink_values import TEMPORARY, TENTATIVE, InterfaceAddress, Link, Route, Snapshot
from homing.client.remote import Line
from homing.client.sources import Absent
from homing.settings.client import ClientSettings, parse_source

if TYPE_CHECKING:
    from homing.core.addresses import Address

LINK = Link(2, "eth0", "02:00:00:00:00:02", 0x11043)
GLOBAL_4, GLOBAL_6 = "8.8.8.8", "2a00:1450:1::7"
SEEN_4 = ip_address("9.9.9.9")


def snapshot(*addresses: str, preferred: int | None = 3600, flags: int = 0) -> Snapshot:
    found = tuple(InterfaceAddress(2, ip_address(one), 64, flags, 0, preferred, 7200) for one in addresses)
    return Snapshot((LINK,), found, (Route(ip_network("::/0"), 2), Route(ip_network("0.0.0.0/0"), 2)))


def account(**settings: Any) -> ClientSettings:
    read: dict[str, Any] = {
        name: parse_source(value) if name in ("ipv4", "ipv6") else value for name, value in settings.items()
    }
    return ClientSettings(server="https://ddns.example.com", names=("cam.home.example",), **read)


@pytest.fixture
def server_sees(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The server sees an IPv4 address and has no IPv6; the families that it was asked for."""
    asked: list[int] = []

    def find(settings: ClientSettings, family: int, line: Line) -> Address | None:
        asked.append(family)
        if family == 6:
            raise Absent("no IPv6 here")
        return SEEN_4

    monkeypatch.setattr(detection, "find_address", find)
    return asked


def test_a_machine_with_its_own_addresses_asks_nobody(server_sees: list[int]) -> None:
    sight = look(account(), snapshot(GLOBAL_4, GLOBAL_6), (), Line())
    assert set(map(str, sight.addresses)) == {GLOBAL_4, GLOBAL_6}
    assert server_sees == []


def test_behind_a_router_the_server_tells_the_address(server_sees: list[int]) -> None:
    sight = look(account(), snapshot("192.168.1.7", GLOBAL_6), (), Line())
    assert sight.addresses == (SEEN_4, ip_address(GLOBAL_6))
    assert server_sees == [4]


def test_an_internal_address_is_never_guessed(server_sees: list[int]) -> None:
    assert look(account(allow_internal=True), snapshot("192.168.1.7"), (), Line()).addresses == (SEEN_4,)
    assert server_sees == [4, 6]
    chosen = account(allow_internal=True, ipv4="interface:eth0", ipv6="none")
    assert look(chosen, snapshot("192.168.1.7"), (), Line()).addresses == (ip_address("192.168.1.7"),)


def test_where_the_protocol_sets_what_the_server_sees_it_is_asked(server_sees: list[int]) -> None:
    assert look(account(protocol="awslabs"), snapshot(GLOBAL_4), (), Line()).addresses == (SEEN_4,)


def test_a_family_without_an_address_is_told_with_the_reason(server_sees: list[int]) -> None:
    sight = look(account(), snapshot("192.168.1.7"), (), Line())
    assert sight.addresses == (SEEN_4,)
    assert sight.problems == ("IPv6: no IPv6 here",)


def test_without_netlink_the_server_is_asked(server_sees: list[int]) -> None:
    assert look(account(ipv6_only=False), None, (), Line()).addresses == (SEEN_4,)


def test_what_only_the_server_would_know_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "find_address", lambda *_: None)
    sight = look(account(protocol="duckdns", ipv4_only=True), snapshot("192.168.1.7"), (), Line())
    assert sight.addresses == ()
    assert "the agent has to know the address" in sight.problems[0]


def test_looking_is_free_where_only_the_kernel_is_asked() -> None:
    assert is_free(account(ipv4="interface:eth0", ipv6="interface"))
    assert is_free(account(ipv4="none", ipv6="interface"))
    assert not is_free(account())


def test_a_look_is_free_this_time_where_the_tables_tell_all() -> None:
    assert is_free(account(), snapshot(GLOBAL_4, GLOBAL_6))
    assert not is_free(account(), snapshot("192.168.1.7", GLOBAL_6))
    assert not is_free(account(protocol="awslabs"), snapshot(GLOBAL_4, GLOBAL_6))
    assert not is_free(account(ipv4="reflector"), snapshot(GLOBAL_4, GLOBAL_6))


def test_a_temporary_address_that_the_server_sees_is_none_while_the_stable_one_is_not_usable_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name keeps what it has, for a moment; whoever names the server as the source gets what it sees."""
    stable, temporary = snapshot(GLOBAL_6, flags=TENTATIVE), snapshot("2a00:1450:1::abcd", flags=TEMPORARY)
    seen = Snapshot(stable.links, (*stable.addresses, *temporary.addresses), stable.routes)
    monkeypatch.setattr(sources, "_tables", lambda: seen)
    monkeypatch.setattr(sources, "_reflected", lambda *_: temporary.addresses[0].address)
    sight = look(account(ipv4="none"), seen, (), Line())
    assert sight.addresses == ()
    assert "2a00:1450:1::abcd is a temporary address of this machine" in sight.problems[0]
    assert look(account(ipv4="none", ipv6="reflector"), seen, (), Line()).addresses == (temporary.addresses[0].address,)


def marked(seen: Snapshot, *current: str) -> object:
    return mark([account()], seen, [tuple(map(ip_address, current))])


def test_a_renewed_lifetime_and_a_new_privacy_address_leave_the_mark() -> None:
    before = marked(snapshot(GLOBAL_6, preferred=100), GLOBAL_6)
    assert marked(snapshot(GLOBAL_6, preferred=3600), GLOBAL_6) == before
    rotated = InterfaceAddress(2, ip_address("2a00:1450:1::abcd"), 64, TEMPORARY, 0, 600, 600)
    seen = snapshot(GLOBAL_6)
    assert marked(Snapshot(seen.links, (*seen.addresses, rotated), seen.routes), GLOBAL_6) == before


def test_what_may_move_an_address_changes_the_mark() -> None:
    seen = snapshot(GLOBAL_6)
    before = marked(seen, GLOBAL_6)
    assert marked(snapshot(GLOBAL_6, GLOBAL_4), GLOBAL_6) != before
    assert marked(snapshot(GLOBAL_6, preferred=0), GLOBAL_6) != before
    assert marked(Snapshot(seen.links, seen.addresses, ()), GLOBAL_6) != before
    assert marked(Snapshot((Link(2, "eth0", None, 0x1003),), seen.addresses, seen.routes), GLOBAL_6) != before


def test_the_cheap_mark_is_the_same_while_nothing_happens() -> None:
    assert cheap_mark() == cheap_mark()
