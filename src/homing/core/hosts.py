"""A host: one dynamic RRset, (hostname, record type), with the policy that its owner set and the state of its DNS.

    desired      what we promised; set by the commit of an update
    published    what DNS shows, as far as is known; set after it was published
    pending      the two differ

The attribute names in a store are those of the awslabs tables (`rows.py`), so that such a table works as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from homing.core.records import RRset, RRsetKey
from homing.core.values import field, frozen, replace

if TYPE_CHECKING:
    from homing.core.names import Name

RecordType = Literal["A", "AAAA"]
RECORD_TYPES: tuple[RecordType, ...] = ("A", "AAAA")

EXAMPLE_LABEL, EXAMPLE_COMMENT = "example-record", "example record"
"""Of the two rows that a new awslabs stack begins with. Those of ours are locked until somebody wants them."""

MARK_SECONDS = 30 * 86_400
"""How long a removed host leaves its mark: nobody may take its name with an old token meanwhile."""


@frozen(kw_only=True)
class Host:
    """One dynamic RRset. Immutable: `next` makes the version that a commit writes."""

    hostname: Name
    record_type: RecordType
    version: int = 0
    """Grows by one with each commit; 0 is a host that no store holds yet."""

    shared_secret: str = field(repr=False)
    """Proves its owner, and is the identity of its group: hosts with the same secret may list and set each other."""
    previous_secret: str | None = field(default=None, repr=False)
    previous_secret_until: int = 0
    """After a rotation the old secret goes on working until this time (seconds since 1970)."""

    group: str | None = None
    """What people call the group. The secret is what makes it one."""
    ttl: int | None = None
    """Seconds; None takes the default of the settings."""
    allow_internal: bool = False
    """May be set to an address that is not global, and by the hash API to another one than the requester's."""
    allow_offline: bool = False
    """dyndns2 `offline=YES` may withdraw the RRset."""
    lock_record: bool = False
    read_privilege: bool = False
    """May list its group, and be listed."""
    signed_only: bool = False
    """Refuses the replayable hash and the ddupdate token."""
    mac_address: str | None = None
    interface_identifier: str | None = None
    """The low half of its IPv6 addresses (RFC 4291 section 2.5.1), such as `::211:22ff:fe33:4455`."""
    comment: str = ""

    desired: RRset | None = None
    published: RRset | None = None
    rejected: str | None = None
    """Why DNS will not take `desired`; its client is told, and nothing is retried until the address changes."""
    signed_at: int = 0
    """Milliseconds since 1970: only a signed request newer than this may change the host."""
    last_accessed: str | None = None
    """The address that last read or changed it."""
    last_checked: int | None = None
    last_updated: int | None = None
    """Seconds since 1970."""
    removed_at: int | None = None
    """Seconds since 1970. A removed host keeps its row until DNS no longer shows it, and then as a mark."""
    other: tuple[tuple[str, Any], ...] = ()
    """Attributes that Homing does not know, kept as they are."""

    @property
    def key(self) -> RRsetKey:
        """What identifies its row and its RRset alike."""
        return RRsetKey(self.hostname, self.record_type)

    @property
    def pending(self) -> bool:
        """Whether DNS is still to be changed. A rejected host waits for its owner instead."""
        return self.desired != self.published and self.rejected is None

    @property
    def is_removed(self) -> bool:
        """Whether only its mark is left."""
        return self.removed_at is not None

    @property
    def is_untouched_example(self) -> bool:
        """Whether it is one of a new stack's example rows, of which nothing is promised."""
        is_example = self.hostname.startswith(f"{EXAMPLE_LABEL}.") and self.comment == EXAMPLE_COMMENT
        return is_example and self.lock_record and not (self.desired or self.published or self.last_updated)

    @property
    def ip_address(self) -> str | None:
        """The single address, as the awslabs tables show it."""
        return self.desired.rdata[0] if self.desired else None

    def secrets(self, now: int) -> tuple[str, ...]:
        """Return the secrets that prove its owner at `now` (seconds since 1970), the current one first."""
        if self.is_removed or not self.shared_secret:
            return ()
        if self.previous_secret and now < self.previous_secret_until:
            return (self.shared_secret, self.previous_secret)
        return (self.shared_secret,)

    def next(self, **changes: Any) -> Self:
        """Return the version of it that a commit is to write.

        What goes back to the address that DNS showed, while another is being published, stays pending: that other one
        may be in DNS already, and nobody told.
        """
        after = replace(self, version=self.version + 1, **changes)
        if self.pending and "published" not in changes and after.desired == self.published:
            return replace(after, published=self.desired)
        return after


def mark_of(host: Host, now: float) -> Host:
    """What stays of a removed host; what was signed before can never be sent again, whoever has the name then."""
    return host.next(
        removed_at=int(now),
        desired=None,
        shared_secret="",
        previous_secret=None,
        group=None,
        rejected=None,
        signed_at=max(host.signed_at, int(now * 1000)),
    )


def in_place_of(old: object, fresh: Host, *, shares: bool) -> Host:
    """A name that was removed is made anew over its mark, of which DNS may still show the old address."""
    if not isinstance(old, Host):
        return fresh.next()
    return replace(
        fresh,
        version=old.version + 1,
        published=old.published,
        signed_at=old.signed_at,
        signed_only=fresh.signed_only or (shares and old.signed_only),
    )
