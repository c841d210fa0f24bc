"""Seen from the kernel: between reading an update and sending its "good", a sync of the store's log has returned 0.

kill -9 cannot show this, since the kernel keeps what a killed process wrote; a power cut would not.
"""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e import crash_server
from tests.e2e.programs import HOMING, lack, need, serving, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.e2e.programs import Server

pytestmark = pytest.mark.e2e

UPDATES = 20
_CALLS = "read,readv,recvfrom,recvmsg,fsync,fdatasync,write,writev,sendto,sendmsg"
_LINE = re.compile(r"(?P<pid>\d+) +(?P<time>\d+\.\d+) (?P<rest>.*)")
_SYNC = re.compile(r"(?:fsync|fdatasync)\(\d+<(?P<path>[^>]*)>(?P<end>.*)")
_RESUMED = re.compile(r"<\.\.\. (?:fsync|fdatasync) resumed>\)\s*= (?P<result>-?\d+)")


@dataclass(frozen=True)
class Event:
    """One thing that matters, in the order in which the kernel saw it."""

    what: str
    """`asked`, `synced` or `answered`."""
    address: str = ""


def read_events(trace: str, database: Path) -> Iterator[Event]:
    """Read strace's lines; a call that another thread interrupted is told in two."""
    waiting: dict[str, str] = {}
    for line in trace.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        pid, rest = found["pid"], found["rest"]
        if sync := _SYNC.match(rest):
            waiting[pid] = sync["path"]
            if re.search(r"\)\s*= 0$", sync["end"]) and sync["path"] == f"{database}-wal":
                yield Event("synced")
        elif resumed := _RESUMED.match(rest):
            if resumed["result"] == "0" and waiting[pid] == f"{database}-wal":
                yield Event("synced")
        elif asked := re.search(r"GET /nic/update\?myip=(\S+) HTTP", rest):
            yield Event("asked", asked[1])
        elif answered := re.search(r"good ([0-9.]+)\\n", rest):
            yield Event("answered", answered[1])


def unsynced(events: Sequence[Event]) -> list[str]:
    """Return the addresses of those answers before which, since their question, nothing was synced."""
    missing, synced_since = [], dict[str, bool]()
    for event in events:
        if event.what == "asked":
            synced_since[event.address] = False
        elif event.what == "synced":
            synced_since = dict.fromkeys(synced_since, True)
        elif not synced_since[event.address]:
            missing.append(event.address)
    return missing


def update_under_strace(folder: Path, command: Sequence[str]) -> list[Event]:
    """Serve under strace and send updates one at a time; return what the kernel saw."""
    need("strace")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode != 0:
        lack("strace may not trace here")
    trace = folder / "trace"
    # -D: strace is a child of the server and not the other way round, so that the server's id is the one that we have.
    prefix = ("strace", "-D", "-f", "-y", "-ttt", "-s", "500", "-e", f"trace={_CALLS}", "-e", "signal=none",
              "-o", str(trace))  # fmt: skip
    with serving(folder, "--zone", "home.test", prefix=prefix, command=command) as server:
        secret = server.add_host("traced.home.test", "--allow-internal")
        addresses = [f"127.0.7.{number}" for number in range(1, UPDATES + 1)]
        _update(server, secret, addresses)
    assert wait_for(lambda: "+++ exited with 0 +++" in trace.read_text()), "strace has not ended"
    events = list(read_events(trace.read_text(), server.database))
    assert [event.address for event in events if event.what == "asked"] == addresses
    assert [event.address for event in events if event.what == "answered"] == addresses
    return events


def _update(server: Server, secret: str, addresses: Sequence[str]) -> None:
    basic = b64encode(f"traced.home.test:{secret}".encode()).decode()
    connection = http.client.HTTPConnection(server.http[0].host, server.http[0].port, timeout=20)
    try:
        for address in addresses:
            connection.request("GET", f"/nic/update?myip={address}", headers={"Authorization": f"Basic {basic}"})
            assert connection.getresponse().read() == f"good {address}\n".encode()
    finally:
        connection.close()


def test_a_sync_of_the_log_completes_before_each_answer(tmp_path: Path) -> None:
    events = update_under_strace(tmp_path, HOMING)
    assert unsynced(events) == []


@pytest.mark.parametrize("broken", ["no-sync", "answer-first"])
def test_the_trace_shows_a_server_that_is_broken_on_purpose(tmp_path: Path, broken: str) -> None:
    events = update_under_strace(tmp_path, (sys.executable, crash_server.__file__, "--broken", broken))
    assert len(unsynced(events)) > UPDATES / 2
