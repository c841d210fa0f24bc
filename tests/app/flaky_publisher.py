"""A publisher in memory that fails as real DNS services do, by a seed: for tests of what stands above the publishers.

It keeps the contract of `homing.app.ports.Publisher`. `before` and `after` are called around every swap, `before_read`
and `on_read` around what is read, outside its lock, so that a test can pause a publisher there, let others run, or kill
it.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.core.errors import Drifted, Rejected, Throttled, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from homing.core.names import Name
    from homing.core.records import RRset, RRsetChange, RRsetKey


@dataclass(frozen=True)
class Faults:
    """How often what happens, from 0 to 1."""

    throttled: float = 0.0
    unreachable: float = 0.0
    """The call never arrives."""
    lost_reply: float = 0.0
    """The call is carried out, and its answer is lost."""


class FlakyPublisher:
    """Implements Publisher."""

    follows_store = False

    def __init__(self, faults: Faults | None = None, seed: int = 0, rejected: Collection[Name] = ()) -> None:
        self.faults = faults or Faults()
        self.rejected = set(rejected)
        self.held: dict[RRsetKey, RRset] = {}
        self.history: list[tuple[RRsetKey, RRset | None]] = []
        """Every RRset that DNS went through, in order."""
        self.fitting = 500
        """So many changes fit into one call."""
        self.calls: list[list[RRsetChange]] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.before_read: Callable[[], None] = lambda: None
        self.on_read: Callable[[], None] = lambda: None
        self._chance = random.Random(seed)
        self._lock = threading.Lock()

    def count_fitting(self, changes: Sequence[RRsetChange]) -> int:
        return min(len(changes), self.fitting)

    def publish(self, zone: Name, changes: Sequence[RRsetChange]) -> None:
        self.before()
        with self._lock:
            self.calls.append(list(changes))
            self._fail_before(zone)
            if bad := [change.key.name for change in changes if change.key.name in self.rejected]:
                raise Rejected(f"{bad[0]} is not taken")
            self._swap(changes)
            if self._chance.random() < self.faults.lost_reply:
                raise Unreachable("the answer was lost")
        self.after()

    def read(self, zone: Name, keys: Collection[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        self.before_read()
        with self._lock:
            held = {key: self.held.get(key) for key in keys}
        self.on_read()
        return held

    def set(self, key: RRsetKey, rrset: RRset | None) -> None:
        """Change DNS behind Homing's back."""
        with self._lock:
            self._put(key, rrset)

    def _fail_before(self, zone: Name) -> None:
        if self._chance.random() < self.faults.throttled:
            raise Throttled(f"{zone}: slower", retry_after=2.0)
        if self._chance.random() < self.faults.unreachable:
            raise Unreachable(f"{zone}: no answer")

    def _swap(self, changes: Sequence[RRsetChange]) -> None:
        drifted = {c.key: self.held.get(c.key) for c in changes if self.held.get(c.key) not in (c.before, c.after)}
        if drifted:
            raise Drifted(drifted)
        for change in changes:
            if self.held.get(change.key) != change.after:
                self._put(change.key, change.after)

    def _put(self, key: RRsetKey, rrset: RRset | None) -> None:
        if rrset is None:
            self.held.pop(key, None)
        else:
            self.held[key] = rrset
        self.history.append((key, rrset))
