"""One machine: HTTP, HTTPS and DNS in one event loop, around one store.

`serve` runs until it is told to stop. What it accepted before that is finished: first HTTP, whose answers need the
store, then DNS, then the store itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.core.errors import HomingError, InvalidSettings
from homing.core.response_rate import RatePolicy
from homing.runtimes.access_log import log_crash
from homing.runtimes.dns_server import DnsServer
from homing.runtimes.http_server import HttpLimits, HttpServer
from homing.runtimes.tls import Certificate
from homing.wiring.one_machine import OneMachine, open_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from homing.app.publishing import Outbox
    from homing.settings.one_machine import Settings

FOLLOW_INTERVAL = 0.1
"""Seconds between two looks for what another process, such as the command line, has committed."""
DRAIN_INTERVAL = 5.0
MINUTE, DAY = 60.0, 86_400.0
DESCRIPTORS = 65_536

log = logging.getLogger("homing.server")


@dataclass(frozen=True)
class Running:
    """A server that has started: what it is made of, and where it listens."""

    machine: OneMachine
    http: HttpServer
    dns: DnsServer


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Start everything; stop it in order at the end. Raises InvalidSettings, StoreDamaged or StoreUnavailable."""
    certificate = Certificate(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
    async with AsyncExitStack() as stack:
        machine = await asyncio.to_thread(open_server, settings)
        stack.push_async_callback(asyncio.to_thread, machine.store.close)
        rate = RatePolicy(responses_per_second=settings.response_rate, exempt=settings.response_rate_exempt)
        dns = DnsServer(machine.publisher, settings.dns_listen, rate=rate)
        try:
            await dns.start()
        except OSError as error:
            raise InvalidSettings([f"dns_listen: {error.filename or ''} {error.strerror or error}"]) from None
        stack.push_async_callback(dns.stop)
        http = HttpServer(
            machine.application,
            plain=settings.http_listen,
            tls=settings.https_listen,
            certificate=certificate,
            limits=HttpLimits(
                connections_per_source=settings.http_connections_per_source, stop_timeout=settings.stop_timeout
            ),
        )
        await http.start()
        stack.push_async_callback(http.stop)
        stop = asyncio.Event()
        for job in _upkeep(machine):
            stack.push_async_callback(_end, stop, asyncio.create_task(_repeat(job, stop)))
        yield Running(machine, http, dns)


async def serve(settings: Settings, started: Callable[[Running], None]) -> None:
    """Run until SIGINT or SIGTERM, telling `started` once everything listens."""
    told = stop_signal()
    async with running(settings) as server:
        _raise_descriptor_limit()
        _spare_the_collector()
        started(server)
        await told.wait()
        log.info("stopping; DNS: %s", server.dns.counters)


def _spare_the_collector() -> None:
    """Take what was loaded, the zones above all, out of the cycle collector's sight, which would walk it at every turn.

    A request leaves hardly any cycles, so that looking for them less often costs nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def stop_signal() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set from now on, instead of ending the process."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


def run(main: Coroutine[None, None, None]) -> None:
    """Run a coroutine on the fastest event loop that is installed."""
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        runner.run(main)


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done again and again, in a thread; times are in seconds."""

    name: str
    interval: float
    work: Callable[[], object]
    first: float | None = None
    """When it is done for the first time after the start, if that is not after one interval."""


def _upkeep(machine: OneMachine) -> tuple[Job, ...]:
    return (
        Job("follow", FOLLOW_INTERVAL, machine.publisher.follow_if_moved),
        Job("drain", DRAIN_INTERVAL, machine.outbox.drain),
        Job("purge", DAY, machine.administration.purge_marks, first=MINUTE),
        Job("reconcile", DAY, lambda: _reconcile(machine.outbox), first=MINUTE),
    )


def _reconcile(outbox: Outbox) -> None:
    if count := sum(1 for _ in outbox.reconcile(repair=True)):
        log.warning("reconcile: DNS showed %d hosts otherwise than the store; repaired or marked as rejected", count)


async def _repeat(job: Job, stop: asyncio.Event) -> None:
    """Do a job until `stop`; what fails is logged once until it works again, and never ends the job."""
    wait, failing = job.interval if job.first is None else job.first, False
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)
            return
        wait = job.interval
        try:
            await asyncio.to_thread(job.work)
        except HomingError as error:
            if not failing:
                log.error("%s: %s", job.name, error)
            failing = True
        except Exception as error:
            if not failing:
                log_crash(log, f"{job.name} failed", error)
            failing = True
        else:
            failing = False


async def _end(stop: asyncio.Event, task: asyncio.Task[None]) -> None:
    """Let a job finish what it is at: it may be reading the store, which is closed next."""
    stop.set()
    await task


def _raise_descriptor_limit() -> None:
    """Allow as many descriptors as the system lets us: each connection takes one, and so does the store."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
