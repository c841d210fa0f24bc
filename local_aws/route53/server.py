"""The fake over HTTP on loopback, on a free port: what `endpoint_url` of an AWS client points to. No rules here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.http_server import HttpAnswer, HttpRequest, HttpServer
from local_aws.route53.errors import Unanswered

if TYPE_CHECKING:
    from local_aws.route53.fake import Route53Fake


class Route53Server:
    """Serves one fake; a context manager, or `start` and `stop`. HTTP/1.1 with kept connections."""

    def __init__(self, fake: Route53Fake, *, port: int = 0) -> None:
        self.fake = fake
        self._port = port
        self._http: HttpServer | None = None

    @property
    def url(self) -> str:
        """Where it is reached; it has to be started."""
        assert self._http is not None, "not started"
        return self._http.url

    def start(self) -> Route53Server:
        """Begin to answer."""
        self._http = HttpServer(self._answer, port=self._port)
        return self

    def stop(self) -> None:
        """Let go of every held request and end every connection."""
        self.fake.holds.release_all()
        if self._http is not None:
            self._http.close()
            self._http = None

    def __enter__(self) -> Route53Server:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        try:
            status, headers, body = self.fake.handle(
                request.method, request.target, dict(request.headers), request.body
            )
        except Unanswered:
            return HttpAnswer(0)
        return HttpAnswer(status, body, tuple(headers.items()))
