"""One step of the agent while it is being made: the state so far, and the actions; and what can be asked of a state."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from homing.client.agent.known import NameState, State
from homing.client.agent.values import Log, Ping, RunHook
from homing.client.agent.waits import full_bucket
from homing.core.addresses import record_type_of
from homing.core.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from homing.client.agent.values import Action, Moment, Occasion, Plan
    from homing.core.addresses import Address

CLOCK_IS_SET = 1_735_689_600.0
"""2025-01-01: a clock that says less was never set, as after the start of a board without a battery."""
CHECK_WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds between looks at DNS after a send, until it shows."""

TOLD_WAIT = 2.0
"""Seconds that a send may wait for its own limit before that is written."""


class Turn:
    """The state so far and the actions so far. Lives for one step."""

    def __init__(self, state: State, moment: Moment) -> None:
        self.state = state
        self.moment = moment
        self.now = moment.now
        self.chance = moment.chance
        self.actions: list[Action] = []

    def do(self, action: Action) -> None:
        """Have something done."""
        self.actions.append(action)

    def log(self, level: Literal["debug", "info", "warning", "error"], text: str) -> None:
        """Have a line written."""
        self.do(Log(level, text))

    def log_rarely(self, failures: int, text: str, why: Sequence[str]) -> None:
        """Write of the first failures and then of ever fewer: a month without network must not fill a disk."""
        if failures <= 3 or failures & (failures - 1) == 0:
            self.log("warning", f"{text} ({failures} times now): " + "; ".join(why))

    def update(self, **changes: Any) -> None:
        """Change the state."""
        self.state = replace(self.state, **changes)

    def number(self) -> int:
        """Return a number for a question."""
        self.update(last_number=self.state.last_number + 1)
        return self.state.last_number

    def get(self, name: str) -> NameState | None:
        """Return what is known of a name; None if it is not ours any more."""
        return next((one for one in self.state.names if one.name == name), None)

    def put(self, new: NameState) -> None:
        """Change what is known of one name."""
        self.each(lambda one: new if one.name == new.name else one)

    def each(self, change: Callable[[NameState], NameState]) -> None:
        """Change what is known of every name."""
        self.update(names=tuple([change(one) for one in self.state.names]))

    def look_by(self, at: float) -> None:
        """Look then, or earlier if that was planned."""
        planned = self.state.look_at
        self.update(look_at=at if planned is None else min(planned, at))

    def hook(self, occasion: Occasion, details: Mapping[str, str]) -> None:
        """Tell the owner's program."""
        self.do(RunHook(occasion, details))

    def fail(self, why: str, name: str = "", then: str = "") -> None:
        """Tell the owner that something is wrong, once. `then`, what follows from it, is for the log only."""
        if self.state.is_failing:
            return
        self.update(is_failing=True)
        self.log("error", f"{why}; {then}" if then else why)
        self.hook("failure", {"name": name, "reason": why})
        self.do(Ping(is_well=False))

    def recover(self) -> None:
        """Tell the owner that all is well again, if something was not."""
        if self.state.is_failing:
            self.update(is_failing=False, ping_at=self.now)
            self.log("info", "all names are right again")
            self.hook("recovery", {"addresses": " ".join(map(str, self.state.wanted))})

    def is_well(self) -> bool:
        """Tell whether every name is right as far as can be seen."""
        state = self.state
        return bool(state.wanted and state.changed_at is None) and all(
            one.stopped is None
            and not one.is_wrong
            and (one.is_shown or not state.plan.checks_dns or not wanted_of(state, one, self.now))
            and not pending(state, one, self.moment)
            for one in state.names
        )

    def may_send_at(self, one: NameState) -> float:
        """Return when a name may be sent: as server, protocol and fairness allow."""
        if one.stopped is not None and self.state.plan.final_wait is None:
            return math.inf
        return max(self.state.gate.until, one.hold_until, one.sends.ready_at(self.now))

    def is_to_be_asked(self, one: NameState, lacking: Sequence[Address]) -> bool:
        """Tell whether DNS is asked before a name is sent: it would be believed, and is not known to be silent."""
        is_silent = self.now < self.state.dns_at
        if not one.is_doubtful or one.is_forced or not self.state.plan.checks_dns or is_silent:
            return False
        return any(trusts_dns(self.state, one, address, self.now) for address in lacking)

    def tell_of_limit(self) -> None:
        """Write once, when it begins, that a send that nothing else holds back waits for its bucket to fill."""
        if self.state.flight is not None or self.state.looking is not None or self.state.changed_at is not None:
            return
        waits = [
            wait
            for one in self.state.names
            if (wait := one.sends.ready_at(self.now) - self.now) > TOLD_WAIT
            and self.may_send_at(one) <= self.now + wait
            and pending(self.state, one, self.moment)
        ]
        if waits and not self.state.is_limited:
            self.log("info", f"waiting {min(waits):.0f} s: the limit of sends to this server")
        if bool(waits) != self.state.is_limited:
            self.update(is_limited=bool(waits))

    def next_time(self) -> float | None:
        """Return when something is due although nothing happens."""
        state = self.state
        times = [flight.until for flight in (state.looking, state.flight) if flight is not None]
        if state.look_at is not None and (state.looking is None or state.changed_at is not None):
            times.append(state.look_at)
        if state.flight is None and state.looking is None and state.changed_at is None:
            times += [self._time_of(one) for one in state.names]
        if self.is_well():
            times.append(state.ping_at)
        first = min(times, default=math.inf)
        return None if first == math.inf else first

    def _time_of(self, one: NameState) -> float:
        if pending(self.state, one, self.moment):
            return self.may_send_at(one)
        if self.state.plan.checks_dns and wanted_of(self.state, one, self.now) and one.check_at is not None:
            return max(one.check_at, self.state.dns_at)
        return math.inf


