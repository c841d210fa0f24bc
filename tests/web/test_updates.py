"""Updates of every protocol, end to end in memory: the request, the answer, and what DNS then shows."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

import pytest

from tests.protocols.strategies import basic
from tests.web.harness import (
    GROUP,
    H1,
    H2,
    SECRET,
    T,
    World,
    ask_dyndns2,
    legacy,
    lines,
    make_account,
    make_host,
    make_rows,
    message,
    sign,
)


@pytest.fixture
def world() -> World:
    return World(make_rows())


# --- updates, end to end


def test_a_list_with_a_name_of_somebody_else_changes_nothing(world: World) -> None:
    names = "h1.dyn.example.com,www.example.com,nothing.example.com"
    assert ask_dyndns2(world, f"hostname={names}&myip=203.0.113.7") == (200, "nohost\nnohost\nnohost\n")
    assert world.in_dns(H1) == ()


def test_a_list_that_repeats_a_name_answers_each_and_commits_once(world: World) -> None:
    query = "hostname=h1.dyn.example.com,h1.dyn.example.com,H1.DYN.example.com.&myip=203.0.113.7"
    before = world.store.commits
    assert ask_dyndns2(world, query) == lines("good", "203.0.113.7", 3)
    assert ask_dyndns2(world, query) == lines("nochg", "203.0.113.7", 3)
    assert world.store.commits == before + 1


def test_a_list_that_is_too_long_is_told_once_and_only_to_who_may_know(world: World) -> None:
    query = "hostname=" + ",".join(["h1.dyn.example.com"] * 21)
    assert ask_dyndns2(world, query) == (200, "numhost\n")
    assert world.ask("/nic/update?" + query, headers=basic("alice", "wrong")).body == b"badauth\n"


def test_a_mixed_list_says_what_each_did(world: World) -> None:
    ask_dyndns2(world, "hostname=h1.dyn.example.com&myip=203.0.113.7")
    assert ask_dyndns2(world, f"hostname={H1},{H2}&myip=203.0.113.7") == (200, "nochg 203.0.113.7\ngood 203.0.113.7\n")


def test_a_family_that_is_not_named_keeps_its_record(world: World) -> None:
    ask_dyndns2(world, "hostname=h1.dyn.example.com&myip=203.0.113.7,2001:db8::7")
    ask_dyndns2(world, "hostname=h1.dyn.example.com&myip=203.0.113.9,")
    assert (world.in_dns(H1), world.in_dns(H1, "AAAA")) == (("203.0.113.9",), ("2001:db8::7",))


def test_preserve_alone_is_no_failure(world: World) -> None:
    ask_dyndns2(world, "hostname=h1.dyn.example.com&myip=203.0.113.7,2001:db8::7")
    assert ask_dyndns2(world, "hostname=h1.dyn.example.com&myipv6=preserve") == lines("nochg", "203.0.113.7", 1)
    status, body = ask_dyndns2(world, "hostname=h1.dyn.example.com&myipv4=preserve&myipv6=preserve")
    assert (status, body.split()[0]) == (200, "nochg")


def test_a_prefix_keeps_the_interface_identifier(world: World) -> None:
    ask_dyndns2(world, "hostname=h1.dyn.example.com&myip=2001:db8:1::25")
    assert ask_dyndns2(world, "hostname=h1.dyn.example.com&myip=203.0.113.7,2001:db8:2::/64") == (
        200,
        "good 203.0.113.7,2001:db8:2::/64\n",
    )
    assert world.in_dns(H1, "AAAA") == ("2001:db8:2::25",)


def test_offline_keeps_the_record_unless_the_host_allows_it() -> None:
    hosts = [make_host(H1), make_host(H2, allow_offline=True)]
    world = World([make_account("pw", H1, H2), *hosts])
    ask_dyndns2(world, f"hostname={H1},{H2}&myip=203.0.113.7")
    assert ask_dyndns2(world, f"hostname={H1},{H2}&offline=YES&myip=203.0.113.7")[0] == 200
    assert (world.in_dns(H1), world.in_dns(H2)) == (("203.0.113.7",), ())


def test_a_withdrawal_has_an_address_in_its_line() -> None:
    """ez-ipupdate fails on a bare `good`."""
    world = World([make_account("pw", H1), make_host(H1, allow_offline=True)])
    ask_dyndns2(world, "hostname=h1.dyn.example.com&myip=203.0.113.7")
    assert len(ask_dyndns2(world, "hostname=h1.dyn.example.com&offline=YES")[1].split()) == 2


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("hostname=h1.dyn.example.com&myip=10.0.0.1", "nohost\n"),
        ("hostname=h1.dyn.example.com&myip=127.0.0.1", "nohost\n"),
        ("hostname=h1.dyn.example.com&myip=::1", "nohost\n"),
        ("hostname=h1.dyn.example.com&myip=nonsense", "nohost\n"),
        ("hostname=h1.dyn.example.com,h2.dyn.example.com&myip=fd00::1", "nohost\nnohost\n"),
        ("hostname=one", "notfqdn\n"),
        ("hostname=", "notfqdn\n"),
        ("hostname=h9.dyn.example.com", "nohost\n"),
        ("hostname=h1.elsewhere.test", "nohost\n"),
    ],
)
def test_what_the_user_must_act_on_is_200_with_a_code(world: World, query: str, body: str) -> None:
    assert ask_dyndns2(world, query) == (200, body)


def test_an_account_of_one_host_needs_to_name_none() -> None:
    world = World([make_account("pw", H1), make_host(H1)])
    assert ask_dyndns2(world, "") == lines("good", "203.0.113.7", 1)
    assert world.ask("/nic/update?username=alice&password=pw").body == b"nochg 203.0.113.7\n"


def test_an_internal_address_needs_leave(world: World) -> None:
    hash_ = legacy("host1.dyn.example.com.")
    response = world.ask(f"/?mode=set&hostname=host1.dyn.example.com.&hash={hash_}&internalIp=192.0.2.9")
    text = "DDB Permissions for host1.dyn.example.com. disallow internal IPs, update denied."
    assert (response.status, response.body.decode()) == (200, message("fail", text))


def test_a_lan_source_counts_as_internal(world: World) -> None:
    lan = IPv4Address("192.168.1.20")
    hash_ = legacy("host1.dyn.example.com.", source=lan)
    response = world.ask(f"/?mode=set&hostname=host1.dyn.example.com.&hash={hash_}", peer=lan)
    assert json.loads(response.body)["return_status"] == "fail"
    hash_ = legacy("nas.dyn.example.com.", source=lan)
    response = world.ask(f"/?mode=set&hostname=nas.dyn.example.com.&hash={hash_}", peer=lan)
    assert json.loads(response.body)["return_status"] == "success"


def test_the_hash_holds_for_one_address_only(world: World) -> None:
    hash_ = legacy("host1.dyn.example.com.", source=IPv4Address("203.0.113.8"))
    response = world.ask(f"/?mode=set&hostname=host1.dyn.example.com.&hash={hash_}")
    assert response.body.decode() == message("fail", "Validation hashes do not match.")


def test_a_locked_host_is_told_so_only_to_its_owner() -> None:
    world = World([make_host("host1.dyn.example.com.", lock_record=True)])
    right, wrong = (
        world.ask(f"/?mode=set&hostname=host1.dyn.example.com.&hash={legacy('host1.dyn.example.com.', secret)}")
        for secret in (SECRET, "wrong")
    )
    assert right.body.decode() == message("fail", "The record for host1.dyn.example.com. is locked, update denied.")
    assert wrong.body.decode() == message("fail", "Validation hashes do not match.")


def test_listing_needs_the_read_privilege() -> None:
    world = World([make_host("a.dyn.example.com.")])
    query = f"mode=list_hosts&hostname=a.dyn.example.com.&hash={legacy('a.dyn.example.com.')}"
    assert world.ask("/?" + query).body.decode() == message("fail", "record lacks read permissions")


def test_a_signed_update_and_its_replay(world: World) -> None:
    first = sign({"hostname": "host1.dyn.example.com", "addresses": ["203.0.113.7"]})
    assert json.loads(world.ask("/v1/update", **first).body)["outcomes"][0]["outcome"] == "updated"
    assert json.loads(world.ask("/v1/update", **first).body)["outcomes"][0]["outcome"] == "unchanged"
    second = sign({"hostname": "host1.dyn.example.com", "addresses": ["203.0.113.9"]}, t=T + 1)
    assert world.ask("/v1/update", **second).status == 200
    stale = world.ask("/v1/update", **first)
    assert stale.status == 409
    assert json.loads(stale.body)["signed_at"] == T + 1
    assert json.loads(stale.body)["server_time"] == T
    assert world.in_dns("host1.dyn.example.com.") == ("203.0.113.9",)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_skewed_clock_is_told_the_time(world: World, seconds: int) -> None:
    request = sign({"hostname": "host1.dyn.example.com", "addresses": ["203.0.113.7"]}, t=T + seconds * 1000)
    response = world.ask("/v1/update", **request)
    assert (response.status, json.loads(response.body)["error"]) == (409, "clock skewed")
    assert json.loads(response.body)["server_time"] == T


def test_a_signed_group_is_all_or_nothing(world: World) -> None:
    entries = [{"hostname": f"{name}.dyn.example.com", "addresses": ["203.0.113.7"]} for name in ("host1", "nas", "h1")]
    refused = world.ask("/v1/update", **sign({"as": "nas.dyn.example.com", "updates": entries}))
    assert refused.status == 403
    assert world.in_dns("nas.dyn.example.com.") == ()
    good = world.ask("/v1/update", **sign({"as": "nas.dyn.example.com", "updates": entries[:2]}))
    assert [one["outcome"] for one in json.loads(good.body)["outcomes"]] == ["updated", "updated"]


def test_the_group_is_listed_to_a_signed_member(world: World) -> None:
    response = world.ask("/v1/hosts", **sign({"as": "nas.dyn.example.com"}))
    assert [host["hostname"] for host in json.loads(response.body)["hosts"]] == [one["hostname"] for one in GROUP]
