"""Records as an operator writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidInput
from homing.core.names import Name
from homing.core.records import RRset, RRsetKey
from homing.protocols.zone_file import parse_records

if TYPE_CHECKING:
    import ipaddress

ZONE = Name("z.test.")


def parse(*lines: str) -> dict[tuple[str, str], RRset]:
    return {(name, rtype): rrset for (name, rtype), rrset in parse_records(lines, ZONE, 3600).items()}


@pytest.mark.parametrize(
    ("line", "name", "rtype", "ttl", "rdata"),
    [
        ("@ MX 10 Mail", "z.test.", "MX", 3600, "10 mail.z.test."),
        ("www 300 IN A 192.0.2.1", "www.z.test.", "A", 300, "192.0.2.1"),
        ("www IN 300 A 192.0.2.1", "www.z.test.", "A", 300, "192.0.2.1"),
        ("WWW\t1h\tAAAA\t2001:DB8:0::1", "www.z.test.", "AAAA", 3600, "2001:db8::1"),
        ("a.z.test. A 192.0.2.1", "a.z.test.", "A", 3600, "192.0.2.1"),
        ('txt TXT "hello; world" x', "txt.z.test.", "TXT", 3600, '"hello; world" "x"'),
        ("www CNAME Host.Example.COM.", "www.z.test.", "CNAME", 3600, "host.example.com."),
        ("*.w CNAME @", "*.w.z.test.", "CNAME", 3600, "z.test."),
        ("_s._tcp SRV 0 5 443 Host", "_s._tcp.z.test.", "SRV", 3600, "0 5 443 host.z.test."),
        ('@ CAA 0 issue "ca.example"', "z.test.", "CAA", 3600, '0 issue "ca.example"'),
        ("p PTR a\\.b", "p.z.test.", "PTR", 3600, "a\\046b.z.test."),
        ("x TYPE65400 \\# 2 ABCD", "x.z.test.", "TYPE65400", 3600, "\\# 2 abcd"),
        ("x TYPE1 \\# 4 C0000201", "x.z.test.", "A", 3600, "192.0.2.1"),
        ("bücher A 192.0.2.1", "xn--bcher-kva.z.test.", "A", 3600, "192.0.2.1"),
        ("x A 192.0.2.1 ; a comment", "x.z.test.", "A", 3600, "192.0.2.1"),
    ],
)
def test_a_line_becomes_an_rrset_in_canonical_form(line: str, name: str, rtype: str, ttl: int, rdata: str) -> None:
    assert parse(line) == {(name, rtype): RRset(ttl, (rdata,))}


def test_records_of_one_name_and_type_become_one_rrset_with_the_smallest_ttl() -> None:
    found = parse("w 300 A 192.0.2.10", "w 60 A 192.0.2.9", "W 900 A 192.0.2.10", "w 5 TXT x")
    assert found["w.z.test.", "A"] == RRset(60, ("192.0.2.9", "192.0.2.10"))


@given(st.permutations([f"w A 192.0.2.{i}" for i in range(5)]))
def test_the_order_of_the_lines_does_not_matter(lines: list[str]) -> None:
    assert parse(*lines) == parse(*sorted(lines))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "www",
        "www A",
        "www A 192.0.2",
        "www A 192.0.2.1 extra",
        "www CH TXT x",
        "www FOO x",
        " A 192.0.2.1",
        "; only a comment",
        "$ORIGIN example.",
        "$INCLUDE /etc/passwd",
        "$GENERATE 1-9 h$ A 192.0.2.$",
        "www A 192.0.2.1\nwww A 192.0.2.2",
        "www TXT (\nx )",
        'www TXT "never closed',
        "www TXT ( open",
        "a..b A 192.0.2.1",
        "sp\\032ace A 192.0.2.1",
        "www -1 A 192.0.2.1",
        "x MX 99999 a",
        "x CNAME " + "a" * 64,
        "x TXT " + "a" * 256,
        "x AXFR y",
        "x TYPE1 \\# 3 010203",
    ],
)
def test_a_line_that_is_no_record_is_named(line: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse("@ NS ns", line)
    assert repr(line[:20])[1:-1] in str(caught.value)


@given(st.text(max_size=40))
def test_any_other_text_is_refused_as_invalid_input(text: str) -> None:
    try:
        parse(f"w {text}", text)
    except InvalidInput:
        return


@given(st.lists(st.ip_addresses(v=6), min_size=1, max_size=5))
def test_reading_what_was_read_changes_nothing(addresses: list[ipaddress.IPv6Address]) -> None:
    once = parse(*(f"h AAAA {address.exploded}" for address in addresses))
    again = parse(*(f"h AAAA {text}" for rrset in once.values() for text in rrset.rdata))
    assert once == again
    assert RRsetKey(Name("h.z.test."), "AAAA") in once
