"""What is going to be done to a machine, step by step, and the doing of it. Nothing is decided here."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from homing.core.errors import Refused
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMMAND_SECONDS = 90.0
CRON_PATH = "/usr/bin:/bin"
"""What jobs have unless the crontab says more: crontab(5)."""
_MAX_SHOWN = 2000
"""Characters of what a failed command says."""


@frozen
class Write:
    """A file, written as a whole or not at all."""

    path: Path
    text: str
    is_new: bool = True
    """False: it takes the place of one that is there."""


@frozen
class Remove:
    """A file that goes."""

    path: Path


@frozen
class Command:
    """A program to run; it must end well, unless it is left running."""

    words: tuple[str, ...]
    stdin: str | None = None
    is_left_running: bool = False


Step = Write | Remove | Command


@frozen
class Plan:
    """The steps in their order, and what one should know. Without steps all is as it should be already."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


class Ran(NamedTuple):
    """How a program ended, and what it said."""

    code: int
    output: str
    errors: str


class StepFailed(Refused):
    """A step did not work. `done` are those before it, which stay done."""

    def __init__(self, text: str, done: Sequence[Step]) -> None:
        super().__init__(text)
        self.done = tuple(done)


def carry_out(plan: Plan) -> None:
    """Do each step, one after the other. Raises StepFailed."""
    done: list[Step] = []
    for step in plan.steps:
        try:
            _do(step)
        except OSError as error:
            raise StepFailed(f"{_shown(step)}: {error.strerror or error}", done) from None
        except Refused as error:
            raise StepFailed(str(error), done) from None
        done.append(step)


def run(words: Sequence[str], stdin: str | None = None) -> Ran:
    """Run a program to its end, told to speak plain English and of times in UTC. Raises OSError, and Refused.

    Bytes that are no UTF-8 come through unchanged: a crontab is somebody's own.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a service manager's own programs, shown before they are run
            list(words),
            input=(stdin or "").encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=COMMAND_SECONDS,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"{' '.join(words)}: took more than {COMMAND_SECONDS:.0f} seconds") from None
    output, errors = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
    return Ran(done.returncode, output, errors)


def said_by(ran: Ran) -> str:
    """Return what a program that failed had to say, fit to be printed."""
    said = (ran.errors.strip() or ran.output.strip() or "it said nothing")[:_MAX_SHOWN]
    return said.encode("utf-8", "replace").decode()


def _do(step: Step) -> None:
    match step:
        case Write():
            _write(step.path, step.text)
        case Remove():
            step.path.unlink(missing_ok=True)
        case Command(is_left_running=True):
            _leave_running(step.words)
        case Command():
            ran = run(step.words, step.stdin)
            if ran.code != 0:
                raise Refused(f"{_shown(step)} ended with exit code {ran.code}: {said_by(ran)}")


def _write(path: Path, text: str) -> None:
    """Write beside the file and then rename, so that no reader ever meets half of it. Mode 0644: it holds no secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _leave_running(words: Sequence[str]) -> None:
    """Start a program as cron would: with no variables of whoever types, and in a session that no terminal ends."""
    import pwd

    me = pwd.getpwuid(os.geteuid())
    process = subprocess.Popen(  # noqa: S603 - the line that was shown
        list(words),
        cwd=me.pw_dir,
        env={"HOME": me.pw_dir, "LOGNAME": me.pw_name, "PATH": CRON_PATH, "SHELL": "/bin/sh"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    process.returncode = 0  # nobody here waits for it: it is to stay


def _shown(step: Step) -> str:
    return " ".join(step.words) if isinstance(step, Command) else str(step.path)
