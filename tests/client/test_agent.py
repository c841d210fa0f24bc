"""The agent's step, one behaviour at a time. What it does in a thousand bad days is in test_agent_schedules.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.client.agent.memory import recall, remember
from homing.client.agent.values import Due, Plan, Woke
from homing.core.values import replace
from tests.client.agent_world import HOUR, POOL_4, POOL_6, STRANGERS, World

if TYPE_CHECKING:
    from homing.core.addresses import Address

NAME = "cam.home.example"
PLAN = Plan(names=(NAME,), server="signed https://ddns.example.com", looks_are_free=True)
DYN = replace(PLAN, server="dyndns2 https://dyn.example", final_wait=None)


def start(plan: Plan = PLAN, **world: Any) -> World:
    made = World(1, plan)
    for name, value in world.items():
        setattr(made, name, value)
    made.start()
    return made


def settled(plan: Plan = PLAN) -> World:
    world = start(plan)
    world.run_until(30)
    assert len(world.sends) == 1
    return world


def sent(world: World) -> list[tuple[Address, ...]]:
    return [addresses for _, _, addresses in world.sends]


def test_a_new_agent_sends_both_families_at_once_and_sees_them_in_dns() -> None:
    world = start()
    world.run_until(2)
    assert sent(world) == [(POOL_4[0], POOL_6[0])]
    assert world.state is not None
    assert world.state.names[0].is_shown
    assert world.told == ["change"]
    assert [is_well for _, is_well in world.pings] == [True]


def test_a_change_is_sent_within_a_second() -> None:
    world = settled()
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(31)
    assert sent(world)[1:] == [(POOL_4[1],)]
    assert world.sends[-1][0] - 30 < 0.5


def test_a_server_that_deletes_what_is_not_mentioned_is_sent_the_whole() -> None:
    world = settled(replace(PLAN, sends_whole=True))
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(31)
    assert sent(world)[1:] == [(POOL_4[1], POOL_6[0])]


def test_a_family_that_goes_away_is_left_alone() -> None:
    world = settled()
    world.change_address((POOL_4[0],))
    world.run_until(2 * HOUR)
    assert len(world.sends) == 1
    assert world.held[NAME, "AAAA"] == POOL_6[0]


def test_what_dns_shows_already_is_not_sent_by_a_new_agent() -> None:
    world = World(1, PLAN)
    for address in world.addresses:
        world.set_held(NAME, address)
    world.run_until(1)
    world.start()
    world.run_until(HOUR)
    assert world.sends == []
    assert world.pings


def test_an_agent_that_starts_again_sends_nothing() -> None:
    world = settled()
    world.reboot()
    world.run_until(HOUR)
    assert len(world.sends) == 1


def test_a_saved_address_never_keeps_a_name_wrong() -> None:
    world = settled()
    world.set_held(NAME, STRANGERS["A"])
    world.reboot()
    world.run_until(2 * HOUR)
    assert world.held[NAME, "A"] == POOL_4[0]


def test_a_lost_answer_is_looked_for_in_dns_before_anything_is_sent_again() -> None:
    world = start(fault="mute")
    world.run_until(10)
    world.fault = None
    world.run_until(HOUR)
    assert len(world.sends) == 1
    assert world.state is not None
    assert world.state.names[0].is_shown


def test_a_flap_to_an_address_whose_answer_was_lost_and_back_ends_right() -> None:
    """DNS still shows the old address, but the server may have taken the other."""
    world = settled()
    world.lag = 200
    world.fault = "mute"
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(40)
    world.fault = None
    world.change_address((POOL_4[0], POOL_6[0]))
    world.run_until(150)
    assert world.held[NAME, "A"] == POOL_4[0]


def test_two_uplinks_that_take_turns_every_second_bring_few_sends() -> None:
    world = settled()
    for n in range(120):
        world.at(40 + n, lambda n=n: world.change_address((POOL_4[n % 2], POOL_6[0])))  # type: ignore[misc]
    world.run_until(160)
    assert len(world.sends) - 1 <= 6
    world.run_until(HOUR)
    assert world.held[NAME, "A"] == POOL_4[1]


def test_a_link_that_comes_and_goes_brings_no_send() -> None:
    world = settled()
    for n in range(40):
        world.at(40 + n, lambda n=n: world.set_network(n % 2 == 1))  # type: ignore[misc]
    world.run_until(HOUR)
    assert len(world.sends) == 1


def test_no_network_at_boot_is_waited_for() -> None:
    world = start(has_network=False)
    world.run_until(HOUR)
    assert world.sends == []
    world.set_network(has_network=True)
    world.run_until(HOUR + 2)
    assert len(world.sends) == 1


def test_the_first_network_that_comes_back_ends_the_wait_for_a_server_that_did_not_answer() -> None:
    world = start(fault="down")
    world.run_until(500)
    world.fault = None
    count = len(world.sends)
    world.event_network()
    world.run_until(500 + 61)
    assert len(world.sends) == count + 1


def test_a_server_that_asks_for_half_an_hour_gets_it_whatever_happens() -> None:
    world = start(fault="busy", retry_after=1800.0)
    world.run_until(10)
    world.fault = None
    world.force()
    world.change_address((POOL_4[2],))
    world.reboot()
    world.run_until(1800)
    assert len(world.sends) == 1
    world.run_until(2 * HOUR)
    assert world.held[NAME, "A"] == POOL_4[2]
    assert not world.wrongs


def test_a_wait_survives_a_restart_with_a_clock_that_was_never_set() -> None:
    world = start(fault="busy", retry_after=1800.0)
    world.run_until(10)
    world.fault = None
    world.clock_error = -1_799_999_000.0
    world.reboot()
    world.run_until(1700)
    assert len(world.sends) == 1


def test_after_a_final_refusal_nothing_is_sent_until_the_owner_acts() -> None:
    world = start(DYN, fault="final")
    world.run_until(HOUR)
    world.fault = None
    world.change_address((POOL_4[1],))
    world.reboot()
    world.run_until(30 * 24 * HOUR)
    assert len(world.sends) == 1
    assert world.told == ["failure"]
    world.reload()
    world.run_until(world.time + 10)
    assert world.held[NAME, "A"] == POOL_4[1]
    assert world.told[-1] == "recovery"


def test_a_first_refusal_is_one_line_of_the_log() -> None:
    world = start(DYN, fault="final")
    world.run_until(HOUR)
    lines = [line.split(" ", 1)[1] for line in world.logs if "refused" in line]
    assert lines == [f"{NAME}: refused: badauth; not before you have acted"]


def test_a_send_that_waits_for_its_limit_says_so_once() -> None:
    world = settled()
    for _ in range(7):
        world.time += 0.01
        world.force()
        world.run_until(world.time + 1)
    waits = [line for line in world.logs if "waiting" in line]
    count = len(world.sends)
    world.event(Due())
    world.run_until(world.time + 10)
    assert len(world.sends) == count < 8
    assert len([line for line in world.logs if "waiting" in line]) == len(waits) > 0
    assert waits[-1].endswith(" s: the limit of sends to this server")
    world.run_until(world.time + 60)
    assert len(world.sends) == count + 1


def test_other_protocols_try_a_refused_name_again_each_hour() -> None:
    world = start(replace(PLAN, final_wait=HOUR), fault="final")
    world.run_until(0.9 * HOUR)
    assert len(world.sends) == 1
    world.fault = None
    world.run_until(2 * HOUR)
    assert world.held[NAME, "A"] == POOL_4[0]


def test_a_captive_portal_is_no_success() -> None:
    world = start(fault="portal")
    world.run_until(HOUR)
    assert world.told == ["failure"]
    assert [is_well for _, is_well in world.pings] == [False]
    world.fault = None
    world.run_until(2 * HOUR)
    assert world.told == ["failure", "change", "recovery"]
    assert world.pings[-1][1]


def test_a_full_disk_is_told_once_and_stops_nothing() -> None:
    world = start(is_disk_full=True)
    world.run_until(2 * HOUR)
    assert world.held[NAME, "A"] == POOL_4[0]
    assert sum("cannot be saved" in line for line in world.logs) == 1
    assert world.disk is None
    world.is_disk_full = False
    world.run_until(3 * HOUR)
    assert world.disk is not None


def test_force_sends_what_the_server_holds_already() -> None:
    world = settled()
    world.force()
    world.run_until(31)
    assert len(world.sends) == 2


def test_a_name_that_somebody_else_changed_is_put_right() -> None:
    world = settled()
    world.run_until(HOUR)
    world.set_held(NAME, STRANGERS["A"])
    world.run_until(2 * HOUR)
    assert sent(world)[1:] == [(POOL_4[0],)]


def test_a_server_that_says_yes_and_does_nothing_is_asked_ever_more_rarely() -> None:
    world = start(lag=1e9)
    world.run_until(48 * HOUR)
    assert 3 <= len(world.sends) <= 8
    assert "failure" in world.told


def test_dns_that_does_not_answer_decides_nothing() -> None:
    world = start(is_dns_down=True)
    world.run_until(24 * HOUR)
    assert len(world.sends) == 1


def test_a_resolver_that_is_silent_at_a_start_is_waited_for_once_and_briefly() -> None:
    world = start(replace(PLAN, names=("a.home.example", "b.home.example")), is_dns_down=True)
    world.run_until(2.5)
    assert {name for _, name, _ in world.sends} == {"a.home.example", "b.home.example"}


def test_a_change_does_not_wait_for_a_resolver_that_is_silent() -> None:
    """Neither for a check that is out, nor, where an answer was lost, for a question that it would not answer."""
    world = start(is_dns_down=True)
    for at, address in ((4.0, POOL_4[1]), (60.0, POOL_4[2]), (60.9, POOL_4[3])):
        world.at(at, lambda address=address: world.change_address((address, POOL_6[0])))  # type: ignore[misc]
    world.at(59, lambda: setattr(world, "fault", "down"))
    world.at(60.5, lambda: setattr(world, "fault", None))
    world.run_until(70)
    changed = [time for time, _, _ in world.sends if time > 3]
    assert [round(time) for time in changed] == [4, 60, 61]
    assert all(time % 1 < 0.5 or time > 60.9 for time in changed)


def test_a_change_does_not_wait_for_a_question_about_what_was_before() -> None:
    world = settled()
    world.run_until(HOUR)
    world.is_dns_down = True
    world.event(Woke())
    world.run_until(HOUR + 0.5)  # DNS is being asked
    assert world.questions[-1][0] >= HOUR
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(HOUR + 1.5)
    assert sent(world)[1:] == [(POOL_4[1],)]


def test_a_resolver_that_is_silent_is_asked_ever_more_rarely_until_it_answers() -> None:
    """However many names are to be looked at."""
    names = tuple(f"n{number}.home.example" for number in range(8))
    world = start(replace(PLAN, names=names, most_names=8), is_dns_down=True)
    world.run_until(2 * HOUR)
    assert 20 <= len(world.questions) <= 40
    world.is_dns_down = False
    world.run_until(2 * HOUR + 400)
    assert world.state is not None
    assert all(one.is_shown for one in world.state.names)


def test_without_checks_dns_is_never_asked() -> None:
    world = start(replace(PLAN, checks_dns=False), is_dns_down=True)
    world.run_until(HOUR)
    assert len(world.sends) == 1
    assert all(is_well for _, is_well in world.pings)


def test_a_server_that_forgets_hosts_is_reminded() -> None:
    world = start(replace(PLAN, refresh=25 * 24 * HOUR, interval=6 * HOUR, recheck=6 * HOUR))
    world.run_until(60 * 24 * HOUR)
    assert len(world.sends) == 3


def test_pings_come_once_an_interval_and_no_more() -> None:
    world = settled()
    world.run_until(30 + 10 * PLAN.interval)
    assert 10 <= len(world.pings) <= 12


def test_an_agent_at_rest_takes_few_steps() -> None:
    world = settled()
    before = world.steps
    world.run_until(24 * HOUR)
    assert world.steps - before < 24 * 12 * 5


def test_sleep_is_followed_by_a_look_at_once() -> None:
    world = settled()
    world.addresses = (POOL_4[3], POOL_6[3])
    world.set_clock(3600.0)
    world.run_until(32)
    assert world.held[NAME, "A"] == POOL_4[3]


def test_names_of_new_settings_are_taken_up_and_others_dropped() -> None:
    world = settled()
    world.plan = replace(PLAN, names=("nas.home.example",))
    world.reload()
    world.run_until(60)
    assert world.held["nas.home.example", "A"] == POOL_4[0]
    world.change_address((POOL_4[1],))
    world.run_until(120)
    assert world.held[NAME, "A"] == POOL_4[0]


def test_another_server_is_sent_everything() -> None:
    world = settled()
    world.plan = replace(PLAN, server="signed https://other.example")
    world.dns.clear()
    world.reload()
    world.run_until(60)
    assert len(world.sends) == 2


@pytest.mark.parametrize("late", [True, False])
def test_an_answer_to_a_question_that_was_given_up_says_nothing(late: bool) -> None:
    from homing.client.agent.step import step
    from homing.client.agent.values import Answered, Looked, Shown

    world = settled()
    assert world.state is not None
    number = world.state.last_number if late else world.state.last_number + 99
    for event in (Answered(number, "refused", is_final=True), Looked(number, ()), Shown(number, {})):
        after, _ = step(world.state, world.moment, event)
        assert (after.names, after.wanted) == (world.state.names, world.state.wanted)


# --- memory


def test_what_is_remembered_is_recalled() -> None:
    world = settled()
    assert world.state is not None
    text = json.loads(json.dumps(remember(world.state, world.moment).text))
    again = recall(PLAN, text, world.moment)
    assert remember(again, world.moment).text == text
    assert again.names[0].held.keys() == {"A", "AAAA"}


def test_that_something_may_have_been_sent_is_saved_before_it_is_sent() -> None:
    """A power cut between the two must not make the agent believe what it held before."""
    world = settled()
    world.change_address((POOL_4[1], POOL_6[0]))
    world.run_until(31)
    assert len(world.sends) == 2
    assert world.disk_when_sent is not None
    (name,) = json.loads(world.disk_when_sent)["names"].values()
    assert str(POOL_4[1]) in [one["address"] for one in name["maybe"]]
    assert str(POOL_4[0]) not in [one["address"] for one in name["held"]]


def test_what_another_server_holds_is_forgotten() -> None:
    world = settled()
    assert world.state is not None
    text = remember(world.state, world.moment).text
    assert recall(replace(PLAN, server="other"), text, world.moment).names[0].held == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.just("203.0.113.7"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["address", "at", "age", "held", "maybe", "A", "x"]), inner, max_size=4
    ),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)  # the machine may be busy
@given(
    st.dictionaries(
        st.sampled_from(["wall", "wait", "failures", "fingerprint", "names"]),
        json_values
        | st.dictionaries(
            st.just(NAME),
            st.dictionaries(
                st.sampled_from(["held", "maybe", "before", "stopped", "refusals", "wait", "sends"]), json_values
            ),
        ),
    )
)
def test_a_state_file_of_any_content_is_survived(text: dict[str, object]) -> None:
    world = World(1, PLAN)
    state = recall(PLAN, {"version": 1, "server": PLAN.server, **text}, world.moment)
    assert state.gate.until <= world.moment.now + 2 * 86_400
    world.disk = json.dumps({"version": 1, "server": PLAN.server, **text})
    world.start()
    world.run_until(1)
    assert world.steps
