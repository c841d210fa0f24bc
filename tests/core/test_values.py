"""Frozen values behave as frozen dataclasses with slots do, and cost less to make."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.values import MISSING, defaults_of, field, frozen, replace


@frozen
class Point:
    """A value as most are."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)
    secret: str = field(default="s3cret", repr=False)


@dataclass(frozen=True, slots=True)
class Model:
    """The same as a dataclass: the oracle."""

    x: int
    y: int = 0


@frozen(kw_only=True)
class Named:
    """A value whose fields are named, and no constructor takes by place."""

    x: int
    y: int = 0


@frozen(slots=False)
class Cached:
    """A value that may remember what it worked out."""

    x: int

    @cached_property
    def double(self) -> int:
        return self.x * 2


@frozen
class Empty:
    """No fields at all."""


@given(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_values_are_equal_where_dataclasses_are(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (Named(x=one[0], y=one[1]) == Named(x=other[0], y=other[1])) == (Model(*one) == Model(*other))
    assert (hash(Named(x=one[0], y=one[1])) == hash(Named(x=other[0], y=other[1]))) == (hash(one) == hash(other))


def test_values_of_two_classes_are_never_equal() -> None:
    others: list[object] = [Model(1), (1, 0), Point(1)]
    assert Named(x=1) not in others
    assert Empty() == Empty()


def test_a_value_cannot_be_changed() -> None:
    point = Point(1)
    changes: list[tuple[str, Any]] = [("x", 2), ("tags", []), ("other", 1)]
    for name, new in changes:
        with pytest.raises(AttributeError):
            setattr(point, name, new)
        with pytest.raises(AttributeError):
            delattr(point, name)
    assert not hasattr(point, "__dict__")


def test_a_copy_differs_only_in_what_was_asked() -> None:
    point = Point(1, 2, ["a"], secret="own")
    assert replace(point, y=3) == Point(1, 3, ["a"], secret="own")
    with pytest.raises(TypeError):
        replace(point, z=1)


@pytest.mark.parametrize(("args", "given"), [((), {}), ((1, 2, [], "", 5), {}), ((1,), {"x": 1}), ((1,), {"z": 1})])
def test_wrong_arguments_are_refused(args: tuple[Any, ...], given: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Point(*args, **given)
    with pytest.raises(TypeError):
        Named(*(args or (1,)), **given)


def test_each_value_gets_its_own_default() -> None:
    assert Point(1).tags is not Point(1).tags


def test_secrets_are_not_shown() -> None:
    assert repr(Point(1, 2)) == "Point(x=1, y=2, tags=[])"


def test_values_can_be_matched_copied_and_pickled() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)
    assert copy.copy(Point(1)) == Point(1)
    assert copy.deepcopy(Point(1, tags=["a"])) == Point(1, tags=["a"])
    assert pickle.loads(pickle.dumps(Point(1, 2))) == Point(1, 2)


def test_without_slots_a_value_may_hold_a_cached_property() -> None:
    cached = Cached(2)
    assert cached.double == cached.double == 4
    with pytest.raises(AttributeError):
        cached.x = 3  # type: ignore[misc]  # that is the point


def test_the_fields_tell_their_defaults() -> None:
    assert dict(defaults_of(Named)) == {"x": MISSING, "y": 0}
    assert Point.__qualname__ == "Point"
    assert Point.__doc__ == "A value as most are."
