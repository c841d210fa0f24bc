"""From the HTTP answer to the new address in DNS, while others update."""

from __future__ import annotations

import base64
import http.client
import tempfile
import threading
import time
from pathlib import Path
from statistics import quantiles

import dns.message
import dns.query

from bench.http import changed
from bench.processes import ZONE, fill, http_load, secret_of, server

UPDATES = 500


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "bench.db"
        fill(database, 1000)
        with server(database) as (port, dns_port, _):
            quiet = measure(port, dns_port)
            others = threading.Thread(target=http_load, args=(port, 4, 30.0, changed(999, 1)))
            others.start()
            busy = measure(port, dns_port)
            others.join()
    for name, times in (("alone", quiet), ("beside 4 busy connections", busy)):
        cuts = quantiles(times, n=100)
        print(
            f"HTTP answer to DNS, {name:26} median {cuts[49] * 1000:.2f} ms, p99 {cuts[98] * 1000:.2f} ms; wanted 10 ms"
        )


def measure(port: int, dns_port: int) -> list[float]:
    """Update one host again and again, and ask DNS until it shows."""
    hostname = f"h999.{ZONE}"
    basic = base64.b64encode(f"{hostname}:{secret_of(999)}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    query = dns.message.make_query(hostname, "A")
    times = []
    for number in range(UPDATES):
        address = f"10.99.{number // 250}.{number % 250 + 1}"
        connection.request("GET", f"/nic/update?myip={address}", headers={"Authorization": f"Basic {basic}"})
        body = connection.getresponse().read()
        answered = time.perf_counter()
        assert body == f"good {address}\n".encode(), body
        while dns.query.udp(query, "127.0.0.1", port=dns_port, timeout=2).answer[0][0].to_text() != address:
            pass
        times.append(time.perf_counter() - answered)
    connection.close()
    return times
