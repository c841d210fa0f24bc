"""The serverless system on loopback: real updates through Lambda's own runtime client, and lines to paste.

What stands for AWS: awslambdaric for Lambda, moto's server for DynamoDB, a strict Route 53 with a DNS view of it. The
code under the clients is the package that `homing aws package` builds.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import signal
import ssl
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local_aws.event_kinds import STAGE, FunctionUrl, RestApi
from local_aws.stack import LocalAws, Options, Places

if TYPE_CHECKING:
    from collections.abc import Sequence

ZONE = "home.test."
LABELS = ("curl", "v2", "v3", "router", "hash", "post", "signed", "ddclient")
END = "Ctrl-C ends it and leaves nothing behind."
_DRAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Place:
    """Where the demo listens, and what the lines to paste need."""

    url: str
    port: int
    tls_url: str
    rest_url: str
    rest_port: int
    authority: Path
    dns_port: int
    secrets: dict[str, str]
    folder: Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Start everything, show three updates, leave lines to paste until Ctrl-C; with --once end after the updates."""
    parser = argparse.ArgumentParser(prog="python -m local_aws", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the updates, with 0 if DNS showed each")
    asked = parser.parse_args(arguments)
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    print("starting Lambda, DynamoDB and Route 53 on loopback ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="homing-demo-aws-") as name:
        folder = Path(name)
        with LocalAws(Options(zones=(ZONE,), drain_seconds=_DRAIN_SECONDS), Places.make(folder)) as aws:
            place = _register(aws, folder)
            is_shown = _show_updates(aws, place)
            if is_shown and not asked.once:
                print(_lines(place), flush=True)
                told.wait()
    sys.exit(0 if is_shown else 1)


def _register(aws: LocalAws, folder: Path) -> Place:
    """Open the ways in and make a host for each update; they may hold loopback addresses, as no real host should."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    plain, rest = aws.open_front(FunctionUrl()), aws.open_front(RestApi())
    place = Place(
        url=plain.url,
        port=plain.port,
        tls_url=aws.open_front(FunctionUrl(), tls=context).url,
        rest_url=f"{rest.url}/{STAGE}",
        rest_port=rest.port,
        authority=folder / "ca.pem",
        dns_port=aws.dns.port,
        secrets={label: aws.add_host(f"{label}.{ZONE}", allow_internal=True) for label in LABELS},
        folder=folder,
    )
    (folder / "ddclient.conf").write_text(_ddclient(place))
    (folder / "ddclient.conf").chmod(0o600)
    return place


# --- three updates


def _show_updates(aws: LocalAws, place: Place) -> bool:
    """Update by dyndns2, awslabs v2 and awslabs v3; return whether DNS showed each."""
    curl = base64.b64encode(f"curl.{ZONE}:{place.secrets['curl']}".encode()).decode()
    v2, v3 = f"v2.{ZONE}", "v3.home.test"
    body = {"execution_mode": "set", "ddns_hostname": v3, "validation_hash": digest("127.0.0.5", v3, place.secrets)}
    return all((
        _show(aws, "dyndns2", f"curl.{ZONE}", "127.0.0.2", place.port, f"/nic/update?hostname=curl.{ZONE}",
              headers={"Authorization": f"Basic {curl}"}),
        _show(aws, "awslabs v2", v2, "127.0.0.4", place.rest_port,
              f"/{STAGE}?mode=set&hostname={v2}&hash={digest('127.0.0.4', v2, place.secrets)}"),
        _show(aws, "awslabs v3", f"{v3}.", "127.0.0.5", place.port, "/", body=json.dumps(body)),
    ))  # fmt: skip


def digest(address: str, hostname: str, secrets: dict[str, str]) -> str:
    """Return the hash of the awslabs clients: over the address that the server sees, the name, and the secret."""
    return hashlib.sha256(f"{address}{hostname}{secrets[hostname.partition('.')[0]]}".encode()).hexdigest()


def _show(
    aws: LocalAws,
    protocol: str,
    hostname: str,
    address: str,
    port: int,
    target: str,
    *,
    headers: dict[str, str] | None = None,
    body: str | None = None,
) -> bool:
    """Ask DNS, send one request from `address`, ask DNS again."""
    print(f"\n{'DNS before':12} {hostname} {_shown(aws, hostname)}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(address, 0))
    try:
        connection.request("POST" if body else "GET", target, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    print(f"{protocol:12} {'POST' if body else 'GET'} {target} {body or ''}".rstrip())
    print(f"{'answer':12} {answer.status} {text.rstrip()}")
    print(f"{'DNS after':12} {hostname} {_shown(aws, hostname)}", flush=True)
    return aws.dns.ask(hostname) == [address]


def _shown(aws: LocalAws, hostname: str) -> str:
    return " ".join(aws.dns.ask(hostname)) or "has no address"


# --- lines to paste


def _ddclient(place: Place) -> str:
    return f"""\
protocol=dyndns2
ssl=yes
ssl_ca_file={place.authority}
server={place.tls_url.partition("://")[2]}
use=ip, ip=127.0.0.7
login=ddclient.home.test
password={place.secrets["ddclient"]}
ddclient.home.test
"""


def _lines(place: Place) -> str:
    """Return lines to paste; each works as it stands, and says "unchanged" the second time."""
    secrets, url, folder, dig = place.secrets, place.url, place.folder, f"dig @127.0.0.1 -p {place.dns_port}"
    v2 = digest("127.0.0.14", f"hash.{ZONE}", secrets)
    v3 = digest("127.0.0.15", "post.home.test", secrets)
    return f"""
Paste these in another terminal. Each changes what dig answers; the second time it says "unchanged".
Put another address in (127.0.0.x), or another --interface, to change it again.

# dyndns2 at the function URL, as routers speak it
curl -s -u 'router.home.test:{secrets["router"]}' '{url}/nic/update?hostname=router.home.test&myip=127.0.0.3'
{dig} router.home.test +short

# awslabs v1 and v2 at a REST API: the hash is over the address that the request comes from, here 127.0.0.14
curl -s --interface 127.0.0.14 '{place.rest_url}?mode=set&hostname=hash.{ZONE}&hash={v2}'; echo
{dig} hash.home.test +short

# awslabs v3: the same hash in a POST, here from 127.0.0.15
curl -s --interface 127.0.0.15 '{url}/' -H 'content-type: application/json' \\
-d '{{"execution_mode":"set", "ddns_hostname":"post.home.test", "validation_hash":"{v3}"}}'; echo
{dig} post.home.test +short

# signed: nobody can send it again
T=$(date +%s%3N); B='{{"hostname":"signed.home.test","addresses":["127.0.0.8"]}}'; \\
V=$(printf %s "$T.$B" | openssl dgst -sha256 -hmac '{secrets["signed"]}' | sed 's/.* //'); \\
curl -s '{url}/v1/update' -H "Homing-Signature: t=$T,v1=$V" -d "$B"; echo
{dig} signed.home.test +short

# ddclient over HTTPS, in the foreground
ddclient -foreground -daemon=0 -noquiet -verbose -file {folder}/ddclient.conf -cache {folder}/ddclient.cache
{dig} ddclient.home.test +short

curl -s --cacert {place.authority} {place.tls_url}/ip

{END}
"""
