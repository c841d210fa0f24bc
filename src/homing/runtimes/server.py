"""One machine: HTTP, HTTPS and DNS in one event loop, around one store.

`serve` runs until it is told to stop. What it accepted before that is finished: first HTTP, whose answers need the
store, then DNS, then the store itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.core.errors import HomingError, InvalidSettings
from homing.core.response_rate import RatePolicy
from homing.runtimes.dns_server import DnsServer
from homing.runtimes.http_server import HttpLimits, HttpServer
from homing.runtimes.tls import Certificate
from homing.wiring import OneMachine, open_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from homing.settings import Settings

FOLLOW_INTERVAL = 0.1
"""Seconds between two looks for what another process, such as the command line, has committed."""
DRAIN_INTERVAL = 5.0
DAY = 86_400.0

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
        for interval, work in _upkeep(machine):
            task = asyncio.create_task(_repeat(interval, work))
            stack.push_async_callback(_cancel, task)
        yield Running(machine, http, dns)


async def serve(settings: Settings, started: Callable[[Running], None]) -> None:
    """Run until SIGINT or SIGTERM, telling `started` once everything listens."""
    async with running(settings) as server:
        _spare_the_collector()
        started(server)
        await until_told()
        log.info("stopping")


def _spare_the_collector() -> None:
    """Take what was loaded, the zones above all, out of the cycle collector's sight, which would walk it at every turn.

    A request leaves hardly any cycles, so that looking for them less often costs nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def until_told() -> None:
    """Wait for SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


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


def _upkeep(machine: OneMachine) -> tuple[tuple[float, Callable[[], object]], ...]:
    return (
        (FOLLOW_INTERVAL, machine.publisher.follow_if_moved),
        (DRAIN_INTERVAL, machine.outbox.drain),
        (DAY, machine.administration.purge_marks),
        (DAY, lambda: deque(machine.outbox.reconcile(repair=True), maxlen=0)),
    )


async def _repeat(interval: float, work: Callable[[], object]) -> None:
    """Do the work every `interval` seconds, in a thread; what fails is logged once until it works again."""
    failing = False
    while True:
        await asyncio.sleep(interval)
        try:
            await asyncio.to_thread(work)
        except HomingError as error:
            if not failing:
                log.error("%s: %s", getattr(work, "__name__", "upkeep"), error)
            failing = True
        else:
            failing = False


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
