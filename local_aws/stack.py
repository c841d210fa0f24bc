"""The whole serverless system on loopback: what the template makes on AWS, made of the parts in this folder.

    with LocalAws(Options(), Places.make(folder)) as aws:
        secret = aws.add_host("nas.home.test.")
        front = aws.open_front(FunctionUrl())
        ... ask front.url, then aws.dns.ask("nas.home.test.")

The functions run from the unpacked zip, in processes that see no other package of this machine. Only the operator's
part (hosts, accounts) runs in the caller's process, on the same table.
"""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from homing.app.administration import Administration
from homing.aws.dynamodb import DynamoDb
from homing.aws.sigv4 import Credentials
from homing.aws.transport import HttpTransport, endpoint_for
from homing.core.names import Name
from homing.core.update import Policy
from homing.stores.dynamodb import DynamoStore
from homing.wiring.system import SystemClock, SystemEntropy
from local_aws.dns_view import DnsView
from local_aws.dynamodb import DynamoDbServer
from local_aws.event_source import EventSource, Mapping
from local_aws.front import Front
from local_aws.lambda_runtime import REGION, LambdaFunction, make_runtime_folder
from local_aws.package import unpack_package
from local_aws.route53 import Route53Fake, Route53Server

if TYPE_CHECKING:
    from collections.abc import Mapping as Table
    from collections.abc import Sequence
    from pathlib import Path

    from homing.core.hosts import Host
    from local_aws.event_kinds import EventKind

UPDATE_SECONDS, PUBLISH_SECONDS, ADMIN_SECONDS = 10.0, 60.0, 300.0
"""The timeouts of the template."""
_T = TypeVar("_T", bound="Closing")
_OPERATOR = Credentials("AKIALOCALLOCALLOCAL1", "opens-nothing")


class Closing(Protocol):
    """Whatever has to be ended."""

    def close(self) -> None:
        """End it."""


