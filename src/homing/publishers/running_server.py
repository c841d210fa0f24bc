"""The embedded DNS server as another process sees it: by asking it. For `homing reconcile` beside a running server.

It can only read. The server follows the store by itself, so there is nothing to publish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from homing.core.errors import Unreachable
from homing.core.records import RRset

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from homing.core.names import Name
    from homing.core.records import RRsetChange, RRsetKey

_TIMEOUT = 2.0
_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listening everywhere includes here


class RunningServer:
    """Implements Publisher over the addresses that the server listens on."""

    follows_store = True

    def __init__(self, listen: Sequence[tuple[str, int]]) -> None:
        self._listen = listen

    def count_fitting(self, changes: Sequence[RRsetChange]) -> int:
        """Take all of them."""
        return len(changes)

    def publish(self, zone: Name, changes: Sequence[RRsetChange]) -> None:
        """Do nothing: what is committed is what the server will show."""

    def read(self, zone: Name, keys: Collection[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        """Ask the server for each key. Raises Unreachable."""
        return {key: self._ask(zone, key) for key in keys}

    def _ask(self, zone: Name, key: RRsetKey) -> RRset | None:
        query = dns.message.make_query(key.name, key.type)
        for host, port in self._listen:
            try:
                answer = dns.query.tcp(query, _UNSPECIFIED.get(host, host), timeout=_TIMEOUT, port=port)
            except (OSError, dns.exception.DNSException):
                continue
            if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                raise Unreachable(f"the server answers {dns.rcode.to_text(answer.rcode())} for {zone}")
            return _rrset_of(answer, key)
        raise Unreachable("no DNS server answers where dns_listen says; is `homing serve` running?")


def _rrset_of(answer: dns.message.Message, key: RRsetKey) -> RRset | None:
    for rrset in answer.answer:
        if rrset.rdtype == dns.rdatatype.from_text(key.type):
            return RRset(rrset.ttl, tuple(sorted(record.to_text() for record in rrset)))
    return None
