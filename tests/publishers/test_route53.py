"""The publisher of Route 53: what it sends, and what it makes of a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.aws.errors import ServiceError
from homing.core.errors import Drifted, Rejected, Unreachable
from homing.core.names import Name
from homing.core.records import RRset, RRsetChange
from tests.conformance.publisher_contract import ZONE
from tests.publishers.route53_world import World, address, creations, key, make_world

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from homing.aws.route53 import Change

ONE, TWO, THREE = address(1), address(2), address(3)
CAM, CAM6, TV, NEW = key("cam"), key("cam", "AAAA"), key("tv"), key("new")
REFUSED = "InvalidChangeBatch"


# --- what is sent


def test_a_change_is_one_call_and_no_read() -> None:
    world = make_world()
    world.seed(CAM, ONE)
    world.publisher.publish(ZONE, [RRsetChange(CAM, ONE, TWO), RRsetChange(TV, None, TWO)])
    assert world.calls() == ["ok"]
    assert world.publisher.read(ZONE, [CAM, TV]) == {CAM: TWO, TV: TWO}


def test_never_an_upsert() -> None:
    world = make_world()
    sent = tap(world)
    world.publisher.publish(ZONE, [RRsetChange(CAM, None, ONE)])
    world.publisher.publish(ZONE, [RRsetChange(CAM, ONE, TWO)])
    world.publisher.publish(ZONE, [RRsetChange(CAM, TWO, None)])
    assert [[change.action for change in batch] for batch in sent] == [["CREATE"], ["DELETE", "CREATE"], ["DELETE"]]


def test_what_is_believed_to_be_there_already_is_made_sure_of_in_the_same_call() -> None:
    world = make_world()
    world.seed(CAM, ONE)
    world.publisher.publish(ZONE, [RRsetChange(CAM, ONE, ONE), RRsetChange(TV, None, TWO)])
    assert world.calls() == ["ok"]
    world.seed(CAM, THREE)
    with pytest.raises(Drifted) as caught:
        world.publisher.publish(ZONE, [RRsetChange(CAM, ONE, ONE)])
    assert caught.value.held == {CAM: THREE}


def test_what_is_believed_to_be_gone_already_is_made_sure_of() -> None:
    world = make_world()
    world.publisher.publish(ZONE, [RRsetChange(CAM, None, None)])
    assert world.calls() == ["list"]
    world.seed(CAM, THREE)
    with pytest.raises(Drifted) as caught:
        world.publisher.publish(ZONE, [RRsetChange(CAM, None, None), RRsetChange(TV, None, ONE)])
    assert caught.value.held == {CAM: THREE}
    assert world.publisher.read(ZONE, [TV]) == {TV: None}


def test_two_changes_of_one_key_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="one change a key"):
        make_world().publisher.publish(ZONE, [RRsetChange(CAM, None, ONE), RRsetChange(CAM, ONE, TWO)])


def test_what_is_reserved_is_rejected_unsent() -> None:
    world = make_world(reserved={CAM.name})
    with pytest.raises(Rejected):
        world.publisher.publish(ZONE, [RRsetChange(TV, None, ONE), RRsetChange(CAM, None, ONE)])
    assert world.calls() == []


def test_a_zone_without_an_id_is_for_the_operator() -> None:
    with pytest.raises(Unreachable, match=r"other\.example"):
        make_world().publisher.publish(Name("other.example."), [RRsetChange(CAM, None, ONE)])


# --- how much fits


def test_a_full_batch_is_taken_by_the_strict_fake() -> None:
    world = make_world()
    keys = [key(f"h{number}") for number in range(500)]
    for at in keys:
        world.seed(at, ONE)
    changes = [RRsetChange(at, ONE, TWO) for at in keys]
    assert world.publisher.count_fitting(changes) == 500
    world.publisher.publish(ZONE, changes)
    assert world.calls() == ["ok"]


def test_more_than_fits_is_rejected_unsent_so_that_it_is_halved() -> None:
    world = make_world()
    with pytest.raises(Rejected):
        world.publisher.publish(ZONE, creations([key(f"h{number}") for number in range(1001)], ONE))
    assert world.calls() == []


# --- drift


def test_only_what_the_refusal_names_is_read() -> None:
    world = make_world()
    world.seed(TV, THREE)
    for number in range(400):
        world.seed(key(f"h{number}", "AAAA"), RRset(60, ("2001:db8::1",)))  # several pages, were all of them read
    batch = creations([key(f"h{number}") for number in range(400)], ONE)
    with pytest.raises(Drifted) as caught:
        world.publisher.publish(ZONE, [*batch, RRsetChange(TV, None, ONE)])
    assert caught.value.held == {TV: THREE}
    assert world.calls() == [REFUSED, "list"]


def test_a_refusal_that_names_a_value_only_is_looked_into_where_the_value_is() -> None:
    world = make_world()
    for number in range(400):
        world.seed(key(f"h{number}", "AAAA"), RRset(60, ("2001:db8::1",)))
    batch = creations([key(f"h{number}") for number in range(400)], ONE)
    with pytest.raises(Rejected, match=r"1\.2\.3\.999"):
        world.publisher.publish(ZONE, [*batch, RRsetChange(TV, None, RRset(60, ("1.2.3.999",)))])
    assert world.calls() == [REFUSED, "list"] * 2


def test_what_is_there_already_is_left_out_and_the_rest_is_sent() -> None:
    world = make_world()
    world.seed(TV, ONE)
    world.publisher.publish(ZONE, creations([CAM, TV, NEW], ONE))
    assert world.calls() == [REFUSED, "list", "ok"]


def test_where_nothing_is_left_nothing_is_sent() -> None:
    world = make_world()
    world.seed(TV, ONE)
    world.publisher.publish(ZONE, [RRsetChange(TV, TWO, ONE), RRsetChange(CAM, TWO, None)])
    assert world.calls() == [REFUSED, "list"]


def test_a_refusal_that_names_nothing_has_all_of_it_read() -> None:
    world = make_world()
    world.seed(TV, THREE)
    garble(world, lambda _: "No.")
    with pytest.raises(Drifted) as caught:
        world.publisher.publish(ZONE, creations([CAM, TV, NEW], ONE))
    assert caught.value.held == {TV: THREE}


def test_refusals_that_name_one_key_at_a_time_still_end() -> None:
    """The API reference does not promise that all reasons are told."""
    world = make_world()
    keys = [key(f"h{number:03}") for number in range(100)]
    for at in keys:
        world.seed(at, THREE)
    garble(world, lambda message: message.split(" but ")[0])
    held: dict[Any, Any] = dict.fromkeys(keys)
    for _ in range(3):
        try:
            world.publisher.publish(ZONE, [RRsetChange(at, held[at], ONE) for at in keys])
        except Drifted as drifted:
            held |= drifted.held
    assert world.publisher.read(ZONE, keys) == dict.fromkeys(keys, ONE)


@pytest.mark.parametrize("after", [RRset(60, ("2001:db8::2",)), None])
def test_an_address_that_somebody_wrote_otherwise_is_deleted_as_they_wrote_it(after: RRset | None) -> None:
    world = make_world()
    world.seed(CAM6, RRset(60, ("2001:DB8:0:0::1",)))
    before = world.publisher.read(ZONE, [CAM6])[CAM6]
    assert before == RRset(60, ("2001:db8::1",))
    world.publisher.publish(ZONE, [RRsetChange(CAM6, before, after)])
    assert world.publisher.read(ZONE, [CAM6]) == {CAM6: after}


def test_an_address_that_is_there_in_other_words_is_adopted() -> None:
    world = make_world()
    world.seed(CAM6, RRset(60, ("2001:DB8:0:0::1",)))
    world.publisher.publish(ZONE, [RRsetChange(CAM6, None, RRset(60, ("2001:db8::1",)))])
    held = world.held(CAM6)
    assert held is not None
    assert held.values == ("2001:DB8:0:0::1",)


def test_values_in_another_order_are_the_same() -> None:
    world = make_world()
    world.seed(CAM, RRset(60, ("192.0.2.9", "192.0.2.10", "192.0.2.1")))
    held = RRset(60, ("192.0.2.1", "192.0.2.10", "192.0.2.9"))
    assert world.publisher.read(ZONE, [CAM]) == {CAM: held}
    world.publisher.publish(ZONE, [RRsetChange(CAM, None, held)])
    world.publisher.publish(ZONE, [RRsetChange(CAM, held, ONE)])
    assert world.publisher.read(ZONE, [CAM]) == {CAM: ONE}


def test_what_a_row_says_in_other_words_is_the_same() -> None:
    world = make_world()
    world.seed(CAM6, RRset(60, ("2001:db8::1",)))
    world.publisher.publish(ZONE, [RRsetChange(CAM6, RRset(60, ("2001:DB8::1",)), RRset(60, ("2001:db8::2",)))])
    world.publisher.publish(ZONE, [RRsetChange(CAM6, None, RRset(60, ("2001:DB8::2",)))])
    assert world.publisher.read(ZONE, [CAM6]) == {CAM6: RRset(60, ("2001:db8::2",))}


# ---


def tap(world: World) -> list[Sequence[Change]]:
    """Return a list that every batch is appended to when it is sent."""
    sent: list[Sequence[Change]] = []
    client: Any = world.publisher._route53.client
    change = client.change

    def noted(zone_id: str, changes: Sequence[Change], timeout: float) -> Any:
        sent.append(changes)
        return change(zone_id, changes, timeout)

    client.change = noted
    return sent


def garble(world: World, rewrite: Any) -> None:
    """Have Route 53 say something else when it refuses."""
    client: Any = world.publisher._route53.client
    change = client.change

    def garbled(zone_id: str, changes: Sequence[Change], timeout: float) -> Any:
        try:
            return change(zone_id, changes, timeout)
        except ServiceError as error:
            raise ServiceError(error.code, rewrite(error.message), error.status) from None

    client.change = garbled
