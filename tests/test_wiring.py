"""How the application is put together: which store is opened or made, and when scrypt may be expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.core import credentials
from homing.core.accounts import Account
from homing.core.errors import Refused
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.rows import ABSENT, Commit, Row, key_of
from homing.settings.one_machine import Settings
from homing.settings.zones import zone_settings
from homing.stores.sqlite import SqliteStore
from homing.wiring.one_machine import SlowAccounts, open_desk
from homing.wiring.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE = Name("home.example.")
IMPORTED = Account(username="imported", version=1, password=credentials.hash_chosen("chosen", bytes(16)))
GENERATED = Account(username="generated", version=1, password=credentials.hash_generated("generated"))
HOST = Host(hostname=Name(f"cam.{ZONE}"), record_type="A", version=1, shared_secret="scrypt$is-no-password")
NONE = ("127.0.0.1", 1)


class MovedClock(SystemClock):
    """A clock that a test moves."""

    time = 1_800_000_000.0

    def now(self) -> float:
        return self.time


# --- accounts whose passwords take long


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def store(tmp_path: Path, clock: MovedClock) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db", clock=clock)
    yield store
    store.close()


def put(store: SqliteStore, *rows: Row) -> None:
    store.commit(Commit(rows, dict.fromkeys(map(key_of, rows), ABSENT)))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [((), False), ((GENERATED, HOST), False), ((IMPORTED,), True), ((GENERATED, HOST, IMPORTED), True)],
)  # fmt: skip
def test_only_an_imported_account_has_a_password_that_takes_long(
    store: SqliteStore, clock: MovedClock, rows: tuple[Row, ...], expected: bool
) -> None:
    put(store, *rows)
    assert SlowAccounts(store, clock)() is expected


def test_imported_accounts_are_looked_for_once_a_minute(store: SqliteStore, clock: MovedClock) -> None:
    has_slow_passwords = SlowAccounts(store, clock)
    assert not has_slow_passwords()
    put(store, IMPORTED)
    clock.time += 59.5
    assert not has_slow_passwords()
    clock.time += 0.5
    assert has_slow_passwords()
    store.commit(Commit((), {key_of(IMPORTED): 1}, (key_of(IMPORTED),)))
    clock.time += 59.5
    assert has_slow_passwords()
    clock.time += 0.5
    assert not has_slow_passwords()


# --- the store of an operator's command


def settings_for(path: Path, *zones: Name) -> Settings:
    return Settings(database=path, zones=tuple(map(zone_settings, zones)), dns_listen=(NONE,))


def test_without_a_store_and_without_zones_a_command_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"there is no store at .*homing serve --zone"):
        open_desk(settings_for(tmp_path / "state" / "homing.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_makes_no_store_makes_none_for_the_zones_of_the_settings_either(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no store"):
        open_desk(settings_for(tmp_path / "homing.db", ZONE), may_create=False)
    assert list(tmp_path.iterdir()) == []


def test_where_the_settings_name_zones_the_store_is_made_for_them(tmp_path: Path) -> None:
    desk = open_desk(settings_for(tmp_path / "homing.db", ZONE))
    try:
        assert [zone.name for zone in desk.zones] == [ZONE]
        assert desk.administration.add_host(HOST.hostname)
    finally:
        desk.store.close()
    assert (tmp_path / "homing.db").exists()


def test_a_command_never_says_which_zones_the_server_serves(tmp_path: Path) -> None:
    other = Name("other.example.")
    SqliteStore(tmp_path / "homing.db", zones=[ZONE], clock=MovedClock()).close()
    desk = open_desk(settings_for(tmp_path / "homing.db", other))
    try:
        assert [zone.name for zone in desk.zones] == [other]
        assert isinstance(desk.store, SqliteStore)
        assert list(desk.store.zones()) == [ZONE]
        assert list(desk.store.former_zones()) == []
    finally:
        desk.store.close()


@pytest.mark.parametrize("may_create", [False, True])
def test_where_the_settings_name_no_zone_those_that_the_store_serves_are_meant(
    tmp_path: Path, may_create: bool
) -> None:
    SqliteStore(tmp_path / "homing.db", zones=[ZONE], clock=MovedClock()).close()
    desk = open_desk(settings_for(tmp_path / "homing.db"), may_create=may_create)
    try:
        assert [zone.name for zone in desk.zones] == [ZONE]
        assert desk.serves(HOST.hostname)
        assert not desk.serves(Name("cam.elsewhere.example."))
    finally:
        desk.store.close()
