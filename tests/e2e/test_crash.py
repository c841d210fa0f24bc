"""kill -9 of the server, at random and at named points, while eight clients update. What was acknowledged is kept.

HOMING_CRASH_CYCLES says how many crashes (50). It shows that a crash of the process loses nothing; a power cut is
another matter: that each commit is synced before its answer is in test_strace.py.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.e2e import crash
from tests.e2e.crash_server import POINTS

if TYPE_CHECKING:
    from pathlib import Path

CYCLES = int(os.environ.get("HOMING_CRASH_CYCLES", "50"))
CONTROL_CYCLES = 12

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120 + 6 * CYCLES)]


def test_no_acknowledged_update_is_lost_and_no_serial_goes_back(tmp_path: Path) -> None:
    campaign = crash.begin(tmp_path)
    places = itertools.cycle(point for named in POINTS for point in (named, None))
    for cycle, point in zip(range(CYCLES), places, strict=False):
        campaign.crash(point)
        if cycle % 10 == 0:
            campaign.crash_while_starting()
        assert campaign.violations == [], f"after {campaign.kills.total()} crashes, the last {point or 'at random'}"
    campaign.finish()
    sys.stdout.write(
        f"\n{campaign.kills.total()} crashes: {dict(campaign.kills)}\n{campaign.acknowledgements} updates "
    )
    sys.stdout.write(f"acknowledged, {len(campaign.violations)} lost; unknown outcomes: {dict(campaign.unknown)}\n")

    assert campaign.violations == []
    assert campaign.acknowledgements > 20 * CYCLES, "too little was going on to show anything"
    assert campaign.unknown["committed"] > 0, "no crash came between a commit and its answer"
    assert campaign.unknown["not committed"] > 0, "no crash came before a commit"
    with closing(sqlite3.connect(campaign.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize(
    ("broken", "point", "violation"),
    [
        ("answer-first", "before-commit", "was acknowledged"),
        ("answer-first", None, "was acknowledged"),
        ("commit-later", None, "was acknowledged"),
        ("serial-in-memory", None, "serial went back"),
        ("torn-write", "after-commit", "done by half"),
    ],
)
def test_the_checker_finds_a_server_that_is_broken_on_purpose(
    tmp_path: Path, broken: str, point: str | None, violation: str
) -> None:
    campaign = crash.begin(tmp_path)
    for _ in range(CONTROL_CYCLES):
        campaign.crash(point, broken)
        if any(violation in told for told in campaign.violations):
            return
    pytest.fail(f"{CONTROL_CYCLES} crashes showed nothing but {campaign.violations}")


def test_without_a_crash_the_broken_order_goes_unnoticed(tmp_path: Path) -> None:
    """So it is the crash that shows it, and not the way in which it was broken."""
    campaign = crash.begin(tmp_path)
    for _ in range(3):
        campaign.stop("answer-first")
    campaign.finish()
    assert campaign.acknowledgements > 0
    assert campaign.violations == []
