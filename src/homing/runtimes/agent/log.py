"""The agent's log: lines on standard error, each in one write. `logging` would be a megabyte that stays for years."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
_STANDARD_ERROR = 2
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}
"""As syslog and journald number them: sd-daemon(3)."""


class LogLines:
    """Writes lines of a level and above. Safe for use by several threads."""

    def __init__(self, least: Level) -> None:
        self._written = LEVELS[LEVELS.index(least) :]
        self._is_journal = "JOURNAL_STREAM" in os.environ

    def write(self, level: Level, text: str) -> None:
        """Write a line; the journal has time stamps of its own. A reader that has gone is no failure."""
        if level not in self._written:
            return
        if self._is_journal:
            line = "".join(f"<{_PRIORITIES[level]}>{part}\n" for part in text.splitlines())
        else:
            line = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {level} {text}\n"
        with contextlib.suppress(OSError):
            os.write(_STANDARD_ERROR, line.encode("utf-8", "backslashreplace"))
