"""A move in one hand: a new stack on loopback, the operator's commands pointed at it, and the recorded clients."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner
from local_aws.event_kinds import FunctionUrl
from local_aws.http_server import HttpAnswer, HttpServer
from local_aws.route53 import Change, RecordSet

from homing.cli import cli
from homing.stack.stacks import Stack
from homing.wiring import stack_desk
from tests.e2e.aws.conftest import fronted
from tests.e2e.aws.test_aws_vectors import send
from tests.e2e.test_vectors import HOME_4, VECTORS, WANTED, ZONE_ID, to_bytes

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from local_aws.http_server import HttpRequest
    from local_aws.stack import LocalAws

ZONE, REGION = "example.com", "eu-central-1"
OLD = "8.8.4.4"
"""What DNS shows when the move begins."""
SEEN_AS = {"127.0.7.4": HOME_4}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "opens-nothing"}
AGREE = "store and DNS agree\n"
PARAMETERS = {
    "route53ZoneName": ZONE, "apiCname": "ddns", "defaultTtl": "60", "requestsPerSecond": "1000",
    "tokensCreateHosts": "true", "importedPasswords": "true",
}  # fmt: skip


@dataclass
class Move:
    """A new stack beside an old system, in the hosted zone that the old one has filled."""

    aws: LocalAws
    folder: Path

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run one of the operator's commands on the stack; return its exit code and standard output."""
        return command(*arguments, "--stack", self.aws.options.name)

    def ok(self, *arguments: str) -> str:
        code, told = self.run(*arguments)
        assert code == 0, told
        return told

    def file(self, content: object) -> str:
        """Write a file for `homing import`; return its path."""
        path = self.folder / "old"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def take_over(self, content: object, *flags: str) -> None:
        """Import as the page says, first dry; DNS must not notice, and store and DNS agree after it."""
        before, path = len(self.aws.fake.journal.entries), self.file(content)
        self.ok("import", path, *flags, "--dry-run")
        self.ok("import", path, *flags)
        assert self.aws.fake.journal.entries[before:] == []
        assert self.ok("reconcile", "--dry-run") == AGREE
        assert self.aws.pending() == []

    def shown(self, name: str, record_type: str = "A") -> tuple[str, ...]:
        """Return the TTL and the values that the zone has for a name."""
        found = self.aws.fake.get(ZONE_ID, f"{name}.", record_type)
        return (str(found.ttl), *found.values) if found else ()

    def old_system_sets(self, name: str, address: str, record_type: str = "A", ttl: int = 60) -> None:
        """Change DNS as another system does, with an UPSERT."""
        record_set = RecordSet(f"{name}.", record_type, ttl, (address,))
        self.aws.fake._zones.change(ZONE_ID, [Change("UPSERT", record_set)])

    def client_works(self, client: str, case: str, version: str | None = None) -> None:
        """Send a recorded request twice: it changes DNS, and then changes nothing."""
        vector = find_vector(client, case, version)
        wanted = WANTED[client, vector["version"], case]
        with fronted(self.aws, FunctionUrl(), seen_as=SEEN_AS) as front:
            first, again = (send(front, HOME_4, to_bytes(vector)) for _ in range(2))
        assert (first.status, first.body) == (wanted.status, wanted.body)
        assert (again.status, again.body) == wanted.again
        for name, record_type, address in wanted.shown:
            assert self.aws.dns.ask(name, record_type) == ([address] if address else [])
        assert self.ok("reconcile", "--dry-run") == AGREE


def command(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, [*arguments, "--region", REGION])
    return done.exit_code, done.stdout + (f"\n{done.stderr}{done.exception}" if done.exit_code else "")


def find_vector(client: str, case: str, version: str | None = None) -> dict[str, Any]:
    return next(
        one for one in VECTORS if (one["client"], one["case"]) == (client, case) and version in (None, one["version"])
    )


def set_up(aws: LocalAws) -> None:
    """Do what CloudFormation does with a new stack's custom resource; example rows come with it."""
    told: list[dict[str, Any]] = []

    def put(request: HttpRequest) -> HttpAnswer:
        told.append(json.loads(request.body))
        return HttpAnswer(200)

    server = HttpServer(put)
    properties = {"ZoneIds": ZONE_ID, "ZoneNames": ZONE, "ExampleZone": ZONE}
    event = {"RequestType": "Create", "ResourceType": "Custom::HomingSetup", "ResourceProperties": properties,
             "ResponseURL": f"http://127.0.0.1:{server.port}/"}  # fmt: skip
    try:
        assert aws.admin.invoke(event).error is None
    finally:
        server.close()
    assert [one["Status"] for one in told] == ["SUCCESS"], told


def point_at(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"endpointUrl": "https://abc.lambda-url.example", "route53ZoneID": ZONE_ID, "route53ZoneName": ZONE}
    stack = Stack(aws.options.name, "arn", "CREATE_COMPLETE", "", PARAMETERS, outputs)
    monkeypatch.setattr(stack_desk, "find_stack", lambda *_: stack)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    places = {"AWS_ENDPOINT_URL_DYNAMODB": aws.dynamodb.url, "AWS_ENDPOINT_URL_ROUTE_53": aws.route53.url}
    for name, value in (CREDENTIALS | places).items():
        monkeypatch.setenv(name, value)


def scan(*items: dict[str, Any]) -> dict[str, Any]:
    """What `aws dynamodb scan` prints."""
    return {"Items": list(items), "Count": len(items), "ScannedCount": len(items), "ConsumedCapacity": None}
