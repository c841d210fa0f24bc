"""homing account, homing token: credentials besides a host's own secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from homing.cli.options import Hostname, desk, json_option, print_json, print_table, store_options

if TYPE_CHECKING:
    from pathlib import Path

    from homing.core.names import Name


@click.group()
def account() -> None:
    """Keep dyndns2 users with several hosts.

    \b
    Example:
      homing account add alice cam.home.example nas.home.example
    """


@account.command("add")
@click.argument("username")
@click.argument("names", type=Hostname(), nargs=-1, required=True)
@click.option("--comment", default="", help="For people.")
@store_options
@json_option
def add(
    username: str, names: tuple[Name, ...], comment: str, config: Path | None, database: Path | None, as_json: bool
) -> None:
    """Make an account for hosts that exist; print its password once."""
    with desk(config, database) as opened:
        made, password = opened.administration.add_account(username, names, comment)
    if as_json:
        print_json({"username": made.username, "hostnames": list(made.hostnames), "password": password})
        return
    click.echo(f"{username} may update {', '.join(name.rstrip('.') for name in names)}.")
    click.echo(f"The password, shown this once and kept nowhere:\n\n  {password}\n")


@account.command("set")
@click.argument("username")
@click.argument("names", type=Hostname(), nargs=-1, required=True)
@store_options
@json_option
def set_(username: str, names: tuple[Name, ...], config: Path | None, database: Path | None, as_json: bool) -> None:
    """Say anew which hosts an account may update; its password stays."""
    with desk(config, database) as opened:
        changed = opened.administration.set_account(username, names)
    if as_json:
        print_json({"username": changed.username, "hostnames": list(changed.hostnames)})
    else:
        click.echo(f"{username} may update {', '.join(name.rstrip('.') for name in names)}.")


@account.command("list")
@store_options
@json_option
def list_(config: Path | None, database: Path | None, as_json: bool) -> None:
    """List every account."""
    with desk(config, database) as opened:
        accounts = list(opened.administration.accounts())
    if as_json:
        print_json(
            [{"username": one.username, "hostnames": list(one.hostnames), "comment": one.comment} for one in accounts]
        )
        return
    rows = [(one.username, ", ".join(name.rstrip(".") for name in one.hostnames), one.comment) for one in accounts]
    print_table(("USER", "HOSTS", "COMMENT"), rows)


@account.command("remove")
@click.argument("username")
@store_options
@json_option
def remove(username: str, config: Path | None, database: Path | None, as_json: bool) -> None:
    """Remove an account; its hosts stay."""
    with desk(config, database) as opened:
        removed = opened.administration.remove_account(username)
    if as_json:
        print_json({"username": removed.username, "hostnames": list(removed.hostnames)})
    else:
        click.echo(f"{username} removed")


@click.command()
@click.argument("fqdn", type=Hostname())
@store_options
@json_option
def token(fqdn: Name, config: Path | None, database: Path | None, as_json: bool) -> None:
    """Print what a ddupdate client needs for a name. The name need not be a host yet.

    \b
    Example:
      homing token cam.home.example
    """
    with desk(config, database) as opened:
        zone_id, text = opened.administration.token(fqdn, opened.zone_ids, opened.token_key)
    if as_json:
        print_json({"fqdn": fqdn.rstrip("."), "zoneid": zone_id, "token": text})
        return
    click.echo(f"[{fqdn.rstrip('.')}]\nurl = https://YOUR-SERVER/\ntoken = {text}\nzoneid = {zone_id}")
