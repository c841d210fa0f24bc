"""What several commands share: settings as flags, names as arguments, and how results are printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from homing.core.errors import InvalidName
from homing.core.names import Name, parse_hostname
from homing.settings import one_machine

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


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store is that a command works on: a file of this machine, or a stack on AWS."""

    config: Path | None = None
    database: Path | None = None
    stack: str | None = None
    region: str | None = None
    profile: str | None = None

    @property
    def settings(self) -> one_machine.Settings:
        """What the settings say about hosts; those of this machine say nothing about a stack."""
        return one_machine.Settings() if self.stack else self.load().settings

    def load(self) -> one_machine.Loaded:
        """Return the settings of this machine, and what they warn of."""
        return one_machine.load({"database": self.database}, file=self.config)


region_option = click.option("--region", help="The AWS region, if it is not the one of the profile or AWS_REGION.")
profile_option = click.option("--profile", help="The AWS profile whose credentials are used.")


def store_options(command: F) -> F:
    """Add the options which say where the store is; the command gets them as one `place`."""

    @wraps(command)
    def placed(*arguments: Any, **given: Any) -> Any:
        place = Place(**{name: given.pop(name) for name in Place.__dataclass_fields__})
        if place.stack is None and given.get("table") is None and (place.region or place.profile):
            raise click.UsageError("--region and --profile go with --stack")
        if place.stack is not None and (place.config or place.database):
            raise click.UsageError("--stack is another store than that of --config and --database")
        return command(*arguments, place=place, **given)

    for option in (
        profile_option,
        region_option,
        click.option("--stack", metavar="NAME", help="Work on this stack on AWS, with your AWS credentials."),
        click.option("--database", type=click.Path(path_type=Path), help="The SQLite file."),
        click.option("--config", type=click.Path(path_type=Path), help="The settings file, homing.toml."),
    ):
        option(placed)
    return cast("F", placed)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON of a stable shape.")


@contextmanager
def desk(place: Place, *, may_create: bool = False) -> Iterator[Desk]:
    """Open the store for one command; only a few make one that is not there, if homing.toml names its zones."""
    if place.stack is not None:
        from homing.wiring.stack_desk import open_stack_desk

        opened = open_stack_desk(place.stack, place.region, place.profile)
    else:
        from homing.wiring.one_machine import open_desk

        loaded = place.load()
        for warning in loaded.warnings:
            click.echo(f"homing: {warning}", err=True)
        opened = open_desk(loaded.settings, may_create=may_create)
    try:
        yield opened
    finally:
        opened.close()


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
