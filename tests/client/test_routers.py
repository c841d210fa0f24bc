"""Whom to believe about the router's address: the router, and nobody who merely answers first."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from homing.client import igd, sources
from homing.client.lan import neighbours
from homing.client.netlink_values import InterfaceAddress, Link, Route, Snapshot
from homing.client.remote import Line, ServerUnreachable
from homing.client.routers import get_router, is_on_link
from tests.client.servers import Datagrams, Scripted, answer
from tests.client.test_sources import DESCRIPTION, SOAP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UP = 0x10041
LINKS = (Link(1, "lo", None, UP), Link(2, "eth0", None, UP), Link(3, "wlan0", None, UP), Link(4, "eth1", None, 0x1))
ADDRESSES = (
    InterfaceAddress(2, ip_address("192.168.7.5"), 24), InterfaceAddress(3, ip_address("10.9.9.2"), 24),
    InterfaceAddress(4, ip_address("172.16.0.2"), 16), InterfaceAddress(2, ip_address("2600:1::2"), 64),
)  # fmt: skip
LINE = Line(timeout=4)


def way(index: int, gateway: str | None, priority: int = 0, table: int = 254, to: str = "0.0.0.0/0") -> Route:
    return Route(ip_network(to), index, ip_address(gateway) if gateway else None, priority, table)


def here(*routes: Route) -> Snapshot:
    return Snapshot(LINKS, ADDRESSES, routes)


def test_the_router_is_the_gateway_of_the_best_default_route_of_the_main_table() -> None:
    found = here(
        way(3, "10.9.9.1", 0, 100), way(2, "192.168.7.1", 100), way(3, "10.9.9.9", 600), way(4, "172.16.0.1"),
        way(2, "192.168.7.8", to="10.0.0.0/8"), way(2, "fe80::1", 1), way(2, "fe80::1", to="::/0"),
    )  # fmt: skip
    assert get_router(found) == ip_address("192.168.7.1")
    assert get_router(found, "wlan0") == ip_address("10.9.9.9")
    assert get_router(found, "eth1") is None, "its link is down"
    assert get_router(here(way(2, None))) is None


def test_on_the_link_is_who_is_in_a_network_of_it() -> None:
    assert is_on_link(ip_address("192.168.7.66"), here())
    assert is_on_link(ip_address("192.168.7.66"), here(), "eth0")
    for address, interface in (("192.168.8.1", None), ("8.8.4.66", None), ("192.168.7.66", "wlan0"),
                               ("172.16.0.9", None), ("10.9.9.9", "eth0")):  # fmt: skip
        assert not is_on_link(ip_address(address), here(), interface)


def test_nat_pmp_asks_the_router_of_the_main_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "read_snapshot", lambda: here(way(3, "10.9.9.1", 0, 100), way(2, "192.168.7.1", 1)))
    assert sources._default_router(None) == "192.168.7.1"


def test_a_system_that_tells_nothing_is_asked_for_the_routers_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise FileNotFoundError(2, "No such file", "ifconfig")

    monkeypatch.setattr(neighbours, "read_snapshot", fail)
    with pytest.raises(ServerUnreachable, match="name it, as nat-pmp"):
        sources._default_router(None)


# --- a search by UPnP


@contextmanager
def device(host: str, told: str) -> Iterator[tuple[Scripted, bytes]]:
    """A device that describes itself, and what it answers to a search."""
    with Scripted(answer(DESCRIPTION.format("/ip")), answer(SOAP.format(told)), host=host) as http:
        yield http, f"HTTP/1.1 200 OK\r\nLOCATION: {http.url}/d.xml\r\n\r\n".encode()


class Segment:
    """A link on which several answer each search, from addresses of their own and from whatever port."""

    def __init__(self, stack: ExitStack, answers: dict[str, bytes]) -> None:
        self._answers = answers
        self._sockets = {
            host: stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for host in answers
        }
        for host, opened in self._sockets.items():
            opened.bind((host, 0))
        self.asked = stack.enter_context(Datagrams(self._reply))

    def _reply(self, _: bytes, number: int) -> list[bytes]:
        for host, opened in self._sockets.items():
            if number == 1:
                time.sleep(0.05)
                opened.sendto(self._answers[host], self.asked.senders[-1])
        return []


def test_of_a_router_that_is_named_only_its_own_answer_counts() -> None:
    with ExitStack() as stack:
        rogue, false = stack.enter_context(device("127.0.0.66", "6.6.6.6"))
        _, true = stack.enter_context(device("127.0.0.1", "203.0.113.7"))
        segment = Segment(stack, {"127.0.0.66": false, "127.0.0.1": true})
        assert igd.find_address("127.0.0.1", segment.asked.port, LINE) == ip_address("203.0.113.7")
        assert rogue.requests == []


@pytest.fixture
def everybody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a search at 127.0.0.1 go for one of the whole link."""

    def whom(_: object, line: Line) -> Callable[[object], bool]:
        return believe(ip_address(igd.GROUP), line)  # type: ignore[arg-type,return-value]  # IPv4 it is

    believe = igd._whom_to_believe
    monkeypatch.setattr(igd, "_whom_to_believe", whom)


@pytest.mark.usefixtures("everybody_is_asked")
@pytest.mark.parametrize(
    ("routes", "wanted"),
    [((way(2, "127.0.0.1"),), "203.0.113.7"), ((), "203.0.113.9"), ((way(2, "192.168.7.1"),), None)],
    ids=["the router", "whoever is on the link", "the router is silent"],
)
def test_of_all_that_were_asked_the_router_is_believed_or_without_one_who_is_on_the_link(
    routes: tuple[Route, ...], wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_link = InterfaceAddress(2, ip_address("127.0.0.8"), 29)
    monkeypatch.setattr(neighbours, "read_snapshot", lambda: Snapshot(LINKS, (on_link,), routes))
    with ExitStack() as stack:
        rogue, false = stack.enter_context(device("127.0.0.66", "6.6.6.6"))
        _, router = stack.enter_context(device("127.0.0.1", "203.0.113.7"))
        _, other = stack.enter_context(device("127.0.0.9", "203.0.113.9"))
        segment = Segment(stack, {"127.0.0.66": false, "127.0.0.1": router, "127.0.0.9": other})
        if wanted is None:
            with pytest.raises(ServerUnreachable, match="is not this machine's router"):
                igd.find_address("127.0.0.1", segment.asked.port, LINE)
        else:
            assert igd.find_address("127.0.0.1", segment.asked.port, LINE) == ip_address(wanted)
        assert rogue.requests == []
