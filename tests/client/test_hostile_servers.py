"""Each protocol against everything that may answer instead of its server: never a success, never an exception."""

from __future__ import annotations

import json
import time
import tracemalloc
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from homing.client.lan.server import GroupUnknown, list_members
from homing.client.remote import Line
from homing.client.sources import NoAddress, find_address
from homing.client.update import Result, update
from homing.settings.client import ClientSettings, Protocol, Source
from tests.client.hostile_servers import ENDLESS, EVERYTHING, REDIRECTS, SENT, redirect
from tests.client.servers import Scripted, answer

if TYPE_CHECKING:
    from tests.client.servers import Part

NAME = "a.example.com"
SECRET = "s3cret-of-a-host-0123456789abcdef"
PROTOCOLS: tuple[Protocol, ...] = ("signed", "awslabs", "awslabs-post", "dyndns2", "ddupdate", "duckdns")
PUBLIC = (ip_network("203.0.113.0/24"),)
SECONDS = 5.0
"""Far more than a request may take here, since the machine may be busy."""


def account(server: str, protocol: Protocol = "signed", **options: Any) -> ClientSettings:
    given: dict[str, Any] = {
        "server": server, "protocol": protocol, "secret": SECRET, "names": (NAME,), "timeout": 0.4, "zone_id": "Z",
        "ipv4": Source("address", SENT), "ipv6": Source("none"), "public_networks": PUBLIC,
    }  # fmt: skip
    return ClientSettings(**(given | options))


def check_told(text: str) -> None:
    """Check that a person can be shown this."""
    assert text
    assert text.isprintable(), "nothing that a terminal obeys"
    assert len(text) < 300
    assert SECRET not in text
    assert "Error" not in text, "no exception's name"


def check_nothing_was_set(result: Result) -> None:
    for row in result.rows:
        assert row.outcome in ("try later", "not a server", "refused"), row
        check_told(row.text)


def told_address() -> bytes:
    return answer(json.dumps({"return_message": SENT, "return_status": "success"}))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("what", EVERYTHING)
def test_whatever_answers_an_update_nothing_counts_as_set(protocol: Protocol, what: str) -> None:
    first = (told_address(),) if protocol.startswith("awslabs") else ()
    begun = time.monotonic()
    with Scripted(*first, EVERYTHING[what]) as server:
        result = update(account(server.url, protocol))
    assert time.monotonic() - begun < SECONDS
    check_nothing_was_set(result)
    if "portal" in what or "redirect" in what:
        assert [row.outcome for row in result.rows] != ["refused"], "a portal's word is not the server's"
    assert len(server.requests) <= 4
    for request in server.requests:
        assert b"203.0.113.7" in request or first or protocol == "duckdns"


@pytest.mark.parametrize("protocol", ["awslabs", "awslabs-post"])
@pytest.mark.parametrize("what", EVERYTHING)
def test_whatever_answers_the_question_for_our_address_nothing_is_set(protocol: Protocol, what: str) -> None:
    with Scripted(EVERYTHING[what]) as server:
        check_nothing_was_set(update(account(server.url, protocol)))
    assert not any(b"hash" in request for request in server.requests)


@pytest.mark.parametrize("protocol", ["signed", "awslabs", "awslabs-post"])
@pytest.mark.parametrize("what", EVERYTHING)
def test_whatever_answers_a_reflector_no_address_comes_of_it(protocol: Protocol, what: str) -> None:
    with Scripted(EVERYTHING[what]) as server:
        for source in (Source("reflector"), Source("url", server.url)):
            with pytest.raises(NoAddress) as caught:
                find_address(account(server.url, protocol, ipv4=source), 4, Line(timeout=0.4))
            check_told(str(caught.value))


