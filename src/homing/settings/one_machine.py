"""Settings: flag over environment over `homing.toml`, into one frozen value. Every error is told at once.

A setting is a field of `Settings`: its metadata say how its text is read and what it is for, and the reference page,
`homing config show` and the environment's names are made of nothing else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput, InvalidSettings
from homing.settings.client_secrets import read_secret, warn_if_open
from homing.settings.table import unknown_names
from homing.settings.toml_file import FILE_NAME as FILE_NAME  # noqa: PLC0414 - as others know it
from homing.settings.toml_file import find_file, read_toml
from homing.settings.values import (
    flag,
    listen_addresses,
    networks,
    one_of,
    optional,
    path,
    seconds,
    text,
    whole_number,
)
from homing.settings.zones import InvalidPart, ZoneSettings, zones

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from homing.core.addresses import Network
    from homing.settings.toml_file import TomlFile

PREFIX = "HOMING_"
CLIENT_TABLE, AGENT_TABLE, LAN_TABLE = "client", "agent", "lan"
"""Tables of the same file that the server leaves to the client."""


def _setting(default: Any, parse: Callable[[Any], Any], doc: str, *, is_secret: bool = False) -> Any:
    return field(default=default, metadata={"parse": parse, "doc": doc, "is_secret": is_secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator may set. Times are in seconds."""

    zones: tuple[ZoneSettings, ...] = _setting(
        (), zones, "The zones that are served: `[[zones]]` tables, or names in a flag or the environment."
    )
    database: Path | None = _setting(
        None, optional(path), "The SQLite file. Unset: `homing.db` in the user's state directory."
    )
    http_listen: tuple[tuple[str, int], ...] = _setting(
        (("0.0.0.0", 8080), ("::", 8080)),  # noqa: S104 - a server's own default; the first start says what it means
        listen_addresses,
        "Where plain HTTP is served. Passwords cross it in clear: put TLS on it, or a proxy in front.",
    )
    https_listen: tuple[tuple[str, int], ...] = _setting((), listen_addresses, "Where HTTPS is served.")
    tls_cert: Path | None = _setting(None, optional(path), "Certificate chain (PEM); read again when it changes.")
    tls_key: Path | None = _setting(None, optional(path), "Private key (PEM); read again when it changes.")
    dns_listen: tuple[tuple[str, int], ...] = _setting(
        (("0.0.0.0", 5300), ("::", 5300)),  # noqa: S104 - as above
        listen_addresses,
        "Where DNS is served, over UDP and TCP. Resolvers ask port 53.",
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        (), networks, "Networks of the proxies whose X-Forwarded-For is believed. None by default."
    )
    api_key: str | None = _setting(None, text, "Demanded in `x-api-key` on the awslabs paths.", is_secret=True)
    api_key_paths: str = _setting(
        "awslabs", one_of("awslabs", "all"), "Where the API key is demanded: `awslabs`, or `all` paths."
    )
    token_key: str | None = _setting(
        None,
        text,
        "The server's secret behind ddupdate tokens. Unset: made by the first `homing token` and kept in the store.",
        is_secret=True,
    )
    default_ttl: int = _setting(60, whole_number(1, 86_400), "TTL of a host that has none of its own, in seconds.")
    min_ttl: int = _setting(30, whole_number(1, 86_400), "The lowest TTL that a client may ask for, in seconds.")
    max_ttl: int = _setting(86_400, whole_number(1, 604_800), "The highest TTL that a client may ask for, in seconds.")
    public_networks: tuple[Network, ...] = _setting(
        (), networks, "Networks that count as global besides those that IANA says are, such as an overlay's."
    )
    require_signed: bool = _setting(
        default=False,
        parse=flag,
        doc="Hosts that `homing host add` makes take signed requests and HTTP Basic only, no hash and no token.",
    )
    rotation_overlap: int = _setting(
        7 * 86_400, seconds(0, 365 * 86_400), "How long a secret goes on working after `homing host rotate`."
    )
    note_interval: int = _setting(
        86_400, seconds(60, 365 * 86_400), "How often a poll that changes nothing is written down, at most."
    )
    changes_per_minute: int = _setting(
        60, whole_number(0, 1_000_000), "How often one RRset may change in a minute; 0 sets no limit."
    )
    response_rate: int = _setting(
        20, whole_number(0, 1_000_000), "DNS answers of one kind a second to one network over UDP; 0 sets no limit."
    )
    response_rate_exempt: tuple[Network, ...] = _setting(
        networks(["127.0.0.0/8", "::1/128"]), networks, "Networks that the response rate does not limit."
    )
    http_connections_per_source: int = _setting(
        256, whole_number(1, 100_000), "Open HTTP connections of one IPv4 address or IPv6 /56."
    )
    stop_timeout: int = _setting(10, seconds(0, 3600), "How long a stop waits for what was accepted.")
    log_format: str = _setting("text", one_of("text", "json"), "One line a request: `text` for people, or `json`.")
    log_level: str = _setting(
        "info", one_of("debug", "info", "warning", "error"), "The least level that is logged; requests are `info`."
    )


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each came from: a flag, a variable, file and line, or the default."""

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None
    toml: TomlFile | None = None
    warnings: tuple[str, ...] = ()


_SECRETS = tuple(setting.name for setting in fields(Settings) if setting.metadata["is_secret"])


def load(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Loaded:
    """Collect the settings; `flags` that are None were not given.

    Raises InvalidSettings with every problem, each with the place that it stands in.
    """
    environment = os.environ if environment is None else environment
    reading = _Reading(flags or {}, environment)
    passed_over: list[str] = []
    file = file or find_file(environment, passed_over)
    if file:
        reading.read_file(file)
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        reading.read(setting.name, setting.metadata["parse"], values)
    settings = Settings() if reading.problems else Settings(**values)
    problems = reading.problems or _contradictions(settings, reading.origins, reading.toml)
    if problems:
        raise InvalidSettings(problems + passed_over)
    return Loaded(settings, reading.origins, file, reading.toml, (*passed_over, *reading.warnings))


def default_database(environment: Mapping[str, str] | None = None) -> Path:
    """Return `homing.db` in the state directory that systemd or the XDG conventions name."""
    environment = os.environ if environment is None else environment
    if state := environment.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0]) / "homing.db"
    home = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or "/") / ".local" / "state"
    return Path(home) / "homing" / "homing.db"


def flag_of(name: str) -> str:
    """Return the flag of a setting."""
    return "--zone" if name == "zones" else "--" + name.replace("_", "-")


class _Reading:
    """One reading of all places, with what is wrong with them, and where each setting was found."""

    def __init__(self, flags: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.flags = flags
        self.environment = environment
        self.toml: TomlFile | None = None
        self.origins: dict[str, str] = {}
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def read_file(self, file: Path) -> None:
        """Read the file, and tell of names in it that are no settings, and of secrets that others may read there."""
        try:
            self.toml = toml = read_toml(file)
        except InvalidInput as error:
            self.problems.append(str(error))
            return
        known = {setting.name for setting in fields(Settings)} | {name + "_file" for name in _SECRETS}
        self.problems += unknown_names(toml, toml.tables, (), known | {CLIENT_TABLE, AGENT_TABLE, LAN_TABLE})
        if any(name in toml.tables for name in _SECRETS):
            warn_if_open(file, self.warnings)

    def read(self, name: str, parse: Callable[[Any], Any], values: dict[str, Any]) -> None:
        """Put the value of a setting into `values`, if it stands anywhere and can be read."""
        try:
            self.origins[name], raw = self._find(name)
            if self.origins[name] != "default":
                values[name] = parse(raw)
        except _Unread as error:
            self.problems.append(str(error))
        except InvalidInput as error:
            self.problems += _told(error, name, self.origins[name], self.toml)

    def _find(self, name: str) -> tuple[str, Any]:
        """Return where a setting was found, and its text or value.

        A secret may stand in a file of its own; an empty variable does not give one, since that would leave open what
        the file has closed. Raises _Unread.
        """
        if self.flags.get(name) not in (None, ()):
            return flag_of(name), self.flags[name]
        is_secret, variable = name in _SECRETS, PREFIX + name.upper()
        given = self.environment.get(variable)
        if given or (given is not None and not is_secret):
            return variable, given
        if is_secret and (secret_file := self.environment.get(variable + "_FILE")):
            return variable + "_FILE", self._read_secret(secret_file, variable + "_FILE")
        if self.toml and name in self.toml.tables:
            return self.toml.place(name), self.toml.tables[name]
        if self.toml and is_secret and name + "_file" in self.toml.tables:
            origin = f"{self.toml.place(name + '_file')}: {name}_file"
            return origin, self._read_secret(self.toml.tables[name + "_file"], origin)
        return "default", None

    def _read_secret(self, given: Any, origin: str) -> str:
        """Raises _Unread, never with what is in the file."""
        if not isinstance(given, str) or not given.strip():
            raise _Unread(f"{origin}: expected a path")
        try:
            return read_secret(Path(given), self.warnings)
        except InvalidInput as error:
            raise _Unread(f"{origin}: {error}") from None


class _Unread(InvalidInput):
    """A file with a secret cannot be used; the text has the place."""


def _told(error: InvalidInput, name: str, origin: str, toml: TomlFile | None) -> list[str]:
    """Return what is wrong with a setting, each line of it with its place."""
    is_in_file = toml is not None and origin == toml.place(name)
    if is_in_file and toml and isinstance(error, InvalidPart):
        return [f"{toml.place(name, *keys)}: {text}" for keys, text in error.parts]
    place = f"{origin}: {name}" if is_in_file else origin
    return [f"{place}: {line}" for line in str(error).splitlines()]


def _contradictions(settings: Settings, origins: Mapping[str, str], toml: TomlFile | None) -> list[str]:
    """Return what does not go together, each with the place of one of the settings that stands somewhere."""
    problems: list[tuple[tuple[str, ...], str]] = []
    if (settings.tls_cert is None) != (settings.tls_key is None):
        problems.append((("tls_cert", "tls_key"), "tls_cert and tls_key are given together or not at all"))
    if settings.https_listen and settings.tls_cert is None:
        problems.append((("https_listen",), "https_listen needs tls_cert and tls_key"))
    if not settings.min_ttl <= settings.default_ttl <= settings.max_ttl:
        ttls = ("default_ttl", "min_ttl", "max_ttl")
        problems.append((ttls, "default_ttl does not lie between min_ttl and max_ttl"))
    places = [next((origins[one] for one in names if origins[one] != "default"), "") for names, _ in problems]
    told = [f"{place}: {text}" if place else text for place, (_, text) in zip(places, problems, strict=True)]
    return told + _twice(settings.zones, origins["zones"], toml)


def _twice(zones: Sequence[ZoneSettings], origin: str, toml: TomlFile | None) -> list[str]:
    found = []
    for what, values in (("name", [zone.name for zone in zones]), ("id", [zone.id for zone in zones])):
        for number, value in enumerate(values):
            if value in values[:number]:
                is_in_file = toml is not None and origin == toml.place("zones")
                place = toml.place("zones", number) if toml and is_in_file else origin
                found.append(f"{place}: zones: the {what} {value} stands there twice")
    return found
