"""How the value of a setting is read: from TOML's own types, or from text of a flag or the environment.

Every reader raises InvalidInput with what was expected; lists are separated by commas in text.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from homing.core.errors import InvalidInput
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.core.addresses import Network

T = TypeVar("T")

_DIGITS = re.compile(r" *[0-9]{1,12} *")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def optional(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Return a reader that takes empty text for "unset"."""
    return lambda value: None if value == "" else parse(value)


def text(value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput("expected a text")
    return value


def path(value: Any) -> Path:
    """Read a path; `~` is the home directory."""
    if isinstance(value, Path):
        return value
    try:
        return Path(text(value)).expanduser()
    except (RuntimeError, ValueError):
        raise InvalidInput(f"expected a path, not {_shown(value)}") from None


def flag(value: Any) -> bool:
    """Read yes or no."""
    words = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise InvalidInput(f"expected true or false, not {_shown(value)}")


@frozen
class WholeNumber:
    """A reader for whole numbers within bounds, which a page of reference can ask for them."""

    low: int
    high: int
    is_seconds: bool = False
    """Of durations in seconds; text may carry a unit: `90`, `5m`, `12h`, `7d`, `2w`."""

    def __call__(self, value: Any) -> int:
        """Read a number. Raises InvalidInput."""
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
        given = value.strip() if self.is_seconds and isinstance(value, str) else ""
        if _DIGITS.fullmatch(given[:-1]) and given[-1] in _UNITS:
            number = int(given[:-1]) * _UNITS[given[-1]]
        if isinstance(number, bool) or not isinstance(number, int) or not self.low <= number <= self.high:
            raise InvalidInput(f"expected a whole number from {self.low} to {self.high}, not {_shown(value)}")
        return number


def whole_number(low: int, high: int) -> WholeNumber:
    """Return a reader for whole numbers within bounds."""
    return WholeNumber(low, high)


def seconds(low: int, high: int) -> WholeNumber:
    """Return a reader for durations in seconds; text may carry a unit: `90`, `5m`, `12h`, `7d`, `2w`."""
    return WholeNumber(low, high, is_seconds=True)


def one_of(*words: str) -> Callable[[Any], str]:
    """Return a reader for one of several words."""

    def parse(value: Any) -> str:
        if isinstance(value, str) and value.strip().lower() in words:
            return value.strip().lower()
        raise InvalidInput(f"expected {' or '.join(words)}, not {_shown(value)}")

    return parse


def networks(value: Any) -> tuple[Network, ...]:
    """Read networks such as `10.0.0.0/8`; a bare address is a network of one."""
    try:
        return tuple(ip_network(entry) for entry in entries(value))
    except ValueError as error:
        raise InvalidInput(f"expected networks such as 10.0.0.0/8: {error}") from None


def listen_addresses(value: Any) -> tuple[tuple[str, int], ...]:
    """Read addresses and ports such as `127.0.0.1:8080` and `[::1]:8080`; port 0 takes any free one."""
    return tuple(_listen_address(entry) for entry in entries(value))


def entries(value: Any) -> list[str]:
    """Read a list of texts, or one text with commas in it; what is empty is left out."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise InvalidInput("expected a list of texts")
    return [entry.strip() for entry in value if entry.strip()]


def _listen_address(entry: str) -> tuple[str, int]:
    host, colon, port = entry.rpartition(":")
    expected = f"expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080, not {_shown(entry)}"
    if not colon or not _DIGITS.fullmatch(port) or int(port) > 65_535:
        raise InvalidInput(expected)
    try:
        address = ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        raise InvalidInput(expected) from None
    return str(address), int(port)


def _shown(value: Any) -> str:
    try:
        return repr(value)[:60]
    except ValueError:  # more digits than Python writes
        return "a number of too many digits"
    except RecursionError:
        return "tables in tables"
