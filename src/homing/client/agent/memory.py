"""What the agent keeps through a restart, as JSON's own values: what a server holds, and what it asked us to wait.

Waits are written as what was left of them. The clock may be wrong when they are read, so a wait is shortened only by
time that has passed for certain, and never grows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from homing.client.agent.known import Gate, Held
from homing.client.agent.turn import CLOCK_IS_SET, begin
from homing.client.agent.waits import MAX_RETRY_AFTER
from homing.core.addresses import parse_address, record_type_of
from homing.core.errors import InvalidAddress
from homing.core.values import frozen, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from homing.client.agent.known import NameState, State
    from homing.client.agent.values import Moment, Plan
    from homing.core.addresses import Address

VERSION = 1


@frozen
class Memory:
    """What is to be written, and what of it is worth a write when it changes."""

    lasting: object
    text: Mapping[str, object]


def remember(state: State, moment: Moment) -> Memory:
    """Return what is to be kept."""
    gate = state.gate if state.gate.is_asked else Gate()
    lasting = (
        state.plan.server,
        state.plan.fingerprint,
        gate,
        state.is_failing,
        tuple(
            [
                (one.name, one.held, one.maybe, one.before, one.stopped, one.sends.level, one.refusals)
                for one in state.names
            ]
        ),
    )
    text = {
        "version": VERSION,
        "wall": moment.wall,
        "server": state.plan.server,
        "fingerprint": state.plan.fingerprint,
        "wait": max(0.0, gate.until - moment.now),
        "failures": gate.failures,
        "is_failing": state.is_failing,
        "names": {one.name: _name_text(one, moment) for one in state.names},
    }
    return Memory(lasting, text)


def recall(plan: Plan, memory: Mapping[str, object] | None, moment: Moment) -> State:
    """Return the state to begin with. Whatever in `memory` is not as `remember` writes it counts as unknown."""
    state = begin(plan, moment.now)
    if memory is None or memory.get("version") != VERSION or memory.get("server") != plan.server:
        return state
    passed = passed_for_certain(read_number(memory.get("wall")), moment.wall)
    wait = min(read_number(memory.get("wait")), MAX_RETRY_AFTER * 1.1) - passed
    if wait > 0:
        failures = int(min(read_number(memory.get("failures")), 100))
        state = replace(state, gate=Gate(failures, moment.now + wait, is_asked=True))
    state = replace(state, is_failing=memory.get("is_failing") is True)
    known = memory.get("names")
    is_same = memory.get("fingerprint") == plan.fingerprint
    if isinstance(known, dict):
        names = [_recalled(one, known.get(one.name), moment, passed, is_same=is_same) for one in state.names]
        state = replace(state, names=tuple(names))
    return replace(state, saved=remember(state, moment).lasting)


def _name_text(one: NameState, moment: Moment) -> dict[str, object]:
    return {
        "held": [
            {"address": str(held.address), "at": held.at, "age": moment.now - held.since} for held in one.held.values()
        ],
        "maybe": [{"address": str(address), "age": moment.now - at} for address, at in one.maybe.items()],
        "before": [str(address) for address in one.before],
        "stopped": one.stopped,
        "refusals": one.refusals,
        "wait": max(0.0, one.hold_until - moment.now),
        "sends": one.sends.filled(moment.now).level,
    }


def _recalled(one: NameState, text: Any, moment: Moment, passed: float, *, is_same: bool) -> NameState:
    if not isinstance(text, dict):
        return one
    began = moment.now - passed
    held = {
        record_type_of(address): Held(address, read_number(entry.get("at")), began - read_number(entry.get("age")))
        for address, entry in _entries(text.get("held"))
    }
    maybe = {address: began - read_number(entry.get("age")) for address, entry in _entries(text.get("maybe"))}
    before = [_address(each) for each in _list(text.get("before"))]
    level = min(read_number(text.get("sends"), one.sends.burst) + passed / one.sends.seconds, one.sends.burst)
    one = replace(
        one,
        held=held,
        maybe=maybe,
        before=tuple(address for address in before if address is not None),
        sends=replace(one.sends, level=level),
    )
    if not is_same:
        return one
    stopped = text.get("stopped")
    wait = max(0.0, min(read_number(text.get("wait")), MAX_RETRY_AFTER * 1.1) - passed)
    return replace(
        one,
        stopped=stopped if isinstance(stopped, str) else None,
        refusals=int(min(read_number(text.get("refusals")), 100)),
        hold_until=moment.now + wait,
    )


def passed_for_certain(then: float, wall: float) -> float:
    """Return how much time has passed for certain since something was written."""
    return max(0.0, wall - then) if then >= CLOCK_IS_SET else 0.0


def read_number(value: object, default: float = 0.0) -> float:
    """Return a number that is not negative and not beyond all reason; `default` for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e12 and not math.isnan(value) else default  # type: ignore[operator,arg-type]  # a number


def _entries(value: object) -> Iterator[tuple[Address, dict[str, Any]]]:
    """Return the objects of a list that name an address."""
    for entry in _list(value):
        if isinstance(entry, dict) and (address := _address(entry.get("address"))) is not None:
            yield address, entry


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _address(value: object) -> Address | None:
    try:
        return parse_address(value) if isinstance(value, str) else None
    except InvalidAddress:
        return None
