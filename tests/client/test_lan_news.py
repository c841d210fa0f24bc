"""What the owner hears of the names of a network: once each, by the same log, hooks and pings as of the agent's own."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from homing.client.agent.values import Log, Moment, Ping, RunHook
from homing.client.lan.news import TOLD_AFTER, LanState, recall, remember, take_in
from homing.client.lan.round import Round
from homing.client.update import Result, Row
from tests.client.lan_scenes import member

CAM, NAS = "cam.home.example.", "nas.home.example."
NOW = Moment(1000.0, 1_800_000_000.0, 0.5)


def rounds(*rows: Row, before: tuple[str, str] | None = None) -> list[Round]:
    members = (member("A", hostname=before[0], address=before[1]),) if before else ()
    return [Round(Result(rows), members)]


def hear(state: LanState, *rows: Row, own: tuple[str, ...] = ()) -> tuple[LanState, list[object]]:
    state, actions = take_in(state, rounds(*rows), 0.0, NOW, own)
    return state, [*actions]


AWAY = Row(CAM, "A", None, "try later", "no route")
REFUSED = Row(CAM, "A", "192.0.2.1", "refused", "locked")
GOOD = Row(CAM, "A", "192.0.2.1", "unchanged")


def test_a_name_that_was_set_is_one_change_for_both_families_and_tells_what_it_was() -> None:
    rows = (Row(CAM, "A", "192.0.2.2", "updated"), Row(CAM, "AAAA", "2001:db8::2", "updated"), GOOD)
    _, actions = take_in(LanState(), rounds(*rows, before=(CAM, "192.0.2.1")), 0.0, NOW)
    assert actions == [
        Log("info", "cam.home.example: updated, 192.0.2.2, 2001:db8::2"),
        RunHook("change", {"name": "cam.home.example", "addresses": "192.0.2.2 2001:db8::2", "before": "192.0.2.1"}),
    ]


def test_what_stays_as_it_is_says_nothing() -> None:
    state, actions = hear(LanState(), GOOD)
    assert (state, actions) == (LanState(wait_until=1000.0), [])


def test_who_is_not_seen_is_written_of_once_until_the_reason_is_another() -> None:
    state, first = hear(LanState(), Row(CAM, "A", None, "skipped", "not seen"))
    state, again = hear(state, Row(CAM, "A", None, "skipped", "not seen"))
    _, other = hear(state, Row(CAM, "A", None, "skipped", "locked"))
    assert first == [Log("info", "cam.home.example A: left as it is: not seen")]
    assert again == []
    assert other == [Log("info", "cam.home.example A: left as it is: locked")]


def test_leases_that_cannot_be_read_are_warned_of_once_until_they_can() -> None:
    lost = [Round(Result((GOOD,), notes=("x.leases: cannot be read",)))] * 2
    state, first = take_in(LanState(), lost, 0.0, NOW)
    state, again = take_in(state, lost, 0.0, NOW)
    state, _ = take_in(state, rounds(GOOD), 0.0, NOW)
    _, anew = take_in(state, lost, 0.0, NOW)
    assert first == anew == [Log("warning", "x.leases: cannot be read")]
    assert again == []


def test_this_machines_own_name_is_not_spoken_of() -> None:
    assert hear(LanState(), Row(CAM, "A", None, "skipped", "own"), own=(CAM,))[1] == []


def test_a_refusal_is_told_at_once_and_once_and_its_end_too() -> None:
    state, actions = hear(LanState(), REFUSED)
    reason = "cam.home.example A: refused: locked"
    assert actions == [
        Log("error", reason),
        RunHook("failure", {"name": "cam.home.example", "reason": reason}),
        Ping(is_well=False),
    ]
    state, again = hear(state, REFUSED)
    assert again == [Log("warning", f"{reason} (2 times now)")]
    state, end = hear(state, GOOD)
    assert end == [
        Log("info", "all names of the network are right again"),
        RunHook("recovery", {"addresses": "192.0.2.1"}),
        Ping(is_well=True),
    ]
    assert hear(state, GOOD)[1] == []


def test_a_server_that_is_away_is_told_when_it_stays_away_and_written_of_ever_more_rarely() -> None:
    state, told, lines = LanState(), [], 0
    for number in range(1, 65):
        state, actions = hear(state, AWAY)
        lines += any(isinstance(one, Log) and one.level == "warning" for one in actions)
        told += [number for one in actions if isinstance(one, RunHook)]
    assert told == [TOLD_AFTER]
    assert lines == 7  # 1, 2, 4, 8, 16, 32, 64; the third is an error


def test_forty_names_with_one_fault_are_one_line() -> None:
    rows = [Row(f"m{number}.home.example.", "A", "192.0.2.1", "try later", "busy") for number in range(40)]
    _, actions = hear(LanState(), *rows)
    assert actions == [
        Log("warning", "m0.home.example A, m1.home.example A, m2.home.example A, m3.home.example A, m4.home.example A"
            " and 35 more: try later: busy (1 times now)")
    ]  # fmt: skip


def test_a_failure_and_a_wait_are_kept_through_a_restart() -> None:
    state, _ = take_in(LanState(), rounds(REFUSED), 500.0, NOW)
    text = json.loads(json.dumps(remember(state, NOW)))
    later = Moment(7.0, NOW.wall + 100, 0.5)
    again = recall(text, later)
    assert again.is_failing
    assert again.wait_until == 7.0 + 400
    assert recall(text, Moment(7.0, 0.0, 0.5)).wait_until == 7.0 + 500, "a clock that was never set shortens nothing"
    assert recall(None, later) == LanState(wait_until=7.0)


@given(st.dictionaries(st.sampled_from(["version", "wall", "wait", "is_failing"]),
                       st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)))  # fmt: skip
def test_a_state_file_of_any_content_is_survived(text: dict[str, object]) -> None:
    assert recall(text, NOW).wait_until <= NOW.now + 2 * 86_400
