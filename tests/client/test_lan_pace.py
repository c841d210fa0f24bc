"""When the next round of `homing lan --watch` is due."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from homing.client.lan.looking import SETTLE
from homing.client.lan.pace import AGAIN, IMPATIENT, PATIENCE, QUIET, Pace, changed, first_pace, forced, made
from homing.client.update import Row

GOOD = (Row("a.b.", "A", "192.0.2.1", "updated"), Row("c.b.", "A", None, "skipped"))
BAD = (Row("a.b.", "A", None, "try later"),)
REFUSED = (Row("a.b.", "A", None, "refused"),)


def settled(now: float = 100.0) -> Pace:
    return made(first_pace(now), now, GOOD, 300, 0.5)


def test_a_round_is_due_at_once_and_then_each_interval() -> None:
    assert first_pace(100.0).next_at == 100.0
    assert settled().next_at == 400.0
    assert made(first_pace(100.0), 100.0, GOOD, 300, 0.0).next_at == 370.0


def test_a_wait_of_before_a_restart_is_kept_whatever_the_owner_wants() -> None:
    pace = forced(first_pace(100.0, 50.0), 110.0)
    assert (pace.next_at, changed(pace, 120.0).next_at) == (150.0, 150.0)
    assert forced(settled(), 150.0).next_at == 150.0


def test_a_change_is_followed_as_soon_as_the_link_has_been_quiet() -> None:
    pace = changed(settled(), 150.0)
    assert (pace.next_at, pace.patience) == (150.0 + QUIET, PATIENCE)
    pace = changed(pace, 150.2)
    assert pace.next_at == 150.2 + QUIET
    for at in range(1, 48):
        pace = changed(pace, 150.2 + at / 10)
    assert pace.next_at == 150.0 + IMPATIENT


def test_after_a_change_who_was_not_found_is_looked_for_again_soon() -> None:
    pace = changed(settled(), 150.0)
    waits = []
    for _ in range(len(AGAIN) + 1):
        now = pace.next_at
        pace = made(pace, now, GOOD, 300, 0.5, is_waiting=True)
        waits.append(pace.next_at - now)
    assert waits == [*AGAIN, 300.0]
    assert pace.patience == SETTLE


def test_changes_without_end_do_not_make_rounds_without_end() -> None:
    pace, rounds, now = first_pace(0.0), 0, 0.0
    while now < 600:
        if pace.next_at <= now:
            pace = made(pace, now, GOOD, 300, 0.5)
            rounds += 1
        pace = changed(pace, now)
        now += 0.25
    assert 10 < rounds < 30


def test_failures_are_waited_out_longer_and_longer_and_a_success_ends_that() -> None:
    pace, waits = settled(), []
    for _ in range(4):
        now = pace.next_at
        pace = made(pace, now, BAD, 300, 1.0)
        waits.append(pace.next_at - now)
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    assert made(pace, pace.next_at, GOOD, 300, 0.5).failures == 0
    assert made(settled(), 100.0, REFUSED, 300, 0.5).next_at >= 100.0 + 150


def test_what_the_server_asks_for_is_kept_whatever_happens_on_the_link() -> None:
    pace = made(settled(), 100.0, BAD, 300, 0.0, retry_after=900)
    assert pace.next_at >= 1000.0
    assert changed(changed(pace, 101.0), 102.0).next_at >= 1000.0
    assert made(settled(), 100.0, GOOD, 300, 0.0, retry_after=900).next_at >= 1000.0


@given(st.lists(st.tuples(st.sampled_from(["change", "good", "bad", "refused"]), st.floats(0, 500)), max_size=30))
def test_the_next_round_is_never_before_it_may_be_nor_never(events: list[tuple[str, float]]) -> None:
    pace, now = first_pace(0.0), 0.0
    for kind, wait in events:
        now += wait
        if kind == "change":
            pace = changed(pace, now)
        else:
            pace = made(pace, now, {"good": GOOD, "bad": BAD, "refused": REFUSED}[kind], 300, 0.5, is_waiting=True)
        assert pace.not_before <= pace.next_at <= now + 86_400


def waits_of(*rows: Row) -> list[float]:
    pace, waits = first_pace(0.0), []
    for _ in range(12):
        now = pace.next_at
        pace = made(pace, now, rows, 300, 1.0)
        waits.append(pace.next_at - now)
    return waits


def test_what_was_right_already_says_nothing_of_the_server() -> None:
    right = Row("c.b.", "A", "192.0.2.1", "unchanged")
    assert waits_of(right, *BAD) == waits_of(*BAD)
    assert waits_of(right)[0] == waits_of(Row("c.b.", "A", "192.0.2.1", "updated"), *BAD)[0] == 330.0


def test_a_refusal_is_asked_about_less_and_less_and_the_others_are_looked_after_each_hour() -> None:
    alone, among = waits_of(*REFUSED), waits_of(Row("c.b.", "A", "192.0.2.1", "unchanged"), *REFUSED)
    assert alone == sorted(alone)
    assert alone[-1] == 86_400
    assert among == [min(wait, 3600) for wait in alone]
