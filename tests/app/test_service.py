"""The way of an update: all or nothing, and durable before positive."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_network
from typing import Any

import pytest

from homing.app.planning import RETRY_AFTER
from homing.core.errors import StoreDamaged, StoreUnavailable
from homing.core.names import Name
from homing.core.outcomes import HostOutcome, Outcome, RRsetOutcome
from homing.core.records import RRset
from homing.core.update import HostUpdate, Policy, SetPrefix, Withdraw
from homing.core.values import replace
from tests.app.builders import (
    CAM,
    NAS,
    OTHER_SECRET,
    SECRET,
    START,
    TV,
    basic,
    fail_with,
    legacy,
    make_host,
    make_world,
    signed,
)
from tests.app.flaky_publisher import Faults, FlakyPublisher

ONE = RRset(60, ("1.1.1.1",))


# --- one update, and several


def test_an_update_is_committed_shown_and_answered() -> None:
    world = make_world(make_host(), make_host(record_type="AAAA"))
    answer = world.service.update(basic(SECRET, CAM, to=["1.1.1.1", "2a00::1"]))
    assert answer.hosts == (
        HostOutcome(CAM, Outcome.UPDATED, (RRsetOutcome("A", Outcome.UPDATED, "1.1.1.1"),
                                           RRsetOutcome("AAAA", Outcome.UPDATED, "2a00::1"))),
    )  # fmt: skip
    assert (answer.outcome, answer.who) == (Outcome.UPDATED, f"host {CAM}")
    assert (world.shown(), world.shown(CAM, "AAAA")) == ("1.1.1.1", "2a00::1")
    assert world.host().version == 2
    assert not world.host().pending


def test_a_poll_that_changes_nothing_is_one_load_and_no_commit() -> None:
    world = make_world(make_host())
    world.service.update(legacy(SECRET))
    loads, commits = world.store.loads, world.store.commits
    plan = world.service.plan(legacy(SECRET), may_block=False)
    assert plan.is_settled
    assert plan.answer.outcome is Outcome.UNCHANGED
    assert (world.store.loads - loads, world.store.commits - commits) == (1, 0)


def test_a_family_that_the_host_never_had_is_left_out() -> None:
    world = make_world(make_host())
    answer = world.service.update(basic(SECRET, CAM, to=["1.1.1.1", "2a00::1"]))
    assert [one.record_type for one in answer.hosts[0].rrsets] == ["A"]
    assert world.service.update(basic(SECRET, CAM, to=["2a00::1"])).outcome is Outcome.NO_SUCH_HOST


@pytest.mark.parametrize(
    ("culprit", "attributes", "expected"),
    [(TV, {"shared_secret": OTHER_SECRET}, Outcome.NO_SUCH_HOST), (TV, {"lock_record": True}, Outcome.LOCKED),
     (TV, {"removed_at": 5}, Outcome.NO_SUCH_HOST), (Name("cam.elsewhere.example."), {}, Outcome.NO_SUCH_HOST)],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_culprit_refuses_the_whole_list(
    culprit: Name, attributes: dict[str, Any], expected: Outcome, place: int
) -> None:
    world = make_world(make_host(), make_host(NAS), make_host(culprit, **attributes))
    names = [CAM, NAS]
    names.insert(place, culprit)
    commits = world.store.commits
    answer = world.service.update(basic(SECRET, *names, to=["1.1.1.1"]))
    assert answer.outcome is expected
    assert [host.hostname for host in answer.hosts] == names
    assert answer.culprit == f"{culprit}: {expected.value} (asked: 1.1.1.1)"
    assert world.store.commits == commits
    assert world.shown() is None


def test_a_name_whose_other_family_is_somebody_elses_is_refused_whole() -> None:
    world = make_world(make_host(), make_host(record_type="AAAA", shared_secret=OTHER_SECRET))
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1", "2a00::1"])).outcome is Outcome.NO_SUCH_HOST
    assert (world.host().desired, world.host(CAM, "AAAA").desired) == (None, None)


def test_a_text_that_is_no_hostname_is_told_only_to_whoever_has_proved_something() -> None:
    world = make_world(make_host())
    request = basic(SECRET, CAM, to=["1.1.1.1"])
    updates = (*request.updates, HostUpdate(None, "no name", request.updates[0].wishes))
    answer = world.service.update(type(request)(request.proof, updates, request.source, CAM))
    assert answer.outcome is Outcome.NOT_A_FQDN
    assert answer.hosts[1] == HostOutcome("no name", Outcome.NOT_A_FQDN)
    wrong = basic("wrong", CAM, to=["1.1.1.1"])
    assert world.service.update(type(wrong)(wrong.proof, updates, wrong.source, CAM)).hosts == ()


def test_what_is_wrong_with_the_request_itself_is_told_for_every_host() -> None:
    world = make_world(make_host(), make_host(TV))
    answer = world.service.update(basic(SECRET, CAM, TV, to=["1.1.1.1"], refusal=Outcome.TOO_MANY_HOSTS))
    assert [host.outcome for host in answer.hosts] == [Outcome.TOO_MANY_HOSTS] * 2
    assert world.shown() is None


def test_a_prefix_moves_a_host_and_an_offline_one_is_withdrawn() -> None:
    world = make_world(make_host(record_type="AAAA", allow_offline=True, interface_identifier="::5"))
    prefix = HostUpdate(CAM, CAM, {"AAAA": SetPrefix(IPv6Network("2a00:1::/64"))})
    request = basic(SECRET, CAM, to=["2a00::1"])
    assert world.service.update(type(request)(request.proof, (prefix,), request.source, CAM)).hosts[0].rrsets == (
        RRsetOutcome("AAAA", Outcome.UPDATED, "2a00:1::5"),
    )
    offline = HostUpdate(CAM, CAM, {"AAAA": Withdraw(None)})
    gone = world.service.update(type(request)(request.proof, (offline,), request.source, CAM))
    assert gone.hosts[0].rrsets == (RRsetOutcome("AAAA", Outcome.UPDATED, None),)
    assert world.shown(CAM, "AAAA") is None


@pytest.mark.parametrize(
    ("address", "public", "note"),
    [("127.0.0.9", (), "127.0.0.9 is not global: Loopback"), ("1.1.1.1", (), None),
     ("10.1.2.3", (ip_network("10.0.0.0/8"),), None)],
)  # fmt: skip
def test_a_published_address_that_is_not_global_is_noted_for_the_operator(
    address: str, public: tuple[Any, ...], note: str | None
) -> None:
    world = make_world(make_host(allow_internal=True), policy=Policy(public_networks=public))
    assert world.service.update(basic(SECRET, CAM, to=[address])).note == note
    assert world.shown() == address


def test_a_poll_notes_nothing_and_a_refusal_neither() -> None:
    world = make_world(make_host(allow_internal=True), make_host(TV))
    world.service.update(basic(SECRET, CAM, to=["10.1.2.3"]))
    assert world.service.update(basic(SECRET, CAM, to=["10.1.2.3"])).note is None
    assert world.service.update(basic(SECRET, TV, to=["10.1.2.3"])).note is None


# --- durable before positive


def test_the_commit_comes_before_dns_and_dns_before_the_answer() -> None:
    events: list[str] = []
    publisher = FlakyPublisher()
    publisher.before = lambda: events.append("publish")
    world = make_world(make_host(), publisher=publisher)
    world.store.after_commit = lambda commit: events.append("commit " + str(commit.puts[0].version))
    answer = world.service.update(basic(SECRET, CAM, to=["1.1.1.1"]))
    events.append(answer.outcome.value)
    assert events == ["commit 2", "publish", "commit 3", "updated"]


@pytest.mark.parametrize("error", [StoreUnavailable("off"), StoreDamaged("broken")])
@pytest.mark.parametrize("hook", ["before_load", "before_commit"])
def test_a_store_that_fails_means_nothing_was_done(error: Exception, hook: str) -> None:
    publisher = FlakyPublisher()
    world = make_world(make_host(), publisher=publisher)
    commits = world.store.commits
    setattr(world.store, hook, fail_with(error))
    answer = world.service.update(basic(SECRET, CAM, to=["1.1.1.1"]))
    assert (answer.outcome, answer.retry_after, answer.hosts) == (Outcome.UNAVAILABLE, RETRY_AFTER, ())
    assert (world.store.commits, publisher.calls) == (commits, [])


def test_a_commit_whose_answer_was_lost_is_no_success_and_asking_again_is_harmless() -> None:
    world = make_world(make_host())
    world.store.after_commit = fail_with(StoreUnavailable("the answer was lost"), times=1)
    request = signed(SECRET, to=["1.1.1.1"], at=START)
    assert world.service.update(request).outcome is Outcome.UNAVAILABLE
    assert world.service.update(request).outcome is Outcome.UNCHANGED
    assert world.host().version == 2


def test_dns_that_cannot_be_reached_does_not_undo_the_promise() -> None:
    publisher = FlakyPublisher(Faults(unreachable=1))
    world = make_world(make_host(), publisher=publisher)
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1"])).outcome is Outcome.UPDATED
    assert world.host().pending
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1"])).outcome is Outcome.UNCHANGED
    publisher.faults = Faults()
    plan = world.service.plan(basic(SECRET, CAM, to=["1.1.1.1"]), may_block=False)
    assert not plan.is_settled
    assert world.service.carry_out(basic(SECRET, CAM, to=["1.1.1.1"]), plan).outcome is Outcome.UNCHANGED
    assert world.shown() == "1.1.1.1"
    assert not world.host().pending


def test_a_host_that_dns_rejects_is_told_so_and_never_unchanged() -> None:
    publisher = FlakyPublisher(rejected=[TV])
    world = make_world(make_host(), make_host(TV), publisher=publisher)
    first = world.service.update(basic(SECRET, CAM, TV, to=["1.1.1.1"]))
    assert first.outcome is Outcome.PUBLISH_REJECTED
    assert [host.outcome for host in first.hosts] == [Outcome.UPDATED, Outcome.PUBLISH_REJECTED]
    assert world.service.update(basic(SECRET, TV, to=["1.1.1.1"])).outcome is Outcome.PUBLISH_REJECTED
    publisher.rejected.clear()
    assert world.service.update(basic(SECRET, TV, to=["1.1.1.2"])).outcome is Outcome.UPDATED
    assert world.host(TV).rejected is None
    assert world.shown(TV) == "1.1.1.2"


def test_a_host_that_dns_rejects_is_not_unchanged_for_going_offline_either() -> None:
    world = make_world(make_host(desired=ONE, rejected="why"))
    offline = replace(basic(SECRET, CAM), updates=(HostUpdate(CAM, CAM, {"A": Withdraw(None)}),))
    assert world.service.update(offline).outcome is Outcome.PUBLISH_REJECTED
