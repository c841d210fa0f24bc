"""The fronts make the events that AWS documents, and answer as AWS does what a function returns."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.event_kinds import (
    EDGE,
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
from local_aws.event_parts import REMAPPED
from local_aws.execution import Invoked
from local_aws.front import Front
from local_aws.http_server import HttpRequest
from local_aws.lambda_runtime import LambdaFunction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FORM = ("Content-Type", "application/x-www-form-urlencoded")


def request(
    method: str = "GET", target: str = "/", headers: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> HttpRequest:
    return HttpRequest(method, target, "HTTP/1.1", headers, body, "192.0.2.7")


def result(value: object) -> Invoked:
    return Invoked(json.dumps(value).encode(), None)


BROKEN = Invoked(b'{"errorType": "ValueError"}', "Unhandled")
CHALLENGED = {"statusCode": 401, "headers": {"WWW-Authenticate": "Basic"}, "body": "badauth\n"}


def test_a_function_url_joins_headers_and_keeps_the_raw_query() -> None:
    asked = request(target="/nic/update?a=1&a=2&b=%20", headers=[("X-One", "1"), ("x-one", "2"), ("Cookie", "c=d")])
    event = FunctionUrl().event(asked)
    assert event["version"] == "2.0"
    assert event["rawPath"] == "/nic/update"
    assert event["rawQueryString"] == "a=1&a=2&b=%20"
    assert event["queryStringParameters"] == {"a": "1,2", "b": " "}
    assert event["headers"]["x-one"] == "1,2"
    assert event["cookies"] == ["c=d"]
    assert "cookie" not in event["headers"]
    assert event["requestContext"]["http"]["sourceIp"] == "192.0.2.7"
    assert ".lambda-url." in event["requestContext"]["domainName"]


def test_a_forwarding_header_of_the_client_stands_before_its_real_address() -> None:
    event = FunctionUrl().event(request(headers=[("X-Forwarded-For", "203.0.113.1")]))
    assert event["headers"]["x-forwarded-for"] == "203.0.113.1, 192.0.2.7"


def test_a_form_is_base64_at_a_function_url_and_text_at_a_rest_api() -> None:
    posted = request("POST", "/nic/update", [FORM], b"hostname=h")
    assert FunctionUrl().event(posted)["isBase64Encoded"]
    event = RestApi().event(posted)
    assert (event["body"], event["isBase64Encoded"]) == ("hostname=h", False)


def test_a_stage_stands_in_the_path_of_an_http_api_and_not_of_a_rest_api() -> None:
    asked = request(target="/prod/nic/update?x=1")
    assert HttpApi(stage="prod").event(asked)["rawPath"] == "/prod/nic/update"
    event = RestApi().event(asked)
    assert (event["path"], event["requestContext"]["path"]) == ("/nic/update", "/prod/nic/update")
    assert RestApi().event(request(target="/prod"))["path"] == "/"


def test_a_rest_api_has_null_for_nothing_and_every_value_of_a_name() -> None:
    event = RestApi().event(request(headers=[("X-One", "1"), ("X-One", "2")]))
    assert event["queryStringParameters"] is None
    assert event["body"] is None
    assert event["headers"]["X-One"] == "2"
    assert event["multiValueHeaders"]["X-One"] == ["1", "2"]
    assert event["requestContext"]["identity"]["sourceIp"] == "192.0.2.7"
    assert "version" not in event


def test_the_mapping_of_awslabs_has_its_seven_keys() -> None:
    event = AwslabsMapping().event(request(target="/prod?mode=set&hostname=h.&hash=x"))
    assert event == {
        "execution_mode": "set",
        "source_ip": "192.0.2.7",
        "internal_ip": "",
        "query_string": "{mode=set, hostname=h., hash=x}",
        "set_hostname": "h.",
        "validation_hash": "x",
        "ipv6_address": "",
    }


def test_a_load_balancer_decodes_nothing_and_writes_the_peer_last() -> None:
    asked = request(target="/a?b=%20&b=2", headers=[("X-Forwarded-For", "203.0.113.1")])
    event = LoadBalancer().event(asked)
    assert event["queryStringParameters"] == {"b": "2"}
    assert event["headers"]["x-forwarded-for"] == "203.0.113.1, 192.0.2.7"
    event = LoadBalancer(multiple=True).event(asked)
    assert event["multiValueQueryStringParameters"] == {"b": ["%20", "2"]}
    assert event["multiValueHeaders"]["x-forwarded-for"] == ["203.0.113.1, 192.0.2.7"]
    assert "headers" not in event


def test_cloudfront_names_the_viewer_whatever_the_viewer_says() -> None:
    event = CloudFront("s").event(request(headers=[(VIEWER_HEADER, "203.0.113.1"), (ORIGIN_SECRET_HEADER, "guess")]))
    assert event["headers"][VIEWER_HEADER] == "192.0.2.7"
    assert event["headers"][ORIGIN_SECRET_HEADER] == "s"
    assert event["requestContext"]["http"]["sourceIp"] == EDGE


@pytest.mark.parametrize("kind", [FunctionUrl(), HttpApi(), RestApi()], ids=["url", "http-api", "rest-api"])
def test_the_challenge_is_renamed(kind: EventKind) -> None:
    answer = kind.answer(result(CHALLENGED))
    assert (answer.status, answer.body) == (401, b"badauth\n")
    assert [name for name, _ in answer.headers] == [REMAPPED]


@pytest.mark.parametrize("kind", [LoadBalancer(), CloudFront("s")], ids=["alb", "cloudfront"])
def test_the_challenge_keeps_its_name(kind: EventKind) -> None:
    assert ("WWW-Authenticate", "Basic") in kind.answer(result(CHALLENGED)).headers


def test_each_mode_of_a_load_balancer_reads_its_own_headers_only() -> None:
    both = {"statusCode": 200, "headers": {"a": "1"}, "multiValueHeaders": {"a": ["2", "3"]}, "body": ""}
    assert LoadBalancer().answer(result(both)).headers == (("a", "1"),)
    assert LoadBalancer(multiple=True).answer(result(both)).headers == (("a", "2"), ("a", "3"))


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FunctionUrl(), 502), (HttpApi(), 500), (RestApi(), 502), (LoadBalancer(), 502), (CloudFront("s"), 502)],
    ids=["url", "http-api", "rest-api", "alb", "cloudfront"],
)
def test_a_function_that_fails_is_a_server_error(kind: EventKind, status: int) -> None:
    assert kind.answer(BROKEN).status == status
    wrong: list[dict[str, Any]] = [{"statusCode": "two"}, {"statusCode": 200, "headers": {"a": ["b"]}},
                                   {"statusCode": 200, "body": {}}]  # fmt: skip
    assert [kind.answer(result(one)).status for one in wrong] == [status] * len(wrong)


@pytest.mark.parametrize("kind", [RestApi(), LoadBalancer()], ids=["rest-api", "alb"])
def test_a_result_that_is_no_response_is_refused_where_aws_refuses_it(kind: EventKind) -> None:
    assert kind.answer(result("text")).status == 502
    assert FunctionUrl().answer(result("text")).body == b'"text"'
    assert AwslabsMapping().answer(result({"return_status": "fail"})).body == b'{"return_status": "fail"}'


def test_a_body_in_base64_is_decoded() -> None:
    assert FunctionUrl().answer(result({"statusCode": 200, "body": "AAE=", "isBase64Encoded": True})).body == b"\0\1"


# --- over a socket, with a real function


@contextmanager
def serving(package: Path, runtime: Path, kind: EventKind, **options: Any) -> Iterator[Front]:
    with LambdaFunction("tried", package, "index.handler", {}, runtime=runtime) as function:
        front = Front(function, kind, **options)
        try:
            yield front
        finally:
            front.close()


def ask(front: Front, method: str, target: str, source: str = "127.0.0.1", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20, source_address=(source, 0))
    try:
        connection.request(method, target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_source_address_is_the_peers_and_odd_methods_arrive_too(package: Path, runtime: Path) -> None:
    with serving(package, runtime, FunctionUrl()) as front:
        status, body = ask(front, "PROPFIND", "/x", "127.0.0.9")
        assert status == 200
        http = json.loads(body)["event"]["requestContext"]["http"]
        assert (http["method"], http["sourceIp"]) == ("PROPFIND", "127.0.0.9")
        assert front.failures == []


def test_a_rest_api_demands_its_key_at_the_root(package: Path, runtime: Path) -> None:
    with serving(package, runtime, RestApi(), api_key="k") as front:
        assert ask(front, "GET", "/prod?mode=get") == (403, b'{"message":"Forbidden"}')
        assert ask(front, "GET", "/prod", x_api_key="wrong")[0] == 403
        assert ask(front, "GET", "/prod", x_api_key="k")[0] == 502  # our function answers with no response object
        assert ask(front, "GET", "/prod/nic/update")[0] == 502


def test_chunks_and_several_requests_on_one_connection(package: Path, runtime: Path) -> None:
    with serving(package, runtime, FunctionUrl()) as front:
        connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
        for _ in range(2):
            connection.request("POST", "/", body=iter([b"ab", b"cd"]), headers={"Content-Type": "text/plain"},
                               encode_chunked=True)  # fmt: skip
            assert json.loads(connection.getresponse().read())["event"]["body"] == "abcd"
        connection.close()


def test_what_is_no_http_is_answered_and_does_no_harm(package: Path, runtime: Path) -> None:
    with serving(package, runtime, FunctionUrl()) as front:
        for sent in (b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: minus\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", front.port), timeout=20) as sock:
                sock.sendall(sent)
                assert b" 400 " in sock.recv(4096).splitlines()[0] or sent.startswith(b"GARBAGE")
        assert ask(front, "GET", "/")[0] == 200
