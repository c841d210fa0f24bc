"""JSON as files from elsewhere hold it: parsed within bounds, and with the place of an error (RFC 8259).

Beyond the standard library's parser: bounded depth and numbers, no NaN, no half surrogate pairs (which no UTF-8 file
and no store can hold), and keys that are there twice are told.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from homing.core.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_DEPTH = 40
"""DynamoDB nests 32 deep at most; an export of it adds a few levels."""
_MAX_DIGITS = 38
"""As many as DynamoDB's numbers have."""


def parse_json(text: str, on_repeat: Callable[[str, bool], None]) -> Any:
    """Return the value of a JSON text. Raises InvalidInput with line and column, and holds none of the text.

    `on_repeat` is told each key that one object has twice, and whether its values are the same.
    """

    def to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            _tell_repeats(pairs, on_repeat)
        return made

    try:
        value = json.loads(
            text, object_pairs_hook=to_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not JSON, line {error.lineno} column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise InvalidInput(f"nested more than {MAX_DEPTH} levels deep") from None
    check_value(value)
    return value


def check_value(value: object) -> None:
    """Raise InvalidInput for what no row may hold, anywhere inside `value`."""
    level: Iterable[object] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise InvalidInput(f"nested more than {MAX_DEPTH} levels deep")


def shown(text: str) -> str:
    """Return text from a file as an error may show it: short, on one line, and without control characters."""
    return text[:80] if text.isprintable() else ascii(text[:80])


def _tell_repeats(pairs: list[tuple[str, Any]], on_repeat: Callable[[str, bool], None]) -> None:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            on_repeat(key, seen[key] == value)
        seen[key] = value


def _children(value: object) -> Iterable[object]:
    match value:
        case str():
            _check_text(value)
        case dict():
            return [*value.keys(), *value.values()]
        case list() | tuple() | set():
            return value
        case int() if abs(value) >= 10**_MAX_DIGITS:
            raise InvalidInput(f"a number of more than {_MAX_DIGITS} digits")
        case float() if not math.isfinite(value):
            raise InvalidInput("a number that is too large")
    return ()


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInput("a text with half of a surrogate pair, which is no character") from None


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS + 1:
        raise InvalidInput(f"a number of more than {_MAX_DIGITS} digits")
    return int(digits)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidInput("a number that is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise InvalidInput(f"not JSON: {name}")
