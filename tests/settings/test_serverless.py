"""The environment of a function: read once, with every problem at once, and no secret in any text."""

from __future__ import annotations

import pytest

from homing.core.errors import InvalidSettings
from homing.core.names import Name
from homing.settings.serverless import parse_settings, why_not

NEEDED = {
    "AWS_REGION": "eu-central-1",
    "HOMING_TABLE": "home-config",
    "HOMING_ZONE_IDS": "Z1, /hostedzone/Z2",
    "HOMING_ZONE_NAMES": "Example.com.,corp.example",
}


def test_what_is_not_said_has_its_default() -> None:
    settings = parse_settings(NEEDED)
    assert dict(settings.zones) == {"example.com.": "Z1", "corp.example.": "Z2"}
    assert settings.zone_ids == {"Z1": "example.com.", "Z2": "corp.example."}
    assert (settings.default_ttl, settings.publish_mode, settings.note_interval) == (60, "direct", 86_400)
    assert (settings.requests_per_second, settings.changes_per_second) == (10, 0)
    assert (settings.api_key, settings.origin_secret, settings.topic_arn, settings.endpoint_name) == (None,) * 4
    assert (settings.tokens_create_hosts, settings.imported_passwords, settings.notify_changes) == (False,) * 3
    assert (settings.stack, settings.log_level) == ("homing", "info")


def test_empty_is_as_not_said() -> None:
    variables = [
        *("ENDPOINT_NAME", "DEFAULT_TTL", "PUBLISH_MODE", "API_KEY", "ORIGIN_SECRET", "REQUESTS_PER_SECOND"),
        *("CHANGES_PER_SECOND", "NOTE_INTERVAL", "TOKENS_CREATE_HOSTS", "IMPORTED_PASSWORDS", "TOPIC_ARN"),
        *("NOTIFY_CHANGES", "STACK", "LOG_LEVEL"),
    ]
    assert parse_settings(NEEDED | {"HOMING_" + name: "" for name in variables}) == parse_settings(NEEDED)


def test_what_is_said_counts() -> None:
    settings = parse_settings(
        NEEDED
        | {
            "HOMING_ENDPOINT_NAME": "ddns.example.com",
            "HOMING_DEFAULT_TTL": "300",
            "HOMING_PUBLISH_MODE": "stream",
            "HOMING_API_KEY": "key",
            "HOMING_ORIGIN_SECRET": "secret",
            "HOMING_REQUESTS_PER_SECOND": "2.5",
            "HOMING_CHANGES_PER_SECOND": "0",
            "HOMING_TOKENS_CREATE_HOSTS": "true",
            "HOMING_IMPORTED_PASSWORDS": "True",
            "HOMING_TOPIC_ARN": "arn:aws:sns:eu-central-1:1:t",
            "HOMING_NOTIFY_CHANGES": "true",
            "HOMING_STACK": "home",
            "HOMING_LOG_LEVEL": "DEBUG",
        }
    )
    assert settings.endpoint_name == "ddns.example.com."
    assert (settings.default_ttl, settings.publish_mode) == (300, "stream")
    assert (settings.api_key, settings.origin_secret) == ("key", "secret")
    assert (settings.requests_per_second, settings.changes_per_second) == (2.5, 0)
    assert settings.tokens_create_hosts is settings.imported_passwords is settings.notify_changes is True
    assert (settings.stack, settings.log_level) == ("home", "debug")


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidSettings) as caught:
        parse_settings(
            {
                "HOMING_ZONE_IDS": "Z1",
                "HOMING_DEFAULT_TTL": "soon",
                "HOMING_PUBLISH_MODE": "later",
                "HOMING_REQUESTS_PER_SECOND": "nan",
                "HOMING_TOKENS_CREATE_HOSTS": "maybe",
                "HOMING_LOG_LEVEL": "loud",
                "HOMING_ENDPOINT_NAME": "a..b",
            }
        )
    told = "\n".join(caught.value.problems)
    for variable in ("AWS_REGION", "TABLE", "ZONE_IDS", "DEFAULT_TTL", "PUBLISH_MODE", "REQUESTS_PER_SECOND",
                     "TOKENS_CREATE_HOSTS", "LOG_LEVEL", "ENDPOINT_NAME"):  # fmt: skip
        assert variable in told


@pytest.mark.parametrize(
    ("ids", "names"),
    [("Z1,Z2", "example.com"), ("Z1,Z1", "a.example,b.example"), ("Z1,Z2", "a.example,A.example."), ("Z1", "a..b")],
)
def test_each_zone_has_one_name_and_one_id(ids: str, names: str) -> None:
    with pytest.raises(InvalidSettings):
        parse_settings(NEEDED | {"HOMING_ZONE_IDS": ids, "HOMING_ZONE_NAMES": names})


@pytest.mark.parametrize("text", ["-1", "1e9", "0", "inf", "1_0", "٣", "10 "])
def test_a_rate_is_a_number_that_means_something(text: str) -> None:
    environment = NEEDED | {"HOMING_REQUESTS_PER_SECOND": text}
    if text.strip() == "10":
        assert parse_settings(environment).requests_per_second == 10
    else:
        with pytest.raises(InvalidSettings):
            parse_settings(environment)


@pytest.mark.parametrize("name", ["HOMING_API_KEY", "HOMING_ORIGIN_SECRET"])
def test_a_secret_of_blanks_is_a_problem_and_never_no_secret(name: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        parse_settings(NEEDED | {name: " \n"})
    assert caught.value.problems == (f"{name}: expected a text, not blanks",)


def test_no_secret_is_shown() -> None:
    settings = parse_settings(NEEDED | {"HOMING_API_KEY": "s3cret", "HOMING_ORIGIN_SECRET": "s3cret"})
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("cam.example.com.", False),
        ("a.b.corp.example.", False),
        ("example.com.", True),
        ("ddns.example.com.", True),
        ("cam.elsewhere.example.", True),
    ],
)
def test_what_cannot_be_a_host(name: str, refused: bool) -> None:
    settings = parse_settings(NEEDED | {"HOMING_ENDPOINT_NAME": "ddns.example.com"})
    assert (why_not(settings, Name(name)) is not None) == refused
