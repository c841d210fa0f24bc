"""homing aws status, logs, delete: looking after a stack that stands."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from homing.cli.aws_options import echo_event, stack_options
from homing.cli.options import json_option, print_fields, print_json
from homing.core.errors import HomingError, InvalidInput, Refused
from homing.settings.values import seconds
from homing.stack.account import open_account
from homing.stack.condition import condition_of
from homing.stack.logs import FUNCTIONS, follow_lines, groups_of, read_lines
from homing.stack.progress import follow, newest_event
from homing.stack.removal import data_of, delete_stack, delete_table, delete_zone
from homing.stack.stacks import find_stack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homing.stack.account import Account
    from homing.stack.condition import Condition
    from homing.stack.logs import Line
    from homing.stack.removal import Data
    from homing.stack.stacks import Stack

_SECRET_OUTPUTS = ("apiKey",)


@click.command()
@stack_options
@json_option
def status(stack: str, region: str | None, profile: str | None, as_json: bool) -> None:
    """Show how the stack is: its state, its outputs, what waits to be published, and its alarms.

    \b
    Example:
      homing aws status --json | jq .alarms
    """
    account = open_account(region, profile)
    found = find_stack(account, stack)
    condition = condition_of(account, found)
    pending, trouble = _pending_age(account, found)
    outputs = {key: "(set)" if key in _SECRET_OUTPUTS else value for key, value in sorted(found.outputs.items())}
    if as_json:
        alarms = [{"name": one.name, "state": one.state, "reason": one.reason} for one in condition.alarms]
        print_json({
            "stack": found.name, "status": found.status, "reason": found.reason, "endpoint": found.endpoint,
            "parameters": dict(sorted(found.parameters.items())), "outputs": outputs, "pending_seconds": pending,
            "dead_letters": condition.dead_letters, "alarms": alarms,
        })  # fmt: skip
        return
    print_fields(
        {
            "stack": found.name,
            "state": found.status,
            "reason": found.reason,
            "endpoint": found.endpoint,
            "oldest pending": trouble or (f"{pending} s" if pending else "nothing is pending"),
            "dead letters": condition.dead_letters,
            "alarms": _alarm_words(condition),
        }
    )
    click.echo()
    print_fields(outputs or {"outputs": "none"})


def _pending_age(account: Account, stack: Stack) -> tuple[int | None, str]:
    """Return the age of the oldest pending host in seconds; or why it is not known, for the rest is worth showing."""
    from homing.wiring.stack_desk import open_desk_of

    try:
        opened = open_desk_of(account, stack)
        try:
            return opened.outbox.backlog_age(), ""
        finally:
            opened.close()
    except HomingError as error:
        return None, f"not known: {error}"


def _alarm_words(condition: Condition) -> str:
    if not condition.alarms:
        return "none: `homing aws deploy --alarm-email me@example.com` sets them up"
    wrong = [f"{one.name} {one.state}" for one in condition.alarms if one.state == "ALARM"]
    return "; ".join(wrong) if wrong else f"{len(condition.alarms)}, none raised"


def _since(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    try:
        return seconds(1, 10 * 365 * 86_400)(value)
    except InvalidInput:
        raise click.BadParameter("expected a time such as 90, 30m, 12h or 7d") from None


@click.command()
@stack_options
@click.option("--follow", "keeps_on", is_flag=True, help="Go on showing what comes, until Ctrl-C.")
@click.option("--since", default="1h", callback=_since, help="How far back: 90, 30m, 1h, 7d. [default: 1h]")
@click.option("--function", "functions", type=click.Choice(FUNCTIONS), multiple=True, help="One of the functions.")
@json_option
def logs(
    stack: str, region: str | None, profile: str | None, keeps_on: bool, since: int, functions: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Show what the functions log. With --json, one JSON object a line.

    \b
    Example:
      homing aws logs --follow --function update
    """
    account = open_account(region, profile)
    groups = groups_of(account, find_stack(account, stack).name, functions or FUNCTIONS)
    start = int((time.time() - since) * 1000)
    lines = follow_lines(account, groups, start, time.sleep) if keeps_on else read_lines(account, groups, start)
    try:
        _echo_lines(lines, as_json=as_json)
    except KeyboardInterrupt:
        return


def _echo_lines(lines: Iterable[Line], *, as_json: bool) -> None:
    import json

    for line in lines:
        if as_json:
            told: dict[str, Any] = {"time": line.time, "function": line.function, "message": line.text}
            click.echo(json.dumps(told))
        else:
            when = datetime.fromtimestamp(line.time / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            click.echo(f"{when}  {line.function:<7}  {line.text}")


@click.command()
@stack_options
@click.option("--with-data", is_flag=True, help="Delete the table too, and the zone if the stack made it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(stack: str, region: str | None, profile: str | None, with_data: bool, yes: bool, as_json: bool) -> None:
    """Take the stack down. Its table, and the zone that it made, stay unless --with-data is given.

    A later stack cannot take over a table that was kept: `homing export --table` reads it, for `homing import`.

    \b
    Example:
      (umask 077; homing export --stack homing > homing.json)
      homing aws delete --stack homing
    """
    account = open_account(region, profile)
    found = find_stack(account, stack)
    data = data_of(account, found)
    _confirm(found, data, with_data=with_data, yes=yes)
    hosts = _host_records(account, found) if with_data and data.zone_id else set()
    after = newest_event(account, found.id)
    delete_stack(account, found)
    _watch(account, found, after)
    kept = _delete_data(account, data, hosts) if with_data else [one for one in (data.table, data.zone_id) if one]
    if as_json:
        print_json({"stack": found.name, "deleted": True, "kept": kept})
        return
    click.echo(f"the stack {found.name} is deleted")
    for one in kept:
        click.echo(f"kept: {one}")


def _confirm(stack: Stack, data: Data, *, with_data: bool, yes: bool) -> None:
    if yes:
        return
    lost = ", ".join(one for one in (f"the table {data.table}" if data.table else "", data.zone_id) if one)
    what = f"with all data ({lost})" if with_data and lost else "and keep its data"
    if not _is_person():
        raise Refused(f"this would delete the stack {stack.name} {what}: --yes agrees to it")
    typed = click.prompt(
        f"Delete the stack {stack.name} {what}? Type its name", default="", show_default=False, err=True
    )
    if typed != stack.name:
        raise Refused("nothing was deleted")


def _is_person() -> bool:
    return sys.stdin.isatty()


def _host_records(account: Account, stack: Stack) -> set[tuple[str, str]]:
    """Return the records that are ours, while the table still says so."""
    from homing.wiring.stack_desk import open_desk_of

    opened = open_desk_of(account, stack)
    try:
        return {(host.hostname, host.record_type) for host in opened.administration.hosts()}
    finally:
        opened.close()


def _watch(account: Account, stack: Stack, after: str | None) -> None:
    failed: list[str] = []
    for event in follow(account, stack.id, after, time.sleep):
        echo_event(event)
        failed += [f"{event.logical_id}: {event.reason}"] if event.is_failure and not event.is_stack else []
        if event.is_end and event.status != "DELETE_COMPLETE":
            raise Refused("\n".join([f"the stack was not deleted ({event.status}); try again", *failed[:3]]))


def _delete_data(account: Account, data: Data, hosts: set[tuple[str, str]]) -> list[str]:
    """Delete the zone first: its records are told by the table. Return what was kept all the same, and why."""
    kept = delete_zone(account, data.zone_id, hosts) if data.zone_id else None
    if data.table:
        delete_table(account, data.table, time.sleep)
    return [kept] if kept else []
