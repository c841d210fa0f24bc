"""clients/homing.sh, and the lines of curl and openssl, as every shell runs them, against a real `homing serve`.

Which programs a shell finds is said in thin.py.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import string
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import ZONE, Inside
from tests.e2e.namespaces import SERVER_4, SERVER_6
from tests.e2e.programs import Server, need, ok, refused, run, serving
from tests.e2e.thin import SCRIPT, SHELLS, Shell, done_well, make_shell
from tests.house import ROOT
from tests.pages import page

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

HASHES = ("sha256sum", "openssl", "shasum")
PRINTABLE = "".join(map(chr, range(33, 127))) + " " + string.ascii_letters
"""Every printable character of ASCII, and longer than the 64 bytes of SHA-256's block."""


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """Each shell in its turn, with sha256sum and without anything that asks DNS."""
    return make_shell(request.param, tmp_path)


# --- updating


@pytest.mark.parametrize("hash_program", HASHES)
@pytest.mark.parametrize("kind", SHELLS)
def test_a_name_is_set_and_the_second_time_nothing_changes(
    server: Server, name: str, kind: str, hash_program: str, tmp_path: Path
) -> None:
    shell = make_shell(kind, tmp_path, hash_program)
    file = shell.secret(server.add_host(name, "--allow-internal"))
    arguments = ("-u", server.url, "-n", name, "-s", file)
    done_well(shell.homing(*arguments), f"{name}. A 127.0.0.1 updated")
    done_well(shell.homing(*arguments), f"{name}. A 127.0.0.1 unchanged")
    done_well(shell.homing(*arguments, "-q"))
    assert server.dig(name) == ["127.0.0.1"]


@pytest.mark.parametrize("hash_program", HASHES)
@pytest.mark.parametrize("kind", SHELLS)
@pytest.mark.parametrize(
    "secret",
    [PRINTABLE, PRINTABLE[:64], PRINTABLE[:65], "%s\\n\\0101$(id)`id`*'\"", "-n", "schlüssel-mit-ümläuten", "x"],
    ids=["long", "64", "65", "shell", "dash", "utf-8", "x"],
)
def test_every_secret_makes_the_signature_that_the_server_expects(
    kind: str, hash_program: str, secret: str, tmp_path: Path
) -> None:
    """The functions of the script alone, against RFC 2104 as Python has it."""
    from homing.core.credentials import sign

    shell = make_shell(kind, tmp_path, hash_program)
    text = SCRIPT.read_text().partition("# --- HTTP and JSON")[0]
    (tmp_path / "signing.sh").write_text(text + 'sign "$MESSAGE"\n')
    message = '1795240000123.{"hostname": "ä.example", "%s": "\\\\"}'
    done = shell.run(
        "signing.sh", "-u", "https://s", "-n", "n", "-s", shell.secret(secret), MESSAGE=message, LC_ALL="C.UTF-8"
    )
    time, _, body = message.partition(".")
    assert ok(done).strip() == sign(secret, int(time), body.encode())


@pytest.mark.parametrize("ending", ["\n", "\r\n", "", "\nanother line\n", "  \n"])
def test_a_secret_is_the_first_line_of_its_file_however_that_ends(
    server: Server, name: str, shell: Shell, ending: str
) -> None:
    secret = server.add_host(name, "--allow-internal")
    arguments = ("-u", server.url, "-n", name, "-i", "127.0.0.2", "-s")
    done_well(shell.homing(*arguments, shell.secret(secret + ending)), f"{name}. A 127.0.0.2 updated")
    done_well(shell.homing(*arguments, "-", stdin=secret + ending), f"{name}. A 127.0.0.2 unchanged")


def test_everything_may_come_from_the_environment(server: Server, name: str, shell: Shell) -> None:
    names = f"{name}, b.{name}"
    secret = server.add_host(name, "--allow-internal", "--group", name.partition(".")[0])
    server.add_host(f"b.{name}", "--allow-internal", "--group", name.partition(".")[0])
    settings = {"HOMING_CLIENT_SERVER": f"{server.url}/", "HOMING_CLIENT_NAMES": names}
    lines = [f"{one}. A 127.0.0.1 updated" for one in (name, f"b.{name}")]
    done_well(shell.homing(HOMING_CLIENT_SECRET=secret, **settings), *lines)
    file = str(shell.secret(secret))
    lines = [line.replace("updated", "unchanged") for line in lines]
    done_well(shell.homing(HOMING_CLIENT_SECRET_FILE=file, **settings), *lines)


