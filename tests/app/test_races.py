"""Who was faster: what was planned on rows that have moved since is decided again."""

from __future__ import annotations

import sys
import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from homing.app.service import ATTEMPTS
from homing.core.errors import Conflict
from homing.core.hosts import Host
from homing.core.outcomes import Outcome
from homing.core.rows import ABSENT, Commit, account_key
from tests.app.builders import (
    CAM,
    SECRET,
    TV,
    WatchedStore,
    basic,
    fail_with,
    make_account,
    make_host,
    make_world,
    once,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


THREADS, UPDATES = 64, 50


# --- one race


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


def test_an_account_that_goes_while_its_only_host_is_looked_up_opens_nothing() -> None:
    """An account that names no host is loaded twice: first for its password, then with the host that it means."""
    world = make_world(make_host(), make_account("me", "password", CAM))
    world.store.before_load = once(lambda: None, lambda: world.store.rows.pop(account_key("me")))
    answer = world.service.update(basic("password", username="me", to=["1.1.1.1"]))
    assert answer.outcome is Outcome.NOT_AUTHENTICATED
    assert world.shown() is None


def test_the_owner_who_only_opens_the_group_is_fenced_too() -> None:
    world = make_world(make_host(), make_host(TV))
    request = basic(SECRET, TV, to=["1.1.1.1"])
    plan = world.service.plan(request, may_block=True)
    assert plan.commit is not None
    assert plan.commit.expects == {make_host().key: 1, (CAM, "AAAA"): ABSENT, make_host(TV).key: 1}


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
