"""What the rows say of DNS: marked as published, doubted again, always under the version that it was found out for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

from homing.core.errors import Conflict, StoreError
from homing.core.hosts import Host
from homing.core.rows import MAX_ROWS, Commit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.app.ports import Store
    from homing.core.records import RRset, RRsetKey

    Held: TypeAlias = "Mapping[RRsetKey, RRset | None]"
    """What DNS shows, as far as is known."""

ROUNDS = 8
"""So often are hosts taken up again because DNS or their rows had moved, before they are left for later."""

log = logging.getLogger("homing.publishing")


class Marks:
    """Reads and marks rows of one store. Safe for use by several threads. Raises StoreError."""

    def __init__(self, store: Store, *, follows_store: bool) -> None:
        """`follows_store` as the publisher has it: then a swap is never late, and never in doubt."""
        self._store = store
        self._follows_store = follows_store

    def mark_published(self, hosts: Sequence[Host]) -> list[Host]:
        """Write down what DNS shows now; return the hosts whose rows have moved meanwhile.

        A row that says so already is not written, but it is looked at again: a late swap may have undone a newer one.
        """
        moved = []
        marked = [host for host in hosts if _is_marked(host)]
        if not self._follows_store:  # one that follows the store has no late swaps
            versions = {row.key: row.version for row in self.reload(marked)}
            moved += [host for host in marked if versions.get(host.key) != host.version]
        behind = [host for host in hosts if not _is_marked(host)]
        for start in range(0, len(behind), MAX_ROWS):
            moved += self._mark(behind[start : start + MAX_ROWS])
        return moved

    def _mark(self, hosts: Sequence[Host]) -> Sequence[Host]:
        """Mark all in one commit, which is one call to the store; where one has moved, find out which."""
        after = tuple(host.next(published=host.desired, rejected=None) for host in hosts)
        try:
            self._store.commit(Commit(after, {host.key: host.version for host in hosts}))
        except Conflict:
            if len(hosts) == 1:
                return hosts
            middle = len(hosts) // 2
            return [*self._mark(hosts[:middle]), *self._mark(hosts[middle:])]
        return ()

    def doubt(self, tried: Sequence[Host], ours: Held, *, may_land: bool) -> None:
        """Have DNS looked at again where it may show a late swap of `ours`, or where one without an answer may land.

        The rows of such hosts desire something else. One that is settled becomes pending; and whoever is about to
        mark one, for having seen DNS right before our swap, finds that it has moved.
        """
        if self._follows_store or not (ours or may_land):
            return
        swaps = {host.key: host.desired for host in tried} if may_land else {}
        for _ in range(ROUNDS):  # of those whose rows move meanwhile
            tried = [row for row in self.reload(tried) if not self._is_doubted(row, swaps, ours)]

    def _is_doubted(self, row: Host, *shown: Held) -> bool:
        others = [held[row.key] for held in shown if held.get(row.key, row.desired) != row.desired]
        try:
            if others:
                self.commit(row, row.next(published=others[0]))
        except Conflict:
            return False
        except StoreError as error:
            log.warning("%s %s: DNS may show another address: %s", row.hostname, row.record_type, error)
        return True

    def commit(self, before: Host, after: Host) -> None:
        """Write the next version of a row. Raises Conflict."""
        self._store.commit(Commit((after,), {before.key: before.version}))

    def reload(self, hosts: Sequence[Host]) -> list[Host]:
        """Return the hosts as they are now."""
        found: list[Host] = []
        for start in range(0, len(hosts), MAX_ROWS):
            keys = [host.key for host in hosts[start : start + MAX_ROWS]]
            rows = self._store.load(keys)
            found += [row for key in keys if isinstance(row := rows.get(key), Host)]
        return found


def _is_marked(host: Host) -> bool:
    return host.published == host.desired and host.rejected is None
