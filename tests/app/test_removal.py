"""What is left of a removed host: a mark, for as long as an old address or token could come back."""

from __future__ import annotations

from homing.core.hosts import MARK_SECONDS
from homing.core.outcomes import Outcome
from homing.core.records import RRset
from tests.app.builders import (
    CAM,
    NAS,
    SECRET,
    START,
    TV,
    basic,
    legacy,
    make_account,
    make_host,
    make_token_key,
    make_world,
    token,
)
from tests.app.flaky_publisher import Faults, FlakyPublisher
from tests.app.test_administration import outcome

ONE = RRset(60, ("1.1.1.1",))


# --- removed


def test_a_removed_host_leaves_dns_and_a_mark_without_a_secret() -> None:
    publisher = FlakyPublisher()
    world = make_world(make_host(), make_host(record_type="AAAA"), make_token_key(), publisher=publisher)
    outcome(world, SECRET, CAM)
    world.administration.remove_host(CAM)
    assert publisher.held == {}
    mark = world.host()
    assert (mark.shared_secret, mark.desired, mark.published, mark.removed_at) == ("", None, None, int(START))
    assert list(world.administration.hosts()) == []
    for request in (legacy(SECRET), legacy(""), basic(SECRET, CAM), basic("", CAM)):
        assert world.service.update(request).outcome is Outcome.NOT_AUTHENTICATED
    assert world.service.update(token()).outcome is Outcome.NO_SUCH_HOST


def test_one_family_alone_can_be_removed() -> None:
    world = make_world(make_host(), make_host(record_type="AAAA"))
    world.administration.remove_host(CAM, ["AAAA"])
    assert [host.record_type for host in world.administration.find_host(CAM)] == ["A"]


def test_the_mark_of_one_family_does_not_refuse_the_other() -> None:
    world = make_world(make_host(), make_host(record_type="AAAA"))
    world.administration.remove_host(CAM, ["AAAA"])
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1", "2a00::1"])).outcome is Outcome.UPDATED
    assert (world.shown(), world.shown(CAM, "AAAA")) == ("1.1.1.1", None)
    world.clock.time += MARK_SECONDS + 1
    assert world.administration.purge_marks() == 1
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.2", "2a00::1"])).outcome is Outcome.UPDATED


# --- made anew


def test_a_removed_name_is_made_anew_over_its_mark() -> None:
    publisher = FlakyPublisher()
    world = make_world(make_host(lock_record=True, comment="old"), publisher=publisher)
    world.put(make_host(version=1, desired=ONE, published=ONE))
    publisher.set(make_host().key, ONE)
    publisher.faults = Faults(unreachable=1)
    world.administration.remove_host(CAM)
    (fresh,) = world.administration.add_host(CAM, ["A"])
    assert (fresh.version, fresh.comment, fresh.lock_record, fresh.removed_at) == (4, "", False, None)
    assert fresh.shared_secret not in ("", SECRET)
    assert fresh.published == ONE  # so that the old address is still taken out of DNS
    publisher.faults = Faults()
    world.clock.time += 9
    world.outbox.drain()
    assert publisher.held == {}


def test_a_name_made_anew_is_not_open_to_the_account_that_had_it() -> None:
    world = make_world(make_host(), make_host(TV))
    _, password = world.administration.add_account("old", [CAM, TV])
    world.administration.remove_host(CAM)
    world.administration.add_host(CAM)
    old = basic(password, CAM, username="old", to=["6.6.6.6"])
    assert world.service.update(old).outcome is Outcome.NO_SUCH_HOST
    assert world.service.update(basic(password, TV, username="old", to=["1.1.1.1"])).outcome is Outcome.UPDATED


def test_an_account_keeps_a_name_of_which_one_family_is_left() -> None:
    world = make_world(make_host(), make_host(record_type="AAAA"), make_account("me", "password", CAM))
    world.administration.remove_host(CAM, ["AAAA"])
    assert world.service.update(basic("password", username="me", to=["1.1.1.1"])).outcome is Outcome.UPDATED


# --- forgotten


def test_marks_are_deleted_after_30_days_and_when_dns_shows_nothing_more() -> None:
    publisher = FlakyPublisher()
    world = make_world(make_host(), make_host(TV), make_host(NAS), publisher=publisher)
    outcome(world, SECRET, TV)
    world.administration.remove_host(CAM)
    publisher.faults = Faults(unreachable=1)
    world.administration.remove_host(TV)
    world.clock.time += MARK_SECONDS
    assert world.administration.purge_marks() == 0
    world.clock.time += 1
    assert world.administration.purge_marks() == 1
    publisher.faults = Faults()
    world.outbox.drain()
    assert world.administration.purge_marks() == 1
    assert [row.hostname for row in world.store.scan() if hasattr(row, "hostname")] == [NAS]


def test_a_mark_whose_removal_dns_rejects_stays_for_as_long_as_dns_shows_the_address() -> None:
    publisher = FlakyPublisher(rejected=[CAM])
    publisher.set(make_host().key, ONE)
    world = make_world(make_host(desired=ONE, published=ONE), publisher=publisher)
    world.administration.remove_host(CAM)
    world.clock.time += MARK_SECONDS + 1
    assert world.administration.purge_marks() == 0
    assert world.shown() == "1.1.1.1"
