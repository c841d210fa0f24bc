"""Every exception that Homing raises on purpose, but for what is control flow inside one file.

    HomingError
    ├── InvalidInput             what somebody gave us cannot be used; the text says what and why, and holds no secret
    │   ├── InvalidName          not a domain name, or not one that may be a host
    │   ├── InvalidAddress       not an IP address, prefix or interface identifier
    │   └── InvalidSettings      homing.toml, the environment or a flag; every problem at once
    ├── Refused                  an operator's command that cannot be carried out as the store stands
    ├── StoreError
    │   ├── Conflict             a row that the decision rested on has moved: load and decide again
    │   ├── StoreUnavailable     for now; nothing was acknowledged
    │   └── StoreDamaged         corrupt, foreign or newer than this program; never replaced by an empty one
    ├── PublishError
    │   ├── Throttled            DNS asks to go slower; try again after `retry_after` seconds
    │   ├── Unreachable          no answer: neither a success nor a failure; read back before deciding
    │   ├── Rejected             DNS will never take these changes as they are
    │   └── Drifted              DNS held something else than `before`; `held` tells what
    └── AwsError                 of `aws/errors.py`: a call to AWS was refused (ServiceError) or brought NoAnswer

The text of an exception is for operators. What a client hears comes from the protocols' tables of outcomes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.core.records import RRset, RRsetKey


class HomingError(Exception):
    """The root of the tree above."""


class InvalidInput(HomingError):
    """What somebody gave us cannot be used. The text is short and may be shown to whoever gave it."""


class InvalidName(InvalidInput):
    """Not a domain name (RFC 1035 section 2.3.1, RFC 5891), or not one that may be a host."""


class InvalidAddress(InvalidInput):
    """Not an IPv4 or IPv6 address, prefix or interface identifier."""


class InvalidSettings(InvalidInput):
    """The settings cannot be used; `problems` lists each with the place it came from."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Refused(HomingError):
    """An operator's command cannot be carried out as the store stands. The text says what to do instead."""


class StoreError(HomingError):
    """The store did not do what was asked, and nothing of it is half done."""


class Conflict(StoreError):
    """A row that the decision rested on has moved since it was read. Load and decide again."""


class StoreUnavailable(StoreError):
    """The store cannot answer now. Nothing was acknowledged; try again."""


class StoreDamaged(StoreError):
    """The store is corrupt, belongs to another program, or was written by a newer Homing."""


class PublishError(HomingError):
    """DNS does not show the changes, as far as is known."""


class Throttled(PublishError):
    """DNS asks to go slower. `retry_after` is in seconds."""

    def __init__(self, text: str, retry_after: float = 1.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Unreachable(PublishError):
    """No answer came: neither a success nor a failure. Read back, then decide."""


class Rejected(PublishError):
    """DNS refuses the batch for what it says, now and whenever it is sent again."""


class Drifted(PublishError):
    """DNS held something else than `before`, so nothing of the batch was applied. `held` is what it holds instead."""

    def __init__(self, held: Mapping[RRsetKey, RRset | None]) -> None:
        super().__init__("DNS holds something else: " + ", ".join(f"{key.name} {key.type}" for key in held))
        self.held = dict(held)
