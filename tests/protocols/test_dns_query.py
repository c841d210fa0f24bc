"""DNS queries over a zone: the answers, and every way to ask wrongly. dnspython reads what we write."""

from __future__ import annotations

import random
import struct
from ipaddress import IPv4Address

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.names import Name
from homing.core.records import RRset, RRsetKey
from homing.core.zone import SOA, Zone, Zones
from homing.protocols.dns_cache import AnswerCache, patch
from homing.protocols.dns_message import FormatError, parse_query
from homing.protocols.dns_query import PAYLOAD, answer, respond, servfail, truncate
from homing.protocols.zone_file import parse_records

APEX = Name("z.test.")
SOA_ = SOA(Name("ns.z.test."), Name("admin.z.test."), 7200, 900, 1209600, 60, 300)
RECORDS = [
    "@ NS ns",
    "@ NS ns.example.com.",
    "@ MX 10 mail",
    "@ TXT hello",
    "ns A 192.0.2.53",
    "www CNAME host",
    "out CNAME example.com.",
    "gone CNAME nothing",
    "deep CNAME x.sub",
    "sub NS ns.sub",
    "sub NS ns2.example.",
    "sub DS 1 8 2 " + "00" * 32,
    "ns.sub A 192.0.2.54",
    "ns.sub AAAA 2001:db8::54",
    "*.wild TXT wild",
    "a.ent A 192.0.2.3",
    "srv SRV 1 2 3 host",
    "odd TYPE65400 \\# 2 abcd",
    "caa CAA 0 issue ca.example",
    *(f"big TXT {'x' * 200}{i}" for i in range(10)),
    *(f"middle TXT {'x' * 200}{i}" for i in range(4)),
]


def make_zone(apex: Name = APEX) -> Zone:
    zone = Zone(apex, SOA_, parse_records(RECORDS, apex, 120), 1)
    host = Name("host." + apex)
    changes = [
        (RRsetKey(host, "A"), RRset(60, ("192.0.2.1", "192.0.2.2"))),
        (RRsetKey(host, "AAAA"), RRset(60, ("2001:db8::1",))),
    ]
    zone.apply(changes, 5)
    return zone


ZONE = make_zone()
ZONES = Zones([ZONE])


def ask(query: dns.message.Message | bytes, *, udp: bool = True) -> dns.message.Message:
    wire = query if isinstance(query, bytes) else query.to_wire()
    response = answer(wire, ZONES, udp=udp)
    assert response is not None
    return dns.message.from_wire(response)


def query(name: str, rtype: str = "A", **options: object) -> dns.message.Message:
    options.setdefault("id", 4711)  # the same in every process, since tests are named after their bytes
    return dns.message.make_query(name, rtype, **options)  # type: ignore[arg-type]  # passed through as it is


def texts(section: list[dns.rrset.RRset]) -> list[str]:
    return [line for rrset in section for line in rrset.to_text().splitlines()]


# --- answers ---


def test_a_host_is_answered_with_authority_and_nothing_else() -> None:
    response = ask(query("host.z.test"))
    assert texts(response.answer) == ["host.z.test. 60 IN A 192.0.2.1", "host.z.test. 60 IN A 192.0.2.2"]
    assert response.flags == dns.flags.QR | dns.flags.AA | dns.flags.RD
    assert not response.authority
    assert not response.additional


