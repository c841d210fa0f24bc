"""Whatever a front makes of a request, and whatever is wrong with it, the function answers: a client never sees a 502.

Each event goes through the real runtime client into the package as it is deployed.
"""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.event_kinds import (
    ORIGIN_SECRET_HEADER,
    VIEWER_HEADER,
    AwslabsMapping,
    CloudFront,
    EventKind,
    FunctionUrl,
    HttpApi,
    LoadBalancer,
    RestApi,
)
from local_aws.http_server import HttpRequest

from tests.e2e.aws.conftest import UNPACED, Stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.http_server import HttpAnswer
    from local_aws.stack import LocalAws

pytestmark = pytest.mark.e2e

SECRET = "origin-secret-of-this-test"
KINDS: dict[str, EventKind] = {
    "function-url": FunctionUrl(),
    "http-api": HttpApi(),
    "rest-api": RestApi(),
    "alb": LoadBalancer(),
    "alb-multi": LoadBalancer(multiple=True),
    "cloudfront": CloudFront(SECRET),
    "mapping": AwslabsMapping(),
}
BASIC = ("Authorization", "Basic " + base64.b64encode(b"h.home.test:secret").decode())
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("content-type", "application/json")
REQUESTS = (
    HttpRequest("GET", "/nic/update?hostname=h.home.test&myip=192.0.2.1", "HTTP/1.1", (BASIC,), b"", "192.0.2.7"),
    HttpRequest("GET", "/prod?mode=set&hostname=h.home.test.&hash=" + "0" * 64, "HTTP/1.1", (), b"", "2001:db8::7"),
    HttpRequest("POST", "/", "HTTP/1.1", (JSON,), b'{"execution_mode": "get"}', "192.0.2.7"),
    HttpRequest("POST", "/nic/update", "HTTP/1.1", (BASIC, FORM), b"hostname=h.home.test", "192.0.2.7"),
    HttpRequest("POST", "/v1/update", "HTTP/1.1", (("Homing-Signature", "t=1,v1=0"),), b"{}", "192.0.2.7"),
)
ODD: tuple[Any, ...] = (None, "", 0, -1.5, True, [], {}, [None], {"x": None}, "\ud800", "a" * 70_000, ["a", ["b"]])


@pytest.fixture(scope="module")
def aws(stacks: Stacks) -> Iterator[LocalAws]:
    with stacks.running(origin_secret=SECRET, variables=UNPACED) as running:
        yield running


def answered(aws: LocalAws, kind: EventKind, event: Any) -> HttpAnswer:
    """Return what a client would see; what it must never see fails here."""
    result = aws.update.invoke(event)
    assert result.error is None, (event, result)
    answer = kind.answer(result)
    assert answer.status not in (500, 502), (event, result)
    return answer


