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
    with process.stdout as stream:
        try:
            output = _read(stream, time.monotonic() + timeout)
            code = process.wait(timeout=1) if output is not None else None
        except subprocess.TimeoutExpired:
            output, code = None, None
        finally:
            if process.returncode is None:
                _end(process)
    if output is None:
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and its children, which are a session of their own. Not waited for yet, its number is still its own."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
