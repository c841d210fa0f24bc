"""A function takes over all logging of its process; here that ends with each test."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    switches = (logging.logThreads, logging.logProcesses, logging.logMultiprocessing)
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = switches
