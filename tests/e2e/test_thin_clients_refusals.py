"""clients/homing.sh where something is wrong, and with a note of what was sent: no name is made, or kept, wrong."""

from __future__ import annotations

import re
import shutil
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.client.servers import Scripted, answer, endless
from tests.e2e.namespaces import SERVER_4
from tests.e2e.programs import Server, need, ok, refused
from tests.e2e.thin import SCRIPT, SHELLS, Shell, done_well, make_shell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.e2e.conftest import Inside

pytestmark = pytest.mark.e2e

ASKING = ("dig", "host", "nslookup")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """Each shell in its turn, with sha256sum and without anything that asks DNS."""
    return make_shell(request.param, tmp_path)


# --- what goes wrong


def test_a_wrong_secret_is_refused_and_a_server_that_is_gone_is_later(server: Server, name: str, shell: Shell) -> None:
    server.add_host(name, "--allow-internal")
    file = shell.secret("not-the-secret")
    refused(shell.homing("-u", server.url, "-n", name, "-s", file), 1, f"refused: the secret is not that of {name}.,")
    refused(shell.homing("-u", "http://127.0.0.1:9", "-n", name, "-s", file), 3, "no address to send; IPv4: (7) ")
    gone = shell.homing("-u", "http://127.0.0.1:9", "-n", name, "-s", file, "-i", "127.0.0.2")
    refused(gone, 3, "http://127.0.0.1:9: (7) ")
    assert server.dig(name) == []


def test_an_address_that_is_not_allowed_is_refused(server: Server, name: str, shell: Shell) -> None:
    file = shell.secret(server.add_host(name))
    arguments = ("-u", server.url, "-n", name, "-s", file)
    refused(shell.homing(*arguments), 1, "refused: address not allowed")
    done = shell.homing(*arguments, HOMING_CLIENT_ALLOW_INTERNAL="")
    refused(done, 3, "it sees 127.0.0.1, which the Internet cannot reach")


PAGE = answer("<html>Welcome to the hotel. Your address is 203.0.113.7</html>")