@pytest.mark.parametrize(
    ("name", "rtype", "first"),
    [
        ("z.test", "SOA", "z.test. 300 IN SOA ns.z.test. admin.z.test. 5 7200 900 1209600 60"),
        ("z.test", "MX", "z.test. 120 IN MX 10 mail.z.test."),
        ("z.test", "NS", "z.test. 120 IN NS ns.z.test."),
        ("host.z.test", "AAAA", "host.z.test. 60 IN AAAA 2001:db8::1"),
        ("x.wild.z.test", "TXT", 'x.wild.z.test. 120 IN TXT "wild"'),
        ("srv.z.test", "SRV", "srv.z.test. 120 IN SRV 1 2 3 host.z.test."),
        ("odd.z.test", "TYPE65400", "odd.z.test. 120 IN TYPE65400 \\# 2 abcd"),
        ("caa.z.test", "CAA", 'caa.z.test. 120 IN CAA 0 issue "ca.example"'),
        ("sub.z.test", "DS", "sub.z.test. 120 IN DS 1 8 2 " + "00" * 32),
    ],
)
def test_every_kind_of_record_is_answered(name: str, rtype: str, first: str) -> None:
    assert first in texts(ask(query(name, rtype)).answer)


@pytest.mark.parametrize(("name", "rcode"), [("nothing.z.test", dns.rcode.NXDOMAIN), ("ent.z.test", dns.rcode.NOERROR)])
def test_a_negative_answer_carries_the_soa_with_the_smaller_ttl(name: str, rcode: dns.rcode.Rcode) -> None:
    response = ask(query(name))
    assert response.rcode() == rcode
    assert not response.answer
    assert texts(response.authority) == ["z.test. 60 IN SOA ns.z.test. admin.z.test. 5 7200 900 1209600 60"]
    assert response.flags & dns.flags.AA


def test_an_alias_is_answered_with_what_it_leads_to() -> None:
    assert texts(ask(query("www.z.test", "AAAA")).answer) == [
        "www.z.test. 120 IN CNAME host.z.test.",
        "host.z.test. 60 IN AAAA 2001:db8::1",
    ]
    gone = ask(query("gone.z.test"))
    assert (gone.rcode(), len(gone.answer), len(gone.authority)) == (dns.rcode.NXDOMAIN, 1, 1)
    out = ask(query("out.z.test"))
    assert (out.rcode(), len(out.answer), len(out.authority)) == (dns.rcode.NOERROR, 1, 0)


def test_a_delegation_is_a_referral_without_authority() -> None:
    response = ask(query("x.sub.z.test"))
    assert not response.flags & dns.flags.AA
    assert not response.answer
    assert len(texts(response.authority)) == 2
    assert texts(response.additional) == [
        "ns.sub.z.test. 120 IN A 192.0.2.54",
        "ns.sub.z.test. 120 IN AAAA 2001:db8::54",
    ]
    behind_alias = ask(query("deep.z.test"))
    assert behind_alias.flags & dns.flags.AA
    assert behind_alias.authority


def test_the_ds_of_a_hosted_child_zone_comes_from_its_parent() -> None:
    child_apex = Name("sub.z.test.")
    child = Zone(child_apex, SOA_, parse_records(["@ NS ns"], child_apex, 60), 1)
    wire = query("sub.z.test", "DS").to_wire()
    response = dns.message.from_wire(answer(wire, Zones([ZONE, child]), udp=True) or b"")
    assert response.answer
    alone = dns.message.from_wire(answer(wire, Zones([child]), udp=True) or b"")
    assert (alone.rcode(), alone.answer, len(alone.authority)) == (dns.rcode.NOERROR, [], 1)


def test_any_is_answered_with_one_rrset() -> None:
    assert [rrset.rdtype for rrset in ask(query("host.z.test", "ANY")).answer] == [dns.rdatatype.A]
    assert [rrset.rdtype for rrset in ask(query("www.z.test", "ANY")).answer] == [dns.rdatatype.CNAME]
    assert ask(query("nothing.z.test", "ANY")).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("name", ["example.com", "xz.test", "test", ".", "z.test.example"])
@pytest.mark.parametrize("rtype", ["A", "ANY", "SOA", "NS"])
def test_foreign_names_are_refused_and_empty(name: str, rtype: str) -> None:
    wire = query(name, rtype).to_wire()
    response = ask(wire)
    assert response.rcode() == dns.rcode.REFUSED
    assert response.flags & 0xFFF0 == dns.flags.QR | dns.flags.RD
    assert response.sections[1:] == [[], [], []]
    assert len(answer(wire, ZONES, udp=True) or b"") == len(wire)


