"""`homing lan` on networks of namespaces, against `homing serve`: quiet machines, new prefixes, absent ones."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.lan_namespaces import ip_batch, lan
from tests.e2e.programs import HOMING, Server, clean_environment, need, run, serving, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.lan_namespaces import Lan, Machine

pytestmark = pytest.mark.e2e

ZONE = "home.test"
OLD, NEW = "2001:db8:7:1:", "2001:db8:7:2:"
PUBLIC = "2001:db8::/32"
ABSENT = "02:00:5e:10:00:ee"


@dataclass
class Home:
    """A router, the machine that `homing lan` runs on, with the server on its loopback, and others."""

    network: Lan
    router: Machine
    me: Machine
    server: Server
    secret: str
    folder: Path

    def add_host(self, label: str, mac: str | None = None, *options: str) -> str:
        """Put a name into the group; return the name."""
        name = f"{label}.{ZONE}"
        given = ("--mac-address", mac) if mac else ()
        self.server.add_host(name, "--group", "home", "--allow-internal", *given, *options)
        return name

    def lan(self, *options: str, prefix: tuple[str, ...] = (), **environment: str) -> list[dict[str, Any]]:
        """Run `homing lan` to its end; return what it says of each name."""
        done = run([*HOMING, "lan", f"me.{ZONE}", "--server", self.server.url, "--json", *options], self.folder,
                   prefix=(*self.me.prefix, *prefix), environment=self.environment | environment)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)["updates"]
        return rows

    @property
    def environment(self) -> dict[str, str]:
        return {"HOMING_CLIENT_SECRET": self.secret, "HOMING_CLIENT_PUBLIC_NETWORKS": PUBLIC}

    def requests(self, path: str) -> int:
        """Return how often the server was asked for a path, by its own log."""
        time.sleep(0.1)
        return len(re.findall(rf"{re.escape(path)}\b", self.server.log.read_text()))

    def wait_for_address(self, machine: Machine, start: str) -> None:
        """Wait until a machine has made itself an address, and knows that nobody else has it."""
        assert wait_for(lambda: _has(machine, start), 15)


def _has(machine: Machine, start: str) -> bool:
    lines = [line for line in machine.ip("-6", "addr", "show", "dev", "eth0").splitlines() if f"inet6 {start}" in line]
    return bool(lines) and not any("tentative" in line for line in lines)


def outcomes(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, str | None]]:
    return {(row["hostname"].partition(".")[0], row["record_type"]): (row["outcome"], row["address"]) for row in rows}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    need("dig")
    with lan() as network:
        router, me = network.add("192.168.7.1/24"), network.add("192.168.7.2/24")
        me.ip("route", "add", "default", "via", "192.168.7.1")
        flags = ("--zone", ZONE, "--public-networks", PUBLIC)
        with serving(tmp_path, *flags, prefix=me.prefix) as server:
            secret = server.add_host(f"me.{ZONE}", "--group", "home", "--allow-internal")
            yield Home(network, router, me, server, secret, tmp_path)


@pytest.fixture
def three(home: Home) -> tuple[Machine, Machine, Machine]:
    """Three machines that nobody has heard of yet, with the addresses of the old prefix."""
    found = tuple(home.network.add(f"192.168.7.{number}/24") for number in (11, 12, 13))
    for one in (home.router, home.me, *found):
        home.wait_for_address(one, "fe80:")
    home.router.advertise(f"{OLD}:,3600,1800")
    for one in (home.me, *found):
        home.wait_for_address(one, OLD)
    return found  # type: ignore[return-value]  # three of them


def test_quiet_machines_are_woken_and_set_in_one_request_and_absent_ones_keep_theirs(
    home: Home, three: tuple[Machine, Machine, Machine]
) -> None:
    for number, machine in enumerate(three):
        home.add_host(f"h{number}", machine.mac)
    home.add_host("gone", ABSENT)
    home.me.ip("neigh", "add", "192.168.7.99", "lladdr", ABSENT, "dev", "eth0", "nud", "stale")
    home.me.ip("neigh", "add", f"{OLD}:99", "lladdr", ABSENT, "dev", "eth0", "nud", "stale")
    rows = outcomes(home.lan())
    for number, machine in enumerate(three):
        assert rows[f"h{number}", "A"] == ("updated", f"192.168.7.{11 + number}")
        assert rows[f"h{number}", "AAAA"] == ("updated", f"{OLD}{machine.identifier()}")
        assert home.server.dig(f"h{number}.{ZONE}") == [f"192.168.7.{11 + number}"]
        assert home.server.dig(f"h{number}.{ZONE}", "AAAA") == [f"{OLD}{machine.identifier()}"]
    assert rows["gone", "A"] == ("skipped", None)
    assert rows["gone", "AAAA"] == ("skipped", None)
    assert rows["me", "A"][0] == "skipped"
    assert (home.requests("/v1/hosts"), home.requests("/v1/update")) == (1, 1)

    again = outcomes(home.lan())
    assert {again[f"h{number}", "A"][0] for number in range(3)} == {"unchanged"}
    assert home.requests("/v1/update") == 1


def test_without_waking_nobody_is_asked_and_nothing_is_guessed(
    home: Home, three: tuple[Machine, Machine, Machine]
) -> None:
    home.add_host("h0", three[0].mac)
    assert outcomes(home.lan("--no-wake"))["h0", "A"] == ("skipped", None)
    assert three[0].mac not in home.me.ip("neigh")
    assert outcomes(home.lan("--dry-run"))["h0", "A"] == ("would send", "192.168.7.11")
    assert outcomes(home.lan("--no-wake"))["h0", "A"] == ("updated", "192.168.7.11")


def test_an_old_entry_is_believed_only_when_its_machine_answers(
    home: Home, three: tuple[Machine, Machine, Machine]
) -> None:
    home.add_host("h0", three[0].mac)
    home.add_host("h1", three[1].mac)
    for address, machine in (("192.168.7.11", three[0]), ("192.168.7.12", three[1])):
        home.me.ip("neigh", "replace", address, "lladdr", machine.mac, "dev", "eth0", "nud", "stale")
    home.network.unplug(three[1])
    rows = outcomes(home.lan())
    assert rows["h0", "A"] == ("updated", "192.168.7.11")
    assert rows["h1", "A"] == ("skipped", None)


def test_a_machine_that_moved_to_another_address_is_found_there(
    home: Home, three: tuple[Machine, Machine, Machine]
) -> None:
    home.add_host("h0", three[0].mac)
    home.lan()
    three[0].ip("addr", "del", "192.168.7.11/24", "dev", "eth0")
    three[0].ip("addr", "add", "192.168.7.77/24", "dev", "eth0")
    home.me.ip("neigh", "flush", "dev", "eth0")
    assert outcomes(home.lan())["h0", "A"] == ("updated", "192.168.7.77")


def test_a_new_prefix_moves_every_name_in_one_request_also_of_a_machine_that_is_away(
    home: Home, three: tuple[Machine, Machine, Machine]
) -> None:
    for number, machine in enumerate(three):
        home.add_host(f"h{number}", machine.mac)
    home.add_host("away", None, "--type", "AAAA", "--interface-identifier", "::aa")
    assert outcomes(home.lan())["away", "AAAA"] == ("updated", f"{OLD}:aa")
    home.router.advertise(f"{OLD}:,3600,0", f"{NEW}:,3600,1800")
    for one in (home.me, *three):
        home.wait_for_address(one, NEW)
    rows = outcomes(home.lan())
    for number, machine in enumerate(three):
        assert rows[f"h{number}", "AAAA"] == ("updated", f"{NEW}{machine.identifier()}")
        assert rows[f"h{number}", "A"] == ("unchanged", f"192.168.7.{11 + number}")
    assert rows["away", "AAAA"] == ("updated", f"{NEW}:aa")
    assert home.requests("/v1/update") == 2


def test_watching_a_new_prefix_is_followed_by_one_request(home: Home, three: tuple[Machine, Machine, Machine]) -> None:
    for number, machine in enumerate(three):
        home.add_host(f"h{number}", machine.mac)
    home.add_host("away", None, "--type", "AAAA", "--interface-identifier", "::aa")
    command = [
        *home.me.prefix,
        *HOMING,
        "lan",
        f"me.{ZONE}",
        "--server",
        home.server.url,
        "--watch",
        "--interval",
        "1h",
    ]
    process = subprocess.Popen(command, cwd=home.folder, env=clean_environment(home.folder, **home.environment),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    try:
        assert wait_for(lambda: home.server.dig(f"h2.{ZONE}", "AAAA") == [f"{OLD}{three[2].identifier()}"], 20)
        time.sleep(1)
        before = home.requests("/v1/update")
        for machine in (home.me, *three):
            machine.sysctl("net.ipv6.conf.eth0.accept_dad", 1)  # they come up one after the other, as in real life
        home.router.advertise(f"{OLD}:,3600,0", f"{NEW}:,3600,1800")
        for number, machine in enumerate(three):
            there = [f"{NEW}{machine.identifier()}"]
            assert wait_for(
                lambda there=there, number=number: home.server.dig(f"h{number}.{ZONE}", "AAAA") == there, 20
            )
        assert home.server.dig(f"away.{ZONE}", "AAAA") == [f"{NEW}:aa"]
        assert home.requests("/v1/update") == before + 1
        # a machine that comes up with another address is noticed without anybody asking
        three[0].ip("addr", "del", "192.168.7.11/24", "dev", "eth0")
        three[0].ip("addr", "add", "192.168.7.88/24", "dev", "eth0")
        _talk(three[0])
        assert wait_for(lambda: home.server.dig(f"h0.{ZONE}") == ["192.168.7.88"], 30)
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert f"away.{ZONE} AAAA {NEW}:aa updated" in said


def _talk(machine: Machine) -> None:
    """Have a machine send something to us, as machines do."""
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.168.7.2', 9))"
    subprocess.run([*machine.prefix, HOMING[0], "-c", code], check=True, timeout=20)


def test_another_prefix_than_the_links_own_is_completed(home: Home, three: tuple[Machine, Machine, Machine]) -> None:
    home.add_host("h0", three[0].mac)
    home.add_host("fixed", None, "--type", "AAAA", "--interface-identifier", "::f")
    home.add_host("gone", ABSENT)
    rows = outcomes(home.lan("--prefix", "2001:db8:99:1::/64"))
    assert rows["h0", "AAAA"] == ("updated", f"2001:db8:99:1:{three[0].identifier()}")
    assert rows["fixed", "AAAA"] == ("updated", "2001:db8:99:1::f")
    assert rows["gone", "AAAA"] == ("skipped", None)
    rows = outcomes(home.lan("--prefix", "2001:db8:99:1::/64", "--eui64"))
    assert rows["gone", "AAAA"] == ("updated", "2001:db8:99:1:0:5eff:fe10:ee")


def test_a_lease_tells_who_a_machine_is(home: Home, three: tuple[Machine, Machine, Machine], tmp_path: Path) -> None:
    home.add_host("camera")
    leases = tmp_path / "dnsmasq.leases"
    leases.write_text(f"{int(time.time()) + 600} {three[1].mac} 192.168.7.12 Camera *\n")
    assert outcomes(home.lan())["camera", "A"] == ("skipped", None)
    assert outcomes(home.lan("--leases", str(leases)))["camera", "A"] == ("updated", "192.168.7.12")


def test_leases_that_are_not_there_yet_keep_nobody_else_from_being_named(
    home: Home, three: tuple[Machine, Machine, Machine], tmp_path: Path
) -> None:
    home.add_host("h0", three[0].mac)
    command = [*HOMING, "lan", f"me.{ZONE}", "--server", home.server.url, "--leases", str(tmp_path / "none")]
    done = run(command, home.folder, prefix=home.me.prefix, environment=home.environment)
    assert done.returncode == 0, done.stderr
    assert f"homing: {tmp_path}/none: cannot be read: No such file or directory" in done.stderr
    assert "192.168.7.11 updated" in done.stdout
    home.add_host("camera")
    done = run(command, home.folder, prefix=home.me.prefix, environment=home.environment)
    assert (done.returncode, "leases that cannot be read" in done.stdout) == (3, True)


def test_one_host_that_refuses_does_not_stop_the_others(home: Home, three: tuple[Machine, Machine, Machine]) -> None:
    home.add_host("h0", three[0].mac)
    home.add_host("h1", three[1].mac)
    home.server.add_host(f"h2.{ZONE}", "--group", "home", "--mac-address", three[2].mac)
    home.server.ask_json("host", "lock", f"h1.{ZONE}")
    rows = home.lan()
    assert outcomes(rows)["h0", "A"] == ("updated", "192.168.7.11")
    assert outcomes(rows)["h1", "A"] == ("skipped", None)
    assert outcomes(rows)["h2", "A"] == ("skipped", None)
    assert outcomes(rows)["h2", "AAAA"][0] == "updated"
    assert any("--allow-internal" in row["text"] for row in rows if row["hostname"].startswith("h2"))


def test_the_hash_api_is_spoken_too(home: Home, three: tuple[Machine, Machine, Machine]) -> None:
    for number, machine in enumerate(three):
        home.add_host(f"h{number}", machine.mac)
    rows = outcomes(home.lan("--protocol", "awslabs"))
    for number, machine in enumerate(three):
        assert rows[f"h{number}", "A"] == ("updated", f"192.168.7.{11 + number}")
        assert rows[f"h{number}", "AAAA"] == ("updated", f"{OLD}{machine.identifier()}")
    assert home.server.dig(f"h2.{ZONE}", "AAAA") == [f"{OLD}{three[2].identifier()}"]
    assert outcomes(home.lan("--protocol", "awslabs"))["h0", "A"] == ("unchanged", "192.168.7.11")


def test_nobody_in_particular_may_run_it(home: Home, three: tuple[Machine, Machine, Machine]) -> None:
    need("setpriv")
    home.add_host("h0", three[0].mac)
    as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all")
    trial = run([HOMING[0], "-c", "import homing.client.lan.looking"], home.folder, prefix=as_nobody)
    if trial.returncode != 0:
        pytest.skip("nobody may not read this clone")
    home.folder.chmod(0o755)
    rows = outcomes(home.lan(prefix=as_nobody, HOME="/nonexistent"))
    assert rows["h0", "A"] == ("updated", "192.168.7.11")
    assert rows["h0", "AAAA"] == ("updated", f"{OLD}{three[0].identifier()}")


def test_a_wrong_secret_an_unknown_interface_and_a_server_that_is_away_are_told(
    home: Home, three: tuple[Machine, Machine, Machine]
) -> None:
    home.add_host("h0", three[0].mac)
    command = [*HOMING, "lan", f"me.{ZONE}", "--server", home.server.url]
    wrong = run(command, home.folder, prefix=home.me.prefix, environment={"HOMING_CLIENT_SECRET": "wrong"})
    assert (wrong.returncode, "its group is not known: not authenticated" in wrong.stderr) == (1, True)
    none = run([*command, "--interface", "eth7"], home.folder, prefix=home.me.prefix, environment=home.environment)
    assert (none.returncode, "there is no interface 'eth7'; there is eth0" in none.stderr) == (1, True)
    away = run([*HOMING, "lan", f"me.{ZONE}", "--server", "http://127.0.0.1:9"], home.folder, prefix=home.me.prefix,
               environment=home.environment)  # fmt: skip
    assert (away.returncode, "Traceback" in away.stderr) == (3, False)


def test_forty_names_among_250_neighbours_are_set_in_one_request(home: Home) -> None:
    crowd = home.network.add()
    for name, value in (("arp_ignore", 1), ("arp_announce", 2)):  # one namespace plays 250 machines
        crowd.sysctl(f"net.ipv4.conf.all.{name}", value)
    lines = []
    for number in range(4, 254):
        port = f"m{number}"
        lines += [
            f"link add {port} link eth0 address 02:00:5e:20:00:{number:02x} type macvlan mode bridge",
            f"addr add 192.168.7.{number}/24 dev {port}",
            f"addr add {OLD}:5eff:{number:x}/64 dev {port} nodad",
            f"link set {port} up",
        ]
    ip_batch(crowd.name, lines)
    home.me.ip("addr", "add", f"{OLD}:2/64", "dev", "eth0", "nodad")
    names = [f"m{number}" for number in range(10, 50)]
    _import(home, {name: f"02:00:5e:20:00:{int(name[1:]):02x}" for name in names})
    begun = time.monotonic()
    rows = outcomes(home.lan())
    took = time.monotonic() - begun
    for name in names:
        number = int(name[1:])
        assert rows[name, "A"] == ("updated", f"192.168.7.{number}")
        assert rows[name, "AAAA"] == ("updated", f"{OLD}:5eff:{number:x}"), home.me.ip("-6", "neigh")
    assert home.requests("/v1/update") == 1
    assert took < 10  # it takes well under a second on an idle machine


def _import(home: Home, macs: dict[str, str]) -> None:
    """Put many names into the group at once."""
    shared = {"shared_secret": home.secret, "group": "home", "allow_internal": True, "read_privilege": True}
    rows = [
        {"hostname": f"{name}.{ZONE}.", "record_type": record_type, "mac_address": mac, **shared}
        for name, mac in macs.items()
        for record_type in ("A", "AAAA")
    ]
    file = home.folder / "rows.json"
    file.write_text(json.dumps({"homing": 1, "rows": rows}))
    done = home.server.homing("import", file)
    assert done.returncode == 0, done.stderr


def test_a_group_of_four_hundred_rows_is_listed_whole_and_set_in_as_few_requests_as_it_fits(home: Home) -> None:
    home.me.ip("addr", "add", f"{OLD}:2/64", "dev", "eth0", "nodad")
    shared = {"shared_secret": home.secret, "group": "home", "read_privilege": True, "record_type": "AAAA"}
    rows = [
        {
            "hostname": f"a-rather-long-name-of-a-machine-{number}.{ZONE}.",
            "interface_identifier": f"::1:{number:x}",
            **shared,
        }
        for number in range(1, 401)
    ]
    file = home.folder / "rows.json"
    file.write_text(json.dumps({"homing": 1, "rows": rows}))
    assert home.server.homing("import", file).returncode == 0
    found = outcomes(home.lan())
    for number in range(1, 401):
        assert found[f"a-rather-long-name-of-a-machine-{number}", "AAAA"] == ("updated", f"{OLD}:1:{number:x}")
    assert home.requests("/v1/update") == 5
    again = outcomes(home.lan())
    assert {again[f"a-rather-long-name-of-a-machine-{number}", "AAAA"][0] for number in range(1, 401)} == {"unchanged"}
    assert home.requests("/v1/update") == 5
