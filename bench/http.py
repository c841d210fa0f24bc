"""Updates a second over HTTP: unchanged beside a constant answer, and changed ones, durable."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from statistics import median

from bench.processes import ZONE, fill, http_load, peer, secret_of, server

CONNECTIONS = 32
ROUNDS = 3
SECONDS = 3.0


def update(host: int, address: str) -> str:
    hostname = f"h{host}.{ZONE}"
    basic = base64.b64encode(f"{hostname}:{secret_of(host)}".encode()).decode()
    return (
        f"GET /nic/update?hostname={hostname}&myip={address} HTTP/1.1\r\nHost: bench\r\n"
        f"Authorization: Basic {basic}\r\n\r\n"
    )


def unchanged(hosts: int) -> list[str]:
    some = range(0, hosts, max(1, hosts // 1000))
    return [update(host, f"10.{host >> 16 & 255}.{host >> 8 & 255}.{host & 255}") for host in some]


def changed(hosts: int, turn: int) -> list[str]:
    """Every host goes to and fro between two addresses: whatever comes next, it is a change."""
    some = range(0, hosts, max(1, hosts // 1000))
    return [update(host, f"172.{16 + turn}.{flip}.{host % 250 + 1}") for flip in (0, 1) for host in some]


def run() -> None:
    with tempfile.TemporaryDirectory() as folder, peer("constant") as constant:
        database = Path(folder) / "bench.db"
        fill(database, 1000)
        with server(database) as (port, _, _):
            pairs = []
            for _ in range(ROUNDS):
                base = http_load(constant, CONNECTIONS, SECONDS, unchanged(1))["per_second"]
                ours = http_load(port, CONNECTIONS, SECONDS, unchanged(1000))
                assert ours["other"] + ours["good"] == 0, ours
                pairs.append((ours["per_second"], base))
            ratio = median(ours / base for ours, base in pairs)
            print(f"unchanged dyndns2, {CONNECTIONS} connections    {median(o for o, _ in pairs):8.0f}/s", end="")
            print(f"   {ratio:.2f} of a constant answer ({median(b for _, b in pairs):.0f}/s); wanted 0.3")
            rates = []
            for turn in range(ROUNDS):
                found = http_load(port, CONNECTIONS, SECONDS, changed(1000, turn))
                assert found["good"] == found["ok"] > found["other"] == 0, found
                rates.append(found["per_second"])
            print(f"changed dyndns2, durable, {CONNECTIONS} connections {median(rates):6.0f}/s   wanted 2500/s")
