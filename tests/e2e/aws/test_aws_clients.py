"""Programs that people own, against Lambda: ddclient, wget, inadyn, openssl and curl, each as it is run at home."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.event_kinds import STAGE, CloudFront, FunctionUrl, RestApi

from tests.e2e.aws.conftest import UNPACED, Stacks, dig, fronted, tls_context
from tests.e2e.aws.test_event_kinds import curl, legacy_hash
from tests.e2e.programs import client, need, run

if TYPE_CHECKING:
    from pathlib import Path

    from local_aws.stack import LocalAws

pytestmark = pytest.mark.e2e


# --- ddclient


def ddclient(folder: Path, configuration: str, *options: str) -> str:
    need("ddclient")
    file = folder / "ddclient.conf"
    file.write_text(configuration)
    file.chmod(0o600)
    return client(folder, "ddclient", "-foreground", "-daemon=0", "-noquiet", "-verbose", "-file", file, "-cache",
                  folder / "ddclient.cache", *options)  # fmt: skip


def test_ddclient_updates_two_hosts_of_one_account_over_https(aws: LocalAws, tmp_path: Path) -> None:
    context, authority = tls_context(tmp_path)
    for name in ("dd1.home.test.", "dd2.home.test."):
        aws.add_host(name, allow_internal=True)
    password = aws.add_account("dd-two", "dd1.home.test.", "dd2.home.test.")
    with fronted(aws, FunctionUrl(), tls=context) as front:
        server = front.url.partition("://")[2]
        configuration = f"""\
protocol=dyndns2
ssl=yes
ssl_ca_file={authority}
server={server}
use=ip, ip=127.0.6.1
login=dd-two
password='{password}'
dd1.home.test,dd2.home.test
"""
        told = ddclient(tmp_path, configuration)
        assert "SUCCESS:  updating dd1.home.test: good: IP address set to 127.0.6.1" in told
        assert "SUCCESS:  updating dd2.home.test: good: IP address set to 127.0.6.1" in told
        assert dig(aws, "dd1.home.test", tmp_path) == dig(aws, "dd2.home.test", tmp_path) == ["127.0.6.1"]
        again = ddclient(tmp_path, configuration, "-force")
        assert again.count("nochg: No update required") == 2, again


def test_ddclient_finds_its_address_at_checkip(aws: LocalAws, tmp_path: Path) -> None:
    secret = aws.add_host("ddweb.home.test.", allow_internal=True)
    with fronted(aws, RestApi()) as front:
        server = front.url.partition("://")[2]
        told = ddclient(
            tmp_path,
            f"""\
protocol=dyndns2
ssl=no
server={server}
script=/{STAGE}/nic/update
use=web, web=http://{server}/{STAGE}/nic/checkip, web-skip='Current IP Address:'
login=ddweb.home.test
password='{secret}'
ddweb.home.test
""",
        )
    assert "SUCCESS:  updating ddweb.home.test: good: IP address set to 127.0.0.1" in told
    assert dig(aws, "ddweb.home.test", tmp_path) == ["127.0.0.1"]


def test_inadyn_updates_and_takes_no_refusal_for_success(aws: LocalAws, name: str, tmp_path: Path) -> None:
    need("inadyn")
    secret = aws.add_host(f"{name}.", allow_internal=True)
    with fronted(aws, FunctionUrl()) as front:
        for hostname, ends_well in (("ok-good-true.home.test", False), (name, True)):
            file = tmp_path / "inadyn.conf"
            file.write_text(f"""\
