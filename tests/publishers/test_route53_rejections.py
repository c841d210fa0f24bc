"""What the publisher of Route 53 never does: replace what is not ours, and hold up others for what is never taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from local_aws.route53 import Alias, RecordSet

from homing.core.errors import Drifted, Rejected
from homing.core.records import RRset, RRsetChange
from homing.publishers.route53_records import is_plain
from tests.app import builders
from tests.conformance.publisher_contract import ZONE
from tests.publishers.route53_world import World, address, creations, key, make_world

if TYPE_CHECKING:
    from typing import Any

    from homing.core.names import Name

ONE, TWO, THREE = address(1), address(2), address(3)
CAM, TV = key("cam"), key("tv")
REFUSED = "InvalidChangeBatch"


def put(world: World, name: Name, type_: str = "A", **more: Any) -> None:
    world.fake.seed(world.zone_id, RecordSet(name, type_, **more))


@pytest.mark.parametrize(
    "more",
    [
        {"alias": Alias("Z1", "elb.example.")},
        {"set_identifier": "blue", "routing": (("Weight", "1"),), "ttl": 60, "values": ("192.0.2.7",)},
    ],
    ids=["alias", "routed"],
)
def test_an_alias_or_a_routed_set_is_rejected_and_stays(more: dict[str, Any]) -> None:
    world = make_world()
    put(world, CAM.name, **more)
    with pytest.raises(Drifted) as caught:
        world.publisher.publish(ZONE, [RRsetChange(CAM, None, ONE)])
    held = caught.value.held[CAM]
    assert not is_plain(held)
    world.calls()
    for after in (TWO, None):
        with pytest.raises(Rejected, match="plain record set"):
            world.publisher.publish(ZONE, [RRsetChange(CAM, held, after)])
    assert world.calls() == []


def test_what_dns_never_takes_is_rejected_once_it_was_tried_again() -> None:
    world = make_world()
    put(world, CAM.name, type_="CNAME", ttl=60, values=("elsewhere.example.",))
    with pytest.raises(Rejected, match="CNAME"):
        world.publisher.publish(ZONE, creations([TV, CAM], ONE))
    assert world.calls() == [REFUSED, "list", REFUSED, "list"]
    assert world.publisher.read(ZONE, [TV]) == {TV: None}


def test_a_value_that_dns_never_takes_is_rejected() -> None:
    with pytest.raises(Rejected, match="not a valid IPv4 address"):
        make_world().publisher.publish(ZONE, [RRsetChange(CAM, None, RRset(60, ("1.2.3.999",)))])


def test_a_character_that_cannot_be_sent_is_rejected() -> None:
    with pytest.raises(Rejected):
        make_world().publisher.publish(ZONE, [RRsetChange(CAM, None, RRset(60, ("1.2.3.\0",)))])


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_moved_away_and_back_while_it_was_looked_at_is_not_rejected(times: int) -> None:
    world = make_world()
    world.seed(CAM, ONE)
    moves = iter([TWO, ONE] * times)  # away before the change arrives, and back before the read does
    world.transport.before = lambda: world.seed(CAM, move) if (move := next(moves, None)) else None
    world.publisher.publish(ZONE, [RRsetChange(CAM, ONE, THREE)])
    assert world.calls() == [REFUSED, "list"] * times + ["ok"]


def test_one_host_that_dns_never_takes_holds_up_no_other() -> None:
    world = make_world()
    labels = [f"h{number:02}" for number in range(60)]
    put(world, key("h17").name, type_="CNAME", ttl=60, values=("elsewhere.example.",))
    put(world, key("h42").name, alias=Alias("Z1", "elb.example."))
    hosts = [builders.pending(key(label).name) for label in labels]
    homing = builders.make_world(*hosts, publisher=world.publisher)
    assert homing.outbox.drain() == 60
    rejected = [host for host in map(homing.host, [host.hostname for host in hosts]) if host.rejected]
    assert [host.hostname for host in rejected] == [key("h17").name, key("h42").name]
    assert not any(homing.host(key(label).name).pending for label in labels)
    assert homing.shown(key("h18").name) == "1.1.1.1"


def test_a_zone_that_somebody_else_filled_is_adopted_in_a_few_calls() -> None:
    world = make_world()
    keys = [key(f"h{number:03}") for number in range(500)]
    for number, at in enumerate(keys):
        world.seed(at, (THREE, RRset(7, ("192.0.2.7", "192.0.2.8")), builders.ONE)[number % 3])
    homing = builders.make_world(*(builders.pending(at.name) for at in keys), publisher=world.publisher)
    homing.outbox.drain()
    assert len(world.calls()) <= 10
    assert world.publisher.read(ZONE, keys) == dict.fromkeys(keys, builders.ONE)
    assert not any(homing.host(at.name).pending for at in keys)
