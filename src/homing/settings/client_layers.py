"""The places that a client's settings are given in: flags, the environment, tables and sections, each with its place.

A layer is one such place. What stands in it is not read before it counts: a keyring may open a window.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput
from homing.core.values import field, frozen
from homing.settings.client import READERS, SECRETS
from homing.settings.client_keyring import read_keyring
from homing.settings.client_secrets import read_secret
from homing.settings.credentials import FOLDER, place_of_secret
from homing.settings.table import meant, unknown_names
from homing.settings.text_file import is_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from homing.settings.toml_file import TomlFile

PREFIX = "HOMING_CLIENT_"
CREDENTIAL = "homing_client_"
"""systemd's LoadCredential= names begin with this: `homing_client_secret`, `homing_client_api_key`."""
FILE, KEYRING = "_file", "_keyring"
"""Behind the name of a secret: it stands in a file of its own, or in the system's keyring."""


@frozen
class Given:
    """One setting as it was given."""

    origin: str
    """`flag`, a variable, a credential, or file and line."""
    place: str
    """What a problem with it begins with."""
    raw: Any = field(repr=False)
    fetch: Callable[[], str] | None = field(default=None, repr=False)
    """Of a secret that stands elsewhere: what reads it. Raises InvalidInput."""


Layer = dict[str, Given]


class Reading:
    """One reading of all places, with what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._fetched: dict[str, str | None] = {}

    def value(self, name: str, given: Given) -> Any:
        """Return the value of a setting; None where it cannot be read, which has become a problem then."""
        raw = given.raw if given.fetch is None else self._fetch(given, given.fetch)
        try:
            return None if raw is None else READERS[name](raw)
        except InvalidInput as error:
            self.problems += [f"{given.place}: {line}" for line in str(error).splitlines()]
            return None

    def check(self, name: str, given: Given) -> None:
        """Tell what is wrong with a setting that may not count in the end; a secret that stands elsewhere is left."""
        if given.fetch is None:
            self.value(name, given)

    def _fetch(self, given: Given, fetch: Callable[[], str]) -> str | None:
        """Read a secret once, however many accounts share it."""
        if given.place not in self._fetched:
            self._fetched[given.place] = None
            try:
                self._fetched[given.place] = fetch()
            except InvalidInput as error:
                self.problems.append(f"{given.place}: {error}")
        return self._fetched[given.place]

    # --- layers

    def flags(self, flags: Mapping[str, Any]) -> Layer:
        """Return what the command line says."""
        layer = {name: Given("flag", name, flags[name]) for name in READERS if name in flags}
        for name in SECRETS:
            if (given := flags.get(name + FILE)) is not None:
                place = "--" + (name + FILE).replace("_", "-")
                layer.setdefault(name, Given("flag", place, None, self._file_reader(given, None)))
        return layer

    def variables(self) -> Layer:
        """Return what the environment says, secrets in files and systemd's credentials included.

        An empty variable was not given. https://systemd.io/CREDENTIALS/
        """
        given = {name: text for name, text in self.environment.items() if name.startswith(PREFIX) and text}
        layer: Layer = {}
        for name in READERS:
            variable = PREFIX + name.upper()
            if variable in given:
                layer[name] = Given(variable, variable, given[variable])
            elif name in SECRETS and (found := self._secret_elsewhere(name, variable, given)):
                layer[name] = found
        known = {PREFIX + name.upper() for name in names_with(SECRETS, READERS)}
        self.problems += [f"{name}: no such setting{meant(name, known)}" for name in given if name not in known]
        return layer

    def table(self, toml: TomlFile, table: Mapping[str, Any], keys: tuple[str | int, ...], *more: str) -> Layer:
        """Return what a table of homing.toml says. `more`: names in it that somebody else reads."""
        self.problems += unknown_names(toml, table, keys, [*names_with(SECRETS, READERS), *more])
        layer: Layer = {}
        for name, raw in table.items():
            if name in READERS:
                place = toml.place(*keys, name)
                layer[name] = Given(place, f"{place}: {name}", raw)
        for name in SECRETS:
            before = name if name in table else None
            for key in (name + FILE, name + KEYRING):
                if key in table:
                    place = f"{toml.place(*keys, key)}: {key}"
                    if before:
                        self.problems.append(f"{place}: {before} is given too ({toml.place(*keys, before)}): keep one")
                    before, raw = key, table[key]
                    fetch = self._file_reader(raw, toml.path) if key.endswith(FILE) else _keyring_reader(raw)
                    layer[name] = Given(place, place, None, fetch)
        return layer

    # --- secrets that stand elsewhere

    def _secret_elsewhere(self, name: str, variable: str, given: Mapping[str, str]) -> Given | None:
        folder = self.environment.get(FOLDER)
        if path := given.get(variable + FILE.upper()):
            origin = variable + FILE.upper()
            return Given(origin, origin, None, self._file_reader(path, None))
        if entry := given.get(variable + KEYRING.upper()):
            origin = variable + KEYRING.upper()
            return Given(origin, origin, None, _keyring_reader(entry))
        if folder and is_file(credential := Path(folder) / (CREDENTIAL + name)):
            origin = f"credential {CREDENTIAL}{name}"
            return Given(origin, origin, None, lambda: read_secret(credential, self.warnings, is_private=True))
        return None

    def _file_reader(self, raw: Any, settings_file: Path | None) -> Callable[[], str]:
        """Return what reads a secret in a file."""

        def read() -> str:
            if not isinstance(raw, str | Path) or not str(raw).strip():
                raise InvalidInput("expected a path")
            try:
                path = place_of_secret(raw, settings_file, self.environment)
            except (RuntimeError, OSError, ValueError):  # ~somebody who is not known here; a NUL
                raise InvalidInput(f"expected a path, not {str(raw)[:60]!r}") from None
            return read_secret(path, self.warnings)

        return read


def names_with(secrets: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the names of settings, and of the other ways in which secrets may be given."""
    return [*names, *(name + end for name in secrets for end in (FILE, KEYRING))]


def _keyring_reader(raw: Any) -> Callable[[], str]:
    return lambda: read_keyring(raw)
