"""The bucket is made private where it is missing, left alone where it is there, and nobody else's is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from homing.core.errors import Refused
from homing.stack.account import open_account
from homing.stack.bucket import bucket_name, ensure_bucket, renew, upload
from tests.stack.conftest import NUMBER, REGION

if TYPE_CHECKING:
    from homing.stack.account import Account

NAME = f"homing-{NUMBER}-{REGION}"


def test_a_missing_bucket_is_made_private_encrypted_and_tidied(account: Account) -> None:
    assert bucket_name(account) == NAME
    assert ensure_bucket(account, NAME)
    s3 = account.client("s3")
    blocked = s3.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    assert len(blocked) == 4
    rules = s3.get_bucket_encryption(Bucket=NAME)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
    assert (rule["Status"], rule["Expiration"]["Days"]) == ("Enabled", 400)
    assert s3.get_bucket_location(Bucket=NAME)["LocationConstraint"] == REGION


def test_one_that_is_there_is_left_as_it_is(account: Account) -> None:
    place = {"LocationConstraint": REGION}
    account.client("s3").create_bucket(Bucket="mine", CreateBucketConfiguration=place)
    assert not ensure_bucket(account, "mine")
    with pytest.raises(account.client("s3").exceptions.ClientError):
        account.client("s3").get_bucket_lifecycle_configuration(Bucket="mine")


def test_the_first_region_of_aws_takes_no_constraint(aws: None) -> None:
    account = open_account("us-east-1")
    assert ensure_bucket(account, bucket_name(account))


def test_a_bucket_of_somebody_else_is_not_used(account: Account) -> None:
    _ = account.id
    with Stubber(account.client("s3")) as stubber:
        stubber.add_client_error("head_bucket", "403", "Forbidden", 403)
        with pytest.raises(Refused, match=r"cannot be used \(403\): name another with --bucket"):
            ensure_bucket(account, NAME)


def test_nothing_is_read_from_or_written_to_a_bucket_that_changed_hands(account: Account) -> None:
    """Its name can be guessed: whoever has it later must not get our packages, nor hand us theirs."""
    asked: list[dict[str, Any]] = []
    account.client("s3").meta.events.register(
        "before-parameter-build.s3", lambda params, model, **_: asked.append({"call": model.name} | params)
    )
    ensure_bucket(account, NAME)
    upload(account, NAME, "packages/a.zip", b"zip")
    renew(account, NAME, "packages/a.zip")
    used = [one for one in asked if one["call"] in ("HeadBucket", "PutObject", "CopyObject")]
    assert [one["ExpectedBucketOwner"] for one in used] == [NUMBER] * 3
    assert used[-1]["ExpectedSourceBucketOwner"] == NUMBER


def test_what_is_in_use_is_renewed_and_what_is_gone_is_not_missed(account: Account) -> None:
    ensure_bucket(account, NAME)
    upload(account, NAME, "packages/a.zip", b"zip")
    renew(account, NAME, "packages/a.zip")
    renew(account, NAME, "packages/gone.zip")
    assert account.client("s3").get_object(Bucket=NAME, Key="packages/a.zip")["Body"].read() == b"zip"
