"""Every test that takes `stack` runs for each of the stacks in which every two values of the switches meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deploy.rendering import Rendered, load, render
from tests.deploy.switches import CODE, STACKS

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATE = load()


def _name_of(given: Mapping[str, str]) -> str:
    return " ".join(text.rpartition("/")[2] or "-" for name, text in given.items() if name not in CODE)


@pytest.fixture(name="given", params=STACKS, ids=_name_of)
def _given(request: pytest.FixtureRequest) -> dict[str, str]:
    given: dict[str, str] = request.param
    return given


@pytest.fixture(name="stack")
def _stack(given: dict[str, str]) -> Rendered:
    return render(TEMPLATE, given)
