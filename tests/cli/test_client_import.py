"""`homing import` of a client's file: what is written where, and what is told. Tables go into the store as ever."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from homing.cli import main
from homing.core.errors import InvalidSettings
from tests.formats.reading import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from homing.settings.toml_file import TomlFile

CONF = """\
daemon=10m
ssl=yes
use=ip, ip=203.0.113.9
server=dyn.example.com
login=bob
password='it''s "s3cr3t" \\ #1'
a.example.com,b.example.com
protocol=cloudflare www.example.com
"""
TOLD = "ddclient.conf:8: protocol cloudflare: not spoken by Homing; www.example.com is left out"
PASSWORD = "it''s \"s3cr3t\" \\ #1"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a ddclient.conf and no setting of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("HOMING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "ddclient.conf").write_text(CONF)
    return tmp_path


def run(*arguments: str, exit_code: int = 0) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["import", *arguments])
    assert (caught.value.code or 0) == exit_code


def made(text: str) -> object:
    return tomllib.loads(text)["client"]


EXPECTED = {
    "names": ["a.example.com", "b.example.com"], "server": "https://dyn.example.com", "protocol": "dyndns2",
    "username": "bob", "secret": PASSWORD, "ipv4": "203.0.113.9", "ipv6": "none", "interval": 600,
}  # fmt: skip


def test_it_becomes_a_homing_toml_on_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("ddclient.conf")
    told = capsys.readouterr()
    assert made(told.out) == EXPECTED
    assert told.err == f"warning: {TOLD}\n"
    assert [path.name for path in folder.iterdir()] == ["ddclient.conf"], "no store is made, and no draft is left"


def test_it_is_written_for_its_user_alone_and_never_over_another(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = os.umask(0)
    run("ddclient.conf", "--output", "homing.toml")
    os.umask(before)
    file = folder / "homing.toml"
    assert made(file.read_text()) == EXPECTED
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = capsys.readouterr()
    assert told.out == (
        "homing.toml: 2 names in 1 account, readable by you alone; next: homing config check --config homing.toml\n"
    )
    file.write_text("mine = 1")
    run("ddclient.conf", "--output", "homing.toml", exit_code=1)
    assert "homing.toml is there already: --force replaces it" in capsys.readouterr().err
    assert file.read_text() == "mine = 1"
    run("ddclient.conf", "--output", "homing.toml", "--force")
    assert made(file.read_text()) == EXPECTED
    assert sorted(path.name for path in folder.iterdir()) == ["ddclient.conf", "homing.toml"]


def test_a_file_that_comes_into_being_meanwhile_is_not_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(_path: object) -> bool:
        (folder / "homing.toml").write_text("theirs")
        return False

    monkeypatch.setattr("homing.cli.client_import.os.path.lexists", meanwhile)
    run("ddclient.conf", "--output", "homing.toml", exit_code=1)
    assert "homing.toml is there already" in capsys.readouterr().err
    assert (folder / "homing.toml").read_text() == "theirs"
    assert sorted(path.name for path in folder.iterdir()) == ["ddclient.conf", "homing.toml"]


def test_a_dry_run_writes_nothing_and_shows_no_secret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("ddclient.conf", "--output", "homing.toml", "--dry-run")
    told = capsys.readouterr()
    assert told.out == "would import 2 names in 1 account\n"
    assert TOLD in told.err
    assert "s3cr3t" not in told.out + told.err
    assert [path.name for path in folder.iterdir()] == ["ddclient.conf"]


def test_json_has_the_secrets_in_the_toml_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("ddclient.conf", "--json")
    told = json.loads(capsys.readouterr().out)
    assert made(told.pop("toml")) == EXPECTED
    assert told == {
        "format": "ddclient", "output": None, "warnings": [TOLD], "problems": [],
        "accounts": [{"protocol": "dyndns2", "server": "https://dyn.example.com", "username": "bob", "ipv6": "none",
                      "names": ["a.example.com", "b.example.com"], "ipv4": "203.0.113.9"}],
    }  # fmt: skip
    run("ddclient.conf", "--json", "--output", "x.toml")
    told = json.loads(capsys.readouterr().out)
    assert (told["output"], told["toml"]) == ("x.toml", None)
    assert (folder / "x.toml").exists()


def test_several_accounts_become_several_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ddclient.conf").write_text(CONF + "login=eve c.example.com\n")
    run("ddclient.conf")
    client = tomllib.loads(capsys.readouterr().out)["client"]
    assert client["interval"] == 600
    assert [(one["names"], one["username"]) for one in client["hosts"]] == [
        (["a.example.com", "b.example.com"], "bob"), (["c.example.com"], "eve"),
    ]  # fmt: skip
    assert set(client) == {"interval", "hosts"}


def test_no_host_at_all_ends_with_1_and_says_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ddclient.conf").write_text("login=b password=s\nprotocol=cloudflare www.example.com\n")
    run("ddclient.conf", "--output", "homing.toml", exit_code=1)
    told = capsys.readouterr()
    assert "warning: ddclient.conf:2: protocol cloudflare: not spoken" in told.err
    assert told.err.endswith(
        "homing: ddclient.conf: no host that Homing can keep right\nhoming: nothing was imported\n"
    )
    assert told.out == ""
    assert not (folder / "homing.toml").exists()
    run("ddclient.conf", "--json", exit_code=1)
    assert json.loads(capsys.readouterr().out)["problems"] == ["ddclient.conf: no host that Homing can keep right"]


def test_the_file_that_debian_puts_there_has_no_hosts_in_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ("protocol=dyndns2", "use=if, if=eth0", "server=members.dyndns.org", "login=", "password=''")
    (folder / "ddclient.conf").write_text("# debconf\n" + " \\\n".join(lines) + " \\\n\n")
    run("ddclient.conf", exit_code=1)
    assert capsys.readouterr().err.splitlines() == [
        "warning: ddclient.conf:5: login: no value stands right behind the =; left out, as ddclient does",
        "warning: ddclient.conf:6: password: no value stands right behind the =; left out, as ddclient does",
        "homing: ddclient.conf: no hosts in it",
        "homing: nothing was imported",
    ]


def test_malformed_lines_end_with_1_and_all_of_them_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ddclient.conf").write_text("use=web\nprotocol = dyndns2\nlogin='x\n")
    run("ddclient.conf", exit_code=1)
    assert capsys.readouterr().err.splitlines() == [
        "homing: ddclient.conf:2: expected NAME=VALUE without blanks around the =",
        "homing: ddclient.conf:3: login: expected ' at the end of the value",
        "homing: nothing was imported",
    ]


def test_a_secret_that_crosses_in_clear_is_warned_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ddclient.conf").write_text(CONF.replace("ssl=yes", "ssl=no"))
    run("ddclient.conf")
    assert "http://dyn.example.com" in capsys.readouterr().err


def test_the_format_may_be_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd").write_text("www.example.com bob s")
    run("odd", "--format", "ddclient")
    assert made(capsys.readouterr().out)["username"] == "bob"  # type: ignore[index]  # a table
    run("odd", "--format", "inadyn", exit_code=1)
    assert "odd:1: expected NAME = VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ddclient.conf", "--zone", "home.example"), "this is a client's file: it needs no store"),
        (("ddclient.conf", "--database", "x.db"), "this is a client's file: it needs no store"),
        (("table.json", "--output", "homing.toml"), "--output and --force go with the file of a client"),
        (("table.json", "--force"), "--output and --force go with the file of a client"),
    ],
)
def test_options_of_the_other_half_are_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    (folder / "table.json").write_text("{}")
    run(*arguments, exit_code=2)
    assert words in capsys.readouterr().err


def test_tables_go_into_the_store_as_before(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = str(SAMPLES / "awslabs_v1.json")
    run(sample, exit_code=1)
    assert "homing serve --zone" in capsys.readouterr().err, "without a store it says how to make one"
    (folder / "homing.toml").write_text('[[zones]]\nname = "example.com"\n[[zones]]\nname = "example.org"\n')
    run(sample, "--dry-run")
    assert "would import" in capsys.readouterr().out


def test_a_file_that_homing_could_not_load_is_never_written(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*, toml: TomlFile, environment: object) -> None:
        raise InvalidSettings([f"{toml.path}:3: secret: made up by this test"])

    monkeypatch.setattr("homing.settings.client_loading.load_client", refuse)
    run("ddclient.conf", "--output", "homing.toml", exit_code=1)
    assert "homing: homing.toml:3: secret: made up by this test" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["ddclient.conf"]


@pytest.mark.parametrize("arguments", [(), ("--dry-run",), ("--output", "homing.toml", "--dry-run")])
def test_without_a_file_to_write_no_secret_touches_a_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    run("ddclient.conf", *arguments)
    assert [path.name for path in folder.iterdir()] == ["ddclient.conf"]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_file_is_written_leaves_no_draft_behind(folder: Path, number: int) -> None:
    program = (
        "import os, sys, homing.cli.client_import as it\n"
        "sync = os.fsync\n"
        f"os.fsync = lambda one: (os.kill(os.getpid(), {int(number)}), sync(one))\n"
        "from homing.cli import main\n"
        "main(['import', 'ddclient.conf', '--output', 'homing.toml'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
    assert sorted(path.name for path in folder.iterdir()) == ["ddclient.conf", "homing.toml"]
    assert made((folder / "homing.toml").read_text()) == EXPECTED


def test_a_folder_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("ddclient.conf", "--output", str(folder / "nowhere" / "homing.toml"), exit_code=1)
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
