"""How a host is shown: the shape of its JSON, and its state in a word."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homing.core.hosts import Host


def describe(host: Host) -> dict[str, object]:
    """Return what may be shown of a host: everything but its secrets. The shape is a contract."""
    return {
        "hostname": host.hostname,
        "record_type": host.record_type,
        "ip_address": host.ip_address,
        "state": state(host),
        "group": host.group,
        "ttl": host.ttl,
        "allow_internal": host.allow_internal,
        "allow_offline": host.allow_offline,
        "lock_record": host.lock_record,
        "read_privilege": host.read_privilege,
        "signed_only": host.signed_only,
        "mac_address": host.mac_address,
        "interface_identifier": host.interface_identifier,
        "comment": host.comment,
        "last_accessed": host.last_accessed,
        "last_checked": rfc3339(host.last_checked),
        "last_updated": rfc3339(host.last_updated),
    }


def state(host: Host) -> str:
    """Return what an operator wants to know first."""
    if host.rejected is not None:
        return f"rejected: {host.rejected}"
    if host.pending:
        return "pending"
    if host.lock_record:
        return "locked"
    if host.desired is None:
        return "withdrawn" if host.last_updated else "never set"
    return "ok"


def rfc3339(seconds: int | None) -> str | None:
    """Return a time as people and programs read it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
