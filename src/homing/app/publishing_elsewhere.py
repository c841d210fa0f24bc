"""What an update needs of publishing, where it is not simply an outbox at hand: left to others, or made when needed.

A poll that changes nothing publishes nothing, so that a function which answers mostly polls should not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from homing.app.publishing import Outbox, Progress
    from homing.core.hosts import Host


class Publishing(Protocol):
    """As much of an `Outbox` as answering an update takes."""

    @property
    def follows_store(self) -> bool:
        """Whether DNS is a view of the store, so that what is committed is as good as published."""
        ...

    def publish(self, hosts: Iterable[Host]) -> Progress:
        """Publish hosts that were committed; tell how far that went. Never raises for what DNS or the store does."""
        ...


class LeftToOthers:
    """Publishes nothing: whoever reads the store's stream, or drains what is pending, does."""

    follows_store = False

    def publish(self, hosts: Iterable[Host]) -> Progress:  # noqa: ARG002 - of the protocol
        """Leave them pending."""
        from homing.app.publishing import Progress

        return Progress()


class MadeWhenNeeded:
    """An outbox over a DNS of somebody else's, made with the first host that is to be published."""

    follows_store = False

    def __init__(self, make: Callable[[], Outbox]) -> None:
        self._make = make
        self._outbox: Outbox | None = None

    def publish(self, hosts: Iterable[Host]) -> Progress:
        """Publish them as `Outbox.publish` does."""
        self._outbox = self._outbox or self._make()
        return self._outbox.publish(hosts)