def test_the_names_of_a_group_are_set_in_one_request_all_or_none(server: Server, name: str, shell: Shell) -> None:
    group = name.partition(".")[0]
    file = shell.secret(server.add_host(name, "--allow-internal", "--group", group))
    server.add_host(f"b.{name}", "--allow-internal", "--group", group)
    server.add_host(f"other.{name}", "--allow-internal")
    shell.add("curl", f'printf "%s\\n" "$*" >>{shell.folder}/asked\nexec {shutil.which("curl")} "$@"')
    arguments = ("-u", server.url, "-s", file, "-i", "127.0.0.5", "-n", name.upper(), "-n", f"b.{name}.")
    refused(shell.homing(*arguments, "-n", f"other.{name}"), 1, "refused: no such host")
    assert server.dig(name) == []
    done_well(shell.homing(*arguments), f"{name}. A 127.0.0.5 updated", f"b.{name}. A 127.0.0.5 updated")
    assert server.dig(name) == server.dig(f"b.{name}") == ["127.0.0.5"]
    assert len((shell.folder / "asked").read_text().splitlines()) == 2


@pytest.mark.parametrize("ahead", [0, 100])
def test_two_changes_within_a_second_are_both_made(server: Server, name: str, shell: Shell, ahead: int) -> None:
    """Most clocks of these shells tick once a second; the server tells a time that is late enough."""
    file = shell.secret(server.add_host(name, "--allow-internal"))
    shell.add("date", f'case $1 in *N) echo "1%3N" ;; *) echo $(($(/bin/date +%s) + {ahead})) ;; esac')
    for number in range(2, 8):
        address = f"127.0.0.{number}"
        done = shell.homing("-u", server.url, "-n", name, "-s", file, "-i", address)
        done_well(done, f"{name}. A {address} updated")


@pytest.mark.parametrize("seconds", [-3600, 3600, -20 * 365 * 86400])
def test_a_clock_that_is_wrong_is_put_right_by_the_server(
    server: Server, name: str, shell: Shell, seconds: int
) -> None:
    file = shell.secret(server.add_host(name, "--allow-internal"))
    shell.add("date", f'case $1 in *N) echo "1%3N" ;; *) echo $(($(/bin/date +%s) + {seconds})) ;; esac')
    done_well(shell.homing("-u", server.url, "-n", name, "-s", file), f"{name}. A 127.0.0.1 updated")


def test_without_tls_a_stranger_cannot_choose_the_time_that_is_signed_for(
    inside: Inside, name: str, shell: Shell
) -> None:
    file = shell.secret(inside.server.add_host(name))
    shell.add("date", 'case $1 in *N) echo "1%3N" ;; *) echo $(($(/bin/date +%s) - 3600)) ;; esac')
    away = replace(shell, prefix=inside.namespace.prefix)
    done = away.homing("-u", f"http://{SERVER_4}", "-n", name, "-s", file)
    refused(done, 3, "this clock is off by 36")
    assert done.stderr.endswith("set the clock, or use https\n")


def test_both_families_go_into_one_request_and_one_may_be_left_alone(inside: Inside, name: str, shell: Shell) -> None:
    hosts = shell.folder / "hosts"
    hosts.write_text(f"{SERVER_4} ddns.{ZONE}\n{SERVER_6} ddns.{ZONE}\n")
    away = replace(shell, prefix=inside.namespace.prefix_with_files(hosts=hosts))
    arguments = ("-u", f"http://ddns.{ZONE}/prod", "-n", name, "-s", shell.secret(inside.server.add_host(name)))
    done_well(away.homing(*arguments, "-6"), f"{name}. AAAA {SERVER_6} updated")
    assert inside.server.dig(name) == []
    done_well(away.homing(*arguments), f"{name}. A {SERVER_4} updated, AAAA {SERVER_6} unchanged")
    done_well(away.homing(*arguments, "-4"), f"{name}. A {SERVER_4} unchanged")
    done_well(away.homing(*arguments, "-N"), f"{name}. would be set to {SERVER_4} {SERVER_6}")
    explicit = ("-i", "203.0.113.8", "-i", "2001:DB8::8")
    done_well(away.homing(*arguments, *explicit), f"{name}. A 203.0.113.8 updated, AAAA 2001:DB8::8 updated")
    assert inside.server.dig(name, "AAAA") == ["2001:db8::8"]


