"""HTTP as values: parameters, credentials, JSON, and whose address a request has."""

from __future__ import annotations

import contextlib
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.addresses import parse_address
from homing.protocols.http import (
    MAX_PARAMETERS,
    BadRequest,
    Credentials,
    Request,
    client_address,
    json_response,
    parse_authorization,
    text,
)
from tests.protocols.strategies import ADDRESSES, FORM, V4, basic, make_request, requests

if TYPE_CHECKING:
    from homing.core.addresses import Address

# --- parameters


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("hostname=h&wildcard=OFF&", {"hostname": "h", "wildcard": "OFF"}),
        ("hostname=a,b&myip=2001:db8::7", {"hostname": "a,b", "myip": "2001:db8::7"}),
        ("myip=2001%3adb8%3a%3a7", {"myip": "2001:db8::7"}),
        ("hostname=a%2Cb", {"hostname": "a,b"}),
        ("ipv4=['203.0.113.9']&ttl=[60]", {"ipv4": "['203.0.113.9']", "ttl": "[60]"}),
        ("hostname=a+b", {"hostname": "a b"}),
        ("password=a=b", {"password": "a=b"}),
        ("mx=&url=", {"mx": "", "url": ""}),
        ("cam.example.com", {"cam.example.com": ""}),
        ("h=caf%C3%A9&bad=%ff%zz", {"h": "café", "bad": "\ufffd%zz"}),
        ("a;b=1", {"a;b": "1"}),
        ("a=1&a=1", {"a": "1"}),
    ],
)
def test_a_query_is_read_as_clients_write_it(query: str, parameters: dict[str, str]) -> None:
    assert make_request("/?" + query).parameters == parameters


def test_a_form_body_adds_parameters() -> None:
    request = make_request("/?hostname=h", method="POST", headers=FORM, body="password=p&myip=203.0.113.7&hostname=h")
    assert request.parameters == {"hostname": "h", "password": "p", "myip": "203.0.113.7"}


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded; charset=UTF-8", "APPLICATION/X-WWW-FORM-URLENCODED"]
)
def test_the_content_type_of_a_form_may_vary(content_type: str) -> None:
    assert make_request("/", headers=(("content-type", content_type),), body="a=1").parameters == {"a": "1"}


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_a_body_that_is_no_form_adds_nothing(content_type: str) -> None:
    assert make_request("/?a=1", headers=(("content-type", content_type),), body="b=2").parameters == {"a": "1"}


def test_a_form_without_content_is_no_matter() -> None:
    assert make_request("/?a=1", method="POST", headers=FORM).parameters == {"a": "1"}


@pytest.mark.parametrize(
    "request_",
    [
        make_request("/?a=1&a=2"),
        make_request("/?a=1", method="POST", headers=FORM, body="a=2"),
        make_request("/?" + "a&" * MAX_PARAMETERS),
        make_request("/", method="POST", headers=FORM, body="a&" * MAX_PARAMETERS),
        make_request("/", method="POST", headers=FORM * 2, body="a=1"),
    ],
    ids=["twice in the query", "query against body", "too many", "too many in the body", "two content types"],
)
def test_what_can_be_read_two_ways_is_refused(request_: Request) -> None:
    with pytest.raises(BadRequest):
        _ = request_.parameters


def test_the_text_of_a_refusal_never_holds_a_value() -> None:
    with pytest.raises(BadRequest) as refused:
        _ = make_request("/?password=s3cret&password=0ther").parameters
    assert not [value for value in ("s3cret", "0ther") if value in str(refused.value)]


def test_a_header_given_twice_is_refused_even_with_equal_values() -> None:
    request = make_request(headers=(("x-api-key", "k"), ("x-api-key", "k")))
    with pytest.raises(BadRequest):
        request.header("x-api-key")
    assert request.header("accept") is None


# --- credentials


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_basic_is_split_at_the_first_colon(scheme: str) -> None:
    request = make_request(headers=basic("alice", "s3:cr/et", scheme))
    assert request.credentials == Credentials("alice", "s3:cr/et")


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "token", "BEARER"])
def test_a_bearer_token_is_a_password_without_a_user(scheme: str) -> None:
    assert parse_authorization(f"{scheme} t0ken") == Credentials("", "t0ken")


@pytest.mark.parametrize(
    ("username", "password"),
    [("", ""), ("alice", ""), ("", "pw"), ("ünï", "pässwörd ✓"), ("a", ":"), ("h.example.com", "x")],
)
def test_basic_carries_any_text(username: str, password: str) -> None:
    assert parse_authorization(basic(username, password)[0][1]) == Credentials(username, password)


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "Basic", "Basic ", "Basic !!!!", "Basic YWxpY2U=", "Basic YWxpY2U6c", "Basic /////w=="),
        *("Bearer", "Bearer ", "Digest username=x", "AWS4-HMAC-SHA256 x", "YWxpY2U6cHc="),
    ],
)
def test_what_cannot_be_read_counts_as_no_credentials(value: str | None) -> None:
    assert parse_authorization(value) is None


