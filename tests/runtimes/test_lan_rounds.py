"""What brings a round of `homing lan --watch` about, with tables and servers of our own making."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from homing.client.lan.neighbours import Reading
from homing.client.lan.round import Round
from homing.client.lan.values import Scene
from homing.client.netlink import Change
from homing.client.netlink_values import InterfaceAddress, Neighbour
from homing.client.update import Result, Row
from homing.core.addresses import parse_address
from homing.core.errors import InvalidInput
from homing.core.values import replace
from homing.runtimes import lan as runtime
from homing.runtimes.lan import HELD_SECONDS, LanRounds, keep_rounds
from homing.settings.client import ClientSettings
from homing.settings.lan import LanSettings
from tests.client.lan_scenes import LINK, MAC, OTHER, member, sight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.client.lan.neighbours import Sight

ACCOUNT = ClientSettings(server="https://ddns.example.com", names=("me.home.example",), secret="s", interval=300)
GOOD = Row("cam.home.example.", "A", "192.168.1.7", "unchanged")


class House:
    """Tables, a clock, and what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 1000.0
        self.links = (LINK,)
        self.sights: tuple[Sight, ...] = (sight("192.168.1.7"),)
        self.reads = 0
        self.made: list[dict[str, Any]] = []
        self.told: list[tuple[Sequence[Round], float]] = []
        self.result = Result((GOOD,))
        self.error: Exception | None = None
        monkeypatch.setattr(runtime, "make_round", self.make_round)

    def read(self) -> Reading:
        self.reads += 1
        return Reading(self.links, self.sights)

    def close(self) -> None:
        pass

    def make_round(self, account: ClientSettings, *_: object, **given: Any) -> Round:
        self.made.append({"account": account} | given)
        if self.error is not None:
            raise self.error
        key = ("cam.home.example.", "A")
        set_to = {key: parse_address("192.168.1.7")}
        return Round(self.result, (member(mac=MAC),), Scene(self.links), set_to)

    def rounds(self, *accounts: ClientSettings, lan: LanSettings | None = None, first_in: float = 0.0) -> LanRounds:
        return LanRounds(
            accounts or (ACCOUNT,), ("me.home.example",), self, lan or LanSettings(),
            lambda rounds, wait: self.told.append((rounds, wait)), first_in=first_in, clock=lambda: self.time,
        )  # fmt: skip

    def after(self, rounds: LanRounds, seconds: float) -> int:
        """Let time pass; return how many rounds that brought."""
        before = len(self.made)
        self.time += seconds
        rounds.go_if_due()
        return len(self.made) - before


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    return House(monkeypatch)


def neighbour(address: str, mac: str, *, is_gone: bool = False, state: str = "reachable") -> Change:
    return Change(Neighbour(2, parse_address(address), mac, state), is_gone)


def test_a_round_is_made_at_once_and_each_interval(house: House) -> None:
    rounds = house.rounds()
    assert house.after(rounds, 0) == 1
    assert house.after(rounds, 200) == 0
    assert house.after(rounds, 150) == 1
    other = house.rounds(lan=LanSettings(interval=3600))
    assert house.after(other, 0) == 1
    assert house.after(other, 3000) == 0


def test_what_a_server_asked_for_before_a_restart_is_kept_also_when_the_owner_is_in_a_hurry(house: House) -> None:
    rounds = house.rounds(first_in=500.0)
    rounds.force()
    assert house.after(rounds, 499) == 0
    assert house.after(rounds, 1) == 1
    rounds.force()
    assert house.after(rounds, 0) == 1


def test_a_wait_that_a_server_asks_for_is_told(house: House) -> None:
    house.result = Result((replace(GOOD, outcome="try later"),), 700)
    house.after(house.rounds(), 0)
    assert 700 <= house.told[0][1] <= 770


def test_a_new_address_of_a_machine_of_the_group_brings_a_round(house: House) -> None:
    rounds = house.rounds()
    house.after(rounds, 0)
    house.sights = (*house.sights, sight("192.168.1.8"))
    rounds.notice([neighbour("192.168.1.8", MAC)])
    assert house.after(rounds, 1) == 1


@pytest.mark.parametrize(
    "change",
    [
        neighbour("192.168.1.7", MAC, state="stale"),
        neighbour("192.168.1.8", MAC, is_gone=True),
        neighbour("192.168.1.9", OTHER),
    ],
    ids=["known", "gone", "a stranger"],
)
def test_neighbours_that_say_nothing_new_cost_no_reading_of_the_tables(house: House, change: Change) -> None:
    rounds = house.rounds()
    house.after(rounds, 0)
    reads = house.reads
    rounds.notice([change] * 10)
    assert house.reads == reads
    assert house.after(rounds, 1) == 0


def test_another_prefix_brings_a_round_and_a_lifetime_that_runs_on_does_not(house: House) -> None:
    rounds = house.rounds()
    house.after(rounds, 0)
    change = Change(InterfaceAddress(2, parse_address("2600:1:2:3::2"), 64))
    house.links = (replace(LINK, prefixes=(replace(LINK.prefixes[0], preferred=1799),)),)
    rounds.notice([change])
    assert house.after(rounds, 1) == 0
    house.links = (replace(LINK, prefixes=()),)
    rounds.notice([change])
    assert house.after(rounds, 1) == 1


def test_word_that_was_lost_has_the_tables_read(house: House) -> None:
    rounds = house.rounds()
    house.after(rounds, 0)
    house.sights = (sight("192.168.1.8"),)
    rounds.notice([Change(None)])
    assert house.after(rounds, 1) == 1


def test_a_table_that_cannot_be_read_is_a_round_that_failed_and_no_end(house: House) -> None:
    house.error = InvalidInput("there is no interface 'eth7'")
    rounds = house.rounds()
    assert house.after(rounds, 0) == 1
    (row,) = house.told[0][0][0].result.rows
    assert (row.outcome, row.text) == ("try later", "there is no interface 'eth7'")
    assert house.after(rounds, 10) == 1


def test_what_a_server_that_tells_nothing_holds_is_known_for_an_hour(house: House) -> None:
    rounds = house.rounds(replace(ACCOUNT, protocol="awslabs"), ACCOUNT)
    house.after(rounds, 0)
    house.after(rounds, 400)
    known = {("cam.home.example.", "A"): parse_address("192.168.1.7")}
    assert [one["held"] for one in house.made] == [known, {}, known, {}]
    house.after(rounds, HELD_SECONDS)
    assert house.made[-1]["held"] == {}


def test_the_loop_ends_when_it_is_told_to_and_breathes_meanwhile(house: House) -> None:
    breaths: list[float] = []
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, b"x")
        keep_rounds(house.rounds(first_in=50.0), read_end, lambda told: told == b"x", lambda: breaths.append(0.0), 0.1)
    finally:
        os.close(read_end)
        os.close(write_end)
    assert breaths
    assert house.made == []
