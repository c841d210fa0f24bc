"""Warm CPU of one update in one process, over HTTP and over TLS, beside the throw-away handlers.

    python -m bench warm

Each event is of another host, so that nothing is found that an update before it has left.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.aws_canned import canned_aws
from bench.aws_handlers import (
    AWSLABS,
    BOTO3,
    HOMING,
    KINDS,
    LEAST,
    Case,
    Kind,
    Prepared,
    prepare,
    python,
    trust,
    wanted_status,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUNDS = 4
EVENTS = {LEAST: 500, HOMING: 500, BOTO3: 250, AWSLABS: 10}
"""In each round: 2,000 in all of what is compared."""
WARMING = {LEAST: 50, HOMING: 50, BOTO3: 25, AWSLABS: 2}
WANTED_RATIO = 2.0

Found = dict[tuple[Case, Kind, str], list[float]]


def run() -> None:
    """Measure, and print milliseconds of CPU with the ratios."""
    with tempfile.TemporaryDirectory() as name, canned_aws(Path(name)) as (plain, tls):
        prepared = prepare(Path(name))
        trust(Path(name))
        urls = {"HTTP": plain, "TLS": tls}
        found: Found = {(case, kind, way): [] for case in EVENTS for kind in KINDS for way in urls}
        for _ in range(ROUNDS):
            for (case, kind, way), costs in found.items():
                costs.append(_repeat(prepared, case, kind, urls[way]))
    print(f"{'CPU of one update, ms, in ' + str(ROUNDS) + ' rounds':36}" + "".join(
        f"{kind + ', ' + way:>22}" for kind in KINDS for way in urls))  # fmt: skip
    for case, events in EVENTS.items():
        shown = [_show(found, case, kind, way) for kind in KINDS for way in urls]
        print(f"{case.name + ' (' + str(events * ROUNDS) + ')':36}" + "".join(f"{text:>22}" for text in shown))
    worst = {way: max(_ratio(found, HOMING, kind, way) for kind in KINDS) for way in urls}
    told = ", ".join(f"{ratio:.2f} over {way}" for way, ratio in worst.items())
    print(f"in brackets: of the throw-away handler; Homing at most {told}, as on AWS; wanted {WANTED_RATIO}")


def _repeat(prepared: Prepared, case: Case, kind: Kind, url: str) -> float:
    """Return CPU seconds for one event."""
    events = prepared.events(kind, EVENTS[case] + WARMING[case])
    command = python("-c", "import repeat", case.module, str(events), str(WARMING[case]))
    done = subprocess.run(
        command, env=prepared.environment(case, url), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
    )
    told: Mapping[str, float | list[int]] = json.loads(done.stderr)
    assert told["statuses"] == [wanted_status(kind)], told
    assert isinstance(told["cpu"], float)
    return told["cpu"]


def _show(found: Found, case: Case, kind: Kind, way: str) -> str:
    return f"{median(found[case, kind, way]) * 1000:.3f} ({_ratio(found, case, kind, way):.2f})"


def _ratio(found: Found, case: Case, kind: Kind, way: str) -> float:
    pairs = zip(found[case, kind, way], found[LEAST, kind, way], strict=True)
    return median(ours / theirs for ours, theirs in pairs)
