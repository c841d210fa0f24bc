"""Stacks of three zones, and the policies of their roles: a role's own, and those attached to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deploy.policy_evaluator import Call, is_allowed
from tests.deploy.rendering import ACCOUNT, Rendered, load, render
from tests.deploy.switches import CODE

if TYPE_CHECKING:
    from tests.deploy.policy_evaluator import Policy

TEMPLATE = load()
ZONES = {
    "route53ZoneName": "example.com",
    "route53ZoneId": "ZOWN",
    "additionalZoneIds": "ZCORP,ZHOME",
    "additionalZoneNames": "corp.example,home.test",
}
ROLES = ("updateRole", "publisherRole", "adminRole")
_PREFIX = f"arn:aws:iam::{ACCOUNT}:policy/dns-"


def policies_of(stack: Rendered, role: str) -> list[Policy]:
    """Every policy document that counts for a role; one that the stack does not make is an error."""
    properties = stack.properties(role)
    attached = [arn.removeprefix(_PREFIX) for arn in properties.get("ManagedPolicyArns", [])]
    own = [one["PolicyDocument"] for one in properties.get("Policies", [])]
    return own + [stack.properties(name)["PolicyDocument"] for name in attached]


def stack(**given: str) -> Rendered:
    return render(TEMPLATE, CODE | ZONES | given)


def may(role: str, call: Call, made: Rendered) -> bool:
    return is_allowed(policies_of(made, role), call)
