"""One HTTP connection: uvicorn's protocols, with the deadlines and the size limit that they lack.

uvicorn waits for ever for a request that has begun. Here every phase has a deadline: the header block, the body, the
silence between requests. Works alike over h11 (pure Python) and httptools (compiled).
"""

from __future__ import annotations

import importlib.util
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, Protocol

from uvicorn.protocols.http.h11_impl import H11Protocol

from homing.protocols.http import text
from homing.runtimes.access_log import log_request
from homing.runtimes.http_writing import WholeAnswers

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from starlette.types import Scope
    from uvicorn.config import Config
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.server import ServerState

    from homing.core.addresses import Address
    from homing.protocols.http import Response
    from homing.runtimes.http_limits import HttpLimits

    _Uvicorn = H11Protocol
else:
    _Uvicorn = object

Parser = Literal["auto", "h11", "httptools"]

STOP_GRACE = 1.0
"""How long a connection that has not yet sent its request is still heard after `stop`, in seconds."""

_MAX_FRAMING = 8  # times the longest body: what it may grow to in chunks, with extensions and trailers

_UPGRADE = re.compile(rb"(?i)\r\nupgrade:[^\r\n]*(?=\r\n|\Z)")

_NOTHING_WAITED_FOR, _HEADERS, _BODY = range(3)


class Cycle(Protocol):
    """What the code below needs of uvicorn's request in progress, which each parser has a class of its own for."""

    keep_alive: bool
    more_body: bool
    response_started: bool
    response_complete: bool
    message_event: asyncio.Event


