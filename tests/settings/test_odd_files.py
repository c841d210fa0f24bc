"""Settings files that are no settings files: each is refused in one clear line, and none hangs or brings it down."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homing.core.errors import InvalidInput, InvalidSettings
from homing.settings import one_machine, text_file
from homing.settings.client_ini import MAX_FILE as MAX_INI
from homing.settings.client_ini import read_ini
from homing.settings.client_loading import load_client
from homing.settings.client_secrets import read_secret, warn_if_open, warn_if_writable
from homing.settings.text_file import is_file, read_bytes
from homing.settings.toml_file import MAX_FILE, find_file, read_toml

if TYPE_CHECKING:
    from pathlib import Path

GOOD = '[client]\nserver = "https://s.example"\nnames = ["a.example.com"]\nsecret = "sésame"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "homing.toml"


def told(file: Path) -> str:
    """What is told of it, by the client and by the server alike."""
    with pytest.raises(InvalidInput) as caught:
        read_toml(file)
    (problem,) = str(caught.value).splitlines()
    for load in (lambda: load_client({}, {}, file), lambda: one_machine.load({}, {}, file)):
        with pytest.raises(InvalidSettings) as again:
            load()
        assert problem in again.value.problems
    assert problem.startswith(str(file))
    return problem.removeprefix(str(file))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x = 1\ny = \xff\n", ":2: expected UTF-8"), (GOOD.encode("utf-16"), ":1: expected UTF-8, not UTF-16"),
        (b"x = " + b"[" * 100_000, ": nested too deeply"), (b"x = 1\n" + b"a." * 100_000 + b"b = 1", ":2: nested too"),
        (b"x = " + b"{a = " * 50_000, ": nested too deeply"), (b"\n\nx = " + b"9" * 5000, ": a value that is out of"),
        (b"# x\n" * 2_600_000, ": expected at most 4194304 bytes"),
        (b"x = 1\nserver = https://s\n", ":2: expected a val"),
        (b"[client\n", ":1: Expected ']' at the end of a table declaration (column 8)"),
        (b"x = 1\ny = '''\n\n", ":3: Expected \"'''\": the file ends too early"),
        (b"a = 1\nb = 2\na = 3\n", ":3: a is given in line 1 already: keep one"), (b"\0", ":1: "),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_toml_is_refused_with_file_and_line(file: Path, data: bytes, words: str) -> None:
    file.write_bytes(data)
    assert words in told(file)


def test_a_byte_order_mark_and_lines_of_windows_are_taken(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_client({}, {}, file).accounts[0].secret == "sésame"
    file.write_bytes(b"\xef\xbb\xbf" + (GOOD + "timeout = 0\n").replace("\n", "\r\n").encode())
    with pytest.raises(InvalidSettings, match=f"{file}:5: timeout: expected a whole number"):
        load_client({}, {}, file)


def test_a_directory_a_pipe_and_nothing_are_no_settings_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "expected a file, not a pipe" in told(tmp_path / "pipe")
    assert "Is a directory" in told(tmp_path)
    assert "No such file" in told(tmp_path / "none")
    assert "File name too long" in told(tmp_path / ("x" * 300))
    with pytest.raises(InvalidSettings, match="cannot be read: not a path"):
        one_machine.load({}, {"HOMING_CONFIG": "a\0b"})


def test_the_null_device_is_an_empty_file_and_another_device_none() -> None:
    assert one_machine.load({}, {"HOMING_CONFIG": os.devnull}).settings == one_machine.Settings()
    with pytest.raises(InvalidSettings, match="not a device"):
        one_machine.load({}, {"HOMING_CONFIG": "/dev/zero"})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xef\xbb\xbf[a.example.com]\r\nurl=ftp://x\r\n", "conf:2: url: expected an http"),
        (b"[a.example.com]\nurl=\xff", "conf:2: expected UTF-8"), (b"[" * 200_000, "conf:1: expected a section"),
        (b"x" * (MAX_INI + 1), f"conf: expected at most {MAX_INI} bytes"),
        (b"[a.example.com]\nipv4=1.2.3.4\n  5.6.7.8\n", "conf:2: ipv4: expected an address"),
        (b"[a.example.com]\nttl=1\n[b.example.com]\nttl=1\n[a.example.com]\nttl=0\n", "conf:6: ttl: expected a whole"),
    ],
    ids=range(6),
)  # fmt: skip
def test_what_is_no_file_of_ddupdates_is_refused_with_file_and_line(tmp_path: Path, data: bytes, words: str) -> None:
    file = tmp_path / "dyndns.conf"
    file.write_bytes(data)
    with pytest.raises(InvalidSettings) as caught:
        load_client({}, {}, ddupdate_file=file)
    assert words in str(caught.value)


def test_a_directory_and_a_pipe_are_no_file_of_ddupdates(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InvalidInput, match="cannot be read"):
            read_ini(path, [])


@given(data=st.binary(max_size=60) | st.text(alphabet="[]{}=.\"'\n ax1", max_size=60).map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "any"
    file.write_bytes(data)
    for read in (lambda: read_toml(file), lambda: read_ini(file, []), lambda: read_secret(file, [])):
        with contextlib.suppress(InvalidInput):
            read()


# --- secrets


def test_a_secret_may_come_through_a_pipe(tmp_path: Path) -> None:
    """As the shell makes one of `--secret-file <(pass show cam)`; the writer is there before we are."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR)
    os.write(end, b"of cam\n")
    closer = threading.Timer(0.2, os.close, [end])
    closer.start()
    assert read_secret(path, []) == "of cam"
    closer.join()


