"""homing service: the agent, or an update each so often, started by systemd, launchd or cron."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli.agent_options import agent_options
from homing.cli.options import json_option, print_fields, print_json
from homing.core.errors import Refused
from homing.core.values import replace
from homing.services.installing import plan_install, plan_uninstall
from homing.services.orders import make_order
from homing.services.places import INITS, check_folder, current_user, find_place
from homing.services.standing import files_of, is_same, look
from homing.services.steps import Command, Remove, StepFailed, Write, carry_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homing.services.places import Init, Place
    from homing.services.standing import Standing
    from homing.services.steps import Plan, Step

_LINGER = Path("/var/lib/systemd/linger")


def _place_options(command: Any) -> Any:
    """Add the options that say who starts the service, and whose it is."""
    for option in (
        json_option,
        click.option("--user", "wants_user", is_flag=True, help="For yourself, not for the whole machine."),
        click.option(
            "--manager", "init", type=click.Choice(INITS), help="Who starts it, if not what this machine has."
        ),
    ):
        command = option(command)
    return command


def _consent_options(command: Any) -> Any:
    for option in (
        click.option("--force", is_flag=True, help="Also where a file is not ours, or was changed by hand."),
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        click.option("--yes", is_flag=True, help="Do not ask."),
    ):
        command = option(command)
    return command


@click.group()
def service() -> None:
    """Have the agent started at boot, by systemd, launchd or cron.

    Everything that is to be done is shown before it is done.

    \b
    Example:
      homing service install --config /etc/homing/homing.toml --dry-run
      homing service status
    """


@service.command("install")
@agent_options
@click.option("--interval", help="Of the timer, or between two looks of the agent: 5m, 1h.")
@click.option("--timer", is_flag=True, help="Run `homing update` each so often, and no agent.")
@_consent_options
@_place_options
def install(
    names: tuple[str, ...], config: Path | None, timer: bool, init: Init | None, wants_user: bool, yes: bool,
    dry_run: bool, force: bool, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Have the machine run the agent from boot on, with these options or the settings file.

    The settings are checked first. What is there already stays as it is. Secrets are handed over in files, never
    written into what is installed.

    \b
    Example:
      homing service install --config /etc/homing/homing.toml
      homing service install cam.home.example --server https://ddns.example.com --secret-file cam.secret --yes
      homing service install --user --timer --interval 15m
    """
    _refuse_questions(yes=yes or dry_run, as_json=as_json)
    place = _find_place(init, wants_user=wants_user, dry_run=dry_run)
    order = make_order(place, "timer" if timer else "agent", {"names": names, **given}, config, os.environ)
    standing, silence = _look_if_it_answers(place) if dry_run else (look(place), ())
    plan = plan_install(place, order.job, standing, force=force, lingers=_lingers(place.user))
    for warning in () if as_json else order.warnings:
        click.echo(f"homing: {warning}", err=True)
    plan = replace(plan, notes=(*silence, *plan.notes))
    notes = (*order.warnings, *plan.notes)
    _follow(plan, place, standing, "installed", notes, yes=yes, dry_run=dry_run, as_json=as_json)


@service.command("uninstall")
@_consent_options
@_place_options
def uninstall(init: Init | None, wants_user: bool, yes: bool, dry_run: bool, force: bool, as_json: bool) -> None:
    """Stop what install made, and remove it; nothing else.

    \b
    Example:
      homing service uninstall --dry-run
      homing service uninstall --user --yes
    """
    _refuse_questions(yes=yes or dry_run, as_json=as_json)
    place = _find_place(init, wants_user=wants_user, dry_run=dry_run)
    standing = look(place)
    plan = plan_uninstall(place, standing, force=force)
    _follow(plan, place, standing, "uninstalled", plan.notes, yes=yes, dry_run=dry_run, as_json=as_json)


@service.command("status")
@_place_options
def status(init: Init | None, wants_user: bool, as_json: bool) -> None:
    """Tell what is installed, and how it fares: exit code 0 if it runs well, 1 if not.

    \b
    Example:
      homing service status
      homing service status --user --json
    """
    place = find_place(init, os.environ, current_user(), wants_user=wants_user, changes=False)
    standing = look(place)
    described = _describe(place, standing)
    if as_json:
        print_json(described)
    else:
        _show(described)
    sys.exit(0 if standing.is_well else 1)


# --- carrying out


def _find_place(init: Init | None, *, wants_user: bool, dry_run: bool) -> Place:
    place = find_place(init, os.environ, current_user(), wants_user=wants_user, changes=not dry_run)
    check_folder(place)
    return place


