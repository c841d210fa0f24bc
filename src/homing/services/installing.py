"""Which steps install a job at a place, and which remove one. Changes nothing: `steps.py` carries them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.errors import Refused
from homing.services import cron, launchd, systemd
from homing.services.job import check_words
from homing.services.steps import Command, Plan, Remove, Write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from homing.services.job import Job, Kind
    from homing.services.places import Place
    from homing.services.standing import Placed, Standing
    from homing.services.steps import Step

_NAMES: Mapping[Kind, str] = {"agent": "the agent", "timer": "the timer"}
_KEPT: Mapping[Kind, str] = {"agent": "/var/lib/private/homing-agent", "timer": "/var/cache/private/homing-update"}


def plan_install(place: Place, job: Job, standing: Standing, *, force: bool = False, lingers: bool = True) -> Plan:
    """Return how a job comes to run here; no step where it does already.

    `lingers` tells whether a user's systemd runs without a login. Raises Refused for files that are not ours or were
    changed, unless `force`, and InvalidInput for words that cannot be written.
    """
    check_words(job)
    _refuse_half(standing)
    for other in (kind for kind in standing.kinds if kind != job.kind):
        raise Refused(f"{_NAMES[other]} is installed here already: `homing service uninstall` comes first")
    _refuse_foreign(standing, force=force)
    match place.init:
        case "systemd":
            return _install_units(place, job, standing, lingers=lingers)
        case "launchd":
            return _install_plist(place, job, standing)
        case "cron":
            return _install_line(place, job, standing)


def plan_uninstall(place: Place, standing: Standing, *, force: bool = False) -> Plan:
    """Return how what is here goes again: stopped first, and nothing but what install made. Raises Refused."""
    if not standing.kinds:
        return Plan(())
    _refuse_half(standing)
    _refuse_foreign(standing, force=force)
    removals = [Remove(placed.path) for placed in standing.files]
    match place.init:
        case "systemd":
            return _uninstall_units(place, standing, removals)
        case "launchd":
            stops = [step for kind in standing.kinds for step in _bootout(place, kind, standing)]
            return Plan((*stops, *removals))
        case "cron":
            return _uninstall_line(place, standing)


def _refuse_foreign(standing: Standing, *, force: bool) -> None:
    for placed in standing.files:
        if placed.origin == "foreign" and not force:
            raise Refused(f"{placed.path} was not made by `homing service install`: move it away, or use --force")
        if placed.origin == "changed" and not force:
            raise Refused(
                f"{placed.path} was changed by hand since `homing service install` made it: keep what you need of it"
                " elsewhere (a drop-in, for systemd), then use --force"
            )


def _writes(wanted: Mapping[Path, str], placed: Sequence[Placed]) -> list[Write]:
    """Return what is not there yet as it should be."""
    there = {one.path: one.text for one in placed}
    return [Write(path, text, path not in there) for path, text in wanted.items() if there.get(path) != text]


# --- systemd


def _install_units(place: Place, job: Job, standing: Standing, *, lingers: bool) -> Plan:
    units = systemd.render_units(job, is_user=place.is_user)
    main = systemd.UNITS[job.kind][-1]
    writes = _writes({place.folder / name: text for name, text in units.items()}, standing.files)
    steps: list[Step] = [*writes]
    if writes or not (standing.is_enabled and standing.is_active):
        steps += [Command((*place.systemctl, *words.split(), *unit)) for words, unit in (
            ("daemon-reload", ()), ("enable", (main,)), ("restart", (main,)))]  # fmt: skip
    if job.kind == "timer" and steps:
        steps.append(Command((*place.systemctl, "start", "--no-block", systemd.UPDATE)))
    notes = []
    if place.is_user and not lingers:
        steps.append(Command(("loginctl", "enable-linger")))
        notes.append("loginctl enable-linger has your services run from boot on, without a login; uninstall leaves it")
    return Plan(tuple(steps), tuple(notes))


def _uninstall_units(place: Place, standing: Standing, removals: Sequence[Remove]) -> Plan:
    stops = [step for kind in standing.kinds for step in _stop_units(place, kind, standing)]
    kept = " and ".join(_KEPT[kind] for kind in standing.kinds)
    notes = () if place.is_user else (f"what it knew stays in {kept}",)
    return Plan((*stops, *removals, Command((*place.systemctl, "daemon-reload"))), notes)


def _stop_units(place: Place, kind: Kind, standing: Standing) -> list[Step]:
    """A service that is starting, or waits to be started again, is not active, and would go on without its unit."""
    service, main = systemd.UNITS[kind][0], systemd.UNITS[kind][-1]
    steps: list[Step] = []
    is_ours = any(one.origin != "foreign" and one.path.name in systemd.UNITS[kind] for one in standing.files)
    if is_ours or standing.is_active or standing.is_enabled:
        steps.append(Command((*place.systemctl, "disable", "--now", main)))
    if service != main:
        steps.append(Command((*place.systemctl, "stop", service)))
    return steps


# --- launchd


def _install_plist(place: Place, job: Job, standing: Standing) -> Plan:
    path = place.folder / f"{launchd.LABELS[job.kind]}.plist"
    text = launchd.render_plist(job, place.logs, is_user=place.is_user)
    writes = _writes({path: text}, standing.files)
    if not writes and job.kind in standing.loaded:
        return Plan(())
    target = f"{place.domain}/{launchd.LABELS[job.kind]}"
    begin = [Command(("launchctl", "enable", target)), Command(("launchctl", "bootstrap", place.domain, str(path)))]
    notes = () if place.is_user else ("launchd has no user made up for a service: this one runs as root",)
    return Plan((*_bootout(place, job.kind, standing), *writes, *begin), notes)


def _bootout(place: Place, kind: Kind, standing: Standing) -> list[Step]:
    return (
        [Command(("launchctl", "bootout", f"{place.domain}/{launchd.LABELS[kind]}"))] if kind in standing.loaded else []
    )


# --- cron


def _install_line(place: Place, job: Job, standing: Standing) -> Plan:
    block = cron.render_block(job, place.folder, " ".join((place.seed, *job.command)))
    old = cron.find_block(standing.crontab)
    is_same = old.block == block
    if is_same and (job.kind == "timer" or standing.is_active):
        return Plan(())
    steps: list[Step] = [*_end_agent(standing), Command(("mkdir", "-p", "-m", "0700", str(place.folder)))]
    if not is_same:
        steps.append(Command(("crontab", "-"), cron.with_block(standing.crontab, block)))
    if job.kind == "agent":
        steps.append(Command(("sh", "-c", cron.render_line(job, place.folder)), is_left_running=True))
    notes = ["it runs as root, as all does in root's crontab: one of another user is safer"] if place.user == 0 else []
    if job.kind == "agent":
        notes.append("cron does not start it again should it end: systemd or launchd would, and a timer needs it not")
    return Plan(tuple(steps), tuple(notes))


def _uninstall_line(place: Place, standing: Standing) -> Plan:
    steps = [*_end_agent(standing), Command(("crontab", "-"), cron.without_block(standing.crontab))]
    made = [place.folder / cron.PID_FILE, cron.log_file(place.folder, standing.kind or "agent")]
    return Plan((*steps, *(Remove(path) for path in made if path.exists())))


def _end_agent(standing: Standing) -> list[Step]:
    return [Command(("sh", "-c", cron.render_stop(standing.pid)))] if standing.pid is not None else []


def _refuse_half(standing: Standing) -> None:
    block = cron.find_block(standing.crontab).block
    if block and not block.endswith(cron.END):
        raise Refused("the crontab has the first of our lines, but not the last: take them out with `crontab -e`")
