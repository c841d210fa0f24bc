"""From 1,000 to 100,000 hosts: start, memory, and whether the rates hold."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import dns.message
import dns.query

from bench.http import CONNECTIONS, SECONDS, changed, unchanged
from bench.processes import ZONE, fill, http_load, resident_megabytes, server

SIZES = (1_000, 100_000)


def run() -> None:
    found = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder) / "bench.db"
            fill(database, size)
            begun = time.monotonic()
            with server(database) as (port, dns_port, process):
                dns.query.udp(dns.message.make_query(f"h{size - 1}.{ZONE}", "A"), "127.0.0.1", port=dns_port, timeout=5)
                started = time.monotonic() - begun
                polls = http_load(port, CONNECTIONS, SECONDS, unchanged(size))["per_second"]
                changes = http_load(port, CONNECTIONS, SECONDS, changed(size, 0))["per_second"]
                found[size] = (polls, changes)
                print(
                    f"{size:7} hosts: first answer after {started:.2f} s, {resident_megabytes(process):.0f} MB, "
                    f"{polls:.0f} polls/s, {changes:.0f} changes/s"
                )
    (polls, changes), (many_polls, many_changes) = found[SIZES[0]], found[SIZES[1]]
    ratios = f"polls {many_polls / polls:.2f}, changes {many_changes / changes:.2f}"
    print(f"at {SIZES[1]} hosts: {ratios} of the rates at {SIZES[0]}")
    print("wanted: first answer under 3 s, under 400 MB, rates over 0.8")
