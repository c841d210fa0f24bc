"""homing account, homing token: credentials besides a host's own secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import click

from homing.app.token_keys import take_token_key
from homing.cli.options import Hostname, desk, json_option, print_json, print_table, store_options
from homing.core.errors import Refused

if TYPE_CHECKING:
    from homing.cli.options import Place
    from homing.core.names import Name
    from homing.wiring.desk import Desk


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
def add(username: str, names: tuple[Name, ...], comment: str, place: Place, as_json: bool) -> None:
    """Make an account for hosts that exist; print its password once."""
    with desk(place) as opened:
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
def set_(username: str, names: tuple[Name, ...], place: Place, as_json: bool) -> None:
    """Say anew which hosts an account may update; its password stays."""
    with desk(place) as opened:
        changed = opened.administration.set_account(username, names)
    if as_json:
        print_json({"username": changed.username, "hostnames": list(changed.hostnames)})
    else:
        click.echo(f"{username} may update {', '.join(name.rstrip('.') for name in names)}.")


@account.command("list")
@store_options
@json_option
def list_(place: Place, as_json: bool) -> None:
    """List every account."""
    with desk(place) as opened:
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
def remove(username: str, place: Place, as_json: bool) -> None:
    """Remove an account; its hosts stay."""
    with desk(place) as opened:
        removed = opened.administration.remove_account(username)
    if as_json:
        print_json({"username": removed.username, "hostnames": list(removed.hostnames)})
    else:
        click.echo(f"{username} removed")


@click.command()
@click.argument("fqdn", type=Hostname())
@click.option(
    "--server-secret",
    type=click.File(),
    help="A file with the secret of the server that gave out tokens before: they all work on. - reads standard input.",
)
@store_options
@json_option
def token(fqdn: Name, server_secret: TextIO | None, place: Place, as_json: bool) -> None:
    """Print what a ddupdate client needs for a name. The name need not be a host yet.

    \b
    Example:
      homing token cam.home.example
      homing token cam.home.example --server-secret old-secret.txt
    """
    with desk(place) as opened:
        if server_secret is not None:
            if opened.token_key is not None:
                raise Refused("the settings name the secret already: token_key")
            take_token_key(opened.store, server_secret.read().strip())
        zone_id, text = opened.administration.token(fqdn, opened.zone_ids, opened.token_key)
        if not _can_be_used(opened, fqdn):
            click.echo(
                f"warning: {fqdn.rstrip('.')} is no host, and tokens make none in this stack: `homing host add` it,"
                f" or `homing aws deploy --tokens --stack {place.stack}`",
                err=True,
            )
    if as_json:
        print_json({"fqdn": fqdn.rstrip("."), "zoneid": zone_id, "token": text})
        return
    url = opened.endpoint or "https://YOUR-SERVER"
    click.echo(f"[{fqdn.rstrip('.')}]\nurl = {url}/\ntoken = {text}\nzoneid = {zone_id}")


def _can_be_used(opened: Desk, fqdn: Name) -> bool:
    """Tell whether the token finds its host, or makes it."""
    if opened.tokens_create_hosts:
        return True
    try:
        return bool(opened.administration.find_host(fqdn))
    except Refused:
        return False
