"""Finding and removing everything that a run made: again and again until nothing is left, whatever fails on the way.

A thing is touched only if its name is the run's (`Run.owns`), which is asked once more before each removal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homing.core.errors import Refused
from homing.stack.account import CallFailed
from homing.stack.stacks import get_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from homing.stack.account import Account
    from real_aws.names import Run

ROUNDS, PAUSE_SECONDS = 6, 20.0
STACK_SECONDS, STACK_POLL_SECONDS = 45 * 60, 10.0
"""CloudFront takes a quarter of an hour to let go of a distribution."""
_RECORDS_AT_ONCE, _OBJECTS_AT_ONCE = 300, 1000
_GONE = frozenset({
    "404", "NoSuchBucket", "NotFound", "ResourceNotFoundException", "TableNotFoundException", "NoSuchHostedZone",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing: how a run's are found, and removed. `find` yields name and id."""

    name: str
    find: Callable[[Account, Run], Iterator[tuple[str, str]]]
    remove: Callable[[Account, str, Callable[[float], None]], None]
    owns: Callable[[Run, str], bool]


def clean_up(
    account: Account,
    run: Run,
    *,
    sleep: Callable[[float], None],
    tell: Callable[[str], None],
    kinds: Sequence[Kind] = (),
) -> list[str]:
    """Remove everything of a run; return what is left and why, which is nothing if all went well."""
    if run.account != account.id or run.region != account.region:
        raise Refused(f"the run {run.name} was made in {run.region} of account {run.account}, not here")
    left: list[str] = []
    for number in range(ROUNDS):
        left = [words for kind in kinds or KINDS for words in _remove_all(account, run, kind, sleep, tell)]
        if not left:
            break
        if number < ROUNDS - 1:
            tell(f"left so far: {'; '.join(left)}; trying again in {PAUSE_SECONDS:g} s")
            sleep(PAUSE_SECONDS)
    return left


def inventory(account: Account, run: Run) -> list[str]:
    """Return what there is of a run, in words. Raises HomingError."""
    return [f"{kind.name} {name}" for kind in KINDS for name, _ in kind.find(account, run) if kind.owns(run, name)]


def _remove_all(
    account: Account, run: Run, kind: Kind, sleep: Callable[[float], None], tell: Callable[[str], None]
) -> list[str]:
    """Nothing that happens here keeps the next kind from being removed."""
    left = []
    try:
        found = list(kind.find(account, run))
    except Exception as error:  # whatever it is, the rest has to go
        return [f"{kind.name}: cannot be looked up: {_words(error)}"]
    for name, identity in found:
        if not kind.owns(run, name):
            continue
        try:
            kind.remove(account, identity, sleep)
            tell(f"removed {kind.name} {name}")
        except Exception as error:
            left.append(f"{kind.name} {name}: {_words(error)}")
    return left


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


# --- the kinds


def _find_probe(account: Account, run: Run) -> Iterator[tuple[str, str]]:
    try:
        account.call("lambda", "get_function_configuration", FunctionName=run.probe)
    except CallFailed as error:
        if error.code in _GONE:
            return
        raise
    yield run.probe, run.probe


def _remove_function(account: Account, name: str, _sleep: Callable[[float], None]) -> None:
    account.call("lambda", "delete_function", FunctionName=name)


def _find_stack(account: Account, run: Run) -> Iterator[tuple[str, str]]:
    if get_stack(account, run.name) is not None:
        yield run.name, run.name


def _remove_stack(account: Account, name: str, sleep: Callable[[float], None]) -> None:
    """Delete it and wait; what AWS is at work on is asked for again until it lets go. Raises Refused, StoreError."""
    failures = 0
    for _ in range(int(STACK_SECONDS / STACK_POLL_SECONDS)):
        stack = get_stack(account, name)
        if stack is None:
            return
        failures += stack.status == "DELETE_FAILED"
        if failures > 2:
            raise Refused(f"DELETE_FAILED: {stack.reason or 'see its events'}")
        if stack.status != "DELETE_IN_PROGRESS":
            _ask_to_delete(account, stack.id)
        sleep(STACK_POLL_SECONDS)
    raise Refused(f"not gone after {STACK_SECONDS // 60} minutes")


