"""Looking around on a link: whom to wake, how far to search, when to stop. The kernel and the clock are played here."""

from __future__ import annotations

import resource
import socket
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from homing.client.lan import looking, probes
from homing.client.lan.looking import MOST, SETTLE, look_around
from homing.client.lan.neighbours import ANSWERED, Reading, Sight
from homing.client.lan.probes import Prober, search
from homing.core.addresses import parse_address
from homing.core.values import replace
from tests.client.lan_scenes import AIM, EUI64, LINK, MAC, member, sight

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.client.lan.neighbours import OwnLink
    from homing.client.lan.values import Member, Scene
    from homing.core.addresses import Address


class Link:
    """A link on which machines answer probes; time passes only by waiting."""

    def __init__(self, *sights: Sight, machines: dict[str, str] | None = None, unresolved: int = 0) -> None:
        self.table = {one.address: one for one in sights}
        self.machines = {parse_address(address): mac for address, mac in (machines or {}).items()}
        self.unresolved = unresolved
        self.now = 0.0
        self.asked: list[Address] = []
        self.touched: list[Address] = []
        self.calls = 0
        self.answered: set[tuple[str, Address]] = set()
        self.heard: set[tuple[str, Address]] = set()

    # the reader
    def read(self) -> Reading:
        return Reading((LINK,), tuple(self.table.values()), self.unresolved)

    # the prober
    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass

    def ask(self, link: str, address: Address) -> None:
        self.asked.append(address)
        if address in self.machines:
            self.table[address] = Sight(link, address, self.machines[address], "reachable")
            self.answered.add((link, address))

    def touch(self, link: str, address: Address) -> None:
        self.touched.append(address)
        if address in self.machines:
            self.table[address] = Sight(link, address, self.machines[address], "reachable")

    def call_all(self, link: OwnLink) -> None:
        self.calls += 1
        self.heard |= {(link.name, address) for address in self.machines if address.version == 6}

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scene]:
    def go(link: Link, *members: Member, **options: Any) -> Scene:
        monkeypatch.setattr(looking, "Prober", lambda: link)
        return look_around(link, members, (), AIM, clock=lambda: link.now, **options)

    return go


def test_who_is_seen_already_is_not_asked(look: Callable[..., Scene]) -> None:
    link = Link(sight("192.168.1.7"))
    assert look(link, member()).sights[0].state == "reachable"
    assert (link.asked, link.touched, link.calls, link.now) == ([], [], 0, 0.0)


def test_an_old_entry_is_asked_first_and_then_nobody_else(look: Callable[..., Scene]) -> None:
    link = Link(sight("192.168.1.7", state="stale"), machines={"192.168.1.7": MAC})
    assert look(link, member()).sights[0].state == ANSWERED
    assert [str(one) for one in link.asked] == ["192.168.1.7"]
    assert link.touched == []


def test_an_old_entry_whose_machine_is_silent_is_no_sight(look: Callable[..., Scene]) -> None:
    link = Link(sight("192.168.1.7", state="stale"))
    seen = look(link, member())
    assert [one.mac for one in seen.sights if one.mac == MAC] == []
    assert [str(one.address) for one in seen.old] == ["192.168.1.7"]


def test_who_is_nowhere_known_is_searched_in_the_network_but_no_longer_than_it_pays(look: Callable[..., Scene]) -> None:
    link = Link(machines={"192.168.1.77": MAC})
    assert any(one.mac == MAC for one in look(link, member()).sights)
    away = Link()
    look(away, member())
    assert len(away.touched) == 253
    assert SETTLE < away.now < SETTLE + 1.5
    patient = Link()
    look(patient, member(), patience=4.0)
    assert patient.now > away.now + 2


def test_the_kernel_is_given_time_to_confirm_an_old_entry(look: Callable[..., Scene]) -> None:
    link = Link(sight("192.168.1.7", state="delay"))
    look(link, member())
    assert 6.5 < link.now < 9


def test_ipv6_is_guessed_and_called_and_ipv4_is_left_in_peace(look: Callable[..., Scene]) -> None:
    link = Link(machines={f"2600:1:2:3:{EUI64}": MAC})
    look(link, member("AAAA"))
    assert (link.calls, link.touched) == (0, [])
    other = Link(machines={"2600:1:2:3:1111::1": MAC})
    seen = look(other, member("AAAA"))
    assert (other.calls, other.touched) == (1, [])
    assert any(one.mac == MAC and one.state == ANSWERED for one in seen.sights)


def test_a_table_that_is_nearly_full_is_not_filled_further(look: Callable[..., Scene]) -> None:
    link = Link(unresolved=400)
    look(link, member())
    assert link.touched == []
    assert link.now <= MOST + 1


def test_without_waking_only_what_is_known_counts(look: Callable[..., Scene]) -> None:
    link = Link(sight("192.168.1.7", state="stale"), machines={"192.168.1.7": MAC})
    assert not [one for one in look(link, member(), wakes=False).sights if one.mac == MAC]
    assert link.asked == []


# --- probes


def test_a_search_stays_in_the_network_and_in_a_22_of_it() -> None:
    own = parse_address("192.168.1.2")
    found = list(search(LINK, {parse_address("192.168.1.7")}))
    assert len(found) == 252
    assert own not in found
    large = replace(LINK, networks=(IPv4Network("192.168.0.0/16"),))
    found = list(search(large))
    assert len(found) <= 1022
    assert all(one in IPv4Network("192.168.0.0/22") for one in found)


def test_a_probe_of_a_closed_port_is_answered_and_nothing_raises_where_nobody_is() -> None:
    with Prober() as prober:
        prober.ask("lo", parse_address("127.0.0.1"))
        prober.ask("lo", parse_address("203.0.113.1"))
        prober.ask("nowhere0", parse_address("fe80::1"))
        prober.touch("lo", parse_address("127.0.0.1"))
        prober.call_all(replace(LINK, name="nowhere0"))
        for _ in range(20):
            prober.wait(0.05)
    is_open = _is_open(9)
    assert (("lo", parse_address("127.0.0.1")) in prober.answered) is not is_open
    assert ("lo", parse_address("203.0.113.1")) not in prober.answered


def _is_open(port: int) -> bool:
    """Whether something listens on a UDP port of this machine, so that nothing answers for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind(("127.0.0.1", port))
        except PermissionError:
            return False
        except OSError:
            return True
    return False


def test_a_machine_that_has_answered_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_most_sockets", lambda: 10)
    asked = {("lo", parse_address(f"127.0.1.{number}")) for number in range(1, 51)}
    with Prober() as prober:
        for link, address in asked:
            prober.ask(link, address)
        prober.wait(1.0)
        assert prober.answered == asked


@pytest.mark.parametrize(("soft", "most"), [(-1, 800), (65_536, 800), (1024, 800), (256, 156), (20, 1)])
def test_probes_leave_descriptors_to_the_rest_of_the_process(
    monkeypatch: pytest.MonkeyPatch, soft: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert probes._most_sockets() == most
