"""A real router, miniupnpd, between two namespaces: it tells its address by NAT-PMP, PCP and UPnP, as home routers do.

Outside stand a STUN server (stund, of RFC 3489) and `homing serve`. miniupnpd refuses to work with addresses that are
kept for documentation, so that the network outside has others; nothing leaves the namespaces.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.namespaces import Namespace, namespace
from tests.e2e.programs import HOMING, Server, clean_environment, lack, need, ok, refused, run, serving, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

WAN, NEW_WAN, OUTSIDE, OUTSIDE_TOO = "8.8.4.1", "8.8.4.77", "8.8.4.9", "8.8.4.10"
BEHIND_NAT = "100.64.3.1"
ROUTER, CLIENT = "192.168.9.1", "192.168.9.2"
ZONE = "home.test"

RULES = """
table inet filter {
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
  chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    jump postrouting_miniupnpd; oifname "wan" masquerade;
  }
}
"""
CONFIGURATION = """
ext_ifname=wan
listening_ip=lan
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
min_lifetime=10
uuid=00000000-0000-4000-8000-000000000001
"""
ASK_PCP = f"""
import time
from homing.client import portmap, udp
from homing.client.remote import Line
end = time.monotonic() + 5
with udp.connected("{ROUTER}", portmap.PORT, 4, Line(), end) as opened:
    print(portmap._ask_pcp(opened, end).address)