def _ask_to_delete(account: Account, stack_id: str) -> None:
    try:
        account.call("cloudformation", "delete_stack", StackName=stack_id)
    except CallFailed as error:
        if error.code != "ValidationError":  # an update is under way: it is asked again after that
            raise


def _find_tables(account: Account, run: Run) -> Iterator[tuple[str, str]]:
    try:
        told = account.call("dynamodb", "describe_table", TableName=run.table)["Table"]
    except CallFailed as error:
        if error.code in _GONE:
            return
        raise
    if told["TableStatus"] != "DELETING":
        yield run.table, run.table


def _remove_table(account: Account, name: str, sleep: Callable[[float], None]) -> None:
    forgo_backup(account, name)
    account.call("dynamodb", "delete_table", TableName=name)
    sleep(1.0)


def forgo_backup(account: Account, table: str) -> None:
    """Turn recovery off, or DynamoDB keeps a backup of a deleted table for 35 days. Where it cannot be: no matter.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/pitr_beforeyoubegin.html
    """
    off = {"PointInTimeRecoveryEnabled": False}
    try:
        account.call("dynamodb", "update_continuous_backups", TableName=table, PointInTimeRecoverySpecification=off)
    except CallFailed:
        return


def _find_zones(account: Account, run: Run) -> Iterator[tuple[str, str]]:
    told = account.call("route53", "list_hosted_zones_by_name", DNSName=run.zone, MaxItems="10")
    for one in told["HostedZones"]:
        if run.owns_zone(one["Name"]):
            yield one["Name"], one["Id"].removeprefix("/hostedzone/")


def _remove_zone(account: Account, zone_id: str, _sleep: Callable[[float], None]) -> None:
    records = list(account.pages("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone_id))
    apex = next(one["Name"] for one in records if one["Type"] == "SOA")
    own = [one for one in records if one["Name"] != apex or one["Type"] not in ("SOA", "NS")]
    for start in range(0, len(own), _RECORDS_AT_ONCE):
        changes = [{"Action": "DELETE", "ResourceRecordSet": one} for one in own[start : start + _RECORDS_AT_ONCE]]
        account.call("route53", "change_resource_record_sets", HostedZoneId=zone_id, ChangeBatch={"Changes": changes})
    account.call("route53", "delete_hosted_zone", Id=zone_id)


def _find_log_groups(account: Account, run: Run) -> Iterator[tuple[str, str]]:
    found = account.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=run.log_groups)
    for one in found:
        yield one["logGroupName"], one["logGroupName"]


def _remove_log_group(account: Account, name: str, _sleep: Callable[[float], None]) -> None:
    account.call("logs", "delete_log_group", logGroupName=name)


def _find_bucket(account: Account, run: Run) -> Iterator[tuple[str, str]]:
    try:
        account.call("s3", "head_bucket", Bucket=run.bucket, ExpectedBucketOwner=account.id)
    except CallFailed as error:
        if error.code in _GONE:
            return
        raise
    yield run.bucket, run.bucket


def _remove_bucket(account: Account, name: str, _sleep: Callable[[float], None]) -> None:
    keys = [{"Key": one["Key"]} for one in account.pages("s3", "list_objects_v2", "Contents", Bucket=name)]
    for start in range(0, len(keys), _OBJECTS_AT_ONCE):
        chosen: Any = {"Objects": keys[start : start + _OBJECTS_AT_ONCE], "Quiet": True}
        account.call("s3", "delete_objects", Bucket=name, Delete=chosen, ExpectedBucketOwner=account.id)
    account.call("s3", "delete_bucket", Bucket=name, ExpectedBucketOwner=account.id)


def _by_name(run: Run, name: str) -> bool:
    return run.owns(name)


def _by_zone(run: Run, name: str) -> bool:
    return run.owns_zone(name)


KINDS: tuple[Kind, ...] = (
    Kind("function", _find_probe, _remove_function, _by_name),
    Kind("stack", _find_stack, _remove_stack, _by_name),
    Kind("table", _find_tables, _remove_table, _by_name),
    Kind("hosted zone", _find_zones, _remove_zone, _by_zone),
    Kind("log group", _find_log_groups, _remove_log_group, _by_name),
    Kind("bucket", _find_bucket, _remove_bucket, _by_name),
)
"""In the order in which they have to go. What the stack made and does not retain goes with the stack."""
