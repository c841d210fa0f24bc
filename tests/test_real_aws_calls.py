"""What `make e2e-aws` asks of AWS and the command line is well formed; what it expects of roles is so."""

from __future__ import annotations

import ast
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.validate import ParamValidator
from moto import mock_aws
from real_aws import check_endpoints, check_stack, probe
from real_aws.names import Run
from real_aws.rights import Attempt, Case, Places, direct_cases, dns_attempts, row_attempts, stream_cases
from real_aws.stage import Stage
from real_aws.steps import Failed

from homing.cli import cli
from tests.deploy.policy_evaluator import Call
from tests.deploy.rendering import REGION, TABLE_ARN, load
from tests.deploy.roles import may, stack
from tests.house import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RUN = Run("homing-e2e-abc123", "111122223333", REGION)
ZONE_ARN = "arn:aws:route53:::hostedzone/ZOWN"
AT = Places(TABLE_ARN, ZONE_ARN, "example.com", "ddns.example.com")
CASES = [("direct", one) for one in direct_cases(AT)] + [("stream", one) for one in stream_cases(AT)]
ATTEMPTS = [*row_attempts("table", "probed.example."), *dns_attempts("ZOWN", "example", "ddns.example", may_swap=True)]


@cache
def client_of(service: str) -> Any:
    return boto3.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")


def model(service: str) -> Any:
    return client_of(service).meta


# --- calls


