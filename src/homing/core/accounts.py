"""Who may update besides a host itself: a dyndns2 account with several hosts, and the key of ddupdate tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self

from homing.core.errors import InvalidInput
from homing.core.values import field, frozen, replace

if TYPE_CHECKING:
    from homing.core.names import Name

_USERNAME = re.compile(r"[^\s:#\x00-\x1f\x7f][^:\x00-\x1f\x7f]{0,127}")


@frozen(kw_only=True)
class Account:
    """A user name and a password for HTTP Basic, and the hosts that they may update."""

    username: str
    version: int = 0
    password: str = field(repr=False)
    """As `credentials.hash_*` made it; the password itself is kept nowhere."""
    hostnames: tuple[Name, ...] = ()
    comment: str = ""

    def next(self, **changes: Any) -> Self:
        """Return the version of it that a commit is to write."""
        return replace(self, version=self.version + 1, **changes)


@frozen(kw_only=True)
class TokenKey:
    """The server's secret behind every ddupdate token. There is at most one."""

    version: int = 0
    secret: str = field(repr=False)


def parse_username(text: str) -> str:
    """Return a user name that HTTP Basic can carry: no colon, no control character. Raises InvalidInput."""
    if not _USERNAME.fullmatch(text):
        raise InvalidInput(f"{text[:40]!r} is no user name: 1 to 128 characters, no colon, not beginning with '#'")
    return text
