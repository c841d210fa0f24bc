"""What an operator who asked for it is told: addresses that changed, and what DNS does not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.app.ports import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.app.ports import Notifier
    from homing.core.errors import PublishError
    from homing.core.hosts import Host
    from homing.core.names import Name
    from homing.core.records import RRset, RRsetKey


class Notices:
    """Says it in words. Without a notifier nobody is told."""

    def __init__(self, notifier: Notifier | None) -> None:
        self._notifier = notifier

    def changed(self, hosts: Sequence[Host], held: Mapping[RRsetKey, RRset | None]) -> None:
        """DNS shows now what the hosts desire, where it held something else."""
        self._tell([
            Notice("changed", host.hostname, f"{host.record_type} {_shown(held[host.key])} -> {_shown(host.desired)}")
            for host in hosts
            if held[host.key] != host.desired
        ])  # fmt: skip

    def rejected(self, host: Host, error: PublishError) -> None:
        """DNS will never take what a host desires."""
        self._tell([Notice("rejected", host.hostname, f"DNS rejects {_shown(host.desired)}: {error}")])

    def failing(self, zone: Name, error: PublishError) -> None:
        """A zone that worked takes no changes."""
        self._tell([Notice("failing", zone, str(error))])

    def recovered(self, zone: Name) -> None:
        """It takes them again."""
        self._tell([Notice("recovered", zone, "publishing works again")])

    def _tell(self, notices: Sequence[Notice]) -> None:
        if self._notifier is not None and notices:
            self._notifier.notify(notices)


def _shown(rrset: RRset | None) -> str:
    return ", ".join(rrset.rdata) if rrset else "nothing"