@given(st.lists(st.binary(min_size=1, max_size=63), max_size=3), st.integers(1, 65535))
def test_names_of_any_octets_are_found_absent_or_foreign(labels: list[bytes], rtype: int) -> None:
    name = dns.name.Name([*labels, b"Z", b"tEsT", b""])
    wire = b"\0\1\0\0\0\1\0\0\0\0\0\0" + (name.to_wire() or b"") + struct.pack("!HH", rtype, 1)
    response = answer(wire, ZONES, udp=True)
    assert response is not None
    assert response[12 : len(wire)] in {wire[12:], b""}


def test_a_dot_or_an_asterisk_inside_a_label_is_no_boundary() -> None:
    names = [dns.name.Name([b"host.z", b"test", b""]), dns.name.Name([b"a.ent", b"z", b"test", b""])]
    refused, absent = (ask(dns.message.make_query(name, "A")) for name in names)
    assert refused.rcode() == dns.rcode.REFUSED
    assert absent.rcode() == dns.rcode.NXDOMAIN


def test_mixed_case_comes_back_in_the_question_and_the_answer() -> None:
    asked = query("HoSt.Z.tEsT")
    response = ask(asked)
    assert response.question[0].name.labels == asked.question[0].name.labels
    assert response.answer[0].name.labels == asked.question[0].name.labels


@pytest.mark.parametrize(
    "name", ["z.test", "host.z.test", "x.sub.z.test", "www.z.test", "nothing.z.test", "big.z.test"]
)
@pytest.mark.parametrize("rtype", ["A", "NS", "SOA", "MX", "TXT"])
def test_answers_are_compressed_as_well_as_dnspython_does(name: str, rtype: str) -> None:
    wire = answer(query(name, rtype).to_wire(), ZONES, udp=False)
    assert wire is not None
    assert len(wire) <= len(dns.message.from_wire(wire).to_wire())


# --- sizes ---


@pytest.mark.parametrize(
    ("name", "payload", "cut"),
    [
        ("big", None, True),
        ("big", 4096, True),
        ("middle", None, True),
        ("middle", 512, True),
        ("middle", 0, True),
        ("middle", 1000, False),
        ("middle", 1232, False),
        ("middle", 65535, False),
        ("host", 0, False),
    ],
)
def test_udp_answers_fit_the_smaller_of_both_payloads(name: str, payload: int | None, *, cut: bool) -> None:
    options = {} if payload is None else {"use_edns": 0, "payload": payload}
    asked = query(f"{name}.z.test", "TXT" if name != "host" else "A", **options)
    wire = answer(asked.to_wire(), ZONES, udp=True) or b""
    response = dns.message.from_wire(wire)
    assert len(wire) <= min(max(payload or 512, 512), PAYLOAD)
    assert bool(response.flags & dns.flags.TC) == cut
    assert response.answer == [] if cut else response.answer
    assert response.edns == (-1 if payload is None else 0)


def test_tcp_answers_are_whole() -> None:
    response = ask(query("big.z.test", "TXT"), udp=False)
    assert len(texts(response.answer)) == 10
    assert not response.flags & dns.flags.TC


def test_a_referral_whose_glue_does_not_fit_is_marked_as_cut() -> None:
    apex = Name("z.test.")
    lines = [
        "@ NS ns.example.",
        *(f"sub NS ns{i}.sub" for i in range(13)),
        *(f"ns{i}.sub AAAA 2001:db8::{i}" for i in range(13)),
    ]
    zones = Zones([Zone(apex, SOA_, parse_records(lines, apex, 60), 1)])
    response = dns.message.from_wire(answer(query("x.sub.z.test").to_wire(), zones, udp=True) or b"")
    assert response.flags & dns.flags.TC


# --- EDNS ---


