"""One table of `homing.toml`, with its variables and flags: a flag wins over the environment, and that over the file.

For tables of plain settings, such as `[agent]`. What stands in them is told in a mapping of readers; every problem is
told at once, with its place.
"""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput, InvalidSettings
from homing.core.values import frozen
from homing.settings.toml_file import find_file, read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from homing.settings.toml_file import TomlFile

    Readers = Mapping[str, Callable[[Any], Any]]


@frozen
class LoadedTable:
    """What was given, and where: a setting that nobody gave is in neither."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    """`flag`, the variable, or the file with the line."""


def load_table(
    table: str,
    readers: Readers,
    prefix: str,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> LoadedTable:
    """Read the settings of one table; each reader raises InvalidInput with what was expected.

    Flags that are None and variables that are empty were not given. Without `file` the usual places are looked at. A
    file that is no TOML counts as empty: whoever reads `[client]` tells of it. Raises InvalidSettings.
    """
    environment = os.environ if environment is None else environment
    file = file or find_file(environment)
    toml = _read(file) if file else None
    problems = [*_unknown_variables(environment, readers, prefix)]
    raw = table_of(toml, table, problems) if toml else {}
    if toml:
        problems += unknown_names(toml, raw, (table,), readers)
    layers = (
        [_Given("flag", name, name, value) for name, value in (flags or {}).items() if value not in (None, ())],
        [_variable(prefix, name, environment) for name in readers if environment.get(prefix + name.upper())],
        [_line(toml, table, name, value) for name, value in raw.items()] if toml else [],
    )
    found = {one.name: one for layer in reversed(layers) for one in layer}
    given = [found[name] for name in readers if name in found]
    values = {one.name: value for one in given for value in one.read(readers[one.name], problems)}
    if problems:
        raise InvalidSettings(problems)
    return LoadedTable(values, {one.name: one.origin for one in given})


@frozen
class _Given:
    """One setting as it was given."""

    origin: str
    place: str
    """What a problem with it begins with."""
    name: str
    raw: Any

    def read(self, reader: Callable[[Any], Any], problems: list[str]) -> Iterator[Any]:
        """Yield the value, or nothing where it cannot be read, which has become a problem then."""
        try:
            yield reader(self.raw)
        except InvalidInput as error:
            problems += [f"{self.place}: {line}" for line in str(error).splitlines()]


def _variable(prefix: str, name: str, environment: Mapping[str, str]) -> _Given:
    variable = prefix + name.upper()
    return _Given(variable, variable, name, environment[variable])


def _line(toml: TomlFile, table: str, name: str, raw: Any) -> _Given:
    place = toml.place(table, name)
    return _Given(place, f"{place}: {name}", name, raw)


def table_of(toml: TomlFile, table: str, problems: list[str]) -> Mapping[str, Any]:
    """Return one table of the file, empty where it has none."""
    found = toml.tables.get(table, {})
    if not isinstance(found, dict):
        problems.append(f"{toml.place(table)}: {table}: expected a table, [{table}]")
        return {}
    return found


def unknown_names(
    toml: TomlFile, found: Iterable[str], keys: tuple[str | int, ...], known: Iterable[str]
) -> Iterator[str]:
    """Tell of each name in a table that is no setting; one that is ignored would be found at three in the morning."""
    known = [*known]
    for name in found:
        if name not in known:
            yield f"{toml.place(*keys, name)}: {name[:60]}: no such setting{_where(keys)}{meant(name, known)}"


def meant(name: str, known: Iterable[str]) -> str:
    """Return the end of a problem with a name: what it may have been meant to be."""
    close = difflib.get_close_matches(name, [*known], 1)
    return f"; is {close[0]} meant?" if close else ""


def _where(keys: tuple[str | int, ...]) -> str:
    if not keys:
        return ""
    name = ".".join(key for key in keys if isinstance(key, str))
    return f" in [[{name}]]" if isinstance(keys[-1], int) else f" in [{name}]"


def _unknown_variables(environment: Mapping[str, str], readers: Readers, prefix: str) -> Iterator[str]:
    known = {prefix + name.upper() for name in readers}
    for variable in environment:
        if variable.startswith(prefix) and environment[variable] and variable not in known:
            yield f"{variable}: no such setting{meant(variable, known)}"


def _read(file: Path) -> TomlFile | None:
    try:
        return read_toml(file)
    except InvalidInput:
        return None
