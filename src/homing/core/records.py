"""DNS data as values: RRsets (RFC 9499 section 5), their keys, and a change from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from homing.core.values import frozen

if TYPE_CHECKING:
    from homing.core.names import Name


class RRsetKey(NamedTuple):
    """What identifies an RRset inside a zone: owner name and type mnemonic (`A`, `AAAA`, `TXT` ...)."""

    name: Name
    type: str


@frozen
class RRset:
    """The TTL, in seconds, and the RDATA in presentation format (RFC 1035 section 5.1), in a canonical order."""

    ttl: int
    rdata: tuple[str, ...]


@frozen
class RRsetChange:
    """Make the RRset at `key` be `after`, provided that it still is `before`; None means that there is none."""

    key: RRsetKey
    before: RRset | None
    after: RRset | None
