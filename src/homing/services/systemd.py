"""Units for systemd: systemd.service(5), systemd.exec(5), systemd.timer(5). Pure texts.

Written for systemd 248 and later; an older one warns of what it does not know and goes on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.services.marks import mark
from homing.settings.credentials import credential_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from homing.services.job import Job, Kind

AGENT, UPDATE, TIMER = "homing-agent.service", "homing-update.service", "homing-update.timer"
UNITS: Mapping[Kind, tuple[str, ...]] = {"agent": (AGENT,), "timer": (UPDATE, TIMER)}
"""The files of each kind of service; the last is the one that is enabled and started."""

WATCHDOG = 180
"""Seconds. Reading settings again may take a minute, in which the agent does not answer; it answers twice as often."""
LONGEST_SPREAD = 300
"""Seconds by which a timer may fire late, always the same on one machine, so that not all machines ask at once."""

_SECCOMP = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "# Netlink tells of addresses as they change. No raw sockets: probes of other machines are plain datagrams.",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
    "UMask=0077",
    "LimitCORE=0",
    "MemoryMax=192M",
    "TasksMax=64",
)
"""What a user's own systemd can do as well, since it needs no right and no namespace."""
_SANDBOX = (
    "DynamicUser=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "DevicePolicy=closed",
    "PrivateDevices=yes",
    "PrivateIPC=yes",
    "PrivateTmp=yes",
    "PrivateUsers=yes",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProtectSystem=strict",
    "RemoveIPC=yes",
)
_NO_PROGRAM = "\"'\\$"
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+-]+")


def render_units(job: Job, *, is_user: bool) -> Mapping[str, str]:
    """Return the files of a job by their names. `is_user`: for a user's own systemd, which needs no sandbox of users.

    Raises InvalidInput for a path that no unit can hold.
    """
    if job.kind == "agent":
        return {AGENT: mark(_render_agent(job, is_user=is_user))}
    return {UPDATE: mark(_render_update(job, is_user=is_user)), TIMER: mark(_render_timer(job.interval))}


def _render_agent(job: Job, *, is_user: bool) -> str:
    unit = [
        "Description=Homing: keeps the names of this machine right",
        "# Not after network-online.target: the agent sees the network come, and waits for it.",
        "# It is never given up, however often it fails.",
        "StartLimitIntervalSec=0",
    ]
    service = [
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={_render_command(job, is_user=is_user)}",
        *_files(job, "StateDirectory=homing-agent", "StateDirectoryMode=0700", is_user=is_user),
        "Restart=on-failure",
        "RestartSec=15",
        f"WatchdogSec={WATCHDOG}",
        "TimeoutStopSec=20",
    ]
    if is_user:
        service.append("ExecReload=/bin/kill -HUP $MAINPID")
    else:
        service.append("# No ExecReload: credentials are read when it starts, so that new settings need a restart.")
    target = "default.target" if is_user else "multi-user.target"
    return _join(unit, [*service, "", *_protection(is_user=is_user)], [f"WantedBy={target}"])


def _render_update(job: Job, *, is_user: bool) -> str:
    service = [
        "Type=oneshot",
        f"ExecStart={_render_command(job, is_user=is_user)}",
        *_files(job, "CacheDirectory=homing-update", "CacheDirectoryMode=0700", is_user=is_user),
        "TimeoutStartSec=600",
    ]
    return _join(["Description=Homing: one update"], [*service, "", *_protection(is_user=is_user)])


def _render_timer(interval: int) -> str:
    unit = "[Unit]\nDescription=Homing: an update each so often\n\n"
    timer = (
        f"OnBootSec=10\nOnCalendar={_calendar(interval)}\nPersistent=yes\n"
        f"RandomizedDelaySec={min(interval, LONGEST_SPREAD)}\nFixedRandomDelay=yes\nAccuracySec=1\n"
    )
    return f"{unit}[Timer]\n{timer}\n[Install]\nWantedBy=timers.target\n"


def _calendar(interval: int) -> str:
    """Return the times of an interval: systemd.time(7)."""
    minutes = interval // 60
    if minutes == 24 * 60:
        return "daily"
    return f"*:0/{minutes}" if minutes < 60 else f"0/{minutes // 60}:00"


def _join(unit: Iterable[str], service: Iterable[str], install: Iterable[str] = ()) -> str:
    parts = {"Unit": [*unit], "Service": [*service], "Install": [*install]}
    return "\n".join("".join(f"{line}\n" for line in (f"[{name}]", *lines)) for name, lines in parts.items() if lines)


def _protection(*, is_user: bool) -> Sequence[str]:
    head = "# Commands of yours, hooks among them, live under all this as well; a drop-in may loosen it."
    return [head, *(() if is_user else _SANDBOX), *_SECCOMP]


# --- files and words


def _files(job: Job, *folder: str, is_user: bool) -> Sequence[str]:
    """Return what a service needs besides its command, where it runs as a user made up for it."""
    if is_user:
        return []
    files: dict[str, Path] = {}
    for path in job.files:
        if files.setdefault(credential_name(path), path) != path:
            other = files[credential_name(path)]
            raise InvalidInput(f"{other} and {path} would be one credential: give one of them another name")
    loads = [f"LoadCredential={name}:{_render_path(path)}" for name, path in files.items()]
    return [*loads, *folder]


def _render_command(job: Job, *, is_user: bool) -> str:
    program, *more = job.program
    if found := set(program) & set(_NO_PROGRAM):  # systemd refuses the first three, and has no sign for a dollar there
        raise InvalidInput(f"{program}: no unit can name a program with {' and '.join(sorted(found))} in its path")
    words = [_quote(program.replace("%", "%%")), *(_render_word(word) for word in more)]
    for word in job.words:
        if isinstance(word, str):
            words.append(_render_word(word))
        elif is_user:
            words.append(_render_word(str(word.path)))
        else:
            words.append("${CREDENTIALS_DIRECTORY}/" + credential_name(word.path))
    return " ".join(words)


def _render_word(word: str) -> str:
    """Return a word as ExecStart= takes it: quotes, then %, then $, as systemd.service(5) has them."""
    return _quote(word.replace("%", "%%").replace("$", "$$"))


def _quote(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _render_path(path: Path) -> str:
    """Return a path as LoadCredential= takes it: all the rest of the line, without quotes. Raises InvalidInput."""
    text = str(path)
    if text != text.strip() or text.endswith("\\"):
        raise InvalidInput(f"{text!r}: no unit can hold a path that ends so")
    return text.replace("%", "%%")
