"""Between ASGI and the application: a scope becomes a `Request`, a `Response` becomes ASGI messages.

What a request means is not known here. The application does not block in `begin`: it tells what the rest waits for, a
commit or a thread. When too many wait, the next is refused at once instead of queueing for ever.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from homing.protocols.http import Request, Response
from homing.runtimes.access_log import log_crash, log_request
from homing.web.routes import Blocking, Waiting

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from homing.core.addresses import Address
    from homing.runtimes.http_connection import ConnectionMixin
    from homing.runtimes.http_limits import HttpLimits

_log = logging.getLogger("homing.http")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT"})
_ALLOW = ", ".join(sorted(_METHODS))
_NO_STORE = (b"cache-control", b"no-store")
_CLOSE = (b"connection", b"close")
_INCOMPLETE = Response(0, b"", log={"outcome": "incomplete"})


class Application(Protocol):
    """What the server serves."""

    def begin(self, request: Request) -> Response | Blocking | Waiting:
        """Return the answer, or what the rest of it waits for. Never blocks for long."""


class _UnusableError(Exception):
    """The request cannot be given to the application."""

    def __init__(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        super().__init__(text)
        self.response = Response(status, text.encode() + b"\n", headers=headers, log={"outcome": text})


class _DisconnectedError(Exception):
    """The client went away, or was too slow, before its request was complete."""


def temporary_failure(outcome: str, retry_after: int) -> Response:
    """Return the one answer that no known client takes as final: 503 with `911`."""
    return Response(503, b"911\n", headers=(("retry-after", str(retry_after)),), log={"outcome": outcome, "path": "-"})


class Endpoint:
    """The ASGI application. `stopping` makes every further answer the last one on its connection."""

    def __init__(self, application: Application, limits: HttpLimits) -> None:
        self.stopping = False
        self._application = application
        self._limits = limits
        self._pending = 0
        self._max_pending = limits.workers + limits.backlog
        self._workers = ThreadPoolExecutor(limits.workers, thread_name_prefix="homing-commit")

    def close(self) -> None:
        """Let the worker threads end. What runs in them runs on; what waits for one is dropped unanswered."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and log it."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        connection: ConnectionMixin = scope["state"].pop("connection")
        path = "-"  # never what the client sent, until the application has said what of it may be logged
        try:
            request, has_body = self._parse(scope, connection.peer)
            if has_body:
                request = await self._with_body(request, receive)
            response = await self._answer(loop, request)
            path = request.path
            await self._send(connection, send, response)
        except _UnusableError as error:
            response = error.response
            if connection.is_reading(scope):
                connection.refuse(response)
            else:
                await self._send(connection, send, response, _CLOSE)
        except _DisconnectedError:
            response = _INCOMPLETE
        except asyncio.CancelledError:
            # `stop` waits no longer. The commit may or may not happen: "ask again" is true in both cases.
            response = temporary_failure("stopped", 5)
            await self._send(connection, send, response, _CLOSE)
        seconds = loop.time() - started
        log_request(
            connection.peer, scope["method"], path, status=response.status, seconds=seconds, outcome=response.log
        )

    def _parse(self, scope: Scope, peer: Address) -> tuple[Request, bool]:
        """Return the request without its body, and whether one follows. Raises _UnusableError."""
        method: str = scope["method"]
        headers = tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
        path = _path_of(scope)
        self._check_size(scope, headers)
        has_body = _expects_body(headers, self._limits.body_limit(path))
        if method not in _METHODS:
            raise _UnusableError(405, "method not allowed", ("allow", _ALLOW))
        query = scope["query_string"].decode("latin-1")
        return Request("GET" if method == "HEAD" else method, path, query, headers, b"", peer), has_body

    def _check_size(self, scope: Scope, headers: tuple[tuple[str, str], ...]) -> None:
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum([len(name) + len(value) + 4 for name, value in headers])
        if size > self._limits.header_bytes:
            raise _UnusableError(431, "request header fields too large")

    async def _with_body(self, request: Request, receive: Receive) -> Request:
        """Return the request with its body. Raises _UnusableError (too long), _DisconnectedError (does not come)."""
        limit = self._limits.body_limit(request.path)
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise _DisconnectedError
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > limit:
                raise _UnusableError(413, "content too large")
        return Request(request.method, request.path, request.query, request.headers, body, request.peer)

    async def _answer(self, loop: asyncio.AbstractEventLoop, request: Request) -> Response:
        """Return the application's answer, whatever happens to it."""
        try:
            answer = self._application.begin(request)
            return answer if isinstance(answer, Response) else await self._rest(loop, answer)
        except Exception as error:
            log_crash(_log, "the application failed", error)
            return temporary_failure("crashed", 30)

    async def _rest(self, loop: asyncio.AbstractEventLoop, answer: Response | Blocking | Waiting) -> Response:
        if self._pending >= self._max_pending:
            return temporary_failure("overloaded", 5)
        self._pending += 1
        try:
            while isinstance(answer, Waiting):
                done = asyncio.wrap_future(answer.done)
                await asyncio.wait((done,))
                done.exception()  # `proceed` looks at it; asyncio would complain that nobody did
                answer = answer.proceed()
            if isinstance(answer, Blocking):
                return await loop.run_in_executor(self._workers, answer.run)
            return answer
        finally:
            self._pending -= 1

    async def _send(
        self, connection: ConnectionMixin, send: Send, response: Response, *headers: tuple[bytes, bytes]
    ) -> None:
        body = response.body
        head = [
            (b"content-type", response.content_type.encode("latin-1")),
            (b"content-length", b"%d" % len(body)),
            *headers,
        ]
        if not any(name == "cache-control" for name, _ in response.headers):
            head.append(_NO_STORE)
        if response.headers:
            head += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        if self.stopping and not headers:
            head.append(_CLOSE)
        connection.answers.hold()
        try:
            await send({"type": "http.response.start", "status": response.status, "headers": head})
            await send({"type": "http.response.body", "body": body})
        finally:
            connection.answers.flush()


def _path_of(scope: Scope) -> str:
    """Return the path, also of an absolute target (RFC 9112 section 3.2.2), which h11 leaves whole."""
    path: str = scope["path"]
    if path.startswith("/"):
        return path
    if path.lower().startswith(("http://", "https://")):
        return urlsplit(path).path or "/"
    raise _UnusableError(400, "bad request")


def _expects_body(headers: tuple[tuple[str, str], ...], limit: int) -> bool:
    """Tell whether a body follows (RFC 9112 section 6.3). Raises _UnusableError: too long, or of unsure length."""
    names = [name for name, _ in headers]
    chunked = "transfer-encoding" in names
    if "content-length" not in names:
        return chunked
    if chunked or names.count("content-length") > 1:
        raise _UnusableError(400, "bad request")  # whoever reads the other one sees another request: smuggling
    length = int(headers[names.index("content-length")][1])
    if length > limit:
        raise _UnusableError(413, "content too large")
    return length > 0
