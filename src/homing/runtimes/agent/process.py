"""The agent as a process of its own kind: small, since it stays for years.

Reading settings takes the command line's library, a TOML parser and more: megabytes that are of no use later. So
whoever has read them hands them over through a pipe and becomes the agent; after SIGHUP a child reads them again.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from homing.core.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.runtimes.agent.accounts import Orders

LENT_MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""glibc: one arena for all threads, and what TLS has used is given back. Other C libraries do not look at them."""
HANDOVER = "HOMING_HANDOVER"
"""Names the pipe that a child writes its orders to, instead of becoming the agent."""
READ_SECONDS = 60.0
_MAX_ORDERS = 60_000
"""Bytes; a pipe takes 64 KiB before anybody reads."""
_PYTHON = (sys.executable, "-P")
_MAIN = f"from {__name__} import main; main({{}})"
"""Not with -m, which would keep what it takes to find a module."""


def become_agent(orders: Orders, arguments: Sequence[str]) -> NoReturn:
    """Run the agent in this process's place. `arguments` are those of the command line, to read settings again."""
    import pickle

    given = pickle.dumps((orders, list(arguments)))
    if handover := os.environ.get(HANDOVER):
        with open(int(handover), "wb") as stream:
            stream.write(given)
        sys.exit(0)
    if os.name != "posix" or len(given) > _MAX_ORDERS:
        run_agent(orders, arguments)
        sys.exit(0)
    read_end, write_end = os.pipe()
    os.set_inheritable(read_end, True)  # noqa: FBT003 - the system call's own form
    with open(write_end, "wb") as stream:
        stream.write(given)
    environment = {**os.environ, **LENT_MEMORY}
    os.execve(sys.executable, [*_PYTHON, "-c", _MAIN.format(read_end)], environment)  # noqa: S606 - Python itself


def run_agent(orders: Orders, arguments: Sequence[str]) -> None:
    """Run until told to stop, in this process as it is."""
    from homing.runtimes.agent.loop import Agent

    Agent(orders, lambda: read_again(arguments)).run()


def read_again(arguments: Sequence[str]) -> Orders:
    """Return the orders as the settings are now. Raises InvalidSettings."""
    import pickle
    import subprocess

    read_end, write_end = os.pipe()
    child = subprocess.Popen(  # noqa: S603 - this program with its own arguments
        [*_PYTHON, "-m", "homing", *arguments],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(write_end,),
        env={**os.environ, HANDOVER: str(write_end)},
    )
    os.close(write_end)
    with open(read_end, "rb") as stream:
        given = stream.read()
    try:
        _, told = child.communicate(timeout=READ_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise InvalidSettings(("reading the settings took too long",)) from None
    if child.returncode != 0 or not given:
        raise InvalidSettings(told.decode("utf-8", "replace").splitlines()[-20:])
    orders: Orders = pickle.loads(given)[0]  # noqa: S301 - of a child of ours
    return orders


def main(descriptor: int) -> None:
    """Run with the orders that stand in a pipe."""
    try:
        from _pickle import load  # the half of it in C, without half a megabyte of the other
    except ImportError:
        from pickle import load
    with open(descriptor, "rb") as stream:
        orders, arguments = load(stream)  # noqa: S301 - from before we became the agent
    run_agent(orders, arguments)
