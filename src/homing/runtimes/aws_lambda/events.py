"""Lambda events as HTTP requests: function URL, HTTP API, REST API, ALB, and awslabs' mapping template. Pure.

Whose address an update may set hangs on what is read here. It is the one that AWS saw, in `requestContext`, or the
last one of an ALB's X-Forwarded-For; never one that a client can write. Only CloudFront, which proves itself with the
origin secret, may name the viewer in a header. Sources, all under docs.aws.amazon.com:

    lambda/latest/dg/urls-invocation.html                                         function URL (payload 2.0)
    apigateway/latest/developerguide/http-api-develop-integrations-lambda.html    HTTP API (2.0)
    apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html        REST API (1.0)
    elasticloadbalancing/latest/application/lambda-functions.html                 ALB
    AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html         CloudFront-Viewer-Address
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlencode

from homing.core.addresses import parse_address
from homing.core.errors import InvalidAddress
from homing.core.values import frozen
from homing.protocols.http import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from homing.core.addresses import Address

Shape: TypeAlias = Literal["2.0", "1.0", "1.0 multi", "elb", "elb multi", "mapping"]
"""How the answer is wrapped; `multi` if the event had its headers in lists, and wants them so."""

ORIGIN_HEADER = "x-homing-origin-verify"
"""Carries the secret with which CloudFront proves that it is the stack's own."""
VIEWER_HEADERS = ("x-ddns-viewer-ip", "cloudfront-viewer-address")
"""Who CloudFront says is asking: the bare address that the stack's own function sets, else an address with a port."""

MAX_HEAD, MAX_BODY, MAX_SIGNED_BODY = 32 * 1024, 8 * 1024, 64 * 1024
"""Characters of path, query and headers, more than any front of Lambda lets through but an ALB; and bytes of a body."""

_METHODS = ("GET", "HEAD", "POST", "PUT")
_SIGNED_PATH = re.compile(r"(/[^/]*)?/v1/.*", re.DOTALL)
_PORT = r":[0-9]{1,5}"
_BRACKETED = re.compile(rf"\[([^\]]+)\](?:{_PORT})?")
_WITH_PORT = re.compile(rf"(.+){_PORT}", re.DOTALL)
_IPV4_WITH_PORT = re.compile(rf"([0-9.]+){_PORT}")
_MAPPED = (("execution_mode", "mode"), ("set_hostname", "hostname"), ("validation_hash", "hash"))
"""Fields of awslabs' template, and the parameters that they were made of."""
_NOWHERE = parse_address("0.0.0.0")  # noqa: S104 - nothing is bound to it


@frozen
class Unusable:
    """Why an event is no request that can be answered, and what can be seen of it: that tells whose words to use.

    `words` are for its client, and hold nothing of what it sent.
    """

    status: int
    words: str
    method: str = "GET"
    path: str = "/"
    query: str = ""


@frozen
class Event:
    """An event, understood: what is asked, or why it cannot be answered, and the shape that the answer is to have."""

    shape: Shape
    request: Request | Unusable


