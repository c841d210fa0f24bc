"""Reading a zone: as few pages as it takes, and never a wrong "nothing"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_aws.route53 import Alias

from homing.aws.route53 import Page, ResourceRecordSet
from homing.core.records import RRset, RRsetKey
from homing.publishers.route53_reading import read_held
from homing.publishers.route53_records import is_plain, list_order
from tests.conformance.publisher_contract import ZONE
from tests.publishers.route53_world import address, key, make_world

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LABELS = st.sampled_from(["a", "a-b", "a.b", "a-b.a", "b", "b_", "*", "*.a", "z", "a0", "-", "aa"])
KEYS = st.builds(key, LABELS, st.sampled_from(["A", "AAAA"]))
SIX = RRset(60, ("2001:db8::1",))


def shown(at: RRsetKey) -> RRset:
    return address(1) if at.type == "A" else SIX


def test_one_key_costs_one_short_page() -> None:
    world = make_world()
    world.seed(key("cam"), address(1))
    assert world.publisher.read(ZONE, [key("cam")]) == {key("cam"): address(1)}
    assert world.publisher.read(ZONE, [key("a")]) == {key("a"): None}
    assert world.calls() == ["list", "list"]


def test_no_key_costs_nothing() -> None:
    world = make_world()
    assert world.publisher.read(ZONE, []) == {}
    assert world.calls() == []


def test_a_whole_zone_costs_as_many_pages_as_it_has() -> None:
    world = make_world()
    keys = [key(f"h{number:04}", type_) for number in range(1500) for type_ in ("A", "AAAA")]
    for at in keys:
        world.seed(at, shown(at))
    held = world.publisher.read(ZONE, reversed(keys))  # type: ignore[arg-type]  # any order, any iterable will do
    assert held == {at: shown(at) for at in keys}
    assert len(world.calls()) <= 11


def test_many_that_are_not_there_cost_no_call_each() -> None:
    world = make_world()
    for number in range(600):
        world.seed(key(f"h{number:04}"), address(1))
    asked = [key(f"h{number:04}", type_) for number in range(0, 1200, 2) for type_ in ("A", "AAAA")]
    held = world.publisher.read(ZONE, asked)
    assert sum(rrset is not None for rrset in held.values()) == 300
    assert len(world.calls()) <= 4


def test_a_few_keys_far_apart_cost_one_page_each() -> None:
    world = make_world()
    for number in range(2000):
        world.seed(key(f"h{number:04}"), address(1))
    asked = [key(f"h{number:04}") for number in (3, 900, 1800)]
    assert world.publisher.read(ZONE, asked) == dict.fromkeys(asked, address(1))
    assert len(world.calls()) == 3


@settings(max_examples=300)
@given(st.sets(KEYS, max_size=14), st.sets(KEYS, min_size=1, max_size=10), st.integers(1, 5))
def test_whatever_is_there_is_read(there: set[RRsetKey], asked: set[RRsetKey], page_size: int) -> None:
    zone = sorted(there, key=lambda at: (list_order(at.name), at.type))
    held = read_held(pages(zone, page_size, lambda at: (list_order(at.name), at.type)), asked)
    assert {at: one.rrset for at, one in held.items()} == {at: shown(at) if at in there else None for at in asked}


@given(st.sets(KEYS, max_size=14), st.sets(KEYS, min_size=1, max_size=10))
def test_the_strict_fake_agrees_on_the_order(there: set[RRsetKey], asked: set[RRsetKey]) -> None:
    world = make_world()
    for at in there:
        world.seed(RRsetKey(at.name.replace("*", r"\052"), at.type), shown(at))  # type: ignore[arg-type]  # as shown
    assert world.publisher.read(ZONE, asked) == {at: shown(at) if at in there else None for at in asked}


def test_an_alias_and_a_routed_set_are_read_as_what_no_host_desires() -> None:
    world = make_world()
    world.seed(key("elb"), RRset(60, ()), alias=Alias("Z1", "elb.example."))
    world.seed(key("blue"), address(1), set_identifier="one", routing=(("Weight", "1"),))
    world.seed(key("blue"), address(2), set_identifier="two", routing=(("Weight", "2"),))
    held = world.publisher.read(ZONE, [key("elb"), key("blue"), key("cam")])
    assert not is_plain(held[key("elb")])
    assert not is_plain(held[key("blue")])
    assert is_plain(held[key("cam")])


@pytest.mark.parametrize("text", ["2001:DB8:0:0::1", "2001:db8::0:1", "2001:db8::1"])
def test_addresses_are_read_in_canonical_text(text: str) -> None:
    world = make_world()
    world.seed(key("cam", "AAAA"), RRset(60, (text,)))
    assert world.publisher.read(ZONE, [key("cam", "AAAA")]) == {key("cam", "AAAA"): SIX}


def test_what_is_no_address_is_read_as_it_stands() -> None:
    world = make_world()
    strange = RRset(60, ("::ffff:192.0.2.1",))
    world.seed(key("cam", "AAAA"), strange)
    assert world.publisher.read(ZONE, [key("cam", "AAAA")]) == {key("cam", "AAAA"): strange}


def pages(
    zone: Sequence[RRsetKey], size: int, order: Callable[[RRsetKey], object]
) -> Callable[[tuple[str, str], int], Page]:
    """A listing in some order, with pages of `size` where a full one is asked for."""

    def list_page(start: tuple[str, str], count: int) -> Page:
        begin = order(RRsetKey(*start))  # type: ignore[arg-type]  # a name is a name
        rest = [at for at in zone if order(at) >= begin]  # type: ignore[operator]  # whatever orders
        page = rest[: min(size, count)]
        more = rest[len(page) :]
        sets = tuple(ResourceRecordSet(at.name, at.type, 60, shown(at).rdata) for at in page)
        return Page(sets, (more[0].name, more[0].type) if more else None)

    return list_page
