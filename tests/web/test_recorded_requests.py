"""Every recorded request of a real client gets the wanted answer: status and body, first and again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homing.protocols.http import Request
from homing.web.routes import Access
from tests.protocols.strategies import V4
from tests.web.harness import (
    GROUP,
    VECTORS,
    ZONE_ID,
    Said,
    World,
    lines,
    make_rows,
    message,
    peer_for,
    request_of,
    token_for,
    vector_id,
    world_for,
)

# --- every recorded request (tests/vectors/requests.json): status and body, first and again

GET_REPLY = (200, message("success", "203.0.113.7"))
PAGE = "<html><head><title>Current IP Check</title></head><body>Current IP Address: 203.0.113.7</body></html>\r\n"
MISMATCH = '{"return_status": "fail", "return_message": "Validation hashes do not match."}'


def updates(address: str, count: int = 1) -> tuple[Said, Said]:
    return lines("good", address, count), lines("nochg", address, count)


def twice(said: Said) -> tuple[Said, Said]:
    return said, said


def set_v2(host: str, address: str) -> tuple[Said, Said]:
    first = message("success", f"Your hostname record {host} has been set to {address}")
    return (200, first), (200, message("success", "Your IP address matches the current Route53 DNS record."))


WANTED: dict[str, tuple[Said, Said]] = {
    "ddclient 3.10.0: dyndns2, two hosts, usev4 and usev6 configured": updates("203.0.113.7", 2),
    "ddclient 3.10.0: web checkip": twice((200, PAGE)),
    "ddclient 3.10.0: dyndns2, one host, after web checkip": updates("203.0.113.7"),
    "ddclient 3.11.2: dyndns2, two hosts, dual stack": updates("203.0.113.7,2001:db8::7", 2),
    "ddclient 4.0.0: dyndns2, two hosts, dual stack": updates("203.0.113.7,2001:db8::7", 2),
    "ddclient 4.0.1-rc.2: dyndns2, two hosts, dual stack": updates("203.0.113.7,2001:db8::7", 2),
    "ddclient 4.0.1-rc.2: web checkip": twice((200, PAGE)),
    "ddclient 4.0.1-rc.2: dyndns2 on /v3/update, one host, after web checkip": updates("203.0.113.7"),
    "awslabs-v2 59ed24c: get, no API key": twice(GET_REPLY),
    "awslabs-v2 59ed24c: set, no --ip-source given": set_v2("host1.dyn.example.com.", "203.0.113.7"),
    "awslabs-v2 59ed24c: get, API key": twice(GET_REPLY),
    "awslabs-v2 59ed24c: set, --ip-source public, API key": set_v2("host1.dyn.example.com.", "203.0.113.7"),
    "awslabs-v2 59ed24c: set, internal IPv6 address over an IPv4 connection": set_v2(
        "nas.dyn.example.com.", "2001:db8::5"
    ),
    "awslabs-v2 59ed24c: get, IPv6": twice((200, message("success", "2001:db8::7"))),
    "awslabs-v2 59ed24c: set, IPv6, --ip-source public": set_v2("h6.dyn.example.com.", "2001:db8::7"),
    "awslabs-v2 59ed24c: get before list_hosts, API key": twice(GET_REPLY),
    "awslabs-v2 59ed24c: list_hosts": twice((200, json.dumps({"return_message": GROUP, "return_status": "success"}))),
    "awslabs-v2 59ed24c: set, internal IPv4 address, from network-discovery.sh": set_v2(
        "nas.dyn.example.com.", "192.0.2.50"
    ),
    "awslabs-v3 353b7f6: get": twice(GET_REPLY),
    "awslabs-v3 353b7f6: set": (
        (201, '{"return_status": "success", "return_message": "www.example.com has been updated to 203.0.113.7"}'),
        (
            200,
            '{"return_status": "success", "return_message": "Your IP address matches the current Route53 DNS record."}',
        ),
    ),
    "awslabs-v3 353b7f6: set, wrong secret": twice((401, MISMATCH)),
    "awslabs-v3 353b7f6: set, secret with two blanks": twice((401, MISMATCH)),
    "awslabs-v3 353b7f6: set, no hostname given": twice((401, MISMATCH)),
    "fmeppo-ddupdate 1243d03: all values from the configuration file": twice((403, "Invalid token\n")),
    "fmeppo-ddupdate 1243d03: -4, -6 and -l on the command line": twice((403, "Invalid token\n")),
    "fmeppo-ddupdate 1243d03: -t and -z on the command line": twice((403, "Invalid token\n")),
    "curl 7.88.1: credentials in the URL": updates("203.0.113.7"),
    "wget 1.21.3: credentials in the URL, first request": twice((401, "badauth\n")),
    "wget 1.21.3: credentials in the URL, after the challenge": updates("203.0.113.7"),
    "wget 1.21.3: --auth-no-challenge": updates("203.0.113.7"),
    "busybox-wget 1.35.0: credentials in the URL, plain http": updates("203.0.113.7"),
}


@pytest.mark.parametrize("vector", VECTORS, ids=vector_id)
def test_a_recorded_request_gets_what_its_client_wants(vector: dict[str, Any]) -> None:
    key = dict(vector["request"]["headers"]).get("x-api-key")
    for access in (Access(), *([Access(api_key=key)] if key else [])):
        world = world_for(vector, access)
        request = request_of(vector, peer_for(vector))
        said = tuple(
            (response.status, response.body.decode())
            for response in (world.application.handle(request), world.application.handle(request))
        )
        assert said == WANTED[vector_id(vector)]


def test_every_recorded_request_has_a_wanted_answer() -> None:
    assert [vector_id(vector) for vector in VECTORS] == list(WANTED)


@pytest.mark.parametrize("vector", [one for one in VECTORS if one["client"] == "fmeppo-ddupdate"], ids=vector_id)
def test_a_recorded_token_request_with_a_right_token_succeeds(vector: dict[str, Any]) -> None:
    world = World(make_rows())
    request = request_of(vector)
    query = request.query.replace("['ZONE']", f"['{ZONE_ID}']").replace("TOK", "d1bc8d3b" + "0" * 56)
    query = query.replace(
        query.partition("token=")[2].strip("['").partition("&")[0].strip("']"), token_for("host.example.com")
    )
    request = Request("GET", request.path, query, request.headers, b"", V4)
    assert [world.application.handle(request).status for _ in range(2)] == [200, 200]
    is_named = "ipv4" in request.query
    assert world.in_dns("host.example.com.") == (("203.0.113.9",) if is_named else ("203.0.113.7",))
    assert world.in_dns("host.example.com.", "AAAA") == (("2001:db8::9",) if is_named else ())


def test_the_shells_collapsed_secret_works_if_it_is_stored_that_way() -> None:
    (vector,) = [one for one in VECTORS if "two blanks" in one["case"]]
    assert World(make_rows(www_secret="a b*c")).application.handle(request_of(vector)).status == 201


@pytest.mark.parametrize("vector", VECTORS, ids=vector_id)
def test_a_success_is_in_dns_and_a_second_one_commits_nothing(vector: dict[str, Any]) -> None:
    world = world_for(vector)
    request = request_of(vector, peer_for(vector))
    before = world.store.commits
    first = world.application.handle(request)
    changed = world.store.commits - before
    is_update = first.log.get("outcome") == "updated"
    assert changed == (1 if is_update else 0)
    if is_update:
        shown = [
            address
            for name in str(first.log["host"]).split(",")
            for record_type in ("A", "AAAA")
            for address in world.in_dns(name, record_type)
        ]
        assert set(shown) == set(str(first.log["address"]).split(","))
    world.application.handle(request)
    assert world.store.commits == before + changed
