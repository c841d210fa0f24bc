"""One HTTP exchange with an update server. Never follows a redirect: it would carry a secret somewhere else."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homing.core.errors import HomingError, InvalidInput

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read; no answer of any protocol is longer."""


class ServerUnreachable(HomingError):
    """No answer came from the server. Whether the update was done is not known."""


def send(
    url: str,
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    timeout: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """Return status and body. `timeout` is in seconds. Raises ServerUnreachable, and InvalidInput for the URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"{url!r} is no http or https URL")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=tls)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body or None, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        raise ServerUnreachable(f"{parts.hostname}: {str(error) or type(error).__name__}") from None
    finally:
        connection.close()
