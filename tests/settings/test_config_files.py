"""homing config check, where the settings name what is not there, or say what cannot all be right."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from homing.cli.config import config
from homing.core.errors import InvalidSettings
from homing.settings import client_loading
from homing.settings.client_loading import load_client

if TYPE_CHECKING:
    from pathlib import Path

CLIENT = '[client]\nserver = "https://s.example"\nsecret = "x"\nnames = ["a.home.example"]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client_loading, "find_ini", lambda: ())
    return tmp_path


def call(folder: Path, text: str) -> Any:
    (folder / "homing.toml").write_text(text)
    (folder / "homing.toml").chmod(0o600)
    return CliRunner().invoke(config, ["check"], env={"HOMING_CONFIG": None, "HOME": str(folder / "home")})


def problems(folder: Path, text: str) -> list[str]:
    done = call(folder, text)
    assert isinstance(done.exception, InvalidSettings), done.output
    return list(done.exception.problems)


def warnings(folder: Path, text: str) -> list[str]:
    done = call(folder, text)
    assert done.exit_code == 0, done.exception
    return [line.removeprefix("homing: ") for line in done.stderr.splitlines()]


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_certificates_that_are_not_there_or_none_are_told_once(folder: Path, content: str | None) -> None:
    if content is not None:
        (folder / "no.pem").write_text(content)
    hosts = '[[client.hosts]]\nnames = ["b.home.example"]\n'
    assert problems(folder, f'{CLIENT}ca_file = "no.pem"\n{hosts}') == [
        "homing.toml:5: ca_file: no.pem: cannot be read as PEM certificates"
    ]
    assert load_client({}, {}, folder / "homing.toml").accounts, "whoever sends finds out by itself"


def test_certificates_that_are_some_are_good(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "key", "-out", "ca"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert warnings(folder, f'{CLIENT}ca_file = "ca"\n') == []


def test_a_hook_whose_program_is_missing_or_may_not_be_run_is_told(folder: Path) -> None:
    (folder / "hook").write_text("#!/bin/sh\n")
    (folder / "hook").chmod(0o644)
    agent = f'[agent]\non_change = "/no/such/hook now"\non_failure = "{folder}/hook"\non_recovery = ["no-such-hook"]\n'
    assert problems(folder, CLIENT + agent) == [
        "homing.toml:6: on_change: /no/such/hook: no such program",
        f"homing.toml:7: on_failure: {folder}/hook: may not be run: chmod +x {folder}/hook",
        "homing.toml:8: on_recovery: no-such-hook: no such program",
    ]
    (folder / "hook").chmod(0o755)
    assert warnings(folder, f'{CLIENT}[agent]\non_failure = "{folder}/hook"\non_change = "echo hello"\n') == []


@pytest.mark.parametrize("sign", ["| mail root", "> /tmp/x", "2>&1", "; true", "&& true", "&", ">>/tmp/x", "x; true"])
def test_a_hook_that_is_written_for_a_shell_brings_a_warning(folder: Path, sign: str) -> None:
    (told,) = warnings(folder, f'{CLIENT}[agent]\non_change = "echo {sign}"\n')
    assert told.startswith("homing.toml:6: on_change: no shell runs it, and ")
    assert told.endswith('is handed to echo as a word; if a shell is meant: on_change = ["sh", "-c", "..."]')


@pytest.mark.parametrize("words", ["sh -c 'echo a | cat > /tmp/x; true'", "echo https://x.example/?a=1&b=2"])
def test_what_is_quoted_for_a_shell_of_its_own_is_no_matter_of_ours(folder: Path, words: str) -> None:
    assert warnings(folder, f'{CLIENT}[agent]\non_change = "{words}"\n') == []


def test_leases_that_are_not_there_may_come_later_and_a_prefix_may_be_too_short_for_a_link(folder: Path) -> None:
    (folder / "leases").write_text("")
    lan = f'[lan]\nleases = ["/no/file", "{folder}/leases"]\nprefix = "2001:db8::/33"\n'
    assert [one.partition(" is not that")[0] for one in warnings(folder, CLIENT + lan)] == [
        "homing.toml:6: leases: /no/file: no such file yet, or it may not be seen",
        "homing.toml:7: prefix: 2001:db8::/33",
    ]
    assert warnings(folder, f'{CLIENT}[lan]\nprefix = "2001:db8:1::/64"\n') == []


def test_one_name_with_two_secrets_at_one_server_is_told(folder: Path) -> None:
    other = '[[client.hosts]]\nnames = ["b.example", "A.home.example"]\nsecret = "y"\n'
    assert problems(folder, CLIENT + other) == [
        "homing.toml:7: a.home.example has another secret at https://s.example (homing.toml:3): one of them is wrong"
    ]
    for apart in ('server = "https://o.example"\n', 'protocol = "dyndns2"\nusername = "eve"\n'):
        assert warnings(folder, CLIENT + other + apart) == []
    assert warnings(folder, CLIENT + other.replace('"y"', '"x"')) == []


def test_each_bad_table_is_told_and_nothing_that_only_follows_from_a_mistake(folder: Path) -> None:
    hosts = (
        '[[client.hosts]]\nnames = ["a.example"]\nttl = 5\n',
        '[[client.hosts]]\nnames = ["b.example"]\ninterval = 10\n',
        '[[client.hosts]]\nnames = ["c.example"]\nsecret_file = "none"\n',
        '[[client.hosts]]\nnmaes = ["d.example"]\n',
        '[[client.hosts]]\nprotocol = "x"\nttl = 5\nnames = ["e.example"]\n',
        '[[client.hosts]]\nusername = "f"\n',
    )
    found = problems(folder, '[client]\nserver = "https://s.example"\nsecret = "x"\n' + "".join(hosts))
    assert sorted(one.partition(" not ")[0] for one in found) == [
        "homing.toml:12: secret_file: none: cannot be read: No such file or directory",
        "homing.toml:14: nmaes: no such setting in [[client.hosts]]; is names meant?",
        "homing.toml:16: protocol: expected signed or awslabs or awslabs-post or dyndns2 or ddupdate or duckdns,",
        "homing.toml:19: names is missing: the names to set",
        "homing.toml:20: username goes with protocol dyndns2",
        "homing.toml:6: a.example: ttl goes with protocol ddupdate",
        "homing.toml:9: interval: expected a whole number from 30 to 86400,",
    ]


def test_a_name_is_not_told_twice_in_one_line(folder: Path) -> None:
    assert problems(folder, CLIENT.replace("a.home.example", "cam")) == [
        "homing.toml:4: cam: not a host name of two or more labels"
    ]
