"""The client's half of each protocol: what the server's half makes of it, and what is made of any answer.

Answers are those that the originals give (recorded, or out of their sources), our own server's, and nonsense.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.credentials import LegacyHash, Password, SignedRequest, Token
from homing.core.outcomes import Answer, HostOutcome, Outcome, RRsetOutcome
from homing.protocols import (
    awslabs,
    awslabs_client,
    ddupdate,
    ddupdate_client,
    duckdns,
    dyndns2,
    dyndns2_client,
    signed,
    signed_client,
)
from homing.protocols.asking import Ask, Heard, Kind, Reply, merge, retry_after, shorten
from homing.protocols.http import Request, Response
from tests.protocols.strategies import V4, V6

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.core.addresses import Address
    from homing.protocols.asking import Family

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "requests.json").read_text())
BOTH: Mapping[Family, Address] = {4: V4, 6: V6}
ONLY_4: Mapping[Family, Address] = {4: V4}
NAME = "cam.home.example."
SECRET = "SHARED_SECRET_1"
PAGE = "<html><head><title>Welcome to Hotel WiFi</title></head><body>good OK success Hello! 203.0.113.7</body></html>"


def heard(body: str | bytes, status: int = 200, **headers: str) -> Heard:
    raw = body.encode() if isinstance(body, str) else body
    return Heard(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), raw)


def as_request(ask: Ask, path: str = "") -> Request:
    headers = tuple((name.lower(), value) for name, value in ask.headers)
    return Request(ask.method, path or ask.path or "/", ask.query, headers, ask.body, V4)


def as_heard(response: Response) -> Heard:
    return Heard(response.status, response.headers, response.body)


def vector(case: str) -> dict[str, Any]:
    (found,) = [one["request"] for one in VECTORS if one["case"] == case]
    return dict(found)


# --- the same bytes as the originals


def test_awslabs_v2_sends_what_its_own_client_sends() -> None:
    get = awslabs_client.make_get(4, is_post=False)
    assert "/prod?" + get.query == vector("get, no API key")["target"]
    ask = awslabs_client.make_set(SECRET, "host1.dyn.example.com.", V4, None, is_post=False)
    assert "/prod?" + ask.query == vector("set, --ip-source public, API key")["target"]
    six = awslabs_client.make_set(SECRET, "h6.dyn.example.com.", V6, None, is_post=False)
    assert ("/prod?" + six.query, six.family) == (vector("set, IPv6, --ip-source public")["target"], 6)
    nas = awslabs_client.make_set(SECRET, "nas.dyn.example.com.", V4, ip_address("192.0.2.50"), is_post=False)
    case = "set, internal IPv4 address, from network-discovery.sh"
    assert ("/prod?" + nas.query, nas.family) == (vector(case)["target"], 4)
    group = awslabs_client.make_list(SECRET, "auth.dyn.example.com.", V4)
    assert "/prod?" + group.query == vector("list_hosts")["target"]


def test_awslabs_v3_sends_what_its_own_client_sends() -> None:
    get = awslabs_client.make_get(4, is_post=True)
    assert (get.method, get.body.decode()) == ("POST", vector("get")["body"])
    ask = awslabs_client.make_set(SECRET, "www.example.com", V4, None, is_post=True)
    assert (ask.method, json.loads(ask.body)) == ("POST", json.loads(vector("set")["body"]))


def test_ddupdate_sends_what_its_own_client_sends() -> None:
    token = "d1bc8d3ba4afc7e109612cb73acbdddac052c93025aa1f82942edabb7deb82a1"
    ask = ddupdate_client.make_update("host.example.com", "AIE8FCNN2NC9EU", token, {}, None)
    assert "/Production?" + ask.query == vector("all values from the configuration file")["target"]
    assert ask.family == 4, "the reference puts the source address into an A record, whatever it is"
    full = ddupdate_client.make_update("host.example.com", "Z", "T", BOTH, 60)
    assert full.query == "fqdn=host.example.com&token=T&ipv4=203.0.113.7&ipv6=2001:db8::7&ttl=60&zoneid=Z"


def test_dyndns2_sends_what_ddclient_sends() -> None:
    recorded = next(one["request"] for one in VECTORS if one["version"] == "4.0.0")
    names = ["h1.dyn.example.com", "h2.dyn.example.com"]
    ask = dyndns2_client.make_update("", names, BOTH, "alice", "s3:cr/et")
    assert recorded["target"].startswith(f"{ask.path}?{ask.query}&wildcard")
    sent = {name.lower(): value for name, value in recorded["headers"]}
    assert dict(ask.headers)["authorization"] == sent["authorization"]
    assert dyndns2_client.make_update("/v3/update", names, {}, "a", "b").path == ""
    assert "myip" not in dyndns2_client.make_update("/", names, {}, "a", "b").query


def test_duckdns_asks_for_the_long_answer_and_takes_names_with_or_without_a_dot() -> None:
    ask = duckdns.make_update("", ["me", "you.duckdns.org."], "T", BOTH)
    assert (ask.path, ask.family) == ("/update", None)
    assert ask.query == "domains=me,you.duckdns.org&token=T&ip=203.0.113.7&ipv6=2001:db8::7&verbose=true"
    assert duckdns.make_update("/update", ["me"], "T", {}).family == 4
    assert (
        duckdns.make_update("/update", ["me"], "T", {6: V6}).query == "domains=me&token=T&ipv6=2001:db8::7&verbose=true"
    )


# --- what our own server understands, and what its answers mean

_SENDS: Mapping[str, tuple[Ask, Any]] = {
    "signed": (signed_client.make_update(SECRET, 1_795_240_000_000, NAME, [V4, V6]), SignedRequest),
    "group": (
        signed_client.make_group_update(
            SECRET, 1_795_240_000_000, NAME, [{"hostname": NAME, "addresses": [str(V4), str(V6)]}]
        ),
        SignedRequest,
    ),
    "dyndns2": (dyndns2_client.make_update("", [NAME.rstrip(".")], BOTH, NAME.rstrip("."), SECRET), Password),
    "ddupdate": (ddupdate_client.make_update(NAME, "Z1", "0" * 64, BOTH, None), Token),
    "awslabs": (awslabs_client.make_set(SECRET, NAME, V4, None, is_post=False), LegacyHash),
    "awslabs-post": (awslabs_client.make_set(SECRET, NAME, V4, None, is_post=True), LegacyHash),
}
_PARSE: Mapping[str, Callable[[Request, Address], Any]] = {
    "signed": signed.parse,
    "group": signed.parse,
    "dyndns2": dyndns2.parse,
    "ddupdate": ddupdate.parse,
    "awslabs": awslabs.parse,
    "awslabs-post": awslabs.parse,
}


@pytest.mark.parametrize("protocol", _SENDS)
def test_the_servers_half_understands_the_clients(protocol: str) -> None:
    ask, proof = _SENDS[protocol]
    asked = _PARSE[protocol](as_request(ask), V4)
    assert not isinstance(asked, Response), asked
    update = getattr(asked, "update", asked)
    assert isinstance(update.proof, proof)
    assert update.identity == NAME
    wanted = {"A": V4} if "awslabs" in protocol else {"A": V4, "AAAA": V6}
    assert {kind: wish.address for kind, wish in update.updates[0].wishes.items()} == wanted
    if not isinstance(update.proof, Token):
        assert update.proof.matches(SECRET)


def _reply(protocol: str, outcome: Outcome) -> Reply:
    """What the client makes of what the server answers to its request."""
    sent = ONLY_4 if "awslabs" in protocol else BOTH
    asked = _PARSE[protocol](as_request(_SENDS[protocol][0]), V4)
    types = {4: "A", 6: "AAAA"}
    good = outcome.is_success
    rrsets = tuple(
        RRsetOutcome(types[family], outcome, str(address) if good else None)  # type: ignore[arg-type]  # one of both
        for family, address in sent.items()
    )
    answer = Answer(outcome, (HostOutcome(NAME, outcome, rrsets),), server_time=5, signed_at=4, retry_after=7)
    match protocol:
        case "signed" | "group":
            return signed_client.read_answer(as_heard(signed.render(answer)), {NAME: sent})
        case "dyndns2":
            return dyndns2_client.read_answer(as_heard(dyndns2.render(asked, answer)), [NAME], sent)
        case "ddupdate":
            return ddupdate_client.read_answer(as_heard(ddupdate.render(answer)), NAME)
    return awslabs_client.read_answer(as_heard(awslabs.render(asked, answer)), NAME)


_TRY_LATER = (Outcome.UNAVAILABLE, Outcome.PUBLISH_REJECTED)


@pytest.mark.parametrize("protocol", _SENDS)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_of_our_server_is_heard_as_what_it_is(protocol: str, outcome: Outcome) -> None:
    reply = _reply(protocol, outcome)
    if outcome.is_success:
        wanted = Kind.UPDATED if outcome is Outcome.UPDATED else Kind.UNCHANGED
        assert reply.kind is wanted
        assert {host.hostname for host in reply.hosts} == {NAME}
    elif outcome in _TRY_LATER:
        assert reply.kind is Kind.TRY_LATER
    else:
        assert not reply.kind.is_success
        assert reply.text


def test_what_will_pass_says_when_and_what_will_not_is_final() -> None:
    for protocol in ("signed", "dyndns2", "ddupdate"):
        assert _reply(protocol, Outcome.UNAVAILABLE).retry_after == 7
    for protocol in _SENDS:
        reply = _reply(protocol, Outcome.NOT_AUTHENTICATED)
        assert reply.kind is Kind.REFUSED
        assert reply.is_final == ("awslabs" not in protocol), "the hash may be wrong because the address has changed"
        assert _reply(protocol, Outcome.NO_SUCH_HOST).kind is Kind.REFUSED


@pytest.mark.parametrize("outcome", [Outcome.SKEWED, Outcome.STALE])
def test_a_signed_answer_about_the_clock_brings_the_servers(outcome: Outcome) -> None:
    reply = _reply("signed", outcome)
    assert (reply.kind, reply.server_time, reply.newest) == (Kind.TRY_LATER, 5, 4)


# --- answers of others


def read_dyndns2(body: str, status: int = 200, *names: str, **headers: str) -> Reply:
    return dyndns2_client.read_answer(heard(body, status, **headers), names or (NAME,), ONLY_4)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("good 203.0.113.7", Kind.UPDATED), ("good 203.0.113.7\r\n", Kind.UPDATED), ("\ngood\n", Kind.UPDATED),
        ("nochg 203.0.113.7", Kind.UNCHANGED), ("good 203.0.113.7 2001:db8::7", Kind.REFUSED),
        ("good 127.0.0.1", Kind.REFUSED), ("good 203.0.113.8", Kind.REFUSED), ("goodbye", Kind.NOT_A_SERVER),
        ("GOOD 203.0.113.7", Kind.NOT_A_SERVER), ("all is good", Kind.NOT_A_SERVER), ("", Kind.NOT_A_SERVER),
        ("badauth", Kind.REFUSED), ("nohost", Kind.REFUSED), ("notfqdn", Kind.REFUSED), ("!yours", Kind.REFUSED),
        ("numhost", Kind.REFUSED), ("abuse", Kind.REFUSED), ("badagent", Kind.REFUSED), ("!donator", Kind.REFUSED),
        ("911", Kind.TRY_LATER), ("dnserr", Kind.TRY_LATER), ("w30m", Kind.TRY_LATER), (PAGE, Kind.NOT_A_SERVER),
        ("OK", Kind.NOT_A_SERVER), ("good 203.0.113.7\nnochg 203.0.113.7", Kind.UPDATED),
        ("good 203.0.113.7\nnohost", Kind.REFUSED), ("good\n<html>", Kind.REFUSED),
    ],
)  # fmt: skip
def test_dyndns2_return_codes(body: str, kind: Kind) -> None:
    reply = read_dyndns2(body)
    assert reply.kind is kind
    assert reply.is_final == (kind is Kind.REFUSED)


def test_dyndns2_waits_as_the_specification_demands() -> None:
    assert read_dyndns2("911").retry_after == 1800
    assert read_dyndns2("911", 503, retry_after="60").retry_after == 60
    assert read_dyndns2("911", 503, retry_after="0").retry_after == 0
    assert read_dyndns2("w30m").retry_after == 1800
    assert read_dyndns2("w2h").retry_after == 7200
    assert read_dyndns2("dnserr").retry_after is None
    assert read_dyndns2("x", 429, retry_after="120") == Reply(Kind.TRY_LATER, "HTTP 429", 120)


def test_dyndns2_reads_line_by_line_and_one_line_for_all() -> None:
    reply = read_dyndns2("good 203.0.113.7\nnohost", 200, "a.example", "b.example")
    assert [host.kind for host in reply.hosts] == [Kind.UPDATED, Kind.REFUSED]
    assert reply.kind is Kind.REFUSED
    one = read_dyndns2("good", 200, "a.example", "b.example")
    assert (one.kind, [host.hostname for host in one.hosts]) == (Kind.UPDATED, ["a.example", "b.example"])
    assert read_dyndns2("good 1.2.3.4", 201).kind is Kind.REFUSED
    three = read_dyndns2("good\ngood", 200, "a.example", "b.example", "c.example")
    assert (three.kind, three.is_final) == (Kind.REFUSED, False)
    assert read_dyndns2("<html>401 Authorization Required</html>", 401).kind is Kind.REFUSED


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ("Hello!{'fqdn': 'host.example.com'}\n{'Changes': []}\n{'ResponseMetadata': {}}", 200, Kind.UPDATED),
        ("Hello!{'fqdn': 'host.example.com'}\n{'Changes': []}\nEncountered error: AccessDenied", 200, Kind.TRY_LATER),
        ("Hello!{'fqdn': 'host.example.com'}\n{'Changes': []}\nInvalid token", 403, Kind.REFUSED),
        ("Missing query string", 500, Kind.REFUSED),
        ("Missing essential parameters", 501, Kind.REFUSED),
        ('{"message": "Internal server error"}', 502, Kind.TRY_LATER),
        ('{"message":"Forbidden"}', 403, Kind.REFUSED),
        ("Hello! host.example.com unchanged 203.0.113.7\n", 200, Kind.UNCHANGED),
        (PAGE, 200, Kind.NOT_A_SERVER), ("welcome", 200, Kind.NOT_A_SERVER), ("Hello!", 201, Kind.NOT_A_SERVER),
    ],
)  # fmt: skip
def test_ddupdate_answers_of_the_reference(body: str, status: int, kind: Kind) -> None:
    assert ddupdate_client.read_answer(heard(body, status), "host.example.com").kind is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("OK", Kind.UPDATED), ("OK\n203.0.113.7\n\nUPDATED", Kind.UPDATED),
        ("OK\n203.0.113.7\n\nNOCHANGE", Kind.UNCHANGED),
        ("OK\n203.0.113.7\n2001:db8::1\nUPDATED", Kind.UPDATED), ("OK\n203.0.113.9\n\nUPDATED", Kind.REFUSED),
        ("KO", Kind.REFUSED), ("OKAY", Kind.NOT_A_SERVER), ("OK\nwelcome", Kind.NOT_A_SERVER),
        (PAGE, Kind.NOT_A_SERVER),
    ],
)  # fmt: skip
def test_duckdns_answers(body: str, kind: Kind) -> None:
    assert duckdns.read_answer(heard(body), ["me"], ONLY_4).kind is kind


def test_duckdns_that_tells_only_of_the_family_that_was_not_sent_has_set_nothing() -> None:
    assert duckdns.read_answer(heard("OK\n203.0.113.7\n\nUPDATED"), ["me"], {6: V6}).kind is Kind.REFUSED
    assert duckdns.read_answer(heard("OK\n\n2001:db8::7\nUPDATED"), ["me"], {6: V6}).kind is Kind.UPDATED


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("not authenticated", "the secret is not that of cam.home.example, or there is no such host"),
        ("locked", "`homing host unlock cam.home.example`"),
        ("no read privilege", "`homing host set cam.home.example --read-privilege`"),
    ],
)
def test_a_refusal_of_the_signed_request_says_what_to_do(error: str, hint: str) -> None:
    reply = signed_client.read_answer(heard(json.dumps({"error": error}), 403), {}, "cam.home.example.")
    assert reply.kind is Kind.REFUSED
    assert reply.text.startswith(f"{error}: ")
    assert hint in reply.text
    other = {"hostname": "nas.home.example.", "outcome": error}
    reply = signed_client.read_answer(heard(json.dumps({"error": error, "outcomes": [ONE, other]}), 403), {}, "me.")
    assert hint.replace("cam.", "nas.") in reply.text


def v2(status: str, message: str) -> str:
    return json.dumps({"return_message": message, "return_status": status})


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (v2("success", "Your hostname record h. has been set to 203.0.113.7"), 200, Kind.UPDATED),
        (v2("success", "Your IP address matches the current Route53 DNS record."), 200, Kind.UNCHANGED),
        (v2("success", "h has been updated to 203.0.113.7"), 201, Kind.UPDATED),
        (v2("fail", "Validation hashes do not match."), 200, Kind.REFUSED),
        (v2("fail", "Validation hashes do not match."), 401, Kind.REFUSED),
        (v2("fail", "The record for h is locked, update denied."), 200, Kind.REFUSED),
        (v2("fail", "Unknown error"), 500, Kind.TRY_LATER),
        (v2("success", "h has been updated"), 500, Kind.TRY_LATER),
        ('{"errorMessage": "KeyError", "errorType": "KeyError"}', 200, Kind.REFUSED),
        ('{"message": "Internal server error"}', 502, Kind.TRY_LATER),
        ('{"message":"Forbidden"}', 403, Kind.REFUSED),
        ('{"return_status": "success"}', 200, Kind.NOT_A_SERVER),
        ('["success"]', 200, Kind.NOT_A_SERVER), ("null", 200, Kind.NOT_A_SERVER), (PAGE, 200, Kind.NOT_A_SERVER),
    ],
)  # fmt: skip
def test_awslabs_answers_of_the_references(body: str, status: int, kind: Kind) -> None:
    assert awslabs_client.read_answer(heard(body, status), "h").kind is kind


def test_awslabs_get_tells_an_address_or_why_not() -> None:
    assert awslabs_client.read_get(heard(v2("success", "203.0.113.7"))) == V4
    assert awslabs_client.read_get(heard(v2("success", "2001:DB8::7"))) == V6
    for body, kind in [
        (v2("success", "not.an.address"), Kind.NOT_A_SERVER), (v2("fail", "203.0.113.7"), Kind.NOT_A_SERVER),
        (PAGE, Kind.NOT_A_SERVER), ('{"message":"Forbidden"}', Kind.NOT_A_SERVER),
    ]:  # fmt: skip
        reply = awslabs_client.read_get(heard(body))
        assert isinstance(reply, Reply)
        assert reply.kind is kind
    refused = awslabs_client.read_get(heard('{"message":"Forbidden"}', 403))
    assert isinstance(refused, Reply)
    assert (refused.kind, refused.is_final) == (Kind.REFUSED, True)


def outcomes(*entries: object) -> str:
    return json.dumps({"outcomes": entries})


ONE = {"hostname": NAME, "record_type": "A", "outcome": "updated", "address": "203.0.113.7"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (outcomes(ONE), Kind.UPDATED), (outcomes(ONE | {"outcome": "unchanged"}), Kind.UNCHANGED),
        (outcomes(ONE | {"address": "203.0.113.8"}), Kind.REFUSED),
        (outcomes(ONE | {"address": "2001:db8::7"}), Kind.NOT_A_SERVER),
        (outcomes(ONE | {"address": None}), Kind.NOT_A_SERVER),
        (outcomes(ONE | {"outcome": ["updated"]}), Kind.NOT_A_SERVER),
        (outcomes(ONE | {"hostname": "other.example."}), Kind.NOT_A_SERVER), (outcomes(), Kind.NOT_A_SERVER),
        (outcomes(None), Kind.NOT_A_SERVER), ('{"outcomes": {}}', Kind.NOT_A_SERVER), ("{}", Kind.NOT_A_SERVER),
        ("true", Kind.NOT_A_SERVER), ("", Kind.NOT_A_SERVER), (PAGE, Kind.NOT_A_SERVER),
        ("[" * 100_000, Kind.NOT_A_SERVER),
    ],
)  # fmt: skip
def test_signed_answers(body: str, kind: Kind) -> None:
    reply = signed_client.read_answer(heard(body), {NAME: ONLY_4})
    assert reply.kind is kind, reply


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (heard("", 302, location="https://portal.example/?url=secret"), Kind.NOT_A_SERVER),
        (heard(PAGE), Kind.NOT_A_SERVER),
        (heard("\ufeff \r\n<!doctype html>"), Kind.NOT_A_SERVER),
        (heard("<?xml version='1.0'?>"), Kind.NOT_A_SERVER),
        (heard(""), Kind.NOT_A_SERVER),
        (heard("x", 404), Kind.NOT_A_SERVER),
        (heard("<h1>Network Authentication Required</h1>", 511), Kind.NOT_A_SERVER),
        (heard("<h1>502 Bad Gateway</h1>nginx", 502), Kind.TRY_LATER),
        (heard("", 503, retry_after="9999999"), Kind.TRY_LATER),
        (heard("slow down", 429), Kind.TRY_LATER),
    ],
)
def test_what_stands_in_between_is_never_taken_for_the_server(answer: Heard, kind: Kind) -> None:
    for read in READERS.values():
        reply = read(answer)
        assert reply.kind is kind
        assert "secret" not in reply.text
        assert reply.retry_after is None or reply.retry_after <= 86_400
        assert "web page" in reply.text or answer.status != 200 or b"<" not in answer.body


READERS: Mapping[str, Callable[[Heard], Reply]] = {
    "signed": lambda one: signed_client.read_answer(one, {NAME: BOTH}),
    "dyndns2": lambda one: dyndns2_client.read_answer(one, [NAME, "b.example"], BOTH),
    "ddupdate": lambda one: ddupdate_client.read_answer(one, NAME),
    "duckdns": lambda one: duckdns.read_answer(one, [NAME], BOTH),
    "awslabs": lambda one: awslabs_client.read_answer(one, NAME),
}


# --- any answer at all

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["success", "fail", "updated", "unchanged", "stale", "skewed", "203.0.113.7", NAME, "Forbidden"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["return_status", "return_message", "outcomes", "outcome", "error", "hostname", "address",
                         "record_type", "server_time", "signed_at", "message", "errorMessage", "detail"]),
        inner, max_size=5),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())  # fmt: skip
_WORDS = st.lists(
    st.sampled_from(
        ["good", "nochg", "911", "w9s", "badauth", "nohost", "OK", "KO", "UPDATED", "NOCHANGE", "Hello!", "<", "\n",
         " ", ",", "203.0.113.7", "2001:db8::7", "127.0.0.1", "\r", "\0", "\u2028", "Encountered error:"]
    ), max_size=12,
).map(lambda words: "".join(words).encode())  # fmt: skip
_HEARD = st.builds(
    Heard,
    st.sampled_from([100, 200, 201, 204, 301, 302, 400, 401, 403, 404, 409, 429, 500, 502, 503, 511, 999]),
    st.lists(
        st.tuples(
            st.sampled_from(["retry-after", "location", "date"]),
            st.text(max_size=30)
            | st.sampled_from(["Fri, 21 Nov 2026 10:00:00 GMT", "Fri, 21 Nov 99999 10:00:00", "-5", "1e9"]),
        ),
        max_size=3,
    ).map(tuple),
    st.binary(max_size=60) | _JSON | _WORDS,
)


@pytest.mark.parametrize("protocol", READERS)
@given(answer=_HEARD)
def test_any_answer_is_read_and_only_what_says_so_is_a_success(protocol: str, answer: Heard) -> None:
    reply = READERS[protocol](answer)
    assert reply.text.isprintable()
    assert len(reply.text) < 400
    if reply.kind.is_success:
        assert 200 <= answer.status < 300
        assert reply.hosts
        assert not answer.body.lstrip().startswith(b"<")
        marks = {"signed": b"updated unchanged", "dyndns2": b"good nochg", "ddupdate": b"Hello!", "duckdns": b"OK"}
        assert any(mark in answer.body for mark in marks.get(protocol, b"success").split())
        assert b"127.0.0.1" not in answer.body or protocol in ("awslabs", "ddupdate")


@given(answer=_HEARD)
def test_any_answer_to_get_is_an_address_or_a_reason(answer: Heard) -> None:
    told = awslabs_client.read_get(answer)
    assert not isinstance(told, Reply) or not told.kind.is_success


@given(st.text())
def test_what_is_shown_of_a_stranger_is_one_short_line(text: str) -> None:
    assert shorten(text).isprintable()
    assert len(shorten(text)) <= 120


def test_a_date_in_retry_after_is_counted_from_the_servers_own_clock() -> None:
    date, then = "Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 2026 10:02:00 GMT"
    assert retry_after(heard("", 503, date=date, retry_after=then)) == 120
    assert retry_after(heard("", 503, date=then, retry_after=date)) == 0
    assert retry_after(heard("", 503, retry_after=then)) is None


def test_several_replies_come_to_the_worst_and_to_the_longest_wait() -> None:
    updated, later = Reply(Kind.UPDATED, "a"), Reply(Kind.TRY_LATER, "b", 5)
    assert merge([updated, later, Reply(Kind.UNCHANGED, "c", 9)]) == Reply(Kind.TRY_LATER, "b", 9)
    assert merge([later, Reply(Kind.REFUSED, "no")]).kind is Kind.REFUSED


def test_no_request_shows_its_secrets() -> None:
    for ask, _ in _SENDS.values():
        assert SECRET not in repr(ask)
        assert "hash" not in repr(ask)
        assert "token" not in repr(ask)
