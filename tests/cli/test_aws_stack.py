"""`homing aws status`, `logs` and `delete`: what is shown, and that nothing goes unasked."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from homing.cli import aws_stack
from homing.cli.aws import aws as command
from homing.core.errors import Refused
from homing.stack.account import open_account
from tests.stack.conftest import REGION, aws  # noqa: F401 - a fixture
from tests.stack.test_upkeep import TEMPLATE, say

if TYPE_CHECKING:
    from click.testing import Result

    from homing.stack.account import Account

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    opened = open_account(REGION)
    text = TEMPLATE + "  apiKey: {Value: very-secret}\n"
    opened.client("cloudformation").create_stack(StackName="homing", TemplateBody=text)
    monkeypatch.setattr(aws_stack, "_pending_age", lambda *_: (12, ""))
    monkeypatch.setattr("time.sleep", lambda _: None)
    return opened


def run(*arguments: str, **given: Any) -> Result:
    return CliRunner().invoke(command, [*arguments, "--region", REGION], **given)


def test_status_tells_what_an_operator_looks_at(account: Account) -> None:
    shown = run("status").stdout
    for words in ("CREATE_COMPLETE", "https://abc.lambda-url", "12 s", "dead letters    0", "--alarm-email"):
        assert words in shown
    assert "very-secret" not in shown


def test_its_json_has_one_shape_and_no_secret(account: Account) -> None:
    told = json.loads(run("status", "--json").stdout)
    assert set(told) == {
        "stack", "status", "reason", "endpoint", "parameters", "outputs", "pending_seconds", "dead_letters", "alarms",
    }  # fmt: skip
    assert told["outputs"]["apiKey"] == "(set)"
    assert (told["pending_seconds"], told["dead_letters"]) == (12, 0)


def test_status_is_shown_even_where_the_table_does_not_answer(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    done = run("status")  # this stack tells no zone
    assert done.exit_code == 0
    assert "not known: " in done.stdout


def test_logs_are_shown_with_their_function(account: Account) -> None:
    now = int(time.time() * 1000)
    say(account, "/aws/lambda/update", (now - 7_200_000, "too old"), (now, "hello"))
    shown = run("logs").stdout
    assert "update   hello" in shown
    assert "too old" not in shown
    (line,) = run("logs", "--json", "--function", "update").stdout.splitlines()
    assert json.loads(line) == {"time": now, "function": "update", "message": "hello"}
    assert "too old" in run("logs", "--since", "3h").stdout
    assert run("logs", "--since", "soon").exit_code == 2


def stacks(account: Account) -> list[str]:
    found = account.call("cloudformation", "describe_stacks")["Stacks"]
    return [one["StackName"] for one in found if one["StackStatus"] != "DELETE_COMPLETE"]


def tables(account: Account) -> list[str]:
    return list(account.call("dynamodb", "list_tables")["TableNames"])


def test_a_script_has_to_agree_to_a_deletion(account: Account) -> None:
    done = run("delete")
    assert isinstance(done.exception, Refused)
    assert "--yes agrees to it" in str(done.exception)
    assert stacks(account) == ["homing"]


@pytest.mark.parametrize(("typed", "left"), [("homing", []), ("yes", ["homing"]), ("", ["homing"])])
def test_a_person_types_the_name(
    account: Account, monkeypatch: pytest.MonkeyPatch, typed: str, left: list[str]
) -> None:
    monkeypatch.setattr(aws_stack, "_is_person", lambda: True)
    monkeypatch.setattr(aws_stack, "_watch", lambda *_: None)
    run("delete", input=typed + "\n")
    assert stacks(account) == left


def test_a_deletion_keeps_the_data_and_says_so(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_stack, "_watch", lambda *_: None)
    done = run("delete", "--yes")
    assert done.exit_code == 0, done.output
    assert "kept: homing-config" in done.stdout


def test_with_data_the_table_and_the_zone_go_too(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_stack, "_watch", lambda *_: None)
    monkeypatch.setattr(aws_stack, "_host_records", lambda *_: set())
    monkeypatch.setattr(aws_stack, "delete_stack", lambda *_: None)  # moto knows no DeletionPolicy
    done = run("delete", "--yes", "--with-data", "--json")
    assert json.loads(done.stdout) == {"stack": "homing", "deleted": True, "kept": []}
    assert tables(account) == []
    assert account.call("route53", "list_hosted_zones")["HostedZones"] == []
