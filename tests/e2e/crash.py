"""The crash test's machinery: clients that update, a server that is killed, and the checker of what must hold after.

Each client owns two hosts and sets both in one request, to an address that counts up. So what a host holds tells which
update it is. After every restart, for every client:

- the store holds an update that is no older than the last one acknowledged, and no newer than the last one sent
- its two hosts hold the same one: a request is all or nothing
- DNS shows what the store holds, and nothing that DNS has shown before is undone
- the zone's serial has not gone back (RFC 1982), and one serial never stood for two contents
"""

from __future__ import annotations

import http.client
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from homing.core.hosts import Host
from homing.core.names import Name
from homing.settings.one_machine import Settings
from homing.settings.zones import zone_settings
from homing.stores.sqlite import SqliteStore
from homing.wiring.one_machine import open_desk
from homing.wiring.system import SystemClock
from tests.e2e import crash_server
from tests.e2e.crash_clients import ZONE, Owner, count_of
from tests.e2e.programs import HOMING, Place, Server, clean_environment, start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CLIENTS = 8
FLAGS = ("--zone", ZONE, "--changes-per-minute", "0", "--response-rate", "0", "--log-level", "warning")
DEATH_SECONDS = 20.0


@dataclass
class Watch:
    """What DNS has shown so far: it may go on, never back."""

    serial: int | None = None
    seen: dict[str, int] = field(default_factory=dict)
    contents: dict[int, tuple[tuple[str, str | None], ...]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def saw_serial(self, serial: int) -> None:
        if self.serial is not None and (serial - self.serial) % 2**32 >= 2**31:
            self.violations.append(f"serial went back from {self.serial} to {serial}")
        self.serial = serial

    def saw_address(self, name: str, count: int) -> None:
        if count < self.seen.get(name, 0):
            self.violations.append(f"DNS of {name} went back from update {self.seen[name]} to {count}")
        self.seen[name] = max(count, self.seen.get(name, 0))

    def saw_content(self, serial: int, content: Mapping[str, str | None]) -> None:
        held = tuple(sorted(content.items()))
        if self.contents.setdefault(serial, held) != held:
            self.violations.append(f"serial {serial} stood for two contents")


@dataclass
class Campaign:
    """Crash after crash over one database."""

    folder: Path
    owners: Sequence[Owner]
    watch: Watch = field(default_factory=Watch)
    kills: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(20_261_121))

    @property
    def database(self) -> Path:
        return self.folder / "homing.db"

    @property
    def violations(self) -> list[str]:
        return self.watch.violations

    @property
    def acknowledgements(self) -> int:
        return sum(owner.acknowledgements for owner in self.owners)

    def crash(self, point: str | None, broken: str | None = None) -> None:
        """Start the server, check what the last crash left, let the clients update, and kill it."""
        armed = self.folder / "armed"
        armed.unlink(missing_ok=True)
        options = ["--broken", broken] if broken else []
        if point is not None:
            options += ["--at", f"{point}:{self.chance.randint(1, 150)}", "--armed", str(armed)]
        server = self.start(options)
        load = Load(server, self.owners, self.watch)
        try:
            self.check(server)
            armed.touch()
            load.begin()
            if point is None:
                time.sleep(self.chance.uniform(0.02, 0.3))
                server.process.kill()
            server.process.wait(DEATH_SECONDS)  # raises TimeoutExpired if the point is never passed
        finally:
            server.kill()
            load.end()
        assert server.process.returncode == -9, server.log.read_text()
        self.kills[point or "at random"] += 1

    def crash_while_starting(self) -> None:
        """Kill a server that is still recovering what the last crash left."""
        line = [*HOMING, "serve", "--database", str(self.database), *FLAGS, "--http-listen", "127.0.0.1:0",
                "--dns-listen", "127.0.0.1:0"]  # fmt: skip
        with (self.folder / "starting.log").open("wb") as log:
            process = subprocess.Popen(line, cwd=self.folder, env=clean_environment(self.folder), stderr=log)
        time.sleep(self.chance.uniform(0.1, 0.6))
        process.kill()
        process.wait()
        self.kills["while starting"] += 1

    def stop(self, broken: str) -> None:
        """Do the same, but end the server as an operator does."""
        server = self.start(["--broken", broken])
        load = Load(server, self.owners, self.watch)
        try:
            self.check(server)
            load.begin()
            time.sleep(0.3)
            assert server.stop() == 0, server.log.read_text()
        finally:
            server.kill()
            load.end()

    def start(self, options: Sequence[str] = ()) -> Server:
        command = (sys.executable, crash_server.__file__, *options) if options else None
        chosen = {"command": command} if command else {}
        return start(self.folder, *FLAGS, database=self.database, **chosen)  # type: ignore[arg-type]

    def finish(self) -> None:
        """Check what the last crash left, and that the server then ends as it should."""
        server = self.start()
        try:
            self.check(server)
            assert server.stop() == 0, server.log.read_text()
        finally:
            server.kill()

    def check(self, server: Server) -> None:
        """Note everything that does not hold after a restart."""
        stored, shown = read_store(self.database), read_dns(server, self.owners)
        if stored != shown:
            self.violations.append(f"DNS differs from the store: {set(stored.items()) ^ set(shown.items())}")
        for owner in self.owners:
            self._check_owner(owner, [count_of(stored[name]) for name in owner.names])
        for name, address in shown.items():
            self.watch.saw_address(name, count_of(address))
        serial = read_serial(server.dns[0])
        self.watch.saw_serial(serial)
        self.watch.saw_content(serial, shown)

    def _check_owner(self, owner: Owner, held: list[int]) -> None:
        if len(set(held)) > 1:
            self.violations.append(f"{owner.names}: a request was done by half: {held}")
        if min(held) < owner.acknowledged:
            self.violations.append(f"{owner.names}: update {owner.acknowledged} was acknowledged, {held} is stored")
        if max(held) > owner.sent:
            self.violations.append(f"{owner.names}: {held} is stored, but only {owner.sent} were sent")
        if owner.sent > owner.acknowledged:
            self.unknown["committed" if max(held) == owner.sent else "not committed"] += 1
        owner.acknowledged = max(owner.acknowledged, *held)
        self.violations.extend(f"{owner.names}: refused: {refusal}" for refusal in owner.refusals)
        owner.refusals.clear()


