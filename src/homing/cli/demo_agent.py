"""The agent's part of `homing demo`: a real `homing run` whose address is what a file says, so that anyone can move it.

To give an interface another address needs rights that a demo should not ask for. A file stands in for it, and a signal
for the kernel's word: what a DHCP client's hook would send.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIRST, SECOND, THIRD = "127.0.0.9", "127.0.0.10", "127.0.0.11"
PATIENCE = 15.0
"""Seconds until a demo gives up: a slow machine may need one to start Python."""


class DemoAgent:
    """`homing run` as a process beside the server."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.settings_file = folder / "agent.toml"
        self.address_file = folder / "address"
        self.log_file = folder / "agent.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of its process, while it runs."""
        return self._process.pid if self._process else 0

    def write_settings(self, server: str, secret: str, dns_port: int, authority: Path | None) -> None:
        """Write what any agent is told, with the secret in it; so only its owner may read it."""
        trusted = f'ca_file = "{authority}"\n' if authority and server.startswith("https") else ""
        self.settings_file.touch(mode=0o600)
        self.settings_file.write_text(f"""\
[client]
server = "{server}"
names = ["{self.name}"]
secret = "{secret}"
ipv4 = "command:cat {self.address_file}"
ipv4_only = true
allow_internal = true
dns_server = "127.0.0.1:{dns_port}"
{trusted}
[agent]
state_file = "{self.settings_file.with_name("agent.json")}"
""")

    def start(self, address: str) -> None:
        """Start it with an address. What the environment says about clients is not meant for it."""
        self.address_file.write_text(address + "\n")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOMING_")}
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this program
                [sys.executable, "-m", "homing", "run", "--config", str(self.settings_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def move(self, address: str) -> None:
        """Change its address and tell it, as a DHCP client's hook would."""
        self.address_file.write_text(address + "\n")
        os.kill(self.pid, signal.SIGUSR1)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """Return the end of what it has logged."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-5:])


@contextlib.contextmanager
def ending(agent: DemoAgent) -> Iterator[DemoAgent]:
    """Have the agent end with the block."""
    try:
        yield agent
    finally:
        agent.stop()


def show_agent(agent: DemoAgent, ask: Callable[[str], str | None]) -> None:
    """Start the agent, change its address, and see the name follow. Raises ClickException if it does not."""
    click.echo(f"\n{'agent':12} homing run --config {agent.settings_file}")
    agent.start(FIRST)
    _show_following(agent, ask, FIRST, time.monotonic())
    began = time.monotonic()
    agent.move(SECOND)
    click.echo(f"{'address':12} {FIRST} becomes {SECOND} (a file stands in for the interface)")
    _show_following(agent, ask, SECOND, began)


def _show_following(agent: DemoAgent, ask: Callable[[str], str | None], address: str, began: float) -> None:
    while ask(agent.name) != address:
        if time.monotonic() > began + PATIENCE:
            raise click.ClickException(f"DNS does not follow the agent, which says:\n{agent.last_words()}")
        time.sleep(0.01)
    click.echo(f"{'DNS follows':12} {agent.name} {address} after {time.monotonic() - began:.2f} s")


def agent_lines(agent: DemoAgent, dns_port: int) -> str:
    """Return lines to paste that move the agent's address again."""
    return f"""\
# the agent, which is running: give it another address, and the name follows
echo {THIRD} > {agent.address_file}; kill -USR1 {agent.pid}; sleep 1
dig @127.0.0.1 -p {dns_port} {agent.name} +short
tail -n 3 {agent.log_file}
"""
