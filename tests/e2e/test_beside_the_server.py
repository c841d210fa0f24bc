"""Commands beside a server, or where there is none: what they leave alone, and what they tell before it goes wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import HOMING, INTERNAL, Server, need, ok, refused, run, serving, update, wait_for

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.e2e

HINT = "homing host set"


def homing(folder: Path, *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command where no server runs."""
    return run([*HOMING, *arguments], folder, stdin=stdin)


def write_settings(folder: Path, *lines: str) -> None:
    (folder / "homing.toml").write_text("[[zones]]\nname = 'home.test'\n" + "".join(line + "\n" for line in lines))


def state_of(server: Server, name: str) -> str:
    (host,) = server.ask_json("host", "show", name)
    return str(host["state"])


# --- a command that has read other settings than the server


def test_a_command_that_knows_fewer_zones_stops_none(tmp_path: Path) -> None:
    need("dig")
    with serving(tmp_path, "--zone", "home.test", "--zone", "attic.test") as server:
        secret = server.add_host("cam.attic.test", INTERNAL, "--type", "A")
        assert update(server, "cam.attic.test", secret, "127.0.8.1") == "good 127.0.8.1\n"
        write_settings(tmp_path)
        server.add_host("tv.home.test")
        before = server.dig("attic.test", "SOA")
        assert update(server, "cam.attic.test", secret, "127.0.8.2") == "good 127.0.8.2\n"
        assert wait_for(lambda: server.dig("cam.attic.test") == ["127.0.8.2"])
        assert server.dig("attic.test", "SOA") != before
    (tmp_path / "homing.toml").unlink()
    with serving(tmp_path) as server:
        assert server.dig("cam.attic.test") == ["127.0.8.2"]


@pytest.mark.parametrize("zones", [True, False])
@pytest.mark.parametrize("command", ["host list", "account list", "export", "host show cam.home.test"])
def test_a_command_that_only_reads_makes_no_store(tmp_path: Path, command: str, *, zones: bool) -> None:
    if zones:
        write_settings(tmp_path)
    refused(homing(tmp_path, *command.split(), "--database", "missing.db"), 1, "there is no store at missing.db yet")
    assert list(tmp_path.glob("missing*")) == []


def test_a_host_can_be_added_before_the_server_first_starts(tmp_path: Path) -> None:
    write_settings(tmp_path)
    ok(homing(tmp_path, "host", "add", "cam.home.test", "--database", "homing.db"))
    with serving(tmp_path) as server:
        assert {host["state"] for host in server.ask_json("host", "show", "cam.home.test")} == {"never set"}


# --- import


def test_import_reads_what_export_wrote_from_standard_input(server: Server, name: str, tmp_path: Path) -> None:
    server.add_host(name)
    exported = ok(server.homing("export"))
    write_settings(tmp_path)
    done = homing(tmp_path, "import", "-", "--database", "copy.db", stdin=exported)
    assert done.returncode == 0, done.stderr
    assert name in ok(homing(tmp_path, "host", "list", "--database", "copy.db"))


# --- settings


def test_config_check_prints_its_problems_as_json(tmp_path: Path) -> None:
    write_settings(tmp_path, "ttl = 'soon'")
    done = homing(tmp_path, "config", "check", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    (problem,) = json.loads(done.stdout)["problems"]
    assert "ttl" in problem


def test_every_bad_record_is_told_at_once(tmp_path: Path) -> None:
    write_settings(tmp_path, "records = ['www A 300.1.1.1', 'mail MX nonsense', 'ok A 192.0.2.1']")
    problems = json.loads(homing(tmp_path, "config", "check", "--json").stdout)["problems"]
    assert len(problems) == 2
    assert all("home.test" in problem for problem in problems)
    assert "www A" in problems[0]
    assert "mail MX" in problems[1]


def test_every_bad_key_of_every_zone_is_told_at_once(tmp_path: Path) -> None:
    other = ("[[zones]]", "name = 'attic.test'", "wrong = 3", "[[zones]]", "ttl = 60")
    write_settings(tmp_path, "odd = 1", "ttl = 'soon'", "retry = 'never'", *other)
    done = homing(tmp_path, "config", "check")
    for words in ("home.test: odd", "home.test: ttl", "home.test: retry", "attic.test: wrong", "name is missing"):
        assert words in done.stderr
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 5)


