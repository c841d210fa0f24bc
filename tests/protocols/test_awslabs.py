"""The awslabs hash API: what v1, v2 and v3 clients send, and the bytes they cut apart."""

from __future__ import annotations

import hashlib
import json
import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.credentials import LegacyHash
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.outcomes import Answer, HostOutcome, Outcome, RRsetOutcome
from homing.core.update import SetAddress
from homing.protocols import awslabs
from homing.protocols.awslabs import Asked
from homing.protocols.http import BadRequest, Response
from tests.protocols.strategies import FORM, V4, V6, answers, make_request, requests

if TYPE_CHECKING:
    from homing.core.addresses import Address
    from homing.protocols.http import Request

DIGEST = "a" * 64
GET_REPLY = b'{"return_message": "203.0.113.7", "return_status": "success"}'


def post(body: str, target: str = "/", **headers: str) -> Request:
    given = {"content-type": "application/json"} | headers
    return make_request(target, method="POST", headers=tuple(given.items()), body=body)


def asked(request: Request, source: Address = V4) -> Asked:
    found = awslabs.parse(request, source)
    assert isinstance(found, Asked), found
    return found


def refused(request: Request, source: Address = V4) -> tuple[int, Any]:
    found = awslabs.parse(request, source)
    assert isinstance(found, Response)
    return found.status, json.loads(found.body)


def answer(outcome: Outcome, address: str | None = None, group: tuple[Host, ...] = ()) -> Answer:
    rrsets = (RRsetOutcome("A", outcome, address),) if address else ()
    return Answer(outcome, (HostOutcome("h.example.com.", outcome, rrsets),), group=group)


def said(asked_: Asked, answer_: Answer) -> tuple[int, Any, Any]:
    response = awslabs.render(asked_, answer_)
    assert response.content_type == "application/json"
    members = json.loads(response.body)
    return response.status, members["return_status"], members["return_message"]


SET_BY_GET = make_request(f"/?mode=set&hostname=h.example.com&hash={DIGEST}")
SET_BY_POST = post(f'{{"execution_mode":"set", "ddns_hostname":"h.example.com", "validation_hash":"{DIGEST}"}}')
LIST_BY_GET = make_request(f"/?mode=list_hosts&hostname=h.example.com&hash={DIGEST}")

# --- get


@pytest.mark.parametrize(
    "request_",
    [
        make_request("/?mode=get"),
        make_request("/?mode=get&"),
        make_request("/?mode=%67et"),
        post('{"execution_mode":"get"}'),
        post('{ "x": 1,\n"execution_mode" : "get" }'),
        make_request("/", method="POST", body='{"execution_mode":"get"}'),
        make_request("/", method="POST", headers=FORM, body='{"execution_mode":"get"}'),
        make_request("/?mode=get", method="POST"),
    ],
    ids=str,
)
def test_get_is_61_bytes_whichever_way_it_is_asked(request_: Request) -> None:
    response = awslabs.parse(request_, V4)
    assert isinstance(response, Response)
    assert (response.status, response.body, response.content_type) == (200, GET_REPLY, "application/json")
    assert len(response.body) == 61


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (IPv6Address("2001:0DB8:0::7"), "2001:db8::7"),
        (IPv6Address("::1"), "::1"),
        (IPv4Address("10.0.0.1"), "10.0.0.1"),
    ],
)
def test_get_tells_the_canonical_text(source: Address, text: str) -> None:
    response = awslabs.parse(make_request("/?mode=get"), source)
    assert isinstance(response, Response)
    assert response.body == b'{"return_message": "%b", "return_status": "success"}' % text.encode()


def test_old_clients_find_the_address_in_the_reply() -> None:
    """v1 simple.sh and v3 take every run of digits and dots; client.ps1 removes two literal texts."""
    text = GET_REPLY.decode()
    assert "".join(re.findall(r"[0-9.]+", text)) == "203.0.113.7"
    assert text.replace('{"return_message": "', "").replace('", "return_status": "success"}', "") == "203.0.113.7"


