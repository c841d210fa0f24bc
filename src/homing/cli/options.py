"""What several commands share: settings as flags, names as arguments, and how results are printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from homing import settings
from homing.core.errors import InvalidName
from homing.core.names import Name, parse_hostname

if TYPE_CHECKING:
    from homing.wiring.desk import Desk

F = TypeVar("F", bound=Callable[..., Any])


class Hostname(click.ParamType[Name]):
    """A hostname, made canonical."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Name:
        """Parse it, or end with a usage error."""
        try:
            return parse_hostname(value)
        except InvalidName as error:
            self.fail(str(error), param, ctx)


def store_options(command: F) -> F:
    """Add --config and --database, which say where the store is."""
    for option in (
        click.option("--database", type=click.Path(path_type=Path), help="The SQLite file."),
        click.option("--config", type=click.Path(path_type=Path), help="The settings file, homing.toml."),
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON of a stable shape.")


@contextmanager
def desk(config: Path | None, database: Path | None, *, may_create: bool = False) -> Iterator[Desk]:
    """Open the store for one command; only a few make one that is not there, if homing.toml names its zones."""
    from homing.wiring.one_machine import open_desk

    opened = open_desk(settings.load({"database": database}, file=config).settings, may_create=may_create)
    try:
        yield opened
    finally:
        opened.store.close()


def print_json(value: object) -> None:
    """Print a result for programs."""
    click.echo(json.dumps(value, indent=2))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned text; plain, so that it can be piped."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    for row in [heads, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """Print one thing, a line for each field that has a value."""
    width = max(map(len, fields))
    for name, value in fields.items():
        if value not in (None, ""):
            click.echo(f"{name.ljust(width)}  {value}")
