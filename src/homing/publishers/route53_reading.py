"""Reading what a zone holds at some keys in as few pages as it takes. Pure but for the pages, which the caller gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from homing.aws.route53 import MAX_ITEMS
from homing.core.names import Name
from homing.core.records import RRsetKey
from homing.publishers.route53_records import NOTHING, Held, from_record_set, list_order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from homing.aws.route53 import Page

    ListPage: TypeAlias = "Callable[[tuple[str, str], int], Page]"
    """Returns a page of at most so many record sets, from a name and type on."""

_END = "\x7f"
"""Sorts behind every name."""


def read_held(list_page: ListPage, keys: Collection[RRsetKey]) -> dict[RRsetKey, Held]:
    """Return what Route 53 holds at the keys.

    A single key costs one short page. Several are read a full page at a time, each beginning at the next key that is
    not known yet: a whole zone costs as many pages as it has, and a few keys far apart cost one each.
    """
    held = dict.fromkeys(keys, NOTHING)
    left = sorted((list_order(key.name), key.type, key) for key in held)
    while left:
        _, type_, first = left[0]
        page = list_page((first.name, type_), 1 if len(left) == 1 else MAX_ITEMS)
        found = {RRsetKey(Name(one.name), one.type): from_record_set(one) for one in page.record_sets}
        held.update((key, found[key]) for key in found.keys() & held.keys())
        end = _seen_until(page)
        left = [one for one in left[1:] if one[2] not in found and one[0] >= end]
    return held


def _seen_until(page: Page) -> str:
    """Return the place in the listing before which every name from the page's start on was seen."""
    return _END if page.next_start is None else list_order(page.next_start[0])
