"""A Lambda function on this machine: its processes are the real runtime client, started when they are needed.

    with LambdaFunction("update", package, "homing_update.handler", {"HOMING_TABLE": "t"}, runtime=runtime) as update:
        update.invoke({"httpMethod": "GET"}).value

Cold start on demand, warm reuse, one event at a time in each process, timeout, freeze between events, reserved
environment variables. Nothing here knows what a function is for.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from local_aws.execution import Execution, Invoked, failure, kept_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REGION = "eu-central-1"
ACCOUNT = "123456789012"
RUNTIME_MODULES = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""The runtime client, and what it imports."""
BUNDLED_MODULES = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six")
"""What Lambda's Python has beside it."""


class TooManyRequests(Exception):
    """Every process is busy: what Lambda answers with 429."""


def make_runtime_folder(folder: Path) -> Path:
    """Fill a folder with what stands in `/var/runtime` on Lambda, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*RUNTIME_MODULES, *BUNDLED_MODULES):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"{name} is needed to stand in for Lambda's runtime")
        origin = Path(found.origin)
        origin = origin.parent if found.submodule_search_locations else origin
        with suppress(FileExistsError):
            (folder / origin.name).symlink_to(origin)
    return folder


class LambdaFunction:
    """A function with up to `concurrency` processes; `runtime` is the folder of `make_runtime_folder`.

    An invocation waits up to `patience` seconds for a process that is free, where Lambda would begin another one in a
    machine of its own; 0 gives TooManyRequests at once, as reserved concurrency does.
    """

    def __init__(
        self,
        name: str,
        package: Path,
        handler: str,
        environment: Mapping[str, str],
        *,
        runtime: Path,
        memory: int = 256,
        timeout: float = 10.0,
        concurrency: int = 2,
        patience: float = 10.0,
        freezes: bool = False,
    ) -> None:
        self.name = name
        self.arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        self.timeout = timeout
        self.lines: list[str] = []
        """What the processes printed: the function's logs."""
        self.invocations = 0
        self.cold_starts = 0
        self._package, self._handler, self._freezes = package, handler, freezes
        self._environment = _reserved(name, handler, memory, package, runtime) | dict(environment)
        self._limit, self._patience = concurrency, patience
        self._changed = threading.Condition()
        self._idle: list[Execution] = []
        self._busy: list[Execution] = []
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def executions(self) -> Sequence[Execution]:
        """Every process that there is, busy ones first: for tests that kill or stop one."""
        with self._changed:
            return (*self._busy, *self._idle)

    def invoke(self, event: object) -> Invoked:
        """Run one event. An error of the function is a value; raises TooManyRequests where none can be begun."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        execution = self._take()
        try:
            return execution.invoke(payload, self.timeout)
        finally:
            self._give_back(execution)

    def recycle(self) -> None:
        """End the processes that are idle, as Lambda does after a while; the next event is a cold start."""
        with self._changed:
            going, self._idle = self._idle, []
        for execution in going:
            execution.close()

    def close(self) -> None:
        """End every process, busy or not."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for execution in self.executions:
            execution.kill()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, timeout=self.timeout)
        self.recycle()

    def _take(self) -> Execution:
        """Return a process that is ours alone: a warm one if there is one, else a new one."""
        end = time.monotonic() + self._patience
        with self._changed:
            self._changed.wait_for(self._can_take, timeout=max(0.0, end - time.monotonic()))
            if self._is_closed or not self._can_take():
                raise TooManyRequests(self.name)
            self.invocations += 1
            execution = self._idle.pop() if self._idle else self._begin()
            self._busy.append(execution)
            return execution

    def _can_take(self) -> bool:
        for execution in [one for one in self._idle if not one.is_alive]:
            self._idle.remove(execution)
            execution.close()
        return self._is_closed or bool(self._idle) or len(self._busy) < self._limit

    def _begin(self) -> Execution:
        self.cold_starts += 1
        return Execution(
            self._handler,
            self._package,
            self._environment,
            arn=self.arn,
            freezes=self._freezes,
            on_line=self.lines.append,
        )

    def _give_back(self, execution: Execution) -> None:
        with self._changed:
            self._busy.remove(execution)
            keeps = execution.is_alive and not self._is_closed
            if keeps:
                self._idle.append(execution)
            self._changed.notify_all()
        if not keeps:
            execution.close()


def invoke_safely(function: LambdaFunction, event: object) -> Invoked:
    """Run one event; that there was no process for it is an error like others."""
    try:
        return function.invoke(event)
    except TooManyRequests:
        return Invoked(*failure("TooManyRequestsException", "Rate Exceeded."))


def _reserved(name: str, handler: str, memory: int, package: Path, runtime: Path) -> dict[str, str]:
    """Return the variables that Lambda sets (docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html)."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return kept_environment() | {
        "_HANDLER": handler,
        "LAMBDA_TASK_ROOT": str(package),
        "LAMBDA_RUNTIME_DIR": str(runtime),
        "PYTHONPATH": str(runtime),
        "PYTHONDONTWRITEBYTECODE": "1",  # /var/task is read-only
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "ASIALOCALLOCALLOCAL1",
        "AWS_SECRET_ACCESS_KEY": "a-secret-that-opens-nothing",
        "AWS_SESSION_TOKEN": "a-token-that-opens-nothing",
        "TZ": ":UTC",
    }
