"""Mutated input, in volume, for every parser that reads what strangers or files from elsewhere say.

Nothing may come out but what the function documents, and no input may take long. `HOMING_FUZZ` is the number of
mutations for each parser (default 100,000); they are the same in every run. No expectation about values is here.
"""

from __future__ import annotations

import os
import random
from time import perf_counter, thread_time
from typing import TYPE_CHECKING

import pytest

from tests.fuzz_targets import PARSERS, Target, make_target
from tests.mutations import mutate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MUTATIONS = int(os.environ.get("HOMING_FUZZ", "100000"))
CHUNKS = 8
SLOW = 0.1
"""Seconds that no single input may take."""


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    return make_target(request.param, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("target", PARSERS, ids=PARSERS, indirect=True)
def test_no_mutation_breaks_or_stalls_a_parser(target: Target, chunk: int, request: pytest.FixtureRequest) -> None:
    seed = f"{request.node.callspec.params['target']} {chunk}"
    rng = random.Random(seed)
    for number in range(MUTATIONS // CHUNKS):
        data = mutate(rng, target.seeds)
        try:
            seconds = _time(target, data)
        except Exception as error:
            pytest.fail(f"{type(error).__name__}: {error}\nseed {seed!r}, mutation {number}: {data!r}")
        if seconds > SLOW:  # perhaps the machine is busy: count what this thread spends, not what passes
            seconds = min(_time(target, data, thread_time) for _ in range(3))
        assert seconds <= SLOW, f"{seconds:.3f} s\nseed {seed!r}, mutation {number}: {data!r}"


@pytest.mark.parametrize("target", PARSERS, ids=PARSERS, indirect=True)
def test_every_seed_is_taken_as_it_is(target: Target) -> None:
    for seed in target.seeds:
        target.run(seed)


def _time(target: Target, data: bytes, clock: Callable[[], float] = perf_counter) -> float:
    started = clock()
    target.run(data)
    return clock() - started
