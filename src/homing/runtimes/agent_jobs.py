"""What the agent's loop has done by others: threads that take one job after the other, and the jobs themselves.

Threads are started when first needed: one for the exchanges with each server, so that nothing is sent to it twice at a
time and a server that does not answer holds up no other, and one for hooks and pings, which may hang as well.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from typing import TYPE_CHECKING

from homing.client.agent_values import Answered, Looked, Shown
from homing.client.detection import look
from homing.client.dialects import canonical
from homing.client.lookup import ask_dns
from homing.client.remote import Line, exchange
from homing.client.update import line_of, send
from homing.core.errors import HomingError
from homing.protocols.asking import Ask, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from homing.client.agent_values import AskDns, Event, Look, Send, Verdict
    from homing.client.netlink import Tables
    from homing.client.netlink_values import Snapshot
    from homing.core.addresses import Address
    from homing.protocols.asking import Reply
    from homing.runtimes.agent_log import LogLines
    from homing.settings.client import ClientSettings

DNS_SECONDS = 3.0
PING_SECONDS = 10.0
HOOK_SECONDS = 60.0
MAX_WAITING = 100
"""Hooks and pings beyond so many are dropped: what keeps them is broken."""
_RANK = (Kind.UNCHANGED, Kind.UPDATED, Kind.REFUSED)
_OF_THE_ACCOUNT = ("badauth", "badagent", "badsys", "!donator", "!active", "abuse")
"""Return codes of dyndns2 that no other list of names would change; its specification forbids to try."""
_VERDICTS: Mapping[Kind, Verdict] = {
    Kind.UPDATED: "updated",
    Kind.UNCHANGED: "unchanged",
    Kind.REFUSED: "refused",
    Kind.NOT_A_SERVER: "not-a-server",
}


class Worker:
    """A thread that does one job after the other. Ends with the process, whatever it is doing."""

    def __init__(self, name: str, log: LogLines) -> None:
        self._name = name
        self._log = log
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, job: Callable[[], None]) -> None:
        """Have a job done after those that wait already."""
        if self._jobs.qsize() >= MAX_WAITING:
            self._log.write("warning", f"{self._name}: too much is waiting; something is dropped")
            return
        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Have the thread end after what waits, if there is one."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # the agent lives for years: one job does not end it
                from homing.runtimes.crashes import render_crash

                self._log.write("error", f"a job failed\n{render_crash(error)}")


class Crew:
    """A worker for each server."""

    def __init__(self, log: LogLines) -> None:
        self._log = log
        self._workers: dict[str, Worker] = {}

    def do(self, server: str, job: Callable[[], None]) -> None:
        """Have a job done after those that wait for the same server."""
        if server not in self._workers:
            self._workers[server] = Worker(f"exchanges with {server}", self._log)
        self._workers[server].do(job)

    def keep_only(self, servers: Iterable[str]) -> None:
        """Let go of those for whom there is no more to do."""
        for server in self._workers.keys() - set(servers):
            self._workers.pop(server).end()


def do_look(action: Look, settings: ClientSettings, snapshot: Snapshot | None, current: Sequence[Address]) -> Event:
    """Find this machine's addresses."""
    try:
        sight = look(settings, snapshot, current, line_of(settings))
    except (HomingError, OSError) as error:
        return Looked(action.number, (), (str(error),))
    return Looked(action.number, sight.addresses, sight.problems)


def do_ask(action: AskDns, settings: ClientSettings) -> Event:
    """Ask what DNS shows."""
    shown = {kind: ask_dns(action.name, kind, settings.dns_server, DNS_SECONDS) for kind in action.record_types}
    return Shown(action.number, shown)


def do_send(action: Send, settings: ClientSettings) -> Event:
    """Send an update."""
    try:
        sent = {address.version: address for address in action.addresses}
        reply = send(settings, action.names, sent, line_of(settings))
    except (HomingError, OSError) as error:
        return Answered(action.number, "no-answer", str(error))
    # Nobody said how long to wait: an answer that did not come, or a server in trouble.
    later: Verdict = "no-answer" if reply.retry_after is None else "try-later"
    return Answered(
        action.number,
        _VERDICTS.get(reply.kind, later),
        reply.text,
        reply.retry_after,
        is_final=reply.is_final,
        is_shared=reply.text.startswith(_OF_THE_ACCOUNT),
        names=_told_apart(action.names, reply),
    )


def _told_apart(names: Sequence[str], reply: Reply) -> Mapping[str, tuple[Verdict, str]]:
    """Return what was said of each name, the worst of its families."""
    found: dict[str, tuple[Verdict, str]] = {}
    for name in names:
        said = [host for host in reply.hosts if canonical(host.hostname) == canonical(name)]
        if said and all(host.kind in _RANK for host in said):
            worst = max(said, key=lambda host: _RANK.index(host.kind))
            found[name] = (_VERDICTS[worst.kind], worst.text or reply.text)
    return found


def snapshot_or_none(tables: Tables | None) -> Snapshot | None:
    """Return the kernel's tables, if they can be had."""
    try:
        return None if tables is None else tables.snapshot()
    except OSError:
        return None


def ping(url: str, log: LogLines, *, is_well: bool) -> None:
    """Fetch the owner's URL, as healthchecks.io and its like want it. A failure is logged and forgotten."""
    try:
        exchange(url if is_well else url.rstrip("/") + "/fail", Ask("GET", ""), Line(timeout=PING_SECONDS))
    except HomingError as error:
        log.write("warning", f"ping: {error}")


def run_hook(command: Sequence[str], occasion: str, details: Mapping[str, str], log: LogLines) -> None:
    """Run the owner's program, with what happened in its environment and none of our settings; it has a minute."""
    import subprocess

    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOMING_")}
    kept.pop("CREDENTIALS_DIRECTORY", None)
    kept.pop("NOTIFY_SOCKET", None)
    told = {f"HOMING_{name.upper()}": value for name, value in details.items()} | {"HOMING_EVENT": occasion}
    try:
        process = subprocess.Popen(  # noqa: S603 - the owner's own command, from the owner's settings
            list(command), stdin=subprocess.DEVNULL, env=kept | told, start_new_session=True
        )
    except (OSError, ValueError) as error:
        log.write("warning", f"hook {command[0]}: {getattr(error, 'strerror', None) or 'cannot be started'}")
        return
    try:
        code = process.wait(HOOK_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.write("warning", f"hook {command[0]}: took more than {HOOK_SECONDS:.0f} s")
        return
    if code != 0:
        log.write("warning", f"hook {command[0]}: ended with exit code {code}")
