"""ddupdate: Python lists in the query, and a client that only knows 200 from the rest."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.credentials import Token, ddupdate_token
from homing.core.outcomes import Answer, HostOutcome, Outcome, RRsetOutcome
from homing.core.update import SetAddress, UpdateRequest
from homing.protocols import ddupdate
from homing.protocols.http import BadRequest, Response
from tests.protocols.strategies import V4, V6, answers, make_request, requests

if TYPE_CHECKING:
    from homing.core.addresses import Address
    from homing.protocols.http import Request

GIVEN_V4, GIVEN_V6 = IPv4Address("203.0.113.9"), IPv6Address("2001:db8::9")


def parsed(query: str, source: Address = V4) -> UpdateRequest:
    found = ddupdate.parse(make_request("/Production?" + query), source)
    assert isinstance(found, UpdateRequest), found
    return found


def update(query: str = "", source: Address = V4) -> UpdateRequest:
    return parsed("fqdn=host.example.com&token=TOK&zoneid=ZONE&" + query, source)


@pytest.mark.parametrize(
    ("method", "target", "wanted"),
    [
        ("GET", "/?fqdn=h&token=t&zoneid=z", True),
        ("GET", "/Production?fqdn=h&token=t", True),
        ("GET", "/a/b/c?token=&fqdn=", True),
        ("POST", "/?fqdn=h&token=t&zoneid=z", False),
        ("GET", "/?fqdn=h", False),
        ("GET", "/nic/update?hostname=h&token=t", False),
    ],
)
def test_a_get_with_a_name_and_a_token_is_one_on_any_path(method: str, target: str, wanted: bool) -> None:
    assert ddupdate.is_ddupdate(make_request(target, method=method)) is wanted


@pytest.mark.parametrize(
    "query",
    [
        "fqdn=host.example.com&token=TOK&zoneid=ZONE",
        "fqdn=host.example.com&token=['TOK']&zoneid=['ZONE']",
        "fqdn=['host.example.com']&token=[TOK]&zoneid=%5B%27ZONE%27%5D",
        'fqdn=host.example.com&token=["TOK"]&zoneid=ZONE&ipv4=&ipv6=&ttl=',
    ],
)
def test_the_proof_is_a_token_for_a_name_and_a_zone(query: str) -> None:
    found = parsed(query)
    assert found.proof == Token("TOK", "host.example.com", "ZONE")
    assert found.identity == "host.example.com."
    assert found.creates


def test_the_token_is_over_the_name_as_sent() -> None:
    token = ddupdate_token("Host.Example.com", "ZONE", "key")
    found = parsed(f"fqdn=Host.Example.com&token={token.upper()}&zoneid=ZONE")
    assert isinstance(found.proof, Token)
    assert found.proof.matches("key")
    assert found.identity == "host.example.com."


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {"A": V4}),
        ("ipv4=203.0.113.9", {"A": GIVEN_V4}),
        ("ipv4=['203.0.113.9']", {"A": GIVEN_V4}),
        ("ipv4=%5B'203.0.113.9'%5D", {"A": GIVEN_V4}),
        ("ipv6=['2001:db8::9']", {"A": V4, "AAAA": GIVEN_V6}),
        ("ipv4=['203.0.113.9']&ipv6=['2001:DB8::9']", {"A": GIVEN_V4, "AAAA": GIVEN_V6}),
        ("ipv4=::ffff:203.0.113.9", {"A": GIVEN_V4}),
        ("ipv4=[]&ipv6=['']", {"A": V4}),
    ],
)
def test_ipv4_is_the_source_unless_given_and_ipv6_only_if_given(query: str, wanted: dict[str, Address]) -> None:
    (one,) = update(query).updates
    assert one.wishes == {record_type: SetAddress(address) for record_type, address in wanted.items()}


def test_over_ipv6_the_source_never_becomes_an_a_record() -> None:
    (one,) = update(source=V6).updates
    assert one.wishes == {"AAAA": SetAddress(V6)}
    (one,) = update("ipv6=2001:db8::9", V6).updates
    assert one.wishes == {"AAAA": SetAddress(GIVEN_V6)}
    (one,) = update("ipv4=203.0.113.9", V6).updates
    assert one.wishes == {"A": SetAddress(GIVEN_V4)}


@pytest.mark.parametrize(
    ("query", "ttl"), [("", None), ("ttl=", None), ("ttl=60", 60), ("ttl=[60]", 60), ("ttl=['60']", 60)]
)
def test_the_ttl_may_be_a_list_as_well(query: str, ttl: int | None) -> None:
    assert update(query).ttl == ttl


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("fqdn=&token=t&zoneid=z", "Missing essential parameters"),
        ("fqdn=h.example.com&token=&zoneid=z", "Missing essential parameters"),
        ("fqdn=h.example.com&token=t", "Missing essential parameters"),
        ("fqdn=h.example.com&token=t&zoneid=['']", "Missing essential parameters"),
        ("fqdn=h.example.com&token=t&zoneid=z&ipv4=x", "Not an address"),
        ("fqdn=h.example.com&token=t&zoneid=z&ipv4=2001:db8::9", "Not an address"),
        ("fqdn=h.example.com&token=t&zoneid=z&ipv6=203.0.113.9", "Not an address"),
        ("fqdn=h.example.com&token=t&zoneid=z&ipv6=::ffff:203.0.113.9", "Not an address"),
        ("fqdn=h.example.com&token=t&zoneid=z&ipv4=['203.0.113.9', '203.0.113.8']", "Not an address"),
        ("fqdn=h.example.com&token=t&zoneid=z&ttl=-1", "Not a TTL"),
        ("fqdn=h.example.com&token=t&zoneid=z&ttl=1h", "Not a TTL"),
        ("fqdn=h.example.com&token=t&zoneid=z&ttl=1.5", "Not a TTL"),
        ("fqdn=h.example.com&token=t&zoneid=z&ttl=" + "9" * 5000, "Not a TTL"),
        ("fqdn=h.example.com&token=t&zoneid=z&ttl=%D9%A6%D9%A0", "Not a TTL"),
    ],
)
def test_what_is_missing_or_malformed_is_no_success(query: str, text: str) -> None:
    found = ddupdate.parse(make_request("/?" + query), V4)
    assert isinstance(found, Response)
    assert (found.status, found.body.decode()) == (400, text + "\n")


@pytest.mark.parametrize("name", ["one", "a_b.example.com", "1.2.3.4", "x..y", "['a', 'b']"])
def test_what_is_no_hostname_is_asked_like_an_unknown_one(name: str) -> None:
    assert parsed(f"fqdn={name}&token=t&zoneid=z").identity is None


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.UPDATED, 200),
        (Outcome.UNCHANGED, 200),
        (Outcome.NOT_AUTHENTICATED, 403),
        (Outcome.NO_SUCH_HOST, 403),
        (Outcome.LOCKED, 403),
        (Outcome.ADDRESS_NOT_ALLOWED, 403),
        (Outcome.UNAVAILABLE, 503),
        (Outcome.PUBLISH_REJECTED, 503),
    ],
)
def test_only_a_success_is_200(outcome: Outcome, status: int) -> None:
    hosts = (HostOutcome("host.example.com.", outcome, (RRsetOutcome("A", outcome, "203.0.113.9"),)),)
    response = ddupdate.render(Answer(outcome, hosts))
    assert response.status == status
    assert response.content_type.startswith("text/plain")
    assert response.body.startswith(b"Hello!") is (status == 200)
    assert ("retry-after" in dict(response.headers)) is (status == 503)


def test_a_wrong_token_is_told_as_the_reference_does() -> None:
    assert ddupdate.render(Answer(Outcome.NOT_AUTHENTICATED)).body.strip().endswith(b"Invalid token")


@given(requests(), st.sampled_from([V4, V6]))
def test_any_request_gives_a_value_or_an_answer(request_: Request, source: Address) -> None:
    try:
        if ddupdate.is_ddupdate(request_):
            assert isinstance(ddupdate.parse(request_, source), UpdateRequest | Response)
    except BadRequest:
        pass


_VALUES = st.one_of(
    st.text(max_size=20), st.sampled_from(["['x']", "[60]", "[", "]", "['", "203.0.113.9", "[[]]", "\n"])
)


@given(st.dictionaries(st.sampled_from(["ipv4", "ipv6", "ttl", "zoneid"]), _VALUES), _VALUES, _VALUES)
def test_any_values_give_an_update_or_an_answer(fields: dict[str, str], fqdn: str, token: str) -> None:
    from urllib.parse import urlencode

    query = urlencode(fields | {"fqdn": fqdn, "token": token})
    assert isinstance(ddupdate.parse(make_request("/?" + query), V4), UpdateRequest | Response)


@pytest.mark.parametrize("outcome", list(Outcome), ids=lambda outcome: outcome.name)
@given(st.data())
def test_every_outcome_has_an_answer(outcome: Outcome, data: st.DataObject) -> None:
    response = ddupdate.render(data.draw(answers(outcome)))
    assert (response.status == 200) is outcome.is_success
    assert b"culprit" not in response.body
