"""What the kernel tells the agent: its tables, and that they have changed in a way that could move an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.client.agent.detection import cheap_mark, mark
from homing.client.netlink import Tables, Watch
from homing.runtimes.agent.clock import now

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from homing.client.netlink_values import Snapshot
    from homing.runtimes.agent.accounts import Machine
    from homing.runtimes.agent.log import LogLines

POLL = 10.0
"""Seconds between two looks at the machine's own addresses where no kernel tells of changes."""


class Kernel:
    """The kernel's tables and its word of changes, where there are such."""

    def __init__(self) -> None:
        self._tables: Tables | None = None
        self.watch: Watch | None = None
        """To wait for; None where the kernel tells nothing."""
        self._mark: Hashable = None
        self._marked_at = 0.0

    def listen(self, log: LogLines) -> None:
        """Begin to listen."""
        try:
            self._tables, self.watch = Tables(), Watch()
        except OSError as error:
            log.write("info", f"no word of changes from the kernel ({error}): looking every {POLL:.0f} s")

    def snapshot(self) -> Snapshot | None:
        """Return the kernel's tables, if they can be had."""
        try:
            return None if self._tables is None else self._tables.snapshot()
        except OSError:
            return None

    def set_mark(self, machines: Sequence[Machine]) -> bool:
        """Tell whether something has happened since the last time that could move an address."""
        old, self._mark = self._mark, self._look(machines)
        return old != self._mark

    def has_changed(self, machines: Sequence[Machine]) -> bool:
        """Take in what the kernel told, if anything; tell whether it could move an address."""
        if self.watch is not None:
            self.watch.read()
        elif now() < self._marked_at + POLL:
            return False
        return self.set_mark(machines)

    def close(self) -> None:
        """Listen no more."""
        for opened in (self._tables, self.watch):
            if opened is not None:
                opened.close()

    def _look(self, machines: Sequence[Machine]) -> Hashable:
        self._marked_at = now()
        snapshot = self.snapshot()
        if snapshot is None:
            return cheap_mark()
        wanted = [machine.state.wanted for machine in machines]
        return mark([machine.settings for machine in machines], snapshot, wanted)