def test_blanks_around_the_header_do_not_matter() -> None:
    assert parse_authorization("  Basic   YWxpY2U6cHc=  ") == Credentials("alice", "pw")


def test_a_password_is_not_shown() -> None:
    assert "s3cret" not in repr(Credentials("alice", "s3cret"))


# --- bodies and answers


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b'{"a":' * 3000], ids=lambda body: repr(body[:8])
)
def test_what_is_no_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        make_request(body=body).json()


def test_answers_are_text_or_json_with_pythons_separators() -> None:
    plain, made = text(200, "good\n"), json_response(200, {"a": 1, "b": 2})
    assert (plain.body, plain.content_type) == (b"good\n", "text/plain; charset=utf-8")
    assert (made.body, made.content_type) == (b'{"a": 1, "b": 2}', "application/json")


# --- the client's address

PROXY = IPv4Address("192.0.2.1")
TRUSTED = (ip_network("192.0.2.0/24"), ip_network("2001:db8:f::/48"))


def forwarded(*values: str) -> tuple[tuple[str, str], ...]:
    return tuple(("x-forwarded-for", value) for value in values)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 192.0.2.9", "203.0.113.7"),
        ("203.0.113.7,192.0.2.9,192.0.2.8", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 192.0.2.9", "203.0.113.7"),
        ("nonsense, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 2001:db8:f::1", "203.0.113.7"),
        ("192.0.2.7, 192.0.2.9", "192.0.2.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7, ::ffff:192.0.2.9", "203.0.113.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
    ],
)
def test_the_header_is_walked_from_the_right_over_trusted_proxies(value: str, address: str) -> None:
    assert client_address(PROXY, forwarded(value), TRUSTED) == parse_address(address)


@pytest.mark.parametrize("peer", [V4, IPv6Address("2001:db8::7"), IPv4Address("127.0.0.1")])
@pytest.mark.parametrize("values", [["198.51.100.1"], ["nonsense"], ["198.51.100.1", "198.51.100.2"]])
@pytest.mark.parametrize("trusted", [(), TRUSTED])
def test_without_a_trusted_proxy_the_header_is_not_read(peer: Address, values: list[str], trusted: tuple[()]) -> None:
    assert client_address(peer, forwarded(*values), trusted) == peer


@pytest.mark.parametrize(
    "values",
    [["203.0.113.7", "203.0.113.7"], ["unknown"], [""], ["203.0.113.7,"], ["203.0.113.7, x, 192.0.2.9"], ["1.2.3"]],
    ids=repr,
)
def test_a_trusted_proxy_that_says_nothing_clear_is_refused(values: list[str]) -> None:
    with pytest.raises(BadRequest):
        client_address(PROXY, forwarded(*values), TRUSTED)


def test_a_trusted_proxy_without_the_header_speaks_for_itself() -> None:
    assert client_address(PROXY, (("x-real-ip", "203.0.113.7"), ("forwarded", "for=203.0.113.7")), TRUSTED) == PROXY


@given(st.lists(ADDRESSES.map(str), max_size=5), ADDRESSES)
def test_no_client_can_choose_its_own_address(claimed: list[str], client: Address) -> None:
    """A proxy appends the address it saw; whatever the client wrote before it must not matter."""
    if any(client in network for network in TRUSTED) or getattr(client, "ipv4_mapped", None):
        return
    header = forwarded(", ".join([*claimed, str(client)]))
    assert client_address(PROXY, header, TRUSTED) == client


@given(requests())
def test_any_request_can_be_read_or_is_refused(request_: Request) -> None:
    for read in (
        lambda: request_.parameters,
        lambda: request_.credentials,
        request_.json,
        lambda: client_address(request_.peer, request_.headers, (ip_network("0.0.0.0/0"), ip_network("::/0"))),
    ):
        with contextlib.suppress(BadRequest):
            read()


@given(st.text(alphabet="ab=&;.,:[]'\"-~!$/?#", max_size=60))
def test_a_plain_query_is_parsed_as_the_standard_library_does(raw: str) -> None:
    wanted = dict(reversed(parse_qsl(raw, keep_blank_values=True)))
    try:
        found = Request("GET", "/", raw, (), b"", parse_address("192.0.2.1")).parameters
    except BadRequest:
        assert len(set(parse_qsl(raw, keep_blank_values=True))) > len(wanted)
    else:
        assert found == wanted
