"""Names that the stack's roles may not change: one of them in a batch would have AWS refuse all of it, for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.records import RRset
from homing.runtimes.aws_lambda import publish
from homing.wiring.serverless import open_publisher
from tests.runtimes.aws_lambda.test_wired import CAM, SECRET, Cloud, cloud, moto_server

if TYPE_CHECKING:
    from homing.core.rows import RowKey

__all__ = ["cloud", "moto_server"]

ONE = RRset(60, ("1.1.1.1",))


def record(name: str, number: int) -> dict[str, Any]:
    keys = {"hostname": {"S": name}, "record_type": {"S": "A"}}
    return {"dynamodb": {"Keys": keys, "NewImage": {"pending": {"N": "1"}}, "SequenceNumber": str(number)}}


@pytest.mark.parametrize("name", ["home.example.", "ddns.home.example."])
def test_a_row_that_somebody_typed_holds_up_no_other(cloud: Cloud, name: str) -> None:
    """The policy allows names below the zone, and not the endpoint's: `deploy/aws/template.yaml`, publishPolicy."""
    typed = Name(name)
    cloud.add(Host(hostname=typed, record_type="A", shared_secret=SECRET, desired=ONE))
    cloud.add(Host(hostname=CAM, record_type="A", shared_secret=SECRET, desired=ONE))
    event = {"Records": [record(typed, 1), record(CAM, 2)]}
    assert publish.handler_of(open_publisher(cloud.environment))(event, None) == {"batchItemFailures": []}
    assert cloud.shown() is not None
    assert cloud.shown(typed) is None
    key: RowKey = (typed, "A")
    row = cloud.store.load([key])[key]
    assert isinstance(row, Host)
    assert row.rejected is not None
    assert "is not for hosts" in row.rejected
