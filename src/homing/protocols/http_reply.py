"""A reply of HTTP/1.1 (RFC 9112), as a client reads it off a connection: calls to AWS, and updates sent to any server.

`http.client` reads headers with the parser for mail: importing that was a tenth of a cold start on Lambda, and one and
a half megabytes of an agent that stays for years. What is not understood to the letter is refused: nobody knows where
the next reply begins. Only a reply that is the last of its connection is read with more patience.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Stream(Protocol):
        """What a reply is read from: bytes, in order, and fewer than were asked for only at the end."""

        def readline(self, size: int, /) -> bytes:
            """Return a line with its end, or its first `size` octets."""

        def read(self, size: int, /) -> bytes:
            """Return so many octets."""


MAX_LINE = 64 * 1024
MAX_HEADERS = 100

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)")  # blanks are stripped: an expression takes ever longer
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_LENGTH = re.compile(r"[0-9]{1,15}")


class Unreadable(Exception):
    """What came is no reply, ends early, or is too long."""


class EndsEarly(Unreadable):
    """The connection ended in the middle of a reply."""


class TooLong(Unreadable):
    """More came than any server says."""


def read_reply(
    stream: Stream, method: str, limit: int, *, is_last: bool = False
) -> tuple[int, dict[str, str], bytes, bool]:
    """Return status, headers with lower-case names, at most `limit` octets of body, and whether another may follow.

    `is_last`: its body may go on until the end of the connection (RFC 9112 section 6.3), and a header that is none is
    passed over, since old routers and their servers send both.
    Raises Unreadable, ConnectionResetError if there is not a single octet, and what reading the stream raises.
    """
    status, minor = 100, 1
    while status < 200:  # interim replies come before the one (RFC 9110 section 15.2)
        status, minor = _read_status(stream)
        headers = _read_headers(stream, is_last=is_last)
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if method == "HEAD" or status in (204, 304):
        body = b""
    elif coding is not None:
        if coding.lower() != "chunked":
            raise Unreadable("reply in an unknown coding")
        body = _read_chunks(stream, limit)
    elif length is not None and _LENGTH.fullmatch(length):
        body = _read_octets(stream, int(length), limit)
    elif length is None and is_last:
        body = _read_rest(stream, limit)
    else:  # what goes on until the end of the connection would look whole when it is cut short
        raise Unreadable("reply that does not tell its length")
    is_clear = coding is None or length is None  # of what tells both it is not known where it ends (section 6.3)
    stays = minor == 1 and "close" not in headers.get("connection", "").lower()
    return status, headers, body, is_clear and stays


def _read_status(stream: Stream) -> tuple[int, int]:
    line = stream.readline(MAX_LINE)
    if not line:
        raise ConnectionResetError("closed without a reply")
    found = _STATUS_LINE.fullmatch(line.rstrip(b"\r\n"))
    if found is None or not line.endswith(b"\n"):
        raise Unreadable("reply that is no HTTP/1.1")
    return int(found[2]), int(found[1])


def _read_headers(stream: Stream, *, is_last: bool = False) -> dict[str, str]:
    """Return the headers by lower-case names; of those with one name, all in one line (RFC 9110 section 5.3)."""
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS + 1):
        line = _read_line(stream)
        if not line:
            return headers
        found = _HEADER.fullmatch(line)
        if found is None and is_last:
            continue
        if found is None:
            raise Unreadable("header that is none")
        name, value = found[1].decode("ascii").lower(), found[2].strip(b" \t").decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    raise TooLong(f"reply of more than {MAX_HEADERS} headers")


def _read_chunks(stream: Stream, limit: int) -> bytes:
    """Read a chunked body with its trailers (RFC 9112 section 7.1)."""
    body = bytearray()
    while True:
        found = _CHUNK.fullmatch(_read_line(stream))
        if found is None:
            raise Unreadable("chunk without a size")
        size = int(found[1], 16)
        if not size:
            _read_headers(stream)
            return bytes(body)
        if len(body) + size > limit:
            raise TooLong(f"reply longer than {limit} bytes")
        body += _read_octets(stream, size, limit)
        if _read_line(stream):
            raise Unreadable("chunk longer than it says")


def _read_rest(stream: Stream, limit: int) -> bytes:
    octets = stream.read(limit + 1)
    if len(octets) > limit:
        raise TooLong(f"reply longer than {limit} bytes")
    return octets


def _read_octets(stream: Stream, count: int, limit: int) -> bytes:
    if count > limit:
        raise TooLong(f"reply longer than {limit} bytes")
    octets = stream.read(count)
    if len(octets) < count:
        raise EndsEarly(f"reply ends {count - len(octets)} octets early")
    return octets


def _read_line(stream: Stream) -> bytes:
    """Return a line without its end."""
    line = stream.readline(MAX_LINE)
    if not line.endswith(b"\n"):
        raise EndsEarly("reply ends early") if len(line) < MAX_LINE else TooLong("line that is too long")
    return line[:-2] if line.endswith(b"\r\n") else line[:-1]
