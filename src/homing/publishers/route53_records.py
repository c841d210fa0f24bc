"""RRsets as Route 53 holds them, and as Homing knows them. Pure.

Route 53 keeps values as somebody typed them, and a DELETE must repeat them so; Homing compares them in canonical form.
What is no plain record set (an alias, or one with a routing policy) is shown as an RRset that no host can ever desire,
such as `RRset(0, ("ALIAS elb.example.",))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.aws.route53 import Change, ResourceRecordSet
from homing.core.addresses import parse_address, record_type_of
from homing.core.errors import InvalidAddress
from homing.core.records import RRset
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.core.records import RRsetChange, RRsetKey

MAX_ELEMENTS = 1_000
"""ResourceRecord elements in one batch; a DELETE and a CREATE count each for themselves."""
MAX_CHARACTERS = 32_000
"""Characters in all their values. Developer Guide, "Quotas": DNSLimitations.html."""

_ALIAS, _ROUTED = "ALIAS ", "ROUTED "


@frozen
class Held:
    """What Route 53 holds at one key: in canonical form, and word for word, as a DELETE has to name it."""

    rrset: RRset | None
    verbatim: RRset | None


NOTHING = Held(None, None)


@frozen
class Swap:
    """One change, with what a DELETE names as `verbatim`; `before` and `after` are canonical."""

    key: RRsetKey
    before: RRset | None
    after: RRset | None
    verbatim: RRset | None

    def to_changes(self) -> list[Change]:
        """Return the DELETE of the exact old and the CREATE of the new. Never an UPSERT, which asks for nothing."""
        changes = []
        if self.verbatim is not None:
            changes.append(Change("DELETE", to_record_set(self.key, self.verbatim)))
        if self.after is not None:
            changes.append(Change("CREATE", to_record_set(self.key, self.after)))
        return changes


def to_record_set(key: RRsetKey, rrset: RRset) -> ResourceRecordSet:
    """Return the plain record set that shows an RRset."""
    return ResourceRecordSet(key.name, key.type, rrset.ttl, rrset.rdata)


def from_record_set(record_set: ResourceRecordSet) -> Held:
    """Return what one record set, or one of several with a routing policy, means."""
    if record_set.routing is not None:
        return _other(_ROUTED + record_set.routing)
    if record_set.alias is not None:
        return _other(_ALIAS + record_set.alias)
    if record_set.ttl is None or not record_set.values:
        return _other(_ROUTED + "without TTL or values")
    verbatim = RRset(record_set.ttl, record_set.values)
    return Held(canonical(record_set.type, verbatim), verbatim)


def is_plain(rrset: RRset | None) -> bool:
    """Tell whether it is nothing, or a record set without alias and routing policy: one that Homing may replace."""
    return rrset is None or not rrset.rdata[0].startswith((_ALIAS, _ROUTED))


def canonical(type_: str, rrset: RRset | None) -> RRset | None:
    """Return the same RRset with addresses in canonical text (RFC 5952), in a fixed order."""
    if rrset is None:
        return None
    if len(rrset.rdata) == 1:
        return RRset(rrset.ttl, (_canonical_value(type_, rrset.rdata[0]),))
    return RRset(rrset.ttl, tuple(sorted(_canonical_value(type_, value) for value in rrset.rdata)))


def list_order(name: str) -> str:
    r"""Return what Route 53 sorts a listing by: the labels from the right, with a dot behind each.

    API reference, ListResourceRecordSets: "for example com.example.www. Note the trailing dot, which can change the
    sort order". Characters are compared as they are written there, `*` as `\052`.
    """
    return ".".join(reversed(as_written(name)[:-1].split("."))) + "."


def as_written(name: str) -> str:
    r"""Return a name as Route 53 writes it. `DomainNameFormat.html`: of what a `Name` may hold, only `*` is escaped."""
    return name.replace("*", r"\052")


def count_fitting(changes: Sequence[RRsetChange]) -> int:
    """Return how many of the changes, from the first on, one batch can hold."""
    elements = characters = 0
    for number, change in enumerate(changes):
        for rrset in (change.before, change.after):
            if rrset is not None:
                elements += len(rrset.rdata)
                characters += sum(map(len, rrset.rdata))
        if elements > MAX_ELEMENTS or characters > MAX_CHARACTERS:
            return number
    return len(changes)


def _other(text: str) -> Held:
    return Held(RRset(0, (text,)), None)


def _canonical_value(type_: str, value: str) -> str:
    if type_ not in ("A", "AAAA"):
        return value
    try:
        address = parse_address(value)
    except InvalidAddress:
        return value
    return str(address) if record_type_of(address) == type_ else value  # an IPv4-mapped one is an AAAA all the same
