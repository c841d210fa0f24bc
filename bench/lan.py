"""`homing lan` on a link with 250 neighbours, 40 of which are ours, over IPv4 and IPv6: 80 RRsets.

    python -m bench lan [--rounds 3] [--neighbours 250] [--ours 40]

A namespace plays all the neighbours, a macvlan link each; a server and the machine that runs `homing lan` have one of
their own. Each round names new groups of the same machines, which DNS does not show yet: with empty neighbour tables,
so that they have to be woken; with full ones; with old entries, which count only once their machine has answered; and
with old entries of machines that answer no probe, where the kernel takes five seconds to begin to ask for itself. It
also runs where nothing has changed. The time is that of the whole command, Python's start in it; requests are counted
in the server's log.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from statistics import median
from typing import TYPE_CHECKING

from tests.e2e.lan_namespaces import ip_batch, lan
from tests.e2e.programs import HOMING
from tests.e2e.programs import run as run_program

from bench.home_network import PUBLIC, ZONE, Dns, Noise, is_at_home, register, server_on, socket_on, wait_until

if TYPE_CHECKING:
    from tests.e2e.lan_namespaces import Machine
    from tests.e2e.programs import Server

    from homing.core.addresses import Address

SERVER, NETWORK, PREFIX = "10.9.8.1", "10.9.8", "2001:db8:9:8:"
PROTOCOLS = ("signed", "awslabs")
WANTED_SECONDS, WANTED_REQUESTS = 3.0, 1
Groups = Sequence[tuple[str, Sequence[str]]]
TALK = """
import socket, sys, time
for address in sys.argv[1:]:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sending:
        for _ in range(20):
            try:
                sending.sendto(b"x", (address, 9))
                break
            except OSError:
                time.sleep(0.1)  # all namespaces of a machine share one size of the tables
"""
"""Whoever sends to a neighbour has it in the table."""


@dataclass
class Seen:
    """What runs of one kind took and brought."""

    seconds: list[float] = field(default_factory=list)
    requests: list[Counter[str]] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    """How many RRsets DNS showed as they should be after each."""


@dataclass(frozen=True)
class Link:
    """The link, its server, and the machine that `homing lan` runs on."""

    server: Server
    dns: Dns
    me: Machine
    crowd: Machine
    neighbours: range
    ours: range

    def forget(self) -> None:
        """Empty the neighbour tables of this machine."""
        self.me.ip("neigh", "flush", "dev", "eth0", "nud", "all")

    def know(self) -> int:
        """Fill the tables with all neighbours; return how many entries there are."""
        addresses = [str(address) for number in self.neighbours for address in addresses_of(number)]
        subprocess.run([*self.me.prefix, sys.executable, "-c", TALK, *addresses], check=True, timeout=60)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: self._known() >= len(addresses), 5, "")
        return self._known()

    def age(self) -> None:
        """Have the entries of our machines be old ones: Linux calls so what it has not used for half a minute."""
        ours = [(number, address) for number in self.ours for address in addresses_of(number)]
        ip_batch(
            self.me.name, [f"neigh replace {one} lladdr {_mac(number)} dev eth0 nud stale" for number, one in ours]
        )

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Have no machine answer a probe, as behind a firewall of its own: somebody takes the datagrams."""
        with contextlib.ExitStack() as stack:
            for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                taking = stack.enter_context(socket_on(self.crowd, family))
                if family == socket.AF_INET6:
                    taking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                taking.bind((anywhere, 9))
            yield

    def _known(self) -> int:
        return self.me.ip("neigh", "show", "dev", "eth0").count(" lladdr ")

    def name_all(self, group: str, protocol: str, seen: Seen) -> None:
        """Run `homing lan` for a group, once."""
        settings = {"HOMING_CLIENT_SECRET": _secret(group), "HOMING_CLIENT_PUBLIC_NETWORKS": ",".join(PUBLIC)}
        command = [*HOMING, "lan", f"me-{group}.{ZONE}", "--server", f"http://{SERVER}", "--protocol", protocol]
        before = self.server.log.stat().st_size
        begun = time.perf_counter()
        done = run_program(command, self.server.folder, prefix=self.me.prefix, environment=settings)
        seen.seconds.append(time.perf_counter() - begun)
        assert done.returncode == 0, done.stdout + done.stderr
        seen.shown.append(
            sum(
                self.dns.ask(f"m{number}-{group}.{ZONE}", "A" if address.version == 4 else "AAAA") == {address}
                for number in self.ours
                for address in addresses_of(number)
            )
        )
        time.sleep(0.2)  # the log is written in batches
        seen.requests.append(requests_of(self.server.log.read_text()[before:]))


