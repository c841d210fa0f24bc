"""`homing service` where others could lead it astray: by a variable, an open folder, or a file of theirs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import refused
from tests.e2e.service_programs import make_machine, trusted_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.service_programs import Machine

pytestmark = pytest.mark.e2e

USER = ("--manager", "systemd", "--user")
CRON = ("--manager", "cron")
LAUNCHD = ("--manager", "launchd", "--user")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    with trusted_folder(tmp_path) as folder:
        yield folder


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return make_machine(tmp_path)


def test_the_home_is_that_of_the_user_and_not_that_of_a_variable(machine: Machine, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    config = ("--config", machine.home / "homing.toml")
    for manager in (USER, CRON, LAUNCHD):
        done = machine.homing("install", *manager, *config, "--yes", "--timer", HOME=str(other))
        assert done.returncode == 0, done.stderr
        assert str(other) not in done.stdout
    assert list(other.iterdir()) == []


@pytest.mark.parametrize("manager", [USER, CRON, LAUNCHD])
def test_a_folder_that_others_may_write_is_refused(machine: Machine, manager: tuple[str, ...]) -> None:
    machine.home.chmod(0o777)
    refused(machine.homing("install", *manager, "--yes", "--timer"), 1, f"{machine.home} may be written by others")
    refused(machine.homing("uninstall", *manager, "--yes"), 1, f"{machine.home} may be written by others")
    assert machine.log == []


@pytest.mark.parametrize("manager", [USER, CRON, LAUNCHD])
def test_root_is_given_nothing_that_others_can_change(
    machine: Machine, tmp_path: Path, manager: tuple[str, ...]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    file = machine.home / "homing.toml"
    file.chmod(0o666)
    refused(
        machine.homing("install", *manager, "--yes", "--config", file),
        1,
        f"{file}: root would use it, but {file} may be written",
    )
    assert machine.log == []
