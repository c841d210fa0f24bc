"""A transport that signs what it sends: all that the clients of the services share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.aws.errors import NoAnswer
from homing.aws.sigv4 import sign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.aws.budget import Clock
    from homing.aws.sigv4 import Credentials
    from homing.aws.transport import Reply, Transport


class SignedTransport:
    """Signs each request with the credentials and the time of the moment, and sends it."""

    def __init__(
        self, transport: Transport, credentials: Callable[[], Credentials], clock: Clock, *, service: str, region: str
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._clock = clock
        self._service = service
        self._region = region

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        """Return the reply, whatever its status. Raises NoAnswer, and at once where `timeout` leaves no time."""
        if timeout <= 0:
            raise NoAnswer(f"{self._service}: no time was left for another call", may_have_arrived=False)
        signed = sign(
            self._credentials(),
            service=self._service,
            region=self._region,
            at=self._clock.now(),
            method=method,
            host=self._transport.host,
            target=target,
            headers=headers,
            body=body,
        )
        return self._transport.send(method, target, signed, body, timeout)

    def close(self) -> None:
        """Close what is kept open. The next call opens anew."""
        self._transport.close()
