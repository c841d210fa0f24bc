"""The event that each way into Lambda makes of an HTTP request, and what it makes of the function's result.

One class for each way. Sources: docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html (function URL),
.../apigateway/latest/developerguide/http-api-develop-integrations-lambda.html (HTTP API, format 2.0),
.../set-up-lambda-proxy-integrations.html (REST API), .../lambda/latest/dg/services-alb.html and
.../elasticloadbalancing/latest/application/lambda-functions.html (ALB). Nothing here opens a socket.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from local_aws.event_parts import (
    REMAPPED,
    body_fields,
    forwarded_headers,
    group_values,
    is_text,
    join_values,
    parse_pairs,
    rename_challenge,
    server_error,
    to_answer,
    without,
)
from local_aws.http_server import HttpAnswer

if TYPE_CHECKING:
    from local_aws.execution import Invoked
    from local_aws.http_server import HttpRequest

EDGE = "130.176.98.16"
"""Where CloudFront seems to come from: an edge, never the viewer."""
ORIGIN_SECRET_HEADER = "x-homing-origin-verify"
VIEWER_HEADER = "x-ddns-viewer-ip"
STAGE = "prod"
_SERVER_ERROR = b'{"message": "Internal server error"}'


class EventKind(Protocol):
    """One way into Lambda."""

    def event(self, request: HttpRequest) -> dict[str, Any]:
        """Make the event."""
        ...

    def answer(self, result: Invoked) -> HttpAnswer:
        """Make the answer; 500 or 502 where the function failed or its result is not of this way's form."""
        ...


@dataclass(frozen=True)
class FunctionUrl:
    """A function URL: payload format 2.0, the whole path, no stage."""

    domain: str = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws"
    stage: str = "$default"
    failure_status: int = 502

    def event(self, request: HttpRequest) -> dict[str, Any]:
        """Make an event of format 2.0."""
        path, _, query = request.target.partition("?")
        headers = join_values(request.headers) | forwarded_headers(request, self.domain)
        cookies = [one.strip() for one in headers.pop("cookie", "").split(";") if one.strip()]
        http = {
            "method": request.method,
            "path": unquote(path),
            "protocol": request.version,
            "sourceIp": request.peer,
            "userAgent": headers.get("user-agent", ""),
        }
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": unquote(path),
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "accountId": "anonymous",
                "apiId": self.domain.partition(".")[0],
                "domainName": self.domain,
                "domainPrefix": self.domain.partition(".")[0],
                "http": http,
                "requestId": "0b6f0a8e-0000-4000-8000-000000000000",
                "routeKey": "$default",
                "stage": self.stage,
                "time": "21/Nov/2026:12:00:00 +0000",
                "timeEpoch": 1795262400000,
            },
            "isBase64Encoded": False,
        }
        if query:
            event["queryStringParameters"] = join_values(parse_pairs(query), lower=False)
        if cookies:
            event["cookies"] = cookies
        return event | body_fields(request, binary=not is_text(request))

    def answer(self, result: Invoked) -> HttpAnswer:
        """Take a response object, or anything else as the body itself."""
        if result.error is not None:
            return server_error(self.failure_status, result.error)
        value = json.loads(result.payload or b"null")
        if not (isinstance(value, dict) and "statusCode" in value):
            return HttpAnswer(200, result.payload, (("content-type", "application/json"),))
        answer = to_answer(value, value.get("headers"))
        return server_error(self.failure_status, "") if answer is None else rename_challenge(answer)


@dataclass(frozen=True)
class HttpApi(FunctionUrl):
    """An HTTP API: payload format 2.0; a named stage stands in the path."""

    domain: str = "abc1234567.execute-api.eu-central-1.amazonaws.com"
    failure_status: int = 500


@dataclass(frozen=True)
class RestApi:
    """A REST API with Lambda proxy integration: payload format 1.0; the path is without its stage."""

    stage: str = STAGE
    domain: str = "abc1234567.execute-api.eu-central-1.amazonaws.com"

    def event(self, request: HttpRequest) -> dict[str, Any]:
        """Make an event of format 1.0."""
        path, _, query = request.target.partition("?")
        inner = unquote(path).removeprefix(f"/{self.stage}") or "/"
        headers = (*without(request.headers, "x-forwarded-for"), *forwarded_headers(request, self.domain).items())
        return {
            "resource": "/" if inner == "/" else "/{proxy+}",
            "path": inner,
            "httpMethod": request.method,
            "headers": dict(headers) or None,
            "multiValueHeaders": group_values(headers) or None,
            "queryStringParameters": dict(parse_pairs(query)) or None,
            "multiValueQueryStringParameters": group_values(parse_pairs(query)) or None,
            "pathParameters": None if inner == "/" else {"proxy": inner[1:]},
            "stageVariables": None,
            "requestContext": {
                "resourcePath": "/" if inner == "/" else "/{proxy+}",
                "httpMethod": request.method,
                "path": unquote(path),
                "accountId": "123456789012",
                "protocol": request.version,
                "stage": self.stage,
                "domainName": self.domain,
                "apiId": self.domain.partition(".")[0],
                "requestTimeEpoch": 1795262400000,
                "identity": {"sourceIp": request.peer, "userAgent": request.header("user-agent"), "apiKey": None},
            },
        } | ({"isBase64Encoded": False, "body": None} | body_fields(request, binary=False))

    def answer(self, result: Invoked) -> HttpAnswer:
        """Take a response object only."""
        value = json.loads(result.payload or b"null") if result.error is None else None
        if not isinstance(value, dict):
            return HttpAnswer(502, _SERVER_ERROR, (("x-amzn-ErrorType", "InternalServerErrorException"),))
        multiple = value.get("multiValueHeaders") or {}
        answer = to_answer(value, value.get("headers"), multiple)
        return HttpAnswer(502, _SERVER_ERROR) if answer is None else rename_challenge(answer)


