"""A handler that does nothing: what the runtime itself costs."""

from __future__ import annotations

from typing import Any


def handler(event: object, context: object = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answer anything."""
    return {"statusCode": 200, "body": ""}
