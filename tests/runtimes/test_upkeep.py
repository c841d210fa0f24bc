"""What a server does beside answering: jobs that outlive any error, and are finished before the store is closed."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from homing.core.errors import StoreUnavailable
from homing.runtimes import server
from homing.runtimes.server import DAY, MINUTE, Job, running
from homing.settings.one_machine import load
from homing.stores.sqlite import SqliteStore
from tests.conformance.store_contract import make_host
from tests.conformance.test_stores import FixedClock

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from homing.settings.one_machine import Settings
    from homing.wiring.one_machine import OneMachine

PATIENCE = 15.0
SOON = 0.001
LONG_QUERY = """
import sys, threading, time
from homing.stores.sqlite import SqliteStore
from tests.conformance.test_stores import FixedClock
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT max(i) FROM n"
store, begun = SqliteStore(sys.argv[1], clock=FixedClock()), threading.Event()
def count(connection):
    begun.set()
    return connection.execute(COUNT).fetchall()
thread = threading.Thread(target=lambda: print(store._try(count)))
thread.start()
begun.wait()
time.sleep(0.1)
store.close()
thread.join()
"""


def settings(folder: Path) -> Settings:
    given = {"database": folder / "s.db", "zones": ["home.example"], "http_listen": ["127.0.0.1:0"],
             "dns_listen": ["127.0.0.1:0"]}  # fmt: skip
    return load(given, environment={}).settings


def repeat(job: Job, until: threading.Event, look: Callable[[], bool] = lambda: True) -> bool:
    """Do a job until the event, then stop, and look at once; what the job raises must not come out here."""

    async def main() -> bool:
        stop = asyncio.Event()
        task = asyncio.create_task(server._repeat(job, stop))
        assert await asyncio.to_thread(until.wait, PATIENCE)
        await asyncio.wait_for(server._end(stop, task), PATIENCE)
        return look()

    return asyncio.run(main())


def failing(errors: list[Exception | None], done: threading.Event) -> Callable[[], None]:
    """Fail with one error after the other, or not where it is None; tell when there are no more."""
    left = list(errors)

    def work() -> None:
        error = left.pop(0) if left else None
        if not left:
            done.set()
        if error is not None:
            raise error

    return work


@pytest.mark.parametrize("error", [StoreUnavailable("busy"), RuntimeError("a bug"), OSError("no descriptors")])
def test_a_job_goes_on_after_any_error_and_logs_it_once(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    done = threading.Event()
    with caplog.at_level(logging.ERROR, "homing.server"):
        repeat(Job("drain", SOON, failing([error, error, error, None], done)), done)
    assert [record.getMessage().startswith("drain") for record in caplog.records] == [True]


def test_a_job_that_worked_in_between_logs_its_next_error(caplog: pytest.LogCaptureFixture) -> None:
    done, error = threading.Event(), KeyError("x")
    with caplog.at_level(logging.ERROR, "homing.server"):
        repeat(Job("drain", SOON, failing([error, None, error, error, None], done)), done)
    assert len(caplog.records) == 2


def test_the_text_of_a_bug_is_not_logged_as_it_may_quote_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    with caplog.at_level(logging.ERROR, "homing.server"):
        repeat(Job("drain", SOON, failing([ValueError("s3cret"), None], done)), done)
    assert "ValueError" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_job_is_finished_before_the_stop_returns() -> None:
    begun, ended = threading.Event(), threading.Event()
    let_go = threading.Timer(0.2, ended.set)

    def work() -> None:
        begun.set()
        let_go.start()
        ended.wait(PATIENCE)
        finished.append(True)

    finished: list[bool] = []
    assert repeat(Job("slow", SOON, work), begun, lambda: bool(finished))


def test_a_job_is_first_done_when_it_says() -> None:
    done = threading.Event()
    repeat(Job("early", PATIENCE * 100, done.set, first=SOON), done)


def test_a_job_that_says_nothing_waits_for_one_interval() -> None:
    calls: list[int] = []
    never = threading.Event()
    never.set()
    repeat(Job("late", PATIENCE * 100, lambda: calls.append(1)), never)
    assert calls == []


def test_what_is_done_daily_is_also_done_soon_after_the_start(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(settings(tmp_path)) as up:
            jobs = {job.name: (job.interval, job.first) for job in server._upkeep(up.machine)}
            assert jobs["purge"] == jobs["reconcile"] == (DAY, MINUTE)
            assert set(jobs) == {"purge", "reconcile", "follow", "drain"}

    asyncio.run(main())


def test_a_server_stops_only_when_a_job_that_reads_its_store_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, seen = threading.Event(), []

    def jobs(machine: OneMachine) -> tuple[Job, ...]:
        def read() -> None:
            begun.set()
            threading.Event().wait(0.2)
            seen.append(machine.store.load([make_host().key]))

        return (Job("read", 60.0, read, first=SOON),)

    async def main() -> None:
        async with running(settings(tmp_path)):
            assert await asyncio.to_thread(begun.wait, PATIENCE)

    monkeypatch.setattr(server, "_upkeep", jobs)
    asyncio.run(main())
    assert seen == [{}]


def test_closing_a_store_waits_for_a_query_of_another_thread(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", clock=FixedClock())
    begun, let_go = threading.Event(), threading.Event()
    order: list[str] = []

    def read(connection: sqlite3.Connection) -> None:
        begun.set()
        let_go.wait(PATIENCE)
        connection.execute("SELECT 1").fetchall()
        order.append("read")

    def close() -> None:
        store.close()
        order.append("closed")

    threads = [threading.Thread(target=store._try, args=(read,)), threading.Thread(target=close)]
    threads[0].start()
    assert begun.wait(PATIENCE)
    threads[1].start()
    threads[1].join(0.2)
    let_go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["read", "closed"]


def test_closing_a_store_under_a_long_query_does_not_crash_the_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LONG_QUERY, tmp_path / "s.db"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[(2000000,)]\n", "")
