"""What a name costs before anybody has proved anything: IDNA is dear, and nobody gets much of it for one request."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidName
from homing.core.names import MAX_U_NAMES, parse_hostname
from homing.core.outcomes import Outcome
from homing.core.update import UpdateRequest
from homing.protocols import dyndns2, signed
from homing.protocols.http import Response
from tests.protocols.strategies import V4, basic, make_request
from tests.protocols.test_signed import request as signed_request

A_LABEL = "xn--mnchen-3ya.home.example."
FAKE = "xn--zzzzzzzz.home.example."


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every label that is encoded or decoded."""
    done: list[str] = []

    def watch(name: str) -> None:
        real = getattr(idna, name)

        def watched(label: str, *more: Any, **options: Any) -> Any:
            done.append(label)
            return real(label, *more, **options)

        monkeypatch.setattr(idna, name, watched)

    for name in ("alabel", "ulabel", "uts46_remap"):
        watch(name)
    return done


def u_names(count: int, prefix: str) -> list[str]:
    """Names that no cache holds: each test has a prefix of its own."""
    return [f"{prefix}ü{number}.home.example" for number in range(count)]


def dyndns2_of(names: list[str]) -> dyndns2.Asked:
    target = "/nic/update?myip=8.8.8.8&hostname=" + quote(",".join(names))
    asked = dyndns2.parse(make_request(target, headers=basic("alice", "pw")), V4)
    assert isinstance(asked, dyndns2.Asked)
    return asked


def signed_of(names: list[str]) -> UpdateRequest | Response:
    updates = [{"hostname": name, "addresses": ["8.8.8.8"]} for name in names]
    return signed.parse(signed_request({"as": "cam.home.example", "updates": updates}), V4)


# --- names outside ASCII


def test_dyndns2_refuses_many_names_outside_ascii_without_looking_at_them(work: list[str]) -> None:
    update = dyndns2_of(u_names(MAX_U_NAMES + 1, "many")).update
    assert (update.refusal, work) == (Outcome.TOO_MANY_HOSTS, [])
    assert "outside ASCII" in (update.complaint or "")


def test_dyndns2_takes_as_many_as_are_allowed(work: list[str]) -> None:
    update = dyndns2_of([*u_names(MAX_U_NAMES, "few"), "cam.home.example"]).update
    assert update.refusal is None
    assert all(one.hostname for one in update.updates)
    assert work


def test_a_signed_request_with_many_names_outside_ascii_is_malformed_and_costs_nothing(work: list[str]) -> None:
    refused = signed_of(u_names(MAX_U_NAMES + 1, "signed-many"))
    assert isinstance(refused, Response)
    assert (refused.status, work) == (400, [])
    assert "outside ASCII" in json.loads(refused.body)["detail"]


def test_a_signed_request_takes_as_many_as_are_allowed() -> None:
    taken = signed_of([*u_names(MAX_U_NAMES, "signed-few"), "cam.home.example"])
    assert isinstance(taken, UpdateRequest)
    assert len(taken.updates) == MAX_U_NAMES + 1


# --- A-labels


def test_a_labels_in_updates_are_not_decoded(work: list[str]) -> None:
    names = [f"xn--mnchen-3ya.a{number}.example" for number in range(20)]
    assert [one.hostname for one in dyndns2_of(names).update.updates] == [name + "." for name in names]
    taken = signed_of([f"xn--mnchen-3ya.b{number}.example" for number in range(20)])
    assert isinstance(taken, UpdateRequest)
    assert work == []


@pytest.mark.parametrize(
    "text", ["XN--MNCHEN-3YA.home.example", "xn--mnchen-3ya.Home.Example.", "münchen.home.example"]
)
def test_a_name_to_look_up_is_the_name_that_the_host_was_made_with(text: str) -> None:
    assert parse_hostname(text, only_to_look_up=True) == parse_hostname(text) == A_LABEL


@given(st.from_regex(r"[a-zA-Z0-9ü-]{1,12}\.(xn--[a-z0-9-]{1,8}|[A-Z0-9]{1,5})\.example\.?", fullmatch=True))
def test_looking_up_says_nothing_else_of_a_name_that_is_valid(text: str) -> None:
    try:
        strict = parse_hostname(text)
    except InvalidName:
        return
    assert parse_hostname(text, only_to_look_up=True) == strict


def test_only_making_a_host_asks_whether_an_a_label_is_one() -> None:
    assert parse_hostname(FAKE, only_to_look_up=True) == FAKE
    with pytest.raises(InvalidName):
        parse_hostname(FAKE)


@pytest.mark.parametrize("text", ["one", "a_b.example", "-a.example", "a.1.2.3", "", "a..example", "a b.example"])
def test_what_is_no_host_name_at_all_is_not_looked_up(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_hostname(text, only_to_look_up=True)
