"""DNS on loopback that answers what the Route 53 fake holds at the moment of the question, over UDP and TCP.

    view = DnsView(fake.journal)
    dig @127.0.0.1 -p PORT host.home.test

It follows the fake's journal. What a dynamic zone cannot own is left out: aliases, routed sets, CNAMEs and
delegations. Answers come from the embedded server's own code.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from homing.core.names import Name, get_zone_of
from homing.core.records import RRset, RRsetKey
from homing.core.zone import SOA, Zone
from homing.core.zone_checks import NEVER_DYNAMIC
from homing.runtimes.dns_server import DnsServer
from local_aws.http_server import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.route53.journal import Entry, Journal

_START_SECONDS = 10.0


class DnsView:
    """Answers from the moment it is made until `close`, in a thread of its own."""

    def __init__(self, journal: Journal) -> None:
        self._zones = _Zones(journal)
        self._loop = asyncio.new_event_loop()
        self._server = DnsServer(self._zones, [(LOOPBACK, 0)])
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(_START_SECONDS)
        self.host, self.port = self._server.addresses[0]

    def ask(self, name: str, record_type: str = "A") -> list[str]:
        """Ask over UDP as any resolver would; return the records of the answer."""
        import dns.message
        import dns.query

        query = dns.message.make_query(name, record_type)
        answer = dns.query.udp(query, self.host, timeout=5, port=self.port)
        return [record.to_text() for rrset in answer.answer for record in rrset]

    def close(self) -> None:
        """Stop answering."""
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(_START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Zones:
    """The zones of the account; each look at them, or at one's version, brings all up to date first."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen = 0
        self._zones: dict[Name, Zone] = {}

    def get_zone_of(self, name: Name) -> Zone | None:
        self.follow()
        apex = get_zone_of(name, self._zones)
        return None if apex is None else self._zones[apex]

    def follow(self) -> None:
        if self._seen == len(self._journal.entries):
            return
        fresh = self._journal.entries[self._seen :]
        self._seen += len(fresh)
        apexes = {entry.zone_id: Name(entry.key[0]) for entry in self._journal.entries if entry.key[1] == "SOA"}
        for entry in fresh:
            self._take(entry, apexes.get(entry.zone_id))

    def _take(self, entry: Entry, apex: Name | None) -> None:
        name, record_type, identifier = entry.key
        if apex is None or identifier is not None:
            return
        if record_type == "NS" and name == apex and entry.after is not None:
            self._zones[apex] = _FollowingZone(apex, entry.after.values, self.follow)
        elif (zone := self._zones.get(apex)) and record_type not in NEVER_DYNAMIC:
            after = entry.after if entry.after and entry.after.values else None
            rrset = None if after is None else RRset(after.ttl or 0, tuple(sorted(after.values)))
            zone.apply([(RRsetKey(Name(name), record_type), rrset)], zone.serial + 1)


class _FollowingZone(Zone):
    """A zone that looks at the journal whenever somebody asks whether it has changed."""

    def __init__(self, apex: Name, servers: tuple[str, ...], follow: Callable[[], None]) -> None:
        soa = SOA(Name(servers[0]), Name("awsdns-hostmaster.amazon.com."), 7200, 900, 1209600, 86400, 900)
        super().__init__(apex, soa, {RRsetKey(apex, "NS"): RRset(172_800, servers)}, 1)
        self._follow = follow

    @property
    def version(self) -> int:
        self._follow()
        return super().version
