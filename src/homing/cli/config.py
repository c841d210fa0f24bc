"""homing config: every setting, its value and where it came from, and what a client would do with them."""

from __future__ import annotations

import os
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli.config_files import account_problems, hook_problems, hook_warnings, lan_warnings
from homing.cli.config_view import (
    account_lines,
    agent_lines,
    as_text,
    describe_accounts,
    show_accounts,
    show_server,
    show_table,
    table_lines,
)
from homing.cli.options import json_option, print_json, print_table
from homing.core.errors import InvalidSettings
from homing.core.values import defaults_of, frozen
from homing.settings import agent, lan, one_machine
from homing.settings.client_loading import LoadedClient, is_configured, load_client
from homing.settings.one_machine import AGENT_TABLE, LAN_TABLE
from homing.settings.table import LoadedTable, load_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homing.cli.config_view import Shown
    from homing.settings.one_machine import Loaded

_TABLES: dict[str, tuple[Any, type[Any]]] = {
    AGENT_TABLE: (agent, agent.AgentSettings),
    LAN_TABLE: (lan, lan.LanSettings),
}
"""Tables of plain settings: the module that reads each, and its class."""

file_option = click.option("--config", "file", type=click.Path(path_type=Path), help="The settings file, homing.toml.")
ddupdate_option = click.option(
    "--ddupdate-config",
    "ddupdate_file",
    type=click.Path(path_type=Path),
    help="ddupdate's own dyndns.conf, if it is not in one of its places.",
)


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
@ddupdate_option
@json_option
def show(file: Path | None, ddupdate_file: Path | None, as_json: bool) -> None:
    """Show every setting, its value and where it came from: the server's, the client's, the agent's and the network's.

    Secrets are not shown. JSON: of each setting of the server its `value` and its `origin`; beside them `client`, a
    list with the same of each account, and `agent` and `lan`.

    \b
    Example:
      homing config show
      HOMING_MAX_TTL=7200 homing config show --json | jq .max_ttl
    """
    found = _load(file, ddupdate_file)
    if found.problems:
        raise InvalidSettings(found.problems)
    assert found.server
    server, accounts = show_server(found.server), show_accounts(found.client)
    if as_json:
        print_json({**server, "client": accounts, **found.tables})
        return
    rows = [*_rows("", server)]
    for number, account in enumerate(accounts, 1):
        rows += _rows(f"client.{number}." if len(accounts) > 1 else "client.", account)
    for name, table in found.tables.items() if accounts else ():
        rows += _rows(f"{name}.", table)
    print_table(("SETTING", "VALUE", "FROM"), rows)


@config.command("check")
@file_option
@ddupdate_option
@json_option
def check(file: Path | None, ddupdate_file: Path | None, as_json: bool) -> None:
    """Check that the settings can be used: zones with their records, certificates, hooks, and what a client would do.

    Nothing is sent, no server is asked, and no hook is run. Every problem is told, as FILE:LINE: WHAT, and makes the
    exit code 1; warnings do not. JSON: `file`, `problems`, `warnings`, `client` with what would be done for each
    account, and `agent` and `lan` as `homing config show` has them.

    \b
    Example:
      homing config check
      homing config check --config homing.toml --json | jq -r '.problems[]'
    """
    found = _load(file, ddupdate_file)
    problems = [*found.problems]
    if found.server:
        problems += _unusable(found.server)
    problems += _unusable_for_client(found)
    accounts = describe_accounts(found.client)
    told = (one.warnings for one in (found.client, found.server) if one)
    warnings = list(dict.fromkeys(chain(*told, _doubts(found))))
    where = found.server.file if found.server else file
    if as_json:
        head = {"file": str(where) if where else None, "problems": problems, "warnings": warnings}
        print_json({**head, "client": accounts, **found.tables})
        sys.exit(1 if problems else 0)
    for warning in warnings:
        click.echo(f"homing: {warning}", err=True)
    if problems:
        raise InvalidSettings(problems)
    assert found.server
    zones = ", ".join(zone.name.rstrip(".") for zone in found.server.settings.zones) or "those that the store serves"
    click.echo(f"{where or 'the defaults, without a homing.toml'}: good; zones: {zones}")
    for line in [*account_lines(accounts), *(_other_lines(found) if accounts else ())]:
        click.echo(line)


@frozen
class _Found:
    """Everything that could be read, and what could not."""

    problems: tuple[str, ...]
    server: Loaded | None
    client: LoadedClient | None
    loaded: dict[str, LoadedTable]
    """`[agent]` and the like, as they were given."""
    tables: dict[str, Shown]
    """The same with what is so by default."""


def _load(file: Path | None, ddupdate_file: Path | None) -> _Found:
    problems: list[str] = []

    def attempt(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except InvalidSettings as error:
            problems.extend(problem for problem in error.problems if problem not in problems)
            return None

    def read_table(table: str, module: Any) -> LoadedTable:
        read = attempt(lambda: load_table(table, module.READERS, module.PREFIX, file=file))
        return read or LoadedTable({}, {})

    server = attempt(lambda: one_machine.load(file=file))
    client = None
    if ddupdate_file or is_configured(os.environ, file):
        client = attempt(lambda: load_client(file=file, ddupdate_file=ddupdate_file))
    loaded = {name: read_table(name, module) for name, (module, _) in _TABLES.items()}
    tables = {name: show_table(loaded[name], defaults_of(cls)) for name, (_, cls) in _TABLES.items()}
    return _Found(tuple(problems), server, client, loaded, tables)


def _unusable_for_client(found: _Found) -> Iterator[str]:
    if found.client:
        yield from account_problems(found.client)
    yield from hook_problems(found.loaded[AGENT_TABLE])


def _doubts(found: _Found) -> Iterator[str]:
    yield from hook_warnings(found.loaded[AGENT_TABLE])
    yield from lan_warnings(found.loaded[LAN_TABLE])


def _other_lines(found: _Found) -> Iterator[str]:
    of_agent = found.tables[AGENT_TABLE]
    given = of_agent["state_file"]["value"]
    yield from agent_lines(of_agent, Path(given) if given else agent.default_state_file(os.environ))
    for name, shown in found.tables.items():
        yield from table_lines(name, shown) if name != AGENT_TABLE else ()


def _unusable(loaded: Loaded) -> list[str]:
    """Return the problems of every zone and of the certificate."""
    problems: list[str] = []
    settings = loaded.settings
    for number, zone in enumerate(settings.zones):
        from homing.wiring.one_machine import make_zone

        try:
            make_zone(zone, serial=1)
        except InvalidSettings as error:
            place = _place_of_records(loaded, number)
            problems += [f"{place}: {problem}" if place else problem for problem in error.problems]
    if settings.tls_cert and settings.tls_key:
        from homing.runtimes.tls import load_context

        try:
            load_context(settings.tls_cert, settings.tls_key)
        except InvalidSettings as error:
            problems += error.problems
    return problems


def _place_of_records(loaded: Loaded, number: int) -> str:
    """Return where the records of a zone stand, or else the zone; nothing where it is not from the file."""
    if loaded.toml is None or loaded.origins["zones"] != loaded.toml.place("zones"):
        return ""
    table = loaded.toml.tables["zones"][number]
    has_records = isinstance(table, dict) and "records" in table
    return loaded.toml.place("zones", number, "records") if has_records else loaded.toml.place("zones", number)


def _rows(prefix: str, shown: Shown) -> Iterator[tuple[str, str, str]]:
    for name, one in shown.items():
        yield prefix + name, as_text(one["value"]), one["origin"]
