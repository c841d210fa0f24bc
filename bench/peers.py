"""What Homing is compared with: the same stack answering a constant, and a bare UDP echo.

python -m bench.peers constant PORT
python -m bench.peers echo PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, cast

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request


async def good(_: Request) -> PlainTextResponse:
    return PlainTextResponse("good 203.0.113.7\n")


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # uvloop's own class is none

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        # The QR bit is set, or a DNS client would not take it for an answer.
        self._transport.sendto(data[:2] + bytes((data[2] | 0x80,)) + data[3:], addr)


async def echo(port: int) -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=("127.0.0.1", port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    name, port = sys.argv[1], int(sys.argv[2])
    if name == "constant":
        application = Starlette(routes=[Route("/nic/update", good)])
        uvicorn.run(application, host="127.0.0.1", port=port, log_level="error", access_log=False)
    else:
        uvloop.run(echo(port))
