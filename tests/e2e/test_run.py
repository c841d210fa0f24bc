"""`homing run` as its users start it: in a network namespace, with a real kernel, a real server and real DNS."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.e2e.conftest import ZONE, inside_flags
from tests.e2e.namespaces import PUBLIC, SERVER_4, SERVER_6, Namespace, namespace
from tests.e2e.programs import HOMING, Server, clean_environment, need, run, serving, start, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

URL = f"http://{SERVER_4}"
GENEROUS = 3.0
"""Seconds; the figure to reach is one, and `make bench` measures it."""
OLD_4, NEW_4, THIRD_4 = "198.51.100.7", "198.51.100.8", "198.51.100.9"
OLD_6, NEW_6 = "2001:db8:1::7", "2001:db8:2::7"
MAX_KILOBYTES = 25_000
"""Of memory that is resident, after a good deal of work: less than 23,500 where it was measured."""
MANY = 140
"""Certificates that a system trusts, more or less."""
LISTENER = """
import socket, sys
host, port, log, answers = sys.argv[1:]
server = socket.create_server((host, int(port)))
open(log, "w").write("")
kept = []
while True:
    connection, _ = server.accept()
    line = connection.recv(65536).partition(b"\\r\\n")[0].decode()
    open(log, "a").write(line + "\\n")
    kept.append(connection)
    if answers == "yes":
        kept.pop().sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nOK")
