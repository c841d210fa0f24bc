"""HTTP as values: what a runtime hands to a protocol, and what it gets back. No sockets here.

A runtime turns what its host calls a request into `Request`, and `Response` back into that. The client's address is
settled here as well: `client_address` is the only place that reads a forwarding header.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from homing.core.addresses import parse_address
from homing.core.errors import InvalidAddress, InvalidInput
from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from homing.core.addresses import Address, Network

_PLAIN = re.compile(r"[!-$&-*,-~]*")  # printable ASCII but for blank, % and +
MAX_PARAMETERS = 100
"""More form fields than this in one request is refused; the richest known client sends nine."""


class BadRequest(InvalidInput):
    """The request is no request of any protocol here. The text is for the log."""


@frozen(slots=False)
class Request:
    """One HTTP request. `peer` is the address of the other end of the connection, never one out of a header."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the order they came, repeated ones repeated."""
    body: bytes
    peer: Address

    def header(self, name: str) -> str | None:
        """Return the only value of a header, or None.

        Raises BadRequest when it stands there twice: whoever reads the other one would decide differently.
        """
        found = [value for key, value in self.headers if key == name]
        if len(found) > 1:
            raise BadRequest(f"header {name} is given {len(found)} times")
        return found[0] if found else None

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of the query, then those of a form body, which never override the query's.

        Raises BadRequest for a parameter given twice with different values, and for more than MAX_PARAMETERS.
        """
        pairs = _parse_parameters(self.query)
        if self.body and _is_form(self.header("content-type")):
            pairs += _parse_parameters(self.body.decode("utf-8", "replace"))
        merged: dict[str, str] = {}
        for name, value in pairs:
            if merged.setdefault(name, value) != value:
                raise BadRequest(f"parameter {name[:40]!r} is given twice with different values")
        return merged

    @cached_property
    def credentials(self) -> Credentials | None:
        """What the Authorization header says, or None."""
        return parse_authorization(self.header("authorization"))

    def json(self) -> Any:
        """Parse the body as JSON. Raises BadRequest, also for what nests deeper than any request of ours."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise BadRequest("the body is not JSON") from None


@frozen
class Response:
    """One HTTP answer. Content-Length is the runtime's to add: always, since old clients misread chunks."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    log: Mapping[str, object] = field(default_factory=dict)
    """Who, host, outcome, address: for the access log. Never a secret."""


@frozen
class Credentials:
    """What a client says it is. `username` is empty for a bearer token."""

    username: str
    password: str = field(repr=False)


def text(status: int, body: str, **log: object) -> Response:
    """Make a plain text answer."""
    return Response(status, body.encode(), log=log)


def json_response(status: int, value: object, **log: object) -> Response:
    """Make a JSON answer with Python's default separators, which the awslabs PowerShell client counts on."""
    return Response(status, json.dumps(value).encode(), "application/json", log=log)


def parse_authorization(value: str | None) -> Credentials | None:
    """Parse Basic (RFC 7617: any case, UTF-8, split at the first colon), Bearer (RFC 6750) or deSEC's `Token`.

    What cannot be read counts as no credentials, so that the client is challenged.
    """
    if value is None:
        return None
    scheme, _, rest = value.strip().partition(" ")
    scheme, rest = scheme.lower(), rest.strip()
    if scheme in ("bearer", "token") and rest:
        return Credentials("", rest)
    if scheme != "basic":
        return None
    try:
        username, colon, password = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return Credentials(username, password) if colon else None


def client_address(peer: Address, headers: Sequence[tuple[str, str]], trusted_proxies: Sequence[Network]) -> Address:
    """Return the client's address: the peer's, unless the peer is a trusted proxy.

    X-Forwarded-For is then walked from the right, over trusted proxies, to the first address that is not one. Raises
    BadRequest if the header stands there twice or the walk meets something that is no address: a guess would let one
    client speak for another.
    """
    if not _is_within(peer, trusted_proxies):
        return peer
    values = [value for name, value in headers if name == "x-forwarded-for"]
    if len(values) > 1:
        raise BadRequest("X-Forwarded-For is given twice")
    address = peer
    for entry in reversed(values[0].split(",") if values else []):
        try:
            address = parse_address(entry.strip())
        except InvalidAddress:
            raise BadRequest("X-Forwarded-For holds something that is no address") from None
        if not _is_within(address, trusted_proxies):
            break
    return address


def _is_within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _is_form(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"


def _parse_parameters(raw: str) -> list[tuple[str, str]]:
    if _PLAIN.fullmatch(raw) and raw.count("&") < MAX_PARAMETERS:  # parse_qsl would return the same, and take longer
        return [(name, value) for name, _, value in (pair.partition("=") for pair in raw.split("&") if pair)]
    try:
        return parse_qsl(raw, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise BadRequest(f"more than {MAX_PARAMETERS} parameters") from None
