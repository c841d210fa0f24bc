"""homing run: the agent, which sees addresses change and keeps names right, until it is told to stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from homing.cli.agent_options import agent_options
from homing.runtimes.agent.log import LEVELS, Level


@click.command()
@agent_options
@click.option("--interval", help="Between two looks where nothing tells of a change: 300, 5m.")
@click.option("--state-file", type=click.Path(path_type=Path), help="Where it keeps what it knows.")
@click.option("--ping-url", help="Fetched while all is well, and with /fail behind it when something is not.")
@click.option("--on-change", help="A command to run after a name has got another address.")
@click.option("--on-failure", help="A command to run when a name cannot be kept right.")
@click.option("--on-recovery", help="A command to run when all names are right again.")
@click.option(
    "--lan", is_flag=True, default=None, help="Keep the other names of the group right too: homing lan --watch."
)
@click.option("--log-level", type=click.Choice(LEVELS), default="info", help="What is logged.")
def run(config: Path | None, log_level: Level, **given: Any) -> None:
    """Watch this machine's addresses and keep names right, until SIGTERM.

    SIGHUP reads the settings again, SIGUSR1 updates at once. Names, server and secret come from [client] of
    homing.toml, HOMING_CLIENT_... or these options; hooks and the ping URL from [agent], HOMING_AGENT_... likewise.
    With --lan it looks after the other machines on this network too, as [lan] says: see homing lan --help.

    \b
    Example:
      homing run cam.home.example --server https://ddns.example.com --secret-file cam.secret
      homing run --config /etc/homing/homing.toml --lan
    """
    from homing.cli.lan import usable
    from homing.core.values import replace
    from homing.runtimes.agent.accounts import Orders, errands_of
    from homing.runtimes.agent.process import become_agent
    from homing.settings.agent import READERS, default_state_file, load_agent
    from homing.settings.client_loading import load_client
    from homing.settings.lan import load_lan

    flags = {name: value for name, value in given.items() if name not in READERS}
    if interface := flags.pop("of_interface", None):
        flags |= {"ipv4": f"interface:{interface}", "ipv6": f"interface:{interface}"}
    loaded = load_client(flags, file=config)
    for warning in loaded.warnings:
        click.echo(f"homing: {warning}", err=True)
    agent = load_agent({name: given[name] for name in READERS if name in given}, file=config)
    path = agent.state_file or default_state_file(os.environ)
    for account in loaded.accounts:
        click.echo(f"homing keeps {', '.join(account.names)} right at {account.server or account.protocol}", err=True)
    orders = Orders(errands_of(agent), loaded.accounts, path, log_level)
    if agent.lan:
        orders = replace(orders, lan=load_lan(file=config), lan_accounts=tuple(usable(loaded)))
        click.echo(
            f"homing keeps the names of the network right, with the group of {orders.lan_accounts[0].names[0]}",
            err=True,
        )
    become_agent(orders, sys.argv[1:])
