"""A table of awslabs v2 as it is, and rows that somebody typed in the console: served, or refused without harm."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.event_kinds import STAGE, FunctionUrl, RestApi

from tests.e2e.aws.conftest import fronted
from tests.e2e.aws.test_event_kinds import curl
from tests.e2e.programs import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from local_aws.front import Front
    from local_aws.stack import LocalAws

pytestmark = pytest.mark.e2e

V2_ROW = {
    "shared_secret": {"S": "SHARED_SECRET_1"},
    "ip_address": {"S": ""},
    "last_accessed": {"S": ""},
    "last_checked": {"S": ""},
    "last_updated": {"S": ""},
    "lock_record": {"BOOL": False},
    "allow_internal": {"BOOL": True},
    "read_privilege": {"BOOL": True},
    "mac_address": {"S": "00:11:22:33:44:55"},
    "comment": {"S": "made by the template"},
    "ttl": {"N": "60"},
}
"""As the awslabs template writes its examples."""


def put(aws: LocalAws, name: str, row: dict[str, Any], record_type: str = "A") -> None:
    item = {"hostname": {"S": f"{name}."}, "record_type": {"S": record_type}} | row
    aws.dynamodb.client("dynamodb").put_item(TableName=aws.table, Item=item)


def item(aws: LocalAws, name: str, record_type: str = "A") -> dict[str, Any]:
    key = {"hostname": {"S": f"{name}."}, "record_type": {"S": record_type}}
    found: dict[str, Any] = aws.dynamodb.client("dynamodb").get_item(TableName=aws.table, Key=key, ConsistentRead=True)
    return found["Item"]  # type: ignore[no-any-return]  # boto3 ships no types


def set_by_hash(front: Front, folder: Path, name: str, address: str, secret: str = "SHARED_SECRET_1") -> dict[str, str]:
    digest = hashlib.sha256(f"{address}{name}.{secret}".encode()).hexdigest()
    asked = f"{front.url}/{STAGE}?mode=set&hostname={name}.&hash={digest}"
    told: dict[str, str] = json.loads(curl(folder, "--interface", address, asked))
    return told


def test_a_row_of_awslabs_v2_is_updated_and_keeps_what_is_not_ours_to_write(
    aws: LocalAws, name: str, tmp_path: Path
) -> None:
    put(aws, name, V2_ROW | {"owner": {"S": "somebody"}, "tags": {"SS": ["a", "b"]}})
    with fronted(aws, RestApi()) as front:
        told = set_by_hash(front, tmp_path, name, "127.0.9.1")
        assert told["return_message"] == f"Your hostname record {name}. has been set to 127.0.9.1"
        assert aws.dns.ask(name) == ["127.0.9.1"]
        told = set_by_hash(front, tmp_path, name, "127.0.9.1")
        assert told["return_message"] == "Your IP address matches the current Route53 DNS record."
    after = item(aws, name)
    assert after["ip_address"] == {"S": "127.0.9.1"}
    assert after["last_updated"]["S"]
    assert after["owner"] == {"S": "somebody"}
    assert sorted(after["tags"]["SS"]) == ["a", "b"]
    kept = ("shared_secret", "lock_record", "allow_internal", "read_privilege", "mac_address", "comment", "ttl")
    assert {one: after[one] for one in kept} == {one: V2_ROW[one] for one in kept}


def test_a_lock_set_in_the_console_is_obeyed_at_once(aws: LocalAws, name: str, tmp_path: Path) -> None:
    put(aws, name, V2_ROW)
    with fronted(aws, RestApi()) as front:
        set_by_hash(front, tmp_path, name, "127.0.9.2")
        aws.dynamodb.client("dynamodb").update_item(
            TableName=aws.table,
            Key={"hostname": {"S": f"{name}."}, "record_type": {"S": "A"}},
            UpdateExpression="SET lock_record = :l",
            ExpressionAttributeValues={":l": {"BOOL": True}},
        )
        told = set_by_hash(front, tmp_path, name, "127.0.9.3")
    assert told["return_message"] == f"The record for {name}. is locked, update denied."
    assert aws.dns.ask(name) == ["127.0.9.2"]


ROWS: dict[str, dict[str, Any]] = {
    "the secret alone": {"shared_secret": {"S": "SHARED_SECRET_1"}},
    "a number for a flag": V2_ROW | {"lock_record": {"N": "0"}},
    "text for a flag": V2_ROW | {"lock_record": {"S": "false"}},
    "text for a number": V2_ROW | {"ttl": {"S": "60"}},
    "null for text": V2_ROW | {"comment": {"NULL": True}, "mac_address": {"NULL": True}},
    "an unknown attribute": V2_ROW | {"x": {"M": {"y": {"L": [{"B": b"z"}]}}}},
    "a ttl out of bounds": V2_ROW | {"ttl": {"N": "-1"}},
    "a ttl that is no whole number": V2_ROW | {"ttl": {"N": "1.5"}},
    "a secret of another type": V2_ROW | {"shared_secret": {"S": "other"}, "comment": {"N": "1"}},
    "a map for a flag": V2_ROW | {"allow_internal": {"M": {}}},
    "a version that is text": V2_ROW | {"version": {"S": "one"}},
    "a version far off": V2_ROW | {"version": {"N": "-7"}},
    "a desired that is nonsense": V2_ROW | {"desired": {"S": "nonsense"}},
    "an address that is none": V2_ROW | {"ip_address": {"S": "not an address"}},
    "pending without reason": V2_ROW | {"pending": {"N": "1"}},
}


@pytest.mark.parametrize("case", ROWS)
def test_a_row_that_somebody_typed_is_served_or_refused_and_never_damaged(
    aws: LocalAws, name: str, tmp_path: Path, case: str
) -> None:
    put(aws, name, ROWS[case])
    with fronted(aws, FunctionUrl()) as front:  # whose failures it counts
        told = set_by_hash(front, tmp_path, name, "127.0.9.4")
        again = set_by_hash(front, tmp_path, name, "127.0.9.4")
    after = item(aws, name)
    written = {"ip_address", "last_accessed", "last_checked", "last_updated", "version", "desired", "published",
               "pending", "rejected", "signed_at", "signed_only"}  # fmt: skip
    assert {k: v for k, v in after.items() if k in ROWS[case] and k not in written} == {
        k: v for k, v in ROWS[case].items() if k not in written
    }
    if told["return_status"] == "success":
        assert again["return_status"] == "success"
        assert aws.dns.ask(name) == ["127.0.9.4"]
    else:
        assert {k: v for k, v in after.items() if k in ROWS[case]} == ROWS[case]
        assert again == told
        assert aws.dns.ask(name) == []


def test_a_row_that_cannot_be_read_is_named_in_the_log_without_its_secret(
    aws: LocalAws, name: str, tmp_path: Path
) -> None:
    put(aws, name, V2_ROW | {"lock_record": {"M": {}}})
    with fronted(aws, RestApi()) as front:
        assert set_by_hash(front, tmp_path, name, "127.0.9.5")["return_status"] == "fail"
    assert wait_for(lambda: any(name in line for line in aws.update.lines))
    assert not [line for line in aws.update.lines if "SHARED_SECRET_1" in line]
