"""homing ip, homing update: what this machine's address is, and one update of its names."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli.options import json_option, print_json
from homing.cli.result_view import describe_results
from homing.core.errors import InvalidAddress
from homing.settings.client import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.client.update import Found, Result
    from homing.settings.client_loading import LoadedClient

_ONE_FAMILY = ("nat-pmp", "upnp")


def client_options(command: Any) -> Any:
    """Add the options that say which server, and where the address comes from."""
    for option in reversed(
        [
            click.option("--server", help="The server's URL."),
            click.option(
                "--protocol", type=click.Choice(PROTOCOLS), help="How the server is spoken to: signed if unset."
            ),
            click.option(
                "--source", help="Where the address comes from: reflector, router, URL, stun:HOST, command:..."
            ),
            click.option("--address", "addresses", multiple=True, help="The address itself; one of each family."),
            click.option("--interface", "of_interface", help="Take the address of this interface."),
            click.option("--ipv4", "ipv4_wanted", is_flag=True, help="IPv4 only, unless --ipv6 is given as well."),
            click.option("--ipv6", "ipv6_wanted", is_flag=True, help="IPv6 only, unless --ipv4 is given as well."),
            click.option("--allow-internal", is_flag=True, help="Take an address that is not global too."),
            click.option("--via", help="Requests leave by this interface only."),
            click.option("--timeout", help="Of one request: 10, 30s."),
            click.option("--ca-file", type=click.Path(path_type=Path), help="Certificates (PEM) that are trusted too."),
            click.option("--api-key-file", type=click.Path(path_type=Path), help="A file with the server's API key."),
            click.option("--config", type=click.Path(path_type=Path), help="The settings file, homing.toml."),
        ]
    ):
        command = option(command)
    return command


@click.command("ip")
@client_options
@json_option
def ip(as_json: bool, config: Path | None, **given: Any) -> None:
    """Print this machine's addresses, as the server or another source sees them.

    \b
    Example:
      homing ip --server https://ddns.example.com
      homing ip --ipv6 --interface eth0
      homing ip --source router
    """
    from homing.client.update import find_addresses, line_of
    from homing.settings.client_loading import load_client

    loaded = load_client(_flags(given), file=config, is_update=False)
    _warn(loaded)
    account = loaded.accounts[0]
    found = find_addresses(account, line_of(account))
    if as_json:
        print_json(_describe_found(found))
    else:
        for address in found.sent.values():
            click.echo(str(address))
        for family, why in [*found.absent.items(), *found.doubtful.items()]:
            if family in found.doubtful or not found.sent:
                click.echo(f"homing: IPv{family}: {why}", err=True)
    is_wrong = any(not error.is_temporary for error in found.doubtful.values())
    sys.exit(1 if is_wrong else 3 if found.doubtful or not found.sent else 0)


@click.command("update")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@client_options
@click.option("--secret-file", type=click.Path(path_type=Path), help="A file with the secret, password or token.")
@click.option("--username", help="dyndns2: the user, if it is not the name itself.")
@click.option("--zone-id", help="ddupdate: the id of the zone.")
@click.option("--ttl", help="ddupdate: the TTL to ask for.")
@click.option("--ddupdate-config", type=click.Path(path_type=Path), help="ddupdate's own dyndns.conf.")
@click.option("--cache", help="Send nothing for so long (10m, 1d), while DNS shows what was sent.")
@click.option(
    "--dns-server", help="Whom to ask what DNS shows: ADDRESS or ADDRESS:PORT. The system's resolver if unset."
)
@click.option("--dry-run", is_flag=True, help="Find the addresses and say what would be sent.")
@json_option
def update(
    names: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    config: Path | None,
    ddupdate_config: Path | None,
    **given: Any,
) -> None:
    """Bring names up to date, once: those of the settings, or these.

    The secret comes from --secret-file, HOMING_CLIENT_SECRET, a systemd credential or homing.toml: never from a flag,
    since a process list shows flags. A family that is absent is skipped, never deleted.

    \b
    Example:
      homing update cam.home.example --server https://ddns.example.com --secret-file cam.secret
      homing update cam.home.example --protocol dyndns2 --interface eth0 --ipv6
      homing update --cache 1d
    """
    from homing.client.cache import Cache, default_path
    from homing.client.update import update as update_account
    from homing.settings.client_loading import load_client

    flags = _flags(given) | {"names": names}
    loaded = load_client(flags, file=config, ddupdate_file=ddupdate_config)
    _warn(loaded)
    results = []
    for account in loaded.accounts:
        cache = Cache(default_path(os.environ)) if account.cache else None
        results.append(update_account(account, cache=cache, is_dry_run=dry_run))
    if as_json:
        notes = [note for result in results for note in result.notes]
        print_json(describe_results(results, [*loaded.warnings, *notes]))
    else:
        _show(results)
    rows = [row for result in results for row in result.rows]
    is_refused = any(row.outcome == "refused" for row in rows)
    sys.exit(1 if is_refused else 3 if any(not row.is_good for row in rows) else 0)


def _flags(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the options mean."""
    flags = {name: value for name, value in given.items() if value not in (None, (), False)}
    flags |= _sources(flags.pop("source", None), flags.pop("addresses", ()), flags.pop("of_interface", None))
    ipv4, ipv6 = flags.pop("ipv4_wanted", False), flags.pop("ipv6_wanted", False)
    if ipv4 != ipv6:
        flags["ipv4_only" if ipv4 else "ipv6_only"] = True
    if "via" in flags:
        flags["interface"] = flags.pop("via")
    return flags


