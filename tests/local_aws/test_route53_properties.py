"""Whatever is asked, in whatever order: a batch is done as a whole or not at all, and the journal tells the truth."""

from __future__ import annotations

import contextlib
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from local_aws.route53 import Fault, Limits, RecordSet, Route53Fake

from .route53_driver import ManualClock, Zone, rrset

NAMES = ("example.com.", "a.example.com.", "b.example.com.", r"\052.example.com.", "a.example.org.")
VALUES = {"A": ("192.0.2.1", "192.0.2.2"), "AAAA": ("2001:db8::1", "bad"), "CNAME": ("a.example.com", "b.example.com")}


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    rrtype = draw(st.sampled_from(sorted(VALUES)))
    values = draw(st.lists(st.sampled_from(VALUES[rrtype]), min_size=1, max_size=2))
    action = draw(st.sampled_from(("CREATE", "DELETE", "UPSERT")))
    return action, rrset(draw(st.sampled_from(NAMES)), *values, rrtype=rrtype, ttl=draw(st.sampled_from((60, 300))))


class Batches(RuleBasedStateMachine):
    """The fake beside a model that knows nothing but what a batch that was taken does to a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.zone = Zone(
            Route53Fake(clock=self.clock, sleep=self.clock.sleep, limits=Limits.none(), in_flight_seconds=1)
        )
        self.model = {one.key: one for one in self.zone.fake.record_sets(self.zone.id)}

    @rule(
        batch=st.lists(changes(), min_size=1, max_size=4),
        fault=st.sampled_from([None, *Fault]),
        wait=st.sampled_from((0, 1)),
    )
    def change(self, batch: list[tuple[str, dict[str, Any]]], fault: Fault | None, wait: int) -> None:
        self.clock.now += wait
        if fault:
            self.zone.fake.faults.force(fault)
        with contextlib.suppress(ClientError, ReadTimeoutError):
            self.zone.change(*batch)
        if self.zone.fake.journal.calls[-1].result == "ok":
            self._apply(batch)

    def _apply(self, batch: list[tuple[str, dict[str, Any]]]) -> None:
        for action, shown in batch:
            values = tuple(one["Value"] for one in shown["ResourceRecords"])
            after = RecordSet(shown["Name"], shown["Type"], shown["TTL"], values)
            before = self.model.pop(after.key, None)
            assert (before is None) if action == "CREATE" else (before is not None or action == "UPSERT")
            if action == "DELETE":
                assert before is not None
                assert before.matches(after)
            else:
                self.model[after.key] = after

    @invariant()
    def dns_is_what_the_taken_batches_made_of_it(self) -> None:
        present = {one.key: one for one in self.zone.fake.record_sets(self.zone.id)}
        assert present == self.model

    @invariant()
    def the_journal_replays_to_the_present(self) -> None:
        state = {key: one for (_, key), one in self.zone.fake.journal.replayed().items()}
        assert state == self.model

    @invariant()
    def no_name_has_a_cname_and_something_else(self) -> None:
        for name, rrtype, _ in self.model:
            if rrtype == "CNAME":
                assert [key for key in self.model if key[0] == name] == [(name, "CNAME", None)]
                assert name != "example.com."

    @invariant()
    def nothing_is_outside_the_zone(self) -> None:
        assert all(name.endswith("example.com.") for name, _, _ in self.model)


TestBatches = Batches.TestCase
TestBatches.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
