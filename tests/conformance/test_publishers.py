"""Every publisher against the contract."""

from __future__ import annotations

import pytest

from homing.core.names import Name
from homing.core.records import RRset, RRsetKey
from homing.core.zone import SOA, Zone
from homing.publishers.embedded import EmbeddedPublisher
from tests.conformance.publisher_contract import ZONE, PublisherContract

NS = Name(f"ns.{ZONE}")


def make_zone(apex: Name = ZONE, extra: dict[RRsetKey, RRset] | None = None, serial: int = 1) -> Zone:
    """A zone with its one server inside, and whatever else."""
    records = {RRsetKey(apex, "NS"): RRset(300, (NS,)), RRsetKey(NS, "A"): RRset(300, ("192.0.2.53",))}
    inside = {key: rrset for key, rrset in (records | (extra or {})).items() if key.name.endswith(apex)}
    return Zone(apex, SOA(NS, Name(f"admin.{apex}"), 3600, 600, 86400, 60, 300), inside, serial)


class TestEmbeddedPublisherWithoutFeed(PublisherContract):
    @pytest.fixture
    def publisher(self) -> EmbeddedPublisher:
        return EmbeddedPublisher({ZONE: make_zone()})
