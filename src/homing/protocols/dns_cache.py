"""Encoded responses, kept while what they rest on stands still. A hit is a dictionary lookup and a patched id.

In a zone that changes a thousand times a second, the answers about hosts that did not change are still hits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.protocols.dns_query import respond

if TYPE_CHECKING:
    from homing.protocols.dns_query import Reply, ZoneFinder


class AnswerCache:
    """At most `size` responses, found by the query's octets after the id, and by transport; for one thread.

    Only what is sure to be asked again the same way is kept: no errors, no names that do not exist, and no query with
    EDNS options, which differ from client to client. A full cache forgets what it took in first.
    """

    def __init__(self, zones: ZoneFinder, size: int = 4096) -> None:
        self._zones = zones
        self._size = size
        self._kept: dict[tuple[bytes, bool], Reply] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def respond(self, wire: bytes, *, udp: bool) -> Reply | None:
        """Return what `dns_query.respond` would, but for the id inside `Reply.wire`: use `patch`."""
        key = (wire[2:], udp)
        kept = self._kept.get(key)
        if kept is not None and _holds(kept):
            return kept
        reply = respond(wire, self._zones, udp=udp)
        if reply is not None and reply.reusable:
            self._keep(key, reply)
        return reply

    def _keep(self, key: tuple[bytes, bool], reply: Reply) -> None:
        if key not in self._kept and len(self._kept) >= self._size:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = reply


def _holds(kept: Reply) -> bool:
    zone, basis = kept.zone, kept.basis
    if zone is None:
        return False
    return zone.version == kept.version or (basis is not None and zone.get(basis.key) is basis.rrset)


def patch(response: bytes, wire: bytes) -> bytes:
    """Return the response with the id of the query."""
    return wire[:2] + response[2:]
