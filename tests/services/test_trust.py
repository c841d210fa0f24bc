"""Whom root trusts with its files, where a user's files go, and which process is the agent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given

from homing.core.errors import Refused
from homing.runtimes.agent import process as agent_process
from homing.services.places import check_folder, find_place
from homing.services.processes import is_agent, is_line_of
from homing.services.trust import root_problems
from homing.settings.agent import AgentSettings
from homing.settings.client import ClientSettings, Source
from homing.settings.ownership import walked, why_untrusted
from tests.e2e.programs import wait_for
from tests.services.jobs import names, place

ME, MINE = os.geteuid(), os.getegid()


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    """A folder of whoever runs the tests, in which only the sticky /tmp is above others' reach."""
    tmp_path.chmod(0o755)
    return tmp_path


def untrusted(path: Path) -> str | None:
    """As a user sees it that is not root, so that /tmp will do."""
    return why_untrusted(path, ME or 1000, MINE)


def test_a_file_of_ones_own_is_trusted_and_so_is_one_that_is_not_there_yet(safe: Path) -> None:
    (safe / "file").touch(0o600)
    assert untrusted(safe / "file") is None
    assert untrusted(safe / "none" / "at" / "all") is None
    assert untrusted(Path("/dev/null")) is None


def test_a_file_or_folder_that_others_can_write_is_not(safe: Path) -> None:
    folder = safe / "folder"
    folder.mkdir(mode=0o755)
    (folder / "file").touch(0o644)
    for one in (folder / "file", folder):
        before = one.stat().st_mode
        one.chmod(before | 0o002)
        assert untrusted(folder / "file") == f"{one} may be written by others"
        one.chmod(before)
    folder.chmod(0o775)
    assert untrusted(folder) is None, "the group is one's own"
    if ME == 0:
        os.chown(folder, 0, 65534)
    assert why_untrusted(folder, ME or 1000, 65533) == f"{folder} may be written by others"


def test_what_belongs_to_somebody_else_is_not(safe: Path) -> None:
    if ME != 0:
        pytest.skip("needs root, to give a file away")
    (safe / "file").touch()
    os.chown(safe / "file", 65534, 65534)
    assert untrusted(safe / "file") == f"{safe / 'file'} belongs to user 65534"


def test_a_link_is_as_good_as_where_it_leads(safe: Path) -> None:
    (safe / "open").mkdir()
    (safe / "open").chmod(0o777)
    (safe / "middle").symlink_to("open/../open/last")
    (safe / "open" / "last").symlink_to(safe / "file")
    (safe / "first").symlink_to(safe / "middle")
    (safe / "file").touch()
    assert untrusted(safe / "first") == f"{safe / 'open'} may be written by others"


def test_links_without_end_are_told(safe: Path) -> None:
    (safe / "round").symlink_to("round")
    with pytest.raises(OSError, match="symbolic links"):
        list(walked(safe / "round"))
    (told,) = root_problems([safe / "round"], [], None)
    assert "root would use it, but" in told


@given(names)
def test_a_path_is_walked_from_the_root_to_its_end(name: str) -> None:
    path = Path("/nonexistent") / name / name
    assert list(walked(path)) == [*reversed(path.parents), path]


def test_root_counts_a_sticky_folder_as_open_to_others() -> None:
    assert why_untrusted(Path("/tmp/x")) == "/tmp may be written by others"
    assert why_untrusted(Path("/tmp/x"), 1000) is None


def test_roots_commands_are_looked_at_with_the_scripts_that_they_are_given(safe: Path) -> None:
    script = safe / "script"
    script.touch()
    account = ClientSettings(ipv4=Source("command", "/tmp/address now"), ipv6=Source("interface", "eth0"))
    agent = AgentSettings(on_change=("sh", str(script)), on_failure=("/tmp/later",), on_recovery=("sh", "-c", "true"))
    told = list(root_problems([], [account], agent))
    assert [one.split(": root would run it")[0] for one in told] == [
        "ipv4: /tmp/address", f"on_change: {script}", "on_failure: /tmp/later",
    ]  # fmt: skip
    assert "keep it where only root can write" in told[0]


def test_a_home_is_that_of_the_user_database(monkeypatch: pytest.MonkeyPatch) -> None:
    pwd = pytest.importorskip("pwd")
    environment = {"HOME": "/alice"}
    for init in ("systemd", "launchd", "cron"):
        found = find_place(init, environment, ME, wants_user=True)
        assert found.home == Path(pwd.getpwuid(ME).pw_dir)
        assert not found.folder.is_relative_to("/alice")
    with pytest.raises(Refused, match="not in the user database"):
        find_place("cron", environment, 4_000_000, wants_user=True)


def test_only_changes_to_the_whole_machine_need_root() -> None:
    with pytest.raises(Refused, match="use sudo"):
        find_place("systemd", {}, 1000, wants_user=False)
    assert not find_place("systemd", {}, 1000, wants_user=False, changes=False).is_user


def test_a_place_that_others_can_write_is_refused(safe: Path) -> None:
    safe.chmod(0o777)
    with pytest.raises(Refused, match="may be written by others: let nobody write there but you"):
        check_folder(place("cron", safe / "folder", is_user=True, user=ME))
    check_folder(place("systemd", safe / "folder"))


def test_the_agent_is_known_by_its_command_and_by_what_it_becomes() -> None:
    command = ("/opt/homing/bin/homing", "run", "cam")
    settled = f"/opt/homing/bin/python3 -P -c {agent_process._MAIN.format(7)}"
    for line in (" ".join(command), f"/opt/homing/bin/python3 {' '.join(command)}", settled):
        assert is_line_of(command, line)
    for line in ("", "vi homing.toml", "/opt/homing/bin/homing run cam2", settled.replace("opt", "usr"), settled + "x"):
        assert not is_line_of(command, line)
    assert not is_line_of((), settled)


def test_a_process_of_another_user_or_of_other_words_is_not_the_agent() -> None:
    command = (sys.executable, "-c", "import time; time.sleep(60)", "homing")
    process = subprocess.Popen(command)
    try:
        assert wait_for(lambda: is_agent(process.pid, ME, command))
        assert not is_agent(process.pid, ME + 1, command)
        assert not is_agent(process.pid, ME, (*command, "run"))
    finally:
        process.kill()
        process.wait()
    assert not is_agent(process.pid, ME, command)
