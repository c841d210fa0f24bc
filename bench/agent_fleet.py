"""The agents that are measured: `homing run` on many machines of one network, half over HTTP and half over HTTPS.

Many, because an agent takes a change that follows another within a minute for a flapping link, and waits longer.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import trustme
from tests.e2e.lan_namespaces import ip_batch, lan
from tests.e2e.programs import HOMING, clean_environment

from bench.home_network import PUBLIC, ZONE, Dns, register, server_on, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lan_namespaces import Lan, Machine
    from tests.e2e.programs import Server

    from homing.core.addresses import Address

SERVER = "10.9.0.1"
LONGEST = 90.0
"""Seconds after which an address that DNS does not show counts as missing."""
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Follower:
    """One agent and its machine, whose link bears a private address that stays, and public ones that change."""

    number: int
    scheme: str
    machine: Machine
    folder: Path
    process: subprocess.Popen[bytes]
    moves: int = 0
    moved_at: float = 0.0

    @property
    def name(self) -> str:
        return name_of(self.number)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def has_seen_dns(self) -> bool:
        return "DNS shows" in self.log

    def address(self, family: int) -> Address:
        """Return the address of now."""
        return addresses_of(self.number, self.moves + self.number // 2 % 2)[family]

    @property
    def next_family(self) -> Literal[4, 6]:
        """Return the family of the next change; the agents of each scheme take turns."""
        return 4 if (self.moves + self.number // 2) % 2 == 0 else 6

    def move(self, dns: Dns) -> float | None:
        """Have one address go and another come; return the seconds until DNS shows it, None if it never does.

        The program that sets them is running before the clock is: to start it would cost more than it does.
        """
        family = self.next_family
        old = self.address(family)
        self.moves += 1
        new = self.address(family)
        lines = [f"addr add {new}/32 dev eth0", f"addr del {old}/32 dev eth0"]
        if family == 6:  # as a router does it that announces another prefix
            lines = [f"addr add {new}/64 dev eth0 nodad", f"addr change {old}/64 dev eth0 preferred_lft 0"]
        with subprocess.Popen(["ip", "-n", self.machine.name, "-batch", "-"], stdin=subprocess.PIPE) as ip:
            assert ip.stdin is not None
            time.sleep(0.05)
            begun = time.perf_counter()
            ip.stdin.write("\n".join([*lines, ""]).encode())
            ip.stdin.close()
            shown = dns.wait_for(self.name, new, LONGEST)
        assert ip.returncode == 0, lines
        self.moved_at = time.monotonic()
        return None if shown is None else shown - begun

    def megabytes(self, field: str) -> float:
        """Return VmRSS or VmHWM."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{field}:")[2].split()[0]) / 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def switches(self) -> int:
        """Return how often its threads were given a core."""
        texts = [one.read_text() for one in Path(f"/proc/{self.process.pid}/task").glob("*/status")]
        kinds = ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
        return sum(int(text.partition(f"\n{kind}:")[2].split()[0]) for text in texts for kind in kinds)


def name_of(number: int) -> str:
    return f"h{number}.{ZONE}"


def addresses_of(number: int, moves: int) -> dict[int, Address]:
    """Return what a machine has after so many changes, each family of its own: IPv6 changes with the odd ones."""
    return {
        4: ip_address(f"{('198.51.100', '203.0.113')[(moves + 1) // 2 % 2]}.{number + 1}"),
        6: ip_address(f"2001:db8:{moves // 2 + 1:x}:{number:x}::7"),
    }


@contextmanager
def fleet(count: int) -> Iterator[tuple[Server, Dns, list[Follower]]]:
    """Run a server and `count` agents, whose names DNS shows."""
    with lan() as network, ExitStack() as stack:
        home = network.add(f"{SERVER}/16")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate = _certificate(folder)
        listen = ("--http-listen", f"{SERVER}:80", "--https-listen", f"{SERVER}:443", "--dns-listen", f"{SERVER}:53")
        server = stack.enter_context(server_on(home, *listen, *certificate, "--log-format", "json"))
        rows = [
            {"hostname": f"{name_of(number)}.", "record_type": kind, "shared_secret": _secret(number)}
            for number in range(count)
            for kind in ("A", "AAAA")
        ]
        register(server, rows)
        dns = Dns(home, SERVER)
        stack.callback(dns.close)
        yield server, dns, [stack.enter_context(_follower(network, folder, number)) for number in range(count)]


@contextmanager
def _follower(network: Lan, folder: Path, number: int) -> Iterator[Follower]:
    scheme = ("http", "https")[number % 2]
    machine = network.add(f"10.9.{1 + number // 250}.{number % 250 + 1}/16")
    first = addresses_of(number, number // 2 % 2)
    ip_batch(machine.name, [f"addr add {first[4]}/32 dev eth0", f"addr add {first[6]}/64 dev eth0 nodad"])
    own = folder / str(number)
    own.mkdir()
    settings = {
        "HOMING_CLIENT_SERVER": f"{scheme}://{SERVER}",
        "HOMING_CLIENT_SECRET": _secret(number),
        "HOMING_CLIENT_PUBLIC_NETWORKS": ",".join(PUBLIC),
        "HOMING_CLIENT_DNS_SERVER": SERVER,
        "HOMING_AGENT_STATE_FILE": str(own / "state"),
    }
    if scheme == "https":
        settings["HOMING_CLIENT_CA_FILE"] = str(folder / "authority.pem")
    with (own / "log").open("wb") as stream:
        command = [*machine.prefix, *HOMING, "run", name_of(number)]
        process = subprocess.Popen(command, cwd=own, env=clean_environment(own, **settings), stderr=stream)
    try:
        follower = Follower(number, scheme, machine, own, process)
        yield follower
    finally:
        process.terminate()
        process.wait(20)


def wait_for_all(agents: list[Follower]) -> None:
    """Wait until DNS has shown the first address of each, and each knows it."""
    for agent in agents:
        wait_until(agent.has_seen_dns, 120, f"no first update of {agent.name}")


def updates_of(server: Server) -> int:
    """Return how many updates the server was sent."""
    time.sleep(0.5)
    lines = server.log.read_text().splitlines()
    return sum(json.loads(line).get("path") == "/v1/update" for line in lines if line.startswith("{"))


def _certificate(folder: Path) -> tuple[str, ...]:
    authority = trustme.CA()
    issued = authority.issue_cert(SERVER)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    for part in issued.cert_chain_pems:
        part.write_to_path(str(folder / "chain.pem"), append=True)
    return ("--tls-cert", str(folder / "chain.pem"), "--tls-key", str(folder / "key.pem"))


def _secret(number: int) -> str:
    return f"s{number:031d}"
