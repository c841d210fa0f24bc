"""Collecting the client's settings: flags, `HOMING_CLIENT_...`, `[client]` of `homing.toml`, and ddupdate's own file.

`[[client.hosts]]` tables, or the sections of ddupdate's file, make several accounts. Every problem is told at once,
with its place; a file that holds a secret and may be read by others brings a warning.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from homing.core.errors import InvalidInput, InvalidName, InvalidSettings
from homing.core.names import parse_hostname
from homing.core.values import frozen, replace
from homing.settings.client import READERS, SECRETS, ClientSettings
from homing.settings.client_checks import contradictions, warnings_about
from homing.settings.client_ini import account_of, find_ini, merge_ini, read_ini
from homing.settings.client_secrets import read_secret, warn_if_open
from homing.settings.one_machine import CLIENT_TABLE as TABLE
from homing.settings.one_machine import find_file, flag_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HOSTS = "hosts"
PREFIX = "HOMING_CLIENT_"
CREDENTIAL = "homing_client_"
"""systemd's LoadCredential= names begin with this: `homing_client_secret`, `homing_client_api_key`."""


@frozen
class LoadedClient:
    """The accounts, and where their settings came from."""

    accounts: tuple[ClientSettings, ...]
    origins: Mapping[str, str]
    """Where each setting that the accounts share came from: a flag, a variable, a credential, the file, or default."""
    warnings: tuple[str, ...]
    files: tuple[Path, ...]
    """What was read, secrets in files of their own not counted."""


class _Layer(NamedTuple):
    """One place that settings are read from."""

    origin: str
    raw: Mapping[str, Any]