"""


@dataclass
class Network:
    """A machine at home, its router, and the Internet."""

    home: Namespace
    router: Namespace
    outside: Namespace
    daemon: subprocess.Popen[bytes]
    log: Path
    folder: Path

    def homing(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return run([*HOMING, *arguments], self.folder, prefix=self.home.prefix, environment=variables)

    def ip(self, *options: str) -> str:
        return ok(self.homing("ip", "--ipv4", *options)).strip()

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def network(folder: Path, wan: str = WAN) -> Iterator[Network]:
    """Have a router with this address for a while."""
    need("miniupnpd", "nft")
    with ExitStack() as stack:
        home, router, outside = (stack.enter_context(namespace(())) for _ in range(3))
        for near, far, name, addresses in (
            (router, home, "lan", (f"{ROUTER}/24", f"{CLIENT}/24")),
            (router, outside, "wan", (f"{wan}/24", f"{OUTSIDE}/24")),
        ):
            ip(near, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", far.name)
            for side, device, address in ((near, name, addresses[0]), (far, "eth0", addresses[1])):
                ip(side, "addr", "add", address, "dev", device)
                ip(side, "link", "set", device, "up")
        ip(outside, "addr", "add", f"{OUTSIDE_TOO}/24", "dev", "eth0")
        ip(home, "route", "add", "default", "via", ROUTER)
        forward = router.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], folder)
        assert forward.returncode == 0, forward.stderr
        made = router.run(["nft", "-f", "-"], folder, stdin=RULES)
        if made.returncode != 0:
            lack(f"this kernel takes no nftables rules: {made.stderr.strip()}")
        (folder / "miniupnpd.conf").write_text(CONFIGURATION)
        log = folder / "miniupnpd.log"
        daemon = stack.enter_context(
            background(router, folder, log, "miniupnpd", "-d", "-f", "miniupnpd.conf", "-P", str(folder / "pid"))
        )
        assert wait_for(lambda: "Listening for NAT-PMP/PCP" in log.read_text(errors="replace")), log.read_text()
        yield Network(home, router, outside, daemon, log, folder)


@contextmanager
def background(where: Namespace, folder: Path, log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have a program run for a while; it is ended by its own id."""
    with log.open("wb") as stream:
        process = subprocess.Popen([*where.prefix, *command], cwd=folder, env=clean_environment(folder),
                                   stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ip(where: Namespace, *arguments: str) -> None:
    done = subprocess.run(["ip", "-n", where.name, *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("router")) as running:
        yield running


@pytest.fixture(scope="module")
def server(at_home: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server outside, which sees the router and nothing behind it."""
    flags = ("--zone", ZONE, "--http-listen", f"{OUTSIDE}:80", "--dns-listen", f"{OUTSIDE}:53")
    with serving(tmp_path_factory.mktemp("server"), *flags, prefix=at_home.outside.prefix, loopback=False) as running:
        yield running


@pytest.mark.parametrize("source", ["router", "nat-pmp", f"nat-pmp:{ROUTER}", "upnp", f"upnp:{ROUTER}"])
def test_the_router_tells_its_address(at_home: Network, source: str) -> None:
    assert at_home.ip("--source", source) == WAN


def test_each_way_is_spoken_as_the_daemon_understands_it(at_home: Network) -> None:
    at_home.ip("--source", "nat-pmp")
    assert "NAT-PMP public address request" in at_home.said()
    at_home.ip("--source", "upnp")
    assert wait_for(lambda: "#GetExternalIPAddress" in at_home.said())
    assert at_home.said().count("PCP MAP") == 0, "a mapping is asked for only where there is no other way"


def test_by_pcp_a_mapping_is_lent_and_given_back(at_home: Network) -> None:
    done = run([sys.executable, "-c", ASK_PCP], at_home.folder, prefix=at_home.home.prefix)
    assert ok(done) == f"{WAN}\n"
    assert "PCP MAP: added mapping UDP" in at_home.said()
    assert wait_for(lambda: "mapping removed" in at_home.said())
    rules = at_home.router.run(["nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd"], at_home.folder)
    assert CLIENT not in rules.stdout


def test_a_stun_server_sees_the_router(at_home: Network) -> None:
    need("stund")
    log = at_home.folder / "stund.log"
    with background(at_home.outside, at_home.folder, log, "stund", "-v", "-h", OUTSIDE, "-a", OUTSIDE_TOO):
        assert wait_for(lambda: "Opened port 3478" in log.read_text(errors="replace"))
        assert at_home.ip("--source", f"stun:{OUTSIDE}") == WAN
        both = json.loads(ok(at_home.homing("ip", "--source", f"stun:{OUTSIDE}", "--json")))
        assert (both["ipv4"], both["ipv6"]) == (WAN, None)
        assert ok(at_home.homing("ip", "--source", f"stun:{OUTSIDE}")).split() == [WAN], "no IPv6 here is no failure"


@pytest.mark.parametrize("protocol", ["signed", "dyndns2"])
def test_a_name_is_set_to_what_the_router_tells(at_home: Network, server: Server, protocol: str) -> None:
    name = f"{protocol}.{ZONE}"
    secret = server.add_host(name)
    update: tuple[Any, ...] = ("update", name, "--server", f"http://{OUTSIDE}", "--protocol", protocol, "--source",
                               "router", "--ipv4", "--json")  # fmt: skip
    done = at_home.homing(*update, HOMING_CLIENT_SECRET=secret)
    assert json.loads(done.stdout)["updates"][0] | {"text": ""} == {
        "hostname": name, "record_type": "A", "address": WAN, "outcome": "updated", "text": "",
    }  # fmt: skip
    assert server.dig(name) == [WAN]


def test_a_router_that_gets_another_address_tells_that(tmp_path: Path) -> None:
    with network(tmp_path) as running:
        assert running.ip("--source", "router") == WAN
        ip(running.router, "addr", "del", f"{WAN}/24", "dev", "wan")
        ip(running.router, "addr", "add", f"{NEW_WAN}/24", "dev", "wan")
        assert wait_for(lambda: running.homing("ip", "--ipv4", "--source", "router").returncode == 0)
        assert [running.ip("--source", one) for one in ("nat-pmp", "upnp")] == [NEW_WAN, NEW_WAN]
        running.daemon.kill()
        running.daemon.wait()
        refused(running.homing("ip", "--ipv4", "--source", "router", "--timeout", "3"), 3, "Connection refused")


def test_behind_a_second_nat_the_router_has_nothing_to_tell_and_the_message_says_why(tmp_path: Path) -> None:
    with network(tmp_path, wan=BEHIND_NAT) as running:
        refused(running.homing("ip", "--ipv4", "--source", "nat-pmp"), 3, "it stands behind another NAT")
        refused(running.homing("ip", "--ipv4", "--source", "upnp"), 3, "behind another NAT")
        done = running.homing("ip", "--ipv4", "--source", "router", "--json")
        assert done.returncode == 3
        assert "another NAT" in json.loads(done.stdout)["problems"]["ipv4"]
