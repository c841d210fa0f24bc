"""The function that DynamoDB's stream wakes: publishes what is pending, many hosts in one change of Route 53.

A record only says which row to look at. Late, repeated and reordered records do no harm: the row is read anew, and
what is published is what it desires then. What could not be published is asked for again by its sequence number; of a
stream, Lambda repeats everything from the lowest one on.
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any

from homing.core.errors import StoreError
from homing.core.hosts import Host
from homing.core.rows import MAX_ROWS
from homing.runtimes.aws_lambda.logs import configure, write, write_crash
from homing.runtimes.aws_lambda.metrics import embed
from homing.runtimes.aws_lambda.timing import finish_by
from homing.wiring.serverless import open_publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from homing.app.ports import Store
    from homing.core.rows import RowKey
    from homing.wiring.serverless import Publishing

LONGEST_SECONDS, SPARE_SECONDS = 55.0, 5.0

log = logging.getLogger("homing.lambda")

Woken = dict["RowKey", str]
"""The rows that records are about, with the sequence number of each one's newest record, in the stream's order."""


def make_handler(environment: Mapping[str, str] = os.environ) -> Callable[[object, object], dict[str, Any]]:
    """Put the function together and return what Lambda calls. Raises InvalidSettings."""
    publishing = open_publisher(environment)
    configure(publishing.settings.log_level)
    return handler_of(publishing)


def handler_of(publishing: Publishing) -> Callable[[object, object], dict[str, Any]]:
    """Return a function of event and context, which never raises."""

    def handler(event: object, context: object = None) -> dict[str, Any]:
        woken: Woken = {}
        try:
            woken = parse_records(event)
            publishing.deadline.at = finish_by(context, LONGEST_SECONDS, SPARE_SECONDS)
            failed = _publish(publishing, woken)
        except StoreError as error:
            log.warning("%d rows wait: %s", len(woken), error)
            failed = list(woken)
        except Exception as error:
            write_crash("publishing failed", error)
            failed = list(woken)
        return {"batchItemFailures": _failures(woken, failed)}

    return handler


def parse_records(event: object) -> Woken:
    """Return the rows that are pending by what the records say; what is no such record is logged and left out.

    A malformed record would otherwise hold up its shard for a day. What it may have been about is found by the drain.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    woken: Woken = {}
    for record in records if isinstance(records, list) else [None]:
        try:
            key, sequence_number, is_pending = _parse_record(record)
        except (LookupError, TypeError, ValueError):
            log.error("a record of the stream cannot be read, and is passed over")
            continue
        woken.pop(key, None)  # the newest record counts, and stands where it stands in the stream
        if is_pending:
            woken[key] = sequence_number
    return woken


def load_pending(store: Store, keys: Sequence[RowKey]) -> list[Host]:
    """Return those of the rows that are hosts and still pending. Raises StoreError."""
    hosts: list[Host] = []
    for start in range(0, len(keys), MAX_ROWS):
        part = keys[start : start + MAX_ROWS]
        rows = store.load(part)
        hosts += [row for key in part if isinstance(row := rows.get(key), Host) and row.pending]
    return hosts


def _publish(publishing: Publishing, woken: Woken) -> list[RowKey]:
    """Return whose records are to be repeated. Raises StoreError, with nothing published."""
    hosts = load_pending(publishing.store, list(woken))
    progress = publishing.outbox.publish(hosts)
    left = {host.key: host for host in hosts if host.key not in progress.settled | progress.rejected}
    waiting = _still_waiting(publishing.store, left) if left else []
    counts = {"Published": len(progress.settled), "Rejected": len(progress.rejected), "LeftPending": len(waiting)}
    fields = {"outcome": "published", "records": len(woken), "pending": len(hosts)}
    metrics = embed(publishing.settings.stack, time.time(), {name: n for name, n in counts.items() if n})  # type: ignore[misc]  # the names above
    write(logging.WARNING if waiting else logging.INFO, fields | counts | metrics)
    return waiting


def _still_waiting(store: Store, left: Mapping[Any, Host]) -> list[RowKey]:
    """Leave out what has been published or superseded meanwhile: a newer version has a record of its own."""
    try:
        now = load_pending(store, list(left))
    except StoreError:
        return list(left)
    return [host.key for host in now if host.version == left[host.key].version]


def _failures(woken: Woken, failed: Iterable[RowKey]) -> list[dict[str, str]]:
    """Return the first record in the stream's order that is to be repeated, with all that follow."""
    wanted = set(failed)
    first = next((number for key, number in woken.items() if key in wanted), None)
    return [] if first is None else [{"itemIdentifier": first}]


def _parse_record(record: Any) -> tuple[RowKey, str, bool]:
    """Raises LookupError, TypeError or ValueError."""
    change = record["dynamodb"]
    keys = change["Keys"]
    key = (keys["hostname"]["S"], keys["record_type"]["S"])
    number = change["SequenceNumber"]
    if not all(isinstance(text, str) and text for text in (*key, number)):
        raise ValueError("no text")
    return key, number, "pending" in (change.get("NewImage") or {})