@pytest.mark.parametrize("protocol", ["signed", "awslabs"])
@pytest.mark.parametrize("what", EVERYTHING)
def test_whatever_answers_for_a_group_it_is_not_known(protocol: Protocol, what: str) -> None:
    first = (told_address(),) if protocol == "awslabs" else ()
    with Scripted(*first, EVERYTHING[what]) as server, pytest.raises(GroupUnknown) as caught:
        list_members(account(server.url, protocol), Line(timeout=0.4))
    check_told(str(caught.value))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_redirect_is_followed_wherever_it_leads(protocol: Protocol) -> None:
    with Scripted(answer(f"good {SENT}\n")) as trap:
        for number in (301, 302, 303, 307, 308):
            with Scripted(redirect(number, trap.url)) as server:
                result = update(account(server.url, protocol))
            assert [row.outcome for row in result.rows] == ["not a server"]
            assert f"HTTP {number}" in result.rows[0].text
            assert "token=" not in result.rows[0].text
        assert trap.requests == []
    assert len(REDIRECTS) > 5


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_takes_no_room(what: str) -> None:
    with Scripted(ENDLESS[what]) as server:
        update(account(server.url, "dyndns2"))
        tracemalloc.start()
        try:
            update(account(server.url, "dyndns2"))
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most < 4 * 1024 * 1024


# --- answers of the right shape, about something else

_OTHERS = ("127.0.0.1", "203.0.113.8", "10.0.0.1", "0.0.0.0", "2001:db8::7", "::1")


def says(protocol: Protocol, address: str) -> bytes:
    match protocol:
        case "dyndns2":
            return answer(f"good {address}\n")
        case "duckdns":
            return answer(f"OK\n{address}\n\nUPDATED" if ":" not in address else f"OK\n\n{address}\nUPDATED")
        case "signed":
            entry = {"hostname": NAME + ".", "record_type": "A", "outcome": "updated", "address": address}
            return answer(json.dumps({"outcomes": [entry]}))
    return answer(json.dumps({"return_message": address, "return_status": "success"}))


@pytest.mark.parametrize("protocol", ["dyndns2", "signed", "awslabs", "awslabs-post"])
@pytest.mark.parametrize("address", _OTHERS)
def test_a_success_about_another_address_is_none(protocol: Protocol, address: str) -> None:
    source = {"ipv4": Source("reflector")} if protocol.startswith("awslabs") else {}
    with Scripted(says(protocol, address)) as server:
        result = update(account(server.url, protocol, **source, public_networks=()))
    check_nothing_was_set(result)
    assert not any(b"hash" in request for request in server.requests)


@pytest.mark.parametrize("address", ["127.0.0.1", "203.0.113.8", "10.0.0.1", "0.0.0.0"])
def test_duckdns_too_has_to_say_the_address_that_was_sent(address: str) -> None:
    with Scripted(says("duckdns", address)) as server:
        check_nothing_was_set(update(account(server.url, "duckdns")))


def outcome(hostname: str = NAME + ".", **more: object) -> dict[str, object]:
    return {"hostname": hostname, "record_type": "A", "outcome": "updated", "address": SENT} | more


@pytest.mark.parametrize(
    "outcomes",
    [
        [outcome("other.example.com.")], [outcome("b.example.com.")], [outcome(""), outcome("x" * 9999)],
        [outcome(), outcome(address="203.0.113.9")], [outcome(), outcome(outcome="deleted")], [outcome(), None],
        [outcome(outcome="UPDATED")], [outcome(address=7)], [outcome() | {"hostname": None}], [outcome(address="")],
        [outcome(address="203.0.113.7 "), outcome(address="2001:db8::1")], [outcome(address="fe80::1%eth0")],
    ],
)  # fmt: skip
def test_outcomes_of_others_fewer_or_contradictory_ones_are_no_success(outcomes: list[object]) -> None:
    with Scripted(answer(json.dumps({"outcomes": outcomes}))) as server:
        check_nothing_was_set(update(account(server.url)))


def test_what_is_said_of_strangers_besides_changes_nothing() -> None:
    body = json.dumps({"outcomes": [outcome("evil.example."), outcome(), outcome(record_type="AAAA")]})
    with Scripted(answer(body)) as server:
        result = update(account(server.url))
    assert [(row.hostname, row.record_type, row.address, row.outcome) for row in result.rows] == [
        (NAME, "A", SENT, "updated")
    ]


