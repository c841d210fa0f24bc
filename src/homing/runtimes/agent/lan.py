"""The names of the network as a part of the agent: rounds in a thread of their own, and their news in the agent's loop.

The thread may hang, in a file of leases on a dead disk or in a program that does not end: the agent's own updates go
on. Its breath is looked at before the watchdog is fed, so that whoever supervises the agent starts a new one.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from homing.client.dialects import canonical
from homing.client.lan.neighbours import open_reader
from homing.client.lan.news import recall, remember, take_in
from homing.core.errors import HomingError
from homing.core.values import replace
from homing.runtimes.agent.clock import now, this_moment
from homing.runtimes.crashes import render_crash
from homing.runtimes.lan import LanRounds, keep_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from homing.client.agent.values import Action
    from homing.client.lan.round import Round
    from homing.runtimes.agent.accounts import Orders
    from homing.runtimes.agent.log import LogLines
    from homing.runtimes.agent.state import StateFile

KEY = "lan"
"""Of its part of the state file."""
STUCK_SECONDS = 900.0
"""A round takes less, whatever happens in it; one that takes longer hangs."""
AGAIN_SECONDS = 60.0
"""After a failure that nobody has thought of."""
_FORCE, _STOP = b"f", b"s"


class LanDuty:
    """Keeps the names as the orders want it. All of it is for the agent's loop; only the rounds are made elsewhere."""

    def __init__(
        self, file: StateFile, later: Callable[[Callable[[], None]], None], do: Callable[[Action], None], log: LogLines
    ) -> None:
        """`later` has the loop call something, and may be called by any thread; `do` tells the owner."""
        self._file = file
        self._later = later
        self._do = do
        self._log = log
        self._state = recall(file.get(KEY), this_moment())
        self._saved: object = (self._state.is_failing, self._state.wait_until)
        self._own: frozenset[str] = frozenset()
        self._thread: LanThread | None = None
        self._is_stuck = False

    @property
    def is_failing(self) -> bool:
        """Whether the owner was told that something is wrong."""
        return self._thread is not None and self._state.is_failing

    def follow(self, orders: Orders) -> None:
        """Begin anew with these orders, or end where they want no names to be kept."""
        old = self._thread
        self.stop()
        self._thread = None
        self._state = replace(self._state, said={})
        self._own = frozenset(canonical(name) for account in orders.accounts for name in account.names)
        if orders.lan is not None:
            self._thread = LanThread(orders, self._hear, self._log, after=old, wait_until=self._state.wait_until)

    def force(self) -> None:
        """Have a round made now."""
        if self._thread is not None:
            self._thread.tell(_FORCE)

    def stop(self) -> None:
        """Have the thread end, without waiting for it."""
        if self._thread is not None:
            self._thread.tell(_STOP)

    def is_alive(self) -> bool:
        """Tell whether the rounds go on, as far as can be seen; write once when they do not."""
        is_stuck = self._thread is not None and time.monotonic() - self._thread.breathed_at > STUCK_SECONDS
        if is_stuck and not self._is_stuck:
            self._log.write(
                "error", f"the names of the network are not looked after: a round hangs for {STUCK_SECONDS:.0f} s"
            )
        self._is_stuck = is_stuck
        return not is_stuck

    def _hear(self, sender: LanThread, rounds: Sequence[Round], wait: float) -> None:
        self._later(partial(self._take_in, sender, rounds, wait))

    def _take_in(self, sender: LanThread, rounds: Sequence[Round], wait: float) -> None:
        if sender is not self._thread:
            return  # of orders that are no longer ours
        moment = this_moment()
        self._state, actions = take_in(self._state, rounds, wait, moment, self._own)
        lasting = (self._state.is_failing, self._state.wait_until if wait > 0 else False)
        if lasting != self._saved:
            self._saved = lasting
            self._file.put(KEY, remember(self._state, moment))  # a disk that takes nothing is told of by the agent
        for action in actions:
            self._do(action)


class LanThread:
    """Makes rounds until it is told to stop. Ends with the process, whatever it is doing."""

    def __init__(
        self,
        orders: Orders,
        hear: Callable[[LanThread, Sequence[Round], float], None],
        log: LogLines,
        *,
        after: LanThread | None,
        wait_until: float,
    ) -> None:
        self._orders = orders
        self._hear = hear
        self._log = log
        self._after = after
        self._wait_until = wait_until
        self._is_ending = False
        self._read_end, self._write_end = socket.socketpair()
        for end in (self._read_end, self._write_end):
            end.settimeout(0)
        self.breathed_at = time.monotonic()
        """Of a clock that stands still while the machine sleeps, as the thread does."""
        self._thread = threading.Thread(target=self._run, name="lan", daemon=True)
        self._thread.start()

    def tell(self, what: bytes) -> None:
        """Force a round, or stop. One that has ended hears nothing."""
        with contextlib.suppress(OSError):
            self._write_end.send(what)

    def _run(self) -> None:
        if self._after is not None:
            self._after._thread.join(AGAIN_SECONDS)  # two rounds at a time would send everything twice
            self._after = None
        while not self._is_ending:
            try:
                self._keep()
            except HomingError as error:
                self._fail(str(error))
            except OSError as error:
                self._fail(error.strerror or "the tables of this machine cannot be read")
            except Exception as error:  # the agent lives for years: one round does not end it
                self._fail(render_crash(error))
        for end in (self._read_end, self._write_end):
            end.close()

    def _keep(self) -> None:
        lan = self._orders.lan
        assert lan is not None
        own = [name for account in self._orders.accounts for name in account.names]
        reader = open_reader(lan.interfaces)
        try:
            first_in = max(0.0, self._wait_until - now())
            rounds = LanRounds(self._orders.lan_accounts, own, reader, lan, self._report, first_in=first_in)
            keep_rounds(rounds, self._read_end.fileno(), partial(self._listen, rounds), self._breathe)
        finally:
            reader.close()

    def _report(self, rounds: Sequence[Round], wait: float) -> None:
        self._wait_until = now() + wait
        self._hear(self, rounds, wait)

    def _listen(self, rounds: LanRounds, told: bytes) -> bool:
        if _FORCE in told:
            rounds.force()
        self._is_ending = self._is_ending or _STOP in told or not told
        return self._is_ending

    def _breathe(self) -> None:
        self.breathed_at = time.monotonic()

    def _fail(self, why: str) -> None:
        self._log.write("error", f"the names of the network: {why}\nagain in {AGAIN_SECONDS:.0f} s")
        self._breathe()
        if select.select([self._read_end], [], [], AGAIN_SECONDS)[0]:
            self._is_ending = _STOP in os.read(self._read_end.fileno(), 4096)
