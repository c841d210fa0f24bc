"""From path to protocol: stages, the API key, trusted proxies, health, and what can be read two ways."""

from __future__ import annotations

import hashlib
import json
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import TYPE_CHECKING

import pytest

from homing.web.routes import Access
from tests.protocols.strategies import FORM, SUCCESS_WORDS, V4, V6, basic
from tests.web.harness import (
    H1,
    SECRET,
    ZONE_ID,
    World,
    ask_dyndns2,
    legacy,
    lines,
    make_rows,
    message,
    sign,
    token_for,
)

if TYPE_CHECKING:
    from homing.core.addresses import Address


@pytest.fixture
def world() -> World:
    return World(make_rows())


# --- paths


@pytest.mark.parametrize(
    ("target", "start"),
    [
        ("/nic/update", b"badauth"),
        ("/v3/update", b"badauth"),
        ("/nic/checkip", b"<html>"),
        ("/checkip", b"<html>"),
        ("/ip", b"203.0.113.7\n"),
        ("/myip", b"203.0.113.7\n"),
        ("/?mode=get", b'{"return_message": "203.0.113.7"'),
        ("/v1/update", b'{"error": "malformed"'),
        ("/v1/hosts", b'{"error": "malformed"'),
        ("/healthz", b'{"status": "ok"'),
    ],
)
@pytest.mark.parametrize("stage", ["", "/prod", "/Production", "/nic", "/a-b_1"])
def test_a_path_works_with_and_without_a_stage(world: World, target: str, start: bytes, stage: str) -> None:
    assert world.ask(stage + target).body.startswith(start)


def test_a_stage_may_stand_alone(world: World) -> None:
    assert world.ask("/prod?mode=get").body == world.ask("/prod/?mode=get").body == world.ask("/?mode=get").body
    assert world.ask("/prod", method="POST", body='{"execution_mode":"get"}').body == world.ask("/?mode=get").body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize(
    "target", ["/a/b/nic/update", "/nic/update/", "/nic/updates", "/NIC/UPDATE", "/a/b?mode=get", "/a/b/"]
)
def test_an_unknown_path_is_404_and_never_a_redirect(world: World, method: str, target: str) -> None:
    response = world.ask(target, method=method)
    assert response.status == 404
    assert not response.headers


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    "target", ["/nothing", "/favicon.ico", "/update?ip=203.0.113.7&hostname=h1.dyn.example.com", "/prod"]
)
def test_a_path_of_one_segment_that_is_no_stage_of_anything_is_404(world: World, method: str, target: str) -> None:
    """UniFi's documented form is `host/update?ip=%i&hostname=%h`: a friendly 200 would pass for a success."""
    assert world.ask(target, method=method, headers=basic("alice", "pw")).status == 404


def test_the_root_greets_people(world: World) -> None:
    assert (world.ask("/").status, world.ask("/").body[:6]) == (200, b"Homing")


@pytest.mark.parametrize("target", ["", "*", "?hostname=h.example.com", "nic/update", "http://x/nic/update"])
def test_a_malformed_target_is_400(world: World, target: str) -> None:
    """inadyn 1.99.4 with an own server and no path sends `?hostname=...`."""
    assert world.ask(target).status == 400


@pytest.mark.parametrize(
    "target",
    [
        "/?hostname=h1.dyn.example.com&myipv4=203.0.113.7",
        "/?username=alice&password=pw&hostname=h1.dyn.example.com&myipv4=203.0.113.7",
        "/?hostname=h1.dyn.example.com&password=of-h1.dyn.example.com.&myip=",
    ],
)
def test_an_update_that_missed_its_path_is_not_told_200(world: World, target: str) -> None:
    """OPNsense, ddns-go and pfSense count any 200 as done."""
    assert world.ask(target, headers=basic("alice", "pw")).status != 200


def test_the_greeting_never_looks_like_a_success(world: World) -> None:
    assert not [word for word in SUCCESS_WORDS if word in world.ask("/").body.decode().lower()]