def paths(event: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value in an event."""
    steps = event.items() if isinstance(event, dict) else enumerate(event) if isinstance(event, list) else ()
    for step, value in steps:
        yield (*way, step)
        yield from paths(value, (*way, step))


def with_odd(event: dict[str, Any], way: tuple[Any, ...], odd: Any) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    place = changed
    for step in way[:-1]:
        place = place[step]
    if odd is KeyError:
        del place[way[-1]]
    else:
        place[way[-1]] = odd
    return changed


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_of_an_event_may_be_missing_null_or_of_another_kind(aws: LocalAws, kind: str) -> None:
    count = 0
    for number, request in enumerate(REQUESTS):
        event = KINDS[kind].event(request)
        for place, way in enumerate(paths(event)):
            odds = (KeyError, *ODD) if number == 0 else (KeyError, ODD[(place + number) % len(ODD)])
            for odd in odds:
                answered(aws, KINDS[kind], with_odd(event, way, odd))
                count += 1
    assert count > 60


@pytest.mark.parametrize("event", [None, [], "", "text", 5, True, {}, {"version": "3.0"}, {"requestContext": None},
                                   {"requestContext": {"elb": None}}, {"Records": []}, {"execution_mode": None},
                                   {"action": "drain"}], ids=str)  # fmt: skip
def test_what_is_no_event_of_any_front_is_answered(aws: LocalAws, event: Any) -> None:
    result = aws.update.invoke(event)
    assert result.error is None
    assert isinstance(json.loads(result.payload), dict)


def event_with(kind: str, request: HttpRequest, **changes: Any) -> dict[str, Any]:
    return KINDS[kind].event(request) | changes


def post(body: bytes, path: str = "/", *headers: tuple[str, str]) -> HttpRequest:
    return HttpRequest("POST", path, "HTTP/1.1", headers or (JSON,), body, "192.0.2.7")


@pytest.mark.parametrize("kind", [one for one in KINDS if one != "mapping"])
def test_bodies_that_are_broken_are_answered_in_the_words_of_their_protocol(aws: LocalAws, kind: str) -> None:
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5_000, b'{"execution_mode": 5}', b"1e999",
                 b'{"execution_mode": "set", "ddns_hostname": {"a": []}, "validation_hash": 7}'):  # fmt: skip
        answer = answered(aws, KINDS[kind], KINDS[kind].event(post(body)))
        assert json.loads(answer.body)["return_status"] == "fail", (body, answer)
        assert 400 <= answer.status < 500
        signed = answered(aws, KINDS[kind], KINDS[kind].event(post(body, "/v1/update")))
        assert 400 <= signed.status < 500, (body, signed)
        assert isinstance(json.loads(signed.body), dict)


@pytest.mark.parametrize("kind", [one for one in KINDS if one != "mapping"])
def test_bodies_over_the_limit_are_refused_and_base64_that_is_none_too(aws: LocalAws, kind: str) -> None:
    long = answered(aws, KINDS[kind], KINDS[kind].event(post(b"x" * 100_000)))
    assert long.status == 413
    for path in ("/", "/v1/update", "/nic/update"):
        event = event_with(kind, post(b"x", path), body="*not base64*", isBase64Encoded=True)
        assert 400 <= answered(aws, KINDS[kind], event).status < 500


def test_a_base64_body_is_the_same_as_a_plain_one(aws: LocalAws) -> None:
    plain = b'{"execution_mode":"get"}'
    told = {
        answered(aws, KINDS["function-url"], event_with("function-url", post(plain), **body)).body
        for body in (
            {"body": plain.decode(), "isBase64Encoded": False},
            {"body": base64.b64encode(plain).decode(), "isBase64Encoded": True},
        )
    }
    assert told == {b'{"return_message": "192.0.2.7", "return_status": "success"}'}


@pytest.mark.parametrize("kind", ["rest-api", "alb-multi", "function-url"])
def test_duplicated_headers_are_refused_or_harmless(aws: LocalAws, kind: str) -> None:
    path = "/nic/update?hostname=h.home.test"
    twice = (BASIC, ("authorization", "Basic " + base64.b64encode(b"other.home.test:x").decode()))
    answer = answered(
        aws, KINDS[kind], KINDS[kind].event(HttpRequest("GET", path, "HTTP/1.1", twice, b"", "192.0.2.7"))
    )
    assert 400 <= answer.status < 500
    for header in (VIEWER_HEADER, ORIGIN_SECRET_HEADER, "X-Forwarded-For", "Host", "Cookie", "x-api-key"):
        several = tuple((header, value) for value in ("192.0.2.99", "192.0.2.98"))
        asked = HttpRequest("GET", "/ip", "HTTP/1.1", several, b"", "192.0.2.7")
        assert answered(aws, KINDS[kind], KINDS[kind].event(asked)).body == b"192.0.2.7\n"


def test_cloudfront_without_a_viewer_says_try_again_and_names_no_edge(aws: LocalAws) -> None:
    event = KINDS["cloudfront"].event(REQUESTS[0])
    for viewer in (None, "", "not an address", "192.0.2.7, 192.0.2.8"):
        answer = answered(aws, KINDS["cloudfront"], with_odd(event, ("headers", VIEWER_HEADER), viewer))
        assert (answer.status, answer.body) == (503, b"911\n")
