"""homing demo: everything on loopback, one real update seen in DNS, and lines to paste that work as printed."""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homing.cli.demo_agent import DemoAgent, agent_lines, ending, show_agent
from homing.core.names import Name
from homing.core.records import RRset
from homing.settings.one_machine import Settings
from homing.settings.zones import ZoneSettings, zone_settings

if TYPE_CHECKING:
    from homing.core.hosts import Host
    from homing.runtimes.server import Running

ZONE = Name("home.test.")
_HOSTS = ("demo", "hash", "post", "router", "token", "signed", "ddclient", "agent")


@dataclass(frozen=True)
class Place:
    """Where the demo listens, and what the lines to paste need."""

    http: str
    https: str | None
    authority: Path | None
    """The certificate that HTTPS is trusted by."""
    dns_port: int
    secrets: dict[str, str]
    zone_id: str
    token: str
    folder: Path


@click.command()
@click.option("--once", is_flag=True, help="End after that, with exit code 0 if DNS showed it.")
def demo(*, once: bool) -> None:
    """Serve the zone home.test on loopback, make one real update, and have the agent follow an address that changes.

    It goes on until Ctrl-C, with lines to paste for each protocol.

    \b
    Example:
      homing demo
      homing demo --once
    """
    from homing.runtimes.server import run

    logging.getLogger().addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory(prefix="homing-demo-") as folder:
        run(_demo(Path(folder), once=once))


async def _demo(folder: Path, *, once: bool) -> None:
    from homing.runtimes.server import running, stop_signal

    told = stop_signal()
    certificate, key, authority = _make_certificate(folder)
    settings = Settings(
        zones=(_zone(),),
        database=folder / "homing.db",
        http_listen=(("127.0.0.1", 0),),
        https_listen=(("127.0.0.1", 0),) if authority else (),
        tls_cert=certificate,
        tls_key=key,
        dns_listen=(("127.0.0.1", 0),),
    )
    async with running(settings) as server:
        place = await asyncio.to_thread(_register, server, folder, authority)
        await asyncio.to_thread(_show_one_update, place)
        with ending(_make_agent(place)) as agent:
            await asyncio.to_thread(show_agent, agent, lambda name: _ask(name, place.dns_port))
            if once:
                return
            click.echo(_lines(place, agent))
            await told.wait()


def _zone() -> ZoneSettings:
    return zone_settings(ZONE, records=("ns1 A 127.0.0.1",))


def _make_certificate(folder: Path) -> tuple[Path | None, Path | None, Path | None]:
    """Return chain, key and authority, if the library that makes them is installed."""
    try:
        import trustme
    except ImportError:
        click.echo("(no HTTPS here: pip install 'homing[demo]' makes a certificate for it)\n")
        return None, None, None
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    chain, key, root = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(root))
    return chain, key, root


def _register(server: Running, folder: Path, authority: Path | None) -> Place:
    """Make a host for each line to paste; they may hold loopback addresses, which no real host should."""
    desk = server.machine.administration
    hosts: dict[str, list[Host]] = {
        label: desk.add_host(Name(f"{label}.{ZONE}"), allow_internal=True, comment="made by homing demo")
        for label in _HOSTS
    }
    zone_ids = {zone.id: zone.name for zone in server.machine.zones}
    zone_id, token = desk.token(Name(f"token.{ZONE}"), zone_ids, None)
    urls = {one.tls: f"{'https' if one.tls else 'http'}://127.0.0.1:{one.port}" for one in server.http.addresses}
    place = Place(
        http=urls[False],
        https=urls.get(True),
        authority=authority,
        dns_port=server.dns.addresses[0][1],
        secrets={label: made[0].shared_secret for label, made in hosts.items()},
        zone_id=zone_id,
        token=token,
        folder=folder,
    )
    (folder / "ddclient.conf").write_text(_ddclient(place))
    (folder / "ddclient.conf").chmod(0o600)
    return place


