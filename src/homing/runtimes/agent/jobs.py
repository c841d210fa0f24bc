"""What the agent's loop has done: looks, questions to DNS, sends, hooks and pings. The threads are in agent_workers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from homing.client.agent.detection import is_free, look
from homing.client.agent.values import Answered, Looked, Shown
from homing.client.dialects import canonical, name_in_dns
from homing.client.lookup import ask_dns
from homing.client.remote import Line, exchange
from homing.client.update import line_of, send
from homing.core.addresses import record_type_of
from homing.core.errors import HomingError
from homing.protocols.asking import Ask, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from homing.client.agent.values import AskDns, Event, Look, RecordType, Send, Verdict
    from homing.client.netlink_values import Snapshot
    from homing.core.addresses import Address
    from homing.protocols.asking import Reply
    from homing.runtimes.agent.log import LogLines
    from homing.settings.client import ClientSettings

PING_SECONDS = 10.0
HOOK_SECONDS = 60.0
_RANK = (Kind.UNCHANGED, Kind.UPDATED, Kind.REFUSED)
_OF_THE_ACCOUNT = ("badauth", "badagent", "badsys", "!donator", "!active", "abuse")
"""Return codes of dyndns2 that no other list of names would change; its specification forbids to try."""
_VERDICTS: Mapping[Kind, Verdict] = {
    Kind.UPDATED: "updated",
    Kind.UNCHANGED: "unchanged",
    Kind.REFUSED: "refused",
    Kind.NOT_A_SERVER: "not-a-server",
}


def do_look(action: Look, settings: ClientSettings, snapshot: Snapshot | None, current: Sequence[Address]) -> Event:
    """Find this machine's addresses."""
    free = is_free(settings, snapshot, current)
    try:
        sight = look(settings, snapshot, current, line_of(settings))
    except (HomingError, OSError) as error:
        return Looked(action.number, (), (str(error),), free)
    return Looked(action.number, sight.addresses, sight.problems, free)


def do_ask(action: AskDns, settings: ClientSettings, deadline: float) -> Event:
    """Ask what DNS shows, all in all until a time of the monotonic clock: a resolver may be silent."""
    shown: dict[RecordType, frozenset[Address] | None] = dict.fromkeys(action.record_types)
    name = name_in_dns(settings, action.name)
    for kind in action.record_types:
        left = deadline - time.monotonic()
        if left > 0:
            shown[kind] = ask_dns(name, kind, settings.dns_server, left)
    return Shown(action.number, shown)


def do_send(action: Send, settings: ClientSettings, goes_on: Callable[[], bool]) -> Event:
    """Send an update; one that takes several exchanges ends as soon as it is not to go on."""
    try:
        sent = {address.version: address for address in action.addresses}
        reply = send(settings, action.names, sent, line_of(settings), goes_on)
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
        lacking=_lacking(action.names, reply),
        unsaid=_unsaid(action, reply),
    )


def _lacking(names: Sequence[str], reply: Reply) -> Mapping[str, tuple[RecordType, ...]]:
    """Return which records the server says that it does not have."""
    found: dict[str, tuple[RecordType, ...]] = {}
    for name in names:
        for host in reply.hosts:
            if host.kind is Kind.SKIPPED and canonical(host.hostname) == canonical(name):
                found[name] = (*found.get(name, ()), "A" if host.family == 4 else "AAAA")
    return found


def _unsaid(action: Send, reply: Reply) -> Mapping[str, tuple[RecordType, ...]]:
    """Return of which types an answer says nothing that tells the address of the other one."""
    found: dict[str, tuple[RecordType, ...]] = {}
    for name in action.names:
        hosts = [host for host in reply.hosts if canonical(host.hostname) == canonical(name)]
        told = {6 if ":" in text else 4 for host in hosts for text in host.addresses}
        told |= {host.family for host in hosts if host.family is not None}
        if told:
            found[name] = tuple([record_type_of(one) for one in action.addresses if one.version not in told])
    return found


def _told_apart(names: Sequence[str], reply: Reply) -> Mapping[str, tuple[Verdict, str]]:
    """Return what was said of each name, the worst of its families."""
    found: dict[str, tuple[Verdict, str]] = {}
    for name in names:
        known = [host for host in reply.hosts if host.kind is not Kind.SKIPPED]
        said = [host for host in known if canonical(host.hostname) == canonical(name)]
        if said and all(host.kind in _RANK for host in said):
            worst = max(said, key=lambda host: _RANK.index(host.kind))
            found[name] = (_VERDICTS[worst.kind], worst.text or reply.text)
    return found


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
