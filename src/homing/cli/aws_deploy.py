"""homing aws deploy: one step to a stack that answers, or to its newest version."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, get_args

import click

from homing.cli.aws_options import echo_changes, echo_event, stack_options
from homing.cli.aws_package import build, bytecode_option, describe_costs, echo_costs, runtime_option
from homing.cli.options import json_option, print_json
from homing.core.errors import InvalidName, Refused
from homing.core.names import Name, parse_name
from homing.stack.account import open_account
from homing.stack.change_set import discard, execute
from homing.stack.costs import Endpoint, Load, Mode, estimate
from homing.stack.deployment import RUNTIME, Wanted, plan
from homing.stack.package import DEFAULT_RUNTIME
from homing.stack.progress import advice_for, follow, newest_event
from homing.stack.stacks import find_stack, get_stack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homing.stack.account import Account
    from homing.stack.change_set import ChangeSet
    from homing.stack.package import Package
    from homing.stack.progress import Event
    from homing.stack.stacks import Stack


class ZoneName(click.ParamType[Name]):
    """The name of a zone, made canonical."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Name:
        """Parse it, or end with a usage error."""
        try:
            return parse_name(value)
        except InvalidName as error:
            self.fail(str(error), param, ctx)


def _parameters(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    if wrong := [name for name, equals, _ in pairs if not equals or not name]:
        raise click.BadParameter(f"expected NAME=VALUE, not {wrong[0]!r}")
    return {name: value for name, _, value in pairs}


@click.command()
@click.argument("zone", type=ZoneName(), required=False)
@stack_options
@click.option("--zone-id", metavar="ID", help="The zone by its id, where several have the name or it is private.")
@click.option("--new-zone", is_flag=True, help="Make a zone even if there is one of this name.")
@click.option("--endpoint", type=click.Choice(get_args(Endpoint)), help="What clients call. [default: functionUrl]")
@click.option(
    "--publish-mode", type=click.Choice(get_args(Mode)), help="stream from some thousand hosts on. [default: direct]"
)
@click.option("--alarm-email", metavar="ADDRESS", help="Who hears of alarms; AWS asks them to confirm.")
@click.option("--tokens/--no-tokens", default=None, help="A valid ddupdate token makes its host.")
@click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_parameters,
    help="Any template parameter; a wrong name lists them.",
)
@click.option("--bucket", help="Where the package is uploaded to. [default: homing-ACCOUNT-REGION, made private]")
@runtime_option
@bytecode_option
@click.option("--dry-run", is_flag=True, help="Show what would change and what it costs, and change nothing.")
@click.option(
    "--hosts", type=click.IntRange(1, 100_000_000), default=100, help="For the cost in a dry run. [default: 100]"
)
@click.option("--yes", is_flag=True, help="Do not ask before something is replaced or removed.")
@json_option
def deploy(
    zone: Name | None, stack: str, region: str | None, profile: str | None, zone_id: str | None, new_zone: bool,
    parameters: dict[str, str], bucket: str | None, runtime: str | None, bytecode: bool | None, dry_run: bool,
    hosts: int, yes: bool, as_json: bool, **flags: Any,
) -> None:  # fmt: skip
    """Make the stack, or bring it to this version. ZONE is needed the first time only.

    A zone that is in the account is used, another is made. What is not named stays as it is. Progress goes to standard
    error, the result to standard output.

    \b
    Example:
      homing aws deploy example.com
      homing aws deploy example.com --dry-run --hosts 10000
      homing aws deploy --alarm-email me@example.com --param defaultTtl=120
    """
    account = open_account(region, profile)
    click.echo(f"account {account.id} in {account.region}, as {account.identity['Arn']}", err=True)
    before = get_stack(account, stack)
    package = _package(before, runtime, bytecode)
    wanted = Wanted(
        stack=stack,
        zone=zone,
        zone_id=zone_id,
        new_zone=new_zone,
        bucket=bucket,
        parameters=parameters | _from_flags(**flags),
    )
    change_set = plan(account, wanted, package, dry_run=dry_run, now=time.time(), sleep=time.sleep, tell=_say)
    echo_changes(change_set.changes)
    if dry_run:
        discard(account, change_set)
        _tell_dry_run(
            change_set, hosts, dict(before.parameters if before else {}) | dict(wanted.parameters), as_json=as_json
        )
        return
    if change_set.is_empty:
        discard(account, change_set)
        _say("nothing to change")
    else:
        _ask(account, change_set, yes=yes)
        _carry_out(account, change_set)
    where = "".join(f" --{name} {value}" for name, value in (("region", region), ("profile", profile)) if value)
    _tell_result(find_stack(account, stack), where, changed=not change_set.is_empty, as_json=as_json)


