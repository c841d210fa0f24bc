"""Decides, as IAM does, whether policies allow a call: an explicit Deny, else an Allow, else no.

Only what our policies use; an operator that is not known here is an error. The rules, among them that ForAllValues is
true where the key is absent: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html
and .../reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Policy = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call to AWS; the context is what the service tells IAM of it: several values, or none if a key is absent."""

    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)


def is_allowed(policies: Sequence[Policy], call: Call) -> bool:
    """Tell whether a role with these policies may make the call."""
    effects = {one["Effect"] for policy in policies for one in statements(policy) if _matches(one, call)}
    return "Allow" in effects and "Deny" not in effects


def statements(policy: Policy) -> Iterator[dict[str, Any]]:
    """Yield the statements of a policy document."""
    yield from _list(policy["Statement"])


def actions_of(policies: Sequence[Policy], effect: str = "Allow") -> set[str]:
    """The actions that are named anywhere."""
    return {
        action
        for policy in policies
        for one in statements(policy)
        if one["Effect"] == effect
        for action in _list(one["Action"])
    }


def _matches(statement: Mapping[str, Any], call: Call) -> bool:
    return (
        any(_is_like(call.action.lower(), action.lower()) for action in _list(statement["Action"]))
        and any(_is_like(call.resource, resource) for resource in _list(statement["Resource"]))
        and all(
            _holds(operator, _context(call, key), _list(wanted))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _context(call: Call, key: str) -> Sequence[str]:
    return next((values for name, values in call.context.items() if name.lower() == key.lower()), ())


def _holds(operator: str, values: Sequence[str], wanted: Sequence[str]) -> bool:
    if operator == "Null":
        return wanted == ["true" if not values else "false"]
    quantifier, colon, name = operator.rpartition(":")
    if name.endswith("IfExists"):
        if not values:
            return True
        name = name.removesuffix("IfExists")
    matched = [any(_OPERATORS[name](value, one) for one in wanted) for value in values]
    if colon:
        return {"ForAllValues": all, "ForAnyValue": any}[quantifier](matched)
    if len(values) > 1:
        raise ValueError(f"{operator} is for keys of one value")
    return any(matched)


def _is_like(text: str, pattern: str) -> bool:
    parts = (".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


_OPERATORS = {"StringEquals": str.__eq__, "StringLike": _is_like}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
