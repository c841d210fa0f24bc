"""Every two values of the template's switches, rendered together: nothing dangles, and each stack is whole."""

from __future__ import annotations

import json

import pytest

from homing.settings.serverless import parse_settings
from tests.deploy.policy_evaluator import actions_of
from tests.deploy.rendering import REGION, Rendered, TemplateError, load, render
from tests.deploy.roles import policies_of
from tests.deploy.switches import CODE, STACKS, zone_of

TEMPLATE = load()
FUNCTIONS = ("updateFunction", "publisherFunction", "adminFunction")


# --- the renderer itself


def test_a_reference_to_what_is_not_made_is_found() -> None:
    template = load()
    template["Outputs"]["deadLetterUrl"].pop("Condition")
    with pytest.raises(TemplateError, match="publisherDeadLetters"):
        render(template, CODE)


def test_every_condition_is_both_true_and_false_in_some_stack() -> None:
    seen = [render(TEMPLATE, given).conditions for given in STACKS]
    assert {name for name in TEMPLATE["Conditions"] if len({one[name] for one in seen}) < 2} == set()


def test_every_resource_and_every_output_is_made_by_some_stack() -> None:
    stacks = [render(TEMPLATE, given) for given in STACKS]
    assert {name for stack in stacks for name in stack.resources} == set(TEMPLATE["Resources"])
    assert {name for stack in stacks for name in stack.outputs} == set(TEMPLATE["Outputs"])


# --- every stack


def test_every_function_can_read_its_settings(stack: Rendered, given: dict[str, str]) -> None:
    names = ["yourdomain.net.", *(f"{one}." for one in given.get("additionalZoneNames", "").split(",") if one)]
    ids = [zone_of(given), *(one for one in given.get("additionalZoneIds", "").split(",") if one)]
    for name in FUNCTIONS:
        if name not in stack.resources:
            continue
        variables = stack.properties(name)["Environment"]["Variables"]
        assert all(isinstance(one, str) for one in variables.values())
        settings = parse_settings(variables | {"AWS_REGION": REGION})
        assert dict(settings.zones) == dict(zip(names, ids, strict=True))
        assert settings.table == "dns-config"
        assert settings.endpoint_name == (f"{given['apiCname']}.yourdomain.net." if given["apiCname"] else None)
        assert settings.publish_mode == given["publishMode"]
        assert settings.stack == "dns"


def test_the_update_function_knows_the_secrets_that_it_compares_and_no_other(
    stack: Rendered, given: dict[str, str]
) -> None:
    variables = stack.properties("updateFunction")["Environment"]["Variables"]
    assert bool(variables["HOMING_API_KEY"]) == (given["useApiKey"] == "true") == ("apiKey" in stack.outputs)
    assert bool(variables["HOMING_ORIGIN_SECRET"]) == (given["enableCloudFront"] != "false")
    for name in {"publisherFunction", "adminFunction"} & stack.resources.keys():
        assert (
            not {"HOMING_API_KEY", "HOMING_ORIGIN_SECRET"} & stack.properties(name)["Environment"]["Variables"].keys()
        )


def test_functions_log_into_groups_that_the_template_makes(stack: Rendered) -> None:
    groups = {one["LogGroupName"] for one in stack.of_type("AWS::Logs::LogGroup")}
    functions = stack.of_type("AWS::Lambda::Function")
    assert {one["LoggingConfig"]["LogGroup"] for one in functions} == groups
    assert groups == {f"/aws/lambda/{one['FunctionName']}" for one in functions}
    for one in functions:
        assert one["LoggingConfig"]["SystemLogLevel"] == "WARN"
        assert one["LoggingConfig"]["ApplicationLogLevel"] in ("DEBUG", "INFO"), "metrics are lines of level INFO"


def test_the_set_up_is_told_of_every_zone(stack: Rendered, given: dict[str, str]) -> None:
    setup = stack.properties("setup")
    ids, names = setup["ZoneIds"].split(","), setup["ZoneNames"].split(",")
    assert len(ids) == len(names) == 1 + len([one for one in given.get("additionalZoneIds", "").split(",") if one])
    assert setup["WantsApiKey"] == given["useApiKey"]
    assert setup["WantsOriginSecret"] == ("false" if given["enableCloudFront"] == "false" else "true")
    assert setup["ServiceToken"].endswith(":dns-admin")


