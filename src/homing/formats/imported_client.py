"""Reading the configuration of another client: which one's it is, and the accounts that it holds.

What server tables are is told apart in `imported.py`; nothing that is one of those is taken for a client's file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from homing.formats import ddclient_conf, dyndns53, inadyn_conf
from homing.formats.document import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.formats.client_draft import ImportedClient


class Reader(Protocol):
    """What each module of a client's file offers."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a constant of the module
        """What people call the client."""

    def looks_like(self, text: str) -> bool:
        """Tell whether the text looks like this client's file. Raises nothing."""

    def read(self, text: str, origin: str, environment: Mapping[str, str]) -> ImportedClient:
        """Return what it holds. Raises InvalidInput with each malformed line and what was expected."""


_READERS: tuple[Reader, ...] = (inadyn_conf, ddclient_conf)
CLIENTS: tuple[str, ...] = tuple(reader.NAME for reader in _READERS)


def recognise(text: str, file_name: str) -> str | None:
    """Return whose file it is: one of CLIENTS, or None for what is no client's. The name counts where the text is mute.

    JSON is never a client's, nor is a program that assigns `conf`, as DynDNS53 does.
    """
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return None
    by_text = [reader.NAME for reader in _READERS if reader.looks_like(text)]
    is_conf = file_name.endswith((".conf", ".cfg", ".in"))
    found = by_text or [name for name in CLIENTS if is_conf and name in file_name]
    if not found or dyndns53.matches(Document(text, None, None, None)):
        return None
    return found[0]


def read(text: str, client: str, origin: str, environment: Mapping[str, str]) -> ImportedClient:
    """Read the file of one of CLIENTS. `origin` is what messages call it. Raises InvalidInput."""
    return next(reader for reader in _READERS if client == reader.NAME).read(text, origin, environment)
