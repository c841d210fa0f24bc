"""The agent as a pure step: (state, moment, event) -> (state, actions). No clock, no socket, no randomness in here.

One account, its names, and one way that each name goes, again and again:

    look (which addresses has this machine?) -> [ask DNS, if in doubt] -> send -> check that DNS shows it

A look follows each change of the network as soon as that has settled, and each interval. A name is sent if an address
differs from what the server is known to hold; in doubt (a start, a lost answer) DNS is asked first, so that nothing is
sent in vain. One question is out at a time, and names that lack the same go in one request where the protocol takes
several. What the server asked of us is kept through a restart (`memory.py`). What an answer means is in
`answers.py`; the values are in `values.py` and `known.py`, the waits in `waits.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from homing.client.agent.abandoned import abandon_question, abandon_stale, heard_late
from homing.client.agent.answers import answered, shown
from homing.client.agent.known import Flight, State
from homing.client.agent.memory import remember
from homing.client.agent.turn import Turn, in_doubt, is_due_for_check, pending, reset, wanted_of
from homing.client.agent.values import (
    Abandon,
    Answered,
    AskDns,
    Due,
    Forced,
    Look,
    Looked,
    NetworkChanged,
    Ping,
    Reloaded,
    Save,
    Saved,
    Send,
    SetTimer,
    Shown,
    Woke,
)
from homing.client.agent.waits import PATIENCE, calmed, quiet, soon
from homing.core.addresses import record_type_of
from homing.core.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.client.agent.known import NameState
    from homing.client.agent.values import Action, Event, Moment, Plan
    from homing.core.addresses import Address

LOOK_SECONDS, DNS_SECONDS, SEND_SECONDS = 60.0, 30.0, 60.0
"""After so long a question counts as unanswered, whatever has become of it."""
DOUBT_SECONDS, CHECK_SECONDS = 2.0, 3.0
"""So long DNS may take to answer: a send waits for the one, and nothing for the other."""


def step(state: State, moment: Moment, event: Event) -> tuple[State, tuple[Action, ...]]:
    """Return what the agent knows after an event, and what is to be done, in this order."""
    turn = Turn(state, moment)
    _take_in(turn, event)
    _give_up(turn)
    _look(turn)
    _question(turn)
    turn.tell_of_limit()
    _tell_the_watchdog(turn)
    _save(turn)
    _set_timer(turn)
    return turn.state, tuple(turn.actions)


def _take_in(turn: Turn, event: Event) -> None:
    if isinstance(event, NetworkChanged):
        _changed(turn)
    elif isinstance(event, Looked):
        _looked(turn, event)
    elif isinstance(event, Answered | Shown):
        _landed(turn, event)
    elif isinstance(event, Woke):
        _changed(turn)
        turn.each(lambda one: replace(one, check_at=turn.now))
    elif isinstance(event, Forced):
        _forced(turn)
    elif isinstance(event, Reloaded):
        turn.state = reset(turn.state, event.plan, turn.now)
        turn.log("info", "settings were read again")
    elif isinstance(event, Saved):
        _saved(turn, event)
    else:
        assert isinstance(event, Due)
        turn.update(timer=None)  # should it have gone off a moment too early, it is set again


# --- events


def _changed(turn: Turn) -> None:
    """Look when the network has been quiet for a while, the longer the more it has swung lately."""
    state = turn.state
    first = turn.now if state.changed_at is None else state.changed_at
    wait = quiet(calmed(state.flaps, turn.now - state.flapped_at))
    turn.update(changed_at=first, look_at=min(turn.now + wait, first + PATIENCE * wait))
    if not state.gate.is_asked:
        turn.update(gate=replace(state.gate, until=turn.now))  # another network may reach the server at once


def _looked(turn: Turn, event: Looked) -> None:
    state = turn.state
    if state.looking is None or event.number != state.looking.number:
        return
    turn.update(looking=None)
    if event.is_free:
        turn.update(looks=replace(state.looks, level=min(state.looks.burst, state.looks.level + 1)))
    if state.is_disk_failing:
        turn.update(saved=None)  # try again
    wanted = tuple(sorted(set(event.addresses), key=lambda address: address.version))
    if wanted != state.wanted:
        _wants(turn, wanted, event.problems)
    lacks = not wanted or len(wanted) < len(state.wanted)
    if not (lacks and event.problems):
        turn.update(look_failures=0)
        turn.look_by(turn.now + state.plan.interval * (0.9 + 0.2 * turn.chance))
        return
    failures = state.look_failures + 1
    turn.update(look_failures=failures)
    turn.look_by(turn.now + min(soon(failures, turn.chance), state.plan.interval))
    turn.log_rarely(failures, "no address to publish" if not wanted else "an address is missing", event.problems)
    if not wanted and failures >= 4:
        turn.fail("no address to publish: " + "; ".join(event.problems))


def _wants(turn: Turn, wanted: tuple[Address, ...], problems: tuple[str, ...]) -> None:
    old = {address.version: address for address in turn.state.wanted}
    swings = any(old.get(address.version, address) != address for address in wanted)
    if swings:
        flaps = calmed(turn.state.flaps, turn.now - turn.state.flapped_at) + 1
        turn.update(flaps=flaps, flapped_at=turn.now)
    if wanted:
        turn.log("info", "this machine's addresses: " + ", ".join(map(str, wanted)))
    elif old:
        turn.log("warning", "this machine has no address to publish; names keep theirs. " + "; ".join(problems))
    turn.update(wanted=wanted)
    abandon_stale(turn, tuple(old.values()))
    kinds = {record_type_of(address) for address in wanted if address.version not in old}
    turn.each(lambda one: one if kinds <= one.held.keys() else replace(one, is_doubtful=True))


def _landed(turn: Turn, event: Answered | Shown) -> None:
    """Take in an answer, if it is that to the question that is out. A late one says hardly anything any more."""
    flight = turn.state.flight
    if flight is None or event.number != flight.number or (flight.purpose == "send") != isinstance(event, Answered):
        if isinstance(event, Answered):
            heard_late(turn, event)
        return
    turn.update(flight=None)
    if isinstance(event, Answered):
        answered(turn, flight, event)
    else:
        shown(turn, flight, event)


def _forced(turn: Turn) -> None:
    """Send all. A wait that the server itself asked for still holds: it does not know what its owner wants."""
    abandon_question(turn)
    turn.each(lambda one: replace(one, is_forced=True, stopped=None, refusals=0, lacks={}, hold_until=turn.now))
    if not turn.state.gate.is_asked:
        turn.update(gate=replace(turn.state.gate, until=turn.now))
    turn.update(look_at=turn.now, is_limited=False)
    turn.log("info", "told to update now")


def _saved(turn: Turn, event: Saved) -> None:
    if event.problem is not None and not turn.state.is_disk_failing:
        turn.log("warning", f"what is known cannot be saved, going on without: {event.problem}")
    if event.problem is None and turn.state.is_disk_failing:
        turn.log("info", "what is known can be saved again")
    turn.update(is_disk_failing=event.problem is not None)


# --- what is due


def _give_up(turn: Turn) -> None:
    """Count a question as unanswered whose time is over."""
    looking, flight = turn.state.looking, turn.state.flight
    if looking is not None and looking.until <= turn.now:
        _looked(turn, Looked(looking.number, (), ("looking for addresses took too long",)))
    if flight is not None and flight.until <= turn.now:
        late = Answered(flight.number, "no-answer", "no answer in time") if flight.purpose == "send" else None
        _landed(turn, late or Shown(flight.number, {}))


def _look(turn: Turn) -> None:
    state = turn.state
    is_out = state.looking is not None and state.changed_at is None  # what was asked before a change is given up
    if is_out or state.look_at is None or state.look_at > turn.now:
        return
    if not state.plan.looks_are_free:
        ready = state.looks.ready_at(turn.now)
        if ready > turn.now:
            turn.update(look_at=ready)
            return
        turn.update(looks=state.looks.taken(turn.now))
    if state.looking is not None:
        turn.do(Abandon(state.looking.number))
    number = turn.number()
    turn.update(looking=Flight(number, turn.now + LOOK_SECONDS, "look"), look_at=None, changed_at=None)
    turn.do(Look(number))


def _question(turn: Turn) -> None:
    """Ask or send what is due, one question at a time."""
    state = turn.state
    if state.flight is not None or state.changed_at is not None or state.looking is not None:
        return  # what is wanted may be about to change
    lacking = {one.name: pending(state, one, turn.moment) for one in state.names}
    due = [one for one in state.names if lacking[one.name] and turn.may_send_at(one) <= turn.now]
    # DNS is asked about all of them first, so that those that it shows wrong go together.
    doubtful = next((one for one in due if turn.is_to_be_asked(one, lacking[one.name])), None)
    if doubtful is not None:
        _ask(turn, doubtful, "doubt", lacking[doubtful.name])
    elif due:
        _send(turn, _together(state.plan, due, lacking), lacking[due[0].name])
    else:
        checked = next(
            (one for one in state.names if not lacking[one.name] and is_due_for_check(state, one, turn.now)), None
        )
        if checked is not None:
            _ask(turn, checked, "check", wanted_of(state, checked, turn.now))


def _together(
    plan: Plan, due: Sequence[NameState], lacking: Mapping[str, tuple[Address, ...]]
) -> tuple[NameState, ...]:
    """Return the first name that is due, with those that lack the same and that nobody has found fault with."""
    first = due[0]
    if not _is_sociable(first):
        return (first,)
    others = [one for one in due if _is_sociable(one) and lacking[one.name] == lacking[first.name]]
    return tuple(others[: plan.most_names])


def _is_sociable(one: NameState) -> bool:
    return not one.is_alone and one.refusals == 0


def _ask(turn: Turn, one: NameState, purpose: Literal["doubt", "check"], addresses: tuple[Address, ...]) -> None:
    number = turn.number()
    turn.update(flight=Flight(number, turn.now + DNS_SECONDS, purpose, (one.name,), addresses))
    kinds = tuple([record_type_of(address) for address in addresses])
    turn.do(AskDns(number, one.name, kinds, DOUBT_SECONDS if purpose == "doubt" else CHECK_SECONDS))


def _send(turn: Turn, names: tuple[NameState, ...], addresses: tuple[Address, ...]) -> None:
    """Send, after it was written down that it may have been sent."""
    number = turn.number()
    for one in names:
        sends = one.sends.taken(turn.now)
        turn.put(replace(in_doubt(turn, one, addresses), sends=sends, is_shown=False, check_at=None))
    told = tuple([one.name for one in names])
    turn.update(flight=Flight(number, turn.now + SEND_SECONDS, "send", told, addresses, names))
    _save(turn)
    turn.do(Send(number, told, addresses))


def _tell_the_watchdog(turn: Turn) -> None:
    """Say that all is well, once an interval, and at once after something was not."""
    if not turn.is_well():
        return
    turn.recover()
    if turn.now >= turn.state.ping_at:
        turn.update(ping_at=turn.now + turn.state.plan.interval)
        turn.do(Ping(is_well=True))


def _save(turn: Turn) -> None:
    memory = remember(turn.state, turn.moment)
    if memory.lasting != turn.state.saved:
        turn.update(saved=memory.lasting)
        turn.do(Save(memory.text))


def _set_timer(turn: Turn) -> None:
    at = turn.next_time()
    if at != turn.state.timer:
        turn.update(timer=at)
        turn.do(SetTimer(at))
