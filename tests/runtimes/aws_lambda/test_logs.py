"""What the update function logs: one line where there is something to say, with its metric, and never a secret."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

import pytest

from homing.core.credentials import ddupdate_token
from homing.protocols.http import Response, text
from homing.runtimes.aws_lambda import logs
from homing.runtimes.aws_lambda.metrics import embed
from homing.runtimes.aws_lambda.update import handler_of
from homing.web.routes import Access
from tests.protocols.strategies import FORM, basic
from tests.runtimes.aws_lambda.harness import SECRET, load, update_over, url_event, with_access
from tests.web.harness import H1, TOKEN_KEY, ZONE_ID, World, legacy, make_account, make_host, make_rows, sign

Captured = pytest.CaptureFixture[str]


def lines(captured: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


AUTH = dict(basic("alice", "pw"))


def update(myip: str = "203.0.113.9") -> dict[str, Any]:
    return url_event(f"/nic/update?hostname={H1}&myip={myip}", headers=AUTH)


def test_a_change_is_one_line_that_counts_itself(capsys: Captured) -> None:
    logs.configure("info")
    handle = handler_of(update_over(World(make_rows()).application))
    handle(update(), None)
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line.pop("duration_ms") >= 0
    directive = line.pop("_aws")
    assert line == {
        "level": "INFO",
        "client": "203.0.113.7",
        "method": "GET",
        "path": "/nic/update",
        "status": 200,
        "protocol": "dyndns2",
        "who": "account alice",
        "host": H1,
        "outcome": "updated",
        "address": "203.0.113.9",
        "Stack": "home",
        "Updated": 1,
    } | ({"note": line["note"]} if "note" in line else {})
    assert isinstance(directive["Timestamp"], int)
    assert directive["CloudWatchMetrics"] == [
        {"Namespace": "Homing", "Dimensions": [["Stack"]], "Metrics": [{"Name": "Updated", "Unit": "Count"}]}
    ]


def test_polls_and_questions_are_no_line(capsys: Captured) -> None:
    logs.configure("info")
    handle = handler_of(update_over(World(make_rows()).application))
    handle(update(), None)
    lines(capsys)
    for event in (update(), load("function_url_awslabs_get"), load("function_url_ipv6"), load("alb_health_check")):
        handle(event, None)
    assert lines(capsys) == []


def test_they_are_where_somebody_looks_for_a_fault(capsys: Captured) -> None:
    logs.configure("debug")
    handle = handler_of(update_over(World(make_rows()).application))
    for event in (update(), update(), load("function_url_ipv6")):
        handle(event, None)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in found] == ["INFO", "DEBUG", "DEBUG"]
    assert [line.get("Unchanged") for line in found] == [None, 1, None]


@pytest.mark.parametrize(
    ("response", "level", "metric"),
    [
        (text(200, "", outcome="updated"), logging.INFO, "Updated"),
        (text(200, "", outcome="unchanged"), logging.DEBUG, "Unchanged"),
        (text(200, "nohost", outcome="no such host"), logging.INFO, "Refused"),
        (text(401, "", outcome="challenged"), logging.INFO, "Refused"),
        (text(404, "", outcome="no such path"), logging.INFO, "Refused"),
        (text(400, ""), logging.INFO, "Refused"),
        (text(200, "fail", outcome="unavailable"), logging.WARNING, "Failed"),
        (text(503, "911", outcome="rejected by DNS"), logging.WARNING, "Failed"),
        (text(500, ""), logging.WARNING, "Failed"),
        (text(200, "1.2.3.4"), logging.DEBUG, None),
    ],
)
def test_what_counts_for_what(response: Response, level: int, metric: str | None) -> None:
    assert logs.rate(response) == (level, metric)


def test_a_failure_is_a_warning(capsys: Captured) -> None:
    logs.configure("info")
    world = World(make_rows())
    world.store.close()
    handler_of(update_over(world.application))(update(), None)
    (line,) = lines(capsys)
    assert (line["level"], line["outcome"], line["Failed"]) == ("WARN", "unavailable", 1)


def test_a_long_value_is_cut_and_other_messages_are_lines_too(capsys: Captured) -> None:
    logs.configure("info")
    logs.write(logging.INFO, {"path": "x" * 9999})
    logging.getLogger("homing.x").warning("%s\nand more", "text")
    try:
        int("s3cret")
    except ValueError as error:
        logs.write_crash("it broke", error)
        logging.getLogger("homing.x").exception("again")
    found = lines(capsys)
    assert len(found[0]["path"]) < 300
    assert found[1]["message"] == "text\nand more"
    assert "ValueError" in found[2]["message"]
    assert "ValueError" in found[3]["traceback"]
    assert "invalid literal" not in str(found)


def test_a_level_that_is_none_is_the_default() -> None:
    logs.configure("loud")
    assert logging.getLogger().level == logging.INFO


def test_without_numbers_there_is_no_metric() -> None:
    assert embed("home", 1.0, {}) == {}


def test_seconds_are_seconds() -> None:
    directive = embed("home", 1.5, {"PendingAgeSeconds": 9})["_aws"]
    assert directive["Timestamp"] == 1500
    assert directive["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "PendingAgeSeconds", "Unit": "Seconds"}]


# --- secrets


def test_no_line_ever_holds_a_secret(capsys: Captured) -> None:
    logs.configure("debug")
    canary = "CanarySecretCanarySecretCanary12"
    rows = [*make_rows(), make_account(canary, H1, username="dave"), make_host("c.example.com.", shared_secret=canary)]
    application = with_access(World(rows).application, Access(api_key=canary))
    handle = handler_of(update_over(application, origin_secret=SECRET))
    token = ddupdate_token("host.example.com", ZONE_ID, TOKEN_KEY)
    hash_ = legacy("c.example.com", canary)
    digest = hashlib.sha256(canary.encode()).hexdigest()
    signed = sign({"hostname": "c.example.com", "addresses": ["203.0.113.7"]}, canary)
    header = dict(signed["headers"])
    key = {"x-api-key": canary}
    events = [
        *(url_event(f"/nic/update?hostname={name}", headers=dict(basic("dave", canary))) for name in (H1, "x", "")),
        *(url_event(f"/nic/update?hostname=c.example.com&{name}={canary}") for name in ("password", "token")),
        url_event(f"/nic/update?hostname=c.example.com&token={canary}&myip=x"),
        url_event("/nic/update?hostname=c.example.com", headers={"authorization": f"Bearer {canary}"}),
        url_event(f"/nic/update?password={canary}&password=other"),
        url_event("/nic/update", "POST", dict(FORM), f"hostname=c.example.com&password={canary}"),
        url_event("/nic/update", "POST", dict(FORM), f"password={canary}" + "x" * 9000),
        url_event("/nic/update", "POST", dict(FORM), f"password={canary}%", isBase64Encoded=True),
        url_event(f"/nic/update?password={canary}", source=canary),
        url_event(f"/nic/update?password={canary}", method=canary),
        url_event("/nic/update", headers={"x-homing-origin-verify": SECRET, "x-ddns-viewer-ip": canary}),
        *(url_event(f"/?mode={one}&hostname=c.example.com&hash={hash_}", headers=key) for one in ("set", "list_hosts")),
        *(url_event(f"/?mode={one}&hostname=c.example.com&hash={hash_}") for one in ("set", "get", canary)),
        url_event("/", "POST", key, json.dumps({"execution_mode": "set", "validation_hash": hash_, "x": canary})),
        load("awslabs_mapping_set") | {"set_hostname": "c.example.com", "validation_hash": hash_},
        load("awslabs_mapping_set") | {"set_hostname": "c.example.com", "validation_hash": hash_, "source_ip": canary},
        *(
            url_event(f"/x?fqdn=host.example.com&zoneid={ZONE_ID}&token={token}{end}")
            for end in ("", "x", "&ttl=x", "&ipv4=x")
        ),
        url_event("/v1/update", "POST", header, signed["body"].decode()),
        url_event("/v1/update", "POST", header, "{"),
        url_event("/v1/update", "POST", header, "%", isBase64Encoded=True),
        url_event(f"/{canary}"),
        url_event(f"/{canary}/x/y"),
        url_event(canary),
    ]
    for event in events:
        handle(event, None)
    told = capsys.readouterr().out
    assert len(told.splitlines()) >= len(events)
    for secret in (canary, token, hash_, digest, header["homing-signature"].partition("v1=")[2], TOKEN_KEY, SECRET):
        assert secret not in told
