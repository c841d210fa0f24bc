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
from homing.services import fitness, trust
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
    from homing.settings.agent import AgentSettings
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


@frozen
class _Read:
    """What somebody typed, and what the settings say."""

    kind: Kind
    wanted: Mapping[str, Any]
    file: Path | None
    loaded: LoadedClient
    agent: AgentSettings | None
    notes: tuple[str, ...]

    @property
    def ini(self) -> Sequence[Path]:
        """Files of ddupdate's that were read."""
        return [path for path in self.loaded.files if path != self.file]

    @property
    def with_cache(self) -> Sequence[bool]:
        """Of each account, whether its settings say anything about a cache."""
        return ["cache" in origins for origins in self.loaded.origins]


def make_order(
    place: Place, kind: Kind, given: Mapping[str, Any], config: Path | None, environment: Mapping[str, str]
) -> Order:
    """Return the job that the words of the command line mean. `given` has the options of `homing run` by their names.

    Raises InvalidSettings with every problem: of the settings, and of what they name that the service cannot reach, or
    should not trust.
    """
    wanted = {name: value for name, value in given.items() if value not in (None, (), False)}
    interval = _read_interval(wanted.pop("interval", None), kind)
    read = _read(place, kind, wanted, config, environment)
    job = Job(
        kind=kind,
        program=find_program(),
        words=("run" if kind == "agent" else "update", *_all_words(place, read, interval)),
        secret_files=tuple(secret_files_of(read.file)) if read.file else (),
        interval=interval or DEFAULT_INTERVAL,
    )
    if problems := [*_problems(place, read, job)]:
        raise InvalidSettings(problems)
    return Order(job, (*read.loaded.warnings, *read.notes, *_cache_notes(read)))


def _read(
    place: Place, kind: Kind, wanted: Mapping[str, Any], config: Path | None, environment: Mapping[str, str]
) -> _Read:
    """Read the settings as the service will. Raises InvalidSettings."""
    file = config or find_file(environment)
    file = _whole(file) if file else None
    unseen = sorted(name for name in environment if name.startswith((CLIENT_PREFIX, AGENT_PREFIX)))
    notes = tuple(f"{name} is set here, but not where the service runs: write it into homing.toml" for name in unseen)
    bare = {"HOME": str(place.home)}
    try:
        loaded = load_client(_settings_of(wanted), bare, file)
        agent = load_agent({}, bare, file) if kind == "agent" else None
    except InvalidSettings as error:
        raise InvalidSettings((*error.problems, *notes)) from None
    return _Read(kind, wanted, file, loaded, agent, notes)


def _problems(place: Place, read: _Read, job: Job) -> Iterator[str]:
    """Yield what keeps the job from working here, and by what others could rule it."""
    if place.init == "systemd" and not place.is_user:
        yield from fitness.program_problems()
        yield from _ini_problems(read.ini, read.kind)
        yield from _keyring_problems(read.file)
        yield from fitness.settings_problems(_without_flags(read.loaded, read.wanted), read.agent)
    if place.is_roots:
        accounts = read.loaded.accounts
        certificates = [_whole(account.ca_file) for account in accounts if account.ca_file]
        paths = (Path(job.program[0]), *fitness.own_paths(), *job.files, *read.loaded.files, *certificates)
        yield from trust.root_problems(map(_whole, paths), accounts, read.agent)


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


def _all_words(place: Place, read: _Read, interval: int | None) -> Iterator[str | Given]:
    yield from _words(read.wanted, read.kind)
    if read.file is not None:
        yield from ("--config", Given(read.file))
    if read.kind == "timer" and not all(read.with_cache):
        yield from ("--cache", CACHE)
    if read.kind == "agent" and interval is not None:
        yield from ("--interval", str(interval))
    if place.init == "systemd" and not place.is_user:
        yield from _handed(read.ini, read.kind)


def _cache_notes(read: _Read) -> Iterator[str]:
    if read.kind == "timer" and any(read.with_cache) and not all(read.with_cache):
        yield f"some accounts have no cache: --cache {CACHE} goes for all of them, until each says its own"


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
