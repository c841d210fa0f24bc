"""The stack's custom resource: checks that each zone has its name, makes the secrets, and the two example rows.

CloudFormation waits an hour for an answer, so that there is one on every way: whatever goes wrong is a FAILED with a
short reason. Deleting does nothing: the table is kept.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html

The secrets are in a row of their own, made once, so that they are the same after every update of the stack.
"""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

from homing.aws.errors import AwsError, NoAnswer, ServiceError
from homing.core.credentials import SECRET_RANDOM_BYTES, new_secret
from homing.core.errors import HomingError, InvalidInput, InvalidName, Refused
from homing.core.hosts import EXAMPLE_COMMENT, EXAMPLE_LABEL
from homing.core.names import Name, parse_name
from homing.runtimes.aws_lambda.logs import write, write_crash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.app.administration import Administration
    from homing.aws.dynamodb import DynamoDb
    from homing.aws.route53 import Route53

SETUP_KEY = {"hostname": {"S": "#setup"}, "record_type": {"S": "#secret"}}
PHYSICAL_ID = "homing-setup"

_ATTEMPTS = 4
_ATTEMPTS_AT_ALL, _WAIT = 8, 5.0
"""How often, and with how many seconds between, what passes is waited for."""
_NO_RIGHTS = frozenset({"AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId"})
_TIMEOUT = 10.0
_MAX_REASON = 400

log = logging.getLogger("homing.lambda")


class SetupFailed(HomingError):
    """The stack cannot be set up as it was described. The text is shown in the events of the stack."""


class Setup:
    """What the custom resource does; `open_administration` opens hosts, for the example rows only."""

    def __init__(
        self, dynamodb: DynamoDb, route53: Route53, table: str, open_administration: Callable[[], Administration]
    ) -> None:
        self._dynamodb = dynamodb
        self._route53 = route53
        self._table = table
        self._open_administration = open_administration

    def carry_out(self, request: Mapping[str, Any]) -> dict[str, str]:
        """Return the attributes of the resource. Raises HomingError."""
        kind = request.get("RequestType")
        if kind == "Delete":
            return {}
        if kind not in ("Create", "Update"):
            raise SetupFailed("the request is neither Create, Update nor Delete")
        properties = request.get("ResourceProperties")
        if not isinstance(properties, dict):
            raise SetupFailed("ResourceProperties is missing")
        name_servers = self._check_zones(_list(properties, "ZoneIds"), _list(properties, "ZoneNames"))
        if kind == "Create" and (zone := _text(properties, "ExampleZone")):
            self._add_examples(zone)
        return self._secrets(properties) | {"NameServers": " ".join(name_servers)}

    def _check_zones(self, ids: list[str], names: list[str]) -> tuple[str, ...]:
        """A wrong name would put every host into a zone that nobody asks. Return the first zone's name servers."""
        if not ids or len(ids) != len(names):
            raise SetupFailed(f"{len(ids)} zone ids were given, and {len(names)} zone names")
        servers: tuple[str, ...] = ()
        for position, (zone_id, text) in enumerate(zip(ids, names, strict=True)):
            try:
                zone = self._route53.zone(zone_id)
            except ServiceError as error:
                raise SetupFailed(f"zone {zone_id}: Route 53 says {error.code}") from error
            if zone.name != _parse_zone(text):
                raise SetupFailed(f"zone {zone_id} is named {zone.name}, not {text}")
            if position == 0:
                servers = tuple(server.rstrip(".") for server in zone.name_servers)
        return servers

    def _add_examples(self, zone: str) -> None:
        """Add the two rows of awslabs' own example, locked. In a table that was kept they may be there already."""
        try:
            self._open_administration().add_host(
                Name(f"{EXAMPLE_LABEL}.{_parse_zone(zone)}"), lock_record=True, comment=EXAMPLE_COMMENT
            )
        except Refused as error:
            log.info("no example rows: %s", error)

    def _secrets(self, properties: Mapping[str, Any]) -> dict[str, str]:
        wants_api_key = _is_true(properties, "WantsApiKey")
        wants_origin_secret = _is_true(properties, "WantsOriginSecret")
        kept = self._kept_secrets() if wants_api_key or wants_origin_secret else {}
        return {
            "ApiKey": kept.get("api_key", "") if wants_api_key else "",
            "OriginSecret": kept.get("origin_secret", "") if wants_origin_secret else "",
        }

    def _kept_secrets(self) -> Mapping[str, str]:
        """Make them once, and return what is kept."""
        made = {name: {"S": new_secret(os.urandom(SECRET_RANDOM_BYTES))} for name in ("api_key", "origin_secret")}
        condition = "attribute_not_exists(hostname)"
        try:
            self._dynamodb.call(
                "PutItem", {"TableName": self._table, "Item": SETUP_KEY | made, "ConditionExpression": condition}
            )
        except ServiceError as error:
            if error.code != "ConditionalCheckFailedException":
                raise SetupFailed(f"table {self._table}: DynamoDB says {error.code}") from error
        request = {"TableName": self._table, "Key": SETUP_KEY, "ConsistentRead": True}
        item = self._dynamodb.call("GetItem", request).get("Item", {})
        found = {name: value["S"] for name in made if isinstance((value := item.get(name, {})).get("S"), str)}
        if len(found) < len(made) or not all(found.values()):
            raise SetupFailed(f"table {self._table}: the row #setup #secret is damaged; delete it to have new secrets")
        return found


