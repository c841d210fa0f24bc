"""Collecting the client's settings: flags, `HOMING_CLIENT_...`, `[client]` of `homing.toml`, and ddupdate's own file.

`[[client.hosts]]` tables, or the sections of ddupdate's file, make several accounts. Every problem is told at once,
with its place; a file that holds a secret and may be read by others brings a warning.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput, InvalidName, InvalidSettings
from homing.core.names import parse_hostname
from homing.core.values import frozen, replace
from homing.settings.client import READERS, SECRETS, ClientSettings
from homing.settings.client_checks import contradictions, warnings_about, warnings_about_server
from homing.settings.client_ini import find_ini, merge_ini, read_ini
from homing.settings.client_layers import PREFIX, Given, Layer, Reading
from homing.settings.client_secrets import warn_if_open, warn_if_writable
from homing.settings.one_machine import CLIENT_TABLE as TABLE
from homing.settings.table import table_of
from homing.settings.toml_file import find_file, read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from homing.settings.client_ini import Section
    from homing.settings.toml_file import TomlFile

HOSTS = "hosts"
OF_ACCOUNT = ("names", "server", "protocol", "secret", "username", "api_key", "zone_id", "ttl")
"""Settings that one account does not give to another that stands in ddupdate's file."""


@frozen
class LoadedClient:
    """The accounts, and where their settings came from."""

    accounts: tuple[ClientSettings, ...]
    origins: tuple[Mapping[str, str], ...]
    """For each account, where each setting came from: `flag`, a variable, a credential, file and line.

    A setting that is not in it has its default.
    """
    warnings: tuple[str, ...]
    files: tuple[Path, ...]
    """What was read, secrets in files of their own not counted."""


@frozen
class _Account:
    """One account, what it was made of, and the place of its table or section."""

    settings: ClientSettings
    given: Layer
    place: str
    unread: frozenset[str] = frozenset()
    """Settings that were given and could not be read, which has become a problem."""
    has_unknown: bool = False
    """Whether something in its table is no setting: what is missing from it may be meant by that."""


def load_client(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    *,
    toml: TomlFile | None = None,
    ddupdate_file: Path | None = None,
    is_update: bool = True,
) -> LoadedClient:
    """Collect the settings; `flags` that are None were not given, and stand above everything.

    The environment stands above `[client]`, and a `[[client.hosts]]` table, which is about one account, above both.
    `names` as a flag choose among the accounts; one that none of them has is a name of the account that `[client]`
    describes. ddupdate's file is read where it is given, or lies in one of its places while nothing else names a
    server. `toml` is what a file would hold that is not written yet. Without `is_update` an account needs neither names
    nor a secret. Raises InvalidSettings.
    """
    reading = Reading(os.environ if environment is None else environment)
    given = {name: value for name, value in (flags or {}).items() if value not in (None, (), False)}
    wanted = reading.value("names", Given("flag", "names", given.pop("names", ()))) or ()
    places = _Places(reading, given, file, toml)
    files = (ddupdate_file,) if ddupdate_file else () if places.are_told else find_ini()
    accounts = places.accounts_of_ini(files) if files else places.accounts_of_tables()
    if not reading.problems:
        accounts = _choose(accounts, wanted, None if files else places.spare, reading)
    for account in accounts if not reading.problems or not (wanted or places.has_mistakes) else ():
        reading.problems += _problems(account, is_update=is_update)
    if reading.problems:
        raise InvalidSettings((*dict.fromkeys(reading.problems), *places.passed_over))
    for account in accounts:
        reading.warnings += warnings_about(account.settings) + _inherited(account, places)
    return _loaded(accounts, places, files)


def _loaded(accounts: Sequence[_Account], places: _Places, files: Sequence[Path]) -> LoadedClient:
    return LoadedClient(
        tuple(account.settings for account in accounts),
        tuple({name: one.origin for name, one in account.given.items()} for account in accounts),
        tuple(dict.fromkeys((*places.passed_over, *places.reading.warnings))),
        (*((places.file,) if places.file else ()), *files),
    )