# --- set: what is understood (7.1 to 7.4)


@pytest.mark.parametrize("request_", [SET_BY_GET, SET_BY_POST], ids=["GET", "POST"])
def test_set_takes_the_source_address(request_: Request) -> None:
    update = asked(request_).update
    assert update.proof == LegacyHash(DIGEST, V4, "h.example.com")
    assert update.updates[0].wishes == {"A": SetAddress(V4, is_named=False)}
    assert update.updates[0].hostname == update.identity == "h.example.com."


def test_set_over_ipv6_is_an_aaaa_record() -> None:
    assert asked(SET_BY_GET, V6).update.updates[0].wishes == {"AAAA": SetAddress(V6)}


@pytest.mark.parametrize("text", ["H.Example.COM", "h.example.com.", "h.example.com"])
def test_the_hash_is_over_the_hostname_as_received_and_the_record_by_its_canonical_name(text: str) -> None:
    digest = hashlib.sha256(f"203.0.113.7{text}secret".encode()).hexdigest()
    update = asked(make_request(f"/?mode=set&hostname={text}&hash={digest}")).update
    assert isinstance(update.proof, LegacyHash)
    assert update.proof.matches("secret")
    assert not update.proof.matches("other")
    assert update.identity == "h.example.com."


def test_the_hash_may_be_in_upper_case() -> None:
    digest = hashlib.sha256(b"203.0.113.7h.example.comsecret").hexdigest().upper()
    update = asked(make_request(f"/?mode=set&hostname=h.example.com&hash={digest}")).update
    assert isinstance(update.proof, LegacyHash)
    assert update.proof.matches("secret")


@pytest.mark.parametrize(
    "text", ["203.0.113.7", "::ffff:203.0.113.7", "%3A%3Affff%3A203.0.113.7", "", "+", "+203.0.113.7+"]
)
def test_an_internal_address_equal_to_the_source_is_none(text: str) -> None:
    request = make_request(f"/?mode=set&hostname=h.example.com&hash={DIGEST}&internalIp={text}")
    assert asked(request).update.updates[0].wishes == {"A": SetAddress(V4, is_named=False)}


def test_an_internal_ipv6_address_may_be_in_any_case_over_ipv4() -> None:
    request = make_request(f"/?mode=set&hostname=h.example.com&hash={DIGEST}&internalIp=2001:DB8::5")
    wanted = {"AAAA": SetAddress(IPv6Address("2001:db8::5"), is_named=True)}
    assert asked(request).update.updates[0].wishes == wanted
    assert asked(request, IPv6Address("2001:db8::5")).update.updates[0].wishes == {
        "AAAA": SetAddress(IPv6Address("2001:db8::5"), is_named=False)
    }


@pytest.mark.parametrize("text", ["10.0.0.300", "x", "10.0.0.1/24", "fe80::1%25eth0", "10.0.0.1,10.0.0.2", "%00"])
def test_a_malformed_internal_address_is_refused(text: str) -> None:
    request = make_request(f"/?mode=set&hostname=h.example.com&hash={DIGEST}&internalIp={text}")
    status, members = refused(request)
    assert (status, members["return_status"]) == (200, "fail")


@pytest.mark.parametrize("digest", ["", "x", "a" * 63, "a" * 65, "g" * 64, "a" * 64 + "%0a" + "a"])
def test_without_a_sha256_there_is_nothing_to_compare(digest: str) -> None:
    wanted = {"return_message": awslabs.NO_HASH, "return_status": "fail"}
    assert refused(make_request(f"/?mode=set&hostname=h.example.com&hash={digest}")) == (200, wanted)
    body = json.dumps({"execution_mode": "set", "ddns_hostname": "h.example.com", "validation_hash": "x"})
    assert refused(post(body)) == (400, wanted)


