"""The ways to an address that use UDP, and DNS behind them: bounded in time, held to their interface, never a crash."""

from __future__ import annotations

import socket
import struct
import time
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest

from homing.client import igd, portmap, stun, udp
from homing.client.cache import Cache, key_of
from homing.client.lookup import ask_dns, find_resolvers
from homing.client.remote import FamilyAbsent, Line, ServerUnreachable
from homing.client.sources import Absent, NoAddress, find_address
from homing.client.update import update
from homing.core.values import replace
from homing.settings.client import ClientSettings, Source, parse_source
from tests.client.servers import Datagrams, Scripted, answer
from tests.client.test_sources import pcp_only, stun_answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

V4 = ip_address("203.0.113.7")
PUBLIC = (ip_network("203.0.113.0/24"), ip_network("2001:db8::/32"))
SECONDS = 3.0
"""Far more than 0.4 s, and far less than any resolver of the system may take."""


def account(source: str, **options: Any) -> ClientSettings:
    return ClientSettings(ipv4=parse_source(source), ipv6=parse_source(source), public_networks=PUBLIC, **options)


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a resolver that takes its time over names, though not over addresses."""
    find = socket.getaddrinfo

    def slow(host: str | bytes, *arguments: Any, **more: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if not text.replace(".", "").isdigit():
            time.sleep(6)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return find(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)


@pytest.mark.usefixtures("slow_names")
@pytest.mark.parametrize(
    "source", ["stun:stun.example.com", "nat-pmp:router.lan", "upnp:router.lan", "https://ip.lan/"]
)
def test_a_resolver_that_hangs_holds_nothing_up(source: str) -> None:
    begun = time.monotonic()
    with pytest.raises(NoAddress, match="took too long"):
        find_address(account(source), 4, Line(timeout=0.4))
    assert time.monotonic() - begun < SECONDS


@pytest.mark.parametrize(
    "reply",
    [
        lambda *_: [], lambda *_: [b"x"] * 3, lambda data, _: [data],
        lambda data, _: [b"\x02\x80\0\x01" + bytes(20)] if data == b"\0\0" else [],
    ],
    ids=["silence", "junk", "echo", "silence to PCP"],
)  # fmt: skip
@pytest.mark.parametrize("source", ["nat-pmp", "stun", "upnp"])
def test_whoever_answers_oddly_gets_no_more_time_than_there_is(
    source: str, reply: Callable[[bytes, int], list[bytes]]
) -> None:
    with Datagrams(reply) as server:
        begun = time.monotonic()
        with pytest.raises(NoAddress):
            find_address(account(f"{source}:127.0.0.1:{server.port}"), 4, Line(timeout=0.4))
        assert time.monotonic() - begun < 1.5


def test_questions_leave_by_the_interface_that_is_named() -> None:
    """With two lines to the Internet, a STUN server asked over the other one tells the other one's address."""
    with Datagrams(lambda data, _: [stun_answer(data, "203.0.113.7")]) as server:
        line = Line(timeout=2, interface="lo")
        assert stun.find_address(server.host, server.port, 4, line) == V4
        for ask in (stun_of, portmap.find_address, igd.find_address):
            with pytest.raises(ServerUnreachable, match="No such device"):
                ask(server.host, server.port, replace(line, interface="no-such0"))
        assert len(server.heard) == 1


def stun_of(host: str, port: int, line: Line) -> object:
    return stun.find_address(host, port, 4, line)


def test_a_machine_without_ipv6_has_no_ipv6_address_which_is_no_failure() -> None:
    with pytest.raises(Absent):
        find_address(account("stun:192.0.2.1:3478"), 6, Line(timeout=0.4))
    with pytest.raises(FamilyAbsent):
        udp.connected("192.0.2.1", 1, 6, Line(), time.monotonic() + 1)
    with pytest.raises(Absent):
        find_address(account("router", stun_server="192.0.2.1:3478"), 6, Line(timeout=0.4))


