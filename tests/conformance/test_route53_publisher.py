"""The publisher of Route 53 against the contract, over the strict fake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance import publisher_contract
from tests.conformance.publisher_contract import PublisherContract
from tests.publishers.route53_world import make_world

if TYPE_CHECKING:
    from homing.publishers.route53 import Route53Publisher


class TestRoute53Publisher(PublisherContract):
    @pytest.fixture
    def publisher(self, monkeypatch: pytest.MonkeyPatch) -> Route53Publisher:
        # Each call is signed, rendered and parsed; tests/app/test_interleavings_aws.py has thousands more of them.
        monkeypatch.setattr(publisher_contract, "INTERLEAVINGS", 200)
        return make_world().publisher
