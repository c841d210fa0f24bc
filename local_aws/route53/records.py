"""Record sets and changes of them, as values. Checked when they are applied (batch.py), not when they are made."""

from __future__ import annotations

from dataclasses import dataclass

from local_aws.route53.names import sort_key

RECORD_TYPES = (
    "SOA",
    "A",
    "TXT",
    "NS",
    "CNAME",
    "MX",
    "NAPTR",
    "PTR",
    "SRV",
    "SPF",
    "AAAA",
    "CAA",
    "DS",
    "TLSA",
    "SSHFP",
    "SVCB",
    "HTTPS",
)
ACTIONS = ("CREATE", "DELETE", "UPSERT")

Key = tuple[str, str, str | None]
"""Name, type, set identifier."""


@dataclass(frozen=True, slots=True)
class Alias:
    """The target of an alias record set."""

    zone_id: str
    name: str
    evaluate_health: bool = False


@dataclass(frozen=True, slots=True)
class RecordSet:
    """One resource record set. Either `alias`, or `ttl` (seconds) and `values`, is set.

    `routing` holds what makes it more than a simple one, as pairs of element and text: `(("Weight", "10"),)`.
    """

    name: str
    type: str
    ttl: int | None = None
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    set_identifier: str | None = None
    routing: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> Key:
        """What there is at most one of in a zone."""
        return (self.name, self.type, self.set_identifier)

    @property
    def order(self) -> tuple[str, str, str]:
        """Its place in a listing."""
        return (sort_key(self.name), self.type, self.set_identifier or "")

    def matches(self, other: RecordSet) -> bool:
        """Whether a DELETE of `other` means this one: everything equal, the values in any order."""
        return (
            self.key == other.key
            and self.ttl == other.ttl
            and sorted(self.values) == sorted(other.values)
            and self.alias == other.alias
            and sorted(self.routing) == sorted(other.routing)
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a batch: CREATE, DELETE or UPSERT."""

    action: str
    record_set: RecordSet


def shown(key: Key) -> str:
    """A key as AWS writes it into messages."""
    name, rrtype, identifier = key
    tail = "" if identifier is None else f", set-identifier='{identifier}'"
    return f"[name='{name}', type='{rrtype}'{tail}]"
