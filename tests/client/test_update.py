"""One update: which families are sent, what a cache may save, and what is told."""

from __future__ import annotations

import json
import os
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest

from homing.client import update as update_module
from homing.client.cache import Cache, default_path, key_of
from homing.client.update import Result, update
from homing.settings.client import ClientSettings, Source
from tests.client.servers import Scripted, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "cam.home.example"
V4 = ip_address("203.0.113.7")
GOOD = answer("good 203.0.113.7\n")
TYPED = {"ipv4": Source("address", "203.0.113.7"), "ipv6": Source("none")}


class Dns:
    """What DNS shows, and what it was asked."""

    def __init__(self) -> None:
        self.shown: frozenset[Any] | None = frozenset([V4])
        self.asked: list[tuple[str, str]] = []

    def __call__(self, name: str, record_type: str, *_: object) -> frozenset[Any] | None:
        self.asked.append((name, record_type))
        return self.shown


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Dns:
    made = Dns()
    monkeypatch.setattr(update_module, "ask_dns", made)
    return made


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted(GOOD) as running:
        yield running


def account(server: Scripted, **options: Any) -> ClientSettings:
    given: dict[str, Any] = {
        "server": server.url, "protocol": "dyndns2", "secret": "pw", "names": (NAME,), "cache": 3600,
        "public_networks": (ip_network("203.0.113.0/24"),), **TYPED,
    }  # fmt: skip
    return ClientSettings(**(given | options))


def outcomes(result: Result) -> list[tuple[str, str, str]]:
    return [(row.hostname, row.record_type, row.outcome) for row in result.rows]


# --- families


def test_an_absent_family_is_skipped_and_a_doubtful_one_is_neither_sent_nor_hidden(server: Scripted) -> None:
    skipped = update(account(server, ipv6=Source("interface", "lo")))
    assert outcomes(skipped) == [(NAME, "A", "updated"), (NAME, "AAAA", "skipped")]
    doubtful = update(account(server, ipv6=Source("command", "echo hello")))
    assert outcomes(doubtful) == [(NAME, "A", "updated"), (NAME, "AAAA", "refused")]
    assert all(b"myip=203.0.113.7 " in request for request in server.requests)


def test_with_no_address_at_all_nothing_is_sent_and_it_may_pass(server: Scripted) -> None:
    result = update(account(server, ipv4=Source("interface", "lo"), ipv6=Source("interface", "no-such0")))
    assert outcomes(result) == [(NAME, "A", "try later"), (NAME, "AAAA", "try later")]
    assert server.requests == []


def test_a_portal_in_front_of_the_reflector_stops_everything() -> None:
    with Scripted(answer("<html>Sign in, 203.0.113.7</html>")) as portal:
        result = update(account(portal, ipv4=Source("reflector")))
        assert outcomes(result) == [(NAME, "A", "try later")]
        assert len(portal.requests) == 1
        behind = update(account(portal))
        assert outcomes(behind) == [(NAME, "A", "not a server")]


def test_a_dry_run_finds_addresses_and_sends_none(server: Scripted) -> None:
    result = update(account(server), is_dry_run=True)
    assert outcomes(result) == [(NAME, "A", "would send")]
    assert result.rows[0].address == "203.0.113.7"
    assert server.requests == []


def test_what_the_server_answers_stands_beside_each_name() -> None:
    with Scripted(answer("good 203.0.113.7\nnohost\n")) as server:
        result = update(account(server, username="alice", names=(NAME, "nas.home.example")))
    assert outcomes(result) == [(NAME, "A", "updated"), ("nas.home.example", "A", "refused")]
    assert "nohost" in result.rows[1].text


def test_a_server_that_is_gone_or_in_trouble_is_later(server: Scripted) -> None:
    with Scripted(answer("911", "503 Service Unavailable", "Retry-After: 77\r\n")) as trouble:
        result = update(account(trouble))
    assert (outcomes(result), result.retry_after) == ([(NAME, "A", "try later")], 77)
    gone = update(account(trouble))
    assert outcomes(gone) == [(NAME, "A", "try later")]
    assert "pw" not in gone.rows[0].text


# --- the cache


