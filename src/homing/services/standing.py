"""What is installed at a place, and how it fares. Asks and reads; changes nothing."""

from __future__ import annotations

import errno
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import Refused
from homing.core.values import frozen, replace
from homing.services import cron, launchd, systemd
from homing.services.marks import origin_of
from homing.services.processes import is_agent
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

    kinds: tuple[Kind, ...] = ()
    """What is installed; nothing of ours, if empty. All else here but for `files` is about the first."""
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
    loaded: tuple[Kind, ...] = ()
    """What launchd knows of now, whether or not its file is there."""
    crontab: str = ""

    @property
    def kind(self) -> Kind | None:
        """The first of what is installed."""
        return self.kinds[0] if self.kinds else None


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


def is_same(before: Standing, now: Standing) -> bool:
    """Tell whether nobody has changed what a plan would replace or remove."""
    return (before.files, before.crontab) == (now.files, now.crontab)


def files_of(place: Place) -> Standing:
    """Return the files alone, without asking anybody; what a crontab holds is not known then."""
    names: Mapping[Kind, tuple[str, ...]] = systemd.UNITS
    if place.init == "launchd":
        names = {kind: (f"{label}.plist",) for kind, label in launchd.LABELS.items()}
    elif place.init == "cron":
        names = {}
    found = {kind: [one for name in paths if (one := _read(place.folder / name))] for kind, paths in names.items()}
    kinds = tuple(kind for kind, placed in found.items() if placed)
    return Standing(kinds=kinds, files=tuple(one for kind in kinds for one in found[kind]))


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
    asked = {kind: run(["launchctl", "print", f"{place.domain}/{launchd.LABELS[kind]}"]) for kind in launchd.LABELS}
    ran = asked[found.kind or "agent"]
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
        loaded=tuple(kind for kind, one in asked.items() if one.code == 0),
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
    seen = _agent_of_cron(place, found.block) if kind == "agent" else _timer_of_cron(place)
    placed = Placed(Path("crontab"), found.block, found.origin)
    return Standing(**{"kinds": (kind,), "files": (placed,), "is_enabled": True, "crontab": crontab, **seen})


def _agent_of_cron(place: Place, block: str) -> dict[str, Any]:
    """The shell that cron started has written its number into a file, and has become the agent."""
    file = place.folder / cron.PID_FILE
    try:
        text, at = _read_own(file, place.user)
        pid = int(text)
    except (OSError, ValueError):
        return {}
    if not is_agent(pid, place.user, cron.agent_command(block)):
        return {}
    return {"is_active": True, "pid": pid, "since": _render_time(at), "is_well": True}


def _timer_of_cron(place: Place) -> dict[str, Any]:
    file = cron.log_file(place.folder, "timer")
    try:
        text, at = _read_own(file, place.user)
    except OSError:  # its minute has not come yet, as with systemd's timer before its first run
        return {"is_active": True, "is_well": True}
    code = cron.exit_code_of(text)
    result = None if code is None else "success" if code == 0 else f"exit code {code}"
    return {"is_active": True, "last_result": result, "last_run": _render_time(at), "is_well": result == "success"}


def _read_own(path: Path, user: int) -> tuple[str, float]:
    """Return the end of a file of this user's, and when it was written; a link is not followed. Raises OSError."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
        found = os.fstat(stream.fileno())
        if found.st_uid != user or not stat.S_ISREG(found.st_mode):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        stream.seek(max(0, found.st_size - MAX_FILE))
        return stream.read(MAX_FILE).decode("utf-8", "replace"), found.st_mtime


def _render_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
