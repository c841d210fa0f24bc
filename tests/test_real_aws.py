"""`make e2e-aws` without an account: what it says, what it refuses, and what the page about it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from real_aws import command, cost
from real_aws.names import Run
from real_aws.plan import STEPS
from real_aws.state import load_all, save
from real_aws.steps import Failed, Result, Skipped, Step, run_steps, select, table_of

from homing.core.errors import Refused
from tests.house import ROOT
from tests.pages import page

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [step.name for step in STEPS]
RUN = Run("homing-e2e-abc123", "123456789012", "eu-central-1", begun=1)


def run_command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """With no credentials, no settings and no network to look for any."""
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"} | environment
    return subprocess.run(
        [sys.executable, "-m", "real_aws", *words],
        cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_steps_are_listed_without_credentials_each_with_a_line() -> None:
    done = run_command("--list")
    assert (done.returncode, done.stderr) == (0, "")
    listed = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert [name for name, _ in listed] == NAMES
    assert all(len(words) > 20 for _, words in listed)


@pytest.mark.parametrize("words", [(), ("--yes",), ("--clean-up",), ("--only", "deploy")])
def test_without_credentials_it_says_so_and_ends_with_1(words: tuple[str, ...]) -> None:
    done = run_command(*words)
    assert done.returncode == 1
    assert "there are no AWS credentials" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_step_that_is_none_is_a_usage_error() -> None:
    done = run_command("--only", "nonsense")
    assert done.returncode == 2
    assert "there is no step nonsense" in done.stderr


def test_names_are_unique_and_described() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(step.description for step in STEPS)


# --- the page


def rows() -> list[tuple[str, str]]:
    lines = [line for line in page("docs/aws/not-tried.md").text.splitlines() if line.startswith("| ")][1:]
    return [(cells[0].strip(), cells[1].strip()) for line in lines if (cells := line.strip("|").split(" | "))]


def test_all_that_was_not_tried_has_a_step_or_says_that_nothing_does() -> None:
    found = rows()
    assert len(found) > 20
    for what, step in found:
        named = re.findall(r"`([a-z0-9-]+)`", step)
        assert step.startswith("nothing does") or named, what
        assert set(named) <= set(NAMES), what


def test_every_step_is_on_the_page() -> None:
    assert {name for _, step in rows() for name in re.findall(r"`([a-z0-9-]+)`", step)} == set(NAMES)


# --- which steps


def test_without_names_all_run_but_those_that_wait_for_cloudfront() -> None:
    assert select(STEPS, [], with_cloudfront=True) == list(STEPS)
    left_out = {step.name for step in STEPS} - {step.name for step in select(STEPS, [], with_cloudfront=False)}
    assert left_out == {"to-cloudfront", "cloudfront-tells-viewer", "cloudfront-updates", "cloudfront-challenge"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("parameter-case", ["parameter-case"]),
        ("dyndns2", ["deploy", "dyndns2"]),
        ("status", ["deploy", "status"]),
        ("stream-no-op", ["deploy", "to-stream", "stream-no-op"]),
        ("to-rest-api", ["deploy", "to-rest-api"]),
        ("cloudfront-updates", ["deploy", "to-cloudfront", "cloudfront-updates"]),
    ],
)
def test_a_step_brings_along_what_makes_the_stack_that_it_needs(name: str, wanted: list[str]) -> None:
    assert [step.name for step in select(STEPS, [name], with_cloudfront=False)] == wanted


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_each_step_finds_its_stack_where_it_stands_in_the_whole_plan(step: Step) -> None:
    shape, is_deployed = None, False
    for one in STEPS[: STEPS.index(step)]:
        shape, is_deployed = one.makes or shape, is_deployed or one.makes is not None
    assert step.shape is None or (is_deployed and step.shape in ("", shape))


# --- running them


def fine(_: Any) -> str:
    """All is well."""
    return "told"


def wrong(_: Any) -> None:
    """It does not hold."""
    raise Failed("no")


def broken(_: Any) -> None:
    """The step itself is at fault."""
    raise KeyError("x")


def impossible(_: Any) -> None:
    """It cannot be tried."""
    raise Skipped("no IPv6")


def interrupted(_: Any) -> None:
    """Ctrl-C."""
    raise KeyboardInterrupt


def make_stage() -> Any:
    return SimpleNamespace(clock=lambda: 0.0, shape=None, is_deployed=True)


def verdicts(*steps: Step) -> list[tuple[str, str]]:
    results: list[Result] = []
    run_steps(make_stage(), steps, results, lambda _: None)
    return [(one.verdict, one.told) for one in results]


def test_a_step_that_fails_keeps_no_other_from_being_tried() -> None:
    found = verdicts(Step(wrong), Step(broken), Step(impossible), Step(fine))
    assert found == [("failed", "no"), ("failed", "KeyError: 'x'"), ("skipped", "no IPv6"), ("passed", "told")]


def test_what_needs_a_stack_that_was_not_made_is_skipped() -> None:
    found = verdicts(Step(fine, makes="direct"), Step(wrong, "", "stream"), Step(fine, "stream"), Step(fine, "direct"))
    assert [verdict for verdict, _ in found] == ["passed", "failed", "skipped", "skipped"]


def test_the_table_counts_the_verdicts() -> None:
    shown = table_of([Result("a", "passed", ""), Result("bcd", "failed", "why", 2), Result("e", "skipped", "")])
    assert "failed   bcd      2 s  why" in shown
    assert shown.endswith("1 passed, 1 failed, 1 skipped")


# --- a whole run, with an account that is none


@pytest.fixture(name="run_all")
def _run_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run some steps; return the exit code, what was cleaned up, and whether a run is still noted."""
    account = SimpleNamespace(id="123456789012", region="eu-central-1", identity={"Arn": "arn:aws:iam::1:user/me"})
    monkeypatch.setattr(command, "open_account", lambda *_: account)

    def run(steps: tuple[Step, ...], left: list[str]) -> tuple[int, list[Run], list[Run]]:
        cleaned: list[Run] = []

        def clean_up(_: Any, one: Run, **__: Any) -> list[str]:
            assert load_all(tmp_path) == [one], "a run is noted before anything is made"
            cleaned.append(one)
            return left

        monkeypatch.setattr(command, "clean_up", clean_up)
        monkeypatch.setattr(command, "STEPS", steps)
        return command.main(["--yes", "--state", str(tmp_path)]), cleaned, load_all(tmp_path)

    return run


