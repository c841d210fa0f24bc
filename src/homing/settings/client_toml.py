"""Writing the client's part of homing.toml: what TOML has for every text, so that reading it gives the same again.

https://toml.io/en/v1.0.0#string. Which settings there are is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from homing.core.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Value: TypeAlias = "str | int | bool | Sequence[str]"
Table: TypeAlias = "Mapping[str, Value]"

_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def render_client(shared: Table, hosts: Sequence[Table] = (), heading: str = "") -> str:
    """Return `[client]` with what all accounts share, and a `[[client.hosts]]` table for each of `hosts`.

    `heading` becomes a comment above it, each of its lines. Raises InvalidInput for a text that is no Unicode.
    """
    parts = [[f"# {_without_controls(line)}" for line in heading.splitlines()]]
    if shared or not hosts:
        parts.append(["[client]", *_lines(shared)])
    parts += [["[[client.hosts]]", *_lines(one)] for one in hosts]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def render_text(text: str) -> str:
    """Return a TOML basic string. Raises InvalidInput for a lone surrogate, which no TOML document can hold."""
    return '"' + "".join(_character(one) for one in text) + '"'


def _lines(table: Table) -> Iterator[str]:
    for name, value in table.items():
        yield f"{name} = {_value(value)}"


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return render_text(value)
    return f"[{', '.join(render_text(one) for one in value)}]"


def _character(one: str) -> str:
    if one in _SHORT:
        return _SHORT[one]
    if "\ud800" <= one <= "\udfff":
        raise InvalidInput("expected Unicode text")
    if one < " " or one == "\x7f":
        return f"\\u{ord(one):04x}"
    return one


def _without_controls(line: str) -> str:
    return "".join(one if one.isprintable() else " " for one in line)
