"""Telling systemd how a service fares: sd_notify(3), in a datagram to the socket that it names. Elsewhere, nothing."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(text: str) -> None:
    """Send a state such as `READY=1` or `WATCHDOG=1`. Nobody listening is no failure."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if place[:1] not in ("/", "@"):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect("\0" + place[1:] if place[0] == "@" else place)
        sender.sendall(text.encode())


def watchdog_seconds() -> float | None:
    """Return how often systemd wants to hear from this process, halved as sd_watchdog_enabled(3) says; None: never."""
    micros, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not micros.isdecimal() or int(micros) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(micros) / 2_000_000
