"""Taking rows over: all of them or none, and never twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.app.importing import Importer
from homing.app.patience import BACKOFF_CAP
from homing.core.accounts import TokenKey
from homing.core.errors import Refused
from homing.core.hosts import EXAMPLE_COMMENT, EXAMPLE_LABEL, Host
from homing.core.names import Name
from homing.core.outcomes import Outcome
from homing.core.rows import key_of
from homing.core.values import replace
from tests.app.builders import (
    CAM,
    NAS,
    ONE,
    OTHER_SECRET,
    OTHER_ZONE,
    SECRET,
    START,
    TV,
    World,
    basic,
    make_account,
    make_host,
    make_token_key,
    make_world,
    once,
)
from tests.app.flaky_publisher import Faults, FlakyPublisher
from tests.conformance.publisher_contract import ZONE
from tests.conformance.test_publishers import NS, make_zone

if TYPE_CHECKING:
    from homing.core.rows import Row

ROWS: tuple[Row, ...] = (make_host(desired=ONE), make_host(TV), make_account("me", "password", CAM), make_token_key())
MANY = [make_host(Name(f"h{number}.{ZONE}"), desired=ONE) for number in range(5)]


def importer(world: World) -> Importer:
    zones = {ZONE: make_zone(), OTHER_ZONE: make_zone(OTHER_ZONE)}
    return Importer(world.store, world.outbox, zones, zones[ZONE].why_not_dynamic)


def rows_of(world: World) -> dict[str, tuple[int, str]]:
    return {" ".join(key): row for key, row in world.store.rows.items()}


# --- all or nothing


def test_what_is_imported_is_there_shown_and_works() -> None:
    world = make_world()
    report = importer(world).take(ROWS)
    assert (set(report.added), report.present, report.problems) == (set(map(key_of, ROWS)), (), ())
    assert world.shown() == "1.1.1.1"
    assert not world.host().pending
    assert world.service.update(basic("password", username="me", to=["1.1.1.2"])).outcome is Outcome.UPDATED


def test_where_dns_is_told_what_is_imported_is_published_and_marked() -> None:
    publisher = FlakyPublisher()
    world = make_world(publisher=publisher)
    importer(world).take(ROWS)
    assert publisher.held == {make_host().key: ONE}
    assert not world.host().pending


def test_what_dns_cannot_take_yet_is_pending() -> None:
    publisher = FlakyPublisher(Faults(unreachable=1))
    world = make_world(publisher=publisher)
    importer(world).take(ROWS)
    assert world.host().pending
    publisher.faults = Faults()
    world.clock.time += BACKOFF_CAP
    world.outbox.drain()
    assert world.shown() == "1.1.1.1"


@pytest.mark.parametrize("bad", [[], [make_host(Name("cam.elsewhere.example."))]], ids=["good", "bad"])
def test_a_dry_run_tells_the_problems_and_what_is_present_and_writes_nothing(bad: list[Row]) -> None:
    world = make_world(make_host(TV))
    before = rows_of(world)
    report = importer(world).take([*ROWS, *bad], dry_run=True)
    assert (report.added, report.present) == ((), (make_host(TV).key,))
    assert len(report.problems) == len(bad)
    assert rows_of(world) == before


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (make_host(Name("cam.elsewhere.example.")), "cam.elsewhere.example. is in no zone"),
        (make_host(NS), "settings"),
        (make_host(NAS, shared_secret=OTHER_SECRET), f"{NAS} A is here already, with other content"),
        (make_account("you", "another"), "here already, with other content"),
        (TokenKey(secret="another"), "here already, with other content"),
    ],
    ids=["no zone", "static record", "other host", "other account", "other token key"],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_row_that_cannot_be_taken_refuses_all(bad: Row, why: str, place: int) -> None:
    world = make_world(make_host(NAS), make_account("you", "password"), TokenKey(secret="one"))
    before = rows_of(world)
    rows: list[Row] = [make_host(), make_host(TV)]
    rows.insert(place, bad)
    report = importer(world).take(rows)
    assert report.added == ()
    assert len(report.problems) == 1
    assert why in report.problems[0]
    assert rows_of(world) == before


def test_every_problem_is_told_at_once() -> None:
    world = make_world(make_host(NAS, comment="another"))
    names = [Name(f"{label}.elsewhere.example.") for label in "ab"]
    assert len(importer(world).take([*map(make_host, names), make_host(NAS)]).problems) == 3


# --- again


def test_an_import_can_be_repeated_and_writes_nothing_the_second_time() -> None:
    world = make_world()
    importer(world).take(ROWS)
    before = rows_of(world)
    report = importer(world).take(ROWS)
    assert (report.added, set(report.present), report.problems) == ((), set(map(key_of, ROWS)), ())
    assert rows_of(world) == before


def test_what_a_running_host_has_changed_by_itself_makes_it_no_other_and_stays() -> None:
    world = make_world()
    importer(world).take(ROWS)
    world.service.update(basic(SECRET, CAM, to=["1.1.1.9"]))
    report = importer(world).take([*ROWS, make_host(NAS)])
    assert report.added == (make_host(NAS).key,)
    assert len(report.present) == len(ROWS)
    assert (world.host().version, world.shown()) == (2, "1.1.1.9")


@pytest.mark.parametrize("follows", [True, False])
def test_the_mark_of_a_removed_host_is_replaced(follows: bool) -> None:
    publisher = None if follows else FlakyPublisher()
    world = make_world(make_host(), publisher=publisher)
    world.administration.remove_host(CAM)
    report = importer(world).take([make_host(desired=ONE, shared_secret=OTHER_SECRET)])
    assert report.added == (make_host().key,)
    host = world.host()
    assert (host.is_removed, host.shared_secret, host.pending) == (False, OTHER_SECRET, False)
    assert host.signed_at == int(START * 1000)  # so that nothing signed before its removal is obeyed again
    assert world.shown() == "1.1.1.1"


def test_an_untouched_example_of_a_new_stack_gives_way_and_one_that_was_taken_into_use_does_not() -> None:
    name = Name(f"{EXAMPLE_LABEL}.{ZONE}")
    ours = make_host(name, lock_record=True, comment=EXAMPLE_COMMENT, desired=None)
    theirs = make_host(name, shared_secret=OTHER_SECRET, comment=EXAMPLE_COMMENT, lock_record=True)
    world = make_world(ours)
    assert importer(world).take([theirs]).added == (ours.key,)
    assert world.host(name).shared_secret == OTHER_SECRET
    assert importer(world).take([theirs]).present == (ours.key,)
    for used in (replace(ours, lock_record=False), replace(ours, desired=ONE), replace(ours, comment="mine")):
        world = make_world(used)
        assert importer(world).take([theirs]).problems == (f"{name} A is here already, with other content",)
        assert world.host(name).shared_secret == SECRET


# --- in several commits, where a store takes no more at once


def world_of_two_at_once(*rows: Row) -> World:
    world = make_world(*rows)
    world.store.max_rows = 2
    return world


def test_more_rows_than_one_commit_takes_are_imported_in_several() -> None:
    world = world_of_two_at_once()
    importer(world).take(MANY)
    assert world.store.commits == 3
    assert [world.shown(host.hostname) for host in MANY] == ["1.1.1.1"] * 5


@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_a_row_that_appears_meanwhile_undoes_what_was_written_before_it(chunk: int) -> None:
    world = world_of_two_at_once(make_host(TV))
    faster = MANY[2 * chunk]
    before = rows_of(world)
    world.store.before_commit = once(*[lambda: None] * chunk, lambda: world.put(faster))
    with pytest.raises(Refused, match="nothing was imported"):
        importer(world).take(MANY)
    assert rows_of(world) == before | {" ".join(faster.key): (1, world.store.rows[faster.key][1])}
    assert [row.hostname for row in world.store.scan() if isinstance(row, Host)] == sorted([TV, faster.hostname])


def test_after_it_was_undone_an_import_can_be_run_again() -> None:
    world = world_of_two_at_once()
    world.store.before_commit = once(lambda: None, lambda: world.put(replace(MANY[2], comment="faster")))
    with pytest.raises(Refused):
        importer(world).take(MANY)
    assert importer(world).take(MANY[:2] + MANY[3:]).problems == ()
    assert len(world.store.rows) == 5


def test_a_row_that_appears_meanwhile_is_told_in_words_that_say_what_to_do() -> None:
    world = make_world()
    world.store.before_commit = once(lambda: world.put(make_host()))
    with pytest.raises(Refused, match="run it again"):
        importer(world).take([make_host()])