def test_ip_is_json_for_whoever_accepts_it(world: World) -> None:
    response = world.ask("/ip", headers=(("accept", "application/json"),))
    assert json.loads(response.body) == {"address": "203.0.113.7"}
    assert world.ask("/ip", headers=(("accept", "*/*"),)).body == b"203.0.113.7\n"


def test_accept_may_be_given_in_several_lines(world: World) -> None:
    """RFC 9110 section 5.3 allows it, and nothing is decided by it but the form of the answer."""
    assert world.ask("/ip", headers=(("accept", "text/html"), ("accept", "*/*"))).status == 200


@pytest.mark.parametrize(
    ("method", "target", "headers", "body"),
    [
        ("GET", "/nic/update?hostname=h1.dyn.example.com&myip=203.0.113.7&", basic("alice", "pw"), ""),
        ("GET", "/nic/update?username=alice&password=pw&hostname=h1.dyn.example.com&myip=203.0.113.7", (), ""),
        ("GET", "/nic/update?password=of-h1.dyn.example.com.&hostname=h1.dyn.example.com&myip=203.0.113.7", (), ""),
        ("GET", "/nic/update?myip=203.0.113.7", basic("h1.dyn.example.com", "of-h1.dyn.example.com."), ""),
        (
            "GET",
            "/nic/update?hostname=h1.dyn.example.com&myip=203.0.113.7",
            (("authorization", "Token of-h1.dyn.example.com."),),
            "",
        ),
        (
            "GET",
            "/nic/update?hostname=h1.dyn.example.com&myip=203.0.113.7",
            (("authorization", "Bearer of-h1.dyn.example.com."),),
            "",
        ),
        ("POST", "/nic/update", FORM, "username=alice&password=pw&hostname=h1.dyn.example.com&myip=203.0.113.7"),
        ("POST", "/nic/update?hostname=h1.dyn.example.com&myip=203.0.113.7", basic("alice", "pw"), ""),
        ("PUT", "/nic/update?hostname=h1.dyn.example.com&myip=203.0.113.7", basic("alice", "pw"), ""),
    ],
)
def test_dyndns2_is_taken_in_every_form(
    world: World, method: str, target: str, headers: tuple[tuple[str, str], ...], body: str
) -> None:
    assert world.ask(target, method=method, headers=headers, body=body).body == b"good 203.0.113.7\n"
    assert world.in_dns(H1) == ("203.0.113.7",)


# --- the API key


@pytest.mark.parametrize(
    ("target", "method", "body"),
    [
        ("/?mode=get", "GET", ""),
        ("/prod?mode=get", "GET", ""),
        ("/prod/?mode=set", "GET", ""),
        ("/?mode=list_hosts", "GET", ""),
        ("/?mode=nonsense", "GET", ""),
        ("/", "POST", '{"execution_mode":"get"}'),
        ("/prod", "POST", ""),
    ],
)
@pytest.mark.parametrize(
    "headers", [(), (("x-api-key", "WRONG"),), (("x-api-key", ""),), (("x-api-key", "KEY"),)], ids=repr
)
def test_the_awslabs_paths_want_the_key(
    target: str, method: str, body: str, headers: tuple[tuple[str, str], ...]
) -> None:
    world = World(make_rows(), Access(api_key="KEY1"))
    response = world.ask(target, method=method, headers=headers, body=body)
    assert response.status == 403
    assert json.loads(response.body) == {"message": "Forbidden"}
    assert response.content_type == "application/json"
    right = world.ask(target, method=method, headers=(("x-api-key", "KEY1"),), body=body)
    assert right.status != 403


OTHERS = [
    "/nic/update",
    "/v3/update",
    "/ip",
    "/checkip",
    "/v1/update",
    "/x?fqdn=h&token=t",
    "/",
    "/nothing",
    "/prod/ip",
]


