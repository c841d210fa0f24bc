"""Conversations, driven by hand: what is asked in which order, and what is done about a clock, a race, a refusal."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.client.dialects import converse, set_group
from homing.client.remote import FamilyAbsent, ServerUnreachable
from homing.core.credentials import legacy_hash, parse_signature
from homing.core.outcomes import Outcome
from homing.protocols.asking import Ask, Heard, Kind, Reply
from homing.settings.client import ClientSettings, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.client.dialects import Conversation, Sent

V4, V6 = ip_address("203.0.113.7"), ip_address("2001:db8::7")
NOW = 1_795_240_000_000
SECRET = "of the group"
ONE, TWO = "cam.home.example", "nas.home.example"


def account(protocol: Any = "signed", server: str = "https://s", **options: Any) -> ClientSettings:
    return ClientSettings(server=server, protocol=protocol, secret=SECRET, **options)


def play(
    conversation: Conversation, *answers: Heard | ServerUnreachable | Callable[[Ask], Heard]
) -> tuple[list[Ask], Reply]:
    """Answer the questions in turn, the last answer for ever; return what was asked, and what it came to."""
    asked: list[Ask] = []
    queue = list(answers)
    try:
        ask = next(conversation)
        while True:
            asked.append(ask)
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
            if isinstance(answer, ServerUnreachable):
                ask = conversation.throw(answer)
            else:
                ask = conversation.send(answer if isinstance(answer, Heard) else answer(ask))
    except StopIteration as end:
        return asked, end.value


def say(members: object, status: int = 200) -> Heard:
    return Heard(status, (), json.dumps(members).encode())


def signed_server(ask: Ask) -> Heard:
    """Answer as a server that does whatever it is asked."""
    members = json.loads(ask.body)
    updates = members.get("updates", [members])
    return say({
        "outcomes": [
            {"hostname": one["hostname"], "record_type": "A" if "." in text else "AAAA", "outcome": "updated",
             "address": text}
            for one in updates for text in one.get("addresses", ["2001:db8::1"])
        ]
    })  # fmt: skip


def signature_of(ask: Ask) -> int:
    proof = parse_signature(dict(ask.headers)["homing-signature"], ask.body)
    assert proof.matches(SECRET)
    return proof.signed_at


# --- signed


def test_one_name_is_one_request_and_several_are_one_request_for_all() -> None:
    asked, reply = play(converse(account(), [ONE], {4: V4, 6: V6}, lambda: NOW), signed_server)
    assert [json.loads(ask.body) for ask in asked] == [
        {"hostname": "cam.home.example.", "addresses": ["203.0.113.7", "2001:db8::7"]}
    ]
    assert (asked[0].path, signature_of(asked[0]), reply.kind) == ("/v1/update", NOW, Kind.UPDATED)
    asked, reply = play(converse(account(), [ONE, TWO], {4: V4}, lambda: NOW), signed_server)
    assert [json.loads(ask.body) for ask in asked] == [{
        "as": "cam.home.example.",
        "updates": [
            {"hostname": "cam.home.example.", "addresses": ["203.0.113.7"]},
            {"hostname": "nas.home.example.", "addresses": ["203.0.113.7"]},
        ],
    }]  # fmt: skip
    assert [host.hostname for host in reply.hosts] == ["cam.home.example.", "nas.home.example."]


def skewed(server_time: int | None, signed_at: int | None = None) -> Heard:
    return say({"outcomes": [], "error": Outcome.SKEWED.value, "server_time": server_time, "signed_at": signed_at}, 409)


def stale(server_time: int, signed_at: int) -> Heard:
    return say({"outcomes": [], "error": Outcome.STALE.value, "server_time": server_time, "signed_at": signed_at}, 409)


def test_a_wrong_clock_is_answered_with_the_servers_time_at_once_and_once() -> None:
    asked, reply = play(converse(account(), [ONE], {4: V4}, lambda: 1000), skewed(NOW), signed_server)
    assert [signature_of(ask) for ask in asked] == [1000, NOW]
    assert reply.kind is Kind.UPDATED
    asked, reply = play(converse(account(), [ONE], {4: V4}, lambda: 1000), skewed(NOW))
    assert len(asked) == 2
    assert reply.kind is Kind.TRY_LATER


def test_a_request_that_was_overtaken_is_signed_newer_than_what_overtook_it() -> None:
    asked, reply = play(converse(account(), [ONE], {4: V4}, lambda: NOW), stale(NOW + 5, NOW + 9), signed_server)
    assert [signature_of(ask) for ask in asked] == [NOW, NOW + 10]
    assert reply.kind is Kind.UPDATED


@pytest.mark.parametrize("told", [None, 0, -5, "soon", True, 10**20, 1.5])
def test_a_time_that_is_none_is_not_taken(told: Any) -> None:
    asked, reply = play(converse(account(), [ONE], {4: V4}, lambda: NOW), skewed(told))
    assert len(asked) == 1
    assert reply.kind is Kind.TRY_LATER


@pytest.mark.parametrize(
    ("server", "times"),
    [("http://ddns.example.com", 1), ("https://ddns.example.com", 2), ("http://127.0.0.1:8080", 2),
     ("http://[::1]:1", 2),
     ("http://127.example.com", 1), ("http://localhost:1", 2), ("http://localhost.example.com", 1)],
)  # fmt: skip
def test_nobody_on_the_way_makes_us_sign_for_a_time_of_their_choice(server: str, times: int) -> None:
    later = NOW + 365 * 86_400_000
    asked, reply = play(converse(account(server=server), [ONE], {4: V4}, lambda: NOW), skewed(later), signed_server)
    assert len(asked) == times
    assert reply.kind is (Kind.UPDATED if times == 2 else Kind.TRY_LATER)
    if times == 1:
        assert "31536000 s behind" in reply.text
        near, _ = play(
            converse(account(server=server), [ONE], {4: V4}, lambda: NOW), stale(NOW + 1, NOW), signed_server
        )
        assert len(near) == 2, "what is within the window anyway gives nobody anything"


@given(
    st.integers(1, 300),
    st.booleans(),
    st.sampled_from(["home.example.", "a-label-of-thirty-characters." * 8 + "example."]),
)
def test_a_large_group_is_split_so_that_each_request_fits(count: int, both: bool, zone: str) -> None:
    addresses = ["203.0.113.7", "2001:db8:1111:2222:3333:4444:5555:6666"] if both else ["203.0.113.7"]
    updates: list[dict[str, Any]] = [{"hostname": f"h{n}.{zone}", "addresses": addresses} for n in range(count)]
    asked, reply = play(set_group(account(), f"h0.{zone}", updates, lambda: NOW), signed_server)
    named = [one["hostname"] for ask in asked for one in json.loads(ask.body).get("updates", [json.loads(ask.body)])]
    assert named == [one["hostname"] for one in updates]
    assert all(len(ask.body) < 65_536 for ask in asked)
    assert all(sum(len(one["addresses"]) for one in json.loads(ask.body).get("updates", [])) <= 90 for ask in asked)
    assert reply.kind is Kind.UPDATED


def test_a_prefix_goes_out_as_it_is_and_a_refusal_ends_what_is_left() -> None:
    updates = [{"hostname": f"h{n}.home.example.", "prefix": "2001:db8:1::/64"} for n in range(200)]
    asked, reply = play(set_group(account(), "h0.home.example.", updates, lambda: NOW), say({"error": "locked"}, 403))
    assert len(asked) == 1
    assert json.loads(asked[0].body)["updates"][0] == updates[0]
    assert (reply.kind, reply.is_final) == (Kind.REFUSED, True)


# --- awslabs


def told(text: str) -> Heard:
    return say({"return_message": text, "return_status": "success"})


DONE = told("Your hostname record has been set")
MISMATCH = say({"return_message": "Validation hashes do not match.", "return_status": "fail"})


def test_awslabs_asks_for_the_address_first_and_sets_over_the_same_family() -> None:
    asked, reply = play(converse(account("awslabs"), [ONE], {4: V4, 6: V6}, lambda: NOW),
                        told("203.0.113.7"), DONE, told("2001:db8::7"), DONE)  # fmt: skip
    assert [(ask.query[:8], ask.family) for ask in asked] == [
        ("mode=get", 4),
        ("mode=set", 4),
        ("mode=get", 6),
        ("mode=set", 6),
    ]
    assert f"hostname={ONE}.&hash={legacy_hash('203.0.113.7', ONE + '.', SECRET)}" in asked[1].query
    assert all("internalIp" not in ask.query for ask in asked)
    assert reply.kind is Kind.UPDATED


def test_awslabs_sets_another_address_as_an_internal_one_by_whichever_way_leads_there() -> None:
    settings = account("awslabs", ipv6=Source("interface", "eth0"))
    no_way = FamilyAbsent("no IPv6 here")
    asked, reply = play(converse(settings, [ONE], {6: V6}, lambda: NOW), no_way, told("203.0.113.7"), DONE)
    assert [ask.family for ask in asked] == [6, None, 4]
    assert asked[2].query.endswith(f"hash={legacy_hash('203.0.113.7', ONE + '.', SECRET)}&internalIp=2001:db8::7")
    assert reply.kind is Kind.UPDATED
    asked, _ = play(converse(settings, [ONE], {6: V6}, lambda: NOW), told("2001:db8::7"), DONE)
    assert "internalIp" not in asked[1].query, "it is where we come from anyway"
    asked, reply = play(converse(account("awslabs"), [ONE], {6: V6}, lambda: NOW), no_way, told("2001:db8::7"), DONE)
    assert (len(asked), reply.kind, reply.text) == (1, Kind.TRY_LATER, "no IPv6 here")


def test_awslabs_tries_once_more_when_the_hash_does_not_match_for_the_address_may_have_changed() -> None:
    sent: Sent = {4: V4}
    asked, reply = play(converse(account("awslabs"), [ONE], sent, lambda: NOW), told("203.0.113.7"), MISMATCH,
                        told("203.0.113.7"), DONE)  # fmt: skip
    assert (len(asked), reply.kind) == (4, Kind.UPDATED)
    asked, reply = play(converse(account("awslabs"), [ONE], sent, lambda: NOW), told("203.0.113.7"), MISMATCH,
                        told("203.0.113.7"), MISMATCH)  # fmt: skip
    assert (len(asked), reply.kind) == (4, Kind.REFUSED)


@pytest.mark.parametrize("address", ["198.51.100.9", "2001:db8::9"])
def test_awslabs_sets_nothing_when_the_server_sees_another_address_than_a_moment_ago(address: str) -> None:
    asked, reply = play(converse(account("awslabs"), [ONE], {4: V4}, lambda: NOW), told(address))
    assert len(asked) == 1
    assert not reply.kind.is_success


def test_awslabs_v3_posts_and_sends_the_name_without_a_dot() -> None:
    asked, reply = play(converse(account("awslabs-post"), [ONE + "."], {4: V4}, lambda: NOW), told("203.0.113.7"), say(
        {"return_status": "success", "return_message": "h has been updated to 203.0.113.7"}, 201))  # fmt: skip
    assert [ask.method for ask in asked] == ["POST", "POST"]
    assert json.loads(asked[1].body)["ddns_hostname"] == ONE
    assert reply.kind is Kind.UPDATED


# --- the others


def plain(body: str, status: int = 200) -> Heard:
    return Heard(status, (), body.encode())


def test_dyndns2_names_twenty_hosts_a_request_for_a_user_and_one_for_a_hosts_own_secret() -> None:
    names = [f"h{n}.home.example" for n in range(45)]
    asked, reply = play(converse(account("dyndns2", username="alice"), names, {4: V4}, lambda: NOW), plain("good"))
    assert [ask.query.count(",") for ask in asked] == [19, 19, 4]
    assert len(reply.hosts) == 45
    asked, _ = play(converse(account("dyndns2"), names[:3], {4: V4}, lambda: NOW), plain("good 203.0.113.7"))
    assert [ask.query for ask in asked] == [f"hostname=h{n}.home.example&myip=203.0.113.7" for n in range(3)]


def test_what_the_server_is_to_see_has_a_request_of_its_own_over_that_family() -> None:
    asked, _ = play(converse(account("dyndns2"), [ONE], {4: None, 6: None}, lambda: NOW), plain("good 203.0.113.7"))
    assert [(ask.query, ask.family) for ask in asked] == [(f"hostname={ONE}", 4), (f"hostname={ONE}", 6)]
    asked, _ = play(converse(account("dyndns2"), [ONE], {4: None, 6: V6}, lambda: NOW), plain("good"))
    assert [(ask.query, ask.family) for ask in asked] == [
        (f"hostname={ONE}&myip=2001:db8::7", None),
        (f"hostname={ONE}", 4),
    ]


def test_nobody_answers_for_one_name_so_that_the_next_is_not_tried() -> None:
    asked, reply = play(converse(account("dyndns2"), [ONE, TWO], {4: V4}, lambda: NOW), plain("<html>", 200))
    assert (len(asked), reply.kind) == (1, Kind.NOT_A_SERVER)
    asked, reply = play(converse(account("dyndns2"), [ONE, TWO], {4: V4}, lambda: NOW), plain("nohost"), plain("good"))
    assert (len(asked), reply.kind) == (2, Kind.REFUSED)
    assert [host.kind for host in reply.hosts] == [Kind.REFUSED, Kind.UPDATED]


def test_ddupdate_and_duckdns_leave_the_address_to_the_server_over_ipv4_only() -> None:
    hello, ok = plain("Hello!{}"), plain("OK")
    zone = {"zone_id": "Z", "ttl": 60}
    for sent, wanted in [
        ({4: None}, [(4, "fqdn=c.x.y&token=of%20the%20group&ttl=60&zoneid=Z")]),
        ({6: V6}, [(6, "fqdn=c.x.y&token=of%20the%20group&ipv6=2001:db8::7&ttl=60&zoneid=Z")]),
        ({4: None, 6: V6}, [(4, "fqdn=c.x.y&token=of%20the%20group&ipv6=2001:db8::7&ttl=60&zoneid=Z")]),
    ]:
        asked, reply = play(converse(account("ddupdate", **zone), ["c.x.y"], sent, lambda: NOW), hello)  # type: ignore[arg-type]  # families
        assert [(ask.family, ask.query) for ask in asked] == wanted
        assert reply.kind is Kind.UPDATED
    asked, _ = play(converse(account("duckdns", server=""), ["me"], {4: None, 6: V6}, lambda: NOW), ok)
    assert [(ask.family, "ip=" in ask.query, "ipv6=" in ask.query) for ask in asked] == [
        (None, False, True),
        (4, False, False),
    ]


def test_public_networks_are_of_use_elsewhere() -> None:
    assert ClientSettings(public_networks=(ip_network("203.0.113.0/24"),)).may_publish(V4)
    assert not ClientSettings().may_publish(V4)
