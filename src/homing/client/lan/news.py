"""What the owner is told of the names of a network: pure, rounds come in, and log lines, hooks and pings go out.

They are those of the agent's own names (`values.py`), so that one log, one hook and one watchdog know of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.client.agent.memory import passed_for_certain, read_number
from homing.client.agent.values import Log, Ping, RunHook
from homing.client.agent.waits import MAX_RETRY_AFTER
from homing.core.values import field, frozen, replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from homing.client.agent.values import Action, Moment
    from homing.client.lan.round import Round
    from homing.client.update import Row

TOLD_AFTER = 3
"""So many rounds that come to nothing are one failure that the owner hears of; a refusal is told at once."""
VERSION = 1
_MOST_NAMED = 5


@frozen
class LanState:
    """What is known of the rounds so far. `wait_until` is of the clock that never jumps."""

    is_failing: bool = False
    """The owner was told that something is wrong."""
    failures: int = 0
    wait_until: float = 0.0
    """The server asked to be left alone until then."""
    said: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """What was last written of each host that is left as it is."""
    noted: frozenset[str] = frozenset()
    """What the last rounds found worth telling, and was told: a file of leases that cannot be read."""


def take_in(
    state: LanState, rounds: Sequence[Round], wait: float, moment: Moment, own: Collection[str] = ()
) -> tuple[LanState, list[Action]]:
    """Return what is known after these rounds, and what is to be told. `wait`: seconds that a server asked for.

    Of `own`, this machine's names, nothing is told where they are left alone: the agent itself keeps them.
    """
    rows = [row for one in rounds for row in one.result.rows if row.outcome != "skipped" or row.hostname not in own]
    state = replace(state, wait_until=moment.now + wait)
    notes = dict.fromkeys(note for one in rounds for note in one.result.notes)
    actions: list[Action] = [Log("warning", note) for note in notes if note not in state.noted]
    actions += _changes(rows, rounds)
    state, told = _left(replace(state, noted=frozenset(notes)), rows)
    bad = [row for row in rows if not row.is_good]
    state, more = _trouble(state, bad) if bad else _calm(state, rows)
    return state, [*actions, *told, *more]


def remember(state: LanState, moment: Moment) -> Mapping[str, object]:
    """Return what is kept through a restart, as JSON's own values."""
    wait = max(0.0, state.wait_until - moment.now)
    return {"version": VERSION, "wall": moment.wall, "wait": wait, "is_failing": state.is_failing}


def recall(memory: Mapping[str, Any] | None, moment: Moment) -> LanState:
    """Return the state to begin with. Whatever in `memory` is not as `remember` writes it counts as unknown."""
    if memory is None or memory.get("version") != VERSION:
        return LanState(wait_until=moment.now)
    passed = passed_for_certain(read_number(memory.get("wall")), moment.wall)
    wait = max(0.0, min(read_number(memory.get("wait")), MAX_RETRY_AFTER * 1.1) - passed)
    return LanState(is_failing=memory.get("is_failing") is True, wait_until=moment.now + wait)


def _changes(rows: Iterable[Row], rounds: Sequence[Round]) -> Iterable[Action]:
    """Tell of each name that was set, once for both families."""
    new: dict[str, list[str]] = {}
    for row in rows:
        if row.outcome == "updated":
            new.setdefault(row.hostname, []).append(row.address or "")
    before: dict[str, list[str]] = {}
    for member in [member for one in rounds for member in one.members]:
        if member.address is not None:
            before.setdefault(member.hostname, []).append(str(member.address))
    for hostname, addresses in new.items():
        name = hostname.rstrip(".")
        yield Log("info", f"{name}: updated, {', '.join(sorted(addresses))}")
        told = {"addresses": " ".join(sorted(addresses)), "before": " ".join(sorted(before.get(hostname, ())))}
        yield RunHook("change", {"name": name, **told})


def _left(state: LanState, rows: Iterable[Row]) -> tuple[LanState, list[Action]]:
    """Write of each host that is left as it is, when that or the reason is new."""
    said = {(row.hostname, row.record_type): row.text for row in rows if row.outcome == "skipped"}
    news = [key for key, text in said.items() if state.said.get(key) != text]
    logs: list[Action] = [
        Log("info", f"{hostname.rstrip('.')} {record_type}: left as it is: {said[hostname, record_type]}")
        for hostname, record_type in news
    ]
    return replace(state, said=said), logs


def _trouble(state: LanState, bad: Sequence[Row]) -> tuple[LanState, list[Action]]:
    """Write of the first failures, and then of ever fewer; tell the owner once."""
    failures = state.failures + 1
    actions: list[Action] = []
    grouped: dict[tuple[str, str], list[str]] = {}
    for row in bad:
        grouped.setdefault((row.outcome, row.text), []).append(f"{row.hostname.rstrip('.')} {row.record_type}")
    texts = [f"{_named(hosts)}: {outcome}: {text}" for (outcome, text), hosts in grouped.items()]
    is_told = failures >= TOLD_AFTER or any(row.outcome == "refused" for row in bad)
    is_new = is_told and not state.is_failing
    if failures <= TOLD_AFTER or failures & (failures - 1) == 0:
        actions += [Log("warning", f"{text} ({failures} times now)") for text in texts[is_new:]]
    if is_new:
        names = dict.fromkeys(row.hostname.rstrip(".") for row in bad)
        actions += [
            Log("error", texts[0]),
            RunHook("failure", {"name": " ".join(names), "reason": texts[0]}),
            Ping(is_well=False),
        ]
    return replace(state, failures=failures, is_failing=state.is_failing or is_told), actions


def _calm(state: LanState, rows: Iterable[Row]) -> tuple[LanState, list[Action]]:
    actions: list[Action] = []
    if state.is_failing:
        addresses = sorted(row.address for row in rows if row.address and row.outcome != "skipped")
        actions = [
            Log("info", "all names of the network are right again"),
            RunHook("recovery", {"addresses": " ".join(addresses)}),
            Ping(is_well=True),
        ]
    return replace(state, failures=0, is_failing=False), actions


def _named(hosts: Sequence[str]) -> str:
    shown = ", ".join(hosts[:_MOST_NAMED])
    return shown if len(hosts) <= _MOST_NAMED else f"{shown} and {len(hosts) - _MOST_NAMED} more"
