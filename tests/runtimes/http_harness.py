"""A server in a thread of its own, and the bluntest possible client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from homing.protocols.http import Request, Response, text
from homing.runtimes.http_server import HttpLimits, HttpServer
from homing.web.routes import Blocking

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from homing.runtimes.http_connection import Parser

T = TypeVar("T")

PARSERS: tuple[Parser, ...] = ("h11", "httptools")
LIMITS = HttpLimits(
    header_timeout=0.5, body_timeout=0.5, idle_timeout=0.6, linger_timeout=0.2, stop_timeout=3.0, workers=4, backlog=2
)


@dataclass
class Echo:
    """Remembers every request; answers with what `reply` makes of it."""

    reply: Callable[[Request], Response | Callable[[], Response]] = lambda request: text(200, "good 203.0.113.7\n")
    requests: list[Request] = field(default_factory=list)

    def begin(self, request: Request) -> Response | Blocking:
        self.requests.append(request)
        reply = self.reply(request)
        return reply if isinstance(reply, Response) else Blocking(reply)


@dataclass
class Running:
    """A started server and the loop it runs in."""

    server: HttpServer
    loop: asyncio.AbstractEventLoop

    @property
    def port(self) -> int:
        return self.server.addresses[0].port

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float = 20) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def stop_soon(self) -> Any:
        return asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, data: bytes) -> bytes:
        """Send bytes, return all that comes until the server closes."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)


@contextlib.contextmanager
def serving(
    application: Any,
    *,
    limits: HttpLimits = LIMITS,
    parser: Parser = "auto",
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    **options: Any,
) -> Iterator[Running]:
    if parser == "httptools":
        pytest.importorskip("httptools")
    loop = loop_factory()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    options.setdefault("plain", [("127.0.0.1", 0)])
    running: Running | None = None
    try:
        running = Running(HttpServer(application, limits=limits, parser=parser, **options), loop)
        running.run(running.server.start())
        yield running
    finally:
        if running is not None:
            running.run(running.server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def limited(**changes: Any) -> HttpLimits:
    return replace(LIMITS, **changes)


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    return data


def read_answer(sock: socket.socket) -> bytes:
    """Read one answer by its Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(1)
        assert chunk, f"closed after {data!r}"
        data += chunk
    fields = dict(line.split(b": ", 1) for line in data.lower().split(b"\r\n")[1:-2])
    rest = int(fields[b"content-length"])
    while rest:
        chunk = sock.recv(rest)
        assert chunk
        data += chunk
        rest -= len(chunk)
    return data


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()