def test_a_missing_hash_is_refused_with_the_reference_text() -> None:
    status, members = refused(make_request("/?mode=set&hostname=h.example.com"))
    assert (status, members["return_message"]) == (200, "You must pass a valid sha256 hash in the hash= argument.")


@pytest.mark.parametrize("mode", ["", "delete", "GET", "get,set"])
def test_an_unknown_mode_is_told_all_of_them(mode: str) -> None:
    text = "You must pass mode=get, mode=set or mode=list_hosts arguments."
    wanted = {"return_message": text, "return_status": "fail"}
    assert refused(make_request(f"/?mode={mode}&hostname=h&hash={DIGEST}")) == (200, wanted)
    assert refused(post(json.dumps({"execution_mode": mode}))) == (400, wanted)


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "\xff", '"get"', '{"execution_mode": 1}', "[" * 8000])
def test_a_post_without_an_object_is_a_bad_mode(body: str) -> None:
    assert refused(post(body))[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        f'{{"validation_hash":"{DIGEST}","execution_mode":"set","ddns_hostname":"h.example.com"}}',
        f'\n{{ "ddns_hostname" : "h.example.com" ,\t"validation_hash": "{DIGEST}", "execution_mode": "set" }}\n',
        f'{{"execution_mode":"set","ddns_hostname":"h.example.com","validation_hash":"{DIGEST}","other":[1]}}',
    ],
)
def test_order_and_white_space_of_a_body_do_not_matter(body: str) -> None:
    assert asked(post(body), V6) == asked(SET_BY_POST, V6)


@pytest.mark.parametrize(
    "text", ["", ".", "one", "a_b.example.com", "a..b", "x" * 300, "192.0.2.1", "%FF.com", "a%00.b.c"]
)
def test_what_is_no_hostname_is_asked_like_an_unknown_host(text: str) -> None:
    found = asked(make_request(f"/?mode=set&hostname={text}&hash={DIGEST}")).update
    assert found.identity is None
    assert isinstance(found.proof, LegacyHash)


def test_list_hosts_changes_nothing() -> None:
    found = asked(LIST_BY_GET)
    assert (found.mode, found.update.updates, found.update.identity) == ("list_hosts", (), "h.example.com.")


def test_a_root_request_is_of_this_api_if_it_posts_or_names_a_mode() -> None:
    assert awslabs.is_awslabs(make_request("/", method="POST"))
    assert awslabs.is_awslabs(make_request("/?mode="))
    assert not awslabs.is_awslabs(make_request("/?hostname=h"))


# --- what is answered


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome.UPDATED, "Your hostname record h.example.com has been set to 203.0.113.7"),
        (Outcome.UNCHANGED, "Your IP address matches the current Route53 DNS record."),
        (Outcome.NOT_AUTHENTICATED, "Validation hashes do not match."),
        (Outcome.LOCKED, "The record for h.example.com is locked, update denied."),
        (Outcome.ADDRESS_NOT_ALLOWED, "DDB Permissions for h.example.com disallow internal IPs, update denied."),
        (Outcome.NO_READ_PRIVILEGE, "record lacks read permissions"),
    ],
)
def test_get_answers_200_with_v2s_words(outcome: Outcome, text: str) -> None:
    status = "success" if outcome.is_success else "fail"
    address = "203.0.113.7" if outcome.is_success else None
    assert said(asked(SET_BY_GET), answer(outcome, address)) == (200, status, text)


