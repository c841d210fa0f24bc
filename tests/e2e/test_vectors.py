"""Recorded requests of real clients, sent byte for byte from the address that they were recorded from.

`tests/vectors/requests.json` holds them, with notes on what each client wants; this file holds the answers wanted.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from homing.core.accounts import Account
from homing.core.credentials import hash_generated
from homing.core.hosts import Host, RecordType
from homing.core.names import Name
from homing.core.rows import ABSENT, Commit, Row, key_of
from homing.core.values import replace
from homing.runtimes.server import FOLLOW_INTERVAL
from homing.stores.sqlite import SqliteStore
from homing.wiring.system import SystemClock
from tests.e2e import send_raw
from tests.e2e.conftest import Inside, inside_flags
from tests.e2e.namespaces import SERVER_4, SERVER_6, namespace
from tests.e2e.programs import RUN_SECONDS, serving, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

pytestmark = pytest.mark.e2e

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "requests.json").read_text())
HOME_4, HOME_6 = "203.0.113.7", "2001:db8::7"
SECRET = "SHARED_SECRET_1"
ZONE_ID = "AIE8FCNN2NC9EU"

CHECKIP = "<html><head><title>Current IP Check</title></head><body>Current IP Address: {}</body></html>\r\n"
MATCHES = "Your IP address matches the current Route53 DNS record."
MISMATCH = "Validation hashes do not match."
TWO_HOSTS = ("h1.dyn.example.com", "h2.dyn.example.com")


def v2(message: object, status: str = "success") -> str:
    """What v1 and v2 read: the message first."""
    return json.dumps({"return_message": message, "return_status": status})


def v3(message: str, status: str = "success") -> str:
    """What v3 reads after a set: the status first."""
    return json.dumps({"return_status": status, "return_message": message})


@dataclass(frozen=True)
class Wanted:
    """The answer to a request, the answer to the same bytes once more, and what DNS shows after it."""

    status: int
    body: str
    again: tuple[int, str] | None = None
    shown: tuple[tuple[str, RecordType, str | None], ...] = ()
    secret: str = SECRET


def _updates(*names: str, both: bool = False) -> Wanted:
    address = "203.0.113.7,2001:db8::7" if both else "203.0.113.7"
    shown: list[tuple[str, RecordType, str | None]] = [(name, "A", HOME_4) for name in names]
    shown += [(name, "AAAA", HOME_6 if both else None) for name in names]
    again = (200, f"nochg {address}\n" * len(names))
    return Wanted(200, f"good {address}\n" * len(names), again, tuple(shown))


def _sets(host: str, address: str, record_type: RecordType = "A") -> Wanted:
    first = v2(f"Your hostname record {host} has been set to {address}")
    return Wanted(200, first, (200, v2(MATCHES)), ((host, record_type, address),))


def _refuses(status: int, body: str, host: str) -> Wanted:
    return Wanted(status, body, (status, body), ((host, "A", None), (host, "AAAA", None)))


_GET_4 = Wanted(200, v2(HOME_4), (200, v2(HOME_4)))
_CHECKIP_4 = Wanted(200, CHECKIP.format(HOME_4))
_ONE = _updates(TWO_HOSTS[0])
_TWO = _updates(*TWO_HOSTS)
_TWO_BOTH = _updates(*TWO_HOSTS, both=True)
_GROUP = v2([
    {"hostname": "auth.dyn.example.com.", "record_type": "A", "mac_address": "00:11:22:33:44:55"},
    {"hostname": "nas.dyn.example.com.", "record_type": "A", "mac_address": "00:11:22:33:44:66"},
    {"hostname": "nas.dyn.example.com.", "record_type": "AAAA", "mac_address": "00:11:22:33:44:66"},
])  # fmt: skip
_INVALID_TOKEN = _refuses(403, "Invalid token\n", "host.example.com")

WANTED: dict[tuple[str, str, str], Wanted] = {
    ("ddclient", "3.10.0", "dyndns2, two hosts, usev4 and usev6 configured"): _TWO,
    ("ddclient", "3.10.0", "web checkip"): _CHECKIP_4,
    ("ddclient", "3.10.0", "dyndns2, one host, after web checkip"): _ONE,
    ("ddclient", "3.11.2", "dyndns2, two hosts, dual stack"): _TWO_BOTH,
    ("ddclient", "4.0.0", "dyndns2, two hosts, dual stack"): _TWO_BOTH,
    ("ddclient", "4.0.1-rc.2", "dyndns2, two hosts, dual stack"): _TWO_BOTH,
    ("ddclient", "4.0.1-rc.2", "web checkip"): _CHECKIP_4,
    ("ddclient", "4.0.1-rc.2", "dyndns2 on /v3/update, one host, after web checkip"): _ONE,
    ("awslabs-v2", "59ed24c", "get, no API key"): _GET_4,
    ("awslabs-v2", "59ed24c", "set, no --ip-source given"): _sets("host1.dyn.example.com.", HOME_4),
    ("awslabs-v2", "59ed24c", "get, API key"): _GET_4,
    ("awslabs-v2", "59ed24c", "set, --ip-source public, API key"): _sets("host1.dyn.example.com.", HOME_4),
    ("awslabs-v2", "59ed24c", "set, internal IPv6 address over an IPv4 connection"): _sets(
        "nas.dyn.example.com.", "2001:db8::5", "AAAA"
    ),
    ("awslabs-v2", "59ed24c", "get, IPv6"): Wanted(200, v2(HOME_6)),
    ("awslabs-v2", "59ed24c", "set, IPv6, --ip-source public"): _sets("h6.dyn.example.com.", HOME_6, "AAAA"),
    ("awslabs-v2", "59ed24c", "get before list_hosts, API key"): _GET_4,
    ("awslabs-v2", "59ed24c", "list_hosts"): Wanted(200, _GROUP, (200, _GROUP)),
    ("awslabs-v2", "59ed24c", "set, internal IPv4 address, from network-discovery.sh"): _sets(
        "nas.dyn.example.com.", "192.0.2.50"
    ),
    ("awslabs-v3", "353b7f6", "get"): _GET_4,
    ("awslabs-v3", "353b7f6", "set"): Wanted(
        201,
        v3(f"www.example.com has been updated to {HOME_4}"),
        (200, v3(MATCHES)),
        (("www.example.com", "A", HOME_4),),
    ),
    ("awslabs-v3", "353b7f6", "set, wrong secret"): _refuses(401, v3(MISMATCH, "fail"), "www.example.com"),
    ("awslabs-v3", "353b7f6", "set, secret with two blanks"): _refuses(401, v3(MISMATCH, "fail"), "www.example.com"),
    ("awslabs-v3", "353b7f6", "set, no hostname given"): _refuses(401, v3(MISMATCH, "fail"), "www.example.com"),
    ("fmeppo-ddupdate", "1243d03", "all values from the configuration file"): _INVALID_TOKEN,
    ("fmeppo-ddupdate", "1243d03", "-4, -6 and -l on the command line"): _INVALID_TOKEN,
    ("fmeppo-ddupdate", "1243d03", "-t and -z on the command line"): _INVALID_TOKEN,
    ("curl", "7.88.1", "credentials in the URL"): _ONE,
    ("wget", "1.21.3", "credentials in the URL, first request"): _refuses(401, "badauth\n", TWO_HOSTS[0]),
    ("wget", "1.21.3", "credentials in the URL, after the challenge"): _ONE,
    ("wget", "1.21.3", "--auth-no-challenge"): _ONE,
    ("busybox-wget", "1.35.0", "credentials in the URL, plain http"): _ONE,
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, taken apart."""

    status: int
    headers: Mapping[str, str]
    body: str


