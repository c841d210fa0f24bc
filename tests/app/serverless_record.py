"""What is remembered of a run of the serverless system, for whoever judges it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homing.core.records import RRsetKey
from tests.app.builders import CAM, TV

if TYPE_CHECKING:
    from local_aws.route53 import Entry

    from homing.core.hosts import Host
    from homing.core.outcomes import Outcome
    from tests.app.scheduler import Process

KEYS = [RRsetKey(CAM, "A"), RRsetKey(TV, "A")]
RATE = 4.0
"""Requests per second that each process allows itself, and Route 53 the account: few, so that it matters."""


@dataclass(frozen=True)
class Version:
    """What the store held of one host from a commit on."""

    seq: int
    host: Host


@dataclass(frozen=True)
class Shown:
    """What Route 53 went to, when the store had so many commits, and which process did it."""

    entry: Entry
    seq: int
    process: Process | None

    @property
    def before(self) -> str | None:
        return self.entry.before.values[0] if self.entry.before else None

    @property
    def after(self) -> str | None:
        return self.entry.after.values[0] if self.entry.after else None


@dataclass(frozen=True)
class Acknowledged:
    """What a client was told, and between which commits."""

    key: RRsetKey
    address: str
    outcome: Outcome
    first_seq: int
    last_seq: int


@dataclass
class Record:
    """All that happened, for whoever judges it."""

    versions: dict[RRsetKey, list[Version]] = field(default_factory=lambda: {key: [] for key in KEYS})
    shown: dict[RRsetKey, list[Shown]] = field(default_factory=lambda: {key: [] for key in KEYS})
    acknowledged: list[Acknowledged] = field(default_factory=list)
    sent_at: dict[str, list[float]] = field(default_factory=dict)
    """By process: one function, one publisher, with all its lives."""
    left_stale: set[RRsetKey] = field(default_factory=set)
    """Hosts that Route 53 did not show as the store desires when all was drained, before it was reconciled."""
