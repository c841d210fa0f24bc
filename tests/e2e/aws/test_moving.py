"""docs/aws/moving.md, walked through: each older system's hosts into a stack whose zone shows them already.

The operator's commands run in this process, with `--stack` pointed at loopback; the clients are the recorded ones.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.event_kinds import FunctionUrl
from local_aws.route53 import Route53Fake

from tests.e2e.aws.conftest import UNPACED, Stacks, fronted
from tests.e2e.aws.moving import AGREE, OLD, SEEN_AS, ZONE, Move, command, find_vector, point_at, scan, set_up
from tests.e2e.aws.test_aws_vectors import send
from tests.e2e.test_vectors import HOME_4, ZONE_ID, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture
def move(stacks: Stacks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Move]:
    fake = Route53Fake()
    fake.add_zone(f"{ZONE}.", zone_id=ZONE_ID)
    variables = UNPACED | {"HOMING_TOKENS_CREATE_HOSTS": "true", "HOMING_IMPORTED_PASSWORDS": "true"}
    with stacks.running(fake, zones=(f"{ZONE}.",), variables=variables) as aws:
        point_at(aws, monkeypatch)
        set_up(aws)
        yield Move(aws, tmp_path)


# --- awslabs v2


def v2_item(name: str, record_type: str = "A", address: str = OLD, /, **attributes: Any) -> dict[str, Any]:
    """A row as awslabs v2 leaves it in its table once its client has spoken."""
    texts = {
        "hostname": f"{name}.", "record_type": record_type, "shared_secret": "SHARED_SECRET_1", "ip_address": address,
        "mac_address": "00:11:22:33:44:55", "comment": "typed in the console", "last_accessed": address,
        "last_checked": "2018-03-01 17:45:12.345678", "last_updated": "2018-03-01 17:45:12.345690",
    }  # fmt: skip
    flags = {"lock_record": False, "read_privilege": True, "allow_internal": True}
    item = {key: {"S": text} for key, text in texts.items()} | {key: {"BOOL": flag} for key, flag in flags.items()}
    return item | {"ttl": {"N": "60"}} | attributes


def v2_example(record_type: str) -> dict[str, Any]:
    """One of the two rows that every v2 table was born with, as its template wrote them."""
    empty = {key: {"S": ""} for key in ("ip_address", "last_accessed", "last_checked", "last_updated")}
    return v2_item(f"example-record.{ZONE}", record_type, **empty | {"shared_secret": {"S": "0123456789ABCDEF"}})


V2_TABLE = scan(
    v2_example("A"),
    v2_example("AAAA"),
    v2_item("host1.dyn.example.com"),
    v2_item("nas.dyn.example.com"),
    v2_item("nas.dyn.example.com", "AAAA", "2606:4700:4700::1111"),
    v2_item("later.dyn.example.com", ip_address={"S": ""}),
)


def test_an_awslabs_v2_table_is_adopted_with_the_records_that_dns_shows(move: Move) -> None:
    move.old_system_sets("host1.dyn.example.com", OLD)
    move.old_system_sets("nas.dyn.example.com", OLD)
    move.old_system_sets("nas.dyn.example.com", "2606:4700:4700::1111", "AAAA")
    move.take_over(V2_TABLE)
    move.client_works("awslabs-v2", "set, --ip-source public, API key")
    move.client_works("awslabs-v2", "set, internal IPv6 address over an IPv4 connection")
    move.client_works("awslabs-v2", "set, internal IPv4 address, from network-discovery.sh")


def test_the_example_rows_of_an_old_table_take_the_place_of_the_new_ones(move: Move) -> None:
    path = move.file(V2_TABLE)
    assert "imported 6 rows" in move.ok("import", path)
    example = json.loads(move.ok("host", "show", f"example-record.{ZONE}", "--json"))
    assert {one["comment"] for one in example} == {"typed in the console"}
    assert "6 were here already" in move.ok("import", path)


def test_a_scan_that_is_older_than_dns_takes_dns_back_to_it(move: Move) -> None:
    """Why the page says to scan right before the import."""
    move.old_system_sets("host1.dyn.example.com", "1.1.1.1")
    move.ok("import", move.file(scan(v2_item("host1.dyn.example.com"))))
    assert move.shown("host1.dyn.example.com") == ("60", OLD)


def test_what_the_old_stack_still_sets_stays_until_a_reconcile_and_then_the_client_at_homing_settles_it(
    move: Move,
) -> None:
    """Why the page says to move the clients soon."""
    move.old_system_sets("host1.dyn.example.com", OLD)
    move.take_over(scan(v2_item("host1.dyn.example.com")))
    move.old_system_sets("host1.dyn.example.com", "1.1.1.1")
    move.aws.drain()
    assert move.shown("host1.dyn.example.com") == ("60", "1.1.1.1")
    assert move.aws.reconcile(repair=True)["status"] == "ok"
    assert move.shown("host1.dyn.example.com") == ("60", OLD)
    move.client_works("awslabs-v2", "set, --ip-source public, API key")


def test_rows_without_their_addresses_leave_dns_to_the_old_stack_until_each_client_has_moved(move: Move) -> None:
    move.old_system_sets("host1.dyn.example.com", OLD)
    bare = v2_item("host1.dyn.example.com")
    for left_out in ("ip_address", "last_updated"):  # as the page's jq does
        del bare[left_out]
    move.take_over(scan(bare))
    move.old_system_sets("host1.dyn.example.com", "1.1.1.1")
    move.aws.drain()
    move.aws.reconcile(repair=True)
    assert move.shown("host1.dyn.example.com") == ("60", "1.1.1.1")
    move.client_works("awslabs-v2", "set, --ip-source public, API key")


def test_a_row_without_a_ttl_comes_with_the_60_seconds_that_were_the_default_of_awslabs(move: Move) -> None:
    move.old_system_sets("host1.dyn.example.com", OLD, ttl=300)
    item = v2_item("host1.dyn.example.com")
    del item["ttl"]
    move.ok("import", move.file(scan(item)))
    assert move.shown("host1.dyn.example.com") == ("60", OLD)


# --- the others, whose tables hold no address


def test_an_awslabs_v3_table_is_taken_over(move: Move) -> None:
    move.old_system_sets("www.example.com", OLD)
    data = '{"route_53_zone_id": "AIE8FCNN2NC9EU","route_53_record_ttl": 60,"shared_secret": "SHARED_SECRET_1"}'
    move.take_over(scan({"hostname": {"S": "www.example.com"}, "data": {"S": data}}))
    move.ok("host", "set", "www.example.com", "--type", "A", "--allow-internal")  # for an address of documentation
    assert move.shown("www.example.com") == ("60", OLD)
    move.client_works("awslabs-v3", "set")
    assert move.shown("www.example.com") == ("60", HOME_4)


def test_a_sam_table_is_taken_over(move: Move) -> None:
    move.old_system_sets("h1.dyn.example.com", OLD, ttl=300)
    user = {"user": "alice", "pass": "s3cret", "host": "h1.dyn", "ttl": "300"}
    move.take_over(scan({key: {"S": text} for key, text in user.items()} | {"host": {"S": "h1.dyn.example.com"}}))
    move.ok("host", "set", "h1.dyn.example.com", "--allow-internal")
    move.client_works("curl", "credentials in the URL")
    assert move.shown("h1.dyn.example.com") == ("300", HOME_4)


def test_a_label_of_a_sam_table_is_completed_with_the_zone(move: Move) -> None:
    user = {"user": "test1", "pass": "test9994", "host": "test1", "ttl": "3600"}
    move.old_system_sets("test1.example.com", OLD, ttl=3600)
    move.take_over(scan({key: {"S": text} for key, text in user.items()}), "--zone", ZONE)
    assert move.ok("account", "list").count("test1") >= 2


def test_the_conf_of_dyndns53_is_taken_over(move: Move) -> None:
    names = ("h1.dyn.example.com", "h2.dyn.example.com")
    host = {"aws_region": "us-west-2", "zone_id": ZONE_ID, "record": {"ttl": 60, "type": "A"}, "last_update": None}
    account = {"hosts": {f"{name}.": host for name in names}}
    for name in names:
        move.old_system_sets(name, OLD)
    move.take_over(f"conf = {{\n    'alice:s3:cr/et': {account!r},\n}}\n\ndef f():\n    raise Exception, 'Python 2'\n")
    for name in names:
        move.ok("host", "set", name, "--type", "A", "--allow-internal")
    move.client_works("ddclient", "dyndns2, two hosts, usev4 and usev6 configured", "3.10.0")


def test_the_tokens_of_a_ddupdate_server_go_on_working_with_its_secret(move: Move) -> None:
    secret, name = "the-secret-of-the-old-server", "host.example.com"
    move.old_system_sets(name, OLD, ttl=300)
    given_out = hashlib.sha256(f"{name}{ZONE_ID}{secret}".encode()).hexdigest()
    told = move.ok("token", name, "--server-secret", move.file(secret + "\n"))
    assert f"token = {given_out}\n" in told
    assert f"zoneid = {ZONE_ID}" in told
    assert move.shown(name) == ("300", OLD)

    vector = find_vector("fmeppo-ddupdate", "all values from the configuration file")
    recorded = vector["request"]["target"].partition("token=")[2].partition("&")[0]
    request = to_bytes(vector).replace(recorded.encode(), given_out.encode())
    with fronted(move.aws, FunctionUrl(), seen_as={"127.0.7.4": "1.1.1.1"}) as front:
        answers = [send(front, HOME_4, request) for _ in range(2)]
    assert [one.status for one in answers] == [200, 200], answers
    assert move.shown(name) == ("60", "1.1.1.1")  # the stack's defaultTtl; that server's own was 300
    updated, unchanged = (one.body for one in answers)
    assert updated == f"Hello! {name}. updated 1.1.1.1\n"
    assert unchanged == f"Hello! {name}. unchanged 1.1.1.1\n"
    assert move.ok("reconcile", "--dry-run") == AGREE


# --- a name that somebody else put into DNS


def test_a_host_that_was_never_set_takes_nothing_out_of_dns(move: Move) -> None:
    move.old_system_sets("cam.example.com", OLD)
    move.ok("host", "add", "cam.example.com")
    move.ok("host", "set", "cam.example.com", "--comment", "not set yet", "--ttl", "90")
    move.ok("host", "rotate", "cam.example.com")
    assert move.shown("cam.example.com") == ("60", OLD)
    move.ok("host", "remove", "cam.example.com")
    assert move.shown("cam.example.com") == ("60", OLD)


# --- from one stack to the next


def test_a_table_that_outlived_its_stack_is_read_by_its_name_and_taken_by_a_new_one(
    move: Move, stacks: Stacks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As `homing aws delete --help` says."""
    move.old_system_sets("host1.dyn.example.com", OLD)
    move.ok("import", move.file(V2_TABLE))
    move.ok("account", "add", "alice", "nas.dyn.example.com")
    move.client_works("awslabs-v2", "set, --ip-source public, API key")
    code, exported = command("export", "--table", move.aws.table)
    assert code == 0
    with stacks.running(move.aws.fake, zones=(f"{ZONE}.",), variables=UNPACED) as aws:
        point_at(aws, monkeypatch)
        set_up(aws)
        new = Move(aws, tmp_path)
        new.take_over(exported)
        assert json.loads(new.ok("export"))["rows"] == json.loads(exported)["rows"]
        assert f"{len(json.loads(exported)['rows'])} were here already" in new.ok("import", new.file(exported))
        vector = find_vector("awslabs-v2", "set, --ip-source public, API key")
        with fronted(aws, FunctionUrl(), seen_as=SEEN_AS) as front:
            told = send(front, HOME_4, to_bytes(vector))
        assert "matches the current" in told.body


def test_the_example_rows_of_a_stack_do_not_hinder_the_next(
    move: Move, stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, exported = command("export", "--table", move.aws.table)
    assert code == 0
    assert len(json.loads(exported)["rows"]) == 2
    with stacks.running(move.aws.fake, zones=(f"{ZONE}.",), variables=UNPACED) as aws:
        point_at(aws, monkeypatch)
        set_up(aws)
        assert "imported 2 rows" in Move(aws, tmp_path).ok("import", move.file(exported))
