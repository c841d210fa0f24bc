"""A reply is read as `http.client` reads it, or refused; never half of one."""

from __future__ import annotations

import contextlib
import http.client
import io
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from homing.protocols.http_reply import MAX_HEADERS, MAX_LINE, EndsEarly, TooLong, Unreadable, read_reply

LIMIT = 10_000
TOKENS = st.text("abcXYZ019-_.!~", min_size=1, max_size=12)
VALUES = st.text([chr(code) for code in (*range(0x21, 0x7F), 0x20, 0x09, 0xE9)], max_size=30).map(str.strip)
TAKEN = {"content-length", "transfer-encoding", "connection"}


def read(raw: bytes, method: str = "POST", limit: int = LIMIT) -> tuple[int, dict[str, str], bytes, bool]:
    return read_reply(io.BufferedReader(io.BytesIO(raw)), method, limit)


class Wire:
    """As much of a socket as http.client needs."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def read_by_http_client(raw: bytes, method: str) -> tuple[int, dict[str, str], bytes, bool]:
    wire: Any = Wire(raw)
    response = http.client.HTTPResponse(wire, method=method)
    response.begin()
    body = response.read()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return response.status, headers, body, response.isclosed() and not response.will_close


def chunked(parts: list[bytes]) -> bytes:
    return b"".join(b"%x;e=1\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\nTrailer: 1\r\n\r\n"


@given(
    status=st.sampled_from([200, 204, 304, 307, 400, 413, 500, 503]),
    version=st.sampled_from(["HTTP/1.0", "HTTP/1.1"]),
    reason=st.sampled_from(["", " ", " OK", " Not Found"]),
    headers=st.dictionaries(TOKENS.filter(lambda name: name.lower() not in TAKEN), VALUES, max_size=6),
    parts=st.lists(st.binary(max_size=40), max_size=4),
    is_chunked=st.booleans(),
    closes=st.sampled_from(["", "Connection: close\r\n", "Connection: keep-alive\r\n"]),
    interim=st.sampled_from(["", "HTTP/1.1 100 Continue\r\n\r\n"]),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
)
def test_it_is_read_as_http_client_reads_it(
    status: int,
    version: str,
    reason: str,
    headers: dict[str, str],
    parts: list[bytes],
    is_chunked: bool,
    closes: str,
    interim: str,
    method: str,
) -> None:
    headers = {name.lower(): value for name, value in headers.items()}
    bodiless = method == "HEAD" or status in (204, 304)
    is_chunked = is_chunked and version == "HTTP/1.1" and not bodiless  # http.client takes chunks even of a 204
    body = b"".join(parts)
    length = "Transfer-Encoding: chunked\r\n" if is_chunked else f"Content-Length: {len(body)}\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"{interim}{version} {status}{reason}\r\n{lines}{length}{closes}\r\n"
    raw = head.encode("latin-1") + (b"" if bodiless else chunked(parts) if is_chunked else body)
    ours, theirs = read(raw, method), read_by_http_client(raw, method)
    assert ours[:3] == theirs[:3]
    assert not ours[3] or version == "HTTP/1.0" or theirs[3]


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"<html>\r\n",
        OK,
        OK + b"Content-Length: 1\r\n",
        OK + b"Content-Length: 3\r\n\r\nab",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: +1\r\n\r\na",
        OK + b"Content-Length: 1, 1\r\n\r\na",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        OK + b"Content-Length : 1\r\n\r\na",
        OK + b"X: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        OK + b"no header\r\nContent-Length: 0\r\n\r\n",
        OK + b"\r\nuntil the end of the connection",
        OK + b"Transfer-Encoding: gzip\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        OK + b"X: " + b"a" * MAX_LINE + b"\r\n\r\n",
        OK + b"X: a\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        OK + b"Content-Length: 10001\r\n\r\n" + b"a" * 10_001,
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + b"a" * 0x1000 + b"\r\n") * 3 + b"0\r\n\r\n",
    ],
)
def test_what_is_broken_cut_short_or_too_long_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read(raw)


def test_nothing_at_all_is_a_connection_that_was_closed() -> None:
    with pytest.raises(ConnectionResetError):
        read(b"")
    with pytest.raises(ConnectionResetError):
        read(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize(
    ("version", "header", "wanted"),
    [("1.1", "", True), ("1.1", "Connection: Close\r\n", False), ("1.1", "Connection: x, close\r\n", False),
     ("1.0", "Connection: keep-alive\r\n", False)],
)  # fmt: skip
def test_only_a_connection_that_stays_is_used_again(version: str, header: str, wanted: bool) -> None:
    assert read(f"HTTP/{version} 200 OK\r\n{header}Content-Length: 0\r\n\r\n".encode())[3] is wanted


def read_last(raw: bytes) -> tuple[int, dict[str, str], bytes, bool]:
    return read_reply(io.BufferedReader(io.BytesIO(raw)), "GET", 20, is_last=True)


def test_the_last_reply_of_a_connection_may_go_on_until_its_end() -> None:
    assert read_last(b"HTTP/1.0 200 OK\r\n\r\ngood 203.0.113.7\n")[2] == b"good 203.0.113.7\n"
    with pytest.raises(TooLong):
        read_last(OK + b"\r\n" + b"a" * 21)


def test_a_header_that_is_none_is_passed_over_in_the_last_reply_only() -> None:
    raw = OK + b"no header\r\n folded: more\r\nContent-Length: 2\r\n\r\nab"
    assert read_last(raw)[1:3] == ({"content-length": "2"}, b"ab")
    with pytest.raises(Unreadable):
        read(raw)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (OK + b"Content-Length: 3\r\n\r\nab", EndsEarly),
        (OK + b"Content-Length: 21\r\n\r\n" + b"a" * 21, TooLong),
        (OK + b"Content-Length: x\r\n\r\nab", Unreadable),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab", EndsEarly),
    ],
)
def test_half_a_reply_is_none_also_when_it_is_the_last(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_last(raw)


def test_headers_of_one_name_come_together() -> None:
    assert read(OK + b"A: 1\r\nContent-Length: 0\r\na:2\r\n\r\n")[1] == {"a": "1, 2", "content-length": "0"}


def test_after_a_reply_that_tells_its_length_twice_nothing_more_is_read_from_the_connection() -> None:
    """RFC 9112 section 6.3: it may be somebody's attempt to have two replies made of one."""
    raw = OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    assert read(raw)[2:] == (b"x", False)
    assert read(raw.replace(b"Content-Length: 3\r\n", b""))[2:] == (b"x", True)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from([OK + b"a:x", OK + b"a", OK, b"HTTP/1.1 200", OK + b"Transfer-Encoding: chunked\r\n\r\n1"]),
    st.sampled_from([b" ", b"\t", b"a", b" a", b";", b"0", b":", b" :"]),
    st.sampled_from([b"", b"y", b" y "]),
)
@example(OK + b"a:x", b" ", b"y")
def test_however_a_line_is_filled_it_takes_no_time(head: bytes, piece: bytes, end: bytes) -> None:
    line = (head.rpartition(b"\n")[2] + piece * MAX_LINE)[: MAX_LINE - 10] + end + b"\r\n"
    started = time.process_time()
    with contextlib.suppress(Unreadable):
        read_last(head.rpartition(b"\n")[0] + b"\n" * (b"\n" in head) + line + b"Content-Length: 0\r\n\r\n")
    assert time.process_time() - started < 2


def test_blanks_around_a_value_are_none_of_it() -> None:
    assert read(OK + b"a: \t b c\t \r\nContent-Length:0\r\n\r\n")[1] == {"a": "b c", "content-length": "0"}
