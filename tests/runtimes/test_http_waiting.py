"""Answers that wait for a commit: given when it has ended, whatever the client, the commit or `stop` do meanwhile."""

from __future__ import annotations

import contextlib
import gc
import socket
import struct
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from homing.core.errors import Conflict, StoreUnavailable
from homing.protocols.http import Response, text
from homing.web.routes import Waiting
from tests.runtimes.http_harness import LIMITS, limited, read_all, read_answer, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homing.protocols.http import Request
    from tests.runtimes.http_harness import Running

GET = b"GET /nic/update HTTP/1.1\r\nHost: h\r\n\r\n"
GOOD, AGAIN = text(200, "good 203.0.113.7\n"), text(503, "911\n")


class Patient:
    """An application whose answers wait for `commits`, one after the other; `answer` is called after the last."""

    def __init__(self, *commits: Future[None], answer: Callable[[], Response] = lambda: GOOD) -> None:
        self.commits = commits
        self.answer = answer
        self.asked = 0
        self.proceeded = threading.Event()
        self.too_early = False

    def begin(self, request: Request) -> Response | Waiting:
        self.asked += 1
        return self._step(0)

    def _step(self, number: int) -> Response | Waiting:
        if number == len(self.commits):
            self.proceeded.set()
            return self.answer()

        def proceed() -> Response | Waiting:
            self.too_early |= not self.commits[number].done()
            return self._step(number + 1)

        return Waiting(self.commits[number], proceed)


@pytest.fixture
def commit() -> Iterator[Future[None]]:
    """A commit on its way. It ends with the test, so that no server waits for it for ever."""
    future: Future[None] = Future()
    yield future
    if not future.done():
        future.set_result(None)


@contextlib.contextmanager
def asking(running: Running, application: Patient) -> Iterator[socket.socket]:
    """Have asked, and not been answered yet."""
    before = application.asked
    with running.connect() as sock:
        sock.sendall(GET)
        assert wait_until(lambda: application.asked > before)
        yield sock


def is_silent(sock: socket.socket) -> bool:
    sock.settimeout(0.15)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(10)
    return False


def test_the_answer_comes_when_the_commit_has_ended_and_not_before(commit: Future[None]) -> None:
    application = Patient(commit)
    with serving(application) as running, asking(running, application) as sock:
        assert is_silent(sock)
        commit.set_result(None)
        assert read_answer(sock).endswith(GOOD.body)
    assert not application.too_early


def test_a_commit_that_has_ended_already_is_answered_at_once(commit: Future[None]) -> None:
    commit.set_result(None)
    with serving(Patient(commit)) as running, running.connect() as sock:
        for _ in range(2):  # on one connection
            sock.sendall(GET)
            assert read_answer(sock).endswith(GOOD.body)


def test_what_follows_may_wait_for_a_further_commit(commit: Future[None]) -> None:
    further: Future[None] = Future()
    application = Patient(commit, further)
    with serving(application) as running, asking(running, application) as sock:
        commit.set_result(None)
        assert is_silent(sock)
        further.set_result(None)
        assert read_answer(sock).endswith(GOOD.body)
    assert not application.too_early


@pytest.mark.parametrize("error", [Conflict("moved"), StoreUnavailable("off")])
def test_of_a_commit_that_failed_the_application_says_what_it_means(commit: Future[None], error: Exception) -> None:
    application = Patient(commit, answer=lambda: AGAIN)
    with serving(application) as running, asking(running, application) as sock:
        commit.set_exception(error)
        answer = read_answer(sock)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(AGAIN.body)


def test_a_commit_that_failed_is_no_line_of_the_log_but_its_request(
    commit: Future[None], caplog: pytest.LogCaptureFixture
) -> None:
    application = Patient(commit, answer=lambda: AGAIN)
    with serving(application) as running, asking(running, application) as sock:
        commit.set_exception(Conflict("moved"))
        read_answer(sock)
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_what_fails_after_the_commit_is_a_temporary_failure(commit: Future[None]) -> None:
    def crash() -> Response:
        raise ValueError("crash")

    application = Patient(commit, answer=crash)
    with serving(application) as running, asking(running, application) as sock:
        commit.set_result(None)
        answer = read_answer(sock)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert answer.endswith(b"911\n")


@pytest.mark.parametrize("linger", [None, struct.pack("ii", 1, 0)], ids=["closed", "reset"])
def test_a_client_that_goes_away_meanwhile_takes_no_place_for_ever(commit: Future[None], linger: bytes | None) -> None:
    application = Patient(commit)
    places = LIMITS.workers + LIMITS.backlog
    with serving(application) as running:
        for _ in range(places):
            with asking(running, application) as sock:
                if linger:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        commit.set_result(None)
        assert application.proceeded.wait(5)  # what was committed is carried on with
        assert wait_until(lambda: running.server.connections == 0)
        with running.connect() as sock:
            for _ in range(places + 1):
                sock.sendall(GET)
                assert read_answer(sock).endswith(GOOD.body)


def test_who_waits_for_a_commit_counts_among_those_that_may_wait(commit: Future[None]) -> None:
    application = Patient(commit)
    with serving(application, limits=limited(workers=1, backlog=2)) as running, contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(asking(running, application)) for _ in range(3)]
        refused = stack.enter_context(asking(running, application))
        answer = read_answer(refused)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in answer
        assert answer.endswith(b"911\n")
        commit.set_result(None)
        assert all(read_answer(sock).endswith(GOOD.body) for sock in waiting)
        refused.sendall(GET)
        assert read_answer(refused).endswith(GOOD.body)


def test_stop_waits_for_the_commit_and_answers_for_the_last_time(commit: Future[None]) -> None:
    application = Patient(commit)
    with serving(application, limits=limited(stop_timeout=30)) as running, asking(running, application) as sock:
        stopped = running.stop_soon()
        assert is_silent(sock)
        assert not stopped.done()
        commit.set_result(None)
        answer = read_all(sock)
        assert answer.endswith(GOOD.body)
        assert b"connection: close" in answer.lower()
        stopped.result(20)


def test_stop_waits_no_longer_than_it_was_told_and_then_asks_to_try_again(commit: Future[None]) -> None:
    application = Patient(commit)
    with serving(application, limits=limited(stop_timeout=0.2)) as running, asking(running, application) as sock:
        running.stop_soon().result(20)
        answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert answer.endswith(b"911\n")
        assert not commit.cancelled()  # it may still happen, and that is what was said
