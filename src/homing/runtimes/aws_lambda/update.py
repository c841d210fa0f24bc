"""The function that update clients reach: an event in, an answer out, and one log line where there is something to say.

All is put together when the module of the function is imported, in Lambda's INIT phase; nothing is called before the
first request. A poll that changes nothing is one read of the table. Nothing may be imported here that a poll does not
need: each import is paid for at every cold start.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from homing.protocols.dyndns2 import unavailable
from homing.protocols.http import Request, Response
from homing.runtimes.aws_lambda.answers import apologise, refuse, render
from homing.runtimes.aws_lambda.events import Unusable, parse
from homing.runtimes.aws_lambda.logs import AccessLog, configure, write_crash
from homing.runtimes.aws_lambda.timing import finish_by
from homing.wiring.serverless import open_update

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.runtimes.aws_lambda.events import Event
    from homing.wiring.serverless import Update

LONGEST_SECONDS, SPARE_SECONDS = 9.0, 1.0


def make_handler(environment: Mapping[str, str] = os.environ) -> Callable[[object, object], dict[str, Any]]:
    """Put the function together and return what Lambda calls. Raises InvalidSettings: then nothing can be answered."""
    update = open_update(environment)
    configure(update.settings.log_level)
    return handler_of(update)


def handler_of(update: Update) -> Callable[[object, object], dict[str, Any]]:
    """Return a function of event and context, which never raises."""
    access_log = AccessLog(update.settings.stack)

    def handler(event: object, context: object = None) -> dict[str, Any]:
        try:
            began = time.monotonic()
            update.deadline.at = finish_by(context, LONGEST_SECONDS, SPARE_SECONDS)
            asked = parse(event, update.settings.origin_secret)
            response = _answer(update, asked)
            _log(access_log, asked, response, time.monotonic() - began)
            return render(response, asked.shape)
        except Exception as error:
            write_crash("an event could not be answered", error)
            return render(unavailable(None), "2.0")

    return handler


def _answer(update: Update, asked: Event) -> Response:
    """Return the application's answer, whatever happens to it."""
    request = asked.request
    if isinstance(request, Unusable):
        return refuse(request)
    try:
        application = update.behind_gateway if asked.shape == "mapping" else update.application
        return application.handle(request)
    except Exception as error:
        write_crash("the application failed", error)
        return apologise(request)


def _log(access_log: AccessLog, asked: Event, response: Response, seconds: float) -> None:
    """The path is what the application lets be told: some protocols carry a token in it."""
    method = asked.request.method if isinstance(asked.request, Request) else "-"
    path = asked.request.path if isinstance(asked.request, Request) else "-"
    access_log.write(method, path, response, now=time.time(), seconds=seconds)
