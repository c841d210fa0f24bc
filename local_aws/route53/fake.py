"""The fake as a whole: one account of Route 53 in memory, asked in process or through server.py.

Written from AWS's documentation, never from the client that it tests; README.md has the source of each behaviour.
"""

from __future__ import annotations

import threading
import time
import uuid
from random import Random
from typing import TYPE_CHECKING

from local_aws.route53 import replies_xml as xml
from local_aws.route53.api import Operations, Prepared, Reply, Request, route
from local_aws.route53.batch import Quotas
from local_aws.route53.errors import ApiError, Unanswered
from local_aws.route53.faults import Call, Fault, Faults, Hold, Holds, Moment, internal_failure, strike_before
from local_aws.route53.journal import ApiCall, Journal
from local_aws.route53.limits import Limits
from local_aws.route53.names import parse_name
from local_aws.route53.requests_xml import Reader
from local_aws.route53.signature import check_signature
from local_aws.route53.zones import HostedZone, Vpc, Zones

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_aws.route53.records import RecordSet


class Route53Fake:
    """One account.

    `clock` gives seconds since 1970, and `sleep` waits so many; give both for tests without real time.
    `insync_seconds` is how long GetChange says PENDING. `in_flight_seconds` is how long after a batch the zone refuses
    the next one with PriorRequestNotComplete. `secrets`, access key id to secret, turns on the check of signatures;
    None checks their form only. `ordered_xml` refuses elements in another order than the API reference has them;
    `documented_errors` answers InvalidChangeBatch in the form of the API reference instead of the one that the service
    sends today.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        limits: Limits | None = None,
        faults: Faults | None = None,
        quotas: Quotas | None = None,
        insync_seconds: float = 30.0,
        in_flight_seconds: float = 0.0,
        secrets: Mapping[str, str] | None = None,
        ordered_xml: bool = False,
        documented_errors: bool = False,
    ) -> None:
        self.clock, self._sleep = clock, sleep
        self.journal = Journal()
        self.limits = limits or Limits()
        self.faults = faults or Faults()
        self.holds = Holds()
        self.lock = threading.RLock()
        self._zones = Zones(clock, self.journal, quotas or Quotas(), insync_seconds, in_flight_seconds)
        self._operations = Operations(self._zones, clock, Reader(ordered=ordered_xml))
        self._secrets = secrets
        self._documented_errors = documented_errors
        self._request_ids = Random(0)

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Answer one request; `target` is the path with the query. Raises Unanswered if the caller gets no answer."""
        lowered = {name.lower(): value for name, value in headers.items()}
        note, request_id = _Note(self.clock()), self._request_id()
        try:
            reply = self._serve(method, target, lowered, body, note)
        except ApiError as problem:
            note.result = note.result or problem.code
            shown = xml.error(problem, request_id, documented=self._documented_errors)
            reply = Reply(problem.status, {}, shown)
        except Unanswered:
            note.answered = False
            raise
        finally:
            with self.lock:
                self.journal.calls.append(note.call())
        told = {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}
        return Reply(reply.status, told | reply.headers, reply.body)

    def _serve(self, method: str, target: str, headers: Mapping[str, str], body: bytes, note: _Note) -> Reply:
        check_signature(method, target, headers, body, self._secrets, self.clock())
        request = route(method, target, body)
        note.take(request)
        with self.lock:
            self.limits.take_request(request.operation, self.clock())
        fault = self.faults.draw(request.operation)
        strike_before(fault)
        prepared = self._operations.prepare(request)
        note.changes = len(prepared.changes)
        if prepared.changes:
            with self.lock:
                self.limits.take_changes(len(prepared.changes), self.clock())
        return self._run(Call(request.operation, _zone_of(request), prepared.changes), prepared, fault, note)

    def _run(self, call: Call, prepared: Prepared, fault: Fault | None, note: _Note) -> Reply:
        if fault is Fault.SLOW:
            self._sleep(self.faults.slow_seconds)
        self.holds.reached("before", call)
        try:
            with self.lock:
                reply = prepared.run()
        except ApiError as problem:
            note.result = problem.code
            if fault is Fault.LOST_ANSWER:
                raise self._lost(applied=False) from problem
            raise
        note.result = "ok"
        self.holds.reached("after", call)
        if fault is Fault.LOST_ANSWER:
            raise self._lost(applied=True)
        if fault is Fault.ERROR_AFTER:
            raise internal_failure()
        return reply

    def _lost(self, *, applied: bool) -> Unanswered:
        if self.faults.silence_seconds:
            self._sleep(self.faults.silence_seconds)
        return Unanswered(applied=applied)

    def _request_id(self) -> str:
        with self.lock:
            return str(uuid.UUID(int=self._request_ids.getrandbits(128), version=4))

    # -- what a test sees and does without a request; none of it costs a token or is a call in the journal

    def add_zone(self, name: str, *, zone_id: str | None = None, vpc: Vpc | None = None) -> str:
        """Make a hosted zone, private if there is a VPC; its id."""
        with self.lock:
            return self._zones.create(name, f"added {name} {len(self._zones.by_id())}", None, vpc, zone_id)[0].id

    def seed(self, zone_id: str, rrset: RecordSet) -> None:
        """Put a record set there as somebody else would, alias and routed ones too; the rules are not asked."""
        with self.lock:
            self._zones.seed(zone_id, rrset)

    def zones(self) -> list[HostedZone]:
        """All hosted zones, to be read only."""
        with self.lock:
            return self._zones.by_name()

    def record_sets(self, zone_id: str) -> list[RecordSet]:
        """What DNS holds now, in the order of a listing."""
        with self.lock:
            return list(self._zones.find(zone_id).sorted())

    def get(self, zone_id: str, name: str, rrtype: str, set_identifier: str | None = None) -> RecordSet | None:
        """One record set as it is now."""
        with self.lock:
            present = self._zones.find(zone_id).records.get((parse_name(name), rrtype), ())
        return next((rrset for rrset in present if rrset.set_identifier == set_identifier), None)

    def hold(
        self, moment: Moment, *, operation: str | None = "ChangeResourceRecordSets", zone_id: str | None = None
    ) -> Hold:
        """Stop the next such request "before" or "after" it takes effect: `with fake.hold("before") as hold:`."""
        return self.holds.add(moment, operation, zone_id)


class _Note:
    """What is to be written of one call."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.operation = "?"
        self.zone_id: str | None = None
        self.result = ""
        self.changes = 0
        self.answered = True

    def take(self, request: Request) -> None:
        self.operation = request.operation
        self.zone_id = _zone_of(request)

    def call(self) -> ApiCall:
        return ApiCall(self.at, self.operation, self.zone_id, self.result or "Unanswered", self.changes, self.answered)


def _zone_of(request: Request) -> str | None:
    return (
        request.query.get("hostedzoneid")
        if request.id is None
        else request.id
        if request.operation != "GetChange"
        else None
    )
