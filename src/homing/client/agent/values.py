"""The agent's words: its plan, what happens to it (events), and what it wants done (actions).

Plain values, so that the step function can be driven by a simulation as well as by a real loop. Times are in seconds;
`now` is of a clock that never jumps and starts anywhere, `wall` is seconds since 1970 and may be wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.core.addresses import Address

RecordType: TypeAlias = Literal["A", "AAAA"]
Verdict: TypeAlias = Literal["updated", "unchanged", "refused", "try-later", "not-a-server", "no-answer"]
Occasion: TypeAlias = Literal["change", "failure", "recovery"]


@frozen(kw_only=True)
class Plan:
    """What the agent is to do, and how often it may. The same for every name."""

    names: tuple[str, ...]
    server: str = ""
    """Whatever tells one server from another; what is known of one says nothing about the next."""
    fingerprint: str = ""
    """Changes when the owner changes anything; a refusal that is final ends with it."""
    most_names: int = 1
    """So many names the protocol takes in one request."""
    sends_whole: bool = False
    """Send the addresses of both families even if one differs: some servers delete what is not mentioned."""
    interval: float = 300.0
    """Between two looks where nothing happens; also between two pings."""
    looks_are_free: bool = False
    """Looking asks the kernel only, not a server."""
    look_burst: float = 5.0
    look_seconds: float = 30.0
    """A look that asks a server: so many at once, then one every so many seconds."""
    send_burst: float = 5.0
    send_seconds: float = 60.0
    """Sends of one name, failed ones included: so many at once, then one every so many seconds."""
    checks_dns: bool = True
    recheck: float = 1800.0
    """Between two looks at DNS where nothing happens."""
    grace: float = 600.0
    """How long DNS may take to show what a server has acknowledged."""
    final_wait: float | None = None
    """Until a name that was refused for good is tried again; None is until the owner acts."""
    refresh: float | None = None
    """The age at which an address is sent again, for servers that forget hosts; None is never."""


@frozen
class Moment:
    """When a step happens. `chance` is a random number from 0 to 1."""

    now: float
    wall: float
    chance: float


# --- events


@frozen
class NetworkChanged:
    """The kernel told of an address, route or link."""


@frozen
class Due:
    """The timer went off."""


@frozen
class Woke:
    """The machine slept, or its clock was set."""


@frozen
class Forced:
    """The owner wants every name sent now (SIGUSR1)."""


@frozen
class Reloaded:
    """The settings were read again (SIGHUP)."""

    plan: Plan


@frozen
class Looked:
    """What a look brought: an address for each family that has one, and what went wrong."""

    number: int
    addresses: tuple[Address, ...]
    problems: tuple[str, ...] = ()
    is_free: bool = False
    """It took nothing but the kernel's tables."""


@frozen
class Answered:
    """What became of a send. `retry_after` is in seconds."""

    number: int
    verdict: Verdict
    text: str = ""
    retry_after: float | None = None
    is_final: bool = False
    is_shared: bool = False
    """A refusal is of the account, whatever names it was about."""
    names: Mapping[str, tuple[Verdict, str]] = field(default_factory=dict)
    """What was said of single names; the verdict is that of all others."""
    lacking: Mapping[str, tuple[RecordType, ...]] = field(default_factory=dict)
    """The types of which the server has no record for a name; nothing was done about them."""
    unsaid: Mapping[str, tuple[RecordType, ...]] = field(default_factory=dict)
    """The types of which the answer says nothing, while it says what it did about the other."""


@frozen
class Shown:
    """What DNS shows of a name; None where there was no answer, and empty where there is no such record."""

    number: int
    addresses: Mapping[RecordType, frozenset[Address] | None]


@frozen
class Saved:
    """What became of saving; None is well."""

    problem: str | None = None


Event: TypeAlias = NetworkChanged | Due | Woke | Forced | Reloaded | Looked | Answered | Shown | Saved


# --- actions


@frozen
class Look:
    """Find out this machine's addresses. Answered by Looked."""

    number: int


@frozen
class AskDns:
    """Ask what DNS shows. Answered by Shown."""

    number: int
    name: str
    record_types: tuple[RecordType, ...]
    seconds: float
    """For so long an answer is waited for, to all of them together."""


@frozen
class Send:
    """Send an update of these names, in one request. Answered by Answered."""

    number: int
    names: tuple[str, ...]
    addresses: tuple[Address, ...]


@frozen
class Abandon:
    """Nobody waits for the answer to this question any more: do not ask it if that can be helped, nor go on with it.

    What is asked next must not wait for it either.
    """

    number: int


@frozen
class SetTimer:
    """Send Due at this time, instead of at any that was set before; None is never."""

    at: float | None


@frozen
class Save:
    """Write this down before any later action is carried out. Answered by Saved."""

    memory: Mapping[str, object]


@frozen
class RunHook:
    """Tell the owner's program, and do not wait for it."""

    occasion: Occasion
    details: Mapping[str, str]


@frozen
class Ping:
    """Tell the owner's watchdog on the web, and do not wait for it."""

    is_well: bool


@frozen
class Log:
    """Write a line. `level` is logging's name for it."""

    level: Literal["debug", "info", "warning", "error"]
    text: str


Action: TypeAlias = Look | AskDns | Send | Abandon | SetTimer | Save | RunHook | Ping | Log
