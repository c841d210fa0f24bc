"""Starting what is measured, each as a process of its own, and ending it by its id."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.hosts import Host
from homing.core.names import parse_name
from homing.core.records import RRset
from homing.core.rows import ABSENT, Commit
from homing.settings.one_machine import Settings
from homing.settings.zones import zone_settings
from homing.wiring.one_machine import open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE = "bench.test"
_FAR_FUTURE = 4_000_000_000


def secret_of(number: int) -> str:
    return f"s{number:031d}"


def fill(database: Path, count: int) -> None:
    """Put `count` hosts into a new store, all set and published."""
    desk = open_desk(Settings(zones=(zone_settings(parse_name(ZONE)),), database=database))
    hosts = []
    for number in range(count):
        rrset = RRset(60, (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",))
        hosts.append(
            Host(
                hostname=parse_name(f"h{number}.{ZONE}"),
                record_type="A",
                shared_secret=secret_of(number),
                allow_internal=True,
                version=1,
                desired=rrset,
                published=rrset,
                last_checked=_FAR_FUTURE,
            )
        )
    desk.store.commit(Commit(tuple(hosts), {host.key: ABSENT for host in hosts}))
    desk.store.close()


@contextmanager
def server(database: Path) -> Iterator[tuple[int, int, subprocess.Popen[bytes]]]:
    """Run `homing serve`; yield its HTTP port, its DNS port, and the process."""
    http, dns = free_port(), free_port()
    arguments = ["serve", "--zone", ZONE, "--database", str(database), "--log-level", "warning"]
    arguments += ["--http-listen", f"127.0.0.1:{http}", "--dns-listen", f"127.0.0.1:{dns}", "--changes-per-minute", "0"]
    with _process([sys.executable, "-m", "homing", *arguments]) as process:
        wait_for(http)
        yield http, dns, process


@contextmanager
def peer(name: str) -> Iterator[int]:
    """Run one of `bench.peers`; yield its port."""
    port = free_port()
    with _process([sys.executable, "-m", "bench.peers", name, str(port)]):
        if name == "constant":
            wait_for(port)
        else:
            time.sleep(1)
        yield port


def http_load(port: int, connections: int, seconds: float, requests: list[str]) -> dict[str, Any]:
    """Run the load generator to its end."""
    command = [sys.executable, "-m", "bench.http_load", "127.0.0.1", str(port), str(connections), str(seconds)]
    done = subprocess.run(command, input=json.dumps(requests).encode(), stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def resident_megabytes(process: subprocess.Popen[bytes]) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            time.sleep(0.005)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)
