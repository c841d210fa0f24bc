"""homing import, for the configuration of another client: it becomes a homing.toml, and no store is needed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli.options import Place, print_json
from homing.core.errors import InvalidInput, InvalidSettings, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homing.formats.client_draft import ImportedAccount, ImportedClient


def import_client(
    client: str, file: Path, text: str, *, output: Path | None, force: bool, dry_run: bool, as_json: bool
) -> None:
    """Turn a client's file into a homing.toml, on standard output or in a file of its own. Raises Refused."""
    from homing.formats.imported_client import read

    origin = "standard input" if str(file) == "-" else str(file)
    try:
        imported = read(text, client, origin, os.environ)
    except InvalidInput as error:
        _end_with_nothing(client, (), str(error).splitlines(), as_json=as_json)
    if not imported.accounts:
        what = "no host that Homing can keep right" if imported.has_hosts else "no hosts in it"
        _end_with_nothing(client, imported.told, [f"{origin}: {what}"], as_json=as_json)
    if output is not None and not dry_run and not force and os.path.lexists(output):
        raise Refused(f"{output} is there already: --force replaces it, or give --output another name")
    toml = _render(imported, origin)
    warnings = (*imported.told, *_check(toml, output))
    if output is not None and not dry_run:
        _write(toml, output, force=force)
    if as_json:
        shown = None if dry_run or output else toml
        where = str(output) if output and not dry_run else None
        print_json(_described(client, imported.accounts, warnings, output=where, toml=shown))
        return
    _tell(warnings)
    if output is None and not dry_run:
        click.echo(toml, nl=False)
    else:
        click.echo(_summary(imported.accounts, None if dry_run else output))


def refuse_client_options(*, is_client: bool, place: Place, zone: str | None, output: Path | None, force: bool) -> None:
    """End with a usage error where an option belongs to the other half of `homing import`."""
    if is_client and (zone is not None or place != Place()):
        raise click.UsageError("this is a client's file: it needs no store, and no option that says where one is")
    if not is_client and (output is not None or force):
        raise click.UsageError("--output and --force go with the file of a client: tables go into the store")


def _render(imported: ImportedClient, origin: str) -> str:
    from homing.settings.client_toml import render_client

    heading = f"Made by `homing import` of {origin}. Secrets are in it: keep it readable by its user alone."
    shared: dict[str, Any] = {} if imported.interval is None else {"interval": imported.interval}
    tables = [account.table() for account in imported.accounts]
    if len(tables) == 1:
        return render_client(tables[0] | shared, (), heading)
    return render_client(shared, tables, heading)


# --- the file


def _check(toml: str, output: Path | None) -> tuple[str, ...]:
    """Read the text as `homing update` would read the file; return what that warns of. Raises Refused."""
    from homing.settings.client_loading import load_client
    from homing.settings.toml_file import FILE_NAME, parse_toml

    try:
        return load_client(environment={}, toml=parse_toml(toml, output or Path(FILE_NAME))).warnings
    except InvalidSettings as error:
        raise Refused("\n".join(error.problems)) from None


def _write(toml: str, output: Path, *, force: bool) -> None:
    """Put the file in its place as a whole, readable by its user alone. Raises Refused; then nothing is left behind."""
    try:
        with _undisturbed():
            descriptor, name = tempfile.mkstemp(prefix=".homing-import-", suffix=".toml", dir=output.parent)  # 0600
            try:
                with open(descriptor, "w", encoding="utf-8") as stream:
                    stream.write(toml)
                    stream.flush()
                    os.fsync(stream.fileno())
                _put(name, output, force=force)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)
    except OSError as error:
        raise Refused(f"{output} cannot be written: {error.strerror}") from None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let signals wait that would end this program and leave a file with a secret behind. Windows has no such thing."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP, signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _put(made: str, output: Path, *, force: bool) -> None:
    """Raises Refused where a file has come into being meanwhile."""
    if force:
        os.replace(made, output)
        return
    try:
        os.link(made, output)
    except FileExistsError:
        raise Refused(f"{output} is there already: --force replaces it, or give --output another name") from None


# --- what is printed


def _tell(warnings: tuple[str, ...]) -> None:
    for line in warnings:
        click.echo(f"warning: {line}", err=True)


def _end_with_nothing(client: str, warnings: tuple[str, ...], problems: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(_described(client, (), warnings, problems))
    else:
        _tell(warnings)
    for line in problems:
        click.echo(f"homing: {line}", err=True)
    click.echo("homing: nothing was imported", err=True)
    sys.exit(1)


def _described(
    client: str, accounts: tuple[ImportedAccount, ...], warnings: tuple[str, ...], problems: list[str] | None = None, *,
    output: str | None = None, toml: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return what is printed for programs; a secret is in `toml` alone."""
    shown = ("protocol", "server", "names", "username", "ipv4", "ipv6")
    described = [{name: getattr(account, name) for name in shown} for account in accounts]
    return {"format": client, "output": output, "toml": toml, "accounts": described, "warnings": list(warnings),
            "problems": problems or []}  # fmt: skip


def _summary(accounts: tuple[ImportedAccount, ...], output: Path | None) -> str:
    names = sum(len(account.names) for account in accounts)
    counted = f"{names} name{'s' * (names != 1)} in {len(accounts)} account{'s' * (len(accounts) != 1)}"
    if output is None:
        return f"would import {counted}"
    return f"{output}: {counted}, readable by you alone; next: homing config check --config {output}"
