"""homing aws package, homing aws costs: what can be known without an AWS account."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from homing.cli.options import json_option, print_fields, print_json
from homing.core.errors import InvalidInput, Refused
from homing.stack import prices
from homing.stack.costs import Endpoint, Estimate, Load, Mode, Protocol, estimate, estimate_awslabs
from homing.stack.package import DEFAULT_RUNTIME, Package, build_package, parse_runtime


def _runtime(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        if value is not None:
            parse_runtime(value)
    except InvalidInput as error:
        raise click.BadParameter(str(error)) from None
    return value


runtime_option = click.option(
    "--runtime", callback=_runtime, metavar="RUNTIME", help="Lambda's runtime, for which bytecode is made."
)
bytecode_option = click.option(
    "--bytecode/--no-bytecode", default=None, help="Without it, cold starts are slower and any Python can build."
)


def build(runtime: str, bytecode: bool | None) -> Package:
    """Build the package. Without a Python of that version it goes without bytecode, unless somebody insists."""
    try:
        return build_package(runtime, bytecode=bytecode is not False)
    except Refused as error:
        if bytecode is not None:
            raise
        click.echo(f"warning: {error}", err=True)
        click.echo("warning: going on without bytecode", err=True)
        return build_package(runtime, bytecode=False)


@click.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file. [default: homing-aws.zip]")
@runtime_option
@bytecode_option
@json_option
def package(output: Path | None, runtime: str | None, bytecode: bool | None, as_json: bool) -> None:
    """Build the zip that Lambda runs. The same sources give the same bytes, wherever they are built.

    Bytecode is made by a Python of the runtime's version: this one, or the one that HOMING_PYTHON names, or the one
    that is on PATH. Where there is none, the package has no bytecode, unless --bytecode insists.

    \b
    Example:
      homing aws package --output homing.zip --runtime python3.13
    """
    built = build(runtime or DEFAULT_RUNTIME, bytecode)
    path = output or Path("homing-aws.zip")
    path.write_bytes(built.data)
    told = {
        "path": str(path),
        "bytes": len(built.data),
        "files": built.files,
        "runtime": built.runtime,
        "bytecode": built.has_bytecode,
        "sha256": built.sha256,
        "code_sha256": built.code_sha256,
    }
    if as_json:
        print_json(told)
    else:
        print_fields(told | {"bytecode": "yes" if built.has_bytecode else "no"})


@click.command()
@click.option("--hosts", type=click.IntRange(1, 100_000_000), required=True, help="How many hosts.")
@click.option(
    "--poll-minutes", type=click.FloatRange(0.1, 44_640), default=5.0, help="A client asks so often. [default: 5]"
)
@click.option(
    "--changes-per-day",
    type=click.FloatRange(0, 1_000),
    default=0.01,
    help="Changes of a host's address in a day. [default: 0.01]",
)
@click.option("--endpoint", type=click.Choice(get_args(Endpoint)), default="functionUrl", help="As the stack has it.")
@click.option(
    "--protocol", type=click.Choice(get_args(Protocol)), default="hash", help="dyndns2 means accounts: three reads."
)
@click.option("--mode", type=click.Choice(get_args(Mode)), default="direct", help="As the stack's publishMode.")
@json_option
def costs(
    hosts: int, poll_minutes: float, changes_per_day: float, endpoint: Endpoint, protocol: Protocol, mode: Mode,
    as_json: bool,
) -> None:  # fmt: skip
    """Reckon what a stack costs in a month, line by line, beside the awslabs design.

    \b
    Example:
      homing aws costs --hosts 10000
    """
    load = Load(hosts=hosts, poll_minutes=poll_minutes, changes_per_day=changes_per_day)
    ours, theirs = estimate(load, endpoint, mode, protocol), estimate_awslabs(load)
    if as_json:
        print_json(describe_costs(ours) | {"awslabs_dollars_a_month": round(theirs.dollars, 2)})
        return
    echo_costs(load, ours)
    click.echo(f"\nThe design of awslabs v2 (REST API, two calls and a write for each poll): ${theirs.dollars:,.2f}")
    click.echo(f"Prices of {prices.REGION} on {prices.AS_OF}, free tiers taken off. DNS queries ($0.40 a million),")
    click.echo("CloudFront, alarms and taxes are not in it.")


def describe_costs(found: Estimate) -> dict[str, Any]:
    """Return an estimate in its JSON shape, which is a contract."""
    items = [
        {"name": item.name, "dollars": round(item.dollars, 4), "arithmetic": item.arithmetic, "source": item.source}
        for item in found.items
    ]
    return {"dollars_a_month": round(found.dollars, 2), "items": items, "prices": prices.AS_OF}


def echo_costs(load: Load, found: Estimate) -> None:
    """Print an estimate, a line for each item with its arithmetic."""
    click.echo(
        f"{load.hosts:,} hosts, a poll every {load.poll_minutes:g} minutes, {load.changes_per_day:g} changes a day:"
    )
    for item in found.items:
        click.echo(f"  {item.dollars:>12,.2f}  {item.name:<16}  {item.arithmetic}")
    click.echo(f"  {found.dollars:>12,.2f}  US dollars a month")
