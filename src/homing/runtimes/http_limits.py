"""What one HTTP client may take: sizes, times and connections. Values and counting only; no sockets, no parsing.

The numbers are defaults for a machine on the open Internet. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homing.core.addresses import Address

_SIGNED_PATH = "/v1/"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Every limit of the HTTP server. The defaults leave all known update clients far from each of them."""

    header_bytes: int = 16 * 1024
    """The request line and all header fields together."""
    body_bytes: int = 8 * 1024
    signed_body_bytes: int = 64 * 1024
    """The body where the path begins with /v1/, also behind a stage such as /prod."""
    header_timeout: float = 5.0
    """From the connection, or from the first byte of a later request, to the end of the header block."""
    body_timeout: float = 10.0
    """From the end of the header block to the end of the body."""
    idle_timeout: float = 10.0
    """How long a kept-alive connection may be silent between two requests."""
    write_timeout: float = 30.0
    """How long a client may leave an answer unread (TCP_USER_TIMEOUT, where the system has it)."""
    linger_timeout: float = 1.0
    """How long a refused connection is still read, so that the refusal is not lost to a TCP reset."""
    connections: int = 1000
    """Open connections in all; the next one is closed at once."""
    connections_per_source: int = 256
    """Open connections of one IPv4 address or one IPv6 /56."""
    workers: int = 64
    """Threads for what takes long: imported passwords, and lists of hosts."""
    backlog: int = 256
    """Requests that may wait for such a thread; the next one hears 503."""
    stop_timeout: float = 10.0
    """How long `stop` waits for what it has accepted."""

    def body_limit(self, path: str) -> int:
        """Return the longest body that `path` takes."""
        if path.startswith(_SIGNED_PATH) or path.find(_SIGNED_PATH, 1) == path.find("/", 1) != -1:
            return self.signed_body_bytes
        return self.body_bytes


class ConnectionCount:
    """Open connections, in all and by source. One source is an IPv4 address or an IPv6 /56, what one customer gets."""

    __slots__ = ("_by_source", "_limits", "total")

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._by_source: dict[int, int] = {}
        self.total = 0

    def admit(self, address: Address) -> bool:
        """Count one more connection from `address`, or return False when that would be too many."""
        source = _source_of(address)
        count = self._by_source.get(source, 0)
        if self.total >= self._limits.connections or count >= self._limits.connections_per_source:
            return False
        self._by_source[source] = count + 1
        self.total += 1
        return True

    def release(self, address: Address) -> None:
        """Count one connection less; each admitted one is released once."""
        source = _source_of(address)
        left = self._by_source[source] - 1
        self.total -= 1
        if left:
            self._by_source[source] = left
        else:
            del self._by_source[source]


def _source_of(address: Address) -> int:
    # The added 2**64 keeps the IPv6 prefixes apart from the IPv4 addresses.
    return int(address) if address.version == 4 else (int(address) >> 72) + (1 << 64)
