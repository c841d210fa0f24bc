"""`homing run` as its users start it: in a network namespace, with a real kernel, a real server and real DNS."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import ZONE, inside_flags
from tests.e2e.namespaces import PUBLIC, SERVER_4, SERVER_6, Namespace, namespace
from tests.e2e.programs import HOMING, Server, clean_environment, need, serving, start, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

URL = f"http://{SERVER_4}"
GENEROUS = 3.0
"""Seconds; the figure to reach is one, and `make bench` measures it."""
OLD_4, NEW_4, THIRD_4 = "198.51.100.7", "198.51.100.8", "198.51.100.9"
OLD_6, NEW_6 = "2001:db8:1::7", "2001:db8:2::7"
MAX_KILOBYTES = 25 * 1024


@dataclass
class Running:
    """A running agent."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def told(self) -> str:
        return self.log.read_text()

    def waits_for(self, words: str, seconds: float = 20.0) -> None:
        assert wait_for(lambda: words in self.told, seconds), self.told

    def status(self, field: str) -> int:
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as stream:
            return int(next(line for line in stream if line.startswith(field)).split()[1])

    def cpu_seconds(self) -> float:
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stream:
            fields = stream.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Home:
    """A machine with one interface and a server that it reaches over another way."""

    network: Namespace
    server: Server
    folder: Path

    def ip(self, *arguments: str) -> None:
        subprocess.run(["ip", "-n", self.network.name, *arguments], check=True, timeout=20, capture_output=True)

    def move(self, old: str, new: str) -> None:
        """Have one address go and another come."""
        length = "/64" if ":" in new else "/32"
        options = ["nodad"] if ":" in new else []
        self.ip("addr", "add", new + length, "dev", "lan0", *options)
        if ":" in old:
            self.ip("addr", "change", old + length, "dev", "lan0", "preferred_lft", "0")
        else:
            self.ip("addr", "del", old + length, "dev", "lan0")

    def shows(self, name: str, address: str, seconds: float = GENEROUS) -> bool:
        kind = "AAAA" if ":" in address else "A"
        return wait_for(lambda: self.server.dig(name, kind) == [address], seconds)

    @contextmanager
    def agent(self, *arguments: str, **variables: str) -> Iterator[Running]:
        """Have an agent for a while; it must end well when asked to."""
        environment = {
            "HOMING_CLIENT_SERVER": URL,
            "HOMING_CLIENT_PUBLIC_NETWORKS": ",".join(PUBLIC),
            "HOMING_CLIENT_DNS_SERVER": SERVER_4,
            "HOMING_AGENT_STATE_FILE": str(self.folder / "agent.json"),
        }
        log = self.folder / f"agent-{time.monotonic_ns()}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*self.network.prefix, *HOMING, "run", *arguments],
                cwd=self.folder,
                env=clean_environment(self.folder, **(environment | variables)),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        try:
            yield Running(process, log)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, log.read_text()
            assert "Traceback" not in log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def network_of_one() -> Iterator[Namespace]:
    with namespace((f"{SERVER_4}/32", f"{SERVER_6}/128")) as network:
        for line in (
            "link add lan0 type veth peer name lan1",
            "link set lan0 up",
            "link set lan1 up",
            f"addr add {OLD_4}/32 dev lan0",
            f"addr add {OLD_6}/64 dev lan0 nodad",
        ):
            subprocess.run(["ip", "-n", network.name, *line.split()], check=True, timeout=20)
        yield network


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    need("dig")
    with (
        network_of_one() as network,
        serving(tmp_path, *inside_flags(), prefix=network.prefix, loopback=False) as server,
    ):
        yield Home(network, server, tmp_path)


@pytest.fixture
def secret(home: Home) -> str:
    return home.server.add_host(f"cam.{ZONE}")


NAME = f"cam.{ZONE}"


def test_dns_follows_the_address_of_the_interface(home: Home, secret: str) -> None:
    with home.agent(NAME, HOMING_CLIENT_SECRET=secret) as agent:
        assert home.shows(NAME, OLD_4, 20), agent.told
        assert home.shows(NAME, OLD_6), agent.told
        home.move(OLD_4, NEW_4)
        assert home.shows(NAME, NEW_4), agent.told
        home.move(OLD_6, NEW_6)
        assert home.shows(NAME, NEW_6), agent.told
        assert home.server.dig(NAME) == [NEW_4]
        agent.waits_for(f"DNS shows {NEW_4}, {NEW_6}" if NEW_4 < NEW_6 else f"DNS shows {NEW_6}, {NEW_4}")
        assert secret not in agent.told


def test_a_flapping_link_brings_no_update(home: Home, secret: str) -> None:
    with home.agent(NAME, "--interface", "lan0", HOMING_CLIENT_SECRET=secret) as agent:
        agent.waits_for("DNS shows")
        for _ in range(10):
            home.ip("link", "set", "lan1", "down")
            time.sleep(0.1)
            home.ip("link", "set", "lan1", "up")
            time.sleep(0.1)
        time.sleep(1)
        assert agent.told.count("updated") == 1, agent.told
        assert "unchanged" not in agent.told
        home.move(OLD_4, NEW_4)
        assert home.shows(NAME, NEW_4, 10), agent.told


def test_a_restart_sends_nothing_and_keeps_the_state_private(home: Home, secret: str) -> None:
    with home.agent(NAME, HOMING_CLIENT_SECRET=secret) as agent:
        agent.waits_for("DNS shows")
    state = home.folder / "agent.json"
    assert state.stat().st_mode & 0o777 == 0o600
    assert secret not in state.read_text()
    with home.agent(NAME, HOMING_CLIENT_SECRET=secret) as agent:
        agent.waits_for("DNS shows")
        assert "updated" not in agent.told
        assert "unchanged" not in agent.told


