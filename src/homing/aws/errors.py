"""What goes wrong in a call to AWS. No text here holds a secret, a signature or the contents of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.core.errors import HomingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THROTTLING_CODES = frozenset({
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("TooManyRequestsException", "RequestLimitExceeded", "ProvisionedThroughputExceededException", "SlowDown"),
})  # fmt: skip
"""Botocore's list (retries/standard.py), without what belongs to services that are not called here."""

_SIGNATURE_CODES = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException"})
_MAX_SHOWN = 2000


class AwsError(HomingError):
    """A call to AWS did not succeed."""


class NoAnswer(AwsError):
    """No verdict came: a timeout, a connection lost, or a reply that cannot be read.

    `may_have_arrived` is False only where AWS cannot have acted on the call: nothing of it, or not all, was sent.
    """

    def __init__(self, text: str, *, may_have_arrived: bool) -> None:
        super().__init__(text)
        self.may_have_arrived = may_have_arrived


class ServiceError(AwsError):
    """AWS answered, and refused.

    - `code`, `message`, `status`: AWS's own; the code is `HTTP <status>` where the reply names none.
    - `reasons`: CancellationReasons of a TransactionCanceledException, one for each item, in DynamoDB JSON.
    - `item`: the row that failed a condition, in DynamoDB JSON, where the call asked for it. May hold secrets.
    - `repeated`: an earlier sending of the same call may have been carried out, so that this refusal may be about our
      own success: read before deciding.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int,
        *,
        operation: str = "",
        reasons: Sequence[Mapping[str, Any]] = (),
        item: Mapping[str, Any] | None = None,
        repeated: bool = False,
    ) -> None:
        self.code = code
        self.message = _without_request(code, message)
        self.status = status
        self.operation = operation
        self.reasons = list(reasons)
        self.item = item
        self.repeated = repeated
        super().__init__(": ".join(part for part in (operation, code, self.message[:_MAX_SHOWN]) if part))

    @property
    def is_throttling(self) -> bool:
        """Tell whether AWS asks to go slower. It did nothing of the call then."""
        return self.code in THROTTLING_CODES or self.status == 429

    @property
    def may_have_happened(self) -> bool:
        """Tell whether AWS failed (5xx) in a way that leaves open whether the call was carried out."""
        return self.status >= 500 and not self.is_throttling


def _without_request(code: str, message: str) -> str:
    """Drop what AWS repeats of the request when a signature is wrong: it holds the session token."""
    return message.partition("\n")[0] if code in _SIGNATURE_CODES else message
