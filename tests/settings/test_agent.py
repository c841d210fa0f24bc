"""The agent's own settings: where they come from, and what is said of wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.core.errors import InvalidSettings
from homing.settings.agent import AgentSettings, default_state_file, load_agent

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, text: str) -> Path:
    path = folder / "homing.toml"
    path.write_text(text)
    return path


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, '[agent]\non_change = ["a", "b c"]\non_failure = "file"\non_recovery = "file"\n')
    environment = {"HOMING_AGENT_ON_FAILURE": "variable 'with blank'", "HOMING_AGENT_ON_RECOVERY": "variable"}
    loaded = load_agent({"on_recovery": "flag", "ping_url": None}, environment, file)
    assert loaded == AgentSettings(on_change=("a", "b c"), on_failure=("variable", "with blank"), on_recovery=("flag",))


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    file = write(tmp_path, '[agent]\non_chnage = "x"\nping_url = "ftp://x"\ncheck_dns = "maybe"\n')
    with pytest.raises(InvalidSettings) as caught:
        load_agent({}, {"HOMING_AGENT_ON_FAILURE": "a 'quote"}, file)
    told = "\n".join(caught.value.problems)
    assert f"{file}:2: on_chnage: no such setting in [agent]; is on_change meant?" in told
    assert f"{file}:3: ping_url: expected an http or https URL" in told
    assert f"{file}:4: check_dns: expected true or false" in told
    assert "HOMING_AGENT_ON_FAILURE: expected a command; a quote is not closed" in told


def test_the_ping_url_is_not_shown() -> None:
    """Whoever knows it can keep the owner's watchdog quiet."""
    assert "1234" not in repr(load_agent({"ping_url": "https://hc.example/1234"}, {}))


def test_a_file_that_is_no_toml_is_left_to_who_reads_the_rest(tmp_path: Path) -> None:
    assert load_agent({}, {}, write(tmp_path, "[agent")) == AgentSettings()
    with pytest.raises(InvalidSettings, match="expected a table"):
        load_agent({}, {}, write(tmp_path, "agent = 1"))


def test_the_state_is_kept_where_systemd_or_xdg_say() -> None:
    assert str(default_state_file({"STATE_DIRECTORY": "/var/lib/homing:/x"})) == "/var/lib/homing/agent.json"
    assert str(default_state_file({"XDG_STATE_HOME": "/s"})) == "/s/homing/agent.json"
