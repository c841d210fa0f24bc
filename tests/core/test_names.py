import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homing.core.errors import InvalidName
from homing.core.names import (
    ROOT,
    Name,
    get_zone_of,
    is_reserved,
    is_within,
    labels,
    parent,
    parse_hostname,
    parse_name,
    to_unicode,
)

LDH = string.ascii_letters + string.digits + "-"
LABELS = st.text(LDH + "_", min_size=1, max_size=63)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join).filter(lambda text: len(text) <= 253).map(parse_name)
# Text that looks enough like names to get past the first checks.
PIECES = [*"aAz09-_.*xn", "xn--", ".", "ü", "ß", "\u017f", "\u3002", "\u200d", "\u0627", "\u00ad", "\n", "\u0130"]
NEARLY_NAMES = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
HOME = parse_name("home.example")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Cam.Home.EXAMPLE", "cam.home.example."),
        ("cam.home.example.", "cam.home.example."),
        (".", "."),
        ("example", "example."),
        ("_acme-challenge.cam.home.example", "_acme-challenge.cam.home.example."),
        ("*.home.example", "*.home.example."),
        ("BÜCHER.example", "xn--bcher-kva.example."),
        ("bu\u0308cher.example", "xn--bcher-kva.example."),
        ("faß.example", "xn--fa-hia.example."),
        ("cam\u3002home\uff0eexample", "cam.home.example."),
        ("_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example."),
    ],
)
def test_a_name_has_one_canonical_form(text: str, name: str) -> None:
    assert parse_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *["", "..", ".a", "a..b", "a.b..", "a b.example", " a.example", "a.example ", "a.example\n", "a.example.\n"],
        *["\n", "a\x00.example", "a\\.b.example", "a\\046b.example", "a.*.example", "x*.example", "a@b.example"],
        *["a/b.example", "☃.example", "\ud800.example", "a\u3000b.example", "\u202ea.example", "a\u2028.example"],
        "ü" * 64 + ".example",
        "ü" * 100_000,
        "a" * 100_000,
        "a" * 64 + ".example",
        ".".join(["a" * 63] * 4),
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_name(text)
    with pytest.raises(InvalidName):
        parse_hostname(text)


def test_labels_of_63_and_names_of_253_characters_are_the_longest() -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert len(longest) == 253
    assert parse_hostname(longest) == longest + "."
    assert parse_hostname(longest + ".") == longest + "."
    with pytest.raises(InvalidName, match="longer than 253"):
        parse_name(longest + "d")


@given(st.text() | NEARLY_NAMES)
@example("xn--.example")
@example("xn--a.xn--" + "9" * 59)
def test_parsers_raise_nothing_but_invalid_name_and_are_idempotent(text: str) -> None:
    for parse in (parse_name, parse_hostname):
        try:
            name = parse(text)
        except InvalidName:
            continue
        assert parse(name) == name
        assert name.isascii()
        assert name == name.lower()
        assert name.endswith(".")
        assert len(name) <= 254


@given(NEARLY_NAMES)
def test_every_host_name_is_a_name_and_survives_being_shown(text: str) -> None:
    try:
        name = parse_hostname(text)
    except InvalidName:
        return
    assert parse_name(text) == name
    assert parse_hostname(to_unicode(name)) == name


@given(st.text(LDH + "\n. _\\*", max_size=20))
def test_ascii_host_names_are_what_rfc_1123_says(text: str) -> None:
    parts = text.removesuffix(".").split(".")
    permitted = len(parts) > 1 and all(
        part and set(part) <= set(LDH) and part[0] != "-" != part[-1] and part[2:4] != "--" for part in parts
    )
    number = parts[-1].isdigit() or (parts[-1].lower().startswith("0x") and set(parts[-1][2:]) <= set(string.hexdigits))
    try:
        parse_hostname(text)
    except InvalidName:
        assert not permitted or number
    else:
        assert permitted
        assert not number


@pytest.mark.parametrize(
    "text",
    [
        *[
            "example",
            ".",
            "*.home.example",
            "_x.home.example",
            "a_b.home.example",
            "-a.home.example",
            "a-.home.example",
        ],
        *["192.0.2.1", "cam.192", "cam.0x7f", "cam.0x", "cam.example.1."],
        *["ab--c.home.example", "xn--.home.example", "xn--a.home.example", "xn--abc-.home.example"],
        "xn--bcher-kvA0.home.example",
        "xn--n3h.home.example",  # a snowman: a symbol, not a letter (RFC 5892)
        "xn--STRASSE-.example",
    ],
)
def test_names_that_no_host_may_have_are_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_hostname(text)