class Rows:
    """The rows that the vectors need, as new before each of them; the running server sees them at once."""

    def __init__(self, database: Path) -> None:
        self._store = SqliteStore(database, clock=SystemClock())

    def close(self) -> None:
        self._store.close()

    def put(self, *rows: Row) -> None:
        held = self._store.load([key_of(row) for row in rows])
        before = {key_of(row): held[key_of(row)].version if key_of(row) in held else ABSENT for row in rows}
        self._store.commit(Commit(tuple(_at(row, before[key_of(row)] + 1) for row in rows), before))
        if any(isinstance(row, Host) and row.desired for row in held.values()):
            time.sleep(2.5 * FOLLOW_INTERVAL)  # the server looks that often for what another process wrote

    def begin(self, vector: Mapping[str, Any], secret: str) -> None:
        """Make every host have no address, and alice the password that the request carries."""
        alice = [Name(f"{name}.") for name in TWO_HOSTS]
        hosts = [_host(name, kind, f"OWN-{name}") for name in alice for kind in _BOTH]
        hosts += [_host("host1.dyn.example.com.", kind, secret) for kind in _BOTH]
        hosts += [_host("h6.dyn.example.com.", kind, secret) for kind in _BOTH]
        hosts += [_host("www.example.com.", kind, secret) for kind in _BOTH]
        mac, group = "00:11:22:33:44:66", {"read_privilege": True, "allow_internal": True}
        hosts += [_host("nas.dyn.example.com.", kind, secret, mac_address=mac, **group) for kind in _BOTH]
        hosts.append(_host("auth.dyn.example.com.", "A", secret, mac_address="00:11:22:33:44:55", read_privilege=True))
        self.put(*hosts)
        if password := _password_of(vector):
            self.put(Account(username="alice", password=hash_generated(password), hostnames=tuple(alice)))


