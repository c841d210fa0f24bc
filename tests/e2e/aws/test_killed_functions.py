"""Real processes killed, frozen and thawed at any moment, while Route 53 is busy: fifty interleavings.

Each is a host of its own with two clients at once, every update with an address that no other has. So an address that
DNS shows names the commit that it came from, and DynamoDB's stream tells the order of the commits. Then:

- what a client was told is "good" was committed;
- after a drain DNS shows what the last commit desires, and nothing is pending;
- DNS went through commits in their order, and never back.
"""

from __future__ import annotations

import base64
import http.client
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.event_kinds import FunctionUrl
from local_aws.route53 import Faults, Limits, Route53Fake

from tests.e2e.aws.conftest import UNPACED, Stacks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local_aws.front import Front
    from local_aws.lambda_runtime import LambdaFunction
    from local_aws.stack import LocalAws

pytestmark = pytest.mark.e2e

ROUNDS, HOSTS, UPDATES = 5, 5, 4
"""In each of two modes: rounds, hosts in each, updates by each of a host's two clients."""
CLIENTS = 2
UPDATE_SECONDS = 4.0


class Disturber:
    """Kills a process of a function, or stops it for a while, again and again; busy ones rather than idle ones."""

    def __init__(self, functions: Sequence[LambdaFunction], seed: int) -> None:
        self._functions, self._random = functions, random.Random(seed)
        self._stop = threading.Event()
        self.killed = self.stopped = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._random.uniform(0.005, 0.12)):
            victims = [one for function in self._functions for one in function.executions[:2]]
            if not victims:
                continue
            victim = self._random.choice(victims)
            if self._random.random() < 0.4:
                victim.kill()
                self.killed += 1
            else:
                victim.stop()
                self.stopped += 1
                self._stop.wait(self._random.uniform(0.0, 0.3))
                victim.resume()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def disturbed(functions: Sequence[LambdaFunction], seed: int) -> Iterator[Disturber]:
    disturber = Disturber(functions, seed)
    try:
        yield disturber
    finally:
        disturber.close()


def update(front: Front, name: str, secret: str, address: str) -> bool:
    """Return whether the client was told that its update is done."""
    login = base64.b64encode(f"{name}:{secret}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=30)
    try:
        connection.request(
            "GET", f"/nic/update?hostname={name}&myip={address}", headers={"Authorization": f"Basic {login}"}
        )
        answer = connection.getresponse()
        return answer.read().decode() in (f"good {address}\n", f"nochg {address}\n")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def one_client(front: Front, name: str, secret: str, addresses: Sequence[str]) -> set[str]:
    """Send updates one after another; return those that were acknowledged."""
    return {address for address in addresses if update(front, name, secret, address)}


def drain_now_and_then(aws: LocalAws, stop: threading.Event) -> None:
    while not stop.wait(0.3):
        with suppress(Exception):  # it may have been killed in the middle, as any other
            aws.drain()


def commits(aws: LocalAws) -> dict[str, list[str]]:
    """Return, by host, the addresses in the order of their commits, as the stream tells."""
    streams = aws.dynamodb.client("dynamodbstreams")
    shard = streams.describe_stream(StreamArn=aws.stream_arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=aws.stream_arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    order: dict[str, list[str]] = {}
    at = iterator["ShardIterator"]
    while (read := streams.get_records(ShardIterator=at))["Records"]:
        at = read["NextShardIterator"]
        for record in read["Records"]:
            image: dict[str, Any] = record["dynamodb"].get("NewImage", {})
            address = image.get("ip_address", {}).get("S")
            held = order.setdefault(image["hostname"]["S"], [])
            if address and image["record_type"]["S"] == "A" and address not in held:
                held.append(address)
    return order


def settle(aws: LocalAws) -> None:
    """Let Route 53 be well, every process run, and drain until nothing is left."""
    faults = aws.fake.faults
    faults.throttle = faults.prior_request = faults.lost_answer = faults.unavailable = 0.0
    end = time.monotonic() + 40
    while True:
        for function in (aws.update, aws.admin, aws.publish):
            for execution in function.executions:
                execution.resume()
        with suppress(Exception):
            aws.drain()
        if not aws.pending():
            return
        assert time.monotonic() < end, aws.pending()


def run_round(aws: LocalAws, front: Front, number: int, seed: int) -> None:
    names = [f"r{number}h{host}.home.test" for host in range(HOSTS)]
    secrets = {name: aws.add_host(f"{name}.", record_types=("A",), allow_internal=True) for name in names}
    addresses = {
        (name, client): [f"127.{number + 1}.{host * CLIENTS + client}.{last + 1}" for last in range(UPDATES)]
        for host, name in enumerate(names)
        for client in range(CLIENTS)
    }
    ended = threading.Event()
    drainer = threading.Thread(target=drain_now_and_then, args=(aws, ended))
    functions = [aws.update, aws.admin, aws.publish]
    faults = aws.fake.faults
    faults.throttle, faults.prior_request, faults.lost_answer = 0.3, 0.1, 0.05
    try:
        with disturbed(functions, seed) as disturber, ThreadPoolExecutor(len(addresses)) as clients:
            drainer.start()
            running = {
                key: clients.submit(one_client, front, key[0], secrets[key[0]], sent) for key, sent in addresses.items()
            }
            acknowledged = {key: future.result(90) for key, future in running.items()}
    finally:
        ended.set()
        drainer.join()
    settle(aws)
    assert disturber.killed + disturber.stopped > 0
    check(aws, {name: set().union(*(acknowledged[name, client] for client in range(CLIENTS))) for name in names})


def check(aws: LocalAws, acknowledged: dict[str, set[str]]) -> None:
    order = commits(aws)
    for name, told in acknowledged.items():
        committed = order.get(f"{name}.", [])
        assert told <= set(committed), f"{name}: told good and never committed"
        shown = [one.values[0] for one in aws.fake.journal.history(f"{name}.", "A") if one]
        assert [committed.index(address) for address in shown] == sorted(committed.index(one) for one in set(shown)), (
            f"{name}: DNS went back: {shown}, committed {committed}"
        )
        assert shown[-1:] == committed[-1:], f"{name}: DNS shows {shown[-1:]}, the last commit is {committed[-1:]}"
        assert aws.dns.ask(name) == committed[-1:]
    assert any(acknowledged.values())


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", ["direct", "stream"])
def test_whatever_is_killed_or_frozen_acknowledged_is_published_and_nothing_older_comes_back(
    stacks: Stacks, mode: str
) -> None:
    fake = Route53Fake(faults=Faults(seed=7, silence_seconds=0.1), limits=Limits.none())
    options: dict[str, Any] = {"publish_mode": mode, "concurrency": 4, "update_seconds": UPDATE_SECONDS}
    options["freezes"] = mode == "direct"  # as Lambda does between events
    with stacks.running(fake, variables=UNPACED, **options) as aws:
        front = aws.open_front(FunctionUrl())
        for number in range(ROUNDS):
            run_round(aws, front, number, seed=number)
        aws.fake.journal.replayed()
        assert aws.update.cold_starts > ROUNDS
