"""The publisher of Route 53 when AWS is slow, busy or gone: it repeats within its time, and then says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from local_aws.route53 import Fault, Limits, Rate

from homing.aws.budget import Deadline
from homing.aws.errors import NoAnswer, ServiceError
from homing.core.errors import Drifted, PublishError, Throttled, Unreachable
from homing.core.names import Name
from homing.core.records import RRsetChange
from tests.conformance.publisher_contract import ZONE
from tests.publishers.route53_world import World, address, creations, key, make_world
from tests.publishers.test_pacing import most_within_a_second

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ONE, TWO, THREE = address(1), address(2), address(3)
CAM = key("cam")
SWAP = [RRsetChange(CAM, ONE, TWO)]
BUSY = [Fault.THROTTLE, Fault.PRIOR_REQUEST, Fault.SERVER_ERROR, Fault.UNAVAILABLE, Fault.RESET]


def swapping(**options: Any) -> World:
    world = make_world(**options)
    world.seed(CAM, ONE)
    return world


def replace_change(world: World, change: Callable[..., str]) -> None:
    """Have this in place of AWS."""
    client: Any = world.publisher._route53.client
    client.change = change


def replace_list(world: World, list_page: Callable[..., object]) -> None:
    client: Any = world.publisher._route53.client
    client.list = list_page


@pytest.mark.parametrize("fault", [*BUSY, Fault.LOST_ANSWER, Fault.ERROR_AFTER])
def test_what_is_only_not_now_is_repeated(fault: Fault) -> None:
    world = swapping()
    world.fake.faults.force(fault, fault)
    world.publisher.publish(ZONE, SWAP)
    assert world.publisher.read(ZONE, [CAM]) == {CAM: TWO}


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.SERVER_ERROR, Fault.RESET])
def test_a_read_is_repeated_as_well(fault: Fault) -> None:
    world = swapping()
    world.fake.faults.force(fault, fault, operation=None)
    assert world.publisher.read(ZONE, [CAM]) == {CAM: ONE}


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.THROTTLE, Throttled), (Fault.PRIOR_REQUEST, Throttled), (Fault.SERVER_ERROR, Unreachable),
     (Fault.RESET, Unreachable)],
)  # fmt: skip
@pytest.mark.parametrize("budget", [4.0, 45.0])
def test_it_gives_up_when_its_time_is_over(fault: Fault, error: type[PublishError], budget: float) -> None:
    world = swapping(budget_seconds=budget, attempt_seconds=1.0)
    world.fake.faults.force(*[fault] * 1000)
    began = world.clock.time
    with pytest.raises(error):
        world.publisher.publish(ZONE, SWAP)
    assert budget / 3 < world.clock.time - began <= budget
    assert 2 < len(world.calls()) < 40


def test_the_waits_are_drawn_from_bounds_that_double() -> None:
    world = swapping()
    world.fake.faults.force(*[Fault.THROTTLE] * 6)
    world.publisher.publish(ZONE, SWAP)
    assert world.clock.naps == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0])


def test_an_answer_that_was_lost_after_success_is_success() -> None:
    world = swapping()
    world.fake.faults.force(Fault.LOST_ANSWER)
    world.publisher.publish(ZONE, SWAP)
    assert world.calls() == ["ok", "InvalidChangeBatch", "list"]


def test_an_answer_that_was_lost_and_a_newer_change_since_is_drift() -> None:
    world = swapping()
    world.fake.faults.force(Fault.LOST_ANSWER)
    moves: list[Callable[[], None]] = [lambda: None, lambda: world.seed(CAM, THREE)]
    world.transport.before = lambda: moves.pop(0)() if moves else None
    with pytest.raises(Drifted) as caught:
        world.publisher.publish(ZONE, SWAP)
    assert caught.value.held == {CAM: THREE}


@pytest.mark.parametrize("then", [Fault.THROTTLE, Fault.PRIOR_REQUEST])
@pytest.mark.parametrize("lost", [Fault.LOST_ANSWER, Fault.RESET, Fault.ERROR_AFTER, Fault.SERVER_ERROR])
def test_who_hears_of_throttling_may_rely_on_that_nothing_was_done(lost: Fault, then: Fault) -> None:
    world = swapping(attempt_seconds=1.0)
    world.fake.faults.force(lost, *[then] * 1000)
    with pytest.raises(Unreachable):
        world.publisher.publish(ZONE, SWAP)


def test_a_pace_that_is_used_up_after_a_lost_answer_is_no_promise_either() -> None:
    world = swapping(pace=(0.05, 0), attempt_seconds=1.0, budget_seconds=10.0)
    world.fake.faults.force(Fault.LOST_ANSWER)
    with pytest.raises(Unreachable):
        world.publisher.publish(ZONE, SWAP)


def test_a_refusal_that_came_back_over_a_connection_made_anew_is_in_doubt() -> None:
    world = swapping(budget_seconds=2.0)

    def refuse(*_: object) -> str:
        raise ServiceError("Throttling", "Rate exceeded", 400, repeated=True)

    replace_change(world, refuse)
    with pytest.raises(Unreachable):
        world.publisher.publish(ZONE, SWAP)


def test_what_never_arrived_is_not_in_doubt() -> None:
    world = swapping(budget_seconds=2.0)
    errors: list[Exception] = [NoAnswer("refused", may_have_arrived=False)]

    def refuse(*_: object) -> str:
        raise errors.pop() if errors else ServiceError("Throttling", "Rate exceeded", 400)

    replace_change(world, refuse)
    with pytest.raises(Throttled):
        world.publisher.publish(ZONE, SWAP)


@pytest.mark.parametrize(
    "code", ["AccessDenied", "NoSuchHostedZone", "InvalidClientTokenId", "ExpiredToken", "NewCode"]
)
def test_what_is_for_the_operator_quarantines_no_host_and_is_said_at_once(code: str) -> None:
    world = swapping()
    calls = []

    def refuse(*_: object) -> str:
        calls.append(1)
        raise ServiceError(code, "no", 403)

    replace_change(world, refuse)
    with pytest.raises(Unreachable, match=f"{world.zone_id}.*{code}"):
        world.publisher.publish(ZONE, SWAP)
    assert len(calls) == 1


def test_a_zone_id_that_cannot_be_one_quarantines_no_host() -> None:
    world = make_world()
    world.publisher._zone_ids = {ZONE: "Z0NOTTHERE"}
    with pytest.raises(Unreachable, match="NoSuchHostedZone"):
        world.publisher.publish(ZONE, SWAP)

    def refuse(*_: object) -> str:
        raise ServiceError("InvalidInput", "1 validation error detected", 400)

    replace_change(world, refuse)
    replace_list(world, refuse)
    with pytest.raises(Unreachable, match="zone id"):
        world.publisher.publish(ZONE, SWAP)


# --- the pace, and the end of time


def test_every_call_waits_for_the_pace() -> None:
    world = make_world(pace=(10, 0), limits=Limits(requests=Rate(10, 1.01)))
    keys = [key(f"h{number:04}") for number in range(40)]
    for at in keys:
        world.publisher.publish(ZONE, creations([at], ONE))
        world.publisher.read(ZONE, [at])
    assert most_within_a_second(world.transport.sent_at) == 10
    assert set(world.calls()) == {"ok", "list"}


def test_a_batch_that_is_repeated_is_counted_once() -> None:
    world = swapping(pace=(0, 10), jitter=0.0)
    world.fake.faults.force(*[Fault.THROTTLE] * 5)
    world.publisher.publish(ZONE, SWAP)
    world.publisher.publish(ZONE, [RRsetChange(CAM, TWO, ONE)])
    assert sum(world.clock.naps) == pytest.approx(0.2)


def test_what_the_pace_cannot_do_in_time_is_throttled_unsent() -> None:
    world = swapping(pace=(0, 1), budget_seconds=4.0)
    world.publisher.publish(ZONE, creations([key(f"h{number}") for number in range(30)], ONE))
    with pytest.raises(Throttled) as caught:
        world.publisher.publish(ZONE, SWAP)
    assert caught.value.retry_after == pytest.approx(30)
    assert world.calls() == ["ok"]


def test_nothing_is_begun_after_the_deadline() -> None:
    deadline = Deadline()
    world = swapping(deadline=deadline)
    deadline.at = world.clock.time
    with pytest.raises(Throttled):
        world.publisher.publish(ZONE, SWAP)
    with pytest.raises(Throttled):
        world.publisher.read(ZONE, [CAM])
    assert world.calls() == []


def test_repeating_ends_at_the_deadline() -> None:
    deadline = Deadline()
    world = swapping(deadline=deadline, mark_seconds=1.0)
    world.fake.faults.force(*[Fault.THROTTLE] * 100)
    deadline.at = world.clock.time + 4
    with pytest.raises(Throttled):
        world.publisher.publish(ZONE, SWAP)
    assert world.clock.time <= deadline.at - 1.0


def test_no_attempt_outlasts_the_budget() -> None:
    world = swapping(budget_seconds=4.0, attempt_seconds=10.0)
    world.fake.faults.force(Fault.RESET)  # the caller waits in vain for as long as it says
    began = world.clock.time
    with pytest.raises(Unreachable):
        world.publisher.publish(ZONE, SWAP)
    assert world.clock.time - began == pytest.approx(4.0)


def test_zones_that_are_not_named_are_not_called() -> None:
    with pytest.raises(Unreachable):
        make_world().publisher.read(Name("other.example."), [CAM])
