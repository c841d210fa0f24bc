"""The secret behind tokens can be taken over once, and never silently replaced."""

from __future__ import annotations

import pytest

from homing.app.token_keys import take_token_key
from homing.core.accounts import TokenKey
from homing.core.errors import Refused
from homing.core.rows import token_key_key
from tests.conformance.memory_store import MemoryStore


def secret_in(store: MemoryStore) -> str:
    row = store.load([token_key_key()])[token_key_key()]
    assert isinstance(row, TokenKey)
    return row.secret


def test_the_old_servers_secret_is_kept() -> None:
    store = MemoryStore()
    take_token_key(store, "old secret")
    take_token_key(store, "old secret")
    assert secret_in(store) == "old secret"
    assert store.commits == 1


@pytest.mark.parametrize("other", ["another", ""])
def test_another_secret_never_replaces_it(other: str) -> None:
    store = MemoryStore()
    take_token_key(store, "old secret")
    with pytest.raises(Refused):
        take_token_key(store, other)
    assert secret_in(store) == "old secret"
