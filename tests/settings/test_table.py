"""One table of plain settings: which place wins, and that every problem is told with its own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidSettings
from homing.settings import values
from homing.settings.table import LoadedTable, load_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READERS: dict[str, Callable[[Any], Any]] = {
    "colour": values.text,
    "speed": values.whole_number(1, 9),
    "quiet": values.flag,
}


def load(file: Path | None, flags: dict[str, Any] | None = None, **environment: str) -> LoadedTable:
    return load_table("car", READERS, "CAR_", flags, environment, file)


def test_flag_variable_and_file_in_this_order_and_each_with_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "homing.toml"
    file.write_text('[car]\ncolour = "red"\nspeed = 3\nquiet = true\n')
    assert load(file) == LoadedTable(
        {"colour": "red", "speed": 3, "quiet": True},
        {"colour": f"{file}:2", "speed": f"{file}:3", "quiet": f"{file}:4"},
    )
    found = load(file, {"speed": "5", "colour": None}, CAR_SPEED="4", CAR_COLOUR="blue", CAR_QUIET="")
    assert found.values == {"colour": "blue", "speed": 5, "quiet": True}
    assert found.origins == {"colour": "CAR_COLOUR", "speed": "flag", "quiet": f"{file}:4"}
    assert load(None, HOMING_CONFIG=str(tmp_path / "none")) == LoadedTable({}, {})


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "homing.toml"
    file.write_text("[zones]\n[car]\nspeed = 0\n'colr' = 1\n")
    with pytest.raises(InvalidSettings) as caught:
        load(file, {"quiet": "maybe"}, CAR_COLOR="x", CAR_COLOUR=" ", CAR_ODD="")
    assert sorted(caught.value.problems) == [
        f"{file}:3: speed: expected a whole number from 1 to 9, not 0",
        f"{file}:4: colr: no such setting in [car]; is colour meant?",
        "CAR_COLOR: no such setting; is CAR_COLOUR meant?",
        "CAR_COLOUR: expected a text",
        "quiet: expected true or false, not 'maybe'",
    ]
    file.write_text("x = 1\ncar = 3\n")
    with pytest.raises(InvalidSettings, match=rf"{file}:2: car: expected a table, \[car\]"):
        load(file)


@given(
    st.dictionaries(
        st.sampled_from(sorted(READERS)), st.text(max_size=5) | st.integers() | st.none() | st.lists(st.none())
    )
)
def test_any_value_is_read_or_told(flags: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidSettings):
        assert load(None, flags, HOMING_CONFIG="/dev/null").values.keys() <= flags.keys()
