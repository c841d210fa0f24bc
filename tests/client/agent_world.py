"""A world for the agent: a server, DNS, a network, a disk and clocks, all of which fail as a seed says. No real time.

The world watches what the agent must never do: send more than its limits allow, send before the server's wait is over
or after it was refused for good, or send what it knows to be there already.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from homing.client.agent.answers import SILENT_CAP
from homing.client.agent.memory import recall
from homing.client.agent.step import step
from homing.client.agent.turn import Turn, pending
from homing.client.agent.values import (
    Abandon,
    Answered,
    AskDns,
    Due,
    Forced,
    Log,
    Look,
    Looked,
    Moment,
    NetworkChanged,
    Ping,
    Plan,
    Reloaded,
    RunHook,
    Save,
    Saved,
    Send,
    SetTimer,
    Shown,
    Woke,
)
from homing.core.addresses import record_type_of
from homing.core.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.client.agent.known import State
    from homing.client.agent.values import Action, Event, Verdict
    from homing.core.addresses import Address

REAL_TIME = 1_800_000_000.0
POOL_4 = tuple(ip_address(f"203.0.113.{n}") for n in range(1, 5))
POOL_6 = tuple(ip_address(f"2001:db8:{n}::7") for n in range(1, 5))
STRANGERS = {"A": ip_address("198.51.100.99"), "AAAA": ip_address("2001:db8:99::99")}
"""What somebody else sets a name to; never ours, which would be right by chance."""
HOUR = 3600.0


class World:
    """Everything around the agent. `run_until` lets time pass."""

    def __init__(self, seed: int, plan: Plan, *, knows_changes: bool = True) -> None:
        self.random = random.Random(seed)
        self.plan = plan
        self.knows_changes = knows_changes
        """The kernel tells of a change; else it happens behind a router."""
        self.time = 0.0
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        # the machine
        self.addresses: tuple[Address, ...] = (POOL_4[0], POOL_6[0])
        self.has_network = True
        self.boot = 0
        self.booted_at = 0.0
        self.clock_error = 0.0
        self.disk: str | None = None
        self.disk_when_sent: str | None = None
        self.is_disk_full = False
        self.state: State | None = None
        self.timer: tuple[float, int] | None = None
        # the server and DNS
        self.held: dict[tuple[str, str], Address] = {}
        self.dns: dict[tuple[str, str], Address] = {}
        self.lag = 0.5
        self.fault: str | None = None
        """What the server does: down, deaf (a request is lost), mute (an answer is), slow (a request takes its time,
        and may arrive after the next), busy, portal, refuses, final."""
        self.foreign: set[str] = set()
        """Names that are somebody else's: a request with one of them is refused as a whole."""
        self.has_tables = False
        """The kernel's tables tell the addresses, though in other places a server would have to be asked."""
        self.is_protected = False
        """A request that is older than another of the same name is refused, as a signed one is."""
        self.newest: dict[str, tuple[int, int]] = {}
        self.abandoned = 0
        self.takes_lists = True
        self.tells_apart = False
        """The server sets what it can of a list, and says so name by name."""
        self.retry_after: float | None = None
        """What a busy server asks for; None is something else each time."""
        self.is_dns_down = False
        self.dns_silent_at = -HOUR
        """When DNS last did not answer: the agent need not ask it before what it sends for a while."""
        # what was seen
        self.requests: list[tuple[float, tuple[str, ...], tuple[Address, ...]]] = []
        self.sends: list[tuple[float, str, tuple[Address, ...]]] = []
        """The same, for each name."""
        self.questions: list[tuple[float, str]] = []
        """What DNS was asked."""
        self.told: list[str] = []
        self.pings: list[tuple[float, bool]] = []
        self.logs: list[str] = []
        self.wrongs: list[str] = []
        self.steps = 0
        self.no_send_before = 0.0
        self.final: dict[str, bool] = {}
        self.excuses = 0
        """Restarts that a full disk made forgetful: each may begin with full buckets again."""
        self.acknowledged: dict[tuple[str, str], Address] = {}
        """What the agent was told that the server holds, since it last had reason to doubt it."""
        self.dns_right_since: dict[tuple[str, str], float] = {}
        self.unclear: dict[tuple[str, Address], float] = {}
        """When an address was last sent without a clear answer: from then on DNS may be about to change."""

    # --- time

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (when, next(self.order), what))

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        self.at(self.time + seconds, what)

    def run_until(self, end: float) -> None:
        while self.queue and self.queue[0][0] <= end:
            when, _, what = heapq.heappop(self.queue)
            self.time = when
            what()
        self.time = end

    @property
    def moment(self) -> Moment:
        now = 1000.0 + self.time - self.booted_at
        return Moment(now, REAL_TIME + self.time + self.clock_error, self.random.random())

    # --- the machine

    def start(self) -> None:
        """Boot: only what is on the disk is known, and the clock that never jumps begins anew."""
        self.boot += 1
        self.booted_at = self.time
        memory: Any = json.loads(self.disk) if self.disk is not None else None
        self.state = recall(self.plan, memory, self.moment)
        self.event(Due())

    def reboot(self) -> None:
        has_saved = self.state is None or not self.state.is_disk_failing
        self.state = None
        self.boot += 1  # answers on their way are lost
        if self.is_disk_full or not has_saved:
            self.excuses += 1
            self.acknowledged.clear()
            self.final.clear()
            self.no_send_before = 0.0
        self.later(20.0, self.start)

    def event(self, event: Event) -> None:
        if self.state is None:
            return
        self.steps += 1
        assert self.steps < 200_000, "the agent does not come to rest"
        self.state, actions = step(self.state, self.moment, event)
        for action in actions:
            self.act(action)

    def reply(self, seconds: float, event: Event) -> None:
        boot = self.boot
        self.later(seconds, lambda: self.event(event) if boot == self.boot else None)

    def act(self, action: Action) -> None:
        match action:
            case Look(number):
                found = self.addresses if self.has_network else ()
                problems = () if found else ("no network",)
                is_free = self.plan.looks_are_free or self.has_tables
                self.reply(0.001 if is_free else 0.1, Looked(number, found, problems, is_free))
            case AskDns(number, name, kinds, seconds):
                shown = None if self.is_dns_down or not self.has_network else self.shown
                answers = {kind: None if shown is None else shown(name, kind) for kind in kinds}
                self.reply(seconds if shown is None else 0.02, Shown(number, answers))
                self.questions.append((self.time, name))
                if shown is None:
                    self.dns_silent_at = self.time + seconds
            case Send(number, names, addresses):
                self.receive(number, names, addresses)
            case Abandon():
                self.abandoned += 1
            case Save(memory):
                if self.is_disk_full:
                    self.reply(0.0, Saved("no space left"))
                else:
                    self.disk = json.dumps(memory)
                    self.reply(0.0, Saved())
            case SetTimer(at):
                self.set_timer(at)
            case RunHook(occasion, _):
                self.told.append(occasion)
            case Ping(is_well):
                self.pings.append((self.time, is_well))
            case Log(_, text):
                self.logs.append(f"{self.time:.1f} {text}")

    def set_timer(self, at: float | None) -> None:
        token = (self.time, next(self.order))
        self.timer = None if at is None else token
        if at is not None:
            boot = self.boot
            due = max(self.time, at - 1000.0 + self.booted_at) + 1e-6  # real timers are late as well
            self.at(due, lambda: self.event(Due()) if self.timer == token and boot == self.boot else None)

    # --- the server

    def shown(self, name: str, kind: str) -> frozenset[Address]:
        address = self.dns.get((name, kind))
        return frozenset() if address is None else frozenset({address})

    def receive(self, number: int, names: tuple[str, ...], addresses: tuple[Address, ...]) -> None:
        for name in names:
            self.check_send(name, addresses)
            self.sends.append((self.time, name, addresses))
        self.disk_when_sent = self.disk
        self.requests.append((self.time, names, addresses))
        self.check_company(names, addresses)
        delay = self.random.uniform(0.01, 0.3)
        fault = self.fault if self.has_network else "down"
        if fault is None:
            self.serve(number, names, addresses, delay)
            return
        for name in names:
            self.doubt(name, addresses)
        if fault == "down":
            self.reply(delay, Answered(number, "no-answer", "connection refused"))
        elif fault == "mute":
            for name in names:
                self.hold(name, addresses)
        elif fault == "slow":
            self.arrive_late(number, names, addresses)
        elif fault == "busy":
            wait = self.retry_after or self.random.choice((None, 5.0, 120.0, 1800.0))
            self.no_send_before = max(self.no_send_before, self.time + delay + (wait or 30.0))
            self.reply(delay, Answered(number, "try-later", "911", wait))
        elif fault == "portal":
            self.reply(delay, Answered(number, "not-a-server", "a web page"))
        elif fault == "refuses":
            self.reply(delay, Answered(number, "refused", "locked", None, is_final=False))
        elif fault == "final":
            self.final |= dict.fromkeys(names, True)
            self.reply(delay, Answered(number, "refused", "badauth", None, is_final=True, is_shared=True))

    def arrive_late(self, number: int, names: tuple[str, ...], addresses: tuple[Address, ...]) -> None:
        """Have a request arrive when it will, after a later one even; the agent may be told, if it still listens."""
        delay = self.random.uniform(0.01, self.random.choice((1.0, 10.0, 100.0)))
        age = (self.boot, number)

        def arrive() -> None:
            for name in names:
                if self.is_protected and self.newest.get(name, age) > age:
                    continue
                self.newest[name] = age
                for one in addresses:
                    if self.acknowledged.get((name, record_type_of(one))) != one:
                        self.acknowledged.pop((name, record_type_of(one)), None)
                    self.unclear[name, one] = self.time
                self.hold(name, addresses)
            if self.random.random() < 0.5:
                self.reply(0.01, Answered(number, "updated"))

        self.later(delay, arrive)

    def serve(self, number: int, names: tuple[str, ...], addresses: tuple[Address, ...], delay: float) -> None:
        """Do what a server does that is well: set what may be set, or nothing where one name may not."""
        good = [name for name in names if name not in self.foreign]
        if len(names) > 1 and not self.takes_lists:
            good = []
        if len(good) < len(names) and not (self.tells_apart and good):
            if len(names) == 1:
                self.final[names[0]] = True
            self.reply(delay, Answered(number, "refused", "nohost", None, is_final=True))
            return
        told: dict[str, tuple[Verdict, str]] = {}
        for name in names:
            if name in self.foreign:
                self.final[name] = True
                told[name] = ("refused", "nohost")
                continue
            is_same = all(self.held.get((name, record_type_of(one))) == one for one in addresses)
            told[name] = ("unchanged" if is_same else "updated", "")
            self.hold(name, addresses)
            self.newest[name] = (self.boot, number)
            self.acknowledged |= {(name, record_type_of(one)): one for one in addresses}
            self.forget_if_rebooted(name, addresses, delay)
        worst: Verdict = "refused" if len(good) < len(names) else "updated"
        self.reply(delay, Answered(number, worst, is_final=worst == "refused", names=told))

    def forget_if_rebooted(self, name: str, addresses: tuple[Address, ...], delay: float) -> None:
        """An answer that a reboot swallows was never heard."""
        boot = self.boot
        self.later(delay, lambda: self.doubt(name, addresses) if boot != self.boot else None)

    def doubt(self, name: str, addresses: tuple[Address, ...]) -> None:
        for one in addresses:
            self.acknowledged.pop((name, record_type_of(one)), None)
            if self.fault not in ("portal", "refuses", "final"):
                self.unclear[name, one] = self.time

    def hold(self, name: str, addresses: tuple[Address, ...]) -> None:
        for one in addresses:
            self.set_held(name, one)

    def set_held(self, name: str, address: Address) -> None:
        key = (name, record_type_of(address))
        self.held[key] = address

        def publish() -> None:
            if self.dns.get(key) != self.held[key]:
                self.dns[key] = self.held[key]
                self.dns_right_since[key] = self.time

        self.later(self.lag, publish)

    # --- what must never be

    def check_send(self, name: str, addresses: tuple[Address, ...]) -> None:
        assert self.state is not None
        one = next(one for one in self.state.names if one.name == name)
        shown = f"{self.time:.1f} {name} {[str(a) for a in addresses]}"
        if self.time < self.no_send_before:
            self.wrongs.append(f"{shown}: sent {self.no_send_before - self.time:.1f} s before the server allowed it")
        if self.final.get(name) and self.plan.final_wait is None:
            self.wrongs.append(f"{shown}: sent after it was refused for good")
        if one.is_forced:
            return
        known = [self.acknowledged.get((name, record_type_of(address))) == address for address in addresses]
        if all(known) and all(self.held.get((name, record_type_of(a))) == a for a in addresses):
            self.wrongs.append(f"{shown}: sent what was acknowledged")
        may_ask = not self.is_dns_down and self.has_network and self.time > self.dns_silent_at + 1.1 * SILENT_CAP
        if may_ask and all(self.is_plain(name, one) for one in addresses):
            self.wrongs.append(f"{shown}: sent what DNS shows")

    def check_company(self, names: tuple[str, ...], addresses: tuple[Address, ...]) -> None:
        """No name is left behind that could have gone in the same request."""
        assert self.state is not None
        if any(one.is_alone or one.refusals for one in self.state.names if one.name in names):
            return
        turn = Turn(self.state, self.moment)
        for one in self.state.names[: self.plan.most_names]:
            is_free = not (one.is_alone or one.refusals or one.name in names) and turn.may_send_at(one) <= turn.now
            is_clear = one.is_forced or not one.is_doubtful or not self.plan.checks_dns
            if is_free and is_clear and pending(self.state, one, self.moment) == addresses:
                self.wrongs.append(f"{self.time:.1f} {one.name} could have gone with {names}")

    def is_plain(self, name: str, address: Address) -> bool:
        """Tell whether DNS shows it, and has for so long that nobody can doubt it."""
        key = (name, record_type_of(address))
        others = [at for (one, other), at in self.unclear.items() if one == name and other != address]
        if any(self.time - at < self.plan.grace for at in others):
            return False
        since = self.dns_right_since.get(key, self.time)
        return self.dns.get(key) == self.held.get(key) == address and self.time - since > self.plan.grace + 400

    def check_rate(self) -> None:
        """No window of time holds more sends of a name than the bucket allows."""
        for name in self.plan.names:
            times = [time for time, sent, _ in self.sends if sent == name]
            burst = self.plan.send_burst * (1 + self.excuses)
            for first, start in enumerate(times):
                for last in range(first, len(times)):
                    allowed = burst + (times[last] - start) / self.plan.send_seconds + 1e-6
                    if last - first + 1 > allowed:
                        self.wrongs.append(f"{last - first + 1} sends of {name} in {times[last] - start:.1f} s")
                        return

    # --- faults

    def change_address(self, addresses: tuple[Address, ...]) -> None:
        self.addresses = addresses
        if self.knows_changes:
            self.event(NetworkChanged())

    def set_network(self, has_network: bool) -> None:
        self.has_network = has_network
        self.event(NetworkChanged())

    def event_network(self) -> None:
        self.event(NetworkChanged())

    def force(self) -> None:
        self.final.clear()
        self.event(Forced())

    def reload(self) -> None:
        self.final.clear()
        self.plan = replace(self.plan, fingerprint=self.plan.fingerprint + "+")
        self.event(Reloaded(self.plan))

    def set_clock(self, error: float) -> None:
        self.clock_error = error
        self.event(Woke())

    def calm(self) -> None:
        """End whatever is wrong; the owner looks after what the server has refused."""
        self.fault, self.is_dns_down, self.lag, self.is_disk_full = None, False, 0.5, False
        self.foreign = set()
        self.set_clock(0.0)
        self.set_network(has_network=True)
        is_stopped = self.state is not None and any(one.stopped for one in self.state.names)  # as the owner was told
        if any(self.final.values()) or is_stopped:
            self.reload()

    def meddle(self) -> None:
        """Somebody else changes the name."""
        name, kind = self.random.choice(sorted(self.held) or [("", "")])
        if name:
            self.acknowledged.pop((name, kind), None)
            self.set_held(name, STRANGERS[kind])


