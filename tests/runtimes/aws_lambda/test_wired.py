"""The three functions as they are wired, against moto's DynamoDB and the strict Route 53: what is really called."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.route53 import RecordSet, Route53Fake, Route53Server

from homing.aws.transport import HttpTransport
from homing.core.credentials import legacy_hash
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.rows import Commit
from homing.runtimes.aws_lambda import publish, update
from homing.runtimes.aws_lambda.admin import make_handler as make_admin
from homing.stores.dynamodb import DynamoStore
from homing.wiring.serverless import open_publisher, open_update
from homing.wiring.system import SystemEntropy
from tests.runtimes.aws_lambda.harness import url_event
from tests.stores.dynamodb_server import REGION, connect, drop_table, make_table, moto_server

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["moto_server"]  # a fixture

SECRET = "Secret_0123456789abcdefghijklmno"
CAM = Name("cam.home.example.")


@dataclass
class Cloud:
    """A table and a zone, and what was called of them."""

    environment: dict[str, str]
    store: DynamoStore
    route53: Route53Fake
    zone_id: str
    calls: list[str] = field(default_factory=list)

    def add(self, *hosts: Host) -> None:
        for host in hosts:
            self.store.commit(Commit((host.next(),), {host.key: 0}))

    def shown(self, name: str = CAM) -> RecordSet | None:
        return self.route53.get(self.zone_id, name, "A")

    def called(self) -> list[str]:
        calls, self.calls[:] = list(self.calls), []
        return calls


@pytest.fixture
def cloud(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    fake = Route53Fake()
    zone_id = fake.add_zone("home.example")
    server = Route53Server(fake).start()
    client = connect(moto_server)
    table = make_table(client)
    environment = {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
        "AWS_ENDPOINT_URL_DYNAMODB": moto_server,
        "AWS_ENDPOINT_URL_ROUTE_53": server.url,
        "HOMING_TABLE": table,
        "HOMING_ZONE_IDS": zone_id,
        "HOMING_ZONE_NAMES": "home.example",
        "HOMING_ENDPOINT_NAME": "ddns.home.example",
        "HOMING_REQUESTS_PER_SECOND": "50",
    }
    found = Cloud(environment, DynamoStore(client, table, SystemEntropy()), fake, zone_id)
    send = HttpTransport.send
    used: dict[int, HttpTransport] = {}

    def watch(self: HttpTransport, method: str, target: str, headers: Any, body: bytes, timeout: float) -> Any:
        operation = {name.lower(): value for name, value in headers.items()}.get("x-amz-target", f"{method} route53")
        found.calls.append(operation.rpartition(".")[2])
        used[id(self)] = self
        return send(self, method, target, headers, body, timeout)

    monkeypatch.setattr(HttpTransport, "send", watch)
    yield found
    server.stop()
    monkeypatch.undo()
    for transport in used.values():
        transport.close()
    drop_table(client, table)
    client.close()


def ask(cloud: Cloud, address: str, **variables: str) -> dict[str, Any]:
    made = open_update(cloud.environment | variables)
    hash_ = legacy_hash(address, CAM, SECRET)
    return update.handler_of(made)(url_event(f"/?mode=set&hostname={CAM}&hash={hash_}", source=address), None)


def test_a_change_is_four_calls_and_a_poll_is_one(cloud: Cloud) -> None:
    cloud.add(Host(hostname=CAM, record_type="A", shared_secret=SECRET))
    handle = update.handler_of(open_update(cloud.environment))
    assert cloud.called() == ["UpdateItem"]  # that was the test's own; opening calls nobody
    hash_ = legacy_hash("8.8.8.8", CAM, SECRET)
    event = url_event(f"/?mode=set&hostname={CAM}&hash={hash_}", source="8.8.8.8")
    assert "has been set to 8.8.8.8" in handle(event, None)["body"]
    assert cloud.called() == ["Query", "TransactWriteItems", "POST route53", "UpdateItem"]
    shown = cloud.shown()
    assert shown is not None
    assert tuple(shown.values) == ("8.8.8.8",)
    assert "matches" in handle(event, None)["body"]
    assert cloud.called() == ["Query"]


def test_in_stream_mode_the_update_function_leaves_route_53_to_the_publisher(cloud: Cloud) -> None:
    cloud.add(Host(hostname=CAM, record_type="A", shared_secret=SECRET))
    cloud.called()
    assert ask(cloud, "8.8.8.8", HOMING_PUBLISH_MODE="stream")["statusCode"] == 200
    assert cloud.called() == ["Query", "TransactWriteItems"]
    assert cloud.shown() is None
    record = {
        "dynamodb": {
            "Keys": {"hostname": {"S": CAM}, "record_type": {"S": "A"}},
            "NewImage": {"pending": {"N": "1"}},
            "SequenceNumber": "100",
        }
    }
    answer = publish.handler_of(open_publisher(cloud.environment))({"Records": [record]}, None)
    assert answer == {"batchItemFailures": []}
    assert cloud.called()[1:] == ["POST route53", "UpdateItem"]
    assert cloud.shown() is not None


def test_the_operators_function_drains_reconciles_and_tells(cloud: Cloud) -> None:
    cloud.add(Host(hostname=CAM, record_type="A", shared_secret=SECRET))
    ask(cloud, "8.8.8.8", HOMING_PUBLISH_MODE="stream")
    handle = make_admin(cloud.environment)
    assert handle({"action": "drain"}, None)["drained"] >= 1
    shown = cloud.shown()
    assert shown is not None
    assert handle({"action": "status"}, None)["pending_age_seconds"] == 0
    assert handle({"action": "reconcile", "repair": True}, None)["differences"] == 0


def test_the_custom_resource_sets_the_stack_up(cloud: Cloud) -> None:
    said: list[dict[str, Any]] = []
    handle = make_admin(cloud.environment, put=lambda url, body: said.append(json.loads(body)))
    properties = {"ZoneIds": cloud.zone_id, "ZoneNames": "home.example", "ExampleZone": "home.example"}
    properties |= {"WantsApiKey": "true", "WantsOriginSecret": "true"}
    for kind in ("Create", "Update"):
        handle({"RequestType": kind, "ResponseURL": "https://x/", "ResourceProperties": properties}, None)
    assert [one["Status"] for one in said] == ["SUCCESS", "SUCCESS"]
    assert said[0]["Data"] == said[1]["Data"]
    assert said[0]["Data"]["NameServers"]
    assert [row.lock_record for row in cloud.store.scan() if isinstance(row, Host)] == [True, True]


def test_the_endpoints_own_name_is_never_published(cloud: Cloud) -> None:
    host = Host(hostname=Name("ddns.home.example."), record_type="A", shared_secret=SECRET)
    cloud.add(host)
    hash_ = legacy_hash("8.8.8.8", "ddns.home.example.", SECRET)
    event = url_event(f"/?mode=set&hostname=ddns.home.example.&hash={hash_}", source="8.8.8.8")
    handle = update.handler_of(open_update(cloud.environment))
    assert '"fail"' in handle(event, None)["body"]
    assert cloud.shown("ddns.home.example.") is None
