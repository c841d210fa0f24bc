"""What the agent knows: of each name, of the questions that are out, and of the server and DNS.

Times are in seconds, `now` and `wall` as in `values.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.client.agent.values import Plan, RecordType
    from homing.client.agent.waits import Bucket
    from homing.core.addresses import Address


@frozen
class Held:
    """An address that the server is known to hold, and since when: by `wall` and by `now`."""

    address: Address
    at: float
    since: float


@frozen
class NameState:
    """One name."""

    name: str
    sends: Bucket
    held: Mapping[RecordType, Held] = field(default_factory=dict)
    maybe: Mapping[Address, float] = field(default_factory=dict)
    """What the server may hold, since a send has no answer yet, or never had; each with when it was last sent."""
    late: Mapping[Address, float] = field(default_factory=dict)
    """What a request holds that was given up, and until when it may still arrive."""
    given_up: int = 0
    """The number of the last send that was given up, if none was answered since."""
    before: tuple[Address, ...] = ()
    """What it was known to hold last."""
    lacks: Mapping[RecordType, float] = field(default_factory=dict)
    """The types of which the server said that it has no record for the name, and until when that is believed."""
    unsaid: tuple[RecordType, ...] = ()
    """The types of which it said nothing, beside the other: it may have no record of them."""
    is_doubtful: bool = True
    """Ask DNS before sending: it may be right already."""
    is_forced: bool = False
    is_alone: bool = False
    """It was refused together with others, and is sent by itself until it is known whose fault that was."""
    stopped: str | None = None
    """What the server said when it refused for good."""
    refusals: int = 0
    hold_until: float = 0.0
    check_at: float | None = None
    checks: int = 0
    """Looks at DNS since the last send that did not show it."""
    is_shown: bool = False
    """DNS showed what the server holds, once since the last send."""
    is_wrong: bool = False
    """DNS showed something else for longer than it may lag."""
    mismatches: int = 0


@frozen
class Flight:
    """A question that is out. Its answer is not waited for beyond `until`."""

    number: int
    until: float
    purpose: Literal["look", "doubt", "check", "send"]
    names: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    before: tuple[NameState, ...] = ()
    """What was known of the names before they were sent; true again if the server did nothing."""


@frozen
class Gate:
    """How long the server is left alone. `is_asked`: it said so itself, and nothing but time opens it."""

    failures: int = 0
    until: float = 0.0
    is_asked: bool = False


@frozen(kw_only=True)
class State:
    """All that the agent knows."""

    plan: Plan
    names: tuple[NameState, ...]
    looks: Bucket
    wanted: tuple[Address, ...] = ()
    look_at: float | None = None
    changed_at: float | None = None
    """When the network began to change, if it has not been looked at since."""
    look_failures: int = 0
    flaps: float = 0.0
    flapped_at: float = 0.0
    looking: Flight | None = None
    flight: Flight | None = None
    given_up: tuple[Flight, ...] = ()
    """Sends whose answer is not waited for any more."""
    gate: Gate = field(default_factory=Gate)
    dns_silences: int = 0
    """So many times in a row DNS has not answered."""
    dns_at: float = 0.0
    """Until then a resolver that did not answer is not asked again, and nothing waits for it."""
    is_limited: bool = False
    """It was written that a send waits for its limit."""
    is_failing: bool = False
    """The owner was told that something is wrong."""
    ping_at: float = 0.0
    timer: float | None = None
    last_number: int = 0
    saved: object = None
    """What was last given to Save."""
    is_disk_failing: bool = False
