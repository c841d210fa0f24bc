"""An address from a program of the owner's: run without a shell, for so long, and heard for so much."""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from homing.client.remote import ServerUnreachable

if TYPE_CHECKING:
    from typing import IO, Literal

MAX_OUTPUT = 4096
"""Bytes; two addresses are far shorter."""
_OURS = "HOMING_"
_GRACE = 1.0
"""Seconds that a command may go on after it has printed all."""
_TICK = 0.01


def run(command: str, family: Literal[4, 6], timeout: float) -> str:
    """Return what a command prints. It is told the family in FAMILY, and nothing of our settings, secrets among them.

    `timeout` is in seconds; whatever the command has started ends with it. Raises ServerUnreachable.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        raise ServerUnreachable("command: a quote is not closed") from None
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    environment.pop("CREDENTIALS_DIRECTORY", None)
    try:
        process = subprocess.Popen(  # noqa: S603 - the owner's own command, from the owner's settings
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment | {"FAMILY": str(family)},
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or "cannot be started"
        raise ServerUnreachable(f"command: {words[0] if words else 'nothing'}: {reason}") from None
    assert process.stdout is not None
    has_ended = False
    with process.stdout as stream:
        try:
            output = _read(stream, time.monotonic() + timeout)
            has_ended = output is not None and _wait(process, time.monotonic() + _GRACE)
        finally:
            code = _end(process)
    if output is None or not has_ended:
        raise ServerUnreachable(f"command: {words[0]} took too long, or printed too much")
    if code != 0:
        raise ServerUnreachable(f"command: {words[0]} ended with exit code {code}")
    return output.decode("ascii", "replace")


def _read(stream: IO[bytes], deadline: float) -> bytes | None:
    """Return all output; None if it has no end in time, or is too long."""
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while len(output) <= MAX_OUTPUT:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            more = os.read(stream.fileno(), MAX_OUTPUT)
            if not more:
                return output
            output += more
    return None


def _wait(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Tell whether it ends in time; it is left unreaped where the system can, so that its number stays its own."""
    if not hasattr(os, "waitid"):  # macOS, before Python 3.13
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        return process.returncode is not None
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_TICK)
    return True


def _end(process: subprocess.Popen[bytes]) -> int:
    """End all that it has started, which is a session of its own, and then itself if it has not. Return its exit code.

    Its children are ended whatever it has done: one that has closed its output would stay, and one more each time.
    """
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
