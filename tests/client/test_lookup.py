"""What DNS shows: the wire format against dnspython, servers that answer nonsense, and nothing that breaks it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.client.lookup import answers_question, ask_dns, find_resolvers, make_query, parse_answer, shows
from tests.client.servers import Datagrams

if TYPE_CHECKING:
    from pathlib import Path

    from homing.core.hosts import RecordType

V4, V6 = ip_address("203.0.113.7"), ip_address("2001:db8::7")
QUERY = make_query(4711, "cam.home.example", "A")


def answer(query: bytes, *records: str, rcode: int = dns.rcode.NOERROR) -> bytes:
    """Answer with dnspython; each record is `NAME TYPE DATA`."""
    reply = dns.message.make_response(dns.message.from_wire(query))
    reply.set_rcode(dns.rcode.Rcode(rcode))
    for record in records:
        name, kind, data = record.split()
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, data))
    return reply.to_wire()


def test_a_query_is_what_dnspython_reads() -> None:
    message = dns.message.from_wire(QUERY)
    assert message.id == 4711
    assert message.question[0].to_text() == "cam.home.example. IN A"
    assert message.flags & dns.flags.RD
    assert message.payload == 1232
    six = dns.message.from_wire(make_query(1, "bücher.example.", "AAAA"))
    assert six.question[0].to_text() == "xn--bcher-kva.example. IN AAAA"


def test_the_addresses_of_an_answer_are_found_behind_aliases_too() -> None:
    assert parse_answer(QUERY, answer(QUERY, "cam.home.example. A 203.0.113.7"), "A") == frozenset([V4])
    alias = answer(QUERY, "cam.home.example. CNAME x.example.", "x.example. A 203.0.113.7", "x.example. A 203.0.113.8")
    assert parse_answer(QUERY, alias, "A") == frozenset([V4, ip_address("203.0.113.8")])
    query = make_query(1, "cam.home.example", "AAAA")
    assert parse_answer(query, answer(query, "cam.home.example. AAAA 2001:db8::7"), "AAAA") == frozenset([V6])


def test_no_record_is_an_answer_and_trouble_is_none() -> None:
    assert parse_answer(QUERY, answer(QUERY), "A") == frozenset()
    assert parse_answer(QUERY, answer(QUERY, rcode=dns.rcode.NXDOMAIN), "A") == frozenset()
    for rcode in (dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.FORMERR):
        assert parse_answer(QUERY, answer(QUERY, rcode=rcode), "A") is None


def test_what_answers_another_question_or_is_cut_short_is_not_taken() -> None:
    good = answer(QUERY, "cam.home.example. A 203.0.113.7")
    other = make_query(4711, "dam.home.example", "A")
    assert parse_answer(QUERY, answer(other, "dam.home.example. A 203.0.113.7"), "A") is None
    assert parse_answer(make_query(4712, "cam.home.example", "A"), good, "A") is None
    assert parse_answer(QUERY, QUERY, "A") is None
    truncated = bytes([*good[:2], good[2] | 2, *good[3:]])
    assert parse_answer(QUERY, truncated, "A") is None
    assert all(parse_answer(QUERY, good[:length], "A") in (None, {V4}) for length in range(len(good)))
    assert parse_answer(QUERY, good[: good.index(V4.packed) + 2], "A") is None


@given(st.binary(max_size=120), st.integers(0, 60))
def test_any_answer_is_read(data: bytes, keep: int) -> None:
    good = answer(QUERY, "cam.home.example. A 203.0.113.7")
    for wire in (data, good[:keep] + data):
        found = parse_answer(QUERY, wire, "A")
        assert found is None or all(one.version == 4 for one in found)


def test_a_server_is_asked_and_what_is_not_its_answer_is_not_listened_to() -> None:
    def reply(data: bytes, number: int) -> list[bytes]:
        if number == 1:
            return []
        good = answer(data, "cam.home.example. A 203.0.113.7")
        other = bytes([*data[:12], *data[12:].replace(b"cam", b"dam")])
        strange = answer(other, "dam.home.example. A 203.0.113.9")
        return [b"", b"x", bytes([good[0] ^ 1]) + good[1:], data, strange, good]

    with Datagrams(reply) as server:
        assert ask_dns("cam.home.example", "A", (server.host, server.port), 2.0) == frozenset([V4])
        assert len(server.heard) == 2, "a datagram that is lost is sent again"


def test_trouble_is_an_answer_that_is_not_waited_beyond() -> None:
    failed = answer(QUERY, rcode=dns.rcode.SERVFAIL)
    assert answers_question(QUERY, failed)
    assert answers_question(QUERY, QUERY[:2] + b"\x80\x01" + bytes(8)), "a format error, without the question"
    assert not answers_question(QUERY, QUERY[:2] + b"\x80\x03" + bytes(8)), "NXDOMAIN of nobody knows what"
    assert not answers_question(QUERY, failed[:11])


def test_nobody_is_asked_for_ever_and_silence_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Datagrams(lambda *_: []) as silent, Datagrams(lambda data, _: [answer(data)]) as other:
        assert ask_dns("cam.home.example", "A", (silent.host, silent.port), 0.2) is None
        servers = [("not-an-address", 53), (silent.host, silent.port), (other.host, other.port)]
        monkeypatch.setattr("homing.client.lookup.find_resolvers", lambda: servers)
        assert ask_dns("cam.home.example", "A", timeout=1.5) == frozenset(), "the next one is asked"
        monkeypatch.setattr("homing.client.lookup.find_resolvers", list)
        assert ask_dns("cam.home.example", "A", timeout=0.2) is None
        assert ask_dns("no name", "A", (other.host, other.port), 0.2) is None
    assert ask_dns("cam.home.example", "A", (other.host, other.port), 0.2) is None


def test_the_systems_resolvers_are_those_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# x\nsearch a\nnameserver 192.0.2.1\nnameserver\nnameserver 2001:db8::1 \n")
    assert find_resolvers(str(file)) == [("192.0.2.1", 53), ("2001:db8::1", 53)]
    assert find_resolvers(str(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("found", "wanted"), [(frozenset([V4]), True), (frozenset(), False), (None, False), (frozenset([V4, V6]), False)]
)
def test_dns_shows_an_address_if_it_shows_that_and_no_other(found: frozenset[object] | None, wanted: bool) -> None:
    assert shows(found, [V4]) is wanted  # type: ignore[arg-type]  # addresses


@pytest.mark.parametrize("record_type", ["A", "AAAA"])
def test_every_name_of_ours_can_be_asked_for(record_type: RecordType) -> None:
    assert dns.message.from_wire(make_query(1, "a." * 100 + "example", record_type)).question
