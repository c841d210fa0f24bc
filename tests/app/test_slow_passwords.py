"""Passwords that people chose: they take long to verify, and nobody else's time."""

from __future__ import annotations

import random
import threading
import time
from ipaddress import ip_address

import pytest

from homing.app.authentication import SlowPasswords, TooManyFailures, WouldBlock
from homing.core import credentials
from homing.core.accounts import Account
from homing.core.outcomes import Answer, Outcome
from tests.app.builders import (
    CAM,
    SOURCE,
    START,
    CountingEntropy,
    ManualClock,
    basic,
    make_account,
    make_host,
    make_world,
)
from tests.app.test_authentication import outcome

STRANGER = Answer(Outcome.NOT_AUTHENTICATED, server_time=int(START * 1000))
SLOW = credentials.hash_chosen("right", bytes(16))


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


def test_every_wrong_password_looks_the_same_however_often_it_is_tried(scrypt: CheapScrypt) -> None:
    """An account that was imported, none at all, and one with a generated password are told apart by nothing."""
    imported, generated = Account(username="imported", password=SLOW), make_account("generated", "p", CAM)

    def guess(username: str) -> list[Answer]:
        world = make_world(make_host(), imported, generated, has_slow_passwords=True)
        guesses = (basic(str(number), CAM, username=username, to=["1.1.1.1"]) for number in range(7))
        return [world.service.update(one) for one in guesses]

    told = guess("imported")
    assert [answer.outcome for answer in told] == [Outcome.NOT_AUTHENTICATED] * 5 + [Outcome.UNAVAILABLE] * 2
    assert told == guess("nobody") == guess("generated")


def test_what_is_remembered_is_bounded(scrypt: CheapScrypt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "verify_password", lambda stored, password: True)
    passwords = SlowPasswords(ManualClock(), CountingEntropy())
    for number in range(1_200):
        passwords.verify(SLOW, str(number), SOURCE, may_block=True)
    assert len(passwords._remembered) == 1_000
    passwords.verify(SLOW, "1199", SOURCE, may_block=False)
    with pytest.raises(WouldBlock):
        passwords.verify(SLOW, "0", SOURCE, may_block=False)
