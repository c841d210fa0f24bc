"""The heart: a host, a wish and the time -> what changes, or why not.

Every protocol brings its request here as an `UpdateRequest`, and takes a neutral `Outcome` back. A request is all or
nothing: if one of its hosts refuses, none changes. Nothing here reads a clock or a store: `app/service.py` loads the
rows, asks `decide`, and commits what it says under the versions that it was decided on.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING, TypeAlias

from homing.core.addresses import (
    can_be_assigned,
    complete,
    interface_identifier_of,
    is_global,
    parse_address,
    parse_interface_identifier,
)
from homing.core.credentials import Proof, SignedRequest
from homing.core.outcomes import Outcome
from homing.core.records import RRset
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv6Network

    from homing.core.addresses import Address, Network
    from homing.core.hosts import Host, RecordType
    from homing.core.names import Name


# --- what a client wishes for one RRset


@frozen
class SetAddress:
    """Make it this address. `is_named` if the client of the hash API named it, which the host must then allow."""

    address: Address
    is_named: bool = False


@frozen
class SetPrefix:
    """Keep the interface identifier and move to this prefix (RFC 4291 section 2.5.1)."""

    prefix: IPv6Network


@frozen
class Withdraw:
    """Take the RRset out of DNS, where the host allows it; otherwise it is as if only `instead` had been asked."""

    instead: SetAddress | SetPrefix | None


Wish: TypeAlias = SetAddress | SetPrefix | Withdraw


@frozen
class HostUpdate:
    """What a request asks for one hostname. A type that is not named keeps its RRset."""

    hostname: Name | None
    """None if the text is no hostname: told only to whoever has proved something."""
    text: str
    """The hostname as the client wrote it."""
    wishes: Mapping[RecordType, Wish]


@frozen
class UpdateRequest:
    """One update, whichever protocol brought it."""

    proof: Proof
    updates: tuple[HostUpdate, ...]
    source: Address
    """Where the request came from."""
    identity: Name | None = None
    """The host as whose owner the client speaks, where that is not an account: whose secret the proof rests on."""
    ttl: int | None = None
    """Seconds, where the protocol carries one."""
    creates: bool = False
    """A valid ddupdate token makes its host when it is not there yet."""
    refusal: Outcome | None = None
    """What is wrong with the request itself, where that is told only to whoever has proved something."""
    complaint: str | None = None
    """The same in words, for the log."""


# --- the decision


@frozen
class Policy:
    """What the operator set for all hosts. Times are in seconds."""

    default_ttl: int = 60
    min_ttl: int = 30
    max_ttl: int = 86_400
    public_networks: tuple[Network, ...] = ()
    """Networks that count as global besides those that IANA says are, such as an overlay network's."""
    note_interval: int = 86_400
    """A poll that changes nothing is written down at most so often."""
    tokens_create_hosts: bool = True
    """Whether a valid ddupdate token makes its host when it is not there yet."""
    reserved_names: tuple[Name, ...] = ()
    """Names that are needed for something else, and that no token can make a host."""


@frozen
class Circumstances:
    """What a decision rests on besides the host and the wish."""

    now: float
    """Seconds since 1970."""
    source: Address
    policy: Policy
    signed_at: int | None = None
    """Milliseconds since 1970, if the request is signed."""
    ttl: int | None = None


@frozen
class Decision:
    """What to answer for one RRset, and the host as it is to be committed: None if nothing is to be written."""

    host: Host
    outcome: Outcome
    after: Host | None = None


