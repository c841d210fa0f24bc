"""Taking rows over from another system: all of them or none.

A row that is there already with the same content is left alone, so that an import can be repeated. One that is there
with other content is a problem, and then nothing is taken: an import never changes what it did not make, but for the
mark of a removed host, and the untouched example rows of a new stack, which every awslabs v2 table has too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from homing.app.authentication import family_keys
from homing.core.accounts import Account
from homing.core.errors import Conflict, Refused, StoreError
from homing.core.hosts import Host
from homing.core.names import get_zone_of
from homing.core.rows import ABSENT, Commit, Row, key_of, to_attributes
from homing.core.values import frozen, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from homing.app.ports import Store
    from homing.app.publishing import Outbox
    from homing.core.names import Name
    from homing.core.records import RRsetKey
    from homing.core.rows import RowKey

_LOADED_AT_ONCE = 90
_STATE = ("desired", "published", "pending", "ip_address", "signed_at", "last_accessed", "last_checked", "last_updated")
"""What a running host changes by itself; it does not make a row a different one."""


@frozen
class ImportReport:
    """What an import did, or why it did nothing."""

    added: tuple[RowKey, ...]
    present: tuple[RowKey, ...]
    problems: tuple[str, ...]


class Importer:
    """Puts rows into a store. Without an outbox DNS follows the store by itself."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox | None,
        zones: Container[Name],
        why_not: Callable[[RRsetKey], str | None],
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._zones = zones
        self._why_not = why_not

    def take(self, rows: Sequence[Row], *, dry_run: bool = False) -> ImportReport:
        """Check every row, then commit all that are new. Raises Refused if rows appear meanwhile."""
        problems = [problem for row in rows if (problem := self._objection(row))]
        problems += self._unknown_hosts(rows)
        fresh: list[Row] = []
        present: list[RowKey] = []
        replaced: dict[RowKey, Row] = {}
        for row, old in self._beside_old(rows):
            if old is not None and _is_here(old, row):
                present.append(key_of(row))
            elif old is None or _gives_way(old):
                fresh.append(self._as_committed(row, old))
                if old is not None:
                    replaced[key_of(row)] = old
            else:
                problems.append(f"{_described(row)} is here already, with other content")
        if problems or dry_run:
            return ImportReport((), tuple(present), tuple(problems))
        self._commit(fresh, replaced)
        return ImportReport(tuple(map(key_of, fresh)), tuple(present), ())

    def _objection(self, row: Row) -> str | None:
        if not isinstance(row, Host):
            return None
        if get_zone_of(row.hostname, self._zones) is None:
            return f"{row.hostname} is in no zone that is served"
        return self._why_not(row.key)

    def _unknown_hosts(self, rows: Sequence[Row]) -> Iterator[str]:
        """An account must not own a name that nobody has yet: whoever made it a host later would share it unawares."""
        made = {row.hostname for row in rows if isinstance(row, Host)}
        for account in (row for row in rows if isinstance(row, Account)):
            for hostname in account.hostnames:
                found = () if hostname in made else self._store.load(family_keys(hostname)).values()
                if hostname not in made and all(isinstance(row, Host) and row.is_removed for row in found):
                    yield f"the account {account.username}: {hostname} is no host"

    def _beside_old(self, rows: Sequence[Row]) -> Iterator[tuple[Row, Row | None]]:
        for start in range(0, len(rows), _LOADED_AT_ONCE):
            part = rows[start : start + _LOADED_AT_ONCE]
            found = self._store.load([key_of(row) for row in part])
            yield from ((row, found.get(key_of(row))) for row in part)

    def _as_committed(self, row: Row, old: Row | None) -> Row:
        version = (old.version if old else ABSENT) + 1
        if not isinstance(row, Host):
            return replace(row, version=version)
        follows = self._outbox is None or self._outbox.follows_store
        published = row.desired if follows else old.published if isinstance(old, Host) else None
        signed_at = max(row.signed_at, old.signed_at) if isinstance(old, Host) else row.signed_at
        return replace(row, version=version, published=published, signed_at=signed_at)

    def _commit(self, fresh: Sequence[Row], replaced: Mapping[RowKey, Row]) -> None:
        """One commit where the store takes one of that size; else several, the first of which are undone on failure."""
        done: list[Row] = []
        for start in range(0, len(fresh), self._store.max_rows):
            part = tuple(fresh[start : start + self._store.max_rows])
            try:
                self._store.commit(Commit(part, {key_of(row): row.version - 1 for row in part}))
            except StoreError as error:
                self._undo(done, replaced)
                if isinstance(error, Conflict):
                    raise Refused("nothing was imported: some of these rows appeared meanwhile; run it again") from None
                raise
            done += part
        if self._outbox is not None:
            self._outbox.publish([row for row in fresh if isinstance(row, Host)])

    def _undo(self, done: Sequence[Row], replaced: Mapping[RowKey, Row]) -> None:
        """Put back what was replaced and take out the rest, but for what somebody has used since."""
        for row in done:
            key = key_of(row)
            with suppress(Conflict):
                if key in replaced:
                    old = replace(replaced[key], version=row.version + 1)
                    self._store.commit(Commit((old,), {key: row.version}))
                else:
                    self._store.commit(Commit((), {key: row.version}, deletes=(key,)))


def _is_here(old: Row, row: Row) -> bool:
    return not (isinstance(old, Host) and old.is_removed) and _content(old) == _content(row)


def _gives_way(old: Row) -> bool:
    return isinstance(old, Host) and (old.is_removed or old.is_untouched_example)


def _described(row: Row) -> str:
    match row:
        case Host():
            return f"{row.hostname} {row.record_type}"
        case Account():
            return f"the account {row.username}"
    return "the token key"


def _content(row: Row) -> dict[str, object]:
    return {name: value for name, value in to_attributes(row).items() if name not in _STATE}
