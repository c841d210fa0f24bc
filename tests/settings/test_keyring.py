"""Secrets from the system's keyring: asked for only where a setting says so, and nothing of a failure but what it was.

The library stands in for itself as a module of the test's own: what it does here is what its documentation says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidInput, InvalidSettings
from homing.settings import client_keyring
from homing.settings.client_keyring import parse_entry, read_keyring
from homing.settings.client_loading import load_client

if TYPE_CHECKING:
    from pathlib import Path

STORED = {("homing", "cam.home.example"): "of cam", ("https://x:8443", "bob"): "of bob", ("homing", "key"): "schlüssel"}
LIBRARY = """\
def get_password(service, username):
    print("asked", service, username)
    return {("homing", "cam.home.example"): "s3cret"}.get((service, username))
"""
BASE = {"HOMING_CLIENT_SERVER": "https://s", "HOMING_CLIENT_NAMES": "cam.home.example", "HOMING_CONFIG": "/dev/null"}


class NoKeyringError(RuntimeError):
    """As the library's own."""


class KeyringLocked(Exception):
    """As the library's own."""


class Library:
    """What the module `keyring` is to us."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append((service, username))
        if self.failure:
            raise self.failure
        return STORED.get((service, username))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setitem(sys.modules, "keyring", library)
    return library


def load(toml: str, folder: Path, **environment: str) -> Any:
    file = folder / "homing.toml"
    file.write_text(f'[client]\nserver = "https://s"\nnames = ["cam.home.example"]\n{toml}')
    return load_client({}, environment, file)


def test_an_entry_is_what_keyring_set_has_stored(library: Library, tmp_path: Path) -> None:
    for toml, secret in (
        ('secret_keyring = "homing:cam.home.example"', "of cam"),
        ('secret_keyring = "cam.home.example"', "of cam"),
        ('secret_keyring = "https://x:8443:bob"', "of bob"),
    ):
        loaded = load(toml, tmp_path)
        assert loaded.accounts[0].secret == secret
        assert loaded.origins[0]["secret"] == f"{tmp_path}/homing.toml:4: secret_keyring"
        assert loaded.warnings == ()
    assert library.asked == [("homing", "cam.home.example")] * 2 + [("https://x:8443", "bob")]


def test_it_stands_below_the_other_variables_and_above_systemds_credential(library: Library, tmp_path: Path) -> None:
    (tmp_path / "homing_client_secret").write_text("of systemd")
    (tmp_path / "s").write_text("of file")
    (tmp_path / "s").chmod(0o600)
    variables = BASE | {"HOMING_CLIENT_SECRET_KEYRING": "cam.home.example", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert load_client({}, variables).accounts[0].secret == "of cam"
    variables |= {"HOMING_CLIENT_SECRET_FILE": str(tmp_path / "s")}
    assert load_client({}, variables).accounts[0].secret == "of file"
    assert load_client({}, variables | {"HOMING_CLIENT_SECRET": "direct"}).accounts[0].secret == "direct"
    assert len(library.asked) == 1, "what does not count is not asked"


def test_accounts_that_share_an_entry_ask_once_and_one_with_its_own_secret_never(
    library: Library, tmp_path: Path
) -> None:
    hosts = '[[client.hosts]]\nnames = ["b.example"]\n[[client.hosts]]\nnames = ["c.example"]\nsecret = "of c"\n'
    loaded = load('secret_keyring = "cam.home.example"\n' + hosts, tmp_path)
    assert [one.secret for one in loaded.accounts] == ["of cam", "of cam", "of c"]
    assert len(library.asked) == 1
    hosts = '[[client.hosts]]\nnames = ["c.example"]\nsecret = "of c"\n'
    load_client({"names": ("c.example",)}, {}, tmp_path / "homing.toml")
    (tmp_path / "homing.toml").write_text(f'[client]\nserver = "https://s"\nsecret_keyring = "x"\n{hosts}')
    assert [one.secret for one in load_client({}, {}, tmp_path / "homing.toml").accounts] == ["of c"]
    assert ("homing", "x") not in library.asked


def test_two_ways_for_one_secret_in_one_table_are_one_too_many(library: Library, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load('secret = "s3cret"\nsecret_keyring = "x"\n', tmp_path)
    (problem,) = [one for one in caught.value.problems if "keep one" in one]
    assert (
        problem == f"{tmp_path}/homing.toml:5: secret_keyring: secret is given too ({tmp_path}/homing.toml:4): keep one"
    )


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (NoKeyringError("s3cret"), "this machine has no keyring that can be read; use a file (secret_file)"),
        (KeyringLocked("s3cret"), "the keyring is locked: unlock it"),
        (OSError("s3cret"), "the keyring cannot be read (OSError); use a file"),
        (None, "the keyring holds no such entry: keyring set homing 'my cam'"),
    ],
)
def test_what_a_keyring_cannot_do_is_told_with_the_place_and_without_its_own_words(
    library: Library, tmp_path: Path, failure: Exception | None, words: str
) -> None:
    library.failure = failure
    with pytest.raises(InvalidSettings) as caught:
        load('secret_keyring = "my cam"\n', tmp_path)
    (problem,) = [one for one in caught.value.problems if "keyring" in one]
    assert problem.startswith(f"{tmp_path}/homing.toml:4: secret_keyring: {words}")
    assert "s3cret" not in problem


def test_a_key_from_it_is_read_as_any_other_and_not_repeated(library: Library, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load('secret = "x"\napi_key_keyring = "key"\n', tmp_path)
    assert caught.value.problems == (
        f"{tmp_path}/homing.toml:5: api_key_keyring: expected ASCII characters: it is sent in a header",
    )


def test_a_keyring_that_waits_for_somebody_is_not_waited_for(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    awake = threading.Event()
    monkeypatch.setattr(library, "get_password", lambda *_: awake.wait(60))
    monkeypatch.setattr(client_keyring, "PATIENCE", 0.05)
    with pytest.raises(InvalidInput, match="gave no answer"):
        read_keyring("x")
    awake.set()


def test_without_the_library_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=missing_name)

    monkeypatch.setattr("importlib.import_module", missing)
    missing_name = "keyring"
    with pytest.raises(InvalidInput, match=r"not installed: pip install 'homing\[keyring\]'"):
        read_keyring("x")
    missing_name = "backend_of_s3cret"  # what PYTHON_KEYRING_BACKEND names
    with pytest.raises(InvalidInput, match=r"cannot be read \(ModuleNotFoundError\)") as caught:
        read_keyring("x")
    assert "s3cret" not in str(caught.value)


def test_a_library_that_fails_as_it_is_loaded_is_told_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keyring.py").write_text("raise ValueError('s3cret')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    with pytest.raises(InvalidInput, match=r"cannot be read \(ValueError\)") as caught:
        read_keyring("x")
    assert "s3cret" not in str(caught.value)


@given(st.text(max_size=30) | st.integers() | st.lists(st.text()) | st.just("a:b:c") | st.none())
def test_any_entry_is_read_or_refused(value: Any) -> None:
    try:
        service, user = parse_entry(value)
    except InvalidInput:
        return
    assert parse_entry(f"{service}:{user}") == (service, user)


# --- the program


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "homing", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **BASE, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.e2e
def test_an_update_takes_its_secret_from_the_keyring_and_no_output_shows_it(tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text(LIBRARY)
    variables = {"PYTHONPATH": str(tmp_path), "HOMING_CLIENT_SECRET_KEYRING": "cam.home.example"}
    done = run(tmp_path, "update", "--dry-run", "--address", "203.0.113.7", **variables)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout == "asked homing cam.home.example\ncam.home.example A 203.0.113.7 would send: signed, https://s\n"
    )
    checked = run(tmp_path, "config", "check", **variables)
    assert "  secret: HOMING_CLIENT_SECRET_KEYRING\n" in checked.stdout
    shown = run(tmp_path, "config", "show", **variables)
    assert "(set)" in shown.stdout
    assert not any("s3cret" in one.stdout + one.stderr for one in (done, checked, shown))


@pytest.mark.e2e
def test_what_needs_no_keyring_never_loads_it(tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text("raise SystemExit('loaded')")
    done = run(tmp_path, "update", "--dry-run", "--address", "203.0.113.7", HOMING_CLIENT_SECRET="x",
               PYTHONPATH=str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stderr
