"""Tells an SNS topic what became of publishing: what fails always, and what changed if the operator asked for it.

A topic has the operator's mail address behind it: several notices become one message, and nothing secret is in them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from homing.core.errors import HomingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from homing.app.ports import Notice
    from homing.aws.sns import Sns

MAX_NOTICES = 200
"""In one message; what is left goes into the next. A notice has at most some 500 characters, a message 256 KiB."""
MAX_MESSAGES = 5
"""Of one call: ten thousand hosts that moved at once are one event, and not fifty mails."""

log = logging.getLogger("homing.notifiers")


class SnsNotifier:
    """Implements Notifier over one topic."""

    def __init__(
        self, client: Sns, topic_arn: str, stack: str, *, tells_changes: bool, tells_zones: bool = True
    ) -> None:
        """`tells_changes` of addresses; `tells_zones` of zones that fail and recover."""
        self._client = client
        self._topic_arn = topic_arn
        self._stack = stack
        self._left_out = _left_out(tells_changes=tells_changes, tells_zones=tells_zones)

    def notify(self, notices: Sequence[Notice]) -> None:
        """Pass them on in as few messages as possible. Never raises: what cannot be passed on is logged."""
        wanted = [notice for notice in notices if notice.kind not in self._left_out]
        told = 0
        try:
            for messages, part in enumerate(_parts(wanted)):
                if messages == MAX_MESSAGES:
                    break
                self._publish(part, wanted)
                told += len(part)
        except HomingError as error:
            log.warning("%d notices were not passed on: %s", len(wanted) - told, error)
        except Exception:
            log.exception("%d notices were not passed on", len(wanted) - told)

    def _publish(self, part: Sequence[Notice], all_of_them: Sequence[Notice]) -> None:
        lines = [f"{notice.kind}: {notice.subject}: {notice.text[:400]}" for notice in part]
        if len(all_of_them) > MAX_MESSAGES * MAX_NOTICES:
            lines.append(f"({len(all_of_them)} in all; these messages show {MAX_MESSAGES * MAX_NOTICES} of them)")
        self._client.publish(self._topic_arn, _subject(self._stack, part), "\n".join(lines) + "\n")


def _left_out(*, tells_changes: bool, tells_zones: bool) -> tuple[str, ...]:
    return (() if tells_changes else ("changed",)) + (() if tells_zones else ("failing", "recovered"))


def _parts(notices: Sequence[Notice]) -> Iterator[Sequence[Notice]]:
    return (notices[start : start + MAX_NOTICES] for start in range(0, len(notices), MAX_NOTICES))


def _subject(stack: str, part: Sequence[Notice]) -> str:
    first = f"{part[0].subject.rstrip('.')} {part[0].kind}"
    return f"Homing {stack}: {first}" + (f" and {len(part) - 1} more" if len(part) > 1 else "")
