"""The agent's threads: each takes one job after the other, and is started when first needed.

One for the sends to each server, so that nothing is sent to it twice at a time and a server that does not answer holds
up no other; one for the looks that ask it, one for each resolver, and one for hooks and pings, which may hang as well.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from homing.runtimes.agent.log import LogLines

MAX_WAITING = 100
"""Hooks and pings beyond so many are dropped: what keeps them is broken."""
MAX_LEFT = 3
"""So many threads at most, of each line, are left to their jobs that nobody waits for; the next job waits for one."""

_Job: TypeAlias = tuple["Callable[[], None]", "Hashable"]


class Worker:
    """A thread that does one job after the other. Ends with the process, whatever it is doing."""

    def __init__(self, name: str, log: LogLines) -> None:
        self._name = name
        self._log = log
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.doing: Hashable = None
        """What the job that is being done was called."""

    def do(self, job: Callable[[], None], call_it: Hashable = None) -> None:
        """Have a job done after those that wait already."""
        if self._jobs.qsize() >= MAX_WAITING:
            self._log.write("warning", f"{self._name}: too much is waiting; something is dropped")
            return
        self._jobs.put((job, call_it))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Have the thread end after what waits, if there is one."""
        self._jobs.put(None)

    def hand_over(self) -> Worker:
        """Have the thread end after what it is doing; return another that does what waits."""
        other = Worker(self._name, self._log)
        with contextlib.suppress(queue.Empty):
            while True:
                waiting = self._jobs.get_nowait()
                if waiting is not None:
                    other.do(*waiting)
        self.end()
        return other

    def is_alive(self) -> bool:
        """Tell whether the thread has not ended."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        while (next_one := self._jobs.get()) is not None:
            job, self.doing = next_one
            try:
                job()
            except Exception as error:  # the agent lives for years: one job does not end it
                from homing.runtimes.crashes import render_crash

                self._log.write("error", f"a job failed\n{render_crash(error)}")
            self.doing = None


class Crew:
    """A worker for each line of questions, such as the sends to one server."""

    def __init__(self, log: LogLines) -> None:
        self._log = log
        self._workers: dict[str, Worker] = {}
        self._left: list[tuple[str, Worker]] = []

    def do(self, line: str, job: Callable[[], None], call_it: Hashable = None) -> None:
        """Have a job done after those of the same line that wait already."""
        if line not in self._workers:
            self._workers[line] = Worker(line, self._log)
        self._workers[line].do(job, call_it)

    def abandon(self, called: Hashable) -> None:
        """Have no other job wait for this one, if it is being done: a fresh thread takes them, unless many were."""
        self._left = [(line, worker) for line, worker in self._left if worker.is_alive()]
        for line, worker in self._workers.items():
            if worker.doing == called and sum(one == line for one, _ in self._left) < MAX_LEFT:
                self._left.append((line, worker))
                self._workers[line] = worker.hand_over()

    def keep_only(self, lines: Iterable[str]) -> None:
        """Let go of those for whom there is no more to do."""
        for line in self._workers.keys() - set(lines):
            self._workers.pop(line).end()
