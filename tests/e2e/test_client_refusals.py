"""`homing ip` and `homing update` where something is wrong: one clear line, the right exit code, and no wrong name."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.client.servers import Scripted, answer, endless, silent
from tests.e2e.conftest import ZONE
from tests.e2e.programs import HOMING, Server, clean_environment, ok, run, serving, wait_for

if TYPE_CHECKING:
    from tests.client.servers import Part

pytestmark = pytest.mark.e2e

SECRET = "s3cret-of-a-host-0123456789abcdef"


def homing(folder: Path, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run([*HOMING, *arguments], folder, environment={"HOMING_CLIENT_SECRET": SECRET} | variables)


def failed(done: subprocess.CompletedProcess[str], exit_code: int, words: str) -> None:
    """Check that a command ended with this code, said why in lines of its own, and repeated no secret."""
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert words in done.stderr
    assert all(line.startswith("homing: ") for line in done.stderr.splitlines())
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr


# --- exit codes


def test_a_wrong_secret_is_refused_and_a_server_that_is_gone_is_later(server: Server, name: str) -> None:
    server.add_host(name)
    for protocol in ("signed", "dyndns2", "awslabs"):
        done = homing(server.folder, "update", name, "--server", server.url, "--protocol", protocol, "--ipv4",
                      "--allow-internal")  # fmt: skip
        failed(done, 1, "refused")
        assert done.stdout == ""
    failed(
        homing(server.folder, "update", name, "--server", "http://127.0.0.1:9", "--address", "127.0.0.2"), 3, "refused"
    )
    failed(homing(server.folder, "ip", "--server", "http://127.0.0.1:9"), 3, "Connection refused")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("update",), 1, "names is missing"), (("update", "a.example.com"), 1, "server is missing"),
        (("update", "no name"), 1, "character that no name may hold"), (("ip",), 1, "server is missing"),
        (("ip", "--server", "ftp://x"), 1, "server: expected an http or https URL"),
        (("ip", "--source", "eth0"), 1, "ipv4: expected an address, a URL"),
        (("update", "a.example.com", "--server", "https://s", "--ttl", "9"), 1, "ttl goes with protocol ddupdate"),
        (("ip", "--source", "router", "--interface", "lo"), 2, "give one"), (("ip", "--address", "x"), 2, "not an IP"),
        (("ip", "--address", "192.0.2.1", "--address", "192.0.2.2"), 2, "twice for IPv4"),
        (("update", "--secret", "x"), 2, "No such option"), (("update", "--protocol", "ftp"), 2, "ftp"),
        (("ip", "--interface", "lo"), 3, "no IPv4 address on lo"),
        (("ip", "--source", "command:false"), 3, "exit code 1"),
        (("ip", "--source", "command:echo x"), 1, "no address"),
        (("update", "a.example.com", "--server", "https://s", "--secret-file", "none"), 1, "--secret-file: none"),
        (("ip", "--server", "https://s", "--ca-file", "none"), 1, "none: cannot be read as PEM"),
        (("update", "--ddupdate-config", "none.conf"), 1, "none.conf: cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_what_cannot_be_done_is_told_before_anything_is_sent(
    tmp_path: Path, arguments: tuple[str, ...], exit_code: int, words: str
) -> None:
    done = homing(tmp_path, *arguments)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


# --- what answers instead of the server

PORTAL = answer("<!DOCTYPE html><html>Sign in! good OK Hello! success 203.0.113.7</html>")
ODD: dict[str, tuple[Part | bytes, str]] = {
    "portal": (PORTAL, "web page"),
    "redirect": (answer("", "302 Found", "Location: http://127.0.0.1:9/login?token=x\r\n"), "not followed"),
    "empty": (answer(""), "empty body"),
    "nothing": (b"", "hung up"),
    "endless": (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"good 203.0.113.7\n" * 1000), ""),
    "endless head": (endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000), ""),
    "silent": (silent, "took too long"),
    "trickle": (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"g", 0.2), "took too long"),
    "other family": (answer("good 2001:db8::7\n"), ""),
    "somebody else's": (answer("good 203.0.113.99\n"), ""),
}


@pytest.mark.parametrize("protocol", ["signed", "awslabs", "awslabs-post", "dyndns2", "ddupdate", "duckdns"])
@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_update_server_never_looks_like_a_success(tmp_path: Path, protocol: str, odd: str) -> None:
    part, words = ODD[odd]
    flags = ["--zone-id", "Z"] if protocol == "ddupdate" else []
    source = [] if protocol == "awslabs-post" else ["--address", "203.0.113.7"]
    with Scripted(part) as server:
        where = ("--server", server.url, "--protocol", protocol, "--timeout", "1")
        done = homing(tmp_path, "update", "a.example.com", *where, *flags, *source)
    assert done.returncode in (1, 3), done.stdout
    failed(done, done.returncode, words)
    assert done.stdout == ""


def test_the_servers_wait_is_told_and_is_in_the_json(tmp_path: Path) -> None:
    arguments = ("update", "a.example.com", "--protocol", "dyndns2", "--address", "203.0.113.7", "--server")
    with Scripted(answer("911\n", "503 Service Unavailable", "Retry-After: 90\r\n")) as server:
        failed(homing(tmp_path, *arguments, server.url), 3, "not before 90 seconds from now")
        done = homing(tmp_path, *arguments, server.url, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout) == {
        "updates": [{
            "hostname": "a.example.com", "record_type": "A", "address": "203.0.113.7", "outcome": "try later",
            "text": "the server has a problem (911)",
        }],
        "retry_after": 90,
        "warnings": [],
    }  # fmt: skip


def test_duckdns_is_spoken_as_its_page_says(tmp_path: Path) -> None:
    with Scripted(answer("OK\n203.0.113.7\n\nUPDATED"), answer("KO")) as server:
        arguments = ("update", "me", "--protocol", "duckdns", "--server", server.url)
        assert ok(homing(tmp_path, *arguments)) == "me A 203.0.113.7 updated\n"
        failed(homing(tmp_path, *arguments), 1, "KO: the token or the name is wrong")
    assert server.requests[0].startswith(f"GET /update?domains=me&token={SECRET}&verbose=true HTTP/1.1".encode())


# --- doing nothing, and what is seen of it


def test_a_dry_run_sends_nothing_and_says_what_it_would(server: Server, name: str) -> None:
    secret = server.add_host(name, "--allow-internal")
    arguments = ("update", name, "--server", server.url, "--ipv4", "--allow-internal")
    done = homing(server.folder, *arguments, "--dry-run", HOMING_CLIENT_SECRET=secret)
    assert ok(done) == f"{name} A 127.0.0.1 would send: signed, {server.url}\n"
    assert server.dig(name) == []
    assert ok(homing(server.folder, *arguments, HOMING_CLIENT_SECRET=secret)) == f"{name} A 127.0.0.1 updated\n"


def test_config_check_says_what_a_client_would_do(tmp_path: Path) -> None:
    (tmp_path / "cam.secret").write_text(SECRET)
    (tmp_path / "homing.toml").write_text(
        '[client]\nserver = "http://127.0.0.1:9"\nnames = ["a.example.com"]\n'
        'secret_file = "cam.secret"\nipv6 = "none"\n'
    )
    done = run([*HOMING, "config", "check"], tmp_path)
    assert done.returncode == 0, done.stderr
    where = "IPv4 from this machine's own public one, else reflector and no IPv6"
    wanted = f"client: would set a.example.com at http://127.0.0.1:9 by signed, {where}"
    assert wanted in done.stdout
    assert "cam.secret holds a secret and may be read by others" in done.stderr
    told = json.loads(run([*HOMING, "config", "check", "--json"], tmp_path).stdout)
    assert told["client"][0]["names"] == ["a.example.com"]
    (tmp_path / "homing.toml").write_text('default_tll = 5\n[client]\nprotocol = "ftp"\n')
    done = run([*HOMING, "config", "check"], tmp_path)
    failed(done, 1, "default_tll: no such setting")
    assert "homing.toml:3: protocol: expected signed" in done.stderr


def test_no_process_list_shows_the_secret(tmp_path: Path) -> None:
    (tmp_path / "cam.secret").write_text(SECRET)
    (tmp_path / "cam.secret").chmod(0o600)
    with Scripted(silent) as server:
        flags = ("--server", server.url, "--secret-file", "cam.secret", "--address", "203.0.113.7", "--timeout", "5")
        command = [*HOMING, "update", "a.example.com", *flags]
        with subprocess.Popen(
            command, cwd=tmp_path, env=clean_environment(tmp_path), stderr=subprocess.DEVNULL
        ) as process:
            assert wait_for(lambda: bool(server.requests))
            shown = b"".join(Path(f"/proc/{process.pid}/{file}").read_bytes() for file in ("cmdline", "environ"))
            process.kill()
    assert SECRET.encode() not in shown
    assert SECRET.encode() not in server.requests[0], "the signed request proves the secret, and does not tell it"


# --- API key, TLS


def test_an_api_key_is_sent_where_one_is_demanded(tmp_path: Path) -> None:
    settings = {"HOMING_API_KEY": "k3y-of-the-server", "HOMING_API_KEY_PATHS": "all"}
    (tmp_path / "key").write_text("k3y-of-the-server\n")
    (tmp_path / "key").chmod(0o600)
    with serving(tmp_path, "--zone", ZONE, environment=settings) as server:
        secret = server.add_host(f"cam.{ZONE}", "--allow-internal")
        for number, protocol in enumerate(("awslabs", "dyndns2", "signed")):
            arguments: tuple[Any, ...] = ("update", f"cam.{ZONE}", "--server", server.url, "--protocol", protocol,
                                          "--ipv4", "--allow-internal")  # fmt: skip
            failed(homing(tmp_path, *arguments, HOMING_CLIENT_SECRET=secret), 1, "the API key is missing or wrong")
            done = homing(tmp_path, *arguments, "--api-key-file", "key", HOMING_CLIENT_SECRET=secret)
            assert ok(done) == f"cam.{ZONE} A 127.0.0.1 {'unchanged' if number else 'updated'}\n"


def test_https_is_trusted_by_the_authority_that_is_named_and_by_no_other(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    (tmp_path / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    flags = ("--zone", ZONE, "--https-listen", "127.0.0.1:0", "--tls-cert", "chain.pem", "--tls-key", "key.pem")
    with serving(tmp_path, *flags) as server:
        secret = server.add_host(f"cam.{ZONE}", "--allow-internal")
        arguments = ("update", f"cam.{ZONE}", "--server", f"https://{server.https[0]}", "--ipv4", "--allow-internal")
        failed(homing(tmp_path, *arguments, HOMING_CLIENT_SECRET=secret), 3, "TLS: ")
        assert server.dig(f"cam.{ZONE}") == []
        done = homing(tmp_path, *arguments, "--ca-file", "ca.pem", HOMING_CLIENT_SECRET=secret)
        assert ok(done) == f"cam.{ZONE} A 127.0.0.1 updated\n"


def test_it_is_quick_where_nothing_stands_in_the_way(server: Server, name: str) -> None:
    secret = server.add_host(name, "--allow-internal")
    started = time.monotonic()
    ok(
        homing(
            server.folder, "update", name, "--server", server.url, "--address", "127.0.0.3", HOMING_CLIENT_SECRET=secret
        )
    )
    assert time.monotonic() - started < 15