def run(*words: str) -> None:
    wanted = _options(words)
    if not is_at_home("lan", words):
        return
    ours = range(4, 4 + wanted.ours)
    kinds = (
        *("quiet machines, all new", "tables full, all new", "tables full, nothing new", "quiet, nothing new"),
        *("old entries, all new", "old and silent, all new"),
    )
    found = {(protocol, kind): Seen() for protocol in PROTOCOLS for kind in kinds}
    with Noise() as noise, _link(wanted.neighbours, ours, _groups(wanted.rounds)) as link:
        known = 0
        for protocol, (quiet, full, old, silent) in _groups(wanted.rounds):
            link.forget()
            link.name_all(quiet, protocol, found[protocol, kinds[0]])
            known = link.know()
            link.name_all(full, protocol, found[protocol, kinds[1]])
            link.name_all(full, protocol, found[protocol, kinds[2]])
            link.forget()
            link.name_all(full, protocol, found[protocol, kinds[3]])
            link.age()
            link.name_all(old, protocol, found[protocol, kinds[4]])
            if protocol == PROTOCOLS[0]:  # it takes long, and alike in both
                link.age()
                with link.silence():
                    link.name_all(silent, protocol, found[protocol, kinds[5]])
        print(f"{wanted.neighbours} neighbours, {known} entries in full tables; {wanted.ours} machines are ours")
    for (protocol, kind), seen in found.items():
        if seen.seconds:
            _print(protocol, kind, seen, 2 * wanted.ours)
    print(noise)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench lan")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--neighbours", type=int, default=250)
    parser.add_argument("--ours", type=int, default=40)
    found = parser.parse_args(words)
    found.neighbours = max(1, min(found.neighbours, 250))
    found.ours = max(1, min(found.ours, found.neighbours))
    return found


def _print(protocol: str, kind: str, seen: Seen, rrsets: int) -> None:
    print(f"{protocol:7} {kind:24} median {median(seen.seconds):.2f} s, longest {max(seen.seconds):.2f}", end="")
    print(f"; wanted under {WANTED_SECONDS:.0f}" if protocol == "signed" else "")
    requests = " or ".join(dict.fromkeys(_told(one) for one in seen.requests))
    print(f"        {min(seen.shown)} of {rrsets} RRsets shown; requests: {requests}", end="")
    print(f"; wanted {WANTED_REQUESTS} that sets" if (protocol, "all new" in kind) == ("signed", True) else "")


def _told(requests: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(requests.items())) or "none"


def requests_of(log: str) -> Counter[str]:
    """Return what a server was asked for, of its log."""
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return Counter(_kind_of(entry) for entry in entries if "path" in entry)


def _kind_of(entry: Mapping[str, str]) -> str:
    if "protocol" not in entry:
        return "asks for the own address"
    if entry["path"] == "/v1/hosts" or entry.get("host", "").startswith("me-"):
        return "lists"
    return "sets" if entry.get("outcome") == "updated" else f"sets in vain ({entry.get('outcome')})"


def _groups(rounds: int) -> Groups:
    """Return protocol and four groups for each round."""
    return [(one, [f"{one}{number}{part}" for part in "qfos"]) for number in range(rounds) for one in PROTOCOLS]


@contextmanager
def _link(neighbours: int, ours: range, groups: Groups) -> Iterator[Link]:
    with lan() as network:
        home, me, crowd = network.add(f"{SERVER}/24"), network.add(f"{NETWORK}.2/24"), network.add()
        me.ip("route", "add", "default", "via", SERVER)
        me.ip("addr", "add", f"{PREFIX}:2/64", "dev", "eth0", "nodad")
        numbers = range(4, 4 + neighbours)
        _play(crowd, me, numbers)
        flags = ("--http-listen", f"{SERVER}:80", "--dns-listen", f"{SERVER}:53", "--log-format", "json")
        with server_on(home, *flags) as server:
            register(server, [row for _, some in groups for group in some for row in _rows(group, ours)])
            dns = Dns(home, SERVER)
            yield Link(server, dns, me, crowd, numbers, ours)
            dns.close()


def _play(crowd: Machine, me: Machine, numbers: range) -> None:
    """Have one namespace play many machines; each answers for its own address, and has not the limits of one."""
    limits = {"net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0}
    manners = {"net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2}
    for name, value in (limits | manners).items():
        crowd.sysctl(name, value)
    with contextlib.suppress(AssertionError):  # of the whole machine, in kernels before 6.13
        crowd.sysctl("net.ipv4.icmp_msgs_burst", 10_000)
    lines = []
    for number in numbers:
        four, six = addresses_of(number)
        lines += [
            f"link add m{number} link eth0 address {_mac(number)} type macvlan mode bridge",
            f"addr add {four}/24 dev m{number}",
            f"addr add {six}/64 dev m{number} nodad",
            f"link set m{number} up",
            # what does not have to be learned does not fill the tables, which have one size for all namespaces
            *(
                f"neigh add {one} lladdr {me.mac} dev m{number} nud permanent"
                for one in (f"{NETWORK}.2", f"{PREFIX}:2")
            ),
        ]
    ip_batch(crowd.name, lines)


def _rows(group: str, ours: range) -> Iterator[dict[str, object]]:
    shared = {"shared_secret": _secret(group), "group": group, "allow_internal": True, "read_privilege": True}
    yield {"hostname": f"me-{group}.{ZONE}.", "record_type": "A", **shared}
    for number in ours:
        for kind in ("A", "AAAA"):
            yield {"hostname": f"m{number}-{group}.{ZONE}.", "record_type": kind, "mac_address": _mac(number), **shared}


def addresses_of(number: int) -> tuple[Address, Address]:
    return ip_address(f"{NETWORK}.{number}"), ip_address(f"{PREFIX}:5eff:{number:x}")


def _mac(number: int) -> str:
    return f"02:00:5e:20:00:{number:02x}"


def _secret(group: str) -> str:
    return f"secret-of-{group:0>20}"
