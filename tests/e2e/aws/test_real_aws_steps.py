"""The steps of `make e2e-aws` that can be played on loopback: each passes here, and fails where it should."""

from __future__ import annotations

import json
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from local_aws.event_kinds import FunctionUrl, RestApi
from real_aws import check_endpoints, check_publishing, check_updates
from real_aws.names import Run
from real_aws.plan import STEPS
from real_aws.stage import Stage
from real_aws.steps import Result, run_steps

from homing.cli.host_view import describe
from homing.core.names import Name, parse_name
from homing.stack.account import CallFailed
from homing.stack.stacks import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local_aws.stack import LocalAws

    from tests.e2e.aws.conftest import Stacks

UPDATES = (
    "host-add", "dyndns2", "unchanged", "source-address", "awslabs-v1", "awslabs-v2", "awslabs-v3", "ddupdate",
    "signed", "typed-row", "wrong-secret", "dns-answer",
)  # fmt: skip
PUBLISHING = ("drifted", "refused", "drain", "reconcile", "burst", "timers-drain")


def make_run(letter: str) -> Run:
    """Each test has its own, for the server of DynamoDB is shared."""
    return Run(f"homing-e2e-{letter * 6}", "123456789012", "eu-central-1")


class Local:
    """The account, as far as the steps ask it: everything goes to the local AWS."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws, self.calls = aws, 0
        given = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self.clients = {
            "route53": boto3.client("route53", endpoint_url=aws.route53.url, **given),
            "dynamodb": aws.dynamodb.client("dynamodb"),
            "dynamodbstreams": aws.dynamodb.client("dynamodbstreams"),
            "sqs": aws.dynamodb.client("sqs"),
        }

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        self.calls += 1
        if service == "lambda":
            value = self.aws.admin.invoke(json.loads(arguments["Payload"])).value
            return {"Payload": SimpleNamespace(read=lambda: json.dumps(value).encode())}
        if "TableName" in arguments or "RequestItems" in arguments:
            assert self.aws.table in (arguments.get("TableName"), *arguments.get("RequestItems", ()))
        return getattr(self.clients[service], operation)(**arguments)

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        for page in self.clients[service].get_paginator(operation).paginate(**arguments):
            yield from page[key]


class LocalStage(Stage):
    """A stage whose stack is the local one."""

    def __init__(self, run: Run, aws: LocalAws, url: str) -> None:
        account: Any = Local(aws)
        super().__init__(run, account, self._homing_locally)
        self.aws = aws
        self.shape, self.is_deployed = "direct", True
        zone_id = aws.zone_ids[f"{run.zone}."]
        outputs = {"endpointUrl": url, "route53ZoneID": zone_id, "adminFunctionName": "admin", "apiKey": "the-key"}
        self._stack = Stack(run.name, "id", "CREATE_COMPLETE", "", {}, outputs | {"deadLetterUrl": aws.queue})

    def _homing_locally(self, words: Sequence[str]) -> Any:
        match [word for word in words if not word.startswith("--")]:
            case ["host", "add", name, *_]:
                return {"shared_secret": self.aws.add_host(f"{name}.", allow_internal=True)}
            case ["host", "list", *_]:
                return [describe(one) for one in self.aws.administration.hosts()]
            case ["host", "show", name, *_]:
                return [describe(one) for one in self.aws.administration.find_host(parse_name(name))]
            case ["token", name, *_]:
                zones = {zone_id: Name(zone) for zone, zone_id in self.aws.zone_ids.items()}
                zone_id, token = self.aws.administration.token(parse_name(name), zones, None)
                return {"zoneid": zone_id, "token": token}
            case ["reconcile", *_]:
                return {"differences": [None] * self.aws.reconcile(repair=False)["differences"]}
        raise AssertionError(words)


def play(stage: Stage, names: Sequence[str]) -> dict[str, Result]:
    results: list[Result] = []
    run_steps(stage, [step for step in STEPS if step.name in names], results, lambda _: None)
    return {one.name: one for one in results}


@pytest.fixture(autouse=True)
def _one_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local front has an IPv4 address only, where every endpoint of AWS has both."""
    monkeypatch.setattr(check_updates, "FAMILIES", ("IPv4",))
    monkeypatch.setattr(check_endpoints, "FAMILIES", ("IPv4",))


