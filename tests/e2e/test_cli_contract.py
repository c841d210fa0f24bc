"""What every verb keeps to: settings, exit codes, one clear line for an error, JSON, and help."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import HOMING, Server, need, ok, refused, run, update

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.e2e


def homing(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command where no server runs."""
    return run([*HOMING, *arguments], folder, environment=environment)


# --- settings


def test_config_show_tells_where_each_value_comes_from(tmp_path: Path) -> None:
    (tmp_path / "homing.toml").write_text('default_ttl = 90\napi_key = "s3cret-key"\n[[zones]]\nname = "home.test"\n')
    shown = json.loads(ok(homing(tmp_path, "config", "show", "--json", HOMING_MAX_TTL="7200")))
    assert shown["default_ttl"] == {"value": 90, "origin": "homing.toml:1"}
    assert shown["max_ttl"] == {"value": 7200, "origin": "HOMING_MAX_TTL"}
    assert shown["min_ttl"]["origin"] == "default"
    assert shown["api_key"]["value"] == "(set)"
    assert "s3cret-key" not in homing(tmp_path, "config", "show").stdout


def test_config_check_tells_every_problem_at_once(tmp_path: Path) -> None:
    assert "the defaults, without a homing.toml: good" in ok(homing(tmp_path, "config", "check"))
    file = tmp_path / "homing.toml"
    file.write_text('defualt_ttl = 90\nmin_ttl = "soon"\nhttps_listen = ["127.0.0.1:443"]\n')
    done = homing(tmp_path, "config", "check")
    refused(done, 1, "defualt_ttl: no such setting; is default_ttl meant?")
    assert "min_ttl: expected a whole number" in done.stderr
    assert all(line.startswith("homing: ") for line in done.stderr.splitlines())
    file.write_text('[[zones]]\nname = "home.test"\nrecords = ["www A 300.1.1.1"]\n')
    refused(homing(tmp_path, "config", "check"), 1, "home.test")