def _follow(
    plan: Plan, place: Place, standing: Standing, outcome: str, notes: Iterable[str],
    *, yes: bool, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show the steps, ask, and do them."""
    result = {"manager": place.init, "scope": "user" if place.is_user else "system",
              "steps": [_describe_step(step) for step in plan.steps], "notes": list(notes)}  # fmt: skip
    if not as_json:
        _show_plan(plan)
    if dry_run or not plan.steps:
        outcome = "dry-run" if plan.steps else "already-so"
    else:
        if not yes:
            _ask(place, standing)
        _carry_out(plan, place)
    if as_json:
        print_json(result | {"outcome": outcome})
    elif outcome not in ("dry-run", "already-so"):
        click.echo(outcome)


def _ask(place: Place, standing: Standing) -> None:
    """Return if the answer is yes, and was given to what is still there: what is shown takes its place as a whole."""
    if not click.confirm("Do this?", err=True):
        raise Refused("nothing was done")
    if not is_same(standing, look(place)):
        what = "the crontab" if place.init == "cron" else f"what is in {place.folder}"
        raise Refused(f"{what} was changed while you were asked, and nothing was done: run the command again")


def _carry_out(plan: Plan, place: Place) -> None:
    try:
        carry_out(plan)
    except StepFailed as error:
        option = " --user" if place.is_user and place.init != "cron" else ""
        undo = f"to undo: homing service uninstall --manager {place.init}{option}"
        done = "".join(f"done before: {_title(step)}\n" for step in error.done)
        raise Refused(f"{error}\n{done}{undo if error.done else 'nothing was done'}") from None


def _refuse_questions(*, yes: bool, as_json: bool) -> None:
    if not yes and as_json:
        raise click.UsageError("--json asks nothing: add --yes, or --dry-run")
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: add --yes, or --dry-run")


def _look_if_it_answers(place: Place) -> tuple[Standing, tuple[str, ...]]:
    """Return what is there, or the files alone and a word about why nobody can tell more."""
    try:
        return look(place), ()
    except Refused as error:
        return files_of(place), (f"{error}; until then install refuses, without --dry-run",)


def _lingers(user: int) -> bool:
    import pwd

    try:
        return (_LINGER / pwd.getpwuid(user).pw_name).exists()
    except KeyError:
        return False


# --- what is printed


def _title(step: Step) -> str:
    match step:
        case Write():
            return f"write {step.path}" + ("" if step.is_new else " in the place of the old one")
        case Remove():
            return f"remove {step.path}"
        case Command():
            return f"{'start' if step.is_left_running else 'run'} {' '.join(map(_quoted, step.words))}"


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)


def _show_plan(plan: Plan) -> None:
    if not plan.steps:
        click.echo("it is so already: nothing to do")
    for number, step in enumerate(plan.steps, 1):
        click.echo(f"{number}. {_title(step)}")
        text = step.text if isinstance(step, Write) else step.stdin if isinstance(step, Command) else None
        for line in (text or "").splitlines():
            click.echo(f"   | {line}".rstrip())
    for note in plan.notes:
        click.echo(f"homing: {note}", err=True)


def _describe_step(step: Step) -> dict[str, object]:
    match step:
        case Write():
            return {"step": "write", "path": str(step.path), "text": step.text, "is_new": step.is_new}
        case Remove():
            return {"step": "remove", "path": str(step.path)}
        case Command():
            return {"step": "run", "command": list(step.words), "stdin": step.stdin}


def _describe(place: Place, standing: Standing) -> dict[str, Any]:
    return {
        "manager": place.init,
        "scope": "user" if place.is_user else "system",
        "installed": standing.kind,
        "files": [{"path": str(one.path), "origin": one.origin} for one in standing.files],
        "at_boot": standing.is_enabled,
        "running": standing.is_active,
        "since": standing.since,
        "restarts": standing.restarts,
        "last_result": standing.last_result,
        "last_run": standing.last_run,
        "next_run": standing.next_run,
        "well": standing.is_well,
    }


def _show(told: dict[str, Any]) -> None:
    if told["installed"] is None:
        click.echo(f"not installed ({told['manager']}, {told['scope']})")
        return
    files = ", ".join(one["path"] + {"ours": ""}.get(one["origin"], f" ({one['origin']})") for one in told["files"])
    if told["installed"] == "timer" and told["last_result"] is None:
        told = told | {"last_result": "not run yet" if told["last_run"] is None else "not ended yet"}
    told = {name: "yes" if value is True else "no" if value is False else value for name, value in told.items()}
    print_fields({name.replace("_", " "): value for name, value in told.items()} | {"files": files})
