"""curl through every way into Lambda: the same protocols, the real source address, and AWS's own habits."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from local_aws.event_kinds import (
    ORIGIN_SECRET_HEADER,
    STAGE,
    VIEWER_HEADER,
    AwslabsMapping,
    CloudFront,
    EventKind,
    FunctionUrl,
    HttpApi,
    LoadBalancer,
    RestApi,
)
from local_aws.event_parts import REMAPPED

from tests.e2e.aws.conftest import UNPACED, Stacks, dig, fronted
from tests.e2e.programs import client, need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_aws.stack import LocalAws

pytestmark = pytest.mark.e2e

ORIGIN_SECRET = "origin-secret-of-this-test"
KINDS: dict[str, tuple[EventKind, str]] = {
    "function-url": (FunctionUrl(), ""),
    "http-api": (HttpApi(), ""),
    "http-api-stage": (HttpApi(stage=STAGE), f"/{STAGE}"),
    "rest-api": (RestApi(), f"/{STAGE}"),
    "alb": (LoadBalancer(), ""),
    "alb-multi": (LoadBalancer(multiple=True), ""),
    "cloudfront": (CloudFront(ORIGIN_SECRET), ""),
}


@pytest.fixture(scope="module")
def aws(stacks: Stacks) -> Iterator[LocalAws]:
    """One that has a CloudFront as well: it must not matter to the other ways in."""
    with stacks.running(origin_secret=ORIGIN_SECRET, variables=UNPACED) as running:
        yield running


def curl(folder: Path, *arguments: str) -> str:
    need("curl")
    return client(folder, "curl", "-sS", *arguments)


def legacy_hash(address: str, name: str, secret: str) -> str:
    return hashlib.sha256(f"{address}{name}{secret}".encode()).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_curl_speaks_dyndns2(aws: LocalAws, name: str, tmp_path: Path, kind: str) -> None:
    need("dig")
    secret = aws.add_host(f"{name}.", allow_internal=True)
    with fronted(aws, KINDS[kind][0]) as front:
        url = f"{front.url}{KINDS[kind][1]}/nic/update"
        login = ("-u", f"{name}:{secret}")
        assert curl(tmp_path, *login, f"{url}?hostname={name}&myip=127.0.5.1") == "good 127.0.5.1\n"
        assert dig(aws, name, tmp_path) == ["127.0.5.1"]
        assert curl(tmp_path, *login, f"{url}?hostname={name}&myip=127.0.5.1") == "nochg 127.0.5.1\n"
        form = f"hostname={name}&myip=127.0.5.2,fd00::52"
        assert curl(tmp_path, *login, "-d", form, url) == "good 127.0.5.2,fd00::52\n"
        assert dig(aws, name, tmp_path) == ["127.0.5.2"]
        assert dig(aws, name, tmp_path, "AAAA") == ["fd00::52"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_address_is_that_of_the_connection_whatever_headers_say(
    aws: LocalAws, name: str, tmp_path: Path, kind: str
) -> None:
    secret = aws.add_host(f"{name}.", allow_internal=True)
    lies = [word for header in ("X-Forwarded-For: 127.0.9.9", "Forwarded: for=127.0.9.9", "X-Real-IP: 127.0.9.9",
                                f"{VIEWER_HEADER}: 127.0.9.9", f"{ORIGIN_SECRET_HEADER}: a guess",
                                "True-Client-IP: 127.0.9.9")
            for word in ("-H", header)]  # fmt: skip
    with fronted(aws, KINDS[kind][0]) as front:
        url, source = front.url + KINDS[kind][1], ("--interface", "127.0.5.3")
        for path in ("/ip", "/myip", "/nic/checkip", "?mode=get"):
            told = curl(tmp_path, *source, *lies, url + path)
            assert "127.0.5.3" in told
            assert "127.0.9.9" not in told
        told = curl(tmp_path, *source, *lies, "-u", f"{name}:{secret}", f"{url}/nic/update?hostname={name}")
        assert told == "good 127.0.5.3\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_password_is_challenged_under_the_name_that_aws_leaves(
    aws: LocalAws, name: str, tmp_path: Path, kind: str
) -> None:
    aws.add_host(f"{name}.")
    with fronted(aws, KINDS[kind][0]) as front:
        told = curl(tmp_path, "-i", "-u", f"{name}:wrong", f"{front.url}{KINDS[kind][1]}/nic/update?hostname={name}")
    head, _, body = told.replace("\r\n", "\n").partition("\n\n")
    assert (" 401 " in head, body) == (True, "badauth\n")
    names = {line.partition(":")[0].lower() for line in head.splitlines()}
    renames = kind in ("function-url", "http-api", "http-api-stage", "rest-api")
    assert names & {"www-authenticate", REMAPPED.lower()} == {REMAPPED.lower() if renames else "www-authenticate"}


@pytest.mark.parametrize("kind", [*KINDS, "awslabs-mapping"])
def test_the_hash_api_by_get(aws: LocalAws, name: str, tmp_path: Path, kind: str) -> None:
    secret = aws.add_host(f"{name}.", allow_internal=True)
    chosen, stage = KINDS.get(kind, (AwslabsMapping(), f"/{STAGE}"))
    with fronted(aws, chosen) as front:
        url = f"{front.url}{stage}"
        source = ("--interface", "127.0.5.4")
        assert curl(tmp_path, *source, f"{url}?mode=get") == (
            '{"return_message": "127.0.5.4", "return_status": "success"}'
        )
        digest = legacy_hash("127.0.5.4", f"{name}.", secret)
        asked = f"{url}?mode=set&hostname={name}.&hash={digest}"
        told = json.loads(curl(tmp_path, *source, asked))
        assert told["return_message"] == f"Your hostname record {name}. has been set to 127.0.5.4"
        assert aws.dns.ask(name) == ["127.0.5.4"]
        told = json.loads(curl(tmp_path, *source, asked))
        assert told["return_message"] == "Your IP address matches the current Route53 DNS record."
        told = json.loads(curl(tmp_path, *source, f"{asked}&internalIp=127.0.5.5"))
        assert told["return_status"] == "success"
        assert aws.dns.ask(name) == ["127.0.5.5"]
        told = json.loads(curl(tmp_path, "--interface", "127.0.5.6", asked))
        assert told == {"return_message": "Validation hashes do not match.", "return_status": "fail"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_hash_api_by_post(aws: LocalAws, name: str, tmp_path: Path, kind: str) -> None:
    secret = aws.add_host(f"{name}.", allow_internal=True)
    with fronted(aws, KINDS[kind][0]) as front:
        body = {
            "execution_mode": "set",
            "ddns_hostname": name,
            "validation_hash": legacy_hash("127.0.0.1", name, secret),
        }
        asked = ("-w", ",%{http_code}", "-H", "content-type: application/json", "-d", json.dumps(body),
                 f"{front.url}{KINDS[kind][1]}/")  # fmt: skip
        text = json.dumps({"return_status": "success", "return_message": f"{name} has been updated to 127.0.0.1"})
        assert curl(tmp_path, *asked) == f"{text},201"
        assert curl(tmp_path, *asked).endswith(",200")
    assert aws.dns.ask(name) == ["127.0.0.1"]


def test_who_comes_past_cloudfront_is_not_believed(aws: LocalAws, tmp_path: Path) -> None:
    with fronted(aws, FunctionUrl()) as front:
        guess = ("-H", f"{VIEWER_HEADER}: 127.0.9.9", "-H", f"{ORIGIN_SECRET_HEADER}: {ORIGIN_SECRET}x")
        assert curl(tmp_path, *guess, f"{front.url}/ip") == "127.0.0.1\n"


@pytest.mark.parametrize("kind", ["function-url", "rest-api", "cloudfront"])
def test_curl_over_http_1_0_gets_a_complete_answer(aws: LocalAws, name: str, tmp_path: Path, kind: str) -> None:
    secret = aws.add_host(f"{name}.", allow_internal=True)
    with fronted(aws, KINDS[kind][0]) as front:
        told = curl(tmp_path, "-0", "-i", "-u", f"{name}:{secret}",
                    f"{front.url}{KINDS[kind][1]}/nic/update?hostname={name}&myip=127.0.5.7&")  # fmt: skip
    head, _, body = told.replace("\r\n", "\n").partition("\n\n")
    assert body == "good 127.0.5.7\n"
    assert "content-length: 15" in head.lower()