@pytest.mark.parametrize("target", OTHERS)
def test_routers_need_no_key_unless_the_operator_wants_it(target: str) -> None:
    some, every = (World(make_rows(), Access(api_key="KEY1", api_key_paths=paths)) for paths in ("awslabs", "all"))
    assert some.ask(target).status != 403 or b"Forbidden" not in some.ask(target).body
    assert json.loads(every.ask(target).body) == {"message": "Forbidden"}
    assert b"Forbidden" not in every.ask(target, headers=(("x-api-key", "KEY1"),)).body


def test_load_balancers_never_need_the_key() -> None:
    assert World(make_rows(), Access(api_key="K", api_key_paths="all")).ask("/healthz").status == 200


def test_a_key_may_hold_any_text() -> None:
    """A runtime hands octets over as latin-1 (RFC 9110 section 5.5), and clients send UTF-8."""
    world = World([], Access(api_key="schlüssel"))
    for given, status in [("schlüssel", 200), ("schlussel", 403), ("ÿ", 403)]:
        headers = (("x-api-key", given.encode().decode("latin-1")),)
        assert world.ask("/?mode=get", headers=headers).status == status


def test_two_keys_are_none(world: World) -> None:
    world = World([], Access(api_key="K"))
    assert world.ask("/?mode=get", headers=(("x-api-key", "K"), ("x-api-key", "K"))).status == 400


# --- whose address it is

PROXY = IPv4Address("192.0.2.1")
PROXIES = Access(trusted_proxies=(ip_network("192.0.2.0/24"),))


@pytest.mark.parametrize(
    ("access", "peer", "values", "status", "address"),
    [
        (Access(), V4, ["198.51.100.1"], 200, "203.0.113.7"),
        (Access(), PROXY, ["198.51.100.1"], 200, "192.0.2.1"),
        (Access(), V4, ["a", "b"], 200, "203.0.113.7"),
        (PROXIES, V4, ["198.51.100.1"], 200, "203.0.113.7"),
        (PROXIES, PROXY, [], 200, "192.0.2.1"),
        (PROXIES, PROXY, ["198.51.100.1"], 200, "198.51.100.1"),
        (PROXIES, PROXY, ["10.0.0.1, 198.51.100.1, 192.0.2.8"], 200, "198.51.100.1"),
        (PROXIES, PROXY, ["::ffff:198.51.100.1"], 200, "198.51.100.1"),
        (PROXIES, PROXY, ["198.51.100.1", "198.51.100.1"], 400, ""),
        (PROXIES, PROXY, ["nonsense"], 400, ""),
        (PROXIES, PROXY, ["198.51.100.1,"], 400, ""),
    ],
)
def test_only_a_trusted_proxy_speaks_for_others(
    access: Access, peer: Address, values: list[str], status: int, address: str
) -> None:
    world = World(make_rows(), access)
    headers = tuple(("x-forwarded-for", value) for value in values)
    response = world.ask("/ip", headers=headers, peer=peer)
    assert response.status == status
    assert response.body == (f"{address}\n".encode() if address else b"bad request\n")
    assert response.log["client"] == (address or str(peer))


def test_the_forwarded_address_is_the_one_that_is_set() -> None:
    world = World(make_rows(), PROXIES)
    headers = (("x-forwarded-for", "203.0.113.77"), *basic("alice", "pw"))
    assert (
        world.ask("/nic/update?hostname=h1.dyn.example.com", headers=headers, peer=PROXY).body == b"good 203.0.113.77\n"
    )


# --- health


def test_health_is_of_the_store(world: World) -> None:
    good = world.ask("/healthz")
    assert (good.status, json.loads(good.body)) == (200, {"status": "ok", "backlog_seconds": 0})
    world.store.close()
    bad = world.ask("/healthz")
    assert (bad.status, json.loads(bad.body)) == (503, {"status": "store unavailable"})


