"""Which process is the agent that cron, or install, has started: a number in a file may be somebody else's by now."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from homing.core.errors import Refused
from homing.services.steps import run

if TYPE_CHECKING:
    from collections.abc import Sequence

_SETTLED = re.compile(r" -P -c from homing\.runtimes\.agent\.process import main; main\(\d+\)")
"""What stands behind Python once the agent has read its settings: `runtimes/agent/process.py`."""


class Process(NamedTuple):
    """Whose it is, and its command line."""

    user: int
    line: str


def is_agent(pid: int, user: int, command: Sequence[str]) -> bool:
    """Tell whether a process of this user runs this command, or is the agent that it has become."""
    process = _find(pid)
    return process is not None and process.user == user and is_line_of(command, process.line)


def is_line_of(command: Sequence[str], line: str) -> bool:
    """Tell whether a command line is that of a command: with an interpreter before it, or of the agent behind it."""
    if not command:
        return False
    if f" {line}".endswith(" " + " ".join(command)):
        return True
    python, found = _SETTLED.sub("", line), _SETTLED.search(line)
    return bool(found and found.end() == len(line)) and os.path.dirname(python) == os.path.dirname(command[0])


def _find(pid: int) -> Process | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        line = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
        found = re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)
        return Process(int(found[1]), line) if found else None
    except OSError:
        return None if os.path.isdir("/proc/self") else _ask_ps(pid)


def _ask_ps(pid: int) -> Process | None:
    try:
        told = run(["ps", "-p", str(pid), "-o", "uid=", "-o", "args="]).output
    except (OSError, subprocess.SubprocessError, Refused):
        return None
    found = re.fullmatch(r"\s*(\d+)\s+(.*?)\s*", told, re.DOTALL)
    return Process(int(found[1]), found[2]) if found else None
