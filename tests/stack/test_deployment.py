"""From what was asked for to a change set: which zone, which parameters, what is uploaded, and what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from homing.core.errors import Refused, StoreUnavailable
from homing.core.names import Name
from homing.stack import deployment
from homing.stack.change_set import discard, execute
from homing.stack.deployment import Wanted, plan
from homing.stack.package import Package
from homing.stack.stacks import MAX_NAME, find_stack, get_stack, parse_stack_name
from tests.house import PACKAGE
from tests.stack.conftest import NUMBER, REGION

if TYPE_CHECKING:
    from homing.stack.account import Account
    from homing.stack.change_set import ChangeSet

TEMPLATE = """
Parameters:
  route53ZoneName: {Type: String}
  route53ZoneId: {Type: String, Default: ''}
  defaultTtl: {Type: Number, Default: 60}
  codeBucket: {Type: String}
  codeKey: {Type: String}
  runtime: {Type: String, Default: python3.13}
Resources:
  topic: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Ref codeKey}}
Outputs:
  route53ZoneName: {Value: !Ref route53ZoneName}
  route53ZoneID: {Value: !Ref route53ZoneId}
"""
BUCKET = f"homing-{NUMBER}-{REGION}"
ZONE = Name("home.example.")


def package(content: bytes = b"one") -> Package:
    return Package(content, "python3.13", 1, has_bytecode=True)


@pytest.fixture(autouse=True)
def template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "template_text", lambda: TEMPLATE)


@pytest.fixture
def zone_id(account: Account) -> str:
    made = account.client("route53").create_hosted_zone(Name=ZONE, CallerReference="x")
    return str(made["HostedZone"]["Id"]).removeprefix("/hostedzone/")


def planned(account: Account, content: bytes = b"one", *, dry_run: bool = False, **wanted: Any) -> ChangeSet:
    tell: Any = wanted.pop("tell", lambda _: None)
    return plan(
        account, Wanted(stack="homing", **wanted), package(content), dry_run=dry_run, now=1.0,
        sleep=lambda _: None, tell=tell,
    )  # fmt: skip


def deployed(account: Account, content: bytes = b"one", **wanted: Any) -> None:
    execute(account, planned(account, content, **wanted))


# --- the zone


def test_a_zone_that_is_there_is_used(account: Account, zone_id: str) -> None:
    deployed(account, zone=ZONE)
    assert find_stack(account, "homing").parameters["route53ZoneId"] == zone_id


def test_one_that_is_missing_is_left_to_the_template(account: Account) -> None:
    deployed(account, zone=ZONE)
    stack = find_stack(account, "homing")
    assert (stack.parameters["route53ZoneName"], stack.parameters["route53ZoneId"]) == ("home.example", "")


def test_another_one_of_the_same_name_is_made_if_that_is_wanted(account: Account, zone_id: str) -> None:
    deployed(account, zone=ZONE, new_zone=True)
    assert find_stack(account, "homing").parameters["route53ZoneId"] == ""


def test_a_zone_that_is_named_by_its_id_tells_its_name(account: Account, zone_id: str) -> None:
    deployed(account, zone_id=zone_id)
    assert find_stack(account, "homing").parameters["route53ZoneName"] == "home.example"
    with pytest.raises(Refused, match=r"is home\.example, not other\.example"):
        planned_elsewhere(account, zone=Name("other.example."), zone_id=zone_id)


def planned_elsewhere(account: Account, **wanted: Any) -> ChangeSet:
    return plan(
        account, Wanted(stack="second", **wanted), package(), dry_run=False, now=1.0, sleep=lambda _: None,
        tell=lambda _: None,
    )  # fmt: skip


def test_the_first_time_a_zone_is_needed(account: Account) -> None:
    with pytest.raises(Refused, match="which zone is it for"):
        planned(account)


def test_a_stack_keeps_its_zone(account: Account, zone_id: str) -> None:
    deployed(account, zone=ZONE)
    for wanted in ({"zone": Name("other.example.")}, {"zone_id": "ZOTHER"}, {"new_zone": True}):
        with pytest.raises(Refused, match=r"keeps its zone"):
            planned(account, **wanted)
    assert not planned(account, zone=ZONE, zone_id=zone_id).is_new


def test_a_zone_that_the_stack_made_stays_its_own(account: Account) -> None:
    """The zone is there now; to name it as a foreign one would make the template drop its own."""
    deployed(account, zone=ZONE)
    account.client("route53").create_hosted_zone(Name=ZONE, CallerReference="x")
    deployed(account, b"two", zone=ZONE)
    assert find_stack(account, "homing").parameters["route53ZoneId"] == ""


# --- parameters and uploads


def test_package_and_template_are_uploaded_under_their_hashes(account: Account) -> None:
    deployed(account, zone=ZONE)
    stored = account.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    key = f"packages/{package().sha256}.zip"
    assert key in {one["Key"] for one in stored}
    assert [one["Key"] for one in stored if one["Key"].startswith("templates/")]
    parameters = find_stack(account, "homing").parameters
    assert (parameters["codeBucket"], parameters["codeKey"]) == (BUCKET, key)


def test_what_is_not_named_stays_as_it_is(account: Account) -> None:
    deployed(account, zone=ZONE, parameters={"defaultTtl": "77"})
    deployed(account, b"two", parameters={})
    parameters = find_stack(account, "homing").parameters
    assert parameters["defaultTtl"] == "77"
    assert parameters["codeKey"] == f"packages/{package(b'two').sha256}.zip"


def test_a_parameter_that_the_template_does_not_know_is_refused(account: Account) -> None:
    with pytest.raises(Refused, match=r"no parameter defualtTtl; it has .*defaultTtl"):
        planned(account, zone=ZONE, parameters={"defualtTtl": "1"})


def test_the_package_that_runs_is_kept_for_a_rollback(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed: list[str] = []
    monkeypatch.setattr(deployment, "renew", lambda _account, _bucket, key: renewed.append(key))
    deployed(account, zone=ZONE)
    deployed(account, b"two")
    assert renewed == [f"packages/{package().sha256}.zip"]


def test_a_dry_run_leaves_nothing_behind(account: Account, zone_id: str) -> None:
    change_set = planned(account, zone=ZONE, dry_run=True)
    assert [(one.action, one.logical_id) for one in change_set.changes] == [("Add", "topic")]
    discard(account, change_set)
    assert get_stack(account, "homing") is None
    assert account.client("s3").list_buckets()["Buckets"] == []


def test_a_large_template_needs_the_bucket_even_in_a_dry_run(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "template_text", lambda: TEMPLATE + "#" * 51_200)
    told: list[str] = []
    assert planned(account, zone=ZONE, dry_run=True, tell=told.append).changes
    assert any(BUCKET in line for line in told)


# --- what CloudFormation says


def describe(stack: str, status: str) -> dict[str, Any]:
    from datetime import UTC, datetime

    return {"Stacks": [{
        "StackName": stack, "StackId": f"arn:{stack}", "StackStatus": status, "CreationTime": datetime.now(UTC),
    }]}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("UPDATE_IN_PROGRESS", StoreUnavailable, "AWS is at work"),
        ("ROLLBACK_COMPLETE", Refused, "`homing aws delete --stack homing`"),
        ("ROLLBACK_FAILED", Refused, "nothing can be changed"),
        ("UPDATE_ROLLBACK_FAILED", Refused, "continue-update-rollback"),
    ],
)
def test_a_stack_that_cannot_be_changed_says_what_to_do(
    account: Account, cloudformation: Any, status: str, kind: type[Exception], words: str
) -> None:
    cloudformation.add_response("describe_stacks", describe("homing", status))
    with pytest.raises(kind, match=words):
        planned(account, zone=ZONE)


def summary(cloudformation: Any, *statuses: tuple[str, str]) -> None:
    cloudformation.add_client_error("describe_stacks", "ValidationError", "Stack with id homing does not exist")
    names = ("route53ZoneName", "route53ZoneId", "codeBucket", "codeKey", "runtime")
    told = {"Parameters": [{"ParameterKey": name} for name in names]}
    cloudformation.add_response("get_template_summary", told)
    cloudformation.add_response("create_change_set", {"Id": "arn:cs", "StackId": "arn:homing"})
    for status, reason in statuses:
        cloudformation.add_response("describe_change_set", {"Status": status, "StatusReason": reason})


def test_a_change_set_is_waited_for(account: Account, cloudformation: Any) -> None:
    summary(cloudformation, ("CREATE_PENDING", ""), ("CREATE_IN_PROGRESS", ""), ("CREATE_COMPLETE", ""))
    assert not planned(account, zone=ZONE).is_empty  # no resource changes, but perhaps an output


@pytest.mark.parametrize(
    "reason", ["The submitted information didn't contain changes.", "No updates are to be performed."]
)
def test_nothing_to_change_is_no_failure(account: Account, cloudformation: Any, reason: str) -> None:
    summary(cloudformation, ("FAILED", reason))
    assert planned(account, zone=ZONE).is_empty


def test_a_change_set_that_is_refused_is_thrown_away_with_the_empty_stack(
    account: Account, cloudformation: Any
) -> None:
    summary(cloudformation, ("FAILED", "Parameter defaultTtl failed to satisfy constraint"))
    cloudformation.add_response("delete_change_set", {})
    cloudformation.add_response("describe_stacks", describe("homing", "REVIEW_IN_PROGRESS"))
    cloudformation.add_response("delete_stack", {})
    with pytest.raises(Refused, match="failed to satisfy constraint"):
        planned(account, zone=ZONE)


def test_a_stack_that_stands_is_never_deleted_with_a_change_set(account: Account, cloudformation: Any) -> None:
    summary(cloudformation, ("FAILED", "No."))
    cloudformation.add_response("delete_change_set", {})
    cloudformation.add_response("describe_stacks", describe("homing", "CREATE_COMPLETE"))
    with pytest.raises(Refused, match="refuses the change set: No"):
        planned(account, zone=ZONE)


@pytest.mark.parametrize("name", ["", "1x", "my_stack", "a" * 57, "x;y"])
def test_what_is_no_stack_name_is_refused(name: str) -> None:
    with pytest.raises(Exception, match="no stack name"):
        parse_stack_name(name)


def test_the_longest_stack_name_leaves_room_for_the_names_of_its_functions() -> None:
    """A FunctionName has at most 64 characters."""
    longest = parse_stack_name("a" * MAX_NAME)
    names = re.findall(r"FunctionName: !Sub (\S+)", (PACKAGE / "stack" / "template.yaml").read_text(encoding="utf-8"))
    assert max(len(name.replace("${AWS::StackName}", longest)) for name in names) == 64


@pytest.mark.parametrize("name", ["route53ZoneName", "route53ZoneId", "codeBucket", "codeKey", "runtime"])
def test_a_parameter_that_is_worked_out_here_cannot_be_given_past_it(account: Account, name: str) -> None:
    """`--param runtime=` would be passed over in silence, and `--param route53ZoneId=` would move a stack's zone."""
    with pytest.raises(Refused, match=f"{name} is set by"):
        planned(account, zone=ZONE, parameters={name: "x"})


def test_a_table_that_was_kept_is_told_of_at_once(account: Account) -> None:
    account.client("dynamodb").create_table(
        TableName="homing-config",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "hostname", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "hostname", "KeyType": "HASH"}],
    )
    with pytest.raises(Refused, match=r"homing-config is there, kept from an earlier stack.* another --stack"):
        planned(account, zone=ZONE)
    assert get_stack(account, "homing") is None
    assert account.client("s3").list_buckets()["Buckets"] == []
