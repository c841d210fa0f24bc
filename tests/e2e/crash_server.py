"""`homing serve`, made to kill itself at a named point, or broken on purpose. For tests, and only here.

    python crash_server.py [--at POINT:COUNT --armed FILE] [--broken HOW] serve ...

Nothing in the program knows of this: the points are wrapped from outside. POINT is passed COUNT times, counted from
when FILE exists, and then the process ends as by a power cut: kill -9, from within.
"""

from __future__ import annotations

import argparse
import functools
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.app.publishing import Outbox, Progress
from homing.app.service import Service
from homing.cli import main
from homing.core.rows import key_of
from homing.core.values import replace
from homing.core.zone import Zone
from homing.runtimes.http_endpoint import Endpoint
from homing.stores import sqlite_rows, sqlite_schema
from homing.stores.group_commit import GroupCommit
from homing.stores.sqlite import SqliteStore
from homing.stores.sqlite_feed import SqliteFeed
from homing.stores.sqlite_rows import RowTransaction

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS: dict[str, tuple[Any, str, str]] = {
    "decided": (Service, "begin", "before"),  # nothing is written yet
    "submitted": (SqliteStore, "submit", "after"),  # the writer may have begun
    "written": (RowTransaction, "write", "after"),  # in an open transaction
    "before-commit": (RowTransaction, "finish", "after"),  # the serial has moved, too
    "after-commit": (GroupCommit, "_commit", "after"),  # durable, and nobody knows
    "woken": (Service, "_proceed", "before"),  # whoever waited knows, DNS does not
    "publishing": (Zone, "apply", "before"),
    "applied": (Zone, "apply", "after"),
    "published": (Outbox, "publish", "after"),
    "before-answer": (Endpoint, "_send", "before"),
    "after-answer": (Endpoint, "_send", "after"),
}


class Fuse:
    """Kills this process at the count-th passing since it was armed."""

    def __init__(self, count: int, armed: Path) -> None:
        self._left = count
        self._armed = armed
        self._lock = threading.Lock()

    def passed(self) -> None:
        with self._lock:
            if not self._armed.exists():
                return
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def set_fuse(point: str, fuse: Fuse) -> None:
    owner, name, when = POINTS[point]
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            fuse.passed()
        result = original(*args, **kwargs)
        if when == "after":
            fuse.passed()
        return result

    @functools.wraps(original)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            fuse.passed()
        result = await original(*args, **kwargs)
        if when == "after":
            fuse.passed()
        return result

    put(owner, name, awaited if owner is Endpoint else wrapped)


def put(owner: Any, name: str, replacement: Any) -> None:
    """Put something else in the place of a function of the program."""
    setattr(owner, name, replacement)


# --- broken on purpose


def answer_first() -> None:
    """The order is wrong: "good" is said while the commit is still to come. Without a crash nobody would notice."""
    remembered: dict[Any, Any] = {}
    load, submit, finish = SqliteStore.load, SqliteStore.submit, RowTransaction.finish

    def submit_and_forget(self: SqliteStore, commit: Any) -> Future[None]:
        submit(self, commit)
        remembered.update({key_of(row): row for row in commit.puts})
        return _done()

    def load_or_remember(self: SqliteStore, keys: Any) -> Any:
        return {**load(self, keys), **{key: remembered[key] for key in keys if key in remembered}}

    def finish_late(self: RowTransaction) -> None:
        time.sleep(0.005)
        finish(self)

    put(SqliteStore, "submit", submit_and_forget)
    put(SqliteStore, "load", load_or_remember)
    put(RowTransaction, "finish", finish_late)
    put(Outbox, "publish", lambda _self, _hosts: Progress())


def commit_later() -> None:
    """The promise is not kept: callers are told that it is done, and COMMIT comes for five transactions at once."""
    counted = {"COMMIT": 0}
    execute = sqlite_schema.Connection.execute

    def execute_some(self: sqlite_schema.Connection, sql: str, *args: Any) -> Any:
        is_writer = threading.current_thread().name == "homing-store-writer"
        if is_writer and sql == "BEGIN IMMEDIATE" and self.in_transaction:
            return None
        if is_writer and sql == "COMMIT":
            counted["COMMIT"] += 1
            if counted["COMMIT"] % 5:
                return None
        return execute(self, sql, *args)

    put(sqlite_schema.Connection, "execute", execute_some)


def serial_in_memory() -> None:
    """The serial is counted where a crash forgets it."""
    ahead = [0]
    changes_since = SqliteFeed.changes_since

    def count_up(self: SqliteFeed, seq: int) -> Any:
        changes = changes_since(self, seq)
        ahead[0] += 1
        return replace(changes, serials={zone: serial + ahead[0] for zone, serial in changes.serials.items()})

    put(SqliteFeed, "changes_since", count_up)
    put(sqlite_rows, "next_serial", lambda serial, now: serial or 1)


def torn_write() -> None:
    """A request of two hosts is written as two: the second commits on its own, later."""
    submit = SqliteStore.submit

    def one_by_one(self: SqliteStore, whole: Any) -> Future[None]:
        for row in whole.puts:
            submit(self, replace(whole, puts=(row,), expects={row.key: whole.expects[row.key]})).result()
            time.sleep(0.002)
        return _done()

    put(SqliteStore, "submit", one_by_one)


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


def no_sync() -> None:
    """Commits are not synced. No kill -9 shows that, since the kernel keeps what was written: strace does."""
    connect = sqlite_schema.connect

    def connect_unsynced(*args: Any, **kwargs: Any) -> Any:
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    put(sqlite_schema, "connect", connect_unsynced)


BROKEN: dict[str, Callable[[], None]] = {
    "answer-first": answer_first,
    "commit-later": commit_later,
    "serial-in-memory": serial_in_memory,
    "torn-write": torn_write,
    "no-sync": no_sync,
}


def launch(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at")
    parser.add_argument("--armed", type=Path)
    parser.add_argument("--broken", choices=BROKEN)
    given, rest = parser.parse_known_args(arguments[: arguments.index("serve")])
    if given.broken:
        BROKEN[given.broken]()
    if given.at:
        point, _, count = given.at.partition(":")
        set_fuse(point, Fuse(int(count), given.armed))
    main([*rest, *arguments[arguments.index("serve") :]])


if __name__ == "__main__":
    launch(sys.argv[1:])
