"""Every operator's verb about hosts, accounts and the store, beside a running server, and what DNS then shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import HOMING, Server, ok, refused, run, serving, update, wait_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

SECRET = re.compile(r"[A-Za-z][A-Za-z0-9_-]{31}")


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
