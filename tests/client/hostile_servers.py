"""What may answer instead of an update server: a table of behaviours, for every protocol alike. No expectations here.

A behaviour is what `Scripted` plays after one request: bytes, or a function with the connection.
"""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING

from tests.client.servers import answer, endless, silent

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from tests.client.servers import Part

SENT = "203.0.113.7"
"""The address that is to be set, which every portal below repeats."""
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r\0"
"""What would clear a terminal, name its window and turn its text around."""
TRAP = "http://127.0.0.1:9/trap?token=x"

_OK = b"HTTP/1.1 200 OK\r\n"
_SUCCESS = json.dumps({
    "outcomes": [{"hostname": "a.example.com.", "record_type": "A", "outcome": "updated", "address": SENT}],
    "return_status": "success", "return_message": "set",
})  # fmt: skip


def slowly(data: bytes, pause: float = 0.3) -> Part:
    """Send an answer byte by byte."""

    def part(connection: socket.socket, _: bytes) -> None:
        for number in range(len(data)):
            connection.sendall(data[number : number + 1])
            time.sleep(pause)

    return part


def redirect(status: int, location: str = TRAP) -> bytes:
    return answer("good OK Hello!", f"{status} Moved", f"Location: {location}\r\n")


PORTALS: Mapping[str, Part | bytes] = {
    "a page": answer(f"<!DOCTYPE html><html>Sign in! good {SENT} OK Hello! success</html>"),
    "a page with a mark and blanks before": answer(f"\ufeff \r\n<html>good {SENT}"),
    "a page at 403": answer("<h1>Sign in</h1>", "403 Forbidden"),
    "good morning": answer("good morning! Please sign in\n", headers="Content-Type: text/plain\r\n"),
    "good address behind words": answer(f"good guests have {SENT}\n"),
    "OK and more": answer("OK\nPlease sign in\n"),
    "Hello! and more": answer("Hello! Welcome to Hotel WiFi\n"),
    "abuse of this network": answer("abuse of this network is forbidden\n", "403 Forbidden"),
    "a portal's JSON": answer('{"error": "login required", "return_status": "login", "message": "sign in"}'),
    "a portal's JSON at 403": answer('{"error": "login required", "outcomes": []}', "403 Forbidden"),
    "511": answer(f"good {SENT}", "511 Network Authentication Required"),
}
REDIRECTS: Mapping[str, Part | bytes] = {
    **{str(status): redirect(status) for status in (301, 302, 303, 307, 308)},
    "to itself": redirect(302, "/"),
    "nowhere": answer("", "302 Found"),
    "with escapes": redirect(302, "http://x/" + ESCAPES.replace("\r", "").replace("\0", "").replace("\u202e", "")),
    "to file": redirect(301, "file:///etc/passwd"),
}
ENDLESS: Mapping[str, Part | bytes] = {
    "body": endless(_OK + b"\r\n", f"good {SENT}\n".encode() * 1000),
    "body of a length": endless(_OK + b"Content-Length: 999999999999\r\n\r\n", b"good\n" * 1000),
    "headers": endless(_OK, b"X: y\r\n" * 1000),
    "header line": endless(_OK + b"X: ", b"y" * 10_000),
    "status line": endless(b"HTTP/1.1 200 ", b"y" * 10_000),
    "interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "chunks": endless(_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\ngood\n\r\n" * 1000),
    "one chunk": endless(_OK + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", b"good\n" * 1000),
    "chunk size": endless(_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 10_000),
}
SLOW: Mapping[str, Part | bytes] = {
    "silence": silent,
    "head": slowly(answer(f"good {SENT}\n")),
    "body": endless(_OK + b"\r\n", b"g", 0.3),
}
BROKEN: Mapping[str, Part | bytes] = {
    "nothing": b"",
    "half a status line": b"HTTP/1.",
    "half a head": _OK + b"Content-Le",
    "half a body": _OK + b"Content-Length: 100\r\n\r\n" + f"good {SENT}\n".encode(),
    "half a chunk": _OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\ngood",
    "garbage first": b"\0\xff\x1b[2J\r\n" + answer(f"good {SENT}\n"),
    "HTTP/0.9": f"good {SENT}\n".encode(),
    "HTTP/2": b"HTTP/2 200\r\n\r\n" + f"good {SENT}\n".encode(),
    "another protocol": b"220 mail.example ESMTP\r\n",
    "an odd status": b"HTTP/1.1 999 Odd\r\nContent-Length: 4\r\n\r\ngood",
    "no status": b"HTTP/1.1 OK\r\n\r\ngood",
    "a negative length": _OK + b"Content-Length: -1\r\n\r\ngood",
    "two lengths": _OK + b"Content-Length: 4\r\nContent-Length: 400\r\n\r\ngood",
    "a length that is none": _OK + b"Content-Length: four\r\n\r\ngood",
    "cut by its length": _OK + b"Content-Length: 8\r\n\r\n" + f"good {SENT}\n".encode(),
    "a negative chunk": _OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\ngood\r\n0\r\n\r\n",
    "an unknown coding": _OK + b"Transfer-Encoding: gzip\r\n\r\ngood",
    "gzip that nobody asked for": answer(gzip.compress(f"good {SENT}\n".encode()),
                                         headers="Content-Encoding: gzip\r\n"),
    "an empty body": answer(""),
    "blanks": answer(" \r\n\t\n"),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "any bytes": answer(bytes(range(256)) * 20),
    "escapes": answer(ESCAPES + "hello"),
    "escapes at 400": answer(ESCAPES + "hello", "400 Bad Request"),
    "escapes in the status": b"HTTP/1.1 404 \x1b[2J\r\nContent-Length: 0\r\n\r\n",
}  # fmt: skip
JSON: Mapping[str, Part | bytes] = {
    "deep lists": answer("[" * 30_000),
    "deep objects": answer('{"outcomes":' * 4_000),
    "a huge number": answer('{"outcomes": 1' + "0" * 5_000 + "}"),
    "no numbers": answer('{"outcomes": NaN, "return_status": Infinity, "return_message": -Infinity}'),
    "duplicate keys": answer('{"outcomes": [], "outcomes": {}, "return_status": "success", "return_status": "x"}'),
    "a list": answer(f"[{_SUCCESS}]"),
    "a text": answer(json.dumps(_SUCCESS)),
    "cut short": answer(_SUCCESS[:-2]),
    "two values": answer(_SUCCESS + _SUCCESS),
    "single quotes": answer(_SUCCESS.replace('"', "'")),
    "lone surrogates": answer('{"error": "\\ud800", "return_status": "\\ud800", "return_message": "\\ud800"}'),
    "escapes": answer(json.dumps({"return_status": "fail", "return_message": ESCAPES, "error": ESCAPES})),
    "a success at 500": answer(_SUCCESS, "500 Internal Server Error"),
    "another shape": answer('{"outcomes": [[]], "return_status": ["success"], "return_message": {}}'),
}
EVERYTHING: Mapping[str, Part | bytes] = {
    f"{kind}: {name}": part
    for kind, table in (
        ("portal", PORTALS), ("redirect", REDIRECTS), ("endless", ENDLESS), ("slow", SLOW), ("broken", BROKEN),
        ("JSON", JSON),
    )
    for name, part in table.items()
}  # fmt: skip
