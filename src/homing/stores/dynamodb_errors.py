"""What a failed call to DynamoDB means for a store, in words for the log. No secret: AWS repeats requests at times."""

from __future__ import annotations

from homing.aws.errors import AwsError, ServiceError
from homing.core.errors import Conflict, StoreError, StoreUnavailable

MOVED = ("ConditionalCheckFailed", "TransactionConflict")
"""Codes of CancellationReasons; as a code of a call they end in "Exception"."""

_HINTS = {
    "ResourceNotFoundException": "is it the right table name, region and account?",
    "AccessDeniedException": "do the rights of the role cover this, and the table's indexes?",
    "ValidationException": "has the table the hash key hostname and the range key record_type, and its indexes?",
    "UnrecognizedClientException": "are the AWS credentials those of this account and region?",
    "InvalidSignatureException": "are the AWS credentials right, and the clock?",
    "ExpiredTokenException": "the AWS credentials have run out: get new ones",
}
_THROTTLED = "its capacity is used up: raise it, or bill the table on demand"
_MAX_CHARACTERS = 300


def to_store_error(table: str, error: AwsError) -> StoreError:
    """Return Conflict where a row has moved, or is just being moved; else StoreUnavailable, which says what to do."""
    if not isinstance(error, ServiceError):
        return StoreUnavailable(f"table {table}: no answer from DynamoDB: {_shown(str(error))}")
    reasons = [str(reason.get("Code")) for reason in error.reasons]
    if any(code in MOVED for code in reasons) or error.code.removesuffix("Exception") in MOVED:
        return Conflict(f"table {table}: a row has moved")
    text = "; ".join(_shown(part) for part in (error.message, *_explanations(error)) if part)
    return StoreUnavailable(f"table {table}: {error.code}: {text}")


def _explanations(error: ServiceError) -> list[str]:
    """Return why a transaction was cancelled, and what may be done."""
    codes = {str(reason["Code"]) for reason in error.reasons if reason.get("Code") not in (None, "None")}
    hint = _THROTTLED if error.is_throttling else _HINTS.get(error.code, "")
    return [*sorted(codes), hint]


def _shown(text: str) -> str:
    """Keep the first line: what AWS repeats of a request, headers and token too, stands below it."""
    return text.strip().partition("\n")[0][:_MAX_CHARACTERS]
