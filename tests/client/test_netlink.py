"""Netlink against a real kernel: in a network namespace, the tables must say what the program ip says."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from homing.client import netlink
from tests.e2e.namespaces import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.namespaces import Namespace

pytestmark = pytest.mark.e2e

DUMP = """
import json
from homing.client.netlink import Tables
with Tables() as tables:
    names = {link.index: link.name for link in tables.links()}
    print(json.dumps({
        "links": [[l.name, l.mac, l.is_up] for l in tables.links()],
        "addresses": [[names[a.index], str(a.address), a.prefix_length, a.preferred, a.valid, a.is_deprecated,
                       a.is_temporary, a.is_usable] for a in tables.addresses()],
        "neighbours": [[names[n.index], str(n.address), n.mac, n.state] for n in tables.neighbours()],
        "routes": [[names[r.index], str(r.destination), r.gateway and str(r.gateway), r.priority, r.table]
                   for r in tables.routes() if r.kind == 1],
    }))
"""
WATCH = """
import select, sys
from homing.client.netlink import Watch
with Watch() as watch:
    print("ready", flush=True)
    told = set()
    while "203.0.113.9" not in told or "2001:db8:9::9" not in told:
        assert select.select([watch], [], [], 20)[0], told
        for change in watch.read():
            told.add(str(getattr(change.value, "address", "")))
            if change.is_gone:
                print("gone", getattr(change.value, "address", change.value), flush=True)
    print("all", flush=True)
