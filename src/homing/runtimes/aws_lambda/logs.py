"""One JSON object a line on standard output, which CloudWatch takes as it is. Never a query, a header or a body.

What is logged at which level is a matter of money: at a million hosts that poll every five minutes, 400 octets for
each poll would be $1,700 a month for lines that nobody reads. So a poll that changed nothing, or that only read, is
logged at `debug`; a change or a refusal at `info`, which is the default; what failed on our side at `warning`. Each of
these lines carries its own metric, so that counting costs no line more; polls are counted by Lambda itself as
`Invocations`.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from homing.runtimes.aws_lambda.metrics import embed
from homing.runtimes.crashes import render_crash
from homing.settings.serverless import LOG_LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.protocols.http import Response
    from homing.runtimes.aws_lambda.metrics import Metric

_FIELDS = "homing_fields"
_MAX_TEXT = 256  # characters of one value
_FAILED = frozenset({"unavailable", "rejected by DNS", "crashed"})
"""Outcomes that are ours to mend, whatever status their protocol has for them."""

_log = logging.getLogger("homing.lambda")


def configure(level: str = "info") -> None:
    """Make JSON lines of all that the process logs, in place of the form that Lambda's own handler has for it.

    A level that is none is `info`: that is no reason to answer nobody.
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper() if level.lower() in LOG_LEVELS else logging.INFO)


class AccessLog:
    """Logs requests, with what they count for."""

    def __init__(self, stack: str) -> None:
        self._stack = stack

    def write(self, method: str, path: str, response: Response, *, now: float, seconds: float) -> None:
        """Log one request; `now` is in seconds since 1970, `seconds` what it took. `Response.log` overrides `path`."""
        level, metric = rate(response)
        if not _log.isEnabledFor(level):
            return
        fields = {
            "client": "-",
            "method": method,
            "path": path,
            "status": response.status,
            "duration_ms": round(seconds * 1000, 2),
            **response.log,
            **embed(self._stack, now, {metric: 1} if metric else {}),
        }
        write(level, fields)


def rate(response: Response) -> tuple[int, Metric | None]:
    """Return at which level a request is logged, and what it counts for."""
    outcome = response.log.get("outcome")
    if response.status >= 500 or outcome in _FAILED:
        return logging.WARNING, "Failed"
    if outcome == "updated":
        return logging.INFO, "Updated"
    if outcome == "unchanged":
        return logging.DEBUG, "Unchanged"
    if outcome is None and response.status < 400:
        return logging.DEBUG, None
    return logging.INFO, "Refused"


def write(level: int, fields: Mapping[str, object], *, always: bool = False) -> None:
    """Log one line of fields that are known to hold no secret; `always` does not ask which levels are wanted."""
    if always or _log.isEnabledFor(level):
        # makeRecord, not log(): it spares the walk up the stack for a file name that nobody needs.
        _log.handle(_log.makeRecord(_log.name, level, "", 0, "", (), None, extra={_FIELDS: fields}))


def write_crash(text: str, error: BaseException) -> None:
    """Log an unforeseen exception as far as it may be told."""
    _log.error("%s\n%s", text, render_crash(error))


class _JsonLines(logging.Formatter):
    """`timestamp` and `level` are the names that Lambda itself uses, and by which its own log level filters."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, object] | None = getattr(record, _FIELDS, None)
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {
            "timestamp": time,
            "level": "WARN" if record.levelname == "WARNING" else record.levelname,
        }
        if fields is None:
            line |= {"logger": record.name, "message": record.getMessage()}
            if record.exc_info and record.exc_info[1] is not None:
                line["traceback"] = render_crash(record.exc_info[1])
        else:
            line |= {name: _shortened(value) for name, value in fields.items()}
        return json.dumps(line, default=str)


def _shortened(value: object) -> object:
    return value[:_MAX_TEXT] + "..." if isinstance(value, str) and len(value) > _MAX_TEXT else value
