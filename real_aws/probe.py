"""A function that stands beside the stack for a minute, has a role of the stack, and tries what it is told to.

Only this shows what AWS itself tells IAM about a call: the simulator believes what it is given. It writes no log, since
the role may write to none but its own; and nobody can call it who may not call functions of the account anyway.
"""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from real_aws.removal import KINDS
from real_aws.rights import DENIED_CODES
from real_aws.steps import Failed, expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from real_aws.rights import Attempt
    from real_aws.stage import Stage

_READY_SECONDS, _RIGHTS_SECONDS = 60.0, 90.0
"""Rights that were given or taken are known everywhere some time later."""
_CODE = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    try:
        getattr(boto3.client(event["service"]), event["operation"])(**event["arguments"])
    except ClientError as error:
        return {"code": error.response["Error"]["Code"]}
    return {"code": ""}
"""


@contextmanager
def probing(stage: Stage, role: str) -> Iterator[Callable[[Attempt], str]]:
    """Make the probe with a role of the stack, and remove it; yields what tries and returns AWS's code, or ""."""
    name = stage.run.probe
    arn = stage.account.call("iam", "get_role", RoleName=stage.resource(role))["Role"]["Arn"]
    _remove(stage)
    stage.account.call(
        "lambda",
        "create_function",
        FunctionName=name,
        Role=arn,
        Runtime=stage.stack.parameters["runtime"],
        Handler="probe.handler",
        Code={"ZipFile": code()},
        Timeout=30,
        MemorySize=256,
        Description="Tries what a role may do; removed at once",
        Tags={"homing": stage.run.name},
    )

    def is_ready() -> bool:
        told = stage.account.call("lambda", "get_function_configuration", FunctionName=name)
        return bool(told.get("State") == "Active")

    def attempt(one: Attempt) -> str:
        event = {"service": one.service, "operation": one.operation, "arguments": one.arguments}
        return str(stage.invoke(name, event)["code"])

    try:
        stage.wait(is_ready, _READY_SECONDS, "the probe is not ready")
        yield attempt
    finally:
        _remove(stage)


def check(stage: Stage, attempt: Callable[[Attempt], str], tried: Attempt) -> None:
    """Try until AWS says what it should; it may need a while to know. Raises Failed."""
    codes: list[str] = []

    def holds() -> bool:
        codes.append(attempt(tried))
        return codes[-1] == "" if tried.is_allowed else codes[-1] in DENIED_CODES

    try:
        stage.wait(holds, _RIGHTS_SECONDS, tried.what, pause=5)
    except Failed:
        wanted = "allowed" if tried.is_allowed else "denied"
        expect(None, f"{tried.what} should be {wanted}, and AWS says {codes[-1] or 'yes'!r}")


def code() -> bytes:
    """Return the zip of the function."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("probe.py")
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, _CODE)
    return buffer.getvalue()


def described(attempts: list[Attempt]) -> str:
    """Return how much was tried."""
    denied = sum(not one.is_allowed for one in attempts)
    return json.dumps({"allowed": len(attempts) - denied, "denied": denied}).strip("{}").replace('"', "")


def _remove(stage: Stage) -> None:
    kind = next(one for one in KINDS if one.name == "function")
    for name, identity in kind.find(stage.account, stage.run):
        if kind.owns(stage.run, name):
            kind.remove(stage.account, identity, stage.sleep)
