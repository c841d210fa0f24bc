"""Requests for tests: a short way to write one, and hypothesis strategies for any request and any answer.

No expectations are here.
"""

from __future__ import annotations

import base64
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.outcomes import Answer, HostOutcome, Outcome, RRsetOutcome
from homing.protocols.http import Request

if TYPE_CHECKING:
    from homing.core.addresses import Address

V4 = IPv4Address("203.0.113.7")
V6 = IPv6Address("2001:db8::7")

SUCCESS_WORDS = ("ok", "good", "true", "updated", "success", "nochg")
"""inadyn `custom{}` takes any body with one of these in it, in any case, for a success."""


def make_request(
    target: str = "/",
    *,
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes | str = b"",
    peer: Address = V4,
) -> Request:
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, body.encode() if isinstance(body, str) else body, peer)


def basic(username: str, password: str, scheme: str = "Basic") -> tuple[tuple[str, str], ...]:
    return (("authorization", f"{scheme} " + base64.b64encode(f"{username}:{password}".encode()).decode()),)


FORM = (("content-type", "application/x-www-form-urlencoded"),)

_FRAGMENTS = st.sampled_from(
    [
        *("hostname", "myip", "myipv6", "mode", "set", "get", "list_hosts", "hash", "internalIp", "fqdn", "token"),
        *("zoneid", "ttl", "ipv4", "offline", "YES", "preserve", "host_id", "username", "password", "execution_mode"),
        *("=", "&", "&&", ",", "/", "/64", "%", "%3a", "%00", "%ff", "%C3%BC", "+", "[", "]", "'", "[60]", ";", "#"),
        *("h.example.com", "203.0.113.7", "2001:db8::7", "::ffff:1.2.3.4", "a" * 64, "0", "-1", "9" * 5000),
    ]
)
_TEXTS = st.one_of(st.lists(_FRAGMENTS, max_size=12).map("".join), st.text(max_size=40))
_HEADERS = st.tuples(
    st.sampled_from(["authorization", "content-type", "homing-signature", "x-forwarded-for", "x-api-key", "accept"]),
    st.one_of(
        _TEXTS,
        st.sampled_from(["application/json", "application/x-www-form-urlencoded", "Bearer x", "Basic OmE=", "Token"]),
        st.integers(-5, 10**17).map(lambda t: f"t={t},v1={'a' * 64}"),
        st.binary(max_size=20).map(lambda raw: "Basic " + base64.b64encode(raw).decode()),
    ),
)
_JSON_BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Any request that a runtime could hand over, and many that none would."""
    import json

    body = draw(st.one_of(st.binary(max_size=60), _TEXTS.map(lambda text: text.encode("utf-8", "replace"))))
    if draw(st.booleans()):
        body = json.dumps(draw(_JSON_BODIES)).encode()
    return Request(
        draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "get", ""])),
        draw(st.one_of(st.sampled_from(["/", "/prod", "/nic/update", "/v1/update", "/v1/hosts", "/ip"]), _TEXTS)),
        draw(_TEXTS),
        tuple(draw(st.lists(_HEADERS, max_size=3))),
        body,
        draw(ADDRESSES),
    )


_RRSETS = st.builds(
    RRsetOutcome,
    st.sampled_from(["A", "AAAA"]),
    st.sampled_from(Outcome),
    st.one_of(st.none(), ADDRESSES.map(str)),
)
_HOSTS = st.builds(
    HostOutcome,
    st.sampled_from(["h.example.com.", "no name", ""]),
    st.sampled_from(Outcome),
    st.lists(_RRSETS, max_size=2).map(tuple),
)
_GROUP = st.builds(
    Host,
    hostname=st.just(Name("h.example.com.")),
    record_type=st.sampled_from(["A", "AAAA"]),
    shared_secret=st.just("s"),
    mac_address=st.sampled_from([None, "00:11:22:aa:bb:cc"]),
)


def answers(outcome: Outcome) -> st.SearchStrategy[Answer]:
    """Any answer with this outcome; one that is a success names at least one host."""
    return st.builds(
        Answer,
        st.just(outcome),
        st.lists(_HOSTS, min_size=1 if outcome.is_success else 0, max_size=3).map(tuple),
        culprit=st.just("the culprit"),
        retry_after=st.one_of(st.none(), st.integers(0, 10**6)),
        signed_at=st.one_of(st.none(), st.integers(0, 10**15)),
        group=st.lists(_GROUP, max_size=2).map(tuple),
    )
