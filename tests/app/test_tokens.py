"""ddupdate tokens: they may make their host, and no more than that."""

from __future__ import annotations

from typing import Any

import pytest

from homing.core.accounts import TokenKey
from homing.core.credentials import ddupdate_token
from homing.core.errors import Refused
from homing.core.names import Name
from homing.core.outcomes import Outcome
from homing.core.records import RRset
from homing.core.rows import token_key_key
from homing.core.update import Policy
from tests.app.builders import (
    CAM,
    NAS,
    OTHER_ZONE,
    SECRET,
    START,
    TOKEN_KEY,
    ZONE_IDS,
    basic,
    legacy,
    make_account,
    make_host,
    make_token_key,
    make_world,
    signed,
    token,
)
from tests.app.test_authentication import outcome
from tests.conformance.publisher_contract import ZONE


def test_a_token_makes_its_host_with_a_secret_nobody_knows() -> None:
    world = make_world(make_token_key())
    answer = world.service.update(token(to=["1.1.1.1", "2a00::1"], ttl=5))
    assert answer.outcome is Outcome.UPDATED
    assert world.host().desired == RRset(30, ("1.1.1.1",))
    assert world.host().shared_secret == world.host(CAM, "AAAA").shared_secret
    assert len(world.host().shared_secret) == 32
    assert (world.host().version, world.shown(CAM, "AAAA")) == (1, "2a00::1")


def test_a_family_made_by_a_token_shares_the_secret_of_the_other() -> None:
    world = make_world(make_host(), make_token_key())
    world.service.update(token(to=["2a00::1"]))
    assert world.host(CAM, "AAAA").shared_secret == SECRET


@pytest.mark.parametrize("label", ["", "mail.", "ns1.", "wpad.", "www.", "_acme-challenge.", "*.", "x._tcp."])
def test_a_token_makes_no_reserved_name(label: str) -> None:
    world = make_world(make_token_key())
    answer = world.service.update(token(Name(f"{label}{ZONE}")))
    assert answer.outcome is Outcome.NO_SUCH_HOST
    assert list(world.administration.hosts()) == []


def test_a_token_makes_no_name_that_is_needed_for_something_else() -> None:
    world = make_world(make_token_key(), policy=Policy(reserved_names=(CAM,)))
    assert outcome(world, token()) is Outcome.NO_SUCH_HOST
    assert outcome(world, token(NAS)) is Outcome.UPDATED
    assert [host.hostname for host in world.administration.hosts()] == [NAS]


def test_where_tokens_make_no_hosts_they_still_update_those_that_are_there() -> None:
    world = make_world(make_host(), make_token_key(), policy=Policy(tokens_create_hosts=False))
    assert outcome(world, token(NAS)) is Outcome.NO_SUCH_HOST
    assert outcome(world, token(to=["2a00::1"])) is Outcome.NO_SUCH_HOST
    assert outcome(world, token()) is Outcome.UPDATED
    assert [host.key for host in world.administration.hosts()] == [make_host().key]


@pytest.mark.parametrize("record_type", ["A", "AAAA"])
def test_a_token_takes_no_name_that_bears_a_mark(record_type: Any) -> None:
    world = make_world(make_host(record_type=record_type, removed_at=5, shared_secret=""), make_token_key())
    assert world.service.update(token(to=["1.1.1.1"])).outcome is Outcome.NO_SUCH_HOST
    assert world.shown() is None


def test_only_a_token_makes_hosts() -> None:
    world = make_world(make_account("me", "password", CAM))
    assert world.service.update(basic("password", CAM, username="me", to=["1.1.1.1"])).outcome is Outcome.NO_SUCH_HOST


def test_two_tokens_at_once_make_one_host() -> None:
    world = make_world(make_token_key())
    late = world.service.plan(token(to=["1.1.1.1"]), may_block=True)
    assert world.service.update(token(to=["1.1.1.2"])).outcome is Outcome.UPDATED
    assert world.service.carry_out(token(to=["1.1.1.1"]), late).outcome is Outcome.UPDATED
    assert (world.host().version, world.shown()) == (2, "1.1.1.1")


def test_a_token_is_fenced_on_the_other_family_which_may_be_pinned_meanwhile() -> None:
    world = make_world(make_host(), make_token_key())
    plan = world.service.plan(token(to=["2a00::1"]), may_block=True)
    world.service.update(signed(SECRET, to=["1.1.1.1"], at=START))
    assert world.service.carry_out(token(to=["2a00::1"]), plan).outcome is Outcome.NOT_AUTHENTICATED
    assert world.get(make_host(record_type="AAAA").key) is None


# --- made by an operator


def test_a_token_is_made_of_one_key_that_is_generated_once() -> None:
    world = make_world()
    zone_id, made = world.administration.token(CAM, ZONE_IDS, None)
    row = world.get(token_key_key())
    assert isinstance(row, TokenKey)
    assert (zone_id, made) == ("Z1", ddupdate_token(CAM.rstrip("."), "Z1", row.secret))
    assert world.administration.token(CAM, ZONE_IDS, None) == (zone_id, made)
    assert world.service.update(token(key=row.secret)).outcome is Outcome.UPDATED


def test_a_configured_key_is_used_and_nothing_is_stored() -> None:
    world = make_world(token_key="configured")
    _, made = world.administration.token(CAM, ZONE_IDS, "configured")
    assert made == ddupdate_token(CAM.rstrip("."), "Z1", "configured")
    assert world.get(token_key_key()) is None


def test_there_is_no_token_outside_the_zones() -> None:
    with pytest.raises(Refused, match="no zone"):
        make_world().administration.token(Name("cam.elsewhere.example."), ZONE_IDS, None)


# --- which zone, which key


def test_the_configured_token_key_stands_above_the_one_in_the_store() -> None:
    world = make_world(make_host(), make_token_key(), token_key="configured")
    assert outcome(world, token()) is Outcome.NOT_AUTHENTICATED
    assert outcome(world, token(key="configured")) is Outcome.UPDATED


def test_a_token_never_reaches_another_zone() -> None:
    below = type(CAM)(f"x.{OTHER_ZONE}")
    world = make_world(make_token_key())
    assert outcome(world, token(below, zone_id="Z1")) is Outcome.NOT_AUTHENTICATED
    assert outcome(world, token(type(CAM)(f"evil{ZONE}"), zone_id="Z1")) is Outcome.NOT_AUTHENTICATED
    assert outcome(world, token(below, zone_id="Z2")) is Outcome.UPDATED


def test_no_dynamic_secret_means_no_token() -> None:
    world = make_world(make_host())
    for key in ("", TOKEN_KEY, "the secret of an unknown host"):
        assert outcome(world, token(key=key)) is Outcome.NOT_AUTHENTICATED
        assert outcome(world, legacy("the secret of an unknown host", NAS)) is Outcome.NOT_AUTHENTICATED
