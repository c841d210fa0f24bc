"""Between the sockets and the protocol: cache, response rate, counters, and the promise that no packet raises."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.core.response_rate import ResponseRate, Verdict
from homing.protocols.dns_cache import AnswerCache, patch
from homing.protocols.dns_query import REFUSED, servfail, truncate

if TYPE_CHECKING:
    from homing.core.response_rate import RatePolicy
    from homing.protocols.dns_query import ZoneFinder

_log = logging.getLogger("homing.dns")

_LOG_AGAIN = 60.0
"""Seconds for which one kind of failure stays quiet after it was logged: a packet must not be able to fill a disk."""


@dataclass(slots=True)
class Counters:
    """What has happened since the start. Read them, do not write."""

    udp: int = 0
    tcp: int = 0
    refused: int = 0
    limited: int = 0
    ignored: int = 0
    failed: int = 0


class Responder:
    """Answers messages of one server. Only its event loop's thread calls it."""

    def __init__(self, zones: ZoneFinder, policy: RatePolicy) -> None:
        self._cache = AnswerCache(zones)
        self._rate = ResponseRate(policy)
        self._logged: dict[type[Exception], float] = {}
        self.counters = Counters()

    def respond_udp(self, wire: bytes, client: bytes, now: float) -> bytes | None:
        """Return the datagram to send to `client` (4 or 16 octets), or None. `now` is monotonic, in seconds."""
        self.counters.udp += 1
        try:
            return self._respond_udp(wire, client, now)
        except Exception as error:  # noqa: BLE001,RUF100 - one strange packet must not stop the answers to all others
            return self._fail(wire, error)

    def respond_tcp(self, wire: bytes) -> bytes | None:
        """Return the message to send back on the connection, or None. A connection proves the address: no limit."""
        self.counters.tcp += 1
        try:
            reply = self._cache.respond(wire, udp=False)
        except Exception as error:  # noqa: BLE001,RUF100 - as above
            return self._fail(wire, error)
        if reply is None:
            self.counters.ignored += 1
            return None
        self.counters.refused += reply.rcode == REFUSED
        return patch(reply.wire, wire)

    def _respond_udp(self, wire: bytes, client: bytes, now: float) -> bytes | None:
        reply = self._cache.respond(wire, udp=True)
        if reply is None:
            self.counters.ignored += 1
            return None
        self.counters.refused += reply.rcode == REFUSED
        verdict = self._rate.judge(client, reply.like, now)
        if verdict is Verdict.SEND:
            return patch(reply.wire, wire)
        self.counters.limited += 1
        return patch(truncate(reply), wire) if verdict is Verdict.TRUNCATE else None

    def _fail(self, wire: bytes, error: Exception) -> bytes | None:
        self.counters.failed += 1
        now = time.monotonic()
        if now - self._logged.get(type(error), -_LOG_AGAIN) >= _LOG_AGAIN:
            self._logged[type(error)] = now
            _log.error("could not answer a query", exc_info=error)
        return servfail(wire)
