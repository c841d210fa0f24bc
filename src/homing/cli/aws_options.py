"""What the commands about a stack share: which stack, and how its events are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from homing.cli.options import profile_option, region_option
from homing.core.errors import InvalidInput
from homing.stack.stacks import DEFAULT_NAME, parse_stack_name

if TYPE_CHECKING:
    from homing.stack.change_set import Change
    from homing.stack.progress import Event

F = TypeVar("F", bound=Callable[..., Any])


def _stack_name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        return parse_stack_name(value)
    except InvalidInput as error:
        raise click.BadParameter(str(error)) from None


def stack_options(command: F) -> F:
    """Add --stack, --region and --profile."""
    for option in (
        profile_option,
        region_option,
        click.option(
            "--stack", default=DEFAULT_NAME, callback=_stack_name, metavar="NAME", help="The stack. [default: homing]"
        ),
    ):
        command = option(command)
    return command


def echo_event(event: Event) -> None:
    """Print what happened to a resource, on standard error: it is progress, not a result."""
    colour = "red" if event.is_failure else "green" if event.status.endswith("_COMPLETE") else None
    name = "(the stack)" if event.is_stack else event.logical_id
    line = f"{event.time[11:19]}  {name:<28} {click.style(f'{event.status:<28}', fg=colour)} {event.reason}"
    click.echo(line.rstrip(), err=True)


def echo_changes(changes: tuple[Change, ...]) -> None:
    """Print what a change set would do, a line for each resource."""
    words = {"Add": "+ add", "Modify": "~ change", "Remove": "- remove"}
    for one in changes:
        note = "  REPLACED: the old one is removed" if one.replacement else ""
        click.echo(f"  {words.get(one.action, one.action):<9} {one.logical_id:<28} {one.type}{note}", err=True)
