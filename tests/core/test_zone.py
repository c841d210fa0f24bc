"""The zone in memory: lookups against a naive model, what the settings may hold, and change under readers."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidInput
from homing.core.names import Name, is_within
from homing.core.records import RRset, RRsetKey
from homing.core.zone import MAX_CHAIN, SOA, Zone, Zones, next_serial, serial_is_newer
from homing.core.zone_lookup import Alias, Answer, NoData, NxDomain, Referral

APEX = Name("z.test.")
SOA_ = SOA(Name("ns.z.test."), Name("admin.z.test."), 7200, 900, 1209600, 60, 300)
NS = {RRsetKey(APEX, "NS"): RRset(300, ("ns.z.test.",))}


def key(name: str, rtype: str = "A") -> RRsetKey:
    return RRsetKey(Name(name + ".z.test." if name else APEX), rtype)


def make(static: dict[RRsetKey, RRset] | None = None, dynamic: dict[RRsetKey, RRset] | None = None) -> Zone:
    zone = Zone(APEX, SOA_, NS | (static or {}), 1)
    zone.apply((dynamic or {}).items(), 2)
    return zone


def a(*rdata: str) -> RRset:
    return RRset(60, rdata or ("192.0.2.1",))


def cname(name: str) -> RRset:
    return RRset(60, (name,))


# --- the model: RFC 4592 by the letter, over a plain set of owners and types ---


def model(owned: set[RRsetKey], name: Name, rtype: str) -> tuple[str, str | None]:
    def exists(candidate: str) -> bool:
        return any(is_within(owner, Name(candidate)) for owner, _ in owned)

    source = name
    if not exists(name):
        encloser = name.split(".", 1)[1]
        while not exists(encloser):
            encloser = encloser.split(".", 1)[1]
        source = Name("*." + encloser)
        if not exists(source):
            return "NxDomain", None
    return ("Answer", source) if (source, rtype) in owned else ("NoData", None)


labels = st.sampled_from(["a", "b", "*"])
inner = st.lists(labels, min_size=0, max_size=3).map(".".join)
keys = st.builds(key, inner, st.sampled_from(["A", "TXT"]))


@given(
    static=st.sets(keys, max_size=5),
    changes=st.lists(st.tuples(keys, st.booleans()), max_size=20),
    questions=st.lists(keys, min_size=1, max_size=20),
)
def test_a_lookup_agrees_with_a_naive_reading_of_rfc_4592(
    static: set[RRsetKey], changes: list[tuple[RRsetKey, bool]], questions: list[RRsetKey]
) -> None:
    zone = make(dict.fromkeys(static, a()))
    owned = static | {*NS, RRsetKey(APEX, "SOA")}
    for serial, (at, present) in enumerate(changes, 2):
        if at in static:
            continue
        zone.apply([(at, a() if present else None)], serial)
        (owned.add if present else owned.discard)(at)
    for name, rtype in [*questions, *(at for at, _ in changes)]:
        outcome = zone.lookup(name, rtype)
        source = outcome.source if isinstance(outcome, Answer) else None
        assert (type(outcome).__name__, source) == model(owned, name, rtype)
        if isinstance(outcome, Answer):
            assert outcome.found.key == (name, rtype)
    assert {found for found, _ in zone.rrsets()} == owned - static - {*NS, RRsetKey(APEX, "SOA")}


# --- the example of RFC 4592 section 2.2.1 ---

RFC_4592 = {
    key("*", "TXT"): RRset(60, ('"this is a wildcard"',)),
    key("*", "MX"): RRset(60, ("10 host1.example.",)),
    key("sub.*", "TXT"): RRset(60, ('"not a wildcard"',)),
    key("host1", "A"): a(),
    key("_ssh._tcp.host1", "SRV"): RRset(60, ("0 0 22 host1.z.test.",)),
    key("subdel", "NS"): RRset(60, ("ns.example.com.",)),
}


@pytest.mark.parametrize(
    ("name", "rtype", "outcome"),
    [
        ("host3", "MX", Answer),
        ("host3", "A", NoData),
        ("foo.bar", "TXT", Answer),
        ("host1", "MX", NoData),
        ("sub.*", "MX", NoData),
        ("_telnet._tcp.host1", "SRV", NxDomain),
        ("host.subdel", "A", Referral),
        ("ghost.*", "MX", NxDomain),
        ("_tcp.host1", "A", NoData),
    ],
)
def test_the_examples_of_rfc_4592_come_out_as_printed(name: str, rtype: str, outcome: type) -> None:
    assert isinstance(make(RFC_4592).lookup(*key(name, rtype)), outcome)


# --- aliases ---


def test_a_cname_is_followed_inside_the_zone() -> None:
    zone = make({key("www", "CNAME"): cname("host.z.test.")}, {key("host"): a()})
    outcome = zone.lookup(*key("www"))
    assert isinstance(outcome, Answer)
    assert [owned.key for owned in outcome.chain] == [key("www", "CNAME")]
    assert outcome.found.key == key("host")


def test_a_cname_that_was_asked_for_is_not_followed() -> None:
    outcome = make({key("www", "CNAME"): cname("host.z.test.")}).lookup(*key("www", "CNAME"))
    assert isinstance(outcome, Answer)
    assert not outcome.chain


@pytest.mark.parametrize(("target", "outcome"), [("none.z.test.", NxDomain), ("host.z.test.", NoData)])
def test_what_the_alias_leads_to_decides_the_outcome(target: str, outcome: type) -> None:
    zone = make({key("www", "CNAME"): cname(target)}, {key("host"): a()})
    found = zone.lookup(*key("www", "AAAA"))
    assert isinstance(found, outcome)
    assert len(found.chain) == 1


@pytest.mark.parametrize("target", ["example.com.", "www.z.test.", "other.z.test.", "xz.test."])
def test_an_alias_out_of_the_zone_or_in_a_circle_ends_with_the_chain(target: str) -> None:
    zone = make({key("www", "CNAME"): cname(target), key("other", "CNAME"): cname("www.z.test.")})
    outcome = zone.lookup(*key("www"))
    assert isinstance(outcome, Alias)
    assert len(set(outcome.chain)) == len(outcome.chain)


def test_a_long_chain_is_cut() -> None:
    links = {key(f"c{i}", "CNAME"): cname(f"c{i + 1}.z.test.") for i in range(20)}
    outcome = make(links).lookup(*key("c0"))
    assert isinstance(outcome, Alias)
    assert len(outcome.chain) == MAX_CHAIN


def test_a_wildcard_cname_answers_under_the_name_asked_for() -> None:
    outcome = make({key("*", "CNAME"): cname("host.z.test."), key("host"): a()}).lookup(*key("any"))
    assert isinstance(outcome, Answer)
    assert outcome.chain[0].key == key("any", "CNAME")


# --- delegations ---

DELEGATED = {
    key("sub", "NS"): RRset(60, ("ns.sub.z.test.", "ns.example.")),
    key("ns.sub"): a(),
    key("sub", "DS"): RRset(60, ("1 8 2 " + "00" * 32,)),
    key("*"): a(),
}


@pytest.mark.parametrize("name", ["sub", "x.sub", "ns.sub", "a.b.c.sub"])
@pytest.mark.parametrize("rtype", ["A", "NS", "TXT", "ANY"])
def test_whatever_is_at_or_below_a_cut_gets_a_referral_with_glue(name: str, rtype: str) -> None:
    outcome = make(DELEGATED).lookup(*key(name, rtype))
    assert isinstance(outcome, Referral)
    assert outcome.ns.key == key("sub", "NS")
    assert [owned.key for owned in outcome.glue] == [key("ns.sub")]


def test_the_parent_answers_the_ds_of_a_delegation() -> None:
    zone = make(DELEGATED)
    assert isinstance(zone.lookup(*key("sub", "DS")), Answer)
    assert isinstance(zone.lookup(*key("x.sub", "DS")), Referral)
    del (unsigned := dict(DELEGATED))[key("sub", "DS")]
    assert isinstance(make(unsigned).lookup(*key("sub", "DS")), NoData)


def test_any_gives_one_rrset_of_the_name() -> None:
    outcome = make({key("h", "TXT"): RRset(60, ('"x"',))}, {key("h", "AAAA"): RRset(60, ("2001:db8::1",))}).lookup(
        *key("h", "ANY")
    )
    assert isinstance(outcome, Answer)
    assert outcome.found.key == key("h", "AAAA")


# --- what the settings may hold ---


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ({key("www", "CNAME"): cname("a."), key("www"): a()}, "beside a CNAME"),
        ({key("", "CNAME"): cname("a.")}, "apex of a zone"),
        ({key("www", "CNAME"): RRset(60, ("a.", "b."))}, "2 CNAME records"),
        ({RRsetKey(Name("other.test."), "A"): a()}, "not in the zone"),
        ({RRsetKey(Name("xz.test."), "A"): a()}, "not in the zone"),
        ({key("sub", "NS"): cname("ns.example."), key("x.sub", "TXT"): a()}, "hidden below"),
        ({key("sub", "NS"): cname("ns.example."), key("x.y.sub", "NS"): cname("b.")}, "hidden below"),
        ({key("sub", "NS"): cname("ns.example."), key("sub", "MX"): a()}, "is delegated"),
        ({key("sub", "NS"): cname("ns.sub.z.test.")}, "needs an A or AAAA"),
        ({key("*", "NS"): cname("ns.example.")}, "wildcard"),
        ({key("x", "DS"): a()}, "DS record belongs"),
        ({key("x", "DNAME"): cname("y.")}, "DNAME is not supported"),
        ({key("x", "RRSIG"): a()}, "DNSSEC signing is not supported"),
        ({key("x", "NSEC3"): a()}, "DNSSEC signing is not supported"),
        ({key("", "DNSKEY"): a()}, "DNSSEC signing is not supported"),
        ({key("", "SOA"): a()}, "settings of its own"),
        ({key("x", "ANY"): a()}, "cannot stand in a zone"),
        ({key("x"): RRset(60, ())}, "has no records"),
        ({key("x"): RRset(2**31, ("192.0.2.1",))}, "is not a TTL"),
    ],
)
def test_static_records_that_make_no_zone_are_refused(records: dict[RRsetKey, RRset], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        Zone(APEX, SOA_, NS | records, 1)


def test_a_zone_without_name_servers_is_refused() -> None:
    with pytest.raises(InvalidInput, match="has no NS record"):
        Zone(APEX, SOA_, {}, 1)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (key("www"), "set by the settings"),
        (RRsetKey(APEX, "SOA"), "set by the settings"),
        (key("alias"), "is a CNAME"),
        (key("x.sub"), "delegated"),
        (key("sub"), "delegated"),
        (key("h", "NS"), "cannot own NS"),
        (key("h", "CNAME"), "cannot own CNAME"),
        (RRsetKey(Name("h.other.test."), "A"), "not in the zone"),
    ],
)
def test_a_key_that_cannot_be_dynamic_is_refused_and_the_whole_batch_with_it(at: RRsetKey, text: str) -> None:
    static = {key("www"): a(), key("alias", "CNAME"): cname("b."), key("sub", "NS"): cname("ns.example.")}
    zone = make(static)
    version = zone.version
    assert text in (zone.why_not_dynamic(at) or "")
    with pytest.raises(InvalidInput, match=text):
        zone.apply([(key("good"), a()), (at, a("192.0.2.9"))], 9)
    assert (zone.get(key("good")), zone.version, zone.serial) == (None, version, 2)


def test_an_apply_moves_the_serial_in_the_soa_and_the_version() -> None:
    zone = make()
    version = zone.version
    zone.apply([(key("h"), a())], 77)
    soa = zone.get(RRsetKey(APEX, "SOA"))
    assert soa == RRset(300, ("ns.z.test. admin.z.test. 77 7200 900 1209600 60",))
    assert zone.serial == 77
    assert zone.version > version


def test_removing_what_is_not_there_is_no_change() -> None:
    zone = make()
    zone.apply([(key("x.y"), None)], 3)
    assert isinstance(zone.lookup(*key("y")), NxDomain)


def test_a_name_is_gone_when_the_last_below_it_is() -> None:
    zone = make()
    for rtype in ("A", "TXT"):
        zone.apply([(key("x.y", rtype), a())], 3)
    zone.apply([(key("x.y"), None)], 4)
    assert isinstance(zone.lookup(*key("y")), NoData)
    zone.apply([(key("x.y", "TXT"), None)], 5)
    assert isinstance(zone.lookup(*key("y")), NxDomain)
    assert isinstance(zone.lookup(*key("x.y")), NxDomain)
    assert isinstance(zone.lookup(*key("", "A")), NoData)


def test_the_dynamic_rrsets_can_be_gone_through_while_they_change() -> None:
    zone = make(dynamic={key("h1"): a(), key("h2"): a()})
    going = zone.rrsets()
    first = next(going)
    zone.apply([(key("h3"), a()), (key("h2"), None)], 3)
    assert [first, *going] == [(key("h1"), a()), (key("h2"), a())]


def test_readers_never_fail_while_a_writer_changes_the_zone() -> None:
    zone = make(DELEGATED)
    names = [key(f"a.b{i % 7}.c{i % 3}") for i in range(21)]
    stop = threading.Event()
    failures: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                for at in names:
                    zone.lookup(*at)
                    zone.lookup(*key("x.sub"))
                    zone.lookup(*key("b1.c1", "ANY"))
                list(zone.rrsets())
            except Exception as error:
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for serial in range(2, 1500):
        at = names[serial % len(names)]
        zone.apply([(at, None if serial % 2 else a()), (RRsetKey(at.name, "AAAA"), a())], serial)
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []


# --- serials and sets of zones ---


@pytest.mark.parametrize(
    ("serial", "now", "expected"),
    [
        (1, 1_700_000_000, 1_700_000_000),
        (1_700_000_000, 1_700_000_000, 1_700_000_001),
        (1_700_000_005, 1_700_000_000, 1_700_000_006),
        (2**32 - 1, 0, 1),
        (2**32 - 1, 2**31, 1),
        (2**32 - 2, 2**32 + 5, 5),
    ],
)
def test_the_next_serial_is_the_time_unless_that_would_not_grow(serial: int, now: int, expected: int) -> None:
    assert next_serial(serial, now) == expected


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**40))
def test_the_next_serial_is_newer_and_never_zero(serial: int, now: int) -> None:
    following = next_serial(serial, now)
    assert serial_is_newer(following, serial)
    assert not serial_is_newer(serial, following)
    assert 0 < following < 2**32


def test_the_deepest_zone_is_the_zone_of_a_name() -> None:
    outer = make()
    inner_apex = Name("in.z.test.")
    nested = Zone(inner_apex, SOA_, {RRsetKey(inner_apex, "NS"): cname("ns.z.test.")}, 1)
    zones = Zones([outer, nested])
    assert zones.get_zone_of(Name("x.in.z.test.")) is nested
    assert zones.get_zone_of(Name("xin.z.test.")) is outer
    assert zones.get_zone_of(Name("z.example.")) is None
    assert zones.get(APEX) is outer
