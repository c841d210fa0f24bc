"""Signature Version 4, as the receiving side sees it (IAM User Guide, "Create a signed AWS API request").

The form of the Authorization header is always checked: credential scope `<day>/us-east-1/route53/aws4_request`, and the
signed headers host and x-amz-date. The signature itself is checked where the secret is known.
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from local_aws.route53.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_SCOPE = ("us-east-1", "route53")
_SKEW_SECONDS = 300.0


def check_signature(
    method: str, target: str, headers: Mapping[str, str], body: bytes, secrets: Mapping[str, str] | None, now: float
) -> None:
    """Raises ApiError if the request is not signed as it has to be. Header names are lower-case; secrets by key id."""
    if "authorization" not in headers:
        raise ApiError("MissingAuthenticationToken", "Missing Authentication Token", status=403)
    form = _FORM.fullmatch(headers["authorization"])
    if not form:
        raise ApiError("IncompleteSignature", "Authorization header is not a complete Signature Version 4.", status=403)
    key_id, day, region, service, names, signature = form.groups()
    signed = names.split(";")
    stamp = headers.get("x-amz-date", "")
    if (region, service) != _SCOPE:
        raise _mismatch(f"Credential should be scoped to region us-east-1 and service route53, not {region}/{service}.")
    if not {"host", "x-amz-date"} <= set(signed) or not set(signed) <= set(headers) or signed != sorted(signed):
        raise _mismatch("SignedHeaders must name host and x-amz-date, in order, and be sent.")
    if not re.fullmatch(day + r"T\d{6}Z", stamp):
        raise _mismatch("Date in Credential scope does not match YYYYMMDD from X-Amz-Date.")
    if secrets is not None:
        _verify(
            key_id, signature, f"{day}/{region}/{service}/aws4_request", signed, method, target, headers, body, secrets
        )
        _refuse_old(stamp, now)


def _verify(
    key_id: str,
    signature: str,
    scope: str,
    signed: list[str],
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Mapping[str, str],
) -> None:
    if key_id not in secrets:
        text = "The security token included in the request is invalid."
        raise ApiError("InvalidClientTokenId", text, status=403)
    path, _, query = target.partition("?")
    lines = [f"{name}:{' '.join(headers[name].split())}\n" for name in signed]
    request = "\n".join(
        [method, quote(path, safe="/~"), _query(query), "".join(lines), ";".join(signed), sha256(body).hexdigest()]
    )
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secrets[key_id]}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), sha256).digest()
    if not hmac.compare_digest(key.hex(), signature):
        text = "The request signature we calculated does not match the signature you provided."
        raise ApiError("SignatureDoesNotMatch", text, status=403)


def _query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&") if part)
    encoded = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")) for name, _, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


def _refuse_old(stamp: str, now: float) -> None:
    at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    if abs(at - now) > _SKEW_SECONDS:
        raise _mismatch(f"Signature expired or not yet valid: {stamp}")


def _mismatch(text: str) -> ApiError:
    return ApiError("SignatureDoesNotMatch", text, status=403)
