"""The agent's loop: waits for the kernel, a signal, an answer or a timer, steps, and has done what the step wants.

Every decision is in `client/agent/step.py`. Here is a selector; the threads are in `workers.py`, what they do in
`jobs.py`, the kernel's word in `kernel.py`, and the names of a whole network in `lan.py`. Nothing is
polled where the kernel tells of changes: an agent at rest wakes once an interval.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from homing.client.agent.detection import is_free
from homing.client.agent.memory import recall
from homing.client.agent.step import step
from homing.client.agent.values import (
    Abandon,
    AskDns,
    Due,
    Forced,
    Log,
    Look,
    NetworkChanged,
    Ping,
    Reloaded,
    RunHook,
    Save,
    Saved,
    Send,
    SetTimer,
    Woke,
)
from homing.core.errors import InvalidSettings
from homing.runtimes.agent.accounts import Machine, key_of, plan_of
from homing.runtimes.agent.clock import Jumps, now, this_moment
from homing.runtimes.agent.jobs import do_ask, do_look, do_send, ping, run_hook
from homing.runtimes.agent.kernel import POLL, Kernel
from homing.runtimes.agent.log import LogLines
from homing.runtimes.agent.state import StateFile
from homing.runtimes.agent.workers import Crew, Worker
from homing.runtimes.supervision import notify, watchdog_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from homing.client.agent.values import Action, Event
    from homing.runtimes.agent.accounts import Orders
    from homing.runtimes.agent.lan import LanDuty
    from homing.settings.client import ClientSettings

LONGEST = 300.0
"""Seconds; a timer does not count the time that the machine sleeps, so none is set for longer."""
_RELOAD, _FORCE = getattr(signal, "SIGHUP", None), getattr(signal, "SIGUSR1", None)
"""None where the system has no such signals."""
_SIGNALS = [one for one in (_RELOAD, _FORCE, signal.SIGTERM, signal.SIGINT) if one is not None]


class Agent:
    """All accounts of one run."""

    def __init__(self, orders: Orders, reload: Callable[[], Orders]) -> None:
        self._orders = orders
        self._file = StateFile(orders.state_file)
        self._reload = reload
        self._log = LogLines(orders.log_level)
        self._crew = Crew(self._log)
        self._errands = Worker("errands", self._log)
        self._calls: deque[Callable[[], None]] = deque()
        self._read_end, self._write_end = socket.socketpair()
        for end in (self._read_end, self._write_end):
            end.settimeout(0)
        self._kernel = Kernel()
        self._jumps = Jumps()
        self._machines: list[Machine] = []
        self._lan: LanDuty | None = None
        self._is_ending = False

    def run(self) -> None:
        """Run until SIGTERM or SIGINT. Only in the main thread."""
        old = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        old_wakeup = signal.set_wakeup_fd(self._write_end.fileno(), warn_on_full_buffer=False)
        try:
            if (warning := self._file.lock()) is not None:
                self._log.write("warning", warning)
            self._kernel.listen(self._log)
            self._machines = [self._begin(settings) for settings in self._orders.accounts]
            self._kernel.set_mark(self._machines)
            notify("READY=1")
            for machine in list(self._machines):
                self._step(machine, Due())
            self._follow_lan()
            self._loop()
        finally:
            notify("STOPPING=1")
            signal.set_wakeup_fd(old_wakeup)
            for number, handler in old.items():
                signal.signal(number, handler)
            self._close()

    # --- the loop

    def _loop(self) -> None:
        beat = watchdog_seconds()
        with selectors.DefaultSelector() as selector:
            selector.register(self._read_end, selectors.EVENT_READ)
            watch = self._kernel.watch
            if watch is not None:
                selector.register(watch, selectors.EVENT_READ)
            while not self._is_ending:
                ready = {key.fileobj for key, _ in selector.select(self._patience(beat))}
                if beat is not None and (self._lan is None or self._lan.is_alive()):
                    notify("WATCHDOG=1")
                self._notice_jumps()
                if self._read_end in ready:
                    self._hear()
                if (watch is None or watch in ready) and self._kernel.has_changed(self._machines):
                    self._step_all(NetworkChanged())
                for machine in list(self._machines):
                    if machine.timer is not None and machine.timer <= now():
                        machine.timer = None
                        self._step(machine, Due())

    def _patience(self, beat: float | None) -> float:
        timers = [machine.timer - now() for machine in self._machines if machine.timer is not None]
        waits = [LONGEST, *timers, *([beat] if beat else []), *([] if self._kernel.watch else [POLL])]
        return max(0.0, min(waits))

    def _hear(self) -> None:
        """Take in answers and signals."""
        told = b""
        with contextlib.suppress(BlockingIOError):
            told = self._read_end.recv(4096)
        while self._calls:
            self._calls.popleft()()
        numbers = set(told)
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            self._is_ending = True
        if _RELOAD in numbers:
            self._reload_all()
        if _FORCE in numbers:
            self._step_all(Forced())
            if self._lan is not None:
                self._lan.force()

    def _notice_jumps(self) -> None:
        """Step if the machine has slept, or its clock was set."""
        if self._jumps.notice():
            self._log.write("info", "the machine has slept, or its clock was set")
            self._step_all(Woke())
            if self._lan is not None:
                self._lan.force()

    # --- steps

    def _step(self, machine: Machine, event: Event) -> None:
        machine.state, actions = step(machine.state, this_moment(), event)
        for action in actions:
            self._do(machine, action)

    def _step_all(self, event: Event) -> None:
        for machine in list(self._machines):
            self._step(machine, event)

    def _do(self, machine: Machine, action: Action) -> None:
        settings = machine.settings
        match action:
            case Look():
                snapshot = self._kernel.snapshot()
                look = partial(do_look, action, settings, snapshot, machine.state.wanted)
                if is_free(settings, snapshot, machine.state.wanted):
                    self._answer(machine, look())
                else:
                    self._ask(machine, machine.line_of_looks, action.number, look)
            case AskDns():
                ask = partial(do_ask, action, settings, time.monotonic() + action.seconds)
                self._ask(machine, machine.line_of_questions, action.number, ask)
            case Send():
                send = partial(do_send, action, settings, partial(machine.waits_for, action.number))
                self._ask(machine, machine.line_of_sends, action.number, send)
            case Abandon():
                machine.out.discard(action.number)
                self._crew.abandon((machine, action.number))
            case SetTimer():
                machine.timer = action.at
            case Save():
                self._answer(machine, Saved(self._file.put(machine.key, action.memory)))
            case _:
                self._tell(action)

    def _tell(self, action: Action) -> None:
        """Tell the owner, by the log, a hook or a ping. Nobody is told that all is well while something is not."""
        errands = self._orders.errands
        match action:
            case RunHook():
                command = getattr(errands, f"on_{action.occasion}")
                if command:
                    self._errands.do(partial(run_hook, command, action.occasion, action.details, self._log))
            case Ping():
                if errands.ping_url and not (action.is_well and self._is_failing()):
                    self._errands.do(partial(ping, errands.ping_url, self._log, is_well=action.is_well))
            case Log():
                self._log.write(action.level, action.text)

    def _is_failing(self) -> bool:
        of_network = self._lan is not None and self._lan.is_failing
        return of_network or any(machine.state.is_failing for machine in self._machines)

    def _ask(self, machine: Machine, line: str, number: int, work: Callable[[], Event]) -> None:
        """Have a thread find an answer, unless nobody waits for it any more when its turn comes."""

        def job() -> None:
            if machine.waits_for(number):
                self._answer(machine, work())
                machine.out.discard(number)

        machine.out.add(number)
        self._crew.do(line, job, (machine, number))

    def _answer(self, machine: Machine, event: Event) -> None:
        """Have the loop take in an answer. Safe to be called by any thread."""
        self._later(lambda: self._step(machine, event) if machine in self._machines else None)

    def _later(self, call: Callable[[], None]) -> None:
        """Have the loop call something. Safe to be called by any thread."""
        self._calls.append(call)
        with contextlib.suppress(BlockingIOError, OSError):
            self._write_end.send(b"\0")

    # --- beginning, reloading, ending

    def _begin(self, settings: ClientSettings) -> Machine:
        plan = plan_of(settings, checks_dns=self._orders.errands.check_dns)
        return Machine(settings, plan, recall(plan, self._file.get(key_of(plan)), this_moment()))

    def _reload_all(self) -> None:
        """Read the settings again; ones that cannot be used change nothing."""
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            self._orders = self._reload()
        except InvalidSettings as error:
            self._log.write("error", f"the settings cannot be used, going on with the old ones:\n{error}")
        else:
            self._machines = self._reordered(self._orders.accounts)
            for machine in list(self._machines):
                self._step(machine, Reloaded(machine.plan))
            self._follow_lan()
        notify("READY=1")

    def _reordered(self, accounts: Sequence[ClientSettings]) -> list[Machine]:
        """Return the machines of the new settings; who keeps server and names keeps what is known."""
        old = {machine.key: machine for machine in self._machines}
        machines = []
        for settings in accounts:
            new = self._begin(settings)
            if new.key in old:
                kept = old[new.key]
                kept.settings, kept.plan = settings, new.plan
                new = kept
            machines.append(new)
        self._file.keep_only({"lan", *(machine.key for machine in machines)})
        self._crew.keep_only(line for machine in machines for line in machine.lines)
        return machines

    def _follow_lan(self) -> None:
        """Keep the names of the network as the orders are now; what that takes is loaded only where it is wanted."""
        if self._lan is None and self._orders.lan is not None:
            from homing.runtimes.agent.lan import LanDuty

            self._lan = LanDuty(self._file, self._later, self._tell, self._log)
        if self._lan is not None:
            self._lan.follow(self._orders)

    def _close(self) -> None:
        if self._lan is not None:
            self._lan.stop()
        self._kernel.close()
        self._file.unlock()
        for end in (self._read_end, self._write_end):
            end.close()
