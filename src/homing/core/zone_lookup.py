"""What a lookup in a zone can come to: a closed union of values. The rules that choose among them are in `zone.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from homing.core.values import frozen

if TYPE_CHECKING:
    from homing.core.names import Name
    from homing.core.records import RRset, RRsetKey


class OwnedRRset(NamedTuple):
    """An RRset with the name and type to answer under; the owner may have been synthesised from a wildcard."""

    key: RRsetKey
    rrset: RRset


Chain = tuple[OwnedRRset, ...]
"""The CNAMEs that were followed, in order, before the outcome that carries them."""


@frozen
class Answer:
    """The RRset asked for. `source` is the owner it has in the zone: a wildcard, where it was synthesised."""

    found: OwnedRRset
    source: Name
    chain: Chain = ()


@frozen
class Referral:
    """The name is below a zone cut: the delegation, and what addresses of its name servers are in this zone."""

    ns: OwnedRRset
    glue: tuple[OwnedRRset, ...]
    chain: Chain = ()


@frozen
class NoData:
    """The name exists, perhaps only because a name below it does, and has nothing of this type."""

    chain: Chain = ()


@frozen
class NxDomain:
    """Neither the name nor any below it exists (RFC 8020), and no wildcard covers it."""

    chain: Chain = ()


@frozen
class Alias:
    """CNAMEs lead out of the zone, around in a circle, or further than `MAX_CHAIN`: the chain is the answer."""

    chain: Chain


Lookup = Answer | Referral | NoData | NxDomain | Alias
