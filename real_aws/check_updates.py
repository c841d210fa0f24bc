"""Steps in which clients of each protocol ask the function URL, and DNS is asked what it shows."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from homing.core.credentials import legacy_hash
from homing.protocols.signed import UPDATE_PATH, make_update
from real_aws import name_servers as dns
from real_aws.exchange import FAMILIES, NoRoute, addresses_of, has_route
from real_aws.steps import Skipped, Step, expect

if TYPE_CHECKING:
    from real_aws.exchange import Family
    from real_aws.stage import Stage


def answers_over_ipv4(stage: Stage) -> str:
    """The function URL answers over IPv4, and tells the address that it sees."""
    return _tells_address(stage, "IPv4")


def answers_over_ipv6(stage: Stage) -> str:
    """The function URL answers over IPv6, and tells the address that it sees."""
    return _tells_address(stage, "IPv6")


def _tells_address(stage: Stage, family: Family) -> str:
    host = stage.url.partition("://")[2].partition("/")[0]
    found = addresses_of(host, 443, family)
    expect(found, f"{host} has no {family} address")
    if not any(map(has_route, found)):
        raise Skipped(f"this machine has no {family}")
    reply = stage.ask("/ip", family=family)
    expect(reply.status == 200 and (":" in reply.body) == (family == "IPv6"), reply)
    return f"{len(found)} addresses"


def host_add(stage: Stage) -> None:
    """`homing host add --stack` makes a host with the operator's credentials, and `homing host list` shows it."""
    name, _ = stage.host("first")
    listed = [one["record_type"] for one in stage.homing("host", "list") if one["hostname"] == f"{name}."]
    expect(sorted(listed) == ["A", "AAAA"], f"{name} is listed as {listed}")


def dyndns2(stage: Stage) -> None:
    """A router's request (dyndns2, HTTP Basic) changes a host."""
    stage.update("router")


def unchanged(stage: Stage) -> None:
    """The same request again is answered that nothing changed."""
    name, address = stage.update("unchanged")
    _, secret = stage.host("unchanged")
    reply = stage.ask(f"/nic/update?hostname={name}&myip={address}", basic=(name, secret))
    expect(reply.body == f"nochg {address}\n", reply)


def source_address(stage: Stage) -> str:
    """An update that names no address sets the one that the endpoint saw, in each family."""
    name, secret = stage.host("source")
    done = []
    for family in FAMILIES:
        try:
            told = stage.ask("/ip", family=family).body.strip()
        except NoRoute:
            continue
        reply = stage.ask(f"/nic/update?hostname={name}", family=family, basic=(name, secret))
        expect(reply.body == f"good {told}\n", reply)
        stage.shown[name, "AAAA" if ":" in told else "A"] = told
        done.append(family)
    expect(done, "the endpoint cannot be reached over either family")
    return " and ".join(done)


def awslabs_v1(stage: Stage) -> None:
    """The request of awslabs v1's client (GET, internalIp equal to the source) changes a host."""
    _hash_request(stage, "v1", "/prod", internal_is_source=True)


def awslabs_v2(stage: Stage) -> None:
    """The request of awslabs v2's client (GET, a name with a final dot, another internalIp) changes a host."""
    _hash_request(stage, "v2", "/", internal_is_source=False)


def _hash_request(stage: Stage, label: str, path: str, *, internal_is_source: bool) -> None:
    name, secret = stage.host(label)
    family = stage.family()
    source = stage.ask(f"{path}?mode=get", family=family).json()["return_message"]
    internal = source if internal_is_source else stage.new_address()
    digest = legacy_hash(source, f"{name}.", secret)
    stage.secrets.add(digest)
    query = urlencode({"mode": "set", "hostname": f"{name}.", "hash": digest, "internalIp": internal})
    told = stage.ask(f"{path}?{query}", family=family).json()
    wanted = {"return_message": f"Your hostname record {name}. has been set to {internal}", "return_status": "success"}
    expect(told == wanted, told)
    stage.shown[name, "AAAA" if ":" in internal else "A"] = internal


def awslabs_v3(stage: Stage) -> None:
    """The request of awslabs v3's client (POST, JSON) changes a host, with status 201."""
    name, secret = stage.host("v3")
    family = stage.family()
    source = stage.ask("/", family=family, body=b'{"execution_mode":"get"}').json()["return_message"]
    digest = legacy_hash(source, name, secret)
    stage.secrets.add(digest)
    body = json.dumps({"execution_mode": "set", "ddns_hostname": name, "validation_hash": digest}).encode()
    reply = stage.ask("/", family=family, headers=(("Content-Type", "application/json"),), body=body)
    expect(reply.status == 201, reply)
    stage.shown[name, "AAAA" if ":" in source else "A"] = source


