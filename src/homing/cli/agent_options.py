"""What `homing run` and `homing service install` are both told: names, the account, and the settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from homing.settings.client import PROTOCOLS

_FILE = click.Path(path_type=Path)


def agent_options(command: Any) -> Any:
    """Add the names, and the options of an agent that has no settings file."""
    for option in reversed(
        [
            click.argument("names", nargs=-1, metavar="[NAME]..."),
            click.option("--server", help="The server's URL."),
            click.option(
                "--protocol", type=click.Choice(PROTOCOLS), help="How the server is spoken to: signed if unset."
            ),
            click.option("--secret-file", type=_FILE, help="A file with the secret, password or token."),
            click.option("--username", help="dyndns2: the user, if it is not the name itself."),
            click.option("--interface", "of_interface", help="Take the addresses of this interface."),
            click.option("--ipv4-only", is_flag=True, help="Leave IPv6 alone."),
            click.option("--ipv6-only", is_flag=True, help="Leave IPv4 alone."),
            click.option("--allow-internal", is_flag=True, help="Take an address that is not global too."),
            click.option("--ca-file", type=_FILE, help="Certificates (PEM) that are trusted too."),
            click.option("--dns-server", help="Whom to ask what DNS shows: ADDRESS or ADDRESS:PORT."),
            click.option("--config", type=_FILE, help="The settings file, homing.toml."),
        ]
    ):
        command = option(command)
    return command
