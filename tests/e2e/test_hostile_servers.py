"""`homing ip`, `update`, `run` and `lan` as people run them, where something else answers than an update server.

Each behaviour is tried on each protocol in `tests/client/test_hostile_servers.py`; here are the exit codes, what is
printed, the time that it takes, and that an agent lives through all of it and sets its name in the end.
"""

from __future__ import annotations

import datetime
import json
import signal
import ssl
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.client.hostile_servers import BROKEN, ENDLESS, ESCAPES, EVERYTHING, JSON, PORTALS, REDIRECTS, SENT, SLOW
from tests.client.servers import Scripted, answer, silent
from tests.e2e.programs import HOMING, clean_environment, run, wait_for

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from tests.client.servers import Part

pytestmark = pytest.mark.e2e

NAME = "a.example.com"
SECRET = "s3cret-of-a-host-0123456789abcdef"
TYPED = ("--address", SENT)
COMMANDS: dict[str, tuple[str, ...]] = {
    "ip": ("ip", "--ipv4", "--source", "reflector"),
    "update": ("update", NAME, *TYPED),
    "update by dyndns2": ("update", NAME, "--protocol", "dyndns2", *TYPED),
    "update by awslabs": ("update", NAME, "--protocol", "awslabs", "--ipv4"),
    "lan": ("lan", NAME, "--interface", "lo", "--no-wake"),
}
SOME: dict[str, Part | bytes] = {
    "page": PORTALS["a page"], "good morning": PORTALS["good morning"], "portal's JSON": PORTALS["a portal's JSON"],
    "redirect": REDIRECTS["307"], "redirect with escapes": REDIRECTS["with escapes"], "endless": ENDLESS["body"],
    "interim answers": ENDLESS["interim answers"], "slow": SLOW["head"], "silent": SLOW["silence"],
    "nothing": BROKEN["nothing"], "HTTP/0.9": BROKEN["HTTP/0.9"], "escapes": BROKEN["escapes at 400"],
    "escapes in JSON": JSON["escapes"], "deep JSON": JSON["deep lists"],
}  # fmt: skip


def homing(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run([*HOMING, *arguments], folder, environment={"HOMING_CLIENT_SECRET": SECRET})


def check_said(done: subprocess.CompletedProcess[str], *codes: int) -> None:
    """Check that it ended as it should, in lines that a terminal can be shown and a person can read."""
    assert done.returncode in codes, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert SECRET not in said
    assert said.replace("\n", "").isprintable(), repr(said)
    assert done.stdout == ""
    for line in done.stderr.splitlines():
        assert line.startswith("homing: ")
        assert len(line) < 500


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", SOME)
def test_every_command_ends_in_time_with_a_reason_and_nothing_of_the_strangers_own(
    tmp_path: Path, command: str, what: str
) -> None:
    with Scripted(SOME[what]) as server:
        begun = time.monotonic()
        done = homing(tmp_path, *COMMANDS[command], "--server", server.url, "--timeout", "1")
        took = time.monotonic() - begun
    # A refusal that is none of the server's is 3, but what can be no mistake of the moment is 1: no address at all.
    check_said(done, 1, 3)
    assert took < 12


def test_a_servers_words_in_json_are_as_harmless(tmp_path: Path) -> None:
    refusal = json.dumps({"return_status": "fail", "return_message": ESCAPES + "locked"})
    told = answer(json.dumps({"return_status": "success", "return_message": SENT}))
    with Scripted(told, told, answer(refusal)) as server:
        where = ("--server", server.url, "--protocol", "awslabs", "--ipv4", "--json")
        done = run([*HOMING, "update", NAME, *where], tmp_path, environment={
            "HOMING_CLIENT_SECRET": SECRET, "HOMING_CLIENT_PUBLIC_NETWORKS": "203.0.113.0/24"})  # fmt: skip
    assert done.returncode == 1
    (row,) = json.loads(done.stdout)["updates"]
    assert row["outcome"] == "refused"
    assert row["text"].isprintable()
    assert "locked" in row["text"]


# --- TLS


def certificate(authority: trustme.CA, name: str, days: tuple[int, int] | None = None) -> ssl.SSLContext:
    """Return what a server shows; `days` are when it begins and ends, counted from today."""
    begin, end = None, None
    if days is not None:
        now = datetime.datetime.now(datetime.UTC)
        begin, end = (now + datetime.timedelta(days=one) for one in days)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, not_before=begin, not_after=end).configure_cert(context)
    return context


