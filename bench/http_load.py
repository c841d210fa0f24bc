"""A load generator for HTTP: keep-alive connections that each send the next request once the last is answered.

    python -m bench.http_load HOST PORT CONNECTIONS SECONDS < requests

Requests come as one JSON list of texts on standard input, and are sent in turn. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle
from typing import TYPE_CHECKING, cast

import uvloop

if TYPE_CHECKING:
    from collections.abc import Iterator


class Connection(asyncio.Protocol):
    """One client. Answers are only looked at as far as is needed to know where they end and whether they are 200."""

    def __init__(self, requests: Iterator[bytes], counts: dict[str, int], until: float) -> None:
        self._requests = requests
        self._counts = counts
        self._until = until
        self._buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is none
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = body[length:]
        self._counts["ok" if head.startswith(b"HTTP/1.1 200") else "other"] += 1
        if body.startswith(b"good"):
            self._counts["good"] += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        if time.monotonic() >= self._until:
            self._transport.close()
        else:
            self._transport.write(next(self._requests))


async def run(host: str, port: int, connections: int, seconds: float, requests: list[str]) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    counts = {"ok": 0, "good": 0, "other": 0}
    start = time.monotonic()
    waiting = cycle([request.encode() for request in requests])
    opened = [
        await loop.create_connection(lambda: Connection(waiting, counts, start + seconds), host, port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in opened))
    return {**counts, "per_second": counts["ok"] / (time.monotonic() - start)}


if __name__ == "__main__":
    host, port, connections, seconds = sys.argv[1:]
    texts = json.load(sys.stdin)
    print(json.dumps(uvloop.run(run(host, int(port), int(connections), float(seconds), texts))))
