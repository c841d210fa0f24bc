"""A store that can write no more says so to whoever asks for its health, and not only to whoever commits."""

from __future__ import annotations

import json
import sqlite3
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from homing.core.errors import StoreUnavailable
from homing.protocols.http import Request
from homing.settings.one_machine import load
from homing.stores import sqlite_schema
from homing.stores.sqlite import SqliteStore
from homing.wiring.one_machine import open_server
from tests.conformance.store_contract import make_host, put
from tests.conformance.test_stores import FixedClock
from tests.stores.test_sqlite import FailingConnection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from homing.protocols.http import Response
    from homing.wiring.one_machine import OneMachine


@pytest.fixture(autouse=True)
def failures(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The codes with which the next commits fail."""
    monkeypatch.setattr(sqlite_schema, "Connection", FailingConnection)
    monkeypatch.setattr(FailingConnection, "failures", [], raising=False)
    return FailingConnection.failures


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db", clock=FixedClock())
    yield store
    store.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OneMachine]:
    machine = open_server(load({"database": tmp_path / "store.db", "zones": ["home.example"]}, environment={}).settings)
    yield machine
    machine.store.close()


def fail(store: SqliteStore, failures: list[int], code: int) -> None:
    failures.append(code)
    with pytest.raises(StoreUnavailable):
        put(store, make_host())


def health(machine: OneMachine) -> Response:
    return machine.application.handle(Request("GET", "/healthz", "", (), b"", ip_address("127.0.0.1")))


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE])
def test_after_a_failed_sync_the_check_fails_though_rows_can_be_read(
    store: SqliteStore, failures: list[int], code: int
) -> None:
    store.check()
    fail(store, failures, code)
    assert list(store.scan()) == []
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="until Homing is restarted"):
            store.check()


def test_after_a_failure_that_passes_the_check_succeeds(store: SqliteStore, failures: list[int]) -> None:
    fail(store, failures, sqlite3.SQLITE_BUSY)
    store.check()


def test_after_a_failed_sync_the_server_is_not_healthy(machine: OneMachine, failures: list[int]) -> None:
    assert health(machine).status == 200
    fail(machine.store, failures, sqlite3.SQLITE_IOERR_FSYNC)
    answer = health(machine)
    assert (answer.status, json.loads(answer.body)) == (503, {"status": "store unavailable"})
    assert "until Homing is restarted" in str(answer.log["culprit"])
