"""Cleaning up after `make e2e-aws`: all of a run goes, whatever fails on the way, and nothing else is touched."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from real_aws import removal
from real_aws.names import ALPHABET, Run, new_name
from real_aws.removal import KINDS, Kind, clean_up, inventory

from homing.core.errors import Refused, StoreUnavailable
from homing.stack.account import Account, CallFailed, open_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NUMBER, REGION = "123456789012", "eu-central-1"
RUN = Run("homing-e2e-abc123", NUMBER, REGION)
OTHERS = ("homing", "homing-e2e", "homing-e2e-abc12", "homing-e2e-abc1234", "homing-e2e-abd123", "x-homing-e2e-abc123")
TEMPLATE = '{"Resources": {"topic": {"Type": "AWS::SNS::Topic"}}}'


@pytest.fixture(name="account")
def _account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with mock_aws():
        yield open_account(REGION)


def fill(account: Account, name: str, zone: str) -> None:
    """Make of each kind one with this name: what a run leaves, or what somebody else has."""
    call = account.call
    call("cloudformation", "create_stack", StackName=name, TemplateBody=TEMPLATE)
    call(
        "dynamodb", "create_table", TableName=f"{name}-config", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "hostname", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "hostname", "AttributeType": "S"}],
    )  # fmt: skip
    made = call("route53", "create_hosted_zone", Name=zone, CallerReference=name)["HostedZone"]["Id"]
    records = [
        {"Action": "CREATE", "ResourceRecordSet": {"Name": f"{label}{zone}", "Type": kind, "TTL": 60,
         "ResourceRecords": [{"Value": value}]}}
        for label, kind, value in (("cam.", "A", "192.0.2.1"), ("cam.", "AAAA", "2001:db8::1"), ("", "TXT", '"x"'))
    ]  # fmt: skip
    call("route53", "change_resource_record_sets", HostedZoneId=made, ChangeBatch={"Changes": records})
    for part in ("update", "admin"):
        call("logs", "create_log_group", logGroupName=f"/aws/lambda/{name}-{part}")
    place = {"LocationConstraint": REGION}
    call("s3", "create_bucket", Bucket=f"{name}-{NUMBER}", CreateBucketConfiguration=place)
    call("s3", "put_object", Bucket=f"{name}-{NUMBER}", Key="packages/0.zip", Body=b"x")
    probe(account, f"{name}-probe")


def probe(account: Account, name: str) -> None:
    with suppress(CallFailed):  # all probes have one role
        account.call("iam", "create_role", RoleName="role", AssumeRolePolicyDocument="{}")
    role = f"arn:aws:iam::{NUMBER}:role/role"
    account.call(
        "lambda", "create_function", FunctionName=name, Role=role, Runtime="python3.13", Handler="probe.handler",
        Code={"ZipFile": b"x"},
    )  # fmt: skip


def everything(account: Account) -> set[str]:
    """The names of all there is, of each kind."""
    call = account.call
    return {
        *(f"stack {one['StackName']}" for one in call("cloudformation", "describe_stacks")["Stacks"]),
        *(f"table {one}" for one in call("dynamodb", "list_tables")["TableNames"]),
        *(f"zone {one['Name']}" for one in call("route53", "list_hosted_zones")["HostedZones"]),
        *(f"logs {one['logGroupName']}" for one in call("logs", "describe_log_groups")["logGroups"]),
        *(f"bucket {one['Name']}" for one in call("s3", "list_buckets")["Buckets"]),
        *(f"function {one['FunctionName']}" for one in call("lambda", "list_functions")["Functions"]),
    }


def clean(account: Account, **given_: Any) -> list[str]:
    return clean_up(account, RUN, sleep=lambda _: None, tell=lambda _: None, **given_)


def test_all_of_a_run_goes_and_nothing_of_others_with_names_that_look_like_it(account: Account) -> None:
    for name in OTHERS:
        fill(account, name, f"{name}.example")
    fill(account, "elsewhere", f"sub.{RUN.zone}")
    before = everything(account)
    fill(account, RUN.name, RUN.zone)
    assert {one.partition(" ")[0] for one in inventory(account, RUN)} == {
        "function", "stack", "table", "hosted", "log", "bucket",
    }  # fmt: skip
    assert clean(account) == []
    assert everything(account) == before
    assert inventory(account, RUN) == []
    assert clean(account) == [], "there is no harm in doing it again"


@pytest.mark.parametrize("broken", [kind.name for kind in KINDS])
def test_what_fails_in_the_middle_keeps_nothing_else_and_is_tried_again(
    account: Account, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    fill(account, RUN.name, RUN.zone)
    failures = iter([CallFailed("no", "InternalError"), KeyError("x"), StoreUnavailable("AWS asks to go slower")])
    kinds = tuple(_failing(kind, failures) if kind.name == broken else kind for kind in KINDS)
    assert clean(account, kinds=kinds) == []
    assert inventory(account, RUN) == []


def _failing(kind: Kind, failures: Iterator[Exception]) -> Kind:
    """Fails as often as there are failures, in looking up and in removing alike."""

    def find(account: Account, run: Run) -> Iterator[tuple[str, str]]:
        found = list(kind.find(account, run))
        assert found, "it is still there"
        yield from found

    def remove(account: Account, identity: str, sleep: Callable[[float], None]) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure
        kind.remove(account, identity, sleep)

    return Kind(kind.name, find, remove, kind.owns)


def test_what_never_goes_is_told_and_all_else_has_gone(account: Account) -> None:
    fill(account, RUN.name, RUN.zone)

    def remove(*_: object) -> None:
        raise Refused("not today")

    kinds = tuple(Kind(one.name, one.find, remove, one.owns) if one.name == "table" else one for one in KINDS)
    assert clean(account, kinds=kinds) == [f"table {RUN.table}: not today"]
    assert inventory(account, RUN) == [f"table {RUN.table}"]


def test_a_kind_that_cannot_be_looked_up_is_told_too() -> None:
    def find(*_: object) -> Iterator[tuple[str, str]]:
        raise CallFailed("these credentials may not do logs:describe_log_groups", "AccessDenied")

    account: Any = type("Account", (), {"id": NUMBER, "region": REGION})()
    kinds = (Kind("log group", find, lambda *_: None, lambda *_: True),)
    assert clean(account, kinds=kinds) == [
        "log group: cannot be looked up: these credentials may not do logs:describe_log_groups"
    ]


@pytest.mark.parametrize("run", [Run(RUN.name, "999999999999", REGION), Run(RUN.name, NUMBER, "us-west-2")])
def test_another_account_or_region_is_refused(account: Account, run: Run) -> None:
    with pytest.raises(Refused, match="not here"):
        clean_up(account, run, sleep=lambda _: None, tell=lambda _: None)


def test_a_stack_that_aws_is_at_work_on_is_asked_for_until_it_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter(["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "DELETE_IN_PROGRESS", None])
    asked = []

    class Aws:
        def call(self, _: str, operation: str, **__: object) -> None:
            asked.append(operation)
            if len(asked) == 1:
                raise CallFailed("cannot be deleted while in status UPDATE_IN_PROGRESS", "ValidationError")

    def get_stack(*_: object) -> Any:
        state = next(states)
        return None if state is None else type("Stack", (), {"status": state, "reason": "", "id": "id"})()

    monkeypatch.setattr(removal, "get_stack", get_stack)
    aws: Any = Aws()
    removal._remove_stack(aws, RUN.name, lambda _: None)
    assert asked == ["delete_stack", "delete_stack"]


# --- names


LABELS = st.text(ALPHABET + "-", max_size=12)
NAMES = st.one_of(
    LABELS,
    st.builds(lambda head, tail: f"homing-e2e-{head}{tail}", st.text(ALPHABET, max_size=7), LABELS),
    st.builds(lambda head, tail: f"{head}{RUN.name}{tail}", LABELS, LABELS),
    st.builds(lambda head, tail: f"/aws/lambda/{head}{RUN.name}{tail}", LABELS, LABELS),
)


@given(NAMES)
def test_a_run_owns_only_its_whole_name_and_what_follows_it_after_a_hyphen(name: str) -> None:
    bare = name.removeprefix("/aws/lambda/")
    assert RUN.owns(name) == (bare[:17] == RUN.name and bare[17:18] in ("", "-"))


@given(st.lists(NAMES, max_size=8))
def test_whatever_aws_lists_only_what_is_the_runs_own_is_removed(names: list[str]) -> None:
    removed: list[str] = []
    kind = Kind(
        "thing",
        lambda *_: iter([(name, name) for name in names if name not in removed]),
        lambda _, name, __: removed.append(name),
        KINDS[0].owns,
    )
    account: Any = type("Account", (), {"id": NUMBER, "region": REGION})()
    assert clean(account, kinds=(kind,)) == []
    assert set(removed) == {name for name in names if RUN.owns(name)}


@given(st.text(ALPHABET + ".-", max_size=20))
def test_a_zone_is_owned_by_its_whole_name_only(head: str) -> None:
    assert RUN.owns_zone(f"{head}{RUN.zone}.") == (head == "")
    assert not RUN.owns_zone(f"{RUN.zone}{head}x")


@given(st.binary(min_size=6, max_size=6))
def test_every_name_that_is_made_is_a_name_of_a_run(random: bytes) -> None:
    run = Run(new_name(random), NUMBER, REGION)
    assert run.owns(run.table)
    assert run.owns(run.probe)
    assert run.owns(run.bucket)
    assert run.owns(run.log_groups)
    assert len(run.bucket) <= 63


@pytest.mark.parametrize(
    "name", ["homing", "homing-e2e-", "homing-e2e-abc12", "homing-e2e-ABC123", "homing-e2e-abc123\n", ""]
)
def test_a_name_that_is_none_makes_no_run(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a run"):
        Run(name, NUMBER, REGION)