verify-address = false
custom test {{
    ssl            = false
    username       = "{name}"
    password       = "{secret}"
    ddns-server    = "127.0.0.1:{front.port}"
    ddns-path      = "/nic/update?hostname=%h&myip=%i"
    hostname       = "{hostname}"
    checkip-command = "/bin/echo 127.0.6.8"
}}
""")
            file.chmod(0o600)
            line = ("inadyn", "-1", "-n", "-l", "debug", "--no-pidfile", "-f", file, "--cache-dir", tmp_path)
            done = run(line, tmp_path)
            assert (done.returncode == 0) is ends_well, done.stderr
    assert dig(aws, name, tmp_path) == ["127.0.6.8"]


# --- wget, which waits for a challenge that AWS renames


def test_gnu_wget_hears_no_challenge_and_needs_to_be_told_to_send_its_password(
    aws: LocalAws, name: str, tmp_path: Path
) -> None:
    need("wget")
    secret = aws.add_host(f"{name}.", allow_internal=True)
    with fronted(aws, FunctionUrl()) as front:
        url = f"{front.url}/nic/update?hostname={name}&myip=127.0.6.2"
        command = ("wget", "-qO-", f"--user={name}", f"--password={secret}", url)
        assert run(command, tmp_path).returncode != 0
        assert aws.dns.ask(name) == []
        assert client(tmp_path, *command, "--auth-no-challenge") == "good 127.0.6.2\n"


def test_cloudfront_gives_the_challenge_its_name_back_so_that_wget_works(stacks: Stacks, tmp_path: Path) -> None:
    need("wget")
    with stacks.running(origin_secret="s", variables=UNPACED) as aws, fronted(aws, CloudFront("s")) as front:
        secret = aws.add_host("w.home.test.", allow_internal=True)
        url = f"{front.url}/nic/update?hostname=w.home.test&myip=127.0.6.3"
        told = client(tmp_path, "wget", "-O-", "--user=w.home.test", f"--password={secret}", url)
        assert "good 127.0.6.3" in told


# --- ddupdate, signed requests, groups


def test_curl_sends_a_ddupdate_token_which_makes_its_host(stacks: Stacks, tmp_path: Path) -> None:
    variables = UNPACED | {"HOMING_TOKENS_CREATE_HOSTS": "true"}
    with stacks.running(variables=variables) as aws, fronted(aws, FunctionUrl()) as front:
        zones: Any = {zone_id: name for name, zone_id in aws.zone_ids.items()}
        zone_id, token = aws.administration.token("fresh.home.test.", zones, None)  # type: ignore[arg-type]  # a Name is text
        url = f"{front.url}/?fqdn=fresh.home.test&token={token}&zoneid={zone_id}"
        assert "updated 1.2.3.4" in curl(tmp_path, "--fail", f"{url}&ipv4=1.2.3.4")
        assert "unchanged 1.2.3.4" in curl(tmp_path, "--fail", f"{url}&ipv4=1.2.3.4")
        assert aws.dns.ask("fresh.home.test") == ["1.2.3.4"]
        refused = run(["curl", "-sS", "--fail", f"{url[:-1]}X&ipv4=1.2.3.5"], tmp_path)
        assert refused.returncode != 0
        assert aws.dns.ask("fresh.home.test") == ["1.2.3.4"]


def test_a_signed_request_that_is_sent_again_later_is_refused(aws: LocalAws, name: str, tmp_path: Path) -> None:
    need("openssl")
    secret = aws.add_host(f"{name}.", allow_internal=True)
    with fronted(aws, FunctionUrl()) as front:

        def send(time_ms: int, address: str) -> tuple[int, dict[str, object]]:
            body = json.dumps({"hostname": name, "addresses": [address]})
            told = client(tmp_path, "openssl", "dgst", "-sha256", "-hmac", secret, stdin=f"{time_ms}.{body}")
            header = f"Homing-Signature: t={time_ms},v1={told.split()[-1]}"
            text, _, status = curl(
                tmp_path, "-w", "\n%{http_code}", "-H", header, "-d", body, f"{front.url}/v1/update"
            ).rpartition("\n")
            return int(status), json.loads(text)

        now = int(time.time() * 1000)
        assert send(now, "127.0.6.5")[0] == 200
        assert send(now + 1, "127.0.6.6")[0] == 200
        assert send(now + 1, "127.0.6.6")[0] == 200
        status, told = send(now, "127.0.6.5")
        assert (status, told["signed_at"]) == (409, now + 1)
        assert dig(aws, name, tmp_path) == ["127.0.6.6"]

        digest = legacy_hash("127.0.0.1", name, secret)
        assert "do not match" in curl(tmp_path, f"{front.url}/?mode=set&hostname={name}&hash={digest}")


def test_list_hosts_tells_the_group_and_nobody_else(aws: LocalAws, tmp_path: Path) -> None:
    secret = aws.add_host("one.home.test.", group="g", mac_address="00:11:22:33:44:55")
    assert aws.add_host("two.home.test.", group="g", mac_address="00:11:22:33:44:66") == secret
    aws.add_host("other.home.test.", mac_address="00:11:22:33:44:77")
    with fronted(aws, RestApi()) as front:
        digest = legacy_hash("127.0.0.1", "one.home.test.", secret)
        told = json.loads(curl(tmp_path, f"{front.url}/{STAGE}?mode=list_hosts&hostname=one.home.test.&hash={digest}"))
    assert told["return_status"] == "success"
    listed = {(one["hostname"], one["record_type"], one["mac_address"]) for one in told["return_message"]}
    macs = {"one.home.test.": "00:11:22:33:44:55", "two.home.test.": "00:11:22:33:44:66"}
    assert listed == {(name, kind, mac) for name, mac in macs.items() for kind in ("A", "AAAA")}


# --- API keys


def test_a_key_is_demanded_by_the_gateway_or_by_the_function_on_the_awslabs_paths_alone(
    stacks: Stacks, tmp_path: Path
) -> None:
    with stacks.running(api_key="key-of-this-stack", variables=UNPACED) as aws:
        secret = aws.add_host("k.home.test.", allow_internal=True)
        for kind, stage, key in ((FunctionUrl(), "", None), (RestApi(), f"/{STAGE}", "key-of-this-stack")):
            with fronted(aws, kind, api_key=key) as front:
                url = front.url + stage
                for wrong in ((), ("-H", "x-api-key: wrong")):
                    told = curl(tmp_path, "-w", ",%{http_code}", *wrong, f"{url}?mode=get")
                    assert told.replace(" ", "") == '{"message":"Forbidden"},403'
                assert "127.0.0.1" in curl(tmp_path, "-H", "X-Api-Key: key-of-this-stack", f"{url}?mode=get")
                login = ("-u", f"k.home.test:{secret}")
                assert curl(tmp_path, *login, f"{url}/nic/update?myip=127.0.6.7").endswith(" 127.0.6.7\n")
        assert "key-of-this-stack" not in "\n".join(aws.update.lines)
