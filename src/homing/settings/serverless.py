"""The settings of a Lambda function: text in its environment, set by the template -> one frozen value.

It has no use for `settings/one_machine.py`, whose TOML, flags and help are for a machine at home, and would cost every
cold start. The variables are a contract with `deploy/aws/template.yaml`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar, cast

from homing.core.errors import InvalidInput, InvalidSettings
from homing.core.names import get_zone_of, parse_name
from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.core.names import Name

T = TypeVar("T")

LOG_LEVELS = ("debug", "info", "warning", "error")
_MAX_TTL = 2**31 - 1
_WORDS = {"true": True, "false": False}


@frozen(kw_only=True)
class ServerlessSettings:
    """What a function was told. Times are in seconds, rates in a second."""

    region: str
    table: str
    zones: Mapping[Name, str]
    """Zone ids by name; the first is the stack's own zone."""
    endpoint_name: Name | None
    """The name that clients send their updates to: never a host."""
    default_ttl: int
    publish_mode: Literal["direct", "stream"]
    api_key: str | None = field(repr=False)
    origin_secret: str | None = field(repr=False)
    """CloudFront proves with it that it is the stack's own; None where there is no CloudFront."""
    requests_per_second: float
    changes_per_second: float
    """0 sets no limit of our own."""
    note_interval: int
    tokens_create_hosts: bool
    imported_passwords: bool
    topic_arn: str | None
    notify_changes: bool
    stack: str
    log_level: str

    @property
    def zone_ids(self) -> Mapping[str, Name]:
        """Zone names by id, which is what ddupdate clients call a zone."""
        return {zone_id: name for name, zone_id in self.zones.items()}

    @property
    def reserved_names(self) -> frozenset[Name]:
        """Names that no host may have, and no role of the stack may change: the zones' own and the endpoint's."""
        return frozenset((*self.zones, *((self.endpoint_name,) if self.endpoint_name else ())))


def parse_settings(environment: Mapping[str, str]) -> ServerlessSettings:
    """Read the environment of a function. Raises InvalidSettings with every problem at once."""
    reader = _Reader(environment)
    zones = _zones(reader)
    settings = ServerlessSettings(
        region=reader.read("AWS_REGION", _needed),
        table=reader.read("HOMING_TABLE", _needed),
        zones=zones,
        endpoint_name=reader.read("HOMING_ENDPOINT_NAME", _name_or_none),
        default_ttl=reader.read("HOMING_DEFAULT_TTL", lambda text: int(_number(text or "60", 0, _MAX_TTL))),
        publish_mode=cast(
            "Literal['direct', 'stream']",
            reader.read("HOMING_PUBLISH_MODE", lambda text: _one_of(text or "direct", "direct", "stream")),
        ),
        api_key=reader.read_secret("HOMING_API_KEY"),
        origin_secret=reader.read_secret("HOMING_ORIGIN_SECRET"),
        requests_per_second=reader.read("HOMING_REQUESTS_PER_SECOND", lambda text: _number(text or "10", 0.01, 10_000)),
        changes_per_second=reader.read("HOMING_CHANGES_PER_SECOND", lambda text: _number(text or "0", 0, 1_000_000)),
        note_interval=reader.read("HOMING_NOTE_INTERVAL", lambda text: int(_number(text or "86400", 0, _MAX_TTL))),
        tokens_create_hosts=reader.read("HOMING_TOKENS_CREATE_HOSTS", _flag),
        imported_passwords=reader.read("HOMING_IMPORTED_PASSWORDS", _flag),
        topic_arn=reader.read("HOMING_TOPIC_ARN", _text_or_none),
        notify_changes=reader.read("HOMING_NOTIFY_CHANGES", _flag),
        stack=reader.read("HOMING_STACK", lambda text: text or "homing"),
        log_level=reader.read("HOMING_LOG_LEVEL", lambda text: _one_of((text or "info").lower(), *LOG_LEVELS)),
    )
    if reader.problems:
        raise InvalidSettings(reader.problems)
    return settings


class _Reader:
    """Collects problems; what stands in for an unreadable value is never used, since there is a problem then."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def read(self, variable: str, parse: Callable[[str], T]) -> T:
        try:
            return parse(self._environment.get(variable, "").strip())
        except InvalidInput as error:
            self.problems.append(f"{variable}: {error}")
            return cast("T", None)

    def read_secret(self, variable: str) -> str | None:
        """Read a secret. Empty is what the template says where nothing demands one; blanks are one that went astray."""
        given = self._environment.get(variable, "")
        if given and not given.strip():
            self.problems.append(f"{variable}: expected a text, not blanks")
        return given.strip() or None

    def list(self, variable: str) -> list[str]:
        return [one.strip() for one in self._environment.get(variable, "").split(",") if one.strip()]


def _zones(reader: _Reader) -> dict[Name, str]:
    ids, names = reader.list("HOMING_ZONE_IDS"), reader.list("HOMING_ZONE_NAMES")
    if not ids or len(ids) != len(names):
        reader.problems.append(f"HOMING_ZONE_IDS names {len(ids)} zones and HOMING_ZONE_NAMES {len(names)}")
        return {}
    zones: dict[Name, str] = {}
    for given, text in zip(ids, names, strict=True):
        zone_id = given.rpartition("/")[2]
        try:
            name = parse_name(text)
        except InvalidInput as error:
            reader.problems.append(f"HOMING_ZONE_NAMES: {error}")
            continue
        if name in zones or zone_id in zones.values():
            reader.problems.append(f"HOMING_ZONE_NAMES: zone {zone_id} {name} stands there twice")
        zones[name] = zone_id
    return zones


def why_not(settings: ServerlessSettings, name: Name) -> str | None:
    """Tell why a name cannot be a host, or return None."""
    zone = get_zone_of(name, settings.zones)
    if zone is None:
        return f"{name} is in no zone that is served"
    if name == zone:
        return f"{name} is a zone itself, which other records belong to"
    if name == settings.endpoint_name:
        return f"{name} is where clients send their updates to"
    return None


def _needed(text: str) -> str:
    if not text:
        raise InvalidInput("is missing")
    return text


def _text_or_none(text: str) -> str | None:
    return text or None


def _name_or_none(text: str) -> Name | None:
    return parse_name(text) if text else None


def _flag(text: str) -> bool:
    if text.lower() not in ("", *_WORDS):
        raise InvalidInput(f"expected true or false, not {text[:40]!r}")
    return _WORDS.get(text.lower(), False)


def _one_of(text: str, *words: str) -> str:
    if text not in words:
        raise InvalidInput(f"expected {' or '.join(words)}, not {text[:40]!r}")
    return text


def _number(text: str, low: float, high: float) -> float:
    try:
        number = float(text) if text.isascii() and "_" not in text else high + 1
    except ValueError:
        number = high + 1
    if not low <= number <= high:  # nor NaN
        raise InvalidInput(f"expected a number from {low:g} to {high:g}, not {text[:40]!r}")
    return number
