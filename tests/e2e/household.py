"""A household: a host on a running server, what its owner enters for it, and what the server then shows."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.devices import Answer, fill
from tests.e2e.programs import serving
from tests.e2e.send_raw import exchange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.e2e.programs import Server

HOST, SERVER_NAME = "cam.home.example", "ddns.home.example"
"""The names that the pages have for the host and for the server."""
_GLOBAL = ("127.0.0.0/8", "203.0.113.0/24", "2001:db8::/32")
"""What the server takes for global, so that a device's address can be the one that its request comes from."""


@dataclass(frozen=True)
class Household:
    """A host of its own on a running server, and what its owner enters for it."""

    server: Server
    name: str
    secret: str

    def enter(self, fields: Mapping[str, str], secret: str = "") -> dict[str, str]:
        """Return the fields with what the owner puts in for the words of the page."""
        words = {HOST: self.name, "the secret": secret or self.secret}
        return {field: fill(text, words) for field, text in fields.items()}

    def send(self, request: bytes) -> Answer:
        """Send bytes to the server, whatever name the page has for it."""
        assert re.search(rf"\r\nHost: {SERVER_NAME.replace('.', '4?[.]', 1)}\r\n", request.decode()), request
        return send(self.server, request)

    def shown(self) -> tuple[str | None, str | None]:
        """Return the addresses that the host has."""
        rows = {row["record_type"]: row["ip_address"] for row in self.server.ask_json("host", "show", self.name)}
        return rows["A"], rows["AAAA"]


def send(server: Server, request: bytes) -> Answer:
    place = server.http[0]
    head, _, body = exchange("127.0.0.1", place.host, place.port, request).partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in rest)
    return Answer(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body.decode())


@contextmanager
def recipes_server(folder: Path, *flags: str) -> Iterator[Server]:
    """Have a server for the zone of the pages."""
    public = [word for network in _GLOBAL for word in ("--public-networks", network)]
    with serving(folder, "--zone", "home.example", *public, *flags) as server:
        yield server


@contextmanager
def household(server: Server) -> Iterator[Household]:
    """Have the host of the pages for a while."""
    yield Household(server, HOST, server.add_host(HOST))
    assert server.homing("host", "remove", HOST).returncode == 0


def here(home: Household, text: str, secret: str = "") -> str:
    """Fill in what the reader does, and where the server really is."""
    text = text.replace("https://", "http://").replace("the secret", secret or home.secret)
    return re.sub(r"ddns[46]?\.home\.example", str(home.server.http[0]), text)