def test_a_host_without_one_of_the_families_takes_the_other(inside: Inside, name: str, shell: Shell) -> None:
    file = shell.secret(inside.server.add_host(name, "--type", "A"))
    away = replace(shell, prefix=inside.namespace.prefix)
    arguments = ("-u", f"http://{SERVER_4}", "-n", name, "-s", file, "-i", "2001:db8::8")
    done_well(away.homing(*arguments, "-i", "203.0.113.8"), f"{name}. A 203.0.113.8 updated, no AAAA record")
    refused(away.homing(*arguments), 1, "refused: no such host")


def test_neither_a_proxy_nor_a_file_of_the_user_stands_in_between(server: Server, name: str, shell: Shell) -> None:
    file = shell.secret(server.add_host(name, "--allow-internal"))
    (shell.folder / ".curlrc").write_text("output = elsewhere\n")
    done = shell.homing("-u", server.url, "-n", name, "-s", file, http_proxy="http://127.0.0.1:9")
    done_well(done, f"{name}. A 127.0.0.1 updated")


def test_an_api_key_is_sent_where_one_is_demanded(shell: Shell, tmp_path: Path) -> None:
    flags = ("--zone", ZONE, "--api-key-paths", "all")
    with serving(tmp_path, *flags, environment={"HOMING_API_KEY": "k3y-of-the-server"}) as server:
        file = shell.secret(server.add_host(f"cam.{ZONE}", "--allow-internal"))
        arguments = ("-u", server.url, "-n", f"cam.{ZONE}", "-s", file, "-i", "127.0.0.3")
        refused(shell.homing(*arguments), 1, "the API key is missing or wrong")
        key = shell.secret("k3y-of-the-server\n", "key")
        done_well(shell.homing(*arguments, "-k", key), f"cam.{ZONE}. A 127.0.0.3 updated")
        assert shell.homing("-u", server.url, "-n", f"cam.{ZONE}", "-s", file, "-k", key).returncode == 0


# --- secrets


def test_neither_secret_nor_key_stands_on_a_command_line_in_an_environment_or_in_a_file(
    server: Server, name: str, shell: Shell
) -> None:
    secret, key = server.add_host(name, "--allow-internal"), "k3y-that-nobody-asks-for"
    log = shell.folder / "log"
    for program in [one.name for one in shell.programs.iterdir()]:
        real = shlex.quote(os.readlink(shell.programs / program))
        real = f"{real} {program}" if real.endswith("busybox") else real
        shell.add(program, f'{{ printf "%s\\n" "{program} $*"; /usr/bin/env; }} >>{log}\nexec {real} "$@"')
    cache = shell.folder / "cache"
    arguments = ("-u", server.url, "-n", name, "-c", cache, "-i", "127.0.0.9")
    exported = {"secret": "exported", "api_key": "exported", "key": "exported", "line": "exported"}
    done = shell.homing(*arguments, HOMING_CLIENT_SECRET=secret, HOMING_CLIENT_API_KEY=key, **exported)
    done_well(done, f"{name}. A 127.0.0.9 updated")
    done_well(shell.homing(*arguments, "-s", "-", stdin=secret, **exported), f"{name}. kept: 127.0.0.9")
    told = log.read_text()
    assert re.search(r"^curl .*/v1/update$", told, re.MULTILINE)
    assert "\nHOME=" in told
    for text in (secret, key, secret.encode().hex(), " ".join(str(byte) for byte in secret.encode()[:8])):
        assert text not in told
    assert secret not in cache.read_text()
    assert sorted(one.name for one in shell.folder.iterdir()) == ["cache", "log", "programs"]


