"""Networks of namespaces for what is measured on the machine at home, and what the machine itself did meanwhile.

The networks are those of the end-to-end tests. They need root; whoever is not root gets a user namespace of their own,
where the system allows that.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from tests.e2e.programs import serving

from homing.client.lookup import make_query, parse_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.e2e.lan_namespaces import Machine
    from tests.e2e.programs import Server

    from homing.core.addresses import Address
    from homing.core.hosts import RecordType

ZONE = "bench.test"
PUBLIC = ("198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
"""What client and server take for global in there (RFC 5737, RFC 3849)."""
POLL = 0.002
"""Seconds between two questions to DNS."""
_INSIDE = "HOMING_BENCH_INSIDE"
_AS_ROOT = ("unshare", "--user", "--map-root-user", "--net", "--mount")
_MOUNTED = ("sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh")
_CLONE_NEWNET = 0x40000000
_AUTHORITATIVE = 0x04


def is_at_home(name: str, words: Sequence[str]) -> bool:
    """Tell whether a benchmark may go on here; if not, it has been run elsewhere, or it was said why it was not."""
    if shutil.which("ip") is None or not sys.platform.startswith("linux"):
        print("needs network namespaces: Linux, and the program ip (Debian: apt-get install iproute2); left out")
        return False
    if os.geteuid() == 0:
        return True
    if subprocess.run([*_AS_ROOT, *_MOUNTED, "ip", "netns", "add", "x"], capture_output=True, check=False).returncode:
        print("needs network namespaces: root, or user namespaces without privilege; left out")
        return False
    command = [*_AS_ROOT, *_MOUNTED, sys.executable, "-m", "bench", name, *words]
    subprocess.run(command, check=True)
    return False


@contextmanager
def server_on(machine: Machine, *flags: str) -> Iterator[Server]:
    """Run `homing serve` on a machine of the network, without the limits that one impatient client would meet."""
    public = [word for network in PUBLIC for word in ("--public-networks", network)]
    limits = ("--changes-per-minute", "0", "--response-rate", "0")
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), "--zone", ZONE, *public, *limits, *flags, prefix=machine.prefix, loopback=False) as one,
    ):
        yield one


def register(server: Server, rows: Sequence[Mapping[str, object]]) -> None:
    """Put hosts into the store, all at once."""
    file = server.folder / "rows.json"
    file.write_text(json.dumps({"homing": 1, "rows": rows}))
    done = server.homing("import", file)
    assert done.returncode == 0, done.stderr


def socket_on(machine: Machine, family: int = socket.AF_INET) -> socket.socket:
    """Return a UDP socket of another namespace. A thread enters it, since a process cannot leave again."""
    made: list[socket.socket] = []

    def enter() -> None:
        with open(f"/run/netns/{machine.name}", "rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) == 0:
                made.append(socket.socket(family, socket.SOCK_DGRAM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return made[0]


class Dns:
    """Asks one server over one kept socket."""

    def __init__(self, machine: Machine, address: str) -> None:
        self._socket = socket_on(machine)
        self._socket.settimeout(1.0)
        self._socket.connect((address, 53))

    def ask(self, name: str, record_type: RecordType) -> frozenset[Address]:
        """Return what it shows, with authority."""
        query = make_query(time.monotonic_ns() & 0xFFFF, name, record_type)
        self._socket.send(query)
        while (wire := self._socket.recv(4096))[:2] != query[:2]:
            pass
        assert wire[2] & _AUTHORITATIVE, wire
        found = parse_answer(query, wire, record_type)
        assert found is not None, wire
        return found

    def wait_for(self, name: str, address: Address, seconds: float) -> float | None:
        """Return when it first showed nothing but this address; None if it did not in time."""
        end = time.perf_counter() + seconds
        record_type: RecordType = "A" if address.version == 4 else "AAAA"
        while (begun := time.perf_counter()) < end:
            if self.ask(name, record_type) == {address}:
                return time.perf_counter()
            time.sleep(max(0.0, begun + POLL - time.perf_counter()))
        return None

    def close(self) -> None:
        self._socket.close()


class Noise:
    """How late this machine wakes up a thread that sleeps for 10 ms: what no program can be quicker than."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Noise:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ending.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._is_ending.is_set():
            begun = time.perf_counter()
            time.sleep(0.01)
            self._late.append(time.perf_counter() - begun - 0.01)

    def __str__(self) -> str:
        return f"noise of this machine meanwhile, a sleep of 10 ms ended late by: {cuts(self._late)}"


def cuts(seconds: Sequence[float]) -> str:
    """Return what is said of times: milliseconds."""
    if len(seconds) < 2:
        return f"p50 {median(seconds) * 1000:.0f} ms" if seconds else "nothing"
    hundredths = quantiles(seconds, n=100, method="inclusive")
    shown = {"p50": hundredths[49], "p90": hundredths[89], "p99": hundredths[98], "max": max(seconds)}
    return ", ".join(f"{name} {value * 1000:.1f}" for name, value in shown.items()) + " ms"


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)
