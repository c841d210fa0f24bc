"""`homing ip` and `homing update` as people run them, in every protocol, against a real `homing serve`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import ZONE
from tests.e2e.namespaces import PUBLIC, SERVER_4, SERVER_6
from tests.e2e.programs import HOMING, Server, ok, run, update, wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.e2e.conftest import Inside

pytestmark = pytest.mark.e2e

URL = f"http://ddns.{ZONE}"
INTERFACE_4, INTERFACE_6 = "198.51.100.20", "2001:db8:20::20"


@dataclass(frozen=True)
class Home:
    """A machine that reaches the server by a name with an IPv4 and an IPv6 address."""

    server: Server
    folder: Path
    prefix: Sequence[str]

    def homing(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run(*HOMING, *arguments, **variables)

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"HOMING_CLIENT_SERVER": URL, "HOMING_CLIENT_PUBLIC_NETWORKS": ",".join(PUBLIC)}
        environment |= {"HOMING_CLIENT_DNS_SERVER": SERVER_4}
        return run(command, self.folder, prefix=self.prefix, environment=environment | variables)

    def update(self, secret: str, *arguments: str | Path, **variables: str) -> list[tuple[str, str | None, str]]:
        """Update with a secret; return type, address and outcome of each row. It must end well."""
        told = good(self.homing("update", *arguments, "--json", HOMING_CLIENT_SECRET=secret, **variables))
        assert secret not in told
        return [(row["record_type"], row["address"], row["outcome"]) for row in json.loads(told)["updates"]]

    def shown(self, name: str) -> tuple[list[str], list[str]]:
        return self.server.dig(name), self.server.dig(name, "AAAA")


def good(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command printed that must end well, and may have warned that there is no TLS here."""
    assert done.returncode == 0, done.stderr
    assert all("in clear; use https" in line for line in done.stderr.splitlines()), done.stderr
    return done.stdout


def failed(done: subprocess.CompletedProcess[str], exit_code: int, words: str) -> None:
    """Check that a command ended with this code, and said why in lines of its own."""
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert words in done.stderr
    assert all(line.startswith("homing: ") for line in done.stderr.splitlines())
    assert done.stdout == ""


