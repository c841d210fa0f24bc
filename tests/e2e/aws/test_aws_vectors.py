"""Recorded requests of real clients, byte for byte, through the ways into Lambda that each of them used.

The answers wanted are those of the server at home: `tests/e2e/test_vectors.py`.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.event_kinds import AwslabsMapping, EventKind, FunctionUrl, LoadBalancer, RestApi
from local_aws.event_parts import REMAPPED
from local_aws.route53 import Route53Fake

from homing.core.accounts import Account
from homing.core.hosts import Host
from homing.core.rows import ABSENT, Commit, Row, key_of
from homing.core.values import replace
from tests.e2e.aws.conftest import UNPACED, Stacks, fronted
from tests.e2e.test_vectors import HOME_4, HOME_6, VECTORS, WANTED, ZONE_ID, Answer, Rows, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.front import Front
    from local_aws.stack import LocalAws

pytestmark = pytest.mark.e2e

SOURCES = {HOME_4: "127.0.7.4", HOME_6: "127.0.7.6"}
SEEN_AS = {source: address for address, source in SOURCES.items()}
KINDS: dict[str, EventKind] = {
    "function-url": FunctionUrl(),
    "rest-api": RestApi(),
    "alb": LoadBalancer(),
    "mapping": AwslabsMapping(),
}


class TableRows(Rows):
    """The rows that the vectors need, in DynamoDB; documentation addresses are not global there."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws

    def put(self, *rows: Row) -> None:
        store = self._aws.store
        held = store.load([key_of(row) for row in rows])
        before = {key_of(row): held[key_of(row)].version if key_of(row) in held else ABSENT for row in rows}
        store.commit(Commit(tuple(_at(row, before[key_of(row)] + 1) for row in rows), before))


def _at(row: Row, version: int) -> Row:
    assert isinstance(row, Host | Account)
    return replace(row, version=version, **({"allow_internal": True} if isinstance(row, Host) else {}))


@pytest.fixture(scope="module")
def aws(stacks: Stacks) -> Iterator[LocalAws]:
    fake = Route53Fake()
    fake.add_zone("example.com.", zone_id=ZONE_ID)
    with stacks.running(fake, zones=("example.com.",), variables=UNPACED) as running:
        yield running


def forget(aws: LocalAws) -> None:
    """Take every host out of DNS, so that each vector finds it as new."""
    from local_aws.route53 import Change

    gone = [Change("DELETE", one) for one in aws.fake.record_sets(ZONE_ID) if one.type in ("A", "AAAA")]
    if gone:
        aws.fake._zones.change(ZONE_ID, gone)


def send(front: Front, source: str, request: bytes) -> Answer:
    """Send bytes from an address."""
    with socket.create_connection(("127.0.0.1", front.port), 20, (SOURCES[source], 0)) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        done = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = done.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in rest}
    return Answer(int(first.split()[1]), headers, body.decode())


def source_of(vector: dict[str, Any]) -> str:
    return HOME_6 if dict(vector["request"]["headers"])["Host"].startswith("[") else HOME_4


def cases() -> Iterator[Any]:
    for vector in VECTORS:
        for kind in KINDS:
            if kind == "mapping" and vector["client"] != "awslabs-v2":
                continue
            if kind == "alb" and vector["client"] not in ("ddclient", "wget"):
                continue
            if kind == "rest-api" and vector["request"]["target"].startswith("/Production"):
                continue  # another stage than that API has
            yield pytest.param(vector, kind, id=f"{vector['client']}-{vector['version']}-{vector['case']}-{kind}")


@pytest.mark.parametrize(("vector", "kind"), list(cases()))
def test_a_recorded_request_gets_the_answer_that_its_client_wants(
    aws: LocalAws, vector: dict[str, Any], kind: str
) -> None:
    wanted = WANTED[vector["client"], vector["version"], vector["case"]]
    forget(aws)
    TableRows(aws).begin(vector, wanted.secret)
    with fronted(aws, KINDS[kind], seen_as=SEEN_AS) as front:
        answer = send(front, source_of(vector), to_bytes(vector))

        assert (answer.status, answer.body) == (wanted.status, wanted.body)
        assert answer.headers["content-length"] == str(len(answer.body))
        challenge = "www-authenticate" if kind == "alb" else REMAPPED.lower()
        assert (answer.headers.get(challenge, "").startswith("Basic ")) == (answer.body == "badauth\n")
        for name, record_type, address in wanted.shown:
            assert aws.dns.ask(name, record_type) == ([address] if address else [])
        if wanted.again is not None:
            again = send(front, source_of(vector), to_bytes(vector))
            assert (again.status, again.body) == wanted.again


def test_no_secret_of_a_recorded_request_is_in_the_log(aws: LocalAws) -> None:
    log = "\n".join(aws.update.lines)
    marks = [vector["request"]["target"].partition("hash=")[2][:64] for vector in VECTORS]
    marks = [mark for mark in marks if mark] + ["YWxpY2U6", "d1bc8d3ba4af", "'TOK'", "s3:cr/et", "s3cret", "KEY123"]
    assert [mark for mark in marks if mark in log] == []
    assert "/nic/update" in log
