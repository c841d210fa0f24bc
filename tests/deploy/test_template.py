"""The template as it stands: it lints, fits, keeps awslabs' names, and says what the code says."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from homing.protocols import dyndns2
from homing.runtimes.aws_lambda import events, metrics
from homing.stack import package
from tests.deploy.rendering import TEMPLATE, TemplateError, load, refusals, render
from tests.deploy.switches import CERTIFICATE, CODE

TEMPLATE_AS_LOADED = load()
AWSLABS_PARAMETERS = {
    "route53ZoneName": "yourdomain.net",
    "route53ZoneId": "",
    "defaultTtl": "60",
    "apiCname": "ddns",
    "useApiKey": "true",
    "enableCloudFront": "false",
    "cloudFrontPriceClass": "US-Canada-Europe",
    "acmCertificateARN": "",
    "ddbRcu": "2",
    "ddbWcu": "2",
    "ddbGsiRcu": "2",
    "ddbGsiWcu": "2",
    "templateVersion": "0",
}
AWSLABS_VALUES = {
    "useApiKey": {"false", "true"},
    "enableCloudFront": {"false", "withCustomAlias", "withoutCustomAlias"},
    "cloudFrontPriceClass": {"US-Canada-Europe", "US-Canada-Europe-Asia", "All-Edge-Locations"},
}
AWSLABS_OUTPUTS = {
    *("apiUrl", "apiOriginURL", "cloudFrontURL", "route53ZoneName", "route53ZoneID", "DNSZoneNameServers"),
    *("apiKey", "templateVersion"),
}
OUR_DEFAULTS = {
    "endpoint": "functionUrl",
    "additionalZoneIds": "",
    "additionalZoneNames": "",
    "publishMode": "direct",
    "publishWindowSeconds": "2",
    "ddbBillingMode": "PAY_PER_REQUEST",
    "updateConcurrency": "-1",
    "publisherConcurrency": "-1",
    "alarmEmail": "",
    "notifyChanges": "false",
    "runtime": "python3.13",
    "architecture": "arm64",
    "logRetentionDays": "30",
    "requestsPerSecond": "10",
    "changesPerSecond": "0",
    "tokensCreateHosts": "false",
    "importedPasswords": "false",
    "logLevel": "info",
}
SNAPSHOT = ("restApi", "restPaths", "restPathsMethod", "restRootMethod")
"""What a deployment of the REST API takes a picture of."""


def default_of(name: str) -> str:
    return str(TEMPLATE_AS_LOADED["Parameters"][name]["Default"])


@pytest.mark.slow
def test_cfn_lint_has_nothing_to_say() -> None:
    run = "from cfnlint.runner import main; main()"
    command = [sys.executable, "-c", run, "--regions", "us-east-1", "eu-central-1", "--", str(TEMPLATE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_can_be_sent_without_a_bucket() -> None:
    assert len(TEMPLATE.read_bytes()) < 51_200


def test_it_uses_no_yaml_that_cloudformation_does_not_read() -> None:
    """Aliases are expanded by tools, not by CloudFormation."""
    assert not re.search(r"[:\-] [&*][A-Za-z]", TEMPLATE.read_text(encoding="utf-8"))


# --- awslabs


def test_every_awslabs_parameter_is_there_with_its_default_except_for_the_key() -> None:
    assert {name: default_of(name) for name in AWSLABS_PARAMETERS} == AWSLABS_PARAMETERS | {"useApiKey": "false"}


@pytest.mark.parametrize("name", AWSLABS_VALUES)
def test_awslabs_choices_are_the_same(name: str) -> None:
    assert set(TEMPLATE_AS_LOADED["Parameters"][name]["AllowedValues"]) == AWSLABS_VALUES[name]


def test_every_awslabs_output_is_there() -> None:
    assert set(TEMPLATE_AS_LOADED["Outputs"]) >= AWSLABS_OUTPUTS


def test_the_table_is_the_one_of_awslabs() -> None:
    table = render(TEMPLATE_AS_LOADED, CODE).properties("ddnsConfigTable")
    index = table["GlobalSecondaryIndexes"][0]
    assert table["TableName"] == "dns-config"
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [
        ("hostname", "HASH"),
        ("record_type", "RANGE"),
    ]
    assert index["IndexName"] == "shared_secret-index"
    assert index["KeySchema"] == [{"AttributeName": "shared_secret", "KeyType": "HASH"}]
    assert index["Projection"] == {
        "ProjectionType": "INCLUDE",
        "NonKeyAttributes": ["hostname", "mac_address", "record_type", "read_privilege"],
    }


def test_an_awslabs_stacks_own_parameters_give_a_rest_api_with_a_key_at_the_same_path() -> None:
    stack = render(TEMPLATE_AS_LOADED, AWSLABS_PARAMETERS | CODE | {"endpoint": "restApi"})
    assert stack.outputs["apiUrl"] == "restApi.execute-api.eu-central-1.amazonaws.com/prod"
    assert stack.outputs["apiKey"] == "made-api-key-of-32-characters-00"
    assert stack.properties("restRootMethod")["ApiKeyRequired"] is True


# --- parameters


def test_our_own_parameters_have_these_defaults() -> None:
    assert {name: default_of(name) for name in OUR_DEFAULTS} == OUR_DEFAULTS


def test_every_parameter_is_explained_and_shown_in_a_group() -> None:
    groups = TEMPLATE_AS_LOADED["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(TEMPLATE_AS_LOADED["Parameters"])
    assert all(one["Description"].endswith(".") for one in TEMPLATE_AS_LOADED["Parameters"].values())


def test_the_runtimes_offered_are_those_that_a_package_can_be_built_for() -> None:
    assert set(TEMPLATE_AS_LOADED["Parameters"]["runtime"]["AllowedValues"]) == set(package.RUNTIMES)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("route53ZoneName", "example.com."),
        ("route53ZoneName", "Example.com"),
        ("route53ZoneName", "*.example.com"),
        ("route53ZoneName", "example"),
        ("additionalZoneNames", "corp.example,*"),
        ("route53ZoneId", "/hostedzone/Z1"),
        ("additionalZoneIds", "Z1,*"),
        ("apiCname", "ddns."),
        ("apiCname", "*"),
        ("acmCertificateARN", "a certificate"),
        ("alarmEmail", "nobody"),
        ("defaultTtl", "0"),
    ],
)
def test_what_would_widen_a_right_or_break_a_resource_is_no_value(name: str, text: str) -> None:
    with pytest.raises(TemplateError):
        render(TEMPLATE_AS_LOADED, CODE | {name: text})


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"enableCloudFront": "withCustomAlias"}, "certificate in us-east-1"),
        ({"enableCloudFront": "withCustomAlias", "acmCertificateARN": CERTIFICATE, "apiCname": ""}, "apiCname"),
        ({"endpoint": "httpApi", "acmCertificateARN": CERTIFICATE, "apiCname": ""}, "apiCname"),
        ({"acmCertificateARN": CERTIFICATE}, "function URL"),
        ({"route53ZoneId": "Z1", "newZoneVpcId": "vpc-01"}, "newZoneVpcId"),
    ],
)
def test_combinations_that_cannot_work_are_refused_with_a_reason(given: dict[str, str], word: str) -> None:
    assert any(word in reason for reason in refusals(TEMPLATE_AS_LOADED, CODE | given))


def test_the_defaults_are_accepted() -> None:
    assert refusals(TEMPLATE_AS_LOADED, CODE) == []


# --- what the code says too


def test_the_stream_wakes_the_publisher_for_pending_rows_only() -> None:
    stack = render(TEMPLATE_AS_LOADED, CODE | {"publishMode": "stream", "publishWindowSeconds": "7"})
    mapping = stack.properties("publisherMapping")
    (one,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(one["Pattern"]) == {
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"NewImage": {"pending": {"N": [{"exists": True}]}}},
    }
    assert mapping["MaximumBatchingWindowInSeconds"] == "7"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["MaximumRetryAttempts"] > 0
    assert mapping["MaximumRecordAgeInSeconds"] > 0
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"].endswith(":dns-publisherDeadLetters")


def test_the_age_of_pending_rows_is_the_metric_that_the_drain_writes() -> None:
    alarm = render(TEMPLATE_AS_LOADED, CODE | {"alarmEmail": "ops@example.com"}).properties("pendingAgeAlarm")
    line = metrics.embed("dns", 0, {"PendingAgeSeconds": 1})
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (directive["Namespace"], directive["Metrics"][0]["Name"])
    assert alarm["Dimensions"] == [{"Name": name, "Value": line[name]} for name in directive["Dimensions"][0]]


@pytest.fixture(name="edge")
def _edge() -> str:
    given = CODE | {"enableCloudFront": "withoutCustomAlias"}
    return str(render(TEMPLATE_AS_LOADED, given).properties("viewerFunction")["FunctionCode"])


def test_cloudfront_asks_for_credentials_where_dyndns2_does_and_nowhere_else(edge: str) -> None:
    found = re.search(r"if \(/(.*)/\.test\(request\.uri\)", edge)
    assert found
    asks = re.compile(found[1].replace(r"\/", "/"))
    assert all(asks.search(path) and asks.search("/prod" + path) for path in dyndns2.PATHS)
    assert not any(asks.search(path) for path in ("/", "/ip", "/v1/update", "/nic/checkip", "/v1/hosts"))
    ((name, challenge),) = dyndns2.CHALLENGE
    assert f"'{name}': {{value: '{challenge}'}}" in edge
    assert r"body: 'badauth\n'" in edge


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_function_at_the_edge_challenges_routers_and_names_the_viewer(edge: str) -> None:
    """Run with an event as CloudFront makes it; a viewer cannot name an address of its own."""

    def run(uri: str, **headers: str) -> dict[str, Any]:
        request = {"method": "GET", "uri": uri, "headers": {name: {"value": text} for name, text in headers.items()}}
        event = json.dumps({"viewer": {"ip": "2001:db8::7"}, "request": request})
        script = f"{edge}\nconsole.log(JSON.stringify(handler({event})))"
        done = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=60, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    challenged = run("/nic/update")
    assert (challenged["statusCode"], challenged["body"]) == (401, "badauth\n")
    for passed in (run("/nic/update", authorization="Basic eA=="), run("/", **{"x-ddns-viewer-ip": "192.0.2.1"})):
        assert passed["headers"]["x-ddns-viewer-ip"] == {"value": "2001:db8::7"}


def test_cloudfront_tells_the_viewer_and_its_secret_in_the_headers_that_the_function_reads(edge: str) -> None:
    given = CODE | {"enableCloudFront": "withoutCustomAlias"}
    (origin,) = render(TEMPLATE_AS_LOADED, given).properties("distribution")["DistributionConfig"]["Origins"]
    assert f"request.headers['{events.VIEWER_HEADERS[0]}'] = {{value: event.viewer.ip}}" in edge
    assert origin["OriginCustomHeaders"] == [
        {"HeaderName": events.ORIGIN_HEADER, "HeaderValue": "made-origin-secret-of-32-chars-0"}
    ]


# --- deployments of the REST API


def test_the_ids_of_the_rest_deployments_end_with_the_hash_of_what_they_take_a_picture_of() -> None:
    taken = {name: TEMPLATE_AS_LOADED["Resources"][name] for name in SNAPSHOT}
    digest = hashlib.sha256(json.dumps(taken, sort_keys=True).encode()).hexdigest()[:8]
    found = {name for name in TEMPLATE_AS_LOADED["Resources"] if name.startswith("restDeployment")}
    assert found == {f"restDeploymentOpen{digest}", f"restDeploymentKeyed{digest}"}, "rename them to these"


def test_the_picture_is_of_everything_in_the_rest_api() -> None:
    kinds = ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Resource", "AWS::ApiGateway::Method")
    resources: dict[str, Any] = TEMPLATE_AS_LOADED["Resources"]
    assert {name for name, one in resources.items() if one["Type"] in kinds} == set(SNAPSHOT)