def test_nothing_is_left_unrendered(stack: Rendered) -> None:
    text = json.dumps([stack.resources, stack.outputs])
    assert "${" not in text
    assert "Fn::" not in text


# --- data, publishing, watching


def test_what_holds_data_stays_when_the_stack_goes_but_not_when_it_could_not_be_made() -> None:
    holding = ("AWS::DynamoDB::Table", "AWS::Route53::HostedZone")
    for one in (one for one in TEMPLATE["Resources"].values() if one["Type"] in holding):
        assert (one["DeletionPolicy"], one["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_the_table_can_be_restored_and_is_billed_as_asked(stack: Rendered, given: dict[str, str]) -> None:
    table = stack.properties("ddnsConfigTable")
    is_provisioned = given["ddbBillingMode"] == "PROVISIONED"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == given["ddbBillingMode"]
    assert ("ProvisionedThroughput" in table) == is_provisioned
    assert all(("ProvisionedThroughput" in one) == is_provisioned for one in table["GlobalSecondaryIndexes"])
    assert [one["IndexName"] for one in table["GlobalSecondaryIndexes"]] == ["shared_secret-index", "pending-index"]


def test_a_stream_and_its_publisher_are_made_together(stack: Rendered, given: dict[str, str]) -> None:
    is_stream = given["publishMode"] == "stream"
    table = stack.properties("ddnsConfigTable")
    assert table.get("StreamSpecification") == ({"StreamViewType": "NEW_IMAGE"} if is_stream else None)
    made = {"publisherFunction", "publisherMapping", "publisherRole", "publisherDeadLetters"} & stack.resources.keys()
    assert len(made) == 4 * is_stream
    assert ({"publisherFunctionName", "deadLetterUrl"} <= stack.outputs.keys()) == is_stream


def test_only_whoever_publishes_may_change_dns(stack: Rendered, given: dict[str, str]) -> None:
    actions = actions_of(policies_of(stack, "updateRole"))
    if given["publishMode"] == "stream":
        assert not any(action.startswith("route53:") for action in actions)
        assert any(action.startswith("route53:") for action in actions_of(policies_of(stack, "publisherRole")))
    else:
        assert {"route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"} <= actions


def test_whoever_has_a_topic_may_write_to_it_and_nobody_else(stack: Rendered, given: dict[str, str]) -> None:
    notifies = bool(given["alarmEmail"]) or given["notifyChanges"] == "true"
    pairs = zip(FUNCTIONS, ("updateRole", "publisherRole", "adminRole"), strict=True)
    for function, role in (pair for pair in pairs if pair[0] in stack.resources):
        topic = stack.properties(function)["Environment"]["Variables"]["HOMING_TOPIC_ARN"]
        publishes = function != "updateFunction" or given["publishMode"] == "direct"
        assert (topic == stack.outputs["topicArn"]) == (notifies and publishes)
        assert ("sns:Publish" in actions_of(policies_of(stack, role))) == (notifies and publishes)


def test_alarms_are_made_for_somebody_to_hear(stack: Rendered, given: dict[str, str]) -> None:
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    expected = 0 if not given["alarmEmail"] else 8 if given["publishMode"] == "stream" else 5
    assert len(alarms) == expected <= 10, "ten are free"
    assert all(one["AlarmActions"] == [stack.outputs["topicArn"]] for one in alarms)
    assert len(stack.of_type("AWS::SNS::Subscription")) == bool(given["alarmEmail"])
    assert all(json.loads(one["DashboardBody"])["widgets"] for one in stack.of_type("AWS::CloudWatch::Dashboard"))


def test_concurrency_is_reserved_only_if_asked(stack: Rendered, given: dict[str, str]) -> None:
    for name, parameter in (("updateFunction", "updateConcurrency"), ("publisherFunction", "publisherConcurrency")):
        if name in stack.resources:
            reserved = stack.properties(name).get("ReservedConcurrentExecutions")
            assert reserved == given.get(parameter)


def test_name_servers_are_told_of_a_public_zone_that_the_stack_made(stack: Rendered, given: dict[str, str]) -> None:
    is_new = not given.get("route53ZoneId") and not given.get("newZoneVpcId")
    assert stack.outputs["DNSZoneNameServers"] == ("ns-1.awsdns-01.org ns-2.awsdns-02.net" if is_new else "")
    assert stack.outputs["route53ZoneID"] == zone_of(given)
    assert ("route53newZone" in stack.resources) == (not given.get("route53ZoneId"))
