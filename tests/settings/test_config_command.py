"""homing config: every problem with file and line, and what a client would do, without doing it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from homing.cli.config import config
from homing.core.errors import InvalidSettings
from homing.settings import client_loading

if TYPE_CHECKING:
    from pathlib import Path

TOML = """\
min_ttl = 30
[[zones]]
name = "home.example"
records = ["www A 192.0.2.1"]

[client]
server = "https://ddns.example.com"
names = ["cam.home.example"]
secret_file = "cam.secret"
api_key = "k3y-k3y"
ipv6 = "interface:eth0"

[[client.hosts]]
names = ["vpn.example.net"]
server = "http://dyn.example.net"
protocol = "dyndns2"
secret = "s3cret"

[agent]
on_change = "/bin/echo 'a b'"
ping_url = "https://hc.example/1234"

[lan]
eui64 = true
"""
INI = "[host.example.com]\nurl=https://x.example/Production\ntoken=s3cret\nzoneid=Z\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client_loading, "find_ini", lambda: ())
    (tmp_path / "cam.secret").write_text("s3cret")
    return tmp_path


def call(folder: Path, *arguments: str, **environment: str | None) -> Any:
    variables: dict[str, str | None] = {"HOMING_CONFIG": None, "STATE_DIRECTORY": str(folder / "state")}
    return CliRunner().invoke(config, arguments, env=variables | environment)


def told(folder: Path, *arguments: str, **environment: str | None) -> Any:
    done = call(folder, *arguments, "--json", **environment)
    assert "s3cret" not in done.output
    return json.loads(done.stdout)


def problems(folder: Path, *arguments: str, **environment: str | None) -> list[str]:
    done = call(folder, "check", *arguments, **environment)
    assert isinstance(done.exception, InvalidSettings)
    assert told(folder, "check", *arguments, **environment)["problems"] == list(done.exception.problems)
    return list(done.exception.problems)


def test_check_says_what_would_be_done_and_where_that_is_said(folder: Path) -> None:
    (folder / "homing.toml").write_text(TOML)
    (folder / "homing.toml").chmod(0o600)
    done = call(folder, "check")
    assert done.exit_code == 0
    assert done.stdout == (
        "homing.toml: good; zones: home.example\n"
        "client: would set cam.home.example at https://ddns.example.com by signed,"
        " IPv4 from this machine's own public one, else reflector and IPv6 from interface:eth0\n"
        "  server: homing.toml:7\n"
        "  ipv6: homing.toml:11\n"
        "  secret: homing.toml:9: secret_file\n"
        "  api_key: homing.toml:10\n"
        "client: would set vpn.example.net at http://dyn.example.net by dyndns2,"
        " IPv4 from this machine's own public one, else reflector and IPv6 from interface:eth0\n"
        "  server: homing.toml:15\n"
        "  ipv6: homing.toml:11\n"
        "  secret: homing.toml:17\n"
        "  api_key: homing.toml:10\n"
        f"agent: would keep its state in {folder}/state/agent.json, and asks DNS what it shows\n"
        "  ping_url: (set) (homing.toml:21)\n"
        "  on_change: /bin/echo 'a b' (homing.toml:20)\n"
        "lan:\n"
        "  eui64: True (homing.toml:24)\n"
    )
    inherited = "is given the api_key of https://ddns.example.com (homing.toml:10)"
    assert done.stderr.splitlines() == [
        "homing: cam.secret holds a secret and may be read by others: chmod o= cam.secret",
        "homing: http://dyn.example.net: the dyndns2 secret crosses the network in clear; use https",
        f"homing: homing.toml:15: http://dyn.example.net {inherited}: give this account one of its own",
    ]
    found = told(folder, "check")
    assert list(found) == ["file", "problems", "warnings", "client", "agent", "lan"]
    assert (found["file"], found["problems"], len(found["warnings"])) == ("homing.toml", [], 3)
    assert found["client"][1]["origins"]["secret"] == "homing.toml:17"
    assert found["agent"]["ping_url"] == {"value": "(set)", "origin": "homing.toml:21"}
    assert not (folder / "state").exists(), "nothing is done"


def test_show_has_every_setting_with_its_origin_and_no_secret(folder: Path) -> None:
    (folder / "homing.toml").write_text(TOML)
    found = told(folder, "show", HOMING_CLIENT_TIMEOUT="20")
    assert found["min_ttl"] == {"value": 30, "origin": "homing.toml:1"}
    home, vpn = found["client"]
    assert home["secret"] == {"value": "(set)", "origin": "homing.toml:9: secret_file"}
    assert (home["timeout"], vpn["cache"]) == (
        {"value": 20, "origin": "HOMING_CLIENT_TIMEOUT"}, {"value": 0, "origin": "default"},
    )  # fmt: skip
    assert found["lan"]["eui64"] == {"value": True, "origin": "homing.toml:24"}
    text = call(folder, "show").output
    assert "client.2.protocol            dyndns2" in text
    assert not any(word in text for word in ("s3cret", "k3y-k3y", "1234"))


def test_check_tells_the_mistakes_of_every_table_at_once(folder: Path) -> None:
    (folder / "homing.toml").write_text(
        TOML.replace("min_ttl", "mim_ttl").replace("eui64 = true", "eui = 1").replace("on_change = ", "on_change = 5 #")
        + "[client.more]\n[[client.hosts]]\nttl = 5\n"
    )
    found = problems(folder)
    assert sorted(one.split(": ")[0] for one in found) == sorted(f"homing.toml:{n}" for n in (1, 20, 24, 25))
    (folder / "homing.toml").write_text(TOML.replace("192.0.2.1", "300.0.2.1") + "[[client.hosts]]\nttl = 5\n")
    assert [one.split(": ")[0] for one in problems(folder)] == ["homing.toml:25", "homing.toml:26", "homing.toml:4"]


def test_the_same_for_ddupdates_file(folder: Path) -> None:
    (folder / "dyndns.conf").write_text(INI)
    (folder / "dyndns.conf").chmod(0o600)
    found = told(folder, "check", "--ddupdate-config", "dyndns.conf", HOMING_CLIENT_INTERVAL="60")
    (account,) = found["client"]
    assert (account["names"], account["protocol"], account["ipv4"], account["ipv6"], account["interval"]) == (
        ["host.example.com"], "ddupdate", "IPv4 from this machine's own public one, else seen", "no IPv6", 60,
    )  # fmt: skip
    assert account["origins"]["secret"] == "dyndns.conf:3"
    (folder / "dyndns.conf").write_text(INI + "ttl=x\n")
    assert problems(folder, "--ddupdate-config", "dyndns.conf") == [
        "dyndns.conf:5: ttl: expected a whole number from 1 to 604800, not 'x'"
    ]


def test_a_secret_of_our_own_settings_never_goes_to_the_server_of_ddupdates_file(folder: Path) -> None:
    (folder / "dyndns.conf").write_text(INI.replace("token=s3cret\n", ""))
    (problem,) = problems(folder, "--ddupdate-config", "dyndns.conf", HOMING_CLIENT_SECRET="s3cret")
    assert problem.startswith("dyndns.conf:1: host.example.com: secret is missing: name it in secret_file, ")


def test_the_same_for_the_environment_alone(folder: Path) -> None:
    variables = {
        "HOMING_CLIENT_SERVER": "https://s.example", "HOMING_CLIENT_NAMES": "a.example.com, b.example.com",
        "HOMING_CLIENT_SECRET": "s3cret", "HOMING_CLIENT_API_KEY": "", "HOMING_CLIENT_IPV6_ONLY": "true",
        "HOMING_CLIENT_TTL": "", "HOMING_AGENT_PING_URL": "", "HOMING_AGENT_CHECK_DNS": "false",
        "HOMING_CLIENT_SECRET_FILE": "", "HOMING_CLIENT_NO_SUCH": "",
    }  # fmt: skip
    found = told(folder, "check", **variables)
    assert (found["file"], found["problems"], found["warnings"]) == (None, [], [])
    (account,) = found["client"]
    assert account["names"] == ["a.example.com", "b.example.com"]
    assert (account["ipv4"], account["origins"]["secret"]) == ("no IPv4", "HOMING_CLIENT_SECRET")
    assert found["agent"]["check_dns"] == {"value": False, "origin": "HOMING_AGENT_CHECK_DNS"}
    assert problems(folder, **(variables | {"HOMING_CLIENT_TTL": "60", "HOMING_AGENT_PNIG_URL": "x"})) == [
        "HOMING_CLIENT_TTL: a.example.com: ttl goes with protocol ddupdate",
        "HOMING_AGENT_PNIG_URL: no such setting; is HOMING_AGENT_PING_URL meant?",
    ]


def test_duckdns_needs_no_server_and_ddupdates_file_is_left_alone_then(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "dyndns.conf").write_text(INI)
    monkeypatch.setattr(client_loading, "find_ini", lambda: (folder / "dyndns.conf",))
    variables = {"HOMING_CLIENT_PROTOCOL": "duckdns", "HOMING_CLIENT_NAMES": "cam", "HOMING_CLIENT_SECRET": "x"}
    (account,) = told(folder, "check", **variables)["client"]
    assert (account["server"], account["names"]) == ("https://www.duckdns.org", ["cam"])
