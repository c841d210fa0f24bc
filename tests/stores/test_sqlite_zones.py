"""Which zones a store serves, and which it served before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.names import Name
from homing.stores.sqlite import SqliteStore
from tests.conformance.test_stores import FixedClock

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (Name(f"{label}.example.") for label in "abc")


def zones_after(path: Path, *served: Name) -> tuple[set[Name], list[Name]]:
    """Open the store for these zones; return those that it serves, and those that it served before."""
    store = SqliteStore(path, zones=served, clock=FixedClock())
    try:
        return set(store.zones()), list(store.former_zones())
    finally:
        store.close()


def test_a_new_store_served_nothing_before(tmp_path: Path) -> None:
    assert zones_after(tmp_path / "store.db", A, B) == ({A, B}, [])


def test_a_zone_that_is_served_no_more_is_a_former_one_until_it_is_served_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    zones_after(path, C, A, B)
    assert zones_after(path, A) == ({A}, [B, C])
    assert zones_after(path, A, B) == ({A, B}, [C])
    assert zones_after(path, C) == ({C}, [A, B])


def test_who_opens_a_store_without_zones_changes_none(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    zones_after(path, A, B)
    zones_after(path, A)
    assert zones_after(path) == zones_after(path) == ({A}, [B])
