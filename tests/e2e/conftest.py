"""What the end-to-end tests share: a server on loopback, and one in a namespace with public-looking addresses."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.e2e.namespaces import PUBLIC, SERVER_4, SERVER_6, Namespace, namespace
from tests.e2e.programs import Server, serving

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ZONE = "home.test"
_numbers = count(1)


@dataclass(frozen=True)
class Inside:
    """A server in a namespace of its own, on the usual ports, and how to run its clients there."""

    namespace: Namespace
    server: Server
    folder: Path

    def run(self, *command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a client in the namespace."""
        return self.namespace.run(command, self.folder, stdin)

    def ok(self, *command: str | Path, stdin: str = "") -> str:
        """Run a client that must end well; return what it prints."""
        done = self.run(*command, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on loopback, for the zone home.test."""
    with serving(tmp_path_factory.mktemp("server"), "--zone", ZONE) as running:
        yield running


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A server in a namespace, on port 80 and 53 of an IPv4 and an IPv6 address."""
    folder = tmp_path_factory.mktemp("inside")
    with namespace() as network, serving(folder, *inside_flags(), prefix=network.prefix, loopback=False) as running:
        yield Inside(network, running, folder)


def inside_flags(zone: str = ZONE) -> Sequence[str]:
    listen = ("--http-listen", f"{SERVER_4}:80", "--http-listen", f"[{SERVER_6}]:80",
              "--dns-listen", f"{SERVER_4}:53", "--dns-listen", f"[{SERVER_6}]:53")  # fmt: skip
    public = [word for network in PUBLIC for word in ("--public-networks", network)]
    return ("--zone", zone, *listen, *public)


@pytest.fixture
def name() -> str:
    """A host name that no other test uses."""
    return f"h{next(_numbers)}.{ZONE}"
