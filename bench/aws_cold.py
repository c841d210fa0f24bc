"""Cold start: from the start of the process to the first answer, over TLS, alone and through Lambda's runtime client.

    python -m bench cold

All cases take turns in each round. Wall is until the answer is there, CPU is of the whole process, RSS is its peak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from local_aws.lambda_runtime import LambdaFunction

from bench.aws_canned import canned_aws
from bench.aws_handlers import (
    AWSLABS,
    BOTO3,
    CASES,
    HOMING,
    HOMING_ONE,
    KINDS,
    LEAST,
    LEAST_ONE,
    ROOTS,
    Case,
    Kind,
    Prepared,
    all_of,
    counted,
    prepare,
    python,
    trust,
    wanted_status,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROUNDS = 15
EMPTY = Case("empty handler", "empty")
IN_LAMBDA = (EMPTY, LEAST, LEAST_ONE, HOMING, HOMING_ONE, BOTO3, AWSLABS)
WANTED_RATIO, WANTED_MEGABYTES = 1.5, 30


@dataclass(frozen=True)
class Cost:
    """Of one start: seconds, seconds, and megabytes (2**20 bytes)."""

    wall: float
    cpu: float
    memory: float


Costs = dict[tuple[str, Kind], list[Cost]]


def run() -> None:
    """Measure, and print both tables with the ratios that are wanted."""
    with tempfile.TemporaryDirectory() as name, canned_aws(Path(name)) as (_, tls):
        folder = Path(name)
        prepared = prepare(folder)
        trust(folder)
        sizes = ", ".join(f"{ROOTS[roots]}: {counted(folder / f'{roots}.pem')} certificates" for roots in ROOTS)
        print(f"Python {sys.version.partition(' ')[0]}, {ROUNDS} rounds; {sizes} (that of the servers here with them)")
        bare, alone = _measure_alone(prepared, tls)
        print(
            f"\n{'process start to first answer over TLS':58}  wall ms   CPU ms  peak MB  of the throw-away: wall  CPU"
        )
        _print_row("python -c pass", bare, None)
        _print_table(alone, CASES)
        _print_goal(alone)
        inside = _measure_in_lambda(prepared, tls)
        print(f"\n{'the same through awslambdaric':58}  wall ms   CPU ms  peak MB  of the throw-away: wall  CPU")
        _print_table(inside, IN_LAMBDA)
        _print_over_empty(inside)


def _measure_alone(prepared: Prepared, url: str) -> tuple[list[Cost], Costs]:
    bare: list[Cost] = []
    costs: Costs = {(case.title, kind): [] for case, kind in all_of(CASES)}
    for turn in range(ROUNDS + 1):
        found = _start(python("-c", "pass"), {}, None)
        starts = {(case.title, kind): _start_case(prepared, case, kind, url) for case, kind in all_of(CASES)}
        if turn:  # the first round fills the caches of the file system
            bare.append(found)
            for key, cost in starts.items():
                costs[key].append(cost)
    return bare, costs


def _start_case(prepared: Prepared, case: Case, kind: Kind, url: str) -> Cost:
    command = python("-c", "import start", case.module, str(prepared.events(kind, 1)))
    return _start(command, prepared.environment(case, url), wanted_status(kind))


def _start(command: Sequence[str], environment: Mapping[str, str], status: int | None) -> Cost:
    """Run a process to its end; without a status to be answered, the end is what counts."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:  # Homing logs a change before it answers
        lines.append(line)
        if line.startswith(b"answered"):
            break
    wall = time.perf_counter() - began
    peak = process.stdout.read()
    _, ended, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    process.stdout.close()
    assert process.returncode == 0, command
    assert status is None or lines[-1] == b"answered %d\n" % status, lines
    return Cost(wall, usage.ru_utime + usage.ru_stime, int(peak or 0) / 1024)


# --- through the real runtime client


