"""Signed requests: what was sent once is never obeyed again, whatever happened in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.core.outcomes import Outcome
from tests.app.builders import (
    CAM,
    OTHER_SECRET,
    SECRET,
    START,
    TV,
    World,
    basic,
    legacy,
    make_host,
    make_world,
    signed,
)

if TYPE_CHECKING:
    from homing.core.update import UpdateRequest


def test_a_replayed_request_is_a_no_op_or_stale_and_told_the_time() -> None:
    world = make_world(make_host())
    first = signed(SECRET, to=["1.1.1.1"], at=START + 0.123)
    assert world.service.update(first).outcome is Outcome.UPDATED
    assert world.service.update(first).outcome is Outcome.UNCHANGED
    assert world.service.update(signed(SECRET, to=["1.1.1.2"], at=START + 1)).outcome is Outcome.UPDATED
    answer = world.service.update(first)
    assert (answer.outcome, answer.hosts) == (Outcome.STALE, ())
    assert (answer.server_time, answer.signed_at) == (int(START * 1000), int(START * 1000) + 1000)
    assert world.shown() == "1.1.1.2"


def test_a_change_by_another_protocol_makes_older_signatures_stale() -> None:
    world = make_world(make_host())
    first = signed(SECRET, to=["1.1.1.1"], at=START - 1)
    world.service.update(first)
    world.service.update(basic(SECRET, CAM, to=["1.1.1.2"]))
    assert world.service.update(first).outcome is Outcome.STALE
    assert world.service.update(signed(SECRET, to=["1.1.1.3"], at=START)).outcome is Outcome.STALE
    assert world.shown() == "1.1.1.2"


@pytest.mark.parametrize("skew", [-301, 301])
def test_a_clock_too_far_off_is_told_the_time(skew: float) -> None:
    world = make_world(make_host(signed_at=77))
    answer = world.service.update(signed(SECRET, to=["1.1.1.1"], at=START + skew))
    assert (answer.outcome, answer.signed_at, answer.server_time) == (Outcome.SKEWED, 77, int(START * 1000))
    assert world.shown() is None


def test_one_stale_host_refuses_the_whole_group() -> None:
    world = make_world(make_host(), make_host(TV, signed_at=int(START * 1000) + 5))
    assert world.service.update(signed(SECRET, CAM, TV, to=["1.1.1.1"], at=START)).outcome is Outcome.STALE
    assert world.host().desired is None


def test_a_poll_of_a_fast_clock_that_was_recorded_changes_nothing_later() -> None:
    world = make_world(make_host())
    world.service.update(signed(SECRET, to=["1.1.1.1"], at=START + 100))
    poll = signed(SECRET, to=["1.1.1.1"], at=START + 200)  # within the window
    assert world.service.update(poll).outcome is Outcome.UNCHANGED
    world.clock.time += 101
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.2"])).outcome is Outcome.UPDATED
    assert world.service.update(poll).outcome is Outcome.STALE
    assert world.shown() == "1.1.1.2"


def made_anew_with_its_old_secret() -> tuple[World, UpdateRequest]:
    """A name one of whose families was updated with a signature, removed, and made anew; and the signed request."""
    world = make_world(make_host(), make_host(record_type="AAAA"))
    first = signed(SECRET, to=["1.1.1.1"], at=START)
    world.service.update(first)
    world.service.update(signed(SECRET, to=["1.1.1.2"], at=START + 1))
    world.administration.remove_host(CAM, ["A"])
    (anew,) = world.administration.add_host(CAM, ["A"])
    assert anew.shared_secret == SECRET
    return world, first


def test_a_family_made_anew_with_its_old_secret_takes_no_recorded_signature() -> None:
    world, recorded = made_anew_with_its_old_secret()
    assert world.service.update(recorded).outcome is Outcome.STALE
    assert world.shown() is None


def test_a_family_made_anew_with_its_old_secret_stays_pinned() -> None:
    world, _ = made_anew_with_its_old_secret()
    assert world.host().signed_only
    assert world.service.update(legacy(SECRET, source="6.6.6.6")).outcome is Outcome.NOT_AUTHENTICATED
    world.administration.set_host(CAM, ["AAAA"], signed_only=False)  # the other family does not open it
    assert world.service.update(legacy(SECRET, source="6.6.6.6")).outcome is Outcome.NOT_AUTHENTICATED


def test_the_newest_change_of_somebody_elses_host_is_not_told() -> None:
    world = make_world(make_host(), make_host(TV, shared_secret=OTHER_SECRET, signed_at=123_456))
    skewed = signed(SECRET, CAM, TV, to=["1.1.1.1"], at=START + 999)
    assert world.service.update(skewed).signed_at == 0


def test_a_secret_that_has_no_bytes_in_utf_8_matches_nothing_and_raises_nothing() -> None:
    world = make_world(make_host(shared_secret="bad\ud800"))
    assert world.service.update(signed("x", to=["1.1.1.1"], at=START)).outcome is Outcome.NOT_AUTHENTICATED
