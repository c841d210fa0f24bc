"""How a request travels: to which endpoint, over which kept connection, and what is known when nothing comes back.

It signs nothing and reads nothing: a status is as good as another here. It never follows a redirect.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from homing.aws.connection import AMAZON_ROOTS, Connection, Lost, make_tls_context
from homing.aws.errors import NoAnswer
from homing.core.errors import InvalidSettings
from homing.core.values import frozen

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

MAX_IDLE_SECONDS = 45.0
"""A connection idle for longer is not used again: AWS closes it after about a minute, and a frozen function may have
missed the end of it."""

MAX_IDLE_CONNECTIONS = 8


@frozen
class Reply:
    """What came back. Names of headers are lower case. `repeated`: AWS may have got the request twice."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    repeated: bool = False


class Transport(Protocol):
    """Carries requests to one endpoint. May be used by several threads at once."""

    host: str
    """As it has to stand in the Host header, which is signed."""

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        """Return the reply, whatever its status. `timeout` in seconds is for all of it. Raises NoAnswer."""
        ...

    def close(self) -> None:
        """Close what is kept open. The next call opens anew."""
        ...


@frozen
class Endpoint:
    """Where a service is called, the region that its requests are signed for, and whose certificates it has.

    `ca_file` is a PEM file with the only roots that are trusted; None stands for the system's.
    """

    url: str
    region: str
    ca_file: str | None = AMAZON_ROOTS


_PARTITIONS = {
    "aws": ("amazonaws.com", "route53.amazonaws.com", "us-east-1", AMAZON_ROOTS),
    "aws-cn": ("amazonaws.com.cn", "route53.amazonaws.com.cn", "cn-northwest-1", None),
    "aws-us-gov": ("amazonaws.com", "route53.us-gov.amazonaws.com", "us-gov-west-1", None),
}
"""The suffix of host names, Route 53's host and region, and the roots: None where the system's are needed.

https://docs.aws.amazon.com/general/latest/gr/r53.html, and botocore's endpoints, which the tests compare with.
"""

_SERVICES = {"dynamodb": "DYNAMODB", "route53": "ROUTE_53", "sns": "SNS"}


def endpoint_for(service: str, region: str, environment: Mapping[str, str]) -> Endpoint:
    """Return the endpoint of "dynamodb", "route53" or "sns" as seen from a region.

    AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_ROUTE_53, AWS_ENDPOINT_URL_SNS, or else AWS_ENDPOINT_URL, and
    AWS_CA_BUNDLE mean what they mean to the AWS CLI. Raises InvalidSettings.
    """
    suffix, route53_host, route53_region, ca_file = _PARTITIONS[_find_partition(region)]
    host = route53_host if service == "route53" else f"{service}.{region}.{suffix}"
    url = environment.get("AWS_ENDPOINT_URL_" + _SERVICES[service]) or environment.get("AWS_ENDPOINT_URL")
    return Endpoint(
        url=url or "https://" + host,
        region=route53_region if service == "route53" else region,
        ca_file=environment.get("AWS_CA_BUNDLE") or ca_file,
    )


def _find_partition(region: str) -> str:
    """Return the partition of a region. Refuses those that nobody but their customers can reach."""
    area, *rest = region.split("-")
    is_region = region.isascii() and len(area) == 2 and len(rest) >= 2 and all(part.isalnum() for part in rest)
    if not is_region or not area.isalpha() or rest[0].startswith("iso"):
        raise InvalidSettings([f"{region[:40]!r} is no AWS region that is served here"])
    if area == "cn":
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


class HttpTransport:
    """A Transport over HTTP/1.1 connections that are made when they are needed and kept.

    A kept connection that AWS has closed meanwhile is replaced at once. If the request may have been received all the
    same, the reply, or the NoAnswer, says so.
    """

    def __init__(self, endpoint: Endpoint, now: Callable[[], float] = time.time) -> None:
        """`now` measures how long a connection was idle; not a monotonic clock, which stands still in a frozen VM."""
        parts = urlsplit(endpoint.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise InvalidSettings([f"{endpoint.url!r} is no http or https URL of an endpoint"])
        self._name, self._is_tls = parts.hostname, parts.scheme == "https"
        self._port = parts.port or (443 if self._is_tls else 80)
        self.host = parts.netloc.rpartition("@")[2]
        self._ca_file = endpoint.ca_file
        self._tls: ssl.SSLContext | None = None
        self._now = now
        self._idle: deque[Connection] = deque()  # its append and pop are atomic

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        """Return the reply, whatever its status. `timeout` in seconds is for all of it. Raises NoAnswer."""
        deadline = time.monotonic() + timeout
        repeated = False
        kept = self._take_idle()
        while True:
            connection = kept or self._dial(deadline, repeated=repeated)
            try:
                status, answered, read = connection.exchange(method, target, headers, body, deadline)
                return Reply(status, answered, read, repeated)
            except Lost as lost:
                repeated = repeated or lost.sent
                if kept is None or lost.answered or not lost.closed:
                    raise NoAnswer(f"{self._name}: {lost}", may_have_arrived=repeated) from None
            finally:
                self._put_back(connection)
            kept = None

    def close(self) -> None:
        """Close what is kept open. The next call opens anew."""
        while self._idle:
            self._idle.pop().close()

    def _dial(self, deadline: float, *, repeated: bool) -> Connection:
        try:
            if self._is_tls and self._tls is None:
                self._tls = make_tls_context(self._ca_file)
            return Connection(self._name, self._port, self._tls, deadline)
        except OSError as error:
            text = str(error) or type(error).__name__
            raise NoAnswer(f"{self._name}: not connected: {text}", may_have_arrived=repeated) from None

    def _take_idle(self) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if 0 <= self._now() - connection.idle_since <= MAX_IDLE_SECONDS and connection.is_quiet():
                return connection
            connection.close()

    def _put_back(self, connection: Connection) -> None:
        if connection.reusable and len(self._idle) < MAX_IDLE_CONNECTIONS:
            connection.idle_since = self._now()
            self._idle.append(connection)
        else:
            connection.close()
