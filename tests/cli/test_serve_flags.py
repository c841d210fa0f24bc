"""The flags of `homing serve`: every setting has one, and what was not given leaves the setting alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from homing.cli.serve import serve
from homing.runtimes import access_log, server

if TYPE_CHECKING:
    from pathlib import Path

    from homing.settings.one_machine import Settings


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


def test_a_flag_stands_above_the_file(settings_of: Any) -> None:
    assert settings_of("--default-ttl", "50", file="default_ttl = 90").default_ttl == 50


def test_a_flag_that_was_not_given_leaves_the_file_in_force(settings_of: Any) -> None:
    assert settings_of(file="default_ttl = 90").default_ttl == 90


def test_a_list_is_given_by_repeating_its_flag(settings_of: Any) -> None:
    zones = settings_of("--zone", "a.test", "--zone", "b.test").zones
    assert [zone.name for zone in zones] == ["a.test.", "b.test."]


@pytest.mark.parametrize("flag", ["--require-signed", "--rotation-overlap", "--api-key", "--token-key"])
def test_what_the_server_does_not_read_and_what_is_secret_has_no_flag(flag: str) -> None:
    assert CliRunner().invoke(serve, [flag, "1"]).exit_code == 2