def ddupdate(stage: Stage) -> None:
    """A ddupdate client's token, made by `homing token --stack`, changes a host."""
    name, _ = stage.host("ddupdate")
    told = stage.homing("token", name)
    stage.secrets.add(told["token"])
    address = stage.new_address()
    query = urlencode({"fqdn": name, "zoneid": told["zoneid"], "token": told["token"], "ipv4": address})
    reply = stage.ask(f"/ddupdate?{query}")
    expect(reply.status == 200, reply)
    stage.shown[name, "A"] = address


def signed(stage: Stage) -> None:
    """A signed request changes a host; sent again it changes nothing."""
    name, secret = stage.host("signed")
    address = stage.new_address()
    body, headers = make_update(secret, int(time.time() * 1000), name, [address])
    for wanted in ("updated", "unchanged"):
        reply = stage.ask(UPDATE_PATH, headers=headers, body=body)
        expect(reply.status == 200, reply)
        outcomes = [one["outcome"] for one in reply.json()["outcomes"]]
        expect(outcomes == [wanted], outcomes)
    stage.shown[name, "A"] = address


def typed_row(stage: Stage) -> None:
    """A row of awslabs' v2 table, typed by hand into the console, is served and keeps what it holds."""
    name, secret = f"typed.{stage.run.zone}", stage.host("first")[1]
    row = v2_row(name, secret) | {"remark": {"S": "ours"}, "mac_address": {"S": "00:11:22:33:44:55"}}
    stage.account.call("dynamodb", "put_item", TableName=stage.run.table, Item=row)
    address = stage.new_address()
    reply = stage.ask(f"/nic/update?hostname={name}&myip={address}", basic=(name, secret))
    expect(reply.body == f"good {address}\n", reply)
    key = {"hostname": {"S": f"{name}."}, "record_type": {"S": "A"}}
    item = stage.account.call("dynamodb", "get_item", TableName=stage.run.table, Key=key, ConsistentRead=True)["Item"]
    changed = {attribute for attribute, value in row.items() if item.get(attribute) != value}
    expect(changed <= {"ip_address", "last_accessed", "last_checked", "last_updated"}, f"changed: {changed}")
    stage.shown[name, "A"] = address


def v2_row(name: str, secret: str) -> dict[str, dict[str, object]]:
    """Return a row as awslabs' own documentation has people type it."""
    return {
        "hostname": {"S": f"{name}."},
        "record_type": {"S": "A"},
        "allow_internal": {"BOOL": True},
        "comment": {"S": "typed by hand"},
        "lock_record": {"BOOL": False},
        "read_privilege": {"BOOL": False},
        "shared_secret": {"S": secret},
        "ttl": {"N": "60"},
        "ip_address": {"S": ""},
        "last_accessed": {"S": ""},
        "last_checked": {"S": ""},
        "last_updated": {"S": ""},
    }


def wrong_secret(stage: Stage) -> str:
    """A wrong secret is answered 401, and the challenge arrives at a function URL under a name that is told."""
    return challenge_name(stage)


def challenge_name(stage: Stage, url: str | None = None) -> str:
    """Return under which header the challenge arrives. Raises Failed if there is none."""
    name, _ = stage.host("router")
    reply = stage.ask(f"/nic/update?hostname={name}", url=url, basic=(name, "not-the-secret"))
    expect(reply.status == 401 and reply.body == "badauth\n", reply)
    expect(len(reply.challenges) == 1, f"challenges: {reply.challenges}")
    return "the challenge arrives as " + next(iter(reply.challenges))


def dns_answer(stage: Stage) -> str:
    """Route 53's TestDNSAnswer shows every address that was set, each within 60 s."""
    if not stage.shown:
        stage.update("router")
    slowest = max(stage.wait_for_answer(name, address, kind) for (name, kind), address in stage.shown.items())
    return f"{len(stage.shown)} records; the slowest took {slowest:.0f} s"


def name_servers(stage: Stage) -> str:
    """All four name servers of the zone show a change within 60 s, asked directly."""
    name, address = stage.update("router")
    servers = stage.output("DNSZoneNameServers").split()
    slowest = 0.0
    for server in servers:

        def shows(server: str = server) -> bool:
            return dns.ask(server, name, "A") == [address]

        slowest = max(slowest, stage.wait(shows, 60, f"{server} does not show {address}", pause=1))
    return f"{len(servers)} servers within {slowest:.0f} s"


STEPS = tuple(
    Step(check, "direct")
    for check in (
        answers_over_ipv4, answers_over_ipv6, host_add, dyndns2, unchanged, source_address, awslabs_v1, awslabs_v2,
        awslabs_v3, ddupdate, signed, typed_row, wrong_secret, dns_answer, name_servers,
    )
)  # fmt: skip
