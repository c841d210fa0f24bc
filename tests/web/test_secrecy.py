"""What nobody learns without a secret, and what no log ever holds."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from homing.core.credentials import ddupdate_token
from homing.core.values import replace
from homing.web.routes import Access
from tests.protocols.strategies import FORM, basic
from tests.web.harness import (
    H1,
    SECRET,
    TOKEN_KEY,
    VECTORS,
    ZONE_ID,
    T,
    World,
    legacy,
    make_account,
    make_host,
    make_rows,
    password_of,
    peer_for,
    request_of,
    sign,
    token_for,
    vector_id,
    world_for,
)

if TYPE_CHECKING:
    from homing.protocols.http import Response


@pytest.fixture
def world() -> World:
    return World(make_rows())


# --- what nobody learns without a secret


def untrusted() -> World:
    """Hosts of every kind that must look like a host that is not there."""
    return World(
        [
            *make_rows(),
            make_account("pw", "h1.dyn.example.com.", username="carol"),
            make_host("pinned.example.com.", signed_only=True),
            make_host("locked.example.com.", lock_record=True),
            make_host("removed.example.com.", removed_at=1, shared_secret=""),
            make_host("blank.example.com.", shared_secret=""),
        ]
    )


NAMES = ["unknown.example.com", "www.example.com", "locked.example.com", "removed.example.com", "blank.example.com"]
BAD_NAMES = ["one", "a_b.example.com", "192.0.2.1", "x..y"]


def seen(responses: list[Response]) -> set[tuple[object, ...]]:
    return {(one.status, one.body, one.content_type, one.headers) for one in responses}


@pytest.mark.parametrize("is_post", [False, True], ids=["GET", "POST"])
@pytest.mark.parametrize("mode", ["set", "list_hosts"])
def test_a_failed_hash_looks_the_same_for_every_host(is_post: bool, mode: str) -> None:
    world = untrusted()

    def ask(name: str, hash_: str) -> Response:
        if is_post:
            body = json.dumps({"execution_mode": mode, "ddns_hostname": name, "validation_hash": hash_})
            return world.ask("/", method="POST", body=body)
        return world.ask(f"/?mode={mode}&hostname={name}&hash={hash_}")

    responses = [ask(name, "a" * 64) for name in [*NAMES, *BAD_NAMES, ""]]
    responses.append(ask("pinned.example.com", legacy("pinned.example.com")))
    responses.append(ask("blank.example.com", legacy("blank.example.com", "")))
    assert len(seen(responses)) == 1
    assert responses[0].status == (401 if is_post else 200)


def test_a_failed_basic_looks_the_same_for_every_user() -> None:
    world = untrusted()
    query = "/nic/update?hostname=www.example.com"
    responses = [
        world.ask("/nic/update"),
        world.ask(query),
        world.ask(query, headers=basic("alice", "wrong")),
        world.ask(query, headers=basic("carol", "")),
        world.ask(query, headers=basic("nobody", "pw")),
        world.ask(query, headers=basic("", "")),
        world.ask(query, headers=(("authorization", "Digest x"),)),
        world.ask(query + "&password=wrong"),
        world.ask(query + "&myip=nonsense&password=wrong"),
        world.ask("/nic/update?password=", headers=basic("blank.example.com", "")),
        world.ask("/nic/update?hostname=blank.example.com&myip=203.0.113.7&token=%00"),
        *(world.ask(f"/nic/update?hostname={name}", headers=basic(name, "wrong")) for name in [*NAMES, *BAD_NAMES]),
        *(world.ask(f"/nic/update?hostname={name}&token=wrong") for name in [*NAMES, *BAD_NAMES, "pinned.example.com"]),
    ]
    assert len(seen(responses)) == 1
    assert responses[0].status == 401


def test_a_failed_token_looks_the_same_for_every_name() -> None:
    world = untrusted()

    def ask(name: str, token: str = "a" * 64, zone_id: str = ZONE_ID) -> Response:
        return world.ask(f"/x?fqdn={name}&zoneid={zone_id}&token={token}")

    responses = [
        *(ask(name) for name in [*NAMES, *BAD_NAMES]),
        ask("host.example.com", zone_id="nothing"),
        ask("host.example.com", token_for("host.example.com"), "nothing"),
        ask("pinned.example.com", token_for("pinned.example.com")),
        ask("elsewhere.test", token_for("elsewhere.test")),
    ]
    assert len(seen(responses)) == 1
    assert responses[0].status == 403


@pytest.mark.parametrize("path", ["/v1/update", "/v1/hosts"])
def test_a_failed_signature_looks_the_same_for_every_host(path: str) -> None:
    world = untrusted()
    responses = []
    for name in [*NAMES, "pinned.example.com", "elsewhere.test"]:
        members = {"as": name} if path == "/v1/hosts" else {"hostname": name, "addresses": ["203.0.113.7"]}
        responses += [world.ask(path, **sign(members, secret, t)) for secret in ("wrong", "") for t in (T, 1)]
    assert len(seen(responses)) == 1
    assert responses[0].status == 401


@pytest.mark.parametrize("name", ["WPAD.example.com", "mail.example.com", "ns1.example.com"])
def test_a_token_never_makes_a_reserved_name(world: World, name: str) -> None:
    assert world.ask(f"/x?fqdn={name}&zoneid={ZONE_ID}&token={token_for(name)}").status == 403


def test_no_log_ever_holds_a_secret() -> None:
    canary = "CanarySecretCanarySecretCanary12"
    account = replace(make_account(canary, H1), username="dave")
    world = World([*make_rows(), account, make_host("c.example.com.", shared_secret=canary)], Access(api_key=canary))
    token = ddupdate_token("host.example.com", ZONE_ID, TOKEN_KEY)
    hash_ = legacy("c.example.com", canary)
    digest = hashlib.sha256(canary.encode()).hexdigest()
    key = (("x-api-key", canary),)
    signed = sign({"hostname": "c.example.com", "addresses": ["203.0.113.7"]}, canary)
    v1 = signed["headers"][0][1].partition("v1=")[2]
    asked = [
        *(
            world.ask(f"/nic/update?hostname={name}", headers=basic("dave", canary))
            for name in ("h1.dyn.example.com", "x")
        ),
        world.ask(f"/nic/update?hostname=h1.dyn.example.com&username=dave&password={canary}"),
        world.ask(f"/nic/update?hostname=c.example.com&password={canary}"),
        world.ask(f"/nic/update?hostname=c.example.com&token={canary}&myip=x"),
        world.ask("/nic/update?hostname=c.example.com", headers=(("authorization", f"Bearer {canary}"),)),
        world.ask("/nic/update?hostname=other.example.com", headers=(("authorization", f"Bearer {canary}"),)),
        world.ask(f"/nic/update?password={canary}&password=other"),
        world.ask("/nic/update", headers=basic("dave", canary) * 2),
        world.ask("/nic/update", method="POST", headers=FORM, body=f"hostname=c.example.com&password={canary}"),
        *(
            world.ask(f"/?mode={mode}&hostname=c.example.com&hash={hash_}", headers=key)
            for mode in ("set", "list_hosts", "x")
        ),
        world.ask(f"/?mode=set&hostname=c.example.com&hash={hash_}", headers=(("x-api-key", canary + "x"),)),
        world.ask(f"/?mode=set&hostname=c.example.com&hash={hash_}&hash=x", headers=key),
        world.ask(
            "/",
            method="POST",
            headers=key,
            body=json.dumps({"execution_mode": "set", "validation_hash": hash_, "x": canary}),
        ),
        *(
            world.ask(f"/x?fqdn=host.example.com&zoneid={ZONE_ID}&token={token}{end}")
            for end in ("", "x", "&ttl=x", "&ipv4=x")
        ),
        world.ask("/v1/update", **signed),
        world.ask("/v1/update", **(signed | {"body": b"{"})),
        world.ask("/v1/hosts", **sign({"as": "c.example.com"}, canary)),
        world.ask("/" + canary),
    ]
    assert {one.log.get("outcome") for one in asked} >= {"updated", "unchanged", "not authenticated"}
    for response in asked:
        told = json.dumps(dict(response.log), default=str) + repr(response.headers) + response.body.decode()
        assert not [secret for secret in (canary, token, hash_, digest, v1, TOKEN_KEY) if secret in told], told


@pytest.mark.parametrize("vector", VECTORS, ids=vector_id)
def test_no_recorded_request_puts_a_secret_into_the_log(vector: dict[str, Any]) -> None:
    response = world_for(vector).application.handle(request_of(vector, peer_for(vector)))
    told = json.dumps(dict(response.log))
    hash_ = [
        part.partition("=")[2] for part in request_of(vector).query.split("&") if part.startswith(("hash=", "token="))
    ]
    assert not [secret for secret in (SECRET, password_of(vector), *hash_) if len(secret) > 2 and secret in told]
    assert response.log["client"] == str(peer_for(vector))
