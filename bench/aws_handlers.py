"""Homing's package and the throw-away handlers, each in a folder as Lambda would have it, and events for all of them.

Everything runs with `-S` and a path of its own: what a handler can import is its folder and what Lambda puts beside it.
All bytecode is made beforehand, and is never compared with its source.
"""

from __future__ import annotations

import hashlib
import json
import py_compile
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from local_aws.event_kinds import FunctionUrl
from local_aws.execution import kept_environment
from local_aws.http_server import HttpRequest
from local_aws.lambda_runtime import REGION, make_runtime_folder
from local_aws.package import unpack_package

from bench.aws_canned import NEW, OLD, SECRET, TABLE, ZONE, ZONE_ID
from homing.aws.connection import AMAZON_ROOTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["no change", "change"]
KINDS: tuple[Kind, ...] = ("no change", "change")
Roots = Literal["one", "amazon", "all"]

_THROWAWAY = Path(__file__).parent / "throwaway_handler"


@dataclass(frozen=True)
class Case:
    """A handler, and the file of certificates that it reads: one, Amazon's roots, or all that are commonly trusted."""

    name: str
    module: str
    roots: Roots = "all"
    package: str = "throwaway"

    @property
    def title(self) -> str:
        """How it is shown."""
        return f"{self.name}, {ROOTS[self.roots]}"


ROOTS: dict[Roots, str] = {"one": "1 CA", "amazon": "Amazon's roots", "all": "all CAs"}
HOMING = Case("Homing", "homing_update", "amazon", "homing")
HOMING_ONE = Case("Homing", "homing_update", "one", "homing")
LEAST = Case("throw-away, own SigV4", "own_sigv4")
LEAST_ONE = Case("throw-away, own SigV4", "own_sigv4", "one")
BOTO3 = Case("throw-away, boto3", "with_boto3")
AWSLABS = Case("stand-in for awslabs v3", "as_awslabs")
CASES = (LEAST, LEAST_ONE, HOMING, HOMING_ONE, BOTO3, AWSLABS)


@dataclass(frozen=True)
class Prepared:
    """Where everything lies. `folder` has a file of certificates for each of `Roots`, made by `trust`."""

    folder: Path
    runtime: Path

    def package(self, case: Case) -> Path:
        """Return what stands for /var/task."""
        return self.folder / case.package

    def environment(self, case: Case, url: str) -> dict[str, str]:
        """Return what the function finds in its environment, with AWS at `url`."""
        path = (self.package(case), self.folder / "throwaway", self.runtime)
        variables = {"PYTHONPATH": ":".join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1"}
        return kept_environment() | CREDENTIALS | variables | self.variables(case, url)

    def variables(self, case: Case, url: str) -> dict[str, str]:
        """Return the part that is not Lambda's own. The pace is set so that nothing ever waits for it."""
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": url,
            "AWS_ENDPOINT_URL_ROUTE_53": url,
            "AWS_CA_BUNDLE": str(self.folder / f"{case.roots}.pem"),
            "HOMING_STACK": "bench",
            "HOMING_TABLE": TABLE,
            "HOMING_ZONE_IDS": ZONE_ID,
            "HOMING_ZONE_NAMES": ZONE,
            "HOMING_PUBLISH_MODE": "direct",
            "HOMING_REQUESTS_PER_SECOND": "10000",
            "HOMING_CHANGES_PER_SECOND": "0",
        }

    def events(self, kind: Kind, count: int) -> Path:
        """Write so many events into a file, each of another host, and return that."""
        path = self.folder / f"{kind.replace(' ', '-')}-{count}.json"
        if not path.exists():
            path.write_text(json.dumps([make_event(number, kind) for number in range(count)]))
        return path


CREDENTIALS = {
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "ASIALOCALLOCALLOCAL1",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-opens-nothing",
    "AWS_SESSION_TOKEN": "a-token-that-opens-nothing",
}


def prepare(folder: Path) -> Prepared:
    """Build and unpack the package, and compile the throw-away handlers as it is compiled."""
    unpack_package(folder / "homing")
    (folder / "throwaway").mkdir()
    for source in _THROWAWAY.glob("[a-z]*.py"):
        copied = str(shutil.copy(source, folder / "throwaway"))
        py_compile.compile(copied, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return Prepared(folder, make_runtime_folder(folder / "runtime"))


def trust(folder: Path) -> None:
    """Write a file for each of `Roots`: the canned servers' own authority, with what is commonly read beside it."""
    own = (folder / "ca.pem").read_text()
    (folder / "one.pem").write_text(own)
    (folder / "amazon.pem").write_text(Path(AMAZON_ROOTS).read_text() + own)
    (folder / "all.pem").write_text(common_roots().read_text(encoding="utf-8") + own)


def common_roots() -> Path:
    """Return the store of certificates that boto3 reads unless it is told otherwise."""
    import botocore

    return Path(botocore.__file__).parent / "cacert.pem"


def make_event(number: int, kind: Kind) -> Mapping[str, object]:
    """Return an awslabs v3 update as a function URL hands it on: of all handlers here the common tongue."""
    hostname, source = f"h{number}.{ZONE}.", OLD if kind == "no change" else NEW
    digest = hashlib.sha256(f"{source}{hostname}{SECRET}".encode()).hexdigest()
    body = json.dumps({"execution_mode": "set", "ddns_hostname": hostname, "validation_hash": digest}).encode()
    headers = (("Content-Type", "application/json"), ("User-Agent", "curl/8.5.0"), ("Accept", "*/*"))
    return FunctionUrl().event(HttpRequest("POST", "/", "HTTP/1.1", headers, body, source))


def wanted_status(kind: Kind) -> int:
    """Return what each handler answers."""
    return 200 if kind == "no change" else 201


def python(*arguments: str) -> list[str]:
    """Return a command of this Python without the packages of this machine."""
    return [sys.executable, "-S", *arguments]


def counted(roots: Path) -> int:
    """Return how many certificates a file has."""
    return roots.read_text(encoding="utf-8").count("BEGIN CERTIFICATE")


def all_of(cases: tuple[Case, ...]) -> Iterator[tuple[Case, Kind]]:
    """Yield every case with each kind of request."""
    for kind in KINDS:
        for case in cases:
            yield case, kind
