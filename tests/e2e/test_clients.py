"""Programs that people own, run as they run them, against a server on loopback. Each changes what dig answers."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import INTERNAL, Server, client, need, run, serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

# --- ddclient


def ddclient(folder: Path, configuration: str, *options: str, exit_code: int = 0) -> str:
    need("ddclient")
    file = folder / "ddclient.conf"
    file.write_text(configuration)
    file.chmod(0o600)
    cache = folder / "ddclient.cache"
    return client(folder, "ddclient", "-foreground", "-daemon=0", "-noquiet", "-verbose", "-file", file, "-cache",
                  cache, *options, exit_code=exit_code)  # fmt: skip


def test_ddclient_updates_two_hosts_of_one_account_and_then_says_unchanged(server: Server, tmp_path: Path) -> None:
    for name in ("dd1.home.test", "dd2.home.test"):
        server.add_host(name, INTERNAL)
    password = server.add_account("dd-two", "dd1.home.test", "dd2.home.test")
    configuration = f"""\
protocol=dyndns2
ssl=no
server={server.http[0]}
use=ip, ip=127.0.1.1
login=dd-two
password='{password}'
dd1.home.test,dd2.home.test
"""
    told = ddclient(tmp_path, configuration)
    assert "SUCCESS:  updating dd1.home.test: good: IP address set to 127.0.1.1" in told
    assert "SUCCESS:  updating dd2.home.test: good: IP address set to 127.0.1.1" in told
    assert server.dig("dd1.home.test") == server.dig("dd2.home.test") == ["127.0.1.1"]

    again = ddclient(tmp_path, configuration, "-force")
    assert again.count("nochg: No update required") == 2, again


def test_ddclient_finds_its_address_at_checkip(server: Server, tmp_path: Path) -> None:
    secret = server.add_host("ddweb.home.test", INTERNAL)
    told = ddclient(
        tmp_path,
        f"""\
protocol=dyndns2
ssl=no
server={server.http[0]}
use=web, web=http://{server.http[0]}/nic/checkip, web-skip='Current IP Address:'
login=ddweb.home.test
password='{secret}'
ddweb.home.test
""",
    )
    assert "SUCCESS:  updating ddweb.home.test: good: IP address set to 127.0.0.1" in told
    assert server.dig("ddweb.home.test") == ["127.0.0.1"]


def test_ddclient_tells_its_owner_of_a_wrong_password(server: Server, tmp_path: Path) -> None:
    server.add_host("ddbad.home.test", INTERNAL)
    file = f"""\
protocol=dyndns2
ssl=no
server={server.http[0]}
use=ip, ip=127.0.1.2
login=ddbad.home.test
password=wrong
ddbad.home.test
"""
    told = ddclient(tmp_path, file, exit_code=1)
    assert "FAILED:   updating ddbad.home.test: authorization failed" in told
    assert server.dig("ddbad.home.test") == []


def test_ddclient_over_tls_with_our_authority(tmp_path: Path) -> None:
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    flags = ("--https-listen", "127.0.0.1:0", "--tls-cert", str(tmp_path / "cert.pem"),
             "--tls-key", str(tmp_path / "key.pem"))  # fmt: skip
    with serving(tmp_path, "--zone", "home.test", *flags) as server:
        secret = server.add_host("ddtls.home.test", INTERNAL)
        told = ddclient(
            tmp_path,
            f"""\
