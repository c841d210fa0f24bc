"""HTTP in front of a Lambda function: each request becomes an event of one kind, each result an answer.

    front = Front(function, RestApi(), api_key="k")
    urllib.request.urlopen(front.url + "/prod?mode=get", ...)

The source address of an event is the address of the TCP peer, so a client that binds to 127.0.0.9 is 127.0.0.9; with
`seen_as={"127.0.0.9": "203.0.113.7"}` it is as if that one came from elsewhere.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

from local_aws.event_kinds import STAGE
from local_aws.http_server import LOOPBACK, HttpAnswer, HttpRequest, HttpServer
from local_aws.lambda_runtime import TooManyRequests

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from local_aws.event_kinds import EventKind
    from local_aws.execution import Invoked
    from local_aws.lambda_runtime import LambdaFunction

_FORBIDDEN = HttpAnswer(
    403, b'{"message":"Forbidden"}', (("Content-Type", "application/json"), ("x-amzn-ErrorType", "ForbiddenException"))
)
_TOO_MANY = HttpAnswer(429, b'{"Message":"Rate Exceeded."}', (("Content-Type", "application/json"),))


class Front:
    """Serves from the moment it is made until `close`.

    `api_key` is checked as a REST API with a usage plan does, at the root, where the template demands one.
    """

    def __init__(
        self,
        function: LambdaFunction,
        kind: EventKind,
        *,
        api_key: str | None = None,
        seen_as: Mapping[str, str] | None = None,
        host: str = LOOPBACK,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._function, self._kind, self._api_key = function, kind, api_key
        self._seen_as = seen_as or {}
        self.failures: list[Invoked] = []
        """What the function ended with, where that was no result: a client saw 500 or 502."""
        self._server = HttpServer(self._serve, host=host, tls=tls)

    @property
    def url(self) -> str:
        """Where it is reached, without a stage."""
        return self._server.url

    @property
    def port(self) -> int:
        """The port."""
        return self._server.port

    def close(self) -> None:
        """Stop serving; the function goes on."""
        self._server.close()

    def _serve(self, request: HttpRequest) -> HttpAnswer:
        if self._api_key is not None and _is_root(request) and not _has_key(request, self._api_key):
            return _FORBIDDEN
        try:
            peer = self._seen_as.get(request.peer, request.peer)
            result = self._function.invoke(self._kind.event(replace(request, peer=peer)))
        except TooManyRequests:
            return _TOO_MANY
        if result.error is not None:
            self.failures.append(result)
        return self._kind.answer(result)


def _has_key(request: HttpRequest, key: str) -> bool:
    return hmac.compare_digest((request.header("x-api-key") or "").encode(), key.encode())


def _is_root(request: HttpRequest) -> bool:
    """Tell whether a request is for the root, with or without a stage."""
    return request.target.partition("?")[0].strip("/") in ("", STAGE)
