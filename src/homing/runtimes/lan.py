"""Keeping the names of a network: when a round is due, what brings one about, and the loop that waits for that.

A new prefix, a new address of a machine of the group, and a new network are seen as they come (Linux); elsewhere a
round is made each interval. When a round is due, `client/lan/pace.py` decides. `LanWatch` is `homing lan --watch`; in
the agent the same loop runs in a thread (`agent/lan.py`).
"""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import signal
import time
from typing import TYPE_CHECKING

from homing.client.lan.pace import changed, first_pace, forced, made
from homing.client.lan.round import Round, make_round
from homing.client.netlink import ADDRESS_GROUPS, NEIGHBOURS, Watch
from homing.client.netlink_values import Neighbour
from homing.client.update import Result, Row
from homing.core.errors import HomingError
from homing.runtimes.supervision import notify, watchdog_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from homing.client.lan.neighbours import OwnLink, Reader, Reading
    from homing.client.netlink import Change
    from homing.core.addresses import Address
    from homing.settings.client import ClientSettings
    from homing.settings.lan import LanSettings

LONGEST = 60.0
"""Seconds; a timer does not count the time that the machine sleeps, so none is set for longer."""
HELD_SECONDS = 3600.0
"""So long is an acknowledged address not sent again to a server that does not tell what it holds."""


class LanRounds:
    """Rounds for all accounts, again and again. Waits for nothing itself; `report` is told what each time brought."""

    def __init__(
        self,
        accounts: Sequence[ClientSettings],
        own: Sequence[str],
        reader: Reader,
        lan: LanSettings,
        report: Callable[[Sequence[Round], float], None],
        *,
        first_in: float = 0.0,
        is_dry_run: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`own` are names that are left alone; `first_in` are seconds that a server still wants to be left alone.

        `report` gets the rounds, and the seconds that a server wants to be left alone after them.
        """
        self._accounts = accounts
        self._own = own
        self._reader = reader
        self._lan = lan
        self._report = report
        self._clock = clock
        self._is_dry_run = is_dry_run
        self._interval = float(lan.interval or accounts[0].interval)
        self._pace = first_pace(clock(), first_in)
        self._held: list[dict[tuple[str, str], Address]] = [{} for _ in accounts]
        self._held_since = clock()
        self._macs: set[str] = set()
        self._mark: Hashable = None
        self._noted: set[tuple[str, Address]] = set()

    @property
    def wait(self) -> float:
        """Seconds until a round is due."""
        return max(0.0, self._pace.next_at - self._clock())

    def force(self) -> None:
        """Have a round made as soon as the servers allow."""
        self._pace = forced(self._pace, self._clock())

    def notice(self, changes: Sequence[Change]) -> None:
        """Have a round made if the links have changed, or a machine of the group has an address that is new.

        Neighbours that come and go, and are found still there, are no reason to read the tables again.
        """
        reading = self._read() if any(map(self._could_matter, changes)) else None
        if reading is None:
            return
        seen = {(one.mac, one.address) for one in reading.sights if one.mac in self._macs}
        mark = mark_of(reading.links)
        if mark != self._mark or seen - self._noted:
            self._pace = changed(self._pace, self._clock())
        self._mark = mark
        self._noted |= seen

    def _could_matter(self, change: Change) -> bool:
        value = change.value
        if not isinstance(value, Neighbour):
            return True
        return not change.is_gone and value.mac in self._macs and (value.mac, value.address) not in self._noted

    def go_if_due(self) -> None:
        """Make a round for each account, if it is time."""
        if self.wait > 0:
            return
        if self._clock() - self._held_since > HELD_SECONDS:
            self._held, self._held_since = [{} for _ in self._accounts], self._clock()
        rounds = [self._round(number) for number in range(len(self._accounts))]
        rows = [row for one in rounds for row in one.result.rows]
        waits = [one.result.retry_after for one in rounds if one.result.retry_after is not None]
        self._pace = made(
            self._pace,
            self._clock(),
            rows,
            self._interval,
            random.random(),  # noqa: S311 - jitter, no secret
            retry_after=max(waits, default=None),
            is_waiting=any(one.is_waiting for one in rounds),
        )
        self._macs = {member.mac for one in rounds for member in one.members if member.mac} or self._macs
        if (reading := self._read()) is not None:
            links = next((one.scene.links for one in reversed(rounds) if one.scene.links), reading.links)
            self._mark = mark_of(links)  # as the round saw them: what has changed since then is news
            self._noted = {(one.mac, one.address) for one in reading.sights}
        self._report(rounds, max(0.0, self._pace.not_before - self._clock()))

    def _round(self, number: int) -> Round:
        """Make the round of one account; what goes wrong with the tables or the network is no reason to end."""
        account = self._accounts[number]
        held = self._held[number]
        try:
            done = make_round(
                account,
                self._reader,
                self._lan,
                self._own,
                patience=self._pace.patience,
                held=held,
                is_dry_run=self._is_dry_run,
            )
        except (HomingError, OSError) as error:
            why = str(error) if isinstance(error, HomingError) else (error.strerror or "the tables cannot be read")
            done = Round(Result((Row(account.names[0], "A", None, "try later", why),)))
        if account.protocol != "signed":
            held |= done.set_to
        return done

    def _read(self) -> Reading | None:
        """Return what the tables hold; a round tells of tables that cannot be read."""
        try:
            return self._reader.read()
        except (HomingError, OSError):
            return None


class LanWatch:
    """`homing lan --watch`: rounds until a signal ends them. `report` is told what each round brought."""

    def __init__(
        self,
        accounts: Sequence[ClientSettings],
        reader: Reader,
        lan: LanSettings,
        report: Callable[[Result], None],
        *,
        is_dry_run: bool = False,
    ) -> None:
        def tell(rounds: Sequence[Round], _: float) -> None:
            for one in rounds:
                report(one.result)

        own = [name for one in accounts for name in one.names]
        self._rounds = LanRounds(accounts, own, reader, lan, tell, is_dry_run=is_dry_run)

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
            notify("READY=1")
            patience = min(watchdog_seconds() or LONGEST, LONGEST)
            keep_rounds(self._rounds, ends[0], lambda _: True, lambda: notify("WATCHDOG=1"), patience)
            notify("STOPPING=1")


def keep_rounds(
    rounds: LanRounds, told: int, hear: Callable[[bytes], bool], breathe: Callable[[], None], patience: float = LONGEST
) -> None:
    """Make rounds as they are due, until `hear` says of what came by the descriptor `told` that it is enough.

    `breathe` is called between them, every `patience` seconds at least, but not during one. May be run by any thread.
    """
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        selector.register(told, selectors.EVENT_READ)
        watch = _listen()
        if watch is not None:
            selector.register(stack.enter_context(watch), selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select(min(rounds.wait, patience))}
            breathe()
            if told in ready and hear(os.read(told, 4096)):
                return
            if watch is not None and watch in ready:
                rounds.notice(watch.read())
            rounds.go_if_due()


def mark_of(links: Sequence[OwnLink]) -> Hashable:
    """Return what changes when a round has to be made; lifetimes run on, and are no change."""
    return tuple(
        (link.name, link.networks, tuple(sorted((one.network, one.is_deprecated) for one in link.prefixes)))
        for link in links
    )


def _listen() -> Watch | None:
    try:
        return Watch(ADDRESS_GROUPS | NEIGHBOURS)
    except OSError:
        return None
