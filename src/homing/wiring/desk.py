"""What the operator's commands work on, whichever home it is opened in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from homing.core.names import get_zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from homing.app.administration import Administration
    from homing.app.importing import Importer
    from homing.app.ports import Store
    from homing.app.publishing import Outbox
    from homing.core.names import Name


class ServedZone(Protocol):
    """A zone: what ddupdate clients call it, and its name."""

    @property
    def id(self) -> str:
        """The identifier that tokens are made with."""

    @property
    def name(self) -> Name:
        """The apex."""


@dataclass(frozen=True)
class Desk:
    """What the operator's commands need; opening it loads no zone."""

    store: Store
    administration: Administration
    importer: Importer
    outbox: Outbox
    """Compares the store with what DNS answers."""
    zones: tuple[ServedZone, ...]
    token_key: str | None = None
    """The secret behind ddupdate tokens, where the settings name one; else it is kept in the store."""
    backup: Callable[[Path], None] | None = None
    """Copies the store into a file, where the store is a file itself."""
    endpoint: str | None = None
    """The URL that clients reach, where that is known."""
    tokens_create_hosts: bool = True
    """Whether a valid ddupdate token makes its host."""
    takes_chosen_passwords: bool = True
    """Whether imported passwords that people chose are checked."""
    connections: tuple[Callable[[], None], ...] = ()
    """What closes the connections that the store does not own."""

    def close(self) -> None:
        """Finish what was begun and let go."""
        self.store.close()
        for close in self.connections:
            close()

    @property
    def zone_ids(self) -> Mapping[str, Name]:
        """The zones by what ddupdate clients call them."""
        return {zone.id: zone.name for zone in self.zones}

    def serves(self, hostname: Name) -> bool:
        """Tell whether a name is in one of the zones."""
        return get_zone_of(hostname, {zone.name for zone in self.zones}) is not None