def wanted_of(state: State, one: NameState, now: float) -> tuple[Address, ...]:
    """Return the addresses that a name should have: all but those of which the server has no record."""
    return tuple([address for address in state.wanted if now >= one.lacks.get(record_type_of(address), now)])


def pending(state: State, one: NameState, moment: Moment) -> tuple[Address, ...]:
    """Return the addresses that a name lacks, as far as is known: what is to be sent.

    A type of which the server may have no record goes together with the other: alone, it would be refused.
    """
    wanted = wanted_of(state, one, moment.now)
    known = {held.address.version for held in one.held.values()} | {address.version for address in one.before}
    lacking = []
    for address in wanted:
        held = one.held.get(record_type_of(address))
        if one.is_forced or held is None or held.address != address or _is_old(state.plan, held.at, moment.wall):
            lacking.append(address)
    is_whole = state.plan.sends_whole or any(address.version not in known for address in lacking)
    return wanted if lacking and is_whole else tuple(lacking)


def is_due_for_check(state: State, one: NameState, now: float) -> bool:
    """Tell whether DNS is to be looked at."""
    if not state.plan.checks_dns or one.check_at is None or not wanted_of(state, one, now):
        return False
    return max(one.check_at, state.dns_at) <= now


def trusts_dns(state: State, one: NameState, address: Address, now: float) -> bool:
    """Tell whether DNS can be believed when it shows `address`: not if something else was sent a moment ago."""
    held = one.held.get(record_type_of(address))
    sent = {**one.maybe, **({held.address: held.since} if held is not None else {})}
    return all(
        now >= at + state.plan.grace
        for other, at in sent.items()
        if other.version == address.version and other != address
    )


def in_doubt(turn: Turn, one: NameState, addresses: tuple[Address, ...]) -> NameState:
    """Return what is known of a name while these are being sent: the server holds them, or what it held before."""
    kinds = {record_type_of(address) for address in addresses}
    recent = {address: at for address, at in one.maybe.items() if turn.now < at + turn.state.plan.grace}
    replaced = {held.address: held.since for kind, held in one.held.items() if kind in kinds}
    return replace(
        one,
        held={kind: held for kind, held in one.held.items() if kind not in kinds},
        maybe=recent | replaced | dict.fromkeys(addresses, turn.now),
    )


def begin(plan: Plan, now: float) -> State:
    """Return the state of an agent that knows nothing. It looks at once."""
    names = tuple([_new_name(plan, name, now) for name in plan.names])
    looks = full_bucket(plan.look_burst, plan.look_seconds, now)
    return State(plan=plan, names=names, looks=looks, look_at=now, ping_at=now)


def reset(state: State, plan: Plan, now: float) -> State:
    """Return the state under another plan. Refusals are forgotten, since the owner has acted."""
    known = {one.name: one for one in state.names} if plan.server == state.plan.server else {}
    names = [
        replace(known[name], stopped=None, refusals=0, is_alone=False, lacks={}, hold_until=now, check_at=now)
        if name in known
        else _new_name(plan, name, now)
        for name in plan.names
    ]
    kept = replace(state, plan=plan, names=tuple(names), look_at=now)
    return kept if known else replace(kept, gate=type(state.gate)(), flight=None)


def _new_name(plan: Plan, name: str, now: float) -> NameState:
    return NameState(name, full_bucket(plan.send_burst, plan.send_seconds, now), hold_until=now, check_at=now)


def _is_old(plan: Plan, at: float, wall: float) -> bool:
    """Tell whether an address has to be sent again only because of its age. A clock that is not set never says so."""
    return plan.refresh is not None and at >= CLOCK_IS_SET and wall - at > plan.refresh
