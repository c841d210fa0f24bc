"""Little servers on loopback: one plays a script over TCP, one answers datagrams. No expectations are here."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    Part = Callable[[socket.socket, bytes], object]


def answer(body: bytes | str = b"", status: str = "200 OK", headers: str = "") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\n{headers}\r\n".encode() + raw


def saying(data: bytes) -> Part:
    return lambda connection, _: connection.sendall(data)


def endless(head: bytes, piece: bytes, pause: float = 0.0) -> Part:
    """Send the head, then a piece after the other until the client hangs up."""

    def part(connection: socket.socket, _: bytes) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return part


def silent(connection: socket.socket, _: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)


class Scripted:
    """Reads one request from each connection, remembers it, and plays the next part; the last part for ever."""

    def __init__(self, *parts: Part | bytes, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._parts: list[Part] = [saying(part) if isinstance(part, bytes) else part for part in parts]
        self.requests: list[bytes] = []
        self.sent = 0
        self._tls = tls
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=kind)
        self.host, self.port = self._listener.getsockname()[:2]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

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
            self._open.append(connection)
            part = self._parts.pop(0) if len(self._parts) > 1 else self._parts[0]
            self._start(self._play, connection, part)

    def _play(self, connection: socket.socket, part: Part) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(10)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            request = _read_request(connection)
            if request:
                self.requests.append(request)
                part(connection, request)
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
        if data.startswith(b"\x16"):  # TLS, which is not spoken here
            return data
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


class Datagrams:
    """Answers each datagram with those that `reply` makes of it and of its number."""

    def __init__(self, reply: Callable[[bytes, int], list[bytes]], host: str = "127.0.0.1") -> None:
        self._reply = reply
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(kind, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.host, self.port = self._socket.getsockname()[:2]
        self.heard: list[bytes] = []
        self.senders: list[tuple[str, int]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # An empty datagram ends it: closing does not wake a thread that waits.
        with socket.socket(self._socket.family, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", (self.host, self.port))
        self._thread.join(5)
        self._socket.close()

    def _run(self) -> None:
        while True:
            data, sender = self._socket.recvfrom(4096)
            if not data:
                return
            self.heard.append(data)
            self.senders.append(sender[:2])
            for one in self._reply(data, len(self.heard)):
                self._socket.sendto(one, sender)
