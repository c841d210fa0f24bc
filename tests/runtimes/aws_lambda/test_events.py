"""Every kind of event becomes the request that was made, from the address that AWS saw; no event breaks the reading."""

from __future__ import annotations

import copy
import itertools
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.protocols.http import Request
from homing.runtimes.aws_lambda.events import MAX_BODY, MAX_HEAD, MAX_SIGNED_BODY, Event, Unusable, parse
from tests.runtimes.aws_lambda.harness import NAMES, SECRET, load, url_event

HASH = load("awslabs_mapping_set")["validation_hash"]
V4, V6, EDGE = "203.0.113.7", "2001:db8::7", "130.176.98.16"

EXPECTED = {
    "alb": ("elb", "GET", "/nic/update", V4),
    "alb_health_check": ("elb", "GET", "/healthz", "0.0.0.0"),
    "alb_multi_value": ("elb multi", "GET", "/ip", V4),
    "awslabs_mapping_get": ("mapping", "GET", "/", V4),
    "awslabs_mapping_set": ("mapping", "GET", "/", V4),
    "cloudfront_viewer_address": ("2.0", "GET", "/ip", V6),
    "cloudfront_viewer_ip": ("2.0", "GET", "/ip", V4),
    "function_url_awslabs_get": ("2.0", "GET", "/", V4),
    "function_url_awslabs_v3_base64": ("2.0", "POST", "/", V4),
    "function_url_dyndns2": ("2.0", "GET", "/nic/update", V4),
    "function_url_ipv6": ("2.0", "GET", "/ip", V6),
    "function_url_signed": ("2.0", "POST", "/v1/update", V4),
    "http_api_stage": ("2.0", "GET", "/prod/nic/checkip", V4),
    "rest_api_awslabs_set": ("1.0 multi", "GET", "/", V4),
    "rest_api_decoded_values": ("1.0 multi", "GET", "/nic/update", V4),
    "rest_api_single_headers": ("1.0", "POST", "/", V4),
}


def request_of(event: object, secret: str | None = SECRET) -> Request:
    request = parse(event, secret).request
    assert isinstance(request, Request), request
    return request


def status_of(event: object, secret: str | None = SECRET) -> int:
    request = parse(event, secret).request
    assert isinstance(request, Unusable), request
    return request.status


