"""dyndns2: what routers and update programs send, and the few words that they take for an answer."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.credentials import Password
from homing.core.outcomes import Answer, HostOutcome, Outcome, RRsetOutcome
from homing.core.update import SetAddress, SetPrefix, Withdraw
from homing.protocols import dyndns2
from homing.protocols.dyndns2 import Asked
from homing.protocols.http import BadRequest, Response
from tests.protocols.strategies import FORM, SUCCESS_WORDS, V4, V6, answers, basic, make_request, requests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.core.addresses import Address
    from homing.core.hosts import RecordType
    from homing.core.update import Wish
    from homing.protocols.http import Request

ALICE = basic("alice", "s3:cr/et")
OTHER_V4, OTHER_V6 = IPv4Address("198.51.100.9"), IPv6Address("2001:db8::9")


def update(query: str, headers: tuple[tuple[str, str], ...] = ALICE, source: Address = V4) -> Asked:
    return asked(make_request("/nic/update?" + query, headers=headers), source)


def asked(request: Request, source: Address = V4) -> Asked:
    found = dyndns2.parse(request, source)
    assert isinstance(found, Asked), found
    return found


def wishes(query: str, source: Address = V4) -> Mapping[RecordType, Wish]:
    return update("hostname=h.example.com&" + query, source=source).update.updates[0].wishes


def hostnames(found: Asked) -> list[str]:
    return [one.text for one in found.update.updates]


def rendered(found: Asked, *outcomes: Outcome, whole: Outcome | None = None) -> Response:
    """Answer with these outcomes, one a hostname, for an address that `found` asked for."""
    hosts = tuple(
        HostOutcome(
            one.hostname or one.text,
            outcome,
            tuple(RRsetOutcome(record_type, outcome, "203.0.113.7") for record_type in one.wishes),
        )
        for one, outcome in zip(found.update.updates, outcomes, strict=False)
    )
    return dyndns2.render(found, Answer(whole or outcomes[0], hosts))


# --- who is asking


def test_without_credentials_there_is_one_challenge() -> None:
    response = dyndns2.parse(make_request("/nic/update?hostname=h.example.com"), V4)
    assert isinstance(response, Response)
    assert (response.status, response.body.strip()) == (401, b"badauth")
    challenges = [value for name, value in response.headers if name.lower() == "www-authenticate"]
    assert len(challenges) == 1
    assert challenges[0].startswith('Basic realm="')


@pytest.mark.parametrize("value", ["Basic !", "Digest x", "Basic", "Negotiate abc"])
def test_unreadable_credentials_are_challenged(value: str) -> None:
    response = dyndns2.parse(make_request("/nic/update?hostname=h", headers=(("authorization", value),)), V4)
    assert isinstance(response, Response)
    assert response == dyndns2.challenge()


@pytest.mark.parametrize(
    ("query", "headers", "proof"),
    [
        ("hostname=h.example.com", ALICE, Password("alice", "s3:cr/et")),
        ("hostname=h.example.com&username=alice&password=s3", (), Password("alice", "s3")),
        ("hostname=h.example.com&password=s3", (), Password("", "s3")),
        ("hostname=h.example.com&token=s3", (), Password("", "s3")),
        ("hostname=h.example.com", (("authorization", "Token s3"),), Password("", "s3")),
        ("hostname=h.example.com", (("authorization", "Bearer s3"),), Password("", "s3")),
        ("hostname=h.example.com&username=bob&password=other", ALICE, Password("alice", "s3:cr/et")),
    ],
)
def test_credentials_come_in_many_forms(query: str, headers: tuple[tuple[str, str], ...], proof: Password) -> None:
    found = update(query, headers).update
    assert found.proof == proof
    assert found.identity == (None if proof.username else "h.example.com.")


def test_a_hostname_as_user_name_is_whose_secret_counts() -> None:
    found = update("hostname=b.example.com", basic("A.example.com", "secret")).update
    assert found.identity == "a.example.com."
    assert [one.hostname for one in found.updates] == ["b.example.com."]


# --- which hosts (1.3)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("hostname=a.example.com", ["a.example.com"]),
        ("hostname=a.example.com,b.example.com", ["a.example.com", "b.example.com"]),
        ("hostname=a.example.com%2Cb.example.com", ["a.example.com", "b.example.com"]),
        ("hostname=+a.example.com+,,b.example.com,", ["a.example.com", "b.example.com"]),
        ("hostname=b.example.com,a.example.com,b.example.com", ["b.example.com", "a.example.com", "b.example.com"]),
        ("hostname=YES&host_id=a.example.com", ["a.example.com"]),
        ("hostname=yes&host_id=a.example.com,b.example.com", ["a.example.com", "b.example.com"]),
        ("action=edit&myip=&wildcard=&mx=&backmx=NO&host_id=a.example.com&", ["a.example.com"]),
        ("hostname=&host_id=", [""]),
        ("", [""]),
        ("hostname=NO.example.com&host_id=a.example.com", ["NO.example.com"]),
    ],
)
def test_hostnames_come_from_hostname_or_host_id_in_order(query: str, names: list[str]) -> None:
    assert hostnames(update(query)) == names


@pytest.mark.parametrize(
    "query", ["", "hostname=", "hostname=YES", "myip=203.0.113.7", "hostname=&username=x.example.com"]
)
def test_a_user_name_that_is_a_hostname_stands_in_for_a_missing_one(query: str) -> None:
    assert hostnames(update(query, basic("h.example.com", "secret"))) == ["h.example.com"]


def test_a_user_name_parameter_that_is_a_hostname_stands_in_too() -> None:
    assert hostnames(update("username=h.example.com&password=s", ())) == ["h.example.com"]
    assert hostnames(update("username=h.example.com")) == ["h.example.com"]


def test_a_user_name_parameter_that_is_an_account_names_no_host() -> None:
    """As with HTTP Basic, so that an account of one host needs to name none."""
    assert hostnames(update("username=alice&password=s", ())) == hostnames(update("")) == [""]


@pytest.mark.parametrize(
    "name", ["nodots", "a_b.example.com", "a..example.com", "x" * 300 + ".com", "1.2.3.4", "%ff.com"]
)
def test_what_is_no_hostname_is_kept_as_text(name: str) -> None:
    (one,) = update(f"hostname={name}").update.updates
    assert one.hostname is None


def test_twenty_hostnames_are_taken_and_more_are_not() -> None:
    names = [f"h{number}.example.com" for number in range(21)]
    assert update("hostname=" + ",".join(names[:20])).update.refusal is None
    too_many = update("hostname=" + ",".join(names))
    assert too_many.update.refusal is Outcome.TOO_MANY_HOSTS
    response = rendered(too_many, *[Outcome.TOO_MANY_HOSTS] * 21)
    assert (response.status, response.body) == (200, b"numhost\n")


def test_a_list_without_end_costs_no_more_than_a_long_one() -> None:
    assert len(update("hostname=" + "a.example.com," * 5000).update.updates) == 21


# --- which address (1.3)

A4, A6 = SetAddress(OTHER_V4), SetAddress(OTHER_V6)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("myip=198.51.100.9", {"A": A4}),
        ("myip=2001:db8::9", {"AAAA": A6}),
        ("myip=2001%3adb8%3a%3a9", {"AAAA": A6}),
        ("myip=2001%3Adb8%3A%3A9", {"AAAA": A6}),
        ("myip=2001:DB8::9", {"AAAA": A6}),
        ("myip=[2001:db8::9]", {"AAAA": A6}),
        ("myip=198.51.100.9,2001:db8::9", {"A": A4, "AAAA": A6}),
        ("myip=2001:db8::9,198.51.100.9", {"A": A4, "AAAA": A6}),
        ("myip=198.51.100.9%2C2001:db8::9", {"A": A4, "AAAA": A6}),
        ("myip=198.51.100.9,", {"A": A4}),
        ("myip=,2001:db8::9", {"AAAA": A6}),
        ("myip=198.51.100.9&myipv6=", {"A": A4}),
        ("myip=&myipv6=2001:db8::9", {"AAAA": A6}),
        ("myip=198.51.100.9&myipv6=2001:db8::9", {"A": A4, "AAAA": A6}),
        ("myipv4=198.51.100.9&myipv6=2001:db8::9", {"A": A4, "AAAA": A6}),
        ("ip=198.51.100.9&ipv6=2001:db8::9", {"A": A4, "AAAA": A6}),
        ("ip=2001:db8::9", {"AAAA": A6}),
        ("myip6=2001:db8::9", {"AAAA": A6}),
        ("ip6=2001:db8::9", {"AAAA": A6}),
        ("ipv4=198.51.100.9", {"A": A4}),
        ("myip=::ffff:198.51.100.9", {"A": A4}),
        ("myip=198.51.100.9&ip=198.51.100.9", {"A": A4}),
        ("myip=198.51.100.9&myipv6=preserve", {"A": A4}),
        ("myipv4=preserve&myipv6=2001:db8::9", {"AAAA": A6}),
        ("myip=198.51.100.9,preserve", {"A": A4}),
        ("myip=198.51.100.9/32", {"A": A4}),
        ("myip=2001:db8::9/64", {"AAAA": A6}),
        ("myip=2001:db8::9/128", {"AAAA": A6}),
        ("myip=2001:db8:1::/64", {"AAAA": SetPrefix(IPv6Network("2001:db8:1::/64"))}),
        ("myip=198.51.100.9,2001:db8:1::/56", {"A": A4, "AAAA": SetPrefix(IPv6Network("2001:db8:1::/56"))}),
        ("system=dyndns&wildcard=ON&mx=m.example.com&backmx=YES&url=&offline=NOCHG&myip=198.51.100.9&", {"A": A4}),
        ("mx=&backmx=NO&wildcard=&myip=198.51.100.9", {"A": A4}),
    ],
)
def test_addresses_come_under_many_names(query: str, wanted: dict[str, Wish]) -> None:
    assert wishes(query) == wanted
    assert wishes(query, V6) == wanted


@pytest.mark.parametrize("query", ["", "myip=", "myip=,", "myip=+", "myip=&myipv6=", "ip=&ipv4=&ipv6=", "offline=NO"])
@pytest.mark.parametrize(("source", "wanted"), [(V4, {"A": SetAddress(V4)}), (V6, {"AAAA": SetAddress(V6)})])
def test_no_address_means_the_source(query: str, source: Address, wanted: dict[str, Wish]) -> None:
    assert wishes(query, source) == wanted


@pytest.mark.parametrize("query", ["myipv6=preserve", "myipv6=PRESERVE"])
def test_preserving_ipv6_alone_still_sets_the_source_over_ipv4(query: str) -> None:
    """deSEC's users append it so that an update by source address leaves the other family alone."""
    assert wishes(query, V4) == {"A": SetAddress(V4)}


