"""One line a request, and nothing secret in it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from homing.core.addresses import parse_address
from homing.core.errors import StoreUnavailable
from homing.protocols.http import Request, Response, text
from homing.runtimes.access_log import LogFormat, configure_logging, log_request
from homing.runtimes.crashes import render_crash
from tests.runtimes.http_harness import PARSERS, Echo, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homing.runtimes.http_connection import Parser


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[LogFormat], io.StringIO]]:
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn.error")
    before, levels = list(root.handlers), (root.level, uvicorn.level)

    def start(form: LogFormat) -> io.StringIO:
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        configure_logging(form, "info")
        return stream

    yield start
    root.handlers[:] = before
    root.setLevel(levels[0])
    uvicorn.setLevel(levels[1])


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("parser", PARSERS)
def test_a_request_is_one_json_line_and_holds_no_secret(
    parser: Parser, configure: Callable[[LogFormat], io.StringIO]
) -> None:
    stream = configure("json")

    def reply(request: Request) -> Response:
        return text(
            200,
            "good",
            who="alice",
            host="a.example.",
            outcome="UPDATED",
            address=parse_address("203.0.113.7"),
            client="203.0.113.9",
            path="/update/a/***",
        )

    with serving(Echo(reply), parser=parser) as running:
        running.ask(
            b"POST /update/a/t0ken?password=s3cret HTTP/1.1\r\nHost: s3cret\r\nAuthorization: s3cret\r\n"
            b"Connection: close\r\nContent-Length: 6\r\n\r\ns3cret"
        )
        assert wait_until(lambda: "UPDATED" in stream.getvalue())
    assert "s3cret" not in stream.getvalue()
    assert "t0ken" not in stream.getvalue()
    [line] = [line for line in lines_of(stream) if "status" in line]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert 0 <= line.pop("duration_ms") < 10_000
    assert line == {
        "client": "203.0.113.9",
        "method": "POST",
        "path": "/update/a/***",
        "status": 200,
        "who": "alice",
        "host": "a.example.",
        "outcome": "UPDATED",
        "address": "203.0.113.7",
    }


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET ?t0ken HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"s3cret\r\n\r\n", 400),
        (b"DELETE /t0ken HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"POST /t0ken HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n", 413),
        (b"GET /t0ken HTTP/1.1\r\nHost: h\r\nX: " + b"s3cret" * 4000 + b"\r\n\r\n", None),
        (b"POST /t0ken HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\ns3cret", 0),
    ],
)
def test_a_refused_request_is_one_line_that_quotes_nothing(
    parser: Parser, configure: Callable[[LogFormat], io.StringIO], sent: bytes, status: int | None
) -> None:
    stream = configure("json")
    with serving(Echo(), parser=parser) as running:
        with contextlib.suppress(ConnectionResetError):
            running.ask(sent)
        assert wait_until(lambda: "outcome" in stream.getvalue())
    [line] = [line for line in lines_of(stream) if "status" in line]
    assert (line["client"], line["path"]) == ("127.0.0.1", "-")
    assert line["status"] in ([400, 431] if status is None else [status])
    assert "t0ken" not in stream.getvalue()
    assert "s3cret" not in stream.getvalue()


def test_a_text_line_cannot_be_forged(configure: Callable[[LogFormat], io.StringIO]) -> None:
    stream = configure("text")
    log_request("192.0.2.1", "GET", "/a\n\x1b[2Jb c", status=200, seconds=0.0012, outcome={"who": "x y", "host": None})
    [line] = stream.getvalue().splitlines()
    assert line[13:] == r'192.0.2.1 GET "/a\n\u001b[2Jb c" 200 1.2ms who="x y"'


def test_other_messages_take_the_same_form(configure: Callable[[LogFormat], io.StringIO]) -> None:
    stream = configure("text")
    logging.getLogger("homing.tls").warning("old one stays")
    assert stream.getvalue()[13:] == "warning homing.tls: old one stays\n"
    stream = configure("json")
    logging.getLogger("homing.tls").warning("old one stays")
    [line] = lines_of(stream)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "homing.tls", "old one stays")


def test_a_logged_exception_does_not_quote_what_it_met(configure: Callable[[LogFormat], io.StringIO]) -> None:
    sent = "s3" + "cret"
    forms: tuple[LogFormat, ...] = ("text", "json")
    for form in forms:
        stream = configure(form)
        try:
            int(sent)
        except ValueError:
            logging.getLogger("homing").exception("it broke")
        assert "ValueError" in stream.getvalue()
        assert sent not in stream.getvalue()


def test_a_crash_shows_its_cause() -> None:
    try:
        try:
            raise KeyError("s3cret")
        except KeyError as error:
            raise StoreUnavailable("the disk is full") from error
    except StoreUnavailable as error:
        shown = render_crash(error)
    assert "StoreUnavailable: the disk is full" in shown
    assert "caused by" in shown
    assert "KeyError" in shown
    assert "'s3cret'" not in shown.replace('raise KeyError("s3cret")', "")


def test_a_long_value_is_cut(configure: Callable[[LogFormat], io.StringIO]) -> None:
    stream = configure("json")
    log_request("192.0.2.1", "GET", "/" + "x" * 9999, status=200, seconds=0, outcome={})
    assert len(stream.getvalue()) < 500


def test_nothing_is_made_when_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "homing.access"):
        log_request("192.0.2.1", "GET", "/", status=200, seconds=0, outcome={})
    assert not caplog.records


def test_the_lines_of_a_loop_are_written_together_and_a_warning_at_once(
    configure: Callable[[LogFormat], io.StringIO],
) -> None:
    stream = configure("json")
    log = logging.getLogger("homing.test")

    async def log_some() -> None:
        log.info("one")
        log.info("two")
        assert stream.getvalue() == ""
        log.warning("three")
        assert len(lines_of(stream)) == 3
        log.info("four")
        while len(lines_of(stream)) < 4:
            await asyncio.sleep(0.01)
        log.info("five")

    asyncio.run(log_some())
    log.info("six")  # no loop any more, and the timer of the old one is lost
    assert [line["message"] for line in lines_of(stream)] == ["one", "two", "three", "four", "five", "six"]
