"""Who is let in: refusals that tell nothing, API keys, trusted proxies, and hosts that must be signed for."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import Server, need, run, serving, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.e2e

KNOWN, UNKNOWN = "known.home.test", "nobody.home.test"


def curl(server: Server, *arguments: str) -> str:
    """Return head and body of an answer, without the date."""
    need("curl")
    done = run(["curl", "-gsS", "-i", *arguments], server.folder)
    assert done.returncode == 0, done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if not line.lower().startswith("date:"))


def signature(secret: str, body: str) -> str:
    now = int(time.time() * 1000)
    digest = hmac.new(secret.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"Homing-Signature: t={now},v1={digest}"


def wrong_requests(url: str, name: str) -> dict[str, Sequence[str]]:
    """Return a request with a wrong credential, in every protocol."""
    digest, signed = "0" * 64, json.dumps({"hostname": name, "addresses": ["127.0.0.1"]})
    post = json.dumps({"execution_mode": "set", "ddns_hostname": name, "validation_hash": digest})
    return {
        "dyndns2": ("-u", f"{name}:wrong", f"{url}/nic/update?hostname={name}&myip=127.0.0.1"),
        "dyndns2, password alone": (f"{url}/nic/update?hostname={name}&password=wrong",),
        "awslabs GET": (f"{url}/?mode=set&hostname={name}&hash={digest}",),
        "awslabs list": (f"{url}/?mode=list_hosts&hostname={name}&hash={digest}",),
        "awslabs POST": ("-d", post, "-H", "content-type: application/json", f"{url}/"),
        "ddupdate": (f"{url}/?fqdn={name}&zoneid=home.test&token={digest}",),
        "signed": ("-d", signed, "-H", signature("wrong", signed), f"{url}/v1/update"),
        "signed list": ("-d", f'{{"as":"{name}"}}', "-H", signature("wrong", "x"), f"{url}/v1/hosts"),
    }


@pytest.fixture(scope="module")
def known(server: Server) -> str:
    """A host that is there, with a token key, so that every protocol has something to verify."""
    server.ask_json("token", KNOWN)
    return server.add_host(KNOWN, "--allow-internal")


@pytest.mark.parametrize("protocol", list(wrong_requests("", KNOWN)))
def test_a_wrong_secret_and_an_unknown_name_get_the_same_bytes(server: Server, known: str, protocol: str) -> None:
    wrong = curl(server, *wrong_requests(server.url, KNOWN)[protocol])
    unknown = curl(server, *wrong_requests(server.url, UNKNOWN)[protocol])
    assert wrong == unknown
    assert "nobody" not in unknown
    assert server.dig(KNOWN) == []


def test_an_api_key_guards_the_awslabs_paths_and_leaves_routers_alone(tmp_path: Path) -> None:
    with serving(tmp_path, "--zone", "home.test", environment={"HOMING_API_KEY": "KEY123"}) as server:
        secret = server.add_host(KNOWN, "--allow-internal")
        for key in ((), ("-H", "x-api-key: WRONG"), ("-H", "x-api-key;")):
            told = curl(server, *key, f"{server.url}/prod?mode=get")
            assert told.startswith("HTTP/1.1 403")
            assert json.loads(told.splitlines()[-1]) == {"message": "Forbidden"}
        assert '"127.0.0.1"' in curl(server, "-H", "x-api-key: KEY123", f"{server.url}/prod?mode=get")
        assert "good 127.0.9.1" in curl(server, "-u", f"{KNOWN}:{secret}", f"{server.url}/nic/update?myip=127.0.9.1")


def test_an_api_key_for_all_paths_guards_all(tmp_path: Path) -> None:
    flags = ("--zone", "home.test", "--api-key-paths", "all")
    with serving(tmp_path, *flags, environment={"HOMING_API_KEY": "KEY123"}) as server:
        assert curl(server, f"{server.url}/nic/update").startswith("HTTP/1.1 403")
        assert curl(server, "-H", "x-api-key: KEY123", f"{server.url}/nic/update").startswith("HTTP/1.1 401")
        assert curl(server, f"{server.url}/healthz").startswith("HTTP/1.1 200")


@pytest.mark.parametrize(
    ("forwarded", "seen"),
    [
        (("203.0.113.7",), "203.0.113.7"),
        (("198.51.100.1, 203.0.113.7",), "203.0.113.7"),
        (("203.0.113.7, 127.0.0.2",), "203.0.113.7"),
        (("2001:db8::7",), "2001:db8::7"),
        (("::ffff:203.0.113.7",), "203.0.113.7"),
        ((), "127.0.0.1"),
    ],
)  # fmt: skip
def test_a_trusted_proxy_says_for_whom_it_speaks(proxied: Server, forwarded: Sequence[str], seen: str) -> None:
    headers = [word for value in forwarded for word in ("-H", f"X-Forwarded-For: {value}")]
    assert curl(proxied, *headers, f"{proxied.url}/ip").splitlines()[-1] == seen


def test_two_forwarding_headers_are_refused(proxied: Server) -> None:
    headers = ("-H", "X-Forwarded-For: 203.0.113.7", "-H", "X-Forwarded-For: 203.0.113.8")
    assert curl(proxied, *headers, f"{proxied.url}/ip").startswith("HTTP/1.1 400")


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that trusts proxies on loopback."""
    with serving(tmp_path_factory.mktemp("proxied"), "--zone", "home.test", "--trusted-proxies", "127.0.0.0/8") as one:
        yield one


