"""What the agent does when the address changes while a question is out: it goes on at once, and looks again later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from homing.client.agent.values import Answered, Look
from homing.core.values import replace
from tests.client.agent_world import HOUR, POOL_4, POOL_6, World
from tests.client.test_agent import DYN, NAME, PLAN, sent, settled

if TYPE_CHECKING:
    from homing.client.agent.values import Action
    from homing.core.addresses import Address


class Slow(World):
    """A server whose requests take as long as the test says; None is for ever."""

    def __init__(self, *delays: float | None, **changes: Any) -> None:
        super().__init__(1, replace(PLAN, **changes))
        self.delays = list(delays)
        self.numbers: list[int] = []

    def receive(self, number: int, names: tuple[str, ...], addresses: tuple[Address, ...]) -> None:
        self.numbers.append(number)
        if self.fault != "slow":
            super().receive(number, names, addresses)
            return
        for name in names:
            self.sends.append((self.time, name, addresses))
        delay = self.delays.pop(0) if self.delays else None
        if delay is not None:
            self.later(delay, lambda: self.hold(NAME, addresses))


def changed_twice(world: World, *, gap: float = 0.5) -> World:
    """Settle, change, and change again while the first change is being sent."""
    world.start()
    world.run_until(30)
    world.fault = "slow"
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(30 + gap)
    world.fault = None
    world.change_address((POOL_4[2], POOL_6[0]))
    world.run_until(33)
    return world


def test_an_address_that_changes_again_while_it_is_sent_is_sent_at_once() -> None:
    world = changed_twice(Slow())
    assert sent(world)[1:] == [(POOL_4[1],), (POOL_4[2],)]
    assert world.sends[-1][0] < 31.5
    assert world.abandoned == 1
    asked = [time for time, _ in world.questions if 30.5 <= time < world.sends[-1][0]]
    assert not asked, "DNS would not be believed anyway"
    assert world.state is not None
    assert world.state.gate.failures == 0
    assert world.held[NAME, "A"] == POOL_4[2]
    world.run_until(2 * HOUR)
    assert len(world.sends) == 3


def test_a_request_that_arrives_after_the_next_is_put_right_when_that_cannot_be_any_more() -> None:
    world = changed_twice(Slow(20.0))
    world.run_until(52)
    assert world.held[NAME, "A"] == POOL_4[1]
    world.run_until(30 + 130)
    assert world.held[NAME, "A"] == POOL_4[2]
    world.run_until(3 * HOUR)
    assert len(world.sends) == 4


def test_a_request_that_was_given_up_is_not_believed_to_be_lost() -> None:
    """Back to the old address, which DNS still shows: the server may have taken the one between."""
    world = Slow(1.0)
    world.start()
    world.run_until(HOUR)
    world.fault = "slow"
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(HOUR + 0.5)
    world.fault, world.lag = None, 200.0
    world.change_address((POOL_4[0], POOL_6[0]))
    world.run_until(HOUR + 10)
    assert sent(world)[1:] == [(POOL_4[1],), (POOL_4[0],)]


@pytest.mark.parametrize("addresses", [(POOL_4[1],), (POOL_4[1], POOL_6[0])])
def test_a_family_that_comes_or_goes_leaves_what_is_being_sent_alone(addresses: tuple[Address, ...]) -> None:
    world = Slow()
    world.addresses = (POOL_4[0],) if len(addresses) == 2 else (POOL_4[0], POOL_6[0])
    world.start()
    world.run_until(30)
    world.fault = "slow"
    world.change_address((POOL_4[1], *world.addresses[1:]))
    world.run_until(30.5)
    world.change_address(addresses)
    world.run_until(35)
    assert world.abandoned == 0
    assert len(world.sends) == 2


def test_giving_up_takes_from_what_may_be_sent() -> None:
    world = Slow()
    world.start()
    world.run_until(30)
    world.fault = "slow"
    for n in range(40):
        world.at(31 + 2 * n, lambda n=n: world.change_address((POOL_4[n % 2], POOL_6[0])))  # type: ignore[misc]
    world.run_until(120)
    assert len(world.sends) <= 7
    world.check_rate()
    assert not world.wrongs


# --- an answer that comes after all


def given_up(plan: Any = PLAN) -> tuple[World, int]:
    """Return a world whose last send was given up, and is not followed by another: the bucket is empty."""
    world = settled(plan)
    world.fault = "deaf"
    state = world.state
    assert state is not None
    empty = replace(state.names[0], sends=replace(state.names[0].sends, level=1.0, at=world.moment.now))
    world.state = replace(state, names=(empty,))
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(31)
    number = max(one.number for one in [world.state.flight] if one is not None)
    world.fault = None
    world.change_address((POOL_4[2], POOL_6[0]))
    world.run_until(33)
    assert world.abandoned == 1
    assert len(world.sends) == 2
    return world, number


def test_a_wait_that_is_asked_for_in_an_answer_that_comes_late_is_kept() -> None:
    world, number = given_up()
    world.event(Answered(number, "try-later", "911", 1800.0))
    world.run_until(33 + 1790)
    assert len(world.sends) == 2
    world.run_until(33 + 2100)
    assert world.held[NAME, "A"] == POOL_4[2]


def test_a_final_refusal_that_comes_late_stops_the_name() -> None:
    world, number = given_up(DYN)
    world.event(Answered(number, "refused", "nohost", is_final=True))
    world.run_until(24 * HOUR)
    assert len(world.sends) == 2
    assert world.told[-1] == "failure"


def test_a_refusal_that_comes_after_a_later_request_was_taken_says_nothing() -> None:
    world, number = given_up(DYN)
    world.run_until(300)
    assert world.held[NAME, "A"] == POOL_4[2]
    world.event(Answered(number, "refused", "nohost", is_final=True))
    assert world.state is not None
    assert world.state.names[0].stopped is None


# --- looks


class DeadLooks(World):
    """A server that tells the address to every look but the second."""

    looks = 0

    def act(self, action: Action) -> None:
        self.looks += isinstance(action, Look)
        if not isinstance(action, Look) or self.looks != 2:
            super().act(action)


def test_a_look_that_is_out_while_the_network_changes_is_given_up() -> None:
    world = DeadLooks(1, replace(PLAN, looks_are_free=False))
    world.start()
    world.run_until(30)
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(31)
    world.change_address((POOL_4[2], POOL_6[0]))
    world.run_until(33)
    assert (world.looks, world.abandoned) == (3, 1)
    assert sent(world)[1:] == [(POOL_4[2],)]


def test_looks_that_the_tables_answer_cost_nothing() -> None:
    world = World(1, replace(PLAN, looks_are_free=False))
    world.has_tables = True
    world.start()
    world.run_until(30)
    assert world.state is not None
    for n in range(12):
        world.at(31 + n, world.event_network)
    world.run_until(45)
    assert world.state.looks.filled(world.moment.now).level == world.state.looks.burst