def make_trouble(world: World, until: float) -> None:
    """Fill the time until then with faults, and end them all."""
    chance = world.random
    for _ in range(int(chance.random() * 12)):
        fault = chance.choice(("down", "deaf", "mute", "slow", "slow", "busy", "portal", "refuses", "final"))
        _spell(world, until, lambda value: setattr(world, "fault", value), fault, None)
    if len(world.plan.names) > 1:
        stranger = chance.choice(world.plan.names)
        _spell(world, until, lambda value: setattr(world, "foreign", value), {stranger}, set())
        world.tells_apart = chance.random() < 0.3
        world.takes_lists = chance.random() < 0.8
    for _ in range(chance.randrange(4)):
        _spell(world, until, lambda value: setattr(world, "is_dns_down", value), True, False)
        _spell(world, until, lambda value: setattr(world, "lag", value), chance.uniform(1, 300), 0.5)
        _spell(world, until, world.set_network, False, True)
    for _ in range(chance.randrange(3)):
        _spell(world, until, lambda value: setattr(world, "is_disk_full", value), True, False)
    for _ in range(chance.randrange(12)):
        addresses = (chance.choice(POOL_4), chance.choice(POOL_6))[: chance.choice((1, 2, 2, 2, 2))]
        _at(world, chance.uniform(0, until), world.change_address, addresses)
    if chance.random() < 0.3:
        _take_turns(world, until)
    for _ in range(chance.randrange(6)):
        _change_while_sending(world, chance.uniform(0, until))
    for what in (world.reboot, world.force, world.reload, world.meddle):
        for _ in range(chance.choice((0, 0, 1, 3))):
            world.at(chance.uniform(0, until), what)
    for _ in range(chance.choice((0, 0, 1, 4))):
        error = chance.choice((-REAL_TIME, -86_400.0, 0.0, -10.0))
        _at(world, chance.uniform(0, until), world.set_clock, error)
    world.at(until + 30, world.calm)


