"""The HTTP server of one machine: plain and TLS listeners around one application, in the loop that is running.

uvicorn parses and writes, `http_connection` sets its deadlines, `http_endpoint` speaks to the application. This file
starts and stops them. Signals, and what the application is, belong to the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import uvicorn
from starlette.routing import Router

from homing.runtimes.http_connection import STOP_GRACE, ConnectionMixin, Parser, find_connection_class
from homing.runtimes.http_endpoint import Application, Endpoint
from homing.runtimes.http_limits import ConnectionCount, HttpLimits
from homing.runtimes.http_listener import Admission, BoundAddress, Listener, bind_all

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from homing.core.addresses import Address
    from homing.runtimes.tls import Certificate

__all__ = ["Application", "BoundAddress", "HttpLimits", "HttpServer"]

_log = logging.getLogger("homing.http")

_CERTIFICATE_INTERVAL = 2.0


class HttpServer:
    """Serves `application` at every (host, port) of `plain` and `tls` between `start` and `stop`.

    `certificate` is needed as soon as `tls` names an address. `parser` is "auto" outside of tests.
    """

    def __init__(
        self,
        application: Application,
        *,
        plain: Sequence[tuple[str, int]] = (),
        tls: Sequence[tuple[str, int]] = (),
        certificate: Certificate | None = None,
        limits: HttpLimits | None = None,
        parser: Parser = "auto",
        certificate_interval: float = _CERTIFICATE_INTERVAL,
    ) -> None:
        if tls and certificate is None:
            raise ValueError("a TLS address needs a certificate")
        self._plain = plain
        self._tls = tls
        self._certificate = certificate
        self._certificate_interval = certificate_interval
        self._limits = limits or HttpLimits()
        self._endpoint = Endpoint(application, self._limits)
        self._server = _Uvicorn(self._configure())
        self._count = ConnectionCount(self._limits)
        self._class = find_connection_class(parser)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def addresses(self) -> tuple[BoundAddress, ...]:
        """Where it listens, plain ones first; known after `start`."""
        return tuple(listener.address for listener in self._server.listeners)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._count.total

    async def start(self) -> None:
        """Bind every address and begin to serve. Raises InvalidSettings, with nothing left open, if one cannot be."""
        self._listen()
        await self._server.startup()
        self._tasks.append(asyncio.create_task(self._server.main_loop()))
        if self._certificate is not None:
            self._tasks.append(asyncio.create_task(self._certificate.watch(self._certificate_interval)))
        for address in self.addresses:
            _log.info("listening on %s port %d%s", address.host, address.port, " (TLS)" if address.tls else "")

    async def stop(self) -> None:
        """Accept nothing more, answer what was accepted, for `stop_timeout` seconds at most. May be called twice."""
        self._endpoint.stopping = True
        tasks, self._tasks = self._tasks, []
        if tasks:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            listeners = self._server.listeners
            for listener in listeners:
                listener.close()
            await asyncio.gather(*(listener.drain(STOP_GRACE) for listener in listeners))
            await self._server.shutdown()
            await self._abort_rest()
        self._endpoint.close()

    async def _abort_rest(self) -> None:
        """Let go of clients that did not take their answer, and of those that never asked."""
        if cancelled := list(self._server.server_state.tasks):
            await asyncio.wait(cancelled, timeout=0.1)  # they send a 503
        for connection in list(self._server.server_state.connections):
            with contextlib.suppress(OSError):
                connection.transport.abort()

    def _listen(self) -> None:
        admission = Admission(self._limits, self._count, self._connection)
        addresses = [(*address, False) for address in self._plain] + [(*address, True) for address in self._tls]
        self._server.listeners = [
            Listener(sock, self._certificate if tls else None, admission) for sock, tls in bind_all(addresses)
        ]

    def _connection(self, peer: Address) -> ConnectionMixin:
        server = self._server
        return self._class(server.config, server.server_state, self._limits, peer, lambda: self._count.release(peer))

    def _configure(self) -> uvicorn.Config:
        limits = self._limits
        return uvicorn.Config(
            # No route: a redirect for a missing slash, or a 404 in other words than ours, would end some clients.
            Router(default=self._endpoint, redirect_slashes=False),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,  # it would hold queries; ours is in the endpoint
            proxy_headers=False,  # only protocols.http.client_address reads them
            server_header=False,
            h11_max_incomplete_event_size=limits.header_bytes,
            timeout_keep_alive=limits.idle_timeout,  # type: ignore[arg-type] # goes to call_later, which takes floats
            timeout_graceful_shutdown=limits.stop_timeout,  # type: ignore[arg-type] # goes to wait_for, likewise
        )


class _Uvicorn(uvicorn.Server):
    """uvicorn's server on listeners of ours, without its signal handlers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listeners: list[Listener] = []
        config.load()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Take over the listeners, which accept already."""
        self.lifespan = self.config.lifespan_class(self.config)
        self.servers = self.listeners  # type: ignore[assignment] # it calls close and wait_closed, nothing else
        self.started = True
        await self.on_tick(0)  # the first Date header
