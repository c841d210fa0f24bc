"""Groups: hosts with one secret, which may set and list each other."""

from __future__ import annotations

import pytest

from homing.core.errors import Refused
from homing.core.names import Name
from homing.core.outcomes import Outcome
from tests.app.builders import (
    CAM,
    NAS,
    OTHER_SECRET,
    SECRET,
    START,
    TV,
    list_request,
    make_host,
    make_world,
    once,
    signed,
)
from tests.conformance.publisher_contract import ZONE


def test_a_group_is_set_at_once_by_one_of_its_members() -> None:
    world = make_world(make_host(), make_host(TV), make_host(NAS, shared_secret=OTHER_SECRET))
    assert world.service.update(signed(SECRET, CAM, TV, to=["1.1.1.1"], at=START)).outcome is Outcome.UPDATED
    assert world.store.commits == 4  # three rows were put, then one commit for both
    assert world.host(TV).signed_only
    stranger = world.service.update(signed(SECRET, CAM, TV, NAS, to=["1.1.1.2"], at=START + 1))
    assert stranger.outcome is Outcome.NO_SUCH_HOST
    assert world.shown(TV) == "1.1.1.1"


def test_a_group_lists_those_who_may_be_listed_to_those_who_may_list() -> None:
    world = make_world(
        make_host(read_privilege=True), make_host(TV, read_privilege=True), make_host(NAS),
        make_host(Name(f"gone.{ZONE}"), read_privilege=True, removed_at=5),
        make_host(Name(f"other.{ZONE}"), read_privilege=True, shared_secret=OTHER_SECRET),
    )  # fmt: skip
    commits = world.store.commits
    answer = world.service.list_group(list_request(SECRET))
    assert (answer.outcome, [host.hostname for host in answer.group]) == (Outcome.UNCHANGED, [CAM, TV])
    refused = world.service.list_group(list_request(SECRET, NAS))
    assert (refused.outcome, refused.group) == (Outcome.NO_READ_PRIVILEGE, ())
    assert world.store.commits == commits


def test_a_store_that_fails_is_told_to_whoever_lists() -> None:
    world = make_world(make_host(read_privilege=True))
    world.store.close()
    assert world.service.list_group(list_request(SECRET)).outcome is Outcome.UNAVAILABLE


# --- joining one


def test_every_name_gets_another_secret_unless_it_joins_a_group() -> None:
    world = make_world()
    add = world.administration.add_host
    alone, first, second = add(CAM), add(TV, group="attic"), add(NAS, group="attic")
    assert alone[0].shared_secret != first[0].shared_secret == second[0].shared_secret
    assert [host.read_privilege for host in (alone[0], first[0])] == [False, True]
    answer = world.service.list_group(list_request(first[0].shared_secret, TV))
    assert {host.hostname for host in answer.group} == {TV, NAS}


def test_whoever_joins_a_group_gets_the_secret_that_it_has_by_then() -> None:
    world = make_world()
    world.administration.add_host(TV, ["A"], group="attic")
    world.store.before_load = once(lambda: world.administration.rotate(TV, overlap=0))
    (cam,) = world.administration.add_host(CAM, ["A"], group="attic")
    assert cam.shared_secret == world.host(TV).shared_secret


def test_a_family_joins_no_group_without_the_other_one_since_they_share_a_secret() -> None:
    world = make_world(make_host())
    world.administration.add_host(TV, ["A"], group="attic")
    with pytest.raises(Refused, match="in another group"):
        world.administration.add_host(CAM, ["AAAA"], group="attic")
    assert [host.record_type for host in world.administration.find_host(CAM)] == ["A"]