def is_configured(environment: Mapping[str, str], file: Path | None) -> bool:
    """Tell whether anything says a word about a client; a file that cannot be read does not."""
    places = _Places(Reading(environment), {}, file)
    return bool(
        places.table or find_ini() or any(name.startswith(PREFIX) and text for name, text in environment.items())
    )


class _Places:
    """Everything that may be said beside ddupdate's file, and the accounts that it makes."""

    def __init__(
        self, reading: Reading, flags: Mapping[str, Any], file: Path | None, toml: TomlFile | None = None
    ) -> None:
        self.reading = reading
        self.passed_over: list[str] = []
        """What is to be said of a file that is nobody's to trust."""
        self.file = None if toml else file or find_file(reading.environment, self.passed_over)
        self.toml = self._read() if self.file else toml
        self.table = table_of(self.toml, TABLE, reading.problems) if self.toml else {}
        self.flags, variables = reading.flags(flags), reading.variables()
        self.shared = [variables, reading.table(self.toml, self.table, (TABLE,), HOSTS) if self.toml else {}]
        self.has_mistakes = bool(reading.problems)
        """Whether what all accounts share is in doubt as a whole."""

    def _read(self) -> TomlFile | None:
        assert self.file
        try:
            toml = read_toml(self.file)
        except InvalidInput as error:
            self.reading.problems.append(str(error))
            return None
        warn_if_writable(self.file, self.reading.warnings)
        return toml

    @property
    def are_told(self) -> bool:
        """Whether a server is named, or needs no name."""
        given = {name: layer[name].raw for layer in (*self.shared, self.flags) for name in layer}
        return "server" in given or given.get("protocol") == "duckdns" or bool(self.table.get(HOSTS))

    def spare(self) -> _Account:
        """Return the account of the flags, the environment and `[client]`, whatever its names."""
        return _account([self.flags, *self.shared], self._place(TABLE), self.reading)

    def accounts_of_tables(self) -> list[_Account]:
        """Return the account of `[client]`, if it has names, and one for each `[[client.hosts]]`."""
        tables = self.table.get(HOSTS, [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            self.reading.problems.append(f"{self._place(TABLE, HOSTS)}: {HOSTS}: expected tables, [[{TABLE}.{HOSTS}]]")
            return []
        self._warn_of_secrets([self.table, *tables])
        for layer in (self.flags, *self.shared):
            for name, given in layer.items():
                self.reading.check(name, given)
        accounts = [self.spare()] if any("names" in layer for layer in self.shared) else []
        shared = [_without(layer, "names") for layer in self.shared]
        for number, table in enumerate(tables):
            assert self.toml
            known = len(self.reading.problems)
            own = self.reading.table(self.toml, table, (TABLE, HOSTS, number))
            has_unknown = len(self.reading.problems) > known
            account = _account([self.flags, own, *shared], self._place(TABLE, HOSTS, number), self.reading)
            accounts.append(replace(account, has_unknown=has_unknown))
        return accounts

    def accounts_of_ini(self, files: Sequence[Path]) -> list[_Account]:
        """Return an account for each section; what goes for any account may stand in `[client]` too."""
        read = []
        for file in files:
            try:
                read.append(read_ini(file, self.reading.warnings))
                warn_if_open(file, self.reading.warnings)
            except InvalidInput as error:
                self.reading.problems.append(str(error))
        merged = merge_ini(read)
        if not merged and not self.reading.problems:
            self.reading.problems.append(f"{files[-1]}: expected a section for each name, such as [host.example.com]")
        shared = [_without(layer, *OF_ACCOUNT) for layer in self.shared]
        return [
            _account([self.flags, _layer_of_section(name, section), *shared], section.place, self.reading)
            for name, section in merged.items()
        ]

    def _warn_of_secrets(self, tables: Iterable[Mapping[str, Any]]) -> None:
        if self.file and any(name in table for table in tables for name in SECRETS):
            warn_if_open(self.file, self.reading.warnings)

    def _place(self, *keys: str | int) -> str:
        return self.toml.place(*keys) if self.toml and TABLE in self.toml.tables else ""


# --- accounts


def _account(layers: Sequence[Layer], place: str, reading: Reading) -> _Account:
    """Return one account; the first layer that has a setting counts."""
    found = {name: layer[name] for layer in reversed(layers) for name in layer}
    given = {name: found[name] for name in READERS if name in found}
    values = {name: reading.value(name, one) for name, one in given.items()}
    settings = ClientSettings(**{name: one for name, one in values.items() if one is not None})
    return _Account(settings, given, place, frozenset(name for name, one in values.items() if one is None))


def _layer_of_section(name: str, section: Section) -> Layer:
    """Return the settings of a section. Its name is a name as it is written, for tokens are made of it."""
    options = {
        setting: Given(one.place, f"{one.place}: {one.name}", one.text) for setting, one in section.options.items()
    }
    own = Given(section.place, f"{section.place}: [{name[:80]}]", [name])
    return {"protocol": Given(section.place, section.place, "ddupdate"), "names": own, **options}


def _without(layer: Layer, *names: str) -> Layer:
    return {name: given for name, given in layer.items() if name not in names}


def _choose(
    accounts: Sequence[_Account], wanted: Sequence[str], spare: Callable[[], _Account] | None, reading: Reading
) -> list[_Account]:
    """Return the accounts of the names that are wanted, with no others in them; all accounts where none is named."""
    if not wanted:
        return list(accounts) or ([spare()] if spare else [])
    keys = {_key(name): name for name in wanted}
    chosen: list[_Account] = []
    found: set[str] = set()
    for account in accounts:  # a name may be kept at several servers
        names = tuple(name for name in account.settings.names if _key(name) in keys)
        found.update(map(_key, names))
        if names:
            chosen.append(replace(account, settings=replace(account.settings, names=names)))
    unknown = tuple(name for key, name in keys.items() if key not in found)
    if unknown and spare is not None:
        rest, flag = spare(), Given("flag", "names", None)
        settings = replace(rest.settings, names=unknown)
        chosen.append(replace(rest, settings=settings, given=rest.given | {"names": flag}))
    elif unknown:
        reading.problems += [f"{name}: ddupdate's file has no section [{name}]" for name in unknown]
    return chosen


def _problems(account: _Account, *, is_update: bool) -> list[str]:
    """Return what is missing or does not go together, with the place of the setting, or of the account's table.

    Nothing that only a mistake told already would bring about.
    """
    if account.has_unknown or "protocol" in account.unread:
        return []
    found = []
    for name, text in contradictions(account.settings, is_update=is_update):
        if name in account.unread:
            continue
        given = account.given.get(name)
        origin = given.origin if given and given.origin != "flag" else "" if given else account.place
        found.append(f"{origin}: {text}" if origin else text)
    return found


def _inherited(account: _Account, places: _Places) -> list[str]:
    """Return a warning for each secret of `[client]` or the environment that an account's own server learns.

    A secret that stands there without a server was given for all accounts.
    """
    server = next((layer["server"] for layer in places.shared if "server" in layer), None)
    own = account.given.get("server")
    if server is None or own is None or own in (server, places.flags.get("server")):
        return []
    given = [(name, account.given[name].origin) for name in SECRETS if name in account.given]
    shared = [one for one in given if any(layer[one[0]].origin == one[1] for layer in places.shared if one[0] in layer)]
    return warnings_about_server(account.settings, str(server.raw), own.origin, shared)


def _key(name: str) -> str:
    try:
        return parse_hostname(name)
    except InvalidName:
        return name.lower()
