"""What each role may do to rows: the update and publisher functions write state, never what a person set."""

from __future__ import annotations

from copy import deepcopy
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from homing.core.hosts import Host
from homing.core.names import parse_name
from homing.core.records import RRset
from homing.core.rows import to_attributes
from homing.core.update import Circumstances, Policy, SetAddress, decide
from tests.deploy.policy_evaluator import Call, is_allowed, statements
from tests.deploy.rendering import TABLE_ARN, Rendered
from tests.deploy.roles import ROLES, may, policies_of, stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INDEX = f"{TABLE_ARN}/index/"


def write(*attributes: str, action: str = "UpdateItem", **context: str) -> Call:
    """What DynamoDB tells IAM of a write: every attribute that it names, with the keys, and what it asks back."""
    told: dict[str, Sequence[str]] = {"dynamodb:Attributes": ("hostname", "record_type", *attributes)}
    told |= {f"dynamodb:{key}": (value,) for key, value in context.items()}
    return Call(f"dynamodb:{action}", TABLE_ARN, told)


def writers() -> Iterator[tuple[str, Rendered]]:
    """The roles that write state and nothing else."""
    yield "updateRole", stack()
    yield "updateRole", stack(publishMode="stream")
    yield "publisherRole", stack(publishMode="stream")


def made_by_decisions() -> set[str]:
    """The attributes that an update can change, found by deciding some."""
    name = parse_name("cam.example.com")
    host = Host(hostname=name, record_type="A", shared_secret="x" * 32, version=1, ttl=60, allow_internal=True)
    circumstances = Circumstances(1e9, ip_address("203.0.113.1"), Policy(), signed_at=2 * 10**12, ttl=300)
    after = decide(host, SetAddress(ip_address("203.0.113.9")), circumstances).after
    assert after is not None
    published = after.next(published=RRset(300, ("203.0.113.9",)), rejected="refused")
    before = to_attributes(host)
    return {
        name for row in (after, published) for name, value in to_attributes(row).items() if before.get(name) != value
    } | {"version"}


def test_the_attributes_that_an_update_changes_may_be_written() -> None:
    changed = made_by_decisions()
    assert {"desired", "ttl", "signed_only", "published", "rejected", "pending"} <= changed
    for role, made in writers():
        assert may(role, write(*changed), made)
        assert may(role, write("version", "desired", ReturnValues="NONE"), made)
        assert may(role, Call("dynamodb:ConditionCheckItem", TABLE_ARN, write("version").context), made)


@pytest.mark.parametrize(
    "attribute",
    [
        *("shared_secret", "previous_secret", "password", "hostnames", "secret", "lock_record", "allow_internal"),
        *("allow_offline", "read_privilege", "mac_address", "group", "interface_identifier", "removed_at", "comment"),
    ],
)
def test_what_an_owner_or_operator_set_may_not_be_written(attribute: str) -> None:
    for role, made in writers():
        assert not may(role, write("version", attribute), made)
        assert not may(role, write(attribute), made)


@pytest.mark.parametrize("asked", ["ALL_OLD", "ALL_NEW"])
def test_a_write_may_not_ask_for_the_whole_row_back(asked: str) -> None:
    assert not any(may(role, write("version", ReturnValues=asked), made) for role, made in writers())


def test_a_write_that_names_no_attributes_is_let_through_only_without_null() -> None:
    for role, made in writers():
        policies = deepcopy(policies_of(made, role))
        nameless = Call("dynamodb:UpdateItem", TABLE_ARN)
        assert not is_allowed(policies, nameless)
        for one in (one for policy in policies for one in statements(policy)):
            one.get("Condition", {}).pop("Null", None)
        assert is_allowed(policies, nameless)


def test_only_where_tokens_create_hosts_may_the_update_function_write_what_a_new_row_needs() -> None:
    made = stack(tokensCreateHosts="true")
    fresh = Host(hostname=parse_name("new.example.com"), record_type="A", shared_secret="x" * 32, comment="c")
    created = made_by_decisions() | to_attributes(fresh).keys()
    assert may("updateRole", write(*created), made)
    assert not may("updateRole", write(*created), stack())
    assert not may("updateRole", write("lock_record"), made)
    assert not may("publisherRole", write(*created), stack(tokensCreateHosts="true", publishMode="stream"))


@pytest.mark.parametrize("action", ["Scan", "PutItem", "DeleteItem", "DeleteTable", "UpdateTable", "PartiQLUpdate"])
def test_the_update_and_publisher_functions_may_not(action: str) -> None:
    assert not any(may(role, write("version", action=action), made) for role, made in writers())


@pytest.mark.parametrize("action", ["GetItem", "BatchGetItem", "Query"])
def test_every_function_reads_rows_of_this_table_only(action: str) -> None:
    for role, made in (*writers(), ("adminRole", stack())):
        assert may(role, Call(f"dynamodb:{action}", TABLE_ARN), made)
        assert not may(role, Call(f"dynamodb:{action}", TABLE_ARN.replace("dns-config", "other-config")), made)


@pytest.mark.parametrize(
    ("index", "roles"),
    [("shared_secret-index", {"updateRole", "adminRole"}), ("pending-index", {"adminRole"})],
)
def test_who_may_ask_an_index(index: str, roles: set[str]) -> None:
    made, call = stack(publishMode="stream"), Call("dynamodb:Query", INDEX + index)
    assert {role for role in ROLES if may(role, call, made)} == roles


def test_the_admin_function_keeps_rows_and_leaves_the_table_itself_alone() -> None:
    made = stack()
    kept = ("Scan", "PutItem", "DeleteItem", "UpdateItem", "ConditionCheckItem")
    assert all(may("adminRole", write("shared_secret", action=action), made) for action in kept)
    others = ("DeleteTable", "UpdateTable", "UpdateContinuousBackups", "CreateBackup")
    assert not any(may("adminRole", write(action=action), made) for action in others)
