"""A small renderer of CloudFormation templates: parameters in, resources and outputs out, and nothing is called.

It is stricter than CloudFormation where that helps: whatever refers to a resource that is not made, or to an attribute
that is not listed here, is an error. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cfnlint.decode import cfn_yaml

from tests.house import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATE = ROOT / "deploy" / "aws" / "template.yaml"
ACCOUNT, REGION = "111122223333", "eu-central-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/dns/0a1b2c3d-0000-1111-2222-333344445555",
    "AWS::StackName": "dns",
    "AWS::URLSuffix": "amazonaws.com",
}
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/dns-config"
REFS = {
    "AWS::DynamoDB::Table": "{TableName}",
    "AWS::Lambda::Function": "{FunctionName}",
    "AWS::Logs::LogGroup": "{LogGroupName}",
    "AWS::ApiGateway::Stage": "{StageName}",
    "AWS::Route53::HostedZone": "ZNEW",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:dns-topic",
    "AWS::SQS::Queue": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/dns-{{id}}",
    "AWS::IAM::ManagedPolicy": f"arn:aws:iam::{ACCOUNT}:policy/dns-{{id}}",
}
"""What Ref gives; the logical id for types that are not named."""
ATTRIBUTES: Mapping[tuple[str, str], Any] = {
    ("AWS::DynamoDB::Table", "Arn"): TABLE_ARN,
    ("AWS::DynamoDB::Table", "StreamArn"): f"{TABLE_ARN}/stream/2026-11-21T00:00:00.000",
    ("AWS::Lambda::Function", "Arn"): f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{FunctionName}}",
    ("AWS::Lambda::Url", "FunctionUrl"): f"https://abcdefghij.lambda-url.{REGION}.on.aws/",
    ("AWS::ApiGateway::RestApi", "RootResourceId"): "root",
    ("AWS::ApiGatewayV2::Api", "ApiEndpoint"): f"https://{{id}}.execute-api.{REGION}.amazonaws.com",
    ("AWS::ApiGatewayV2::DomainName", "RegionalDomainName"): f"d-123.execute-api.{REGION}.amazonaws.com",
    ("AWS::ApiGatewayV2::DomainName", "RegionalHostedZoneId"): "ZREGIONAL",
    ("AWS::CloudFront::Distribution", "DomainName"): "d111111abcdef8.cloudfront.net",
    ("AWS::CloudFront::Function", "FunctionARN"): f"arn:aws:cloudfront::{ACCOUNT}:function/{{Name}}",
    ("AWS::Events::Rule", "Arn"): f"arn:aws:events:{REGION}:{ACCOUNT}:rule/dns-{{id}}",
    ("AWS::IAM::Role", "Arn"): f"arn:aws:iam::{ACCOUNT}:role/dns-{{id}}",
    ("AWS::Logs::LogGroup", "Arn"): f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{LogGroupName}}:*",
    ("AWS::Route53::HostedZone", "NameServers"): ["ns-1.awsdns-01.org", "ns-2.awsdns-02.net"],
    ("AWS::SQS::Queue", "Arn"): f"arn:aws:sqs:{REGION}:{ACCOUNT}:dns-{{id}}",
    ("AWS::SQS::Queue", "QueueName"): "dns-{id}",
    ("Custom::HomingSetup", "ApiKey"): "made-api-key-of-32-characters-00",
    ("Custom::HomingSetup", "OriginSecret"): "made-origin-secret-of-32-chars-0",
}

_NO_VALUE = object()
_IN_SUB = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")


class TemplateError(Exception):
    """The template, or a parameter, would not work."""


@dataclass(frozen=True)
class Rendered:
    """A stack as it would be made."""

    conditions: Mapping[str, bool]
    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, str]

    def of_type(self, kind: str) -> list[Mapping[str, Any]]:
        """The properties of all resources of a type."""
        return [one["Properties"] for one in self.resources.values() if one["Type"] == kind]

    def properties(self, logical_id: str) -> Mapping[str, Any]:
        """The properties of one resource."""
        found: Mapping[str, Any] = self.resources[logical_id]["Properties"]
        return found


def load() -> dict[str, Any]:
    """The template, with intrinsic functions in their long form."""
    loaded: dict[str, Any] = json.loads(json.dumps(cfn_yaml.load(str(TEMPLATE))))
    return loaded


def render(template: Mapping[str, Any], given: Mapping[str, str]) -> Rendered:
    """What these parameters make of the template. Raises TemplateError."""
    return _Renderer(template, given).render()


def refusals(template: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    """What the template's Rules say against these parameters."""
    renderer = _Renderer(template, given)
    return [
        one["AssertDescription"]
        for rule in template["Rules"].values()
        if renderer.value(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}))
        for one in rule["Assertions"]
        if not renderer.value(one["Assert"])
    ]


