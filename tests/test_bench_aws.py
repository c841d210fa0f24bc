"""What Homing is measured beside is no straw man: the throw-away handler signs what it sends as botocore does."""

from __future__ import annotations

import datetime
from unittest import mock

import pytest
from bench.aws_handlers import CREDENTIALS
from bench.throwaway_handler import own_sigv4

AT = 1_795_240_000


@pytest.mark.parametrize("token", ["", "a-token"])
@pytest.mark.parametrize(("service", "path"), [("dynamodb", "/"), ("route53", "/2013-04-01/hostedzone/Z0BENCH/rrset/")])
def test_the_throw_away_handler_signs_as_botocore_does(
    monkeypatch: pytest.MonkeyPatch, token: str, service: str, path: str
) -> None:
    auth = pytest.importorskip("botocore.auth")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    for name, value in (CREDENTIALS | {"AWS_SESSION_TOKEN": token}).items():
        monkeypatch.setenv(name, value)
    given = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.GetItem"}
    ours = own_sigv4.sign("POST", "127.0.0.1:8000", path, given, b'{"a":1}', service, "eu-central-1", AT)
    request = AWSRequest("POST", f"http://127.0.0.1:8000{path}", headers=given, data=b'{"a":1}')
    theirs = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], token or None)
    moment = datetime.datetime.fromtimestamp(AT, datetime.UTC).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        auth.SigV4Auth(theirs, service, "eu-central-1").add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours.get("x-amz-security-token", "") == token
