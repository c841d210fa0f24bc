"""homing lan: names for the other machines on this network, which run no client of their own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli.options import json_option, print_json
from homing.cli.result_view import describe_results, describe_row
from homing.core.addresses import parse_prefix
from homing.core.errors import InvalidAddress, InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from homing.client.lan.neighbours import Reader
    from homing.client.update import Result, Row
    from homing.settings.client import ClientSettings
    from homing.settings.client_loading import LoadedClient
    from homing.settings.lan import LanSettings

_PROTOCOLS = ("signed", "awslabs")


def _prefix(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        return str(parse_prefix(value)) if value else None
    except InvalidAddress as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("name", required=False)
@click.option("--server", help="The server's URL.")
@click.option("--protocol", type=click.Choice(_PROTOCOLS), help="How the server is spoken to: signed if unset.")
@click.option("--secret-file", type=click.Path(path_type=Path), help="A file with the secret that the group shares.")
@click.option("--api-key-file", type=click.Path(path_type=Path), help="A file with the server's API key.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Certificates (PEM) that are trusted too.")
@click.option("--timeout", help="Of one request: 10, 30s.")
@click.option("--via", help="Requests leave by this interface only.")
@click.option("--config", type=click.Path(path_type=Path), help="The settings file, homing.toml.")
@click.option("--interface", "interfaces", multiple=True, help="The link to look at, if not the default route's.")
@click.option(
    "--leases",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Leases of dnsmasq, Kea (CSV) or ISC dhcpd; a machine without a MAC address on the server is then found by"
    " the name that it gave the DHCP server.",
)
@click.option("--prefix", callback=_prefix, help="The IPv6 prefix to complete, instead of the one of the link.")
@click.option("--eui64", is_flag=True, help="Set AAAA by the MAC address even if the machine is not seen.")
@click.option("--no-wake", is_flag=True, help="Believe what the kernel knows already, and send no probes.")
@click.option("--dry-run", is_flag=True, help="Say what would be set.")
@click.option("--watch", is_flag=True, help="Go on, and set names as their machines and the prefix change.")
@click.option("--interval", help="Between two rounds of --watch where nothing changes: 300, 5m.")
@json_option
def lan(
    name: str | None, interfaces: tuple[str, ...], leases: tuple[Path, ...], prefix: str | None, eui64: bool,
    no_wake: bool, interval: str | None, dry_run: bool, watch: bool, config: Path | None, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Set the names of a whole group: the other machines on this network.

    NAME is this machine's own name in the group; it is left alone, `homing update` sets it. Every other host of its
    group is looked for by its MAC address, and set to where it was seen just now. A host with an interface identifier
    is set to that in the network's present prefix, seen or not. A machine that is absent keeps its name as it is.

    Everything but NAME may stand in homing.toml as well: server and secret in [client], the rest in [lan] or
    HOMING_LAN_... `homing run --lan` does the same as --watch, besides keeping this machine's own name right.

    The server has to know: `homing host add cam.home.example --group home --mac-address 00:11:22:33:44:55`, with
    --allow-internal where an address of the local network is to be published.

    \b
    Example:
      homing lan nas.home.example --server https://ddns.example.com --secret-file home.secret --dry-run
      homing lan --interface br-lan --leases /tmp/dhcp.leases --watch
      homing lan --prefix 2001:db8:1200:1::/64
    """
    from homing.client.lan.neighbours import open_reader
    from homing.settings.client_loading import load_client
    from homing.settings.lan import load_lan

    flags = {key: value for key, value in given.items() if value is not None}
    if "via" in flags:
        flags["interface"] = flags.pop("via")
    if name is not None:
        flags["names"] = (name,)
    loaded = load_client(flags, file=config, is_update=False)
    accounts = usable(loaded)
    for warning in loaded.warnings:
        click.echo(f"homing: {warning}", err=True)
    over = {"interfaces": interfaces, "leases": leases, "prefix": prefix, "interval": interval, "eui64": eui64 or None}
    wanted = load_lan({**over, "wake": False if no_wake else None}, file=config)
    reader = open_reader(wanted.interfaces)
    try:
        _run(accounts, reader, wanted, loaded, dry_run=dry_run, watch=watch, as_json=as_json)
    finally:
        reader.close()


