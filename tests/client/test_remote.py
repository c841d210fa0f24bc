"""One exchange, with servers that misbehave in every way they can: always an answer or a reason, and always in time."""

from __future__ import annotations

import datetime
import errno
import os
import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest
import trustme

from homing.client.remote import (
    MAX_ANSWER,
    FamilyAbsent,
    Line,
    ServerUnreachable,
    Untrusted,
    exchange,
    send,
)
from homing.client.trust import trust
from homing.core.errors import InvalidInput
from homing.protocols.asking import Ask
from tests.client.servers import Scripted, answer, endless, silent

if TYPE_CHECKING:
    from collections.abc import Callable

GET = Ask("GET", "/x", "secret=s3cret", (("authorization", "Basic s3cret"),))
QUICK = Line(timeout=1.0)


def test_an_answer_is_read_whole_with_its_headers() -> None:
    with Scripted(answer("hello", "503 No", "Retry-After: 5\r\nX-A: b\r\n")) as server:
        heard = exchange(server.url, GET, Line())
    assert (heard.status, heard.body, heard.header("retry-after")) == (503, b"hello", "5")
    request = server.requests[0].decode()
    assert request.startswith("GET /x?secret=s3cret HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in request
    assert "User-Agent: homing/" in request
    assert "Connection: close\r\n" in request


def test_the_path_of_the_server_stands_before_that_of_the_question_and_its_query_before_the_other() -> None:
    with Scripted(answer("a")) as server:
        exchange(server.url + "/prod/", Ask("GET", "/ip"), Line())
        exchange(server.url + "/prod?a=b", Ask("GET", "", "c=d"), Line())
        exchange(server.url, Ask("GET", "", "c=d"), Line())
        exchange(server.url, Ask("POST", "", body=b""), Line())
    lines = [request.partition(b"\r\n")[0] for request in server.requests]
    assert lines == [
        b"GET /prod/ip HTTP/1.1", b"GET /prod?a=b&c=d HTTP/1.1", b"GET /?c=d HTTP/1.1", b"POST / HTTP/1.1",
    ]  # fmt: skip
    assert b"content-length: 0" in server.requests[3].lower()


def test_a_redirect_is_not_followed() -> None:
    with Scripted(answer("trap")) as trap, Scripted(answer("", "302 Found", f"Location: {trap.url}/\r\n")) as server:
        assert exchange(server.url, GET, Line()).status == 302
        assert trap.requests == []


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n"],
    ids=["until closed", "with a length"],
)
def test_an_endless_body_is_no_answer(head: bytes) -> None:
    with (
        Scripted(endless(head, b"good 203.0.113.7\n" * 500)) as server,
        pytest.raises(ServerUnreachable, match="no end"),
    ):
        exchange(server.url, GET, Line())


def test_the_longest_body_that_is_read_is_whole() -> None:
    longest = b"x" * MAX_ANSWER
    with Scripted(answer(longest), answer(longest + b"x")) as server:
        assert exchange(server.url, GET, Line()).body == longest
        with pytest.raises(ServerUnreachable, match="too long"):
            exchange(server.url, GET, Line())


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Header: more\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 10_000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 10_000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"", b"\0" * 10_000),
    ],
    ids=["headers", "header", "continue", "chunk size", "trailers", "no http"],
)
def test_what_has_no_end_is_given_up(head: bytes, piece: bytes) -> None:
    started = time.monotonic()
    with Scripted(endless(head, piece)) as server, pytest.raises(ServerUnreachable):
        exchange(server.url, GET, Line(timeout=5))
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"],
    ids=["at once", "head", "body"],
)
def test_an_answer_that_trickles_ends_with_the_deadline(head: bytes) -> None:
    started = time.monotonic()
    with Scripted(endless(head, b"x", 0.1)) as server, pytest.raises(ServerUnreachable, match="took too long"):
        exchange(server.url, GET, QUICK)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "hung up"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n203.0.113.1", "in the middle"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not in HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "not in HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not in HTTP"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_as_such(said: bytes, words: str) -> None:
    with Scripted(said) as server, pytest.raises(ServerUnreachable, match=words):
        exchange(server.url, GET, QUICK)


