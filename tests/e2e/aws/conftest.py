"""What the tests of the serverless system share: the unpacked package, moto's server, and a stack in direct mode."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.dynamodb import DynamoDbServer
from local_aws.stack import LocalAws, Options, Places

from tests.e2e.programs import lack, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_aws.event_kinds import EventKind
    from local_aws.front import Front
    from local_aws.route53 import Route53Fake

ZONE = "home.test"
_numbers = count(1)


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """The package as `homing aws package` builds it, unpacked."""
    for module in ("awslambdaric", "moto", "boto3"):
        if find_spec(module) is None:
            lack(f"{module} is not installed")
    return Places.make(tmp_path_factory.mktemp("places"))


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[DynamoDbServer]:
    """One server for all stacks."""
    server = DynamoDbServer()
    yield server
    server.close()


class Stacks:
    """Makes stacks that share the package and the server."""

    def __init__(self, places: Places, dynamodb: DynamoDbServer) -> None:
        self.places, self.dynamodb = places, dynamodb

    @contextmanager
    def running(self, fake: Route53Fake | None = None, **options: Any) -> Iterator[LocalAws]:
        """Have a stack for a while, under a name of its own."""
        chosen = Options(**{"name": f"s{next(_numbers)}", "zones": (f"{ZONE}.",)} | options)
        with LocalAws(chosen, self.places, fake=fake, dynamodb=self.dynamodb) as aws:
            yield aws


@pytest.fixture(scope="session")
def stacks(places: Places, dynamodb: DynamoDbServer) -> Stacks:
    return Stacks(places, dynamodb)


@pytest.fixture(scope="module")
def aws(stacks: Stacks) -> Iterator[LocalAws]:
    """A stack in direct mode, for tests that do it no harm; the functions' pace is no matter here."""
    with stacks.running(variables=UNPACED) as running:
        yield running


UNPACED = {"HOMING_REQUESTS_PER_SECOND": "1000", "HOMING_CHANGES_PER_SECOND": "0"}


@contextmanager
def fronted(aws: LocalAws, kind: EventKind, **options: Any) -> Iterator[Front]:
    """Have a way in for a while. No test here may see a function fail."""
    front = aws.open_front(kind, **options)
    try:
        yield front
        assert front.failures == []
    finally:
        front.close()


@pytest.fixture
def name() -> str:
    """A host name that no other test uses."""
    return f"h{next(_numbers)}.{ZONE}"


def tls_context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context, and the file of the authority that vouches for it."""
    try:
        import trustme
    except ImportError:
        lack("trustme is not installed")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return context, folder / "ca.pem"


def dig(aws: LocalAws, name: str, folder: Path, record_type: str = "A") -> list[str]:
    """Return what dig prints with +short, asking what Route 53 holds."""
    done = run(["dig", "@127.0.0.1", "-p", str(aws.dns.port), name, record_type, "+short", "+tries=2"], folder)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()
