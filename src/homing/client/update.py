"""One update of one account: find the addresses, leave out what is known to be right, send the rest, tell the outcome.

A family that is absent is skipped, one whose address is doubtful is not sent; neither is ever deleted. What was sent
before is left out only if the cache and DNS agree that it is so already.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from homing.client import dialects
from homing.client.cache import Cache, key_of
from homing.client.lookup import ask_dns, shows
from homing.client.remote import Line, ServerUnreachable, exchange
from homing.client.replies import Kind, Reply, find_worst, unanswered
from homing.client.sources import Absent, NoAddress, find_address
from homing.client.trust import trust
from homing.core.values import frozen, replace
from homing.settings.client import DUCKDNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from homing.client.dialects import Conversation, Family, Sent
    from homing.core.addresses import Address
    from homing.core.hosts import RecordType
    from homing.settings.client import ClientSettings

Outcome = Literal["updated", "unchanged", "cached", "would send", "skipped", "refused", "try later", "not a server"]
RECORD_TYPES: Mapping[Family, RecordType] = {4: "A", 6: "AAAA"}
_DNS_TIMEOUT = 3.0


@frozen
class Row:
    """What became of one family of one name."""

    hostname: str
    record_type: RecordType
    address: str | None
    """What was, or would be, sent; None where the server takes it from the connection, or there is none."""
    outcome: Outcome
    text: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing is left to be done about it."""
        return self.outcome not in ("refused", "try later", "not a server")


@frozen
class Result:
    """What became of one account."""

    rows: tuple[Row, ...]
    retry_after: int | None = None
    """Seconds that the server wants to be left alone."""
    notes: tuple[str, ...] = ()
    """What is worth telling, and changes nothing."""


@frozen
class Found:
    """The addresses of one machine, and why a family has none."""

    sent: Sent
    absent: Mapping[Family, str]
    doubtful: Mapping[Family, NoAddress]


def line_of(settings: ClientSettings) -> Line:
    """Return how an account's server is reached. Raises InvalidInput for certificates that cannot be read."""
    return Line(timeout=float(settings.timeout), tls=trust(settings.ca_file), interface=settings.interface)


def find_addresses(settings: ClientSettings, line: Line) -> Found:
    """Ask the source of each family."""
    sent: dict[Family, Address | None] = {}
    absent: dict[Family, str] = {}
    doubtful: dict[Family, NoAddress] = {}
    for family in settings.families:
        if settings.source(family).kind == "none":
            continue
        try:
            sent[family] = find_address(settings, family, line)
        except Absent as error:
            absent[family] = str(error)
        except NoAddress as error:
            doubtful[family] = error
    return Found(sent, absent, doubtful)


def now_in_milliseconds() -> int:
    """Return the time as signed requests have it."""
    return time.time_ns() // 1_000_000


def _always() -> bool:
    return True


def send(
    settings: ClientSettings,
    names: Sequence[str],
    sent: Sent,
    line: Line,
    goes_on: Callable[[], bool] = _always,
) -> Reply:
    """Set names to addresses, by the account's protocol. An answer that does not come is a reply as well."""
    return hold(dialects.converse(settings, names, sent, now_in_milliseconds), settings, line, goes_on)


def hold(
    conversation: Conversation, settings: ClientSettings, line: Line, goes_on: Callable[[], bool] = _always
) -> Reply:
    """Make the exchanges that a conversation asks for, as long as `goes_on` says so: others have begun since."""
    server = settings.server or DUCKDNS
    key = (("x-api-key", settings.api_key),) if settings.api_key else ()
    try:
        ask = next(conversation)
        while True:
            if not goes_on():
                return unanswered("given up")
            try:
                heard = exchange(server, replace(ask, headers=(*ask.headers, *key)), line)
            except ServerUnreachable as error:
                ask = conversation.throw(error)
            else:
                ask = conversation.send(heard)
    except StopIteration as end:
        reply: Reply = end.value
        return reply
    except ServerUnreachable as error:
        return unanswered(str(error))


