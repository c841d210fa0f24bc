"""From what somebody typed, and the settings, to the job that a machine is given. Refuses what could not work.

The settings are read as the service will read them: without the variables of whoever types.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput, InvalidSettings
from homing.core.values import frozen, replace
from homing.services import fitness
from homing.services.job import DEFAULT_INTERVAL, Given, Job, check_interval
from homing.settings import values
from homing.settings.agent import PREFIX as AGENT_PREFIX
from homing.settings.agent import load_agent
from homing.settings.client import SECRETS
from homing.settings.client_layers import FILE, KEYRING
from homing.settings.client_layers import PREFIX as CLIENT_PREFIX
from homing.settings.client_loading import HOSTS, load_client
from homing.settings.credentials import place_of_secret
from homing.settings.one_machine import CLIENT_TABLE
from homing.settings.text_file import is_file
from homing.settings.toml_file import find_file, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from homing.services.job import Kind
    from homing.services.places import Place
    from homing.settings.client import ClientSettings
    from homing.settings.client_loading import LoadedClient

CACHE = "1d"
"""What a timer's updates have for --cache unless the settings say: most find nothing new, and should send nothing."""
_FILES = ("secret_file", "ca_file")
_FLAGS = ("ipv4_only", "ipv6_only", "allow_internal")
_OF_UPDATE = {"ipv4_only": "--ipv4", "ipv6_only": "--ipv6"}
"""What `homing update` calls them."""


@frozen
class Order:
    """A job, and what one should know of it."""

    job: Job
    warnings: tuple[str, ...]


def make_order(
    place: Place, kind: Kind, given: Mapping[str, Any], config: Path | None, environment: Mapping[str, str]
) -> Order:
    """Return the job that the words of the command line mean. `given` has the options of `homing run` by their names.

    Raises InvalidSettings with every problem: of the settings, and of what they name that the service cannot reach.
    """
    wanted = {name: value for name, value in given.items() if value not in (None, (), False)}
    interval = _read_interval(wanted.pop("interval", None), kind)
    file = config or find_file(environment)
    file = _whole(file) if file else None
    unseen = sorted(name for name in environment if name.startswith((CLIENT_PREFIX, AGENT_PREFIX)))
    notes = [f"{name} is set here, but not where the service runs: write it into homing.toml" for name in unseen]
    bare = {"HOME": environment.get("HOME", "/")}
    try:
        loaded = load_client(_settings_of(wanted), bare, file)
        agent = load_agent({}, bare, file) if kind == "agent" else None
    except InvalidSettings as error:
        raise InvalidSettings((*error.problems, *notes)) from None
    words = [*_words(wanted, kind), *(() if file is None else ("--config", Given(file)))]
    if kind == "timer" and not any(account.cache for account in loaded.accounts):
        words += ["--cache", CACHE]
    if kind == "agent" and interval is not None:
        words += ["--interval", str(interval)]
    if place.init == "systemd" and not place.is_user:
        ini = [path for path in loaded.files if path != file]
        words += _handed(ini, kind)
        problems = [*fitness.program_problems(), *_ini_problems(ini, kind), *_keyring_problems(file)]
        problems += fitness.settings_problems(_without_flags(loaded, wanted), agent)
        if problems:
            raise InvalidSettings(problems)
    job = Job(
        kind=kind,
        program=find_program(),
        words=("run" if kind == "agent" else "update", *words),
        secret_files=tuple(secret_files_of(file)) if file else (),
        interval=interval or DEFAULT_INTERVAL,
    )
    return Order(job, (*loaded.warnings, *notes))


def find_program() -> tuple[str, ...]:
    """Return how this very program is started, whoever does it from wherever."""
    script = Path(sys.executable).parent / "homing"
    return (str(script),) if script.is_file() else (sys.executable, "-P", "-m", "homing")


def secret_files_of(file: Path) -> Iterator[Path]:
    """Yield the files with secrets that a settings file names, as far as they are there. Raises InvalidInput."""
    for table in _tables(file):
        for name in SECRETS:
            given = table.get(name + FILE)
            with contextlib.suppress(RuntimeError, OSError, ValueError):  # what cannot be a path is told elsewhere
                if isinstance(given, str) and is_file(path := place_of_secret(given, file, {})):
                    yield _whole(path)


def _tables(file: Path) -> Sequence[Mapping[str, Any]]:
    """Return the tables of a settings file that was found to be good."""
    table = read_toml(file).tables.get(CLIENT_TABLE, {})
    return (table, *table.get(HOSTS, ()))


def _whole(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _read_interval(text: str | None, kind: Kind) -> int | None:
    if text is None:
        return None
    try:
        seconds = values.seconds(30, 86_400)(text)
        return check_interval(seconds) if kind == "timer" else seconds
    except InvalidInput as error:
        raise InvalidSettings((f"interval: {error}",)) from None


def _settings_of(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the options mean, as `homing run` has them."""
    flags = dict(wanted)
    if interface := flags.pop("of_interface", None):
        flags |= {"ipv4": f"interface:{interface}", "ipv6": f"interface:{interface}"}
    return flags


def _words(wanted: Mapping[str, Any], kind: Kind) -> Iterator[str | Given]:
    yield from wanted.get("names", ())
    for name, value in wanted.items():
        flag = "--interface" if name == "of_interface" else "--" + name.replace("_", "-")
        if name in _FLAGS:
            yield _OF_UPDATE.get(name, flag) if kind == "timer" else flag
        elif name in _FILES:
            yield from (flag, Given(_whole(value)))
        elif name != "names":
            yield from (flag, str(value))


# --- what a service under a sandbox needs besides


def _without_flags(loaded: LoadedClient, wanted: Mapping[str, Any]) -> Sequence[ClientSettings]:
    """A file that a flag names is handed to the service, so that it may lie where only root reads."""
    return [replace(one, ca_file=None) for one in loaded.accounts] if "ca_file" in wanted else loaded.accounts


def _handed(ini: Sequence[Path], kind: Kind) -> Sequence[str | Given]:
    return ("--ddupdate-config", Given(ini[0])) if kind == "timer" and len(ini) == 1 else ()


def _ini_problems(ini: Sequence[Path], kind: Kind) -> Iterator[str]:
    if kind == "timer" and len(ini) == 1:
        return
    for path in ini:
        if why := fitness.why_closed(path):
            yield f"{path}: {why}; or write its secrets into homing.toml, which root reads for the service"


def _keyring_problems(file: Path | None) -> Iterator[str]:
    for table in _tables(file) if file else ():
        for name in SECRETS:
            if name + KEYRING in table:
                yield f"{file}: {name}{KEYRING}: the service has no keyring: use {name}{FILE}, or --user"
