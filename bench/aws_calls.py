"""Which calls of AWS an update makes, in every protocol, when it changes nothing and when it changes an address.

    python -m bench calls

The update function in this process, over moto's DynamoDB and the strict Route 53; each call is noted as it is sent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlencode

from local_aws.event_kinds import FunctionUrl
from local_aws.http_server import HttpRequest
from local_aws.stack import LocalAws, Options, Places

from bench.aws_handlers import CREDENTIALS
from homing.aws.transport import HttpTransport
from homing.core.names import Name
from homing.runtimes.aws_lambda.update import make_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from homing.aws.transport import Reply

ZONE = "bench.test."
FIRST, SECOND = "203.0.113.1", "203.0.113.2"
READS = {"GetItem", "Query", "BatchGetItem"}
WRITES = {"UpdateItem", "TransactWriteItems"}
CHANGE = "ChangeResourceRecordSets"

Event = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """A protocol, and how its client asks for an address."""

    protocol: str
    ask: Callable[[str], Event]


def run() -> None:
    """Print the calls, and whether they are as few as is wanted."""
    with tempfile.TemporaryDirectory() as name:
        options = Options(zones=(ZONE,), variables={"HOMING_REQUESTS_PER_SECOND": "1000"})
        with LocalAws(options, Places.make(Path(name))) as aws:
            sent: list[str] = []
            with patch.object(HttpTransport, "send", _noting(sent)):
                handler = make_handler(_environment(aws))
                missed = [protocol for protocol, is_met in _count(handler, sent, list(_clients(aws))) if not is_met]
    print("wanted: no change 1 read and nothing of Route 53; change at most read, write, the change in DNS, write")
    print(f"missed by: {', '.join(missed) or 'none'}")


def _count(
    handler: Callable[[object, object], Event], sent: list[str], clients: list[Client]
) -> Iterator[tuple[str, bool]]:
    print(f"{'':26}  {'no change':16}  change")
    for client in clients:
        _answer(handler, client.ask(FIRST))
        sent.clear()
        _answer(handler, client.ask(FIRST))
        unchanged = tuple(sent)
        sent.clear()
        _answer(handler, client.ask(SECOND))
        changed = tuple(sent)
        print(f"{client.protocol:26}  {', '.join(unchanged):16}  {', '.join(changed)}")
        yield client.protocol, _is_as_wanted(unchanged, changed)


def _answer(handler: Callable[[object, object], Event], event: Event) -> None:
    answer = handler(event, None)
    text = str(answer["body"])
    assert answer["statusCode"] in (200, 201), answer
    assert '"fail"' not in text, answer
    assert not text.startswith(("911", "nohost", "badauth")), answer


def _is_as_wanted(unchanged: tuple[str, ...], changed: tuple[str, ...]) -> bool:
    kinds = Counter("read" if one in READS else "write" if one in WRITES else one for one in changed)
    is_few = kinds["read"] <= 1 and kinds["write"] <= 2 and kinds[CHANGE] <= 1 and kinds.total() <= 4
    return len(unchanged) == 1 and unchanged[0] in READS and is_few


def _noting(sent: list[str]) -> Callable[..., Reply]:
    """Return a `send` that notes the operation, and then sends."""
    original = HttpTransport.send

    def send(
        self: HttpTransport, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> Reply:
        operation = headers.get("X-Amz-Target", "").rpartition(".")[2]
        sent.append(operation or (CHANGE if method == "POST" else f"{method} {target}"))
        return original(self, method, target, headers, body, timeout)

    return send


def _environment(aws: LocalAws) -> dict[str, str]:
    return CREDENTIALS | {
        "AWS_ENDPOINT_URL_DYNAMODB": aws.dynamodb.url,
        "AWS_ENDPOINT_URL_ROUTE_53": aws.route53.url,
        "HOMING_STACK": "bench",
        "HOMING_TABLE": aws.table,
        "HOMING_ZONE_IDS": aws.zone_ids[ZONE],
        "HOMING_ZONE_NAMES": ZONE.rstrip("."),
        "HOMING_REQUESTS_PER_SECOND": "1000",
        "HOMING_LOG_LEVEL": "warning",
    }


# --- the clients, each with a host of its own


def _clients(aws: LocalAws) -> Iterator[Client]:
    """Hosts have both families, and may hold documentation addresses, as no real host should."""
    labels = ("hash", "post", "secret", "account", "signed", "token")
    secrets = {label: aws.add_host(f"{label}.{ZONE}", allow_internal=True) for label in labels}
    password = aws.add_account("bench", f"account.{ZONE}")
    zone_id, token = aws.administration.token(Name(f"token.{ZONE}"), {aws.zone_ids[ZONE]: Name(ZONE)}, None)
    yield Client("hash, GET (awslabs v1, v2)", lambda address: _hash_get(address, secrets["hash"]))
    yield Client("hash, POST (awslabs v3)", lambda address: _hash_post(address, secrets["post"]))
    yield Client(
        "dyndns2, host's secret", lambda address: _dyndns2(address, "secret", f"secret.{ZONE}", secrets["secret"])
    )
    yield Client("dyndns2, account", lambda address: _dyndns2(address, "account", "bench", password))
    yield Client("signed", lambda address: _signed(address, secrets["signed"]))
    fields = {"fqdn": f"token.{ZONE}".rstrip("."), "zoneid": zone_id, "token": token}
    yield Client("ddupdate", lambda address: _event("/?" + urlencode(fields | {"ipv4": address})))


def _event(target: str, source: str = FIRST, *, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Event:
    method = "POST" if body else "GET"
    return FunctionUrl().event(HttpRequest(method, target, "HTTP/1.1", headers, body, source))


def _digest(address: str, hostname: str, secret: str) -> str:
    return hashlib.sha256(f"{address}{hostname}{secret}".encode()).hexdigest()


def _hash_get(address: str, secret: str) -> Event:
    fields = {"mode": "set", "hostname": f"hash.{ZONE}", "hash": _digest(address, f"hash.{ZONE}", secret)}
    return _event("/?" + urlencode(fields), address)


def _hash_post(address: str, secret: str) -> Event:
    hostname = f"post.{ZONE}"
    digest = _digest(address, hostname, secret)
    body = {"execution_mode": "set", "ddns_hostname": hostname, "validation_hash": digest}
    return _event("/", address, headers=(("Content-Type", "application/json"),), body=json.dumps(body).encode())


def _dyndns2(address: str, label: str, username: str, password: str) -> Event:
    basic = base64.b64encode(f"{username}:{password}".encode()).decode()
    target = f"/nic/update?hostname={label}.{ZONE}&myip={address}"
    return _event(target, headers=(("Authorization", f"Basic {basic}"),))


def _signed(address: str, secret: str) -> Event:
    time.sleep(0.002)  # a change has to be signed later than the last one
    body = json.dumps({"hostname": f"signed.{ZONE}", "addresses": [address]}).encode()
    moment = str(int(time.time() * 1000))
    signature = hmac.digest(secret.encode(), f"{moment}.".encode() + body, "sha256").hex()
    headers = (("Homing-Signature", f"t={moment},v1={signature}"), ("Content-Type", "application/json"))
    return _event("/v1/update", headers=headers, body=body)
