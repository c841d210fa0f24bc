"""What `homing lan` says to a server, and what it makes of the answers; requests are those that the clients sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.client.lan import server as lan_server
from homing.client.lan.server import GroupUnknown, list_members, parse_group, set_members
from homing.client.lan.values import Member, Move
from homing.client.remote import Line
from homing.client.replies import unanswered
from homing.core.addresses import parse_address
from homing.core.credentials import legacy_hash
from homing.core.values import replace
from homing.protocols.asking import Heard, Kind, Reply
from homing.settings.client import ClientSettings
from tests.client.servers import Scripted, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.client.dialects import Conversation
    from homing.protocols.asking import Ask

AWSLABS = ClientSettings(
    server="https://abc123.execute-api.us-west-2.amazonaws.com/prod", protocol="awslabs",
    names=("auth.dyn.example.com",), secret="SHARED_SECRET_1", api_key="K",
)  # fmt: skip
SIGNED = replace(AWSLABS, protocol="signed", server="https://ddns.example.com")
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "requests.json").read_text())
GET = '{"return_message": "203.0.113.7", "return_status": "success"}'
GROUP = [
    {"hostname": "auth.dyn.example.com.", "record_type": "A", "mac_address": "00:11:22:33:44:55"},
    {"hostname": "nas.dyn.example.com.", "record_type": "A", "mac_address": "AA:BB:CC:DD:EE:FF"},
    {"hostname": "nas.dyn.example.com.", "record_type": "AAAA", "mac_address": "AA:BB:CC:DD:EE:FF"},
]


class Server:
    """Answers in turn, and keeps what it was asked. None is no answer."""

    def __init__(self, *answers: str | tuple[int, str] | None) -> None:
        self.answers = list(answers)
        self.asked: list[Ask] = []

    def hold(self, conversation: Conversation, settings: ClientSettings, line: Line) -> Reply:
        try:
            ask = next(conversation)
            while True:
                self.asked.append(ask)
                answer = self.answers.pop(0)
                if answer is None:
                    return unanswered("no answer")
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                ask = conversation.send(Heard(status, (), body.encode()))
        except StopIteration as end:
            reply: Reply = end.value
            return reply


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    def start(*answers: str | tuple[int, str] | None) -> Server:
        server = Server(*answers)
        monkeypatch.setattr(lan_server, "hold", server.hold)
        return server

    return start


def move(hostname: str, address: str) -> Move:
    found = parse_address(address)
    return Move(Member(hostname, "A" if found.version == 4 else "AAAA"), found, "seen")


def vector(case: str) -> str:
    found = [one for one in VECTORS if one["client"] == "awslabs-v2" and one["case"] == case]
    return str(found[0]["request"]["target"]).partition("?")[2]


# --- awslabs


def test_awslabs_is_asked_for_its_group_as_its_own_client_asks(serve: Callable[..., Server]) -> None:
    server = serve(GET, json.dumps({"return_message": GROUP, "return_status": "success"}))
    members = list_members(AWSLABS, Line())
    assert [ask.query for ask in server.asked] == ["mode=get", vector("list_hosts")]
    assert {ask.family for ask in server.asked} == {4}
    assert members[1] == Member("nas.dyn.example.com.", "A", "aa:bb:cc:dd:ee:ff")
    assert [one.record_type for one in members] == ["A", "A", "AAAA"]


def test_awslabs_is_told_of_a_neighbour_as_network_discovery_tells_it(serve: Callable[..., Server]) -> None:
    done = json.dumps({"return_message": "Your hostname record has been set to x", "return_status": "success"})
    same = json.dumps({"return_message": "Your IP address matches the current Route53 DNS record.",
                       "return_status": "success"})  # fmt: skip
    server = serve(GET, done, same)
    moves = [move("nas.dyn.example.com.", "192.0.2.50"), move("nas.dyn.example.com.", "2001:db8::50")]
    rows, retry_after = set_members(AWSLABS, moves, Line())
    assert server.asked[1].query == vector("set, internal IPv4 address, from network-discovery.sh")
    assert server.asked[2].query.endswith("&internalIp=2001:db8::50")
    assert [(row.record_type, row.outcome) for row in rows] == [("A", "updated"), ("AAAA", "unchanged")]
    assert retry_after is None


def test_awslabs_is_told_names_as_it_lists_them_and_our_own_as_it_is_written(serve: Callable[..., Server]) -> None:
    entry = {"hostname": "Cam.Home.Example.", "record_type": "A", "mac_address": "00:11:22:33:44:55"}
    server = serve(GET, json.dumps({"return_message": [entry], "return_status": "success"}))
    (found,) = list_members(replace(AWSLABS, names=("Me.Home.Example",)), Line())
    assert (found.hostname, "hostname=Me.Home.Example.&" in server.asked[1].query) == ("cam.home.example.", True)
    server = serve(GET, json.dumps({"return_message": "set", "return_status": "success"}))
    rows, _ = set_members(AWSLABS, [Move(found, parse_address("192.0.2.50"), "seen")], Line())
    digest = legacy_hash("203.0.113.7", "Cam.Home.Example.", "SHARED_SECRET_1")
    assert f"hostname=Cam.Home.Example.&hash={digest}" in server.asked[1].query
    assert [(row.hostname, row.outcome) for row in rows] == [("cam.home.example.", "updated")]


def test_what_awslabs_refuses_for_one_does_not_stop_the_next(serve: Callable[..., Server]) -> None:
    fail = json.dumps({"return_message": "The record for a.b. is locked, update denied.", "return_status": "fail"})
    done = json.dumps({"return_message": "Your hostname record has been set", "return_status": "success"})
    serve(GET, fail, done)
    rows, _ = set_members(AWSLABS, [move("a.b.", "192.0.2.1"), move("c.b.", "192.0.2.2")], Line())
    assert [row.outcome for row in rows] == ["refused", "updated"]
    serve(GET, fail, None)
    rows, _ = set_members(AWSLABS, [move(f"{one}.b.", "192.0.2.1") for one in "acd"], Line())
    assert [row.outcome for row in rows] == ["refused", "try later", "try later"]


def test_a_server_that_asks_to_come_later_is_asked_no_more(serve: Callable[..., Server]) -> None:
    later = json.dumps({"return_message": "There was an issue updating the record, try again later.",
                        "return_status": "fail"})  # fmt: skip
    server = serve(GET, later)
    rows, _ = set_members(AWSLABS, [move(f"{one}.b.", "192.0.2.1") for one in "acd"], Line())
    assert [row.outcome for row in rows] == ["try later"] * 3
    assert len(server.asked) == 2


def test_a_server_without_ipv4_is_asked_by_any_way(serve: Callable[..., Server]) -> None:
    server = serve(None, GET, json.dumps({"return_message": GROUP, "return_status": "success"}))
    assert len(list_members(AWSLABS, Line())) == 3
    assert [ask.family for ask in server.asked] == [4, None, 4]


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ((GET, json.dumps({"return_message": "record lacks read permissions", "return_status": "fail"})), Kind.REFUSED),
        ((GET, "<html>"), Kind.NOT_A_SERVER),
        ((GET, json.dumps({"return_message": "cam", "return_status": "success"})), Kind.NOT_A_SERVER),
        (("<html>",), Kind.NOT_A_SERVER),
        (((403, '{"message":"Forbidden"}'),), Kind.REFUSED),
        ((None, None), Kind.TRY_LATER),
    ],
)
def test_a_group_that_is_not_told_says_why(serve: Callable[..., Server], answers: tuple[Any, ...], kind: Kind) -> None:
    serve(*answers)
    with pytest.raises(GroupUnknown) as caught:
        list_members(AWSLABS, Line())
    assert caught.value.reply.kind is kind


# --- signed


def test_the_group_is_asked_for_with_a_signed_request_and_told_with_all_that_matters(
    serve: Callable[..., Server],
) -> None:
    entry = {"hostname": "cam.dyn.example.com.", "record_type": "AAAA", "mac_address": None, "address": "2001:db8::7",
             "interface_identifier": "::7", "allow_internal": False, "locked": True}  # fmt: skip
    server = serve(json.dumps({"hosts": [entry]}))
    assert list_members(SIGNED, Line()) == (
        Member("cam.dyn.example.com.", "AAAA", None, 7, parse_address("2001:db8::7"), False, is_locked=True),
    )
    assert (server.asked[0].path, json.loads(server.asked[0].body)) == ("/v1/hosts", {"as": "auth.dyn.example.com."})


def test_a_clock_that_is_wrong_is_set_right_by_the_server_once(serve: Callable[..., Server]) -> None:
    skewed = (409, json.dumps({"error": "clock skewed", "server_time": 1_795_240_000_000, "signed_at": 5}))
    server = serve(skewed, json.dumps({"hosts": []}))
    assert list_members(SIGNED, Line()) == ()
    assert "t=1795240000000," in str(server.asked[1].headers)


def outcomes(*entries: tuple[str, str, str, str | None], error: str | None = None) -> Any:
    said = [dict(zip(("hostname", "record_type", "outcome", "address"), one, strict=True)) for one in entries]
    return (403 if error else 200), json.dumps({"outcomes": said} | ({"error": error} if error else {}))


def test_all_are_set_in_one_request(serve: Callable[..., Server]) -> None:
    server = serve(outcomes(("a.b.", "A", "updated", "192.0.2.1"), ("a.b.", "AAAA", "unchanged", "2001:db8::1"),
                            ("c.b.", "A", "updated", "192.0.2.2")))  # fmt: skip
    moves = [move("a.b.", "192.0.2.1"), move("a.b.", "2001:db8::1"), move("c.b.", "192.0.2.2")]
    rows, _ = set_members(SIGNED, moves, Line())
    assert [row.outcome for row in rows] == ["updated", "unchanged", "updated"]
    assert [json.loads(ask.body) for ask in server.asked] == [
        {
            "as": "auth.dyn.example.com.",
            "updates": [
                {"hostname": "a.b.", "addresses": ["192.0.2.1", "2001:db8::1"]},
                {"hostname": "c.b.", "addresses": ["192.0.2.2"]},
            ],
        }
    ]


def test_one_that_is_refused_is_left_out_and_the_others_are_set(serve: Callable[..., Server]) -> None:
    server = serve(
        outcomes(("a.b.", "A", "locked", None), ("c.b.", "A", "updated", "192.0.2.2"), error="locked"),
        outcomes(("c.b.", "A", "updated", "192.0.2.2")),
    )
    rows, _ = set_members(SIGNED, [move("a.b.", "192.0.2.1"), move("c.b.", "192.0.2.2")], Line())
    assert [(row.hostname, row.outcome, row.text.partition(":")[0]) for row in rows] == [
        ("a.b.", "refused", "locked"), ("c.b.", "updated", "seen"),
    ]  # fmt: skip
    assert "`homing host unlock a.b`" in rows[0].text
    assert [one["hostname"] for one in json.loads(server.asked[1].body)["updates"]] == ["c.b."]


def test_a_refusal_that_names_nobody_is_everybodys(serve: Callable[..., Server]) -> None:
    server = serve((401, '{"outcomes": [], "error": "not authenticated"}'))
    rows, _ = set_members(SIGNED, [move("a.b.", "192.0.2.1"), move("c.b.", "192.0.2.2")], Line())
    assert [row.outcome for row in rows] == ["refused", "refused"]
    assert len(server.asked) == 1


def test_a_part_that_was_set_is_told_even_if_no_answer_comes_to_the_next() -> None:
    moves = [move(f"h{number}.dyn.example.com.", "192.0.2.1") for number in range(100)]
    done = [{"hostname": one.member.hostname, "record_type": "A", "outcome": "updated", "address": "192.0.2.1"}
            for one in moves[:90]]  # fmt: skip
    with Scripted(answer(json.dumps({"outcomes": done})), b"") as server:  # then it hangs up
        rows, _ = set_members(replace(SIGNED, server=server.url), moves, Line())
    told = {row.hostname: row.outcome for row in rows}
    assert [told[one.member.hostname] for one in moves] == ["updated"] * 90 + ["try later"] * 10
    assert len(server.requests) == 2


def test_more_than_ninety_addresses_are_split(serve: Callable[..., Server]) -> None:
    moves = [move(f"h{number}.b.", address) for number in range(60) for address in ("192.0.2.1", "2001:db8::1")]

    class Echo(Server):
        def hold(self, conversation: Conversation, settings: ClientSettings, line: Line) -> Reply:
            ask = next(conversation)
            try:
                while True:
                    self.asked.append(ask)
                    said = [(one["hostname"], "AAAA" if ":" in text else "A", "updated", text)
                            for one in json.loads(ask.body)["updates"] for text in one["addresses"]]  # fmt: skip
                    ask = conversation.send(Heard(200, (), outcomes(*said)[1].encode()))
            except StopIteration as end:
                reply: Reply = end.value
                return reply

    echo = Echo()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lan_server, "hold", echo.hold)
        rows, _ = set_members(SIGNED, moves, Line())
    assert {row.outcome for row in rows} == {"updated"}
    assert [sum(len(one["addresses"]) for one in json.loads(ask.body)["updates"]) for ask in echo.asked] == [90, 30]


# --- whatever a server tells


_VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.lists(st.integers(), max_size=2),
                    st.sampled_from(["A", "AAAA", "a.b.", "::7", "192.0.2.1", "00:11:22:33:44:55"]))  # fmt: skip
_KEYS = st.sampled_from(["hostname", "record_type", "mac_address", "interface_identifier", "address", "allow_internal"])


@given(st.one_of(_VALUES, st.lists(st.one_of(_VALUES, st.dictionaries(_KEYS, _VALUES, max_size=6)), max_size=5)))
def test_whatever_a_server_tells_it_is_members_or_no_group(entries: object) -> None:
    found = parse_group(entries)
    assert (found is not None) is isinstance(entries, list)
    for one in found or ():
        assert one.record_type in ("A", "AAAA")
        assert one.address is None or one.address.version == one.version
