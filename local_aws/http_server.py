"""A threading HTTP server on loopback for small emulators: answers leave in one write, and nothing waits for an ACK.

It keeps connections, takes chunked bodies, and ends with every thread that it started. No routes here.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

LOOPBACK = "127.0.0.1"
MAX_BODY = 6 * 1024 * 1024
"""What Lambda takes of one event."""
_IDLE_SECONDS = 30.0
_MAX_CHUNK_LINE = 64


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as it came: `target` is the path and query of the request line, header names keep their case."""

    method: str
    target: str
    version: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    peer: str
    """The address at the other end of the connection."""

    def header(self, name: str) -> str | None:
        """Return the last value of a header, whatever its case."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer; Content-Length is added. `status` 0 closes the connection without a word."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = field(default=())


class HttpServer:
    """Serves `handle` on a loopback address and a free port from the moment it is made until `close`."""

    def __init__(
        self,
        handle: Callable[[HttpRequest], HttpAnswer],
        *,
        host: str = LOOPBACK,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = _Server((host, port), handle, tls)
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"{'https' if self._server.tls else 'http'}://{self.host}:{self.port}"

    def close(self) -> None:
        """Stop, and cut the connections that are open."""
        self._server.shutdown()
        self._server.server_close()
        self._server.cut()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    address_family = socket.AF_INET

    def __init__(
        self, address: tuple[str, int], handle: Callable[[HttpRequest], HttpAnswer], tls: ssl.SSLContext | None
    ) -> None:
        self.handle_one = handle
        self.tls = tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        sock, address = super().get_request()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(_IDLE_SECONDS)
        if self.tls:  # the handshake waits for the client: not here, where others wait to be accepted
            sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open.add(sock)
        return sock, address

    def shutdown_request(self, request: object) -> None:
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: a client that went away is no event here."""

    def cut(self) -> None:
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        try:
            body = _read_body(self)
        except ValueError:
            self.close_connection = True
            self._send(HttpAnswer(400))
            return
        headers = tuple(self.headers.raw_items())
        peer = str(self.client_address[0])
        self._send(
            self.server.handle_one(HttpRequest(self.command, self.path, self.request_version, headers, body, peer))
        )

    def _send(self, answer: HttpAnswer) -> None:
        if answer.status == 0:
            self.close_connection = True
            return
        self.send_response_only(answer.status, _reason(answer.status))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the caller's class has
        """Keep quiet; what matters is kept by whoever serves."""


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _read_body(handler: BaseHTTPRequestHandler) -> bytes:
    """Read what Content-Length or chunks announce. Raises ValueError for what is neither, or too long."""
    if "chunked" in (handler.headers.get("Transfer-Encoding") or "").lower():
        return _read_chunks(handler)
    length = int(handler.headers.get("Content-Length") or 0)
    if not 0 <= length <= MAX_BODY:
        raise ValueError("length")
    return handler.rfile.read(length)


def _read_chunks(handler: BaseHTTPRequestHandler) -> bytes:
    chunks = bytearray()
    while size := int(handler.rfile.readline(_MAX_CHUNK_LINE).partition(b";")[0], 16):
        if size < 0 or len(chunks) + size > MAX_BODY:
            raise ValueError("length")
        chunks += handler.rfile.read(size)
        handler.rfile.readline(_MAX_CHUNK_LINE)
    while handler.rfile.readline().strip():
        pass  # trailers
    return bytes(chunks)
