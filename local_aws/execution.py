"""One Lambda execution environment: a process of the real runtime client, and the Runtime API that it alone sees.

The API is version 2018-06-01 (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). The process runs without the
packages of this machine: what it can import is its own package, and what Lambda puts beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_aws.http_server import HttpAnswer, HttpRequest, HttpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

VERSION = "/2018-06-01/runtime"
INIT_SECONDS = 10.0
"""How long the code outside of the handler may take on Lambda."""
END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Invoked:
    """What the Invoke API would tell: the handler's result, or the error that it ended with."""

    payload: bytes
    error: str | None
    """The error's type, for example `Sandbox.Timedout`; None after a result."""
    was_cold: bool = False
    duration: float = 0.0
    """Seconds from the invocation until its end, the start of a process not counted."""

    @property
    def value(self) -> Any:
        """The result. Raises FunctionError if there is none."""
        if self.error is not None:
            raise FunctionError(f"{self.error}: {self.payload.decode(errors='replace')}")
        return json.loads(self.payload)


class FunctionError(Exception):
    """The handler raised, timed out, or its process died."""


@dataclass(slots=True)
class _Invocation:
    id: str
    payload: bytes
    deadline: float
    done: threading.Event = field(default_factory=threading.Event)
    answer: tuple[bytes, str | None] | None = None

    def end(self, payload: bytes, error: str | None) -> None:
        """The first word counts."""
        if self.answer is None:
            self.answer = payload, error
            self.done.set()


def failure(kind: str, text: str) -> tuple[bytes, str]:
    """Return an error as Lambda words its own."""
    return json.dumps({"errorType": kind, "errorMessage": text}).encode(), kind


class Execution:
    """One environment, from the start of its process on. Runs one invocation at a time."""

    def __init__(
        self,
        handler: str,
        package: Path,
        environment: Mapping[str, str],
        *,
        arn: str,
        freezes: bool,
        on_line: Callable[[str], None],
    ) -> None:
        self._arn = arn
        self._freezes = freezes
        self._inbox: queue.SimpleQueue[_Invocation | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._current: _Invocation | None = None
        self._ready = threading.Event()
        self._init_error: tuple[bytes, str] | None = None
        self._is_killed = False
        self.invocations = 0
        self._api = HttpServer(self._answer)
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-m", "awslambdaric", handler],
            cwd=package,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": f"{self._api.host}:{self._api.port}"},
            process_group=0,  # Ctrl-C is for whoever started it, who then ends it
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read_lines, args=(on_line,), daemon=True)
        self._reader.start()

    @property
    def is_alive(self) -> bool:
        """Whether another invocation can be given to it."""
        return not self._is_killed and self.process.poll() is None and self._init_error is None

    def invoke(self, payload: bytes, timeout: float) -> Invoked:
        """Run one event to its end; what runs longer than `timeout` seconds is killed, as Lambda does."""
        was_cold = self.invocations == 0
        self.invocations += 1
        if self.process.poll() is None:
            self._ready.wait(INIT_SECONDS)
        began = time.monotonic()
        invocation = _Invocation(str(uuid.uuid4()), payload, time.time() + timeout)
        with self._lock:
            self._current = invocation
            if self._init_error is not None:
                invocation.end(*self._init_error)
            elif self._is_gone():
                invocation.end(*self._exit_failure())
            else:
                self._inbox.put(invocation)
                self._signal(signal.SIGCONT)
        if not invocation.done.wait(timeout):
            invocation.end(*failure("Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds"))
            self.kill()
        with self._lock:
            self._current = None
        assert invocation.answer is not None
        return Invoked(*invocation.answer, was_cold, time.monotonic() - began)

    def kill(self) -> None:
        """SIGKILL, as Lambda does to what it no longer wants, and tests to what should go on."""
        self._is_killed = True
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """SIGSTOP: what Lambda does between invocations, and tests in the middle of one."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End the process and the API."""
        self.kill()
        self.process.wait(END_SECONDS)
        self._inbox.put(None)
        self._api.close()
        self._reader.join(END_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def _is_gone(self) -> bool:
        return self.process.poll() is not None

    def _exit_failure(self) -> tuple[bytes, str]:
        return failure("Runtime.ExitError", f"Runtime exited with status {self.process.returncode}")

    def _read_lines(self, on_line: Callable[[str], None]) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                on_line(line.decode("utf-8", "replace").rstrip("\n"))
        self.process.wait()
        with self._lock:
            if self._current is not None:
                self._current.end(*self._exit_failure())
        self._ready.set()

    # --- the Runtime API

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        path = request.target.removeprefix(VERSION)
        if path == "/invocation/next":
            return self._next()
        if path == "/init/error":
            self._init_error = request.body, request.header("Lambda-Runtime-Function-Error-Type") or "Runtime.InitError"
            self._ready.set()
            return HttpAnswer(202)
        invocation = self._current
        _, _, identifier, what = path.split("/") if path.count("/") == 3 else ("", "", "", "")
        if invocation is None or identifier != invocation.id:
            return HttpAnswer(400, b'{"errorType":"InvalidRequestID"}')
        if what == "response":
            invocation.end(request.body, None)
        elif what == "error":
            invocation.end(request.body, request.header("Lambda-Runtime-Function-Error-Type") or "Unhandled")
        return HttpAnswer(202, b'{"status":"OK"}')

    def _next(self) -> HttpAnswer:
        with self._lock:
            self._ready.set()
            if self._freezes and self._inbox.empty():
                self.stop()  # it waits for us; nothing of it may run until there is an event
        invocation = self._inbox.get()
        if invocation is None:
            return HttpAnswer(0)
        headers = (
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.id),
            ("Lambda-Runtime-Deadline-Ms", str(int(invocation.deadline * 1000))),
            ("Lambda-Runtime-Invoked-Function-Arn", self._arn),
        )
        return HttpAnswer(200, invocation.payload, headers)


def kept_environment() -> dict[str, str]:
    """Return what a process of ours needs of this machine, and no setting of anything."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LD_LIBRARY_PATH")}
