"""The flags of `homing serve`: every setting has one, and what was not given leaves the setting alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from homing.cli.serve import serve
from homing.runtimes import access_log, server

if TYPE_CHECKING:
    from pathlib import Path

    from homing.settings import Settings


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run `homing serve` up to the point where it would begin; return the settings that it would serve."""
    begun: list[Settings] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOMING_REQUIRE_SIGNED", raising=False)
    monkeypatch.setattr(access_log, "configure_logging", lambda *_: None)
    monkeypatch.setattr(server, "serve", lambda settings, started: settings)
    monkeypatch.setattr(server, "run", begun.append)

    def run(*arguments: str, file: str = "") -> Settings:
        (tmp_path / "homing.toml").write_text(file)
        done = CliRunner().invoke(serve, ["--config", "homing.toml", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return begun.pop()

    return run


@pytest.mark.parametrize("in_file", ["", "require_signed = true", "require_signed = false"])
@pytest.mark.parametrize(("flag", "expected"), [("--require-signed", True), ("--no-require-signed", False)])
def test_a_flag_of_yes_or_no_stands_above_the_file(settings_of: Any, flag: str, expected: bool, in_file: str) -> None:
    assert settings_of(flag, file=in_file).require_signed is expected


@pytest.mark.parametrize(("in_file", "expected"), [("", False), ("require_signed = true", True)])
def test_a_flag_of_yes_or_no_that_was_not_given_leaves_the_file_in_force(
    settings_of: Any, in_file: str, expected: bool
) -> None:
    assert settings_of(file=in_file).require_signed is expected


def test_a_flag_of_yes_or_no_takes_no_value(settings_of: Any) -> None:
    done = CliRunner().invoke(serve, ["--require-signed", "yes"])
    assert done.exit_code == 2
