"""homing import, export, backup, reconcile: the store as a whole."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli.client_import import import_client, refuse_client_options
from homing.cli.options import desk, json_option, print_json, print_table, store_options
from homing.core.accounts import Account
from homing.core.credentials import is_slow
from homing.core.errors import Refused
from homing.core.names import parse_name
from homing.formats.imported import FORMATS
from homing.formats.imported_client import CLIENTS, recognise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from homing.app.ports import Store
    from homing.cli.options import Place
    from homing.core.records import RRset
    from homing.core.rows import Row
    from homing.formats.imported import Imported
    from homing.wiring.desk import Desk


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice((*FORMATS, *CLIENTS)),
    help="The format, where it cannot be told by looking.",
)
@click.option("--zone", help="The zone of names that are a single label.")
@click.option("--dry-run", is_flag=True, help="Check everything, take nothing.")
@click.option("--output", type=click.Path(path_type=Path), help="A client's file: where homing.toml goes, mode 0600.")
@click.option("--force", is_flag=True, help="Replace the file that --output names.")
@store_options
@json_option
def import_(
    file: Path, format_: str | None, zone: str | None, dry_run: bool, output: Path | None, force: bool, place: Place,
    as_json: bool,
) -> None:  # fmt: skip
    """Take over the hosts and accounts of another system: all of them or none. Or the settings of another client.

    Reads awslabs v1 config.json, v2 tables and v3 items, the conf of DynDNS53, the user items of the SAM server, and
    what `homing export` wrote, into the store.

    ddclient.conf and inadyn.conf become a homing.toml for `homing update` and `homing run`, on standard output unless
    --output says where. Secrets are in it. What Homing has no match for is told, line by line.

    \b
    Example:
      homing import config.json --dry-run
      homing import /etc/ddclient.conf --output homing.toml
    """
    text = _read_text(file)
    client = format_ if format_ in CLIENTS else recognise(text, file.name) if format_ is None else None
    refuse_client_options(is_client=client is not None, place=place, zone=zone, output=output, force=force)
    if client is not None:
        import_client(client, file, text, output=output, force=force, dry_run=dry_run, as_json=as_json)
    else:
        _import_tables(text, format_, zone, place, dry_run=dry_run, as_json=as_json)


def _read_text(file: Path) -> str:
    """Raises Refused."""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{file} is not UTF-8 text") from None


def _import_tables(
    text: str, format_: str | None, zone: str | None, place: Place, *, dry_run: bool, as_json: bool
) -> None:
    """Take what a server had into the store."""
    with desk(place, may_create=True) as opened:
        imported = _read_tables(text, format_, zone, opened)
        report = None if imported.problems else opened.importer.take(imported.rows, dry_run=dry_run)
    problems = [*imported.problems, *(report.problems if report else ())]
    warnings = imported.warnings
    if not opened.takes_chosen_passwords:
        warnings += tuple(_useless_passwords(imported.rows, place.stack or ""))
    _tell_import(warnings, problems, report, as_json=as_json, dry_run=dry_run, count=len(imported.rows))


def _read_tables(text: str, format_: str | None, zone: str | None, opened: Desk) -> Imported:
    from homing.core.credentials import SECRET_RANDOM_BYTES, new_secret
    from homing.formats.imported import read

    return read(
        text,
        format=format_,
        default_zone=parse_name(zone) if zone else opened.zones[0].name if len(opened.zones) == 1 else None,
        salt=lambda: secrets.token_bytes(16),
        secret=lambda: new_secret(secrets.token_bytes(SECRET_RANDOM_BYTES)),
    )


def _useless_passwords(rows: Sequence[Row], stack: str) -> Iterator[str]:
    """Name the accounts that a stack will not let in, since checking their passwords costs it compute time."""
    for row in rows:
        if isinstance(row, Account) and is_slow(row.password):
            yield (
                f"the account {row.username} has a password that a person chose, which this stack does not check:"
                f" `homing aws deploy --stack {stack} --param importedPasswords=true`, or `homing account add` it anew"
            )


def _tell_import(
    warnings: tuple[str, ...], problems: list[str], report: Any, *, as_json: bool, dry_run: bool, count: int
) -> None:
    added = [" ".join(key) for key in report.added] if report else []
    present = [" ".join(key) for key in report.present] if report else []
    if as_json:
        print_json({"added": added, "present": present, "warnings": list(warnings), "problems": problems})
    else:
        for line in warnings:
            click.echo(f"warning: {line}", err=True)
        for line in problems:
            click.echo(f"problem: {line}", err=True)
    if problems:
        click.echo(f"homing: nothing was imported: {len(problems)} problem(s)", err=True)
        sys.exit(1)
    if not as_json:
        would = f"would import {count - len(present)} rows" if dry_run else f"imported {len(added)} rows"
        click.echo(f"{would}; {len(present)} were here already")


@click.command()
@click.option("--table", metavar="NAME", help="Read this DynamoDB table, such as one that outlived its stack.")
@store_options
def export(table: str | None, place: Place) -> None:
    """Write every row to standard output as JSON that `homing import` reads. Secrets are in it.

    \b
    Example:
      (umask 077; homing export > homing.json)
      (umask 077; homing export --table homing-config > homing.json)
    """
    if table is None:
        with desk(place) as opened:
            _export(opened.store)
        return
    if place.stack or place.config or place.database:
        raise click.UsageError("--table is another store than that of --stack, --config and --database")
    from homing.wiring.stack_desk import open_table

    with open_table(table, place.region, place.profile) as store:
        _export(store)


def _export(store: Store) -> None:
    from homing.formats.homing_json import render_export

    for piece in render_export(store.scan()):
        click.echo(piece, nl=False)
    for line in store.scan_damaged():
        click.echo(f"warning: left out: {line}", err=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@store_options
@json_option
def backup(file: Path, place: Place, as_json: bool) -> None:
    """Copy the store into FILE, consistent, while the server runs.

    To restore: stop the server, remove the -wal and -shm files beside the store, and put the copy in its place.

    \b
    Example:
      homing backup /var/backups/homing-$(date +%F).db
    """
    with desk(place) as opened:
        if opened.backup is None:
            raise Refused("this store keeps its own backups: see point-in-time recovery in the AWS console")
        opened.backup(file)
    if as_json:
        print_json({"backup": str(file), "bytes": file.stat().st_size})
    else:
        click.echo(f"{file}: {file.stat().st_size} bytes, readable by you alone")


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what differs, repair nothing.")
@store_options
@json_option
def reconcile(dry_run: bool, place: Place, as_json: bool) -> None:
    """Compare every host with what DNS answers, and repair what differs.

    \b
    Example:
      homing reconcile --dry-run
    """
    with desk(place) as opened:
        found = list(opened.outbox.reconcile(repair=not dry_run))
        damaged = list(opened.store.scan_damaged())
        unserved = [host.hostname for host in opened.administration.hosts() if not opened.serves(host.hostname)]
    if as_json:
        differences = [
            {
                "hostname": one.key.name,
                "record_type": one.key.type,
                "desired": _rdata(one.desired),
                "dns": _rdata(one.held),
            }
            for one in found
        ]
        print_json({"differences": differences, "unserved": unserved, "damaged_rows": damaged, "repaired": not dry_run})
    elif found:
        rows = [(one.key.name, one.key.type, _shown(one.desired), _shown(one.held), one.note) for one in found]
        print_table(("NAME", "TYPE", "DESIRED", "DNS", "NOTE"), rows)
    else:
        click.echo("store and DNS agree")
    for line in [*damaged, *(f"{name} is in no zone that is served" for name in unserved)]:
        click.echo(f"homing: {line}", err=True)
    if damaged or (found and dry_run):
        sys.exit(1)


def _rdata(rrset: RRset | None) -> list[str]:
    return list(rrset.rdata) if rrset else []


def _shown(rrset: RRset | None) -> str:
    return f"{', '.join(rrset.rdata)} ttl {rrset.ttl}" if rrset else "-"
