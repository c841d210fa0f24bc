"""The commands about hosts work on a stack as they do on a file: the same table, Route 53 changed at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from local_aws.dynamodb import DynamoDbServer
from local_aws.route53 import Route53Fake, Route53Server

from homing.cli import cli
from homing.core.errors import HomingError, Refused
from homing.stack.stacks import Stack
from homing.wiring import stack_desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

ZONE = "home.example."
NAME = "cam.home.example"


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[DynamoDbServer]:
    server = DynamoDbServer()
    yield server
    server.close()


@pytest.fixture
def parameters(
    dynamodb: DynamoDbServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[dict[str, str]]:
    """The parameters of a stack whose table and zones are on loopback; a test may change them."""
    fake = Route53Fake()
    zone, other = fake.add_zone(ZONE), fake.add_zone("corp.example.")
    name = f"s{abs(hash(request.node.name))}"
    dynamodb.make_table(f"{name}-config")
    parameters = {
        "route53ZoneName": "home.example", "apiCname": "ddns", "defaultTtl": "90", "additionalZoneIds": other,
        "additionalZoneNames": "corp.example", "requestsPerSecond": "1000", "tokensCreateHosts": "false",
        "importedPasswords": "false",
    }  # fmt: skip
    outputs = {
        "endpointUrl": "https://abc.lambda-url.example",
        "route53ZoneID": zone,
        "route53ZoneName": "home.example",
    }
    stack = Stack(name, "arn", "CREATE_COMPLETE", "", parameters, outputs)
    monkeypatch.setattr(stack_desk, "find_stack", lambda *_: stack)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url)
    for key, value in {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "opens-nothing"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with Route53Server(fake) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ROUTE_53", server.url)
        parameters["_zone"] = zone
        _FAKES[name] = fake
        parameters["_stack"] = name
        yield parameters


_FAKES: dict[str, Route53Fake] = {}


def run(parameters: dict[str, str], *arguments: str, **given: Any) -> Result:
    place = ("--stack", parameters["_stack"], "--region", "eu-central-1")
    return CliRunner().invoke(cli, [*arguments, *place], **given)


def ok(parameters: dict[str, str], *arguments: str, **given: Any) -> str:
    done = run(parameters, *arguments, **given)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def refused(parameters: dict[str, str], *arguments: str) -> str:
    done = run(parameters, *arguments)
    assert isinstance(done.exception, Refused), done.output
    return str(done.exception)


def dns(parameters: dict[str, str], name: str = NAME + ".", kind: str = "A") -> tuple[Any, ...] | None:
    found = _FAKES[parameters["_stack"]].get(parameters["_zone"], name, kind)
    return (found.ttl, *found.values) if found else None


def imported(parameters: dict[str, str], rows: list[dict[str, Any]]) -> Result:
    text = json.dumps({"Items": rows, "Count": len(rows)})
    return run(parameters, "import", "-", input=text)


def v2_row(address: str = "203.0.113.7") -> dict[str, Any]:
    texts = {"hostname": NAME + ".", "record_type": "A", "shared_secret": "that-is-long-enough", "ip_address": address}
    return {name: {"S": text} for name, text in texts.items()} | {"ttl": {"N": "60"}}


# --- hosts


def test_a_host_is_added_with_the_endpoint_of_the_stack(parameters: dict[str, str]) -> None:
    shown = ok(parameters, "host", "add", NAME)
    assert "https://abc.lambda-url.example/nic/update?hostname=cam.home.example" in shown
    assert "server=abc.lambda-url.example" in shown
    assert "YOUR-SERVER" not in shown
    assert [one["state"] for one in json.loads(ok(parameters, "host", "list", "--json"))] == ["never set", "never set"]


def test_a_host_of_another_zone_goes_into_that_one(parameters: dict[str, str]) -> None:
    ok(parameters, "host", "add", "printer.corp.example")
    assert "in no zone" in refused(parameters, "host", "add", "cam.example.org")


@pytest.mark.parametrize("name", ["ddns.home.example", "home.example"])
def test_the_endpoint_and_the_zone_itself_are_no_hosts(parameters: dict[str, str], name: str) -> None:
    assert name in refused(parameters, "host", "add", name)


def test_a_change_shows_in_route_53_at_once(parameters: dict[str, str]) -> None:
    assert imported(parameters, [v2_row()]).exit_code == 0
    assert dns(parameters) == (60, "203.0.113.7")
    ok(parameters, "host", "set", NAME, "--ttl", "30")
    assert dns(parameters) == (30, "203.0.113.7")
    ok(parameters, "host", "remove", NAME)
    assert dns(parameters) is None


def test_rotation_and_locks_work_on_the_table(parameters: dict[str, str]) -> None:
    ok(parameters, "host", "add", NAME)
    told = json.loads(ok(parameters, "host", "rotate", NAME, "--json"))
    assert told["old_secret_works_for_seconds"] == 7 * 86_400
    ok(parameters, "host", "lock", NAME)
    assert {one["state"] for one in json.loads(ok(parameters, "host", "show", NAME, "--json"))} == {"locked"}


# --- accounts, tokens


def test_accounts_live_in_the_same_table(parameters: dict[str, str]) -> None:
    ok(parameters, "host", "add", NAME)
    ok(parameters, "account", "add", "alice", NAME)
    assert "alice" in ok(parameters, "account", "list")


def test_a_token_for_no_host_warns_where_tokens_make_none(parameters: dict[str, str]) -> None:
    done = run(parameters, "token", NAME)
    assert done.exit_code == 0
    assert f"warning: {NAME} is no host, and tokens make none in this stack" in done.stderr
    assert "homing aws deploy --tokens --stack" in done.stderr
    assert "url = https://abc.lambda-url.example/\n" in done.stdout
    assert f"zoneid = {parameters['_zone']}" in done.stdout
    ok(parameters, "host", "add", NAME)
    assert run(parameters, "token", NAME).stderr == ""


def test_where_tokens_make_hosts_there_is_nothing_to_warn_of(parameters: dict[str, str]) -> None:
    parameters["tokensCreateHosts"] = "true"
    assert run(parameters, "token", NAME).stderr == ""


# --- the store as a whole


def conf(parameters: dict[str, str]) -> Result:
    text = (
        f"conf = {{'alice:her-own-password': {{'hosts': {{'{NAME}.': {{'record': {{'ttl': 60, 'type': 'A'}}}}}}}}}}\n"
    )
    return run(parameters, "import", "-", "--format", "dyndns53", input=text)


def test_passwords_that_the_stack_does_not_check_are_told(parameters: dict[str, str]) -> None:
    done = conf(parameters)
    assert done.exit_code == 0, done.output
    assert "the account alice has a password that a person chose, which this stack does not check" in done.stderr
    assert "--param importedPasswords=true" in done.stderr


def test_those_that_it_checks_are_not(parameters: dict[str, str]) -> None:
    parameters["importedPasswords"] = "true"
    assert "does not check" not in conf(parameters).stderr


def test_an_export_can_be_imported_into_another_store(parameters: dict[str, str]) -> None:
    imported(parameters, [v2_row()])
    text = ok(parameters, "export")
    assert "203.0.113.7" in text
    assert "1 were here already" in ok(parameters, "import", "-", input=text)


def test_reconcile_repairs_what_somebody_changed_in_route_53(parameters: dict[str, str]) -> None:
    from local_aws.route53 import RecordSet

    imported(parameters, [v2_row()])
    ok(parameters, "host", "set", NAME, "--ttl", "61")
    assert ok(parameters, "reconcile") == "store and DNS agree\n"
    fake = _FAKES[parameters["_stack"]]
    fake.seed(parameters["_zone"], RecordSet("cam.home.example.", "A", 5, ("198.51.100.9",)))
    assert run(parameters, "reconcile", "--dry-run").exit_code == 1
    assert dns(parameters) == (5, "198.51.100.9")
    ok(parameters, "reconcile")
    assert dns(parameters) == (61, "203.0.113.7")


def test_a_stack_is_backed_up_by_aws(parameters: dict[str, str]) -> None:
    assert "point-in-time recovery" in refused(parameters, "backup", "x.db")


# --- where


@pytest.mark.parametrize(
    "arguments",
    [("--region", "eu-central-1"), ("--profile", "x"), ("--stack", "homing", "--database", "x.db"),
     ("--stack", "homing", "--config", "x.toml")],
)  # fmt: skip
def test_a_command_works_on_one_store(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(cli, ["host", "list", *arguments]).exit_code == 2


def test_a_stack_that_tells_no_zone_is_refused(parameters: dict[str, str]) -> None:
    parameters["additionalZoneNames"] = ""
    assert "cannot be worked on" in refused(parameters, "host", "list")


def test_a_table_that_outlived_its_stack_is_exported_by_its_name(parameters: dict[str, str]) -> None:
    ok(parameters, "host", "add", NAME, "--comment", "kept")
    table = ("--table", f"{parameters['_stack']}-config", "--region", "eu-central-1")
    done = CliRunner().invoke(cli, ["export", *table])
    assert done.exit_code == 0, done.output
    assert [row["comment"] for row in json.loads(done.stdout)["rows"]] == ["kept", "kept"]
    assert CliRunner().invoke(cli, ["export", *table, "--stack", "other"]).exit_code == 2
    assert isinstance(CliRunner().invoke(cli, ["export", "--table", "none", *table[2:]]).exception, HomingError)