@pytest.mark.parametrize("query", ["myip=&myipv6=preserve", "myip=&myipv4=preserve", "myip=,&myipv6=preserve"])
@pytest.mark.parametrize("source", [V4, V6])
def test_an_empty_place_beside_a_preserved_family_changes_nothing(query: str, source: Address) -> None:
    """Two URLs of a FRITZ!Box on a line that has one family: the source would be the carrier's, or the box's own."""
    assert wishes(query, source) == {}


def test_preserving_ipv4_alone_still_sets_the_source_over_ipv6() -> None:
    assert wishes("myipv4=preserve", V6) == {"AAAA": SetAddress(V6)}


@pytest.mark.parametrize(
    "query",
    [
        "myip=1.2.3",
        "myip=300.1.1.1",
        "myip=<ipaddr>",
        "myip=2001:db8::g",
        "myip=fe80::1%25eth0",
        "myip=198.51.100.9,198.51.100.10",
        "myip=198.51.100.9&myipv4=198.51.100.10",
        "myip=2001:db8::9&myipv6=2001:db8:1::/64",
        "myip=198.51.100.9/33",
        "myip=2001:db8::/129",
        "myip=198.51.100.9,nonsense",
    ],
)
def test_a_malformed_address_is_told_to_whoever_proves_something(query: str) -> None:
    found = update("hostname=a.example.com,b.example.com&" + query)
    assert found.update.refusal is Outcome.ADDRESS_NOT_ALLOWED
    assert rendered(found, *[Outcome.ADDRESS_NOT_ALLOWED] * 2).body == b"nohost\nnohost\n"


