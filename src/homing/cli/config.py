"""homing config: every setting, its value and where it came from."""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli.options import json_option, print_json, print_table
from homing.core.errors import InvalidSettings
from homing.settings import one_machine
from homing.settings.client import DUCKDNS
from homing.settings.client_loading import is_configured, load_client
from homing.settings.one_machine import Settings
from homing.settings.values import ZoneSettings

if TYPE_CHECKING:
    from homing.settings.client import ClientSettings

file_option = click.option("--config", "file", type=click.Path(path_type=Path), help="The settings file, homing.toml.")


@click.group()
def config() -> None:
    """Show every setting, or check that they can be used.

    \b
    Example:
      homing config show
      homing config check --config /etc/homing/homing.toml
    """


@config.command("show")
@file_option
@json_option
def show(file: Path | None, as_json: bool) -> None:
    """Show every setting, its value and where it came from. Secrets are not shown."""
    loaded = one_machine.load(file=file)
    shown = {
        setting.name: {
            "value": _shown(getattr(loaded.settings, setting.name), is_secret=setting.metadata["is_secret"]),
            "origin": loaded.origins[setting.name],
        }
        for setting in fields(Settings)
    }
    if as_json:
        print_json(shown)
        return
    print_table(
        ("SETTING", "VALUE", "FROM"), [(name, _text(one["value"]), one["origin"]) for name, one in shown.items()]
    )


@config.command("check")
@file_option
@json_option
def check(file: Path | None, as_json: bool) -> None:
    """Check that the settings can be used: the zones with their records, the certificate, and what a client would do.

    Nothing is sent, and nobody is asked.
    """
    problems: list[str] = []
    loaded = client = None
    try:
        loaded = one_machine.load(file=file)
        _check_all(loaded.settings)
    except InvalidSettings as error:
        problems += error.problems
    try:
        client = load_client(file=file) if is_configured(os.environ, file) else None
    except InvalidSettings as error:
        problems += [problem for problem in error.problems if problem not in problems]
    accounts = [_describe_account(account) for account in client.accounts] if client else []
    if as_json:
        where = str(loaded.file) if loaded and loaded.file else None
        print_json({"file": where, "problems": problems, "client": accounts})
        sys.exit(1 if problems else 0)
    if problems:
        raise InvalidSettings(problems)
    assert loaded is not None
    zones = ", ".join(zone.name.rstrip(".") for zone in loaded.settings.zones) or "those that the store serves"
    click.echo(f"{loaded.file or 'the defaults, without a homing.toml'}: good; zones: {zones}")
    for account in accounts:
        where = f"at {account['server']} by {account['protocol']}, {account['ipv4']} and {account['ipv6']}"
        click.echo(f"client: would set {', '.join(account['names'])} {where}")
    for warning in client.warnings if client else ():
        click.echo(f"homing: {warning}", err=True)


def _describe_account(account: ClientSettings) -> dict[str, Any]:
    """Return what would be done, without doing it."""
    return {
        "server": account.server or DUCKDNS,
        "protocol": account.protocol,
        "names": list(account.names),
        "ipv4": f"IPv4 from {account.source(4)}" if account.source(4).kind != "none" else "no IPv4",
        "ipv6": f"IPv6 from {account.source(6)}" if account.source(6).kind != "none" else "no IPv6",
    }


def _check_all(settings: Settings) -> None:
    """Raises InvalidSettings with the problems of every zone and of the certificate."""
    from homing.runtimes.tls import load_context
    from homing.wiring.one_machine import make_zone

    problems: list[str] = []
    for zone in settings.zones:
        try:
            make_zone(zone, serial=1)
        except InvalidSettings as error:
            problems += error.problems
    if settings.tls_cert and settings.tls_key:
        try:
            load_context(settings.tls_cert, settings.tls_key)
        except InvalidSettings as error:
            problems += error.problems
    if problems:
        raise InvalidSettings(problems)


def _shown(value: Any, *, is_secret: bool) -> Any:
    if is_secret:
        return None if value is None else "(set)"
    if isinstance(value, tuple):
        return [_shown(one, is_secret=False) for one in value]
    if isinstance(value, ZoneSettings):
        return value.name
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{one[0]} port {one[1]}" if isinstance(one, list) else str(one) for one in value) or "-"
    return "-" if value is None else str(value)