def test_no_route_for_a_family_is_no_failure_either(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nowhere(socket.socket):
        def connect(self, _: Any) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Nowhere)
    for source in ("stun:[2001:db8::1]:3478", "router"):
        with pytest.raises(Absent, match="Network is unreachable"):
            find_address(account(source, stun_server="[2001:db8::1]:3478"), 6, Line(timeout=0.4))


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "another NAT"), (2, "told not to"), (3, "another NAT"), (4, "no room"), (77, "does not say why")],
)
def test_a_router_that_has_no_address_of_its_own_says_so_in_words(code: int, words: str) -> None:
    said = b"\0\x80" + struct.pack("!HI", code, 1) + bytes(4)
    with Datagrams(lambda *_: [said]) as router, pytest.raises(NoAddress, match=words):
        find_address(account(f"nat-pmp:127.0.0.1:{router.port}"), 4, Line(timeout=2))


@pytest.mark.parametrize(("code", "words"), [(2, "told not to"), (8, "no room"), (12, "another NAT stands between")])
def test_a_router_that_knows_pcp_only_says_it_in_the_words_of_pcp(code: int, words: str) -> None:
    def reply(data: bytes, number: int) -> list[bytes]:
        return pcp_only(data, number) if number == 1 else [b"\x02\x81\0" + bytes([code]) + bytes(20)]

    with Datagrams(reply) as router, pytest.raises(NoAddress, match=words):
        find_address(account(f"nat-pmp:127.0.0.1:{router.port}"), 4, Line(timeout=2))


def test_a_router_that_is_gone_before_its_mapping_is_given_back_has_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Once(socket.socket):
        def send(self, data: Any, *_: Any) -> int:
            if data[:8] == b"\x02\x01\0\0" + bytes(4):
                raise ConnectionRefusedError(111, "Connection refused")
            return super().send(data)

    with Datagrams(pcp_only) as router:
        monkeypatch.setattr(socket, "socket", Once)
        line = Line(timeout=3)
        assert portmap.find_address("127.0.0.1", router.port, line) == V4
        monkeypatch.undo()


# --- DNS, and the cache in front of it


def test_a_resolver_with_a_zone_is_one_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver fe80::1%lo # of this link\nnameserver 127.0.0.53\n;nameserver 192.0.2.1\n")
    assert find_resolvers(str(file)) == [("fe80::1%lo", 53), ("127.0.0.53", 53)]
    assert ask_dns("a.example.com", "A", ("fe80::1%lo", 9), 0.2) is None
    assert ask_dns("a.example.com", "A", ("fe80::1%no-such0", 9), 0.2) is None


def test_a_silent_resolver_costs_one_wait_and_not_one_for_each_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(f"h{number}.example.com" for number in range(5))
    asked: list[str] = []
    monkeypatch.setattr("homing.client.update.ask_dns", lambda name, *_: asked.append(name))
    with Scripted(answer("good 203.0.113.7\n")) as server:
        settings = replace(
            account("203.0.113.7"), server=server.url, protocol="dyndns2", names=names, secret="pw",
            username="alice", cache=3600, ipv6=Source("none"),
        )  # fmt: skip
        for _ in range(2):
            result = update(settings, cache=Cache(tmp_path / "client.json"), now=lambda: 1000.0)
            assert [row.outcome for row in result.rows] == ["updated"] * 5
    assert asked == [names[0]]
    assert len(server.requests) == 2


@pytest.mark.parametrize("at", ["1" + "0" * 400, "-1" + "0" * 400, "1e308", "-1e308"])
def test_a_cache_from_the_end_of_time_saves_nothing(tmp_path: Path, at: str) -> None:
    settings = ClientSettings(server="http://s", names=("a.example.com",))
    key = key_of(settings, "a.example.com", "A")
    file = tmp_path / "client.json"
    file.write_text(f'{{"{key}": {{"address": "203.0.113.7", "at": {at}}}}}')
    assert not Cache(file).holds(key, V4, 1000.0, 3600)