# --- exit codes: 1 refused, 2 usage, 3 try again


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("host", "add", "cam.example.com"), "is in no zone that is served"),
        (("host", "show", "nobody.home.test"), "nobody.home.test"),
        (("host", "lock", "nobody.home.test"), "nobody.home.test"),
        (("host", "rotate", "nobody.home.test"), "nobody.home.test"),
        (("host", "remove", "nobody.home.test"), "nobody.home.test"),
        (("account", "add", "eve", "nobody.home.test"), "nobody.home.test"),
        (("account", "remove", "eve"), "there is no account eve"),
        (("token", "cam.example.com"), "is in no zone that is served"),
        (("backup", "/nowhere/copy.db"), "no backup was made"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_refused_ends_with_1_and_one_clear_line(server: Server, arguments: tuple[str, ...], words: str) -> None:
    done = server.homing(*arguments)
    refused(done, 1, words)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("homing: ")


def test_a_host_that_is_there_already_is_refused(server: Server, name: str) -> None:
    server.add_host(name)
    refused(server.homing("host", "add", name), 1, "is a host already")


@pytest.mark.parametrize(
    "arguments",
    [
        ("host",), ("host", "add"), ("host", "add", "not a name"), ("host", "add", "x.home.test", "--ttl", "0"),
        ("host", "set", "x.home.test"), ("host", "frobnicate"), ("frobnicate",), ("account", "add", "eve"),
        ("host", "rotate", "x.home.test", "--overlap", "soon"),
        ("serve", "--no-such-flag"), ("import", "no-such-file.json"), ("host", "add", "x.home.test", "--type", "MX"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_ends_with_2(server: Server, arguments: tuple[str, ...]) -> None:
    done = server.homing(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Usage: homing" in done.stderr


def test_a_store_that_is_busy_ends_with_3(server: Server, name: str) -> None:
    with closing(sqlite3.connect(server.database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        done = server.homing("host", "add", name)
        connection.execute("ROLLBACK")
    refused(done, 3, "homing: ")
    assert len(done.stderr.splitlines()) == 1
    ok(server.homing("host", "add", name))


def test_a_busy_store_answers_911_and_the_update_is_made_when_it_is_sent_again(server: Server, name: str) -> None:
    secret = server.add_host(name, "--allow-internal")
    with closing(sqlite3.connect(server.database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert update(server, name, secret, "127.0.8.15") == "911\n"
        connection.execute("ROLLBACK")
    assert update(server, name, secret, "127.0.8.15") == "good 127.0.8.15\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "the file is empty"), (b"no database at all" * 100, "no SQLite database")],
    ids=["empty", "foreign"],
)
def test_a_damaged_store_is_refused_and_left_as_it_lies(tmp_path: Path, content: bytes, words: str) -> None:
    database = tmp_path / "homing.db"
    database.write_bytes(content)
    for arguments in (("host", "list"), ("serve", "--zone", "home.test")):
        refused(homing(tmp_path, *arguments, "--database", database), 1, words)
    assert database.read_bytes() == content


def test_a_port_that_is_taken_is_told_in_one_line(server: Server, tmp_path: Path) -> None:
    flags = ("--zone", "home.test", "--database", tmp_path / "other.db")
    http = homing(tmp_path, "serve", *flags, "--http-listen", str(server.http[0]), "--dns-listen", "127.0.0.1:0")
    refused(http, 1, str(server.http[0].port))
    dns = homing(tmp_path, "serve", *flags, "--http-listen", "127.0.0.1:0", "--dns-listen", str(server.dns[0]))
    refused(dns, 1, "dns_listen")


def test_without_a_zone_it_says_how_to_name_one(tmp_path: Path) -> None:
    done = homing(tmp_path, "host", "list", "--database", tmp_path / "new.db")
    refused(done, 1, "yet: `homing serve --zone home.example` makes it")
    assert not (tmp_path / "new.db").exists()


# --- JSON


def test_jq_takes_the_json_of_every_verb(server: Server, name: str, tmp_path: Path) -> None:
    need("jq")
    verbs: dict[tuple[str, ...], str] = {
        ("host", "add", name): ".shared_secret | length == 32",
        ("host", "list"): f'any(.[]; .hostname == "{name}.")',
        ("host", "show", name): 'map(.record_type) == ["A", "AAAA"]',
        ("host", "set", name, "--ttl", "99"): "map(.ttl) == [99, 99]",
        ("host", "lock", name): "all(.[]; .lock_record)",
        ("host", "unlock", name): "all(.[]; .lock_record | not)",
        ("host", "rotate", name): f'.hostnames == ["{name}."]',
        ("account", "add", f"json-{name}", name): ".password | length == 32",
        ("account", "list"): f'any(.[]; .username == "json-{name}")',
        ("account", "remove", f"json-{name}"): f'.hostnames == ["{name}."]',
        ("token", name): f'.fqdn == "{name}"',
        ("backup", str(tmp_path / "copy.db")): ".bytes > 0",
        ("reconcile", "--dry-run"): ".differences == []",
        ("host", "remove", name): "map(.ip_address) == [null, null]",
        ("config", "show"): '.database.origin == "HOMING_DATABASE"',
        ("config", "check"): ".problems == []",
    }
    for verb, program in verbs.items():
        told = ok(server.homing(*verb, "--json"))
        done = run(["jq", "-e", program], tmp_path, stdin=told)
        assert done.returncode == 0, f"{verb}: {told}{done.stderr}"


VERBS = (
    "demo", "serve", "host add", "host list", "host show", "host set", "host lock", "host unlock", "host rotate",
    "host remove", "account add", "account list", "account remove", "token", "import", "export", "backup", "reconcile",
    "config show", "config check", "ip", "update",
)  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(tmp_path: Path, verb: str) -> None:
    told = ok(homing(tmp_path, *verb.split(), "--help"))
    assert told.startswith(f"Usage: homing {verb}")


def test_output_to_a_closed_pipe_is_no_traceback(server: Server) -> None:
    need("bash")
    line = f"HOMING_DATABASE='{server.database}' {' '.join(HOMING)} host list | true; exit ${{PIPESTATUS[0]}}"
    done = run(["bash", "-c", line], server.folder)
    assert "Traceback" not in done.stderr


def test_only_its_owner_may_read_the_store(server: Server) -> None:
    for file in server.database.parent.glob("homing.db*"):
        assert file.stat().st_mode & 0o077 == 0, file
    assert os.stat(server.database).st_uid == os.geteuid()