def calls() -> Iterator[tuple[str, str, str, set[str], bool]]:
    """Every call that is written down in the package: where, service, operation, arguments, and whether it is paged."""
    for path in sorted((ROOT / "real_aws").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            texts = [str(one.value) for one in node.args if isinstance(one, ast.Constant)]
            if node.func.attr in ("call", "pages") and len(texts) >= 2:
                given = {keyword.arg for keyword in node.keywords if keyword.arg}
                yield f"{path.name}:{node.lineno}", texts[0], texts[1], given, node.func.attr == "pages"


@pytest.mark.parametrize(("where", "service", "operation", "given", "is_paged"), list(calls()))
def test_every_call_is_one_that_aws_knows(
    where: str, service: str, operation: str, given: set[str], *, is_paged: bool
) -> None:
    meta = model(service)
    names = meta.method_to_api_mapping
    assert operation in names, where
    shape = meta.service_model.operation_model(names[operation]).input_shape
    assert given <= set(shape.members), where
    assert set(shape.required_members) <= given, where
    if is_paged:
        assert client_of(service).can_paginate(operation), where


def test_the_calls_are_found() -> None:
    assert len(list(calls())) > 40


@pytest.mark.parametrize("one", ATTEMPTS, ids=lambda one: one.what)
def test_what_the_probe_tries_is_well_formed(one: Attempt) -> None:
    meta = model(one.service)
    shape = meta.service_model.operation_model(meta.method_to_api_mapping[one.operation]).input_shape
    assert not ParamValidator().validate(dict(one.arguments), shape).has_errors()


def test_the_probe_tells_the_code_of_what_aws_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    names: dict[str, Any] = {}
    exec(probe._CODE, names)
    with mock_aws():
        event = {"service": "dynamodb", "operation": "scan", "arguments": {"TableName": "none"}}
        assert names["handler"](event, None) == {"code": "ResourceNotFoundException"}
        event = {"service": "dynamodb", "operation": "list_tables", "arguments": {}}
        assert names["handler"](event, None) == {"code": ""}


# --- rights


@pytest.mark.parametrize(("mode", "case"), CASES, ids=lambda one: one.what if isinstance(one, Case) else one)
def test_a_role_may_what_is_expected_of_it(mode: str, case: Case) -> None:
    made = stack(publishMode=mode)
    assert may(case.role, Call(case.action, case.resource, case.context), made) == case.is_allowed


@pytest.mark.parametrize("mode", ["direct", "stream"])
def test_the_probe_expects_what_the_policies_say(mode: str) -> None:
    made = stack(publishMode=mode)
    attempts = dns_attempts("ZOWN", "example.com", "ddns.example.com", may_swap=mode == "direct")
    for one in [*row_attempts("dns-config", "probed.example.com."), *attempts]:
        assert may("updateRole", call_of(one), made) == one.is_allowed, one.what


def call_of(one: Attempt) -> Call:
    """What AWS tells IAM of a call, as its documentation says."""
    given = one.arguments
    operation = "".join(word.title() for word in one.operation.split("_"))
    if one.service == "route53":
        changed = [
            (change["Action"], change["ResourceRecordSet"])
            for change in given.get("ChangeBatch", {}).get("Changes", [])
        ]
        prefix = "route53:ChangeResourceRecordSets"
        context = {
            f"{prefix}NormalizedRecordNames": [record["Name"] for _, record in changed],
            f"{prefix}RecordTypes": [record["Type"] for _, record in changed],
            f"{prefix}Actions": [action for action, _ in changed],
        }
        return Call(f"route53:{operation}", ZONE_ARN, context)
    attributes = [*given.get("Key", {}), *given.get("Item", {}), *given.get("ExpressionAttributeNames", {}).values()]
    context = {"dynamodb:Attributes": attributes}
    if "ReturnValues" in given:
        context["dynamodb:ReturnValues"] = [given["ReturnValues"]]
    return Call(f"dynamodb:{operation}", TABLE_ARN, context)


@pytest.mark.parametrize(("codes", "is_allowed", "is_right"), [
    (["AccessDenied", "AccessDenied", ""], True, True),
    (["", "AccessDeniedException"], False, True),
    (["InvalidChangeBatch"] * 30, False, False),
    ([""] * 30, False, False),
    (["AccessDenied"] * 30, True, False),
])  # fmt: skip
def test_the_probe_waits_for_rights_to_be_known_everywhere(
    codes: list[str], *, is_allowed: bool, is_right: bool
) -> None:
    times, answers = iter(range(0, 3000, 5)), iter(codes)
    account: Any = None
    stage = Stage(RUN, account, lambda _: None, clock=lambda: float(next(times)), sleep=lambda _: None)
    tried = Attempt("it", "s3", "x", {}, is_allowed=is_allowed)
    if is_right:
        probe.check(stage, lambda _: next(answers), tried)
    else:
        with pytest.raises(Failed, match="it should be"):
            probe.check(stage, lambda _: next(answers), tried)


# --- the command line


@pytest.fixture(name="typed")
def _typed() -> tuple[Stage, list[Sequence[str]]]:
    """A stage that notes what it types."""
    typed: list[Sequence[str]] = []

    def homing(words: Sequence[str]) -> Any:
        typed.append(words)
        return {"shared_secret": "s", "endpoint": "e", "name_servers": list("abcd"), "deleted": True, "kept": []}

    account: Any = SimpleNamespace(call=lambda *_, **__: None)
    stage = Stage(RUN, account, homing)
    return stage, typed


@pytest.mark.parametrize("form", list(check_stack._FORMS))
def test_each_form_is_deployed_by_a_command_that_exists_with_parameters_that_the_template_has(
    typed: tuple[Stage, list[Sequence[str]]], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    stage, words = typed
    found = SimpleNamespace(is_usable=True, status="", outputs={})
    monkeypatch.setattr(Stage, "stack", property(lambda _: found))
    check_stack._bring(stage, form)
    parameters = load()["Parameters"]
    given = parse(words[0])["parameters"]
    assert given["alarmEmail"] == f"nobody@{RUN.zone}"
    for name, value in given.items():
        allowed = parameters[name].get("AllowedValues")
        assert allowed is None or value in map(str, allowed), name


def test_every_other_command_exists(typed: tuple[Stage, list[Sequence[str]]]) -> None:
    stage, words = typed
    stage.host("cam")
    for text in ("host list", f"host show {RUN.zone}", f"token {RUN.zone}", "reconcile --dry-run", "aws status",
                 "aws delete --with-data --yes"):  # fmt: skip
        stage.homing(*text.split())
    for line in words:
        assert parse(line)["as_json"] is True
    assert words[0] == [
        "host",
        "add",
        f"cam.{RUN.zone}",
        "--allow-internal",
        "--stack",
        RUN.name,
        "--region",
        REGION,
        "--json",
    ]


def parse(words: Sequence[str]) -> dict[str, Any]:
    """Let click read a line, and do nothing."""
    command: Any = cli
    left = list(words)
    context = command.make_context("homing", [], resilient_parsing=True)
    while hasattr(command, "get_command"):
        command = command.get_command(context, left.pop(0))
        assert command is not None, words
    parsed: dict[str, Any] = {}
    original, command.callback = command.callback, lambda **given: parsed.update(given)
    try:
        command.main(left, prog_name="homing", standalone_mode=False)
    finally:
        command.callback = original
    return parsed


# --- CloudFront


@pytest.mark.parametrize("is_believed", [False, True])
def test_a_forged_header_that_is_believed_fails_the_step(monkeypatch: pytest.MonkeyPatch, *, is_believed: bool) -> None:
    account: Any = None
    stage = Stage(RUN, account, lambda _: None, sleep=lambda _: None)
    found = SimpleNamespace(endpoint="https://edge", outputs={"apiOriginURL": "origin"})
    monkeypatch.setattr(Stage, "stack", property(lambda _: found))

    def ask(_: str, *, headers: tuple[tuple[str, str], ...] = (), **__: object) -> Any:
        return SimpleNamespace(status=200, body=headers[0][1] if is_believed and headers else "203.0.113.5\n")

    monkeypatch.setattr(stage, "ask", ask)
    if not is_believed:
        assert check_endpoints.cloudfront_tells_viewer(stage) == "IPv4 and IPv6"
    else:
        with pytest.raises(Failed, match="forged"):
            check_endpoints.cloudfront_tells_viewer(stage)
