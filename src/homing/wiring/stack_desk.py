"""A stack on AWS, opened for the operator's commands: the same table and zones as its functions, other credentials."""

from __future__ import annotations

import os
import random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.app.administration import Administration
from homing.app.importing import Importer
from homing.app.publishing import Outbox
from homing.aws.dynamodb import DynamoDb
from homing.aws.route53 import Route53
from homing.aws.sigv4 import Credentials
from homing.aws.transport import HttpTransport, endpoint_for
from homing.core.errors import InvalidSettings, Refused
from homing.core.update import Policy
from homing.settings.serverless import ServerlessSettings, parse_settings, why_not
from homing.stack.account import open_account
from homing.stack.stacks import find_stack, parse_stack_name
from homing.wiring.desk import Desk
from homing.wiring.system import SystemClock, SystemEntropy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homing.app.ports import Store
    from homing.core.names import Name
    from homing.core.records import RRsetKey
    from homing.publishers.route53 import Route53Publisher
    from homing.stack.account import Account
    from homing.stack.stacks import Stack

_BUDGET_SECONDS = 30.0
"""A person waits longer than a router does."""
_SHARE = 0.5
"""Of the rate that the stack keeps to: its functions go on working beside us, and the limit is the account's."""
_VARIABLES = {
    "HOMING_DEFAULT_TTL": "defaultTtl",
    "HOMING_PUBLISH_MODE": "publishMode",
    "HOMING_REQUESTS_PER_SECOND": "requestsPerSecond",
    "HOMING_CHANGES_PER_SECOND": "changesPerSecond",
    "HOMING_TOKENS_CREATE_HOSTS": "tokensCreateHosts",
    "HOMING_IMPORTED_PASSWORDS": "importedPasswords",
}
"""Which parameter of the template each variable of the functions is."""


@dataclass(frozen=True, slots=True)
class StackZone:
    """A hosted zone that the stack serves."""

    id: str
    name: Name


def open_stack_desk(stack: str, region: str | None = None, profile: str | None = None) -> Desk:
    """Open the stack's table and zones with the operator's own credentials. Raises Refused or StoreUnavailable."""
    account = open_account(region, profile)
    return open_desk_of(account, find_stack(account, parse_stack_name(stack)))


@contextmanager
def open_table(name: str, region: str | None = None, profile: str | None = None) -> Iterator[Store]:
    """Open a table by its name, without a stack: one that a deleted stack left, or one of awslabs. Raises Refused."""
    from homing.stores.dynamodb import DynamoStore

    dynamodb = _dynamodb(open_account(region, profile), SystemClock())
    try:
        yield DynamoStore(dynamodb, name, SystemEntropy())
    finally:
        dynamodb.close()


def open_desk_of(account: Account, stack: Stack) -> Desk:
    """Open a stack that was looked up already. Raises Refused where it does not say what it serves."""
    from homing.stores.dynamodb import DynamoStore

    settings = settings_of(stack, account.region)
    clock, entropy = SystemClock(), SystemEntropy()
    dynamodb, route53 = _dynamodb(account, clock), _route53(account, clock)
    store = DynamoStore(dynamodb, settings.table, entropy)
    zones = frozenset(settings.zones)
    outbox = Outbox(store, _publisher(route53, settings, clock), zones, clock, random.random)

    def objection(key: RRsetKey) -> str | None:
        return why_not(settings, key.name)

    administration = Administration(
        store=store,
        outbox=outbox,
        clock=clock,
        entropy=entropy,
        zones=zones,
        policy=Policy(default_ttl=settings.default_ttl, note_interval=settings.note_interval),
        why_not=objection,
    )
    return Desk(
        store,
        administration,
        Importer(store, outbox, zones, objection),
        outbox,
        tuple(StackZone(zone_id, name) for name, zone_id in settings.zones.items()),
        endpoint=stack.endpoint,
        tokens_create_hosts=settings.tokens_create_hosts,
        takes_chosen_passwords=settings.imported_passwords,
        connections=(dynamodb.close, route53.close),
    )


def settings_of(stack: Stack, region: str) -> ServerlessSettings:
    """Return what the stack's functions are told, without their secrets. Raises Refused."""
    parameters = stack.parameters
    zone_id = stack.outputs.get("route53ZoneID") or parameters.get("route53ZoneId", "")
    zone = stack.outputs.get("route53ZoneName") or parameters.get("route53ZoneName", "")
    label = parameters.get("apiCname", "")
    told = {variable: parameters.get(parameter, "") for variable, parameter in _VARIABLES.items()}
    told |= {
        "AWS_REGION": region,
        "HOMING_TABLE": stack.table,
        "HOMING_ZONE_IDS": f"{zone_id},{parameters.get('additionalZoneIds', '')}",
        "HOMING_ZONE_NAMES": f"{zone},{parameters.get('additionalZoneNames', '')}",
        "HOMING_ENDPOINT_NAME": f"{label}.{zone}" if label else "",
        "HOMING_STACK": stack.name,
    }
    try:
        return parse_settings(told)
    except InvalidSettings as error:
        raise Refused(f"the stack {stack.name} ({stack.status}) cannot be worked on: {error}") from None


def _dynamodb(account: Account, clock: SystemClock) -> DynamoDb:
    transport = HttpTransport(endpoint_for("dynamodb", account.region, os.environ))
    return DynamoDb(transport, lambda: _credentials(account), account.region, clock, budget_seconds=_BUDGET_SECONDS)


def _route53(account: Account, clock: SystemClock) -> Route53:
    endpoint = endpoint_for("route53", account.region, os.environ)
    return Route53(HttpTransport(endpoint), lambda: _credentials(account), clock, endpoint.region)


def _publisher(route53: Route53, settings: ServerlessSettings, clock: SystemClock) -> Route53Publisher:
    from homing.publishers.pacing import Pace
    from homing.publishers.route53 import Route53Publisher

    return Route53Publisher(
        route53,
        settings.zones,
        Pace(settings.requests_per_second * _SHARE, settings.changes_per_second * _SHARE, clock),
        clock,
        budget_seconds=_BUDGET_SECONDS,
        reserved=settings.reserved_names,
    )


def _credentials(account: Account) -> Credentials:
    """Return them as they are now: boto3 renews what runs out."""
    found = account.frozen_credentials()
    return Credentials(found.access_key, found.secret_key, found.token)