def test_a_file_that_others_may_read_is_told_of(server: Server, name: str, shell: Shell) -> None:
    file = shell.secret(server.add_host(name, "--allow-internal"))
    file.chmod(0o604)
    done = shell.homing("-u", server.url, "-n", name, "-s", file)
    assert done.returncode == 0
    assert done.stderr == f"homing.sh: {file} may be read by others: chmod 600 {file}\n"
    file.chmod(0o640)
    assert shell.homing("-u", server.url, "-n", name, "-s", file).stderr == ""


# --- the script and the pages


def test_shellcheck_finds_nothing() -> None:
    need("shellcheck")
    scripts = [SCRIPT, *(ROOT / "deploy" / "openwrt").glob("*.sh")]
    assert ok(run(["shellcheck", "--severity=style", *scripts], ROOT)) == ""


@pytest.mark.parametrize("shown", ["docs/how-to/thin.md", "docs/how-to/curl.md"])
@pytest.mark.parametrize("kind", SHELLS)
def test_the_lines_of_the_pages_work_in_every_shell(shown: str, kind: str, tmp_path: Path) -> None:
    """What is printed is compared under bash for the whole of curl.md elsewhere; here it is the signed request."""
    shell = make_shell(kind, tmp_path, "openssl")
    text = page(shown).text
    text = text[text.index("## Signed") :] if "## Signed" in text else text
    blocks = re.findall(r"^```(sh run|text output)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    script = "".join(block for info, block in blocks if info == "sh run")
    shutil.copy(SCRIPT, tmp_path)
    (shell.programs / "sh").write_text(f'#!/bin/sh\nexec {shlex.join(shell.command)} "$@"\n')
    (shell.programs / "sh").chmod(0o755)
    shell.add("curl", f'exec {shutil.which("curl")} "$@" -H "X-Forwarded-For: 203.0.113.7"')
    public = ("--public-networks", "203.0.113.0/24", "--trusted-proxies", "127.0.0.1")
    with serving(tmp_path, "--zone", "home.example", *public) as server:
        secret = server.add_host("cam.home.example")
        script = re.sub(r"^SERVER=.*$", f"SERVER={server.url}", script, flags=re.MULTILINE)
        script = re.sub(r"^SECRET=.*$", f"SECRET={secret}", script, flags=re.MULTILINE)
        first = f"SERVER={server.url}\nSECRET={secret}\nHOST=cam.home.example\n"
        told = ok(shell.run("-euc", first + script))
    for info, block in blocks:
        if info == "text output":
            assert re.search(".*".join(map(re.escape, block.strip().split("…"))), told), told


def test_the_three_lines_end_with_a_failure_and_its_reason_where_the_server_refuses(tmp_path: Path) -> None:
    shell = make_shell("dash", tmp_path, "openssl")
    (lines,) = re.findall(r"^```sh run\n(SERVER=.*?)^```$", page("docs/how-to/thin.md").text, re.MULTILINE | re.DOTALL)
    with serving(tmp_path, "--zone", "home.example") as server:
        secret = server.add_host("cam.home.example")
        script = re.sub(r"^SERVER=.*$", f"SERVER={server.url}", lines, flags=re.MULTILINE)
        script = re.sub(r"^SECRET=.*$", f"SECRET={secret}", script, flags=re.MULTILINE)
        refused = shell.run("-c", script)
    assert refused.returncode == 22
    assert '"address not allowed"' in refused.stdout


def test_what_the_page_says_of_a_server_on_this_machine_is_so(server: Server, name: str, shell: Shell) -> None:
    file = shell.secret(server.add_host(name, "--allow-internal"))
    arguments = ("-u", server.url, "-n", name, "-s", file)
    refused(shell.homing(*arguments, HOMING_CLIENT_ALLOW_INTERNAL=""), 3, "it sees 127.0.0.1")
    done_well(shell.homing(*arguments, "-p", HOMING_CLIENT_ALLOW_INTERNAL=""), f"{name}. A 127.0.0.1 updated")
