"""What goes wrong with AWS is told in one line with what to do, and only what is worth it may be tried again."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    UnauthorizedSSOTokenError,
)

from homing.core.errors import Refused, StoreUnavailable
from homing.stack.account import Account, CallFailed, open_account, told_plainly
from tests.stack.conftest import NUMBER, REGION


def test_who_and_where_we_are(account: Account) -> None:
    assert (account.id, account.region, account.partition) == (NUMBER, REGION, "aws")
    assert account.identity["Arn"].startswith("arn:aws:sts::")


def test_without_credentials_it_says_how_to_get_some(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            context.delenv(name, raising=False)
        with pytest.raises(Refused, match=r"no AWS credentials: run `aws configure`"):
            open_account(REGION)


def test_without_a_region_it_says_how_to_name_one(aws: None) -> None:
    with pytest.raises(Refused, match=r"no AWS region is named: --region"):
        open_account()


def test_a_profile_that_is_not_there_is_refused(aws: None) -> None:
    with pytest.raises(Refused, match=r"nobody.*list-profiles"):
        open_account(REGION, "nobody")


@pytest.mark.parametrize(
    ("code", "message", "kind", "words"),
    [
        ("Throttling", "Rate exceeded", StoreUnavailable, "go slower"),
        ("ThrottlingException", "", StoreUnavailable, "go slower"),
        ("Whatever", "Rate exceeded", StoreUnavailable, "go slower"),
        ("InternalFailure", "oops", StoreUnavailable, "try again"),
        ("AccessDenied", "User: arn:x is not authorized", CallFailed, "may not do cloudformation:.*: User"),
        ("AccessDeniedException", "", CallFailed, "may not do"),
        ("ExpiredToken", "old", CallFailed, "aws sso login"),
        ("InvalidClientTokenId", "bad", CallFailed, "does not accept these credentials"),
        ("ValidationError", "Stack x\nis odd", CallFailed, "describe_stacks: Stack x"),
    ],
)  # fmt: skip
def test_an_error_of_aws_says_what_to_do(
    account: Account, cloudformation: Any, code: str, message: str, kind: type[Exception], words: str
) -> None:
    cloudformation.add_client_error("describe_stacks", code, message)
    with pytest.raises(kind, match=words) as caught:
        account.call("cloudformation", "describe_stacks")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    if isinstance(caught.value, CallFailed):
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="https://x"), StoreUnavailable),
        (ReadTimeoutError(endpoint_url="https://x"), StoreUnavailable),
        (NoCredentialsError(), Refused),
        (UnauthorizedSSOTokenError(), Refused),
    ],
)
def test_no_answer_may_be_tried_again_and_no_credentials_may_not(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind), told_plainly("x:y"):
        raise error


def test_credentials_are_asked_for_each_time(account: Account) -> None:
    found = account.frozen_credentials()
    assert found.access_key
    assert found.secret_key
