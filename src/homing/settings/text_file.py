"""Reading a file that an operator names: never one that hangs, never without end, and what is wrong told in one line.

Problems have the form that editors and compilers know, `FILE:LINE: what was expected`.
"""

from __future__ import annotations

import os
import select
import stat
import time
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

PIPE_PATIENCE = 10.0
"""Seconds that whoever writes into a pipe has for all of it."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def is_file(path: Path) -> bool:
    """Tell whether there is a file that this user can see. `Path.is_file` may raise where a folder is closed to it."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_text(file: Path, limit: int) -> str:
    """Return the text of a settings file of up to `limit` bytes. A byte order mark, as Windows writes it, is dropped.

    It has to be a regular file, since it is read again by whoever has a table of its own in it; /dev/null is empty.
    Raises InvalidInput.
    """
    data = read_bytes(file, limit, may_be_pipe=False)
    if len(data) > limit:
        raise InvalidInput(f"{file}: expected at most {limit} bytes: is it a settings file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data.startswith(_UTF16):
            raise InvalidInput(f"{file}:1: expected UTF-8, not UTF-16: save it in the other encoding") from None
        line = data[: error.start].count(b"\n") + 1
        raise InvalidInput(f"{file}:{line}: expected UTF-8") from None


def read_bytes(file: Path, limit: int, *, may_be_pipe: bool) -> bytes:
    """Return what a file holds, or its first `limit + 1` bytes.

    A pipe, such as the shell makes of `<(pass show cam)`, is read to its end; who writes into it has PIPE_PATIENCE.
    Raises InvalidInput.
    """
    try:
        # Without O_NONBLOCK opening a named pipe would wait for a writer, perhaps for ever.
        number = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(number, "rb", buffering=0) as stream:
            mode = os.fstat(number).st_mode
            if stat.S_ISREG(mode):
                return _read_all(stream.fileno(), limit)
            if stat.S_ISFIFO(mode) and may_be_pipe:
                return _read_pipe(stream.fileno(), file, limit)
            if stat.S_ISCHR(mode) and os.path.samefile(file, os.devnull):
                return b""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InvalidInput(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'not a path'}") from None
    what = "a directory" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
    raise InvalidInput(f"{file}: cannot be read: expected a file, not {what}")


def _read_all(number: int, limit: int) -> bytes:
    parts = []
    left = limit + 1
    while left > 0 and (part := os.read(number, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _read_pipe(number: int, file: Path, limit: int) -> bytes:
    deadline = time.monotonic() + PIPE_PATIENCE
    found = b""
    while len(found) <= limit:
        if not select.select([number], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise InvalidInput(f"{file}: cannot be read: nobody wrote into the pipe in {PIPE_PATIENCE:.0f} seconds")
        part = os.read(number, limit + 1 - len(found))
        if not part:
            break
        found += part
    return found
