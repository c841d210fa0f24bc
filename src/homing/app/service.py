"""The way of an update: load, authenticate, decide, commit, publish, answer.

`plan` only reads; where nothing has to be written, its answer is final. `begin` commits what was planned, and plans
again when somebody else was faster. Nothing here waits for the disk: whoever calls does, in whatever way it waits. No
success is answered before the commit is durable.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from homing.app.authentication import WouldBlock
from homing.app.planning import Plan, Planner, find_culprit
from homing.core.errors import Conflict, StoreError
from homing.core.limits import Buckets, Rate
from homing.core.outcomes import Answer, HostOutcome, Outcome, merge
from homing.core.values import frozen, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable
    from concurrent.futures import Future

    from homing.app.authentication import Authenticator
    from homing.app.ports import Clock, Entropy, Store
    from homing.app.publishing_elsewhere import Publishing
    from homing.core.hosts import Host
    from homing.core.names import Name
    from homing.core.records import RRsetKey
    from homing.core.update import Policy, UpdateRequest

ATTEMPTS = 16
"""So often is a request planned anew because its rows have moved."""


@frozen
class Committing:
    """A commit on its way. Once `done` has ended, `proceed` tells how it goes on; before that it would wait."""

    done: Future[None]
    proceed: Callable[[], Answer | Committing]


class Service:
    """Answers update requests against one store."""

    def __init__(
        self,
        *,
        store: Store,
        outbox: Publishing,
        authenticator: Authenticator,
        clock: Clock,
        entropy: Entropy,
        zones: Container[Name],
        policy: Policy,
        change_rate: Rate | None = None,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._planner = Planner(
            store=store,
            authenticator=authenticator,
            clock=clock,
            entropy=entropy,
            zones=zones,
            policy=policy,
            follows_store=outbox.follows_store,
        )
        self._changes = Buckets(change_rate) if change_rate else None
        self._lock = threading.Lock()

    @property
    def may_block(self) -> bool:
        """Whether publishing waits for somebody else, so that all of it belongs into a thread."""
        return not self._outbox.follows_store

    def update(self, request: UpdateRequest) -> Answer:
        """Do the whole of it. May block; a store that fails becomes an answer."""
        return self.carry_out(request, self.plan(request, may_block=True))

    def plan(self, request: UpdateRequest, *, may_block: bool) -> Plan:
        """Load, authenticate and decide; see `Planner.plan`. Raises WouldBlock."""
        return self._planner.plan(request, may_block=may_block)

    def carry_out(self, request: UpdateRequest, plan: Plan) -> Answer:
        """Commit and publish what was planned, and wait for it."""
        step = self.begin(request, plan)
        while isinstance(step, Committing):
            step.done.exception()  # waits
            step = step.proceed()
        return step

    def begin(self, request: UpdateRequest, plan: Plan, attempts: int = ATTEMPTS) -> Answer | Committing:
        """Begin to commit what was planned; answer at once what needs no commit, or cannot have one."""
        if plan.is_settled:
            return plan.answer
        if plan.commit is None:
            return self._publish(plan)
        if attempts == ATTEMPTS and (wait := self._seconds_to_wait(plan.changed)):
            return self._planner.unavailable("one host changes too often", wait)
        try:
            done = self._store.submit(plan.commit)
        except StoreError as error:
            return self._planner.unavailable(str(error))
        return Committing(done, lambda: self._proceed(request, plan, done, attempts))

    def _proceed(self, request: UpdateRequest, plan: Plan, done: Future[None], attempts: int) -> Answer | Committing:
        """Publish what is committed; where a row has moved, plan again."""
        error = done.exception()
        if error is None:
            return self._publish(plan)
        if not isinstance(error, StoreError):
            raise error
        if not isinstance(error, Conflict):
            return self._planner.unavailable(str(error))
        if attempts == 1:
            return self._planner.unavailable("its rows changed faster than it could be decided")
        try:
            return self.begin(request, self.plan(request, may_block=False), attempts - 1)
        except WouldBlock:
            return self._planner.unavailable("its account changed meanwhile")

    def list_group(self, request: UpdateRequest) -> Answer:
        """Return the group of the host as whose owner the client speaks. Reads only; a failing store is an answer."""
        plan = self.plan(request, may_block=True)
        if plan.authority is None or not plan.answer.outcome.is_success:
            return plan.answer
        me = next((host for host in plan.authority.owners if host.read_privilege), None)
        if me is None:
            return replace(plan.answer, outcome=Outcome.NO_READ_PRIVILEGE)
        try:
            group = self._store.find_group(me.shared_secret)
        except StoreError as error:
            return self._planner.unavailable(str(error))
        return replace(plan.answer, group=tuple(host for host in group if host.read_privilege))

    def _publish(self, plan: Plan) -> Answer:
        """Make DNS show what was committed. What DNS will not take is told; what it cannot take yet is retried."""
        rejected = self._outbox.publish(plan.changed + plan.behind).rejected
        if not rejected:
            return plan.answer
        hosts = tuple(_with_rejections(host, rejected) for host in plan.answer.hosts)
        return replace(plan.answer, outcome=Outcome.PUBLISH_REJECTED, hosts=hosts, culprit=find_culprit(hosts))

    def _seconds_to_wait(self, changed: Iterable[Host]) -> int:
        """Take a token of the change budget for each RRset; return 0, or the seconds until there is one."""
        if self._changes is None:
            return 0
        now, keys = self._clock.now(), [host.key for host in changed]
        with self._lock:
            wait = max((self._changes.seconds_until_one(key, now) for key in keys), default=0.0)
            if wait == 0.0:
                for key in keys:
                    self._changes.take(key, now)
        return int(wait + 0.999)


def _with_rejections(host: HostOutcome, rejected: Collection[RRsetKey]) -> HostOutcome:
    rrsets = tuple(
        replace(one, outcome=Outcome.PUBLISH_REJECTED) if (host.hostname, one.record_type) in rejected else one
        for one in host.rrsets
    )
    return replace(host, outcome=merge([one.outcome for one in rrsets]), rrsets=rrsets)
