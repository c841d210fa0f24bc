"""One step from nothing, or from what stands, to a stack of this version: zone, package, bucket, change set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from homing.core.errors import Refused, StoreUnavailable
from homing.stack.account import CallFailed
from homing.stack.bucket import bucket_name, ensure_bucket, renew, upload
from homing.stack.change_set import ChangeSet, Template, create_change_set, parameters_of
from homing.stack.stacks import get_stack
from homing.stack.zones import find_zone, get_zone_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.core.names import Name
    from homing.stack.account import Account
    from homing.stack.package import Package
    from homing.stack.stacks import Stack

MAX_BODY = 51_200
"""Bytes of a template that CloudFormation takes without a bucket
(docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html)."""
ZONE_NAME, ZONE_ID = "route53ZoneName", "route53ZoneId"
CODE_BUCKET, CODE_KEY, RUNTIME = "codeBucket", "codeKey", "runtime"
_OWN = {
    ZONE_NAME: "the argument ZONE",
    ZONE_ID: "--zone-id",
    CODE_BUCKET: "--bucket",
    CODE_KEY: "the package itself",
    RUNTIME: "--runtime",
}
"""Parameters that are worked out here, and what says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the operator asked for. What is not named stays as it is, or as the template has it."""

    stack: str
    zone: Name | None = None
    zone_id: str | None = None
    new_zone: bool = False
    bucket: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def template_text() -> str:
    """Return the template that came with this version."""
    return (Path(__file__).parent / "template.yaml").read_text(encoding="utf-8")


def plan(
    account: Account,
    wanted: Wanted,
    package: Package,
    *,
    dry_run: bool,
    now: float,
    sleep: Callable[[float], None],
    tell: Callable[[str], None],
) -> ChangeSet:
    """Put everything in place and ask CloudFormation what would change; nothing of the stack changes yet.

    Raises Refused, and StoreUnavailable while AWS is at work on the stack.
    """
    if given := [name for name in wanted.parameters if name in _OWN]:
        raise Refused(f"the parameter {given[0]} is set by {_OWN[given[0]]}")
    stack = get_stack(account, wanted.stack)
    _check_state(wanted.stack, stack)
    if stack is None or stack.is_empty:
        _check_table(account, f"{wanted.stack}-config")
    parameters = dict(wanted.parameters) | _zone_parameters(account, wanted, stack, tell)
    bucket = wanted.bucket or (stack.parameters.get(CODE_BUCKET) if stack else None) or bucket_name(account)
    key = f"packages/{package.sha256}.zip"
    text = template_text()
    if not dry_run or len(text.encode()) > MAX_BODY:
        if ensure_bucket(account, bucket):
            tell(f"made the bucket {bucket}, private and encrypted")
        _upload(account, bucket, key, package, stack, tell)
        template = _upload_template(account, bucket, text)
    else:
        template = Template(body=text)
    parameters |= {CODE_BUCKET: bucket, CODE_KEY: key, RUNTIME: package.runtime}
    return create_change_set(
        account,
        wanted.stack,
        template,
        parameters_of(account, template, parameters, stack),
        name=f"homing-{package.sha256[:12]}-{int(now)}",
        is_new=stack is None or stack.is_empty,
        sleep=sleep,
    )


def _check_state(name: str, stack: Stack | None) -> None:
    if stack is None or stack.is_empty or stack.is_usable:
        return
    if stack.is_busy:
        raise StoreUnavailable(f"AWS is at work on the stack {name} ({stack.status}): `homing aws status`, then again")
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        what = f"`aws cloudformation continue-update-rollback --stack-name {name}` brings it back to where it was"
    else:
        what = f"`homing aws delete --stack {name}`, then deploy again"
    raise Refused(f"the stack {name} is in {stack.status}, from which nothing can be changed: {what}")


def _check_table(account: Account, table: str) -> None:
    """Refuse at once what CloudFormation would refuse after minutes: it makes no table over one that was kept."""
    try:
        account.call("dynamodb", "describe_table", TableName=table)
    except CallFailed:
        return  # there is none; or whoever deploys may not look
    raise Refused(
        f"the table {table} is there, kept from an earlier stack, and CloudFormation makes no other of its name:"
        " deploy under another --stack NAME, or delete the table if nothing in it is needed"
    )


def _zone_parameters(
    account: Account, wanted: Wanted, stack: Stack | None, tell: Callable[[str], None]
) -> dict[str, str]:
    """A stack keeps its zone for life. A new one gets the zone that exists, or leaves the template to make it."""
    if stack is not None and not stack.is_empty:
        return _same_zone(wanted, stack)
    zone_id, zone = wanted.zone_id, wanted.zone
    if zone_id:
        found = find_zone(account, zone_id)
        if zone not in (None, found.name):
            raise Refused(f"the zone {zone_id} is {found.name.rstrip('.')}, not {(zone or '').rstrip('.')}")
        zone, zone_id = found.name, found.id
    if zone is None:
        raise Refused(f"which zone is it for? `homing aws deploy example.com --stack {wanted.stack}`")
    if not zone_id and not wanted.new_zone:
        zone_id = get_zone_id(account, zone)
    shown = zone.rstrip(".")
    tell(f"the zone {shown} is here: {zone_id}" if zone_id else f"the zone {shown} is made with the stack")
    return {ZONE_NAME: shown, ZONE_ID: zone_id or ""}


def _same_zone(wanted: Wanted, stack: Stack) -> dict[str, str]:
    has = stack.parameters.get(ZONE_NAME, "").rstrip(".").lower()
    has_id = stack.parameters.get(ZONE_ID) or stack.outputs.get("route53ZoneID", "")
    is_other = (wanted.zone is not None and wanted.zone.rstrip(".") != has) or wanted.new_zone
    if is_other or (wanted.zone_id and wanted.zone_id.removeprefix("/hostedzone/") != has_id):
        raise Refused(
            f"the stack {stack.name} is for {has} ({has_id}) and keeps its zone: --param additionalZoneIds=ID adds one,"
            " another --stack is for another"
        )
    return {}


def _upload(
    account: Account, bucket: str, key: str, package: Package, stack: Stack | None, tell: Callable[[str], None]
) -> None:
    upload(account, bucket, key, package.data)
    tell(f"uploaded the package, {len(package.data)} bytes, to s3://{bucket}/{key}")
    running = stack.parameters.get(CODE_KEY) if stack else None
    if running and running != key:
        renew(account, bucket, running)


def _upload_template(account: Account, bucket: str, text: str) -> Template:
    data = text.encode()
    key = f"templates/{hashlib.sha256(data).hexdigest()}.yaml"
    upload(account, bucket, key, data)
    suffix = "amazonaws.com.cn" if account.partition == "aws-cn" else "amazonaws.com"
    return Template(url=f"https://{bucket}.s3.{account.region}.{suffix}/{key}")
