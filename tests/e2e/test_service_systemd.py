"""What `homing service install` writes, run by a real systemd: as nobody in particular, with secrets of root's."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import inside_flags
from tests.e2e.namespaces import PUBLIC, SERVER_4
from tests.e2e.programs import need, serving, wait_for
from tests.e2e.systemd_world import World, systemd_world
from tests.e2e.test_run import NAME, NEW_4, OLD_4, URL, network_of_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.namespaces import Namespace
    from tests.e2e.programs import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOMING = "/opt/homing/bin/homing"
AGENT, UPDATE = "homing-agent.service", "homing-update.service"
HOOKED = "/var/lib/homing-agent/hooked"
SETTINGS = f"""
[client]
server = "{URL}"
names = ["{NAME}"]
secret_file = "/etc/homing/cam.secret"
public_networks = {json.dumps(PUBLIC)}
dns_server = "{SERVER_4}"
ipv4 = "interface"
ipv6 = "none"

[agent]
on_change = ["sh", "-c", "id -u >{HOOKED}"]
"""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[World, Server, Namespace]]:
    need("dig")
    with (
        network_of_one() as network,
        serving(tmp_path, *inside_flags(), prefix=network.prefix, loopback=False) as server,
    ):
        settings = {"homing.toml": SETTINGS, "cam.secret": server.add_host(NAME)}
        with systemd_world(tmp_path, network.prefix, settings) as world:
            yield world, server, network


def test_the_agent_keeps_its_name_right_under_systemd(scene: tuple[World, Server, Namespace]) -> None:
    world, server, network = scene
    world.ok(HOMING, "service", "install", "--yes")
    assert wait_for(lambda: server.dig(NAME) == [OLD_4], 20), world.log
    for change in (["add", f"{NEW_4}/32"], ["del", f"{OLD_4}/32"]):
        subprocess.run(["ip", "-n", network.name, "addr", *change, "dev", "lan0"], check=True, timeout=20)
    assert wait_for(lambda: server.dig(NAME) == [NEW_4], 10), world.log
    assert "it is so already" in world.ok(HOMING, "service", "install", "--yes")
    assert json.loads(world.ok(HOMING, "service", "status", "--json"))["well"] is True

    pid = world.show(AGENT, "MainPID")
    status = dict(line.split(":\t", 1) for line in world.ok("cat", f"/proc/{pid}/status").splitlines())
    user = status["Uid"].split()[0]
    assert user not in ("0", "65534")
    assert {status[name].strip("0") for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert world.ok("cat", HOOKED).strip() == user, "a hook runs as the service does"
    assert world.show(AGENT, "NRestarts") == "0"

    world.ok("systemctl", "kill", "--signal=USR1", AGENT)
    assert wait_for(lambda: "unchanged" in world.log), world.log
    assert server.ask_json("host", "show", NAME), "the server is well"
    world.ok(HOMING, "service", "uninstall", "--yes")
    assert "not installed" in world.run(HOMING, "service", "status").stdout
    assert world.run("cat", f"/etc/systemd/system/{AGENT}").returncode != 0
    assert world.run("cat", f"/proc/{pid}/status").returncode != 0


def test_a_timer_updates_under_systemd(scene: tuple[World, Server, Namespace]) -> None:
    world, server, _ = scene
    world.ok(HOMING, "service", "install", "--yes", "--timer", "--interval", "1m")
    assert wait_for(lambda: server.dig(NAME) == [OLD_4], 20), world.log
    assert wait_for(lambda: world.show(UPDATE, "ActiveState") == "inactive")
    told = json.loads(world.ok(HOMING, "service", "status", "--json"))
    assert (told["well"], told["last_result"]) == (True, "success")
    assert told["next_run"] > told["last_run"]
    assert NAME in world.ok("cat", "/var/cache/homing-update/client.json")


def test_an_agent_that_is_killed_comes_back(scene: tuple[World, Server, Namespace]) -> None:
    world, _, _ = scene
    world.ok(HOMING, "service", "install", "--yes")
    world.ok("systemctl", "kill", "--signal=KILL", AGENT)
    assert wait_for(lambda: world.show(AGENT, "NRestarts") == "1", 40), world.log
    assert wait_for(lambda: world.show(AGENT, "ActiveState") == "active", 20), world.log
    assert json.loads(world.ok(HOMING, "service", "status", "--json"))["restarts"] == 1
