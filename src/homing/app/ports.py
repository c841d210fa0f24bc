"""The seams. Each docstring is a contract; `tests/conformance` holds every adapter to it.

All calls are synchronous and may be made from several threads at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from homing.core.hosts import Host
    from homing.core.names import Name
    from homing.core.records import RRset, RRsetChange, RRsetKey
    from homing.core.rows import Commit, Row, RowKey


class Store(Protocol):
    """Rows keyed by (hostname, record type): the only thing that remembers.

    - `load` is consistent (it sees every commit that has returned, from any process) and one call to what lies behind.
    - `commit` is all or nothing, durable when it returns, and happens only if every row in `expects` still has the
      version named there. Versions grow by one; the order of commits is the only order, never a clock.
    - A missing row is simply absent from an answer; it is never an error.
    - A row that cannot be read (somebody typed it) is left out of answers, never damaged, and shown by `scan_damaged`.
    - Every method raises StoreUnavailable when the store cannot answer now, and StoreDamaged when it never will.
    """

    max_rows: int
    """How many rows one commit may write; at least `core.rows.MAX_ROWS`."""

    def load(self, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        """Return the rows that are there, at most 100 keys at a time."""
        ...

    def commit(self, commit: Commit) -> None:
        """Write all of it, durably, or raise.

        Raises Conflict, and writes nothing, if a row in `expects` has another version. After StoreUnavailable nothing
        was acknowledged: the commit may or may not have happened, and loading again tells.
        """
        ...

    def submit(self, commit: Commit) -> Future[None]:
        """Begin a commit and return at once; the future ends as `commit` would, after it is durable or has failed.

        Raises StoreUnavailable at once where nothing can even begin, as after `close`.

        What is attached to the future may run in the store's own thread, and must not wait for the store.
        """
        ...

    def find_group(self, shared_secret: str) -> Sequence[Host]:
        """Return the hosts with this current secret that are not removed, in order of their keys. May lag a moment."""
        ...

    def find_pending(self, limit: int, is_wanted: Callable[[Host], bool] = ...) -> Sequence[Host]:
        """Return at most `limit` pending hosts that are wanted; the others do not crowd them out. May lag a moment."""
        ...

    def scan(self) -> Iterator[Row]:
        """Yield every row, in any order. A row that changes meanwhile is shown before or after, never torn."""
        ...

    def scan_damaged(self) -> Sequence[str]:
        """Return one line for each row that cannot be read: which, and why. Never a secret."""
        ...

    def check(self) -> None:
        """Return if the store answers."""
        ...

    def close(self) -> None:
        """Finish what was begun and let go. Later calls raise StoreUnavailable."""
        ...


@frozen
class ZoneChanges:
    """What moved since a point in a store's history: RRsets in the order of commits, and the zones' serials now."""

    seq: int
    rrsets: Sequence[tuple[RRsetKey, RRset | None]]
    serials: Mapping[Name, int]


class ChangeFeed(Protocol):
    """A store's own history, for a publisher that follows it instead of being told."""

    def changes_since(self, seq: int) -> ZoneChanges:
        """Return all that moved after `seq` (0: everything desired), seen at one moment.

        An RRset that moved several times is shown once, as it is now. A zone's serial grows (RFC 1982) with every
        commit that changes a desired RRset in it, in the same transaction.
        """
        ...

    def has_moved(self) -> bool:
        """Tell cheaply whether any process may have committed since the last `changes_since`."""
        ...


class Publisher(Protocol):
    """Makes DNS show what the store desires.

    - `publish` is atomic per zone and a compare-and-swap: it is applied only where DNS still holds `before`, or
      already holds `after`; so it can be repeated, and a late publisher cannot undo a newer one unseen.
    - `follows_store` tells that DNS is a view of the store itself: what is committed needs no mark of being published.
    """

    follows_store: bool

    def count_fitting(self, changes: Sequence[RRsetChange]) -> int:
        """Return how many of the changes, from the first on, one call of `publish` can take."""
        ...

    def publish(self, zone: Name, changes: Sequence[RRsetChange]) -> None:
        """Apply all changes of one zone, or none; return once DNS has accepted them. One change a key.

        Raises Drifted with what DNS holds instead of `before`, Rejected if DNS will never take the batch, and
        Throttled or Unreachable if it is to be tried again.
        """
        ...

    def read(self, zone: Name, keys: Collection[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        """Return what DNS holds for the keys. Raises Throttled or Unreachable."""
        ...


@frozen
class Notice:
    """Something that an operator may want to hear of: whom it concerns, a hostname or a zone, and what happened."""

    kind: Literal["changed", "rejected", "failing", "recovered"]
    subject: str
    text: str


class Notifier(Protocol):
    """Told what became of publishing, after the commit. May be slow or down without harm."""

    def notify(self, notices: Sequence[Notice]) -> None:
        """Pass them on. Never raises: what cannot be passed on is logged."""
        ...


class Clock(Protocol):
    """The time. Tests give their own."""

    def now(self) -> float:
        """Return seconds since 1970."""
        ...


class Entropy(Protocol):
    """Random bytes fit for secrets. Tests give their own."""

    def bytes(self, count: int) -> bytes:
        """Return `count` random bytes."""
        ...