def _measure_in_lambda(prepared: Prepared, url: str) -> Costs:
    functions = {case: _function(prepared, case, url) for case in IN_LAMBDA}
    costs: Costs = {(case.title, kind): [] for case, kind in all_of(IN_LAMBDA)}
    try:
        for turn in range(ROUNDS + 1):
            for case, kind in all_of(IN_LAMBDA):
                cost = _start_function(prepared, functions[case], kind, is_empty=case is EMPTY)
                if turn:
                    costs[case.title, kind].append(cost)
    finally:
        for function in functions.values():
            function.close()
    return costs


def _function(prepared: Prepared, case: Case, url: str) -> LambdaFunction:
    return LambdaFunction(
        case.module, prepared.package(case), f"{case.module}.handler", prepared.variables(case, url),
        runtime=prepared.runtime,
    )  # fmt: skip


def _start_function(prepared: Prepared, function: LambdaFunction, kind: Kind, *, is_empty: bool) -> Cost:
    """From nothing to the answer that is posted to the Runtime API; then the process waits for the next event."""
    event = json.loads(prepared.events(kind, 1).read_text())[0]
    began = time.perf_counter()
    done = function.invoke(event)
    wall = time.perf_counter() - began
    (execution,) = function.executions
    cost = Cost(wall, _cpu_seconds(execution.process.pid), _peak_megabytes(execution.process.pid))
    assert done.was_cold
    assert done.value["statusCode"] == (200 if is_empty else wanted_status(kind)), done
    function.recycle()
    return cost


def _cpu_seconds(pid: int) -> float:
    """Of all threads, in the kernel's own nanoseconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _peak_megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


# --- what it comes to


def _print_table(costs: Costs, cases: Sequence[Case]) -> None:
    for kind in KINDS:
        for case in cases:
            _print_row(f"{case.title}, {kind}", costs[case.title, kind], costs[LEAST.title, kind])


def _print_row(name: str, costs: Sequence[Cost], least: Sequence[Cost] | None) -> None:
    wall, cpu, memory = (median(getattr(cost, what) for cost in costs) for what in ("wall", "cpu", "memory"))
    ratios = f"{'':20}{_ratio(costs, least, 'wall'):4.2f}  {_ratio(costs, least, 'cpu'):4.2f}" if least else ""
    shown = f"{memory:7.1f}" if memory else "      -"
    print(f"{name:58} {wall * 1000:8.1f} {cpu * 1000:8.1f}  {shown}{ratios}")


def _ratio(ours: Sequence[Cost], theirs: Sequence[Cost], what: str) -> float:
    """Return the median over the rounds of what one is of the other."""
    return float(median(getattr(a, what) / getattr(b, what) for a, b in zip(ours, theirs, strict=True)))


def _print_goal(costs: Costs) -> None:
    pairs = ((HOMING, LEAST), (HOMING_ONE, LEAST_ONE))
    for ours, theirs in pairs:
        told = [
            f"{kind} wall {_ratio(costs[ours.title, kind], costs[theirs.title, kind], 'wall'):.2f}, "
            f"CPU {_ratio(costs[ours.title, kind], costs[theirs.title, kind], 'cpu'):.2f}"
            for kind in KINDS
        ]
        print(f"{ours.title} / {theirs.title}: {'; '.join(told)}; wanted {WANTED_RATIO}")
    peak = max(cost.memory for kind in KINDS for cost in costs[HOMING.title, kind])
    print(f"peak RSS of Homing {peak:.1f} MB; wanted under {WANTED_MEGABYTES}")


def _print_over_empty(costs: Costs) -> None:
    """What is left when the runtime client's own start is taken off."""
    for kind in KINDS:
        empty = median(cost.wall for cost in costs[EMPTY.title, kind])
        over = {case: median(cost.wall for cost in costs[case.title, kind]) - empty for case in (HOMING, LEAST)}
        print(
            f"beyond the empty handler, {kind}: Homing {over[HOMING] * 1000:.1f} ms, throw-away "
            f"{over[LEAST] * 1000:.1f} ms: {over[HOMING] / over[LEAST]:.2f}"
        )