def _sources(source: str | None, addresses: Sequence[str], interface: str | None) -> dict[str, str]:
    if sum(bool(one) for one in (source, addresses, interface)) > 1:
        raise click.UsageError("--source, --address and --interface each say where the address comes from: give one")
    if interface:
        source = f"interface:{interface}"
    if source:
        is_ipv4_only = source.partition(":")[0] in _ONE_FAMILY
        return {"ipv4": source, "ipv6": "none" if is_ipv4_only else source}
    if not addresses:
        return {}
    from homing.core.addresses import parse_address

    found = {"ipv4": "none", "ipv6": "none"}
    for text in addresses:
        try:
            address = parse_address(text)
        except InvalidAddress as error:
            raise click.BadParameter(str(error), param_hint="--address") from None
        if found[f"ipv{address.version}"] != "none":
            raise click.UsageError(f"--address is given twice for IPv{address.version}")
        found[f"ipv{address.version}"] = str(address)
    return found


def _warn(loaded: LoadedClient) -> None:
    for warning in loaded.warnings:
        click.echo(f"homing: {warning}", err=True)


# --- what is printed


def _describe_found(found: Found) -> dict[str, object]:
    problems = {**found.absent, **{family: str(error) for family, error in found.doubtful.items()}}
    return {
        "ipv4": str(found.sent[4]) if 4 in found.sent else None,
        "ipv6": str(found.sent[6]) if 6 in found.sent else None,
        "problems": {f"ipv{family}": why for family, why in problems.items()},
    }


def _show(results: Sequence[Result]) -> None:
    """Print what was done, and as errors what was not."""
    for result in results:
        for row in result.rows:
            what = f"{row.hostname} {row.record_type}"
            if not row.is_good:
                click.echo(f"homing: {what}: {row.outcome}: {row.text}", err=True)
            elif row.outcome in ("updated", "unchanged"):
                click.echo(f"{what} {row.address or '(as the server sees it)'} {row.outcome}")
            else:
                click.echo(f"{what} {row.address or '-'} {row.outcome}: {row.text}")
        if result.retry_after is not None:
            click.echo(f"homing: not before {result.retry_after} seconds from now", err=True)
        for note in result.notes:
            click.echo(f"homing: {note}", err=True)
