"""What the fake remembers for the tests: every state that DNS ever had, and every call that was made.

Tests read it and never write it. Times are seconds of the fake's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_aws.route53.records import Key, RecordSet


@dataclass(frozen=True, slots=True)
class Entry:
    """One set of one zone went from `before` to `after`; None is "not there"."""

    time: float
    change_id: str
    zone_id: str
    key: Key
    before: RecordSet | None
    after: RecordSet | None


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request; `time` is when it arrived.

    `result` is "ok" or the code of the error; "Unanswered" if nothing at all was done and said. `changes` is the number
    of changes in its batch, `answered` whether the caller got to hear the result.
    """

    time: float
    operation: str
    zone_id: str | None
    result: str
    changes: int = 0
    answered: bool = True


class Journal:
    """Both lists, in the order in which things took effect and calls ended; the fake appends under its lock."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.calls: list[ApiCall] = []

    def history(self, name: str, rrtype: str, zone_id: str | None = None) -> list[RecordSet | None]:
        """The states of a simple set, oldest first; what it was before anything is not among them."""
        key = (name, rrtype, None)
        return [entry.after for entry in self.entries if entry.key == key and zone_id in {None, entry.zone_id}]

    def replayed(self) -> dict[tuple[str, Key], RecordSet]:
        """The record sets that result from all entries; raises AssertionError where one does not follow on."""
        state: dict[tuple[str, Key], RecordSet] = {}
        for entry in self.entries:
            place = (entry.zone_id, entry.key)
            assert state.get(place) == entry.before, f"{entry} follows {state.get(place)}"
            if entry.after is None:
                state.pop(place, None)
            else:
                state[place] = entry.after
        return state

    def calls_of(self, operation: str | None = None, result: str | None = None) -> list[ApiCall]:
        """The calls of one operation, with one result, or all."""
        return [call for call in self.calls if operation in {None, call.operation} and result in {None, call.result}]

    def most_calls_within(self, seconds: float, operation: str | None = None) -> int:
        """The greatest number of calls in any span of so many seconds; calls that were refused count too."""
        times = sorted(call.time for call in self.calls_of(operation))
        most = first = 0
        for last, time in enumerate(times):
            while time - times[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most
