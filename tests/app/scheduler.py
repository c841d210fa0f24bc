"""A deterministic scheduler: processes that take turns at their steps, are frozen for long, or killed, all by one seed.

Each process is a thread, and only one of all threads runs at any moment: whoever reaches a step chooses whose turn is
next, in virtual time, and hands over. The same seed gives the same run. It knows nothing of what the processes do.
"""

from __future__ import annotations

import heapq
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

START = 1_800_000_000.0
FROZEN_SECONDS = (1.0, 10.0, 100.0, 1000.0)
"""How long a frozen process sleeps, at most; one of these is drawn first."""


class Killed(BaseException):
    """Ends a process where it is. From then on no step of it does anything any more."""


class Process:
    """One process while it lives. `work` has no result; what it leaves behind is outside of it."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self.name = name
        self.work = work
        self.killed = False
        self.at_end: Callable[[], None] | None = None
        self.thread: _Thread | None = None


class Scheduler:
    """Turns, and the time. A Clock, too. `freezing` and `killing` are the chances of each at one step."""

    def __init__(self, chance: random.Random, *, freezing: float = 0.0, killing: float = 0.0) -> None:
        self.chance = chance
        self.freezing = freezing
        self.killing = killing
        self.time = START
        self.current: Process | None = None
        self.frozen = self.deaths = self.steps = 0
        self._errors: list[BaseException] = []
        self._waiting: list[tuple[float, int, Process]] = []
        self._number = 0
        self._done = threading.Lock()

    def now(self) -> float:
        """The virtual time, in seconds since 1970."""
        return self.time

    def spawn(self, process: Process, delay: float = 0.0) -> None:
        """Let a process begin so many seconds from now."""
        self._wait(process, delay)

    def run(self) -> None:
        """Let all processes, and those that they spawn, run to their ends. Raises what one of them raised."""
        if self._waiting:
            self._done.acquire()
            self._hand_over()
            self._done.acquire()
            self._done.release()
        self.current = None
        if self._errors:
            raise self._errors[0]

    def step(self, seconds: float = 0.0) -> None:
        """A place where others may run, and where the process may be frozen or killed; takes up to so many seconds."""
        process = self.current
        if process is None:
            self.time += seconds  # whoever runs outside of any process has no rivals
            return
        if process.killed:
            raise Killed
        self.steps += 1
        draw = self.chance.random()
        if draw < self.killing:
            process.killed = True
            self.deaths += 1
            raise Killed
        pause = seconds * self.chance.random()
        if draw < self.killing + self.freezing:
            self.frozen += 1
            pause += self.chance.choice(FROZEN_SECONDS) * self.chance.random()
        self._pause(process, pause)

    def sleep(self, seconds: float) -> None:
        """Sleep for so long, or longer."""
        process = self.current
        if process is None:
            self.time += seconds
            return
        if process.killed:
            raise Killed
        if self.chance.random() < self.freezing:
            self.frozen += 1
            seconds += self.chance.choice(FROZEN_SECONDS) * self.chance.random()
        self._pause(process, seconds)

    def _pause(self, process: Process, seconds: float) -> None:
        self._wait(process, seconds)
        if self._hand_over() is not process:
            assert process.thread is not None
            process.thread.turn.acquire()

    def _wait(self, process: Process, seconds: float) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (self.time + seconds, self._number, process))

    def _hand_over(self) -> Process | None:
        """Choose who is next and let it go on; the caller stops then, unless it is the one."""
        if not self._waiting:
            self._done.release()
            return None
        at, _, chosen = heapq.heappop(self._waiting)
        self.time = max(self.time, at)
        before, self.current = self.current, chosen
        if chosen.thread is None:
            chosen.thread = _Thread.take()
            chosen.thread.begin(self, chosen)
        elif chosen is not before:
            chosen.thread.turn.release()
        return chosen

    def _live(self, process: Process) -> None:
        """The life of a process, in its thread."""
        try:
            process.work()
        except Killed:
            pass
        except BaseException as error:
            self._errors.append(error)
        if process.at_end is not None:
            process.at_end()


class _Thread:
    """A thread that is used again for one process after another: making one costs more than a whole process does."""

    _idle: list[_Thread] = []  # noqa: RUF012 - the threads of this program

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.turn.acquire()
        self._work: tuple[Scheduler, Process] | None = None
        threading.Thread(target=self._run, daemon=True).start()

    @classmethod
    def take(cls) -> _Thread:
        return cls._idle.pop() if cls._idle else cls()

    def begin(self, scheduler: Scheduler, process: Process) -> None:
        self._work = (scheduler, process)
        self.turn.release()

    def _run(self) -> None:
        while True:
            self.turn.acquire()
            assert self._work is not None
            scheduler, process = self._work
            scheduler._live(process)
            process.thread = None
            self._idle.append(self)
            scheduler._hand_over()