@pytest.mark.parametrize("version", [1, 2, 100, 255])
def test_an_unknown_edns_version_is_badvers(version: int) -> None:
    response = ask(query("host.z.test", use_edns=version))
    assert response.rcode() == dns.rcode.BADVERS
    assert response.edns == 0
    assert response.answer == []


def option(number: int, data: bytes) -> dns.edns.GenericOption:
    return dns.edns.GenericOption(dns.edns.OptionType.make(number), data)


OPTIONS = {
    "none": [],
    "nsid": [option(3, b"")],
    "cookie": [option(10, b"12345678")],
    "client subnet": [option(8, b"\0\1\x18\0\xc0\0\2")],
    "expire": [option(9, b"")],
    "padding": [option(12, bytes(40))],
    "unknown": [option(65001, b"x"), option(65001, b"x")],
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("flags", [0, 0x8000, 0x7FFF, 0xFFFF])
def test_edns_options_and_unknown_flags_are_ignored_and_do_is_copied(
    options: list[dns.edns.Option], flags: int
) -> None:
    asked = query("host.z.test", use_edns=0, ednsflags=flags, options=options)
    response = ask(asked)
    assert response.rcode() == dns.rcode.NOERROR
    assert len(response.answer) == 1
    assert response.edns == 0
    assert response.payload == PAYLOAD
    assert response.ednsflags == flags & 0x8000
    assert response.options == ()


def test_errors_answer_opt_with_opt() -> None:
    assert ask(query("example.com", use_edns=0)).edns == 0
    assert ask(query("z.test", "AXFR", use_edns=0)).edns == 0


OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("tail", "counts"),
    [
        (OPT + OPT, (0, 0, 2)),
        (OPT, (1, 0, 0)),
        (OPT, (0, 1, 0)),
        (b"\1a" + OPT, (0, 0, 1)),
        (b"\0\0\x29\x04\xd0\0\0\0\0\0\5\0\1\0\2x", (0, 0, 1)),
        (b"\0\0\x29\x04\xd0\0\0\0\0\0\2\0\1", (0, 0, 1)),
    ],
    ids=["two", "in the answer", "in the authority", "with an owner", "long option", "half an option"],
)
def test_a_misplaced_or_broken_opt_is_formerr(tail: bytes, counts: tuple[int, int, int]) -> None:
    wire = query("host.z.test").to_wire()
    head = wire[:6] + struct.pack("!HHH", *counts)
    assert ask(head + wire[12:] + tail).rcode() == dns.rcode.FORMERR


# --- header ---


@pytest.mark.parametrize("bit", [0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010, 0x000F])
@pytest.mark.parametrize("name", ["host.z.test", "nothing.z.test", "example.com"])
def test_of_the_header_bits_only_rd_is_echoed(bit: int, name: str) -> None:
    wire = bytearray(query(name, flags=0).to_wire())
    wire[2:4] = struct.pack("!H", bit)
    flags = struct.unpack_from("!H", answer(bytes(wire), ZONES, udp=True) or b"", 2)[0]
    authoritative = 0 if name == "example.com" else 0x0400
    assert flags & 0xFFF0 == 0x8000 | authoritative | bit & 0x0100


@pytest.mark.parametrize("opcode", range(1, 16))
def test_other_opcodes_are_not_implemented(opcode: int) -> None:
    wire = bytearray(query("host.z.test").to_wire())
    wire[2] = opcode << 3
    response = ask(bytes(wire))
    assert (response.rcode(), response.opcode(), response.id) == (dns.rcode.NOTIMP, opcode, wire[0] << 8 | wire[1])


def test_an_update_message_is_not_implemented_and_changes_nothing() -> None:
    update = dns.update.UpdateMessage("z.test")
    update.replace("host", 60, "A", "192.0.2.99")
    assert ask(update.to_wire()).rcode() == dns.rcode.NOTIMP
    assert ask(query("host.z.test")).answer[0][0].to_text() == "192.0.2.1"


