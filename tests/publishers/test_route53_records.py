"""RRsets as Route 53 counts and holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.records import RRset, RRsetChange
from homing.publishers.route53_records import MAX_CHARACTERS, MAX_ELEMENTS, canonical, count_fitting
from tests.publishers.route53_world import key

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXTS = st.integers(1, 300).map(lambda number: f"2001:db8:1111:2222:3333:4444:5555:{number + 0x1000:x}")
RRSETS = st.none() | st.builds(lambda rdata: RRset(60, tuple(sorted(rdata))), st.sets(TEXTS, min_size=1, max_size=60))


@given(st.lists(st.tuples(RRSETS, RRSETS), max_size=60))
def test_what_fits_is_within_the_quotas_and_one_more_is_not(pairs: list[tuple[RRset | None, RRset | None]]) -> None:
    changes = [RRsetChange(key(f"h{number}", "AAAA"), *pair) for number, pair in enumerate(pairs)]
    fitting = count_fitting(changes)
    elements, characters = weigh(changes[:fitting])
    assert elements <= MAX_ELEMENTS
    assert characters <= MAX_CHARACTERS
    if fitting < len(changes):
        elements, characters = weigh(changes[: fitting + 1])
        assert elements > MAX_ELEMENTS or characters > MAX_CHARACTERS


@pytest.mark.parametrize(("size", "fitting"), [(15, 500), (39, 410)])
def test_five_hundred_changes_of_one_address_fit_and_of_the_longest_410(size: int, fitting: int) -> None:
    value = "192.0.2.1".ljust(size, "x")
    changes = [RRsetChange(key(f"h{number}"), RRset(60, (value,)), RRset(5, (value,))) for number in range(600)]
    assert count_fitting(changes) == fitting


@pytest.mark.parametrize(
    ("type_", "text", "same"),
    [
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:DB8:0:0::1", "2001:db8::1"),
        ("AAAA", "::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("AAAA", "nonsense", "nonsense"),
        ("TXT", '"2001:DB8::1"', '"2001:DB8::1"'),
    ],
)
def test_addresses_have_one_text_and_other_values_are_left_alone(type_: str, text: str, same: str) -> None:
    assert canonical(type_, RRset(60, (text,))) == RRset(60, (same,))


def weigh(changes: Sequence[RRsetChange]) -> tuple[int, int]:
    values = [value for change in changes for rrset in (change.before, change.after) if rrset for value in rrset.rdata]
    return len(values), sum(map(len, values))
