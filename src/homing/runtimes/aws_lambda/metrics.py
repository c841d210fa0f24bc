"""CloudWatch metrics in embedded metric format: numbers inside a log line that is written anyway. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

There is one dimension, the stack, and there are ten metrics in all, which is what CloudWatch keeps for nothing; a
dimension for each host would cost $0.30 a month for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "Homing"

Metric: TypeAlias = Literal[
    "Updated", "Unchanged", "Refused", "Failed", "Published", "Rejected", "LeftPending",
    "Drained", "PendingAgeSeconds", "Differences",
]  # fmt: skip


def embed(stack: str, now: float, values: Mapping[Metric, float]) -> dict[str, Any]:
    """Return the members that make metrics of a log line; `now` is in seconds since 1970."""
    if not values:
        return {}
    metrics = [{"Name": name, "Unit": "Seconds" if name.endswith("Seconds") else "Count"} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Stack"]], "Metrics": metrics}
    members: dict[str, Any] = {"_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": [directive]}, "Stack": stack}
    members.update(values.items())
    return members
