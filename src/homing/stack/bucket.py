"""The bucket that CloudFormation reads the package and the template from: private, encrypted, and tidied by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.errors import Refused
from homing.stack.account import CallFailed

if TYPE_CHECKING:
    from homing.stack.account import Account

KEPT_DAYS = 400
"""An upload that no deployment has renewed for so long is deleted."""
_NOT_FOUND = ("404", "NoSuchBucket", "NoSuchKey", "NotFound")


def bucket_name(account: Account) -> str:
    """Return the name that is used unless another is asked for."""
    return f"homing-{account.id}-{account.region}"


def ensure_bucket(account: Account, name: str) -> bool:
    """Make the bucket where there is none; tell whether it was made. Raises Refused if it is somebody else's."""
    try:
        account.call("s3", "head_bucket", Bucket=name, ExpectedBucketOwner=account.id)
    except CallFailed as error:
        if error.code not in _NOT_FOUND:
            raise Refused(f"the bucket {name} cannot be used ({error.code}): name another with --bucket") from None
    else:
        return False
    place = {} if account.region == "us-east-1" else {"LocationConstraint": account.region}
    account.call("s3", "create_bucket", Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
    _make_private(account, name)
    return True


def _make_private(account: Account, name: str) -> None:
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    account.call(
        "s3", "put_public_access_block", Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True)
    )
    account.call(
        "s3",
        "put_bucket_encryption",
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    rule = {
        "ID": "old-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": KEPT_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    account.call("s3", "put_bucket_lifecycle_configuration", Bucket=name, LifecycleConfiguration={"Rules": [rule]})


def upload(account: Account, bucket: str, key: str, data: bytes) -> None:
    """Put an object whose name is made of its content; again, so that the tidying takes it for new."""
    account.call("s3", "put_object", Bucket=bucket, Key=key, Body=data, ExpectedBucketOwner=account.id)


def renew(account: Account, bucket: str, key: str) -> None:
    """Keep an object that is in use: a failed update goes back to it. One that is gone is left alone."""
    try:
        account.call(
            "s3",
            "copy_object",
            Bucket=bucket,
            Key=key,
            CopySource={"Bucket": bucket, "Key": key},
            MetadataDirective="REPLACE",
            ExpectedBucketOwner=account.id,
            ExpectedSourceBucketOwner=account.id,
        )
    except CallFailed as error:
        if error.code not in _NOT_FOUND:
            raise