def test_nobody_there_silence_and_a_name_that_is_none_are_reasons_without_a_secret() -> None:
    told = []
    with Scripted(silent) as server:
        gone = Scripted(silent)
        gone.__exit__()
        for url in (
            server.url,
            gone.url,
            "http://no-such-host.invalid",
            "http://" + "a" * 70 + ".example",
            "http://[::ffff:0.0.0.0]:1",
        ):
            with pytest.raises(ServerUnreachable) as caught:
                exchange(url, GET, QUICK)
            told.append(str(caught.value))
    assert all("s3cret" not in text for text in told)
    assert "took too long" in told[0]
    assert "Connection refused" in told[1]


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "http://", "//x", "x", "http://u:s3cret@x/", "http://[::1", "http://x:99999", "http://x/é",
     "http://x/a b", ""],
)  # fmt: skip
def test_what_is_no_url_is_refused_before_anything_is_sent_and_repeats_no_password(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        exchange(url, GET, QUICK)
    assert "s3cret" not in str(caught.value)


def test_a_family_can_be_forced_and_its_absence_is_told() -> None:
    with Scripted(answer("4")) as four, Scripted(answer("6"), host="::1") as six:
        assert exchange(four.url, Ask("GET", "", family=4), QUICK).body == b"4"
        assert exchange(six.url, Ask("GET", "", family=6), QUICK).body == b"6"
        by_name = f"http://localhost:{four.port}"
        assert exchange(by_name, Ask("GET", "", family=4), QUICK).body == b"4"
        with pytest.raises(FamilyAbsent):
            exchange(four.url, Ask("GET", "", family=6), QUICK)
        with pytest.raises(FamilyAbsent):
            exchange(six.url, Ask("GET", "", family=4), QUICK)
    assert len(four.requests) == 2


def test_the_next_address_of_a_host_is_tried_when_the_first_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(answer("here")) as server:
        gone = Scripted(silent)
        gone.__exit__()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (gone.port, server.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
        assert exchange("http://two.example", GET, Line()).body == b"here"


def test_a_dead_first_address_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(socket.socket):
        def connect(self, place: tuple[str, int]) -> None:  # type: ignore[override]  # of IPv4 only
            if place[0] == "192.0.2.1":
                time.sleep(self.gettimeout() or 0)
                raise TimeoutError
            super().connect(place)

    with Scripted(answer("here")) as server:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, server.port)) for host in ("192.0.2.1", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
        monkeypatch.setattr(socket, "socket", Slow)
        assert exchange("http://two.example", GET, Line(timeout=2.0)).body == b"here"


def test_a_resolver_that_never_answers_does_not_hold_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> list[object]:
        time.sleep(3)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    started = time.monotonic()
    with pytest.raises(ServerUnreachable, match="took too long"):
        exchange("http://slow.example", GET, Line(timeout=0.3))
    assert time.monotonic() - started < 2.5


def test_requests_leave_by_the_interface_that_is_named() -> None:
    with Scripted(answer("here")) as server:
        assert exchange(server.url, GET, Line(timeout=1.0, interface="lo")).body == b"here"
        with pytest.raises(ServerUnreachable):
            exchange(server.url, GET, Line(timeout=1.0, interface="no-such0"))
    assert len(server.requests) == 1


def failing(monkeypatch: pytest.MonkeyPatch, errors: dict[str, int], *, is_routed: bool = True) -> None:
    """Have a host with several addresses, to connect to which fails; by UDP only where there is no route."""

    class Failing(socket.socket):
        def connect(self, place: tuple[str, int]) -> None:  # type: ignore[override]  # of IPv4 only
            if self.type == socket.SOCK_STREAM or not is_routed:
                raise OSError(errors[place[0]], os.strerror(errors[place[0]]))

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 80)) for host in errors]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    monkeypatch.setattr(socket, "socket", Failing)


def test_a_server_that_is_down_on_our_link_is_no_absent_family(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, {"192.0.2.1": errno.EHOSTUNREACH})
    with pytest.raises(ServerUnreachable, match="No route to host") as caught:
        exchange("http://down.example", GET, QUICK)
    assert not isinstance(caught.value, FamilyAbsent)


def test_a_system_that_says_no_route_to_host_for_want_of_a_route_lacks_the_family(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing(monkeypatch, {"192.0.2.1": errno.EHOSTUNREACH}, is_routed=False)
    with pytest.raises(FamilyAbsent, match="No route to host"):
        exchange("http://bsd.example", GET, QUICK)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_family_is_absent_only_if_no_way_leads_to_any_address(
    order: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = {1: errno.ENETUNREACH, 2: errno.ECONNREFUSED}
    failing(monkeypatch, {f"192.0.2.{number}": errors[number] for number in order})
    with pytest.raises(ServerUnreachable, match="refused") as caught:
        exchange("http://two.example", GET, QUICK)
    assert not isinstance(caught.value, FamilyAbsent)
    monkeypatch.undo()
    failing(monkeypatch, {f"192.0.2.{number}": errno.ENETUNREACH for number in order})
    with pytest.raises(FamilyAbsent):
        exchange("http://two.example", GET, QUICK)


def test_a_kernel_without_ipv6_lacks_the_family(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without6(socket.socket):
        def __init__(self, family: int = -1, *more: int, **named: int) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *more, **named)

    monkeypatch.setattr(socket, "socket", Without6)
    with pytest.raises(FamilyAbsent, match="not supported"):
        exchange("http://[::1]:9", Ask("GET", "", family=6), QUICK)


def test_a_header_of_blanks_takes_no_time() -> None:
    head = b"HTTP/1.1 200 OK\r\na:x" + b" " * 60_000 + b"y\r\nContent-Length: 1\r\n\r\n"
    started = time.process_time()
    with Scripted(head + b"x") as server:
        assert exchange(server.url, GET, Line(timeout=5)).body == b"x"
    assert time.process_time() - started < 3


# --- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context_of(
    authority: trustme.CA, name: str = "127.0.0.1", until: datetime.datetime | None = None
) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, not_before=until and until - datetime.timedelta(days=9), not_after=until).configure_cert(
        context
    )
    return context


