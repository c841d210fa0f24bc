"""What the fuzz loop feeds, and how: seeds for each parser, and a call that raises only what is a finding."""

from __future__ import annotations

import contextlib
import json
import string
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dns.message

from homing.core import addresses, names
from homing.core.credentials import ddupdate_token, legacy_hash, new_secret, render_signature
from homing.core.errors import InvalidAddress, InvalidInput, InvalidName, InvalidSettings
from homing.core.names import Name
from homing.core.records import RRset, RRsetKey
from homing.core.values import replace
from homing.core.zone import Zones
from homing.formats import draft, imported, imported_client
from homing.protocols.dns_query import answer
from homing.protocols.http import Request, Response
from homing.protocols.zone_file import parse_records
from homing.settings.client import READERS
from homing.settings.client_toml import render_client
from homing.settings.one_machine import Settings, load
from tests.protocols.strategies import V4, V6, basic
from tests.web.harness import NOW, SECRET, TOKEN_KEY, VECTORS, ZONE_ID, ZONES, World, make_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from homing.core.addresses import Address


@dataclass(frozen=True)
class Target:
    """A parser: what it is fed at first, and how. `run` raises only what is a finding."""

    seeds: Sequence[bytes]
    run: Callable[[bytes], object]


# --- HTTP, from the request to the answer


def _blob(target: str, headers: Sequence[Sequence[str]] = (), body: str | bytes = "", method: str = "GET") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    return (
        "\n".join([method, target, *(f"{name.lower()}: {value}" for name, value in headers), ""]).encode() + b"\n" + raw
    )


def _request_of(data: bytes, peer: Address) -> Request:
    head, _, body = data.partition(b"\n\n")
    method, _, rest = head.decode("latin-1").partition("\n")
    target, *header_lines = rest.split("\n")
    path, _, query = target.partition("?")
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in header_lines))
    return Request(method, path, query, headers, body, peer)


def _signed(members: object, path: str = "/v1/update") -> bytes:
    body = json.dumps(members, ensure_ascii=False).encode()
    return _blob(path, [("homing-signature", render_signature(SECRET, int(NOW * 1000), body))], body, "POST")


def _http_seeds() -> dict[str, list[bytes]]:
    recorded = [
        _blob(one["request"]["target"], one["request"]["headers"], one["request"]["body"], one["request"]["method"])
        for one in VECTORS
    ]
    host = "host1.dyn.example.com."
    hash_ = legacy_hash(str(V4), host, SECRET)
    token = ddupdate_token("host.example.com", ZONE_ID, TOKEN_KEY)
    h1_secret = "of-h1.dyn.example.com."
    alice, form = basic("alice", "pw"), ("content-type", "application/x-www-form-urlencoded")
    one = {"hostname": "host1.dyn.example.com", "addresses": ["203.0.113.7"]}
    return {
        "dyndns2": [
            *(blob for blob in recorded if b"/update" in blob),
            _blob(
                "/nic/update?hostname=h1.dyn.example.com,h2.dyn.example.com&myip=203.0.113.7,2001:db8:1::/64&", alice
            ),
            _blob(
                "/prod/nic/update?hostname=YES&host_id=h1.dyn.example.com&myipv6=preserve&ip=::ffff:203.0.113.9", alice
            ),
            _blob("/v3/update?myip=2001%3adb8%3a%3a7&offline=YES", basic("h1.dyn.example.com", h1_secret)),
            _blob("/nic/update", [form], f"password={h1_secret}&hostname=h1.dyn.example.com&myip=", "POST"),
            _blob(
                "/nic/update?hostname=xn--bcher-kva.example.com,b%C3%BCcher.example.com", [("authorization", "Token t")]
            ),
        ],
        "awslabs": [
            *(blob for blob in recorded if b"mode" in blob),
            _blob(f"/?mode=set&hostname={host}&hash={hash_}&internalIp=2001:DB8::5"),
            _blob(f"/prod?mode=list_hosts&hostname={host}&hash={hash_}", [("x-api-key", "K")]),
            _blob(
                "/", (), json.dumps({"execution_mode": "set", "ddns_hostname": host, "validation_hash": hash_}), "POST"
            ),
        ],
        "ddupdate": [
            *(blob for blob in recorded if b"fqdn" in blob),
            _blob(
                f"/P?fqdn=host.example.com&token={token}&ipv4=['203.0.113.9']&ipv6=['2001:db8::9']&ttl=[60]&zoneid={ZONE_ID}"
            ),
            _blob(f"/?fqdn=host.example.com&zoneid=['{ZONE_ID}']&token=[{token}]&ttl=0"),
        ],
        "signed": [
            _signed(one),
            _signed({"hostname": "nas.dyn.example.com", "prefix": "2001:db8:1::/64", "addresses": ["203.0.113.7"]}),
            _signed(
                {"as": "host1.dyn.example.com", "updates": [one, {"hostname": "bücher.example.com", "prefix": "::/64"}]}
            ),
            _signed({"as": "host1.dyn.example.com"}, "/v1/hosts"),
        ],
        "reflector": [
            *(blob for blob in recorded if b"checkip" in blob),
            _blob("/ip", [("accept", "application/json"), ("x-forwarded-for", "203.0.113.7, 2001:db8::1")]),
            *(_blob(path) for path in ("/", "/healthz", "/myip", "/prod/checkip", "/a/b")),
        ],
    }