protocol=dyndns2
ssl=yes
ssl_ca_file={tmp_path}/ca.pem
server={server.https[0]}
use=ip, ip=127.0.1.3
login=ddtls.home.test
password='{secret}'
ddtls.home.test
""",
        )
        assert "SUCCESS:  updating ddtls.home.test: good" in told
        assert server.dig("ddtls.home.test") == ["127.0.1.3"]


# --- curl, in every protocol


def test_curl_speaks_dyndns2(server: Server, name: str, tmp_path: Path) -> None:
    need("curl")
    secret = server.add_host(name, INTERNAL)
    url = f"{server.url}/nic/update?hostname={name}&myip=127.0.2.1"
    assert client(tmp_path, "curl", "-sS", "-u", f"{name}:{secret}", url) == "good 127.0.2.1\n"
    assert client(tmp_path, "curl", "-sS", "-u", f"{name}:{secret}", url) == "nochg 127.0.2.1\n"
    assert server.dig(name) == ["127.0.2.1"]


def test_curl_posts_a_form_as_leamas_ddupdate_does(server: Server, name: str, tmp_path: Path) -> None:
    need("curl")
    secret = server.add_host(name, INTERNAL)
    form = f"password={secret}&hostname={name}&myip=127.0.2.2"
    assert client(tmp_path, "curl", "-sS", "-d", form, f"{server.url}/nic/update") == "good 127.0.2.2\n"
    assert server.dig(name) == ["127.0.2.2"]


@pytest.mark.parametrize("path", ["/nic/update", "/v3/update", "/prod/nic/update"])
def test_curl_finds_dyndns2_at_every_path(server: Server, name: str, tmp_path: Path, path: str) -> None:
    need("curl")
    secret = server.add_host(name, INTERNAL)
    asked = f"{server.url}{path}?hostname={name}&myip=127.0.2.3"
    assert client(tmp_path, "curl", "-sS", "-u", f"{name}:{secret}", asked) == "good 127.0.2.3\n"


def test_curl_sends_a_ddupdate_token(server: Server, name: str, tmp_path: Path) -> None:
    need("curl")
    server.add_host(name, INTERNAL)
    made = server.ask_json("token", name)
    url = f"{server.url}/?fqdn={name}&token={made['token']}&zoneid={made['zoneid']}&ipv4=127.0.2.4"
    assert "updated 127.0.2.4" in client(tmp_path, "curl", "-sS", "--fail", url)
    assert "unchanged 127.0.2.4" in client(tmp_path, "curl", "-sS", "--fail", url)
    assert server.dig(name) == ["127.0.2.4"]


def test_curl_and_openssl_sign_a_request_that_cannot_be_replayed(server: Server, name: str, tmp_path: Path) -> None:
    need("curl", "openssl")
    secret = server.add_host(name, INTERNAL)

    def send(time_ms: int, address: str) -> tuple[int, dict[str, object]]:
        body = json.dumps({"hostname": name, "addresses": [address]})
        told = client(tmp_path, "openssl", "dgst", "-sha256", "-hmac", secret, stdin=f"{time_ms}.{body}")
        header = f"Homing-Signature: t={time_ms},v1={told.split()[-1]}"
        answer = client(
            tmp_path, "curl", "-sS", "-w", "\n%{http_code}", "-H", header, "-d", body, f"{server.url}/v1/update"
        )
        text, _, status = answer.rpartition("\n")
        return int(status), json.loads(text)

    now = int(time.time() * 1000)
    assert send(now, "127.0.2.5")[0] == 200
    assert send(now + 1, "127.0.2.6")[0] == 200
    assert server.dig(name) == ["127.0.2.6"]

    status, told = send(now, "127.0.2.5")  # the bytes of the first, again
    assert status == 409
    assert told["signed_at"] == now + 1
    assert server.dig(name) == ["127.0.2.6"]


@pytest.mark.parametrize("families", [("--type", "A"), ()], ids=["one-family", "both-families"])
def test_a_host_that_was_signed_once_refuses_the_replayable_hash(
    server: Server, name: str, tmp_path: Path, families: tuple[str, ...]
) -> None:
    need("curl")
    secret = server.add_host(name, INTERNAL, *families)
    now = int(time.time() * 1000)
    body = json.dumps({"hostname": name, "addresses": ["127.0.2.7"]})
    digest = hmac.new(secret.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
    url, header = f"{server.url}/v1/update", f"Homing-Signature: t={now},v1={digest}"
    client(tmp_path, "curl", "-sS", "--fail", "-H", header, "-d", body, url)

    legacy = hashlib.sha256(f"127.0.0.1{name}{secret}".encode()).hexdigest()
    for internal in ("", "&internalIp=fd00::27"):
        told = client(tmp_path, "curl", "-sS", f"{server.url}/?mode=set&hostname={name}&hash={legacy}{internal}")
        assert json.loads(told) == {"return_message": "Validation hashes do not match.", "return_status": "fail"}
    basic = client(tmp_path, "curl", "-sS", "-u", f"{name}:{secret}", f"{server.url}/nic/update?myip=127.0.2.8")
    assert basic == "good 127.0.2.8\n"


@pytest.mark.parametrize("path", ["/ip", "/myip", "/nic/checkip", "/checkip", "/?mode=get"])
def test_curl_hears_its_own_address(server: Server, tmp_path: Path, path: str) -> None:
    need("curl")
    assert "127.0.0.9" in client(tmp_path, "curl", "-sS", "--fail", "--interface", "127.0.0.9", server.url + path)


def test_curl_over_http_1_0_gets_a_complete_answer_and_an_end(server: Server, name: str, tmp_path: Path) -> None:
    need("curl")
    secret = server.add_host(name, INTERNAL)
    answer = client(tmp_path, "curl", "-sS", "-0", "-i", "-u", f"{name}:{secret}",
                    f"{server.url}/nic/update?hostname={name}&myip=127.0.2.9&")  # fmt: skip
    head, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    assert body == "good 127.0.2.9\n"
    assert "content-length: 15" in head.lower()
    assert "chunked" not in head.lower()


# --- wget


def test_gnu_wget_is_challenged_and_then_sends_its_credentials(server: Server, name: str, tmp_path: Path) -> None:
    need("wget")
    secret = server.add_host(name, INTERNAL)
    url = f"{server.url}/nic/update?hostname={name}&myip=127.0.3.1"
    told = client(tmp_path, "wget", "-O-", "--server-response", f"--user={name}", f"--password={secret}", url)
    assert "401 Unauthorized" in told
    assert "Authentication selected: Basic" in told
    assert "good 127.0.3.1" in told
    assert server.dig(name) == ["127.0.3.1"]


def test_gnu_wget_without_waiting_for_the_challenge(server: Server, name: str, tmp_path: Path) -> None:
    need("wget")
    secret = server.add_host(name, INTERNAL)
    url = f"{server.url}/nic/update?hostname={name}&myip=127.0.3.2"
    told = client(tmp_path, "wget", "-qO-", "--auth-no-challenge", f"--user={name}", f"--password={secret}", url)
    assert told == "good 127.0.3.2\n"


def test_gnu_wget_with_a_wrong_password_fails(server: Server, name: str, tmp_path: Path) -> None:
    need("wget")
    server.add_host(name, INTERNAL)
    url = f"{server.url}/nic/update?hostname={name}&myip=127.0.3.3"
    done = run(["wget", "-O-", f"--user={name}", "--password=wrong", url], tmp_path)
    assert done.returncode == 6, done.stderr  # authentication failure
    assert server.dig(name) == []


def test_busybox_wget_sends_credentials_at_once(server: Server, name: str, tmp_path: Path) -> None:
    need("busybox")
    secret = server.add_host(name, INTERNAL)
    url = f"http://{name}:{secret}@{server.http[0]}/nic/update?hostname={name}&myip=127.0.3.4"
    assert client(tmp_path, "busybox", "wget", "-qO-", url) == "good 127.0.3.4\n"
    assert server.dig(name) == ["127.0.3.4"]


# --- jq


def test_jq_reads_the_list_of_hosts(server: Server, name: str, tmp_path: Path) -> None:
    need("jq")
    server.add_host(name, "--comment", "a camera")
    listed = server.homing("host", "list", "--json").stdout
    program = f'.[] | select(.hostname == "{name}.") | [.record_type, .state, .comment] | @tsv'
    assert client(tmp_path, "jq", "-r", program, stdin=listed) == "A\tnever set\ta camera\nAAAA\tnever set\ta camera\n"
