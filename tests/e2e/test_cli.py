"""Every operator's verb beside a running server: what it prints, its JSON, its exit code, and what DNS then shows."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import HOMING, Server, need, run, serving, wait_for

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.e2e

SECRET = re.compile(r"[A-Za-z][A-Za-z0-9_-]{31}")


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command that must end well printed."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def refused(done: subprocess.CompletedProcess[str], exit_code: int, words: str) -> None:
    """Check that a command ended with this code and said why, in clear lines of its own."""
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def homing(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command where no server runs."""
    return run([*HOMING, *arguments], folder, environment=environment)


def update(server: Server, name: str, secret: str, address: str) -> str:
    """Send a dyndns2 update; return the answer."""
    need("curl")
    url = f"{server.url}/nic/update?hostname={name}&myip={address}"
    return run(["curl", "-gsS", "-u", f"{name}:{secret}", url], server.folder).stdout


# --- host


def test_host_add_prints_the_secret_once_and_lines_to_paste(server: Server, name: str) -> None:
    told = ok(server.homing("host", "add", name))
    (secret,) = set(SECRET.findall(told))
    assert f"curl -u '{name}:{secret}'" in told
    assert "protocol=dyndns2" in told
    assert secret not in server.homing("host", "list").stdout
    assert secret not in server.homing("host", "show", name).stdout
    assert secret in ok(server.homing("host", "show", name, "--secret"))


def test_host_list_and_show_tell_the_state(server: Server, name: str) -> None:
    secret = server.add_host(name, "--allow-internal", "--ttl", "90", "--comment", "in the hall")
    row = re.compile(rf"^{re.escape(name)} +A +(\S+) +(.*\S) +(\S+)$", re.MULTILINE)
    before = row.search(ok(server.homing("host", "list")))
    assert before is not None
    assert before.groups() == ("-", "never set", "-")
    assert update(server, name, secret, "127.0.8.1") == "good 127.0.8.1\n"
    after = row.search(ok(server.homing("host", "list")))
    assert after is not None
    assert after.groups()[:2] == ("127.0.8.1", "ok")
    shown = ok(server.homing("host", "show", name))
    assert re.search(r"^comment +in the hall$", shown, re.MULTILINE)
    assert re.search(r"^ttl +90$", shown, re.MULTILINE)


def test_host_set_moves_a_new_ttl_into_dns(server: Server, name: str) -> None:
    secret = server.add_host(name, "--allow-internal", "--type", "A")
    update(server, name, secret, "127.0.8.2")
    assert ok(server.homing("host", "set", name, "--ttl", "123")) == f"{name} A changed\n"
    assert wait_for(lambda: f"{name}.\t123\tIN" in server.dig_all(name).replace("\t\t", "\t"))


def test_host_lock_and_unlock(server: Server, name: str) -> None:
    secret = server.add_host(name, "--allow-internal")
    assert ok(server.homing("host", "lock", name)) == f"{name} A+AAAA locked\n"
    assert update(server, name, secret, "127.0.8.3") == "nohost\n"
    assert {one["state"] for one in server.ask_json("host", "show", name)} == {"locked"}
    assert ok(server.homing("host", "unlock", name)) == f"{name} A+AAAA unlocked\n"
    assert update(server, name, secret, "127.0.8.3") == "good 127.0.8.3\n"


def test_host_rotate_keeps_the_old_secret_for_as_long_as_asked(server: Server, name: str) -> None:
    old = server.add_host(name, "--allow-internal", "--type", "A")
    made = server.ask_json("host", "rotate", name, "--overlap", "1h")
    assert made["old_secret_works_for_seconds"] == 3600
    assert update(server, name, old, "127.0.8.4") == "good 127.0.8.4\n"
    newest = server.ask_json("host", "rotate", name, "--overlap", "0")["shared_secret"]
    assert newest not in (old, made["shared_secret"])
    assert update(server, name, made["shared_secret"], "127.0.8.5") == "badauth\n"
    assert update(server, name, newest, "127.0.8.5") == "good 127.0.8.5\n"


def test_host_rotate_reaches_the_whole_group(server: Server, name: str) -> None:
    first = server.add_host(name, "--group", name)
    assert server.add_host(f"other-{name}", "--group", name) == first
    made = server.ask_json("host", "rotate", name)
    assert made["hostnames"] == [f"{name}.", f"other-{name}."]


def test_host_remove_takes_it_out_of_dns_and_no_token_brings_it_back(server: Server, name: str) -> None:
    secret = server.add_host(name, "--allow-internal")
    made = server.ask_json("token", name)
    update(server, name, secret, "127.0.8.6")
    assert server.dig(name) == ["127.0.8.6"]
    assert ok(server.homing("host", "remove", name)) == f"{name} A+AAAA removed\n"
    assert wait_for(lambda: server.dig(name) == [])
    assert update(server, name, secret, "127.0.8.6") == "badauth\n"
    url = f"{server.url}/?fqdn={name}&zoneid={made['zoneid']}&token={made['token']}&ipv4=203.0.114.1"
    status = run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", url], server.folder).stdout
    assert status == "403"
    refused(server.homing("host", "show", name), 1, "homing: ")


def test_host_remove_of_one_family_leaves_the_other(server: Server, name: str) -> None:
    secret = server.add_host(name, "--allow-internal")
    assert update(server, name, secret, "127.0.8.7,fd00::87") == "good 127.0.8.7,fd00::87\n"
    ok(server.homing("host", "remove", name, "--type", "A"))
    assert wait_for(lambda: server.dig(name) == [])
    assert server.dig(name, "AAAA") == ["fd00::87"]


# --- account and token


