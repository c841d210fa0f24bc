"""How requests travel when all goes well, and what is refused before it is sent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from homing.aws.transport import Endpoint, HttpTransport
from homing.core.errors import InvalidSettings
from tests.aws.raw_server import RawServer, answer, post, read_request

if TYPE_CHECKING:
    import socket

# --- connections


def test_nothing_is_opened_before_the_first_call() -> None:
    with RawServer() as server:
        server.transport().close()
        assert server.connections == 0


def test_calls_share_one_kept_connection() -> None:
    with RawServer() as server:
        server.parts.append(server.serve(answer(b"1"), answer(b"2"), answer(b"3")))
        transport = server.transport()
        assert [post(transport).body for _ in range(3)] == [b"1", b"2", b"3"]
        assert server.connections == 1
        transport.close()


def test_a_request_is_sent_as_it_was_signed() -> None:
    with RawServer() as server:
        server.parts.append(server.serve(answer(headers="X-Amzn-RequestId: 7\r\n")))
        transport = server.transport()
        reply = post(transport, b'{"a":1}')
        assert (reply.status, reply.headers["x-amzn-requestid"], reply.repeated) == (200, "7", False)
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert head.split(b"\r\n") == [
            b"POST / HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}".encode(),
            b"X-Amz-Target: T.Op",
            b"Accept-Encoding: identity",
            b"Content-Length: 7",
            b"User-Agent: homing",
        ]
        assert body == b'{"a":1}'
        transport.close()


def test_threads_get_a_connection_each_and_leave_them_for_the_next() -> None:
    with RawServer() as server:
        both = threading.Barrier(2)

        def part(connection: socket.socket) -> None:
            while read_request(connection) is not None:
                if server.connections < 3 and not both.broken:
                    both.wait(5)
                connection.sendall(answer())

        server.parts += [part, part]
        transport = server.transport()
        threads = [threading.Thread(target=post, args=(transport,)) for _ in range(2)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        both.abort()
        for _ in range(4):
            assert post(transport).status == 200
        assert server.connections == 2
        transport.close()


def test_a_reply_that_says_close_is_read_and_the_connection_is_not_used_again() -> None:
    with RawServer() as server:
        server.parts += [
            server.serve(answer(b"1", headers="Connection: close\r\n"), answer(b"never")),
            server.serve(answer(b"2")),
        ]
        transport = server.transport()
        assert [post(transport).body, post(transport).body] == [b"1", b"2"]
        transport.close()


def test_a_redirect_is_an_answer_like_any_other() -> None:
    with RawServer() as server:
        server.parts.append(server.serve(answer(b"", "307 Temporary Redirect", "Location: http://127.0.0.1:1/\r\n")))
        transport = server.transport()
        assert post(transport).status == 307
        assert server.connections == 1
        transport.close()


def test_a_chunked_reply_is_read_whole() -> None:
    with RawServer() as server:
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"
        server.parts.append(server.serve(chunked, answer(b"next")))
        transport = server.transport()
        assert [post(transport).body, post(transport).body] == [b"abcde", b"next"]
        transport.close()


# --- bad use


@pytest.mark.parametrize("url", ["ftp://a", "a.example", "http://", "http://a/path", "http://a?x=y"])
def test_a_url_that_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings):
        HttpTransport(Endpoint(url, "eu-central-1"))


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "é", "\x00"])
def test_a_header_that_would_break_the_request_is_refused_without_being_shown(value: str) -> None:
    with RawServer() as server:
        transport = server.transport()
        with pytest.raises(ValueError, match="no head of a request") as caught:
            transport.send("GET", "/", {"X": value}, b"", 1.0)
        assert value not in str(caught.value)
        with pytest.raises(ValueError, match="no head of a request"):
            transport.send("GET", "/ HTTP/1.1", {}, b"", 1.0)
        assert server.requests == []


def test_the_host_header_names_the_port_where_the_url_does() -> None:
    def host(url: str) -> str:
        return HttpTransport(Endpoint(url, "eu-central-1")).host

    assert host("https://dynamodb.eu-central-1.amazonaws.com") == "dynamodb.eu-central-1.amazonaws.com"
    assert host("http://127.0.0.1:8000/") == "127.0.0.1:8000"
    assert host("http://[::1]:8000") == "[::1]:8000"