def _show_one_update(place: Place) -> None:
    """Ask DNS, update with the client's own code, ask DNS again. Raises ClickException if it does not show."""
    from homing.client.remote import send
    from homing.protocols import signed

    hostname, address = f"demo.{ZONE}", "127.0.0.2"
    tls = ssl.create_default_context(cafile=str(place.authority)) if place.authority else None
    url = (place.https or place.http) + signed.UPDATE_PATH
    click.echo(f"{'DNS before':12} {hostname} {_ask(hostname, place.dns_port) or 'has no address'}")
    body, headers = signed.make_update(place.secrets["demo"], int(time.time() * 1000), hostname, [address])
    status, answer = send(url, method="POST", headers=headers, body=body, tls=tls)
    click.echo(f"{'update':12} POST {url} {body.decode()}\n{'answer':12} {status} {answer.decode()}")
    shown = _ask(hostname, place.dns_port)
    click.echo(f"{'DNS after':12} {hostname} {shown or 'has no address'}")
    if shown != address:
        raise click.ClickException("DNS does not show the update")


def _make_agent(place: Place) -> DemoAgent:
    agent = DemoAgent(place.folder, f"agent.{ZONE}".rstrip("."))
    agent.write_settings(place.https or place.http, place.secrets["agent"], place.dns_port, place.authority)
    return agent


def _ask(hostname: str, port: int) -> str | None:
    """Return the address that our own DNS server answers, as any resolver would hear it."""
    import dns.message
    import dns.query
    import dns.rdatatype

    answer = dns.query.udp(dns.message.make_query(hostname, "A"), "127.0.0.1", timeout=5, port=port)
    found = RRset(0, tuple(record.to_text() for rrset in answer.answer for record in rrset))
    return found.rdata[0] if found.rdata else None


def _ddclient(place: Place) -> str:
    return f"""\
protocol=dyndns2
ssl=no
server={place.http.partition("://")[2]}
use=ip, ip=127.0.0.7
login=ddclient.home.test
password={place.secrets["ddclient"]}
ddclient.home.test
"""


def _lines(place: Place, agent: DemoAgent) -> str:
    """Return lines to paste; each works as it stands, and says "unchanged" the second time."""
    secrets, http, folder = place.secrets, place.http, place.folder
    tls = f"\ncurl -s --cacert {place.authority} {place.https}/ip\n" if place.https else ""
    return f"""
Paste these in another terminal. Each changes what dig answers; the second time it says "unchanged".
Put another address in (127.0.0.x), or another --interface, to change it again.

# dyndns2, as routers speak it
curl -s -u 'router.home.test:{secrets["router"]}' '{http}/nic/update?hostname=router.home.test&myip=127.0.0.3'
dig @127.0.0.1 -p {place.dns_port} router.home.test +short

# awslabs v1 and v2: the address is where the request comes from, and goes into the hash
A=$(curl -s --interface 127.0.0.4 '{http}/?mode=get' | cut -d'"' -f4); H=hash.home.test.; \\
curl -s --interface 127.0.0.4 "{http}/?mode=set&hostname=$H&hash=$(printf %s "$A$H"'{secrets["hash"]}' \\
| sha256sum | cut -d' ' -f1)"; echo
dig @127.0.0.1 -p {place.dns_port} hash.home.test +short

# awslabs v3: the same hash in a POST
A=127.0.0.5; H=post.home.test; V=$(printf %s "$A$H"'{secrets["post"]}' | sha256sum | cut -d' ' -f1); \\
curl -s --interface $A '{http}/' -H 'content-type: application/json' \\
-d '{{"execution_mode":"set", "ddns_hostname":"'$H'", "validation_hash":"'$V'"}}'; echo
dig @127.0.0.1 -p {place.dns_port} post.home.test +short

# ddupdate: a token for one name
curl -s '{http}/?fqdn=token.home.test&zoneid={place.zone_id}&token={place.token}&ipv4=127.0.0.6'
dig @127.0.0.1 -p {place.dns_port} token.home.test +short

# signed: nobody can send it again
T=$(date +%s%3N); B='{{"hostname":"signed.home.test","addresses":["127.0.0.8"]}}'; \\
V=$(printf %s "$T.$B" | openssl dgst -sha256 -hmac '{secrets["signed"]}' | sed 's/.* //'); \\
curl -s '{http}/v1/update' -H "Homing-Signature: t=$T,v1=$V" -d "$B"; echo
dig @127.0.0.1 -p {place.dns_port} signed.home.test +short

# ddclient, in the foreground
ddclient -foreground -daemon=0 -noquiet -verbose -file {folder}/ddclient.conf -cache {folder}/ddclient.cache
dig @127.0.0.1 -p {place.dns_port} ddclient.home.test +short

{agent_lines(agent, place.dns_port)}{tls}
Ctrl-C ends it and leaves nothing behind.
"""
