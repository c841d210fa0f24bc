"""The results of updates as JSON of a stable shape: what `homing update` and `homing lan` print with --json."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from homing.client.update import Result, Row


def describe_results(results: Sequence[Result], warnings: Iterable[str]) -> dict[str, object]:
    """Return all of it: each name and type, when to ask again (seconds), and what people should know."""
    waits = [result.retry_after for result in results if result.retry_after is not None]
    return {
        "updates": [describe_row(row) for result in results for row in result.rows],
        "retry_after": max(waits, default=None),
        "warnings": list(warnings),
    }


def describe_row(row: Row) -> dict[str, object]:
    """Return what became of one name and type."""
    return {
        "hostname": row.hostname,
        "record_type": row.record_type,
        "address": row.address,
        "outcome": row.outcome,
        "text": row.text,
    }
