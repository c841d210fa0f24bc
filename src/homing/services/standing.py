"""What is installed at a place, and how it fares. Asks and reads; changes nothing."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import Refused
from homing.core.values import frozen, replace
from homing.services import cron, launchd, systemd
from homing.services.marks import origin_of
from homing.services.steps import run, said_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.services.job import Kind
    from homing.services.marks import Origin
    from homing.services.places import Place

MAX_FILE = 64 * 1024
_SHOWN = "UnitFileState,ActiveState,ActiveEnterTimestamp,NRestarts,Result,ExecMainStatus,ExecMainExitTimestamp"
_NO_CRONTAB = re.compile(r"no crontab|no such file", re.IGNORECASE)
_TIME = re.compile(r"\w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC")


@frozen
class Placed:
    """A file of the name that ours have, as it is now."""

    path: Path
    text: str
    origin: Origin


@frozen(kw_only=True)
class Standing:
    """What is there. Times are texts as RFC 3339 has them, in UTC; None where nobody knows."""

    kind: Kind | None = None
    """None: nothing of ours."""
    files: tuple[Placed, ...] = ()
    """For cron, one that stands for the lines in the crontab."""
    is_enabled: bool = False
    """Whether it starts at boot."""
    is_active: bool = False
    """Whether the agent runs, or the timer waits."""
    pid: int | None = None
    since: str | None = None
    restarts: int | None = None
    """How often it had to be started again by itself."""
    last_result: str | None = None
    """How the last run ended: `success`, `exit code 1`, or a word of the service manager's own; None if none has."""
    last_run: str | None = None
    next_run: str | None = None
    is_well: bool = False
    crontab: str = ""


def look(place: Place) -> Standing:
    """Return what is there. Raises Refused where the service manager does not answer."""
    try:
        match place.init:
            case "systemd":
                return _look_at_systemd(place)
            case "launchd":
                return _look_at_launchd(place)
            case "cron":
                return _look_at_cron(place)
    except FileNotFoundError as error:
        raise Refused(f"{error.filename} is not installed: is it {place.init} that starts services here?") from None


def files_of(place: Place) -> Standing:
    """Return the files alone, without asking anybody; what a crontab holds is not known then."""
    names: Mapping[Kind, tuple[str, ...]] = systemd.UNITS
    if place.init == "launchd":
        names = {kind: (f"{label}.plist",) for kind, label in launchd.LABELS.items()}
    elif place.init == "cron":
        names = {}
    for kind, paths in names.items():
        placed = tuple(one for name in paths if (one := _read(place.folder / name)))
        if placed:
            return Standing(kind=kind, files=placed)
    return Standing()


def _read(path: Path) -> Placed | None:
    """Return a file, which is foreign if it is a link: `systemctl mask` makes such."""
    if path.is_symlink():
        return Placed(path, "", "foreign")
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_FILE).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None
    return Placed(path, text, origin_of(text))


# --- systemd


def _look_at_systemd(place: Place) -> Standing:
    found = files_of(place)
    units = systemd.UNITS[found.kind or "agent"]
    told = {unit: _show(place, unit) for unit in units}
    service, last = told[units[0]], told[units[-1]]
    is_active = last.get("ActiveState") == "active"
    result, ended = service.get("Result", ""), _time(service.get("ExecMainExitTimestamp"))
    shown = f"exit code {service.get('ExecMainStatus')}" if result == "exit-code" else result
    restarts = service.get("NRestarts", "")
    return replace(
        found,
        is_enabled=last.get("UnitFileState") == "enabled",
        is_active=is_active,
        since=_time(last.get("ActiveEnterTimestamp")) if is_active else None,
        restarts=int(restarts) if restarts.isdecimal() else None,
        last_result=shown if ended or shown != "success" else None,
        last_run=ended,
        next_run=_time(last.get("NextElapseUSecRealtime")),
        is_well=bool(found.kind) and is_active and result == "success",
    )


def _show(place: Place, unit: str) -> Mapping[str, str]:
    """Return properties of a unit, which need not be there: systemctl(1)."""
    ran = run([*place.systemctl, "show", f"--property={_SHOWN},NextElapseUSecRealtime", unit])
    if ran.code != 0:
        hint = ": log in as that user, not by su, or set XDG_RUNTIME_DIR=/run/user/$(id -u)" if place.is_user else ""
        raise Refused(f"systemd does not answer: {said_by(ran)}{hint}")
    return dict(line.split("=", 1) for line in ran.output.splitlines() if "=" in line)


def _time(text: str | None) -> str | None:
    """`Fri 2025-11-21 14:25:00 UTC`, as systemctl writes it where the time zone is UTC."""
    found = _TIME.fullmatch(text or "")
    return f"{found[1]}T{found[2]}Z" if found else None


# --- launchd


def _look_at_launchd(place: Place) -> Standing:
    found = files_of(place)
    label = launchd.LABELS[found.kind or "agent"]
    ran = run(["launchctl", "print", f"{place.domain}/{label}"])
    told = dict(re.findall(r"^\s*(state|pid|last exit code) = (.+?)\s*$", ran.output, re.MULTILINE))
    pid = int(told["pid"]) if told.get("pid", "").isdecimal() else None
    code = told.get("last exit code", "").partition(":")[0]
    result = "success" if code == "0" else f"exit code {code}" if code.isdecimal() else None
    is_active = ran.code == 0 and (found.kind == "timer" or told.get("state") == "running")
    return replace(
        found,
        is_enabled=ran.code == 0,
        is_active=is_active,
        pid=pid,
        last_result=result,
        is_well=bool(found.kind) and is_active and (found.kind == "agent" or result == "success"),
    )


# --- cron


def _look_at_cron(place: Place) -> Standing:
    ran = run(["crontab", "-l"])
    if ran.code != 0 and not _NO_CRONTAB.search(ran.errors + ran.output):
        raise Refused(f"crontab -l ended with exit code {ran.code}: {said_by(ran)}")
    crontab = ran.output if ran.code == 0 else ""
    found = cron.find_block(crontab)
    if not found.block:
        return Standing(crontab=crontab)
    kind: Kind = found.kind or "agent"
    seen = _agent_of_cron(place) if kind == "agent" else _timer_of_cron(place)
    placed = Placed(Path("crontab"), found.block, found.origin)
    return Standing(**{"kind": kind, "files": (placed,), "is_enabled": True, "crontab": crontab, **seen})


def _agent_of_cron(place: Place) -> dict[str, Any]:
    """The shell that cron started has written its number into a file, and has become the agent."""
    file = place.folder / cron.PID_FILE
    try:
        pid, at = int(file.read_text(encoding="ascii")), file.stat().st_mtime
    except (OSError, ValueError):
        return {}
    if "homing" not in _words_of(pid):
        return {}
    return {"is_active": True, "pid": pid, "since": _render_time(at), "is_well": True}


def _timer_of_cron(place: Place) -> dict[str, Any]:
    file = cron.log_file(place.folder, "timer")
    try:
        text, at = file.read_text(encoding="utf-8", errors="replace"), file.stat().st_mtime
    except OSError:
        return {"is_active": True}
    code = cron.exit_code_of(text)
    result = None if code is None else "success" if code == 0 else f"exit code {code}"
    return {"is_active": True, "last_result": result, "last_run": _render_time(at), "is_well": result == "success"}


def _words_of(pid: int) -> str:
    """Return the command line of a process; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        if os.path.isdir("/proc/self"):
            return ""
    try:
        return run(["ps", "-p", str(pid), "-o", "args="]).output
    except (OSError, subprocess.SubprocessError, Refused):
        return ""


def _render_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
