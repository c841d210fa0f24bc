"""A property list for launchd: launchd.plist(5). Pure text. Written by its manual; not tried on a Mac."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any

from homing.services.marks import mark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from homing.services.job import Job, Kind

LABELS: Mapping[Kind, str] = {"agent": "homing.agent", "timer": "homing.update"}
ROOT_STATE = "/var/db"
"""Where a daemon of root's keeps what should last: it has no home directory."""
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def render_plist(job: Job, logs: Path, *, is_user: bool) -> str:
    """Return the property list of a job, whose standard error goes to a file in `logs`."""
    wanted: dict[str, Any] = {
        "Label": LABELS[job.kind],
        "ProgramArguments": list(job.command),
        "RunAtLoad": True,
        "ProcessType": "Background",
        "Umask": 0o077,
        "StandardErrorPath": str(log_file(logs, job.kind)),
    }
    if job.kind == "agent":
        wanted |= {"KeepAlive": True, "ThrottleInterval": 15}
    else:
        wanted |= {"StartInterval": job.interval}
    if not is_user:
        wanted["EnvironmentVariables"] = {"XDG_STATE_HOME": ROOT_STATE, "XDG_CACHE_HOME": ROOT_STATE}
    text = plistlib.dumps(wanted, sort_keys=False).decode()
    return mark(text, after=_HEAD, is_xml=True)


def log_file(logs: Path, kind: Kind) -> Path:
    """Return the file that a job's standard error goes to."""
    return logs / f"homing-{'agent' if kind == 'agent' else 'update'}.log"
