"""Who may update what; and that from outside all failures are one failure."""

from __future__ import annotations

import random
import threading
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from homing.app.authentication import SlowPasswords, TooManyFailures, WouldBlock
from homing.core import credentials
from homing.core.accounts import Account
from homing.core.outcomes import Answer, Outcome
from tests.app.builders import (
    CAM,
    NAS,
    OTHER_SECRET,
    OTHER_ZONE,
    SECRET,
    SOURCE,
    START,
    TOKEN_KEY,
    TV,
    CountingEntropy,
    ManualClock,
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
from tests.conformance.publisher_contract import ZONE

if TYPE_CHECKING:
    from homing.core.update import UpdateRequest

STRANGER = Answer(Outcome.NOT_AUTHENTICATED, server_time=int(START * 1000))
SLOW = credentials.hash_chosen("right", bytes(16))


def outcome(world: Any, request: UpdateRequest) -> Outcome:
    answer = world.service.update(request)
    assert isinstance(answer, Answer)
    return answer.outcome


class CheapScrypt:
    """Counts what would have cost a tenth of a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        monkeypatch.setattr(credentials, "verify_password", self.verify)

    def verify(self, stored: str, password: str) -> bool:
        self.calls += 1
        return stored == SLOW and password == "right"


@pytest.fixture
def scrypt(monkeypatch: pytest.MonkeyPatch) -> CheapScrypt:
    return CheapScrypt(monkeypatch)


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


def test_a_host_named_like_an_account_needs_the_accounts_password() -> None:
    world = make_world(make_host(), make_account(CAM, "password", CAM))
    assert outcome(world, basic(SECRET, CAM, to=["1.1.1.1"])) is Outcome.NOT_AUTHENTICATED
    assert outcome(world, basic("password", CAM, to=["1.1.1.1"])) is Outcome.UPDATED


def test_the_configured_token_key_stands_above_the_one_in_the_store() -> None:
    world = make_world(make_host(), make_token_key(), token_key="configured")
    assert outcome(world, token()) is Outcome.NOT_AUTHENTICATED
    assert outcome(world, token(key="configured")) is Outcome.UPDATED


def test_a_token_never_reaches_another_zone() -> None:
    below = type(CAM)(f"x.{OTHER_ZONE}")
    world = make_world(make_token_key())
    assert outcome(world, token(below, zone_id="Z1")) is Outcome.NOT_AUTHENTICATED
    assert outcome(world, token(type(CAM)(f"evil{ZONE}"), zone_id="Z1")) is Outcome.NOT_AUTHENTICATED
    assert outcome(world, token(below, zone_id="Z2")) is Outcome.UPDATED


def test_no_dynamic_secret_means_no_token() -> None:
    world = make_world(make_host())
    for key in ("", TOKEN_KEY, "the secret of an unknown host"):
        assert outcome(world, token(key=key)) is Outcome.NOT_AUTHENTICATED
        assert outcome(world, legacy("the secret of an unknown host", NAS)) is Outcome.NOT_AUTHENTICATED


# --- passwords that people chose


def test_a_slow_password_is_verified_in_a_thread_and_remembered(scrypt: CheapScrypt) -> None:
    world = make_world(make_host(), Account(username="me", password=SLOW, hostnames=(CAM,)))
    request = basic("right", CAM, username="me", to=["1.1.1.1"])
    with pytest.raises(WouldBlock):
        world.service.plan(request, may_block=False)
    assert scrypt.calls == 0
    assert outcome(world, request) is Outcome.UPDATED
    assert world.service.plan(request, may_block=False).answer.outcome is Outcome.UNCHANGED
    assert scrypt.calls == 1
    world.put(Account(username="me", version=1, password=credentials.hash_chosen("new", bytes(16)), hostnames=(CAM,)))
    with pytest.raises(WouldBlock):
        world.service.plan(request, may_block=False)


def test_guessing_is_held_down_before_it_costs_anything(scrypt: CheapScrypt) -> None:
    clock = ManualClock()
    passwords = SlowPasswords(clock, CountingEntropy())
    refused = 0
    for number in range(1_000):
        try:
            assert not passwords.verify(SLOW, f"guess {number}", SOURCE, may_block=True)
        except TooManyFailures:
            refused += 1
    assert (scrypt.calls, refused) == (5, 995)
    clock.time += 12.1
    assert not passwords.verify(SLOW, "another", SOURCE, may_block=True)
    assert scrypt.calls == 6


def test_the_owner_is_never_locked_out_by_guesses_from_elsewhere(scrypt: CheapScrypt) -> None:
    passwords = SlowPasswords(ManualClock(), CountingEntropy())
    chance = random.Random(1)
    for number in range(1_000):
        elsewhere = ip_address(0x2A00 << 112 | chance.getrandbits(40) << 72)
        assert not passwords.verify(SLOW, f"guess {number}", elsewhere, may_block=True)
    assert passwords.verify(SLOW, "right", SOURCE, may_block=True)


def test_once_verified_the_owner_is_not_locked_out_by_guesses_from_the_same_place(scrypt: CheapScrypt) -> None:
    world = make_world(make_host(), Account(username="me", password=SLOW, hostnames=(CAM,)))
    right = basic("right", CAM, username="me", to=["1.1.1.1"])
    assert outcome(world, right) is Outcome.UPDATED
    for number in range(1_000):
        wrong = world.service.update(basic(f"guess {number}", CAM, username="me", to=["6.6.6.6"]))
        assert wrong.outcome in (Outcome.NOT_AUTHENTICATED, Outcome.UNAVAILABLE)
        assert outcome(world, right) is Outcome.UNCHANGED
    assert scrypt.calls == 6


def test_one_slow_verification_runs_at_a_time_and_few_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, refused = 0, 0, 0

    def slow(stored: str, password: str) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return True

    def ask(number: int) -> None:
        nonlocal refused
        try:
            assert passwords.verify(SLOW, str(number), SOURCE, may_block=True)
        except TooManyFailures:
            refused += 1

    monkeypatch.setattr(credentials, "verify_password", slow)
    passwords = SlowPasswords(ManualClock(), CountingEntropy())
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert 0 < refused <= 12
    ask(99)  # whoever was refused left no place taken
    assert refused <= 12


def test_a_user_that_does_not_exist_costs_as_much_as_a_wrong_password(scrypt: CheapScrypt) -> None:
    world = make_world(make_host(), Account(username="me", password=SLOW, hostnames=(CAM,)), has_slow_passwords=True)
    for username in ("me", "nobody"):
        calls = scrypt.calls
        with pytest.raises(WouldBlock):
            world.service.plan(basic("wrong", CAM, username=username, to=["1.1.1.1"]), may_block=False)
        assert world.service.update(basic("wrong", CAM, username=username, to=["1.1.1.1"])) == STRANGER
        assert scrypt.calls == calls + 1


def test_what_is_remembered_is_bounded(scrypt: CheapScrypt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "verify_password", lambda stored, password: True)
    passwords = SlowPasswords(ManualClock(), CountingEntropy())
    for number in range(1_200):
        passwords.verify(SLOW, str(number), SOURCE, may_block=True)
    assert len(passwords._remembered) == 1_000
    passwords.verify(SLOW, "1199", SOURCE, may_block=False)
    with pytest.raises(WouldBlock):
        passwords.verify(SLOW, "0", SOURCE, may_block=False)
