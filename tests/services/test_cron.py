"""Lines for cron: the shell gets each word, everybody else's lines stay, and machines do not all ask at once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.services import cron
from homing.services.job import check_interval
from homing.services.marks import mark
from tests.services.jobs import NASTY, job, words

if TYPE_CHECKING:
    from homing.services.job import Kind

FOLDER = Path("/var/lib/x")
BLOCK = cron.render_block(job("timer"), FOLDER, "seed")
lines = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)).map("\n".join)
PRINTER = '#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done\n'


@given(lines, st.booleans())
def test_a_crontab_without_our_lines_is_what_it_was_before(before: str, ends: bool) -> None:
    crontab = before + "\n" * (ends and bool(before))
    after = cron.without_block(cron.with_block(crontab, BLOCK))
    assert after in (crontab, crontab + "\n")


@given(lines)
def test_our_lines_are_there_once_however_often_they_are_put_in(before: str) -> None:
    once = cron.with_block(before, BLOCK)
    assert cron.with_block(once, BLOCK) == once
    found = cron.find_block(once)
    assert (found.block, found.origin, found.kind) == (BLOCK, "ours", "timer")
    assert once.startswith(before)


@given(lines)
def test_any_crontab_can_be_looked_through(crontab: str) -> None:
    assert cron.find_block(crontab).block in crontab


@pytest.mark.parametrize("kind", ["agent", "timer"])
def test_a_line_that_was_changed_is_seen(kind: Kind) -> None:
    block = cron.render_block(job(kind), FOLDER, "")
    assert cron.find_block(block).origin == "ours"
    assert cron.find_block(block).kind == kind
    changed = cron.find_block(block.replace("/opt/", "/usr/"))
    assert (changed.origin, changed.kind) == ("changed", kind)


def test_lines_whose_end_is_gone_are_not_taken_for_all_that_follows() -> None:
    crontab = mark("@reboot x\n") + "0 0 * * * somebody else's\n"
    found = cron.find_block(crontab)
    assert found.origin == "changed"
    assert "somebody" not in found.block


@settings(max_examples=30)
@given(words, words)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_shell_gets_each_word_as_it_was_given(shell: str, one: str, other: str) -> None:
    line = " ".join(cron.quote(word) for word in ("printf", r"%s\n", one, other))
    assert "%" not in line
    done = subprocess.run([shell, "-c", line], capture_output=True, timeout=20, check=True)
    assert done.stdout.decode() == f"{one}\n{other}\n"


@given(words, words)
def test_the_command_of_an_agent_is_read_back(one: str, other: str) -> None:
    wanted = job("agent", one, "--username", other)
    assert cron.agent_command(cron.render_block(wanted, Path("/a b%c"), "")) == wanted.command


@given(lines)
def test_of_other_lines_no_command_is_read(block: str) -> None:
    assert isinstance(cron.agent_command("@reboot " + block), tuple)
    assert cron.agent_command(BLOCK) == ()


@pytest.mark.parametrize("kind", ["agent", "timer"])
def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path, kind: Kind) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("precious")
    for file in (tmp_path / cron.PID_FILE, cron.log_file(tmp_path, kind)):
        file.symlink_to(theirs)
    subprocess.run(["sh", "-c", cron.render_line(job(kind, program="/bin/echo"), tmp_path)], timeout=20, check=True)
    assert theirs.read_text() == "precious"
    assert cron.log_file(tmp_path, kind).read_text().startswith("run" if kind == "agent" else "update")


def test_a_timers_line_leaves_its_output_and_how_it_ended(tmp_path: Path) -> None:
    folder = tmp_path / NASTY
    folder.mkdir()
    program = folder / "homing"
    program.write_text(PRINTER + "exit 3\n")
    program.chmod(0o755)
    line = cron.render_line(job("timer", NASTY, program=str(program)), folder)
    for _ in range(2):
        subprocess.run(["sh", "-c", line], timeout=20, check=False)
    told = cron.log_file(folder, "timer").read_text()
    assert told == f"update\n{NASTY}\nexit 3\n"
    assert cron.exit_code_of(told) == 3


def test_the_agent_takes_the_shells_place_and_can_be_ended(tmp_path: Path) -> None:
    program = tmp_path / "homing"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    line = cron.render_line(job(program=str(program)), tmp_path)
    process = subprocess.Popen(["sh", "-c", f"{line}"])
    try:
        file = tmp_path / cron.PID_FILE
        while not (file.exists() and file.read_text().strip()):
            os.sched_yield()
        assert int(file.read_text()) == process.pid
        stopping = subprocess.Popen(["sh", "-c", cron.render_stop(process.pid)])
        assert process.wait(20) == -15
        assert stopping.wait(20) == 0
    finally:
        process.kill()
        process.wait()


@given(st.sampled_from([60, 120, 300, 900, 1800, 3600, 7200, 21_600, 86_400]), st.text(max_size=20))
def test_the_times_are_as_far_apart_as_was_asked(seconds: int, seed: str) -> None:
    minute, hour, *rest = cron.render_times(check_interval(seconds), seed).split()
    assert rest == ["*", "*", "*"]
    times = [60 * one + other for one in _values(hour, 24) for other in _values(minute, 60)]
    assert {later - earlier for earlier, later in zip(times, [*times[1:], times[0] + 1440], strict=True)} == {
        seconds // 60
    }


def test_machines_differ_in_the_minute() -> None:
    assert len({cron.render_times(900, str(number)) for number in range(100)}) == 15


def _values(field: str, end: int) -> list[int]:
    """What a field of crontab(5) means."""
    if field == "*":
        return list(range(end))
    bounds, _, step = field.partition("/")
    first, _, last = bounds.partition("-")
    return list(range(int(first), int(last or first) + 1, int(step or 1)))


@pytest.mark.parametrize("text", ["", "exit", "exit 0 \n", "Exit 0\n", "exit 0\nmore\n", "exit 1234\n"])
def test_a_run_that_has_not_ended_has_no_exit_code(text: str) -> None:
    assert cron.exit_code_of(text) is None
