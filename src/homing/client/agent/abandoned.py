"""Going on without the answer to a question that is out: what was asked, or where it was asked from, is no more.

A send that is given up is in doubt as one whose answer was lost, but it is nobody's fault. Its request may still
arrive, after the next one even, and a server whose protocol has no protection against that then holds the older
address: DNS is looked at again when that cannot be any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.client.agent.answers import leave_alone, stop
from homing.client.agent.values import Abandon
from homing.core.values import replace

if TYPE_CHECKING:
    from homing.client.agent.known import Flight, NameState
    from homing.client.agent.turn import Turn
    from homing.client.agent.values import Answered
    from homing.core.addresses import Address

LATE_SECONDS = 120.0
"""For so long a request that was given up may still arrive: Linux sends it again, at intervals that double."""
MOST_KEPT = 3
"""Of so many sends that were given up the answer is still read."""


def abandon_question(turn: Turn) -> None:
    """Go on without what DNS was asked. A send must not wait for a dead resolver."""
    if turn.state.flight is not None and turn.state.flight.purpose != "send":
        _abandon(turn, turn.state.flight)


def abandon_stale(turn: Turn, old: tuple[Address, ...]) -> None:
    """Go on without a question about other addresses than are wanted now, or a send from an address that has gone.

    An address that is new beside the others, or missing for a while, is no reason: the answer may be on its way.
    """
    abandon_question(turn)
    flight = turn.state.flight
    if flight is None:
        return
    now_wanted = {address.version: address for address in turn.state.wanted}
    if any(now_wanted.get(one.version, one) != one for one in (*old, *flight.addresses)):
        _abandon(turn, flight)
        _doubt(turn, flight)


def heard_late(turn: Turn, answer: Answered) -> None:
    """Heed what a server demands in the answer to a send that was given up; of what it did, the next one tells."""
    flight = next((one for one in turn.state.given_up if one.number == answer.number), None)
    if flight is None:
        return
    turn.update(given_up=tuple([one for one in turn.state.given_up if one is not flight]))
    if answer.verdict == "try-later":
        leave_alone(turn, answer)
    elif turn.state.flight is None or turn.state.flight.purpose != "send":  # else that one is refused as well
        for one in turn.state.names:
            if one.given_up == answer.number:
                _refused_late(turn, one, flight, answer)


def _refused_late(turn: Turn, one: NameState, flight: Flight, answer: Answered) -> None:
    """Send no more what was refused for good, as far as it is known to be of this name."""
    verdict, text = answer.names.get(one.name, (answer.verdict, answer.text))
    is_of_name = len(flight.names) == 1 or answer.is_shared or one.name in answer.names
    if verdict == "refused" and answer.is_final and is_of_name:
        stop(turn, one, replace(answer, text=text))


def _abandon(turn: Turn, flight: Flight) -> None:
    turn.update(flight=None)
    turn.do(Abandon(flight.number))


def _doubt(turn: Turn, flight: Flight) -> None:
    turn.update(given_up=(*turn.state.given_up, flight)[-MOST_KEPT:])
    for one in turn.state.names:
        if one.name in flight.names:
            late = {address: until for address, until in one.late.items() if turn.now < until}
            late |= dict.fromkeys(flight.addresses, turn.now + LATE_SECONDS)
            turn.put(replace(one, is_doubtful=True, late=late, given_up=flight.number))
    told = ", ".join(flight.names)
    turn.log("info", f"{told}: the address changed again while it was being sent; the answer is not waited for")
