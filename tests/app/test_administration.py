"""What an operator does: through the same versioned commits as updates, and seen by DNS at once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from homing.core.credentials import verify_password
from homing.core.errors import Conflict, InvalidInput, Refused
from homing.core.names import Name
from homing.core.outcomes import Outcome
from homing.core.records import RRset
from homing.core.rows import account_key
from homing.core.update import Policy
from tests.app.builders import (
    CAM,
    NAS,
    OTHER_SECRET,
    SECRET,
    START,
    TV,
    World,
    basic,
    make_account,
    make_host,
    make_world,
)
from tests.app.flaky_publisher import FlakyPublisher
from tests.conformance.publisher_contract import ZONE

ONE = RRset(60, ("1.1.1.1",))


def outcome(world: World, secret: str, name: Name, address: str = "1.1.1.1") -> Outcome:
    return world.service.update(basic(secret, name, username=name, to=[address])).outcome


# --- add


def test_a_new_name_has_both_families_one_generated_secret_and_can_update() -> None:
    world = make_world()
    hosts = world.administration.add_host(CAM, comment="attic", ttl=30)
    assert [(host.record_type, host.version, host.comment, host.ttl) for host in hosts] == [
        ("A", 1, "attic", 30), ("AAAA", 1, "attic", 30),
    ]  # fmt: skip
    (secret,) = {host.shared_secret for host in hosts}
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{31}", secret)
    assert hosts == world.administration.find_host(CAM) == list(world.administration.hosts())
    assert outcome(world, secret, CAM) is Outcome.UPDATED


def test_the_second_family_of_a_name_shares_its_secret() -> None:
    world = make_world(make_host())
    (added,) = world.administration.add_host(CAM, ["AAAA"])
    assert added.shared_secret == SECRET


@pytest.mark.parametrize(
    ("name", "why"),
    [(CAM, "is a host already"), (Name("cam.elsewhere.example."), "in no zone"), (Name(f"ns.{ZONE}"), "settings")],
)
def test_a_name_that_cannot_be_a_host_is_refused_whole(name: Name, why: str) -> None:
    world = make_world(make_host(record_type="AAAA"))
    with pytest.raises(Refused, match=why):
        world.administration.add_host(name)
    assert [host.record_type for host in world.administration.hosts()] == ["AAAA"]


# --- set, lock


def test_policy_is_changed_without_touching_the_rest() -> None:
    world = make_world(make_host(desired=ONE, published=ONE), make_host(record_type="AAAA"))
    world.administration.set_host(CAM, lock_record=True, comment="new")
    assert outcome(world, SECRET, CAM, "1.1.1.2") is Outcome.LOCKED
    assert (world.host().comment, world.host().desired, world.host().shared_secret) == ("new", ONE, SECRET)
    world.administration.set_host(CAM, lock_record=False)
    assert outcome(world, SECRET, CAM, "1.1.1.2") is Outcome.UPDATED


def test_one_family_alone_can_be_changed() -> None:
    world = make_world(make_host(), make_host(record_type="AAAA"))
    world.administration.set_host(CAM, ["A"], lock_record=True)
    assert (world.host().lock_record, world.host(CAM, "AAAA").lock_record) == (True, False)


def test_a_new_ttl_shows_in_dns_at_once() -> None:
    publisher = FlakyPublisher()
    world = make_world(make_host(), publisher=publisher)
    outcome(world, SECRET, CAM)
    world.administration.set_host(CAM, ttl=300)
    assert publisher.held == {make_host().key: RRset(300, ("1.1.1.1",))}
    assert not world.host().pending
    world.administration.set_host(CAM, ttl=None)
    assert publisher.held == {make_host().key: ONE}


def test_the_default_ttl_of_the_settings_is_what_a_host_without_one_gets() -> None:
    world = make_world(make_host(ttl=99), policy=Policy(default_ttl=120))
    outcome(world, SECRET, CAM)
    world.administration.set_host(CAM, ttl=None)
    assert world.host().desired == RRset(120, ("1.1.1.1",))


def test_a_policy_without_a_ttl_leaves_the_one_that_is_shown() -> None:
    shown = RRset(30, ("1.1.1.1",))  # the default was another when it was set
    world = make_world(make_host(desired=shown, published=shown), policy=Policy(default_ttl=60))
    world.administration.set_host(CAM, lock_record=True)
    assert world.host().desired == shown


def test_what_is_not_there_cannot_be_changed() -> None:
    administration = make_world(make_host(TV, removed_at=5)).administration
    for name in (CAM, TV):
        for command in (administration.set_host, administration.remove_host, administration.find_host):
            with pytest.raises(Refused, match="is no host"):
                command(name)
        with pytest.raises(Refused, match="is no host"):
            administration.rotate(name, overlap=0)


def test_a_change_beside_updates_is_decided_again_and_gives_up_some_time() -> None:
    world = make_world(make_host())
    conflicts = iter([True, True, False])

    def moved(_: Any) -> None:
        if next(conflicts, True):
            raise Conflict("moved")

    world.store.before_commit = moved
    world.administration.set_host(CAM, comment="new")
    assert world.host().comment == "new"
    with pytest.raises(Refused, match="try again"):
        world.administration.set_host(CAM, comment="newer")


def test_a_change_never_undoes_an_update_that_came_between() -> None:
    world = make_world(make_host())
    once = iter([True])

    def update(_: Any) -> None:
        if next(once, False):
            assert outcome(world, SECRET, CAM, "1.1.1.7") is Outcome.UPDATED

    world.store.before_commit = update
    world.administration.set_host(CAM, comment="new")
    assert (world.host().ip_address, world.host().comment) == ("1.1.1.7", "new")


# --- rotate


def test_a_whole_group_rotates_at_once_and_the_old_secret_overlaps() -> None:
    world = make_world(make_host(), make_host(record_type="AAAA"), make_host(TV), make_host(NAS, shared_secret="other"))
    commits = world.store.commits
    rotated = world.administration.rotate(TV, overlap=60)
    assert world.store.commits == commits + 1
    (secret,) = {host.shared_secret for host in rotated}
    assert len(rotated) == 3
    assert secret != SECRET
    assert world.host(NAS).shared_secret == "other"
    for name in (CAM, TV):
        assert outcome(world, SECRET, name, "1.1.1.1") is Outcome.UPDATED
        assert outcome(world, secret, name, "1.1.1.2") is Outcome.UPDATED
    world.clock.time += 60
    assert outcome(world, SECRET, CAM) is Outcome.NOT_AUTHENTICATED
    assert outcome(world, secret, CAM) is Outcome.UPDATED


def test_without_overlap_the_old_secret_is_dead_at_once_and_so_is_the_one_before() -> None:
    world = make_world(make_host(previous_secret=OTHER_SECRET, previous_secret_until=int(START) + 99))
    world.administration.rotate(CAM, overlap=0)
    for secret in (SECRET, OTHER_SECRET):
        assert outcome(world, secret, CAM) is Outcome.NOT_AUTHENTICATED
    assert (world.host().previous_secret, world.host().previous_secret_until) == (None, 0)


# --- accounts


def test_an_account_updates_its_hosts_with_a_password_that_is_kept_nowhere() -> None:
    world = make_world(make_host(), make_host(TV))
    account, password = world.administration.add_account("me@example.org", [CAM, TV], "router")
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{31}", password)
    assert verify_password(account.password, password)
    assert password not in str(world.store.rows)
    answer = world.service.update(basic(password, CAM, TV, username="me@example.org", to=["1.1.1.1"]))
    assert answer.outcome is Outcome.UPDATED
    assert list(world.administration.accounts()) == [account]


@pytest.mark.parametrize(
    ("username", "names", "error"),
    [("me", [CAM], Refused), ("you", [NAS], Refused), ("a:b", [CAM], InvalidInput), ("", [CAM], InvalidInput),
     ("#token-key", [CAM], InvalidInput), ("a\nb", [CAM], InvalidInput)],
)  # fmt: skip
def test_an_account_that_cannot_be_is_refused(username: str, names: list[Name], error: type[Exception]) -> None:
    world = make_world(make_host(), make_account("me", "password", CAM))
    with pytest.raises(error):
        world.administration.add_account(username, names)
    assert len(list(world.administration.accounts())) == 1


def test_a_removed_account_opens_nothing_and_its_hosts_stay() -> None:
    world = make_world(make_host(), make_account("me", "password", CAM))
    world.administration.remove_account("me")
    assert world.get(account_key("me")) is None
    request = basic("password", CAM, username="me", to=["1.1.1.1"])
    assert world.service.update(request).outcome is Outcome.NOT_AUTHENTICATED
    assert world.administration.find_host(CAM)
    with pytest.raises(Refused, match="no account"):
        world.administration.remove_account("me")