def test_offline_withdraws_every_family_where_that_is_allowed() -> None:
    assert wishes("offline=YES&myip=198.51.100.9") == {"A": Withdraw(A4), "AAAA": Withdraw(None)}
    assert wishes("offline=yes") == {"A": Withdraw(SetAddress(V4)), "AAAA": Withdraw(None)}


# --- the ways to send it (1.1)


@pytest.mark.parametrize(
    "request_",
    [
        make_request(
            "/nic/update", method="POST", headers=(*FORM, *ALICE), body="hostname=h.example.com&myip=198.51.100.9"
        ),
        make_request("/nic/update?hostname=h.example.com&myip=198.51.100.9", method="POST", headers=ALICE),
        make_request("/nic/update?hostname=h.example.com&myip=198.51.100.9", method="POST", headers=(*FORM, *ALICE)),
        make_request("/nic/update?hostname=h.example.com&myip=198.51.100.9", method="PUT", headers=ALICE),
        make_request(
            "/nic/update?hostname=h.example.com&myip=198.51.100.9",
            headers=(("content-type", "application/json"), *ALICE),
            body="{}",
        ),
    ],
    ids=["POST form", "POST query", "POST query, empty form", "PUT", "GET with a body"],
)
def test_parameters_come_in_the_query_or_in_a_form(request_: Request) -> None:
    found = asked(request_).update
    assert [(one.hostname, dict(one.wishes)) for one in found.updates] == [("h.example.com.", {"A": A4})]


