"""Functions and publishers over a faulty Route 53, frozen and killed at any step, in 10,000 seeded interleavings.

30 % of the calls are throttled, 10 % meet a prior request, 5 % are carried out and never answered. Every update that
was acknowledged is published in the end, or superseded; no address is ever put over a newer one; and no process
exceeds its rate. HOMING_INTERLEAVINGS is how many are run in all; a failure names its seed.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from homing.aws.route53 import Change
from homing.publishers.pacing import Pace
from homing.publishers.route53_records import Swap, to_record_set
from tests.app.builders import SECRET, basic
from tests.app.serverless_checks import judge
from tests.app.serverless_runs import Plot, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from homing.core.records import RRsetKey
    from tests.app.serverless_runs import Lives

INTERLEAVINGS = int(os.environ.get("HOMING_INTERLEAVINGS", "10000"))
CHUNKS = 20
PLOTS = (
    Plot(),
    Plot(returning=True),
    Plot(publishes_itself=False, publishers=1, drains=0),
    Plot(publishes_itself=False, publishers=2, returning=True),
    Plot(publishers=1, returning=True),
)
"""Direct, stream, and both at once, as while a stack is changed from one to the other."""


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    """What is not published at once is logged, and that is most of it here."""
    log = logging.getLogger("homing.publishing")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


def play(seed: int, kind: type[Run] = Run) -> Run:
    run = kind(seed, PLOTS[seed % len(PLOTS)])
    run.play()
    return run


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_acknowledged_update_is_published_and_nothing_older_comes_back(chunk: int) -> None:
    for seed in range(chunk, INTERLEAVINGS, CHUNKS):
        try:
            judge(play(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error


# --- what the runs above are made of


def test_the_same_seed_gives_the_same_run() -> None:
    for seed in range(20):
        first, second = play(seed), play(seed)
        assert first.fake.journal.calls == second.fake.journal.calls
        assert first.record.acknowledged == second.record.acknowledged


def test_processes_really_are_frozen_and_killed_in_the_middle_of_things() -> None:
    """Were there no such moments, the runs would prove nothing."""
    runs = [play(seed) for seed in range(200)]
    calls = [call for run in runs for call in run.fake.journal.calls]
    results = Counter(call.result for call in calls)
    assert sum(run.scheduler.frozen for run in runs) > 400
    assert sum(run.scheduler.deaths for run in runs) > 80
    assert sum(not call.answered for call in calls) > 40
    assert min(results[code] for code in ("Throttling", "PriorRequestNotComplete", "InvalidChangeBatch")) > 100


# --- the same checks of systems that are worse


def some_seed_fails(kind: type[Run], why: str, seeds: Iterable[int]) -> bool:
    return any(why in what_is_wrong(play(seed, kind)) for seed in seeds)


def what_is_wrong(run: Run) -> str:
    try:
        judge(run)
    except AssertionError as error:
        return str(error)
    return ""


def test_an_upsert_in_place_of_the_swap_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def upsert(swap: Swap) -> list[Change]:
        return [Change("UPSERT", to_record_set(swap.key, swap.after))] if swap.after else []

    monkeypatch.setattr(Swap, "to_changes", upsert)
    assert some_seed_fails(Run, "went back", range(0, 2000, len(PLOTS)))


def test_calls_without_a_pace_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "take", lambda *_, **__: None)
    assert some_seed_fails(Run, "in a second", range(2000))


class AnswersFirst(Run):
    """Says "good" before the commit, as one does who wants to be fast."""

    def serve(self, lives: Lives, key: RRsetKey, address: str) -> None:
        first_seq = self.store.seq
        request = basic(SECRET, key.name, to=[address])
        plan = lives.service.plan(request, may_block=True)
        self.scheduler.step(0.01)
        try:
            lives.service.carry_out(request, plan)
        finally:
            self.acknowledge(key, address, plan.answer.outcome, first_seq)


def test_an_answer_before_the_commit_is_found_out() -> None:
    assert some_seed_fails(AnswersFirst, "lost", range(0, 2000, len(PLOTS)))
