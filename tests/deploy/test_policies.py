"""What each role may do and may not, decided as IAM decides it, from the policies that the template renders."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest

from tests.deploy.policy_evaluator import Call, actions_of, is_allowed, statements
from tests.deploy.rendering import ACCOUNT, REGION, TABLE_ARN, Rendered
from tests.deploy.roles import ROLES, may, policies_of, stack

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM_ARN = f"{TABLE_ARN}/stream/2026-11-21T00:00:00.000"
Change = tuple[str, str, str]
SWAP: tuple[Change, ...] = (("DELETE", "cam.example.com", "A"), ("CREATE", "cam.example.com", "A"))


def publishing() -> Iterator[tuple[str, Rendered]]:
    """Every role that changes DNS, in every mode."""
    for mode, roles in (("direct", ("updateRole", "adminRole")), ("stream", ("publisherRole", "adminRole"))):
        for role in roles:
            yield role, stack(publishMode=mode)


# --- Route 53


def batch(*changes: Change, zone: str = "ZOWN", untold: str = "") -> Call:
    """What Route 53 tells IAM of a change batch: normalized names (no final dot, `*` as `\\052`), types, actions."""
    action = "route53:ChangeResourceRecordSets"
    told = {
        "NormalizedRecordNames": [name for _, name, _ in changes],
        "RecordTypes": [record_type for _, _, record_type in changes],
        "Actions": [action for action, _, _ in changes],
    }
    context = {action + key: values for key, values in told.items() if values and key != untold}
    return Call(action, f"arn:aws:route53:::hostedzone/{zone}", context)


SWAPS = {
    "the swap of an address": batch(*SWAP),
    "a first address": batch(("CREATE", "cam.example.com", "AAAA")),
    "a withdrawal": batch(("DELETE", "cam.example.com", "A")),
    "a name at any depth": batch(("CREATE", "a.b.c.example.com", "A")),
    "a wildcard": batch(("CREATE", r"\052.example.com", "A")),
    "a host of another zone": batch(("CREATE", "nas.corp.example", "A"), zone="ZCORP"),
    "a host of the last zone": batch(("CREATE", "nas.home.test", "A"), zone="ZHOME"),
    "many hosts at once": batch(*(("CREATE", f"host{n}.example.com", "AAAA") for n in range(500))),
}
OTHERS = {
    "the apex": batch(("CREATE", "example.com", "A")),
    "the apex of another zone": batch(("CREATE", "corp.example", "A"), zone="ZCORP"),
    "a name that only ends alike": batch(("CREATE", "cam.badexample.com", "A")),
    "a name above": batch(("CREATE", "com", "A")),
    "the name of another organization": batch(("CREATE", "www.example.org", "A")),
    "UPSERT": batch(("UPSERT", "cam.example.com", "A")),
    "TXT, as for a certificate": batch(("CREATE", "_acme-challenge.example.com", "TXT")),
    "MX": batch(("CREATE", "cam.example.com", "MX")),
    "NS, as for a delegation": batch(("CREATE", "sub.example.com", "NS")),
    "CNAME": batch(("CREATE", "cam.example.com", "CNAME")),
    "the endpoint's own name": batch(("DELETE", "ddns.example.com", "A"), ("CREATE", "ddns.example.com", "A")),
    "the endpoint's own name among hosts": batch(*SWAP, ("CREATE", "ddns.example.com", "AAAA")),
    "one wrong name among hosts": batch(*SWAP, ("CREATE", "example.com", "A")),
    "one wrong type among hosts": batch(*SWAP, ("CREATE", "cam.example.com", "TXT")),
    "one wrong action among hosts": batch(*SWAP, ("UPSERT", "cam.example.com", "A")),
    "another zone of the account": batch(*SWAP, zone="ZOTHER"),
    "a change of which nothing is told": batch(),
    "a change of which the names are not told": batch(*SWAP, untold="NormalizedRecordNames"),
    "a change of which the types are not told": batch(*SWAP, untold="RecordTypes"),
    "a change of which the actions are not told": batch(*SWAP, untold="Actions"),
}


@pytest.mark.parametrize("what", SWAPS)
def test_whoever_publishes_may_make(what: str) -> None:
    assert all(may(role, SWAPS[what], made) for role, made in publishing())


@pytest.mark.parametrize("what", OTHERS)
def test_nobody_may_make(what: str) -> None:
    for mode in ("direct", "stream"):
        made = stack(publishMode=mode)
        for role in (role for role in ROLES if role in made.resources):
            assert not may(role, OTHERS[what], made), role


def test_the_endpoints_name_is_kept_in_the_zone_above_its_own_too() -> None:
    given = {"route53ZoneName": "dyn.example.com", "additionalZoneIds": "ZABOVE", "additionalZoneNames": "example.com"}
    for record, allowed in (("cam.dyn.example.com", True), ("ddns.dyn.example.com", False)):
        assert may("updateRole", batch(("CREATE", record, "A"), zone="ZABOVE"), stack(**given)) == allowed


def test_without_a_name_of_its_own_the_endpoint_takes_none_away() -> None:
    assert may("updateRole", batch(("CREATE", "ddns.example.com", "A")), stack(apiCname=""))


def test_in_stream_mode_the_update_function_has_no_right_in_route_53_at_all() -> None:
    made = stack(publishMode="stream")
    assert not any(may("updateRole", call, made) for call in (*SWAPS.values(), *OTHERS.values()))
    assert not any(action.startswith("route53") for action in actions_of(policies_of(made, "updateRole")))
    assert not may("updateRole", Call("route53:ListResourceRecordSets", "arn:aws:route53:::hostedzone/ZOWN"), made)


def test_for_all_values_would_let_a_change_through_of_which_nothing_is_told() -> None:
    """The trap that Null is there for: without it, the policy allows a call whose keys are absent."""
    for role, made in publishing():
        policies = deepcopy(policies_of(made, role))
        assert not is_allowed(policies, batch())
        for one in (one for policy in policies for one in statements(policy)):
            one.get("Condition", {}).pop("Null", None)
        assert is_allowed(policies, batch())


@pytest.mark.parametrize(
    ("action", "zone", "roles"),
    [
        ("ListResourceRecordSets", "hostedzone/ZOWN", {"updateRole", "adminRole"}),
        ("ListResourceRecordSets", "hostedzone/ZCORP", {"updateRole", "adminRole"}),
        ("ListResourceRecordSets", "hostedzone/ZOTHER", set()),
        ("GetHostedZone", "hostedzone/ZHOME", {"adminRole"}),
        ("GetHostedZone", "hostedzone/ZOTHER", set()),
        ("GetChange", "change/C1", set()),
        ("DeleteHostedZone", "hostedzone/ZOWN", set()),
        ("ListHostedZones", "*", set()),
    ],
)
def test_who_may_look_at_zones(action: str, zone: str, roles: set[str]) -> None:
    made, call = stack(), Call(f"route53:{action}", f"arn:aws:route53:::{zone}")
    assert {role for role in ROLES if role in made.resources and may(role, call, made)} == roles


# --- the rest


@pytest.mark.parametrize("action", ["GetRecords", "GetShardIterator", "DescribeStream", "ListStreams"])
def test_only_the_publisher_follows_the_stream(action: str) -> None:
    made, call = stack(publishMode="stream"), Call(f"dynamodb:{action}", STREAM_ARN)
    assert {role for role in ROLES if may(role, call, made)} == {"publisherRole"}


def test_only_the_publisher_sets_records_aside() -> None:
    made = stack(publishMode="stream")
    call = Call("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:dns-publisherDeadLetters")
    assert {role for role in ROLES if may(role, call, made)} == {"publisherRole"}


def test_a_function_writes_to_its_own_logs_and_makes_no_log_group() -> None:
    made = stack(publishMode="stream")
    groups = {"updateRole": "update", "publisherRole": "publish", "adminRole": "admin"}
    for role, own in groups.items():
        for one in groups.values():
            group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/dns-{one}"
            stream = f"{group}:log-stream:2026/11/21"
            assert may(role, Call("logs:PutLogEvents", stream), made) == (one == own)
            assert may(role, Call("logs:CreateLogStream", stream), made) == (one == own)
            assert not may(role, Call("logs:CreateLogGroup", group), made)


@pytest.mark.parametrize("mode", ["direct", "stream"])
def test_nobody_is_allowed_anything_wide(mode: str) -> None:
    made = stack(publishMode=mode, alarmEmail="ops@example.com", tokensCreateHosts="true", enableCloudFront="false")
    for role in (role for role in ROLES if role in made.resources):
        policies = policies_of(made, role)
        assert {action.partition(":")[0] for action in actions_of(policies)} <= {
            *("logs", "dynamodb", "route53", "sns", "sqs"),
        }
        assert not any("*" in action for action in actions_of(policies))
        for one in (one for policy in policies for one in statements(policy) if one["Effect"] == "Allow"):
            for resource in one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]:
                assert _is_narrow(resource), (role, resource)


def _is_narrow(resource: str) -> bool:
    """A resource names what it is for; `*` may stand for log streams, streams or indexes of one thing only."""
    head, star, rest = resource.partition("*")
    return not star or (not rest and head.endswith((":", "/stream/", "/index/")) and "dns-" in head)


def test_the_functions_of_lambda_alone_may_take_the_roles() -> None:
    made = stack(publishMode="stream")
    for role in ROLES:
        (one,) = statements(made.properties(role)["AssumeRolePolicyDocument"])
        assert one == {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
