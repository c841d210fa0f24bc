"""How much may change: rows in one request, and changes of one RRset in a minute."""

from __future__ import annotations

import pytest

from homing.core.errors import Conflict
from homing.core.limits import Rate
from homing.core.names import Name
from homing.core.outcomes import Outcome
from tests.app.builders import (
    CAM,
    SECRET,
    TV,
    basic,
    fail_with,
    make_host,
    make_world,
)
from tests.conformance.publisher_contract import ZONE


@pytest.mark.parametrize("count", [90, 91])
def test_a_request_changes_at_most_90_rows(count: int) -> None:
    names = [Name(f"h{number}.{ZONE}") for number in range(count)]
    world = make_world(*(make_host(name) for name in names))
    answer = world.service.update(basic(SECRET, *names, to=["1.1.1.1"], username=names[0]))
    assert answer.outcome is (Outcome.UPDATED if count == 90 else Outcome.MALFORMED)
    assert world.shown(names[-1]) == ("1.1.1.1" if count == 90 else None)


def test_changes_have_a_budget_and_polls_have_none() -> None:
    world = make_world(make_host(), make_host(record_type="AAAA"), change_rate=Rate(burst=3, per_second=0.1))
    for number in range(3):
        assert world.service.update(basic(SECRET, CAM, to=[f"1.1.1.{number}"])).outcome is Outcome.UPDATED
    limited = world.service.update(basic(SECRET, CAM, to=["1.1.1.9"]))
    assert (limited.outcome, limited.retry_after) == (Outcome.UNAVAILABLE, 10)
    for _ in range(50):
        assert world.service.update(basic(SECRET, CAM, to=["1.1.1.2"])).outcome is Outcome.UNCHANGED
    assert world.service.update(basic(SECRET, CAM, to=["2a00::1"])).outcome is Outcome.UPDATED
    world.clock.time += 10
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.9"])).outcome is Outcome.UPDATED


def test_a_stranger_spends_nothing_of_the_budget() -> None:
    world = make_world(make_host(), change_rate=Rate(burst=1, per_second=0.1))
    for _ in range(9):
        world.service.update(basic("wrong", CAM, to=["6.6.6.6"]))
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1"])).outcome is Outcome.UPDATED


def test_conflicts_spend_nothing_of_the_budget() -> None:
    world = make_world(make_host(), change_rate=Rate(burst=3, per_second=0.1))
    world.store.before_commit = fail_with(Conflict("moved"), times=5)
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1"])).outcome is Outcome.UPDATED


def test_a_host_whose_budget_is_spent_spends_nothing_of_the_others() -> None:
    world = make_world(make_host(), make_host(TV), change_rate=Rate(burst=2, per_second=0.001))
    for number in range(2):
        assert world.service.update(basic(SECRET, CAM, to=[f"1.1.1.{number}"])).outcome is Outcome.UPDATED
    for _ in range(9):
        assert world.service.update(basic(SECRET, CAM, TV, to=["1.1.1.9"])).outcome is Outcome.UNAVAILABLE
    assert world.service.update(basic(SECRET, TV, username=TV, to=["1.1.1.8"])).outcome is Outcome.UPDATED
