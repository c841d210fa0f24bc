"""`homing aws deploy`: one step, told as it goes; nothing is lost unasked; a failure says what failed first."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber
from click.testing import CliRunner

from homing.cli import aws_deploy, aws_package, main
from homing.cli.aws import aws as command
from homing.core.errors import Refused
from homing.stack import deployment
from homing.stack.account import open_account
from homing.stack.package import Package
from homing.stack.stacks import find_stack
from tests.house import PACKAGE
from tests.stack.conftest import REGION, aws  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from homing.stack.account import Account

TEMPLATE = """
Parameters:
  route53ZoneName: {Type: String}
  route53ZoneId: {Type: String, Default: ''}
  endpoint: {Type: String, Default: functionUrl}
  publishMode: {Type: String, Default: direct}
  alarmEmail: {Type: String, Default: ''}
  tokensCreateHosts: {Type: String, Default: 'false'}
  codeBucket: {Type: String}
  codeKey: {Type: String}
  runtime: {Type: String, Default: python3.13}
Resources:
  topic: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Ref codeKey}}
"""
OUTPUTS = {
    "endpointUrl": "https://abc.lambda-url.eu-central-1.on.aws",
    "route53ZoneName": "home.example",
    "route53ZoneID": "Z1",
    "DNSZoneNameServers": "ns-1.awsdns-01.com ns-2.awsdns-02.net",
}
"""moto forgets the outputs of a stack that a change set made."""

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "template_text", lambda: TEMPLATE)
    monkeypatch.setattr(aws_package, "build_package", lambda runtime, bytecode: Package(
        f"{runtime} {bytecode}".encode(), runtime, 1, bytecode))  # fmt: skip
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(aws_deploy, "find_stack", lambda *given: replace(find_stack(*given), outputs=OUTPUTS))


def run(*arguments: str, **given: Any) -> Result:
    return CliRunner().invoke(command, ["deploy", "--region", REGION, *arguments], **given)


def parameters() -> dict[str, str]:
    (stack,) = open_account(REGION).call("cloudformation", "describe_stacks", StackName="homing")["Stacks"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}


# --- one step


def test_one_step_ends_with_the_endpoint_the_name_servers_and_the_first_host() -> None:
    done = run("home.example")
    assert done.exit_code == 0, done.output
    for words in ("https://abc.lambda-url.eu-central-1.on.aws\n", "ns-1.awsdns-01.com", "ns-2.awsdns-02.net",
                  "homing host add cam.home.example --stack homing --region eu-central-1\n"):  # fmt: skip
        assert words in done.stdout
    for words in ("account 123456789012 in eu-central-1", "the zone home.example is made with the stack",
                  "made the bucket homing-123456789012-eu", "+ add     topic", "CREATE_COMPLETE"):  # fmt: skip
        assert words in done.stderr
    assert "\x1b" not in done.output


def test_json_has_one_shape() -> None:
    done = run("home.example", "--json")
    assert json.loads(done.stdout) == {
        "stack": "homing", "status": "CREATE_COMPLETE", "changed": True, "zone": "home.example", "zone_id": "Z1",
        "endpoint": "https://abc.lambda-url.eu-central-1.on.aws",
        "name_servers": ["ns-1.awsdns-01.com", "ns-2.awsdns-02.net"],
    }  # fmt: skip


def test_flags_are_parameters_of_the_template() -> None:
    flags = ("--endpoint", "httpApi", "--publish-mode", "stream", "--alarm-email", "me@example.com", "--tokens")
    assert run("home.example", *flags).exit_code == 0
    found = parameters()
    names = ("endpoint", "publishMode", "alarmEmail", "tokensCreateHosts")
    assert [found[name] for name in names] == ["httpApi", "stream", "me@example.com", "true"]
    done = run("--param", "alarmEmail=you@example.com", "--no-tokens", "--no-bytecode")
    assert done.exit_code == 0
    assert [parameters()[name] for name in names] == ["httpApi", "stream", "you@example.com", "false"]


def test_a_stack_keeps_the_runtime_that_it_has() -> None:
    run("home.example", "--runtime", "python3.12")
    run()
    assert parameters()["runtime"] == "python3.12"


def test_without_a_python_of_the_runtime_it_goes_on_without_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(runtime: str, *, bytecode: bool) -> Package:
        if bytecode:
            raise Refused("there is no Python 3.13 here")
        return Package(b"sources", runtime, 1, has_bytecode=False)

    monkeypatch.setattr(aws_package, "build_package", build)
    assert isinstance(run("home.example", "--bytecode").exception, Refused)
    done = run("home.example")
    assert done.exit_code == 0
    assert "warning: there is no Python 3.13 here" in done.stderr


# --- a dry run


def test_a_dry_run_shows_the_changes_and_the_cost_and_leaves_nothing() -> None:
    done = run("home.example", "--dry-run", "--hosts", "10000")
    assert done.exit_code == 0
    assert "+ add     topic" in done.stderr
    assert "1 resources of homing would change; nothing was changed" in done.stdout
    assert "29.08  US dollars a month" in done.stdout
    with pytest.raises(Refused):
        open_account(REGION).call("cloudformation", "describe_stacks", StackName="homing")


def test_its_json_tells_what_is_replaced_and_what_it_costs() -> None:
    told = json.loads(run("home.example", "--dry-run", "--json", "--endpoint", "restApi", "--hosts", "10000").stdout)
    assert told["changes"] == [
        {"action": "Add", "logical_id": "topic", "type": "AWS::SNS::Topic", "replacement": False}
    ]
    assert (told["is_new"], told["hosts"], told["dollars_a_month"]) == (True, 10_000, 331.48)


# --- CloudFormation's own words


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    account = open_account(REGION)
    monkeypatch.setattr(aws_deploy, "open_account", lambda *_: account)
    with Stubber(account.client("cloudformation")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def describe(stubber: Stubber, status: str) -> None:
    own = {"route53ZoneName": "home.example", "codeBucket": "homing-b", "codeKey": "k", "runtime": "python3.13"}
    stack = {
        "StackName": "homing", "StackId": "arn:aws:cfn:homing", "StackStatus": status,
        "CreationTime": datetime.now(UTC),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in own.items()],
    }  # fmt: skip
    stubber.add_response("describe_stacks", {"Stacks": [stack]})


def change_set(stubber: Stubber, *changes: dict[str, Any], failed: str = "") -> None:
    for _ in range(2):
        describe(stubber, "CREATE_COMPLETE")
    names = ["codeBucket", "codeKey", "runtime"]
    stubber.add_response("get_template_summary", {"Parameters": [{"ParameterKey": name} for name in names]})
    stubber.add_response("create_change_set", {"Id": "arn:aws:cfn:cs", "StackId": "arn:aws:cfn:homing"})
    told: dict[str, Any] = {"Status": "FAILED" if failed else "CREATE_COMPLETE", "StatusReason": failed}
    told["Changes"] = [{"Type": "Resource", "ResourceChange": one} for one in changes]
    stubber.add_response("describe_change_set", told)


TABLE = {
    "Action": "Modify", "LogicalResourceId": "ddnsConfigTable", "ResourceType": "AWS::DynamoDB::Table",
    "Replacement": "True",
}  # fmt: skip


def events(stubber: Stubber, *told: tuple[str, str, str]) -> None:
    found = [
        {
            "StackId": "arn:aws:cfn:homing", "EventId": f"e{number}{name}", "StackName": "homing",
            "LogicalResourceId": name, "PhysicalResourceId": "arn:aws:cfn:homing" if name == "homing" else name,
            "ResourceType": "AWS::X::Y", "Timestamp": datetime.now(UTC), "ResourceStatus": status,
            "ResourceStatusReason": reason,
        }
        for number, (name, status, reason) in enumerate(told)
    ]  # fmt: skip
    stubber.add_response("describe_stack_events", {"StackEvents": found[::-1]})


def test_nothing_to_change_is_said(stubbed: Stubber) -> None:
    change_set(stubbed, failed="The submitted information didn't contain changes.")
    stubbed.add_response("delete_change_set", {})
    describe(stubbed, "CREATE_COMPLETE")
    done = run("--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["changed"] is False
    assert "nothing to change" in done.stderr


def test_what_would_be_replaced_is_asked_about_and_a_script_has_to_agree(stubbed: Stubber) -> None:
    change_set(stubbed, TABLE)
    stubbed.add_response("delete_change_set", {})
    done = run()
    assert isinstance(done.exception, Refused)
    assert "ddnsConfigTable would be replaced or removed; ddnsConfigTable holds data; --yes" in str(done.exception)
    assert "REPLACED" in done.stderr


URL = {
    "Action": "Modify", "LogicalResourceId": "updateUrl", "ResourceType": "AWS::Lambda::Url",
    "Replacement": "Conditional",
}  # fmt: skip


@pytest.mark.parametrize(("evaluation", "asked"), [("Dynamic", False), ("Static", True)])
def test_what_only_refers_to_a_function_with_new_code_is_not_asked_about(
    stubbed: Stubber, evaluation: str, asked: bool
) -> None:
    target = {"Attribute": "Properties", "Name": "TargetFunctionArn", "RequiresRecreation": "Always"}
    change_set(stubbed, URL | {"Details": [{"Target": target, "Evaluation": evaluation}]})
    if asked:
        stubbed.add_response("delete_change_set", {})
        assert "updateUrl would be replaced" in str(run().exception)
        return
    describe(stubbed, "CREATE_COMPLETE")
    events(stubbed)
    stubbed.add_response("execute_change_set", {})
    events(stubbed, ("homing", "UPDATE_COMPLETE", ""))
    describe(stubbed, "UPDATE_COMPLETE")
    assert run().exit_code == 0


def test_yes_agrees(stubbed: Stubber) -> None:
    change_set(stubbed, TABLE)
    describe(stubbed, "CREATE_COMPLETE")
    events(stubbed)
    stubbed.add_response("execute_change_set", {})
    events(stubbed, ("ddnsConfigTable", "UPDATE_COMPLETE", ""), ("homing", "UPDATE_COMPLETE", ""))
    describe(stubbed, "UPDATE_COMPLETE")
    assert run("--yes").exit_code == 0


def test_a_failure_tells_what_failed_first_and_what_to_do(stubbed: Stubber) -> None:
    change_set(stubbed, TABLE | {"Replacement": "False"})
    describe(stubbed, "CREATE_COMPLETE")
    events(stubbed)
    stubbed.add_response("execute_change_set", {})
    events(
        stubbed,
        ("ddnsConfigTable", "UPDATE_FAILED", "homing-config already exists"),
        ("role", "UPDATE_FAILED", "Resource update cancelled"),
        ("homing", "UPDATE_ROLLBACK_COMPLETE", ""),
    )
    done = run()
    lines = str(done.exception).splitlines()
    assert isinstance(done.exception, Refused)
    assert lines[0] == "the stack was not deployed (UPDATE_ROLLBACK_COMPLETE)"
    assert lines[1].endswith("homing-config already exists")
    assert "what to do: " in lines[2]
    assert not [line for line in lines if "cancelled" in line]


# --- exit codes


def test_throttling_ends_with_3_and_refusal_with_1(stubbed: Stubber, capsys: pytest.CaptureFixture[str]) -> None:
    stubbed.add_client_error("describe_stacks", "Throttling", "Rate exceeded")
    with pytest.raises(SystemExit) as caught:
        main(["aws", "deploy", "home.example", "--region", REGION])
    assert caught.value.code == 3
    stubbed.add_client_error("describe_stacks", "AccessDenied", "no")
    with pytest.raises(SystemExit) as caught:
        main(["aws", "deploy", "home.example", "--region", REGION])
    assert caught.value.code == 1
    assert "homing: these credentials may not do cloudformation:describe_stacks" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("not a zone",), ("--param", "novalue"), ("--stack", "1"), ("--endpoint", "x"), ("--runtime", "go")]
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_without_boto3_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: Any) -> Account:
        raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

    monkeypatch.setattr(aws_deploy, "open_account", missing)
    with pytest.raises(SystemExit) as caught:
        main(["aws", "deploy", "home.example"])
    assert caught.value.code == 1
    assert capsys.readouterr().err == "homing: what talks to AWS is not installed: pip install 'homing[aws]'\n"


def test_the_real_template_has_every_parameter_that_is_set_here() -> None:
    text = (PACKAGE / "stack" / "template.yaml").read_text()
    section = text.partition("\nParameters:")[2].partition("\nResources:")[0]
    for name in ("endpoint", "publishMode", "alarmEmail", "tokensCreateHosts", "importedPasswords", "defaultTtl",
                 deployment.CODE_BUCKET, deployment.CODE_KEY, deployment.RUNTIME, deployment.ZONE_ID,
                 deployment.ZONE_NAME):  # fmt: skip
        assert f"\n  {name}:\n" in section, name
