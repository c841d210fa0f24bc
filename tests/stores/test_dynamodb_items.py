"""Rows as DynamoDB items, and what a commit writes of them. Nothing here calls anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from homing.core.accounts import Account
from homing.core.errors import InvalidInput
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.records import RRset
from homing.core.rows import Commit
from homing.core.values import replace
from homing.stores.dynamodb_held import Held, HeldItems
from homing.stores.dynamodb_items import from_item, from_value, is_possible, to_item, to_key, to_value
from homing.stores.dynamodb_writes import check_commit, to_update, to_write
from tests.app.builders import CAM, SECRET
from tests.stores.dynamodb_values import KEY, ODD, TYPED, any_items, hosts, readable_items

if TYPE_CHECKING:
    from homing.stores.dynamodb_items import Item

TOLD_AGAIN = {"version", "pending", "ip_address"}
"""Attributes that every commit sets right, because indexes and people rest on them."""


def read_host(item: Item) -> Host:
    row = from_item(item)
    assert isinstance(row, Host)
    return row


def test_a_row_of_awslabs_is_read_as_it_was_meant() -> None:
    host = read_host(TYPED)
    assert (host.version, host.ttl, host.read_privilege, host.lock_record) == (1, 60, True, False)
    assert (host.last_checked, host.last_updated) == (1_551_435_630, 1_551_398_399)
    assert host.desired is None
    assert not host.other


def test_what_json_cannot_hold_is_left_out_and_the_rest_is_exact() -> None:
    host = read_host(ODD)
    assert (host.ttl, host.lock_record, host.read_privilege, host.comment, host.mac_address) == (
        60,
        False,
        True,
        "",
        None,
    )
    precise = "3.14159265358979323846264338327950288419"
    assert dict(host.other) == {"Precise": precise, "Gone": None, "Notes": ["x", True, -3]}


REFUSED: dict[str, list[Any]] = {
    "version": [{"S": "5"}, {"N": "0"}, {"N": "-1"}, {"N": "1.5"}, {"N": "1E+30"}, {"NULL": True}],
    "lock_record": [{"NULL": True}, {"N": "2"}, {"SS": ["true"]}, {"B": "AA=="}],
    "ttl": [{"N": "60.5"}, {"S": "soon"}, {"L": []}],
    "comment": [{"SS": ["a"]}, {"N": "1"}, {"BS": ["AA=="]}],
    "desired": [{"S": "192.0.2.1"}, {"M": {}}, {"SS": ["192.0.2.1"]}],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_what_could_mean_anything_is_refused_by_name_and_without_its_value(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"row {CAM} A: {name} ") as refused:
        from_item({**TYPED, name: value})
    assert SECRET not in str(refused.value)


def test_times_are_written_as_the_console_always_showed_them() -> None:
    item = to_item(Host(hostname=CAM, record_type="A", shared_secret="x", last_checked=1_551_435_630, last_updated=0))
    assert item["last_checked"] == {"S": "2019-03-01 10:20:30"}
    assert item["last_updated"] == {"S": "1970-01-01 00:00:00"}
    far = to_item(Host(hostname=CAM, record_type="A", shared_secret="x", last_checked=10**15))
    assert far["last_checked"] == {"N": "1000000000000000"}


def test_types_are_those_of_the_awslabs_table() -> None:
    host = Host(
        hostname=CAM, record_type="A", shared_secret="", ttl=60, lock_record=True, desired=RRset(60, ("192.0.2.1",)),
        signed_at=5,
    )  # fmt: skip
    assert to_item(host) == {
        "ttl": {"N": "60"},
        "lock_record": {"BOOL": True},
        "desired": {"M": {"ttl": {"N": "60"}, "rdata": {"L": [{"S": "192.0.2.1"}]}}},
        "ip_address": {"S": "192.0.2.1"},
        "signed_at": {"N": "5"},
        "pending": {"N": "1"},
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x", "\ud800", {"x": {"y": object()}}])
def test_what_dynamodb_cannot_hold_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match=r"DynamoDB|surrogate"):
        to_value(value)


@pytest.mark.parametrize(("digits", "read"), [
    ("60", 60), ("-7", -7), ("12.50", 12.5), ("0.1", 0.1), ("9" * 38, 10**38 - 1),
    ("1E+2", "1E+2"), ("0.12345678901234567", "0.12345678901234567"),
])  # fmt: skip
def test_numbers_are_read_exactly_or_stay_text(digits: str, read: Any) -> None:
    assert from_value({"N": digits}) == read


def test_keys_that_no_row_can_have_are_known() -> None:
    assert is_possible(KEY)
    assert is_possible(("ü" * 1024, "A"))
    for key in [("", "A"), ("a", ""), ("\ud800", "A"), ("ü" * 1025, "A"), ("a", "x" * 1025)]:
        assert not is_possible(key)
    host = Host(hostname=Name("a" * 3000), record_type="A", shared_secret="x", version=1)
    with pytest.raises(ValueError, match="no such key"):
        check_commit(Commit((host,), {host.key: 0}))


def test_a_commit_of_more_than_a_transaction_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="100"):
        check_commit(Commit((), {(f"h{number}.", "A"): 0 for number in range(101)}))


def test_only_what_differs_is_written() -> None:
    host = read_host(TYPED)
    write = to_write(host.next(last_accessed="192.0.2.9", ttl=None), Held(TYPED, host))
    assert write.sets == {"version": {"N": "2"}, "last_accessed": {"S": "192.0.2.9"}}
    assert write.removes == ("ttl",)


def test_a_row_that_only_the_index_has_wrong_is_set_right_with_the_next_commit() -> None:
    desired = {"M": {"ttl": {"N": "60"}, "rdata": {"L": [{"S": "192.0.2.1"}]}}}
    behind = {**TYPED, "desired": desired}
    write = to_write(read_host(behind).next(comment="x"), Held(behind, read_host(behind)))
    assert {"pending", "ip_address", "comment", "version"} == set(write.sets)
    settled = {**behind, "published": desired, "pending": {"N": "1"}}
    write = to_write(read_host(settled).next(comment="x"), Held(settled, read_host(settled)))
    assert write.removes == ("pending",)


def test_an_empty_secret_is_removed_because_an_index_has_it_as_its_key() -> None:
    host = read_host(TYPED)
    assert "shared_secret" in to_write(host.next(shared_secret=""), Held(TYPED, host)).removes
    assert "shared_secret" not in to_write(host.next(shared_secret=""), None).sets


def test_unknown_attributes_of_an_account_are_not_touched() -> None:
    key = {"hostname": {"S": "#u"}, "record_type": {"S": "#account"}}
    item: Item = {**key, "password": {"S": "hash"}, "pending": {"N": "1"}, "Team": {"SS": ["x"]}}
    account = from_item(item)
    assert isinstance(account, Account)
    write = to_write(account.next(hostnames=(CAM,)), Held(item, account))
    assert set(write.sets) == {"version", "hostnames"}
    assert not write.removes


@given(any_items)
def test_no_item_crashes_its_reader(item: Item) -> None:
    refusal = None
    try:
        from_item(item)
    except InvalidInput as error:
        refusal = str(error)
    assert refusal is None or (refusal.startswith(f"row {CAM} A: ") and SECRET not in refusal)


@given(readable_items, st.sampled_from(["ttl", "comment", "rejected", "last_checked"]))
def test_no_attribute_is_lost_or_altered_but_what_the_commit_changes(item: Item, changed: str) -> None:
    try:
        host = read_host(item)
    except InvalidInput:
        assume(False)
    after = host.next(**{changed: 7 if changed in ("ttl", "last_checked") else "seven"})
    written = to_write(after, Held(item, host)).after()
    assert written["version"] == {"N": str(after.version)}
    assert written.keys() - item.keys() <= {changed, *TOLD_AGAIN}
    assert all(written[name] == item[name] for name in item.keys() - {changed, *TOLD_AGAIN})
    assert ("pending" in written) == after.pending
    assert read_host(written) == replace(after, other=read_host(written).other)
    assert dict(read_host(written).other) == dict(after.other)


@given(hosts, hosts)
def test_whatever_a_row_becomes_is_what_is_read_back(before: Host, after: Host) -> None:
    before, after = replace(before, version=3), replace(after, version=4)
    item = to_write(before, None).after()
    written = to_write(after, Held(item, read_host(item))).after()
    assert written == to_write(after, None).after()
    assert repr(sorted(read_host(written).other)) == repr(sorted(after.other))
    assert replace(read_host(written), other=()) == replace(after, other=())


@given(hosts)
def test_secrets_are_in_no_repr(host: Host) -> None:
    host = replace(host, shared_secret=SECRET, version=1)
    write = to_write(host, None)
    item = write.after()
    assert SECRET not in repr(write)
    assert SECRET not in repr(Held(item, read_host(item)))
    assert SECRET in repr(to_update("t", write))


def test_the_oldest_held_item_makes_room() -> None:
    held, host = HeldItems(limit=2), read_host(TYPED)
    keys = [(f"h{number}.", "A") for number in range(3)]
    for key in keys:
        held.put(key, Held(to_key(key), host))
    assert [held.get(key) is not None for key in keys] == [False, True, True]
    held.forget(*keys)
    assert not any(map(held.get, keys))
