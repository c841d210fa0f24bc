"""AWS Signature Version 4 of a request, in its Authorization header. Pure: the time is an argument.

The rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
Path and query are signed as they are sent, so whoever builds them encodes them (`quote`, `render_query`). No path here
has empty or dot segments, which AWS would have normalised.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote as _quote

from homing.core.errors import InvalidSettings
from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALGORITHM = "AWS4-HMAC-SHA256"
_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@frozen
class Credentials:
    """What a caller proves itself with. The token goes with temporary credentials."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def credentials_from(environment: Mapping[str, str]) -> Credentials:
    """Return the credentials that Lambda puts in the environment. Raises InvalidSettings, without any value."""
    return _checked(*[environment.get(name, "") for name in _NAMES])


@lru_cache(maxsize=2)  # they are asked for with every call, and change with the process
def _checked(*values: str) -> Credentials:
    problems = [f"{name} is not set" for name, value in zip(_NAMES[:2], values[:2], strict=True) if not value]
    problems += [f"{name} holds a blank or another character that no header may hold"
                 for name, value in zip(_NAMES, values, strict=True) if not is_visible(value)]  # fmt: skip
    if problems:
        raise InvalidSettings(problems)
    return Credentials(values[0], values[1], values[2] or None)


def is_visible(text: str) -> bool:
    """Tell whether the text is printable ASCII without blanks; empty text is."""
    return text.isascii() and text.isprintable() and " " not in text


def quote(text: str) -> str:
    """Percent-encode everything but the unreserved characters of RFC 3986 section 2.3."""
    return _quote(text, safe="-_.~")


def render_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Return the query, encoded and in the order in which it is signed."""
    return "&".join(f"{name}={value}" for name, value in sorted((quote(n), quote(v)) for n, v in parameters))


def sign(
    credentials: Credentials,
    *,
    service: str,
    region: str,
    at: float,
    method: str,
    host: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, str]:
    """Return the headers to send: those given, all of them signed, and Host, X-Amz-Date, the token, Authorization.

    `at` is in seconds since 1970, `host` as it will stand in the Host header, `target` the encoded path and query.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    sent = {"Host": host, "X-Amz-Date": moment, **headers}
    if credentials.token:
        sent["X-Amz-Security-Token"] = credentials.token
    canonical, signed = _canonical_headers(sent)
    path, _, query = target.partition("?")
    digest = hashlib.sha256(body).hexdigest()
    request = "\n".join((method, _quote(path, safe="/~"), _canonical_query(query), canonical, signed, digest))
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = _signing_key(credentials.secret_key, moment[:8], region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    sent["Authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
    )
    return sent


def _canonical_headers(headers: Mapping[str, str]) -> tuple[str, str]:
    pairs = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    return "".join(f"{name}:{value}\n" for name, value in pairs), ";".join(name for name, _ in pairs)


def _canonical_query(query: str) -> str:
    """Sort by name, then by value: not by the text of the pairs, where `a-b=` would come before `a=`."""
    if "&" not in query:
        return query
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


@lru_cache(maxsize=8)
def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret_key).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
