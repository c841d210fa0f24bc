"""A thousand schedules of faults: whatever happens, the agent ends with the right address, and is polite on the way."""

from __future__ import annotations

import pytest

from homing.client.agent.values import Plan
from homing.core.addresses import record_type_of
from tests.client.agent_world import HOUR, World, make_trouble

SEEDS = 1000
PARTS = 10
TROUBLE = 4 * HOUR
NAMES = ("cam.home.example", "nas.home.example", "tv.home.example", "door.home.example")


def plan_of(seed: int) -> Plan:
    """A third are behind a router and look by asking a server; some servers delete what is not mentioned."""
    return Plan(
        names=NAMES[: 1 + seed % 4],
        most_names=(1, 2, 45)[seed % 7 % 3],
        server="signed https://server.example",
        interval=600.0,
        looks_are_free=seed % 3 != 0,
        sends_whole=seed % 5 == 0,
        final_wait=HOUR if seed % 4 == 0 else None,
    )


def run(seed: int) -> World:
    plan = plan_of(seed)
    has_tables = seed % 6 == 0
    world = World(seed, plan, knows_changes=plan.looks_are_free or has_tables)
    world.has_tables, world.is_protected = has_tables, seed % 5 == 1
    world.start()
    make_trouble(world, TROUBLE)
    world.run_until(TROUBLE + 12 * HOUR)
    return world


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_the_agent_converges_within_its_limits_and_sends_nothing_needless(part: int) -> None:
    abandoned = 0
    for seed in range(part, SEEDS, PARTS):
        world = run(seed)
        abandoned += world.abandoned
        for name in world.plan.names:
            for address in world.addresses:
                held = world.held.get((name, record_type_of(address)))
                assert held == address, f"seed {seed}: the server holds {held}\n" + "\n".join(world.logs[-40:])
        world.check_rate()
        assert not world.wrongs, f"seed {seed}: {world.wrongs[:3]}\n" + "\n".join(world.logs[-60:])
        assert not [time for time, _, _ in world.sends if time > TROUBLE + 10 * HOUR], f"seed {seed}: no rest"
        assert world.state is not None
        assert not world.state.is_failing, f"seed {seed}: {world.logs[-10:]}"
        assert world.told.count("failure") - world.told.count("recovery") <= world.boot
        assert world.pings[-1][1], f"seed {seed}: no ping says that all is well"
    assert abandoned > SEEDS // PARTS, "hardly a question was given up"