@pytest.mark.parametrize(
    ("outcome", "status", "text"),
    [
        (Outcome.UPDATED, 201, "h.example.com has been updated to 203.0.113.7"),
        (Outcome.UNCHANGED, 200, "Your IP address matches the current Route53 DNS record."),
        (Outcome.NOT_AUTHENTICATED, 401, "Validation hashes do not match."),
        (Outcome.NO_SUCH_HOST, 403, "There was an issue finding or reading h.example.com configuration"),
        (Outcome.NOT_A_FQDN, 400, "There was an issue finding or reading h.example.com configuration"),
        (Outcome.UNAVAILABLE, 500, "Unknown error"),
        (Outcome.PUBLISH_REJECTED, 500, "Unknown error"),
    ],
)
def test_post_answers_v3s_status_and_words(outcome: Outcome, status: int, text: str) -> None:
    address = "203.0.113.7" if outcome.is_success else None
    word = "success" if outcome.is_success else "fail"
    assert said(asked(SET_BY_POST), answer(outcome, address)) == (status, word, text)


def test_a_refused_post_is_403() -> None:
    for outcome in (Outcome.LOCKED, Outcome.ADDRESS_NOT_ALLOWED, Outcome.NO_SUCH_HOST):
        assert said(asked(SET_BY_POST), answer(outcome))[0] == 403


def test_post_puts_the_status_first_and_get_the_message() -> None:
    good = answer(Outcome.UNCHANGED, "203.0.113.7")
    assert awslabs.render(asked(SET_BY_POST), good).body.startswith(b'{"return_status": "success", "return_message": "')
    assert awslabs.render(asked(SET_BY_GET), good).body.startswith(b'{"return_message": "Your IP')


def test_the_texts_repeat_the_hostname_as_sent() -> None:
    request = make_request(f"/?mode=set&hostname=H.Example.com.&hash={DIGEST}")
    text = said(asked(request), answer(Outcome.UPDATED, "203.0.113.7"))[2]
    assert text == "Your hostname record H.Example.com. has been set to 203.0.113.7"


@pytest.mark.parametrize("outcome", list(Outcome), ids=lambda outcome: outcome.name)
def test_no_text_names_a_culprit(outcome: Outcome) -> None:
    for request in (SET_BY_GET, SET_BY_POST, LIST_BY_GET):
        failed = Answer(outcome, answer(outcome, "203.0.113.7").hosts, who="account x", culprit="Traceback: table T")
        assert not re.search(rb"Traceback|table|account", awslabs.render(asked(request), failed).body)


def test_a_group_is_an_array_of_three_keys_each() -> None:
    group = tuple(
        Host(hostname=Name(f"{name}.example.com."), record_type="A", shared_secret="canary", mac_address=mac)
        for name, mac in [("a", "00:11:22:aa:bb:cc"), ("b", None)]
    )
    response = awslabs.render(asked(LIST_BY_GET), answer(Outcome.UNCHANGED, group=group))
    assert response.status == 200
    assert json.loads(response.body) == {
        "return_message": [
            {"hostname": "a.example.com.", "record_type": "A", "mac_address": "00:11:22:aa:bb:cc"},
            {"hostname": "b.example.com.", "record_type": "A"},
        ],
        "return_status": "success",
    }
    assert response.body.index(b"[") == response.body.index(b"[{"), "network-discovery.sh cuts at the first bracket"


@given(requests(), st.sampled_from([V4, V6]))
def test_any_request_gives_a_value_or_an_answer(request_: Request, source: Address) -> None:
    try:
        found = awslabs.parse(request_, source)
    except BadRequest:
        return
    assert isinstance(found, Asked | Response)
    if isinstance(found, Response):
        assert set(json.loads(found.body)) == {"return_message", "return_status"}


@pytest.mark.parametrize("outcome", list(Outcome), ids=lambda outcome: outcome.name)
@given(st.data())
def test_every_outcome_has_an_answer(outcome: Outcome, data: st.DataObject) -> None:
    given_answer = data.draw(answers(outcome))
    for request in (SET_BY_GET, SET_BY_POST, LIST_BY_GET):
        status, word, _ = said(asked(request), given_answer)
        assert word == ("success" if outcome.is_success else "fail")
        assert status == 200 if request.method == "GET" else status in {200, 201, 400, 401, 403, 500}