def test_every_recorded_event_is_known() -> None:
    assert list(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_event_is_the_request_that_was_made(name: str) -> None:
    event = parse(load(name), SECRET)
    assert isinstance(event.request, Request)
    request = event.request
    assert (event.shape, request.method, request.path, str(request.peer)) == EXPECTED[name]


@pytest.mark.parametrize("name", ["awslabs_mapping_set", "rest_api_awslabs_set"])
def test_the_mapping_template_and_the_proxy_bring_the_same_parameters(name: str) -> None:
    parameters = {"mode": "set", "hostname": "host1.dyn.example.com.", "hash": HASH}
    assert request_of(load(name)).parameters == parameters


@pytest.mark.parametrize("name", ["alb", "rest_api_decoded_values"])
def test_values_arrive_as_they_were_meant_whether_the_front_decodes_them_or_not(name: str) -> None:
    assert request_of(load(name)).parameters["password"] == "a+b %&=c"


def test_a_body_is_unpacked() -> None:
    assert request_of(load("function_url_awslabs_v3_base64")).body == b'{"execution_mode":"get"}'


def test_the_mapping_templates_internal_address_is_handed_on() -> None:
    event = load("awslabs_mapping_set") | {"internal_ip": "192.168.0.9"}
    assert request_of(event).parameters["internalIp"] == "192.168.0.9"


def test_a_mode_that_is_missing_is_asked_for_all_the_same() -> None:
    assert request_of({"execution_mode": None, "source_ip": V4}).parameters["mode"] == ""


def test_head_counts_as_get() -> None:
    assert request_of(url_event(method="HEAD")).method == "GET"


def test_lists_of_values_stand_above_single_ones() -> None:
    event = load("rest_api_awslabs_set")
    event["headers"] = {"X-Api-Key": "other"}
    event["multiValueHeaders"] = {"X-Api-Key": ["one", "two"]}
    event["queryStringParameters"] = {"mode": "get"}
    request = request_of(event)
    assert request.headers == (("x-api-key", "one"), ("x-api-key", "two"))
    assert request.parameters["mode"] == "set"


def test_the_origin_secret_goes_no_further() -> None:
    assert SECRET not in repr(request_of(load("cloudfront_viewer_ip")))


# --- whose address it is


@pytest.mark.parametrize(
    ("header", "text", "address"),
    [
        ("x-ddns-viewer-ip", V4, V4),
        ("x-ddns-viewer-ip", V6, V6),
        ("x-ddns-viewer-ip", "::ffff:203.0.113.7", V4),
        ("cloudfront-viewer-address", f"{V4}:443", V4),
        ("cloudfront-viewer-address", f"[{V6}]:443", V6),
        ("cloudfront-viewer-address", f"{V6}:443", V6),
        ("cloudfront-viewer-address", "2001:db8::1:2:51234", "2001:db8::1:2"),
    ],
)
def test_cloudfront_names_the_viewer(header: str, text: str, address: str) -> None:
    event = url_event(headers={"x-homing-origin-verify": SECRET, header: text}, source=EDGE)
    assert request_of(event).peer == ip_address(address)


@pytest.mark.parametrize(
    "viewer",
    [
        {},
        {"x-ddns-viewer-ip": ""},
        {"x-ddns-viewer-ip": f"{V4}, 198.51.100.1"},
        {"x-ddns-viewer-ip": "nobody"},
        {"cloudfront-viewer-address": ":443"},
        {"x-ddns-viewer-ip": V4, "cloudfront-viewer-address": "198.51.100.1:443"},
    ],
)
def test_an_edge_is_never_taken_for_the_viewer(viewer: dict[str, str]) -> None:
    assert status_of(url_event(headers={"x-homing-origin-verify": SECRET} | viewer, source=EDGE)) == 503


@pytest.mark.parametrize(
    ("entries", "address"),
    [
        ([V4], V4),
        (["198.51.100.1, 203.0.113.7"], V4),
        (["198.51.100.1", "10.0.0.1,203.0.113.7"], V4),
        ([V6], V6),
        ([f"198.51.100.1, {V4}:51234"], V4),
        ([f"198.51.100.1, [{V6}]:51234"], V6),
    ],
)
@pytest.mark.parametrize("name", ["alb", "alb_multi_value"])
def test_a_load_balancer_is_believed_in_its_last_entry(name: str, entries: list[str], address: str) -> None:
    event = load(name)
    if name == "alb":
        event["headers"]["x-forwarded-for"] = ", ".join(entries)
    else:
        event["multiValueHeaders"]["x-forwarded-for"] = entries
    assert request_of(event).peer == ip_address(address)


def test_a_load_balancer_that_tells_nobody_is_answered_its_health_check_only() -> None:
    event = load("alb_health_check")
    assert isinstance(parse(event).request, Request)
    assert status_of(event | {"path": "/ip"}) == 400


SPOOFS = [
    {"X-Forwarded-For": "198.51.100.1"},
    {"x-forwarded-for": "198.51.100.1"},
    {"X-Real-IP": "198.51.100.1"},
    {"Forwarded": "for=198.51.100.1"},
    {"True-Client-IP": "198.51.100.1"},
    {"CF-Connecting-IP": "198.51.100.1"},
    {"x-ddns-viewer-ip": "198.51.100.1"},
    {"X-DDNS-Viewer-IP": "198.51.100.1"},
    {"CloudFront-Viewer-Address": "198.51.100.1:443"},
    {"X-Forwarded-For": "198.51.100.1", "x-ddns-viewer-ip": "198.51.100.1", "Forwarded": "for=198.51.100.1"},
]
SECRETS = [None, "", "wrong", SECRET + "x", SECRET.upper(), f"{SECRET},{SECRET}", f" {SECRET}", "\ud800"]
KINDS = [
    "function_url_ipv6",
    "http_api_stage",
    "rest_api_awslabs_set",
    "rest_api_single_headers",
    "function_url_signed",
]
BALANCERS = ["alb", "alb_multi_value"]
BY_HEADER = 2
"""So many of the spoofs are the one header that a load balancer writes itself."""


def spoofed(name: str, spoof: dict[str, str], secret: str | None, *, doubled: bool) -> dict[str, Any]:
    event = load(name)
    more = spoof | ({} if secret is None else {"x-homing-origin-verify": secret})
    for kind in ("headers", "multiValueHeaders"):
        table = event.get(kind)
        if isinstance(table, dict):
            for header, value in more.items():
                values = [value, value] if doubled else [value]
                table[header] = values if kind == "multiValueHeaders" else ",".join(values)
    return event


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("name", KINDS + BALANCERS)
def test_no_header_that_a_client_can_write_changes_its_address(name: str, secret: str | None, doubled: bool) -> None:
    expected = EXPECTED[name][3]
    for number, spoof in enumerate(SPOOFS):
        if name in BALANCERS and "x-forwarded-for" in {header.lower() for header in spoof}:
            continue  # there it is the load balancer's own, of which the last entry counts
        assert str(request_of(spoofed(name, spoof, secret, doubled=doubled)).peer) == expected, number


@pytest.mark.parametrize("given", [[SECRET, "x"], ["x", SECRET], [SECRET, SECRET]])
def test_cloudfront_says_its_secret_once(given: list[str]) -> None:
    event = load("rest_api_awslabs_set")
    event["multiValueHeaders"] |= {"x-homing-origin-verify": given, "x-ddns-viewer-ip": ["198.51.100.1"]}
    assert str(request_of(event).peer) == V4


def test_without_a_cloudfront_nothing_proves_to_be_one() -> None:
    for name, spoof, secret in itertools.product(KINDS, SPOOFS, ["", SECRET, "None"]):
        for ours in (None, ""):
            event = spoofed(name, spoof, secret, doubled=False)
            assert str(request_of(event, ours).peer) == EXPECTED[name][3]


@given(st.sampled_from(KINDS), st.text(max_size=40), st.sampled_from([next(iter(one)) for one in SPOOFS]))
@settings(max_examples=150, deadline=None)
def test_no_text_in_a_header_changes_the_address(name: str, text: str, header: str) -> None:
    assert str(request_of(spoofed(name, {header: text}, text, doubled=False)).peer) == EXPECTED[name][3]


# --- what cannot be answered


@pytest.mark.parametrize("event", [None, 5, "text", [], [{}], True, {}, {"version": "2.0"}, {"requestContext": None}])
def test_what_is_no_event_is_refused(event: object) -> None:
    assert status_of(event) in (400, 405)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"body": "x" * (MAX_BODY + 1)}, 413),
        ({"body": "é" * (MAX_BODY // 2 + 1)}, 413),
        ({"body": "eHh4" * (MAX_BODY // 3 + 2), "isBase64Encoded": True}, 413),
        ({"body": "x" * (MAX_SIGNED_BODY + 1), "rawPath": "/v1/update"}, 413),
        ({"body": "x" * (MAX_BODY + 1), "rawPath": "/v10/update"}, 413),
        ({"body": "x" * (MAX_BODY + 1), "rawPath": "/a/b/v1/update"}, 413),
        ({"body": "not base64!", "isBase64Encoded": True}, 400),
        ({"body": "é", "isBase64Encoded": True}, 400),
        ({"body": {"execution_mode": "get"}}, 400),
        ({"body": ["x"]}, 400),
        ({"headers": {"x": "y" * MAX_HEAD}}, 431),
        ({"headers": {f"x{number}": "y" for number in range(MAX_HEAD // 6)}}, 431),
        ({"rawQueryString": "x" * MAX_HEAD}, 431),
        ({"rawPath": "/" + "x" * MAX_HEAD}, 431),
        ({"rawPath": "http://elsewhere/"}, 400),
        ({"requestContext": {"http": {"method": "BREW", "sourceIp": V4}}}, 405),
        ({"requestContext": {"http": {"method": "GET"}}}, 400),
        ({"requestContext": {"http": {"method": "GET", "sourceIp": "test-invoke-source-ip"}}}, 400),
        ({"requestContext": {"http": {"method": "GET", "sourceIp": [V4]}}}, 400),
        ({"requestContext": {"http": "GET"}}, 405),
    ],
)
def test_what_cannot_be_answered_is_refused(changes: dict[str, Any], status: int) -> None:
    assert status_of(url_event() | changes) == status


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "x" * MAX_BODY},
        {"body": "x" * MAX_SIGNED_BODY, "rawPath": "/v1/update"},
        {"body": "x" * MAX_SIGNED_BODY, "rawPath": "/prod/v1/update"},
        {"body": None, "isBase64Encoded": True},
        {"version": "3.0"},
        {"version": None},
        {"headers": None},
        {"headers": [["a", "b"]]},
        {"headers": {"a": None, "b": 5, "c": ["d", None, 7]}},
        {"rawPath": None, "rawQueryString": None},
        {"rawPath": 5, "rawQueryString": ["a"]},
        {"isBase64Encoded": "yes", "body": "%%%"},
    ],
)
def test_what_says_nothing_is_left_out(changes: dict[str, Any]) -> None:
    assert isinstance(parse(url_event() | changes).request, Request)


def test_a_name_twice_in_other_letters_is_two_headers() -> None:
    request = request_of(url_event(headers={"Authorization": "a", "authorization": "b"}))
    assert [value for name, value in request.headers if name == "authorization"] == ["a", "b"]


def test_halves_of_characters_do_no_harm() -> None:
    request = request_of(url_event("/\ud800?a=\udfff", headers={"a": "\ud800"}, body="\ud800", method="POST"))
    for text in (request.path, request.query, dict(request.headers)["a"]):
        assert text.encode()
    assert request.body == b"?"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([V4, SECRET, "GET", "/v1/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)


def places_in(value: object, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, one in inner for place in places_in(one, (*way, key)))]


@st.composite
def mutated_events(draw: st.DrawFn) -> object:
    """A recorded event, in which a few places are missing or hold something else."""
    event: Any = copy.deepcopy(load(draw(st.sampled_from(NAMES))))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([place for place in places_in(event) if place]))
        inner = event
        for key in way:
            inner = inner[key]
        if draw(st.booleans()):
            del inner[last]
        else:
            inner[last] = draw(JSON)
    return event


@given(mutated_events() | JSON, st.sampled_from([None, "", SECRET, "é"]))
@settings(max_examples=600, deadline=None)
def test_no_event_breaks_the_reading(event: object, secret: str | None) -> None:
    assert isinstance(parse(event, secret), Event)