_BOTH: tuple[RecordType, ...] = ("A", "AAAA")


def _host(name: str, record_type: RecordType, secret: str, **policy: Any) -> Host:
    return Host(hostname=Name(name), record_type=record_type, shared_secret=secret, **policy)


def _at(row: Row, version: int) -> Row:
    assert isinstance(row, Host | Account)
    return replace(row, version=version)


def _password_of(vector: Mapping[str, Any]) -> str | None:
    basic = dict(vector["request"]["headers"]).get("Authorization")
    return base64.b64decode(basic.split()[1]).decode().partition(":")[2] if basic else None


def to_bytes(vector: Mapping[str, Any]) -> bytes:
    request = vector["request"]
    lines = [f"{request['method']} {request['target']} HTTP/1.1", *(f"{n}: {v}" for n, v in request["headers"])]
    return "\r\n".join([*lines, "", request["body"]]).encode()


def send(inside: Inside, source: str, request: bytes) -> Answer:
    """Send bytes from an address in the namespace."""
    server = SERVER_6 if ":" in source else SERVER_4
    line = (*inside.namespace.prefix, sys.executable, send_raw.__file__, source, server, "80")
    done = subprocess.run(line, input=request, capture_output=True, timeout=RUN_SECONDS, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    names = [line.partition(": ")[0].lower() for line in rest]
    assert all(names.count(name) <= 1 for name in ("content-length", "content-type", "www-authenticate")), rest
    headers = dict(zip(names, (line.partition(": ")[2] for line in rest), strict=True))
    return Answer(int(first.split()[1]), headers, body.decode())


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A server in a namespace, for the zones of the recorded names."""
    folder = tmp_path_factory.mktemp("vectors")
    (folder / "homing.toml").write_text(f'[[zones]]\nname = "example.com"\nid = "{ZONE_ID}"\n')
    listen = inside_flags()[2:]
    with namespace() as network, serving(folder, *listen, prefix=network.prefix, loopback=False) as server:
        yield Inside(network, server, folder)


@pytest.fixture(scope="module")
def rows(inside: Inside) -> Iterator[Rows]:
    opened = Rows(inside.server.database)
    yield opened
    opened.close()


def _id(vector: Mapping[str, Any]) -> str:
    return f"{vector['client']}-{vector['version']}-{vector['case']}"


def _source(vector: Mapping[str, Any]) -> str:
    return HOME_6 if dict(vector["request"]["headers"])["Host"].startswith("[") else HOME_4


@pytest.mark.parametrize("vector", VECTORS, ids=_id)
def test_a_recorded_request_gets_the_answer_that_its_client_wants(
    inside: Inside, rows: Rows, vector: dict[str, Any]
) -> None:
    wanted = WANTED[vector["client"], vector["version"], vector["case"]]
    rows.begin(vector, wanted.secret)

    answer = send(inside, _source(vector), to_bytes(vector))

    assert (answer.status, answer.body) == (wanted.status, wanted.body)
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "transfer-encoding" not in answer.headers
    assert (answer.headers.get("www-authenticate", "").startswith("Basic ")) == (answer.body == "badauth\n")
    asked_to_close = dict(vector["request"]["headers"]).get("Connection") == "close"
    assert (answer.headers.get("connection") == "close") >= asked_to_close
    for name, record_type, address in wanted.shown:
        assert inside.server.dig(name, record_type) == ([address] if address else [])
    if wanted.again is not None:
        again = send(inside, _source(vector), to_bytes(vector))
        assert (again.status, again.body) == wanted.again


def test_every_vector_has_an_answer_here() -> None:
    recorded = [(vector["client"], vector["version"], vector["case"]) for vector in VECTORS]
    assert sorted(recorded) == sorted(WANTED)


def test_a_secret_that_is_kept_with_one_blank_suits_the_client_whose_shell_collapsed_two(
    inside: Inside, rows: Rows
) -> None:
    vector = _find("set, secret with two blanks")
    rows.begin(vector, "a b*c")
    assert send(inside, HOME_4, to_bytes(vector)).status == 201


@pytest.mark.parametrize("case", ["all values from the configuration file", "-4, -6 and -l on the command line"])
def test_ddupdates_bytes_with_a_token_of_ours_are_taken(inside: Inside, rows: Rows, case: str) -> None:
    vector = _find(case)
    made = inside.server.ask_json("token", "host.example.com")
    assert made["zoneid"] == ZONE_ID
    recorded = "d1bc8d3ba4afc7e109612cb73acbdddac052c93025aa1f82942edabb7deb82a1"
    request = to_bytes(vector).replace(recorded.encode(), made["token"].encode())
    answer = send(inside, HOME_4, request)
    assert answer.status == 200
    assert answer.body.startswith("Hello!")
    if "ipv6" in vector["request"]["target"]:
        assert inside.server.dig("host.example.com") == ["203.0.113.9"]
        assert inside.server.dig("host.example.com", "AAAA") == ["2001:db8::9"]
    else:
        assert inside.server.dig("host.example.com") == [HOME_4]


def test_a_hash_from_another_address_than_it_was_made_for_is_refused(inside: Inside, rows: Rows) -> None:
    vector = _find("set, --ip-source public, API key")
    rows.begin(vector, SECRET)
    answer = send(inside, "203.0.113.8", to_bytes(vector))
    assert (answer.status, answer.body) == (200, v2(MISMATCH, "fail"))


def test_no_secret_of_a_recorded_request_is_in_the_log(inside: Inside, rows: Rows) -> None:
    marks: Sequence[str] = [vector["request"]["target"].partition("hash=")[2][:64] for vector in VECTORS]
    for vector in VECTORS:
        send(inside, _source(vector), to_bytes(vector))
    assert wait_for(lambda: inside.server.log.read_text().count("/nic/update") > 5)
    log = inside.server.log.read_text()
    marks = [mark for mark in marks if mark] + ["YWxpY2U6", "d1bc8d3ba4af", "'TOK'", "s3:cr/et", "s3cret", "KEY123"]
    assert [mark for mark in marks if mark in log] == []


def _find(case: str) -> dict[str, Any]:
    (vector,) = [vector for vector in VECTORS if vector["case"] == case]
    return vector
