"""The signed request: what is under the signature, and what is refused for being unclear."""

from __future__ import annotations

import hashlib
import hmac
import json
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.credentials import SignedRequest
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.outcomes import Answer, HostOutcome, Outcome, RRsetOutcome
from homing.core.rows import MAX_ROWS
from homing.core.update import SetAddress, SetPrefix, UpdateRequest
from homing.protocols import signed
from homing.protocols.http import Response
from tests.protocols.strategies import V4, V6, answers, make_request, requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.core.addresses import Address
    from homing.protocols.http import Request

T = 1795240000123
ONE = {"hostname": "cam.home.example.", "addresses": ["203.0.113.7", "2001:db8::7"]}


def signature(body: bytes, secret: str = "secret", t: int = T) -> tuple[str, str]:
    """Made as a client with openssl would: HMAC-SHA256 over t, a dot and the body."""
    digest = hmac.new(secret.encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()
    return ("homing-signature", f"t={t},v1={digest}")


def request(members: object, *headers: tuple[str, str]) -> Request:
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    return make_request("/v1/update", method="POST", headers=headers or (signature(body),), body=body)


def parsed(members: object) -> UpdateRequest:
    found = signed.parse(request(members), V4)
    assert isinstance(found, UpdateRequest), found
    return found


def refused(request_: Request, parse: Callable[[Request, Address], Any] = signed.parse) -> str:
    found = parse(request_, V4)
    assert isinstance(found, Response), found
    assert found.status == 400
    members = json.loads(found.body)
    assert members["error"] == "malformed"
    return str(members["detail"])


# --- what is understood


def test_addresses_are_explicit_and_under_the_signature() -> None:
    found = parsed(ONE)
    assert found.identity == "cam.home.example."
    assert found.updates[0].wishes == {"A": SetAddress(V4), "AAAA": SetAddress(V6)}
    assert isinstance(found.proof, SignedRequest)
    assert found.proof.signed_at == T
    assert found.proof.matches("secret")
    assert not found.proof.matches("other")
    assert found.proof.is_in_window(T / 1000 + 300)
    assert not found.proof.is_in_window(T / 1000 + 301)
    assert not found.proof.is_in_window(T / 1000 - 301)


def test_the_signature_is_over_the_exact_bytes_and_the_time() -> None:
    body = json.dumps(ONE).encode()
    _, value = signature(body)
    for changed in (body + b" ", body.replace(b"113.7", b"113.8")):
        found = signed.parse(make_request("/", method="POST", headers=(("homing-signature", value),), body=changed), V4)
        assert isinstance(found, UpdateRequest)
        assert not found.proof.matches("secret")
    later = value.replace(f"t={T}", f"t={T + 1}")
    found = signed.parse(make_request("/", method="POST", headers=(("homing-signature", later),), body=body), V4)
    assert isinstance(found, UpdateRequest)
    assert not found.proof.matches("secret")


def test_the_source_address_is_never_taken() -> None:
    found = signed.parse(request({"hostname": "h.example.com", "addresses": ["198.51.100.9"]}), V6)
    assert isinstance(found, UpdateRequest)
    assert found.updates[0].wishes == {"A": SetAddress(IPv4Address("198.51.100.9"))}


def test_a_prefix_is_the_other_form() -> None:
    found = parsed({"hostname": "cam.home.example", "prefix": "2001:DB8:1::/64"})
    assert found.updates[0].wishes == {"AAAA": SetPrefix(IPv6Network("2001:db8:1::/64"))}
    both = parsed({"hostname": "cam.home.example", "addresses": ["203.0.113.7"], "prefix": "2001:db8:1::/56"})
    assert set(both.updates[0].wishes) == {"A", "AAAA"}


def test_a_member_sets_its_group_in_one_request() -> None:
    entries = [{"hostname": f"{name}.home.example.", "addresses": ["203.0.113.7"]} for name in "ab"]
    found = parsed({"as": "NAS.home.example", "updates": entries})
    assert found.identity == "nas.home.example."
    assert [one.hostname for one in found.updates] == ["a.home.example.", "b.home.example."]


def test_order_and_white_space_of_a_body_do_not_matter() -> None:
    other = b'\n{ "addresses" : ["2001:DB8:0::7","203.0.113.7"],"hostname":"CAM.home.example"}\n'
    assert parsed(other).updates[0].wishes == parsed(ONE).updates[0].wishes


def test_a_mapped_address_is_ipv4() -> None:
    assert set(parsed({"hostname": "h.example.com", "addresses": ["::ffff:203.0.113.7"]}).updates[0].wishes) == {"A"}


def test_ninety_addresses_are_taken() -> None:
    entries = [
        {"hostname": f"h{n}.home.example", "addresses": ["203.0.113.7", "2001:db8::7"]} for n in range(MAX_ROWS // 2)
    ]
    assert len(parsed({"as": "h1.home.example", "updates": entries}).updates) == MAX_ROWS // 2
    more = [*entries, {"hostname": "x.home.example", "addresses": ["203.0.113.7"]}]
    assert str(MAX_ROWS) in refused(request({"as": "h1.home.example", "updates": more}))


def test_asking_for_the_group_is_signed_as_well() -> None:
    found = signed.parse_hosts(request({"as": "nas.home.example."}), V4)
    assert isinstance(found, UpdateRequest)
    assert (found.updates, found.identity) == ((), "nas.home.example.")
    assert found.proof.matches("secret")


def test_the_clients_half_makes_what_the_server_takes() -> None:
    body, headers = signed.make_update("secret", T, "cam.home.example.", ["203.0.113.7"])
    assert dict(headers)["homing-signature"] == signature(body)[1]
    found = signed.parse(make_request("/v1/update", method="POST", headers=headers, body=body), V4)
    assert isinstance(found, UpdateRequest)
    assert found.proof.matches("secret")


# --- what is refused


def test_the_header_is_needed_once() -> None:
    body = json.dumps(ONE).encode()
    assert "Homing-Signature" in refused(make_request("/v1/update", method="POST", body=body))
    assert "2 times" in refused(request(body, signature(body), signature(body)))


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"t={T}",
        f"v1={'a' * 64}",
        f"t={T},v1={'a' * 63}",
        f"t={T},v1={'g' * 64}",
        f"t=-1,v1={'a' * 64}",
        f"t=1.5,v1={'a' * 64}",
        f"t={'9' * 16},v1={'a' * 64}",
        f"t=\u0661,v1={'a' * 64}",
        f"v1={'a' * 64},t={T}",
        f"t={T},v1={'a' * 64}\n",
        f"t={T},v1={'a' * 64},v1={'b' * 64}",
    ],
)
def test_a_malformed_signature_is_refused(value: str) -> None:
    assert "Homing-Signature" in refused(request(ONE, ("homing-signature", value)))


