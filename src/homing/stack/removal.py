"""Taking a stack down. What holds data, the table and the zone that the stack made, stays unless it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homing.stack.account import CallFailed
from homing.stack.deployment import ZONE_ID
from homing.stack.stacks import resources_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from homing.stack.account import Account
    from homing.stack.stacks import Stack

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Data:
    """What a stack leaves behind: its table, and the zone if it made one. Empty where there is none."""

    table: str
    zone_id: str


def data_of(account: Account, stack: Stack) -> Data:
    """Look up what holds data, while the stack still knows."""
    made = {
        one.type: one.physical_id
        for one in resources_of(account, stack.name)
        if one.physical_id and one.status != "DELETE_COMPLETE"  # what a rollback has taken back
    }
    own_zone = made.get("AWS::Route53::HostedZone", "") if not stack.parameters.get(ZONE_ID) else ""
    return Data(made.get("AWS::DynamoDB::Table", ""), own_zone.removeprefix("/hostedzone/"))


def delete_stack(account: Account, stack: Stack) -> None:
    """Begin to delete; follow the stack's events, by its id, to see what comes of it."""
    account.call("cloudformation", "delete_stack", StackName=stack.id)


def delete_table(account: Account, table: str, sleep: Callable[[float], None]) -> bool:
    """Delete a table for good, protected or not; return whether there was one."""
    try:
        told = account.call("dynamodb", "describe_table", TableName=table)["Table"]
        if told.get("DeletionProtectionEnabled"):
            account.call("dynamodb", "update_table", TableName=table, DeletionProtectionEnabled=False)
            sleep(2.0)
        account.call("dynamodb", "delete_table", TableName=table)
    except CallFailed as error:
        if error.code != "ResourceNotFoundException":
            raise
        return False
    return True


def delete_zone(account: Account, zone_id: str, hosts: Collection[tuple[str, str]]) -> str | None:
    """Delete the records of hosts and then the zone; return why it was kept, if it was.

    `hosts` are names and types as DNS has them. A record that is no host's was put there by somebody, and stays.
    """
    try:
        listed = account.pages("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone_id)
        records = list(listed)
    except CallFailed as error:
        if error.code == "NoSuchHostedZone":
            return None
        raise
    own = [one for one in records if (one["Name"], one["Type"]) in hosts and "ResourceRecords" in one]
    apex = next((one["Name"] for one in records if one["Type"] == "SOA"), "")
    kept = [one for one in records if one not in own and not (one["Name"] == apex and one["Type"] in ("SOA", "NS"))]
    if kept:
        shown = ", ".join(f"{one['Name']} {one['Type']}" for one in kept[:5])
        return f"the zone {zone_id} was kept, for it has records that are no hosts: {shown}"
    for start in range(0, len(own), _BATCH):
        _delete_records(account, zone_id, own[start : start + _BATCH])
    account.call("route53", "delete_hosted_zone", Id=zone_id)
    return None


def _delete_records(account: Account, zone_id: str, records: list[dict[str, Any]]) -> None:
    changes = [{"Action": "DELETE", "ResourceRecordSet": one} for one in records]
    account.call("route53", "change_resource_record_sets", HostedZoneId=zone_id, ChangeBatch={"Changes": changes})
