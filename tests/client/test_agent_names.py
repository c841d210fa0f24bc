"""Several names of one account: what is due together goes in one request, and one bad name keeps no good one wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from homing.client.agent.values import Plan
from homing.core.values import replace
from tests.client.agent_world import HOUR, POOL_4, POOL_6, STRANGERS, World

if TYPE_CHECKING:
    from homing.core.addresses import Address

CAM, NAS, TV, DOOR = NAMES = tuple(f"{one}.home.example" for one in ("cam", "nas", "tv", "door"))
PLAN = Plan(names=NAMES, server="signed https://ddns.example.com", most_names=45, looks_are_free=True, final_wait=HOUR)
DYN = replace(PLAN, server="dyndns2 https://dyn.example", most_names=20, final_wait=None)


def start(plan: Plan = PLAN, **world: Any) -> World:
    made = World(1, plan)
    for name, value in world.items():
        setattr(made, name, value)
    made.start()
    made.run_until(60)
    return made


def asked(world: World, since: float = 0.0) -> list[tuple[str, ...]]:
    return [names for time, names, _ in world.requests if time >= since]


def holds(world: World, *names: str, address: Address = POOL_4[1]) -> bool:
    return all(world.held.get((name, "A")) == address for name in names)


def move(world: World) -> None:
    """Have the IPv4 address change, and follow it for half a minute."""
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(world.time + 30)


def test_a_new_agent_sends_all_names_in_one_request() -> None:
    world = start()
    assert asked(world) == [NAMES]
    assert world.told == ["change"] * 4


def test_a_change_is_one_request_for_all_names() -> None:
    world = start()
    move(world)
    assert asked(world)[1:] == [NAMES]
    assert holds(world, *NAMES)


@pytest.mark.parametrize(("most", "requests"), [(1, 4), (2, 2), (3, 2), (4, 1)])
def test_a_protocol_takes_so_many_names_and_no_more(most: int, requests: int) -> None:
    world = start(replace(PLAN, most_names=most))
    move(world)
    assert len(asked(world, 60)) == requests
    assert holds(world, *NAMES)


def test_dns_that_is_silent_is_asked_once_before_all_are_sent() -> None:
    world = start(is_dns_down=True)
    assert asked(world) == [NAMES]


def test_only_the_names_that_dns_shows_wrong_are_sent() -> None:
    world = World(1, PLAN)
    for name in (CAM, TV):
        for address in world.addresses:
            world.set_held(name, address)
    world.run_until(1)
    world.start()
    world.run_until(HOUR)
    assert asked(world) == [(NAS, DOOR)]


def test_names_that_lack_different_addresses_do_not_share_a_request() -> None:
    world = start()
    world.run_until(HOUR)
    world.set_held(CAM, STRANGERS["A"])
    world.set_held(NAS, STRANGERS["AAAA"])
    world.run_until(2 * HOUR)
    assert {(names, addresses) for _, names, addresses in world.requests[1:]} == {
        ((CAM,), (POOL_4[0],)), ((NAS,), (POOL_6[0],)),
    }  # fmt: skip


def test_a_foreign_name_keeps_no_other_name_wrong() -> None:
    world = start(foreign={NAS})
    assert holds(world, CAM, TV, DOOR, address=POOL_4[0])
    assert asked(world) == [NAMES, (CAM,), (NAS,), (TV, DOOR)]
    assert any(f"{NAS}: refused" in line for line in world.logs)
    assert world.told.count("failure") == 1
    move(world)
    assert asked(world, 60) == [(CAM, TV, DOOR)], "the others go together again"


def test_two_foreign_names_are_both_found() -> None:
    world = start(foreign={NAS, TV})
    assert asked(world) == [NAMES, (CAM,), (NAS,), (TV, DOOR), (TV,), (DOOR,)]
    move(world)
    assert asked(world, 60) == [(CAM, DOOR)]


def test_names_that_the_server_takes_only_by_themselves_are_not_sent_together_again() -> None:
    world = start(takes_lists=False)
    move(world)
    assert asked(world, 60) == [(name,) for name in NAMES]
    world.reload()
    move(world)
    world.force()
    world.run_until(200)
    assert NAMES in asked(world, 120), "the owner may have made a group of them"


def test_a_foreign_name_that_the_owner_has_seen_to_goes_with_the_others_again() -> None:
    world = start(DYN, foreign={NAS})
    world.foreign = set()
    world.reload()
    world.run_until(120)
    assert holds(world, *NAMES, address=POOL_4[0])
    move(world)
    assert asked(world)[-1] == NAMES
    assert not world.wrongs


def test_a_foreign_name_is_tried_by_itself_while_it_is_refused() -> None:
    world = start(foreign={NAS})
    world.run_until(3 * HOUR)
    assert {names for names in asked(world, 60) if NAS in names} == {(NAS,)}
    assert not world.wrongs


def test_a_server_that_answers_name_by_name_is_asked_once() -> None:
    world = start(DYN, foreign={NAS}, tells_apart=True)
    assert asked(world) == [NAMES]
    assert holds(world, CAM, TV, DOOR, address=POOL_4[0])
    world.run_until(48 * HOUR)
    assert asked(world) == [NAMES]


def test_a_wrong_password_is_not_tried_name_by_name() -> None:
    world = start(DYN, fault="final")
    world.run_until(48 * HOUR)
    assert asked(world) == [NAMES]


def test_a_wait_that_comes_with_a_refusal_is_kept_before_names_are_tried_one_by_one() -> None:
    from homing.client.agent.step import step
    from homing.client.agent.values import Answered, Send

    world = World(1, PLAN)
    sent: list[Send] = []
    world.receive = lambda number, names, addresses: sent.append(Send(number, names, addresses))  # type: ignore[method-assign]
    world.start()
    world.run_until(2)
    assert world.state is not None
    answer = Answered(sent[0].number, "refused", "busy", 500.0)
    world.state, _ = step(world.state, world.moment, answer)
    assert all(one.is_alone and one.hold_until >= world.moment.now + 500 for one in world.state.names)


def test_a_lost_answer_leaves_every_name_of_it_in_doubt() -> None:
    world = start(fault="mute")
    world.fault = None
    world.run_until(HOUR)
    assert asked(world) == [NAMES]
    assert world.state is not None
    assert all(one.is_shown for one in world.state.names)


def test_each_name_has_its_own_limit_whoever_it_is_sent_with() -> None:
    world = start(replace(PLAN, checks_dns=False))
    for n in range(30):
        world.change_address((POOL_4[n % 4], POOL_6[0]))
        world.run_until(world.time + 5)
    world.check_rate()
    assert not world.wrongs
