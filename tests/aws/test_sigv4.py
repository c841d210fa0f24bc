"""Signatures, with botocore's own signer as the oracle."""

from __future__ import annotations

import datetime
import re
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from homing.aws.sigv4 import Credentials, credentials_from, quote, render_query, sign
from homing.core.errors import InvalidSettings

VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))
texts = st.text(max_size=12)
keys = st.text(alphabet=VISIBLE, min_size=1, max_size=40)
header_values = st.text(alphabet=VISIBLE + " ", min_size=1, max_size=30)
segments = st.text(min_size=1, max_size=8).filter(lambda text: text not in (".", "..")).map(quote)
times = st.floats(min_value=0, max_value=4_000_000_000)


def their_signature(
    credentials: Credentials,
    service: str,
    region: str,
    at: float,
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
) -> str:
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    moment = datetime.datetime.fromtimestamp(int(at), datetime.UTC)
    theirs = TheirCredentials(credentials.access_key, credentials.secret_key, credentials.token)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment.replace(tzinfo=None)):
        SigV4Auth(theirs, service, region).add_auth(request)
    return str(request.headers["Authorization"])


@given(
    access=keys,
    secret=keys,
    token=st.none() | keys,
    service=st.sampled_from(["dynamodb", "route53", "sns"]),
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-northwest-1"]),
    at=times,
    method=st.sampled_from(["GET", "POST"]),
    host=st.sampled_from(["route53.amazonaws.com", "127.0.0.1:8000", "localhost:4566"]),
    path=st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    query=st.lists(st.tuples(texts, texts), max_size=4),
    headers=st.dictionaries(st.sampled_from(["Content-Type", "X-Amz-Target", "X-Amz-Meta"]), header_values),
    body=st.binary(max_size=64),
)
@example("a", "s", None, "sns", "us-east-1", 0.0, "GET", "h", "/", [("a", "1"), ("a-b", "1")], {}, b"")
@example("a", "s", "t", "sns", "us-east-1", 0.9, "GET", "h", "/%2A", [("a", ""), ("a", "*"), ("", "")], {}, b"")
@example("a", "s", "", "sns", "us-east-1", 0.0, "POST", "h", "/", [], {"X-Amz-Meta": "  a   b  "}, b"")
def test_the_signature_is_that_of_botocore(
    access: str,
    secret: str,
    token: str | None,
    service: str,
    region: str,
    at: float,
    method: str,
    host: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
) -> None:
    credentials = Credentials(access, secret, token)
    target = f"{path}?{render_query(query)}" if query else path
    signed = sign(
        credentials,
        service=service,
        region=region,
        at=at,
        method=method,
        host=host,
        target=target,
        headers=headers,
        body=body,
    )
    expected = their_signature(credentials, service, region, at, method, f"https://{host}{target}", headers, body)
    assert signed["Authorization"] == expected
    assert signed["Host"] == host
    assert signed.get("X-Amz-Security-Token") == (token or None)


@given(st.lists(st.tuples(texts, texts), max_size=5), st.randoms())
def test_the_order_of_a_query_does_not_matter_to_its_signature(query: list[tuple[str, str]], random: object) -> None:
    shuffled = sorted(query, key=lambda _: random.random())  # type: ignore[attr-defined] # hypothesis's Random
    assert render_query(query) == render_query(shuffled)
    as_given = "&".join(f"{quote(name)}={quote(value)}" for name, value in shuffled)
    assert signature(target="/?" + as_given) == signature(target="/?" + render_query(query))


def signature(
    *,
    secret: str = "k",
    at: float = 1.0,
    region: str = "r-1",
    service: str = "s",
    method: str = "GET",
    host: str = "h",
    target: str = "/",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> str:
    signed = sign(
        Credentials("a", secret),
        service=service,
        region=region,
        at=at,
        method=method,
        host=host,
        target=target,
        headers=headers or {},
        body=body,
    )
    return signed["Authorization"].rpartition("=")[2]


def test_everything_that_is_sent_is_in_the_signature() -> None:
    different = [
        signature(),
        signature(secret="l"),
        signature(at=2.0),
        signature(at=86_401.0),
        signature(region="r-2"),
        signature(service="t"),
        signature(method="POST"),
        signature(host="i"),
        signature(target="/a"),
        signature(target="/?a=b"),
        signature(headers={"X-Amz-Target": "t"}),
        signature(body=b"b"),
    ]
    assert len(set(different)) == len(different)
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in different)


def test_credentials_come_from_the_environment_that_lambda_gives() -> None:
    environment = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "k/+=", "AWS_SESSION_TOKEN": "t=="}
    assert credentials_from(environment) == Credentials("AKID", "k/+=", "t==")
    assert credentials_from(environment | {"AWS_SESSION_TOKEN": ""}).token is None


def test_a_secret_is_in_no_repr() -> None:
    assert repr(Credentials("AKID", "hush", "hush")) == "Credentials(access_key='AKID')"


@pytest.mark.parametrize("bad", ["hush\n", "hu sh", "hush\x00", "hüsh"])
@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_credentials_that_no_header_can_hold_are_refused_without_being_shown(name: str, bad: str) -> None:
    environment = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "k", "AWS_SESSION_TOKEN": "t", name: bad}
    with pytest.raises(InvalidSettings, match=name) as caught:
        credentials_from(environment)
    assert "sh" not in str(caught.value).replace(name, "").replace("that no header may hold", "")


def test_missing_credentials_are_all_named_at_once() -> None:
    with pytest.raises(InvalidSettings) as caught:
        credentials_from({})
    assert caught.value.problems == ("AWS_ACCESS_KEY_ID is not set", "AWS_SECRET_ACCESS_KEY is not set")