@pytest.mark.parametrize(
    "members",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 60_000,
        [],
        None,
        "text",
        {},
        {"hostname": "h.example.com"},
        {"hostname": "h.example.com", "addresses": []},
        {"hostname": "h.example.com", "addresses": "203.0.113.7"},
        {"hostname": "h.example.com", "addresses": [1]},
        {"hostname": "h.example.com", "addresses": ["x"]},
        {"hostname": "h.example.com", "addresses": ["203.0.113.7", "203.0.113.8"]},
        {"hostname": "h.example.com", "addresses": ["203.0.113.7", "203.0.113.7"]},
        {"hostname": "h.example.com", "addresses": {"a": 1}},
        {"hostname": "h.example.com", "prefix": 64},
        {"hostname": "h.example.com", "prefix": "2001:db8::1/64"},
        {"hostname": "h.example.com", "prefix": "2001:db8::"},
        {"hostname": "h.example.com", "prefix": "203.0.113.0/24"},
        {"hostname": "h.example.com", "prefix": "::/0"},
        {"hostname": "h.example.com", "addresses": ["2001:db8::7"], "prefix": "2001:db8:1::/64"},
        {"hostname": "one", "addresses": ["203.0.113.7"]},
        {"hostname": None, "addresses": ["203.0.113.7"]},
        {"hostname": ["h.example.com"], "addresses": ["203.0.113.7"]},
        {"addresses": ["203.0.113.7"]},
        {"hostname": "h.example.com", "addresses": ["203.0.113.7"], "ttl": 60},
        {"as": "n.example.com", "hostname": "h.example.com", "addresses": ["203.0.113.7"]},
        {"as": "n.example.com", "updates": []},
        {"as": "n.example.com", "updates": {}},
        {"as": "n.example.com", "updates": ["x"]},
        {"as": "n.example.com", "updates": [ONE], "x": 1},
        {"as": "n.example.com", "updates": [ONE, {**ONE, "hostname": "CAM.home.example"}]},
        {"updates": [ONE]},
    ],
    ids=lambda members: repr(members)[:60],
)
def test_what_is_unclear_is_refused(members: object) -> None:
    assert refused(request(members))


@pytest.mark.parametrize(
    "members", [{}, {"as": 1}, {"as": "one"}, {"as": "a.b", "updates": []}, [], {"hostname": "a.b"}], ids=repr
)
def test_asking_for_a_group_names_one_host(members: object) -> None:
    assert refused(request(members), signed.parse_hosts)