def test_valid_a_labels_are_hosts_in_either_case() -> None:
    assert parse_hostname("XN--BCHER-KVA.home.example") == parse_hostname("Bücher.home.example")


def test_error_texts_are_short_and_printable() -> None:
    with pytest.raises(InvalidName) as raised:
        parse_name("\x1b[31m\n" + "x" * 1000)
    assert len(str(raised.value)) < 150
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("home.example", True),
        ("cam.home.example", True),
        ("a.b.home.example", True),
        ("evilhome.example", False),
        ("example", False),
        ("home.example.org", False),
        (".", False),
    ],
)
def test_membership_is_decided_on_label_boundaries(name: str, within: bool) -> None:
    assert is_within(parse_name(name), HOME) is within
    assert is_within(parse_name(name), ROOT)


@given(NAMES, NAMES)
def test_membership_means_that_the_labels_end_alike(name: Name, zone: Name) -> None:
    count = len(labels(zone))
    assert is_within(name, zone) is (labels(name)[-count:] == labels(zone))
    assert is_within(Name(name + zone), zone)
    assert not is_within(Name("x" + zone), zone)


@given(NAMES)
def test_labels_and_parents_take_a_name_apart(name: Name) -> None:
    assert ".".join(labels(name)) + "." == name
    above = parent(name)
    assert above is not None
    assert labels(above) == labels(name)[1:]
    assert labels(ROOT) == ()
    assert parent(ROOT) is None


@given(st.sets(NAMES), NAMES, st.booleans())
def test_the_zone_of_a_name_is_the_deepest_that_contains_it(zones: set[Name], name: Name, rooted: bool) -> None:
    zones |= {zone for zone in (parent(name),) if zone} if rooted else set()
    containing = [zone for zone in zones if is_within(name, zone)]
    assert get_zone_of(name, zones) == max(containing, key=lambda zone: len(labels(zone)), default=None)


def test_the_zone_of_a_name_may_be_its_apex_or_the_root_or_none() -> None:
    sub = parse_name("sub.home.example")
    assert get_zone_of(sub, {HOME, sub}) == sub
    assert get_zone_of(parse_name("x.sub.home.example"), {HOME: 1, sub: 2}) == sub
    assert get_zone_of(parse_name("evilhome.example"), frozenset({HOME})) is None
    assert get_zone_of(parse_name("evilhome.example"), frozenset({HOME, ROOT})) == ROOT


@pytest.mark.parametrize(
    ("name", "reserved"),
    [
        *[(f"{label}.home.example", True) for label in ("wpad", "isatap", "localhost", "mail", "smtp", "imap", "pop3")],
        *[(f"{label}.home.example", True) for label in ("ns", "ns1", "ns12", "dns", "www", "autoconfig", "mta-sts")],
        *[("home.example", True), ("example", True), ("cam.evilhome.example", True)],
        *[("*.home.example", True), ("_acme-challenge.cam.home.example", True), ("cam._tcp.home.example", True)],
        *[("www.bob.home.example", True), ("bob.www.home.example", False)],
        *[
            ("cam.home.example", False),
            ("nsa.home.example", False),
            ("1ns.home.example", False),
            ("7.home.example", False),
        ],
    ],
)
def test_reserved_names_are_the_operators(name: str, reserved: bool) -> None:
    assert is_reserved(parse_name(name), HOME) is reserved


def test_labels_of_the_zone_itself_reserve_nothing() -> None:
    assert not is_reserved(parse_name("cam._sub.example"), parse_name("_sub.example"))
    assert not is_reserved(parse_name("cam.example"), ROOT)


def test_people_see_u_labels_where_they_are_valid() -> None:
    assert to_unicode(parse_name("cam.xn--bcher-kva.example")) == "cam.bücher.example."
    assert to_unicode(parse_name("xn--n3h.xn--a.example")) == "xn--n3h.xn--a.example."
    assert to_unicode(ROOT) == "."