def test_hurricane_electrics_form_has_a_password_and_no_user() -> None:
    body = "password=s3&hostname=h.example.com&myip=198.51.100.9"
    found = asked(make_request("/nic/update", method="POST", headers=FORM, body=body)).update
    assert (found.proof, found.identity) == (Password("", "s3"), "h.example.com.")


# --- what is answered


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.UPDATED, "good"), (Outcome.UNCHANGED, "nochg")])
@pytest.mark.parametrize(
    ("query", "echo"),
    [
        ("myip=198.51.100.9", "198.51.100.9"),
        ("myip=198.51.100.9,2001:db8::9", "198.51.100.9,2001:db8::9"),
        ("myip=2001:db8::9,198.51.100.9", "2001:db8::9,198.51.100.9"),
        ("myip=198.51.100.9&myipv6=2001:db8::9", "198.51.100.9,2001:db8::9"),
        ("myip=2001:DB8::9", "2001:DB8::9"),
        ("myip=2001%3adb8%3a%3a9", "2001:db8::9"),
        ("myip=198.51.100.9,", "198.51.100.9"),
        ("", "203.0.113.7"),
    ],
)
def test_a_success_is_one_line_with_the_address_as_it_was_sent(
    outcome: Outcome, code: str, query: str, echo: str
) -> None:
    response = rendered(update("hostname=h.example.com&" + query), outcome)
    assert response.status == 200
    assert response.content_type.startswith("text/plain")
    assert response.body.decode() == f"{code} {echo}\n"