def _at(world: World, when: float, what: Callable[[Any], None], value: Any) -> None:
    world.at(when, lambda: what(value))


def _spell(world: World, until: float, set_: Callable[[Any], None], value: Any, normal: Any) -> None:
    """Have something be wrong for a while."""
    start = world.random.uniform(0, until)
    _at(world, start, set_, value)
    _at(world, min(start + world.random.expovariate(1 / 600), until), set_, normal)


def _change_while_sending(world: World, when: float) -> None:
    """Have the address change again and again while requests take their time."""
    chance = world.random
    _at(world, when, lambda value: setattr(world, "fault", value), chance.choice(("slow", "slow", "mute", "deaf")))
    for _ in range(chance.randrange(2, 5)):
        _at(world, when, world.change_address, (chance.choice(POOL_4), chance.choice(POOL_6)))
        when += chance.uniform(0.15, chance.choice((1.0, 10.0)))
    _at(world, when, lambda value: setattr(world, "fault", value), None)


def _take_turns(world: World, until: float) -> None:
    """Have two uplinks that take turns."""
    start, gap = world.random.uniform(0, until), world.random.uniform(0.05, 20)
    for n in range(60):
        _at(world, min(start + n * gap, until), world.change_address, (POOL_4[n % 2], POOL_6[n % 2]))
