"""The evaluator of policies, against what AWS's documentation says of each rule."""

from __future__ import annotations

from typing import Any

from tests.deploy.policy_evaluator import Call, is_allowed


def decided(condition: dict[str, Any], *values: str) -> bool:
    policy = {"Statement": [{"Effect": "Allow", "Action": "s:*", "Resource": "*", "Condition": condition}]}
    return is_allowed([policy], Call("s:Do", "arn", {"k": values} if values else {}))


def test_for_all_values_is_true_where_the_key_is_absent_and_for_any_value_is_not() -> None:
    assert decided({"ForAllValues:StringEquals": {"k": ["a"]}})
    assert not decided({"ForAnyValue:StringEquals": {"k": ["a"]}})
    assert not decided({"StringEquals": {"k": ["a"]}})
    assert decided({"StringEqualsIfExists": {"k": ["a"]}})


def test_all_or_any_of_the_values_must_match() -> None:
    assert decided({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, "a", "b")
    assert not decided({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, "a", "c")
    assert decided({"ForAnyValue:StringEquals": {"k": ["a", "b"]}}, "a", "c")
    assert decided({"StringLike": {"K": "a*"}}, "abc")
    assert not decided({"StringEqualsIfExists": {"k": ["a"]}}, "b")


def test_null_tells_whether_the_key_is_absent() -> None:
    assert decided({"Null": {"k": "true"}})
    assert decided({"Null": {"k": "false"}}, "a")
    assert not decided({"Null": {"k": "true"}}, "a")
    assert not decided({"Null": {"k": "false"}})


def test_deny_wins_and_nothing_is_allowed_by_silence() -> None:
    allow = {"Statement": {"Effect": "Allow", "Action": "s:Do", "Resource": "*"}}
    deny = {"Statement": {"Effect": "Deny", "Action": "s:D*", "Resource": "a?n"}}
    assert is_allowed([allow], Call("s:Do", "arn"))
    assert not is_allowed([allow, deny], Call("s:Do", "arn"))
    assert is_allowed([allow, deny], Call("s:Do", "arm/n"))
    assert not is_allowed([], Call("s:Do", "arn"))
    assert not is_allowed([allow], Call("s:Undo", "arn"))
