"""Every store against the contract, and against a dictionary."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from homing.core.errors import Conflict
from homing.core.rows import ABSENT, Commit, Row, RowKey, key_of
from homing.stores.sqlite import SqliteStore
from tests.conformance.memory_store import MemoryStore
from tests.conformance.store_contract import Plant, StoreContract, make_host, put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homing.app.ports import Store


class FixedClock:
    """A clock that stands still."""

    def now(self) -> float:
        return 1_800_000_000.0


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def plant(self, store: MemoryStore) -> Plant:
        def plant(key: RowKey, attributes: dict[str, Any]) -> None:
            store.rows[key] = (1, json.dumps(attributes))

        return plant


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "store.db"

    @pytest.fixture
    def store(self, path: Path) -> Iterator[SqliteStore]:
        store = SqliteStore(path, clock=FixedClock())
        yield store
        store.close()

    @pytest.fixture
    def plant(self, path: Path) -> Plant:
        def plant(key: RowKey, attributes: dict[str, Any]) -> None:
            with closing(sqlite3.connect(path)) as connection, connection:
                columns = "(hostname, record_type, version, seq, attributes)"
                connection.execute(f"INSERT INTO rows {columns} VALUES (?, ?, 1, 0, ?)", (*key, json.dumps(attributes)))

        return plant

    def test_a_scan_reads_more_than_one_page(self, store: SqliteStore) -> None:
        for start in range(0, 1200, 80):
            put(store, *(make_host(f"h{number:04}") for number in range(start, start + 80)))
        keys = [key_of(row) for row in store.scan()]
        assert len(keys) == 1200
        assert keys == sorted(set(keys))  # accounts first: what looks for them need not read the hosts


class StoreMachine(RuleBasedStateMachine):
    """Commits of any shape against any store do what they do to a dictionary."""

    labels = st.sampled_from(["a", "b", "c"])
    versions = st.integers(0, 4)

    def __init__(self) -> None:
        super().__init__()
        self.let_go = ExitStack()
        self.stores = self.make_stores()
        self.model: dict[RowKey, Row] = {}

    def make_stores(self) -> list[Store]:
        """Open empty stores; what is to be undone afterwards goes on `let_go`."""
        folder = self.let_go.enter_context(tempfile.TemporaryDirectory())
        return [MemoryStore(), SqliteStore(Path(folder, "store.db"), clock=FixedClock())]

    @rule(
        puts=st.dictionaries(labels, versions, max_size=3), reads=st.dictionaries(labels, versions, max_size=2),
        delete=st.booleans(), guess=st.booleans(), comment=st.text(max_size=3),
    )  # fmt: skip
    def commit(self, puts: dict[str, int], reads: dict[str, int], delete: bool, guess: bool, comment: str) -> None:
        wanted = {key_of(make_host(label)): version for label, version in (reads | puts).items()}
        expects = wanted if guess else {key: self._version(key) for key in wanted}
        rows = {
            label: make_host(label, version=expects[key_of(make_host(label))] + 1, comment=comment) for label in puts
        }
        deletes = tuple(key for label in reads if delete and label not in puts for key in [key_of(make_host(label))])
        commit = Commit(tuple(rows.values()), expects, deletes)
        fits = all(self._version(key) == version for key, version in expects.items())
        for store in self.stores:
            assert self._commits(store, commit) == fits
        if fits:
            self.model |= {key_of(row): row for row in rows.values()}
            self.model = {key: row for key, row in self.model.items() if key not in deletes}

    @invariant()
    def every_store_shows_the_model(self) -> None:
        for store in self.stores:
            assert {key_of(row): row for row in store.scan()} == self.model
            assert store.load(list(self.model)) == self.model

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.let_go.close()

    def _version(self, key: RowKey) -> int:
        return self.model[key].version if key in self.model else ABSENT

    @staticmethod
    def _commits(store: Store, commit: Commit) -> bool:
        try:
            store.commit(commit)
        except Conflict:
            return False
        return True


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=25, stateful_step_count=20, derandomize=True, deadline=None)
