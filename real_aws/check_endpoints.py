"""Steps at the other endpoints: HTTP API, REST API with its key, and CloudFront."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from real_aws.check_updates import challenge_name
from real_aws.exchange import FAMILIES, NoRoute
from real_aws.steps import Step, expect

if TYPE_CHECKING:
    from real_aws.stage import Stage

_READY_SECONDS = 300.0
"""A fresh endpoint may say 403 or have no name for a while."""
_FORGED = "192.0.2.66"


def http_api_updates(stage: Stage) -> str:
    """An HTTP API takes a router's update, and sees the client's address as the function URL did."""
    return _updates(stage, "http-api")


def rest_api_updates(stage: Stage) -> str:
    """A REST API takes a router's update without a key, and sees the client's address as the function URL did."""
    return _updates(stage, "rest-api")


def _updates(stage: Stage, label: str) -> str:
    _wait_until_ready(stage)
    name, address = stage.update(label)
    stage.wait_for_answer(name, address)
    told = []
    for family in FAMILIES:
        try:
            reply = stage.ask("/ip", family=family)
        except NoRoute:
            continue
        expect(reply.status == 200 and (":" in reply.body) == (family == "IPv6"), f"{family}: {reply}")
        told.append(family)
    return " and ".join(told)


def http_api_challenge(stage: Stage) -> str:
    """A wrong secret is answered 401 by the HTTP API, and the challenge arrives under a name that is told."""
    return challenge_name(stage)


def rest_api_challenge(stage: Stage) -> str:
    """A wrong secret is answered 401 by the REST API, and the challenge arrives under a name that is told."""
    return challenge_name(stage)


def rest_api_key(stage: Stage) -> None:
    """The REST API refuses the awslabs protocol without the key, and takes it with the key that the stack tells."""
    reply = stage.ask("/?mode=get")
    expect(reply.status == 403, f"without a key: {reply}")
    key = stage.output("apiKey")
    replies = []

    def is_taken() -> bool:
        replies.append(stage.ask("/?mode=get", headers=(("x-api-key", key),)))
        return replies[-1].status == 200

    stage.wait(is_taken, 60, "the key is not taken")
    told = json.loads(replies[-1].body)
    expect(told["return_status"] == "success", told)


def cloudfront_tells_viewer(stage: Stage) -> str:
    """Behind CloudFront the viewer's address counts, which nobody can forge, neither there nor at the origin."""
    _wait_until_ready(stage)
    origin = "https://" + stage.output("apiOriginURL")
    forged = (("x-ddns-viewer-ip", _FORGED), ("cloudfront-viewer-address", f"{_FORGED}:443"))
    told = []
    for family in FAMILIES:
        try:
            own = stage.ask("/ip", url=origin, family=family).body
            through = stage.ask("/ip", family=family).body
            seen = [stage.ask("/ip", url=url, family=family, headers=forged[:1]).body for url in (None, origin)]
            seen.append(stage.ask("/ip", url=origin, family=family, headers=forged).body)
        except NoRoute:
            continue
        expect(through == own, f"{family}: through CloudFront {through!r}, at the origin {own!r}")
        expect(all(one == own for one in seen), f"{family}: a forged header was believed: {seen}")
        told.append(family)
    return " and ".join(told)


def cloudfront_updates(stage: Stage) -> None:
    """CloudFront hands HTTP Basic on: a router's update goes through."""
    _wait_until_ready(stage)
    name, address = stage.update("edge")
    stage.wait_for_answer(name, address)


def cloudfront_challenge(stage: Stage) -> str:
    """A request without credentials is challenged under the right name, by CloudFront's own function."""
    name, _ = stage.host("router")
    reply = stage.ask(f"/nic/update?hostname={name}")
    expect(reply.status == 401 and reply.body == "badauth\n", reply)
    expect(list(reply.challenges) == ["www-authenticate"], f"challenges: {reply.challenges}")
    return "after a wrong secret: " + challenge_name(stage)


def _wait_until_ready(stage: Stage) -> None:
    def answers() -> bool:
        try:
            return stage.ask("/ip").status == 200
        except NoRoute:
            raise
        except OSError:
            return False

    stage.wait(answers, _READY_SECONDS, f"{stage.url} does not answer", pause=5)


HTTP_API_STEPS = tuple(Step(check, "http api") for check in (http_api_updates, http_api_challenge))
REST_API_STEPS = tuple(Step(check, "rest api") for check in (rest_api_updates, rest_api_key, rest_api_challenge))
CLOUDFRONT_STEPS = tuple(
    Step(check, "cloudfront") for check in (cloudfront_tells_viewer, cloudfront_updates, cloudfront_challenge)
)
