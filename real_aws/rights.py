"""What each role may do and may not, case by case: for IAM's simulator, and for the probe that really tries. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAMES = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
TYPES = "route53:ChangeResourceRecordSetsRecordTypes"
ACTIONS = "route53:ChangeResourceRecordSetsActions"
ATTRIBUTES = "dynamodb:Attributes"
RETURN_VALUES = "dynamodb:ReturnValues"
CHANGE = "route53:ChangeResourceRecordSets"
DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException"})
_STATE = ["hostname", "record_type", "version", "desired", "pending", "ip_address"]


@dataclass(frozen=True, slots=True)
class Case:
    """One call, as IAM sees it."""

    role: str
    """The logical id of the role."""
    what: str
    action: str
    resource: str
    is_allowed: bool
    context: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call, as boto3 takes it."""

    what: str
    service: str
    operation: str
    arguments: Mapping[str, Any]
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class Places:
    """The resources that the cases are about."""

    table_arn: str
    zone_arn: str
    zone: str
    """Without a final dot."""
    endpoint_name: str


def direct_cases(at: Places) -> Iterator[Case]:
    """Yield the cases of a stack that publishes directly."""
    for role in ("updateRole", "adminRole"):
        yield from _dns_cases(role, at)
    yield from _row_cases("updateRole", at)
    yield Case("updateRole", "scan the table", "dynamodb:Scan", at.table_arn, is_allowed=False)
    yield Case("updateRole", "make log groups", "logs:CreateLogGroup", "*", is_allowed=False)
    yield Case("adminRole", "scan the table", "dynamodb:Scan", at.table_arn, is_allowed=True)
    yield Case("adminRole", "delete the table", "dynamodb:DeleteTable", at.table_arn, is_allowed=False)


def stream_cases(at: Places) -> Iterator[Case]:
    """Yield the cases of a stack that publishes from the stream: the update role has no right on Route 53 there."""
    swap = _batch(f"cam.{at.zone}", "A", "DELETE", "CREATE")
    yield Case("updateRole", "swap an address", CHANGE, at.zone_arn, is_allowed=False, context=swap)
    yield Case("updateRole", "list the zone", "route53:ListResourceRecordSets", at.zone_arn, is_allowed=False)
    yield from _dns_cases("publisherRole", at)
    yield from _row_cases("publisherRole", at)


def _dns_cases(role: str, at: Places) -> Iterator[Case]:
    name = f"cam.{at.zone}"
    yield Case(
        role, "swap an address", CHANGE, at.zone_arn, is_allowed=True, context=_batch(name, "A", "DELETE", "CREATE")
    )
    for what, context in (
        ("overwrite a record (UPSERT)", _batch(name, "A", "UPSERT")),
        ("change a TXT record", _batch(name, "TXT", "CREATE")),
        ("change the apex", _batch(at.zone, "A", "CREATE")),
        ("change the endpoint's own name", _batch(at.endpoint_name, "A", "CREATE")),
        ("change a name outside the zone", _batch("cam.elsewhere.example", "A", "CREATE")),
        ("change what is not told (absent keys)", {}),
    ):
        yield Case(role, what, CHANGE, at.zone_arn, is_allowed=False, context=context)
    yield Case(role, "delete the zone", "route53:DeleteHostedZone", at.zone_arn, is_allowed=False)


def _row_cases(role: str, at: Places) -> Iterator[Case]:
    update, table = "dynamodb:UpdateItem", at.table_arn
    yield Case(role, "write the state of a row", update, table, is_allowed=True, context={ATTRIBUTES: _STATE})
    for what, context in (
        ("rewrite a secret", {ATTRIBUTES: [*_STATE, "shared_secret"]}),
        ("unlock a host", {ATTRIBUTES: [*_STATE, "lock_record"]}),
        ("read a row by writing it", {ATTRIBUTES: _STATE, RETURN_VALUES: ["ALL_OLD"]}),
        ("write what is not told (absent keys)", {}),
    ):
        yield Case(role, what, update, table, is_allowed=False, context=context)
    yield Case(role, "put a row", "dynamodb:PutItem", table, is_allowed=False, context={ATTRIBUTES: _STATE})
    yield Case(role, "delete a row", "dynamodb:DeleteItem", table, is_allowed=False)


def _batch(name: str, record_type: str, *actions: str) -> dict[str, list[str]]:
    return {NAMES: [name], TYPES: [record_type], ACTIONS: list(actions)}


# --- what the probe tries, with the rights of the update role


def row_attempts(table: str, hostname: str) -> Iterator[Attempt]:
    """Yield writes to one row, which none of them changes in a way that matters."""
    key = {"hostname": {"S": hostname}, "record_type": {"S": "A"}}

    def writing(attribute: str, **more: Any) -> dict[str, Any]:
        return {
            "TableName": table, "Key": key, "UpdateExpression": "SET #a = :v",
            "ExpressionAttributeNames": {"#a": attribute}, "ExpressionAttributeValues": {":v": {"S": "probe"}}, **more,
        }  # fmt: skip

    last = "last_accessed"
    yield Attempt("read a row", "dynamodb", "get_item", {"TableName": table, "Key": key}, is_allowed=True)
    yield Attempt("write the state of a row", "dynamodb", "update_item", writing(last), is_allowed=True)
    for attribute in ("shared_secret", "lock_record", "allow_internal", "owner"):
        yield Attempt(f"write {attribute}", "dynamodb", "update_item", writing(attribute), is_allowed=False)
    old = writing(last, ReturnValues="ALL_OLD")
    yield Attempt("read a row by writing it", "dynamodb", "update_item", old, is_allowed=False)
    yield Attempt("put a row", "dynamodb", "put_item", {"TableName": table, "Item": key}, is_allowed=False)
    yield Attempt("delete a row", "dynamodb", "delete_item", {"TableName": table, "Key": key}, is_allowed=False)
    yield Attempt("scan", "dynamodb", "scan", {"TableName": table, "Limit": 1}, is_allowed=False)


def dns_attempts(zone_id: str, zone: str, endpoint_name: str, *, may_swap: bool) -> Iterator[Attempt]:
    """Yield changes of the zone; what may be done is undone by the next one."""

    def changing(action: str, name: str, kind: str = "A", value: str = "192.0.2.1") -> dict[str, Any]:
        record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
        return {
            "HostedZoneId": zone_id,
            "ChangeBatch": {"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        }

    operation, name = "change_resource_record_sets", f"probe.{zone}"
    yield Attempt("create an address", "route53", operation, changing("CREATE", name), is_allowed=may_swap)
    yield Attempt("delete an address", "route53", operation, changing("DELETE", name), is_allowed=may_swap)
    for what, arguments in (
        ("overwrite a record (UPSERT)", changing("UPSERT", name)),
        ("create a TXT record", changing("CREATE", name, "TXT", '"probe"')),
        ("create an address at the apex", changing("CREATE", zone)),
        ("create the endpoint's own name", changing("CREATE", endpoint_name)),
    ):
        yield Attempt(what, "route53", operation, arguments, is_allowed=False)
    listing = {"HostedZoneId": zone_id, "MaxItems": "1"}
    yield Attempt("list the zone", "route53", "list_resource_record_sets", listing, is_allowed=may_swap)
