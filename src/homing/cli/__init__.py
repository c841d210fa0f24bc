"""The command line: parse, call, print. No decision is taken here, and nothing else prints.

Exit codes: 0 done, 1 refused or failed, 2 usage, 3 temporary (try again).
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from homing import __version__
from homing.core.errors import HomingError, PublishError, StoreUnavailable

_COMMANDS = {
    "demo": ("homing.cli.demo:demo", "A server on loopback, one real update, and lines to paste."),
    "serve": ("homing.cli.serve:serve", "Serve HTTP and DNS."),
    "host": ("homing.cli.hosts:host", "Make, change, lock, rotate and remove hosts."),
    "account": ("homing.cli.accounts:account", "dyndns2 users with several hosts."),
    "token": ("homing.cli.accounts:token", "A ddupdate token."),
    "import": ("homing.cli.tables:import_", "Take over the tables of another system, or a client's file."),
    "export": ("homing.cli.tables:export", "Write every row out, secrets included."),
    "backup": ("homing.cli.tables:backup", "Copy the store while the server runs."),
    "reconcile": ("homing.cli.tables:reconcile", "Compare the store with DNS, and repair."),
    "ip": ("homing.cli.client:ip", "This machine's addresses, as the server sees them."),
    "update": ("homing.cli.client:update", "Bring names up to date, once."),
    "run": ("homing.cli.run:run", "Watch this machine's addresses and keep names right."),
    "lan": ("homing.cli.lan:lan", "Names for the other machines on this network."),
    "service": ("homing.cli.service:service", "Have the agent started at boot, by systemd, launchd or cron."),
    "aws": ("homing.cli.aws:aws", "The serverless stack on AWS."),
    "config": ("homing.cli.config:config", "Every setting, its value and where it came from."),
}


_SERVER = "the server is not installed: pip install 'homing[server]'"
_AWS = "what talks to AWS is not installed: pip install 'homing[aws]'"
_EXTRAS = {"starlette": _SERVER, "uvicorn": _SERVER, "boto3": _AWS, "botocore": _AWS}


class Commands(click.Group):
    """Imports a command when it is called: `homing ip` does not wait for the server's libraries."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order in which a newcomer meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="homing")
def cli() -> None:
    """Dynamic DNS on your own domain: your address moves, your name stays.

    \b
    First steps on one machine:
      homing serve --zone home.example
      homing host add cam.home.example
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; turn an error on purpose into one line and an exit code."""
    try:
        return cli.main(args=arguments, prog_name="homing")
    except ModuleNotFoundError as error:
        missing = _EXTRAS.get((error.name or "").partition(".")[0])
        if missing is None:
            raise
        click.echo(f"homing: {missing}", err=True)
        sys.exit(1)
    except HomingError as error:
        for line in str(error).splitlines():
            click.echo(f"homing: {line}", err=True)
        sys.exit(3 if isinstance(error, StoreUnavailable | PublishError) else 1)