def test_a_pipe_that_nobody_writes_into_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setattr(text_file, "PIPE_PATIENCE", 0.1)
    with pytest.raises(InvalidInput, match="nobody wrote into the pipe"):
        read_secret(path, [])
    end = os.open(path, os.O_RDWR)
    try:
        with pytest.raises(InvalidInput, match="nobody wrote into the pipe"):
            read_secret(path, [])
    finally:
        os.close(end)


def test_a_secret_file_that_is_too_long_or_no_text_is_refused_without_its_text(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for data in (b"s3cret" * 2000, b"s3cret\xff", b"\n"):
        path.write_bytes(data)
        with pytest.raises(InvalidInput) as caught:
            read_secret(path, [])
        assert str(caught.value) == f"{path}: expected a secret in one line"


def test_others_may_neither_read_a_secret_nor_write_settings_but_the_group_may(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("x")
    for mode, reads, writes in ((0o640, 0, 0), (0o660, 0, 0), (0o604, 1, 0), (0o602, 1, 1), (0o600, 0, 0)):
        path.chmod(mode)
        opened: list[str] = []
        written: list[str] = []
        warn_if_open(path, opened)
        warn_if_writable(path, written)
        assert (len(opened), len(written)) == (reads, writes), oct(mode)


def test_settings_that_anybody_may_change_are_told(file: Path) -> None:
    file.write_text('[client]\nserver = "https://s"\n')
    file.chmod(0o666)
    (warning,) = load_client({}, {}, file, is_update=False).warnings
    assert warning == f"{file} may be written by others, and names commands that are run: chmod o-w {file}"


# --- where the file is looked for


def test_a_place_that_this_user_may_not_look_into_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()

    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.is_file", closed)
    assert find_file({"HOME": str(tmp_path / "home")}) is None
    assert not is_file(tmp_path / "x")
    assert find_file({"HOMING_CONFIG": "x"}) is not None, "what is named is read, whatever comes of it"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="becomes another user")
def test_somebody_elses_home_is_passed_over_and_a_file_in_it_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config" / "homing").mkdir(parents=True)
    (home / ".config" / "homing" / "homing.toml").write_text(GOOD)
    home.chmod(0o700)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setuid(65_534)
            os.chdir("/")
            try:
                read_toml(home / ".config" / "homing" / "homing.toml")
            except InvalidInput as error:
                code = 0 if "Permission denied" in str(error) and find_file({"HOME": str(home)}) is None else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_no_more_of_a_file_is_read_than_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 100)
    assert len(read_bytes(path, 10, may_be_pipe=False)) == 11
    assert MAX_FILE > 1_000_000
