"""What the three generations of awslabs hold becomes hosts, and what cannot is told with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homing.core.errors import InvalidInput
from homing.core.records import RRset
from tests.formats.reading import hosts, sample, taken

SECRET = "a-secret-that-is-long-enough"


def v2(**attributes: Any) -> dict[str, Any]:
    return {"hostname": "a.example.com.", "record_type": "A", "shared_secret": SECRET} | attributes


def read_v2(*items: dict[str, Any]) -> Any:
    return taken(json.dumps(items))


# --- v1


def test_a_v1_config_becomes_hosts_for_a_records() -> None:
    imported = taken(sample("awslabs_v1.json"))
    found = hosts(imported)
    assert list(found) == [("host1.dyn.example.com.", "A"), ("host2.dyn.example.com.", "A")]
    second = found["host2.dyn.example.com.", "A"]
    assert (second.ttl, second.shared_secret) == (120, "a-longer-shared-secret-of-host2")
    assert second.other == (("owner", "the garden shed"),)
    assert (second.desired, second.version) == (None, 0)


def test_a_short_secret_is_taken_with_a_warning_that_does_not_show_it() -> None:
    (warning,) = taken(sample("awslabs_v1.json")).warnings
    assert warning.startswith("item 1 (host1.dyn.example.com.): the secret has fewer than 16")
    assert "SHARED_SECRET_1" not in warning


def test_another_record_type_in_v1_is_ignored_with_a_warning() -> None:
    imported = taken(json.dumps({"a.example.com.": {"route_53_record_type": "AAAA", "shared_secret": SECRET}}))
    assert list(hosts(imported)) == [("a.example.com.", "A")]
    assert "record type is ignored" in imported.warnings[0]


@pytest.mark.parametrize(("ttl", "is_identical"), [(60, True), (61, False)])
@pytest.mark.parametrize("second", ["a.example.com.", "A.Example.COM"])
def test_a_name_twice_is_a_problem_unless_it_is_the_same_twice(second: str, ttl: int, is_identical: bool) -> None:
    entry = '{"route_53_record_ttl": %d, "shared_secret": "a-secret-that-is-long-enough"}'
    imported = taken(f'{{"a.example.com.": {entry % 60}, "{second}": {entry % ttl}}}')
    assert bool(imported.rows) is is_identical
    assert len(imported.warnings) == is_identical
    assert len(imported.problems) == (not is_identical)


# --- v2


def test_a_v2_table_becomes_hosts_with_all_their_policy() -> None:
    found = hosts(taken(sample("awslabs_v2_scan.json")))
    nas = found["nas.dyn.example.com.", "A"]
    assert (nas.ttl, nas.lock_record, nas.read_privilege, nas.allow_internal) == (300, True, True, False)
    assert dict(nas.other) == {
        "aws_region": "eu-west-1",
        "tags": {"floor": 2, "rooms": ["attic", "hall"], "old": None},
    }


def test_the_last_known_address_is_what_dns_is_to_show() -> None:
    found = hosts(taken(sample("awslabs_v2_scan.json")))
    example = found["example-record.dyn.example.com.", "A"]
    assert example.desired == RRset(60, ("1.1.1.1",))
    assert example.published is None
    assert found["example-record.dyn.example.com.", "AAAA"].ip_address == "1:1:1:1:1:1:1:1"
    assert (example.last_accessed, example.mac_address) == ("1.2.3.4", "0A:0A:0A:0A:0A:0A")
    assert (example.last_checked, example.last_updated) == (1519926312, 1519926312)


def test_an_export_to_s3_is_read_line_by_line() -> None:
    text = sample("awslabs_v2_export.json")
    found = hosts(taken(text))
    assert found["host1.dyn.example.com.", "A"].desired == RRset(60, ("8.8.4.4",))
    assert found["host1.dyn.example.com.", "AAAA"].desired is None
    broken = taken(text + "\n{\n")
    assert broken.rows == ()
    assert broken.problems[0].startswith("line 4: not JSON")


def test_families_with_different_secrets_are_warned_of() -> None:
    assert "example-record.dyn.example.com.: A and AAAA" in taken(sample("awslabs_v2_scan.json")).warnings[-1]


@pytest.mark.parametrize("ttl", [60, "60", " 60 ", None, ""])
def test_a_ttl_is_read_as_number_and_as_text(ttl: object) -> None:
    (host,) = hosts(read_v2(v2(ttl=ttl))).values()
    assert host.ttl == (60 if ttl else None)


def test_an_address_without_a_ttl_gets_60_seconds_and_the_host_keeps_none() -> None:
    (host,) = hosts(read_v2(v2(ip_address="8.8.8.8"))).values()
    assert (host.ttl, host.desired) == (None, RRset(60, ("8.8.8.8",)))


@pytest.mark.parametrize("text", ["pending", "2001:4860::8", "8.8.8.8, 9.9.9.9", 7])
def test_what_is_no_address_of_the_type_is_left_out_with_a_warning(text: object) -> None:
    imported = read_v2(v2(ip_address=text))
    assert next(iter(hosts(imported).values())).desired is None
    assert "ip_address is no address for A" in imported.warnings[0]


def test_doubtful_state_is_warned_of() -> None:
    imported = read_v2(v2(ip_address="192.168.1.2", mac_address="printer", last_checked="yesterday"))
    (host,) = hosts(imported).values()
    assert (host.ip_address, host.mac_address, host.last_checked) == ("192.168.1.2", "printer", None)
    assert [warning.split(": ")[1].split()[0] for warning in imported.warnings] == [
        "last_checked",
        "mac_address",
        "192.168.1.2",
    ]


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"hostname": "no_host.example.com."}, "not a host name"),
        ({"hostname": "x"}, "not a host name"),
        ({"hostname": 5}, "hostname is not text"),
        ({"hostname": ""}, "hostname is missing"),
        ({"record_type": "CNAME"}, "record_type is neither A nor AAAA"),
        ({"record_type": "#account"}, "homing export"),
        ({"shared_secret": ""}, "shared_secret is missing"),
        ({"shared_secret": 12345678}, "shared_secret is not text"),
        ({"ttl": "soon"}, "ttl is not a whole number"),
        ({"ttl": True}, "ttl is not a whole number"),
        ({"ttl": 2**31}, "ttl is not within"),
        ({"ttl": -1}, "ttl is not within"),
        ({"lock_record": "perhaps"}, "lock_record is neither true nor false"),
        ({"signed_at": "9" * 5000}, "not a whole number"),
        ({"signed_at": -1}, "out of range"),
        ({"desired": {"ttl": 60, "rdata": ["ns.example.com."]}}, "not an IP address"),
        ({"comment": "\ud800"}, None),
    ],
)
def test_what_cannot_be_taken_is_a_problem_and_then_nothing_is(attributes: dict[str, Any], problem: str | None) -> None:
    items = [v2(hostname="fine.example.com."), v2(**attributes)]
    if problem is None:
        with pytest.raises(InvalidInput, match="surrogate"):
            taken(json.dumps(items))
        return
    imported = taken(json.dumps(items))
    assert imported.rows == ()
    assert len(imported.problems) == 1
    assert imported.problems[0].startswith("item 2")
    assert problem in imported.problems[0]
    assert SECRET not in imported.problems[0]


def test_each_problem_is_told_and_not_only_the_first() -> None:
    imported = read_v2(v2(ttl="x"), v2(record_type="B"), v2())
    assert [problem.split(":")[0] for problem in imported.problems] == [
        "item 1 (a.example.com.)",
        "item 2 (a.example.com.)",
    ]


def test_a_row_twice_is_a_problem_unless_it_is_the_same_twice() -> None:
    assert "with the same content" in read_v2(v2(), v2(hostname="A.example.com")).warnings[0]
    assert "with different content" in read_v2(v2(), v2(comment="x")).problems[0]


def test_a_wrongly_typed_value_is_named() -> None:
    typed = {"hostname": {"S": "a.example.com."}, "record_type": {"S": "A"}, "ttl": {"N": "many"}}
    (problem,) = taken(json.dumps({"Items": [typed]})).problems
    assert problem == "item 1 (a.example.com.): ttl: not a number"


def test_one_item_as_get_item_prints_it_is_no_v1_file() -> None:
    typed = {name: {"S": value} for name, value in v2().items()}
    assert list(hosts(taken(json.dumps({"Item": typed})))) == [("a.example.com.", "A")]


def test_a_scan_that_stopped_early_is_warned_of() -> None:
    text = json.dumps({"Items": [v2()], "NextToken": "abc"})
    assert "stopped before the end" in taken(text).warnings[0]


# --- v3


def test_a_v3_table_becomes_hosts_for_a_records() -> None:
    found = hosts(taken(sample("awslabs_v3_scan.json")))
    assert list(found) == [("www.example.com.", "A"), ("vpn.example.com.", "A")]
    vpn = found["vpn.example.com.", "A"]
    assert (vpn.ttl, vpn.shared_secret, vpn.other) == (30, "another-secret-typed-twice", ())


def test_plain_v3_items_are_read_too() -> None:
    items = [{"hostname": "a.example.com", "data": json.dumps({"shared_secret": SECRET})}]
    assert list(hosts(taken(json.dumps(items)))) == [("a.example.com.", "A")]


def test_v3_data_that_is_not_json_is_a_problem_with_its_place() -> None:
    items = [{"hostname": "a.example.com", "data": '{"shared_secret": "a"b"}'}]
    (problem,) = taken(json.dumps(items)).problems
    assert problem.startswith("item 1 (a.example.com): data: not JSON, line 1 column 22")