def trusting(authority: trustme.CA) -> Line:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return Line(timeout=5, tls=context)


def test_a_host_in_another_script_is_asked_for_as_dns_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    with Scripted(answer("here")) as server:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

        def look_up(host: object, *_: object) -> list[object]:
            asked.append(host)
            return [*found]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        assert exchange("http://b\u00fccher.example:8080", GET, Line()).body == b"here"
    assert asked == [b"xn--bcher-kva.example"]
    assert b"Host: xn--bcher-kva.example:8080\r\n" in server.requests[0]


@pytest.mark.parametrize("value", ["s3cret\r\nX: y", "s3cret\u2026", "s3cret\0"])
def test_a_secret_that_no_header_can_hold_is_not_sent_and_not_shown(value: str) -> None:
    with Scripted(answer("a")) as server, pytest.raises(InvalidInput) as caught:
        exchange(server.url, Ask("GET", "", headers=(("x-api-key", value),)), QUICK)
    assert "s3cret" not in str(caught.value)
    assert server.requests == []


def test_so_much_of_a_body_is_read_as_is_asked_for() -> None:
    longer = b"x" * (MAX_ANSWER + 1)
    with Scripted(answer(longer)) as server:
        assert exchange(server.url, GET, Line(most=2 * MAX_ANSWER)).body == longer


def test_https_is_spoken_to_who_it_should_be(authority: trustme.CA) -> None:
    with Scripted(answer("safe"), tls=context_of(authority)) as server:
        assert exchange(server.url, GET, trusting(authority)).body == b"safe"


def test_nothing_is_sent_to_whom_nobody_vouches_for(authority: trustme.CA) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    cases = [
        (context_of(authority), Line(timeout=5), "--ca-file"),
        (
            context_of(authority, "other.example"),
            trusting(authority),
            "(mismatch|not valid for).*: the URL has to name",
        ),
        (context_of(authority, until=past), trusting(authority), "expired.*clock"),
    ]
    for tls, line, words in cases:
        with Scripted(answer("evil"), tls=tls) as server:
            with pytest.raises(Untrusted, match=words):
                exchange(server.url, GET, line)
            assert server.requests == []


def without_goodbye(data: bytes) -> Callable[[socket.socket, bytes], None]:
    """Hang up as whoever cuts a connection does: without the alert that ends TLS (close_notify)."""

    def part(connection: socket.socket, _: bytes) -> None:
        connection.sendall(data)
        os.close(connection.detach())

    return part


def test_over_tls_the_end_of_the_connection_ends_an_answer_only_if_the_server_said_so(authority: trustme.CA) -> None:
    def unwrapping(connection: socket.socket, _: bytes) -> None:
        connection.sendall(cut + b"7")
        assert isinstance(connection, ssl.SSLSocket)
        connection.unwrap()

    cut = b"HTTP/1.1 200 OK\r\n\r\n203.0.113.1"
    whole = answer("203.0.113.17")
    parts = (
        without_goodbye(cut),
        unwrapping,
        without_goodbye(whole),
        without_goodbye(whole[:-1]),
        without_goodbye(b""),
    )
    with Scripted(*parts, tls=context_of(authority)) as server:
        with pytest.raises(ServerUnreachable, match="in the middle"):
            exchange(server.url, GET, trusting(authority))
        assert exchange(server.url, GET, trusting(authority)).body == b"203.0.113.17"
        assert exchange(server.url, GET, trusting(authority)).body == b"203.0.113.17"
        for words in ("in the middle", "without an answer"):
            with pytest.raises(ServerUnreachable, match=words):
                exchange(server.url, GET, trusting(authority))


def test_plain_http_behind_https_is_told(authority: trustme.CA) -> None:
    with (
        Scripted(answer("plain")) as server,
        pytest.raises(ServerUnreachable, match=r"TLS: (wrong version|record)"),
    ):
        exchange(server.url.replace("http:", "https:"), GET, trusting(authority))


def test_a_handshake_that_never_ends_is_given_up(authority: trustme.CA) -> None:
    with Scripted(silent) as server, pytest.raises(ServerUnreachable, match="took too long"):
        exchange(server.url.replace("http:", "https:"), GET, Line(timeout=0.5))


def test_a_file_that_holds_no_certificates_is_told_by_its_name(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "ca.pem"
    with pytest.raises(InvalidInput, match=r"ca\.pem"):
        trust(file)
    file.write_text("no certificate")
    with pytest.raises(InvalidInput, match=r"ca\.pem"):
        trust(file)


def test_the_short_form_gives_status_and_body() -> None:
    with Scripted(answer("body", "404 No")) as server:
        assert send(server.url + "/p", method="POST", headers=(("a", "b"),), body=b"data") == (404, b"body")
    assert server.requests[0].startswith(b"POST /p HTTP/1.1")
    assert server.requests[0].endswith(b"data")
