"""The benchmarks of the client run, in small, and what they print can be read. No time is looked at."""

from __future__ import annotations

import json
import re
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from bench.__main__ import ALL, chosen
from bench.agent_fleet import addresses_of
from bench.home_network import cuts
from bench.lan import requests_of

from tests.e2e.namespaces import namespace
from tests.e2e.programs import run
from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def bench(tmp_path: Path, *words: str) -> str:
    """Run a benchmark to its end; return what it prints."""
    done = run([sys.executable, "-m", "bench", *words], tmp_path, environment={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def network() -> None:
    """Skip where there is no network of one's own to be had."""
    with namespace(()):
        pass


@pytest.mark.slow
@pytest.mark.usefixtures("network")
def test_every_change_that_the_agent_is_measured_by_is_shown_and_none_is_sent_twice(tmp_path: Path) -> None:
    told = bench(tmp_path, "agent", "--changes", "4", "--agents", "4", "--idle", "1", "--flaps", "0")
    found = re.findall(r"^(https?) +(all|IPv4|IPv6) +(\d+) changes, shown after (p50 .* ms)", told, re.MULTILINE)
    counts = {(scheme, what): int(count) for scheme, what, count, _ in found}
    assert counts == {
        (scheme, what): number
        for scheme in ("http", "https")
        for what, number in (("all", 2), ("IPv4", 1), ("IPv6", 1))
    }
    assert "changes that DNS never showed 0, needless updates 0" in told
    assert len(re.findall(r"^https? +after the (?:start|changes): \d+\.\d MB", told, re.MULTILINE)) == 4
    assert re.search(r"at rest, 4 agents for 1 s: \d\.\d+% of a core each; .* context switches", told)
    assert "is given 0.1, 0.3, 0.9, 2.7, 8.1, 24.3, 60.0 s to settle" in told
    assert re.search(r"base install takes \d\.\d MB on disk .*: homing .*, click .*, dnspython .*, idna ", told)


@pytest.mark.slow
@pytest.mark.usefixtures("network")
def test_a_network_is_named_with_one_request_and_none_when_nothing_has_changed(tmp_path: Path) -> None:
    told = bench(tmp_path, "lan", "--rounds", "1", "--neighbours", "6", "--ours", "2")
    found = re.findall(r"^(signed|awslabs) +(\S.*\S) +median \d+\.\d\d s.*\n +(.*)$", told, re.MULTILINE)
    brought = {(protocol, kind): what for protocol, kind, what in found}
    assert len(brought) == 11
    assert all(what.startswith("4 of 4 RRsets shown") for what in brought.values()), told
    assert brought["signed", "quiet machines, all new"].partition(";")[2].startswith(" requests: 1 lists, 1 sets;")
    assert brought["signed", "tables full, nothing new"].endswith("requests: 1 lists")
    assert "1 lists, 4 sets" in brought["awslabs", "tables full, all new"]


@pytest.mark.slow
def test_one_update_by_each_program_is_made_and_shown(tmp_path: Path) -> None:
    told = bench(tmp_path, "oneshot", "--rounds", "2")
    rows = re.findall(r"^(\S.*?) +\d+ ms wall \((\d+\.\d\d) of .*\), +\d+ ms CPU .*, +\d+\.\d MB", told, re.MULTILINE)
    assert {"python that does nothing", "homing update"} <= {name for name, _ in rows}
    assert ("homing update", "1.00") in rows


def test_flags_belong_to_the_benchmark_before_them() -> None:
    assert chosen(["agent", "--changes", "4", "lan"]) == [("agent", ["--changes", "4"]), ("lan", [])]
    assert [name for name, _ in chosen([])] == list(ALL)
    with pytest.raises(SystemExit, match="there is no benchmark 'agents'"):
        chosen(["agents"])


def test_each_change_is_of_one_family_and_they_take_turns() -> None:
    steps = [addresses_of(7, moves) for moves in range(9)]
    for moves, (old, new) in enumerate(pairwise(steps)):
        changed = [family for family in (4, 6) if old[family] != new[family]]
        assert changed == [4 if moves % 2 == 0 else 6]


def test_requests_are_told_apart() -> None:
    lines: list[dict[str, object]] = [
        {"path": "/v1/hosts", "protocol": "signed", "outcome": "unchanged"},
        {"path": "/v1/update", "protocol": "signed", "outcome": "updated"},
        {"path": "/", "status": 200},
        {"path": "/", "protocol": "awslabs", "host": "me-x.bench.test.", "outcome": "unchanged"},
        {"path": "/", "protocol": "awslabs", "host": "m1-x.bench.test.", "outcome": "unchanged"},
        {"message": "no request"},
    ]
    told = requests_of("\n".join(["homing serve", *map(json.dumps, lines)]))
    assert told == {"lists": 2, "sets": 1, "asks for the own address": 1, "sets in vain (unchanged)": 1}


def test_what_is_said_of_times_is_in_milliseconds() -> None:
    assert cuts([number / 1000 for number in range(101)]) == "p50 50.0, p90 90.0, p99 99.0, max 100.0 ms"
    assert cuts([]) == "nothing"
