"""Units: every word survives, files become credentials, and systemd itself finds nothing to say."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from homing.core.errors import InvalidInput
from homing.core.values import replace
from homing.services.job import DEFAULT_INTERVAL, Given, check_interval
from homing.services.marks import origin_of
from homing.services.systemd import AGENT, TIMER, UPDATE, render_units
from tests.e2e.programs import need
from tests.services.jobs import NASTY, job, names, read_words, settings_of, words

if TYPE_CHECKING:
    from homing.services.job import Job

CREDENTIALS = {"CREDENTIALS_DIRECTORY": "/run/credentials/homing-agent.service"}
MOST_EXPOSED = 15
"""Tenths: `systemd-analyze security` calls everything below two "OK"; the agent needs the network, hence not nought."""
NO_PROGRAM = "\"'\\$"
INTERVALS = [60, 300, 900, 1800, 3600, 21_600, 86_400]


def units(wanted: Job, *, is_user: bool = False) -> dict[str, str]:
    return dict(render_units(wanted, is_user=is_user))


@given(words, words, names)
def test_each_word_arrives_as_it_was_given(one: str, other: str, name: str) -> None:
    path = Path("/etc") / name
    wanted = job("agent", one, "--username", other, "--secret-file", Given(path), "--server", f"${one}%")
    (line,) = settings_of(units(wanted, is_user=True)[AGENT])["ExecStart"]
    assert read_words(line, {}) == list(wanted.command)


@given(words.filter(lambda text: not set(text) & set(NO_PROGRAM)))
def test_a_program_may_lie_in_any_folder(folder: str) -> None:
    program = f"/{folder}/homing"
    (line,) = settings_of(units(job(program=program))[AGENT])["ExecStart"]
    assert read_words(line, CREDENTIALS)[0] == program


@pytest.mark.parametrize("character", NO_PROGRAM)
def test_a_program_that_no_unit_can_name_is_refused(character: str) -> None:
    with pytest.raises(InvalidInput, match="no unit can name a program"):
        units(job(program=f"/opt/a{character}b/homing"))


@given(names)
def test_a_file_is_handed_over_under_a_name_that_its_word_has_too(name: str) -> None:
    path = Path("/root") / name
    try:
        unit = settings_of(units(job("agent", "--secret-file", Given(path)))[AGENT])
    except InvalidInput:
        assert name != name.strip() or name.endswith("\\")
        return
    (load,) = unit["LoadCredential"]
    identity, _, source = load.partition(":")
    assert source.replace("%%", "%") == str(path)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", identity)
    word = read_words(unit["ExecStart"][0], CREDENTIALS)[-1]
    assert word == f"{CREDENTIALS['CREDENTIALS_DIRECTORY']}/{identity}"


def test_files_of_the_settings_are_handed_over_too_and_each_once() -> None:
    config = Given(Path("/etc/homing/homing.toml"))
    wanted = replace(job("agent", "--config", config), secret_files=(Path("/srv/x.secret"), config.path))
    assert settings_of(units(wanted)[AGENT])["LoadCredential"] == [
        "homing.toml:/etc/homing/homing.toml", "x.secret:/srv/x.secret",
    ]  # fmt: skip


def test_two_files_of_one_name_are_refused() -> None:
    wanted = replace(job(), secret_files=(Path("/a/cam.secret"), Path("/b/cam.secret")))
    with pytest.raises(InvalidInput, match=r"/a/cam\.secret and /b/cam\.secret would be one credential"):
        units(wanted)


def test_a_users_own_service_reads_its_files_where_they_are() -> None:
    unit = units(job("agent", "--secret-file", Given(Path("/srv/a b"))), is_user=True)[AGENT]
    assert "LoadCredential" not in unit
    assert "DynamicUser" not in unit
    assert '"/srv/a b"' in unit
    assert settings_of(unit)["WantedBy"] == ["default.target"]


def test_the_agent_is_watched_started_again_for_ever_and_waits_for_no_network() -> None:
    unit = units(job())[AGENT]
    found = settings_of(unit)
    assert found["Type"] == ["notify"]
    assert found["Restart"] == ["on-failure"]
    assert found["StartLimitIntervalSec"] == ["0"]
    assert int(found["WatchdogSec"][0]) > 2 * 60
    assert "After" not in found
    assert "ExecReload" not in found


def test_it_is_nobody_and_sees_and_may_do_little() -> None:
    wanted = {
        "DynamicUser": "yes", "PrivateUsers": "yes", "PrivateDevices": "yes", "PrivateTmp": "yes", "ProtectHome": "yes",
        "ProtectSystem": "strict", "CapabilityBoundingSet": "", "NoNewPrivileges": "yes", "LimitCORE": "0",
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_NETLINK AF_UNIX", "UMask": "0077",
    }  # fmt: skip
    for unit in (units(job())[AGENT], units(job("timer"))[UPDATE]):
        found = settings_of(unit)
        assert {name: found[name] for name in wanted} == {name: [value] for name, value in wanted.items()}


def test_the_state_is_not_that_of_the_server() -> None:
    assert settings_of(units(job())[AGENT])["StateDirectory"] == ["homing-agent"]
    assert settings_of(units(job("timer"))[UPDATE])["CacheDirectory"] == ["homing-update"]


def test_every_unit_has_a_mark() -> None:
    for wanted in (job(), job("timer")):
        for text in units(wanted).values():
            assert origin_of(text) == "ours"


@pytest.mark.parametrize("seconds", INTERVALS)
def test_a_timer_comes_as_often_as_was_asked(seconds: int) -> None:
    need("systemd-analyze")
    found = settings_of(units(job("timer", interval=check_interval(seconds)))[TIMER])
    assert found["Persistent"] == ["yes"]
    assert 0 < int(found["RandomizedDelaySec"][0]) <= seconds
    done = analyze("calendar", "--iterations=3", "--base-time=2026-01-05 00:00:00 UTC", *found["OnCalendar"])
    times = re.findall(r"(?:Next elapse|Iter\. #\d): \w+ (\d+-\d+-\d+) (\d+):(\d+):00 UTC", done.stdout)
    assert len(times) == 3, done.stdout + done.stderr
    minutes = [int(day[-2:]) * 1440 + int(hour) * 60 + int(minute) for day, hour, minute in times]
    assert {later - earlier for earlier, later in itertools.pairwise(minutes)} == {seconds // 60}


@pytest.mark.parametrize("seconds", [30, 90, 420, 2400, 5 * 3600, 2 * 86_400])
def test_an_interval_that_no_calendar_has_is_refused(seconds: int) -> None:
    with pytest.raises(InvalidInput, match="minutes that divide an hour"):
        check_interval(seconds)


@pytest.mark.parametrize("is_user", [False, True])
def test_systemd_has_nothing_to_say_about_the_units(tmp_path: Path, is_user: bool) -> None:
    need("systemd-analyze")
    program = tmp_path / "".join(one for one in NASTY if one not in NO_PROGRAM) / "homing"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    words = (NASTY, "--username", NASTY, "--config", Given(tmp_path / NASTY))
    for kind in ("agent", "timer"):
        wanted = job(kind, *words, program=str(program), interval=DEFAULT_INTERVAL)
        for name, text in units(wanted, is_user=is_user).items():
            (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in (AGENT, UPDATE, TIMER)]
    done = analyze(*(("--user",) if is_user else ()), "verify", "--man=no", *files, folder=tmp_path)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "homing" in line]
    assert not ours, "\n".join(ours)
    assert "initialize" not in done.stderr, done.stderr


@pytest.mark.parametrize("name", [AGENT, UPDATE])
def test_systemd_finds_the_service_well_confined(tmp_path: Path, name: str) -> None:
    need("systemd-analyze")
    file = tmp_path / name
    file.write_text(units(job("agent" if name == AGENT else "timer"))[name])
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(file))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def analyze(*arguments: str, folder: Path = Path("/nonexistent")) -> subprocess.CompletedProcess[str]:
    """Run systemd's own judge. `folder` stands in for what a user's session has."""
    environment = {"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C"}
    environment |= {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