@pytest.fixture(scope="module")
def home(inside: Inside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The way out has no address of its own, as behind a router: what nobody has chosen is what the server sees."""
    folder = tmp_path_factory.mktemp("home")
    hosts = folder / "hosts"
    hosts.write_text(f"{SERVER_4} ddns.{ZONE}\n{SERVER_6} ddns.{ZONE}\n")

    def ip(arguments: str) -> None:
        done = run(["ip", "-n", inside.namespace.name, *arguments.split()], folder)
        assert done.returncode == 0, done.stderr

    for arguments in (
        "link add up0 type veth peer name up1", "link set up0 up", "link set up1 up",
        f"addr add {INTERFACE_4}/24 dev up0", f"addr add {INTERFACE_6}/64 dev up0 nodad",
        "route add default dev up1", "-6 route add default dev up1",
    ):  # fmt: skip
        ip(arguments)
    yield Home(inside.server, folder, inside.namespace.prefix_with_files(hosts=hosts))
    ip("link delete up0")


# --- homing ip


def test_ip_prints_both_addresses_as_the_server_sees_them(home: Home) -> None:
    assert ok(home.homing("ip")).split() == [SERVER_4, SERVER_6]
    assert ok(home.homing("ip", "--ipv4")).split() == [SERVER_4]
    assert ok(home.homing("ip", "--ipv6")).split() == [SERVER_6]
    assert json.loads(ok(home.homing("ip", "--protocol", "awslabs", "--json"))) == {
        "ipv4": SERVER_4, "ipv6": SERVER_6, "problems": {},
    }  # fmt: skip
    assert ok(home.homing("ip", "--source", f"{URL}/nic/checkip")).split() == [SERVER_4, SERVER_6]
    assert ok(home.homing("ip", "--interface", "up0")).split() == [INTERFACE_4, INTERFACE_6]
    assert ok(home.homing("ip", "--source", "command:echo 198.51.100.7")).split() == ["198.51.100.7"]


# --- every protocol


@pytest.mark.parametrize("protocol", ["signed", "awslabs", "dyndns2"])
def test_both_families_are_set_and_the_second_time_nothing_changes(home: Home, name: str, protocol: str) -> None:
    secret = home.server.add_host(name)
    arguments = (name, "--protocol", protocol)
    assert home.update(secret, *arguments) == [("A", SERVER_4, "updated"), ("AAAA", SERVER_6, "updated")]
    assert home.shown(name) == ([SERVER_4], [SERVER_6])
    assert home.update(secret, *arguments) == [("A", SERVER_4, "unchanged"), ("AAAA", SERVER_6, "unchanged")]


@pytest.mark.parametrize("protocol", ["signed", "dyndns2", "awslabs"])
def test_the_addresses_of_an_interface_are_set(home: Home, name: str, protocol: str) -> None:
    secret = home.server.add_host(name, "--allow-internal")
    rows = home.update(secret, name, "--protocol", protocol, "--interface", "up0")
    assert rows == [("A", INTERFACE_4, "updated"), ("AAAA", INTERFACE_6, "updated")]
    assert home.shown(name) == ([INTERFACE_4], [INTERFACE_6])


@pytest.mark.parametrize("protocol", ["signed", "dyndns2", "awslabs"])
def test_a_family_that_is_not_named_keeps_its_address(home: Home, name: str, protocol: str) -> None:
    secret = home.server.add_host(name)
    home.update(secret, name, "--protocol", protocol)  # a host that was signed for takes no hash any more
    rows = home.update(secret, name, "--protocol", protocol, "--address", SERVER_4)
    assert rows == [("A", SERVER_4, "unchanged")]
    assert home.update(secret, name, "--protocol", protocol, "--ipv6") == [("AAAA", SERVER_6, "unchanged")]
    assert home.shown(name) == ([SERVER_4], [SERVER_6])


def test_awslabs_v3_sets_the_ipv4_address(home: Home, name: str) -> None:
    secret = home.server.add_host(name)
    arguments = (name, "--protocol", "awslabs-post")
    assert home.update(secret, *arguments) == [("A", SERVER_4, "updated")]
    assert home.update(secret, *arguments) == [("A", SERVER_4, "unchanged")]
    assert home.shown(name) == ([SERVER_4], [])


def test_the_stage_of_a_server_stands_before_everything(home: Home, name: str) -> None:
    secret = home.server.add_host(name)
    for protocol in ("awslabs", "dyndns2", "signed"):
        rows = home.update(secret, name, "--protocol", protocol, "--server", f"{URL}/prod")
        assert [row[1] for row in rows] == [SERVER_4, SERVER_6]


def test_dyndns2_sets_several_names_of_an_account_in_one_request(home: Home, name: str) -> None:
    names = [name, f"b-{name}", f"c-{name}"]
    for one in names:
        home.server.add_host(one)
    password = home.server.add_account(f"alice-{name}", *names)
    rows = home.update(password, *names, "--protocol", "dyndns2", "--username", f"alice-{name}", "--ipv4")
    assert rows == [("A", SERVER_4, "updated")] * 3
    assert [home.server.dig(one) for one in names] == [[SERVER_4]] * 3


def test_dyndns2_can_leave_each_family_to_what_the_server_sees(home: Home, name: str) -> None:
    secret = home.server.add_host(name)
    rows = home.update(secret, name, "--protocol", "dyndns2", "--source", "seen")
    assert rows == [("A", SERVER_4, "updated"), ("AAAA", SERVER_6, "updated")]
    assert home.shown(name) == ([SERVER_4], [SERVER_6])


def test_a_group_is_set_in_one_signed_request_all_or_none(home: Home, name: str) -> None:
    names = [name, f"b-{name}"]
    secret = home.server.add_host(names[0], "--group", f"g-{name}")
    assert home.server.add_host(names[1], "--group", f"g-{name}") == secret
    assert home.update(secret, *names, "--ipv4") == [("A", SERVER_4, "updated")] * 2
    home.server.add_host(f"c-{name}")
    done = home.homing("update", *names, f"c-{name}", "--address", INTERFACE_4, HOMING_CLIENT_SECRET=secret)
    failed(done, 1, "refused")
    assert home.server.dig(name) == [SERVER_4]


# --- ddupdate, and its own file as it is


def token_of(home: Home, name: str) -> tuple[str, str]:
    made = home.server.ask_json("token", name)
    return made["zoneid"], made["token"]


def test_ddupdate_sets_what_the_server_sees_or_what_is_named(home: Home, name: str) -> None:
    zone_id, token = token_of(home, name)
    arguments = (name, "--protocol", "ddupdate", "--zone-id", zone_id)
    assert home.update(token, *arguments) == [("A", None, "updated")]
    assert home.shown(name) == ([SERVER_4], [])
    rows = home.update(token, *arguments, "--address", INTERFACE_4, "--address", INTERFACE_6, "--ttl", "90")
    assert rows == [("A", INTERFACE_4, "updated"), ("AAAA", INTERFACE_6, "updated")]
    assert home.shown(name) == ([INTERFACE_4], [INTERFACE_6])
    assert "\t90\t" in home.server.dig_all(name).replace(" ", "\t")


def test_ddupdates_own_file_is_read_as_it_is(home: Home, name: str) -> None:
    other = f"b-{name}"
    text = ""
    for one, more in ((name, ""), (other, "ipv4=203.0.113.9\n")):
        zone_id, token = token_of(home, one)
        text += f"[{one}]\nurl={URL}/Production\ntoken={token}\nzoneid={zone_id}\n{more}"
    file = home.folder / f"{name}.conf"
    file.write_text(text + f"[{name}]\nipv6=2001:db8::9\n")
    done = home.run(*HOMING, "update", "--ddupdate-config", file, HOMING_CLIENT_SERVER="")
    assert done.returncode == 0, done.stderr
    assert "stands in line 1 already" in done.stderr
    assert "may be read by others" in done.stderr
    assert home.shown(name) == ([SERVER_4], ["2001:db8::9"])
    assert home.shown(other) == (["203.0.113.9"], [])


# --- clocks

_WITH_CLOCK = (
    "import time; t = time.time_ns; time.time_ns = lambda: t() + {} * 10**9; from homing.cli import main; main()"
)


@pytest.mark.parametrize("seconds", [-1_700_000_000, 86_400, -301])
def test_a_machine_without_a_clock_is_told_the_time_and_heard_at_once(home: Home, name: str, seconds: int) -> None:
    secret = home.server.add_host(name)
    local = f"http://{SERVER_4}"  # over a network and without TLS nobody would believe it: the test below
    command = (sys.executable, "-c", _WITH_CLOCK.format(seconds), "update", name, "--address", "203.0.113.9")
    done = home.run(*command, HOMING_CLIENT_SECRET=secret, HOMING_CLIENT_SERVER=local)
    failed(done, 3, "set the clock")
    assert home.server.dig(name) == []


def test_a_change_by_another_protocol_a_moment_ago_is_no_obstacle(home: Home, name: str) -> None:
    secret = home.server.add_host(name)
    assert home.update(secret, name, "--protocol", "dyndns2", "--address", "203.0.113.9") == [
        ("A", "203.0.113.9", "updated")
    ]
    command = (sys.executable, "-c", _WITH_CLOCK.format(-200), "update", name, "--ipv4", "--json")
    done = home.run(*command, HOMING_CLIENT_SECRET=secret)
    assert json.loads(good(done))["updates"][0]["outcome"] == "updated"
    assert home.server.dig(name) == [SERVER_4]


# --- the cache


def requests_about(home: Home, name: str) -> int:
    return sum(f"host={name}" in line for line in home.server.log.read_text().splitlines())


def test_a_cache_saves_requests_and_never_leaves_a_name_wrong(home: Home, name: str) -> None:
    secret = home.server.add_host(name)
    arguments: tuple[Any, ...] = (name, "--cache", "1d", "--ipv4")
    assert home.update(secret, *arguments) == [("A", SERVER_4, "updated")]
    assert home.update(secret, *arguments) == [("A", SERVER_4, "cached")]
    home.update(secret, name, "--address", "203.0.113.9")
    assert wait_for(lambda: requests_about(home, name) >= 2)
    assert requests_about(home, name) == 2
    assert home.update(secret, *arguments) == [("A", SERVER_4, "updated")], "somebody else has set it meanwhile"
    assert home.server.dig(name) == [SERVER_4]
    assert home.update(secret, *arguments, HOMING_CLIENT_DNS_SERVER="203.0.113.8") == [("A", SERVER_4, "unchanged")]


def test_a_local_server_says_whose_the_clock_is(server: Server, name: str) -> None:
    """Over loopback the server's time is believed, as over TLS."""
    secret = server.add_host(name, "--allow-internal")
    done = run(
        [sys.executable, "-c", _WITH_CLOCK.format(-1_700_000_000), "update", name, "--server", server.url, "--ipv4",
         "--address", "127.0.0.9"],
        server.folder, environment={"HOMING_CLIENT_SECRET": secret},
    )  # fmt: skip
    assert ok(done) == f"{name} A 127.0.0.9 updated\n"
    assert update(server, name, secret, "127.0.0.9") == "nochg 127.0.0.9\n"