def test_account_add_list_and_remove(server: Server, name: str) -> None:
    server.add_host(name, "--allow-internal")
    user = f"user-{name}"
    told = ok(server.homing("account", "add", user, name, "--comment", "the cabin"))
    (password,) = SECRET.findall(told)
    url = f"{server.url}/nic/update?hostname={name}&myip=127.0.8.8"
    assert run(["curl", "-sS", "-u", f"{user}:{password}", url], server.folder).stdout == "good 127.0.8.8\n"
    listed = ok(server.homing("account", "list"))
    assert re.search(rf"^{user} +{name} +the cabin$", listed, re.MULTILINE)
    assert password not in listed + server.homing("account", "list", "--json").stdout
    assert ok(server.homing("account", "remove", user)) == f"{user} removed\n"
    assert run(["curl", "-sS", "-u", f"{user}:{password}", url], server.folder).stdout == "badauth\n"


def test_an_account_may_update_its_hosts_and_no_other(server: Server, name: str) -> None:
    server.add_host(name, "--allow-internal")
    server.add_host(f"other-{name}", "--allow-internal")
    password = server.add_account(f"only-{name}", name)
    url = f"{server.url}/nic/update?hostname={name},other-{name}&myip=127.0.8.9"
    told = run(["curl", "-sS", "-u", f"only-{name}:{password}", url], server.folder).stdout
    assert told == "nohost\nnohost\n"
    assert server.dig(name) == []


def test_token_prints_what_a_configuration_file_takes(server: Server, name: str) -> None:
    told = ok(server.homing("token", name))
    made = server.ask_json("token", name)
    assert told.splitlines()[0] == f"[{name}]"
    assert f"token = {made['token']}" in told
    assert f"zoneid = {made['zoneid']}" in told
    assert made["fqdn"] == name
    assert re.fullmatch("[0-9a-f]{64}", made["token"])


# --- the store as a whole


def test_backup_while_serving_is_a_store_that_serves(server: Server, name: str, tmp_path: Path) -> None:
    secret = server.add_host(name, "--allow-internal")
    update(server, name, secret, "127.0.8.10")
    copy = tmp_path / "copy.db"
    assert "readable by you alone" in ok(server.homing("backup", copy))
    assert copy.stat().st_mode & 0o777 == 0o600
    refused(server.homing("backup", copy), 1, "exists: name a file that does not")
    update(server, name, secret, "127.0.8.11")
    with serving(tmp_path, database=copy) as restored:
        assert restored.dig(name) == ["127.0.8.10"]
        assert update(restored, name, secret, "127.0.8.12") == "good 127.0.8.12\n"
    assert server.dig(name) == ["127.0.8.11"]


def test_export_is_taken_by_import_into_an_empty_store(name: str, tmp_path: Path) -> None:
    file = tmp_path / "homing.json"
    with serving(tmp_path, "--zone", "home.test", database=tmp_path / "full.db") as full:
        secret = full.add_host(name, "--allow-internal", "--ttl", "77", "--comment", "moved")
        password = full.add_account(f"moved-{name}", name)
        update(full, name, secret, "127.0.8.13")
        file.write_text(ok(full.homing("export")))
    with serving(tmp_path, "--zone", "home.test") as empty:
        assert "would import" in ok(empty.homing("import", file, "--dry-run"))
        assert empty.ask_json("host", "list") == []
        ok(empty.homing("import", file))
        assert wait_for(lambda: empty.dig(name) == ["127.0.8.13"])
        url = f"{empty.url}/nic/update?hostname={name}&myip=127.0.8.14"
        done = run(["curl", "-sS", "-u", f"moved-{name}:{password}", url], tmp_path)
        assert done.stdout == "good 127.0.8.14\n"
        assert empty.ask_json("host", "show", name)[0]["comment"] == "moved"
        assert empty.ask_json("import", file)["added"] == []


def test_import_of_what_is_no_table_takes_nothing(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text("{'not': json")
    before = server.homing("host", "list", "--json").stdout
    done = server.homing("import", file)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert server.homing("host", "list", "--json").stdout == before


def test_reconcile_finds_that_store_and_dns_agree(server: Server, name: str) -> None:
    server.add_host(name)
    assert ok(server.homing("reconcile", "--dry-run")) == "store and DNS agree\n"
    assert server.ask_json("reconcile")["differences"] == []


def test_reconcile_without_a_dns_server_ends_with_3(server: Server, name: str) -> None:
    server.add_host(name)
    environment = {"HOMING_DATABASE": str(server.database), "HOMING_DNS_LISTEN": "127.0.0.1:1"}
    refused(run([*HOMING, "reconcile"], server.folder, environment=environment), 3, "is `homing serve` running?")


# --- settings


def test_config_show_tells_where_each_value_comes_from(tmp_path: Path) -> None:
    (tmp_path / "homing.toml").write_text('default_ttl = 90\napi_key = "s3cret-key"\n[[zones]]\nname = "home.test"\n')
    shown = json.loads(ok(homing(tmp_path, "config", "show", "--json", HOMING_MAX_TTL="7200")))
    assert shown["default_ttl"] == {"value": 90, "origin": "homing.toml"}
    assert shown["max_ttl"] == {"value": 7200, "origin": "HOMING_MAX_TTL"}
    assert shown["min_ttl"]["origin"] == "default"
    assert shown["api_key"]["value"] == "(set)"
    assert "s3cret-key" not in homing(tmp_path, "config", "show").stdout


def test_config_check_tells_every_problem_at_once(tmp_path: Path) -> None:
    assert "no homing.toml: good" in ok(homing(tmp_path, "config", "check"))
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
        (("host", "rotate", "nobody.home.test", "--overlap", "soon"), "homing: "),
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
    refused(done, 1, "no zone is named yet: `homing serve --zone home.example`")


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
    "config show", "config check",
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
