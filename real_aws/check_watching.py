"""Steps about what an operator sees: logs without secrets, metrics, alarms, notices, status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from homing.stack.stacks import resources_of
from real_aws.steps import Step, expect

if TYPE_CHECKING:
    from real_aws.stage import Stage

_SECRET_VARIABLES = ("HOMING_API_KEY", "HOMING_ORIGIN_SECRET")
_METRIC_SECONDS, _NOTICE_SECONDS = 420.0, 600.0
"""Metrics show some minutes late; those of SNS come every five."""


def status(stage: Stage) -> str:
    """`homing aws status` tells the state, the alarms, and that nothing is pending.

    In an account with few concurrent executions the burst may have raised the alarm for throttles: rightly so.
    """
    told = stage.homing("aws", "status")
    expect(told["status"].endswith("_COMPLETE"), told["status"])
    expect(told["dead_letters"] == 0 and not told["pending_seconds"], f"pending: {told['pending_seconds']}")
    raised = [one["name"] for one in told["alarms"] if one["state"] == "ALARM" and "Throttles" not in one["name"]]
    expect(len(told["alarms"]) >= 5 and not raised, f"{len(told['alarms'])} alarms, raised: {raised}")
    return f"{len(told['alarms'])} alarms, none raised"


def logs_hold_no_secret(stage: Stage) -> str:
    """What all functions logged, at level debug, holds none of the secrets, tokens and hashes that were used."""
    told = stage.account.call("lambda", "get_function_configuration", FunctionName=stage.output("updateFunctionName"))
    variables = told["Environment"]["Variables"]
    stage.secrets.update(variables[name] for name in _SECRET_VARIABLES if variables.get(name))
    lines = _log_lines(stage)
    expect(lines, "nothing was logged")
    found = sum(any(secret in line for secret in stage.secrets) for line in lines)
    expect(not found, f"{found} of {len(lines)} lines hold a secret")
    is_right = any(address in line for address in stage.shown.values() for line in lines)
    expect(is_right or not stage.shown, "not even the addresses are in the logs: were the right ones read?")
    return f"{len(lines)} lines, {len(stage.secrets)} secrets"


def _log_lines(stage: Stage) -> list[str]:
    """Read them where they are: `homing aws logs` prints one object a line."""
    groups = [
        one.physical_id
        for one in resources_of(stage.account, stage.run.name)
        if one.type == "AWS::Logs::LogGroup" and stage.run.owns(one.physical_id)
    ]
    return [
        event["message"]
        for group in groups
        for event in stage.account.pages("logs", "filter_log_events", "events", logGroupName=group)
    ]


def metrics_arrive(stage: Stage) -> str:
    """The metrics that are embedded in log lines arrive in CloudWatch: changes counted, the backlog's age."""
    if not stage.shown:
        stage.update("router")
    names = ("Updated", "PendingAgeSeconds")
    dimension = {"Stack": stage.run.name}
    took = stage.wait(
        lambda: all(_has_points(stage, "Homing", name, dimension) for name in names),
        _METRIC_SECONDS, f"not all of {', '.join(names)} have arrived", pause=15,
    )  # fmt: skip
    return f"after {took:.0f} s"


def notices_are_sent(stage: Stage) -> str:
    """The topic has been told of changes, as notifyChanges asks for."""
    if not stage.shown:
        stage.update("router")
    topic = stage.output("topicArn").rpartition(":")[2]
    took = stage.wait(
        lambda: _has_points(stage, "AWS/SNS", "NumberOfMessagesPublished", {"TopicName": topic}),
        _NOTICE_SECONDS, "the topic has published nothing", pause=20,
    )  # fmt: skip
    return f"after {took:.0f} s"


def _has_points(stage: Stage, namespace: str, name: str, dimensions: dict[str, str]) -> bool:
    now = datetime.now(UTC)
    told = stage.account.call(
        "cloudwatch",
        "get_metric_statistics",
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(hours=3),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )
    return bool(told["Datapoints"])


STEPS = tuple(Step(check, "") for check in (status, metrics_arrive, notices_are_sent, logs_hold_no_secret))