def test_one_line_a_host_in_the_order_of_the_request() -> None:
    found = update("hostname=b.example.com,a.example.com,b.example.com&myip=198.51.100.9")
    response = rendered(found, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.UPDATED, whole=Outcome.UPDATED)
    assert response.body == b"good 198.51.100.9\nnochg 198.51.100.9\ngood 198.51.100.9\n"


@pytest.mark.parametrize("outcome", list(Outcome), ids=lambda outcome: outcome.name)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_failure_is_the_bare_code_and_never_looks_like_a_success(outcome: Outcome, count: int) -> None:
    if outcome.is_success:
        return
    found = update("hostname=" + ",".join(["good-ok-updated.example.com"] * 3))
    response = rendered(found, *[outcome] * count, whole=outcome)
    body = response.body.decode()
    assert not [word for word in SUCCESS_WORDS if word in body.lower()]
    assert set(body.split("\n")) - {""} <= {"badauth", "nohost", "notfqdn", "numhost", "911"}
    assert body.endswith("\n")
    assert response.status in {200, 401, 503}


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        (Outcome.NOT_AUTHENTICATED, 401, b"badauth\n"),
        (Outcome.NO_SUCH_HOST, 200, b"nohost\nnohost\n"),
        (Outcome.LOCKED, 200, b"nohost\nnohost\n"),
        (Outcome.ADDRESS_NOT_ALLOWED, 200, b"nohost\nnohost\n"),
        (Outcome.NOT_A_FQDN, 200, b"notfqdn\nnotfqdn\n"),
        (Outcome.TOO_MANY_HOSTS, 200, b"numhost\n"),
        (Outcome.UNAVAILABLE, 503, b"911\n"),
        (Outcome.PUBLISH_REJECTED, 503, b"911\n"),
        (Outcome.MALFORMED, 503, b"911\n"),
    ],
)
def test_each_outcome_has_its_code(outcome: Outcome, status: int, body: bytes) -> None:
    found = update("hostname=a.example.com,b.example.com")
    response = rendered(found, outcome, outcome)
    assert (response.status, response.body) == (status, body)


def test_one_refusal_refuses_every_line() -> None:
    found = update("hostname=a.example.com,b.example.com,c.example.com")
    response = rendered(found, Outcome.UPDATED, Outcome.NO_SUCH_HOST, Outcome.UNCHANGED, whole=Outcome.NO_SUCH_HOST)
    assert response.body == b"nohost\nnohost\nnohost\n"


@pytest.mark.parametrize("retry_after", [None, 0, 7])
def test_a_temporary_failure_says_when_to_come_back(retry_after: int | None) -> None:
    found = update("hostname=h.example.com")
    response = dyndns2.render(found, Answer(Outcome.UNAVAILABLE, retry_after=retry_after))
    (value,) = [value for name, value in response.headers if name == "retry-after"]
    assert int(value) == (retry_after or 60)


def test_what_failed_authentication_is_told_like_what_sent_nothing() -> None:
    assert rendered(update("hostname=h.example.com"), Outcome.NOT_AUTHENTICATED) == dyndns2.challenge()


@given(requests(), st.sampled_from([V4, V6]))
def test_any_request_gives_a_value_or_an_answer(request_: Request, source: Address) -> None:
    try:
        found = dyndns2.parse(request_, source)
    except BadRequest:
        return
    assert isinstance(found, Asked | Response)


@pytest.mark.parametrize("outcome", list(Outcome), ids=lambda outcome: outcome.name)
@given(st.data())
def test_every_outcome_has_an_answer(outcome: Outcome, data: st.DataObject) -> None:
    response = dyndns2.render(update("hostname=h.example.com"), data.draw(answers(outcome)))
    first = response.body.decode().split()[0]
    assert first in ({"good", "nochg"} if outcome.is_success else {"badauth", "nohost", "notfqdn", "numhost", "911"})
