"""`homing service` with cron, which is a stand-in for `crontab`; the lines for it are run by a real shell."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import refused, run, wait_for
from tests.e2e.service_programs import make_machine, trusted_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.service_programs import Machine

pytestmark = pytest.mark.e2e

CRON = ("--manager", "cron")
THEIRS = "# theirs\n0 0 * * * /usr/bin/theirs 100\\% \xff\n"
LENT = ("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "LC_CTYPE")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    with trusted_folder(tmp_path) as folder:
        yield folder


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return make_machine(tmp_path)


def test_cron_keeps_everybody_elses_lines(machine: Machine) -> None:
    machine.crontab.write_text(THEIRS, encoding="latin-1")
    machine.ok("install", *CRON, "--yes", "--timer", "--interval", "15m")
    crontab = machine.crontab.read_text(encoding="latin-1")
    assert crontab.startswith(THEIRS)
    assert f"update --config {machine.home}/homing.toml --cache 1d; echo" in crontab
    assert machine.ok("install", *CRON, "--yes", "--timer", "--interval", "15m")["outcome"] == "already-so"
    machine.ok("install", *CRON, "--yes", "--timer", "--interval", "1h")
    assert machine.crontab.read_text(encoding="latin-1").count("homing.toml") == 1
    machine.ok("uninstall", *CRON, "--yes")
    assert machine.crontab.read_text(encoding="latin-1") == THEIRS


def test_a_crontab_that_cannot_be_read_is_never_written(machine: Machine) -> None:
    machine.crontab.write_text(THEIRS, encoding="latin-1")
    machine.fail("-l")
    refused(machine.homing("install", *CRON, "--yes", "--timer"), 1, "crontab -l ended with exit code 5")
    assert machine.crontab.read_text(encoding="latin-1") == THEIRS


def test_a_line_for_cron_that_was_changed_is_left(machine: Machine) -> None:
    machine.ok("install", *CRON, "--yes", "--timer")
    machine.crontab.write_text(changed := machine.crontab.read_text().replace("--cache 1d", "--cache 2d"))
    refused(machine.homing("uninstall", *CRON, "--yes"), 1, "was changed by hand")
    machine.crontab.write_text("\n".join(changed.splitlines()[:-1]) + "\n0 0 * * * theirs\n")
    for verb in ("install", "uninstall"):
        more = ("--timer",) if verb == "install" else ()
        refused(machine.homing(verb, *CRON, "--yes", "--force", *more), 1, "crontab -e")
    assert "theirs" in machine.crontab.read_text()


def test_the_line_for_cron_runs_an_update_and_status_tells_how_it_went(machine: Machine) -> None:
    machine.ok("install", *CRON, "--yes", "--timer")
    told = machine.status(*CRON)
    assert (told["well"], told["last_result"]) == (True, None), "its minute has not come"
    assert "last result  not run yet" in machine.homing("status", *CRON).stdout
    line = next(one for one in machine.crontab.read_text().splitlines() if not one.startswith("#"))
    run(["sh", "-c", line.split(" ", 5)[5]], machine.home)
    told = machine.status(*CRON)
    assert told["last_result"] == "exit code 3", "nothing listens on that port"
    assert told["last_run"]
    assert told["well"] is False


def test_a_dry_run_says_that_there_is_no_crontab(machine: Machine) -> None:
    (machine.programs / "crontab").unlink()
    done = machine.homing("install", *CRON, "--dry-run", PATH=str(machine.programs))
    assert done.returncode == 0
    assert "run crontab -" in done.stdout
    assert "homing: crontab is not installed: is it cron that starts services here?" in done.stderr
    refused(machine.homing("install", *CRON, "--yes", PATH=str(machine.programs)), 1, "crontab is not installed")


def test_an_agent_of_cron_runs_at_once_and_is_ended_by_uninstall(machine: Machine) -> None:
    pid = 0
    try:
        done = machine.homing("install", *CRON, "--yes", "--json", HOMING_CLIENT_SERVER="https://127.0.0.1:8", NO="NO")
        assert done.returncode == 0, done.stderr
        file = machine.home / ".local/state/homing/cron-agent.pid"
        assert wait_for(lambda: file.is_file() and file.read_text().strip())
        pid = int(file.read_text())
        assert wait_for(lambda: machine.status(*CRON)["well"])
        assert set(_environment(pid)) <= {"HOME", "PATH", "LOGNAME", "SHELL", "PWD", "OLDPWD", "_", "SHLVL", *LENT}
        assert _environment(pid)["HOME"] == str(machine.home)
        assert machine.ok("install", *CRON, "--yes")["outcome"] == "already-so"
        assert machine.ok("uninstall", *CRON, "--yes")["outcome"] == "uninstalled"
        assert not _is_running(pid)
        assert not file.exists()
        assert machine.crontab.read_text() == ""
    finally:
        if pid and _is_running(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_number_that_has_become_another_process_is_left_alone(machine: Machine) -> None:
    machine.ok("install", *CRON, "--yes")
    file = machine.home / ".local/state/homing/cron-agent.pid"
    assert wait_for(lambda: machine.status(*CRON)["well"])
    pid = int(file.read_text())
    other = subprocess.Popen(["sh", "-c", "sleep 60; :", "homing"])
    try:
        file.write_text(f"{other.pid}\n")
        assert machine.status(*CRON)["running"] is False
        machine.ok("uninstall", *CRON, "--yes")
        assert other.poll() is None
    finally:
        os.kill(pid, signal.SIGKILL)
        other.kill()
        other.wait()


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_a_crontab_that_is_edited_during_the_question_is_kept(machine: Machine, verb: str) -> None:
    if verb == "uninstall":
        machine.ok("install", *CRON, "--timer", "--yes")
    machine.crontab.touch()
    before = machine.crontab.read_text()
    machine.meanwhile('echo "0 0 * * * theirs" >>"$S/table"')
    done = machine.answered("y", verb, *CRON, *(["--timer"] if verb == "install" else []))
    assert done.returncode == 1
    assert "the crontab was changed while you were asked" in done.stdout
    assert machine.crontab.read_text() == before + "0 0 * * * theirs\n"


def _environment(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as stream:
            return "\nState:\tZ" not in stream.read()
    except OSError:
        return False