@pytest.mark.parametrize("wire", [b"", b"\0", b"\0" * 11, b"\0\1\x80" + b"\0" * 9])
def test_less_than_a_header_and_responses_get_silence(wire: bytes) -> None:
    assert answer(wire, ZONES, udp=True) is None
    assert servfail(wire) is None


def test_our_own_responses_get_silence() -> None:
    assert answer(answer(query("host.z.test").to_wire(), ZONES, udp=True) or b"", ZONES, udp=True) is None


@pytest.mark.parametrize("rclass", ["CH", "HS", "ANY", "NONE"])
def test_other_classes_are_refused(rclass: str) -> None:
    assert ask(query("host.z.test", rdclass=rclass)).rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize("rtype", ["AXFR", "IXFR", "MAILA", "MAILB", "TSIG", "TKEY", "TYPE200"])
def test_transfers_and_meta_types_are_refused_and_empty(rtype: str) -> None:
    for udp in (True, False):
        response = ask(query("z.test", rtype), udp=udp)
        assert response.rcode() == dns.rcode.REFUSED
        assert response.sections[1:] == [[], [], []]


@pytest.mark.parametrize("rtype", [0, 41, 128])
def test_types_that_are_no_question_are_formerr(rtype: int) -> None:
    wire = query("z.test").to_wire()[:-4] + struct.pack("!HH", rtype, 1)
    assert answer(wire, ZONES, udp=True) is not None
    assert (answer(wire, ZONES, udp=True) or b"")[3] == dns.rcode.FORMERR


@pytest.mark.parametrize("name", ["z.test", "example.com"])
def test_a_signed_message_has_no_authority_here(name: str) -> None:
    asked = query(name, "AXFR")
    asked.use_tsig({dns.name.from_text("key."): b"0123456789abcdef"})
    response = answer(asked.to_wire(), ZONES, udp=False) or b""
    assert response[3] & 0xF == dns.rcode.NOTAUTH
    assert response[6:12] == bytes(6)


def test_a_signature_before_another_record_is_formerr() -> None:
    asked = query("z.test")
    asked.use_tsig({dns.name.from_text("key."): b"0123456789abcdef"})
    wire = asked.to_wire()
    assert ask(wire[:11] + b"\2" + wire[12:] + OPT).rcode() == dns.rcode.FORMERR


# --- malformed ---

GOOD = query("host.z.test").to_wire()


@pytest.mark.parametrize(
    "wire",
    [
        GOOD[:4] + b"\0\0" + GOOD[6:12],
        GOOD[:4] + b"\0\2" + GOOD[6:] + GOOD[12:],
        GOOD[:4] + b"\xff\xff" + GOOD[6:],
        GOOD[:6] + b"\xff\xff\xff\xff\xff\xff" + GOOD[12:],
        GOOD + b"\0",
        GOOD[:-1],
        GOOD[:12],
        GOOD[:12] + b"\xc0\x0c\0\1\0\1",
        GOOD[:12] + b"\x01a\xc0\x0c\0\1\0\1",
        GOOD[:12] + b"\x40a\0\0\1\0\1",
        GOOD[:12] + b"\x80a\0\0\1\0\1",
        GOOD[:12] + b"\x3fa\0\0\1\0\1",
        GOOD[:12] + b"\x01a" * 127 + b"\x01a\0\0\1\0\1",
        GOOD[:10] + b"\0\1" + GOOD[12:] + b"\xc0\xff\0\1\0\1\0\0\0\0\0\0",
        GOOD[:10] + b"\0\1" + GOOD[12:] + b"\x80\0\1\0\1\0\0\0\0\0\0",
        GOOD[:10] + b"\0\1" + GOOD[12:] + b"\0\0\1\0\1\0\0\0\0\0\5x",
    ],
)
def test_what_cannot_be_read_is_formerr_with_the_id(wire: bytes) -> None:
    response = answer(wire, ZONES, udp=True)
    assert response == wire[:2] + b"\x81\x01" + bytes(8)


