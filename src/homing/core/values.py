"""Frozen values with slots: what `dataclass(frozen=True, slots=True)` makes, for a fraction of what that costs.

A function on Lambda pays for every import at each cold start. `dataclasses` imports `inspect` and compiles six methods
for each class; with the classes that an update needs, that was a third of the whole start. `frozen` compiles one method
for each class, the constructor, and only when the first value is made.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

MISSING: Any = object()
"""Stands in for the default of a field that has none."""


class _Field:
    """A field that is more than a name and a default."""

    __slots__ = ("default", "factory", "is_shown")

    def __init__(self, default: Any, factory: Callable[[], Any] | None, *, is_shown: bool) -> None:
        self.default = default
        self.factory = factory
        self.is_shown = is_shown


def field(*, default: Any = MISSING, default_factory: Callable[[], Any] | None = None, repr: bool = True) -> Any:  # noqa: A002 - as `dataclasses.field` has it
    """Return a field whose default is made anew for each value, or that `repr` leaves out because it is a secret."""
    return _Field(default, default_factory, is_shown=repr)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[Any] | None = None, *, kw_only: bool = False, slots: bool = True) -> Any:
    """Make a class of frozen values out of its annotations, as `dataclass` does.

    Values are equal if they are of one class and all their fields are. Without `slots` a value may hold cached
    properties. There is no inheritance of fields and no `__post_init__`.
    """
    if cls is None:
        return lambda cls: _make(cls, kw_only=kw_only, slots=slots)
    return _make(cls, kw_only=kw_only, slots=slots)


def defaults_of(cls: type[Any]) -> Mapping[str, Any]:
    """Return the fields of a class of values, in their order, with their defaults; MISSING where there is none."""
    found: Mapping[str, Any] = cls.__value_defaults__
    return found


def replace(old: T, /, **changes: Any) -> T:
    """Return a copy with other values in some fields. Raises TypeError for what is no field."""
    cls: Any = old.__class__
    return cls(**({name: getattr(old, name) for name in cls.__value_defaults__} | changes))  # type: ignore[no-any-return]  # of its own class


def _make(cls: type[Any], *, kw_only: bool, slots: bool) -> type[Any]:
    given = dict(cls.__dict__)
    names = tuple(given.get("__annotations__", ()))
    found = {name: given.pop(name, MISSING) for name in names}
    fields = {name: one if isinstance(one, _Field) else _Field(one, None, is_shown=True) for name, one in found.items()}
    defaults = {name: one.default for name, one in fields.items()}
    shown = [name for name, one in fields.items() if one.is_shown]
    for name in ("__dict__", "__weakref__"):
        given.pop(name, None)
    made: Any = type(
        cls.__name__,
        cls.__bases__,
        _methods(names, shown)
        | ({"__slots__": names} if slots else {})
        | {"__match_args__": () if kw_only else names, "__value_defaults__": defaults}
        | given,
    )
    made.__qualname__ = cls.__qualname__

    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        made.__init__ = _constructor(made, fields, kw_only=kw_only, slots=slots)
        made.__init__(self, *args, **kwargs)

    made.__init__ = construct
    found_class: type[Any] = made
    return found_class


def _methods(names: tuple[str, ...], shown: list[str]) -> dict[str, Any]:
    get = _getter(names)

    def equals(self: Any, other: object) -> bool:
        return bool(get(self) == get(other)) if other.__class__ is self.__class__ else NotImplemented

    def digest(self: Any) -> int:
        return hash(get(self))

    def show(self: Any) -> str:
        return f"{self.__class__.__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in shown])})"

    def refuse(self: Any, name: str, *_: Any) -> None:
        raise AttributeError(f"{self.__class__.__name__}.{name} cannot be changed: it is a value")

    def reduce(self: Any) -> tuple[Any, ...]:
        return _rebuild, (self.__class__, dict(zip(names, get(self), strict=True)))

    return {
        "__eq__": equals,
        "__hash__": digest,
        "__repr__": show,
        "__setattr__": refuse,
        "__delattr__": refuse,
        "__reduce__": reduce,
    }


def _rebuild(cls: type[T], fields: Mapping[str, Any]) -> T:
    """Make a value again that was copied or pickled."""
    return cls(**fields)


def _getter(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """Return what gets all fields as a tuple. `attrgetter` makes one of two and more."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple([getattr(one, name) for name in names])


def _constructor(cls: type[Any], fields: Mapping[str, _Field], *, kw_only: bool, slots: bool) -> Any:
    """Compile `__init__`. It sets a slot through its descriptor, past the `__setattr__` that refuses."""
    scope: dict[str, Any] = {"_missing": MISSING}
    parameters, lines = [], []
    for name, one in fields.items():
        if one.factory is not None:
            scope[f"_make_{name}"] = one.factory
            parameters.append(f"{name}=_missing")
            lines.append(f"    if {name} is _missing: {name} = _make_{name}()")
        elif one.default is not MISSING:
            scope[f"_default_{name}"] = one.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        if slots:
            scope[f"_set_{name}"] = cls.__dict__[name].__set__
        lines.append(f"    _set_{name}(self, {name})" if slots else f"    self.__dict__[{name!r}] = {name}")
    star = "*, " if kw_only and parameters else ""
    source = f"def __init__(self, {star}{', '.join(parameters)}):\n" + "\n".join(lines or ["    pass"])
    exec(source, scope)  # noqa: S102 - of nothing but the names of the class's own fields
    return scope["__init__"]