@pytest.mark.slow
def test_the_steps_of_direct_mode_pass_against_the_local_stack(stacks: Stacks) -> None:
    run = make_run("a")
    with stacks.running(name=run.name, zones=(f"{run.zone}.",), concurrency=4, drain_seconds=2.0) as aws:
        stage = LocalStage(run, aws, aws.open_front(FunctionUrl()).url)
        found = play(stage, [*UPDATES, *PUBLISHING])
        assert {name: one.told for name, one in found.items() if one.verdict != "passed"} == {}
        assert set(found) == {*UPDATES, *PUBLISHING}
        assert "x-amzn-remapped-www-authenticate" in found["wrong-secret"].told
        assert stage.requests > check_publishing.MANY


@pytest.mark.slow
def test_the_steps_of_stream_mode_pass_but_for_the_no_op_which_moto_does_not_know(stacks: Stacks) -> None:
    names = ("stream-change", "stream-no-op", "stream-burst", "dead-letters")
    run = make_run("b")
    with stacks.running(name=run.name, zones=(f"{run.zone}.",), publish_mode="stream", concurrency=4) as aws:
        stage = LocalStage(run, aws, aws.open_front(FunctionUrl()).url)
        stage.shape = "stream"
        found = play(stage, names)
        assert [one.verdict for one in found.values()] == ["passed", "failed", "passed", "passed"], found
        assert found["stream-no-op"].told == "the stream shows 2 records, not 1"


@pytest.mark.slow
def test_the_steps_of_a_rest_api_with_a_key_pass(stacks: Stacks) -> None:
    names = ("rest-api-updates", "rest-api-key", "rest-api-challenge")
    run = make_run("c")
    with stacks.running(name=run.name, zones=(f"{run.zone}.",), api_key="the-key") as aws:
        stage = LocalStage(run, aws, aws.open_front(RestApi()).url + "/prod")
        stage.shape = "rest api"
        assert {name: one.told for name, one in play(stage, names).items() if one.verdict != "passed"} == {}


@pytest.mark.slow
def test_steps_fail_where_the_stack_does_not_do_what_it_should(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run("d")
    with stacks.running(name=run.name, zones=(f"{run.zone}.",)) as aws:
        stage = LocalStage(run, aws, aws.open_front(FunctionUrl()).url)
        ticks = count()
        stage.sleep, stage.clock = (lambda _: None), (lambda: next(ticks) * 30.0)
        monkeypatch.setattr(stage, "answer", lambda *_: [])
        monkeypatch.setattr(stage, "host", lambda label: (f"{label}.{run.zone}", "wrong"))
        found = play(stage, [*UPDATES, "reconcile"])
        passed = {name for name, one in found.items() if one.verdict == "passed"}
        assert passed == {"wrong-secret", "typed-row"}, "the one wants a refusal, the other types its own secret"


def test_an_error_of_aws_is_the_result_of_its_step() -> None:
    def call(*_: object, **__: object) -> None:
        raise CallFailed("these credentials may not do cloudfront:get_cache_policy", "AccessDenied")

    stage: Any = SimpleNamespace(account=SimpleNamespace(call=call), clock=lambda: 0.0, shape=None, is_deployed=False)
    found = play(stage, ["managed-policies", "parameter-case", "dyndns2"])
    assert [one.verdict for one in found.values()] == ["passed", "failed", "skipped"]
    assert found["managed-policies"].told == "these credentials may not do cloudfront:get_cache_policy"