def test_a_store_that_is_down_is_a_temporary_failure_everywhere(world: World) -> None:
    world.store.close()
    hash_ = legacy("host1.dyn.example.com.")
    body = json.dumps({"execution_mode": "set", "ddns_hostname": "www.example.com", "validation_hash": "a" * 64})
    assert ask_dyndns2(world, "hostname=h1.dyn.example.com") == (503, "911\n")
    assert (
        json.loads(world.ask(f"/?mode=set&hostname=host1.dyn.example.com.&hash={hash_}").body)["return_status"]
        == "fail"
    )
    assert world.ask("/", method="POST", body=body).status == 500
    assert world.ask(f"/x?fqdn=host.example.com&zoneid={ZONE_ID}&token={token_for('host.example.com')}").status == 503
    assert world.ask("/v1/update", **sign({"hostname": "www.example.com", "addresses": ["203.0.113.7"]})).status == 503
    assert world.ask("/v1/hosts", **sign({"as": "www.example.com"})).status == 503
    assert world.ask("/ip").body == b"203.0.113.7\n"


# --- what can be read two ways, and what is too much


@pytest.mark.parametrize(
    "target",
    [
        "/nic/update?hostname=h1.dyn.example.com&hostname=h2.dyn.example.com",
        "/nic/update?hostname=h1.dyn.example.com&myip=203.0.113.7&myip=203.0.113.8",
        "/?mode=get&mode=set",
        "/x?fqdn=a.example.com&fqdn=b.example.com&token=t&zoneid=z",
        "/nic/update?" + "a&" * 100,
    ],
)
def test_conflicting_or_too_many_parameters_are_refused(world: World, target: str) -> None:
    response = world.ask(target, headers=basic("alice", "pw"))
    assert (response.status, response.body) == (400, b"bad request\n")
    assert world.store.commits == len(make_rows())


@pytest.mark.parametrize("name", ["authorization", "content-type"])
def test_conflicting_headers_are_refused(world: World, name: str) -> None:
    headers = (*basic("alice", "pw"), *FORM, (name, "Basic eDp5" if name == "authorization" else "text/plain"))
    response = world.ask(
        "/nic/update?hostname=h1.dyn.example.com", method="POST", headers=headers, body="myip=203.0.113.7"
    )
    assert response.status == 400


def test_an_equal_repetition_is_taken(world: World) -> None:
    query = "hostname=h1.dyn.example.com&hostname=h1.dyn.example.com&myip=203.0.113.7"
    assert ask_dyndns2(world, query) == lines("good", "203.0.113.7", 1)


@pytest.mark.parametrize(
    "query",
    ["hostname=" + "a," * 4000, "hostname=h1.dyn.example.com&myip=" + "203.0.113.7," * 600, "hostname=" + "x" * 8000],
)
def test_oversized_values_get_an_ordinary_answer(world: World, query: str) -> None:
    status, body = ask_dyndns2(world, query)
    assert status == 200
    assert body.split()[0] in {"notfqdn", "numhost", "good", "nohost"}


def test_a_mapped_source_is_ipv4_wherever_it_comes_from() -> None:
    world = World(make_rows(), PROXIES)
    headers = (("x-forwarded-for", "::ffff:203.0.113.7"),)
    assert world.ask("/?mode=get", headers=headers, peer=PROXY).body.decode() == message("success", "203.0.113.7")
    for address in ("::ffff:203.0.113.7", "::FFFF:cb00:7107"):
        assert ask_dyndns2(world, f"hostname=h1.dyn.example.com&myip={address}", V6) in (
            lines("good", address, 1),
            lines("nochg", address, 1),
        )
    assert (world.in_dns(H1), world.in_dns(H1, "AAAA")) == (("203.0.113.7",), ())


def test_a_source_over_ipv6_is_told_and_set_in_one_text() -> None:
    world = World(make_rows())
    peer = IPv6Address("2001:0DB8:0:0:0:0:0:0007")
    told = json.loads(world.ask("/?mode=get", peer=peer).body)["return_message"]
    hash_ = hashlib.sha256(f"{told}h6.dyn.example.com.{SECRET}".encode()).hexdigest()
    response = world.ask(f"/?mode=set&hostname=h6.dyn.example.com.&hash={hash_}", peer=peer)
    assert json.loads(response.body)["return_status"] == "success"
    assert world.in_dns("h6.dyn.example.com.", "AAAA") == ("2001:db8::7",)
