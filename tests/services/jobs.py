"""Jobs and places as the tests need them, and how systemd reads a unit back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from homing.services.job import Given, Job, Kind
from homing.services.places import Init, Place

if TYPE_CHECKING:
    from pathlib import Path

NASTY = "a b%c\"d'e$f\\g{h};#&é=x"
words = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"], exclude_characters="\xa0"),
    min_size=1,
    max_size=30,
)
"""What may stand in a word of a command: all that can be printed."""
names = words.map(lambda text: text.replace("/", "_")).filter(lambda text: text not in (".", ".."))


def job(kind: Kind = "agent", *more: str | Given, program: str = "/opt/homing/bin/homing", interval: int = 300) -> Job:
    return Job(kind=kind, program=(program,), words=("run" if kind == "agent" else "update", *more), interval=interval)


def place(init: Init, folder: Path, *, is_user: bool = False, user: int = 0) -> Place:
    return Place(init=init, is_user=is_user, user=user, folder=folder, logs=folder, seed="machine")


def settings_of(unit: str) -> dict[str, list[str]]:
    """Return the settings of a unit, all sections together, with their values in order."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def read_words(value: str, environment: dict[str, str]) -> list[str]:
    """Return the words of ExecStart= as systemd reads them: systemd.service(5), "Command lines"; %% and quotes.

    Raises ValueError for a specifier, an escape or a variable that nobody meant.
    """
    found, word, quote = [], "", False
    is_open, characters = False, iter(value)
    for character in characters:
        if character == "\\":
            following = next(characters)
            if following not in '\\"':
                raise ValueError(f"\\{following}")
            word += following
        elif character == '"':
            quote, is_open = not quote, True
        elif character == "'" and not quote:
            raise ValueError(character)
        elif character == " " and not quote:
            found.append(word)
            word, is_open = "", False
        else:
            word, is_open = word + character, True
    assert is_open
    assert not quote
    program, *others = (_specifiers(one) for one in [*found, word])
    return [program, *(_variables(one, environment) for one in others)]


def _specifiers(word: str) -> str:
    if "%" in word.replace("%%", ""):
        raise ValueError(word)
    return word.replace("%%", "%")


def _variables(word: str, environment: dict[str, str]) -> str:
    result, rest = "", word
    while "$" in rest:
        before, _, rest = rest.partition("$")
        if rest.startswith("$"):
            result, rest = result + before + "$", rest[1:]
        else:
            name, brace, behind = rest.removeprefix("{").partition("}")
            if not (rest.startswith("{") and brace):
                raise ValueError(word)
            result, rest = result + before + environment[name], behind
    return result + rest
