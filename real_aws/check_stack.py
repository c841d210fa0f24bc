"""Steps that make the stack, bring it from one form to the next, look at what was made, and take it down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from homing.stack.account import CallFailed
from real_aws.removal import forgo_backup, inventory
from real_aws.steps import Step, expect

if TYPE_CHECKING:
    from real_aws.stage import Stage

_MANAGED = (
    ("get_cache_policy", "CachePolicy", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "Managed-CachingDisabled"),
    ("get_origin_request_policy", "OriginRequestPolicy", "b689b0a8-53d0-40ab-baf2-68738e2966ac",
     "Managed-AllViewerExceptHostHeader"),
)  # fmt: skip
_TWO_CASES = {
    "Parameters": {"certificateARN": {"Type": "String", "Default": ""}, "certificateArn": {"Type": "String"}},
    "Resources": {"nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
}
_FORMS = {
    "direct": ("functionUrl", "direct", "false", "false"),
    "stream": ("functionUrl", "stream", "false", "false"),
    "http api": ("httpApi", "direct", "false", "false"),
    "rest api": ("restApi", "direct", "true", "false"),
    "cloudfront": ("functionUrl", "direct", "false", "withoutCustomAlias"),
}
"""endpoint, publishMode, useApiKey, enableCloudFront."""


def parameter_case(stage: Stage) -> str:
    """CloudFormation tells apart parameters that differ in case only; nothing is made."""
    try:
        stage.account.call("cloudformation", "validate_template", TemplateBody=json.dumps(_TWO_CASES))
    except CallFailed as error:
        return f"it does not: {error}"
    return "it does"


def managed_policies(stage: Stage) -> str:
    """CloudFront's managed policies have the ids that the template names; nothing is made."""
    for operation, member, policy_id, wanted in _MANAGED:
        found = stage.account.call("cloudfront", operation, Id=policy_id)[member]
        names = [one["Name"] for key, one in found.items() if key.endswith("Config")]
        expect(names == [wanted], f"{policy_id} is {names}, not {wanted}")
    return "both"


def deploy(stage: Stage) -> str:
    """`homing aws deploy` makes zone, bucket, package and stack: function URL, direct, alarms on."""
    told = _bring(stage, "direct", "--new-zone")
    expect(len(told["name_servers"]) == 4, f"the zone has the name servers {told['name_servers']}")
    tags = [{"Key": "homing", "Value": stage.run.name}]
    stage.account.call("s3", "put_bucket_tagging", Bucket=stage.run.bucket, Tagging={"TagSet": tags})
    return str(told["endpoint"])


def to_stream(stage: Stage) -> str | None:
    """The stack is updated in place to publish from the table's stream."""
    _bring(stage, "stream")
    return None


def to_http_api(stage: Stage) -> str:
    """The stack is updated in place to an HTTP API, direct again."""
    return str(_bring(stage, "http api")["endpoint"])


def to_rest_api(stage: Stage) -> str:
    """The stack is updated in place to a REST API that demands a key."""
    return str(_bring(stage, "rest api")["endpoint"])


def to_cloudfront(stage: Stage) -> str:
    """The stack is updated in place to a function URL behind CloudFront, which takes 5 to 15 minutes."""
    return str(_bring(stage, "cloudfront")["endpoint"])


def _bring(stage: Stage, form: str, *words: str) -> dict[str, list[str]]:
    names = ("endpoint", "publishMode", "useApiKey", "enableCloudFront")
    given = dict(zip(names, _FORMS[form], strict=True))
    given |= {"alarmEmail": stage.alarm_email, "notifyChanges": "true", "logLevel": "debug", "logRetentionDays": "1"}
    told: dict[str, list[str]] = stage.deploy(
        *words, *(word for name, value in given.items() for word in ("--param", f"{name}={value}"))
    )
    expect(stage.stack.is_usable, f"the stack is in {stage.stack.status}")
    if stage.stack.outputs.get("apiKey"):
        stage.secrets.add(stage.stack.outputs["apiKey"])
    return told


def deploy_again(stage: Stage) -> None:
    """`homing aws deploy` of the same thing changes nothing."""
    told = stage.deploy()
    expect(told["changed"] is False, "CloudFormation found something to change")


def set_up(stage: Stage) -> None:
    """The custom resource has answered: two locked example rows stand in the table."""
    rows = stage.homing("host", "list")
    found = [(one["record_type"], one["lock_record"]) for one in rows if one["hostname"].startswith("example-record.")]
    expect(sorted(found) == [("A", True), ("AAAA", True)], f"the example rows are {found}")


def delete(stage: Stage) -> None:
    """`homing aws delete --with-data` takes down the stack, its table and its zone."""
    forgo_backup(stage.account, stage.run.table)
    told = stage.homing("aws", "delete", "--with-data", "--yes")
    stage.is_deployed, stage.shape = False, None
    expect(told["deleted"] and not told["kept"], f"kept: {told['kept']}")


def nothing_left(stage: Stage) -> str:
    """Nothing of the run is left but its bucket, by name and by tag."""
    stage.wait(lambda: _left(stage) == [], 120, f"left: {_left(stage)}", pause=10)
    tagged = [arn for region in dict.fromkeys((stage.run.region, "us-east-1")) for arn in _tagged(stage, region)]
    others = [arn for arn in tagged if not arn.endswith(f":{stage.run.bucket}")]
    return f"the index of tags, which lags behind, still lists {', '.join(others)}" if others else ""


def _left(stage: Stage) -> list[str]:
    """The bucket stays as `homing aws delete` leaves it, for the next deployment; cleaning up takes it."""
    return [one for one in inventory(stage.account, stage.run) if one != f"bucket {stage.run.bucket}"]


def _tagged(stage: Stage, region: str) -> list[str]:
    """Zones and distributions are listed in us-east-1, whatever the stack's region."""
    from homing.stack.account import open_account

    account = stage.account if region == stage.run.region else open_account(region, stage.run.profile)
    found = account.pages(
        "resourcegroupstaggingapi",
        "get_resources",
        "ResourceTagMappingList",
        TagFilters=[{"Key": "homing", "Values": [stage.run.name]}],
    )
    return [str(one["ResourceARN"]) for one in found]


BEFORE = (Step(parameter_case), Step(managed_policies))
MAKING = (Step(deploy, makes="direct"), Step(deploy_again, "direct"), Step(set_up, "direct"))
TO_STREAM = Step(to_stream, "", "stream")
TO_HTTP_API = Step(to_http_api, "", "http api")
TO_REST_API = Step(to_rest_api, "", "rest api")
TO_CLOUDFRONT = Step(to_cloudfront, "", "cloudfront")
ENDING = (Step(delete, ""), Step(nothing_left))