@pytest.mark.parametrize(
    "members", [{"as": 1}, {"hostname": "\ud800.b.c"}, {"hostname": "a" * 5000}], ids=["as", "lone surrogate", "long"]
)
def test_a_refusal_never_repeats_the_signature(members: object) -> None:
    one = request(members)
    detail = refused(one)
    assert one.headers[0][1].partition("v1=")[2] not in detail
    assert len(detail) < 300


# --- what is answered


def members_of(response: Response) -> Any:
    assert response.content_type == "application/json"
    return json.loads(response.body)


def test_there_is_one_outcome_for_each_host_and_type() -> None:
    rrsets = (
        RRsetOutcome("A", Outcome.UPDATED, "203.0.113.7"),
        RRsetOutcome("AAAA", Outcome.UNCHANGED, "2001:db8::7"),
    )
    response = signed.render(Answer(Outcome.UPDATED, (HostOutcome("cam.home.example.", Outcome.UPDATED, rrsets),)))
    assert response.status == 200
    assert members_of(response) == {
        "outcomes": [
            {"hostname": "cam.home.example.", "record_type": "A", "outcome": "updated", "address": "203.0.113.7"},
            {"hostname": "cam.home.example.", "record_type": "AAAA", "outcome": "unchanged", "address": "2001:db8::7"},
        ]
    }


@pytest.mark.parametrize("outcome", [Outcome.STALE, Outcome.SKEWED])
def test_who_comes_too_late_is_told_both_times(outcome: Outcome) -> None:
    response = signed.render(Answer(outcome, server_time=T + 5, signed_at=T))
    assert response.status == 409
    members = members_of(response)
    assert (members["server_time"], members["signed_at"], members["error"]) == (T + 5, T, outcome.value)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.NOT_AUTHENTICATED, 401),
        (Outcome.NO_SUCH_HOST, 403),
        (Outcome.LOCKED, 403),
        (Outcome.ADDRESS_NOT_ALLOWED, 403),
        (Outcome.MALFORMED, 400),
        (Outcome.UNAVAILABLE, 503),
        (Outcome.PUBLISH_REJECTED, 503),
    ],
)
def test_a_failure_has_its_status_and_its_name(outcome: Outcome, status: int) -> None:
    response = signed.render(Answer(outcome, server_time=T, signed_at=T))
    assert response.status == status
    members = members_of(response)
    assert members["error"] == outcome.value
    assert "server_time" not in members
    assert ("retry-after" in dict(response.headers)) is (status == 503)


def test_a_group_never_shows_its_secret() -> None:
    host = Host(
        hostname=Name("cam.home.example."),
        record_type="AAAA",
        shared_secret="canary",
        mac_address="00:11:22:aa:bb:cc",
        interface_identifier="::1",
    )
    response = signed.render_hosts(Answer(Outcome.UNCHANGED, group=(host,)))
    assert members_of(response) == {
        "hosts": [
            {
                "hostname": "cam.home.example.",
                "record_type": "AAAA",
                "mac_address": "00:11:22:aa:bb:cc",
                "interface_identifier": "::1",
                "address": None,
                "allow_internal": False,
                "locked": False,
            }
        ]
    }


@given(requests(), st.sampled_from([V4, V6]))
def test_any_request_gives_a_value_or_an_answer(request_: Request, source: Address) -> None:
    for parse in (signed.parse, signed.parse_hosts):
        assert isinstance(parse(request_, source), UpdateRequest | Response)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["h.example.com", "203.0.113.7"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["hostname", "addresses", "prefix", "as", "updates"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_signed_json_gives_a_value_or_an_answer(members: object) -> None:
    for parse in (signed.parse, signed.parse_hosts):
        assert isinstance(parse(request(members), V4), UpdateRequest | Response)


@pytest.mark.parametrize("outcome", list(Outcome), ids=lambda outcome: outcome.name)
@given(st.data())
def test_every_outcome_has_an_answer(outcome: Outcome, data: st.DataObject) -> None:
    answer = data.draw(answers(outcome))
    for render in (signed.render, signed.render_hosts):
        response = render(answer)
        assert (response.status == 200) is outcome.is_success
        assert b"culprit" not in response.body


def test_the_addresses_stay_ip_addresses() -> None:
    (one,) = parsed({"hostname": "h.example.com", "addresses": ["[2001:db8::7]"]}).updates
    assert one.wishes == {"AAAA": SetAddress(IPv6Address("2001:db8::7"))}