def _run(
    accounts: Sequence[ClientSettings], reader: Reader, wanted: LanSettings, loaded: LoadedClient, *, dry_run: bool,
    watch: bool, as_json: bool,
) -> None:  # fmt: skip
    from homing.client.lan.round import make_round

    reader.read()  # an interface that is not there ends it before anything is asked
    if watch:
        from homing.runtimes.lan import LanWatch

        LanWatch(accounts, reader, wanted, _reporter(as_json), is_dry_run=dry_run).run()
        return
    own = [one for account in accounts for one in account.names]
    rounds = [make_round(account, reader, wanted, own, is_dry_run=dry_run) for account in accounts]
    results = [one.result for one in rounds]
    notes = _warn([note for result in results for note in result.notes])
    if as_json:
        print_json(describe_results(results, (*loaded.warnings, *notes)))
    else:
        _show(results)
    rows = [row for result in results for row in result.rows]
    is_later = any(not row.is_good for row in rows) or any(one.lacks_leases for one in rounds)
    sys.exit(1 if any(row.outcome == "refused" for row in rows) else 3 if is_later else 0)


def usable(loaded: LoadedClient) -> list[ClientSettings]:
    """Return the accounts that can list a group. Raises InvalidSettings."""
    problems = []
    found = [one for one in loaded.accounts if one.protocol in _PROTOCOLS]
    if not found:
        problems.append(f"{loaded.accounts[0].protocol} knows no groups: protocol has to be signed or awslabs")
    for one in found:
        if not one.names:
            problems.append("names is missing: this machine's own name in the group")
        if one.secret is None:
            problems.append("secret is missing: name it in secret_file, HOMING_CLIENT_SECRET or a systemd credential")
    if problems:
        raise InvalidSettings(list(dict.fromkeys(problems)))
    return found


# --- what is printed


def _reporter(as_json: bool) -> Callable[[Result], None]:
    """Return what prints a round of --watch: a line of JSON for each, or what is new for people."""
    last: dict[tuple[str, str], tuple[str, str | None]] = {}
    noted: set[str] = set()

    def report(result: Result) -> None:
        noted.update(_warn([note for note in result.notes if note not in noted]))
        news = [row for row in result.rows if last.get((row.hostname, row.record_type)) != _gist(row)]
        last.update({(row.hostname, row.record_type): _gist(row) for row in result.rows})
        if as_json and news:
            import json

            click.echo(json.dumps({"updates": [describe_row(row) for row in news]}))
        elif not as_json:
            _show_rows(news)

    return report


def _warn(notes: Iterable[str]) -> list[str]:
    """Write each note once, and return those that were written."""
    written = list(dict.fromkeys(notes))
    for note in written:
        click.echo(f"homing: {note}", err=True)
    return written


def _gist(row: Row) -> tuple[str, str | None]:
    is_set = row.outcome in ("updated", "unchanged")
    return ("set" if is_set else f"{row.outcome} {row.text}", row.address)


def _show(results: Sequence[Result]) -> None:
    for result in results:
        _show_rows(result.rows)
        if not result.rows:
            click.echo("homing: the group has no hosts that may be listed", err=True)
        if result.retry_after is not None:
            click.echo(f"homing: not before {result.retry_after} seconds from now", err=True)


def _show_rows(rows: Iterable[Row]) -> None:
    for row in rows:
        what = f"{row.hostname.rstrip('.')} {row.record_type}"
        if row.is_good:
            click.echo(f"{what} {row.address or '-'} {row.outcome}: {row.text}")
        else:
            click.echo(f"homing: {what}: {row.outcome}: {row.text}", err=True)
