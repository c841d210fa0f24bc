"""`homing service` as its users type it, with stand-ins for the programs of systemd and launchd."""

from __future__ import annotations

import os
import plistlib
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import HOMING, refused, run
from tests.e2e.service_programs import make_machine, trusted_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.service_programs import Machine

pytestmark = pytest.mark.e2e

USER = ("--manager", "systemd", "--user")
LAUNCHD = ("--manager", "launchd", "--user")
UNITS = "home/.config/systemd/user"
AGENT, UPDATE, TIMER = "homing-agent.service", "homing-update.service", "homing-update.timer"


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    with trusted_folder(tmp_path) as folder:
        yield folder


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return make_machine(tmp_path)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


# --- systemd


def test_it_shows_each_file_and_command_before_it_does_anything(machine: Machine, tmp_path: Path) -> None:
    done = machine.homing("install", *USER, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "1. write " in done.stdout
    assert "   | Type=notify" in done.stdout
    assert "2. run systemctl --user daemon-reload" in done.stdout
    assert "s3cret" not in done.stdout
    assert machine.log == []
    assert not (tmp_path / UNITS).exists()


def test_it_installs_and_twice_is_the_same_as_once(machine: Machine, tmp_path: Path) -> None:
    told = machine.ok("install", *USER, "--yes")
    assert told["outcome"] == "installed"
    assert machine.log == [
        "systemctl --user daemon-reload", f"systemctl --user enable {AGENT}", f"systemctl --user restart {AGENT}",
        "loginctl enable-linger",
    ]  # fmt: skip
    unit = tmp_path / UNITS / AGENT
    assert unit.read_text() == told["steps"][0]["text"]
    assert unit.stat().st_mode & 0o777 == 0o644
    assert f"run --config {machine.home}/homing.toml" in unit.read_text()
    before = unit.stat().st_mtime_ns
    again = machine.ok("install", *USER, "--yes")
    assert [step["command"][0] for step in again["steps"]] == ["loginctl"]
    assert machine.log == ["loginctl enable-linger"]
    assert unit.stat().st_mtime_ns == before


def test_other_options_take_the_place_of_the_old_ones(machine: Machine, tmp_path: Path) -> None:
    machine.ok("install", *USER, "--yes")
    told = machine.ok("install", *USER, "--yes", "--interface", "eth0")
    assert told["steps"][0]["is_new"] is False
    assert "--interface eth0" in (tmp_path / UNITS / AGENT).read_text()
    assert files(tmp_path / UNITS) == [AGENT]


def test_uninstall_stops_it_and_leaves_nothing_of_ours_and_all_else(machine: Machine, tmp_path: Path) -> None:
    machine.ok("install", *USER, "--yes")
    (tmp_path / UNITS / "theirs.service").write_text("theirs")
    assert machine.log
    assert machine.ok("uninstall", *USER, "--yes")["outcome"] == "uninstalled"
    assert machine.log == [f"systemctl --user disable --now {AGENT}", "systemctl --user daemon-reload"]
    assert files(tmp_path / UNITS) == ["theirs.service"]
    assert machine.ok("uninstall", *USER, "--yes")["outcome"] == "already-so"
    assert machine.log == []


def test_a_timer_has_two_units_and_is_started_at_once(machine: Machine, tmp_path: Path) -> None:
    machine.ok("install", *USER, "--yes", "--timer", "--interval", "15m")
    assert files(tmp_path / UNITS) == [UPDATE, TIMER]
    assert "OnCalendar=*:0/15" in (tmp_path / UNITS / TIMER).read_text()
    assert machine.log[1:4] == [
        f"systemctl --user enable {TIMER}", f"systemctl --user restart {TIMER}",
        f"systemctl --user start --no-block {UPDATE}",
    ]  # fmt: skip
    refused(machine.homing("install", *USER, "--yes"), 1, "the timer is installed here already")
    machine.ok("uninstall", *USER, "--yes")
    assert files(tmp_path / UNITS) == []


def test_uninstall_stops_what_neither_runs_nor_is_enabled_at_the_moment(machine: Machine, tmp_path: Path) -> None:
    machine.ok("install", *USER, "--yes")
    for name in ("running", "enabled"):
        (machine.programs / f"{name}-{AGENT}").unlink()
    assert machine.log
    machine.ok("uninstall", *USER, "--yes")
    assert machine.log[0] == f"systemctl --user disable --now {AGENT}", "it may be about to start again"


def test_agent_and_timer_are_removed_together(machine: Machine, tmp_path: Path) -> None:
    machine.ok("install", *USER, "--yes")
    agent = (tmp_path / UNITS / AGENT).read_text()
    machine.ok("uninstall", *USER, "--yes")
    machine.ok("install", *USER, "--yes", "--timer")
    (tmp_path / UNITS / AGENT).write_text(agent)
    for more in ((), ("--timer",)):
        refused(machine.homing("install", *USER, "--yes", *more), 1, "is installed here already")
    assert machine.log
    machine.ok("uninstall", *USER, "--yes")
    assert files(tmp_path / UNITS) == []
    assert machine.log == [
        f"systemctl --user disable --now {AGENT}", f"systemctl --user disable --now {TIMER}",
        f"systemctl --user stop {UPDATE}", "systemctl --user daemon-reload",
    ]  # fmt: skip


def test_a_file_that_was_changed_is_left_unless_forced(machine: Machine, tmp_path: Path) -> None:
    machine.ok("install", *USER, "--yes")
    unit = tmp_path / UNITS / AGENT
    unit.write_text(unit.read_text() + "# mine\n")
    for verb in ("install", "uninstall"):
        refused(machine.homing(verb, *USER, "--yes"), 1, f"{unit} was changed by hand")
        assert "# mine" in unit.read_text()
    assert machine.status(*USER)["files"][0]["origin"] == "changed"
    machine.ok("uninstall", *USER, "--yes", "--force")
    assert not unit.exists()


@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_that_is_not_ours_is_left_unless_forced(machine: Machine, tmp_path: Path, is_link: bool) -> None:
    unit = tmp_path / UNITS / AGENT
    unit.parent.mkdir(parents=True)
    if is_link:
        unit.symlink_to("/dev/null")  # what `systemctl mask` makes
    else:
        unit.write_text("[Service]\nExecStart=/bin/true\n")
    for verb in ("install", "uninstall"):
        refused(machine.homing(verb, *USER, "--yes"), 1, "was not made by `homing service install`")
    assert unit.is_symlink() == is_link
    machine.ok("install", *USER, "--yes", "--force")
    assert "homing" in unit.read_text()


def test_a_command_that_fails_is_told_with_what_was_done_and_how_to_undo_it(machine: Machine, tmp_path: Path) -> None:
    machine.fail("enable homing")
    done = machine.homing("install", *USER, "--yes")
    assert done.returncode == 1
    assert "enable homing-agent.service ended with exit code 5: no such luck" in done.stderr
    assert f"done before: write {tmp_path / UNITS / AGENT}" in done.stderr
    assert "to undo: homing service uninstall --manager systemd --user" in done.stderr
    machine.fail("")
    assert machine.ok("install", *USER, "--yes")["outcome"] == "installed"
    machine.fail("disable")
    assert machine.homing("uninstall", *USER, "--yes").returncode == 1
    assert files(tmp_path / UNITS) == [AGENT], "what cannot be stopped is not pulled from under systemd"
    machine.fail("")
    assert machine.ok("uninstall", *USER, "--yes")["outcome"] == "uninstalled"


def test_a_folder_that_cannot_be_written_leaves_nothing_half_done(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / UNITS).parent.mkdir(parents=True)
    (tmp_path / UNITS).write_text("a file where a folder should be")
    done = machine.homing("install", *USER, "--yes")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert machine.log == []


def test_a_manager_that_does_not_answer_is_told_before_anything_is_written(machine: Machine, tmp_path: Path) -> None:
    machine.fail("show")
    refused(machine.homing("install", *USER, "--yes"), 1, "systemd does not answer: no such luck")
    assert not (tmp_path / UNITS).exists()
    assert machine.ok("install", *USER, "--dry-run")["outcome"] == "dry-run"


def test_status_tells_how_it_fares(machine: Machine) -> None:
    told = machine.status(*USER)
    assert (told["installed"], told["well"], told["files"]) == (None, False, [])
    machine.ok("install", *USER, "--yes")
    told = machine.status(*USER)
    assert told["well"] is True
    assert (told["installed"], told["at_boot"], told["running"]) == ("agent", True, True)
    assert (told["since"], told["restarts"]) == ("2025-11-21T14:25:00Z", 2)
    (machine.programs / "result").write_text("exit-code")
    assert machine.status(*USER)["last_result"] == "exit code 3"
    assert "last result  exit code 3" in machine.homing("status", *USER).stdout


def test_status_of_a_timer_tells_when_it_comes_next(machine: Machine) -> None:
    machine.ok("install", *USER, "--yes", "--timer")
    assert machine.status(*USER)["next_run"] == "2025-11-21T14:30:00Z"


# --- consent and settings


def test_nobody_there_to_be_asked_means_no(machine: Machine) -> None:
    refused(machine.homing("install", *USER), 2, "add --yes, or --dry-run")
    refused(machine.homing("uninstall", *USER, "--json"), 2, "--json asks nothing")
    assert machine.log == []


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_it_asks_on_a_terminal(machine: Machine, tmp_path: Path, answer: str, code: int) -> None:
    done = machine.answered(answer, "install", *USER)
    assert done.returncode == code, done.stdout
    assert "Do this? [y/N]" in done.stdout
    assert ("nothing was done" in done.stdout) == (code == 1)
    assert (tmp_path / UNITS / AGENT).exists() == (code == 0)


def test_a_unit_that_is_edited_during_the_question_is_kept(machine: Machine, tmp_path: Path) -> None:
    machine.ok("install", *USER, "--yes")
    unit = tmp_path / UNITS / AGENT
    machine.meanwhile(f'echo "# mine" >>"{unit}"')
    assert machine.answered("y", "uninstall", *USER).returncode == 1
    assert "# mine" in unit.read_text()


def test_settings_that_cannot_work_are_refused_before_anything_is_asked_for(machine: Machine) -> None:
    (machine.home / "homing.toml").write_text('[client]\nserver = "ftp://x"\n')
    refused(machine.homing("install", *USER, "--yes"), 1, "expected an http or https URL")
    assert machine.log == []


def test_a_whole_machine_needs_root(machine: Machine, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, to become somebody else")
    import homing

    words = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    done = run([*words, *HOMING, "service", "install", "--manager", "systemd", "--yes"], tmp_path)
    if "homing" not in done.stderr:
        pytest.skip(f"somebody else cannot read {homing.__file__}")
    refused(done, 1, "use sudo, or add --user")
    done = run([*words, *HOMING, "service", "uninstall", "--manager", "systemd", "--dry-run"], tmp_path)
    assert "sudo" not in done.stderr, "looking needs no right"


# --- launchd


def test_launchd_is_given_a_property_list(machine: Machine, tmp_path: Path) -> None:
    machine.ok("install", *LAUNCHD, "--yes")
    file = tmp_path / "home/Library/LaunchAgents/homing.agent.plist"
    assert plistlib.loads(file.read_bytes())["Label"] == "homing.agent"
    domain = f"gui/{os.getuid()}"
    start = [f"launchctl enable {domain}/homing.agent", f"launchctl bootstrap {domain} {file}"]
    assert machine.log == start
    assert machine.ok("install", *LAUNCHD, "--yes")["outcome"] == "already-so"
    assert machine.status(*LAUNCHD)["well"] is True
    machine.ok("install", *LAUNCHD, "--yes", "--ipv4-only")
    assert machine.log == [f"launchctl bootout {domain}/homing.agent", *start]
    machine.ok("uninstall", *LAUNCHD, "--yes")
    assert machine.log == [f"launchctl bootout {domain}/homing.agent"]
    assert not file.exists()
