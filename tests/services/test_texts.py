"""What all texts share: marks, names of credentials, and launchd's property lists."""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidInput
from homing.services import launchd
from homing.services.job import Given, check_words
from homing.services.marks import mark, origin_of
from homing.settings.client_layers import CREDENTIAL
from homing.settings.credentials import credential_name, place_of_secret
from tests.services.jobs import job, names, words

if TYPE_CHECKING:
    from homing.services.job import Kind

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=200)


@given(texts)
def test_a_marked_text_is_ours(text: str) -> None:
    assert origin_of(mark(text)) == "ours"
    assert origin_of(mark("<?xml?>\n" + text, after="<?xml?>\n", is_xml=True)) == "ours"
    assert origin_of(text) == "foreign"


@given(texts, st.integers(0), st.characters(codec="utf-8", categories=["L", "N"]))
def test_a_text_that_was_changed_is_not(text: str, where: int, character: str) -> None:
    ours = mark(text)
    where %= len(ours) + 1
    assert origin_of(ours[:where] + character + ours[where:]) != "ours"


@given(words, names)
def test_a_property_list_holds_each_word(word: str, name: str) -> None:
    wanted = job("agent", word, "--config", Given(Path("/etc") / name))
    text = launchd.render_plist(wanted, Path("/var/log"), is_user=False)
    read = plistlib.loads(text.encode())
    assert read["ProgramArguments"] == list(wanted.command)
    assert origin_of(text) == "ours"
    assert text.startswith("<?xml")


@pytest.mark.parametrize(("kind", "label"), [("agent", "homing.agent"), ("timer", "homing.update")])
def test_launchd_keeps_the_agent_alive_and_repeats_an_update(kind: Kind, label: str) -> None:
    read = plistlib.loads(launchd.render_plist(job(kind, interval=900), Path("/logs"), is_user=True).encode())
    assert read["Label"] == label
    assert read["RunAtLoad"] is True
    assert read.get("KeepAlive", False) is (kind == "agent")
    assert read.get("StartInterval") == (900 if kind == "timer" else None)
    assert read["StandardErrorPath"].startswith("/logs/homing-")


@pytest.mark.parametrize("word", ["a\nb", "\0", "a\tb", "\x1b[2J", "\u2028"])
def test_words_that_would_be_lines_of_their_own_are_refused(word: str) -> None:
    with pytest.raises(InvalidInput, match="printable"):
        check_words(job("agent", word))


@given(names)
def test_a_credential_has_a_name_that_is_plain(name: str) -> None:
    assert credential_name(Path("/x") / name).isascii()
    assert not set(credential_name(Path(name))) & set(" :/%$\\\"'")


@pytest.mark.parametrize("name", ["homing_client_secret", "homing_client_api_key", "homing client_secret"])
def test_a_credential_is_never_taken_for_the_setting_of_all_accounts(tmp_path: Path, name: str) -> None:
    credential = credential_name(Path("/srv") / name)
    assert not credential.startswith(CREDENTIAL)
    (tmp_path / credential).touch()
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert place_of_secret(f"/srv/{name}", tmp_path / "homing.toml", environment) == tmp_path / credential


def test_a_secret_file_lies_beside_the_settings(tmp_path: Path) -> None:
    settings = tmp_path / "homing.toml"
    assert place_of_secret("cam.secret", settings, {}) == tmp_path / "cam.secret"
    assert place_of_secret("/etc/cam.secret", settings, {}) == Path("/etc/cam.secret")
    assert place_of_secret("cam.secret", None, {}) == Path("cam.secret")


def test_settings_that_are_a_credential_have_their_secrets_beside_them(tmp_path: Path) -> None:
    settings, environment = tmp_path / "homing.toml", {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "my_cam.secret").touch()
    assert place_of_secret("/srv/my cam.secret", settings, environment) == tmp_path / "my_cam.secret"
    assert place_of_secret("keys/my cam.secret", settings, environment) == tmp_path / "my_cam.secret"
    assert place_of_secret("/srv/other", settings, environment) == Path("/srv/other")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "my_cam.secret").touch()
    assert place_of_secret("/srv/my cam.secret", elsewhere / "homing.toml", environment) == Path("/srv/my cam.secret")
