"""What became of a request: neutral words, which each protocol turns into its own with one table."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.core.hosts import Host, RecordType


class Outcome(Enum):
    """What became of a request or of one host in it. Each protocol has one table from these to its own words."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    NOT_AUTHENTICATED = "not authenticated"
    """Also for a host that does not exist, so that nobody learns which names do."""
    NO_SUCH_HOST = "no such host"
    """For a credential that is good, but not for this host."""
    LOCKED = "locked"
    ADDRESS_NOT_ALLOWED = "address not allowed"
    NO_READ_PRIVILEGE = "no read privilege"
    NOT_A_FQDN = "not a fully qualified domain name"
    TOO_MANY_HOSTS = "too many hosts"
    MALFORMED = "malformed"
    SKEWED = "clock skewed"
    """A signed request whose time is too far from the server's."""
    STALE = "stale"
    """A signed request that is not newer than the host's last change: a replay, or one that was overtaken."""
    PUBLISH_REJECTED = "rejected by DNS"
    UNAVAILABLE = "unavailable"
    """Nothing was done; try again."""

    @property
    def is_success(self) -> bool:
        """Whether the host now is as the client asked."""
        return self is Outcome.UNCHANGED or self is Outcome.UPDATED


@frozen
class RRsetOutcome:
    """What became of one family of a hostname."""

    record_type: RecordType
    outcome: Outcome
    address: str | None = None
    """What it is set to now; None where it was withdrawn or nothing was done."""


@frozen
class HostOutcome:
    """What became of one hostname that a request named."""

    hostname: str
    """Canonical, or as the client wrote it if that is no hostname."""
    outcome: Outcome
    rrsets: tuple[RRsetOutcome, ...] = ()
    """Empty where it did not come to deciding single families."""


@frozen
class Answer:
    """What a protocol renders. `who` and `culprit` are for the log, never for the client."""

    outcome: Outcome
    hosts: tuple[HostOutcome, ...] = ()
    """In the order of the request."""
    who: str | None = None
    culprit: str | None = None
    note: str | None = None
    """What an operator should know of a success; for the log."""
    retry_after: int | None = None
    """Seconds."""
    server_time: int = 0
    """Milliseconds since 1970."""
    signed_at: int | None = None
    """Milliseconds since 1970: the newest change of the hosts asked for; told where a signed request was too old."""
    group: tuple[Host, ...] = ()
    """The hosts of a group, where that was asked."""


def merge(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the one outcome of several that are all or nothing: the first refusal, else UPDATED if any changed."""
    for outcome in outcomes:
        if not outcome.is_success:
            return outcome
    return Outcome.UPDATED if Outcome.UPDATED in outcomes else Outcome.UNCHANGED
