"""DynamoDB's JSON protocol: one call, signed, tried again within a time budget while that can help.

It knows nothing of tables or rows: operations and payloads are AWS's own, in DynamoDB JSON.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from homing.aws.budget import Budget, Deadline, full_jitter
from homing.aws.errors import NoAnswer, ServiceError
from homing.aws.signed_transport import SignedTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.aws.budget import Clock
    from homing.aws.sigv4 import Credentials
    from homing.aws.transport import Reply, Transport

BUDGET_SECONDS = 5.0
ATTEMPT_SECONDS = 2.0
"""The most that one attempt may take; a lost packet should not use up the budget."""

_TARGET = "DynamoDB_20120810."
_CONTENT_TYPE = "application/x-amz-json-1.0"
_RETRYABLE_CODES = frozenset({"TransactionInProgressException", "TransactionConflictException", "RequestTimeout"})
_RETRYABLE_REASONS = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict"})
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html, "Errors"."""


class DynamoDb:
    """Calls DynamoDB. May be used by several threads at once."""

    def __init__(
        self,
        transport: Transport,
        credentials: Callable[[], Credentials],
        region: str,
        clock: Clock,
        *,
        budget_seconds: float = BUDGET_SECONDS,
        attempt_seconds: float = ATTEMPT_SECONDS,
        deadline: Deadline | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float], float] = full_jitter,
    ) -> None:
        """`budget_seconds` is for one call with all its attempts and waits, and ends at the `deadline`.

        `jitter` draws from 0 to its argument.
        """
        self._transport = SignedTransport(transport, credentials, clock, service="dynamodb", region=region)
        self._clock = clock
        self._budget_seconds = budget_seconds
        self._attempt_seconds = attempt_seconds
        self._deadline = deadline or Deadline()
        self._sleep = sleep
        self._jitter = jitter

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to an operation such as "GetItem".

        Throttling, conflicts of transactions, 5xx and lost answers are tried again within the budget. Raises
        ServiceError, whose `repeated` tells that an earlier attempt may have been carried out, and NoAnswer, whose
        `may_have_arrived` tells it of any attempt.
        """
        body = json.dumps(payload, separators=(",", ":")).encode()
        budget = self.new_budget()
        repeated = False
        while True:
            try:
                return self._attempt(operation, body, budget)
            except NoAnswer as error:
                error.may_have_arrived = repeated = repeated or error.may_have_arrived
                if not budget.wait():
                    raise
            except ServiceError as error:
                error.repeated = error.repeated or repeated
                repeated = error.repeated or error.may_have_happened
                if not _is_retryable(error) or not budget.wait():
                    raise

    def new_budget(self) -> Budget:
        """Return the time that one call has; also for a caller who has to ask for what an answer left out."""
        seconds = self._deadline.shorten(self._budget_seconds, self._clock.now())
        return Budget(seconds, self._clock, self._sleep, self._jitter)

    def close(self) -> None:
        """Close the connections. The next call opens one anew."""
        self._transport.close()

    def _attempt(self, operation: str, body: bytes, budget: Budget) -> dict[str, Any]:
        headers = {"Content-Type": _CONTENT_TYPE, "X-Amz-Target": _TARGET + operation}
        timeout = min(self._attempt_seconds, budget.remaining())
        reply = self._transport.send("POST", "/", headers, body, timeout)
        if reply.status == 200:
            answer = _parse_object(reply.body)
            if answer is None:
                raise NoAnswer(f"{operation}: the answer is no JSON object", may_have_arrived=True)
            return answer
        raise _parse_error(operation, reply)


def _parse_error(operation: str, reply: Reply) -> ServiceError | NoAnswer:
    answer = _parse_object(reply.body) or {}
    code = str(answer.get("__type", "")).rpartition("#")[2]
    if not code and reply.status >= 500:
        return NoAnswer(f"{operation}: HTTP {reply.status} without a verdict", may_have_arrived=True)
    reasons = answer.get("CancellationReasons")
    item = answer.get("Item")
    return ServiceError(
        code or f"HTTP {reply.status}",
        str(answer.get("message") or answer.get("Message") or ""),
        reply.status,
        operation=operation,
        reasons=[one for one in reasons if isinstance(one, dict)] if isinstance(reasons, list) else (),
        item=item if isinstance(item, dict) else None,
        repeated=reply.repeated,
    )


def _parse_object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _is_retryable(error: ServiceError) -> bool:
    if error.code == "TransactionCanceledException":
        codes = {reason.get("Code", "None") for reason in error.reasons} - {"None"}
        return bool(codes) and codes <= _RETRYABLE_REASONS
    return error.is_throttling or error.status >= 500 or error.code in _RETRYABLE_CODES
