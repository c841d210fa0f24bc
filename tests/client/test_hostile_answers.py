"""What half an answer, an answer about half of it, and an answer that lies do to a conversation. No sockets."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from homing.client.dialects import converse
from homing.client.remote import FamilyAbsent, ServerUnreachable
from homing.client.update import _of_reply
from homing.protocols import ddupdate_client, dyndns2_client, signed_client
from homing.protocols.asking import Heard, Kind
from homing.settings.client import ClientSettings
from tests.client.test_dialects import NOW, SECRET, V4, V6, play, say, signature_of, signed_server, told

if TYPE_CHECKING:
    from homing.client.dialects import Sent
    from homing.protocols.asking import Reply

ONE, TWO, THREE = "a.example.com", "b.example.com", "c.example.com"
GONE = ServerUnreachable("ddns.example.com: took too long")
DONE = told("Your hostname record has been set")


def account(protocol: Any, **options: Any) -> ClientSettings:
    return ClientSettings(server="http://ddns.example.com", protocol=protocol, secret=SECRET, **options)


def plain(body: str, status: int = 200) -> Heard:
    return Heard(status, (), body.encode())


def rows(names: list[str], sent: Sent, reply: Reply) -> list[tuple[str, str, str]]:
    return [(row.hostname[0], row.record_type, row.outcome) for name in names for row in _of_reply(name, sent, reply)]


# --- half an answer


def test_what_was_set_before_the_line_broke_is_told_as_set() -> None:
    names = [ONE, TWO, THREE]
    asked, reply = play(converse(account("dyndns2"), names, {4: V4}, lambda: NOW), plain("good 203.0.113.7"), GONE)
    assert len(asked) == 2, "nobody is there, so that the third is not tried"
    assert rows(names, {4: V4}, reply) == [("a", "A", "updated"), ("b", "A", "try later"), ("c", "A", "try later")]
    assert reply.kind is Kind.TRY_LATER


def test_what_one_name_is_refused_for_is_not_said_of_another() -> None:
    names = [ONE, TWO, THREE]
    asked, reply = play(converse(account("awslabs"), names, {4: V4}, lambda: NOW), told("203.0.113.7"),
                        say({"return_message": "The record is locked", "return_status": "fail"}), GONE)  # fmt: skip
    assert len(asked) == 3
    assert rows(names, {4: V4}, reply) == [("a", "A", "refused"), ("b", "A", "try later"), ("c", "A", "try later")]


def test_one_family_that_fails_is_not_covered_by_the_other() -> None:
    locked = say({"return_message": "The record is locked", "return_status": "fail"})
    sent: Sent = {4: V4, 6: V6}
    for last, outcome in ((locked, "refused"), (GONE, "try later"), (plain("<html>"), "not a server")):
        answers = (told("203.0.113.7"), DONE, told("2001:db8::7"), last)
        _, reply = play(converse(account("awslabs"), [ONE], sent, lambda: NOW), *answers)
        assert rows([ONE], sent, reply) == [("a", "A", "updated"), ("a", "AAAA", outcome)]
    for last, outcome in ((plain("nohost"), "refused"), (plain("911"), "try later"), (GONE, "try later")):
        both: Sent = {4: None, 6: None}
        _, reply = play(converse(account("dyndns2"), [ONE], both, lambda: NOW), plain("good"), last)
        assert rows([ONE], both, reply) == [("a", "A", "updated"), ("a", "AAAA", outcome)]
        told_one: Sent = {4: None, 6: V6}
        _, reply = play(converse(account("duckdns"), [ONE], told_one, lambda: NOW), plain("OK"),
                        plain("KO") if outcome == "refused" else GONE)  # fmt: skip
        assert rows([ONE], told_one, reply)[1] == ("a", "AAAA", "updated")
        assert rows([ONE], told_one, reply)[0][2] == outcome


def test_a_family_that_is_absent_leaves_the_other_alone() -> None:
    settings = account("awslabs")
    answers = (FamilyAbsent("no IPv4 address"), told("2001:db8::7"), DONE)
    _, reply = play(converse(settings, [ONE], {4: V4, 6: V6}, lambda: NOW), *answers)
    assert rows([ONE], {4: V4, 6: V6}, reply) == [("a", "A", "try later"), ("a", "AAAA", "updated")]


def test_a_server_that_asks_for_half_an_hour_is_not_asked_about_the_next_twenty_names() -> None:
    names = [f"h{number}.example.com" for number in range(45)]
    asked, reply = play(converse(account("dyndns2", username="alice"), names, {4: V4}, lambda: NOW), plain("911"))
    assert (len(asked), reply.retry_after) == (1, 1800)
    assert {outcome for _, _, outcome in rows(names, {4: V4}, reply)} == {"try later"}


def test_the_first_of_several_parts_of_a_group_stays_set_when_the_second_gets_no_answer() -> None:
    names = [f"h{number}.example.com" for number in range(100)]
    _, reply = play(converse(account("signed"), names, {4: V4}, lambda: NOW), signed_server, GONE)
    outcomes = [outcome for _, _, outcome in rows(names, {4: V4}, reply)]
    assert outcomes == ["updated"] * 90 + ["try later"] * 10


# --- times that somebody on the way would like to see signed

LATER = NOW + 30 * 86_400_000


def stale(server_time: int, signed_at: object) -> Heard:
    return say({"outcomes": [], "error": "stale", "server_time": server_time, "signed_at": signed_at}, 409)


def test_nobody_on_the_way_gets_a_signature_for_next_month() -> None:
    """With it, today's address could be set again then, when it is somebody else's."""
    asked, reply = play(converse(account("signed"), [ONE], {4: V4}, lambda: NOW), stale(NOW + 1, LATER), signed_server)
    assert [signature_of(ask) for ask in asked] == [NOW]
    assert reply.kind is Kind.TRY_LATER
    assert "set the clock" in reply.text


def test_over_tls_the_server_is_believed() -> None:
    settings = ClientSettings(server="https://ddns.example.com", secret=SECRET)
    asked, _ = play(converse(settings, [ONE], {4: V4}, lambda: NOW), stale(NOW + 1, LATER), signed_server)
    assert [signature_of(ask) for ask in asked] == [NOW, LATER + 1]


# --- words of others that look like the server's


@pytest.mark.parametrize("status", [200, 400, 401, 403])
@pytest.mark.parametrize("error", ["login required", "forbidden", "", "Locked", "not_authenticated"])
def test_a_no_in_json_that_is_not_our_servers_is_not_final(error: str, status: int) -> None:
    body = json.dumps({"error": error, "detail": "see http://portal.example"})
    reply = signed_client.read_answer(plain(body, status), {ONE: {4: V4}})
    assert (reply.kind, reply.is_final) == (Kind.NOT_A_SERVER, False)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("good morning", Kind.NOT_A_SERVER), ("good", Kind.UPDATED), ("good 203.0.113.7 (set)", Kind.UPDATED),
        ("good 203.0.113.7, 2001:db8::7", Kind.REFUSED), ("good 203.0.113.7,", Kind.UPDATED),
        ("nochg the address", Kind.NOT_A_SERVER), ("abuse", Kind.REFUSED), ("abuse 203.0.113.7", Kind.REFUSED),
        ("abuse of our network", Kind.NOT_A_SERVER), ("nohost is not yours", Kind.REFUSED), ("good ,", Kind.UPDATED),
    ],
)  # fmt: skip
def test_a_code_of_dyndns2_is_followed_by_an_address_or_nothing(body: str, kind: Kind) -> None:
    assert dyndns2_client.read_answer(plain(body), [ONE], {4: ip_address("203.0.113.7")}).kind is kind


@pytest.mark.parametrize("line", ["good morning", ",", "OK", "abuse of our network"])
def test_a_line_that_is_none_of_dyndns2s_is_no_success_for_its_name(line: str) -> None:
    reply = dyndns2_client.read_answer(plain(f"good 203.0.113.7\n{line}"), [ONE, TWO], {4: V4})
    assert [host.kind for host in reply.hosts] == [Kind.UPDATED, Kind.REFUSED]
    assert "unknown answer" in reply.hosts[1].text


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ("Hello!{   'fqdn': 'a.example.com'}", 200, Kind.UPDATED), ("Hello! a.b. updated x", 200, Kind.UPDATED),
        ("Hello! a.example.com. unchanged", 200, Kind.UNCHANGED), ("Hello!", 200, Kind.NOT_A_SERVER),
        ("Hello! Please sign in", 200, Kind.NOT_A_SERVER), ("Hello!{}\nInvalid token", 403, Kind.REFUSED),
        ("This name is locked\n", 403, Kind.REFUSED), ("Access denied", 403, Kind.NOT_A_SERVER),
        ("Bad request", 400, Kind.NOT_A_SERVER), ("", 403, Kind.NOT_A_SERVER),
    ],
)  # fmt: skip
def test_ddupdates_words_are_known(body: str, status: int, kind: Kind) -> None:
    assert ddupdate_client.read_answer(plain(body, status), ONE).kind is kind


def test_every_word_with_which_our_server_refuses_a_token_is_known() -> None:
    from homing.protocols import ddupdate

    for status, words in ddupdate._REFUSALS.values():
        reply = ddupdate_client.read_answer(plain(words + "\n", status), ONE)
        assert (reply.kind, reply.is_final) == (Kind.REFUSED, True)
