"""Who may update what; and that from outside all failures are one failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from homing.core.outcomes import Answer, Outcome
from tests.app.builders import (
    CAM,
    NAS,
    OTHER_SECRET,
    SECRET,
    SOURCE,
    START,
    TV,
    ask,
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

if TYPE_CHECKING:
    from homing.core.update import UpdateRequest


STRANGER = Answer(Outcome.NOT_AUTHENTICATED, server_time=int(START * 1000))


def outcome(world: Any, request: UpdateRequest) -> Outcome:
    answer = world.service.update(request)
    assert isinstance(answer, Answer)
    return answer.outcome


@pytest.mark.parametrize(
    "request_",
    [
        legacy(SECRET, NAS), legacy(OTHER_SECRET), legacy(SECRET, TV), basic(SECRET, NAS, username=NAS, to=["1.1.1.1"]),
        basic(OTHER_SECRET, CAM, to=["1.1.1.1"]), basic("wrong", CAM, username="me", to=["1.1.1.1"]),
        basic("password", CAM, username="nobody", to=["1.1.1.1"]), basic("", CAM, to=["1.1.1.1"]),
        basic("\udcff", CAM, username="\udcff", to=["1.1.1.1"]), signed(OTHER_SECRET, to=["1.1.1.1"], at=START),
        signed(SECRET, to=["1.1.1.1"], at=START, identity=NAS), signed(OTHER_SECRET, to=["1.1.1.1"], at=START + 9_999),
        token(key="wrong"), token(NAS, key="wrong"), token(zone_id="Z9"), token(zone_id="Z2"),
        list_request(OTHER_SECRET), list_request(SECRET, NAS), legacy("", TV), basic("", TV, username=TV),
    ],
)  # fmt: skip
def test_an_unknown_name_and_a_wrong_secret_get_the_same_answer(request_: UpdateRequest) -> None:
    world = make_world(
        make_host(), make_host(TV, shared_secret=""), make_account("me", "password", CAM), make_token_key()
    )
    commits = world.store.commits
    assert world.service.update(request_) == STRANGER
    assert world.service.list_group(request_) == STRANGER
    assert world.store.commits == commits


def test_every_right_proof_opens_its_host() -> None:
    world = make_world(make_host(), make_account("me", "password", CAM), make_token_key())
    asked = [
        legacy(SECRET, source="1.1.1.1"), token(to=["1.1.1.2"]), basic(SECRET, CAM, to=["1.1.1.3"]),
        basic("password", CAM, username="me", to=["1.1.1.4"]), signed(SECRET, to=["1.1.1.5"], at=START + 1),
    ]  # fmt: skip
    assert [outcome(world, one) for one in asked] == [Outcome.UPDATED] * 5


def test_a_pinned_host_refuses_hash_and_token_as_if_they_were_wrong_but_not_basic() -> None:
    world = make_world(make_host(signed_only=True, read_privilege=True), make_token_key())
    for replayable in (legacy(SECRET), token(), list_request(SECRET)):
        assert world.service.update(replayable) == STRANGER
        assert world.service.list_group(replayable) == STRANGER
    assert outcome(world, basic(SECRET, CAM, to=["1.1.1.1"])) is Outcome.UPDATED
    assert outcome(world, signed(SECRET, to=["1.1.1.2"], at=START + 1)) is Outcome.UPDATED


def test_the_first_signed_change_pins_and_a_wrong_or_unchanging_one_does_not() -> None:
    world = make_world(make_host(), make_token_key())
    assert outcome(world, legacy(SECRET)) is Outcome.UPDATED
    assert outcome(world, signed(OTHER_SECRET, to=["1.1.1.1"], at=START + 1)) is Outcome.NOT_AUTHENTICATED
    assert outcome(world, signed(SECRET, to=["8.8.8.8"], at=START + 1)) is Outcome.UNCHANGED
    assert outcome(world, legacy(SECRET)) is Outcome.UNCHANGED
    assert outcome(world, signed(SECRET, to=["1.1.1.1"], at=START + 2)) is Outcome.UPDATED
    assert world.service.update(legacy(SECRET)) == STRANGER
    assert world.service.update(token()) == STRANGER


def test_a_pinned_member_of_a_group_is_not_opened_by_the_hash_of_another() -> None:
    world = make_world(make_host(), make_host(TV, signed_only=True))
    request = legacy(SECRET)
    both = type(request)(request.proof, ask(CAM, TV, to=["8.8.8.8"]), SOURCE, CAM)
    assert outcome(world, both) is Outcome.NO_SUCH_HOST
    assert world.host().desired is None


def test_rotation_leaves_the_old_secret_until_its_time_and_not_longer() -> None:
    rotated = make_host(shared_secret=OTHER_SECRET, previous_secret=SECRET, previous_secret_until=int(START) + 100)
    world = make_world(rotated, make_host(TV, shared_secret=OTHER_SECRET))
    assert outcome(world, basic(OTHER_SECRET, CAM, to=["1.1.1.1"])) is Outcome.UPDATED
    assert outcome(world, basic(SECRET, CAM, to=["1.1.1.2"])) is Outcome.UPDATED
    assert outcome(world, basic(SECRET, TV, to=["1.1.1.2"])) is Outcome.NO_SUCH_HOST
    world.clock.time += 100
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.3"])).outcome is Outcome.NOT_AUTHENTICATED
    assert outcome(world, basic(OTHER_SECRET, CAM, to=["1.1.1.3"])) is Outcome.UPDATED


def test_a_removed_host_is_unknown() -> None:
    world = make_world(make_host(removed_at=5), make_token_key())
    for request in (legacy(SECRET), basic(SECRET, CAM), signed(SECRET, to=["1.1.1.1"], at=START)):
        assert world.service.update(request) == STRANGER


def test_an_account_reaches_its_hosts_and_no_others() -> None:
    world = make_world(make_host(), make_host(TV), make_host(NAS), make_account("me", "password", CAM, TV))
    assert outcome(world, basic("password", CAM, TV, username="me", to=["1.1.1.1"])) is Outcome.UPDATED
    assert outcome(world, basic("password", CAM, NAS, username="me", to=["1.1.1.2"])) is Outcome.NO_SUCH_HOST
    assert world.host().desired == world.host(TV).desired
    assert world.host(NAS).desired is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [((CAM,), Outcome.UPDATED), ((CAM, TV), Outcome.NOT_A_FQDN), ((), Outcome.NOT_A_FQDN)],
)
def test_an_account_with_one_host_need_not_name_it(names: tuple[Any, ...], expected: Outcome) -> None:
    world = make_world(make_host(), make_host(TV), make_account("me", "password", *names))
    answer = world.service.update(basic("password", username="me", to=["1.1.1.1"]))
    assert answer.outcome is expected
    assert [host.hostname for host in answer.hosts] == ([CAM] if expected is Outcome.UPDATED else [""])


def test_a_host_named_like_an_account_is_opened_by_its_own_secret_and_by_the_accounts_password() -> None:
    world = make_world(make_host(), make_host(TV), make_account(CAM, "password", CAM, TV))
    assert outcome(world, basic(SECRET, CAM, to=["1.1.1.1"])) is Outcome.UPDATED
    assert outcome(world, basic("password", CAM, TV, to=["1.1.1.2"])) is Outcome.UPDATED
    assert outcome(world, basic("wrong", CAM, to=["1.1.1.3"])) is Outcome.NOT_AUTHENTICATED