@dataclass(frozen=True)
class Places:
    """The package, and the folder that stands in for /var/runtime: made once, used by any number of stacks."""

    package: Path
    runtime: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Build the zip and unpack it below a folder."""
        return cls(unpack_package(folder / "package"), make_runtime_folder(folder / "runtime"))


@dataclass(frozen=True)
class Options:
    """The parameters of a stack, as far as they matter here. `variables` go to each function as they are."""

    name: str = "homing"
    zones: Sequence[str] = ("home.test.",)
    publish_mode: str = "direct"
    api_key: str = field(default="", repr=False)
    origin_secret: str = field(default="", repr=False)
    concurrency: int = 2
    update_seconds: float = UPDATE_SECONDS
    drain_seconds: float | None = None
    """How often the rule drains; None: only when `drain` is called."""
    mapping: Mapping = field(default_factory=Mapping)
    freezes: bool = False
    variables: Table[str, str] = field(default_factory=dict)
    publish_variables: Table[str, str] = field(default_factory=dict)
    """For the publisher alone."""


class LocalAws:
    """Runs from the moment it is made until `close`; `fake` and `dynamodb` may be given, and are then left open."""

    def __init__(
        self,
        options: Options,
        places: Places,
        *,
        fake: Route53Fake | None = None,
        dynamodb: DynamoDbServer | None = None,
    ) -> None:
        self.options = options
        self._places = places
        self._opened = ExitStack()
        try:
            self.fake = fake or Route53Fake()
            self.dynamodb = dynamodb or self._open(DynamoDbServer())
            self._start()
        except BaseException:
            self._opened.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything, the last one first."""
        self._opened.close()

    def _start(self) -> None:
        known = {zone.name: zone.id for zone in self.fake.zones()}
        self.zone_ids = {name: known.get(name) or self.fake.add_zone(name) for name in self.options.zones}
        self.route53 = self._opened.enter_context(Route53Server(self.fake))
        self.table = f"{self.options.name}-config"
        self.stream_arn = self.dynamodb.make_table(self.table)
        self.dns = self._open(DnsView(self.fake.journal))
        self.store = self._open(self._open_store())
        self.administration = self._open_administration()
        self.update = self._function("update", self.options.update_seconds, self.options.concurrency)
        self.admin = self._function("admin", ADMIN_SECONDS, 1)
        self.publish = self._function("publish", PUBLISH_SECONDS, 1)
        self.queue = self.dynamodb.client("sqs").create_queue(QueueName=f"{self.options.name}-dead")["QueueUrl"]
        self.source = self._follow() if self.options.publish_mode == "stream" else None
        if self.options.drain_seconds is not None:
            self._open(_Every(self.options.drain_seconds, self.drain))

    # --- what a test or a demo does

    def open_front(self, kind: EventKind, **options: Any) -> Front:
        """Put a way in before the update function."""
        return self._open(Front(self.update, kind, **options))

    def drain(self) -> Any:
        """Do what the rule of every five minutes does."""
        return self.admin.invoke({"action": "drain"}).value

    def reconcile(self, *, repair: bool) -> Any:
        """Do what the daily rule does."""
        return self.admin.invoke({"action": "reconcile", "repair": repair}).value

    def add_host(self, name: str, **policy: Any) -> str:
        """Register a name with both families; return its secret."""
        return self.administration.add_host(Name(name), **policy)[0].shared_secret

    def add_account(self, username: str, *names: str) -> str:
        """Register a dyndns2 user; return the password."""
        return self.administration.add_account(username, [Name(name) for name in names])[1]

    def host(self, name: str, record_type: str = "A") -> Host:
        """Return a row as it is now."""
        return next(one for one in self.administration.find_host(Name(name)) if one.record_type == record_type)

    def pending(self) -> Sequence[Host]:
        """Return the hosts that DNS does not show yet."""
        return self.store.find_pending(1000)

    def dead_letters(self) -> list[dict[str, Any]]:
        """Take what the stream's source has given up out of its queue."""
        found = self.dynamodb.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [json.loads(one["Body"]) for one in found.get("Messages", [])]

    # --- parts

    def _open(self, one: _T) -> _T:
        self._opened.callback(one.close)
        return one

    def _function(self, name: str, timeout: float, concurrency: int) -> LambdaFunction:
        return self._open(
            LambdaFunction(
                f"{self.options.name}-{name}",
                self._places.package,
                f"homing_{name}.handler",
                self._variables() | dict(self.options.publish_variables if name == "publish" else {}),
                runtime=self._places.runtime,
                timeout=timeout,
                concurrency=concurrency,
                freezes=self.options.freezes,
            )
        )

    def _variables(self) -> dict[str, str]:
        """Return what the template sets, and where AWS is."""
        options = self.options
        return {
            "AWS_ENDPOINT_URL": self.dynamodb.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "AWS_ENDPOINT_URL_ROUTE_53": self.route53.url,
            "HOMING_STACK": options.name,
            "HOMING_TABLE": self.table,
            "HOMING_ZONE_IDS": ",".join(self.zone_ids.values()),
            "HOMING_ZONE_NAMES": ",".join(name.rstrip(".") for name in self.zone_ids),
            "HOMING_PUBLISH_MODE": options.publish_mode,
            "HOMING_API_KEY": options.api_key,
            "HOMING_ORIGIN_SECRET": options.origin_secret,
        } | dict(options.variables)

    def _follow(self) -> EventSource:
        return self._open(
            EventSource(
                self.publish,
                self.dynamodb.client("dynamodbstreams"),
                self.stream_arn,
                self.options.mapping,
                sqs=self.dynamodb.client("sqs"),
                dead_letters=self.queue,
            )
        )

    def _open_store(self) -> DynamoStore:
        endpoint = endpoint_for("dynamodb", REGION, {"AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url})
        transport = self._open(HttpTransport(endpoint))
        client = DynamoDb(transport, lambda: _OPERATOR, REGION, SystemClock(), budget_seconds=30.0)
        return DynamoStore(client, self.table, SystemEntropy())

    def _open_administration(self) -> Administration:
        return Administration(
            store=self.store,
            outbox=None,
            clock=SystemClock(),
            entropy=SystemEntropy(),
            zones=frozenset(map(Name, self.zone_ids)),
            policy=Policy(),
            why_not=lambda _: None,
        )


class _Every:
    """Calls something again and again, in a thread."""

    def __init__(self, seconds: float, call: Any) -> None:
        self._seconds, self._call = seconds, call
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self._call()

    def close(self) -> None:
        """End after the call that is running."""
        self._stop.set()
        self._thread.join()
