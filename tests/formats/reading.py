"""How the tests of the formats read: samples beside them, with salt and secrets that can be told apart."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from homing.core.accounts import Account
from homing.core.hosts import Host
from homing.core.names import Name
from homing.formats.imported import Imported, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.core.hosts import RecordType

SAMPLES = Path(__file__).parent / "samples"
ZONE = Name("dyn.example.org.")


def sample(name: str) -> str:
    return (SAMPLES / name).read_text(encoding="utf-8")


def taken(text: str, format: str | None = None, zone: Name | None = None) -> Imported:  # noqa: A002 - as read has it
    numbers = count(1)
    return read(
        text,
        format=format,
        default_zone=zone,
        salt=lambda: bytes(16),
        secret=lambda: f"generated-secret-number-{next(numbers)}",
    )


def hosts(imported: Imported) -> Mapping[tuple[str, RecordType], Host]:
    assert not imported.problems
    return {(row.hostname, row.record_type): row for row in imported.rows if isinstance(row, Host)}


def accounts(imported: Imported) -> Mapping[str, Account]:
    return {row.username: row for row in imported.rows if isinstance(row, Account)}
