"""`make e2e-aws`: asks, makes the stack, runs the steps, removes everything whatever happened, and shows the results.

Exit codes: 0 all passed or skipped and nothing is left, 1 otherwise, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import HomingError, Refused
from homing.stack.account import open_account
from real_aws import cost
from real_aws.names import PARENT, Run, new_name
from real_aws.plan import STEPS
from real_aws.removal import clean_up
from real_aws.stage import Stage
from real_aws.state import forget, load_all, save, state_folder
from real_aws.steps import Failed, Result, run_steps, select, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from homing.stack.account import Account
    from real_aws.steps import Step

_AGAIN = "make e2e-aws ARGS=--clean-up"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; return the exit code."""
    asked = _parse(arguments)
    if asked.list:
        width = max(len(step.name) for step in STEPS)
        for step in STEPS:
            _tell(f"{step.name:<{width}}  {step.description}{' (--with-cloudfront)' if step.needs_cloudfront else ''}")
        return 0
    try:
        with _interrupted_by(signal.SIGTERM, signal.SIGHUP):
            account = open_account(asked.region, asked.profile)
            return _clean_up_all(account, asked) if asked.clean_up else _run(account, asked)
    except HomingError as error:
        print(f"e2e-aws: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"e2e-aws: interrupted. What is left: {_AGAIN}", file=sys.stderr)
        return 130


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="e2e-aws", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--list", action="store_true", help="show the steps; asks AWS nothing")
    parser.add_argument("--only", action="append", default=[], metavar="STEP", help="this step and what it rests on")
    parser.add_argument("--with-cloudfront", action="store_true", help="CloudFront too: 15 minutes more")
    parser.add_argument("--clean-up", action="store_true", help="remove what interrupted runs left, and nothing else")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--region", help="instead of the one of the profile or AWS_REGION")
    parser.add_argument("--profile", help="whose credentials are used")
    parser.add_argument("--parent", default=PARENT, help="the zone is made below it; it need not be yours [example]")
    parser.add_argument("--alarm-email", metavar="ADDRESS", help="hears of alarms [an address that does not exist]")
    parser.add_argument("--state", type=Path, default=state_folder(), help="where it is noted what runs are under way")
    asked = parser.parse_args(arguments)
    try:
        asked.steps = select(STEPS, asked.only, with_cloudfront=asked.with_cloudfront)
    except ValueError as error:
        parser.error(str(error))
    return asked


# --- a run


def _run(account: Account, asked: argparse.Namespace) -> int:
    run = Run(new_name(os.urandom(6)), account.id, account.region, asked.profile, asked.parent, begun=int(time.time()))
    has_cloudfront = any(step.needs_cloudfront for step in asked.steps)
    _announce(account, run, asked.steps, cost.expected(with_cloudfront=has_cloudfront))
    _confirm(account, yes=asked.yes)
    save(asked.state, run)
    stage = Stage(run, account, run_homing, alarm_email=asked.alarm_email)
    results: list[Result] = []
    began, is_interrupted = time.monotonic(), False
    try:
        run_steps(stage, asked.steps, results, _tell)
    except KeyboardInterrupt:
        is_interrupted = True
        _tell("\ninterrupted; removing what was made. Ctrl-C again leaves it")
    finally:
        left = _clean_up(account, run, asked.state)
    used = cost.Usage(stage.requests, (time.monotonic() - began) / 3600, has_cloudfront)
    _tell(f"\n{table_of(results)}\n")
    _tell_cost("this run cost at most", used)
    if is_interrupted:
        return 130
    return 1 if left or any(one.verdict == "failed" for one in results) else 0


def _announce(account: Account, run: Run, steps: Sequence[Step], usage: cost.Usage) -> None:
    _tell(
        f"{len(steps)} steps in account {account.id}, {account.region}, as {account.identity['Arn']}\n\n"
        f"made, all named and tagged {run.name}, and removed at the end whatever happens:\n"
        f"  a stack with three functions, their roles, a table, alarms, a topic, a queue, an endpoint\n"
        f"  the hosted zone {run.zone}, which is delegated nowhere\n"
        f"  the bucket {run.bucket} for the package, and a function that tries what a role may do\n"
        f"nothing else in the account is changed. Route 53's limit of 10 requests a second is the account's: whatever\n"
        f"else asks it may wait for some seconds. CloudWatch keeps the numbers of the metrics, which is free.\n\n"
        f"it takes about {usage.hours * 60:.0f} minutes."
    )
    _tell_cost("it costs at most", usage)


def _tell_cost(words: str, usage: cost.Usage) -> None:
    for item, dollars in cost.lines(usage):
        _tell(f"  ${dollars:.4f}  {item}")
    _tell(f"{words} ${cost.dollars(usage):.2f}, at list prices without free tiers or taxes.")


def _confirm(account: Account, *, yes: bool) -> None:
    """Raises Refused unless a person agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("nobody is here to ask, and nothing was made: --yes agrees to it")
    try:
        typed = input(f"\nType the account id, {account.id}, to go on: ")
    except EOFError:
        typed = ""
    if typed.strip() != account.id:
        raise Refused("nothing was made")


def run_homing(words: Sequence[str]) -> Any:
    """Run the command line as an operator does, its progress shown; return the JSON. Raises Failed.

    What it prints may hold a secret, and is shown to nobody.
    """
    done = subprocess.run(
        [sys.executable, "-m", "homing", *words], stdout=subprocess.PIPE, text=True, check=False, timeout=3600
    )
    if done.returncode != 0:
        raise Failed(f"`homing {' '.join(words[:2])}` ended with {done.returncode}; what it said is above")
    return json.loads(done.stdout)


# --- removing


def _clean_up_all(account: Account, asked: argparse.Namespace) -> int:
    runs = [run for run in load_all(asked.state) if (run.account, run.region) == (account.id, account.region)]
    others = [run for run in load_all(asked.state) if run not in runs]
    for run in others:
        _tell(f"{run.name} is in {run.region} of account {run.account}: --region and --profile lead there")
    if not runs:
        _tell(f"no run has left anything in {account.region} of account {account.id}, as far as {asked.state} knows")
        return 0
    for run in runs:
        _tell(f"{run.name}: stack, table, zone {run.zone}, bucket {run.bucket}, log groups")
    _confirm(account, yes=asked.yes)
    left = [words for run in runs for words in _clean_up(account, run, asked.state)]
    return 1 if left else 0


def _clean_up(account: Account, run: Run, state: Path) -> list[str]:
    _tell(f"\nremoving what is left of {run.name} ...")
    left = clean_up(account, run, sleep=time.sleep, tell=_tell)
    if not left:
        forget(state, run)
        _tell(f"nothing of {run.name} is left")
        return []
    for words in left:
        _tell(f"LEFT: {words}")
    _tell(f"try again: {_AGAIN}")
    return left


@contextmanager
def _interrupted_by(*numbers: signal.Signals) -> Iterator[None]:
    """Let these signals do what Ctrl-C does: a closed terminal leaves nothing behind either."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(text: str) -> None:
    print(text, flush=True)
