"""The update function: each answer in the shape its front wants, whatever comes in, and no more calls than it takes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as examples

from homing.app.publishing_elsewhere import LeftToOthers, MadeWhenNeeded
from homing.app.service import Service
from homing.core.credentials import ddupdate_token, legacy_hash
from homing.core.records import RRset
from homing.core.update import Policy
from homing.protocols import awslabs
from homing.runtimes.aws_lambda.update import handler_of
from homing.web.routes import Access, Application
from tests.app.builders import (
    CAM,
    ONE,
    SECRET,
    TOKEN_KEY,
    ManualClock,
    WatchedStore,
    make_account,
    make_host,
    make_token_key,
)
from tests.app.builders import World as AppWorld
from tests.app.builders import make_world as make_app_world
from tests.app.flaky_publisher import Faults, FlakyPublisher
from tests.conformance.publisher_contract import ZONE
from tests.house import PACKAGE
from tests.protocols.strategies import basic
from tests.runtimes.aws_lambda.harness import ENVIRONMENT, load, update_over, url_event, with_access
from tests.runtimes.aws_lambda.test_events import mutated_events
from tests.web.harness import (
    VECTORS,
    World,
    legacy,
    make_rows,
    message,
    peer_for,
    request_of,
    sign,
    vector_id,
    world_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.app.publishing import Outbox
    from homing.protocols.http import Request, Response


@pytest.fixture
def world() -> World:
    return World(make_rows())


def ask(world: World, event: object, **variables: str) -> dict[str, Any]:
    return handler_of(update_over(world.application, **variables))(event, None)


# --- shapes


def test_payload_2_0_is_answered_in_single_headers(world: World) -> None:
    assert ask(world, load("function_url_awslabs_get")) == {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "body": message("success", "203.0.113.7"),
        "isBase64Encoded": False,
    }


def test_payload_1_0_and_a_load_balancer_with_lists_are_answered_in_lists(world: World) -> None:
    for name in ("rest_api_decoded_values", "alb_multi_value"):
        answer = ask(world, load(name))
        assert "headers" not in answer
        assert answer["multiValueHeaders"]["cache-control"] == ["no-store"]


def test_without_lists_no_lists_are_answered(world: World) -> None:
    for name in ("rest_api_single_headers", "alb"):
        answer = ask(world, load(name))
        assert "multiValueHeaders" not in answer
        assert answer["headers"]["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["alb", "alb_multi_value", "alb_health_check"])
def test_a_load_balancer_is_told_the_status_in_words(world: World, name: str) -> None:
    answer = ask(world, load(name))
    assert answer["statusDescription"] == {200: "200 OK", 401: "401 Unauthorized"}[answer["statusCode"]]


def test_what_says_itself_how_long_it_may_be_kept_is_left_alone(world: World) -> None:
    assert ask(world, load("http_api_stage"))["headers"]["cache-control"] == "no-cache"


def test_the_mapping_template_gets_the_object_itself(world: World) -> None:
    answer = ask(world, load("awslabs_mapping_get"))
    assert json.dumps(answer) == message("success", "203.0.113.7")


def test_the_mapping_template_updates_as_the_query_does(world: World) -> None:
    hash_ = legacy("nas.dyn.example.com.")
    event = load("awslabs_mapping_set") | {"set_hostname": "nas.dyn.example.com.", "validation_hash": hash_}
    words = "Your hostname record nas.dyn.example.com. has been set to 203.0.113.7"
    assert json.dumps(ask(world, event)) == message("success", words)
    assert world.in_dns("nas.dyn.example.com.") == ("203.0.113.7",)


def test_a_challenge_is_sent_as_it_is(world: World) -> None:
    answer = ask(world, url_event("/nic/update"))
    assert (answer["statusCode"], answer["body"]) == (401, "badauth\n")
    assert answer["headers"]["www-authenticate"] == 'Basic realm="Homing"'


def test_health_is_told_without_a_backlog_where_others_look_after_that() -> None:
    world = make_direct(make_host())[0]
    answer = world.handle(load("alb_health_check"))
    assert (answer["statusCode"], answer["body"]) == (200, '{"status": "ok"}')


# --- recorded requests of real clients


def as_url(request: Request) -> dict[str, Any]:
    target = request.path + ("?" + request.query if request.query else "")
    headers: dict[str, str] = {}
    for name, value in request.headers:
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    body = base64.b64encode(request.body).decode()
    return url_event(target, request.method, headers, body, str(request.peer), isBase64Encoded=True)


def as_rest(request: Request) -> dict[str, Any]:
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name.title(), []).append(value)
    query: dict[str, list[str]] = {}
    for name, value in request.parameters.items() if request.query else ():
        query.setdefault(name, []).append(value)
    return {
        "path": request.path,
        "httpMethod": request.method,
        "multiValueHeaders": headers,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {"identity": {"sourceIp": str(request.peer)}},
        "body": request.body.decode() or None,
        "isBase64Encoded": False,
    }


def as_alb(request: Request) -> dict[str, Any]:
    pairs = [pair.partition("=") for pair in request.query.split("&") if pair]
    return {
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(request.headers) | {"x-forwarded-for": f"8.8.4.4, {request.peer}"},
        "queryStringParameters": {name: value for name, _, value in pairs},
        "requestContext": {"elb": {}},
        "body": base64.b64encode(request.body).decode(),
        "isBase64Encoded": True,
    }


@pytest.mark.parametrize("event_of", [as_url, as_rest, as_alb])
@pytest.mark.parametrize("vector", VECTORS, ids=vector_id)
def test_a_real_client_hears_through_lambda_what_it_hears_at_home(
    vector: dict[str, Any], event_of: Callable[[Request], dict[str, Any]]
) -> None:
    request = request_of(vector, peer_for(vector))
    if event_of is as_rest and "HTTP/1.0" in str(vector["request"]):
        pytest.skip("API Gateway speaks no HTTP/1.0")
    at_home: Response = world_for(vector).application.handle(request)
    answer = handler_of(update_over(world_for(vector).application))(event_of(request), None)
    assert (answer["statusCode"], answer["body"]) == (at_home.status, at_home.body.decode())


# --- bad input


TOO_LONG = "x" * 9000


@pytest.mark.parametrize(
    ("event", "status", "body"),
    [
        (url_event("/", "POST", body="{"), 400, {"return_status": "fail", "return_message": awslabs.NO_MODE}),
        (url_event("/prod", "POST", body="[]"), 400, {"return_status": "fail", "return_message": awslabs.NO_MODE}),
        (url_event("/", "POST", body=TOO_LONG), 413, {"return_status": "fail", "return_message": "content too large"}),
        (
            url_event("/prod/", "POST", body="%", isBase64Encoded=True),
            400,
            {"return_status": "fail", "return_message": "bad request"},
        ),
        (
            url_event("/?mode=get", source="nobody"),
            200,
            {"return_status": "fail", "return_message": "bad request"},
        ),
        (url_event("/v1/update", "POST", body="{"), 400, None),
        (
            url_event("/v1/update", "POST", body="%", isBase64Encoded=True),
            400,
            {"error": "malformed", "detail": "bad request"},
        ),
        (url_event("/nic/update", "POST", body=TOO_LONG), 413, "content too large\n"),
        (url_event("/nic/update", "BREW"), 405, "method not allowed\n"),
        (url_event("/ip", headers={"a": "b" * 40_000}), 431, "request header fields too large\n"),
        ({"version": "9.9"}, 405, "method not allowed\n"),
        ({}, 405, "method not allowed\n"),
        (None, 400, "bad request\n"),
    ],
)
def test_what_cannot_be_answered_is_told_so_in_its_own_protocol(
    world: World, event: object, status: int, body: object
) -> None:
    answer = ask(world, event)
    assert answer["statusCode"] == status
    if body is not None:
        assert (json.loads(answer["body"]) if isinstance(body, dict) else answer["body"]) == body


def test_a_get_that_cannot_be_answered_still_hears_200(world: World) -> None:
    event = load("awslabs_mapping_set") | {"source_ip": "nobody"}
    assert ask(world, event) == {"return_message": "bad request", "return_status": "fail"}


def test_what_is_allowed_is_told_with_405(world: World) -> None:
    assert ask(world, url_event(method="DELETE"))["headers"]["allow"] == "GET, HEAD, POST, PUT"


def test_an_edge_without_a_viewer_is_a_temporary_failure(world: World) -> None:
    event = url_event("/nic/update", headers={"x-homing-origin-verify": "the-origin-secret"})
    answer = ask(world, event)
    assert (answer["statusCode"], answer["body"], answer["headers"]["retry-after"]) == (503, "911\n", "60")


SHARED = World(make_rows())


@given(mutated_events())
@examples(max_examples=300, deadline=None)
def test_whatever_comes_in_something_well_formed_goes_out(event: object) -> None:
    answer = ask(SHARED, event)
    json.dumps(answer)
    if "return_status" not in answer:
        assert isinstance(answer["statusCode"], int)
        assert isinstance(answer["body"], str)
        assert answer["statusCode"] < 500 or answer["body"] == "911\n"


# --- what never should happen


class Broken(Application):
    """An application that fails as no application should."""

    def __init__(self) -> None:
        pass

    def handle(self, request: Request) -> Response:
        raise ValueError(f"invalid literal: {request.query} {request.headers} {request.body!r}")


@pytest.mark.parametrize(
    ("event", "status", "body"),
    [
        (url_event("/nic/update?password=s3cret"), 503, "911\n"),
        (url_event("/v1/update", "POST", {"homing-signature": "s3cret"}), 503, "911\n"),
        (
            url_event("/?mode=set&hash=s3cret"),
            200,
            message("fail", "There was an issue updating the record, try again later."),
        ),
        (url_event("/", "POST", body="s3cret"), 500, '{"return_status": "fail", "return_message": "Unknown error"}'),
        (url_event("/x?fqdn=a&token=s3cret&mode=1"), 503, "911\n"),
    ],
)
def test_a_crash_is_something_that_passes_and_nothing_of_the_request_is_logged(
    event: object, status: int, body: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = handler_of(update_over(Broken()))(event, None)
    assert (answer["statusCode"], answer["body"]) == (status, body)
    if status == 503:
        assert answer["headers"]["retry-after"] == "30"
    assert "ValueError" in caplog.text
    assert "s3cret" not in caplog.text.replace("s3cret'", "") + capsys.readouterr().out


def test_an_answer_that_cannot_be_made_is_one_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("homing.runtimes.aws_lambda.logs.AccessLog.write", fail)
    assert ask(world, load("function_url_ipv6"))["statusCode"] == 503


# --- who may ask


def test_the_key_is_asked_for_on_the_awslabs_paths_and_a_gateway_has_checked_it_already(world: World) -> None:
    update = update_over(world.application)
    guarded = type(update)(
        update.settings, with_access(world.application, Access(api_key="k")), world.application, update.deadline
    )
    handle = handler_of(guarded)
    assert handle(url_event("/?mode=get"), None)["statusCode"] == 403
    assert handle(url_event("/?mode=get", headers={"x-api-key": "k"}), None)["statusCode"] == 200
    assert handle(load("awslabs_mapping_get"), None)["return_status"] == "success"


# --- how many calls it takes


class Direct:
    """The update function in direct mode, over stores and publishers that count."""

    def __init__(self, world: AppWorld, application: Application) -> None:
        self.world = world
        self._handler = handler_of(update_over(application))

    def handle(self, event: object) -> dict[str, Any]:
        return self._handler(event, None)


def make_direct(*rows: Any, faults: Faults | None = None, streams: bool = False) -> tuple[Direct, FlakyPublisher]:
    publisher = FlakyPublisher(faults)
    clock = ManualClock()
    app = make_app_world(*rows, publisher=publisher, store=WatchedStore(), clock=clock)
    service = Service(
        store=app.store,
        outbox=LeftToOthers() if streams else MadeWhenNeeded(lambda: app.outbox),
        authenticator=app.authenticator,
        clock=clock,
        entropy=app.service._planner._entropy,
        zones=frozenset({ZONE}),
        policy=Policy(),
    )
    app.store.loads = app.store.commits = 0
    return Direct(app, Application(service, lambda: None, Access())), publisher


def counted(direct: Direct, publisher: FlakyPublisher) -> tuple[int, int, int]:
    """Loads, changes of Route 53, commits."""
    counts = (direct.world.store.loads, len(publisher.calls), direct.world.store.commits)
    direct.world.store.loads = direct.world.store.commits = 0
    publisher.calls.clear()
    return counts


NAME = CAM.rstrip(".")


def asked(protocol: str, address: str = "8.8.8.8") -> dict[str, Any]:
    if protocol == "host":
        return url_event(f"/nic/update?hostname={NAME}&myip={address}", headers=dict(basic(NAME, SECRET)))
    if protocol == "account":
        return url_event(f"/nic/update?hostname={NAME}&myip={address}", headers=dict(basic("me", "pw")))
    if protocol == "awslabs":
        return url_event(f"/?mode=set&hostname={NAME}&hash={legacy_hash(address, NAME, SECRET)}", source=address)
    if protocol == "token":
        made = ddupdate_token(NAME, "Z1", TOKEN_KEY)
        return url_event(f"/x?fqdn={NAME}&zoneid=Z1&token={made}&ipv4={address}")
    given = sign({"hostname": NAME, "addresses": [address]}, SECRET, int(ManualClock().now() * 1000) + 1)
    return url_event("/v1/update", "POST", dict(given["headers"]), given["body"].decode())


@pytest.mark.parametrize("protocol", ["host", "account", "awslabs", "token", "signed"])
def test_a_change_is_a_read_a_write_a_change_of_dns_and_a_write_and_a_poll_is_a_read(protocol: str) -> None:
    direct, publisher = make_direct(make_host(), make_account("me", "pw", CAM), make_token_key())
    assert direct.handle(asked(protocol))["statusCode"] == 200
    assert publisher.held[make_host().key] == RRset(60, ("8.8.8.8",))
    assert counted(direct, publisher) == (1, 1, 2)
    if protocol != "signed":
        assert direct.handle(asked(protocol))["statusCode"] == 200
        assert counted(direct, publisher) == (1, 0, 0)


def test_two_families_are_no_more_calls_than_one() -> None:
    direct, publisher = make_direct(make_host(), make_host(record_type="AAAA"))
    assert direct.handle(asked("host", "8.8.8.8,2a00::1"))["body"] == "good 8.8.8.8,2a00::1\n"
    assert counted(direct, publisher) == (1, 1, 2)


def test_where_dns_is_throttled_the_answer_comes_after_the_commit_and_the_host_waits() -> None:
    direct, publisher = make_direct(make_host(), faults=Faults(throttled=1.0))
    assert direct.handle(asked("host"))["body"] == "good 8.8.8.8\n"
    assert counted(direct, publisher) == (1, 1, 1)
    assert direct.world.host().pending


def test_the_outbox_is_made_with_the_first_change_and_once() -> None:
    made: list[object] = []
    world = make_app_world(make_host(desired=ONE), publisher=FlakyPublisher())

    def make() -> Outbox:
        made.append(world.outbox)
        return world.outbox

    late = MadeWhenNeeded(make)
    assert made == []
    for _ in range(2):
        assert late.publish([world.host()]).settled
    assert len(made) == 1


def test_what_dns_rejects_is_told() -> None:
    direct, publisher = make_direct(make_host())
    publisher.rejected.add(CAM)
    answer = direct.handle(asked("host"))
    assert (answer["statusCode"], answer["body"]) == (503, "911\n")


def test_where_the_stream_publishes_the_function_only_commits() -> None:
    direct, publisher = make_direct(make_host(), streams=True)
    assert direct.handle(asked("host"))["body"] == "good 8.8.8.8\n"
    assert counted(direct, publisher) == (1, 0, 1)
    assert direct.handle(asked("host"))["body"] == "nochg 8.8.8.8\n"
    assert counted(direct, publisher) == (1, 0, 0)
    assert direct.world.host().pending


# --- what a cold start costs

HEAVY = {
    *(
        "boto3",
        "botocore",
        "asyncio",
        "concurrent",
        "sqlite3",
        "click",
        "dns",
        "tomllib",
        "xml",
        "uvicorn",
        "starlette",
    ),
    *("dataclasses", "inspect", "pathlib", "subprocess", "tempfile", "multiprocessing", "argparse", "secrets", "idna"),
}
STARTER = """
import json, sys
sys.path.insert(0, sys.argv[1])
connected = []
sys.addaudithook(lambda event, args: connected.append(event) if event.startswith("socket.") else None)
from homing.runtimes.aws_lambda.update import make_handler
handler = make_handler(json.loads(sys.argv[2]))
before = set(sys.modules)
for event in json.loads(sys.argv[3]):
    handler(event, None)
found = {"started": sorted(before), "answered": sorted(sys.modules), "connected": connected}
sys.stderr.write(json.dumps(found))
"""


def test_a_poll_needs_no_library_and_starting_calls_nobody() -> None:
    events = [load("function_url_ipv6"), url_event("/checkip"), url_event("/nic/update")]
    command = [sys.executable, "-I", "-c", STARTER, str(PACKAGE.parent), json.dumps(ENVIRONMENT), json.dumps(events)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(done.stderr)
    for moment in ("started", "answered"):
        assert not HEAVY & {name.partition(".")[0] for name in found[moment]}
        ours = {name for name in found[moment] if name.startswith(("homing.publishers", "homing.aws.route53"))}
        assert not ours
        assert not {"homing.app.publishing", "homing.app.administration", "homing.settings.one_machine"} & set(
            found[moment]
        )
    assert found["connected"] == []
