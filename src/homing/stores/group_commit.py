"""Group commit: one thread that writes for all, so that many callers share one sync of the disk.

Knows transactions and failures, but neither tables nor rows.
"""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from homing.core.errors import StoreDamaged, StoreError, StoreUnavailable
from homing.stores.sqlite_schema import primary_code, to_store_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MAX_BATCH = 500
"""So many requests share one transaction at most."""


class Transaction(Protocol):
    """What the requests of one transaction share; `finish` writes it before the COMMIT."""

    def finish(self) -> None:
        """Write what was gathered."""
        ...


T = TypeVar("T", bound=Transaction)


class GroupCommit(Generic[T]):
    """Runs requests in the order they came, as many as are waiting in one transaction, with one COMMIT.

    A request is a function of the transaction. It either writes, or raises a StoreError before it wrote anything:
    then it alone has failed. If anything else fails, the COMMIT above all, the transaction is rolled back and every
    caller in it hears StoreUnavailable. Callers are woken only after the COMMIT has returned.

    After an I/O error nothing is written any more until the store is opened anew: the kernel may have dropped the
    pages that it could not write, and a second fsync would then say "done" of what is lost.
    """

    def __init__(
        self, path: Path, connect: Callable[[], sqlite3.Connection], begin: Callable[[sqlite3.Connection], T]
    ) -> None:
        self._path = path
        self._connect = connect
        self._begin = begin
        self._queue: SimpleQueue[_Waiting[T] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._broken: StoreError | None = None

    def submit(self, request: Callable[[T], None]) -> Future[None]:
        """Queue a request. The future is resolved from the writer's thread: with None, or with a StoreError."""
        future: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"{self._path}: the store is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="homing-store-writer", daemon=True)
                self._thread.start()
            self._queue.put((request, future))
        return future

    def check(self) -> None:
        """Raise if nothing is written any more."""
        if self._broken is not None:
            raise type(self._broken)(*self._broken.args)

    def close(self) -> None:
        """Finish what is queued, and end the thread."""
        with self._lock:
            already, self._closed = self._closed, True
        if self._thread is not None:
            if not already:
                self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while batch := self._take():
            try:
                connection = connection or self._connect()
                outcomes = self._commit(connection, batch)
            except Exception as error:  # whatever it is, somebody waits for an answer
                outcomes = self._fail(connection, error, len(batch))
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                _resolve(future, outcome)
        if connection is not None:
            connection.close()

    def _take(self) -> list[_Waiting[T]]:
        """Wait for a request and take all that are there by then; nothing when it is time to end."""
        batch: list[_Waiting[T]] = []
        waiting = self._queue.get()
        while waiting is not None:
            if waiting[1].set_running_or_notify_cancel():
                batch.append(waiting)
            if len(batch) >= MAX_BATCH:
                return batch
            try:
                waiting = self._queue.get_nowait() if batch else self._queue.get()
            except Empty:
                return batch
        if batch:
            self._queue.put(None)  # to be met again after this last batch
        return batch

    def _commit(self, connection: sqlite3.Connection, batch: Sequence[_Waiting[T]]) -> Sequence[StoreError | None]:
        if self._broken is not None:
            raise self._broken
        connection.execute("BEGIN IMMEDIATE")
        transaction = self._begin(connection)
        outcomes = [_outcome_of(request, transaction) for request, _ in batch]
        transaction.finish()
        connection.execute("COMMIT")
        return outcomes

    def _fail(self, connection: sqlite3.Connection | None, error: Exception, count: int) -> Sequence[StoreError]:
        if connection is not None and connection.in_transaction:
            with suppress(sqlite3.Error):  # what failed first says more; the next BEGIN would fail and come back here
                connection.execute("ROLLBACK")
        failure = self._to_failure(error)
        return [type(failure)(*failure.args) for _ in range(count)]  # each its own: a raised one grows a traceback

    def _to_failure(self, error: Exception) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if not isinstance(error, sqlite3.Error | OSError):
            return StoreUnavailable(f"{self._path}: {type(error).__name__}: {error}")
        failure = to_store_error(self._path, error)
        if isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_IOERR:
            failure = StoreUnavailable(f"{self._path}: {error}; nothing more is written until Homing is restarted")
            self._broken = failure
        elif isinstance(failure, StoreDamaged):
            self._broken = failure
        return failure


_Waiting: TypeAlias = "tuple[Callable[[T], None], Future[None]]"


def _outcome_of(request: Callable[[T], None], transaction: T) -> StoreError | None:
    try:
        request(transaction)
    except StoreError as error:
        return error
    return None


def _resolve(future: Future[None], outcome: StoreError | None) -> None:
    if outcome is None:
        future.set_result(None)
    else:
        future.set_exception(outcome)
