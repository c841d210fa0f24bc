"""The way of an update: all or nothing, durable before positive, and decided again whenever somebody was faster."""

from __future__ import annotations

import sys
import threading
from ipaddress import IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

import pytest

from homing.app.planning import RETRY_AFTER
from homing.app.service import ATTEMPTS
from homing.core.errors import Conflict, StoreDamaged, StoreUnavailable
from homing.core.hosts import Host
from homing.core.limits import Rate
from homing.core.names import Name
from homing.core.outcomes import HostOutcome, Outcome, RRsetOutcome
from homing.core.records import RRset
from homing.core.rows import ABSENT
from homing.core.update import HostUpdate, SetPrefix, Withdraw
from tests.app.builders import (
    CAM,
    NAS,
    OTHER_SECRET,
    SECRET,
    START,
    TV,
    WatchedStore,
    basic,
    legacy,
    list_request,
    make_account,
    make_host,
    make_token_key,
    make_world,
    signed,
    token,
)
from tests.app.flaky_publisher import Faults, FlakyPublisher
from tests.conformance.publisher_contract import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homing.core.rows import Commit

THREADS, UPDATES = 64, 50


def fail_with(error: Exception, times: int = 10**9) -> Callable[..., None]:
    """Raise so many times, then let things pass."""
    left = [times]

    def fail(*_: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise error

    return fail


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
    assert answer.culprit == f"{culprit}: {expected.value}"
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


def test_a_group_is_set_at_once_by_one_of_its_members() -> None:
    world = make_world(make_host(), make_host(TV), make_host(NAS, shared_secret=OTHER_SECRET))
    assert world.service.update(signed(SECRET, CAM, TV, to=["1.1.1.1"], at=START)).outcome is Outcome.UPDATED
    assert world.store.commits == 4  # three rows were put, then one commit for both
    assert world.host(TV).signed_only
    stranger = world.service.update(signed(SECRET, CAM, TV, NAS, to=["1.1.1.2"], at=START + 1))
    assert stranger.outcome is Outcome.NO_SUCH_HOST
    assert world.shown(TV) == "1.1.1.1"


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


@pytest.mark.parametrize("count", [90, 91])
def test_a_request_changes_at_most_90_rows(count: int) -> None:
    names = [Name(f"h{number}.{ZONE}") for number in range(count)]
    world = make_world(*(make_host(name) for name in names))
    answer = world.service.update(basic(SECRET, *names, to=["1.1.1.1"], username=names[0]))
    assert answer.outcome is (Outcome.UPDATED if count == 90 else Outcome.MALFORMED)
    assert world.shown(names[-1]) == ("1.1.1.1" if count == 90 else None)


# --- signed requests


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


# --- tokens


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


# --- groups


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


# --- who was faster


def test_a_moved_row_is_decided_again() -> None:
    world = make_world(make_host())
    plan = world.service.plan(basic(SECRET, CAM, to=["1.1.1.1"]), may_block=True)
    world.administration.set_host(CAM, lock_record=True)
    assert world.service.carry_out(basic(SECRET, CAM, to=["1.1.1.1"]), plan).outcome is Outcome.LOCKED


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1, ATTEMPTS])
def test_conflicts_are_planned_again_a_few_times(times: int) -> None:
    world = make_world(make_host())
    world.store.before_commit = fail_with(Conflict("moved"), times)
    answer = world.service.update(basic(SECRET, CAM, to=["1.1.1.1"]))
    assert answer.outcome is (Outcome.UPDATED if times < ATTEMPTS else Outcome.UNAVAILABLE)
    assert world.shown() == ("1.1.1.1" if times < ATTEMPTS else None)


def test_a_secret_that_was_rotated_meanwhile_no_longer_opens() -> None:
    world = make_world(make_host(), make_host(TV))
    plan = world.service.plan(basic(SECRET, TV, to=["1.1.1.1"]), may_block=True)
    world.administration.rotate(CAM, overlap=0)
    assert world.service.carry_out(basic(SECRET, TV, to=["1.1.1.1"]), plan).outcome is Outcome.NOT_AUTHENTICATED


def test_an_account_that_was_removed_meanwhile_no_longer_opens() -> None:
    world = make_world(make_host(), make_account("me", "password", CAM))
    request = basic("password", CAM, username="me", to=["1.1.1.1"])
    plan = world.service.plan(request, may_block=True)
    world.administration.remove_account("me")
    assert world.service.carry_out(request, plan).outcome is Outcome.NOT_AUTHENTICATED
    assert world.shown() is None


def test_the_owner_who_only_opens_the_group_is_fenced_too() -> None:
    world = make_world(make_host(), make_host(TV))
    request = basic(SECRET, TV, to=["1.1.1.1"])
    plan = world.service.plan(request, may_block=True)
    assert plan.commit is not None
    assert plan.commit.expects == {make_host().key: 1, (CAM, "AAAA"): ABSENT, make_host(TV).key: 1}


# --- budgets


def test_changes_have_a_budget_and_polls_have_none() -> None:
    world = make_world(make_host(), make_host(record_type="AAAA"), change_rate=Rate(burst=3, per_second=0.1))
    for number in range(3):
        assert world.service.update(basic(SECRET, CAM, to=[f"1.1.1.{number}"])).outcome is Outcome.UPDATED
    limited = world.service.update(basic(SECRET, CAM, to=["1.1.1.9"]))
    assert (limited.outcome, limited.retry_after) == (Outcome.UNAVAILABLE, 10)
    for _ in range(50):
        assert world.service.update(basic(SECRET, CAM, to=["1.1.1.2"])).outcome is Outcome.UNCHANGED
    assert world.service.update(basic(SECRET, CAM, to=["2a00::1"])).outcome is Outcome.UPDATED
    world.clock.time += 10
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.9"])).outcome is Outcome.UPDATED


def test_a_stranger_spends_nothing_of_the_budget() -> None:
    world = make_world(make_host(), change_rate=Rate(burst=1, per_second=0.1))
    for _ in range(9):
        world.service.update(basic("wrong", CAM, to=["6.6.6.6"]))
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1"])).outcome is Outcome.UPDATED


# --- many at once


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns far more often than they usually would."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("restless")
def test_64_writers_of_one_host_see_one_order() -> None:
    """Each version holds another value: so no success was lost, doubled or undone, and the last one is what is left."""
    store = WatchedStore()
    world = make_world(make_host(), store=store)
    committed: list[tuple[int, str]] = []
    acknowledged: set[str] = set()

    def note(commit: Commit) -> None:
        (host,) = commit.puts
        assert isinstance(host, Host)
        assert host.ip_address is not None
        committed.append((host.version, host.ip_address))

    def write(writer: int) -> None:
        for number in range(UPDATES):
            address = str(ip_address(0x08000000 + writer * 256 + number))
            request = basic(SECRET, CAM, to=[address])
            while (outcome := world.service.update(request).outcome) is Outcome.UNAVAILABLE:
                pass
            assert outcome is Outcome.UPDATED
            acknowledged.add(address)

    store.after_commit = note
    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    committed.sort()
    assert [version for version, _ in committed] == list(range(2, THREADS * UPDATES + 2))
    assert len(acknowledged) == THREADS * UPDATES
    assert {address for _, address in committed} == acknowledged
    assert world.host().ip_address == committed[-1][1]
    world.outbox.publish([world.host()])
    assert world.shown() == committed[-1][1]
