"""What the ways into Lambda have in common: headers and parameters as events hold them, and results as answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from local_aws.http_server import HttpAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from local_aws.http_server import HttpRequest

REMAPPED = "x-amzn-Remapped-WWW-Authenticate"
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")


def parse_pairs(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a query, decoded."""
    return parse_qsl(query, keep_blank_values=True)


def join_values(pairs: Iterable[tuple[str, str]], *, lower: bool = True) -> dict[str, str]:
    """Join the values of one name with commas, as format 2.0 does."""
    return {name: ",".join(values) for name, values in group_values(pairs, lower=lower).items()}


def group_values(pairs: Iterable[tuple[str, str]], *, lower: bool = False) -> dict[str, list[str]]:
    """Gather the values of each name."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name.lower() if lower else name, []).append(value)
    return grouped


def without(headers: Iterable[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    """Leave one header out, whatever its case."""
    return [(key, value) for key, value in headers if key.lower() != name]


def forwarded_headers(request: HttpRequest, host: str) -> dict[str, str]:
    """Return what is added: the peer stands last in X-Forwarded-For, behind whatever the client wrote."""
    before = request.header("x-forwarded-for")
    chain = f"{before}, {request.peer}" if before else request.peer
    return {"x-forwarded-for": chain, "x-forwarded-port": "443", "x-forwarded-proto": "https"} | (
        {"host": host} if host else {}
    )


def is_text(request: HttpRequest) -> bool:
    """Tell whether a body is handed on as text rather than in base64."""
    return (request.header("content-type") or "text/plain").startswith(_TEXT)


def body_fields(request: HttpRequest, *, binary: bool) -> dict[str, Any]:
    """Return the fields of an event that hold the body, if there is one."""
    if not request.body:
        return {}
    if binary:
        return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}
    return {"body": request.body.decode("utf-8", "replace")}


def server_error(status: int, error: str) -> HttpAnswer:
    """Return what a front says where the function came to nothing."""
    return HttpAnswer(status, b"Internal Server Error", (("x-amzn-ErrorType", error or "InternalFailure"),))


def to_answer(
    value: Mapping[str, Any], headers: object, multiple: Mapping[str, Sequence[object]] | None = None
) -> HttpAnswer | None:
    """Return the answer that a response object stands for, or None where Lambda's front would refuse it."""
    status, body = value.get("statusCode"), value.get("body", "")
    if not (isinstance(status, int) and isinstance(body, str | None) and isinstance(headers, dict | None)):
        return None
    single: Mapping[str, Any] = headers or {}
    if any(not isinstance(one, str | int | bool) for one in single.values()):
        return None
    pairs = [(name, str(one)) for name, one in single.items()]
    pairs += [(name, str(one)) for name, several in (multiple or {}).items() for one in several]
    text = body or ""
    try:
        content = base64.b64decode(text, validate=True) if value.get("isBase64Encoded") else text.encode()
    except ValueError:
        return None
    kept = tuple((name, one) for name, one in pairs if name.lower() not in ("content-length", "connection"))
    return HttpAnswer(status, content, kept)


def rename_challenge(answer: HttpAnswer) -> HttpAnswer:
    """Rename the challenge, as API Gateway does, and function URLs are taken to do."""
    headers = tuple((REMAPPED if name.lower() == "www-authenticate" else name, one) for name, one in answer.headers)
    return HttpAnswer(answer.status, answer.body, headers)
