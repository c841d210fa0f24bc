"""DNS queries a second over UDP, beside a bare echo on the same kind of event loop; and none lost at half that rate."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from bench.processes import ZONE, fill, peer, server

HOSTS = 1000
ROUNDS = 3
SECONDS = 4


def run() -> None:
    if shutil.which("dnsperf") is None:
        print("dnsperf is not installed (Debian: apt-get install dnsperf); left out")
        return
    with tempfile.TemporaryDirectory() as folder, peer("echo") as echo:
        database, questions = Path(folder) / "bench.db", Path(folder) / "questions"
        fill(database, HOSTS)
        questions.write_text("".join(f"h{number}.{ZONE} A\n" for number in range(HOSTS)))
        with server(database) as (_, port, _):
            pairs = [(dnsperf(port, questions)[0], dnsperf(echo, questions)[0]) for _ in range(ROUNDS)]
            ratio = median(ours / base for ours, base in pairs)
            rate = median(ours for ours, _ in pairs)
            print(f"DNS queries, {HOSTS} hosts               {rate:8.0f}/s", end="")
            print(f"   {ratio:.2f} of a bare echo ({median(base for _, base in pairs):.0f}/s); wanted 0.7")
            _, lost = dnsperf(port, questions, limit=int(rate / 2))
            print(f"lost at half that rate                  {lost}   wanted 0")


def dnsperf(port: int, questions: Path, limit: int | None = None) -> tuple[float, int]:
    """Return queries answered a second, and how many were lost."""
    command = [
        "dnsperf",
        "-s",
        "127.0.0.1",
        "-p",
        str(port),
        "-d",
        str(questions),
        "-l",
        str(SECONDS),
        "-c",
        "8",
        "-q",
        "200",
    ]
    command += ["-Q", str(limit)] if limit else []
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Queries per second:\s+([0-9.]+)", done)
    lost = re.search(r"Queries lost:\s+([0-9]+)", done)
    assert rate is not None, done
    assert lost is not None, done
    return float(rate[1]), int(lost[1])