class ConnectionMixin(_Uvicorn):
    """What h11's and httptools' connection have in common here. `release` is called once, when it is lost."""

    limits: HttpLimits
    peer: Address
    cycle: Any
    flow: FlowControl
    answers: WholeAnswers
    """The transport, as uvicorn sees it."""

    def __init__(
        self, config: Config, state: ServerState, limits: HttpLimits, peer: Address, release: Callable[[], None]
    ) -> None:
        super().__init__(config, state, {"connection": self})
        self.limits = limits
        self.peer = peer
        self._release = release
        self._deadline: asyncio.TimerHandle | None = None
        self._waiting_for = _NOTHING_WAITED_FOR
        self._header_bytes = 0
        self._body_bytes = 0
        self._lingering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.answers = WholeAnswers(transport)
        self.transport = self.answers  # type: ignore[assignment] # it passes on all that it does not do itself
        self._wait_for(_HEADERS, self.limits.header_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place of this connection back."""
        self._disarm()
        self._unset_keepalive_if_required()
        self._release()
        super().connection_lost(exc)
        self.app_state = {}  # it refers to this object: without the circle the memory is free at once

    def data_received(self, data: bytes) -> None:
        """Parse, then see what is still waited for."""
        if self._lingering:
            return
        super().data_received(data)
        cycle: Cycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self._count_header(len(data))
        elif cycle.more_body:
            self._count_body(len(data))
        else:
            self._header_bytes = self._body_bytes = 0
            if self._waiting_for:
                self._disarm()

    def eof_received(self) -> bool | None:  # type: ignore[override] # uvicorn's returns nothing
        """Answer a client that closes its half once the request is out, as `nc` does; TLS has no half."""
        cycle: Cycle | None = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body or self.scheme == "https":
            return None
        cycle.keep_alive = False
        return True

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse what the parser does not take. Requests before it on the connection are answered first."""
        cycle: Cycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or not cycle.more_body:
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            if getattr(self, "pipeline", None):
                self.transport.abort()
                return
        self._refuse_unread(HTTPStatus.BAD_REQUEST, "malformed")

    def shutdown(self) -> None:
        """Finish what was asked, then close. A client that has just connected is still heard for a moment."""
        cycle: Cycle | None = self.cycle
        is_idle = cycle is None or cycle.response_complete
        if self._lingering:
            self.transport.close()
        elif is_idle and (cycle is None or self._header_bytes):
            self._wait_for(_HEADERS, min(STOP_GRACE, self.limits.header_timeout), again=True)
        else:
            super().shutdown()

    def is_reading(self, scope: Scope) -> bool:
        """Tell whether more of that request's body is to come."""
        return bool(self.cycle.scope is scope and self.cycle.more_body)

    def refuse(self, response: Response) -> None:
        """Answer at once, whatever of the request is still to come, and close. Not logged here."""
        cycle: Cycle | None = self.cycle
        if self.transport.is_closing() or self._lingering:
            return
        if cycle is not None and not cycle.response_complete:
            cycle.response_started = cycle.response_complete = True
            cycle.message_event.set()
        self.transport.write(_render_refusal(response))
        self._linger()

    def _refuse_unread(self, status: HTTPStatus, outcome: str) -> None:
        self.refuse(text(status, f"{status.phrase.lower()}\n"))
        log_request(self.peer, "-", "-", status=status, seconds=0.0, outcome={"outcome": outcome})

    def _linger(self) -> None:
        # Closing with unread data makes TCP send a reset, which may overtake the answer (RFC 9112 section 9.6).
        self._lingering = True
        self.answers.flush()
        self._unset_keepalive_if_required()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._wait_for(_HEADERS, self.limits.linger_timeout, again=True)

    def _count_header(self, received: int) -> None:
        """Limit a header block that is not yet complete; the endpoint measures the complete ones."""
        if self.transport.is_closing() or self._lingering:
            return
        self._header_bytes += received
        if self._header_bytes > self.limits.header_bytes:
            self._refuse_unread(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "malformed")
        else:
            self._wait_for(_HEADERS, self.limits.header_timeout)

    def _count_body(self, received: int) -> None:
        """Limit what comes instead of a body, chunk headers and trailers; the endpoint counts the body itself."""
        self._header_bytes = 0
        self._body_bytes += received
        if self._body_bytes > _MAX_FRAMING * self.limits.signed_body_bytes:
            self._refuse_unread(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "malformed")
        else:
            self._wait_for(_BODY, self.limits.body_timeout)

    def _wait_for(self, phase: int, seconds: float, *, again: bool = False) -> None:
        """Start the deadline of a phase; one that runs already is kept, or a byte a second would extend it."""
        if self._waiting_for == phase and not again:
            return
        self._disarm()
        self._waiting_for = phase
        self._deadline = self.loop.call_later(seconds, self._too_late)

    def _disarm(self) -> None:
        self._waiting_for = _NOTHING_WAITED_FOR
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        # No 408: some clients stop for good at any 4xx, while all of them try again after a lost connection.
        if self._lingering:
            self.transport.close()
        else:
            self.transport.abort()


class H11Connection(ConnectionMixin, H11Protocol):
    """Over h11, which is always there."""

    def on_response_complete(self) -> None:
        """Go on with what was sent meanwhile, which h11 parses only now."""
        super().on_response_complete()
        if self.cycle.more_body and not self.cycle.response_complete:
            self._wait_for(_BODY, self.limits.body_timeout)


def find_connection_class(parser: Parser) -> type[ConnectionMixin]:
    """Return the class for `parser`: "auto" is httptools where it is installed. Raises ImportError if it is not."""
    if parser == "h11" or (parser == "auto" and importlib.util.find_spec("httptools") is None):
        return H11Connection
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class HttpToolsConnection(_HttpToolsMixin, HttpToolsProtocol):  # type: ignore[misc] # H11Protocol in name
        """Over httptools, several times as fast."""

    return HttpToolsConnection


class _HttpToolsMixin(ConnectionMixin):
    """Keeps httptools from stopping at an upgrade (to h2c, say) that is not made here: it would drop the body."""

    def data_received(self, data: bytes) -> None:
        """Parse without the Upgrade field, which a server may ignore (RFC 9110 section 7.8)."""
        if b"pgrade:" in data and (self.cycle is None or self.cycle.response_complete):
            head, end, rest = data.partition(b"\r\n\r\n")
            data = _UPGRADE.sub(b"", head) + end + rest
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Keep the trailers, which httptools adds to the same list, from the header that the application sees."""
        super().on_headers_complete()  # type: ignore[misc] # HttpToolsProtocol's
        self.headers = []

    def _unsupported_upgrade_warning(self) -> None:
        # The field came in pieces. Without a body the request is whole; with one it is not, and nothing is done.
        self.cycle.keep_alive = False
        if any(name in {b"content-length", b"transfer-encoding"} for name, _ in self.scope["headers"]):
            self.cycle.more_body = True
            self._refuse_unread(HTTPStatus.BAD_REQUEST, "malformed")


def _render_refusal(response: Response) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"content-type: {response.content_type}",
        f"content-length: {len(response.body)}",
        "cache-control: no-store",
        *(f"{name}: {value}" for name, value in response.headers),
        "connection: close",
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + response.body