@pytest.mark.parametrize("body", ["good\n,\n", ",", "good ,", ",good", "nohost ,\n,", "good 203.0.113.7\n,,"])
def test_lines_of_commas_are_read_like_any_other(body: str) -> None:
    with Scripted(answer(body)) as server:
        result = update(account(server.url, "dyndns2", username="alice", names=(NAME, "b.example.com")))
    for row in result.rows:
        assert row.outcome in ("refused", "not a server", "updated")


# --- what a server says about time


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0), (" 17 ", 17), ("86401", 86_400), ("9" * 80, 86_400), ("-5", None), ("10.5", None), ("1e3", None),
        ("5, 7", None), ("soon", None), ("", None), ("0x10", None), ("\u0664", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None), ("\x1b[2J", None), ("9" * 5000, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("protocol", ["signed", "dyndns2", "ddupdate", "duckdns"])
def test_no_server_makes_us_wait_for_more_than_a_day(protocol: Protocol, value: str, seconds: int | None) -> None:
    head = f"HTTP/1.1 503 No\r\nContent-Length: 1\r\nRetry-After: {value}\r\n\r\nx"
    with Scripted(head.encode("utf-8")) as server:
        result = update(account(server.url, protocol))
    assert [row.outcome for row in result.rows] == ["try later"]
    assert result.retry_after == seconds


@pytest.mark.parametrize("said", ["w999999h", "w999999m", "w86401s", "w999999"])
def test_dyns_own_way_to_ask_for_patience_has_the_same_bound(said: str) -> None:
    with Scripted(answer(said + "\n")) as server:
        assert update(account(server.url, "dyndns2")).retry_after == 86_400


@pytest.mark.parametrize(
    ("server_time", "signed_at", "times"),
    [
        (-62_135_596_800_000, None, 1), (253_402_300_799_000, None, 1), ("2026-11-21", None, 1), (1e300, None, 1),
        (True, None, 1), ([], {}, 1), (1, None, 2), (1, -1, 2), (1, "x", 2), (64_000_000_000_000, 10**30, 2),
    ],
)  # fmt: skip
def test_a_servers_clock_is_believed_once_or_not_at_all(server_time: object, signed_at: object, times: int) -> None:
    body = {"outcomes": [], "error": "clock skewed", "server_time": server_time, "signed_at": signed_at}
    with Scripted(answer(json.dumps(body), "409 Conflict")) as server:
        result = update(account(server.url))
    assert len(server.requests) == times
    assert [row.outcome for row in result.rows] == ["try later"]
    check_told(result.rows[0].text)


# --- any bytes at all

_PIECES = st.lists(
    st.sampled_from(
        [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200\r\n", b"HTTP/1.1 503 x\r\n", b"HTTP/1.1 100 C\r\n", b"\r\n", b"\n",
         b"\r", b"Content-Length: 4\r\n", b"Content-Length: 99\r\n", b"Transfer-Encoding: chunked\r\n",
         b"4\r\n", b"0\r\n\r\n", b"Retry-After: 5\r\n", b"Location: x\r\n",
         b" folded\r\n", b":", b"good", b"good 203.0.113.7\n", b"<html>",
         b"{}", b"OK", b"\0", b"\xff", b'{"return_status": "success", "return_message": "x"}', b"nohost\n", b","]
    )
    | st.binary(max_size=8),
    max_size=12,
).map(b"".join)  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
@effort(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=_PIECES)
def test_any_bytes_for_an_answer_are_a_verdict_in_words(protocol: Protocol, data: bytes) -> None:
    first: tuple[Part | bytes, ...] = (told_address(),) if protocol.startswith("awslabs") else ()
    with Scripted(*first, data) as server:
        result = update(account(server.url, protocol))
    for row in result.rows:
        assert row.text.isprintable()
        if row.outcome in ("updated", "unchanged"):
            assert any(word in data for word in (b"good", b"OK", b"success")), "only what says so is a success"
