"""One update by a program that is started for it: `homing update` beside curl with openssl, and ddclient.

    python -m bench oneshot [--rounds 15]

All take turns in each round, and each run is a change of its host, at a server on loopback, over plain HTTP. Wall is
until the program has ended, CPU is that of all its processes, memory the peak of the largest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.home_network import Noise
from bench.processes import ZONE, fill, secret_of, server
from homing.client.lookup import ask_dns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SH = """\
TIME=$(date +%s%3N)
BODY="{\\"hostname\\": \\"$HOST\\", \\"addresses\\": [\\"$ADDRESS\\"]}"
SIGNATURE=$(printf %s "$TIME.$BODY" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/.* //')
curl -sf "$SERVER/v1/update" -H "Homing-Signature: t=$TIME,v1=$SIGNATURE" -d "$BODY"
"""
DDCLIENT = """\
protocol=dyndns2
ssl=no
server={server}
use=ip, ip={address}
login={host}
password='{secret}'
{host}
"""
WATCH = """
import os, sys, time
begun = time.perf_counter()
_, status, used = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
took = time.perf_counter() - begun
print("\\n", os.waitstatus_to_exitcode(status), took, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
"""Starts a program and tells what it cost. A process begins with the peak of its parent, so that this one is small."""


@dataclass(frozen=True)
class Job:
    """One update that has to be made. The folder is the program's own."""

    folder: Path
    port: int
    number: int
    address: str

    @property
    def host(self) -> str:
        return f"h{self.number}.{ZONE}"

    @property
    def secret(self) -> str:
        return secret_of(self.number)


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds, seconds, and megabytes (2**20 bytes)."""

    wall: float
    cpu: float
    memory: float


def _python(_: Job) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-c", "pass"], {}


def _homing(job: Job, *flags: str) -> tuple[list[str], dict[str, str]]:
    server = ("--server", f"http://127.0.0.1:{job.port}", "--allow-internal")
    command = [sys.executable, "-m", "homing", "update", job.host, *server, "--address", job.address, *flags]
    return command, {"HOMING_CLIENT_SECRET": job.secret}


def _dyndns2(job: Job) -> tuple[list[str], dict[str, str]]:
    return _homing(job, "--protocol", "dyndns2")


def _sh(job: Job) -> tuple[list[str], dict[str, str]]:
    told = {"HOST": job.host, "SECRET": job.secret, "ADDRESS": job.address, "SERVER": f"http://127.0.0.1:{job.port}"}
    return ["sh", "-ec", SH], told


def _ddclient(job: Job) -> tuple[list[str], dict[str, str]]:
    file = job.folder / "ddclient.conf"
    server = f"127.0.0.1:{job.port}"
    file.write_text(DDCLIENT.format(server=server, address=job.address, host=job.host, secret=job.secret))
    file.chmod(0o600)
    flags = ("-daemon=0", "-force", "-file", str(file), "-cache", str(job.folder / f"cache-{job.address}"))
    return ["ddclient", "-foreground", *flags], {}


CASES: dict[str, tuple[tuple[str, ...], Callable[[Job], tuple[list[str], dict[str, str]]]]] = {
    "python that does nothing": ((), _python),
    "homing update": ((), _homing),
    "homing update, dyndns2": ((), _dyndns2),
    "sh, curl and openssl": (("curl", "openssl"), _sh),
    "ddclient, dyndns2": (("ddclient",), _ddclient),
}
"""What takes turns, the programs that each needs, and what is run."""


def run(*words: str) -> None:
    parser = argparse.ArgumentParser("python -m bench oneshot")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = max(1, parser.parse_args(words).rounds)
    cases = {name: made for name, (needed, made) in CASES.items() if all(map(shutil.which, needed))}
    costs: dict[str, list[Cost]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory() as folder, Noise() as noise:
        database = Path(folder) / "bench.db"
        fill(database, len(cases))
        with server(database) as (port, dns_port, _):
            for turn in range(rounds):
                for number, (name, made) in enumerate(cases.items()):
                    job = Job(Path(folder), port, number, f"10.99.{turn // 250}.{turn % 250 + 1}")
                    costs[name].append(_cost(*made(job), job.folder))
                    if made is not _python:
                        _check(job, dns_port)
    _print(costs)
    print(noise)
    if lacking := [name for name in CASES if name not in cases]:
        print(f"left out, since a program is missing: {', '.join(lacking)}")


def _cost(command: Sequence[str], told: Mapping[str, str], folder: Path) -> Cost:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C", **told}
    watch = [sys.executable, "-I", "-S", "-c", WATCH, *command]
    done = subprocess.run(watch, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    *_, last = done.stdout.splitlines() or [""]
    code, wall, cpu, kilobytes = map(float, last.split())
    assert code == 0, done.stdout + done.stderr
    return Cost(wall, cpu, kilobytes / 1024)


def _check(job: Job, dns_port: int) -> None:
    shown = ask_dns(job.host, "A", ("127.0.0.1", dns_port))
    assert shown == frozenset((ip_address(job.address),)), (job.host, shown)


def _print(costs: Mapping[str, Sequence[Cost]]) -> None:
    base = _middle(costs["homing update"])
    for name, some in costs.items():
        one = _middle(some)
        print(f"{name:24} {one.wall * 1000:6.0f} ms wall ({one.wall / base.wall:.2f} of the second line)", end="")
        print(f", {one.cpu * 1000:5.0f} ms CPU ({one.cpu / base.cpu:.2f})", end="")
        print(f", {one.memory:5.1f} MB ({one.memory / base.memory:.2f})")


def _middle(costs: Sequence[Cost]) -> Cost:
    return Cost(*(median(getattr(one, part) for one in costs) for part in ("wall", "cpu", "memory")))
