"""The embedded server as another process sees it: asked over real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from homing.core.errors import Unreachable
from homing.core.names import Name
from homing.core.records import RRset, RRsetChange, RRsetKey
from homing.core.zone import Zones
from homing.publishers.running_server import RunningServer
from homing.runtimes.dns_server import DnsServer
from tests.conformance.publisher_contract import CAM, CAM6, NEW, ONE, SIX, TV, TWO, ZONE
from tests.conformance.test_publishers import make_zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Place = tuple[str, int]


@contextmanager
def serving(*listen: str) -> Iterator[Sequence[Place]]:
    """Have a DNS server with two hosts, in a thread of its own; yield where it listens."""
    zone = make_zone()
    zone.apply([(CAM, ONE), (CAM6, SIX), (TV, RRset(5, ("192.0.2.8", "192.0.2.9")))], 2)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = DnsServer(Zones([zone]), [(host, 0) for host in listen])
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)
        yield server.addresses
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def places() -> Iterator[Sequence[Place]]:
    with serving("127.0.0.1") as found:
        yield found


@pytest.fixture
def nobody() -> Iterator[Place]:
    """Where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()


def test_what_is_shown_is_read_as_it_was_published(places: Sequence[Place]) -> None:
    held = RunningServer(places).read(ZONE, [CAM, CAM6, TV])
    assert held == {CAM: ONE, CAM6: SIX, TV: RRset(5, ("192.0.2.8", "192.0.2.9"))}


def test_a_family_that_is_not_there_and_a_name_that_does_not_exist_are_none(places: Sequence[Place]) -> None:
    other_family = RRsetKey(TV.name, "AAAA")
    assert RunningServer(places).read(ZONE, [other_family, NEW]) == {other_family: None, NEW: None}


def test_nobody_answering_is_unreachable_and_not_an_empty_zone(nobody: Place) -> None:
    with pytest.raises(Unreachable, match="is `homing serve` running"):
        RunningServer([nobody]).read(ZONE, [CAM])
    with pytest.raises(Unreachable):
        RunningServer([]).read(ZONE, [CAM])


def test_the_next_address_is_asked_where_the_first_does_not_answer(places: Sequence[Place], nobody: Place) -> None:
    assert RunningServer([nobody, *places]).read(ZONE, [CAM]) == {CAM: ONE}


def test_a_server_that_does_not_serve_the_zone_is_no_proof_that_nothing_is_there(places: Sequence[Place]) -> None:
    elsewhere = RRsetKey(Name("cam.elsewhere.example."), "A")
    with pytest.raises(Unreachable, match="REFUSED"):
        RunningServer(places).read(Name("elsewhere.example."), [elsewhere])


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])
def test_a_server_that_listens_everywhere_is_asked_here(everywhere: str) -> None:
    with serving(everywhere) as places:
        assert RunningServer([(everywhere, places[0][1])]).read(ZONE, [CAM]) == {CAM: ONE}


def test_nothing_is_published_since_the_server_follows_the_store(nobody: Place) -> None:
    server = RunningServer([nobody])
    server.publish(ZONE, [RRsetChange(CAM, ONE, TWO)])
    assert server.follows_store