def _http(seeds: Sequence[bytes]) -> Target:
    world = World(make_rows())
    peers = (V4, V6)

    def ask(request: Request) -> None:
        response = world.application.handle(request)
        assert isinstance(response, Response)
        assert response.status in {200, 201, 400, 401, 403, 404, 409, 500, 503}
        json.dumps(dict(response.log))

    def run(data: bytes) -> None:
        request = _request_of(data, peers[len(data) % 2])
        ask(request)
        if request.path.startswith("/v1/"):  # a body is only understood under its own signature
            header = ("homing-signature", render_signature(SECRET, int(NOW * 1000), request.body))
            ask(replace(request, headers=(header,)))

    return Target(seeds, run)


# --- names, addresses, settings, records, files, DNS messages


def _text_of(data: bytes) -> str:
    """Lone surrogates and all: JSON can carry them to where no UTF-8 could."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def _names() -> Target:
    seeds = [
        "cam.home.example.",
        "h1.dyn.example.com",
        "bücher.example",
        "xn--bcher-kva.example.",
        "*.a.b",
        "_x._tcp.z.test.",
        ".",
        "ns1.example.com",
        "faß.de",
        "אב.example",
        "日本語。jp",
        "a." * 126 + "b",
        "x" * 63 + ".example",
        "1.2.3.4",
    ]
    zone = Name("example.com.")

    def run(data: bytes) -> None:
        text = _text_of(data)
        for parse in (names.parse_name, names.parse_hostname):
            try:
                name = parse(text)
            except InvalidName:
                continue
            assert parse(name) == name
            names.to_unicode(name)
            names.is_reserved(name, zone)

    return Target([seed.encode() for seed in seeds], run)


def _addresses() -> Target:
    seeds = [
        "203.0.113.7",
        "2001:db8::7",
        "::ffff:203.0.113.7",
        "[2001:db8::7]",
        "2001:db8:1::/64",
        "10.0.0.0/8",
        "::1",
        "64:ff9b::1.2.3.4",
        "::211:22ff:fe33:4455",
        "0211:22ff:fe33:4455",
        "00:11:22:aa:bb:cc",
        "00-11-22-AA-BB-CC",
        "0011.22aa.bbcc",
        "fe80::1%eth0",
    ]
    parsers: list[Callable[[str], object]] = [
        lambda text: addresses.is_global(addresses.parse_address(text)),
        addresses.parse_address_with_length,
        addresses.parse_prefix,
        addresses.parse_interface_identifier,
        addresses.interface_identifier_from_mac,
    ]

    def run(data: bytes) -> None:
        text = _text_of(data)
        for parse in parsers:
            try:
                parse(text)
            except InvalidAddress:
                continue

    return Target([seed.encode() for seed in seeds], run)


_TOML = [
    'http_listen = ["127.0.0.1:8080", "[::1]:8080"]\ntrusted_proxies = "10.0.0.0/8, ::1"\nnote_interval = "12h"\n',
    'default_ttl = 60\nmin_ttl = 0x1e\nmax_ttl = 86_400\nrequire_signed = true\nlog_format = "json"\n',
    '[[zones]]\nname = "home.example"\nns = ["ns1.home.example", "ns2.x.net"]\nrecords = ["www 300 IN A 192.0.2.1"]\n',
    'zones = ["a.test", "b.test"]\napi_key = "k"\ndatabase = "~/x.db"\nchanges_per_minute = 1e1\n',
]


def _settings(directory: Path) -> Target:
    file = directory / "homing.toml"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(InvalidSettings):
            load(environment={}, file=file)

    return Target([text.encode() for text in _TOML], run)


def _setting_values() -> Target:
    readers = {name: setting.metadata["parse"] for name, setting in Settings.__dataclass_fields__.items()}
    seeds = [
        "127.0.0.1:8080,[::1]:53",
        "10.0.0.0/8, 192.0.2.1",
        "a.test,b.test",
        "90",
        "5m",
        "2w",
        "json",
        "true",
        "~/x.db",
        "awslabs",
        ":0",
    ]

    def run(data: bytes) -> None:
        text = _text_of(data)
        for reader in readers.values():
            try:
                reader(text)
            except InvalidInput:
                continue

    return Target([seed.encode() for seed in seeds], run)


_RECORDS = [
    "@ MX 10 mail",
    "www 300 IN A 192.0.2.1",
    "x 1h AAAA 2001:db8::1",
    'txt TXT "hello; world" x',
    "www CNAME host.example.com.",
    "_s._tcp SRV 0 5 443 host",
    '@ CAA 0 issue "ca.example"',
    "p PTR a\\.b",
    "x TYPE65400 \\# 2 ABCD",
    "b\u00fccher A 192.0.2.1",
    "sub NS ns.sub",
    "sub DS 1 8 2 " + "00" * 32,
    "h HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1",
    "l LOC 52 22 23.000 N 4 53 32.000 E -2.00m",
    'n NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:a@b!" .',
    "s SSHFP 1 1 " + "ab" * 20,
    "t TLSA 3 1 1 " + "cd" * 32,
    "@ SOA a b 1 2 3 4 5",
]


def _zone_file() -> Target:
    zone = Name("z.test.")

    def run(data: bytes) -> None:
        with contextlib.suppress(InvalidInput):
            parse_records([_text_of(data)], zone, 3600)

    return Target([line.encode() for line in _RECORDS], run)


def _dns_query() -> Target:
    world = World(())
    zone = world.zones[ZONES[0]]
    name = Name("h1.dyn.example.com.")
    zone.apply(
        [(RRsetKey(name, "A"), RRset(60, ("203.0.113.7",))), (RRsetKey(name, "AAAA"), RRset(60, ("2001:db8::7",)))], 2
    )
    zones = Zones(list(world.zones.values()))
    queries = [
        dns.message.make_query(name, rdtype, **options)  # type: ignore[arg-type]  # passed through as they are
        for rdtype in ("A", "AAAA", "ANY", "SOA", "NS", "DS", "TXT", "AXFR", "TYPE65400")
        for options in ({}, {"use_edns": 0, "want_dnssec": True, "payload": 1232, "id": 1})
    ]
    queries += [
        dns.message.make_query(text, "A", id=2) for text in ("x.dyn.example.com", "example.org", ".", "a." * 100)
    ]
    updates = json.loads((Path(__file__).parent / "vectors" / "dns_update_nsupdate.json").read_text())
    wires = [bytes.fromhex(text) for text in _hex_texts(updates)]

    def run(data: bytes) -> None:
        for udp in (True, False):
            response = answer(data, zones, udp=udp)
            assert response is None or (len(response) >= 12 and response[:2] == data[:2] and response[2] & 0x80)

    return Target([query.to_wire() for query in queries] + wires, run)


def _hex_texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if len(value) >= 24 and len(value) % 2 == 0 and set(value) <= set(string.hexdigits) else []
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for member in members for text in _hex_texts(member)]


def _formats(monkeypatch: pytest.MonkeyPatch) -> Target:
    # scrypt takes a tenth of a second by design; what is hashed cannot change what is parsed.
    monkeypatch.setattr(draft, "hash_chosen", lambda password, salt: f"scrypt$1$1$1${salt.hex()}${len(password)}")
    folder = Path(__file__).parent / "formats" / "samples"
    samples = [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()] if folder.is_dir() else []

    def run(data: bytes) -> None:
        text = _text_of(data)
        with contextlib.suppress(InvalidInput):
            imported.read(
                text, default_zone=Name("z.test."), salt=lambda: bytes(16), secret=lambda: new_secret(bytes(24))
            )

    own = [
        b'{"homing": 1, "rows": [{"hostname": "a.b.", "record_type": "A", "shared_secret": "s", "ttl": 60}]}',
        b'{"a.b.": {"aws_region": "us-west-2", "route_53_zone_id": "Z", "shared_secret": "s", "record_ttl": 60}}',
        b'conf = {"u:p": {"hosts": {"a.b.": {"zone_id": "Z", "record": {"ttl": 60, "type": "A"}}}}}',
        b'{"Items": [{"hostname": {"S": "a.b."}, "record_type": {"S": "A"}, "shared_secret": {"S": "s"}}]}',
    ]
    return Target([*own, *(sample for sample in samples if len(sample) <= 2048)], run)


_DDCLIENT = [
    b"daemon=5m, ssl=yes\nuse=web, web=dyndns, web-skip='x'\nserver=d.example.com\nlogin=a\npassword='it''s #1'\na.b\n",
    b"usev4=ifv4, ifv4=eth0, \\\nusev6=cmdv6, cmdv6='x | y', \\\nlogin_env=WHO password = \"q\" \\ # c\na.b,c.d e f\n",
    b"protocol=duckdns, password=t, host=x\r\nprotocol=cloudflare, zone=z.test script=/v3/update w.z.test\nmx=m.b\n",
]
_INADYN = [
    b"""period = 600\niface = eth0\nprovider default@dyndns.org:1 { username = a
    password = "p\\x41\\"" hostname = {a.b, "c.d"} wildcard = true }\n""",
    b"""custom x { ddns-server = d.b:1 ssl = no ddns-path = '/nic/update?hostname=%h&myip=%i' hostname += a.b
    password = "${WHO:-x}" username = u checkip-command = "a | b" include("x") } // c\n/* d\n */ allow-ipv6 = true\n""",
    b"update_period_sec 600\nusername a\npassword b\nsystem default@no-ip.com\nalias a.b,hash\nip_server_name c.d /e\n",
]