def test_the_longest_name_is_no_error() -> None:
    name = dns.name.Name([b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 54, b"z", b"test", b""])
    assert len(name.to_wire() or b"") == 255
    assert ask(dns.message.make_query(name, "A")).rcode() == dns.rcode.NXDOMAIN


@given(
    st.lists(st.binary(min_size=1, max_size=10), max_size=6).map(lambda labels: dns.name.Name([*labels, b""])),
    st.integers(1, 65535).filter(lambda rtype: rtype not in {41, 250}),
    st.one_of(st.none(), st.tuples(st.integers(0, 65535), st.integers(0, 255), st.booleans())),
)
def test_well_formed_queries_are_read_as_dnspython_reads_them(
    name: dns.name.Name, rtype: int, edns: tuple[int, int, bool] | None
) -> None:
    asked = dns.message.make_query(name, dns.rdatatype.RdataType.make(rtype))
    if edns:
        asked.use_edns(edns[1], 0x8000 if edns[2] else 0, edns[0])
    found = parse_query(asked.to_wire())
    assert (found.rtype, found.rclass) == (rtype, 1)
    assert dns.name.from_text(found.name) == name
    assert found.name.count(".") == max(len(name.labels) - 1, 1)
    assert (found.edns and (found.edns.payload, found.edns.version, found.edns.dnssec_ok)) == edns


def test_mutated_queries_never_raise_and_never_grow_beyond_the_limit() -> None:
    chance = random.Random(20261121)
    seeds = [
        query("host.z.test", use_edns=0, options=OPTIONS["cookie"]).to_wire(),
        query("x.wild.z.test", "TXT").to_wire(),
        query("big.z.test", "ANY", use_edns=0, payload=4096).to_wire(),
        dns.update.UpdateMessage("z.test").to_wire(),
        answer(query("x.sub.z.test", use_edns=0).to_wire(), ZONES, udp=True) or b"",
    ]
    for _ in range(2000):
        wire = bytearray(chance.choice(seeds))
        wire[2] &= 0x7F
        for _ in range(chance.randint(1, 4)):
            _mutate(wire, chance)
        response = answer(bytes(wire), ZONES, udp=True)
        if response is None:
            assert len(wire) < 12 or wire[2] & 0x80
        else:
            assert len(response) <= PAYLOAD
            assert response[:2] == wire[:2]
            dns.message.from_wire(response)


def _mutate(wire: bytearray, chance: random.Random) -> None:
    match chance.randrange(4):
        case 0 if wire:
            wire[chance.randrange(len(wire))] = chance.choice([0, 1, 63, 64, 128, 192, 255, chance.randrange(256)])
        case 1:
            del wire[chance.randrange(len(wire) + 1) :]
        case 2:
            wire += chance.randbytes(chance.randrange(30))
        case 3 if len(wire) > 12:
            at = chance.randrange(12, len(wire))
            wire[at:at] = wire[12 : chance.randrange(12, len(wire))]


# --- what goes with a reply ---


def test_replies_that_help_an_attacker_alike_are_alike() -> None:
    def like(name: str, rtype: str = "A") -> str:
        reply = respond(query(name, rtype).to_wire(), ZONES, udp=True)
        assert reply is not None
        return reply.like

    assert like("a.wild.z.test", "TXT") == like("b.wild.z.test", "TXT")
    assert like("no1.z.test") == like("no2.z.test")
    assert like("a.sub.z.test") == like("b.sub.z.test")
    assert like("example.com") == like("example.org") == like("z.test", "AXFR")
    assert len({like("host.z.test"), like("z.test", "MX"), like("no.z.test"), like("x.sub.z.test"), like("com")}) == 5


