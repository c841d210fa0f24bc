"""moto's DynamoDB over HTTP, one server a process, and the table as the template makes it. For any test that needs one.

from tests.stores.dynamodb_server import connect, make_table, moto_server

def test_something(moto_server: str) -> None:      # the fixture gives the endpoint's URL
    client = connect(moto_server)
    name = make_table(client)
"""

from __future__ import annotations

import atexit
import itertools
import logging
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from homing.aws.dynamodb import DynamoDb
from homing.aws.sigv4 import Credentials
from homing.aws.transport import HttpTransport, endpoint_for
from homing.wiring.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterable

REGION = "us-east-1"
CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
"""Those of AWS's own examples."""

_numbers = itertools.count()


@pytest.fixture(scope="session")
def moto_server() -> str:
    """The URL of this process's server."""
    return start_moto()


@cache
def start_moto() -> str:
    """Start the server, the first time, and return its URL. It ends with the process."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, name="moto", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    atexit.register(stop)
    return f"http://127.0.0.1:{server.server_port}"


class OneAtATime:
    """moto looks at a condition and writes in two steps; what DynamoDB does atomically needs a lock here."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return list(self._application(environ, start_response))


def connect(url: str, **settings: Any) -> DynamoDb:
    """A client of that server; `settings` are those of DynamoDb."""
    endpoint = endpoint_for("dynamodb", REGION, {"AWS_ENDPOINT_URL_DYNAMODB": url})
    settings = {"budget_seconds": 20.0, "attempt_seconds": 20.0} | settings
    return DynamoDb(HttpTransport(endpoint), lambda: CREDENTIALS, REGION, SystemClock(), **settings)


def make_table(client: DynamoDb, name: str | None = None, *, has_pending_index: bool = True) -> str:
    """Make an empty table and return its name. Without the pending index it is as awslabs' template makes it."""
    name = name or f"stack{next(_numbers)}-config"
    client.call("CreateTable", table_definition(name, has_pending_index=has_pending_index))
    return name


def drop_table(client: DynamoDb, name: str) -> None:
    """Delete a table: moto copies all of a table for every action of a transaction."""
    client.call("DeleteTable", {"TableName": name})


def table_definition(name: str, *, has_pending_index: bool = True) -> dict[str, Any]:
    """What CreateTable is told; boto3's `create_table` takes the same."""
    projected = ["hostname", "mac_address", "record_type", "read_privilege"]
    group = _index("shared_secret-index", "shared_secret", {"ProjectionType": "INCLUDE", "NonKeyAttributes": projected})
    pending = _index("pending-index", "pending", {"ProjectionType": "ALL"})
    types = {"hostname": "S", "record_type": "S", "shared_secret": "S"} | (
        {"pending": "N"} if has_pending_index else {}
    )
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [_key("hostname", "HASH"), _key("record_type", "RANGE")],
        "AttributeDefinitions": [{"AttributeName": one, "AttributeType": kind} for one, kind in types.items()],
        "GlobalSecondaryIndexes": [group, pending] if has_pending_index else [group],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    }


def _index(name: str, attribute: str, projection: dict[str, Any]) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": [_key(attribute, "HASH")], "Projection": projection}


def _key(attribute: str, kind: str) -> dict[str, str]:
    return {"AttributeName": attribute, "KeyType": kind}
