"""Reading a file of some other system, or an export of Homing: which format it is, and what it holds.

Import is all or nothing: where there is one problem, there are no rows. Nothing of the text is executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from homing.core.errors import InvalidInput
from homing.formats import awslabs_v1, awslabs_v2, awslabs_v3, dyndns53, homing_json, sam
from homing.formats.document import Document, parse_document
from homing.formats.draft import Draft
from homing.formats.imported_client import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.core.names import Name
    from homing.core.rows import Row

MAX_CHARACTERS = 64 * 1024 * 1024


class Reader(Protocol):
    """What each module of a format offers."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a constant of the module
        """What people call the format."""

    def matches(self, document: Document) -> bool:
        """Tell whether the document looks like this format. Raises nothing."""

    def take(self, document: Document, draft: Draft) -> None:
        """Put all that it holds into the draft. Raises InvalidInput if it is not of this format at all."""


# Detection asks in this order. One DynamoDB item looks like a v1 file, too, and a DynDNS53 file may hold anything.
_READERS: tuple[Reader, ...] = (homing_json, awslabs_v2, awslabs_v3, sam, awslabs_v1, dyndns53)
FORMATS: tuple[str, ...] = tuple(reader.NAME for reader in _READERS)


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file holds. Each warning and each problem is one line for people, without any secret."""

    rows: tuple[Row, ...]
    """As new rows, version 0. Empty if there are problems."""
    warnings: tuple[str, ...]
    """What was taken with reservations."""
    problems: tuple[str, ...]
    """What could not be taken, and where it is: `line 12: ...` or `item 3 (cam.home.example.): ...`."""


def read(
    text: str,
    *,
    format: str | None = None,  # noqa: A002 - the word of the command line
    default_zone: Name | None = None,
    salt: Callable[[], bytes],
    secret: Callable[[], str],
) -> Imported:
    """Read `text` as one of FORMATS, or as the one that it looks like if `format` is None.

    `default_zone` completes names of one label. `salt` gives 16 random bytes for each password that a person chose;
    hashing it takes a tenth of a second and more. `secret` makes a shared secret (`credentials.new_secret`) for each
    host that had none. Raises InvalidInput when the text is not of the format, or of none.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(f"longer than {MAX_CHARACTERS // 1024 // 1024} MB")
    draft = Draft(default_zone, secret)
    try:
        document = parse_document(text.removeprefix("\ufeff"), draft)
        _find_reader(document, format).take(document, draft)
    except RecursionError:
        raise InvalidInput("nested too deeply") from None
    rows = () if draft.problems else draft.rows(salt)
    return Imported(rows, tuple(draft.warnings), tuple(draft.problems))


def _find_reader(document: Document, name: str | None) -> Reader:
    for reader in _READERS:
        if name == reader.NAME or (name is None and reader.matches(document)):
            return reader
    if name is not None:
        raise InvalidInput(f"there is no format {name[:40]!r}; the formats are {', '.join(FORMATS)}")
    why = f" ({document.json_error})" if document.json_error and document.looks_like_json else ""
    raise InvalidInput(f"this is none of the formats {', '.join((*FORMATS, *CLIENTS))}{why}")
