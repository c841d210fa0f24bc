"""A whole application in memory, with a clock that stands still, and the recorded requests of real clients."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.app.authentication import Authenticator
from homing.app.publishing import Outbox
from homing.app.service import Service
from homing.core.accounts import Account, TokenKey
from homing.core.credentials import ddupdate_token, hash_generated, legacy_hash, render_signature
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.records import RRset, RRsetKey
from homing.core.rows import ABSENT, Commit, key_of
from homing.core.update import Policy
from homing.core.values import replace
from homing.core.zone import SOA, Zone
from homing.protocols.http import Request
from homing.publishers.embedded import EmbeddedPublisher
from homing.web.routes import Access, Application
from tests.conformance.memory_store import MemoryStore
from tests.protocols.strategies import V4, V6, basic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homing.core.addresses import Address
    from homing.core.rows import Row
    from homing.protocols.http import Response

NOW = 1_795_240_000.0
T = int(NOW * 1000)
H1, H2 = "h1.dyn.example.com.", "h2.dyn.example.com."
Said = tuple[int, str]
"""Status and body."""
SECRET = "SHARED_SECRET_1"
TOKEN_KEY = "the-token-key-of-the-server"
ZONE_ID = "AIE8FCNN2NC9EU"
ZONES = (Name("dyn.example.com."), Name("example.com."))
DOCUMENTATION = tuple(
    ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
"""Addresses that no host may have, but that recorded requests and examples are made of."""
VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent.parent / "vectors" / "requests.json").read_text())


@dataclass
class FixedClock:
    time: float = NOW

    def now(self) -> float:
        return self.time


class CountingEntropy:
    def __init__(self) -> None:
        self._drawn = 0

    def bytes(self, count: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(count, "big")


class World:
    """An application, and what stands behind it."""

    def __init__(self, rows: Iterable[Row], access: Access | None = None) -> None:
        self.clock = FixedClock()
        self.store = MemoryStore()
        self.zones = {apex: _make_zone(apex) for apex in ZONES}
        outbox = Outbox(self.store, EmbeddedPublisher(self.zones), self.zones, self.clock, lambda: 0.5)
        entropy = CountingEntropy()
        service = Service(
            store=self.store,
            outbox=outbox,
            authenticator=Authenticator(self.clock, entropy, {ZONE_ID: ZONES[1], "dyn": ZONES[0]}, None),
            clock=self.clock,
            entropy=entropy,
            zones=self.zones,
            policy=Policy(public_networks=DOCUMENTATION),
        )

        def health() -> int:
            self.store.check()
            return outbox.backlog_age()

        self.application = Application(service, health, access or Access())
        for row in rows:
            self.store.commit(Commit((replace(row, version=1),), {key_of(row): ABSENT}))

    def ask(
        self,
        target: str,
        *,
        method: str = "GET",
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes | str = b"",
        peer: Address = V4,
    ) -> Response:
        path, _, query = target.partition("?")
        raw = body.encode() if isinstance(body, str) else body
        return self.application.handle(Request(method, path, query, headers, raw, peer))

    def in_dns(self, name: str, record_type: str = "A") -> tuple[str, ...]:
        """What the DNS server would answer."""
        zone = self.zones[ZONES[0] if name.endswith("." + ZONES[0]) else ZONES[1]]
        rrset = zone.get(RRsetKey(Name(name), record_type))
        return rrset.rdata if rrset else ()


def make_host(name: str, record_type: Any = "A", **given: Any) -> Host:
    return Host(hostname=Name(name), record_type=record_type, **({"shared_secret": SECRET} | given))


def make_account(password: str, *hostnames: str, username: str = "alice") -> Account:
    return Account(
        username=username, password=hash_generated(password), hostnames=tuple(Name(name) for name in hostnames)
    )


def make_rows(password: str = "pw", www_secret: str = SECRET) -> list[Row]:
    """What the recorded requests are about: an account, a group, and a token key."""
    return [
        make_account(password, H1, H2),
        *(
            make_host(name, record_type, shared_secret="of-" + name)
            for name in (H1, H2)
            for record_type in ("A", "AAAA")
        ),
        make_host("host1.dyn.example.com.", read_privilege=True, mac_address="00:11:22:aa:bb:01"),
        make_host(
            "nas.dyn.example.com.", "A", allow_internal=True, read_privilege=True, mac_address="00:11:22:aa:bb:02"
        ),
        make_host("nas.dyn.example.com.", "AAAA", allow_internal=True),
        make_host("h6.dyn.example.com.", "AAAA"),
        make_host("auth.dyn.example.com.", read_privilege=True, mac_address="00:11:22:aa:bb:03"),
        make_host("www.example.com.", shared_secret=www_secret),
        TokenKey(secret=TOKEN_KEY),
    ]


def legacy(host: str, secret: str = SECRET, source: Address = V4) -> str:
    """The awslabs hash."""
    return legacy_hash(str(source), host, secret)


def message(status: str, text: str) -> str:
    """A reply of awslabs, byte for byte."""
    return json.dumps({"return_message": text, "return_status": status})


def token_for(name: str) -> str:
    """The ddupdate token."""
    return ddupdate_token(name, ZONE_ID, TOKEN_KEY)


def sign(members: object, secret: str = SECRET, t: int = T) -> dict[str, Any]:
    """What `World.ask` takes to send a signed request."""
    body = json.dumps(members).encode()
    return {"method": "POST", "headers": (("homing-signature", render_signature(secret, t, body)),), "body": body}


def lines(code: str, address: str, count: int) -> Said:
    """The reply of dyndns2 to `count` hostnames."""
    return 200, f"{code} {address}\n" * count


def ask_dyndns2(world: World, query: str, peer: Address = V4) -> Said:
    """Update as the account of `make_rows`."""
    response = world.ask("/nic/update?" + query, headers=basic("alice", "pw"), peer=peer)
    return response.status, response.body.decode()


GROUP = [
    {"hostname": "auth.dyn.example.com.", "record_type": "A", "mac_address": "00:11:22:aa:bb:03"},
    {"hostname": "host1.dyn.example.com.", "record_type": "A", "mac_address": "00:11:22:aa:bb:01"},
    {"hostname": "nas.dyn.example.com.", "record_type": "A", "mac_address": "00:11:22:aa:bb:02"},
]
"""What list_hosts tells of `make_rows`."""


def vector_id(vector: dict[str, Any]) -> str:
    return f"{vector['client']} {vector['version']}: {vector['case']}"


def request_of(vector: dict[str, Any], peer: Address = V4) -> Request:
    """A recorded request, as a runtime hands it over."""
    recorded = vector["request"]
    path, _, query = recorded["target"].partition("?")
    headers = tuple((name.lower(), value) for name, value in recorded["headers"])
    return Request(recorded["method"], path, query, headers, recorded["body"].encode(), peer)


def password_of(vector: dict[str, Any]) -> str:
    """The password in the Authorization header, for the account of the test."""
    value = dict(vector["request"]["headers"]).get("Authorization")
    return base64.b64decode(value.split()[1]).decode().partition(":")[2] if value else "s3cret"


def world_for(vector: dict[str, Any], access: Access | None = None) -> World:
    """The application that the notes of a recorded request call for."""
    www_secret = "a  b*c" if "two blanks" in vector["case"] else SECRET
    return World(make_rows(password_of(vector), www_secret), access)


def peer_for(vector: dict[str, Any]) -> Address:
    """Where a recorded request came from."""
    return V6 if "IPv6" in vector["case"] and "IPv4" not in vector["case"] else V4


def _make_zone(apex: Name) -> Zone:
    soa = SOA(Name("ns1." + apex), Name("hostmaster." + apex), 7200, 900, 1_209_600, 60, 3600)
    return Zone(apex, soa, {RRsetKey(apex, "NS"): RRset(3600, ("ns1.example.org.",))}, 1)