def update(
    settings: ClientSettings,
    *,
    cache: Cache | None = None,
    is_dry_run: bool = False,
    now: Callable[[], float] = time.time,
) -> Result:
    """Bring every name of an account up to date. A dry run finds the addresses, and sends none of them."""
    line = line_of(settings)
    found = find_addresses(settings, line)
    rows = [row for name in settings.names for row in _without_address(name, found)]
    names = list(settings.names) if found.sent else []
    known = _known(settings, names, found.sent, cache, now()) if cache is not None else []
    rows += [row for name in known for row in _rows(name, found.sent, "cached", "DNS shows it")]
    names = [name for name in names if name not in known]
    if not names or is_dry_run:
        text = f"{settings.protocol}, {settings.server or DUCKDNS}"
        rows += [row for name in names for row in _rows(name, found.sent, "would send", text)]
        return Result(tuple(_in_order(settings, rows)))
    reply = send(settings, names, found.sent, line)
    answered = [row for name in names for row in _of_reply(name, found.sent, reply)]
    note = _remember(settings, answered, found.sent, cache, now()) if cache is not None else None
    return Result(tuple(_in_order(settings, rows + answered)), reply.retry_after, (note,) if note else ())


# --- what need not be sent


def _known(settings: ClientSettings, names: Sequence[str], sent: Sent, cache: Cache, now: float) -> list[str]:
    """Return the names of which the server has acknowledged all lately, and DNS shows it.

    A resolver that does not answer about one name is not waited for again with the next.
    """
    known = []
    for name in names:
        is_known = _is_known(settings, name, sent, cache, now)
        if is_known is None:
            break
        if is_known:
            known.append(name)
    return known


def _is_known(settings: ClientSettings, name: str, sent: Sent, cache: Cache, now: float) -> bool | None:
    """Tell whether all of a name is known to be right; None where DNS does not answer."""
    for family, address in sent.items():
        record_type = RECORD_TYPES[family]
        if address is None or not cache.holds(key_of(settings, name, record_type), address, now, settings.cache):
            return False
        shown = ask_dns(dialects.name_in_dns(settings, name), record_type, settings.dns_server, _DNS_TIMEOUT)
        if shown is None:
            return None
        if not shows(shown, [address]):
            return False
    return True


def _remember(settings: ClientSettings, rows: Sequence[Row], sent: Sent, cache: Cache, now: float) -> str | None:
    for row in rows:
        key = key_of(settings, row.hostname, row.record_type)
        address = sent[4 if row.record_type == "A" else 6]
        if row.is_good and row.address is not None and address is not None:
            cache.put(key, address, now)
        else:
            cache.drop(key)
    return cache.save()


# --- rows


def _without_address(name: str, found: Found) -> list[Row]:
    """Return the families that are not sent. To have none at all is a failure that may pass."""
    rows = []
    for family, why in found.absent.items():
        is_left = bool(found.sent)
        rows.append(Row(name, RECORD_TYPES[family], None, "skipped" if is_left else "try later", why))
    for family, error in found.doubtful.items():
        outcome: Outcome = "try later" if error.is_temporary else "refused"
        rows.append(Row(name, RECORD_TYPES[family], None, outcome, str(error)))
    return rows


def _rows(name: str, sent: Sent, outcome: Outcome, text: str) -> list[Row]:
    return [
        Row(name, RECORD_TYPES[family], str(address) if address else None, outcome, text)
        for family, address in sent.items()
    ]


def _of_reply(name: str, sent: Sent, reply: Reply) -> list[Row]:
    """Return what the server said of each family; a host that it said nothing of shares the whole verdict."""
    key = dialects.canonical(name)
    of_name = [host for host in reply.hosts if dialects.canonical(host.hostname) == key]
    rows = []
    for family, address in sent.items():
        hosts = [host for host in of_name if host.family in (None, family)]
        said = [host for host in hosts if host.is_about(family)]
        one = find_worst(said or hosts) if hosts else None
        kind, text = (
            (one.kind, one.text or (reply.text if one.kind is reply.kind else "")) if one else (reply.kind, reply.text)
        )
        if hosts and not said and kind.is_success:
            kind, text = Kind.SKIPPED, "the answer is about the other family only: has the host such a record?"
        told = [text for host in said for text in host.addresses if (":" in text) == (family == 6)]
        shown = None if kind is Kind.SKIPPED else str(address) if address else told[0] if told else None
        rows.append(Row(name, RECORD_TYPES[family], shown, kind.value, text))
    return rows


def _in_order(settings: ClientSettings, rows: Sequence[Row]) -> list[Row]:
    places = {name: number for number, name in enumerate(settings.names)}
    return sorted(rows, key=lambda row: (places[row.hostname], row.record_type))
