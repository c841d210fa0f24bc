"""The loop of `homing lan --watch`: waits for the kernel, a signal or the time, and makes rounds.

A new prefix, a new address of a machine of the group, and a new network are seen as they come (Linux); elsewhere a
round is made each interval. When a round is due, `client/lan_pace.py` decides.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import selectors
import signal
import time
from typing import TYPE_CHECKING

from homing.client.lan_pace import changed, first_pace, made
from homing.client.lan_round import make_round
from homing.client.netlink import ADDRESS_GROUPS, NEIGHBOURS, Watch
from homing.client.update import Result, Row
from homing.core.errors import HomingError
from homing.runtimes.supervision import notify, watchdog_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from homing.client.lan_round import LanSettings, Round
    from homing.client.neighbours import OwnLink, Reader, Reading
    from homing.core.addresses import Address
    from homing.settings.client import ClientSettings

_log = logging.getLogger("homing.lan")

LONGEST = 60.0
"""Seconds; a timer does not count the time that the machine sleeps, so none is set for longer."""
HELD_SECONDS = 3600.0
"""So long is an acknowledged address not sent again to a server that does not tell what it holds."""


class LanWatch:
    """Rounds for all accounts, again and again. `report` is told what each round brought."""

    def __init__(
        self,
        accounts: Sequence[ClientSettings],
        reader: Reader,
        lan: LanSettings,
        report: Callable[[Result], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._reader = reader
        self._lan = lan
        self._report = report
        self._clock = clock
        self._pace = first_pace(clock())
        self._held: list[dict[tuple[str, str], Address]] = [{} for _ in accounts]
        self._held_since = clock()
        self._macs: set[str] = set()
        self._mark: Hashable = None
        self._noted: set[tuple[str, Address]] = set()
        self._is_ending = False

    def run(self) -> None:
        """Run until SIGTERM or SIGINT. Only in the main thread."""
        with contextlib.ExitStack() as stack:
            ends = os.pipe()
            for end in ends:
                os.set_blocking(end, False)
                stack.callback(os.close, end)
            for number in (signal.SIGTERM, signal.SIGINT):
                stack.callback(signal.signal, number, signal.signal(number, lambda *_: None))
            stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(ends[1], warn_on_full_buffer=False))
            selector = stack.enter_context(selectors.DefaultSelector())
            selector.register(ends[0], selectors.EVENT_READ)
            watch = self._listen()
            if watch is not None:
                selector.register(stack.enter_context(watch), selectors.EVENT_READ)
            notify("READY=1")
            self._loop(selector, ends[0], watch)
            notify("STOPPING=1")

    def _loop(self, selector: selectors.BaseSelector, told: int, watch: Watch | None) -> None:
        beat = watchdog_seconds() or LONGEST
        while True:
            wait = self._pace.next_at - self._clock()
            ready = {key.fileobj for key, _ in selector.select(max(0.0, min(wait, beat, LONGEST)))}
            notify("WATCHDOG=1")
            if told in ready:
                return
            if watch is not None and watch in ready:
                watch.read()
                self._notice()
            if self._pace.next_at <= self._clock():
                self._go_round()

    def _notice(self) -> None:
        """Have a round made if the links have changed, or a machine of the group has an address that is new."""
        reading = self._read()
        if reading is None:
            return
        seen = {(one.mac, one.address) for one in reading.sights if one.mac in self._macs}
        mark = mark_of(reading.links)
        if mark != self._mark or seen - self._noted:
            self._pace = changed(self._pace, self._clock())
        self._mark = mark
        self._noted |= seen

    def _go_round(self) -> None:
        if self._clock() - self._held_since > HELD_SECONDS:
            self._held, self._held_since = [{} for _ in self._accounts], self._clock()
        rounds = [self._round(number) for number in range(len(self._accounts))]
        rows = [row for one in rounds for row in one.result.rows]
        waits = [one.result.retry_after for one in rounds if one.result.retry_after is not None]
        self._pace = made(
            self._pace,
            self._clock(),
            rows,
            self._accounts[0].interval,
            random.random(),  # noqa: S311 - jitter, no secret
            retry_after=max(waits, default=None),
            is_waiting=any(one.is_waiting for one in rounds),
        )
        self._macs = {member.mac for one in rounds for member in one.members if member.mac} or self._macs
        if (reading := self._read()) is not None:
            links = next((one.scene.links for one in reversed(rounds) if one.scene.links), reading.links)
            self._mark = mark_of(links)  # as the round saw them: what has changed since then is news
            self._noted = {(one.mac, one.address) for one in reading.sights}

    def _round(self, number: int) -> Round:
        """Make the round of one account; what goes wrong with the tables or the network is no reason to end."""
        from homing.client.lan_round import Round

        account = self._accounts[number]
        own = [name for one in self._accounts for name in one.names]
        held = self._held[number]
        try:
            done = make_round(account, self._reader, self._lan, own, patience=self._pace.patience, held=held)
        except (HomingError, OSError) as error:
            why = str(error) if isinstance(error, HomingError) else (error.strerror or "the tables cannot be read")
            done = Round(Result((Row(account.names[0], "A", None, "try later", why),)))
        if account.protocol != "signed":
            held |= done.set_to
        self._report(done.result)
        return done

    def _read(self) -> Reading | None:
        try:
            return self._reader.read()
        except (HomingError, OSError) as error:
            _log.warning("the neighbour tables cannot be read: %s", error)
            return None

    def _listen(self) -> Watch | None:
        try:
            return Watch(ADDRESS_GROUPS | NEIGHBOURS)
        except OSError:
            return None


def mark_of(links: Sequence[OwnLink]) -> Hashable:
    """Return what changes when a round has to be made; lifetimes run on, and are no change."""
    return tuple(
        (link.name, link.networks, tuple(sorted((one.network, one.is_deprecated) for one in link.prefixes)))
        for link in links
    )