class _RefusedError(Exception):
    """Ends the reading of an event."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


def parse(event: object, origin_secret: str | None = None) -> Event:
    """Read an event of any kind. Never raises, whatever it is: what cannot be read is Unusable."""
    if not isinstance(event, dict):
        return Event("2.0", Unusable(400, "bad request"))
    context = _table(event.get("requestContext"))
    if not context and "execution_mode" in event:
        return _parse_mapping(event)
    shape = _shape_of(event, context)
    method, path, query = _target(event, context, shape)
    try:
        request = _request(event, context, shape, origin_secret, method, path, query)
    except _RefusedError as error:
        return Event(shape, Unusable(error.status, error.words, method, path, query))
    return Event(shape, request)


def body_limit(path: str) -> int:
    """Return how many bytes the body may have: a signed request for a whole group is long. A stage may come first."""
    return MAX_SIGNED_BODY if _SIGNED_PATH.fullmatch(path) else MAX_BODY


# --- what the kinds have in common


def _request(
    event: Mapping[str, Any],
    context: Mapping[str, Any],
    shape: Shape,
    origin_secret: str | None,
    method: str,
    path: str,
    query: str,
) -> Request:
    """Raises _RefusedError."""
    headers = tuple(_pairs(event, "headers", "multiValueHeaders", lower=True))
    if len(path) + len(query) + sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD:
        raise _RefusedError(431, "request header fields too large")
    if method not in _METHODS:
        raise _RefusedError(405, "method not allowed")
    if not path.startswith("/"):
        raise _RefusedError(400, "bad request")
    peer = _peer(context, shape, headers, path)
    if origin_secret and _is_cloudfront(headers, origin_secret):
        peer = _viewer(headers)
    return Request(
        "GET" if method == "HEAD" else method,
        path,
        query,
        tuple(pair for pair in headers if pair[0] != ORIGIN_HEADER),
        _body(event, body_limit(path)),
        peer,
    )


def _shape_of(event: Mapping[str, Any], context: Mapping[str, Any]) -> Shape:
    """`version` may be missing or new; what the event is made of tells more."""
    is_multi = bool(_table(event.get("multiValueHeaders")))
    if "elb" in context:
        return "elb multi" if is_multi else "elb"
    if "http" not in context and ("httpMethod" in event or "identity" in context):
        return "1.0 multi" if is_multi else "1.0"
    return "2.0"


def _target(event: Mapping[str, Any], context: Mapping[str, Any], shape: Shape) -> tuple[str, str, str]:
    """Return method, path and query, for better or worse."""
    if shape == "2.0":
        http = _table(context.get("http"))
        path = event.get("rawPath") or http.get("path")
        return _text(http.get("method")), _text(path) or "/", _text(event.get("rawQueryString"))
    pairs = list(_pairs(event, "queryStringParameters", "multiValueQueryStringParameters"))
    is_encoded = shape.startswith("elb")  # a load balancer hands them on as they were sent
    query = "&".join(f"{name}={value}" for name, value in pairs) if is_encoded else urlencode(pairs)
    return _text(event.get("httpMethod")), _text(event.get("path")) or "/", query


def _pairs(event: Mapping[str, Any], single: str, multi: str, *, lower: bool = False) -> Iterator[tuple[str, str]]:
    """Yield names and values. Lists hold all there is; where they stand, the single values are not asked.

    What is null or no text says nothing, and is left out.
    """
    table = _table(event.get(multi)) or _table(event.get(single))
    for name, value in table.items():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, str):
                yield _clean(name.lower() if lower else name), _clean(one)


def _body(event: Mapping[str, Any], limit: int) -> bytes:
    """Raises _RefusedError."""
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise _RefusedError(400, "bad request")
    if len(body) > limit * 4 // 3 + 4:
        raise _RefusedError(413, "content too large")
    octets = _unpack(body) if event.get("isBase64Encoded") is True else _clean(body).encode()
    if len(octets) > limit:
        raise _RefusedError(413, "content too large")
    return octets


def _unpack(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise _RefusedError(400, "bad request") from None


# --- whose address it is


def _peer(context: Mapping[str, Any], shape: Shape, headers: tuple[tuple[str, str], ...], path: str) -> Address:
    """Return the address that AWS saw at the other end. Raises _RefusedError."""
    if shape.startswith("elb"):
        return _peer_of_load_balancer(headers, path)
    source = _table(context.get("http" if shape == "2.0" else "identity")).get("sourceIp")
    return _address(source if isinstance(source, str) else "")


def _peer_of_load_balancer(headers: tuple[tuple[str, str], ...], path: str) -> Address:
    """An ALB appends who it was asked by to X-Forwarded-For, with the port if it is told to; its last entry counts.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html. In its "preserve"
    mode a client writes that header itself: such a load balancer must not be put in front of this. A health check of
    its own comes without, and may ask for /healthz only.
    """
    values = [value for name, value in headers if name == "x-forwarded-for"]
    if not values and path == "/healthz":
        return _NOWHERE
    entry = values[-1].rpartition(",")[2].strip() if values else ""
    with_port = _BRACKETED.fullmatch(entry) or _IPV4_WITH_PORT.fullmatch(entry)
    return _address(with_port[1] if with_port else entry)


def _is_cloudfront(headers: tuple[tuple[str, str], ...], origin_secret: str) -> bool:
    given = [value for name, value in headers if name == ORIGIN_HEADER]
    return len(given) == 1 and hmac.compare_digest(given[0].encode(), origin_secret.encode())


def _viewer(headers: tuple[tuple[str, str], ...]) -> Address:
    """Return who CloudFront says is asking. Without that there is only an edge's address, which is nobody's to set.

    A distribution sets one of the headers and may let a client's own other one through; so all that are there have to
    agree. Raises _RefusedError: temporary, since it may be our own set-up that is wrong.
    """
    try:
        found = {_parse_viewer(value.strip(), name) for name, value in headers if name in VIEWER_HEADERS}
    except InvalidAddress:
        found = set()
    if len(found) != 1:
        raise _RefusedError(503, "911")
    return found.pop()


def _parse_viewer(text: str, header: str) -> Address:
    """Parse `ip`, `[v6]:port`, and where there is a port `ip:port` and `v6:port`: what comes after the last colon.

    Raises InvalidAddress.
    """
    found = _BRACKETED.fullmatch(text) or (_WITH_PORT.fullmatch(text) if header == VIEWER_HEADERS[1] else None)
    return parse_address(found[1] if found else text)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except InvalidAddress:
        raise _RefusedError(400, "bad request") from None


# --- awslabs


def _parse_mapping(event: Mapping[str, Any]) -> Event:
    """Read what awslabs' template made of `GET /?mode=...`: the same request, without headers or body."""
    pairs = [(name, _text(event.get(field))) for field, name in _MAPPED]
    if internal := _text(event.get("internal_ip")):
        pairs.append(("internalIp", internal))
    query = urlencode(pairs)
    try:
        if len(query) > MAX_HEAD:
            raise _RefusedError(431, "request header fields too large")
        return Event("mapping", Request("GET", "/", query, (), b"", _address(_text(event.get("source_ip")))))
    except _RefusedError as error:
        return Event("mapping", Unusable(error.status, error.words, "GET", "/", "mode="))


# --- values


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return _clean(value) if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """JSON can hold halves of characters that no encoding takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