def old_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = certificate(authority, "127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1
    return context


def garbage(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x28" + bytes(range(256)))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("expired", "clock says that it is 20"), ("not yet valid", "clock says that it is 20"),
        ("wrong name", "127.0.0.1"), ("nobody vouches", "TLS: "),
        ("TLS 1.0 only", "TLS: "), ("plain HTTP", "TLS: "), ("garbage", "TLS: "), ("silence", "took too long"),
        ("nothing", ""),
    ],
)  # fmt: skip
def test_no_update_goes_to_whom_tls_does_not_vouch_for(tmp_path: Path, what: str, words: str) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls: ssl.SSLContext | None = None
    part: Part | bytes = answer(f"good {SENT}\n")
    match what:
        case "expired":
            tls = certificate(authority, "127.0.0.1", (-90, -1))
        case "not yet valid":  # what a machine without a clock sees, for which it is 1970
            tls = certificate(authority, "127.0.0.1", (1, 90))
        case "wrong name":
            tls = certificate(authority, "ddns.example.net")
        case "nobody vouches":
            tls = certificate(stranger, "127.0.0.1")
        case "TLS 1.0 only":
            tls = old_tls(authority)
        case "garbage":
            part = garbage
        case "silence":
            part = silent
        case "nothing":
            part = b""
    with Scripted(part, tls=tls) as server:
        url = server.url.replace("http:", "https:")
        done = homing(tmp_path, "update", NAME, "--protocol", "dyndns2", *TYPED, "--server", url, "--ca-file", "ca.pem",
                      "--timeout", "2")  # fmt: skip
    check_said(done, 3)
    assert words in done.stderr
    assert not any(b"HTTP/1.1" in request for request in server.requests)


# --- the agent


def resident(process: subprocess.Popen[bytes]) -> int:
    """Return the kilobytes that a process holds."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def good(name: str) -> bytes:
    outcome = {"hostname": f"{name}.", "record_type": "A", "outcome": "updated", "address": SENT}
    return answer(json.dumps({"outcomes": [outcome]}))


def missing(names: Iterable[str], log: Path) -> list[str]:
    """Return the names that have not been set yet."""
    said = log.read_text(errors="replace")
    return [name for name in names if f"{name}: updated" not in said]


def test_an_agent_lives_through_all_of_it_and_sets_every_name_in_the_end(tmp_path: Path) -> None:
    """Each name is at a server of its own, which misbehaves in its way once."""
    log = tmp_path / "agent.log"
    with ExitStack() as stack:
        servers = {
            f"h{number}.example.com": stack.enter_context(Scripted(part, good(f"h{number}.example.com")))
            for number, part in enumerate(EVERYTHING.values())
        }
        tables = [f'[[client.hosts]]\nnames = ["{name}"]\nserver = "{one.url}"\n' for name, one in servers.items()]
        general = f'[client]\nipv4 = "{SENT}"\nipv6 = "none"\ntimeout = 2\n[agent]\ncheck_dns = false\n'
        (tmp_path / "homing.toml").write_text(general + "".join(tables))
        stream = stack.enter_context(log.open("wb"))
        environment = clean_environment(tmp_path, HOMING_CLIENT_SECRET=SECRET)
        process = subprocess.Popen([*HOMING, "run"], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=stream, stderr=stream)  # fmt: skip
        try:
            assert wait_for(lambda: all(one.requests for one in servers.values()), 60), log.read_text()
            process.send_signal(signal.SIGUSR1)
            assert wait_for(lambda: not missing(servers, log), 60), missing(servers, log)
            most = resident(process)
        finally:
            process.terminate()
            code = process.wait(20)
        said = log.read_text(errors="replace")
        requests = [request for one in servers.values() for request in one.requests]
    assert code == 0, said
    assert most < 80_000
    assert "Traceback" not in said
    assert SECRET not in said
    assert said.replace("\n", "").isprintable()
    for request in requests:
        assert json.loads(request.partition(b"\r\n\r\n")[2])["addresses"] == [SENT]
