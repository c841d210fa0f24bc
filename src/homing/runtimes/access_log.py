"""One line for each request, as JSON or for people. Never a query, a header or a body: they hold secrets.

The path is what the application says it is (`Response.log["path"]`), since some protocols carry a token in the path.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

from homing.runtimes.crashes import render_crash

if TYPE_CHECKING:
    from collections.abc import Mapping

LogFormat = Literal["text", "json"]

ACCESS_LOGGER = "homing.access"
_FIELDS = "homing_fields"
_BATCH_SECONDS = 0.02
_MAX_BATCH = 256  # lines
_MAX_TEXT = 256  # characters of one value; a path may be 16 KiB long

_ENCODER = json.JSONEncoder(default=str)

_access = logging.getLogger(ACCESS_LOGGER)


def log_request(
    client: object, method: str, path: str, *, status: int, seconds: float, outcome: Mapping[str, object]
) -> None:
    """Log one request. `outcome` is `Response.log`; its "client" and "path" override what the runtime saw."""
    if not _access.isEnabledFor(logging.INFO):
        return
    fields: dict[str, object] = {
        "client": client,
        "method": method,
        "path": path,
        "status": status,
        "duration_ms": round(seconds * 1000, 2),
        **outcome,
    }
    # makeRecord, not info(): it spares the walk up the stack for a file name that nobody needs.
    record = _access.makeRecord(ACCESS_LOGGER, logging.INFO, "", 0, "request", (), None, extra={_FIELDS: fields})
    _access.handle(record)


def log_crash(logger: logging.Logger, text: str, error: BaseException) -> None:
    """Log an unforeseen exception as far as it may be told."""
    logger.error("%s\n%s", text, render_crash(error))


def configure_logging(format: LogFormat = "text", level: int | str = "INFO") -> None:  # noqa: A002 - the setting's name
    """Send every log line of the process to standard error in one form. May be called again; the last call counts."""
    # Neither form shows threads and processes; looking them up would cost a tenth of every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = BatchingHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    handler.set_name("homing")
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if handler.get_name() == "homing"]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper() if isinstance(level, str) else level)
    # uvicorn warns of each malformed request; that is in the access log already, with the client's address.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class BatchingHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of an event loop some milliseconds later, in one piece: a write for each would halve the server.

    A warning, and whatever is logged outside of a loop, is written at once, and with it all that came before.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._due_in: asyncio.AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep or write the record. Called with the handler's lock held."""
        try:
            self._lines.append(self.format(record) + self.terminator)
            if record.levelno >= logging.WARNING or len(self._lines) >= _MAX_BATCH or not self._write_soon():
                self.flush()
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Write what is kept."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("".join(lines))
                self.stream.flush()
        finally:
            self.release()

    def _write_soon(self) -> bool:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if self._due_in is not loop:
            self._due_in = loop
            loop.call_later(_BATCH_SECONDS, self._write_now)
        return True

    def _write_now(self) -> None:
        self._due_in = None
        with contextlib.suppress(OSError, ValueError):  # the other end of the pipe has gone, or the stream is closed
            self.flush()


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), then a request's fields, or level, logger and message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: Mapping[str, object] | None = getattr(record, _FIELDS, None)
        line: dict[str, object] = {"time": _time_of(record)}
        if fields is None:
            line |= {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
            line |= {"traceback": _crash_of(record)} if record.exc_info else {}
        else:
            line |= {key: _shortened(value) for key, value in fields.items()}
        return _ENCODER.encode(line)


class TextFormatter(logging.Formatter):
    """One short line for a terminal; what came from a client cannot move the cursor or begin another line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = _time_of(record)[11:23]
        fields: dict[str, Any] | None = getattr(record, _FIELDS, None)
        if fields is None:
            crash = "\n" + _crash_of(record) if record.exc_info else ""
            return f"{time} {record.levelname.lower()} {record.name}: {record.getMessage()}{crash}"
        rest = dict(fields)
        client, method, path, status, duration = (
            _printable(rest.pop(key)) for key in ("client", "method", "path", "status", "duration_ms")
        )
        told = "".join(f" {key}={_printable(value)}" for key, value in rest.items() if value is not None)
        return f"{time} {client} {method} {path} {status} {duration}ms{told}"


def _crash_of(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return render_crash(error) if error is not None else ""


def _time_of(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shortened(value: object) -> object:
    return value[:_MAX_TEXT] + "..." if isinstance(value, str) and len(value) > _MAX_TEXT else value


def _printable(value: object) -> str:
    text = str(_shortened(value))
    return text if text.isprintable() and " " not in text and text else json.dumps(text)
