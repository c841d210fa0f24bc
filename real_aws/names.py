"""What one run calls its things, and which things are therefore its own. Pure.

Everything is named after the run, whose name no other thing in the account has: six random characters behind a fixed
prefix. What does not carry the whole name is somebody else's, whatever it looks like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "homing-e2e-"
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
PARENT = "example"
"""A top-level domain that is never delegated (RFC 2606 section 2): the zone is asked at its own name servers."""

_NAME = re.compile(rf"{PREFIX}[a-z0-9]{{6}}")


def new_name(random: bytes) -> str:
    """Make a run's name out of six random bytes."""
    if len(random) != 6:
        raise ValueError("a name takes six random bytes")
    return PREFIX + "".join(ALPHABET[one % len(ALPHABET)] for one in random)


@dataclass(frozen=True, slots=True)
class Run:
    """One run, and where it is. Raises ValueError for a name that `new_name` could not have made."""

    name: str
    account: str
    region: str
    profile: str | None = None
    parent: str = PARENT
    begun: int = 0
    """Seconds since 1970."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name[:40]!r} is no name of a run: {PREFIX} and six letters or digits")
        if not self.account or not self.region or not self.parent.strip("."):
            raise ValueError("a run has an account, a region and a parent zone")

    @property
    def zone(self) -> str:
        """The zone's name, without a final dot."""
        return f"{self.name}.{self.parent.strip('.')}"

    @property
    def table(self) -> str:
        """The table's name."""
        return f"{self.name}-config"

    @property
    def bucket(self) -> str:
        """The bucket for the package. The account's number makes it ours: names of buckets are the whole world's."""
        return f"{self.name}-{self.account}"

    @property
    def probe(self) -> str:
        """The function that tries what a role may do; it stands beside the stack."""
        return f"{self.name}-probe"

    @property
    def log_groups(self) -> str:
        """What the names of its log groups begin with."""
        return f"/aws/lambda/{self.name}-"

    def owns(self, name: str) -> bool:
        """Tell whether a stack, table, function, bucket or log group is this run's."""
        bare = name.removeprefix("/aws/lambda/")
        return bare == self.name or bare.startswith(self.name + "-")

    def owns_zone(self, name: str) -> bool:
        """Tell whether a hosted zone is this run's: by the whole name, for what lies below may be anybody's."""
        return name.removesuffix(".") == self.zone