def test_require_signed_makes_hosts_that_refuse_the_hash_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "homing.toml").write_text('require_signed = true\n[[zones]]\nname = "home.test"\n')
    with serving(tmp_path) as server:
        secret = server.add_host(KNOWN, "--allow-internal")
        assert {one["signed_only"] for one in server.ask_json("host", "show", KNOWN)} == {True}
        digest = hashlib.sha256(f"127.0.0.1{KNOWN}{secret}".encode()).hexdigest()
        told = curl(server, f"{server.url}/?mode=set&hostname={KNOWN}&hash={digest}")
        assert "Validation hashes do not match." in told
        body = json.dumps({"hostname": KNOWN, "addresses": ["127.0.9.2"]})
        assert '"updated"' in curl(server, "-d", body, "-H", signature(secret, body), f"{server.url}/v1/update")
        assert server.dig(KNOWN) == ["127.0.9.2"]


def test_a_signed_request_cannot_be_replayed_after_a_crash_either(tmp_path: Path) -> None:
    database = tmp_path / "homing.db"
    sent = []
    with serving(tmp_path, "--zone", "home.test", database=database) as server:
        secret = server.add_host(KNOWN, "--allow-internal")
        for address in ("127.0.9.6", "127.0.9.7"):
            body = json.dumps({"hostname": KNOWN, "addresses": [address]})
            sent.append(("-d", body, "-H", signature(secret, body)))
            assert '"updated"' in curl(server, *sent[-1], f"{server.url}/v1/update")
            time.sleep(0.002)  # the next one must be newer
        server.kill()
    with serving(tmp_path, "--zone", "home.test", database=database) as server:
        assert server.dig(KNOWN) == ["127.0.9.7"]
        assert curl(server, *sent[0], f"{server.url}/v1/update").startswith("HTTP/1.1 409")
        assert '"unchanged"' in curl(server, *sent[1], f"{server.url}/v1/update")
        assert server.dig(KNOWN) == ["127.0.9.7"]


def test_a_signature_far_from_the_servers_clock_is_told_the_time(server: Server, known: str) -> None:
    body = json.dumps({"hostname": KNOWN, "addresses": ["127.0.9.3"]})
    old = int(time.time() * 1000) - 301_000
    digest = hmac.new(known.encode(), f"{old}.{body}".encode(), hashlib.sha256).hexdigest()
    told = curl(server, "-d", body, "-H", f"Homing-Signature: t={old},v1={digest}", f"{server.url}/v1/update")
    answer = json.loads(told.splitlines()[-1])
    assert told.startswith("HTTP/1.1 409")
    assert abs(answer["server_time"] - time.time() * 1000) < 60_000


@pytest.mark.parametrize(
    "asked",
    [
        "/nic/update?hostname=known.home.test&password={}&myip=127.0.9.4",
        "/nic/update?hostname={}&myip={}",
        "/?mode=set&hostname={}&hash={}",
        "/?fqdn=known.home.test&zoneid=home.test&token={}",
        "/unknown?token={}",
        "/update/known/{}",
    ],
)
def test_no_secret_reaches_the_log(server: Server, known: str, asked: str) -> None:
    before = len(server.log.read_text())
    curl(server, server.url + asked.replace("{}", known))
    assert wait_for(lambda: " GET " in server.log.read_text()[before:])
    assert known not in server.log.read_text()[before:]


def test_no_password_of_a_header_reaches_the_log(server: Server, known: str) -> None:
    before = len(server.log.read_text())
    curl(server, "-u", f"{KNOWN}:{known}", f"{server.url}/nic/update?myip=127.0.9.5")
    curl(server, "-u", f"{known}:{known}", f"{server.url}/nic/update?myip=127.0.9.5")
    assert wait_for(lambda: server.log.read_text()[before:].count("/nic/update") == 2)
    assert known not in server.log.read_text()[before:]
