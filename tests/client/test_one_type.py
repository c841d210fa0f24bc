"""A host that has only one of A and AAAA at its server: no failure, and nothing is asked of the other every minute."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from homing.client.agent.values import Answered, Plan, Send
from homing.client.cache import Cache, key_of
from homing.client.dialects import Family, converse
from homing.client.lan.server import set_members
from homing.client.remote import Line
from homing.client.update import update
from homing.core.addresses import Address, parse_address
from homing.core.values import replace
from homing.protocols import signed_client
from homing.protocols.asking import Heard, Kind, Reply
from homing.runtimes.agent.jobs import do_send
from homing.settings.client import ClientSettings, Source
from tests.client.agent_world import HOUR, POOL_4, POOL_6, World
from tests.client.servers import Scripted, answer
from tests.client.test_lan_server import move

if TYPE_CHECKING:
    from pathlib import Path

    from homing.client.agent.values import RecordType

NAME, OTHER = "cam.home.example", "nas.home.example"
V4, V6 = parse_address("203.0.113.7"), parse_address("2001:db8::7")
SENT: list[tuple[Family, Address]] = [(4, V4), (6, V6)]
PLAN = Plan(names=(NAME,), server="signed https://ddns.example.com", looks_are_free=True, final_wait=HOUR)


def outcome(name: str, address: Address, said: str = "updated") -> dict[str, Any]:
    kind = "A" if address.version == 4 else "AAAA"
    return {"hostname": name + ".", "record_type": kind, "outcome": said, "address": str(address)}


def body(*outcomes: dict[str, Any]) -> str:
    return json.dumps({"outcomes": outcomes})


def v2(message: str, status: str = "success") -> str:
    return json.dumps({"return_message": message, "return_status": status})


def account(url: str, *names: str, **options: Any) -> ClientSettings:
    typed: dict[str, Any] = {"ipv4": Source("address", str(V4)), "ipv6": Source("address", str(V6))}
    return ClientSettings(server=url, names=names, secret="s3cret", **typed, **options)


# --- what the answer means


def test_a_type_without_an_outcome_beside_one_that_has_one_is_skipped() -> None:
    heard = Heard(200, (), body(outcome(NAME, V4), outcome(OTHER, V4), outcome(OTHER, V6)).encode())
    reply = signed_client.read_answer(heard, {name + ".": {4: V4, 6: V6} for name in (NAME, OTHER)})
    skipped = [host for host in reply.hosts if host.kind is Kind.SKIPPED]
    assert [(one.hostname, one.family, one.text) for one in skipped] == [(NAME + ".", 6, "the host has no AAAA record")]
    assert reply.kind is Kind.UPDATED
    alone = signed_client.read_answer(heard, {"tv.home.example.": {4: V4, 6: V6}})
    assert alone.kind is Kind.NOT_A_SERVER


def test_an_update_says_so_in_its_row_and_is_done() -> None:
    with Scripted(answer(body(outcome(NAME, V4), outcome(OTHER, V6)))) as server:
        result = update(account(server.url, NAME, OTHER))
    assert [(row.hostname, row.record_type, row.address, row.outcome) for row in result.rows] == [
        (NAME, "A", str(V4), "updated"),
        (NAME, "AAAA", None, "skipped"),
        (OTHER, "A", None, "skipped"),
        (OTHER, "AAAA", str(V6), "updated"),
    ]
    assert [row.text for row in result.rows if row.address is None] == [
        "the host has no AAAA record",
        "the host has no A record",
    ]
    assert all(row.is_good for row in result.rows)


def test_the_agent_is_told_of_which_name_it_is() -> None:
    with Scripted(answer(body(outcome(NAME, V4), outcome(OTHER, V4, "unchanged"), outcome(OTHER, V6)))) as server:
        event: Any = do_send(Send(7, (NAME, OTHER), (V4, V6)), account(server.url, NAME, OTHER), lambda: True)
    assert event.verdict == "updated"
    assert event.lacking == {NAME: ("AAAA",)}
    assert {name: verdict for name, (verdict, _) in event.names.items()} == {NAME: "updated", OTHER: "updated"}


def test_a_member_of_a_group_that_has_lost_a_type_is_skipped() -> None:
    with Scripted(answer(body(outcome(NAME, V4)))) as server:
        rows, _ = set_members(account(server.url, NAME), [move(NAME + ".", str(V4)), move(NAME + ".", str(V6))], Line())
    assert [(row.record_type, row.outcome) for row in rows] == [("A", "updated"), ("AAAA", "skipped")]


@pytest.mark.parametrize("order", [1, -1])
def test_awslabs_row_that_is_not_there_beside_one_that_is_set_is_skipped(order: int) -> None:
    def play(*answers: str) -> Reply:
        conversation = converse(account("https://s", NAME, protocol="awslabs"), [NAME], dict(SENT[::order]), lambda: 0)
        parts = iter(answers)
        try:
            next(conversation)
            while True:
                conversation.send(Heard(200, (), next(parts).encode()))
        except StopIteration as end:
            reply: Reply = end.value
            return reply

    no_row = v2("There was an issue finding or reading the DyanmoDB config item for cam.home.example.", "fail")
    told, done = [v2(str(one)) for _, one in SENT[::order]], v2("Your hostname record has been set")
    reply = play(told[0], done, told[1], no_row)
    assert reply.kind is Kind.UPDATED
    assert [(host.kind, host.family) for host in reply.hosts] == [
        (Kind.UPDATED, SENT[::order][0][0]), (Kind.SKIPPED, SENT[::order][1][0]),
    ]  # fmt: skip
    assert play(told[0], no_row, told[1], no_row).kind is Kind.REFUSED
    assert play(told[0], done, told[1], v2("locked", "fail")).kind is Kind.REFUSED


def is_cached_after(body: str, folder: Path) -> bool:
    """Tell whether AAAA is believed to be set after this answer to both."""
    with Scripted(answer(body)) as server:
        settings = account(server.url, NAME, protocol="dyndns2", username="u")
        cache = Cache(folder / "client.json")
        update(settings, cache=cache, now=lambda: 1000.0)
    return cache.holds(key_of(settings, NAME, "AAAA"), V6, 1001.0, 60)


def test_duckdns_that_says_no_ipv6_address_has_set_none() -> None:
    with Scripted(answer(f"OK\n{V4}\n\nUPDATED")) as server:
        rows = update(account(server.url, "me", protocol="duckdns")).rows
    assert [(row.record_type, row.outcome) for row in rows] == [("A", "updated"), ("AAAA", "skipped")]


def test_an_answer_of_dyndns2_about_one_family_only_is_told_as_such(tmp_path: Path) -> None:
    with Scripted(answer(f"good {V4}\n")) as server:
        settings = account(server.url, NAME, protocol="dyndns2", username="u")
        rows = update(settings).rows
        event: Any = do_send(Send(7, (NAME,), (V4, V6)), settings, lambda: True)
    assert [(row.record_type, row.outcome, "other family" in row.text) for row in rows] == [
        ("A", "updated", False), ("AAAA", "skipped", True),
    ]  # fmt: skip
    assert event.unsaid == {NAME: ("AAAA",)}
    assert not is_cached_after(f"good {V4}\n", tmp_path)
    assert is_cached_after("good\n", tmp_path)
    assert is_cached_after(f"good {V4}\ngood {V6}\n", tmp_path)
    with Scripted(answer("good\n")) as server:
        event = do_send(Send(7, (NAME,), (V4, V6)), replace(settings, server=server.url), lambda: True)
    assert event.unsaid == {}


# --- what the agent does


class OnlyA(World):
    """A server whose host has no AAAA record, until it is given one: such a request without the other is refused."""

    has_aaaa = False

    def receive(self, number: int, names: tuple[str, ...], addresses: tuple[Address, ...]) -> None:
        if self.has_aaaa:
            super().receive(number, names, addresses)
            return
        self.sends += [(self.time, name, addresses) for name in names]
        good = tuple([one for one in addresses if one.version == 4])
        for name in names:
            self.hold(name, good)
        if good:
            lacking: tuple[RecordType, ...] = () if good == addresses else ("AAAA",)
            self.reply(0.1, Answered(number, "updated", lacking=dict.fromkeys(names, lacking)))
        else:
            self.reply(0.1, Answered(number, "refused", "no_such_host", is_final=True))


def started(plan: Plan = PLAN) -> OnlyA:
    world = OnlyA(1, plan)
    world.start()
    world.run_until(30)
    assert [addresses for _, _, addresses in world.sends] == [(POOL_4[0], POOL_6[0])]
    return world


def sent(world: World) -> list[tuple[Address, ...]]:
    return [addresses for _, _, addresses in world.sends]


def test_it_is_right_with_the_one_and_asks_for_the_other_once_a_day() -> None:
    world = started()
    assert world.state is not None
    assert world.state.names[0].is_shown
    assert world.pings[-1][1]
    world.run_until(20 * HOUR)
    assert len(world.sends) == 1
    world.run_until(60 * HOUR)
    assert sent(world)[1:] == [(POOL_4[0], POOL_6[0])] * 2
    assert "failure" not in world.told


def test_only_what_the_host_has_follows_the_machine() -> None:
    world = started()
    world.change_address((POOL_4[0], POOL_6[1]))
    world.run_until(HOUR)
    world.change_address((POOL_4[1], POOL_6[2]))
    world.run_until(2 * HOUR)
    assert sent(world)[1:] == [(POOL_4[1],)]
    world.change_address((POOL_6[2],))
    world.run_until(3 * HOUR)
    world.change_address((POOL_4[2], POOL_6[2]))
    world.run_until(4 * HOUR)
    assert sent(world)[2:] == [(POOL_4[2],)]
    assert world.told.count("failure") == 0
    assert all(is_well for _, is_well in world.pings)


def test_a_family_that_the_machine_gets_later_goes_with_the_other_lest_it_be_refused() -> None:
    world = OnlyA(1, PLAN)
    world.addresses = (POOL_4[0],)
    world.start()
    world.run_until(HOUR)
    world.change_address((POOL_4[0], POOL_6[0]))
    world.run_until(2 * HOUR)
    assert sent(world) == [(POOL_4[0],), (POOL_4[0], POOL_6[0])]
    assert "failure" not in world.told


def test_a_record_that_the_operator_has_added_is_set_when_the_owner_says_so_or_after_a_start() -> None:
    for act in (World.force, World.reload, World.reboot):
        world = started()
        world.has_aaaa = True
        act(world)
        world.run_until(120)
        assert world.held[NAME, "AAAA"] == POOL_6[0], act
        assert sent(world)[1:] == [(POOL_4[0], POOL_6[0])]


def test_after_a_start_it_is_asked_for_once() -> None:
    world = started()
    world.reboot()
    world.run_until(10 * HOUR)
    assert sent(world)[1:] == [(POOL_4[0], POOL_6[0])]
    assert "failure" not in world.told


def test_names_that_lack_different_types_are_each_right() -> None:
    world = started(replace(PLAN, names=(NAME,), sends_whole=True))
    world.change_address((POOL_4[1], POOL_6[1]))
    world.run_until(HOUR)
    assert sent(world)[1:] == [(POOL_4[1],)]


class Silent(World):
    """A server that says nothing of AAAA, and has no such record."""

    def receive(self, number: int, names: tuple[str, ...], addresses: tuple[Address, ...]) -> None:
        self.sends += [(self.time, name, addresses) for name in names]
        for name in names:
            self.hold(name, tuple([one for one in addresses if one.version == 4]))
        self.reply(0.1, Answered(number, "updated", unsaid=dict.fromkeys(names, ("AAAA",))))


def test_what_an_answer_says_nothing_of_and_dns_never_shows_is_no_record_of_the_host() -> None:
    world = Silent(1, replace(PLAN, sends_whole=True))
    world.start()
    world.run_until(2 * HOUR)
    assert len(world.sends) == 1
    assert "failure" not in world.told
    assert world.pings[-1][1]
    world.change_address((POOL_4[1], POOL_6[1]))
    world.run_until(3 * HOUR)
    assert sent(world)[1:] == [(POOL_4[1],)]
