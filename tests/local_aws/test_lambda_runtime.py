"""The local Lambda does what Lambda does with a process: cold, warm, at most so many, frozen, timed out, dead."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from local_aws.execution import FunctionError
from local_aws.lambda_runtime import LambdaFunction, TooManyRequests

from tests.e2e.programs import wait_for


def make(package: Path, runtime: Path, handler: str = "index.handler", **options: Any) -> LambdaFunction:
    return LambdaFunction("tried", package, handler, {"SETTING": "given"}, runtime=runtime, **options)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().split()[2]


def test_the_first_event_is_a_cold_start_and_the_next_are_warm(package: Path, runtime: Path) -> None:
    with make(package, runtime) as function:
        first, second = function.invoke({}), function.invoke({})
        assert (first.was_cold, second.was_cold) == (True, False)
        assert (first.value["count"], second.value["count"]) == (1, 2)
        assert function.cold_starts == 1
        assert wait_for(lambda: function.lines == ["event 1", "event 2"])


def test_a_process_sees_what_lambda_gives_it_and_nothing_of_this_machine(package: Path, runtime: Path) -> None:
    with make(package, runtime, timeout=7) as function:
        seen = function.invoke({"text": "ä"}).value
    assert seen["event"] == {"text": "ä"}
    assert seen["arn"].endswith(":function:tried")
    assert 6_000 < seen["left"] <= 7_000
    assert seen["environment"]["SETTING"] == "given"
    assert seen["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == "tried"
    assert "HOME" not in seen["environment"]
    assert not [one for one in seen["path"] if "site-packages" in one]


def test_what_a_handler_raises_is_an_error_and_its_process_goes_on(package: Path, runtime: Path) -> None:
    with make(package, runtime) as function:
        failed = function.invoke({"raise": 1})
        assert failed.error == "Unhandled"
        with pytest.raises(FunctionError, match="ValueError"):
            _ = failed.value
        assert function.invoke({}).value["count"] == 2


def test_a_module_that_cannot_be_imported_fails_each_event(package: Path, runtime: Path) -> None:
    with make(package, runtime, "broken.handler") as function:
        assert [function.invoke({}).error for _ in range(2)] == ["Runtime.ImportModuleError"] * 2
        assert function.cold_starts == 2


def test_a_process_that_ends_fails_its_event_and_is_replaced(package: Path, runtime: Path) -> None:
    with make(package, runtime) as function:
        failed = function.invoke({"exit": 1})
        assert failed.error == "Runtime.ExitError"
        assert b"status 3" in failed.payload
        assert function.invoke({}).value["count"] == 1


def test_what_takes_too_long_is_killed(package: Path, runtime: Path) -> None:
    with make(package, runtime, timeout=0.5) as function:
        pid = function.invoke({}).value["pid"]
        assert function.invoke({"sleep": 20}).error == "Sandbox.Timedout"
        assert function.invoke({}).value["pid"] != pid
        assert wait_for(lambda: not Path(f"/proc/{pid}").exists())


def test_more_events_than_processes_wait_or_are_refused(package: Path, runtime: Path) -> None:
    with make(package, runtime, concurrency=2) as function, ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: function.invoke({"sleep": 0.2}).value["pid"], range(4)))
        assert len(set(found)) == function.cold_starts == 2
    with make(package, runtime, concurrency=1, patience=0) as function, ThreadPoolExecutor(1) as threads:
        running = threads.submit(function.invoke, {"sleep": 0.5})
        assert wait_for(lambda: bool(function.executions))
        with pytest.raises(TooManyRequests):
            function.invoke({})
        assert running.result().error is None


def test_a_frozen_process_stands_still_between_events(package: Path, runtime: Path) -> None:
    with make(package, runtime, freezes=True) as function:
        pid = function.invoke({}).value["pid"]
        assert wait_for(lambda: state_of(pid) == "T")
        assert function.invoke({}).value["pid"] == pid


def test_a_process_killed_or_stopped_in_the_middle_of_an_event(package: Path, runtime: Path) -> None:
    with make(package, runtime, timeout=5) as function:
        function.invoke({})
        threading.Timer(0.2, function.executions[0].kill).start()
        assert function.invoke({"sleep": 4}).error == "Runtime.ExitError"
        function.invoke({})
        threading.Timer(0.1, function.executions[0].stop).start()
        threading.Timer(0.7, function.executions[0].resume).start()
        began = time.monotonic()
        assert function.invoke({"sleep": 0.2}).error is None
        assert time.monotonic() - began > 0.6


def test_the_end_leaves_no_process_and_no_thread(package: Path, runtime: Path) -> None:
    before = threading.active_count()
    function = make(package, runtime, timeout=200)
    pid = function.invoke({}).value["pid"]
    thread = threading.Thread(target=lambda: function.invoke({"sleep": 190}))
    thread.start()
    assert wait_for(lambda: function.invocations == 2)
    function.close()
    thread.join()
    assert not Path(f"/proc/{pid}").exists()
    assert wait_for(lambda: threading.active_count() == before)