@pytest.mark.parametrize(
    ("steps", "left", "code"),
    [((Step(fine),), [], 0), ((Step(wrong),), [], 1), ((Step(interrupted),), [], 130), ((Step(fine),), ["x"], 1)],
)
def test_whatever_happens_it_is_cleaned_up_and_what_is_left_stays_noted(
    run_all: Any, steps: tuple[Step, ...], left: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, cleaned, noted = run_all(steps, left)
    assert ended == code
    assert len(cleaned) == 1
    assert noted == (cleaned if left else [])
    said = capsys.readouterr().out
    assert said.index("it costs at most $") < said.index("[1/1]") < said.index("this run cost at most $")
    assert cleaned[0].zone in said


def test_nobody_to_ask_means_that_nothing_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account: Any = SimpleNamespace(id="1", region="x", identity={"Arn": "me"})
    monkeypatch.setattr(command, "open_account", lambda *_: account)
    assert command.main(["--state", str(tmp_path)]) == 1
    assert "nothing was made" in capsys.readouterr().err
    assert load_all(tmp_path) == []


@pytest.mark.parametrize(("typed", "is_agreed"), [("1234", True), (" 1234 ", True), ("yes", False), ("", False)])
def test_only_the_account_id_agrees(monkeypatch: pytest.MonkeyPatch, typed: str, *, is_agreed: bool) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: typed)
    account: Any = SimpleNamespace(id="1234")
    if is_agreed:
        command._confirm(account, yes=False)
    else:
        with pytest.raises(Refused, match="nothing was made"):
            command._confirm(account, yes=False)


def test_runs_are_noted_whole_and_a_damaged_note_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, RUN)
    assert load_all(tmp_path) == [RUN]
    path.write_text('{"name": "somebody-elses", "account": "1", "region": "x"}')
    with pytest.raises(Refused, match=r"abc123.json cannot be read"):
        load_all(tmp_path)


def test_a_run_costs_some_cents_and_a_zone_only_after_twelve_hours() -> None:
    assert 0 < cost.dollars(cost.expected(with_cloudfront=False)) < 0.10
    assert cost.dollars(cost.Usage(10, 13)) > 0.50
