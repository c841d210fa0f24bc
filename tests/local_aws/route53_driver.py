"""boto3 against the Route 53 fake without a socket: what it sends goes to `fake.handle`, signed and in its own XML."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from local_aws.route53 import Route53Fake, Unanswered

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI"
ENDPOINT = "http://route53.test"


@dataclass
class ManualClock:
    """Time that moves only when it is told to, or when somebody sleeps."""

    now: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def boto_client(url: str, **options: Any) -> Any:
    """A client of botocore that never tries twice."""
    return boto3.client(
        "route53",
        endpoint_url=url,
        region_name=options.pop("region_name", "us-east-1"),
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


class _Raw(io.BytesIO):
    """What botocore reads an answer from."""

    def stream(self) -> Any:
        yield self.read()


class _InProcess:
    """One client for all tests, since making one takes a while; `fake` is the one that is asked now."""

    def __init__(self) -> None:
        self.fake = Route53Fake()
        self.client = boto_client(ENDPOINT)
        self.client.meta.events.register("before-send.route-53", self._send)

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        parts = urlsplit(request.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        try:
            reply = self.fake.handle(request.method, target, {"Host": parts.netloc} | headers, request.body or b"")
        except Unanswered as gone:
            raise ReadTimeoutError(endpoint_url=request.url) from gone
        return AWSResponse(request.url, reply.status, reply.headers, _Raw(reply.body))


@cache
def _in_process() -> _InProcess:
    return _InProcess()


def boto(fake: Route53Fake) -> Any:
    """The client, asking this fake from now on."""
    shared = _in_process()
    shared.fake = fake
    return shared.client


@dataclass
class Zone:
    """A fake with one zone, example.com., and short ways to change it."""

    fake: Route53Fake
    name: str = "example.com"
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.fake.add_zone(self.name)

    @property
    def client(self) -> Any:
        return boto(self.fake)

    def change(self, *changes: tuple[str, dict[str, Any]], **more: str) -> Any:
        shown = [{"Action": action, "ResourceRecordSet": rrset} for action, rrset in changes]
        return self.client.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch={**more, "Changes": shown})

    def refused(self, *changes: tuple[str, dict[str, Any]]) -> tuple[str, str]:
        """The code and the message of the error that the batch gets."""
        try:
            self.change(*changes)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        raise AssertionError("the batch was taken")

    def values(self, name: str, rrtype: str = "A") -> tuple[str, ...]:
        """What DNS holds; empty if nothing."""
        found = self.fake.get(self.id, name, rrtype)
        return found.values if found else ()


def rrset(name: str, *values: str, rrtype: str = "A", ttl: int = 60, **more: Any) -> dict[str, Any]:
    """A record set as boto3 takes it."""
    records = [{"Value": value} for value in values]
    return {"Name": name, "Type": rrtype, "TTL": ttl, "ResourceRecords": records, **more}