@pytest.mark.parametrize(
    "portal",
    [
        PAGE, answer(""), answer("203.0.113.7\n203.0.113.8\n"), answer("2001:db8::7\n"), answer("203.0.113"),
        answer("203.0.113.7", "302 Found", "Location: http://127.0.0.1:9/\r\n"), answer("1" * 20),
        answer('203.0.113.7", "'), answer("203.0.113.7 ", "511 Network Authentication Required"), b"", b"\0\0\0",
        answer("x" * 100_000), answer("1.1.1." * 9_000), answer("1.1.1.1.1"), answer("1.1.1"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_never_sent(shell: Shell, portal: bytes) -> None:
    with Scripted(portal) as server:
        done = shell.homing("-u", server.url, "-n", "cam.home.test", "-s", shell.secret("s"))
        refused(done, 3, "no address to send")
        assert [line.split()[1] for line in server.requests] == [b"/ip"]


@pytest.mark.parametrize(
    "text",
    [
        PAGE, answer(""), answer("good 203.0.113.7"), answer('{"outcomes": []}'),
        answer('{"outcomes": [{"hostname": "b.test.", "record_type": "A", "outcome": "updated"}]}'),
        answer('{"outcomes": [{"hostname": "cam.home.test.", "record_type": "AAAA", "outcome": "updated"}]}'),
        answer('{"outcomes": [{"hostname": "cam.home.test.", "record_type": "A", "outcome": "updated"}]}', "201 Made"),
        answer('{"error": "stale", "server_time": "x", "signed_at": null}', "409 Conflict"),
        answer('{"error": "unavailable"}', "503 Service Unavailable"), answer("no", "404 Not Found"),
        answer("<html>", "403 Forbidden"), answer("x" * 100_000), b"",
    ],
)  # fmt: skip
def test_an_answer_that_is_not_a_servers_is_no_success(shell: Shell, text: bytes) -> None:
    (shell.folder / "cache").write_text("homing.sh 1 what was sent long ago\n")
    with Scripted(text) as server:
        arguments = ("-u", server.url, "-n", "cam.home.test", "-s", shell.secret("s"), "-i", "203.0.113.7")
        done = shell.homing(*arguments, "-c", shell.folder / "cache")
        refused(done, 3, server.url)
        assert not (shell.folder / "cache").exists()


def test_a_body_that_never_ends_is_left_in_time(shell: Shell) -> None:
    with Scripted(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"203.0.113.7 " * 1000)) as server:
        arguments = ("-u", server.url, "-n", "cam.home.test", "-s", shell.secret("s"), "-4")
        refused(shell.homing(*arguments, HOMING_CLIENT_TIMEOUT="2"), 3, "no address to send")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "-u: expected the server's URL"), (("-u", "ddns.example.com"), "-u: expected the server's URL"),
        (("-u", "https://a:b@c"), "without user"), (("-u", "file:///etc/passwd"), "-u"), (("-u", "https://x y"), "-u"),
        (("-u", "https://s"), "-n: which name"), (("-u", "https://s", "-n", 'a"b'), "is no host's name"),
        (("-u", "https://s", "-n", "a..b"), "is no host's name"), (("-u", "https://s", "-n", "a.b"), "-s: which file"),
        (("-u", "https://s", "-n", "a.b", "-s", "none"), "-s: none: no such file"), (("-z",), "-h tells"),
        (("-u", "https://s", "-n", "a.b", "-s", "/dev/null"), "-s: /dev/null: no such file"), (("-i", "x"), "-i: no"),
        (("-u", "https://s", "-n", "a.b", "-s", "-"), "-s: - is empty"), (("x",), "x: not understood"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_wrong_usage_is_told_before_anybody_is_asked(shell: Shell, arguments: Sequence[str], words: str) -> None:
    refused(shell.homing(*arguments), 2, words)


@pytest.mark.parametrize("timeout", ["0", "000", "", "x", "1x", "-1", "1000", "99999999999999999999"])
def test_a_timeout_that_never_ends_is_refused(shell: Shell, timeout: str) -> None:
    arguments = ("-u", "http://127.0.0.1:9", "-n", "a.b", "-s", shell.secret("s"))
    refused(shell.homing(*arguments, HOMING_CLIENT_TIMEOUT=timeout), 2, "HOMING_CLIENT_TIMEOUT: expected 1 to 999")
    assert shell.homing(*arguments, HOMING_CLIENT_TIMEOUT="10").returncode == 3


def test_a_program_that_is_missing_is_named(shell: Shell) -> None:
    arguments = ("-u", "https://s", "-n", "a.b", "-s", shell.secret("s"))
    (shell.programs / "sha256sum").unlink()
    refused(shell.homing(*arguments), 2, "neither sha256sum nor openssl")
    shell.add("sha256sum", "exit 1")
    refused(shell.homing(*arguments, "-i", "203.0.113.7"), 3, "the SHA-256 of this machine does not work")
    (shell.programs / "curl").unlink()
    refused(shell.homing(*arguments), 2, "curl is not installed")


def test_help_tells_every_option(shell: Shell) -> None:
    told = ok(shell.homing("-h"))
    options = re.search(r"^while getopts (\S+) option", SCRIPT.read_text(), re.MULTILINE)
    assert options
    assert set(re.findall(r"(?:^  |^  -4 or )-(\w)", told, re.MULTILINE)) == set(options[1]) - {":"} - {"6"}
    assert "-4 or -6" in told


# --- the note of what was sent


@pytest.mark.parametrize("kind", SHELLS)
@pytest.mark.parametrize("program", [*ASKING, "busybox"])
def test_what_dns_shows_is_not_sent_again_and_a_name_that_is_wrong_is(
    inside: Inside, name: str, kind: str, program: str, tmp_path: Path
) -> None:
    shell = make_shell(kind, tmp_path)
    if program == "busybox":
        need("busybox")
        (shell.programs / "nslookup").symlink_to(str(shutil.which("busybox")))
    else:
        shell.link(program)
    (tmp_path / "resolv").write_text(f"nameserver {SERVER_4}\n")
    away = replace(shell, prefix=inside.namespace.prefix_with_files(resolv_conf=tmp_path / "resolv"))
    secret = inside.server.add_host(name)
    arguments = ("-u", f"http://{SERVER_4}", "-n", name, "-s", shell.secret(secret), "-c", tmp_path / "cache")
    addresses = ("-i", SERVER_4, "-i", "2001:db8::8")
    kept = f"{name}. kept: {SERVER_4} 2001:db8::8"
    done_well(away.homing(*arguments, *addresses), f"{name}. A {SERVER_4} updated, AAAA 2001:db8::8 updated")
    done_well(away.homing(*arguments, *addresses), kept)
    inside.ok(
        "curl", "-sSf", "-u", f"{name}:{secret}", f"http://{SERVER_4}/nic/update?hostname={name}&myip=2001:db8::7"
    )
    done_well(away.homing(*arguments, *addresses), f"{name}. A {SERVER_4} unchanged, AAAA 2001:db8::8 updated")
    inside.ok(
        "curl", "-sSf", "-u", f"{name}:{secret}", f"http://{SERVER_4}/nic/update?hostname={name}&myip=203.0.113.7"
    )
    done_well(away.homing(*arguments, *addresses), f"{name}. A {SERVER_4} updated, AAAA 2001:db8::8 unchanged")
    done_well(away.homing(*arguments, "-i", SERVER_4), f"{name}. A {SERVER_4} unchanged")
    mark, since, rest = (tmp_path / "cache").read_text().split(" ", 2)
    for age, line in ((80_000, f"{name}. kept: {SERVER_4}"), (90_000, f"{name}. A {SERVER_4} unchanged")):
        (tmp_path / "cache").write_text(f"{mark} {int(since) - age} {rest}")
        done_well(away.homing(*arguments, "-i", SERVER_4), line)


def test_where_nothing_asks_dns_a_note_is_good_for_an_hour(server: Server, name: str, shell: Shell) -> None:
    file, cache = shell.secret(server.add_host(name, "--allow-internal")), shell.folder / "cache"
    arguments = ("-u", server.url, "-n", name, "-s", file, "-c", cache)
    done_well(shell.homing(*arguments), f"{name}. A 127.0.0.1 updated")
    mode = stat.S_IMODE(cache.stat().st_mode)
    assert mode == 0o600
    done_well(shell.homing(*arguments), f"{name}. kept: 127.0.0.1")
    mark, since, rest = cache.read_text().split(" ", 2)
    for age, word in ((3000, "kept:"), (3700, "A"), (-100, "A"), (10**9, "A")):
        cache.write_text(f"{mark} {int(since) - age} {rest}")
        assert ok(shell.homing(*arguments)).split()[1] == word
    for broken in ("homing.sh", "homing.sh x", "homing.sh 99999999999999999999 x\n"):
        cache.write_text(broken)
        done_well(shell.homing(*arguments), f"{name}. A 127.0.0.1 unchanged")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_that_waits_beside_the_note_is_not_followed(
    server: Server, name: str, shell: Shell, *, is_there: bool
) -> None:
    file, cache = shell.secret(server.add_host(name, "--allow-internal")), shell.folder / "cache"
    target = shell.folder / "theirs"
    if is_there:
        target.write_text("theirs")
    words = f'ln -s "{target}" "{cache}.$$"; set -- -u {server.url} -n {name} -s "{file}" -c "{cache}"; . "{SCRIPT}"'
    shell.link("ln")
    shell.add("rm", "exit 1")  # it is another user's, and the folder is sticky
    done = shell.run("-c", words)
    assert (done.returncode, done.stdout) == (0, f"{name}. A 127.0.0.1 updated\n"), done.stderr
    assert "cannot be written" in done.stderr
    assert target.read_text() == "theirs" if is_there else not target.exists()


def test_what_an_earlier_run_left_beside_the_note_does_no_harm(server: Server, name: str, shell: Shell) -> None:
    file, cache = shell.secret(server.add_host(name, "--allow-internal")), shell.folder / "cache"
    words = f'echo x >"{cache}.$$"; set -- -u {server.url} -n {name} -s "{file}" -c "{cache}"; . "{SCRIPT}"'
    done_well(shell.run("-c", words), f"{name}. A 127.0.0.1 updated")
    assert cache.read_text().startswith("homing.sh ")


def test_a_file_that_is_no_note_is_not_overwritten_and_a_full_disk_is_no_failure(
    server: Server, name: str, shell: Shell
) -> None:
    file = shell.secret(server.add_host(name, "--allow-internal"))
    arguments = ("-u", server.url, "-n", name, "-s", file, "-c")
    refused(shell.homing(*arguments, file), 2, "holds something else")
    assert file.read_text()
    done = shell.homing(*arguments, shell.folder / "no" / "folder")
    assert (done.returncode, done.stdout) == (0, f"{name}. A 127.0.0.1 updated\n")
    assert "cannot be written" in done.stderr
