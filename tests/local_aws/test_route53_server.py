"""The fake over HTTP, as boto3, plain sockets and the command line meet it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from local_aws.route53 import Fault, Faults, Limits, Route53Fake, Route53Server

from .route53_driver import KEY_ID, SECRET, boto_client, rrset

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": rrset("h.example.com.", "192.0.2.1")}]}


@pytest.fixture
def fake() -> Route53Fake:
    return Route53Fake(limits=Limits.none(), faults=Faults(), secrets={KEY_ID: SECRET})


@pytest.fixture
def server(fake: Route53Fake) -> Iterator[Route53Server]:
    fake.add_zone("example.com", zone_id="Z1")
    with Route53Server(fake) as running:
        yield running


@pytest.fixture
def client(server: Route53Server) -> Iterator[Any]:
    made = boto_client(server.url, read_timeout=5)
    yield made
    made.close()


def test_boto3_works_over_http_with_checked_signatures(client: Any, fake: Route53Fake) -> None:
    change = client.change_resource_record_sets(HostedZoneId="Z1", ChangeBatch=HOST)["ChangeInfo"]
    assert client.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "PENDING"
    listed = client.list_resource_record_sets(HostedZoneId="Z1", StartRecordName="h.example.com")["ResourceRecordSets"]
    assert listed == [HOST["Changes"][0]["ResourceRecordSet"]]
    with pytest.raises(ClientError, match="InvalidChangeBatch"):
        client.change_resource_record_sets(
            HostedZoneId="Z1", ChangeBatch={"Changes": [HOST["Changes"][0] | {"Action": "CREATE"}]}
        )


def test_a_connection_is_kept_through_errors(server: Route53Server) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    sockets = set()
    for body in (b"", b"<", b"x" * 100_000):
        connection.request("POST", "/2013-04-01/hostedzone/Z1/rrset/", body)
        answer = connection.getresponse()
        assert answer.status == 403
        assert b"<Code>MissingAuthenticationToken</Code>" in answer.read()
        sockets.add(connection.sock)
    connection.close()
    assert len(sockets) == 1


@pytest.mark.parametrize(("fault", "applied"), [(Fault.RESET, False), (Fault.LOST_ANSWER, True)])
def test_the_connection_ends_without_an_answer(client: Any, fake: Route53Fake, fault: Fault, applied: bool) -> None:
    fake.faults.force(fault)
    with pytest.raises(BotoCoreError):
        client.change_resource_record_sets(HostedZoneId="Z1", ChangeBatch=HOST)
    assert bool(fake.get("Z1", "h.example.com", "A")) is applied
    client.change_resource_record_sets(HostedZoneId="Z1", ChangeBatch=HOST)


def test_a_held_request_does_not_hold_others(client: Any, server: Route53Server, fake: Route53Fake) -> None:
    with fake.hold("before") as hold:
        outcome: list[Any] = []
        arguments = {"HostedZoneId": "Z1", "ChangeBatch": HOST}
        thread = threading.Thread(target=lambda: outcome.append(client.change_resource_record_sets(**arguments)))
        thread.start()
        hold.wait()
        other = boto_client(server.url)
        assert len(other.list_resource_record_sets(HostedZoneId="Z1")["ResourceRecordSets"]) == 2
        other.close()
    thread.join(10)
    assert len(outcome) == 1


def slow_clock() -> float:
    """Gives other threads their chance wherever the time is asked for."""
    time.sleep(0.001)
    return time.time()


def test_concurrent_batches_are_one_after_the_other() -> None:
    fake = Route53Fake(limits=Limits.none(), clock=slow_clock)
    fake.add_zone("example.com", zone_id="Z1")
    all_there = threading.Barrier(8, timeout=30)
    fake.holds.listeners.append(lambda moment, _: all_there.wait() if moment == "before" else None)
    server = Route53Server(fake).start()
    client = boto_client(server.url, max_pool_connections=8)

    def create(number: int) -> str:
        change = {"Action": "CREATE", "ResourceRecordSet": rrset("one.example.com", f"192.0.2.{number}")}
        try:
            client.change_resource_record_sets(HostedZoneId="Z1", ChangeBatch={"Changes": [change]})
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(create, range(1, 33)))
    client.close()
    server.stop()
    assert results.count("ok") == 1
    assert results.count("InvalidChangeBatch") == 31
    assert len(fake.journal.history("one.example.com.", "A")) == 1


def test_stopping_lets_go_of_held_requests(fake: Route53Fake) -> None:
    server = Route53Server(fake).start()
    fake.add_zone("example.com", zone_id="Z1")
    hold = fake.hold("after")
    client = boto_client(server.url)
    thread = threading.Thread(
        target=lambda: _ignore(client.change_resource_record_sets, HostedZoneId="Z1", ChangeBatch=HOST)
    )
    thread.start()
    hold.wait()
    server.stop()
    server.stop()
    thread.join(10)
    assert not thread.is_alive()
    client.close()
    deadline = time.monotonic() + 10
    while not fake.journal.calls and time.monotonic() < deadline:
        time.sleep(0.01)
    assert fake.journal.calls[-1].result == "ok"


def _ignore(call: Any, **arguments: Any) -> None:
    with contextlib.suppress(BotoCoreError):
        call(**arguments)


def test_the_command_serves_the_zones_that_it_is_given() -> None:
    command = [sys.executable, "-m", "local_aws.route53", "--zone", "example.com", "--zone", "example.org"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            assert process.stdout is not None
            url, first, second = (process.stdout.readline().split() for _ in range(3))
            client = boto_client(url[0])
            names = {zone["Id"]: zone["Name"] for zone in client.list_hosted_zones()["HostedZones"]}
            client.close()
            assert names == {f"/hostedzone/{first[0]}": "example.com.", f"/hostedzone/{second[0]}": "example.org."}
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
