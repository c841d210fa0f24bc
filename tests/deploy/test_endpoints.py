"""The endpoint of every stack: its kind, its URLs, its own name, and who may call what lies behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.deploy.rendering import Rendered, load, render
from tests.deploy.switches import CERTIFICATE, CODE, zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_there_is_one_endpoint_of_the_kind_that_was_asked_for(stack: Rendered, given: dict[str, str]) -> None:
    kinds = {"functionUrl": "updateUrl", "restApi": "restApi", "httpApi": "httpApi"}
    assert [kind for kind, name in kinds.items() if name in stack.resources] == [given["endpoint"]]


def test_urls_name_the_endpoint_without_a_scheme_and_endpoint_url_with_one(
    stack: Rendered, given: dict[str, str]
) -> None:
    outputs = stack.outputs
    origins = {
        "functionUrl": "abcdefghij.lambda-url.eu-central-1.on.aws",
        "restApi": "restApi.execute-api.eu-central-1.amazonaws.com/prod",
        "httpApi": "httpApi.execute-api.eu-central-1.amazonaws.com",
    }
    has_front = given["enableCloudFront"] != "false"
    has_alias = given["enableCloudFront"] == "withCustomAlias"
    front = "ddns.yourdomain.net" if has_alias else "d111111abcdef8.cloudfront.net"
    origin = origins[given["endpoint"]]
    own_name = "ddns.yourdomain.net" if given["acmCertificateARN"] else origin
    assert outputs["apiOriginURL"] == origin
    assert outputs["cloudFrontURL"] == (front if has_front else "")
    assert outputs["apiUrl"] == (front if has_front else own_name)
    assert outputs["endpointUrl"] == "https://" + outputs["apiUrl"]


def test_the_endpoints_own_name_is_in_dns_for_both_families_exactly_if_it_has_one(
    stack: Rendered, given: dict[str, str]
) -> None:
    has_one = stack.outputs["apiUrl"] == "ddns.yourdomain.net"
    groups = stack.of_type("AWS::Route53::RecordSetGroup")
    assert len(groups) == has_one
    for group in groups:
        assert group["HostedZoneId"] == zone_of(given)
        assert [one["Type"] for one in group["RecordSets"]] == ["A", "AAAA"]
        assert {one["Name"] for one in group["RecordSets"]} == {"ddns.yourdomain.net"}
        targets = {(one["AliasTarget"]["HostedZoneId"], one["AliasTarget"]["DNSName"]) for one in group["RecordSets"]}
        expected = ("Z2FDTNDATAQYW2", "d111111abcdef8.cloudfront.net")
        if given["enableCloudFront"] == "false":
            expected = ("ZREGIONAL", "d-123.execute-api.eu-central-1.amazonaws.com")
            assert stack.properties("apiDomainMapping")["ApiId"] == given["endpoint"]
        assert targets == {expected}


def permissions(stack: Rendered, function: str) -> list[Mapping[str, Any]]:
    return [one for one in stack.of_type("AWS::Lambda::Permission") if one["FunctionName"] == function]


def test_who_may_call_the_update_function(stack: Rendered, given: dict[str, str]) -> None:
    found = permissions(stack, "dns-update")
    if given["endpoint"] == "functionUrl":
        assert stack.properties("updateUrl")["AuthType"] == "NONE"
        assert sorted(found, key=str) == sorted(
            (
                {
                    "Action": "lambda:InvokeFunctionUrl",
                    "FunctionName": "dns-update",
                    "Principal": "*",
                    "FunctionUrlAuthType": "NONE",
                },
                {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": "dns-update",
                    "Principal": "*",
                    "InvokedViaFunctionUrl": True,
                },
            ),
            key=str,
        )
        return
    (only,) = found
    assert (only["Action"], only["Principal"]) == ("lambda:InvokeFunction", "apigateway.amazonaws.com")
    assert f":{given['endpoint']}/" in only["SourceArn"]


def test_only_the_timers_may_call_the_admin_function(stack: Rendered) -> None:
    found = permissions(stack, "dns-admin")
    assert {one["Principal"] for one in found} == {"events.amazonaws.com"}
    assert {one["SourceArn"].rpartition("-")[2] for one in found} == {"drainRule", "reconcileRule"}
    events = [json.loads(target["Input"]) for rule in stack.of_type("AWS::Events::Rule") for target in rule["Targets"]]
    assert events == [{"action": "drain"}, {"action": "reconcile", "repair": True}]


def test_a_rest_api_has_its_stage_methods_and_a_key_where_one_is_wanted(stack: Rendered, given: dict[str, str]) -> None:
    if given["endpoint"] != "restApi":
        assert not any(one["Type"].startswith("AWS::ApiGateway::") for one in stack.resources.values())
        return
    wants_key = given["useApiKey"] == "true"
    assert stack.properties("restApi")["EndpointConfiguration"] == {"Types": ["REGIONAL"], "IpAddressType": "dualstack"}
    (deployment,) = [name for name, one in stack.resources.items() if one["Type"] == "AWS::ApiGateway::Deployment"]
    assert deployment.startswith("restDeploymentKeyed" if wants_key else "restDeploymentOpen")
    assert stack.properties("restStage")["DeploymentId"] == deployment
    methods = stack.of_type("AWS::ApiGateway::Method")
    assert [(one["HttpMethod"], one["Integration"]["Type"]) for one in methods] == [("ANY", "AWS_PROXY")] * 2
    assert [one["ApiKeyRequired"] for one in methods] == [wants_key, False], "routers cannot send a key"
    assert ("restApiKey" in stack.resources) == wants_key
    if wants_key:
        variables = stack.properties("updateFunction")["Environment"]["Variables"]
        assert stack.properties("restApiKey")["Value"] == variables["HOMING_API_KEY"] == stack.outputs["apiKey"]
        assert stack.properties("restUsagePlan")["ApiStages"] == [{"ApiId": "restApi", "Stage": "prod"}]


def test_cloudfront_keeps_nothing_and_passes_authorization_on(stack: Rendered, given: dict[str, str]) -> None:
    distributions = stack.of_type("AWS::CloudFront::Distribution")
    assert len(distributions) == (given["enableCloudFront"] != "false")
    for one in distributions:
        config = one["DistributionConfig"]
        (origin,) = config["Origins"]
        behaviour = config["DefaultCacheBehavior"]
        assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
        assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
        assert behaviour["ViewerProtocolPolicy"] == "https-only"
        assert "POST" in behaviour["AllowedMethods"]
        assert config["IPV6Enabled"] is True
        assert origin["DomainName"] + origin["OriginPath"] == stack.outputs["apiOriginURL"]
        has_alias = given["enableCloudFront"] == "withCustomAlias"
        assert config.get("Aliases") == (["ddns.yourdomain.net"] if has_alias else None)
        assert ("ViewerCertificate" in config) == has_alias


def test_a_rest_api_and_an_http_api_have_a_name_of_their_own_without_cloudfront() -> None:
    for endpoint, stage in (("restApi", "prod"), ("httpApi", "$default")):
        stack = render(load(), CODE | {"endpoint": endpoint, "acmCertificateARN": CERTIFICATE})
        assert stack.outputs["apiUrl"] == "ddns.yourdomain.net"
        assert stack.properties("apiDomainMapping")["Stage"] == stage
