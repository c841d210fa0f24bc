"""DynamoDB, its streams and SQS on loopback: moto's server, in a process of its own.

Its requests take turns: moto's conditions are checked and acted on in two steps, and real DynamoDB is atomic. The
process ends when whoever started it does, even by SIGKILL: it watches its standard input.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

from local_aws.execution import kept_environment
from local_aws.http_server import LOOPBACK, HttpAnswer, HttpRequest, HttpServer
from local_aws.lambda_runtime import REGION

_END_SECONDS = 10.0
GROUP_INDEX = "shared_secret-index"
PENDING_INDEX = "pending-index"


class DynamoDbServer:
    """Runs from the moment it is made until `close`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local_aws.dynamodb"],
            env=kept_environment() | {"PYTHONPATH": ":".join(sys.path), "AWS_DEFAULT_REGION": REGION},
            process_group=0,  # Ctrl-C is for whoever started it, who then ends it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise ChildProcessError("moto's server did not start")
        self.url = f"http://{LOOPBACK}:{port}"

    def client(self, service: str) -> Any:
        """Return a boto3 client of one of its services."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="opens-nothing",
        )

    def make_table(self, name: str) -> str:
        """Make the table as the template has it; return the ARN of its stream."""
        made = self.client("dynamodb").create_table(**table_definition(name))
        return str(made["TableDescription"]["LatestStreamArn"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def table_definition(name: str) -> dict[str, Any]:
    """Return what CreateTable is told: the awslabs v2 table, with a sparse index and a stream of ours beside it."""
    types = {"hostname": "S", "record_type": "S", "shared_secret": "S", "pending": "N"}
    kept = ["hostname", "mac_address", "record_type", "read_privilege"]
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": value} for key, value in types.items()],
        "KeySchema": [_key("hostname", "HASH"), _key("record_type", "RANGE")],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": GROUP_INDEX,
                "KeySchema": [_key("shared_secret", "HASH")],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": kept},
            },
            {
                "IndexName": PENDING_INDEX,
                "KeySchema": [_key("pending", "HASH")],
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    }


def _key(name: str, kind: str) -> dict[str, str]:
    return {"AttributeName": name, "KeyType": kind}


def _main() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.test import create_environ, run_wsgi_app

    from local_aws.moto_transactions import install

    install()
    application = DomainDispatcherApplication(create_backend_app)
    turn = threading.Lock()

    def serve(request: HttpRequest) -> HttpAnswer:
        path, _, query = request.target.partition("?")
        environ = create_environ(
            path=path,
            query_string=query,
            base_url=f"http://{request.header('host') or LOOPBACK}",
            method=request.method,
            headers=list(request.headers),
            data=request.body,
        )
        with turn:
            body, status, headers = run_wsgi_app(application, environ, buffered=True)
        kept = tuple((name, value) for name, value in headers if name.lower() not in ("content-length", "connection"))
        return HttpAnswer(int(status.split()[0]), b"".join(body), kept)

    print(HttpServer(serve).port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _main()
