"""The operator's function, which only IAM lets be called: drain, reconcile, status, and the stack's custom resource.

    {"action": "drain"}                          publish what is pending; every five minutes
    {"action": "reconcile", "repair": true}      compare every host with DNS, and repair; once a day
    {"action": "status"}                         whether the table answers, and how long the oldest change has waited

Nothing is opened before the first request, since a custom resource has to be answered even if the settings are wrong.
What fails for now ends in an error, so that Lambda tries again and its alarm hears of it.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any

from homing.core.errors import HomingError
from homing.runtimes.aws_lambda import setup
from homing.runtimes.aws_lambda.logs import configure, write, write_crash
from homing.runtimes.aws_lambda.metrics import embed
from homing.runtimes.aws_lambda.timing import finish_by
from homing.wiring.serverless import open_admin, open_clients

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.wiring.serverless import Admin

LONGEST_SECONDS, SPARE_SECONDS = 270.0, 5.0
LAST_ROUND_SECONDS = 30.0
"""With less time left, a drain begins no other round."""
PAUSE_SECONDS = 1.0
"""Between two rounds of a drain: the index of pending rows lags behind the table."""
SHOWN = 20
"""So many differences are in the log; the rest are counted."""

log = logging.getLogger("homing.lambda")


class ActionFailed(HomingError):
    """An action came to nothing, for now. The log tells why; nothing of that is in the text."""


def make_handler(
    environment: Mapping[str, str] = os.environ,
    *,
    put: Callable[[str, bytes], None] = setup.put_answer,
) -> Callable[[object, object], dict[str, Any]]:
    """Return what Lambda calls. It raises ActionFailed only."""
    configure(environment.get("HOMING_LOG_LEVEL", "info"))
    opened: list[Admin] = []

    def find_admin() -> Admin:
        if not opened:
            opened.append(open_admin(environment))
        return opened[0]

    def carry_out(request: Mapping[str, Any]) -> dict[str, str]:
        if request.get("RequestType") == "Delete":
            return {}
        clients = open_clients(environment)
        made = setup.Setup(
            clients.dynamodb, clients.route53, clients.settings.table, lambda: find_admin().administration
        )
        return setup.carry_out_patiently(made.carry_out, request, time.sleep)

    def handler(event: object, context: object = None) -> dict[str, Any]:
        if isinstance(event, dict) and "RequestType" in event and "ResponseURL" in event:
            return setup.answer(event, carry_out, put)
        return run(event, context, find_admin)

    return handler


def run(event: object, context: object, find_admin: Callable[[], Admin]) -> dict[str, Any]:
    """Carry out an action. Raises ActionFailed."""
    action = event.get("action") if isinstance(event, dict) else None
    repair = event.get("repair", False) if isinstance(event, dict) else False
    if action not in ("drain", "reconcile", "status") or not isinstance(repair, bool):
        error = 'the event is none of {"action": "drain"}, {"action": "reconcile", "repair": true|false}, "status"'
        return {"status": "refused", "error": error}
    try:
        admin = find_admin()
        admin.publishing.deadline.at = finish_by(context, LONGEST_SECONDS, SPARE_SECONDS)
        if action == "drain":
            return _tell(admin, _drain(admin))
        if action == "reconcile":
            return _tell(admin, _reconcile(admin, repair=repair))
        return _status(admin)
    except HomingError as error:
        log.warning("%s failed: %s", action, error)
    except Exception as error:
        write_crash(f"{action} failed", error)
    raise ActionFailed(f"{action} failed; the function's log tells why")


def _drain(admin: Admin) -> dict[str, Any]:
    """Publish what is pending, again and again until nothing is due or the time is up. Raises StoreError."""
    outbox, until = admin.publishing.outbox, admin.publishing.deadline.at - LAST_ROUND_SECONDS
    drained = 0
    while tried := outbox.drain():
        drained += tried
        if time.time() + PAUSE_SECONDS >= until:
            break
        time.sleep(PAUSE_SECONDS)
    return {"action": "drain", "Drained": drained, "PendingAgeSeconds": outbox.backlog_age()}


def _reconcile(admin: Admin, *, repair: bool) -> dict[str, Any]:
    """Compare every host with DNS; forget the marks of hosts removed long ago. Raises StoreError, PublishError."""
    found = rejected = 0
    for difference in admin.publishing.outbox.reconcile(repair=repair):
        found += 1
        rejected += bool(difference.note)
        if found <= SHOWN:
            name, record_type = difference.key
            log.warning("DNS differs: %s %s: %s", name, record_type, difference.note or "not as the table has it")
    purged = admin.administration.purge_marks() if repair else 0
    return {"action": "reconcile", "repair": repair, "Differences": found, "Rejected": rejected, "purged": purged}


def _status(admin: Admin) -> dict[str, Any]:
    """Raises StoreError."""
    publishing = admin.publishing
    publishing.store.check()
    zones = {str(name): zone_id for name, zone_id in publishing.settings.zones.items()}
    return {"status": "ok", "action": "status", "pending_age_seconds": publishing.outbox.backlog_age(), "zones": zones}


def _tell(admin: Admin, done: dict[str, Any]) -> dict[str, Any]:
    """Log what was done with its metrics, at any level, for an alarm listens; and return it in the words of JSON."""
    metrics = {name: number for name, number in done.items() if name[0].isupper()}
    rest = {name: value for name, value in done.items() if name not in metrics}
    write(logging.INFO, rest | embed(admin.publishing.settings.stack, time.time(), metrics), always=True)  # type: ignore[arg-type]  # the names above
    return {"status": "ok"} | rest | {_in_json(name): number for name, number in metrics.items()}


def _in_json(metric: str) -> str:
    """Return `pending_age_seconds` for `PendingAgeSeconds`."""
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in metric).lstrip("_")
