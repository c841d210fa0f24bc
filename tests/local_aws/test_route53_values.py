"""Names, values, TTLs and the sizes of a batch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.route53 import Limits, Route53Fake
from local_aws.route53.names import BadName, is_within, parse_name, sort_key

from .route53_driver import Zone, rrset


@pytest.fixture
def zone() -> Zone:
    return Zone(Route53Fake(limits=Limits.none()))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Host.Example.COM", "host.example.com."),
        ("host.example.com.", "host.example.com."),
        ("*.example.com", r"\052.example.com."),
        (r"\052.example.com", r"\052.example.com."),
        ("_acme-challenge.example.com", "_acme-challenge.example.com."),
        (r"\110i.example.com", "hi.example.com."),
        ("a/b.example.com", r"a\057b.example.com."),
        (r"a\056b.example.com", r"a\056b.example.com."),
        (r"\303\244.example.com", r"\303\244.example.com."),
    ],
)
def test_names_are_kept_in_lower_case_with_a_final_dot_and_escape_codes(zone: Zone, written: str, shown: str) -> None:
    zone.change(("CREATE", rrset(written, "192.0.2.1")))
    names = {one["Name"] for one in zone.client.list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]}
    assert names == {"example.com.", shown}
    zone.change(("DELETE", rrset(shown, "192.0.2.1")))


@pytest.mark.parametrize(
    "name",
    [
        "a..example.com",
        ".example.com",
        "a b.example.com",
        "\u00e4.example.com",
        r"\9.example.com",
        r"\777.example.com",
        "a\\",
        f"{'a' * 64}.example.com",
        ".".join(["a" * 60] * 5) + ".example.com",
    ],
)
def test_what_is_no_name_is_refused(zone: Zone, name: str) -> None:
    code, message = zone.refused(("CREATE", rrset(name, "192.0.2.1")))
    assert code == "InvalidChangeBatch"
    assert message.startswith("[FATAL problem: ")


def test_a_label_of_63_octets_is_a_label() -> None:
    assert parse_name(f"{'a' * 63}.example.com") == f"{'a' * 63}.example.com."


@pytest.mark.parametrize("text", ["", ".", "a" * 64, "a" * 63 + "." + ".".join(["a" * 63] * 3) + ".a"])
def test_too_short_and_too_long_names_are_no_names(text: str) -> None:
    with pytest.raises(BadName):
        parse_name(text)


def test_a_zone_ends_at_a_label() -> None:
    assert is_within("example.com.", "example.com.")
    assert is_within("a.b.example.com.", "example.com.")
    assert not is_within("aexample.com.", "example.com.")


def test_sorting_takes_the_labels_from_the_right_and_counts_the_dots() -> None:
    names = [
        "b.example.com.",
        "a.example.com.",
        "example.com.",
        "a-b.example.com.",
        "x.a.example.com.",
        r"\052.example.com.",
    ]
    assert sorted(names, key=sort_key) == [
        "example.com.",
        r"\052.example.com.",
        "a-b.example.com.",
        "a.example.com.",
        "x.a.example.com.",
        "b.example.com.",
    ]


@given(st.text(st.characters(max_codepoint=0x17F), max_size=40))
def test_the_shown_form_is_read_as_itself(text: str) -> None:
    try:
        shown = parse_name(text)
    except BadName:
        return
    assert parse_name(shown) == shown == shown.lower()


def bad(rrtype: str, *values: str) -> Any:
    return pytest.param(rrtype, values, id=f"{rrtype} {' '.join(values)[:40]}")


@pytest.mark.parametrize(
    ("rrtype", "values"),
    [
        *(
            bad("A", value)
            for value in ("192.0.2", "192.0.2.256", "192.0.2.01", "::1", "host", "", " 192.0.2.1", "192.0.2.1/32")
        ),
        *(bad("AAAA", value) for value in ("192.0.2.1", "2001:db8::g", ":::", "fe80::1%eth0", "2001:db8::1/64", "")),
        *(bad("TXT", value) for value in ("bare", '"open', 'open"', '"a"b', '"a""b"', f'"{"x" * 256}"', '"a" b', "")),
        *(bad("CNAME", value) for value in ("a b", "a..b", "", "a" * 64)),
        *(bad("MX", value) for value in ("mail.example.com", "ten mail.example.com", "65536 a", "10 a b")),
        *(bad("SRV", value) for value in ("1 2 target", "1 2 70000 target")),
        bad("CAA", "0 issue letsencrypt.org"),
        bad("CAA", '256 issue "a"'),
        bad("CNAME", "a.example.org", "b.example.org"),
        bad("A", "192.0.2.1", "192.0.2.1"),
        bad("AAAA", "2001:db8::1", "2001:DB8:0::1"),
        bad("TXT", '"a"', '"a"'),
    ],
)
def test_bad_values_are_refused(zone: Zone, rrtype: str, values: tuple[str, ...]) -> None:
    code, _ = zone.refused(("UPSERT", rrset("h.example.com", *values, rrtype=rrtype)))
    assert code == "InvalidChangeBatch"
    assert zone.values("h.example.com", rrtype) == ()


def test_bad_values_are_told_as_aws_tells_them(zone: Zone) -> None:
    told = "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
    assert zone.refused(("CREATE", rrset("h.example.com", "x")))[1] == f"[{told} encountered with 'x'']"
    _, message = zone.refused(("CREATE", rrset("h.example.com", "192.0.2.1", "192.0.2.1")))
    assert message == "[Duplicate Resource Record: '192.0.2.1']"
    _, message = zone.refused(("CREATE", rrset("h.example.com", "bare", rrtype="TXT")))
    assert "InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'bare'" in message


@pytest.mark.parametrize(
    ("rrtype", "values"),
    [
        ("AAAA", ("2001:db8::1", "::ffff:192.0.2.1", "2001:DB8:0::2")),
        ("TXT", ('"' + "x" * 255 + '"', '"a" "b"', r'"quote \" and \344"', '""')),
        ("MX", ("10 mail.example.com", "20 mail.example.com.")),
        ("SRV", ("1 2 443 target.example.com",)),
        ("CAA", ('0 issue "letsencrypt.org"',)),
        ("NS", ("ns1.example.net.", "ns2.example.net")),
    ],
)
def test_good_values_are_kept_as_they_were_written(zone: Zone, rrtype: str, values: tuple[str, ...]) -> None:
    zone.change(("CREATE", rrset("h.example.com", *values, rrtype=rrtype)))
    assert zone.values("h.example.com", rrtype) == values


@pytest.mark.parametrize(("ttl", "taken"), [(0, True), (2_147_483_647, True), (2_147_483_648, False)])
def test_a_ttl_has_31_bits(zone: Zone, ttl: int, taken: bool) -> None:
    change = ("CREATE", rrset("h.example.com", "192.0.2.1", ttl=ttl))
    if taken:
        zone.change(change)
    else:
        assert zone.refused(change)[0] == "InvalidInput"


def hosts(count: int, *, action: str = "CREATE", value: str = "192.0.2.1", rrtype: str = "A") -> list[tuple[str, Any]]:
    return [(action, rrset(f"h{number}.example.com", value, rrtype=rrtype)) for number in range(count)]


def test_a_batch_has_a_thousand_elements_at_most(zone: Zone) -> None:
    zone.change(*hosts(1000))
    assert zone.refused(*hosts(1001)) == ("InvalidChangeBatch", "[Number of records limit of 1000 exceeded.]")


def test_an_upsert_counts_twice(zone: Zone) -> None:
    zone.change(*hosts(500, action="UPSERT"))
    assert zone.refused(*hosts(501, action="UPSERT"))[1] == "[Number of records limit of 1000 exceeded.]"


def test_a_batch_has_32_000_characters_at_most_and_an_upsert_counts_twice(zone: Zone) -> None:
    longest = "2001:0db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
    zone.change(*hosts(410, action="UPSERT", value=longest, rrtype="AAAA"))
    refused = "InvalidChangeBatch", "[RDATA character limit of 32000 exceeded.]"
    assert zone.refused(*hosts(411, action="UPSERT", value=longest, rrtype="AAAA")) == refused
    assert zone.refused(*hosts(821, value=longest, rrtype="AAAA")) == refused


def test_a_set_has_400_values_at_most(zone: Zone) -> None:
    values = [f"192.0.{number // 250}.{number % 250}" for number in range(401)]
    zone.change(("CREATE", rrset("h.example.com", *values[:400])))
    _, message = zone.refused(("CREATE", rrset("i.example.com", *values)))
    assert message == "[Cannot have more than 400 records in a RRSet.]"
