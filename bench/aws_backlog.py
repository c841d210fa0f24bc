"""A backlog of 10,000 changed hosts in two zones, published in stream mode at ten requests a second.

    python -m bench backlog

The rows are committed, and pending. Then the event source begins to hand their records to the publisher function, which
runs in Lambda's runtime client and calls the strict Route 53 with the limits of an account. The table is one in memory
(`bench/aws_rows.py`); what moto would take for the same is measured beside it, with fewer hosts.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local_aws.event_source import EventSource, Mapping
from local_aws.http_server import HttpServer
from local_aws.lambda_runtime import LambdaFunction
from local_aws.route53 import RecordSet, Route53Fake, Route53Server
from local_aws.stack import PUBLISH_SECONDS, LocalAws, Options, Places

from bench.aws_rows import READ_SECONDS, WRITE_SECONDS, Rows
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.records import RRset
from homing.core.rows import ABSENT, MAX_ROWS, Commit, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HOSTS, FEWER = 10_000, 900
ZONES = {"one.test.": "Z0ONE", "two.test.": "Z0TWO"}
TTL = 60
TEMPLATE = Mapping(batch_size=1000, batch_window=2.0, retry_attempts=10)
"""As the template sets it."""
REQUESTS_PER_SECOND, CHANGES_PER_SECOND = 10, 100
"""What the template has for the rates. The second is a guess on the safe side; Route 53's own figure is not known."""
WANTED_SECONDS = 30
LONGEST = 300.0


def run() -> None:
    """Print how long it takes until DNS shows every host's new address, and what would take how long otherwise."""
    with tempfile.TemporaryDirectory() as name:
        places = Places.make(Path(name))
        _measure(places, [_host(number) for number in range(HOSTS)])
        _measure_moto(places, [_host(number) for number in range(FEWER)])


def _measure(places: Places, hosts: Sequence[Host]) -> None:
    fake, rows = _filled(hosts), Rows(hosts)
    with _publisher(places, fake, rows) as publish:
        began = time.monotonic()
        source = EventSource(publish, rows, "stream", TEMPLATE)
        try:
            while not _is_shown(fake, hosts):
                assert time.monotonic() < began + LONGEST, publish.lines[-5:]
                time.sleep(0.05)
            seconds = time.monotonic() - began
        finally:
            source.close()
        print(f"{len(hosts)} hosts in {len(ZONES)} zones: DNS shows all after {seconds:.1f} s; wanted {WANTED_SECONDS}")
        assert not [host for host in rows.hosts() if host.pending]
    _tell(fake, rows, source.batches, publish.cold_starts)


@contextmanager
def _publisher(places: Places, fake: Route53Fake, rows: Rows) -> Iterator[LambdaFunction]:
    """The publisher function with the rates of the account, and none for changes."""
    table = HttpServer(rows.answer)
    with Route53Server(fake) as route53:
        environment = {
            "AWS_ENDPOINT_URL_DYNAMODB": table.url,
            "AWS_ENDPOINT_URL_ROUTE_53": route53.url,
            "HOMING_STACK": "bench",
            "HOMING_TABLE": "bench",
            "HOMING_ZONE_IDS": ",".join(ZONES.values()),
            "HOMING_ZONE_NAMES": ",".join(zone.rstrip(".") for zone in ZONES),
            "HOMING_PUBLISH_MODE": "stream",
            "HOMING_REQUESTS_PER_SECOND": str(REQUESTS_PER_SECOND),
            "HOMING_CHANGES_PER_SECOND": "0",
        }
        with LambdaFunction(
            "publish", places.package, "homing_publish.handler", environment, runtime=places.runtime,
            timeout=PUBLISH_SECONDS, concurrency=1,
        ) as publish:  # fmt: skip
            yield publish
    table.close()


def _filled(hosts: Sequence[Host]) -> Route53Fake:
    """Return a Route 53 that shows the addresses from before, with an account's limits."""
    fake = Route53Fake()
    for name, zone_id in ZONES.items():
        fake.add_zone(name, zone_id=zone_id)
    for host in hosts:
        zone = host.hostname.partition(".")[2]
        fake.seed(ZONES[zone], RecordSet(host.hostname, "A", TTL, _rdata(host.published)))
    return fake


