"""The reference page of the client's settings says what the readers themselves demand."""

from __future__ import annotations

import re

import pytest

from homing.cli.client_reference import render_client
from homing.core.errors import InvalidInput
from homing.settings import client, lan


@pytest.mark.parametrize(
    ("section", "readers", "count"), [("client", client.READERS, 4), ("lan", lan.READERS, 1)], ids=["client", "lan"]
)
def test_each_bound_of_the_page_is_the_one_that_is_taken(section: str, readers: dict[str, object], count: int) -> None:
    rows = render_client().partition(f"## [{section}]")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` .* From (\d+) to (\d+) seconds\. \|$", rows, re.MULTILINE)
    assert len(found) == count
    for name, low, high in found:
        read = readers[name]
        assert callable(read)
        assert (read(int(low)), read(int(high))) == (int(low), int(high))
        for outside in (int(low) - 1, int(high) + 1):
            with pytest.raises(InvalidInput):
                read(outside)
