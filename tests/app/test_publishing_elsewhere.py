"""Publishing that is made when it is needed: what needs none does not make it."""

from __future__ import annotations

import pytest

from homing.app.publishing_elsewhere import MadeWhenNeeded
from homing.core.outcomes import Outcome
from tests.app.builders import CAM, ONE, SECRET, basic, make_host, make_world, pending
from tests.app.flaky_publisher import FlakyPublisher


def test_a_poll_that_changes_nothing_makes_no_outbox() -> None:
    """Also where all of it waits, as with a password whose check takes long."""
    world = make_world(make_host(desired=ONE, published=ONE, last_checked=2**40), publisher=FlakyPublisher())
    world.service._outbox = MadeWhenNeeded(lambda: pytest.fail("made"))
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1"])).outcome is Outcome.UNCHANGED


def test_a_poll_of_a_host_that_waits_makes_one_and_keeps_it() -> None:
    world = make_world(pending(last_checked=2**40), publisher=FlakyPublisher())
    outboxes = iter([world.outbox])
    world.service._outbox = MadeWhenNeeded(lambda: next(outboxes))
    for _ in range(2):
        assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1"])).outcome is Outcome.UNCHANGED
    assert world.shown() == "1.1.1.1"
