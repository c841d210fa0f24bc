"""The template's switches, and few stacks in which every two values of them meet at least once."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import TYPE_CHECKING

from tests.deploy.rendering import load, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

CODE = {"codeBucket": "homing-111122223333-eu-central-1", "codeKey": "packages/0123.zip"}
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/0a1b2c3d-0000-1111-2222-333344445555"
SWITCHES: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "endpoint": tuple({"endpoint": one} for one in ("functionUrl", "restApi", "httpApi")),
    "CloudFront": tuple({"enableCloudFront": one} for one in ("false", "withCustomAlias", "withoutCustomAlias")),
    "key": tuple({"useApiKey": one} for one in ("false", "true")),
    "certificate": tuple({"acmCertificateARN": one} for one in ("", CERTIFICATE)),
    "name": tuple({"apiCname": one} for one in ("ddns", "")),
    "zone": ({}, {"route53ZoneId": "ZOWN"}, {"newZoneVpcId": "vpc-0123456789abcdef0"}),
    "more zones": (
        {},
        {"additionalZoneIds": "ZONE1", "additionalZoneNames": "corp.example"},
        {"additionalZoneIds": "ZONE1,ZONE2", "additionalZoneNames": "corp.example,home.test"},
    ),
    "publishing": tuple({"publishMode": one} for one in ("direct", "stream")),
    "billing": tuple({"ddbBillingMode": one} for one in ("PAY_PER_REQUEST", "PROVISIONED")),
    "watched": tuple({"alarmEmail": one} for one in ("", "ops@example.com")),
    "changes": tuple({"notifyChanges": one} for one in ("false", "true")),
    "tokens": tuple({"tokensCreateHosts": one} for one in ("false", "true")),
    "limits": ({}, {"updateConcurrency": "0", "publisherConcurrency": "1"}),
    "log level": tuple({"logLevel": one} for one in ("info", "debug")),
}

Choice = tuple[int, ...]
Pair = tuple[int, int, int, int]


def parameters_of(choice: Choice) -> dict[str, str]:
    """The parameters that a choice of one value for each switch stands for."""
    chosen = [values[index] for values, index in zip(SWITCHES.values(), choice, strict=True)]
    return {name: text for one in chosen for name, text in one.items()} | CODE


def pairwise(template: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield stacks that the template's Rules accept, until every pair that they leave possible has been seen."""
    random = Random(1)
    left = {pair for pair in _all_pairs() if _is_possible(template, pair)}
    while left:
        pair = min(left)
        found = [one for one in (_choice_with(random, pair) for _ in range(60)) if _is_accepted(template, one)]
        if not found:
            continue
        best = max(found, key=lambda one: len(left & set(_pairs_of(one))))
        left -= set(_pairs_of(best))
        yield parameters_of(best)


def _is_possible(template: Mapping[str, Any], pair: Pair) -> bool:
    """Three switches and their neighbours are what Rules speak of; a hundred tries at the others find one that goes."""
    random = Random(2)
    return any(_is_accepted(template, _choice_with(random, pair)) for _ in range(100))


def _is_accepted(template: Mapping[str, Any], choice: Choice) -> bool:
    return not refusals(template, parameters_of(choice))


def _choice_with(random: Random, pair: Pair) -> Choice:
    choice = [random.randrange(len(values)) for values in SWITCHES.values()]
    choice[pair[0]], choice[pair[2]] = pair[1], pair[3]
    return tuple(choice)


def _pairs_of(choice: Choice) -> Iterator[Pair]:
    for (one, value), (other, its_value) in combinations(enumerate(choice), 2):
        yield one, value, other, its_value


def _all_pairs() -> Iterator[Pair]:
    sizes = [len(values) for values in SWITCHES.values()]
    for one, other in combinations(range(len(sizes)), 2):
        for value in range(sizes[one]):
            for its_value in range(sizes[other]):
                yield one, value, other, its_value


def zone_of(given: Mapping[str, str]) -> str:
    """The id of the stack's own zone."""
    return given.get("route53ZoneId", "ZNEW")


STACKS = list(pairwise(load()))