class _Renderer:
    def __init__(self, template: Mapping[str, Any], given: Mapping[str, str]) -> None:
        self._template = template
        self._parameters = _parameters(template["Parameters"], given)
        self._conditions: dict[str, bool] = {}

    def render(self) -> Rendered:
        made = {name: one for name, one in self._template["Resources"].items() if self._is_made(one)}
        resources = {}
        for name, one in made.items():
            for needed in [one["DependsOn"]] if isinstance(one.get("DependsOn"), str) else one.get("DependsOn", []):
                self._resource(needed)
            resources[name] = {"Type": one["Type"], "Properties": self.value(one.get("Properties", {}))}
        outputs = {
            name: self.value(one["Value"]) for name, one in self._template["Outputs"].items() if self._is_made(one)
        }
        for name in self._template["Conditions"]:
            self._condition(name)
        return Rendered(dict(self._conditions), resources, outputs)

    def value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [one for one in map(self.value, node) if one is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function in ("Ref", "Condition") and isinstance(argument, str):
                return self._ref(argument) if function == "Ref" else self._condition(argument)
            if function.startswith("Fn::"):
                return getattr(self, "_" + function[4:].lower())(argument)
        rendered = {name: self.value(one) for name, one in node.items()}
        return {name: one for name, one in rendered.items() if one is not _NO_VALUE}

    # --- what is referred to

    def _is_made(self, one: Mapping[str, Any]) -> bool:
        return "Condition" not in one or self._condition(one["Condition"])

    def _condition(self, name: str) -> bool:
        if name not in self._conditions:
            self._conditions[name] = bool(self.value(self._template["Conditions"][name]))
        return self._conditions[name]

    def _resource(self, name: str) -> Mapping[str, Any]:
        one: Mapping[str, Any] | None = self._template["Resources"].get(name)
        if one is None or not self._is_made(one):
            raise TemplateError(f"{name} is referred to, but not made")
        return one

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._parameters:
            return self._parameters[name]
        return self._fill(REFS.get(self._resource(name)["Type"], "{id}"), name)

    def _attribute(self, name: str, attribute: str) -> Any:
        kind = self._resource(name)["Type"]
        if (kind, attribute) not in ATTRIBUTES:
            raise TemplateError(f"{kind} has no attribute {attribute}")
        return self._fill(ATTRIBUTES[kind, attribute], name)

    def _fill(self, text: Any, name: str) -> Any:
        if not isinstance(text, str):
            return text
        properties = self._resource(name).get("Properties", {})
        return re.sub(r"\{(\w+)\}", lambda m: name if m[1] == "id" else str(self.value(properties[m[1]])), text)

    # --- intrinsic functions

    def _getatt(self, argument: Any) -> Any:
        name, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
        return self._attribute(name, attribute)

    def _sub(self, argument: Any) -> str:
        text, local = argument if isinstance(argument, list) else (argument, {})
        known = {name: self.value(one) for name, one in local.items()}

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in known:
                return _text(known[name])
            resource, dot, attribute = name.partition(".")
            return _text(self._attribute(resource, attribute) if dot else self._ref(name))

        return _IN_SUB.sub(fill, text)

    def _if(self, argument: Any) -> Any:
        condition, then, otherwise = argument
        return self.value(then if self._condition(condition) else otherwise)

    def _join(self, argument: Any) -> str:
        delimiter, parts = argument[0], self.value(argument[1])
        if not isinstance(delimiter, str) or not isinstance(parts, list):
            raise TemplateError(f"Join takes a text and a list: {argument}")
        return delimiter.join(map(_text, parts))

    def _split(self, argument: Any) -> list[str]:
        return _text(self.value(argument[1])).split(argument[0])

    def _select(self, argument: Any) -> Any:
        return self.value(argument[1])[int(argument[0])]

    def _findinmap(self, argument: Any) -> Any:
        name, first, second = map(self.value, argument)
        return self._template["Mappings"][name][first][second]

    def _equals(self, argument: Any) -> bool:
        left, right = map(self.value, argument)
        return _text(left) == _text(right)

    def _not(self, argument: Any) -> bool:
        return not self.value(argument[0])

    def _and(self, argument: Any) -> bool:
        return all(map(self.value, argument))

    def _or(self, argument: Any) -> bool:
        return any(map(self.value, argument))


def _text(value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TemplateError(f"{value!r} is no text")
    return str(value)


def _parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Default and check them. CloudFormation's value of an empty list is not documented; an empty text is the worse."""
    if unknown := set(given) - set(declared):
        raise TemplateError(f"no such parameter: {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {}
    for name, one in declared.items():
        if name not in given and "Default" not in one:
            raise TemplateError(f"{name} is needed")
        text = str(given.get(name, one.get("Default")))
        values[name] = text.split(",") if one["Type"] == "CommaDelimitedList" else text
        for part in values[name] if isinstance(values[name], list) else [text]:
            _check(name, one, part)
    return values


def _check(name: str, declared: Mapping[str, Any], text: str) -> None:
    wrong = (
        ("AllowedValues" in declared and text not in map(str, declared["AllowedValues"]))
        or not re.fullmatch(declared.get("AllowedPattern", "(?s:.*)"), text)
        or len(text) < int(declared.get("MinLength", 0))
        or ("MinValue" in declared and float(text) < declared["MinValue"])
        or ("MaxValue" in declared and float(text) > declared["MaxValue"])
    )
    if wrong:
        raise TemplateError(f"{name} does not take {text!r}")
