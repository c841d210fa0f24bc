"""What every test of the client takes for granted: this machine's own addresses decide nothing by chance."""

from __future__ import annotations

import pytest

from homing.client import sources


@pytest.fixture(autouse=True)
def _no_addresses_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `auto` find no address on an interface, whatever the machine has that runs the tests."""
    monkeypatch.setattr(sources, "_tables", lambda: None)