@dataclass(frozen=True)
class AwslabsMapping:
    """The REST API of awslabs v2: a velocity template makes the event, and the result itself is the body."""

    stage: str = STAGE

    def event(self, request: HttpRequest) -> dict[str, Any]:
        """Fill the template in; what was not given is empty text."""
        pairs = dict(parse_pairs(request.target.partition("?")[2]))
        shown = ", ".join(f"{name}={value}" for name, value in pairs.items())
        return {
            "execution_mode": pairs.get("mode", ""),
            "source_ip": request.peer,
            "internal_ip": pairs.get("internalIp", ""),
            "query_string": f"{{{shown}}}",
            "set_hostname": pairs.get("hostname", ""),
            "validation_hash": pairs.get("hash", ""),
            "ipv6_address": pairs.get("ipv6", ""),
        }

    def answer(self, result: Invoked) -> HttpAnswer:
        """Pass on whatever it is, with status 200: the template has one integration response."""
        return HttpAnswer(200, result.payload, (("Content-Type", "application/json"),))


@dataclass(frozen=True)
class LoadBalancer:
    """An ALB with a Lambda target; with `multiple`, in its multi-value mode."""

    multiple: bool = False

    def event(self, request: HttpRequest) -> dict[str, Any]:
        """Make the event of its mode, with the parameters as they stand in the URL."""
        path, _, query = request.target.partition("?")
        raw = [(name, value) for name, _, value in (one.partition("=") for one in query.split("&") if one)]
        headers = [(name.lower(), value) for name, value in without(request.headers, "x-forwarded-for")]
        headers += [
            *forwarded_headers(request, request.header("host") or "").items(),
            ("x-amzn-trace-id", "Root=1-0-0"),
        ]
        event: dict[str, Any] = {
            "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:tg"}},
            "httpMethod": request.method,
            "path": path,
        }
        if self.multiple:
            event |= {"multiValueQueryStringParameters": group_values(raw), "multiValueHeaders": group_values(headers)}
        else:
            event |= {"queryStringParameters": dict(raw), "headers": dict(headers)}
        return event | ({"body": "", "isBase64Encoded": False} | body_fields(request, binary=not is_text(request)))

    def answer(self, result: Invoked) -> HttpAnswer:
        """Take a response object; only the headers of its own mode are read, and nothing is renamed."""
        value = json.loads(result.payload or b"null") if result.error is None else None
        if not isinstance(value, dict):
            return HttpAnswer(502, b"", (("Server", "awselb/2.0"),))
        headers, multiple = (None, value.get("multiValueHeaders")) if self.multiple else (value.get("headers"), None)
        return to_answer(value, headers, multiple or {}) or HttpAnswer(502, b"", (("Server", "awselb/2.0"),))


@dataclass(frozen=True)
class CloudFront:
    """CloudFront in front of a function URL: it names the viewer in a header, and proves itself with a secret."""

    secret: str = field(repr=False)
    origin: FunctionUrl = FunctionUrl()

    def event(self, request: HttpRequest) -> dict[str, Any]:
        """Make the origin's event, with what CloudFront adds; the peer of the origin is an edge."""
        event = self.origin.event(request)
        event["headers"] |= {VIEWER_HEADER: request.peer, ORIGIN_SECRET_HEADER: self.secret}
        event["headers"]["x-forwarded-for"] += f", {EDGE}"
        event["requestContext"]["http"]["sourceIp"] = EDGE
        return event

    def answer(self, result: Invoked) -> HttpAnswer:
        """Answer as the origin does; a viewer-response function gives the challenge its name back."""
        answer = self.origin.answer(result)
        headers = tuple(("WWW-Authenticate" if name == REMAPPED else name, value) for name, value in answer.headers)
        return HttpAnswer(answer.status, answer.body, headers)
