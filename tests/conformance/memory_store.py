"""A store in memory: an adapter like any other, for tests of what stands above the stores."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from homing.core.errors import Conflict, InvalidInput, StoreUnavailable
from homing.core.hosts import Host
from homing.core.rows import ABSENT, Commit, Row, RowKey, from_attributes, key_of, to_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence


class MemoryStore:
    """Implements Store. Rows are kept as JSON, so that what no store could keep does not survive here either."""

    max_rows = 90

    def __init__(self) -> None:
        self.rows: dict[RowKey, tuple[int, str]] = {}
        self.commits = 0
        self._lock = threading.Lock()
        self._closed = False

    def load(self, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        rows = self._snapshot()
        return {key: row for key in keys if key in rows and (row := _get_row(key, *rows[key]))}

    def commit(self, commit: Commit) -> None:
        puts = {key_of(row): (row.version, json.dumps(to_attributes(row))) for row in commit.puts}
        for key, (version, _) in puts.items():
            if version != commit.expects.get(key, -2) + 1:
                raise ValueError(f"row {key}: its version must be the expected one plus one")
        with self._lock:
            self._check_open()
            for key, version in commit.expects.items():
                if self.rows.get(key, (ABSENT, ""))[0] != version:
                    raise Conflict(f"row {key[0]} {key[1]} has moved")
            self.rows.update(puts)
            for key in commit.deletes:
                self.rows.pop(key, None)
            self.commits += 1

    def submit(self, commit: Commit) -> Future[None]:
        future: Future[None] = Future()
        try:
            self.commit(commit)
            future.set_result(None)
        except Exception as error:  # whatever it is belongs to whoever waits
            future.set_exception(error)
        return future

    def find_group(self, shared_secret: str) -> Sequence[Host]:
        return [host for host in self._hosts() if host.shared_secret == shared_secret != "" and not host.is_removed]

    def find_pending(self, limit: int, is_wanted: Callable[[Host], bool] = lambda _: True) -> Sequence[Host]:
        return [host for host in self._hosts() if host.pending and is_wanted(host)][:limit]

    def scan(self) -> Iterator[Row]:
        for key, (version, text) in sorted(self._snapshot().items()):
            if row := _get_row(key, version, text):
                yield row

    def scan_damaged(self) -> Sequence[str]:
        rows = sorted(self._snapshot().items())
        return [f"row {key[0]} {key[1]} cannot be read" for key, row in rows if _get_row(key, *row) is None]

    def check(self) -> None:
        self._snapshot()

    def close(self) -> None:
        self._closed = True

    def _hosts(self) -> Iterator[Host]:
        return (row for row in self.scan() if isinstance(row, Host))

    def _snapshot(self) -> dict[RowKey, tuple[int, str]]:
        with self._lock:
            self._check_open()
            return dict(self.rows)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")


def _get_row(key: RowKey, version: int, text: str) -> Row | None:
    attributes: dict[str, Any] = json.loads(text)
    try:
        return from_attributes(key, version, attributes)
    except InvalidInput:
        return None
