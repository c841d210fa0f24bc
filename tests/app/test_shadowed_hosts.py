"""Hosts that DNS cannot show, or may not: what the settings shadow, what no host can have, and who may not own what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.app.importing import Importer
from homing.core.outcomes import Outcome
from homing.core.records import RRset, RRsetKey
from homing.core.values import replace
from homing.publishers.embedded import EmbeddedPublisher
from tests.app.builders import (
    CAM,
    NAS,
    ONE,
    OTHER_ZONE,
    SECRET,
    START,
    TV,
    WatchedStore,
    World,
    basic,
    make_account,
    make_host,
    make_world,
    signed,
)
from tests.conformance.publisher_contract import ZONE
from tests.conformance.test_publishers import make_zone

if TYPE_CHECKING:
    from homing.core.hosts import Host
    from homing.core.names import Name

SIGNED_AT = int(START * 1000)
STATIC = {RRsetKey(CAM, "CNAME"): RRset(300, ("elsewhere.example.",))}
SHOWN = make_host(desired=ONE, published=ONE, last_updated=5)


def restarted(store: WatchedStore, static: dict[RRsetKey, RRset]) -> World:
    """Start again on the same rows, with other records in the settings."""
    zones = {ZONE: make_zone(extra=static), OTHER_ZONE: make_zone(OTHER_ZONE)}
    return make_world(store=store, publisher=EmbeddedPublisher(zones))


def reconcile(world: World) -> list[str]:
    return [difference.key.name for difference in world.outbox.reconcile(repair=True)]


def importer(world: World) -> Importer:
    zone = make_zone()
    return Importer(world.store, world.outbox, {ZONE: zone}, zone.why_not_dynamic)


def poll(world: World, name: Name = CAM) -> Outcome:
    return world.service.update(basic(SECRET, name, username=name, to=["1.1.1.1"])).outcome


# --- shadowed by the settings


def test_a_host_that_the_settings_shadow_is_rejected_and_its_owner_hears_of_it() -> None:
    world = restarted(make_world(SHOWN).store, STATIC)
    assert reconcile(world) == [CAM]
    assert "CNAME" in (world.host().rejected or "")
    assert poll(world) is Outcome.PUBLISH_REJECTED


def test_a_host_that_stays_shadowed_is_not_written_again() -> None:
    world = restarted(make_world(SHOWN).store, STATIC)
    reconcile(world)
    before = world.host()
    assert reconcile(world) == [CAM]
    assert world.host() == before


def test_one_shadowed_host_hinders_no_other() -> None:
    world = restarted(make_world(SHOWN, replace(SHOWN, hostname=TV)).store, STATIC)
    assert reconcile(world) == [CAM, TV]
    assert (world.host(TV).rejected, poll(world, TV)) == (None, Outcome.UNCHANGED)


def test_a_host_that_is_shadowed_no_more_is_cleared() -> None:
    store = make_world(SHOWN).store
    reconcile(restarted(store, STATIC))
    world = restarted(store, {})
    reconcile(world)
    assert world.host().rejected is None
    assert poll(world) is Outcome.UNCHANGED


# --- addresses of nobody


@pytest.mark.parametrize("address", ["224.0.0.1", "239.1.2.3", "0.0.0.0", "255.255.255.255"])
@pytest.mark.parametrize("allow_internal", [True, False])
def test_an_ipv4_address_that_no_host_can_have_is_refused(address: str, *, allow_internal: bool) -> None:
    world = make_world(make_host(allow_internal=allow_internal))
    assert world.service.update(basic(SECRET, CAM, to=[address])).outcome is Outcome.ADDRESS_NOT_ALLOWED
    assert world.shown() is None


@pytest.mark.parametrize("address", ["ff02::1", "ff0e::101", "::"])
@pytest.mark.parametrize("allow_internal", [True, False])
def test_an_ipv6_address_that_no_host_can_have_is_refused(address: str, *, allow_internal: bool) -> None:
    world = make_world(make_host(record_type="AAAA", allow_internal=allow_internal))
    assert world.service.update(basic(SECRET, CAM, to=[address])).outcome is Outcome.ADDRESS_NOT_ALLOWED


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.1.1"])
def test_an_internal_address_is_one_that_a_host_can_have(address: str) -> None:
    world = make_world(make_host(allow_internal=True))
    assert world.service.update(basic(SECRET, CAM, to=[address])).outcome is Outcome.UPDATED


# --- what was signed before


def mark() -> Host:
    return make_host(removed_at=9, shared_secret="", signed_at=SIGNED_AT)


@pytest.mark.parametrize(("own", "kept"), [(0, SIGNED_AT), (SIGNED_AT + 5, SIGNED_AT + 5)])
def test_an_import_over_a_mark_keeps_the_newest_time_of_signing(own: int, kept: int) -> None:
    world = make_world(mark())
    assert importer(world).take([make_host(signed_at=own)]).problems == ()
    assert (world.host().removed_at, world.host().signed_at) == (None, kept)


def test_an_old_signed_request_does_not_work_again_after_an_import() -> None:
    world = make_world(mark())
    importer(world).take([make_host()])
    assert world.service.update(signed(SECRET, to=["1.1.1.1"], at=START - 1)).outcome is Outcome.STALE


@pytest.mark.parametrize(("overlap", "kept"), [(0, 0), (60, SIGNED_AT)])
def test_what_was_signed_counts_for_as_long_as_its_secret(overlap: int, kept: int) -> None:
    world = make_world(make_host(signed_at=SIGNED_AT))
    world.administration.rotate(CAM, overlap)
    assert world.host().signed_at == kept


def test_after_a_rotation_a_client_whose_clock_was_ahead_is_heard_at_once() -> None:
    world = make_world(make_host(signed_at=SIGNED_AT + 200_000))
    (host,) = world.administration.rotate(CAM, 0)
    assert world.service.update(signed(host.shared_secret, to=["1.1.1.1"], at=START)).outcome is Outcome.UPDATED


# --- accounts


@pytest.mark.parametrize("there", [(), (mark(),)])
def test_an_account_of_a_host_that_is_not_there_is_a_problem(there: tuple[Host, ...]) -> None:
    world = make_world(*there)
    report = importer(world).take([make_account("me", "password", CAM)])
    assert report.problems == (f"the account me: {CAM} is no host",)
    assert report.added == ()


def test_an_account_may_own_what_is_there_and_what_comes_with_it() -> None:
    world = make_world(make_host())
    report = importer(world).take([make_account("me", "password", CAM, TV), make_host(TV)])
    assert report.problems == ()


def test_every_host_that_an_account_lacks_is_told() -> None:
    report = importer(make_world()).take(
        [make_account("me", "password", CAM, TV), make_host(TV), make_account("b", "p", NAS)]
    )
    assert len(report.problems) == 2


def test_an_account_named_like_a_host_does_not_disable_the_secret_of_the_host() -> None:
    world = make_world(make_host(), make_host(TV), make_account(CAM, "password", TV))
    assert poll(world) is Outcome.UPDATED
    by_account = basic("password", TV, username=CAM, to=["1.1.1.1"])
    assert world.service.update(by_account).outcome is Outcome.UPDATED


def test_an_account_named_like_a_host_lends_its_hosts_to_nobody_with_the_secret() -> None:
    world = make_world(make_host(), make_host(TV, shared_secret="another"), make_account(CAM, "password", TV))
    assert world.service.update(basic(SECRET, TV, username=CAM, to=["1.1.1.1"])).outcome is Outcome.NO_SUCH_HOST
    assert world.service.update(basic("wrong", CAM, to=["1.1.1.1"])).outcome is Outcome.NOT_AUTHENTICATED


def test_an_account_is_given_other_hosts_and_keeps_its_password() -> None:
    world = make_world(make_host(), make_host(TV, shared_secret="another"), make_account("me", "password", CAM))
    assert world.administration.set_account("me", [TV]).hostnames == (TV,)
    for name, expected in ((TV, Outcome.UPDATED), (CAM, Outcome.NO_SUCH_HOST)):
        assert world.service.update(basic("password", name, username="me", to=["1.1.1.1"])).outcome is expected
