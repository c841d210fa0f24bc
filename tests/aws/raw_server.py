"""A server on loopback that plays a script, one part for each connection, and remembers what it was sent."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

from homing.aws.transport import Endpoint, HttpTransport

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from homing.aws.transport import Reply

    Part = Callable[[socket.socket], object]


def answer(body: bytes = b"{}", status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def post(transport: HttpTransport, body: bytes = b"{}", timeout: float = 5.0) -> Reply:
    return transport.send("POST", "/", {"Host": transport.host, "X-Amz-Target": "T.Op"}, body, timeout)


def read_request(connection: socket.socket) -> bytes | None:
    """Return one whole request, or None at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def hang_up_hard(connection: socket.socket) -> None:
    """Send a reset instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


class RawServer:
    """Plays `parts`, one for each connection in turn; what comes after the last one is accepted and closed."""

    def __init__(self, *parts: Part, tls: ssl.SSLContext | None = None) -> None:
        self.parts = list(parts)
        self.requests: list[bytes] = []
        self.connections = 0
        self.open: list[socket.socket] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes a part that waits; closing would not
            connection.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def transport(self, ca_file: str | None = None) -> HttpTransport:
        return HttpTransport(Endpoint(self.url, "eu-central-1", ca_file))

    def serve(self, *answers: bytes) -> Part:
        """Return a part that answers one request after the other, and then keeps the connection open and quiet."""

        def part(connection: socket.socket) -> None:
            for one in answers:
                request = read_request(connection)
                if request is None:
                    return
                self.requests.append(request)
                connection.sendall(one)
            connection.recv(1)

        return part

    def serve_and_close(self, *answers: bytes) -> Part:
        """Return a part that answers the requests, then closes."""

        def part(connection: socket.socket) -> None:
            for one in answers:
                self.requests.append(read_request(connection) or b"")
                connection.sendall(one)
            connection.close()

        return part

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(connection)
            self._start(self._play, connection, self.parts.pop(0) if self.parts else None)

    def _play(self, connection: socket.socket, part: Part | None) -> None:
        try:
            connection.settimeout(10)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self.open.append(connection)
            if part is None:
                connection.close()
            else:
                part(connection)
        except OSError:
            pass  # the client hung up, or the test is over
