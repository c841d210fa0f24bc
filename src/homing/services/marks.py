"""The line by which a file is known to be ours and unchanged: who made it, and a digest of all the rest. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

Origin = Literal["ours", "changed", "foreign"]
"""Made by us and as we made it; made by us and changed since; not made by us."""

_WORDS = 'Made by "homing service install"; "homing service uninstall" removes it. sha256:'
_LINE = re.compile(rf"(?:# |<!-- ){re.escape(_WORDS)}([0-9a-f]{{64}})(?: -->)?\n")


def mark(text: str, *, after: str = "", is_xml: bool = False) -> str:
    """Return a text with its mark as the first line, or behind `after`, which the text begins with."""
    line = f"<!-- {_WORDS}{_digest(text)} -->\n" if is_xml else f"# {_WORDS}{_digest(text)}\n"
    return after + line + text.removeprefix(after)


def origin_of(text: str) -> Origin:
    """Tell who made a text. A digest keeps nobody from forging it: it tells of hands, not of enemies."""
    lines = text.splitlines(keepends=True)
    marks = [found for line in lines if (found := _LINE.fullmatch(line))]
    if not marks:
        return "foreign"
    rest = "".join(line for line in lines if not _LINE.fullmatch(line))
    return "ours" if len(marks) == 1 and marks[0][1] == _digest(rest) else "changed"


def is_mark(line: str) -> bool:
    """Tell whether a line, with its end, is a mark."""
    return _LINE.fullmatch(line) is not None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