def decide(host: Host, wish: Wish, given: Circumstances) -> Decision:
    """Decide one RRset. The caller has authenticated the client and knows that it may update this host."""
    if host.is_removed:
        return Decision(host, Outcome.NO_SUCH_HOST)
    if host.lock_record:
        return Decision(host, Outcome.LOCKED)
    if isinstance(wish, Withdraw) and not host.allow_offline:
        if wish.instead is None:
            return keep(host, given)
        wish = wish.instead
    if isinstance(wish, SetPrefix):
        identifier = _interface_identifier(host, wish.prefix)
        if identifier is None:  # nobody knows which machine is meant; the prefix itself is no host's address
            return keep(host, given)
        wish = SetAddress(complete(wish.prefix, identifier))
    address = wish.address if isinstance(wish, SetAddress) else None
    if address is not None and not _is_allowed(host, wish, address, given.policy):
        return Decision(host, Outcome.ADDRESS_NOT_ALLOWED)
    ttl = clamp_ttl(given.ttl, given.policy) if given.ttl is not None else host.ttl
    desired = None if address is None else RRset(_effective_ttl(ttl, given.policy), (str(address),))
    if desired == host.desired:
        return keep(host, given)
    if given.signed_at is not None and given.signed_at <= host.signed_at:
        return Decision(host, Outcome.STALE)
    return Decision(host, Outcome.UPDATED, _changed(host, desired, ttl, given))


def keep(host: Host, given: Circumstances) -> Decision:
    """Decide for an RRset that is to stay as it is. A quarantined one is never "unchanged": DNS does not show it."""
    if host.rejected is not None:
        return Decision(host, Outcome.PUBLISH_REJECTED)
    return Decision(host, Outcome.UNCHANGED, _noted(host, given))


def clamp_ttl(ttl: int, policy: Policy) -> int:
    """Return a TTL, in seconds, within what the operator allows."""
    return max(policy.min_ttl, min(policy.max_ttl, ttl))


def _interface_identifier(host: Host, prefix: IPv6Network) -> int | None:
    """Return the configured one, else that of the address it has."""
    if host.interface_identifier is not None:
        return parse_interface_identifier(host.interface_identifier)
    if host.desired is not None:
        address = parse_address(host.desired.rdata[0])
        if isinstance(address, IPv6Address):
            return interface_identifier_of(address, prefix.prefixlen)
    return None


def _is_allowed(host: Host, wish: Wish, address: Address, policy: Policy) -> bool:
    if not can_be_assigned(address):
        return False
    if host.allow_internal:
        return True
    is_named = isinstance(wish, SetAddress) and wish.is_named
    return not is_named and is_global(address, policy.public_networks)


def _effective_ttl(ttl: int | None, policy: Policy) -> int:
    return policy.default_ttl if ttl is None else ttl


def _changed(host: Host, desired: RRset | None, ttl: int | None, given: Circumstances) -> Host:
    """A signed change sets `signed_at` to its own time and pins the host; any other raises it to the server's."""
    is_signed = given.signed_at is not None
    return host.next(
        desired=desired,
        rejected=None,
        ttl=ttl,
        signed_at=given.signed_at if given.signed_at is not None else max(host.signed_at, int(given.now * 1000)),
        signed_only=host.signed_only or is_signed,
        last_accessed=str(given.source),
        last_checked=int(given.now),
        last_updated=int(given.now),
    )


def _noted(host: Host, given: Circumstances) -> Host | None:
    """Return the host with the poll written down, or None if that can wait.

    A signed poll of a clock that is ahead is always written down: it could be sent again after another protocol's
    change, which is only as new as the server's clock.
    """
    signed_at = host.signed_at
    if given.signed_at is not None and given.signed_at > max(given.now * 1000, signed_at):
        signed_at = given.signed_at
    elif host.last_checked is not None and given.now - host.last_checked < given.policy.note_interval:
        return None
    return host.next(signed_at=signed_at, last_accessed=str(given.source), last_checked=int(given.now))


def circumstances(request: UpdateRequest, now: float, policy: Policy) -> Circumstances:
    """Collect what all decisions of one request rest on; `now` is in seconds since 1970."""
    signed_at = request.proof.signed_at if isinstance(request.proof, SignedRequest) else None
    return Circumstances(now, request.source, policy, signed_at, request.ttl)
