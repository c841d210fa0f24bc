"""Planning an update: load what it rests on, authenticate, decide. Reads only; nothing is promised here.

A plan holds the answer that is true once its commit is durable, under the versions of the rows it was decided on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.app.authentication import Authority, Rows, TooManyFailures, family_keys, hosts_of
from homing.core.addresses import describe, is_global, parse_address
from homing.core.credentials import SECRET_RANDOM_BYTES, SignedRequest, new_secret
from homing.core.errors import StoreError
from homing.core.hosts import Host, RecordType
from homing.core.names import get_zone_of, is_reserved
from homing.core.outcomes import Answer, HostOutcome, Outcome, RRsetOutcome, merge
from homing.core.rows import ABSENT, MAX_ROWS, Commit, RowKey
from homing.core.update import (
    Decision,
    HostUpdate,
    Policy,
    SetAddress,
    UpdateRequest,
    circumstances,
    decide,
    keep,
)
from homing.core.values import frozen, replace

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable

    from homing.app.authentication import Authenticator
    from homing.app.ports import Clock, Entropy, Store
    from homing.core.names import Name
    from homing.core.records import RRsetKey
    from homing.core.update import Circumstances

RETRY_AFTER = 5
"""Seconds that a client is asked to wait when nothing can be done now."""


@frozen
class Plan:
    """What is to be done for a request: the answer if it succeeds, and what to commit and publish before it."""

    answer: Answer
    commit: Commit | None = None
    changed: tuple[Host, ...] = ()
    """Hosts whose RRset the commit changes, as they will be."""
    behind: tuple[Host, ...] = ()
    """Hosts that already desire what is asked, but DNS does not show it yet."""
    authority: Authority | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the answer can be given at once."""
        return self.commit is None and not self.behind


class Planner:
    """Plans update requests against one store. `follows_store`: what is committed is as good as published."""

    def __init__(
        self,
        *,
        store: Store,
        authenticator: Authenticator,
        clock: Clock,
        entropy: Entropy,
        zones: Container[Name],
        policy: Policy,
        follows_store: bool,
    ) -> None:
        self._store = store
        self._authenticator = authenticator
        self._clock = clock
        self._entropy = entropy
        self._zones = zones
        self._policy = policy
        self._follows_store = follows_store

    def plan(self, request: UpdateRequest, *, may_block: bool) -> Plan:
        """Load, authenticate and decide. Raises WouldBlock if `may_block` is False; a failing store is an answer."""
        try:
            rows = self._store.load(self._keys(request))
            authority = self._authenticator.authenticate(request, rows, may_block=may_block)
            if authority is not None and authority.only_host is not None and _names_no_host(request):
                request = _with_hostname(request, authority.only_host)
                rows = self._store.load(self._keys(request))
                authority = self._authenticator.authenticate(request, rows, may_block=may_block)
        except StoreError as error:
            return Plan(self.unavailable(str(error)))
        except TooManyFailures:
            return Plan(self.unavailable("too many wrong passwords came from there"))
        if authority is None:
            return Plan(self.answer(Outcome.NOT_AUTHENTICATED))
        given = circumstances(request, self._clock.now(), self._policy)
        if isinstance(request.proof, SignedRequest) and not request.proof.is_in_window(given.now):
            return Plan(self._too_old(Outcome.SKEWED, request, rows, authority))
        return self._decide(request, rows, authority, given)

    def unavailable(self, why: str, retry_after: int = RETRY_AFTER) -> Answer:
        """Answer that nothing was done. `why` is for the log; `retry_after` is in seconds."""
        return replace(self.answer(Outcome.UNAVAILABLE, culprit=why), retry_after=retry_after)

    def answer(
        self,
        outcome: Outcome,
        hosts: tuple[HostOutcome, ...] = (),
        who: str | None = None,
        culprit: str | None = None,
    ) -> Answer:
        """Make an answer that tells the time."""
        return Answer(outcome, hosts, who, culprit, server_time=int(self._clock.now() * 1000))

    def _keys(self, request: UpdateRequest) -> list[RowKey]:
        """Return the keys of everything that the request may rest on, each once, to be loaded in one call."""
        keys = self._authenticator.keys(request)
        for update in request.updates:
            if update.hostname != request.identity:
                keys += family_keys(update.hostname)
        return list(dict.fromkeys(keys))

    def _decide(self, request: UpdateRequest, rows: Rows, authority: Authority, given: Circumstances) -> Plan:
        decisions: dict[RRsetKey, Decision] = {}
        hosts: list[HostOutcome] = []
        for update in request.updates:
            decided = request.refusal or self._decide_host(update, request, rows, authority, given)
            hosts.append(_outcome_of(update, decided))
            if not isinstance(decided, Outcome):
                decisions |= {decision.host.key: decision for decision in decided}
        outcome = merge([host.outcome for host in hosts])
        if outcome is Outcome.STALE:
            return Plan(self._too_old(outcome, request, rows, authority))
        if not outcome.is_success:
            complaint = request.complaint or _complaint(request, hosts)
            return Plan(self.answer(outcome, tuple(hosts), authority.who, complaint))
        answer = self.answer(outcome, tuple(hosts), authority.who)
        if all(decision.after is None for decision in decisions.values()):
            behind = tuple(decision.host for decision in decisions.values() if decision.host.pending)
            return Plan(answer, behind=behind, authority=authority)
        return self._plan_commit(decisions.values(), answer, rows, authority)

    def _decide_host(
        self, update: HostUpdate, request: UpdateRequest, rows: Rows, authority: Authority, given: Circumstances
    ) -> list[Decision] | Outcome:
        """Decide each RRset of one hostname. A family that the host does not have is left out, if it has another."""
        if update.hostname is None:
            return Outcome.NOT_A_FQDN
        if get_zone_of(update.hostname, self._zones) is None:
            return Outcome.NO_SUCH_HOST
        known = hosts_of(update.hostname, rows)
        hosts = {host.record_type: host for host in known if not host.is_removed}
        if request.creates and self._policy.tokens_create_hosts and len(hosts) == len(known):
            self._add_missing(update.hostname, update.wishes, hosts)
        if not update.wishes:
            kept = [host for host in hosts.values() if authority.may_update(host)]
            return [keep(host, given) for host in kept] or Outcome.NO_SUCH_HOST
        wanted = [(hosts[record_type], wish) for record_type, wish in update.wishes.items() if record_type in hosts]
        if not wanted or not all(authority.may_update(host) for host, _ in wanted):
            return Outcome.NO_SUCH_HOST
        return [decide(host, wish, given) for host, wish in wanted]

    def _add_missing(self, hostname: Name, wanted: Collection[RecordType], hosts: dict[RecordType, Host]) -> None:
        """Make the hosts that a valid ddupdate token asks for, unless the name is reserved."""
        zone = get_zone_of(hostname, self._zones)
        if zone is None or is_reserved(hostname, zone) or hostname in self._policy.reserved_names:
            return
        other = next(iter(hosts.values()), None)
        secret = other.shared_secret if other else new_secret(self._entropy.bytes(SECRET_RANDOM_BYTES))
        for record_type in wanted:
            hosts.setdefault(
                record_type,
                Host(hostname=hostname, record_type=record_type, shared_secret=secret, comment="made by a token"),
            )

    def _plan_commit(self, decisions: Collection[Decision], answer: Answer, rows: Rows, authority: Authority) -> Plan:
        changed = tuple(
            self._as_committed(decision.after)
            for decision in decisions
            if decision.after is not None and decision.outcome is Outcome.UPDATED
        )
        unchanged = [decision for decision in decisions if decision.outcome is Outcome.UNCHANGED]
        noted = tuple(self._as_committed(decision.after) for decision in unchanged if decision.after is not None)
        behind = tuple(host for d in unchanged if (host := d.after or d.host).pending)
        answer = replace(answer, note=_note(changed, self._policy)) if changed else answer
        after = changed + noted
        if len(after) > MAX_ROWS:
            return Plan(replace(answer, outcome=Outcome.MALFORMED, culprit=f"more than {MAX_ROWS} rows"))
        if changed or _moves_signature(unchanged):
            fenced: list[RowKey] = [*authority.rests_on, *(decision.host.key for decision in decisions)]
        else:  # a note of when somebody last asked rests on nothing else, and is one write instead of a transaction
            fenced = [host.key for host in noted]
        expects = {key: rows[key].version if key in rows else ABSENT for key in fenced}
        return Plan(answer, Commit(after, expects), changed, behind, authority)

    def _as_committed(self, host: Host) -> Host:
        return replace(host, published=host.desired) if self._follows_store else host

    def _too_old(self, outcome: Outcome, request: UpdateRequest, rows: Rows, authority: Authority) -> Answer:
        """Tell a signed client the server's time and the newest change, so that it can ask again at once."""
        names = [update.hostname for update in request.updates] or [request.identity]
        hosts = [host for name in names for host in hosts_of(name, rows) if authority.may_update(host)]
        newest = max((host.signed_at for host in hosts), default=0)
        return replace(self.answer(outcome, who=authority.who), signed_at=newest)