def _package(before: Stack | None, runtime: str | None, bytecode: bool | None) -> Package:
    """A stack keeps its runtime."""
    return build(runtime or (before.parameters.get(RUNTIME) if before else None) or DEFAULT_RUNTIME, bytecode)


def _from_flags(
    endpoint: str | None, publish_mode: str | None, alarm_email: str | None, tokens: bool | None
) -> dict[str, str]:
    given = {"endpoint": endpoint, "publishMode": publish_mode, "alarmEmail": alarm_email}
    if tokens is not None:
        given["tokensCreateHosts"] = str(tokens).lower()
    return {name: value for name, value in given.items() if value is not None}


def _ask(account: Account, change_set: ChangeSet, *, yes: bool) -> None:
    """Only what is lost is asked about: a first deployment, and most others, need nobody."""
    lost = [change for change in change_set.changes if change.loses_something]
    if not lost or yes:
        return
    names = ", ".join(change.logical_id for change in lost)
    data = [change.logical_id for change in lost if change.holds_data]
    question = f"{names} would be replaced or removed{'; ' + ', '.join(data) + ' holds data' if data else ''}"
    try:
        agreed = sys.stdin.isatty() and click.confirm(f"{question}. Go on?", err=True)
    except click.Abort:
        agreed = False
    if not agreed:
        discard(account, change_set)
        raise Refused(f"nothing was changed: {question}; --yes agrees to it")


def _carry_out(account: Account, change_set: ChangeSet) -> None:
    """Execute it and show what happens. Raises Refused with what failed first, and what to do."""
    stack = get_stack(account, change_set.stack)
    assert stack is not None
    after = newest_event(account, stack.id)
    execute(account, change_set)
    events = _shown(follow(account, stack.id, after, time.sleep))
    if events[-1].status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return
    failed = [event for event in events if event.is_failure and not event.is_stack][:3]
    lines = [f"{event.logical_id} ({event.type}): {event.reason}" for event in failed]
    advice = [f"  what to do: {text}" for event in failed if (text := advice_for(event.reason))]
    if events[-1].status == "ROLLBACK_COMPLETE":
        advice.append(f"  then: `homing aws delete --stack {stack.name}`, and deploy again")
    raise Refused("\n".join([f"the stack was not deployed ({events[-1].status})", *lines, *dict.fromkeys(advice)]))


def _shown(events: Iterable[Event]) -> list[Event]:
    seen = []
    for event in events:
        echo_event(event)
        seen.append(event)
    return seen


def _tell_dry_run(change_set: ChangeSet, hosts: int, parameters: dict[str, str], *, as_json: bool) -> None:
    endpoint: Any = parameters.get("endpoint", "functionUrl")
    mode: Any = parameters.get("publishMode", "direct")
    load = Load(hosts=hosts)
    found = estimate(load, endpoint, mode)
    if as_json:
        changes = [
            {"action": one.action, "logical_id": one.logical_id, "type": one.type, "replacement": one.replacement}
            for one in change_set.changes
        ]
        print_json({"stack": change_set.stack, "is_new": change_set.is_new, "changes": changes, "hosts": hosts}
                   | describe_costs(found))  # fmt: skip
        return
    click.echo(f"{len(change_set.changes)} resources of {change_set.stack} would change; nothing was changed.\n")
    echo_costs(load, found)


def _tell_result(stack: Stack, where: str, *, changed: bool, as_json: bool) -> None:
    """`where` are the flags that every later command needs too."""
    zone = stack.outputs.get("route53ZoneName", stack.parameters.get("route53ZoneName", "")).rstrip(".")
    servers = stack.outputs.get("DNSZoneNameServers", "").split()
    if as_json:
        print_json({
            "stack": stack.name, "status": stack.status, "changed": changed, "endpoint": stack.endpoint, "zone": zone,
            "zone_id": stack.outputs.get("route53ZoneID"), "name_servers": servers,
        })  # fmt: skip
        return
    click.echo(f"\nThe stack {stack.name} is ready at\n\n  {stack.endpoint or '(no endpoint)'}\n")
    if servers:
        click.echo(
            f"Its zone {zone} is a new one. Where {zone} was registered, or in the zone above it, set its NS to\n"
        )
        click.echo("".join(f"  {one}\n" for one in servers))
    click.echo(f"The first host:\n\n  homing host add cam.{zone} --stack {stack.name}{where}")


def _say(text: str) -> None:
    click.echo(text, err=True)
