"""Items as they were last read or written, so that a commit knows what it need not write. Never an answer to a load."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from homing.core.values import field, frozen

if TYPE_CHECKING:
    from homing.core.rows import Row, RowKey
    from homing.stores.dynamodb_items import Item

MAX_HELD = 1_000


@frozen
class Held:
    """An item, and the row that it was read as; or written from, where nobody has read it since."""

    item: Item = field(repr=False)
    row: Row
    spelt: Item | None = field(default=None, repr=False)
    """What was written, as Homing spells it; None for an item that was read."""


class HeldItems:
    """The last so many items, by their keys. Safe for use by several threads."""

    def __init__(self, limit: int = MAX_HELD) -> None:
        self._limit = limit
        self._items: dict[RowKey, Held] = {}
        self._lock = threading.Lock()

    def get(self, key: RowKey) -> Held | None:
        """Return what is held of a row."""
        return self._items.get(key)

    def put(self, key: RowKey, held: Held) -> None:
        """Hold it, as the newest; the oldest makes room."""
        with self._lock:
            self._items.pop(key, None)
            self._items[key] = held
            if len(self._items) > self._limit:
                del self._items[next(iter(self._items))]

    def forget(self, *keys: RowKey) -> None:
        """Hold nothing of these rows any more."""
        with self._lock:
            for key in keys:
                self._items.pop(key, None)