class _Reading:
    """One reading of all places, with what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def secret(self, path: Path, origin: str, *, is_private: bool = False) -> str:
        try:
            return read_secret(path, origin, self.warnings, is_private=is_private)
        except InvalidInput as error:
            self.problems.append(str(error))
            return "unread"


def load_client(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    *,
    ddupdate_file: Path | None = None,
    is_update: bool = True,
) -> LoadedClient:
    """Collect the settings; `flags` that are None were not given, and stand above everything.

    The environment stands above `[client]`, and a `[[client.hosts]]` table, which is about one account, above both.
    `names` as a flag choose among the accounts; one that none of them has is a name of the account that `[client]`
    describes. ddupdate's file is read where it is given, or lies in one of its places while nothing else names a
    server. Without `is_update` an account needs neither names nor a secret. Raises InvalidSettings.
    """
    reading = _Reading(os.environ if environment is None else environment)
    given = {name: value for name, value in (flags or {}).items() if value not in (None, (), False)}
    wanted = given.pop("names", ())
    file = file or find_file(reading.environment)
    table = _read_table(file, reading) if file else {}
    below = [_environment(reading), _secret_files(table, file, reading), _Layer(str(file), table)]
    above = _Layer("flag", given | dict(_secret_files(given, None, reading).raw))
    origins = {name: _find(name, [above, *below])[0] for name in READERS}
    is_elsewhere = origins["server"] == "default" and not table.get(HOSTS)
    found = (ddupdate_file,) if ddupdate_file else find_ini() if is_elsewhere else ()
    if found:
        accounts = _accounts_of_ini(found, above, reading)
    else:
        accounts = _accounts_of_tables(table, file, [above, *below], reading)
    if not reading.problems:
        spare = None if found else _account([above, *below], reading)
        accounts = _choose(accounts, _read("names", wanted, "names", reading) if wanted else (), spare, reading)
    for account in () if reading.problems else accounts:
        reading.problems += contradictions(account, is_update=is_update)
        reading.warnings += warnings_about(account)
    if reading.problems:
        raise InvalidSettings(tuple(dict.fromkeys(reading.problems)))
    read = (*((file,) if file else ()), *found)
    return LoadedClient(tuple(accounts), origins, tuple(dict.fromkeys(reading.warnings)), read)


def is_configured(environment: Mapping[str, str], file: Path | None) -> bool:
    """Tell whether anything says a word about a client; a file that cannot be read does not."""
    file = file or find_file(environment)
    table = _read_table(file, _Reading(environment)) if file else {}
    return bool(table or find_ini() or any(name.startswith(PREFIX) for name in environment))


# --- accounts


def _accounts_of_ini(files: Sequence[Path], above: _Layer, reading: _Reading) -> list[ClientSettings]:
    read = []
    for file in files:
        try:
            read.append(read_ini(file, reading.warnings))
            warn_if_open(file, reading.warnings)
        except InvalidInput as error:
            reading.problems.append(str(error))
    shown = files[-1]
    merged = merge_ini(read)
    if not merged and not reading.problems:
        reading.problems.append(f"{shown}: expected a section for each name, such as [host.example.com]")
    layers = [_Layer(f"{shown}: [{name[:80]}]", account_of(name, options)) for name, options in merged.items()]
    return [_account([above, layer], reading) for layer in layers]


def _accounts_of_tables(
    table: Mapping[str, Any], file: Path | None, layers: list[_Layer], reading: _Reading
) -> list[ClientSettings]:
    """Return the account of `[client]`, if it has names, and one for each `[[client.hosts]]`."""
    tables = table.get(HOSTS, [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        reading.problems.append(f"{file}: [[{TABLE}.{HOSTS}]]: expected tables")
        return []
    above, *below = layers
    shared = [_Layer(origin, {name: raw[name] for name in raw if name != "names"}) for origin, raw in below]
    accounts = []
    if _find("names", below)[1]:
        accounts.append(_account(layers, reading))
    for number, one in enumerate(tables, 1):
        origin = f"{file}: [[{TABLE}.{HOSTS}]] {number}"
        reading.problems += _unknown(one, origin)
        secrets = _secret_files(one, file, reading)
        accounts.append(_account([above, secrets, _Layer(origin, one), *shared], reading))
    return accounts


def _account(layers: Sequence[_Layer], reading: _Reading) -> ClientSettings:
    """Return one account; the first layer that has a setting counts."""
    found = {}
    for name in READERS:
        origin, raw = _find(name, layers)
        if origin != "default":
            value = _read(name, raw, origin, reading)
            if value is not None:
                found[name] = value
    return ClientSettings(**found)


def _choose(
    accounts: Sequence[ClientSettings], wanted: Sequence[str], spare: ClientSettings | None, reading: _Reading
) -> list[ClientSettings]:
    """Return the accounts of the names that are wanted, with no others in them; all accounts where none is named."""
    if not wanted:
        return list(accounts) or ([spare] if spare else [])
    keys = {_key(name): name for name in wanted}
    chosen = []
    for account in accounts:
        names = tuple(name for name in account.names if keys.pop(_key(name), None) is not None)
        if names:
            chosen.append(replace(account, names=names))
    if keys and spare is not None:
        chosen.append(replace(spare, names=tuple(keys.values())))
    elif keys:
        reading.problems += [f"{name}: ddupdate's file has no section [{name}]" for name in keys.values()]
    return chosen


def _key(name: str) -> str:
    try:
        return parse_hostname(name)
    except InvalidName:
        return name.lower()


# --- layers


def _find(name: str, layers: Sequence[_Layer]) -> tuple[str, Any]:
    """Return where a setting was found, and its raw value."""
    for layer in layers:
        if name in layer.raw:
            return layer.raw.get(f"{name} from") or layer.origin, layer.raw[name]
    return "default", None


def _read(name: str, raw: Any, origin: str, reading: _Reading) -> Any:
    try:
        return READERS[name](raw)
    except InvalidInput as error:
        place = name if origin == "flag" else f"{origin}: {name}"
        reading.problems += [f"{place}: {line}" for line in str(error).splitlines()]
        return None


def _environment(reading: _Reading) -> _Layer:
    """Return what the environment says, secrets in files and systemd's credentials included.

    https://systemd.io/CREDENTIALS/
    """
    environment = reading.environment
    raw: dict[str, Any] = {}
    folder = environment.get("CREDENTIALS_DIRECTORY")
    for name in READERS:
        variable = PREFIX + name.upper()
        if environment.get(variable):
            raw |= {name: environment[variable], f"{name} from": variable}
        elif name in SECRETS and environment.get(variable + "_FILE"):
            path = Path(environment[variable + "_FILE"])
            raw |= {name: reading.secret(path, variable + "_FILE"), f"{name} from": variable + "_FILE"}
        elif name in SECRETS and folder and (credential := Path(folder) / (CREDENTIAL + name)).is_file():
            text = reading.secret(credential, "credential", is_private=True)
            raw |= {name: text, f"{name} from": f"credential {CREDENTIAL}{name}"}
    known = {PREFIX + name.upper() for name in READERS} | {f"{PREFIX}{name.upper()}_FILE" for name in SECRETS}
    for variable in environment:
        if variable.startswith(PREFIX) and variable not in known:
            reading.problems.append(f"{variable}: no such setting{_meant(variable, known)}")
    return _Layer("environment", raw)


def _read_table(file: Path, reading: _Reading) -> Mapping[str, Any]:
    """Return `[client]` of homing.toml; the rest of the file belongs to the server."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get(TABLE, {})
    except OSError as error:
        reading.problems.append(f"{file}: cannot be read: {error.strerror}")
        return {}
    except (ValueError, RecursionError) as error:  # TOML's own error, with the line; no UTF-8; nested too deeply
        reading.problems.append(f"{file}: {error}")
        return {}
    if not isinstance(table, dict):
        reading.problems.append(f"{file}: {TABLE}: expected a table, [{TABLE}]")
        return {}
    reading.problems += _unknown(table, f"{file}: [{TABLE}]", HOSTS)
    hosts = table.get(HOSTS)
    tables = [table, *(one for one in hosts if isinstance(one, dict))] if isinstance(hosts, list) else [table]
    if any(name in one for one in tables for name in SECRETS):
        warn_if_open(file, reading.warnings)
    return table


def _secret_files(table: Mapping[str, Any], file: Path | None, reading: _Reading) -> _Layer:
    """Return the secrets that a table names a file for. A relative path starts at the settings file."""
    raw: dict[str, Any] = {}
    for name in SECRETS:
        if name + "_file" in table and name not in table:
            given = table[name + "_file"]
            origin = f"{file}: {name}_file" if file else flag_of(name + "_file")
            if not isinstance(given, str | Path):
                reading.problems.append(f"{origin}: expected a path")
                continue
            path = (file.parent if file else Path()) / Path(given).expanduser()
            raw |= {name: reading.secret(path, origin), f"{name} from": origin}
    return _Layer("secret files", raw)


def _unknown(table: Mapping[str, Any], origin: str, *more: str) -> Iterator[str]:
    known = {*READERS, *(f"{name}_file" for name in SECRETS), *more}
    for name in table:
        if name not in known:
            yield f"{origin}: {name}: no such setting{_meant(name, known)}"


def _meant(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; is {close[0]} meant?" if close else ""