def carry_out_patiently(
    carry_out: Callable[[Mapping[str, Any]], dict[str, str]],
    request: Mapping[str, Any],
    sleep: Callable[[float], None],
) -> dict[str, str]:
    """Carry out a request, again while it fails for what passes: a stack is not to be rolled back for that.

    AWS refuses the rights of a role that this very stack has just made ("Changes that I make are not always immediately
    visible", IAM User Guide), and Route 53 asks a whole account to go slower. Raises HomingError.
    """
    for _ in range(_ATTEMPTS_AT_ALL):
        try:
            return carry_out(request)
        except HomingError as error:
            if not _is_passing(error):
                raise
            log.info("set-up is tried again: %s", error)
            sleep(_WAIT)
    return carry_out(request)


def _is_passing(error: BaseException) -> bool:
    aws = error if isinstance(error, AwsError) else error.__cause__
    if isinstance(aws, ServiceError):
        return aws.code in _NO_RIGHTS or aws.is_throttling or aws.may_have_happened
    return isinstance(aws, NoAnswer)


def answer(
    request: Mapping[str, Any],
    carry_out: Callable[[Mapping[str, Any]], dict[str, str]],
    put: Callable[[str, bytes], None],
) -> dict[str, Any]:
    """Carry out a request and tell CloudFormation, whatever happens. Return what the log may hold of it."""
    data: dict[str, str] = {}
    reason = ""
    try:
        data = carry_out(request)
    except AwsError as error:
        log.warning("set-up failed: %s", error)
        reason = "AWS did not answer as it should; see the function's log"
    except HomingError as error:
        log.warning("set-up failed: %s", error)
        reason = str(error)
    except Exception as error:
        write_crash("set-up failed", error)
        reason = "unforeseen; see the function's log"
    said = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason[:_MAX_REASON] or "done",
        "PhysicalResourceId": _text(request, "PhysicalResourceId") or PHYSICAL_ID,
        **{name: _text(request, name) for name in ("StackId", "RequestId", "LogicalResourceId")},
        "NoEcho": True,
        "Data": data,
    }
    told = _put_patiently(put, _text(request, "ResponseURL"), json.dumps(said).encode())
    shown = {"outcome": f"set-up {said['Status']}", "reason": said["Reason"], "told": told}
    write(logging.WARNING if reason or not told else logging.INFO, shown)
    return shown


def put_answer(url: str, body: bytes) -> None:
    """PUT to a presigned URL of S3, which is signed for an empty Content-Type. Raises OSError, SetupFailed."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    is_local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and is_local)):
        raise SetupFailed("ResponseURL is no https URL")
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname, parts.port, timeout=_TIMEOUT)
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request("PUT", target, body, {"Content-Type": ""})
        status = connection.getresponse().status
    except HTTPException as error:
        raise OSError(type(error).__name__) from None
    finally:
        connection.close()
    if status >= 300:
        raise OSError(f"status {status}")


def _put_patiently(put: Callable[[str, bytes], None], url: str, body: bytes) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            put(url, body)
        except OSError as error:
            log.warning("CloudFormation was not told: %s", error)
        except Exception as error:
            write_crash("CloudFormation was not told", error)
            return False
        else:
            return True
    return False


def _parse_zone(text: str) -> Name:
    try:
        return parse_name(text)
    except InvalidName as error:
        raise SetupFailed(f"ZoneNames: {error}") from None


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value.strip() if isinstance(value, str) else ""


def _list(members: Mapping[str, Any], name: str) -> list[str]:
    """CloudFormation hands on a list as one, or a text with commas."""
    value = members.get(name, "")
    parts = value if isinstance(value, list) else str(value).split(",")
    if not all(isinstance(part, str) for part in parts):
        raise InvalidInput(f"{name} is not a list of texts")
    return [part.strip() for part in parts if part.strip()]


def _is_true(members: Mapping[str, Any], name: str) -> bool:
    return str(members.get(name, "")).lower() == "true"
