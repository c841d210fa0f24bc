"""A file that nobody named, in the folder of the moment: it is read only where nobody else decides what is in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from homing.cli import main
from homing.core.errors import InvalidSettings
from homing.settings import one_machine
from homing.settings.client_loading import load_client
from homing.settings.toml_file import find_file

if TYPE_CHECKING:
    from pathlib import Path

_COMMAND = '[client]\nserver = "https://s.example"\nnames = ["a.example.com"]\nsecret = "x"\nipv4 = "command:id"\n'
_ROOT = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="gives files away")


def passed_over(folder: Path, why: str) -> None:
    """See that the file there is not read unless it is named, and that everybody who would read it says so."""
    environment = {"HOME": str(folder / "home")}
    told: list[str] = []
    assert find_file(environment, told) is None
    assert told == [f"{folder}/homing.toml is not read, since {why}; if it is meant, name it: --config homing.toml"]
    assert [*one_machine.load({}, environment).warnings] == told
    flags = {"server": "https://o.example", "names": "a.example.com"}
    loaded = load_client(flags, environment | {"HOMING_CLIENT_SECRET": "x"})
    assert loaded.accounts[0].ipv4.kind == "auto"
    assert [*loaded.warnings] == told
    with pytest.raises(InvalidSettings) as caught:
        load_client({}, environment)
    assert caught.value.problems[-1] == told[0]
    with pytest.raises(InvalidSettings) as caught:
        one_machine.load({}, environment | {"HOMING_MIN_TTL": "x"})
    assert caught.value.problems[-1] == told[0]
    named = folder / "homing.toml"
    for loaded in (load_client({}, environment, named), load_client({}, environment | {"HOMING_CONFIG": str(named)})):
        assert loaded.accounts[0].ipv4.kind == "command"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("homing.settings.client_loading.find_ini", lambda: ())
    (tmp_path / "homing.toml").write_text(_COMMAND)
    (tmp_path / "homing.toml").chmod(0o600)
    assert find_file({}) is not None
    return tmp_path


@_ROOT
def test_a_file_of_another_user_in_the_folder_of_the_moment_is_passed_over(here: Path) -> None:
    os.chown(here / "homing.toml", 65534, 65534)
    passed_over(here, "it belongs to another user")


@_ROOT
def test_a_link_of_another_user_is_passed_over_whomever_it_leads_to(here: Path) -> None:
    (here / "homing.toml").rename(here / "mine.toml")
    (here / "homing.toml").symlink_to("mine.toml")
    assert find_file({}) is not None
    os.chown(here / "homing.toml", 65534, 65534, follow_symlinks=False)
    passed_over(here, "it belongs to another user")


@_ROOT
def test_a_file_in_a_folder_of_another_user_is_passed_over(here: Path) -> None:
    os.chown(here, 65534, 65534)
    passed_over(here, "its folder belongs to another user")


def test_a_file_that_others_may_write_is_passed_over(here: Path) -> None:
    (here / "homing.toml").chmod(0o602)
    passed_over(here, "others may write it")


def test_a_file_in_a_folder_that_others_may_write_into_is_passed_over_unless_it_is_sticky(here: Path) -> None:
    here.chmod(0o777)
    passed_over(here, "others may write into its folder")
    here.chmod(0o1777)
    assert find_file({}) is not None
    here.chmod(0o770)
    assert find_file({}) is not None


def test_what_is_passed_over_makes_room_for_the_next_place(here: Path) -> None:
    usual = here / "config" / "homing" / "homing.toml"
    usual.parent.mkdir(parents=True)
    usual.write_text("")
    assert str(find_file({"XDG_CONFIG_HOME": str(here / "config")})) == "homing.toml"
    (here / "homing.toml").chmod(0o666)
    assert find_file({"XDG_CONFIG_HOME": str(here / "config")}) == usual


@pytest.mark.parametrize("command", [("serve", "--min-ttl", "x"), ("host", "list"), ("config", "check"), ("ip",)])
def test_every_command_says_what_is_passed_over(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    for name in [name for name in os.environ if name.startswith(("HOMING_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(here / "home"))
    (here / "homing.toml").chmod(0o666)
    with pytest.raises(SystemExit):
        main([*command])
    assert capsys.readouterr().err.count(f"{here}/homing.toml is not read, since others may write it") == 1


def test_a_secret_of_the_server_that_others_may_read_is_told_by_config_check(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOMING_CLIENT_SECRET", "")
    (here / "homing.toml").write_text("api_key = 's3cret'\n" + _COMMAND)
    (here / "homing.toml").chmod(0o644)
    with pytest.raises(SystemExit):
        main(["config", "check"])
    told = capsys.readouterr()
    assert told.err.count("homing.toml holds a secret and may be read by others") == 1
    assert "s3cret" not in told.out + told.err