"""
SET_UP = (
    "link add lan0 type veth peer name lan1",
    "link set lan0 up",
    "link set lan1 up",
    "link add quiet0 type veth peer name quiet1",
    "addr add 203.0.113.7/24 dev lan0 valid_lft 3600 preferred_lft 600",
    "addr add 203.0.113.8/24 dev lan0",
    "addr add 198.51.100.1 peer 198.51.100.2 dev lan0",
    "addr add 2001:db8:1::7/64 dev lan0 valid_lft 7200 preferred_lft 3600",
    "addr add 2001:db8:2::7/64 dev lan0 valid_lft 7200 preferred_lft 0",
    "addr add 2001:db8:3::7/64 dev lan0 nodad",
    "neigh add 203.0.113.20 lladdr 02:00:00:00:00:20 dev lan0 nud stale",
    "neigh add 203.0.113.21 lladdr 02:00:00:00:00:21 dev lan0 nud permanent",
    "neigh add 2001:db8:1::20 lladdr 02:00:00:00:00:20 dev lan0 router nud reachable",
    "route add default via 203.0.113.1 dev lan0 metric 100",
    "route add 192.0.2.0/24 nexthop via 203.0.113.1 dev lan0 nexthop via 203.0.113.2 dev lan0",
    "-6 route add default via fe80::1 dev lan0 metric 512",
    "route add 10.9.0.0/16 via 203.0.113.1 dev lan0 table 77",
)


def ip(where: Namespace, *arguments: str) -> Any:
    done = subprocess.run(["ip", "-n", where.name, *arguments], capture_output=True, text=True, timeout=20, check=True)
    return json.loads(done.stdout) if "-j" in arguments else None


def python(where: Namespace, script: str) -> Any:
    done = subprocess.run([*where.prefix, sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


@contextmanager
def lan() -> Iterator[Namespace]:
    with namespace(("203.0.113.53/32",)) as where:
        for line in SET_UP:
            ip(where, *line.split())
        yield where


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    """What we read, and what ip prints."""
    with lan() as where:
        ours = python(where, DUMP)
        theirs = {
            "addr": ip(where, "-j", "addr"),
            "neigh": ip(where, "-j", "neigh", "show", "nud", "all"),
            "route": [*ip(where, "-j", "-4", "route", "show", "table", "all"), *ip(where, "-j", "-6", "route", "show",
                      "table", "all")],
        }  # fmt: skip
    return ours, theirs


def test_links_are_those_that_ip_shows(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, theirs = both
    shown = [[link["ifname"], link["address"], {"UP", "LOWER_UP"} <= set(link["flags"])] for link in theirs["addr"]]
    assert sorted(ours["links"]) == sorted(shown)


def test_addresses_are_those_that_ip_shows(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, theirs = both
    shown = {
        (link["ifname"], one["local"]): (
            one["prefixlen"], one["valid_life_time"], one["preferred_life_time"], one.get("deprecated", False),
            one.get("temporary", False),
        )
        for link in theirs["addr"]
        for one in link["addr_info"]
    }  # fmt: skip
    assert {(one[0], one[1]) for one in ours["addresses"]} == set(shown)
    for name, address, length, preferred, valid, is_deprecated, is_temporary, _ in ours["addresses"]:
        theirs_length, theirs_valid, theirs_preferred, deprecated, temporary = shown[name, address]
        assert (length, is_deprecated, is_temporary) == (theirs_length, deprecated, temporary)
        for mine, his in ((preferred, theirs_preferred), (valid, theirs_valid)):
            assert (mine is None and his == 2**32 - 1) or (mine is not None and abs(mine - his) <= 30)
    assert ["lan0", "2001:db8:2::7"] in [one[:2] for one in ours["addresses"] if one[5]]


def test_neighbours_are_those_that_ip_shows(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, theirs = both
    ours_there = {(name, address, mac) for name, address, mac, *_ in ours["neighbours"] if name == "lan0"}
    shown = {(one["dev"], one["dst"], one.get("lladdr")) for one in theirs["neigh"] if one["dev"] == "lan0"}
    added = {one for one in shown if one[1].endswith((".20", ".21", "::20"))}  # the kernel may add some between
    assert len(added) == 3
    assert added <= ours_there
    states = {address: state for _, address, _, state in ours["neighbours"]}
    assert states["203.0.113.20"] == "stale"
    assert states["203.0.113.21"] == "permanent"
    assert states["2001:db8:1::20"] in ("reachable", "stale")


def test_routes_are_those_that_ip_shows(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, theirs = both
    found = {tuple(one) for one in ours["routes"]}
    assert ("lan0", "0.0.0.0/0", "203.0.113.1", 100, 254) in found
    assert ("lan0", "::/0", "fe80::1", 512, 254) in found
    assert ("lan0", "10.9.0.0/16", "203.0.113.1", 0, 77) in found
    assert {one[2] for one in found if one[1] == "192.0.2.0/24"} == {"203.0.113.1", "203.0.113.2"}
    unicast = [one for one in theirs["route"] if one.get("type", "unicast") == "unicast"]
    assert len(found) == sum(len(one.get("nexthops", [one])) for one in unicast)


def test_a_watch_tells_of_addresses_that_come_and_go() -> None:
    with lan() as where:
        process = subprocess.Popen(
            [*where.prefix, sys.executable, "-c", WATCH], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            ip(where, "addr", "del", "203.0.113.8/24", "dev", "lan0")
            ip(where, "addr", "add", "203.0.113.9/24", "dev", "lan0")
            ip(where, "addr", "add", "2001:db8:9::9/64", "dev", "lan0")
            told, errors = process.communicate(timeout=30)
            assert process.returncode == 0, errors
            assert "gone 203.0.113.8" in told
            assert told.endswith("all\n")
        finally:
            process.kill()
            process.wait()


def test_a_watch_that_overflows_says_that_anything_may_have_changed() -> None:
    script = """
import json, subprocess
from homing.client import netlink
netlink._WATCH_BUFFER = 2048
with netlink.Watch() as watch:
    for n in range(200):
        subprocess.run(["ip", "addr", "add", f"10.1.{n}.1/24", "dev", "lan0"], check=True)
    changes = watch.read()
    print(json.dumps([len(changes), any(change.value is None for change in changes), len(watch.read())]))
"""
    with lan() as where:
        count, is_told, rest = python(where, script)
    assert is_told
    assert count < 1000
    assert rest == 0


def test_where_there_is_no_netlink_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_NETLINK", raising=False)
    assert not netlink.is_available()
    with pytest.raises(OSError, match="no netlink"):
        netlink.Tables()
