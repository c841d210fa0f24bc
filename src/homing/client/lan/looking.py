"""Looking around on a link: who is there now. Quiet machines are woken first, the likely places before all others.

An entry of a neighbour table counts as seen now if the kernel has just confirmed it, if it came up while we looked, or
if its machine answered our probe. An old one does not count: Linux keeps entries of machines that left long ago.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from homing.client.lan.neighbours import ANSWERED
from homing.client.lan.plan import hints, missing
from homing.client.lan.probes import Prober, search
from homing.client.lan.values import Scene
from homing.core.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from homing.client.lan.leases import Lease
    from homing.client.lan.neighbours import OwnLink, Reader, Reading, Sight
    from homing.client.lan.values import Aim, Member
    from homing.core.addresses import Address

Missing = tuple[tuple["Member", str], ...]

SETTLE = 1.5
"""Seconds to wait for the last answers: the kernel asks a second time after one."""
MOST = 20.0
"""Seconds that looking may take, whatever happens."""
_QUICK = 0.3
"""Seconds that the likely places are given before every address of the network is tried."""
_CONFIRM = 7.0
"""Seconds after which the kernel has confirmed an old entry by itself, or given it up (Linux: 5, and 3 attempts)."""
_AGAIN = 2.0
_TICK = 0.05
_CHUNK = 32
"""Addresses tried in one tick: some 640 a second."""
_MAX_UNRESOLVED = 256
"""Linux begins to throw entries of its table away at 512 (`gc_thresh2`)."""


def look_around(
    reader: Reader,
    members: Sequence[Member],
    leases: Sequence[Lease],
    aim: Aim,
    *,
    wakes: bool = True,
    patience: float = SETTLE,
    clock: Callable[[], float] = time.monotonic,
) -> Scene:
    """Return who is seen on the links; ends as soon as every machine of the group is. `patience` is in seconds.

    Raises InvalidInput for an interface that is not there, OSError where the tables cannot be read.
    """
    first = reader.read()
    old = {(one.link, one.address): one.mac for one in first.sights}
    scene = _scene(first, old, set(), leases)
    if not wakes or not missing(members, scene, aim):
        return scene
    with Prober() as prober:
        search_ = _Search(prober, aim, patience, clock)
        while True:
            reading = reader.read()
            scene = _scene(reading, old, prober.answered, leases)
            left = missing(members, scene, aim)
            if not left or not search_.goes_on(left, scene, reading):
                return scene
            prober.wait(_TICK)


def is_fresh(one: Sight, old: dict[tuple[str, Address], str]) -> bool:
    """Tell whether the kernel knows a sight for certain, or from this round. `old` held the table when it began."""
    return one.state == "reachable" or old.get((one.link, one.address)) != one.mac


def _scene(
    reading: Reading, old: dict[tuple[str, Address], str], answered: set[tuple[str, Address]], leases: Sequence[Lease]
) -> Scene:
    fresh: list[Sight] = []
    rest: list[Sight] = []
    for one in reading.sights:
        if (one.link, one.address) in answered:
            fresh.append(replace(one, state=ANSWERED))
        else:
            (fresh if is_fresh(one, old) else rest).append(one)
    return Scene(reading.links, (*fresh, *reading.own_sights), tuple(leases), tuple(rest))


class _Search:
    """What has been tried, and what is to be tried next."""

    def __init__(self, prober: Prober, aim: Aim, patience: float, clock: Callable[[], float]) -> None:
        self._prober = prober
        self._aim = aim
        self._patience = patience
        self._clock = clock
        self._begin = clock()
        self._tried: dict[tuple[str, Address], float] = {}
        self._sweep: Iterator[tuple[str, Address]] | None = None
        self._swept_at: float | None = None

    def goes_on(self, left: Missing, scene: Scene, reading: Reading) -> bool:
        """Try what is due; tell whether it is worth looking again."""
        now = self._clock()
        self._try_likely(now, left, scene, reading)
        if now - self._begin >= _QUICK:
            self._try_all(now, left, reading)
        if now - self._begin > MOST:
            return False
        return self._swept_at is None or now - self._swept_at < self._wait_for(left, reading)

    def _try_likely(self, now: float, left: Missing, scene: Scene, reading: Reading) -> None:
        places = dict.fromkeys([place for member, mac in left for place in hints(member, mac, scene, self._aim)])
        links = {link.name: link for link in reading.links}
        places |= dict.fromkeys([one for one in self._prober.heard if one[0] in links and links[one[0]].holds(one[1])])
        for place in places:
            if place not in self._prober.answered and now - self._tried.get(place, -_AGAIN) >= _AGAIN:
                self._tried[place] = now
                self._prober.ask(*place)

    def _try_all(self, now: float, left: Missing, reading: Reading) -> None:
        """Go through the network, a little with each call, no faster than the kernel's table can take."""
        if self._swept_at is not None:
            return
        if self._sweep is None:
            self._sweep = self._places(left, reading)
        if reading.unresolved > _MAX_UNRESOLVED:
            return
        for _ in range(_CHUNK):
            place = next(self._sweep, None)
            if place is None:
                self._swept_at = now
                return
            self._prober.touch(*place)

    def _places(self, left: Missing, reading: Reading) -> Iterator[tuple[str, Address]]:
        versions = {member.version for member, _ in left}
        for link in reading.links:
            if 6 in versions:
                self._prober.call_all(link)
            if 4 in versions:
                known = {one.address for one in reading.sights if one.link == link.name and one.state == "reachable"}
                yield from self._addresses(link, known)

    def _addresses(self, link: OwnLink, known: set[Address]) -> Iterator[tuple[str, Address]]:
        for address in search(link, known):
            if (link.name, address) not in self._tried:
                yield link.name, address

    def _wait_for(self, left: Missing, reading: Reading) -> float:
        """The kernel takes its time to confirm an old entry; that is worth waiting for, nothing else is."""
        macs = {mac for _, mac in left}
        is_being_confirmed = any(one.mac in macs and one.state in ("delay", "probe") for one in reading.sights)
        return _CONFIRM if is_being_confirmed else self._patience