def test_a_state_file_that_is_rubbish_is_no_obstacle(home: Home, secret: str) -> None:
    (home.folder / "agent.json").write_bytes(b"\xff{[" * 1000)
    with home.agent(NAME, HOMING_CLIENT_SECRET=secret) as agent:
        assert home.shows(NAME, OLD_4, 20), agent.told


def test_a_server_that_comes_later_is_waited_for(home: Home, secret: str) -> None:
    home.server.stop()
    with home.agent(NAME, HOMING_CLIENT_SECRET=secret) as agent:
        agent.waits_for("no-answer")
        again = start(home.folder, *inside_flags(), prefix=home.network.prefix, loopback=False)
        try:
            assert home.shows(NAME, OLD_4, 30), agent.told
        finally:
            again.kill()


def test_signals_force_and_reload(home: Home, secret: str) -> None:
    other = home.server.add_host(f"nas.{ZONE}")
    config = home.folder / "homing.toml"
    host = '[[client.hosts]]\nnames = ["{}"]\nsecret = "{}"\n'
    config.write_text(host.format(NAME, secret))
    config.chmod(0o600)
    with home.agent("--config", str(config)) as agent:
        agent.waits_for("DNS shows")
        agent.process.send_signal(signal.SIGUSR1)
        agent.waits_for("unchanged")
        config.write_text("[client\n")
        agent.process.send_signal(signal.SIGHUP)
        agent.waits_for("going on with the old ones")
        config.write_text(host.format(NAME, secret) + host.format(f"nas.{ZONE}", other))
        agent.process.send_signal(signal.SIGHUP)
        assert home.shows(f"nas.{ZONE}", OLD_4, 20), agent.told
        home.move(OLD_4, NEW_4)
        assert home.shows(NAME, NEW_4, 10), agent.told
        assert home.shows(f"nas.{ZONE}", NEW_4, 10), agent.told
        assert agent.told.count("unchanged") == 1


def test_hooks_and_pings_tell_the_owner(home: Home, secret: str) -> None:
    script = home.folder / "hook"
    script.write_text(
        '#!/bin/sh\necho "$HOMING_EVENT $HOMING_NAME $HOMING_ADDRESSES was $HOMING_BEFORE" >> hooks\nenv >> seen\n'
    )
    script.chmod(0o755)
    ping = {"HOMING_AGENT_PING_URL": f"{URL}/ping/1234"}
    hooks = {f"HOMING_AGENT_ON_{one}": str(script) for one in ("CHANGE", "FAILURE", "RECOVERY")}
    hooked = home.folder / "hooks"
    with home.agent(NAME, "--ipv4-only", HOMING_CLIENT_SECRET=secret, **ping, **hooks) as agent:
        agent.waits_for("DNS shows")
        home.move(OLD_4, NEW_4)
        assert wait_for(lambda: hooked.is_file() and hooked.read_text().count("\n") == 2), agent.told
        assert hooked.read_text().splitlines() == [
            f"change {NAME} {OLD_4} was ", f"change {NAME} {NEW_4} was {OLD_4}",
        ]  # fmt: skip
        assert wait_for(lambda: "/ping/1234" in home.server.log.read_text() or "404" in home.server.log.read_text())
        assert secret not in (home.folder / "seen").read_text()
    home.server.homing("host", "lock", NAME)
    with home.agent(NAME, "--ipv4-only", HOMING_CLIENT_SECRET=secret, **hooks) as agent:
        home.move(NEW_4, THIRD_4)
        assert wait_for(lambda: "failure" in hooked.read_text(), 20), agent.told


def test_it_tells_systemd_that_it_is_ready_and_alive(home: Home, secret: str) -> None:
    place = home.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(place))
        listener.settimeout(20)
        variables = {"NOTIFY_SOCKET": str(place), "WATCHDOG_USEC": "400000"}
        with home.agent(NAME, HOMING_CLIENT_SECRET=secret, **variables):
            assert listener.recv(100) == b"READY=1"
            assert [listener.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        told = b""
        while told != b"STOPPING=1":
            told = listener.recv(100)


def test_it_is_small_and_rests(home: Home, secret: str) -> None:
    """An agent stays for years on a board with little memory: its loop needs no click, dnspython or asyncio."""
    with home.agent(NAME, HOMING_CLIENT_SECRET=secret) as agent:
        agent.waits_for("DNS shows")
        time.sleep(0.5)
        before = agent.cpu_seconds()
        switches = agent.status("voluntary_ctxt_switches")
        time.sleep(3)
        assert agent.cpu_seconds() - before <= 0.05
        assert agent.status("voluntary_ctxt_switches") - switches <= 10
        assert agent.status("VmRSS") < MAX_KILOBYTES
        with open(f"/proc/{agent.process.pid}/cmdline", "rb") as stream:
            command = stream.read()
        assert b"homing.runtimes.agent_process" in command
        assert secret.encode() not in command


def test_settings_that_cannot_be_used_end_it_at_once(home: Home) -> None:
    done = home.network.run([*HOMING, "run", NAME, "--server", "ftp://x", "--ping-url", "x"], home.folder)
    assert done.returncode == 1
    assert "homing: server: expected an http or https URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_state_file_holds_is_json(home: Home, secret: str) -> None:
    with home.agent(NAME, HOMING_CLIENT_SECRET=secret) as agent:
        agent.waits_for("DNS shows")
        (account,) = json.loads((home.folder / "agent.json").read_text())["accounts"].values()
        assert {one["address"] for one in account["names"][NAME]["held"]} == {OLD_4, OLD_6}
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S+ info ", agent.told)
