"""Lines for cron: crontab(5) as POSIX, Debian, BSD and busybox have it. Pure texts.

Two lines of comment stand around ours. A line holds no percent sign, which most crons take for the line's end.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from typing import TYPE_CHECKING

from homing.core.values import frozen
from homing.services.marks import is_mark, mark, origin_of

if TYPE_CHECKING:
    from pathlib import Path

    from homing.services.job import Job, Kind
    from homing.services.marks import Origin

END = "# End of what homing service install made.\n"
PID_FILE, LOG_FILE = "cron-agent.pid", "cron-{}.log"
RETRIES = 10
"""Seconds that an agent has to end."""
_PERCENT = '"$(printf "\\045")"'


@frozen
class Found:
    """What stands in a crontab of ours."""

    block: str
    """From the mark to the end; the mark alone where no end follows, and empty for nothing."""
    origin: Origin
    kind: Kind | None
    """None where the lines do not tell."""


def render_block(job: Job, folder: Path, seed: str) -> str:
    """Return the lines of a job. What it writes goes into `folder`; `seed` tells this machine from others."""
    times = "@reboot" if job.kind == "agent" else render_times(job.interval, seed)
    return mark(f"{times} {render_line(job, folder)}\n{END}")


def render_line(job: Job, folder: Path) -> str:
    """Return what the shell runs. The agent takes the shell's place, so that its number is the one that is noted.

    -C has the shell follow no link in the place of a file that it writes.
    """
    command = " ".join(quote(word) for word in job.command)
    log = quote(str(log_file(folder, job.kind)))
    if job.kind == "agent":
        pid = quote(str(folder / PID_FILE))
        return f"set -C; rm -f {pid} {log}; echo $$ >{pid}; exec {command} >{log} 2>&1"
    return f'set -C; rm -f {log}; {{ {command}; echo "exit $?"; }} >{log} 2>&1'


def agent_command(block: str) -> tuple[str, ...]:
    """Return the command of an agent's lines, as `render_line` has it; empty if they are not such."""
    line = next((one for one in block.splitlines() if one.startswith("@reboot ")), "")
    try:
        words = shlex.split(line.replace(_PERCENT, "%"))
        return tuple(words[words.index("exec") + 1 : -2])
    except ValueError:
        return ()


def render_stop(pid: int) -> str:
    """Return what ends the agent, and waits until it has ended."""
    tries = " ".join(map(str, range(RETRIES)))
    return f"kill {pid}; for i in {tries}; do kill -0 {pid} 2>/dev/null || break; sleep 1; done"


def render_times(interval: int, seed: str) -> str:
    """Return the five fields of an interval, beginning at a minute that differs from machine to machine."""
    minutes = interval // 60
    offset = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % minutes
    if minutes < 60:
        return f"{_steps(offset, minutes, 60)} * * * *"
    return f"{offset % 60} {_steps(offset // 60, minutes // 60, 24)} * * *"


def _steps(first: int, step: int, end: int) -> str:
    return str(first) if step == end else "*" if step == 1 else f"{first}-{end - 1}/{step}"


def find_block(crontab: str) -> Found:
    """Return what stands in a crontab of ours. Lines whose end is missing count as changed."""
    lines = crontab.splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if is_mark(line)]
    if not starts:
        return Found("", "foreign", None)
    try:
        end = lines.index(END, starts[0])
    except ValueError:
        return Found(lines[starts[0]], "changed", None)
    block = "".join(lines[starts[0] : end + 1])
    kind: Kind | None = "agent" if "\n@reboot " in block else "timer" if re.search(r"\n[0-9*]", block) else None
    return Found(block, "changed" if len(starts) > 1 else origin_of(block), kind)


def with_block(crontab: str, block: str) -> str:
    """Return a crontab with our lines at its end, and nowhere else."""
    rest = without_block(crontab)
    return rest + ("" if not rest or rest.endswith("\n") else "\n") + block


def without_block(crontab: str) -> str:
    """Return a crontab without our lines, and all others as they are."""
    found = find_block(crontab)
    return crontab.replace(found.block, "", 1) if found.block else crontab


def log_file(folder: Path, kind: Kind) -> Path:
    """Return the file that a job's output goes to; each run begins it anew, so that it does not grow for ever."""
    return folder / LOG_FILE.format("agent" if kind == "agent" else "update")


def exit_code_of(log: str) -> int | None:
    """Return how the last run of a timer ended; None while one runs, or none has."""
    last = log.splitlines()[-1:]
    found = re.fullmatch(r"exit ([0-9]{1,3})", last[0]) if last else None
    return int(found[1]) if found else None


def quote(word: str) -> str:
    """Return a word as the shell takes it, with no percent sign."""
    return _PERCENT.join(shlex.quote(part) if part else "" for part in word.split("%")) or "''"
