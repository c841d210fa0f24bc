"""homing serve: HTTP and DNS on this machine until it is told to stop."""

from __future__ import annotations

from dataclasses import fields
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from homing.core.records import RRsetKey
from homing.settings import one_machine
from homing.settings.one_machine import Settings, flag_of

if TYPE_CHECKING:
    from pathlib import Path

    from homing.runtimes.server import Running


_OF_COMMANDS = ("require_signed", "rotation_overlap")
"""Settings that `homing host` reads, and the server does not."""


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _default(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(*one) if isinstance(one, tuple) else str(one) for one in value) or "none"
    return "none" if value is None else str(value)


def _setting_options(command: Any) -> Any:
    """Make an option of every setting; flags win over the environment and homing.toml."""
    for setting in reversed(fields(Settings)):
        if setting.metadata["is_secret"] or setting.name in _OF_COMMANDS:
            continue  # the process list would show a secret
        text = f"{setting.metadata['doc']} [default: {_default(setting.default)}]"
        is_list = isinstance(setting.default, tuple)
        command = click.option(
            flag_of(setting.name), setting.name, multiple=is_list, metavar="VALUE", default=None, help=text
        )(command)
    return command


@click.command()
@_setting_options
@click.option("--config", type=click.Path(), help="The settings file, homing.toml.")
def serve(config: str | None, **flags: Any) -> None:
    """Serve HTTP and DNS on this machine.

    \b
    Example:
      homing serve --zone home.example
      homing serve --config /etc/homing/homing.toml
    """
    from pathlib import Path

    from homing.runtimes import server
    from homing.runtimes.access_log import configure_logging

    given = {name: list(value) if isinstance(value, tuple) and value else value for name, value in flags.items()}
    loaded = one_machine.load(given, file=Path(config) if config else None)
    for warning in loaded.warnings:
        click.echo(f"homing: {warning}", err=True)
    configure_logging("json" if loaded.settings.log_format == "json" else "text", loaded.settings.log_level)
    server.run(server.serve(loaded.settings, lambda running: _tell(running, loaded.file)))


def _tell(running: Running, file: Path | None) -> None:
    """Say where it listens, and what to set next."""
    machine = running.machine
    zones = ", ".join(zone.name.rstrip(".") for zone in machine.zones)
    lines = [f"homing serves {zones}"]
    lines += [f"  {'https' if one.tls else 'http'}://{_shown(one.host, one.port)}" for one in running.http.addresses]
    lines += [f"  dns {_shown(host, port)} (UDP and TCP)" for host, port in running.dns.addresses]
    lines += [f"  store {machine.settings.database or one_machine.default_database()}"]
    lines += [f"  next: {hint}" for hint in _hints(running, file)]
    click.echo("\n".join(lines), err=True)


def _hints(running: Running, file: Path | None) -> list[str]:
    """Return what stands between this server and being useful to the Internet."""
    machine = running.machine
    hints = []
    skipped = machine.publisher.skipped
    if next(machine.administration.hosts(), None) is None:
        hints.append(
            f"`homing host add cam.{machine.zones[0].name.rstrip('.')}` makes a host and prints how to update it"
        )
    hints += [
        f"{zone.name.rstrip('.')} is delegated to {name.rstrip('.')}, which has no address: set its ns or records"
        for zone in machine.zones
        for name in zone.ns
        if (served := machine.publisher.get_zone_of(name)) is not None
        and not (served.get(RRsetKey(name, "A")) or served.get(RRsetKey(name, "AAAA")))
    ]
    hints += [f"{key.name} {key.type} is a host that DNS cannot show: {why}" for key, why in islice(skipped.items(), 5)]
    hints += [
        f"{name.rstrip('.')} was served here before and is not now; name it too, if it should be"
        for name in machine.store.former_zones()
    ]
    if 53 not in {port for _, port in running.dns.addresses}:
        hints.append("resolvers ask port 53: set dns_listen, or forward the port")
    if not machine.settings.https_listen and not machine.settings.trusted_proxies:
        hints.append(
            "passwords cross plain HTTP in clear: set tls_cert, tls_key and https_listen, or put a proxy in front"
        )
    if file is None:
        hints.append("write homing.toml for name servers, static records and limits: docs/reference/settings.md")
    return hints
