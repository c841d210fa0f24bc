"""Answers in the shape that the event's own front wants, and in the words of the protocol that was spoken. Pure.

API Gateway renames `WWW-Authenticate` to `x-amzn-Remapped-WWW-Authenticate` on its way out, and function URLs are
taken to do so too. It is sent as it is: clients that send their password at once never miss it, and a CloudFront
function can give it its name back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from homing.core.values import replace
from homing.protocols import awslabs, dyndns2
from homing.protocols.http import Response, json_response

if TYPE_CHECKING:
    from homing.protocols.http import Request
    from homing.runtimes.aws_lambda.events import Shape, Unusable

_CRASH_RETRY = 30
"""Seconds."""
_NO_STORE = ("cache-control", "no-store")
_REASONS = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""What ALB wants beside each status (RFC 9110 section 15). `http.HTTPStatus` costs an import."""


def render(response: Response, shape: Shape) -> dict[str, Any]:
    """Wrap an answer as the front of Lambda that made the event wants it. Content-Length is for that to add."""
    body = response.body.decode("utf-8", "replace")
    if shape == "mapping":  # a non-proxy integration: the result itself becomes the body
        return _as_object(body)
    headers = [("content-type", response.content_type), *response.headers]
    if all(name != _NO_STORE[0] for name, _ in headers):
        headers.append(_NO_STORE)
    answer: dict[str, Any] = {"statusCode": response.status, "body": body, "isBase64Encoded": False}
    if shape.endswith("multi"):
        answer["multiValueHeaders"] = {name: [value] for name, value in headers}
    else:
        answer["headers"] = dict(headers)
    if shape.startswith("elb"):
        answer["statusDescription"] = f"{response.status} {_REASONS.get(response.status, 'Unknown')}"
    return answer


def refuse(what: Unusable) -> Response:
    """Answer what is no request that can be answered, in the words of the protocol that it seems to be of."""
    log = {"path": "-", "outcome": what.words}
    if what.status == 503:
        return replace(dyndns2.unavailable(None), log=log | {"outcome": "CloudFront names no viewer"})
    if "/v1/" in what.path:
        return json_response(what.status, {"error": "malformed", "detail": what.words}, **log)
    if _speaks_awslabs(what.path, what.method, what.query):
        is_post = _is_post(what.method, what.query)
        return replace(awslabs.refuse(what.status, what.words, is_post=is_post), log=log)
    headers = (("allow", "GET, HEAD, POST, PUT"),) if what.status == 405 else ()
    return Response(what.status, what.words.encode() + b"\n", headers=headers, log=log)


def apologise(request: Request) -> Response:
    """Answer that nothing is known to have been done: something failed that never should. Every client tries again."""
    if _speaks_awslabs(request.path, request.method, request.query):
        response = awslabs.unavailable(is_post=_is_post(request.method, request.query))
    else:
        response = dyndns2.unavailable(_CRASH_RETRY)
    return replace(response, log={"path": "-", "outcome": "crashed"})


def _speaks_awslabs(path: str, method: str, query: str) -> bool:
    """Tell whether a request is one of the hash API, which is at the root, perhaps behind a stage such as `/prod`."""
    is_at_root = path.strip("/").count("/") == 0 and path.count("/") <= 2
    return is_at_root and (method == "POST" or _has_mode(query)) and "fqdn=" not in query


def _is_post(method: str, query: str) -> bool:
    return method == "POST" and not _has_mode(query)


def _has_mode(query: str) -> bool:
    return "&mode=" in "&" + query


def _as_object(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"return_message": body.strip(), "return_status": "fail"}