def test_a_cache_saves_what_dns_shows_and_nothing_else(server: Scripted, dns: Dns, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "client.json"

    def again(now: float = 1000.0, **options: Any) -> str:
        return update(account(server, **options), cache=Cache(file), now=lambda: now).rows[0].outcome

    assert again() == "updated"
    assert dns.asked == [], "what was never sent is not asked for"
    assert again(1001) == "cached"
    assert dns.asked == [(NAME, "A")]
    assert again(1000 + 3599) == "cached"
    assert again(1000 + 3600) == "updated", "an old entry saves nothing"
    assert again(5000, secret="other") == "updated"
    assert again(500) == "updated", "a clock that went back saves nothing"
    for shown in (
        frozenset(),
        frozenset([ip_address("203.0.113.8")]),
        frozenset([V4, ip_address("203.0.113.8")]),
        None,
    ):
        dns.shown = shown
        assert again(501) == "updated", "a cache alone saves nothing"


@pytest.mark.parametrize("name", ["myhome", "myhome.", "myhome.duckdns.org"])
def test_dns_is_asked_for_a_name_of_duckdns_with_its_zone(dns: Dns, tmp_path: Path, name: str) -> None:
    with Scripted(answer("OK\n203.0.113.7\n\nUPDATED")) as server:
        settings = account(server, protocol="duckdns", names=(name,))
        for _ in range(2):
            result = update(settings, cache=Cache(tmp_path / "cache"))
    assert [row.outcome for row in result.rows] == ["cached"]
    assert dns.asked == [("myhome.duckdns.org", "A")]


def test_another_address_is_sent_whatever_the_cache_holds(server: Scripted, dns: Dns, tmp_path: Path) -> None:
    file = tmp_path / "client.json"
    update(account(server), cache=Cache(file))
    with Scripted(answer("good 203.0.113.9")) as other:
        moved = account(other, ipv4=Source("address", "203.0.113.9"))
        assert update(moved, cache=Cache(file)).rows[0].outcome == "updated"
    assert dns.asked == []


def test_what_was_not_acknowledged_is_forgotten(dns: Dns, tmp_path: Path) -> None:
    file = tmp_path / "client.json"
    with Scripted(GOOD, answer("nohost")) as server:
        update(account(server), cache=Cache(file))
        assert list(json.loads(file.read_text())) == [key_of(account(server), NAME, "A")]
        assert "pw" not in file.read_text()
        assert file.stat().st_mode & 0o077 == 0
        dns.shown = None
        update(account(server), cache=Cache(file))
    assert json.loads(file.read_text()) == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000, b'{"%s": 5}', b'{"%s": {"address": "203.0.113.7"}}',
     b'{"%s": {"address": "203.0.113.7", "at": true}}', b'{"%s": {"address": 5, "at": 1000}}',
     b'{"%s": {"address": "203.0.113.7", "at": 1e999}}', b'{"%s": {"address": "203.0.113.7", "at": NaN}}'],
)  # fmt: skip
def test_a_broken_cache_is_an_empty_one(server: Scripted, dns: Dns, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "client.json"
    file.write_bytes(content.replace(b"%s", key_of(account(server), NAME, "A").encode()))
    assert update(account(server), cache=Cache(file), now=lambda: 1000.0).rows[0].outcome == "updated"
    assert dns.asked == []
    assert json.loads(file.read_text())


def test_a_cache_that_cannot_be_written_is_a_note_and_leaves_nothing_behind(
    server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("homing.client.cache.json.dump", full)
    result = update(account(server), cache=Cache(tmp_path / "client.json"))
    assert outcomes(result) == [(NAME, "A", "updated")]
    assert "No space left on device" in result.notes[0]
    assert os.listdir(tmp_path) == []


def test_the_cache_lies_where_such_things_lie() -> None:
    assert str(default_path({"HOME": "/h"})) == "/h/.cache/homing/client.json"
    assert str(default_path({"HOME": "/h", "XDG_CACHE_HOME": "/x"})) == "/x/homing/client.json"
    assert str(default_path({"CACHE_DIRECTORY": "/c:/d"})) == "/c/client.json"