def test_a_zone_that_stands_there_twice_is_named(tmp_path: Path) -> None:
    write_settings(tmp_path, "[[zones]]", "name = 'Home.Test.'", "id = 'other'")
    refused(homing(tmp_path, "config", "check"), 1, "the name home.test. stands there twice")


# --- hosts and accounts


def test_an_overlap_that_is_no_time_is_a_usage_error(server: Server, name: str) -> None:
    server.add_host(name)
    refused(server.homing("host", "rotate", name, "--overlap", "soon"), 2, "90, 12h, 7d or 2w")


def test_account_set_gives_other_hosts_and_leaves_the_password(server: Server, name: str) -> None:
    mine, other = name, f"other-{name}"
    for one in (mine, other):
        server.add_host(one, INTERNAL, "--type", "A")
    password = server.add_account(f"u-{name}", mine)
    assert ok(server.homing("account", "set", f"u-{name}", other)) == f"u-{name} may update {other}.\n"
    url = f"{server.url}/nic/update?myip=127.0.8.4&hostname="
    told = [
        run(["curl", "-sS", "-u", f"u-{name}:{password}", url + one], server.folder).stdout for one in (other, mine)
    ]
    assert told == ["good 127.0.8.4\n", "nohost\n"]


def test_account_set_refuses_what_is_not_there(server: Server, name: str) -> None:
    refused(server.homing("account", "set", "nobody", name), 1, name)
    server.add_host(name)
    refused(server.homing("account", "set", "nobody", name), 1, "there is no account nobody")


def test_there_is_no_token_for_a_name_that_no_token_can_make(tmp_path: Path) -> None:
    write_settings(tmp_path, "records = ['shop CNAME shop.example.', 'sub NS ns.example.']")
    ok(homing(tmp_path, "host", "add", "cam.home.test", "--database", "s.db"))
    for label, words in (("shop", "CNAME"), ("cam.sub", "delegat"), ("www", "reserved"), ("wpad", "reserved")):
        refused(homing(tmp_path, "token", f"{label}.home.test", "--database", "s.db"), 1, words)
    ok(homing(tmp_path, "host", "add", "www.home.test", "--database", "s.db"))
    assert "token = " in ok(homing(tmp_path, "token", "www.home.test", "--database", "s.db"))


def test_only_who_needs_the_hint_about_internal_addresses_gets_it(server: Server, name: str) -> None:
    assert HINT in ok(server.homing("host", "add", name))
    assert HINT not in ok(server.homing("host", "add", f"in-{name}", INTERNAL))


def test_a_host_that_went_offline_is_withdrawn_and_not_never_set(server: Server, name: str) -> None:
    secret = server.add_host(name, INTERNAL, "--allow-offline", "--type", "A")
    assert state_of(server, name) == "never set"
    update(server, name, secret, "127.0.8.5")
    update(server, name, secret, "127.0.8.5&offline=YES")
    assert state_of(server, name) == "withdrawn"


# --- the start


def test_a_host_that_a_static_record_shadows_is_named_at_the_next_start(tmp_path: Path) -> None:
    with serving(tmp_path, "--zone", "home.test") as server:
        secret = server.add_host("cam.home.test", INTERNAL, "--type", "A")
        update(server, "cam.home.test", secret, "127.0.8.6")
    write_settings(tmp_path, "records = ['cam CNAME elsewhere.example.']")
    with serving(tmp_path) as server:
        pass
    (told,) = [line for line in server.log.read_text().splitlines() if "cannot show" in line]
    assert told.startswith("  next: cam.home.test. A is a host that DNS cannot show: ")
    assert "CNAME" in told
