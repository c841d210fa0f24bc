"""From an address that changes on an interface to the answer of DNS: `homing run` against `homing serve`.

    python -m bench agent [--changes 200] [--agents 50] [--idle 60] [--flaps 5]

A server and the agents, each in a network namespace of its own, joined by veth links. One change at a time: an address
comes and another goes (IPv4), or a new prefix comes and the old one is deprecated (IPv6, without the second that
duplicate address detection takes). The clock runs from before the program `ip` is told of it to the first answer of the
authoritative server, asked every 2 ms, that shows the new address and no other. An agent's changes are over a minute
apart, since it waits longer for a link that flaps: what that costs is measured at the end, on one agent.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import ssl
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import homing
from bench.agent_fleet import fleet, updates_of, wait_for_all
from bench.home_network import Noise, cuts, is_at_home
from homing.client.agent.waits import CALM_SECONDS, QUIET_FIRST, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.agent_fleet import Follower
    from bench.home_network import Dns

Times = dict[tuple[str, int], list[float]]

SPACING = CALM_SECONDS + 1
FLAP_SPACING = 5.0
PERIODS = {"ddclient, a daemon": 300, "inadyn": 120, "inadyn of a router": 600, "ddns-scripts": 600, "cron": 300}
"""Seconds between two looks of clients that poll, as they are delivered."""
WANTED_P99, WANTED_MEGABYTES, WANTED_PER_CENT = 1.0, 25, 0.1


def run(*words: str) -> None:
    wanted = _options(words)
    if not is_at_home("agent", words):
        return
    begun = time.monotonic()
    with fleet(wanted.agents) as (server, dns, agents), Noise() as noise:
        wait_for_all(agents)
        time.sleep(2)
        _print_memory("after the start", agents)
        sent = updates_of(server)
        found = _measure(agents, dns, wanted.changes)
        _print_times(found)
        made = wanted.changes - sum(map(len, found.values()))
        print(f"changes that DNS never showed {made}, needless updates {updates_of(server) - sent - wanted.changes}")
        _print_memory("after the changes", agents)
        _print_idle(agents, wanted.idle)
        _print_flaps(agents[0], dns, wanted.flaps)
        print(noise)
    _print_peers(found)
    _print_size()
    print(f"all of this took {time.monotonic() - begun:.0f} s")


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench agent")
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--idle", type=float, default=60, help="seconds at rest")
    parser.add_argument("--flaps", type=int, default=5, help=f"changes {FLAP_SPACING:.0f} s apart")
    found = parser.parse_args(words)
    found.agents = max(2, min(found.agents, found.changes, 250))
    return found


def _measure(agents: Sequence[Follower], dns: Dns, changes: int) -> Times:
    """Make so many changes, one after the other, as soon as the agent whose turn it is has calmed down."""
    found: Times = {}
    for number in range(changes):
        agent = agents[number % len(agents)]
        if agent.moves:
            time.sleep(max(0.2, agent.moved_at + SPACING - time.monotonic()))
        family = agent.next_family
        took = agent.move(dns)
        if took is None:
            print(f"never shown, as {agent.name} tells it:\n{agent.log}")
        else:
            found.setdefault((agent.scheme, family), []).append(took)
    return found


def _print_times(found: Times) -> None:
    for scheme in ("http", "https"):
        for families, what in (((4, 6), "all"), ((4,), "IPv4"), ((6,), "IPv6")):
            times = [one for family in families for one in found.get((scheme, family), ())]
            print(f"{scheme:5} {what:4} {len(times):4} changes, shown after {cuts(times)}", end="")
            print(f"; wanted p99 under {WANTED_P99 * 1000:.0f}" if what == "all" else "")
    plain, tls = (median(found.get((one, 4), [0.0]) + found.get((one, 6), [0.0])) for one in ("http", "https"))
    print(f"of the median, {QUIET_FIRST * 1000:.0f} ms is waiting for the link to settle", end="")
    print(f", {(plain - QUIET_FIRST) * 1000:.0f} ms all else over HTTP, and TLS {(tls - plain) * 1000:.0f} ms more")


def _print_memory(when: str, agents: Sequence[Follower]) -> None:
    for scheme in ("http", "https"):
        some = [agent for agent in agents if agent.scheme == scheme]
        now, most = ([agent.megabytes(field) for agent in some] for field in ("VmRSS", "VmHWM"))
        print(f"{scheme:5} {when}: {median(now):.1f} MB, the largest {max(now):.1f} MB, at most so far {max(most):.1f}")
    authorities = ssl.create_default_context().cert_store_stats()["x509_ca"]
    print(f"      wanted under {WANTED_MEGABYTES} MB; the system trusts {authorities} authorities")


def _print_idle(agents: Sequence[Follower], seconds: float) -> None:
    time.sleep(3)  # the look at DNS that follows an update
    begun = time.monotonic()
    cpu, switches = (sum(many) for many in ([a.cpu_seconds() for a in agents], [a.switches() for a in agents]))
    time.sleep(seconds)
    passed = (time.monotonic() - begun) * len(agents)
    cpu, switches = sum(a.cpu_seconds() for a in agents) - cpu, sum(a.switches() for a in agents) - switches
    print(f"at rest, {len(agents)} agents for {seconds:.0f} s: {cpu / passed:.4%} of a core each; ", end="")
    print(f"wanted {WANTED_PER_CENT} %; {switches / passed * 60:.1f} context switches a minute each")
    print("      (each looks once in 5 minutes, after the last change; --idle 330 has that in it)")


def _print_flaps(agent: Follower, dns: Dns, count: int) -> None:
    waits = ", ".join(f"{quiet(number):.1f}" for number in range(7))
    print(f"a link that has changed 0, 1, 2 ... times in the last minute is given {waits} s to settle")
    time.sleep(max(0.0, agent.moved_at + SPACING - time.monotonic()) if count else 0)
    took = []
    for _ in range(count):
        took.append(agent.move(dns))
        time.sleep(FLAP_SPACING)
    if count:
        shown = ", ".join("never" if one is None else f"{one:.1f}" for one in took)
        print(f"{count} changes, {FLAP_SPACING:.0f} s after the last was shown, each shown after {shown} s")


def _print_peers(found: Times) -> None:
    ours = median([one for times in found.values() for one in times] or [0.0])
    print("clients that poll notice a change after half of their period on average; arithmetic, not measured:")
    for name, period in PERIODS.items():
        print(f"  {name:19} every {period} s: {period / 2:.0f} s", end="")
        print(f", {period / 2 / ours:.0f} times ours" if ours else "")


def _print_size() -> None:
    """Print what a base install takes on disk: the package, and what it requires without any extra."""
    needed = [one for one in importlib.metadata.requires("homing") or () if "extra ==" not in one]
    names = [one.partition(">")[0].strip() for one in needed]
    sizes = {"homing": _size_of(Path(homing.__file__).parent)}
    for name in names:
        files = importlib.metadata.distribution(name).files or ()
        sizes[name] = sum(file.size or 0 for file in files if file.suffix != ".pyc")
    parts = ", ".join(f"{name} {size / 2**20:.1f}" for name, size in sizes.items())
    print(f"a base install takes {sum(sizes.values()) / 2**20:.1f} MB on disk without bytecode: {parts}")


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