def test_a_cut_reply_keeps_question_and_opt_only() -> None:
    for edns in (False, 0):
        asked = query("x.sub.z.test", use_edns=edns)
        reply = respond(asked.to_wire(), ZONES, udp=True)
        assert reply is not None
        response = dns.message.from_wire(truncate(reply))
        assert response.flags & dns.flags.TC
        assert response.question == asked.question
        assert (response.answer, response.authority, response.additional) == ([], [], [])
        assert response.edns == asked.edns


def test_servfail_echoes_id_and_rd() -> None:
    assert servfail(GOOD) == GOOD[:2] + b"\x81\x02" + bytes(8)


# --- the cache ---


def ask_cached(cache: AnswerCache, wire: bytes, *, udp: bool = True) -> bytes:
    reply = cache.respond(wire, udp=udp)
    assert reply is not None
    return patch(reply.wire, wire)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["host", "HOST", "www", "big", "nothing", "x.sub"]),
            st.sampled_from(["A", "TXT", "ANY"]),
            st.sampled_from([False, 0]),
            st.booleans(),
            st.integers(0, 65535),
            st.integers(0, 2),
        ),
        max_size=30,
    )
)
def test_a_cached_answer_is_the_answer(steps: list[tuple[str, str, bool, bool, int, int]]) -> None:
    zone = make_zone()
    zones = Zones([zone])
    cache = AnswerCache(zones, size=3)
    for serial, (name, rtype, edns, udp, id_, change) in enumerate(steps, 6):
        if change == 0:
            zone.apply([(RRsetKey(Name("host.z.test."), "A"), RRset(60, (str(IPv4Address(serial)),)))], serial)
        wire = query(name + ".z.test", rtype, use_edns=edns, id=id_).to_wire()
        assert ask_cached(cache, wire, udp=udp) == answer(wire, zones, udp=udp)
        assert len(cache) <= 3


def test_a_kept_answer_out_of_a_wildcard_gives_way_to_a_new_host() -> None:
    lines = ["@ NS ns.example.", "*.alias CNAME host", "*.wild A 192.0.2.8"]
    zone = Zone(APEX, SOA_, parse_records(lines, APEX, 60), 1)
    zone.apply([(RRsetKey(Name("host.z.test."), "A"), RRset(60, ("192.0.2.1",)))], 2)
    cache = AnswerCache(Zones([zone]))
    for name in ("new.alias.z.test", "new.wild.z.test"):
        wire = query(name).to_wire()
        ask_cached(cache, wire)
        zone.apply([(RRsetKey(Name(name + "."), "A"), RRset(60, ("192.0.2.9",)))], 3)
        assert texts(dns.message.from_wire(ask_cached(cache, wire)).answer) == [f"{name}. 60 IN A 192.0.2.9"]


def test_a_kept_answer_survives_a_change_elsewhere_and_not_its_own() -> None:
    zone = make_zone()
    cache = AnswerCache(Zones([zone]))
    kept = cache.respond(GOOD, udp=True)
    zone.apply([(RRsetKey(Name("other.z.test."), "A"), RRset(60, ("192.0.2.9",)))], 6)
    assert cache.respond(GOOD, udp=True) is kept
    zone.apply([(RRsetKey(Name("host.z.test."), "A"), None)], 7)
    assert texts(dns.message.from_wire(ask_cached(cache, GOOD)).answer) == []


@pytest.mark.parametrize(
    "asked",
    [
        query("nothing.z.test"),
        query("example.com"),
        query("host.z.test", use_edns=0, options=OPTIONS["cookie"]),
        query("host.z.test", use_edns=1),
    ],
)
def test_what_would_only_fill_the_cache_is_not_kept(asked: dns.message.Message) -> None:
    cache = AnswerCache(ZONES)
    ask_cached(cache, asked.to_wire())
    assert len(cache) == 0
    ask_cached(cache, GOOD)
    assert len(cache) == 1


def test_no_message_is_read_as_another() -> None:
    with pytest.raises(FormatError, match="2 questions"):
        parse_query(GOOD[:4] + b"\0\2" + GOOD[6:] + GOOD[12:])
