"""What a client of the HTTP server gets, over real sockets and with both parsers."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from homing.core.addresses import parse_address
from homing.core.errors import InvalidSettings, StoreUnavailable
from homing.protocols.http import Response, text
from homing.runtimes.http_connection import ConnectionMixin
from homing.runtimes.http_listener import bind_all
from homing.runtimes.http_server import HttpServer
from tests.runtimes.http_harness import (
    LIMITS,
    PARSERS,
    Echo,
    Running,
    limited,
    read_all,
    read_answer,
    serving,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homing.runtimes.http_connection import Parser

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "requests.json").read_text())
GET = b"GET /nic/update?hostname=a.example HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n"
CLOSING_GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.fixture(params=PARSERS, scope="module")
def parser(request: pytest.FixtureRequest) -> Parser:
    chosen: Parser = request.param
    return chosen


@pytest.fixture(scope="module")
def shared(parser: Parser) -> Iterator[tuple[Running, Echo]]:
    application = Echo()
    with serving(application, parser=parser) as server:
        yield server, application


@pytest.fixture
def running(shared: tuple[Running, Echo]) -> Running:
    """A server that many tests use; `echo` is what it serves."""
    shared[1].requests.clear()
    return shared[0]


@pytest.fixture
def echo(shared: tuple[Running, Echo]) -> Echo:
    shared[1].requests.clear()
    return shared[1]


def head_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[0].lower()


# Every answer


def test_an_answer_has_a_length_and_no_other_frills(running: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)
    connection.request("GET", "/", headers={"Accept": "application/json", "Accept-Encoding": "gzip, br"})
    response = connection.getresponse()
    assert response.read() == b"good 203.0.113.7\n"
    assert response.status == 200
    fields = {name.lower(): value for name, value in response.getheaders()}
    date = fields.pop("date")
    assert date.endswith("GMT")
    assert fields == {
        "content-type": "text/plain; charset=utf-8",
        "content-length": "17",
        "cache-control": "no-store",
    }
    connection.close()


def test_a_connection_is_kept_for_the_next_request(running: Running, echo: Echo) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)
    for number in range(3):
        connection.request("POST", f"/{number}", body=b"x" * number)
        assert connection.getresponse().read() == b"good 203.0.113.7\n"
    connection.close()
    assert [(request.path, len(request.body)) for request in echo.requests] == [("/0", 0), ("/1", 1), ("/2", 2)]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
        CLOSING_GET,
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n",
    ],
)
def test_the_connection_closes_when_the_client_waits_for_that(running: Running, data: bytes) -> None:
    started = time.monotonic()
    answer = running.ask(data)
    assert answer.endswith(b"\r\n\r\ngood 203.0.113.7\n")
    assert b"connection: close" in head_of(answer)
    assert time.monotonic() - started < LIMITS.idle_timeout


def test_head_is_get_without_the_body(running: Running, echo: Echo) -> None:
    answer = running.ask(b"HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert b"content-length: 17" in answer.lower()
    assert answer.endswith(b"\r\n\r\n")
    assert echo.requests[0].method == "GET"


def test_put_without_a_body_reaches_the_application(running: Running, echo: Echo) -> None:
    assert b" 200 " in running.ask(b"PUT /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert echo.requests[0].method == "PUT"


@pytest.mark.parametrize("method", [b"OPTIONS", b"DELETE", b"PATCH", b"TRACE"])
def test_another_method_is_told_which_ones_there_are(running: Running, echo: Echo, method: bytes) -> None:
    answer = running.ask(method + b" / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"allow: get, head, post, put" in head_of(answer)
    assert not echo.requests


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket"])
def test_an_upgrade_is_answered_as_if_it_had_not_been_asked_for(running: Running, upgrade: bytes) -> None:
    with running.connect() as sock:
        sock.sendall(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        answer = read_answer(sock)
        assert answer.startswith(b"HTTP/1.1 200 ")
        if b"connection: close" not in head_of(answer):
            sock.sendall(GET)
            assert read_answer(sock).startswith(b"HTTP/1.1 200 ")


UPGRADING = (
    b"POST /a HTTP/1.1\r\nHost: h\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAA\r\nContent-Length: 2\r\n\r\n"
)


def test_an_upgrade_does_not_cost_the_body(running: Running, echo: Echo) -> None:
    assert running.ask(UPGRADING + b"hi").startswith(b"HTTP/1.1 200 ")
    assert echo.requests[0].body == b"hi"


def test_an_upgrade_in_pieces_is_understood_or_refused_but_never_half_done(running: Running, echo: Echo) -> None:
    with running.connect() as sock:
        for piece in (UPGRADING[:70], UPGRADING[70:90], UPGRADING[90:], b"hi"):
            sock.sendall(piece)
            time.sleep(0.05)
        answer = read_all(sock)
    if answer.startswith(b"HTTP/1.1 200 "):
        assert [request.body for request in echo.requests] == [b"hi"]
    else:
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert not echo.requests


def test_expect_100_continue_is_honoured(running: Running) -> None:
    with running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"hi")
        assert read_answer(sock).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("data", [GET, b"GET ? HTTP/1.1\r\nHost: h\r\n\r\n"], ids=["answer", "refusal"])
def test_head_and_body_come_in_one_piece(running: Running, data: bytes) -> None:
    with running.connect() as sock:
        sock.sendall(data)
        head, _, body = sock.recv(65536).partition(b"\r\n\r\n")
        assert body
        assert f"content-length: {len(body)}".encode() in head.lower()


def test_a_client_that_closes_its_half_is_still_answered(parser: Parser) -> None:
    def slowly() -> Response:
        time.sleep(0.2)
        return text(200, "good")

    with serving(Echo(lambda request: slowly), parser=parser) as running, running.connect() as sock:
        sock.sendall(GET)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).endswith(b"good")


def test_headers_of_the_application_are_sent(parser: Parser) -> None:
    challenge = Response(401, b"badauth", headers=(("www-authenticate", 'Basic realm="x"'),))
    with serving(Echo(lambda request: challenge), parser=parser) as running:
        answer = running.ask(CLOSING_GET)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'www-authenticate: basic realm="x"' in head_of(answer)


# What reaches the application


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['client']} {vector['case']}"[:60])
def test_every_known_client_is_understood(running: Running, echo: Echo, vector: dict[str, Any]) -> None:
    sent = vector["request"]
    lines = [f"{sent['method']} {sent['target']} {sent.get('version', 'HTTP/1.1')}"]
    lines += [f"{name}: {value}" for name, value in sent["headers"] if name.lower() != "connection"]
    lines += ["Connection: close", "", sent["body"]]
    answer = running.ask("\r\n".join(lines).encode())
    if sent["target"].startswith("?"):
        assert answer.startswith(b"HTTP/1.1 400 ")
        return
    assert answer.startswith(b"HTTP/1.1 200 ")
    [request] = echo.requests
    path, _, query = sent["target"].partition("?")
    assert (request.method, request.path, request.query) == (sent["method"], unquote(path), query)
    assert request.body == sent["body"].encode()
    assert request.peer == parse_address("127.0.0.1")
    received = [(name, value) for name, value in request.headers if name != "connection"]
    assert received == [(name.lower(), value) for name, value in sent["headers"] if name.lower() != "connection"]


def test_raw_brackets_commas_and_quotes_in_a_query_are_kept(running: Running, echo: Echo) -> None:
    running.ask(b"GET /a%20b/?myip=[2001:db8::7],1.2.3.4&t=['x']& HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert (echo.requests[0].path, echo.requests[0].query) == ("/a b/", "myip=[2001:db8::7],1.2.3.4&t=['x']&")


def test_an_absolute_target_is_its_path(running: Running, echo: Echo) -> None:
    running.ask(b"GET http://h:80/ip?a=b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert (echo.requests[0].path, echo.requests[0].query) == ("/ip", "a=b")


def test_repeated_header_fields_arrive_repeated(running: Running, echo: Echo) -> None:
    running.ask(b"GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nConnection: close\r\n\r\n")
    assert [pair for pair in echo.requests[0].headers if pair[0] == "x-a"] == [("x-a", "1"), ("x-a", "2")]


def test_a_chunked_body_is_put_together(running: Running, echo: Echo) -> None:
    running.ask(
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    assert echo.requests[0].body == b"abcde"


def test_a_trailer_is_no_header(running: Running, echo: Echo) -> None:
    running.ask(
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3\r\nabc\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    )
    assert echo.requests[0].body == b"abc"
    assert echo.requests[0].header("x-forwarded-for") is None


# Malformed requests


@pytest.mark.parametrize(
    "data",
    [
        b"GET ?hostname=a.example HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET nic/update HTTP/1.1\r\nHost: h\r\n\r\n",
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_request_gets_a_short_400(running: Running, echo: Echo, data: bytes) -> None:
    answer = running.ask(data)
    assert answer.startswith(b"HTTP/1.1 400 ")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"bad request\n"
    assert b"content-length: 12" in head.lower()
    assert b"connection: close" in head.lower()
    assert not echo.requests


def test_rubbish_behind_a_request_does_not_cost_the_request_its_answer(parser: Parser) -> None:
    def slowly() -> Response:
        time.sleep(0.2)
        return text(200, "good")

    with serving(Echo(lambda request: slowly), parser=parser) as running:
        answer = running.ask(GET + b"rubbish\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"good" in answer


# Sizes


def post(path: str, length: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("path", "limit"), [("/", 8192), ("/v1/update", 65536), ("/prod/v1/update", 65536), ("/a/b/v1/", 8192)]
)
def test_the_body_limit_depends_on_the_path(running: Running, echo: Echo, path: str, limit: int) -> None:
    assert running.ask(post(path, limit) + b"x" * limit).startswith(b"HTTP/1.1 200 ")
    assert len(echo.requests[0].body) == limit
    answer = running.ask(post(path, limit + 1) + b"x" * (limit + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head_of(answer)
    assert len(echo.requests) == 1


def test_a_body_that_is_announced_too_long_is_not_waited_for(parser: Parser, echo: Echo) -> None:
    with serving(echo, parser=parser, limits=limited(body_timeout=60)) as running:
        started = time.monotonic()
        assert running.ask(post("/", 10**9)).startswith(b"HTTP/1.1 413 ")
        assert time.monotonic() - started < 10


def test_a_client_that_goes_on_sending_still_reads_its_refusal(running: Running) -> None:
    with running.connect() as sock:
        sock.sendall(post("/", 10**6))
        for _ in range(3):
            time.sleep(0.03)
            sock.sendall(b"x" * 1000)
        assert read_all(sock).endswith(b"content too large\n")  # and no reset behind it


def test_chunks_are_counted(running: Running, echo: Echo) -> None:
    data = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n"
    with running.connect() as sock:
        sock.sendall(data + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 8)
        assert read_all(sock).startswith(b"HTTP/1.1 413 ")
    assert not echo.requests


@pytest.mark.parametrize("endless", [b"1;" + b"x" * 500 + b"\r\na\r\n", b"X-Trailer: " + b"x" * 500 + b"\r\n"])
def test_endless_framing_around_a_short_body_is_cut_off(parser: Parser, echo: Echo, endless: bytes) -> None:
    with serving(echo, parser=parser, limits=limited(body_timeout=60)) as running, running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        sock.sendall(b"0\r\n" if endless.startswith(b"X") else b"")
        with contextlib.suppress(ConnectionError):
            end = time.monotonic() + 10
            while time.monotonic() < end:
                sock.sendall(endless * 100)
            pytest.fail("it was taken for ten seconds")
    assert not echo.requests


@pytest.mark.parametrize("rest", [b"\r\n\r\n", b""], ids=["complete", "incomplete"])
@pytest.mark.parametrize("size", [17 * 1024, 60 * 1024])
def test_a_header_block_over_the_limit_is_refused(running: Running, echo: Echo, size: int, rest: bytes) -> None:
    answer = running.ask(b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * size + rest)
    assert answer.split()[1] in (b"400", b"431")
    assert not echo.requests


def test_a_header_block_under_the_limit_is_taken(running: Running) -> None:
    data = (
        b"GET /?" + b"x" * 7000 + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n"
    )
    assert running.ask(data).startswith(b"HTTP/1.1 200 ")


# Times


def trickle(sock: socket.socket, data: bytes, seconds: float) -> float:
    """Send a byte at a time until the server closes or the time is over; return how long it lasted."""
    sock.settimeout(0.05)
    started = time.monotonic()
    for byte in data * 100:
        try:
            sock.send(bytes([byte]))
            if sock.recv(100) == b"":
                break
        except TimeoutError:
            pass
        except OSError:
            break
        if time.monotonic() - started > seconds:
            break
    return time.monotonic() - started


@pytest.mark.parametrize(
    "before",
    [(b"", b""), (GET, b""), (b"", POST), (GET, POST)],
    ids=["first request", "later request", "body", "later body"],
)
def test_a_request_that_comes_in_drops_is_cut_off_while_others_are_served(
    running: Running, before: tuple[bytes, bytes]
) -> None:
    with running.connect() as slow:
        slow.sendall(before[0])
        if before[0]:
            read_answer(slow)
        slow.sendall(before[1])
        lasted: list[float] = []
        thread = threading.Thread(target=lambda: lasted.append(trickle(slow, b"GET /aaaaaaaaaaaaaaaaaaaaaaa", 8)))
        thread.start()
        while thread.is_alive():
            assert running.ask(CLOSING_GET).startswith(b"HTTP/1.1 200 ")
        thread.join()
    assert lasted[0] < 5
    assert wait_until(lambda: running.server.connections == 0)


@pytest.mark.parametrize("start", [b"", b"\r\n", b"GET / HT", GET, GET + b"\r\n", post("/", 5), GET + post("/", 5)])
def test_a_silent_connection_is_closed_at_every_point(running: Running, start: bytes) -> None:
    with running.connect() as sock:
        sock.sendall(start)
        started = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            read_all(sock)
        assert time.monotonic() - started < 5
    assert wait_until(lambda: running.server.connections == 0)


# Connections


def test_connections_of_one_source_are_limited_and_the_rest_closed_at_once(parser: Parser, echo: Echo) -> None:
    with serving(echo, parser=parser, limits=limited(connections_per_source=3, header_timeout=30)) as running:
        held = [running.connect() for _ in range(3)]
        assert wait_until(lambda: running.server.connections == 3)
        with running.connect() as one_more:
            assert one_more.recv(1) == b""
        held.pop().close()
        assert wait_until(lambda: running.server.connections == 2)
        assert running.ask(CLOSING_GET).startswith(b"HTTP/1.1 200 ")
        for sock in held:
            sock.close()
        assert wait_until(lambda: running.server.connections == 0)


def test_connections_are_limited_in_all(parser: Parser, echo: Echo) -> None:
    with serving(echo, parser=parser, limits=limited(connections=2, header_timeout=30)) as running:
        held = [running.connect() for _ in range(2)]
        assert wait_until(lambda: running.server.connections == 2)
        with running.connect() as one_more:
            assert one_more.recv(1) == b""
        for sock in held:
            sock.close()


def test_ipv4_and_ipv6_are_served_together(echo: Echo, parser: Parser) -> None:
    with serving(echo, parser=parser, plain=[("127.0.0.1", 0), ("::1", 0)]) as running:
        for address in running.server.addresses:
            with socket.create_connection((address.host, address.port), timeout=5) as sock:
                sock.sendall(GET)
                read_answer(sock)
    assert [str(request.peer) for request in echo.requests] == ["127.0.0.1", "::1"]


def test_an_ipv6_listener_leaves_ipv4_to_another_one() -> None:
    [(sock, tls)] = bind_all([("::", 0, False)])
    with sock:
        assert not tls
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_every_address_that_cannot_be_bound_is_named(echo: Echo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(InvalidSettings) as caught,
            serving(echo, plain=[("127.0.0.1", port), ("127.0.0.1", 0), ("192.0.2.1", 0)]),
        ):
            pass
    assert len(caught.value.problems) == 2
    assert f"127.0.0.1 port {port}" in caught.value.problems[0]
    assert "192.0.2.1" in caught.value.problems[1]


def test_a_tls_address_without_a_certificate_is_a_mistake_of_the_caller(echo: Echo) -> None:
    with pytest.raises(ValueError, match="certificate"):
        HttpServer(echo, tls=[("127.0.0.1", 0)])


# Work and overload


def test_a_commit_runs_in_a_worker_thread_while_others_are_answered(parser: Parser) -> None:
    release = threading.Event()

    def commit() -> Response:
        release.wait(10)
        return text(200, threading.current_thread().name)

    application = Echo(lambda request: commit if request.path == "/slow" else text(200, "quick"))
    with serving(application, parser=parser) as running, running.connect() as slow:
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        assert wait_until(lambda: len(application.requests) == 1)
        assert running.ask(CLOSING_GET).endswith(b"quick")
        release.set()
        assert b"homing-commit" in read_answer(slow)


def test_more_commits_than_the_backlog_takes_hear_911_at_once(parser: Parser) -> None:
    release = threading.Event()

    def commit() -> Response:
        release.wait(10)
        return text(200, "good")

    application = Echo(lambda request: commit)
    with serving(application, parser=parser, limits=limited(workers=2, backlog=1, body_timeout=30)) as running:
        waiting = [running.connect() for _ in range(3)]
        for sock in waiting:
            sock.sendall(GET)
        assert wait_until(lambda: len(application.requests) == 3)
        answer = running.ask(CLOSING_GET)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 5" in head_of(answer)
        assert answer.endswith(b"\r\n\r\n911\n")
        release.set()
        for sock in waiting:
            assert read_answer(sock).endswith(b"good")
            sock.close()
        assert running.ask(CLOSING_GET).endswith(b"good")


def fail_with(error: Exception) -> Callable[[], Response]:
    def fail() -> Response:
        raise error

    return fail


@pytest.mark.parametrize("where", ["begin", "worker"])
def test_a_crash_is_told_as_911_and_logged_without_what_the_client_sent(
    parser: Parser, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    fail = fail_with(ValueError("s3cret"))
    application = Echo(lambda request: fail() if where == "begin" else fail)
    with caplog.at_level(logging.INFO), serving(application, parser=parser) as running:
        answer = running.ask(
            b"GET /t0ken?password=s3cret HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: s3cret\r\n\r\n"
        )
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in head_of(answer)
    assert answer.endswith(b"911\n")
    assert "ValueError" in caplog.text
    assert "in fail" in caplog.text
    assert "s3cret" not in caplog.text
    assert "t0ken" not in caplog.text


def test_the_text_of_our_own_errors_is_logged(parser: Parser, caplog: pytest.LogCaptureFixture) -> None:
    application = Echo(lambda request: fail_with(StoreUnavailable("disk full")))
    with serving(application, parser=parser) as running:
        running.ask(CLOSING_GET)
    assert "StoreUnavailable: disk full" in caplog.text


# Stopping


def test_stop_answers_what_it_has_accepted_and_takes_nothing_new(parser: Parser) -> None:
    def commit() -> Response:
        time.sleep(0.5)
        return text(200, "good")

    application = Echo(lambda request: commit)
    with serving(application, parser=parser) as running, running.connect() as sock, running.connect() as beginning:
        port = running.port
        sock.sendall(GET)
        beginning.sendall(GET[:20])
        assert wait_until(lambda: len(application.requests) == 1 and running.server.connections == 2)
        stopped = running.stop_soon()
        assert wait_until(lambda: is_refused(port))
        assert not stopped.done()
        beginning.sendall(GET[20:])
        answer = read_all(sock)
        assert answer.endswith(b"good")
        assert b"connection: close" in head_of(answer)
        assert read_all(beginning).endswith(b"good")
        stopped.result(10)
        assert running.server.connections == 0


def test_stop_does_not_wait_for_idle_connections(parser: Parser, echo: Echo) -> None:
    limits = limited(idle_timeout=60, stop_timeout=60)
    with serving(echo, parser=parser, limits=limits) as running, running.connect() as sock:
        sock.sendall(GET)
        read_answer(sock)
        started = time.monotonic()
        running.stop_soon().result(30)
        assert time.monotonic() - started < 10
        assert sock.recv(1) == b""


def test_a_connection_that_is_lost_is_freed_without_the_garbage_collector(parser: Parser, echo: Echo) -> None:
    import gc

    with serving(echo, parser=parser) as running:
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                running.ask(CLOSING_GET)
            wait_until(lambda: running.server.connections == 0)
            time.sleep(0.05)
            left = [thing for thing in gc.get_objects() if isinstance(thing, ConnectionMixin)]
        finally:
            gc.enable()
    assert len(left) <= 1


def test_stop_gives_up_after_its_time_and_says_that_the_outcome_is_unknown(parser: Parser) -> None:
    release = threading.Event()

    def commit() -> Response:
        release.wait(20)
        return text(200, "good")

    with (
        serving(Echo(lambda request: commit), parser=parser, limits=limited(stop_timeout=0.3)) as running,
        running.connect() as sock,
        running.connect() as unfinished,
    ):
        unfinished.sendall(post("/", 5))
        sock.sendall(GET)
        assert wait_until(lambda: running.server.connections == 2)
        time.sleep(0.1)
        running.stop_soon().result(10)
        answer = read_all(sock)
        release.set()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"911\n")


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_everything_works_on_uvloop_too(echo: Echo, parser: Parser) -> None:
    uvloop = pytest.importorskip("uvloop")
    with serving(echo, parser=parser, loop_factory=uvloop.new_event_loop) as running:
        assert running.ask(CLOSING_GET).startswith(b"HTTP/1.1 200 ")
        assert running.ask(post("/", 10**6)).startswith(b"HTTP/1.1 413 ")
        with running.connect() as sock:
            assert sock.recv(1) == b""
        assert wait_until(lambda: running.server.connections == 0)