def _moves_signature(decisions: Iterable[Decision]) -> bool:
    """Tell whether a commit would make older signed requests stale: only their owner may do that."""
    return any(d.after is not None and d.after.signed_at != d.host.signed_at for d in decisions)


def _names_no_host(request: UpdateRequest) -> bool:
    return len(request.updates) == 1 and not request.updates[0].text


def _with_hostname(request: UpdateRequest, hostname: Name) -> UpdateRequest:
    update = replace(request.updates[0], hostname=hostname, text=hostname)
    return replace(request, updates=(update,))


def _outcome_of(update: HostUpdate, decided: list[Decision] | Outcome) -> HostOutcome:
    name = update.hostname or update.text
    if isinstance(decided, Outcome):
        return HostOutcome(name, decided)
    rrsets = tuple(
        RRsetOutcome(d.host.record_type, d.outcome, (d.after or d.host).ip_address if d.outcome.is_success else None)
        for d in decided
    )
    return HostOutcome(name, merge([one.outcome for one in rrsets]), rrsets)


def _note(changed: Iterable[Host], policy: Policy) -> str | None:
    """A private address in a public zone is published, since its host allows it; the operator is told."""
    for host in changed:
        address = parse_address(host.ip_address) if host.ip_address else None
        if address is not None and not is_global(address, policy.public_networks):
            return f"{address} is not global: {describe(address) or 'special'}"
    return None


def _complaint(request: UpdateRequest, hosts: Iterable[HostOutcome]) -> str | None:
    """Return which hostname refused the request, why, and what it was asked to be."""
    for update, host in zip(request.updates, hosts, strict=True):
        if not host.outcome.is_success:
            asked = [str(wish.address) for wish in update.wishes.values() if isinstance(wish, SetAddress)]
            return f"{host.hostname}: {host.outcome.value} (asked: {', '.join(asked) or 'no address'})"
    return None


def find_culprit(hosts: Iterable[HostOutcome]) -> str | None:
    """Return which hostname refused the request, and why: for the log."""
    return next((f"{host.hostname}: {host.outcome.value}" for host in hosts if not host.outcome.is_success), None)