class Load:
    """Eight clients at once, and somebody who goes on asking DNS."""

    def __init__(self, server: Server, owners: Sequence[Owner], watch: Watch) -> None:
        self._http, self._dns, self._watch, self._owners = server.http[0], server.dns[0], watch, owners
        self._threads = [threading.Thread(target=self._update, args=(owner,)) for owner in owners]
        self._threads.append(threading.Thread(target=self._look))
        self._ended = threading.Event()

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            if thread.ident is not None:  # it has begun
                thread.join()

    def _update(self, owner: Owner) -> None:
        connection = http.client.HTTPConnection(self._http.host, self._http.port, timeout=10)
        try:
            while not self._ended.is_set():
                owner.update(connection)
        except (OSError, http.client.HTTPException):
            pass  # it was killed, or has said "no more": what it did last is not known
        finally:
            connection.close()

    def _look(self) -> None:
        names = [name for owner in self._owners for name in owner.names]
        turn = 0
        while not self._ended.is_set():
            turn += 1
            try:
                name = names[turn % len(names)]
                self._watch.saw_address(name, count_of(read_address(self._dns, name, timeout=0.2)))
                self._watch.saw_serial(read_serial(self._dns, timeout=0.2))
            except (OSError, dns.exception.DNSException):
                return
            time.sleep(0.005)


def begin(folder: Path) -> Campaign:
    """Make a database with two hosts for each client; half of them speak dyndns2, half sign."""
    settings = Settings(zones=(zone_settings(Name(ZONE)),), database=folder / "homing.db")
    desk = open_desk(settings)
    owners = []
    try:
        for number in range(CLIENTS):
            names = (f"a{number}.{ZONE}", f"b{number}.{ZONE}")
            group = [
                host
                for name in names
                for host in desk.administration.add_host(Name(name), ("A",), f"g{number}", allow_internal=True)
            ]
            login, secret = f"user{number}", group[0].shared_secret
            if number % 2 == 0:
                _, secret = desk.administration.add_account(login, [Name(name) for name in names])
            owners.append(Owner(names, login, secret, is_signed=number % 2 == 1))
    finally:
        desk.store.close()
    return Campaign(folder, owners)


def read_store(database: Path) -> dict[str, str | None]:
    """Return what the store holds. It is closed again, so that the next crash leaves a log that nobody has read."""
    store = SqliteStore(database, clock=SystemClock())
    try:
        return {str(row.hostname): row.ip_address for row in store.scan() if isinstance(row, Host)}
    finally:
        store.close()


def read_dns(server: Server, owners: Sequence[Owner]) -> dict[str, str | None]:
    return {name: read_address(server.dns[0], name) for owner in owners for name in owner.names}


def read_address(place: Place, name: str, timeout: float = 5.0) -> str | None:
    answer = dns.query.udp(dns.message.make_query(name, "A"), place.host, timeout, place.port)
    return next((str(rdata) for rrset in answer.answer for rdata in rrset), None)


def read_serial(place: Place, timeout: float = 5.0) -> int:
    answer = dns.query.udp(dns.message.make_query(ZONE, "SOA"), place.host, timeout, place.port)
    return int(next(rdata.serial for rrset in answer.answer for rdata in rrset))
