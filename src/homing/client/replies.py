"""What a server's answer means to a client, whatever protocol it speaks: the words that `update` and the agent share.

The values themselves are made by the protocols, and stand in `protocols/asking.py`.
"""

from __future__ import annotations

from homing.protocols.asking import HostReply, Kind, Reply, find_worst, merge

__all__ = ["HostReply", "Kind", "Reply", "find_worst", "merge", "unanswered"]


def unanswered(why: str) -> Reply:
    """Return what it means that no answer came: the update may have been made, and may be sent again."""
    return Reply(Kind.TRY_LATER, why)