"""


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
    def listener(self, port: int, *, answers: bool) -> Iterator[Path]:
        """Have a little web server for a while; each line of its log is what it was asked."""
        log = self.folder / f"listener-{port}"
        command = [*self.network.prefix, sys.executable, "-W", "ignore", "-c", LISTENER, SERVER_4, str(port), str(log),
                   "yes" if answers else "no"]  # fmt: skip
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            assert wait_for(log.exists, 20)
            yield log
        finally:
            process.kill()
            process.wait()

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


@pytest.mark.parametrize("protocol", ["signed", "dyndns2", "awslabs"])
def test_an_update_of_a_host_with_one_type_only_is_done(home: Home, protocol: str) -> None:
    secret = home.server.add_host(NAME, "--type", "A", "--allow-internal")
    command = [*HOMING, "update", NAME, "--interface", "lan0", "--protocol", protocol, "--json"]
    variables = {"HOMING_CLIENT_SERVER": URL, "HOMING_CLIENT_PUBLIC_NETWORKS": ",".join(PUBLIC)}
    done = run(
        command, home.folder, prefix=home.network.prefix, environment=variables | {"HOMING_CLIENT_SECRET": secret}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [(row["record_type"], row["address"], row["outcome"]) for row in json.loads(done.stdout)["updates"]]
    assert rows == [("A", OLD_4, "updated"), ("AAAA", None, "skipped")]


def test_a_host_with_one_type_only_is_right_with_that(home: Home) -> None:
    """The other is not sent again, nor looked for; once the operator has added it, a signal has it set."""
    secret = home.server.add_host(NAME, "--type", "A")
    home.ip("addr", "add", NEW_6 + "/64", "dev", "lan0", "nodad")
    with home.agent(NAME, HOMING_CLIENT_SECRET=secret) as agent:
        assert home.shows(NAME, OLD_4, 20), agent.told
        agent.waits_for(f"DNS shows {OLD_4}\n")
        assert "the host has no AAAA record" in agent.told
        home.ip("addr", "del", OLD_6 + "/64", "dev", "lan0")
        home.move(OLD_4, NEW_4)
        assert home.shows(NAME, NEW_4), agent.told
        agent.waits_for(f"DNS shows {NEW_4}\n")
        assert agent.told.count("AAAA") == 1
        assert not re.search("warning|error|refused", agent.told), agent.told
        home.server.ask_json("host", "add", NAME, "--type", "AAAA")
        agent.process.send_signal(signal.SIGUSR1)
        assert home.shows(NAME, NEW_6), agent.told


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


def test_hooks_tell_the_owner(home: Home, secret: str) -> None:
    script = home.folder / "hook"
    script.write_text(
        '#!/bin/sh\necho "$HOMING_EVENT $HOMING_NAME $HOMING_ADDRESSES was $HOMING_BEFORE" >> hooks\nenv >> seen\n'
    )
    script.chmod(0o755)
    hooks = {f"HOMING_AGENT_ON_{one}": str(script) for one in ("CHANGE", "FAILURE", "RECOVERY")}
    hooked = home.folder / "hooks"
    with home.agent(NAME, "--ipv4-only", HOMING_CLIENT_SECRET=secret, **hooks) as agent:
        agent.waits_for("DNS shows")
        home.move(OLD_4, NEW_4)
        assert wait_for(lambda: hooked.is_file() and hooked.read_text().count("\n") == 2), agent.told
        assert hooked.read_text().splitlines() == [
            f"change {NAME} {OLD_4} was ", f"change {NAME} {NEW_4} was {OLD_4}",
        ]  # fmt: skip
        assert secret not in (home.folder / "seen").read_text()
    home.server.homing("host", "lock", NAME)
    with home.agent(NAME, "--ipv4-only", HOMING_CLIENT_SECRET=secret, **hooks) as agent:
        home.move(NEW_4, THIRD_4)
        assert wait_for(lambda: "failure" in hooked.read_text(), 20), agent.told


def test_the_owners_watchdog_hears_that_all_is_well_once_that_something_is_not_and_that_it_is_again(
    home: Home, secret: str
) -> None:
    with home.listener(8080, answers=True) as asked:
        ping = {"HOMING_AGENT_PING_URL": f"http://{SERVER_4}:8080/ping/1234"}
        with home.agent(NAME, "--ipv4-only", HOMING_CLIENT_SECRET=secret, **ping) as agent:
            agent.waits_for("DNS shows")
            assert wait_for(lambda: asked.read_text().splitlines() == ["GET /ping/1234 HTTP/1.1"]), asked.read_text()
            home.server.homing("host", "lock", NAME)
            home.move(OLD_4, NEW_4)
            agent.waits_for("refused")
            assert wait_for(lambda: "/ping/1234/fail" in asked.read_text()), agent.told
            for _ in range(2):
                agent.process.send_signal(signal.SIGUSR1)
                time.sleep(0.5)
            home.server.homing("host", "unlock", NAME)
            agent.process.send_signal(signal.SIGUSR1)
            assert home.shows(NAME, NEW_4, 10), agent.told
            agent.waits_for("all names are right again")
            assert wait_for(lambda: len(asked.read_text().splitlines()) == 3), asked.read_text()
        paths = [line.split()[1] for line in asked.read_text().splitlines()]
        assert paths == ["/ping/1234", "/ping/1234/fail", "/ping/1234"]


def test_one_server_that_never_answers_holds_up_no_other(home: Home, secret: str) -> None:
    config = home.folder / "homing.toml"
    host = '[[client.hosts]]\nserver = "{}"\nnames = ["{}"]\nsecret = "{}"\ntimeout = 60\n'
    slow = f"http://{SERVER_4}:8081"
    config.write_text(host.format(slow, f"slow.{ZONE}", "x" * 32) + host.format(URL, NAME, secret))
    config.chmod(0o600)
    with home.listener(8081, answers=False) as asked, home.agent("--config", str(config)) as agent:
        assert wait_for(lambda: "POST /v1/update" in asked.read_text(), 20), agent.told
        assert home.shows(NAME, OLD_4), agent.told
        home.move(OLD_4, NEW_4)
        assert home.shows(NAME, NEW_4), agent.told
        assert wait_for(lambda: asked.read_text().count("POST") == 2, 20), "nor its own next address"


def test_two_names_of_one_secret_are_one_request(home: Home) -> None:
    names = [f"a.{ZONE}", f"b.{ZONE}"]
    (secret,) = {home.server.add_host(name, "--group", "home") for name in names}
    with home.agent(*names, "--ipv4-only", HOMING_CLIENT_SECRET=secret) as agent:
        assert all(home.shows(name, OLD_4, 20) for name in names), agent.told
        home.move(OLD_4, NEW_4)
        assert all(home.shows(name, NEW_4) for name in names), agent.told
        time.sleep(0.2)
        assert home.server.log.read_text().count("POST /v1/update") == 2


def test_a_name_of_somebody_else_keeps_no_other_wrong(home: Home) -> None:
    names = [f"a.{ZONE}", f"b.{ZONE}"]
    (secret,) = {home.server.add_host(name, "--group", "home") for name in names}
    home.server.add_host(NAME)
    with home.agent(names[0], NAME, names[1], "--ipv4-only", HOMING_CLIENT_SECRET=secret) as agent:
        assert all(home.shows(name, OLD_4, 20) for name in names), agent.told
        agent.waits_for(f"error {NAME}: refused: not authenticated: the secret is not that of {NAME}, or")
        home.move(OLD_4, NEW_4)
        assert all(home.shows(name, NEW_4) for name in names), agent.told
        assert home.server.dig(NAME) == []


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
        assert b"homing.runtimes.agent.process" in command
        assert secret.encode() not in command


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_it_stays_small(tmp_path: Path, scheme: str) -> None:
    """After twenty updates, and with every certificate that a system trusts in one file, as most systems have them."""
    need("dig")
    bundle = tmp_path / "trusted.pem"
    flags = (*inside_flags(), *tls_flags(tmp_path, bundle))
    with (
        network_of_one() as network,
        serving(tmp_path, *flags, prefix=network.prefix, loopback=False) as server,
    ):
        home = Home(network, server, tmp_path)
        names = [f"h{number}.{ZONE}" for number in range(4)]
        url = URL if scheme == "http" else f"https://{server.https[0]}"
        host = '[[client.hosts]]\nserver = "{}"\nnames = ["{}"]\nsecret = "{}"\n'
        config = tmp_path / "homing.toml"
        config.write_text("".join(host.format(url, name, server.add_host(name)) for name in names))
        config.chmod(0o600)
        with home.agent("--config", str(config), SSL_CERT_FILE=str(bundle)) as agent:
            assert wait_for(lambda: agent.told.count("DNS shows") == 4, 30), agent.told
            for number in range(1, 5):
                agent.process.send_signal(signal.SIGUSR1)
                assert wait_for(lambda number=number: agent.told.count(": unchanged") == 4 * number, 30), agent.told
            time.sleep(0.5)
            size = agent.status("VmRSS")
            print(f"{size} kB over {scheme}, {agent.status('RssAnon')} of them its own")  # noqa: T201 - worth seeing
            assert size < MAX_KILOBYTES


def tls_flags(folder: Path, bundle: Path) -> tuple[str, ...]:
    """Have a server speak TLS, with a certificate that only `bundle` vouches for, among many others."""
    authority = trustme.CA()
    certificate = authority.issue_cert(SERVER_4)
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "chain.pem"))
    system = ssl.get_default_verify_paths().cafile
    trusted = Path(system).read_text(encoding="utf-8", errors="replace") if system else ""
    more = [trustme.CA() for _ in range(MANY - 1 - trusted.count("BEGIN CERTIFICATE"))]
    own = "".join(one.cert_pem.bytes().decode() for one in (*more, authority))
    bundle.write_text(trusted + own)
    return (
        "--https-listen",
        f"{SERVER_4}:0",
        "--tls-cert",
        str(folder / "chain.pem"),
        "--tls-key",
        str(folder / "key.pem"),
    )


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
