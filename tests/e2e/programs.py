"""Running real programs: `homing serve` as its users start it, and the clients that people own.

Every process that is started here is ended here, by its own id. Nothing here knows what a test wants to see.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

HOMING = (sys.executable, "-m", "homing")
START_SECONDS = 30.0
RUN_SECONDS = 60.0
INTERNAL = "--allow-internal"
"""Loopback addresses are not global; no real host needs this."""

_URL = re.compile(r"^  (https?)://(\S+):(\d+)$", re.MULTILINE)
_DNS = re.compile(r"^  dns (\S+):(\d+) \(UDP and TCP\)$", re.MULTILINE)
_COMPLETE = re.compile(r"^  store .*\n", re.MULTILINE)


def need(*programs: str) -> None:
    """Skip the test where a program is missing; fail instead where every one was promised to be there."""
    for program in programs:
        if shutil.which(program) is None:
            lack(f"{program} is not installed")


def lack(why: str) -> None:
    """Skip, or fail under HOMING_REQUIRE_CLIENTS=1."""
    if os.environ.get("HOMING_REQUIRE_CLIENTS") == "1":
        pytest.fail(why)
    pytest.skip(why)


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment in which no setting of this machine is seen."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HOMING_", "XDG_", "http", "HTTP"))}
    return kept | {"HOME": str(home), "LC_ALL": "C", "PYTHONUNBUFFERED": "1"} | more


def run(
    command: Sequence[str | Path],
    cwd: Path,
    *,
    prefix: Sequence[str] = (),
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; what it prints is text."""
    return subprocess.run(
        [*prefix, *map(str, command)],
        cwd=cwd,
        env=clean_environment(cwd, **(environment or {})),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


def client(folder: Path, *command: str | Path, stdin: str = "", exit_code: int = 0) -> str:
    """Run a client to its end, which is a good one unless told otherwise; return all that it prints."""
    done = run(command, folder, stdin=stdin)
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done.stdout + done.stderr


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command that must end well printed."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def refused(done: subprocess.CompletedProcess[str], exit_code: int, words: str) -> None:
    """Check that a command ended with this code and said why, in clear lines of its own."""
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@dataclass(frozen=True)
class Place:
    """An address and a port that something listens on."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self}"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass
class Server:
    """A running `homing serve`; `http` and `dns` are what it said that it listens on."""

    process: subprocess.Popen[bytes]
    folder: Path
    database: Path
    log: Path
    http: Sequence[Place]
    https: Sequence[Place]
    dns: Sequence[Place]
    prefix: Sequence[str] = field(default=())

    @property
    def url(self) -> str:
        return self.http[0].url

    def place(self, family: int = 4) -> Place:
        return next(one for one in self.http if (":" in one.host) == (family == 6))

    def homing(self, *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run an operator's command beside the server."""
        environment = {"HOMING_DATABASE": str(self.database), "HOMING_DNS_LISTEN": ",".join(map(str, self.dns))}
        return run([*HOMING, *arguments], self.folder, stdin=stdin, environment=environment)

    def ask_json(self, *arguments: str | Path) -> Any:
        """Run an operator's command with --json; it must succeed."""
        done = self.homing(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def add_host(self, name: str, *options: str) -> str:
        """Make a host; return its secret."""
        return str(self.ask_json("host", "add", name, *options)["shared_secret"])

    def add_account(self, username: str, *names: str) -> str:
        """Make an account; return its password."""
        return str(self.ask_json("account", "add", username, *names)["password"])

    def dig(self, name: str, record_type: str = "A", *options: str) -> list[str]:
        """Return what dig prints with +short."""
        need("dig")
        done = run(["dig", *self.dig_server(), name, record_type, "+short", *_PATIENT, *options], self.folder,
                   prefix=self.prefix)  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout.splitlines()

    def dig_all(self, name: str, record_type: str = "A", *options: str) -> str:
        """Return all that dig prints."""
        need("dig")
        done = run(["dig", *self.dig_server(), name, record_type, *_PATIENT, *options], self.folder, prefix=self.prefix)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def dig_server(self) -> list[str]:
        return [f"@{self.dns[0].host}", "-p", str(self.dns[0].port)]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; return its exit code. What does not end is killed, and then the test fails."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end:\n{self.log.read_text()}") from None

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def update(server: Server, name: str, secret: str, address: str) -> str:
    """Send a dyndns2 update; return the answer."""
    need("curl")
    url = f"{server.url}/nic/update?hostname={name}&myip={address}"
    return run(["curl", "-gsS", "-u", f"{name}:{secret}", url], server.folder).stdout


_PATIENT = ("+tries=2", "+time=3")


def start(
    folder: Path,
    *flags: str,
    command: Sequence[str] = HOMING,
    prefix: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    loopback: bool = True,
    database: Path | None = None,
) -> Server:
    """Start `homing serve` on loopback and free ports, unless flags say where; wait until it serves."""
    database = database or folder / "homing.db"
    log = folder / f"server-{time.monotonic_ns()}.log"
    listen = ("--http-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0") if loopback else ()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*prefix, *command, "serve", "--database", str(database), *listen, *flags],
            cwd=folder,
            env=clean_environment(folder, **(environment or {})),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        told = _wait_until_told(process, log)
    except BaseException:
        process.kill()
        process.wait()
        raise
    urls = [(scheme, Place(host.strip("[]"), int(port))) for scheme, host, port in _URL.findall(told)]
    return Server(
        process=process,
        folder=folder,
        database=database,
        log=log,
        http=[place for scheme, place in urls if scheme == "http"],
        https=[place for scheme, place in urls if scheme == "https"],
        dns=[Place(host.strip("[]"), int(port)) for host, port in _DNS.findall(told)],
        prefix=prefix,
    )


@contextmanager
def serving(folder: Path, *flags: str, **options: Any) -> Iterator[Server]:
    """Have a server for a while; it is asked to end, and must end well, unless the test has failed anyway."""
    server = start(folder, *flags, **options)
    try:
        yield server
        if server.process.poll() is None:
            assert server.stop() == 0, server.log.read_text()
    finally:
        server.kill()


def _wait_until_told(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        told = log.read_text()
        if _COMPLETE.search(told):
            return told
        if process.poll() is not None:
            raise AssertionError(f"the server ended with {process.returncode}:\n{told}")
        time.sleep(0.005)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


def wait_for(condition: Any, seconds: float = 10.0) -> bool:
    """Return whether something became true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
