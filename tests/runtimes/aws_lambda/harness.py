"""Events as Lambda's fronts make them, and an update function over a store in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.aws.budget import Deadline
from homing.settings.serverless import parse_settings
from homing.web.routes import Access, Application
from homing.wiring.serverless import Update

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.settings.serverless import ServerlessSettings

EVENTS = Path(__file__).parent / "events"
NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))
SECRET = "the-origin-secret"
ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "HOMING_TABLE": "home-config",
    "HOMING_ZONE_IDS": "Z1,Z2",
    "HOMING_ZONE_NAMES": "example.com,dyn.example.com",
    "HOMING_STACK": "home",
    "HOMING_ORIGIN_SECRET": SECRET,
}


def load(name: str) -> dict[str, Any]:
    """An event, as it was recorded."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def settings(**variables: str) -> ServerlessSettings:
    return parse_settings(ENVIRONMENT | {"HOMING_" + name.upper(): value for name, value in variables.items()})


def update_over(application: Application, **variables: str) -> Update:
    return Update(settings(**variables), application, application, Deadline())


def with_access(application: Application, access: Access) -> Application:
    """The same application for other visitors."""
    return Application(application._service, application._health, access)


def url_event(
    target: str = "/",
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    source: str = "203.0.113.7",
    **more: Any,
) -> dict[str, Any]:
    """A function URL's event."""
    path, _, query = target.partition("?")
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": dict(headers or {}),
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": source}},
        "isBase64Encoded": False,
    }
    return event | ({} if body is None else {"body": body}) | more
