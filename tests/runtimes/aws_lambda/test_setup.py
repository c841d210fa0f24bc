"""The custom resource: CloudFormation is answered on every way, and the secrets are the same for ever."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from homing.aws.errors import NoAnswer, ServiceError
from homing.aws.route53 import HostedZone
from homing.core.errors import StoreUnavailable
from homing.runtimes.aws_lambda import setup
from homing.runtimes.aws_lambda.admin import make_handler
from homing.runtimes.aws_lambda.setup import Setup, SetupFailed, answer, carry_out_patiently, put_answer
from tests.app.builders import make_world
from tests.conformance.publisher_contract import ZONE
from tests.runtimes.aws_lambda import harness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL = "https://cloudformation-custom-resource-response.s3.amazonaws.com/arn%3Aaws?X-Amz-Signature=abc"
PROPERTIES = {
    "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:home-admin",
    "ZoneIds": "Z1,Z2",
    "ZoneNames": f"{ZONE.rstrip('.')},Corp.example.",
    "WantsApiKey": "true",
    "WantsOriginSecret": "true",
}


def request(kind: str = "Create", **properties: Any) -> dict[str, Any]:
    """A request as CloudFormation makes it."""
    return {
        "RequestType": kind,
        "ResponseURL": URL,
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/home/guid",
        "RequestId": "unique-id",
        "ResourceType": "Custom::HomingSetup",
        "LogicalResourceId": "setup",
        "ResourceProperties": PROPERTIES | properties,
    } | ({} if kind == "Create" else {"PhysicalResourceId": "homing-setup"})


class Table:
    """The one row, in place of DynamoDB."""

    def __init__(self) -> None:
        self.item: dict[str, Any] | None = None
        self.puts = 0

    def call(self, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
        if operation == "PutItem":
            self.puts += 1
            assert payload["ConditionExpression"] == "attribute_not_exists(hostname)"
            if self.item is not None:
                raise ServiceError("ConditionalCheckFailedException", "", 400)
            self.item = payload["Item"]
            return {}
        assert payload["ConsistentRead"] is True
        return {"Item": self.item}


class Zones:
    """Two zones, in place of Route 53."""

    def zone(self, zone_id: str) -> HostedZone:
        names = {"Z1": str(ZONE), "Z2": "corp.example."}
        if zone_id not in names:
            raise ServiceError("NoSuchHostedZone", "No hosted zone found with ID: s3cret", 404)
        return HostedZone(zone_id, names[zone_id], False, (f"ns-1.{zone_id}.test.", f"ns-2.{zone_id}.test."))


class Stage:
    def __init__(self) -> None:
        self.table: Any = Table()
        self.zones: Any = Zones()
        self.world = make_world()
        self.said: list[dict[str, Any]] = []

    def ask(self, event: dict[str, Any]) -> dict[str, Any]:
        made = Setup(self.table, self.zones, "home-config", lambda: self.world.administration)
        answer(event, made.carry_out, self.put)
        return self.said[-1]

    def put(self, url: str, body: bytes) -> None:
        assert url == URL
        self.said.append(json.loads(body))


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_answer_is_what_cloudformation_asks_for(stage: Stage) -> None:
    said = stage.ask(request())
    data = said.pop("Data")
    assert said == {
        "Status": "SUCCESS",
        "Reason": "done",
        "PhysicalResourceId": "homing-setup",
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/home/guid",
        "RequestId": "unique-id",
        "LogicalResourceId": "setup",
        "NoEcho": True,
    }
    assert data["NameServers"] == "ns-1.Z1.test ns-2.Z1.test"
    assert len(data["ApiKey"]) == len(data["OriginSecret"]) == 32
    assert data["ApiKey"] != data["OriginSecret"]


def test_the_secrets_stay_the_same(stage: Stage) -> None:
    first = stage.ask(request())["Data"]
    assert stage.ask(request("Update"))["Data"] == first
    assert stage.ask(request("Create"))["Data"] == first


def test_a_secret_that_was_not_wanted_at_first_is_there_when_it_is(stage: Stage) -> None:
    first = stage.ask(request(WantsOriginSecret="false"))["Data"]
    assert first["OriginSecret"] == ""
    later = stage.ask(request("Update", WantsApiKey="false"))["Data"]
    assert later["ApiKey"] == ""
    assert len(later["OriginSecret"]) == 32
    assert stage.ask(request("Update"))["Data"]["ApiKey"] == first["ApiKey"]


def test_no_secret_is_made_that_nobody_wants(stage: Stage) -> None:
    data = stage.ask(request(WantsApiKey="false", WantsOriginSecret="false"))["Data"]
    assert (data["ApiKey"], data["OriginSecret"]) == ("", "")
    assert stage.table.puts == 0


def refused(code: str) -> SetupFailed:
    failure = SetupFailed("refused")
    failure.__cause__ = ServiceError(code, "", 403)
    return failure


@pytest.mark.parametrize(
    "error",
    [
        refused("AccessDenied"),
        ServiceError("AccessDeniedException", "", 400),
        refused("Throttling"),
        ServiceError("InternalServerError", "", 500),
        NoAnswer("timed out", may_have_arrived=True),
    ],
)
def test_the_rights_of_a_new_role_and_whatever_else_passes_are_waited_for(error: Exception) -> None:
    errors = [error] * 3
    waits: list[float] = []

    def carry_out(_: object) -> dict[str, str]:
        if errors:
            raise errors.pop()
        return {"NameServers": "ns"}

    assert carry_out_patiently(carry_out, request(), waits.append) == {"NameServers": "ns"}
    assert waits == [5.0] * 3


@pytest.mark.parametrize(("error", "waits"), [(refused("AccessDenied"), 8), (refused("NoSuchHostedZone"), 0)])
def test_rights_that_never_come_and_other_errors_are_told(error: Exception, waits: int) -> None:
    waited: list[float] = []

    def carry_out(_: object) -> dict[str, str]:
        raise error

    with pytest.raises(SetupFailed):
        carry_out_patiently(carry_out, request(), waited.append)
    assert len(waited) == waits


def test_the_example_rows_are_locked_and_made_once(stage: Stage) -> None:
    for _ in range(2):
        assert stage.ask(request(ExampleZone=ZONE.rstrip(".")))["Status"] == "SUCCESS"
    hosts = list(stage.world.administration.hosts())
    assert [(host.hostname, host.record_type, host.lock_record) for host in hosts] == [
        (f"example-record.{ZONE}", "A", True),
        (f"example-record.{ZONE}", "AAAA", True),
    ]
    assert stage.world.shown(hosts[0].hostname) is None


def test_an_update_makes_no_example_rows(stage: Stage) -> None:
    stage.ask(request("Update", ExampleZone=ZONE.rstrip(".")))
    assert list(stage.world.administration.hosts()) == []


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"ZoneNames": f"{ZONE},other.example"}, "zone Z2 is named corp.example., not other.example"),
        ({"ZoneNames": f"{ZONE},a..b"}, "ZoneNames"),
        ({"ZoneNames": ZONE}, "2 zone ids were given, and 1 zone names"),
        ({"ZoneIds": "", "ZoneNames": ""}, "0 zone ids"),
        ({"ZoneIds": "Z1,Z9"}, "zone Z9: Route 53 says NoSuchHostedZone"),
        ({"ZoneIds": [["Z1"]]}, "ZoneIds is not a list"),
    ],
)
def test_a_wrong_description_fails_with_its_reason(stage: Stage, properties: dict[str, Any], reason: str) -> None:
    said = stage.ask(request(**properties))
    assert said["Status"] == "FAILED"
    assert reason in said["Reason"]
    assert "s3cret" not in said["Reason"]
    assert said["Data"] == {}


def test_a_list_is_one_as_well_as_a_text(stage: Stage) -> None:
    said = stage.ask(request(ZoneIds=["Z1", "Z2"], ZoneNames=[ZONE, "corp.example"]))
    assert said["Status"] == "SUCCESS"


@pytest.mark.parametrize("damaged", [{}, {"api_key": {"S": ""}}, {"api_key": {"N": "1"}, "origin_secret": {"S": "x"}}])
def test_a_damaged_row_is_never_an_empty_secret(stage: Stage, damaged: dict[str, Any]) -> None:
    stage.table.item = damaged
    assert stage.ask(request())["Status"] == "FAILED"


# --- an answer on every way


def fail_with(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    "error",
    [
        NoAnswer("timeout of https://s3cret", may_have_arrived=True),
        ServiceError("AccessDeniedException", "s3cret is not authorized", 400),
        ValueError("s3cret"),
        KeyError("s3cret"),
        RecursionError("s3cret"),
    ],
)
def test_whatever_fails_cloudformation_is_told(stage: Stage, error: Exception) -> None:
    stage.table.call = fail_with(error)
    said = stage.ask(request())
    assert said["Status"] == "FAILED"
    assert said["Reason"]
    assert "s3cret" not in json.dumps(said)


def test_a_store_that_fails_for_the_examples_is_told(stage: Stage) -> None:
    stage.world.store.before_load = fail_with(StoreUnavailable("for now"))
    assert stage.ask(request(ExampleZone=ZONE.rstrip(".")))["Status"] == "FAILED"


@pytest.mark.parametrize("changes", [{"ResourceProperties": None}, {"ResourceProperties": []}, {"RequestType": "Dance"},
                                     {"RequestType": None}, {"StackId": None, "RequestId": 5}])  # fmt: skip
def test_a_broken_request_is_answered(stage: Stage, changes: dict[str, Any]) -> None:
    said = stage.ask(request() | changes)
    assert said["Status"] == ("SUCCESS" if "StackId" in changes else "FAILED")


@pytest.mark.parametrize("environment", [{}, {"HOMING_TABLE": "t"}, harness.ENVIRONMENT])
def test_a_delete_succeeds_whatever_the_settings_are(environment: dict[str, str]) -> None:
    said: list[bytes] = []
    handler = make_handler(environment, put=lambda url, body: said.append(body))
    handler(request("Delete") | {"PhysicalResourceId": "made-before"}, None)
    (body,) = said
    assert json.loads(body)["Status"] == "SUCCESS"
    assert json.loads(body)["PhysicalResourceId"] == "made-before"


def test_wrong_settings_are_told_to_cloudformation() -> None:
    said: list[bytes] = []
    make_handler({}, put=lambda url, body: said.append(body))(request(), None)
    assert json.loads(said[0])["Status"] == "FAILED"
    assert "HOMING_TABLE" in json.loads(said[0])["Reason"]


def test_a_long_reason_is_cut_so_that_it_gets_through() -> None:
    said: list[bytes] = []
    answer(request(), fail_with(SetupFailed("x" * 9999)), lambda url, body: said.append(body))
    assert len(said[0]) < 4096


def test_telling_is_tried_again() -> None:
    said: list[bytes] = []
    failures = [OSError("reset"), OSError("reset")]

    def put(url: str, body: bytes) -> None:
        if failures:
            raise failures.pop()
        said.append(body)

    assert answer(request(), lambda _: {}, put)["told"] is True
    assert len(said) == 1


@pytest.mark.parametrize("error", [OSError("reset"), ValueError("x"), SetupFailed("no URL")])
def test_telling_in_vain_ends(error: Exception) -> None:
    assert answer(request(), lambda _: {}, fail_with(error))["told"] is False


def test_the_log_holds_no_secret(stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    told: list[Any] = []
    monkeypatch.setattr(setup, "write", lambda *given: told.append(given))
    data = stage.ask(request())["Data"]
    assert not [secret for secret in (data["ApiKey"], data["OriginSecret"]) if secret in caplog.text + str(told)]


# --- the PUT itself


class Bucket(BaseHTTPRequestHandler):
    """S3, as far as a presigned PUT goes."""

    received: list[tuple[str, str | None, bytes]]
    status = 200

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, self.headers["Content-Type"], body))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[tuple[str, type[Bucket]]]:
    handler = type("OneBucket", (Bucket,), {"received": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_answer_is_put_where_it_is_waited_for(bucket: tuple[str, type[Bucket]]) -> None:
    url, handler = bucket
    put_answer(url + "/arn%3Aaws%3A1?X-Amz-Signature=a%2Fb", b"{}")
    assert handler.received == [("/arn%3Aaws%3A1?X-Amz-Signature=a%2Fb", "", b"{}")]


def test_a_refusal_is_an_error(bucket: tuple[str, type[Bucket]]) -> None:
    url, handler = bucket
    handler.status = 403
    with pytest.raises(OSError, match="403"):
        put_answer(url + "/x", b"{}")


@pytest.mark.parametrize("url", ["", "nonsense", "http://192.0.2.1/x", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_an_answer_leaves_by_tls_only(url: str) -> None:
    with pytest.raises(SetupFailed):
        put_answer(url, b"{}")
