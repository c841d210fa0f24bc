"""Steps about rights: who may call the functions, and what each role may do, simulated and really tried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from homing.stack.account import CallFailed
from real_aws import probe
from real_aws.rights import Places, direct_cases, dns_attempts, row_attempts, stream_cases
from real_aws.steps import Step, expect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from real_aws.rights import Attempt, Case
    from real_aws.stage import Stage


def url_permissions(stage: Stage) -> str:
    """The function URL has both permissions, and the second is bound to calls that come through the URL."""
    told = stage.account.call("lambda", "get_policy", FunctionName=stage.output("updateFunctionName"))
    found = {one["Action"]: json.dumps(one.get("Condition", {})) for one in json.loads(told["Policy"])["Statement"]}
    expect(set(found) == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}, f"permissions: {sorted(found)}")
    expect("InvokedViaFunctionUrl" in found["lambda:InvokeFunction"], f"not bound: {found['lambda:InvokeFunction']}")
    return found["lambda:InvokeFunction"]


def roles_simulated(stage: Stage) -> str:
    """IAM's simulator allows and denies the update and admin roles what it should."""
    return _simulate(stage, direct_cases(_places(stage)))


def stream_roles_simulated(stage: Stage) -> str:
    """The simulator denies the update role Route 53 in stream mode, and allows the publisher the swap only."""
    return _simulate(stage, stream_cases(_places(stage)))


def _simulate(stage: Stage, cases: Iterable[Case]) -> str:
    arns: dict[str, str] = {}
    wrong = []
    chosen = list(cases)
    for case in chosen:
        if case.role not in arns:
            role = stage.account.call("iam", "get_role", RoleName=stage.resource(case.role))
            arns[case.role] = role["Role"]["Arn"]
        decision = stage.account.call(
            "iam",
            "simulate_principal_policy",
            PolicySourceArn=arns[case.role],
            ActionNames=[case.action],
            ResourceArns=[case.resource],
            ContextEntries=[_entry(key, values) for key, values in case.context.items()],
        )["EvaluationResults"][0]["EvalDecision"]
        if (decision == "allowed") != case.is_allowed:
            wrong.append(f"{case.role}, {case.what}: {decision}")
    expect(not wrong, "; ".join(wrong))
    return f"{len(chosen)} cases"


def _entry(key: str, values: list[str]) -> dict[str, Any]:
    kind = "string" if key == "dynamodb:ReturnValues" else "stringList"
    return {"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": values}


def roles_really(stage: Stage) -> str:
    """With the update role's rights a secret cannot be rewritten, nor DNS but for a swap; each is really tried."""
    name, _ = stage.host("probed")
    attempts = [
        *row_attempts(stage.run.table, f"{name}."),
        *dns_attempts(stage.zone_id, stage.run.zone, _endpoint_name(stage), may_swap=True),
    ]
    return _try(stage, attempts)


def stream_rights_really(stage: Stage) -> str:
    """In stream mode the update role is denied everything of Route 53; each is really tried."""
    attempts = list(dns_attempts(stage.zone_id, stage.run.zone, _endpoint_name(stage), may_swap=False))
    return _try(stage, attempts)


def _try(stage: Stage, attempts: list[Attempt]) -> str:
    """What was let through against our expectation is taken away again: only hosts may be in the zone at the end."""
    try:
        with probe.probing(stage, "updateRole") as attempt:
            for one in attempts:
                probe.check(stage, attempt, one)
    finally:
        stage.remove_records(f"probe.{stage.run.zone}", stage.run.zone, _endpoint_name(stage))
    return probe.described(attempts)


def _places(stage: Stage) -> Places:
    table = stage.account.call("dynamodb", "describe_table", TableName=stage.run.table)["Table"]["TableArn"]
    zone_arn = f"arn:{stage.account.partition}:route53:::hostedzone/{stage.zone_id}"
    return Places(table, zone_arn, stage.run.zone, _endpoint_name(stage))


def _endpoint_name(stage: Stage) -> str:
    return f"{stage.stack.parameters['apiCname']}.{stage.run.zone}"


def refuses_strangers(stage: Stage) -> str:
    """The operator's function has no URL, and nobody but its timers is let in."""
    name = stage.output("adminFunctionName")
    try:
        stage.account.call("lambda", "get_function_url_config", FunctionName=name)
        expect(None, f"{name} has a URL")
    except CallFailed as error:
        expect(error.code == "ResourceNotFoundException", error)
    policy = json.loads(stage.account.call("lambda", "get_policy", FunctionName=name)["Policy"])
    callers = {json.dumps(one["Principal"]) for one in policy["Statement"]}
    expect(callers == {'{"Service": "events.amazonaws.com"}'}, f"callers: {callers}")
    return "two timers"


STEPS = tuple(Step(check, "direct") for check in (url_permissions, refuses_strangers, roles_simulated, roles_really))
STREAM_STEPS = tuple(Step(check, "stream") for check in (stream_roles_simulated, stream_rights_really))
