"""What is my address: Dyn's checkip page, a bare line, and JSON.

Readers of the page take the first thing that looks like an address, some of them with the headers in view; so no
other dotted quad, and no other ": ", may stand before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.protocols.http import Response, json_response, text

if TYPE_CHECKING:
    from homing.core.addresses import Address

_PAGE = "<html><head><title>Current IP Check</title></head><body>Current IP Address: {}</body></html>\r\n"


def checkip(address: Address) -> Response:
    """Answer as checkip.dyndns.com does."""
    headers = (("cache-control", "no-cache"), ("pragma", "no-cache"))
    return Response(200, _PAGE.format(address).encode(), "text/html", headers)


def bare(address: Address) -> Response:
    """Answer the address and a newline."""
    return text(200, f"{address}\n")


def as_json(address: Address) -> Response:
    """Answer `{"address": ...}`, for clients that would rather not guess."""
    return json_response(200, {"address": str(address)})
