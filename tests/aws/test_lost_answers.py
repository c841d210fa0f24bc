"""What the transport knows when nothing comes back, and when it sends again by itself."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from homing.aws import connection as connections
from homing.aws.errors import NoAnswer
from homing.aws.transport import MAX_IDLE_SECONDS, Endpoint, HttpTransport, Reply
from tests.aws.raw_server import RawServer, answer, hang_up_hard, post, read_request

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.005)


# --- a kept connection that is dead


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced_and_nothing_was_sent_twice() -> None:
    with RawServer() as server:
        server.parts += [server.serve_and_close(answer(b"1")), server.serve(answer(b"2"))]
        transport = server.transport()
        post(transport)
        wait_until(lambda: not transport._idle[0].is_quiet())
        assert post(transport) == Reply(200, {"content-length": "1"}, b"2", repeated=False)
        transport.close()


@pytest.mark.parametrize("hang_up", [socket.socket.close, hang_up_hard])
def test_a_kept_connection_closed_before_a_byte_of_the_answer_is_replaced_and_the_reply_says_repeated(
    hang_up: Callable[[socket.socket], None],
) -> None:
    with RawServer() as server:

        def part(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(answer(b"1"))
            read_request(connection)
            hang_up(connection)

        server.parts += [part, server.serve(answer(b"2"))]
        transport = server.transport()
        post(transport)
        assert post(transport) == Reply(200, {"content-length": "1"}, b"2", repeated=True)
        transport.close()


def test_after_a_request_that_may_have_arrived_even_a_refused_connection_is_in_doubt() -> None:
    with RawServer() as server:

        def part(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(answer(b"1"))
            read_request(connection)
            server._listener.shutdown(socket.SHUT_RDWR)
            server._listener.close()
            server._listener = socket.create_server(("127.0.0.1", 0))
            connection.close()

        server.parts.append(part)
        transport = server.transport()
        post(transport)
        with pytest.raises(NoAnswer, match="not connected") as caught:
            post(transport)
        assert caught.value.may_have_arrived


def test_a_new_connection_that_is_closed_without_an_answer_is_not_tried_again() -> None:
    with RawServer() as server:
        server.parts.append(server.serve_and_close(b""))
        with pytest.raises(NoAnswer) as caught:
            post(server.transport())
        assert caught.value.may_have_arrived
        assert server.connections == 1


def test_a_connection_that_was_idle_for_long_is_not_trusted() -> None:
    with RawServer() as server:
        server.parts += [server.serve(answer(b"1"), answer(b"never")), server.serve(answer(b"2"), answer(b"3"))]
        now = [1000.0]
        transport = HttpTransport(Endpoint(server.url, "eu-central-1"), now=lambda: now[0])
        post(transport)
        now[0] += MAX_IDLE_SECONDS + 1
        assert post(transport).body == b"2"
        now[0] += MAX_IDLE_SECONDS - 1
        assert post(transport).body == b"3"
        now[0] -= 100  # a clock set back tells nothing
        with pytest.raises(NoAnswer):
            post(transport)
        assert server.connections == 3


# --- no answer


def test_a_refused_connection_cannot_have_arrived() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswer, match="not connected") as caught:
        post(HttpTransport(Endpoint(f"http://127.0.0.1:{port}", "eu-central-1")))
    assert not caught.value.may_have_arrived


def test_an_address_that_nobody_has_cannot_have_been_reached() -> None:
    with pytest.raises(NoAnswer, match="not connected") as caught:
        post(HttpTransport(Endpoint("http://nowhere.invalid", "eu-central-1")))
    assert not caught.value.may_have_arrived


def test_a_reply_that_never_comes_ends_with_the_timeout_and_may_have_arrived() -> None:
    with RawServer() as server:
        server.parts.append(server.serve(b""))
        with pytest.raises(NoAnswer, match="timed out") as caught:
            post(server.transport(), timeout=0.2)
        assert caught.value.may_have_arrived
        assert server.connections == 1


def test_a_request_that_could_not_be_sent_whole_cannot_have_arrived() -> None:
    with RawServer() as server:
        server.parts.append(lambda _: time.sleep(1))
        with pytest.raises(NoAnswer) as caught:
            post(server.transport(), b"x" * 32 * 1024 * 1024, timeout=0.3)
        assert not caught.value.may_have_arrived


def test_a_reply_that_drips_ends_with_the_timeout() -> None:
    with RawServer() as server:

        def part(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for number in range(100):
                connection.sendall(f"X-{number}: y\r\n".encode())
                time.sleep(0.05)

        server.parts.append(part)
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="timed out"):
            post(server.transport(), timeout=0.3)
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nDate: now\r\n\r\n{}",
        b"HTTP/1.1 abc\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
    ],
    ids=[
        "short",
        "short chunk",
        "bad chunk",
        "half a line",
        "no length",
        "no status",
        "not HTTP",
        "many headers",
        "long header",
    ],
)
def test_a_broken_reply_is_no_answer_and_is_not_asked_for_again(sent: bytes) -> None:
    with RawServer() as server:
        server.parts += [server.serve(answer()), server.serve_and_close(sent)]
        transport = server.transport()
        post(transport)
        transport.close()
        with pytest.raises(NoAnswer) as caught:
            post(transport)
        assert caught.value.may_have_arrived
        assert server.connections == 2


@pytest.mark.parametrize("hang_up", [socket.socket.close, hang_up_hard])
def test_a_kept_connection_that_breaks_within_the_answer_is_not_asked_again(
    hang_up: Callable[[socket.socket], None],
) -> None:
    with RawServer() as server:

        def part(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(answer(b"1"))
            read_request(connection)
            connection.sendall(b"HTTP/1.1 2")
            time.sleep(0.1)  # a reset would overtake what was not read yet
            hang_up(connection)

        server.parts += [part, server.serve(answer(b"never"))]
        transport = server.transport()
        post(transport)
        with pytest.raises(NoAnswer) as caught:
            post(transport)
        assert caught.value.may_have_arrived
        assert server.connections == 1


def test_a_kept_connection_that_stays_silent_is_given_the_whole_time_and_not_replaced() -> None:
    with RawServer() as server:
        server.parts.append(server.serve(answer(b"1"), b""))
        transport = server.transport()
        post(transport)
        with pytest.raises(NoAnswer, match=r"^127\.0\.0\.1: timed out$") as caught:
            post(transport, timeout=0.2)
        assert caught.value.may_have_arrived
        assert server.connections == 1


@pytest.mark.parametrize("length", ["Content-Length: 999999999999", "Transfer-Encoding: chunked"])
def test_an_endless_reply_is_given_up(length: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_REPLY", 100_000)

    def part(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode())
        while True:
            connection.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")

    with RawServer(part) as server:
        transport = server.transport()
        with pytest.raises(NoAnswer, match="longer than 100000 bytes") as caught:
            post(transport)
        assert caught.value.may_have_arrived
        assert not transport._idle
