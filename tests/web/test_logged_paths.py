"""What the access log gets to hear: a path only where a route matched, and of a refusal what was asked for.

A path that nothing here answers may hold the token of some other service, and never goes into the log.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from homing.web.routes import Access
from tests.protocols.strategies import basic
from tests.web.harness import H1, World, make_rows

AUTH = basic("alice", "pw")
KEY = Access(api_key="key", api_key_paths="all")


@pytest.fixture
def world() -> World:
    return World(make_rows())


def logged(world: World, target: str, **given: Any) -> dict[str, object]:
    return dict(world.ask(target, **given).log)


def update(query: str) -> str:
    return "/nic/update?" + query


# --- the path


@pytest.mark.parametrize("target", ["/s3cret-token/update?hostname=h", "/update/s3cret-token", "/s3cret-token"])
def test_a_path_that_nothing_answers_is_not_logged(world: World, target: str) -> None:
    log = logged(world, target)
    assert (log["path"], log["outcome"]) == ("-", "no such path")
    assert "s3cret" not in str(log)


def test_the_path_of_a_request_that_contradicts_itself_is_not_logged(world: World) -> None:
    response = world.ask("/s3cret-token?hash=a&hash=b")
    assert (response.status, response.log["path"]) == (400, "-")
    assert response.log["culprit"]
    assert "s3cret" not in str(response.log)


def test_the_path_of_a_request_with_a_sender_that_cannot_be_read_is_not_logged() -> None:
    world = World(make_rows(), Access(trusted_proxies=(ip_network("203.0.113.0/24"),)))
    response = world.ask("/s3cret-token", headers=(("x-forwarded-for", "nonsense"),))
    assert (response.status, response.log["path"]) == (400, "-")


def test_the_path_of_a_request_without_the_key_is_not_logged() -> None:
    response = World(make_rows(), KEY).ask("/s3cret-token")
    assert (response.status, response.log["path"], response.log["outcome"]) == (403, "-", "API key refused")


@pytest.mark.parametrize("target", ["/", "/ip", "/nic/checkip", "/healthz", "/nic/update?hostname=h", "/v1/update"])
def test_a_path_that_a_route_matched_is_left_to_the_runtime_to_log(world: World, target: str) -> None:
    assert "path" not in logged(world, target)


# --- the refusal


def test_a_challenge_says_that_it_was_one(world: World) -> None:
    log = logged(world, update("hostname=" + H1))
    assert (log["protocol"], log["outcome"], log["client"]) == ("dyndns2", "challenged", "203.0.113.7")


def test_an_address_that_is_not_allowed_is_in_the_log(world: World) -> None:
    log = logged(world, update(f"hostname={H1}&myip=10.1.2.3"), headers=AUTH)
    assert f"{H1}: " in str(log["culprit"])
    assert "(asked: 10.1.2.3)" in str(log["culprit"])


def test_both_addresses_that_were_asked_for_are_in_the_log(world: World) -> None:
    log = logged(world, update(f"hostname={H1}&myip=10.1.2.3,fe80::1"), headers=AUTH)
    assert "(asked: 10.1.2.3, fe80::1)" in str(log["culprit"])


def test_of_several_hosts_the_one_that_was_refused_is_named(world: World) -> None:
    log = logged(world, update(f"hostname={H1},www.example.com&myip=203.0.113.9"), headers=AUTH)
    assert str(log["culprit"]).startswith("www.example.com")


def test_the_same_host_twice_is_refused_as_once(world: World) -> None:
    log = logged(world, update(f"hostname={H1},{H1}&myip=10.1.2.3"), headers=AUTH)
    assert "(asked: 10.1.2.3)" in str(log["culprit"])


def test_what_is_no_address_is_told_in_words(world: World) -> None:
    log = logged(world, update(f"hostname={H1}&myip=300.1.1.1"), headers=AUTH)
    assert "300.1.1.1" in str(log["culprit"])


def test_too_many_hosts_are_told_in_words(world: World) -> None:
    log = logged(world, update("myip=203.0.113.9&hostname=" + ",".join([H1] * 21)), headers=AUTH)
    assert log["culprit"] == "more than 20 hostnames"