def _is_shown(fake: Route53Fake, hosts: Sequence[Host]) -> bool:
    last = hosts[-1]
    one = fake.get(ZONES[last.hostname.partition(".")[2]], last.hostname, "A")
    if one is None or one.values != _rdata(last.desired):
        return False
    held = {one.name: one.values for zone_id in ZONES.values() for one in fake.record_sets(zone_id)}
    return all(held.get(host.hostname) == _rdata(host.desired) for host in hosts)


def _tell(fake: Route53Fake, rows: Rows, batches: Sequence[int], processes: int) -> None:
    calls = fake.journal.calls
    refused = sum(call.result != "ok" for call in calls)
    print(f"  {len(batches)} batches from the stream, {rows.calls} calls of DynamoDB, {processes} process")
    print(
        f"  {len(calls)} requests of Route 53, {refused} refused, at most {max(call.changes for call in calls)} "
        f"changes in one, and at most {fake.journal.most_calls_within(1.0)} requests within a second"
    )
    alone = HOSTS / REQUESTS_PER_SECOND
    print(f"  one call a change at {REQUESTS_PER_SECOND} a second: {alone:.0f} s, and the answers' time (reckoned)")
    waits = 2 * HOSTS - max(call.changes for call in calls)  # a swap is two changes; nothing waits for the last batch
    print(
        f"  with {CHANGES_PER_SECOND} changes a second as changesPerSecond: at least "
        f"{waits / CHANGES_PER_SECOND:.0f} s (reckoned); here it is the template's 0, no limit"
    )
    times = f"{READ_SECONDS * 1000:.0f} ms, and to write them in {WRITE_SECONDS * 1000:.0f} ms"
    print(f"  DynamoDB is taken to read 90 rows in {times}")


def _host(number: int) -> Host:
    """Return a host whose new address is committed and not published."""
    tail = f"{number >> 8 & 255}.{number & 255}"
    return Host(
        hostname=Name(f"h{number}.{list(ZONES)[number % len(ZONES)]}"),
        record_type="A",
        shared_secret=f"s{number:031d}",
        allow_internal=True,
        version=1,
        desired=RRset(TTL, (f"10.1.{tail}",)),
        published=RRset(TTL, (f"10.0.{tail}",)),
        last_updated=int(time.time()),
    )


def _rdata(rrset: RRset | None) -> tuple[str, ...]:
    assert rrset is not None
    return rrset.rdata


# --- moto


def _measure_moto(places: Places, hosts: Sequence[Host]) -> None:
    """Time what moto takes for the same calls, one after the other and with nobody else."""
    with LocalAws(Options(zones=tuple(ZONES)), places) as aws:
        for part in _parts(hosts):
            aws.store.commit(Commit(tuple(part), {key_of(host): ABSENT for host in part}))
        stream = _timed(lambda: _read_stream(aws))
        rows = _timed(lambda: _load_and_write(aws, hosts))
    times = HOSTS / len(hosts)
    print(
        f"moto alone, with {len(hosts)} hosts: the stream {stream:.1f} s, reading and writing the rows {rows:.1f} s; "
        f"of {HOSTS} it would be {(stream + rows) * times:.0f} s"
    )


def _read_stream(aws: LocalAws) -> None:
    """Read the stream as the event source does."""
    streams = aws.dynamodb.client("dynamodbstreams")
    (shard,) = streams.describe_stream(StreamArn=aws.stream_arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=aws.stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while (answer := streams.get_records(ShardIterator=iterator, Limit=1000))["Records"]:
        iterator = answer["NextShardIterator"]


def _load_and_write(aws: LocalAws, hosts: Sequence[Host]) -> None:
    """Load every row and write it once, in as few calls as the publisher does."""
    for part in _parts(hosts):
        rows = [row for row in aws.store.load([key_of(host) for host in part]).values() if isinstance(row, Host)]
        after = tuple(row.next(published=row.desired) for row in rows)
        aws.store.commit(Commit(after, {key_of(row): row.version for row in rows}))


def _parts(hosts: Sequence[Host]) -> Iterator[Sequence[Host]]:
    for start in range(0, len(hosts), MAX_ROWS):
        yield hosts[start : start + MAX_ROWS]


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
