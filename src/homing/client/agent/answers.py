"""What the agent learns from a server's answer to a send, and from what DNS shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.client.agent.known import Gate, Held
from homing.client.agent.turn import CHECK_WAITS, CLOCK_IS_SET, trusts_dns
from homing.client.agent.waits import DAY, asked, refused, soon
from homing.core.addresses import record_type_of
from homing.core.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from homing.client.agent.known import Flight, NameState
    from homing.client.agent.turn import Turn
    from homing.client.agent.values import Answered, RecordType, Shown, Verdict
    from homing.core.addresses import Address

TOLD_AFTER = 3
"""So many failures in a row are one that the owner hears of."""
SILENT_FIRST, SILENT_CAP = 15.0, 300.0
"""Seconds between questions to a resolver that does not answer; doubles."""
WRONG_FIRST = 3600.0
"""Seconds between sends while a server says yes and DNS shows something else; doubles up to a day."""


def answered(turn: Turn, flight: Flight, answer: Answered) -> None:
    """Take in what became of a send: for each name by itself, as far as the server told them apart."""
    names = [one for name in flight.names if (one := turn.get(name)) is not None]
    if answer.verdict in ("updated", "unchanged", "refused"):
        told = {one.name: answer.names.get(one.name, (answer.verdict, answer.text)) for one in names}
        is_one_for_all = len(flight.names) > 1 and not answer.is_shared
        nobody = all(verdict == "refused" for verdict, _ in told.values())
        for one in names:
            verdict, text = told[one.name]
            if verdict != "refused":
                _accepted(turn, one, flight, verdict, answer)
            elif is_one_for_all and nobody:
                _set_apart(turn, _as_before(one, flight), answer)
            else:
                stop(turn, _as_before(one, flight), replace(answer, text=text))
    elif names:
        if answer.verdict == "not-a-server":
            names = [_as_before(one, flight) for one in names]
        _unanswered(turn, names, answer)


def _as_before(one: NameState, flight: Flight) -> NameState:
    """Return what is known of a name that the server did nothing about."""
    before = next((known for known in flight.before if known.name == one.name), one)
    return replace(one, held=before.held, maybe=before.maybe)


def shown(turn: Turn, flight: Flight, answer: Shown) -> None:
    """Take in what DNS shows."""
    _hear_resolver(turn, is_silent=None in answer.addresses.values() or not answer.addresses)
    one = turn.get(flight.names[0])
    if one is None:
        return
    if flight.purpose == "doubt":
        _settle_doubt(turn, one, flight, answer)
    else:
        _check(turn, one, flight, answer)


def _hear_resolver(turn: Turn, *, is_silent: bool) -> None:
    """Leave a resolver that does not answer alone for a while: whoever asks it at once waits in vain once more."""
    silences = turn.state.dns_silences + 1 if is_silent else 0
    wait = min(SILENT_FIRST * 2.0 ** min(silences - 1, 10), SILENT_CAP) * (0.9 + 0.2 * turn.chance) if silences else 0.0
    turn.update(dns_silences=silences, dns_at=turn.now + wait)


def _accepted(turn: Turn, one: NameState, flight: Flight, verdict: Verdict, answer: Answered) -> None:
    """Note that the server holds it, and see whether DNS shows it. Of what it has no record it is not asked soon."""
    lacking = answer.lacking.get(one.name, ())
    addresses = tuple([address for address in flight.addresses if record_type_of(address) not in lacking])
    unsaid = answer.unsaid.get(one.name, ())
    said = tuple([address for address in addresses if record_type_of(address) not in unsaid])
    turn.log(
        "info", f"{one.name}: {verdict}, {_shown(said)}" + "".join(f"; of {kind} it says nothing" for kind in unsaid)
    )
    if verdict == "updated" or _differs(one, addresses):
        turn.hook("change", _details(one, addresses))
    turn.put(
        replace(
            _without(turn, _holding(turn, one, addresses), lacking),
            unsaid=unsaid,
            is_doubtful=False,
            is_forced=False,
            stopped=None,
            refusals=0,
            given_up=0,
            checks=0,
            check_at=turn.now + CHECK_WAITS[0],
        )
    )
    turn.update(gate=Gate(until=turn.now))


def _without(turn: Turn, one: NameState, lacking: Iterable[RecordType]) -> NameState:
    """Return what is known of a name when the server turns out to have no such records."""
    for kind in lacking:
        turn.log("info", f"{one.name}: the host has no {kind} record; asked again in a day, or when you reload")
        held = {other: held for other, held in one.held.items() if other != kind}
        one = replace(one, held=held, lacks={**one.lacks, kind: turn.now + DAY})
    return one


def _set_apart(turn: Turn, one: NameState, answer: Answered) -> None:
    """Have a name sent by itself: one that is refused must not keep the others wrong."""
    wait = 0.0 if answer.retry_after is None else asked(1, answer.retry_after, turn.chance)
    turn.put(replace(one, is_alone=True, is_doubtful=True, hold_until=max(one.hold_until, turn.now + wait)))
    turn.update(gate=Gate(until=turn.now))
    turn.log("info", f"{one.name}: refused together with others: sent by itself ({answer.text})")


def stop(turn: Turn, one: NameState, answer: Answered) -> None:
    """Leave the name alone: for good, or until the owner has acted, or for a while."""
    if one.is_alone:  # it was this one's fault, and the others may go together again
        turn.each(lambda other: replace(other, is_alone=False))
        one = replace(one, is_alone=False)
    refusals = one.refusals + 1
    wait = refused(refusals, turn.chance)
    if answer.retry_after is not None:
        wait = max(wait, asked(refusals, answer.retry_after, turn.chance))
    plan = turn.state.plan
    if answer.is_final and plan.final_wait is not None:
        wait = max(wait, plan.final_wait * (1 + 0.1 * turn.chance))
    stopped = answer.text or "refused" if answer.is_final else None
    turn.put(
        replace(one, refusals=refusals, hold_until=turn.now + wait, stopped=stopped, is_forced=False, is_doubtful=True)
    )
    turn.update(gate=Gate(until=turn.now))
    again = "not before you have acted" if stopped and plan.final_wait is None else f"again in {wait:.0f} s"
    if (answer.is_final or refusals >= TOLD_AFTER) and not turn.state.is_failing:
        turn.fail(f"{one.name}: refused: {answer.text}", one.name, again)
    else:
        turn.log_rarely(refusals, f"{one.name}: refused", (answer.text, again))


def _unanswered(turn: Turn, names: Sequence[NameState], answer: Answered) -> None:
    """Leave the server alone for a while; a send that may have arrived is looked for in DNS before the next."""
    for one in names:
        turn.put(replace(one, is_doubtful=True))
    failures = turn.state.gate.failures + 1
    is_asked = answer.verdict == "try-later" or answer.retry_after is not None
    wait = asked(failures, answer.retry_after, turn.chance) if is_asked else soon(failures, turn.chance)
    turn.update(gate=Gate(failures, turn.now + wait, is_asked))
    if not turn.state.plan.looks_are_free:
        turn.look_by(turn.now + wait)
    told = ", ".join([one.name for one in names])
    turn.log_rarely(failures, f"{told}: {answer.verdict}", (answer.text, f"again in {wait:.0f} s"))
    if failures >= TOLD_AFTER:
        turn.fail(f"{told}: {answer.verdict}: {answer.text}", " ".join([one.name for one in names]))


def leave_alone(turn: Turn, answer: Answered) -> None:
    """Leave the server alone for as long as it asks, without a failure of ours."""
    gate = turn.state.gate
    wait = asked(max(1, gate.failures), answer.retry_after, turn.chance)
    turn.update(gate=Gate(gate.failures, max(gate.until, turn.now + wait), is_asked=True))


def _settle_doubt(turn: Turn, one: NameState, flight: Flight, answer: Shown) -> None:
    """Believe DNS where it shows what is wanted; what it does not show is sent next."""
    right = tuple(
        address
        for address in flight.addresses
        if answer.addresses.get(record_type_of(address)) == frozenset({address})
        and trusts_dns(turn.state, one, address, turn.now)
    )
    if _differs(one, right):
        turn.hook("change", _details(one, right))
    if right:
        turn.log("info", f"{one.name}: DNS shows {_shown(right)} already")
    is_whole = right == flight.addresses
    turn.put(
        replace(
            _holding(turn, one, right),
            is_doubtful=False,
            is_shown=is_whole,
            is_wrong=one.is_wrong and not is_whole,
            check_at=turn.now + turn.state.plan.recheck,
        )
    )


def _check(turn: Turn, one: NameState, flight: Flight, answer: Shown) -> None:
    """See whether DNS shows what the server holds; what it does not show in time is not held any more."""
    kinds = {record_type_of(address): address for address in flight.addresses}
    if any(answer.addresses.get(kind) is None for kind in kinds):
        turn.put(replace(one, checks=one.checks + 1, check_at=turn.now + _check_wait(turn, one)))
        return
    wrong = [kind for kind, address in kinds.items() if answer.addresses[kind] != frozenset({address})]
    if not wrong:
        _confirmed(turn, one, flight.addresses)
    elif not _has_come_late(one, [answer.addresses[kind] for kind in wrong]) and any(
        kind in one.held and turn.now < one.held[kind].since + turn.state.plan.grace for kind in wrong
    ):
        turn.put(replace(one, checks=one.checks + 1, check_at=turn.now + _check_wait(turn, one)))
    else:
        missing = [kind for kind in wrong if kind in one.unsaid and not answer.addresses[kind]]
        if missing:  # it was sent, and there is none: what is left is looked at at once
            turn.put(_without(turn, replace(one, check_at=turn.now), missing))
            return
        told = {kind: answer.addresses[kind] or frozenset() for kind in wrong}
        text = ", ".join(f"{_shown(told[kind]) or 'no ' + kind} instead of {kinds[kind]}" for kind in wrong)
        _not_shown(turn, one, frozenset(wrong), text)


def _has_come_late(one: NameState, found: Sequence[frozenset[Address] | None]) -> bool:
    """Tell whether DNS, having shown what is right, shows what a request held that was given up."""
    return one.is_shown and any(addresses and addresses <= one.late.keys() for addresses in found)


def _confirmed(turn: Turn, one: NameState, addresses: tuple[Address, ...]) -> None:
    if not one.is_shown:
        turn.log("info", f"{one.name}: DNS shows {_shown(addresses)}")
    held = {
        kind: replace(held, at=turn.moment.wall) if held.at < CLOCK_IS_SET else held for kind, held in one.held.items()
    }
    wait = turn.state.plan.recheck * (0.9 + 0.2 * turn.chance)
    late = max(one.late.values(), default=0.0) + 1  # by then what was given up has arrived, or never will
    if turn.now < late:
        wait = min(wait, late - turn.now)
    turn.put(
        replace(
            one, held=held, is_shown=True, is_wrong=False, mismatches=0, checks=0, is_doubtful=False,
            check_at=turn.now + wait,
        )
    )  # fmt: skip


def _not_shown(turn: Turn, one: NameState, wrong: frozenset[str], text: str) -> None:
    """Forget that the server holds it. The first time it is sent again at once, then ever more rarely."""
    mismatches = one.mismatches + 1
    wait = 0.0 if mismatches == 1 else min(WRONG_FIRST * 2.0 ** min(mismatches - 2, 10), DAY)
    held = {kind: held for kind, held in one.held.items() if kind not in wrong}
    turn.put(
        replace(
            one, held=held, is_shown=False, is_wrong=True, mismatches=mismatches, is_doubtful=wait > 0,
            hold_until=max(one.hold_until, turn.now + wait), check_at=turn.now + turn.state.plan.recheck,
        )
    )  # fmt: skip
    turn.log("warning", f"{one.name}: DNS shows {text}")
    if mismatches >= TOLD_AFTER:
        turn.fail(f"{one.name}: DNS shows {text}", one.name)


def _check_wait(turn: Turn, one: NameState) -> float:
    return min(CHECK_WAITS[min(one.checks, len(CHECK_WAITS) - 1)] * (0.9 + 0.2 * turn.chance), turn.state.plan.recheck)


def _holding(turn: Turn, one: NameState, addresses: tuple[Address, ...]) -> NameState:
    """Return what is known of a name after it became certain that the server holds these."""
    new = {record_type_of(address): Held(address, turn.moment.wall, turn.now) for address in addresses}
    held = {**one.held, **new}
    versions = {address.version for address in addresses}
    return replace(
        one,
        held=held,
        maybe={
            address: at
            for address, at in one.maybe.items()
            if address.version not in versions or turn.now < one.late.get(address, 0.0)
        },
        before=tuple([known.address for known in held.values()]),
    )


def _differs(one: NameState, addresses: tuple[Address, ...]) -> bool:
    """Tell whether the server was known to hold something else of the same family."""
    before = {address.version: address for address in one.before}
    return any(before.get(address.version, address) != address for address in addresses)


def _details(one: NameState, addresses: tuple[Address, ...]) -> dict[str, str]:
    return {"name": one.name, "addresses": _shown(addresses, " "), "before": _shown(one.before, " ")}


def _shown(addresses: frozenset[Address] | tuple[Address, ...], between: str = ", ") -> str:
    return between.join(sorted(map(str, addresses)))