def _client_file(client: str, seeds: Sequence[bytes]) -> Target:
    def run(data: bytes) -> None:
        text = _text_of(data)
        imported_client.recognise(text, "x.conf")
        try:
            found = imported_client.read(text, client, "x", {"WHO": "a"})
        except InvalidInput:
            return
        tables = [account.table() for account in found.accounts]
        read = tomllib.loads(render_client({}, tables)).get("client", {})
        assert read.get("hosts", []) == tables
        for table in tables:
            for name, value in table.items():
                READERS[name](value)

    return Target(seeds, run)


PARSERS = [
    *_http_seeds(),
    "ddclient",
    "inadyn",
    "names",
    "addresses",
    "settings",
    "setting values",
    "zone file",
    "DNS query",
    "formats",
]


def make_target(parser: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """Return what one of PARSERS is fed; `directory` is for its files."""
    if (seeds := _http_seeds().get(parser)) is not None:
        return _http(seeds)
    made: dict[str, Callable[[], Target]] = {
        "names": _names,
        "addresses": _addresses,
        "settings": lambda: _settings(directory),
        "setting values": _setting_values,
        "zone file": _zone_file,
        "DNS query": _dns_query,
        "formats": lambda: _formats(monkeypatch),
        "ddclient": lambda: _client_file("ddclient", _DDCLIENT),
        "inadyn": lambda: _client_file("inadyn", _INADYN),
    }
    return made[parser]()
