"""Homing on AWS: one table, Route 53, and three functions. What a poll does not need is imported when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.app.authentication import Authenticator
from homing.app.publishing_elsewhere import LeftToOthers, MadeWhenNeeded
from homing.app.service import Service
from homing.aws.budget import Deadline
from homing.aws.dynamodb import DynamoDb
from homing.aws.sigv4 import credentials_from
from homing.aws.transport import HttpTransport, endpoint_for
from homing.core.limits import Rate
from homing.core.update import Policy
from homing.core.values import frozen
from homing.settings.serverless import ServerlessSettings, parse_settings, why_not
from homing.stores.dynamodb import DynamoStore
from homing.web.routes import Access, Application
from homing.wiring.system import SystemClock, SystemEntropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.app.administration import Administration
    from homing.app.ports import Notifier, Store
    from homing.app.publishing import Outbox
    from homing.aws.route53 import Route53

_UPDATE_STORE_SECONDS, _UPDATE_ATTEMPT_SECONDS, _UPDATE_ROUTE53_SECONDS = 2.5, 1.0, 4.0
"""Budgets of one call while a client waits; what takes longer is answered "try again", or stays pending."""
_PUBLISHER_SECONDS = 45.0
_UPDATE_MARK_SECONDS, _MARK_SECONDS = 1.0, 10.0
"""What calls of Route 53 leave of the time until the deadline, so that the table is told of what they did."""
_CHANGES = Rate(burst=60.0, per_second=1.0)
"""How often one RRset may change, as seen by one instance of the function: a client in a loop would be on the bill."""


@frozen
class Update:
    """What the update function needs. Set `deadline.at` before each request."""

    settings: ServerlessSettings
    application: Application
    behind_gateway: Application
    """The same for awslabs' mapping template, which hands on no header: a gateway in front of it asks for the key."""
    deadline: Deadline


@frozen
class Publishing:
    """What the publisher function and the operator's function need. Set `deadline.at` before each use."""

    settings: ServerlessSettings
    store: Store
    outbox: Outbox
    deadline: Deadline


@frozen
class Admin:
    """What the operator's function needs."""

    publishing: Publishing
    administration: Administration


@frozen
class Clients:
    """AWS itself, for what is neither a row nor a host's RRset."""

    settings: ServerlessSettings
    dynamodb: DynamoDb
    route53: Route53


def open_update(environment: Mapping[str, str]) -> Update:
    """Put the update function together; nothing is called yet. Raises InvalidSettings."""
    settings = parse_settings(environment)
    clock, entropy, deadline = SystemClock(), SystemEntropy(), Deadline()
    dynamodb = _open_dynamodb(settings, environment, deadline, _UPDATE_STORE_SECONDS, _UPDATE_ATTEMPT_SECONDS)
    store = DynamoStore(dynamodb, settings.table, entropy)

    def make_outbox() -> Outbox:
        return _open_outbox(
            settings, environment, store, deadline, _UPDATE_ROUTE53_SECONDS, _UPDATE_MARK_SECONDS, tells_zones=False
        )

    service = Service(
        store=store,
        outbox=MadeWhenNeeded(make_outbox) if settings.publish_mode == "direct" else LeftToOthers(),
        authenticator=Authenticator(clock, entropy, settings.zone_ids, None, lambda: settings.imported_passwords),
        clock=clock,
        entropy=entropy,
        zones=frozenset(settings.zones),
        policy=_policy_of(settings),
        change_rate=_CHANGES,
    )
    return Update(
        settings,
        Application(service, store.check, Access(api_key=settings.api_key)),
        Application(service, store.check, Access()),
        deadline,
    )


def open_publisher(environment: Mapping[str, str]) -> Publishing:
    """Put the publisher function together. Raises InvalidSettings."""
    settings, deadline = parse_settings(environment), Deadline()
    store = DynamoStore(_open_dynamodb(settings, environment, deadline), settings.table, SystemEntropy())
    outbox = _open_outbox(settings, environment, store, deadline, retries_elsewhere=True)
    return Publishing(settings, store, outbox, deadline)


def open_admin(environment: Mapping[str, str]) -> Admin:
    """Put the operator's function together. Raises InvalidSettings."""
    from homing.app.administration import Administration

    settings, deadline = parse_settings(environment), Deadline()
    clock, entropy = SystemClock(), SystemEntropy()
    store = DynamoStore(_open_dynamodb(settings, environment, deadline), settings.table, entropy)
    outbox = _open_outbox(settings, environment, store, deadline)
    administration = Administration(
        store=store,
        outbox=outbox,
        clock=clock,
        entropy=entropy,
        zones=frozenset(settings.zones),
        policy=_policy_of(settings),
        why_not=lambda key: why_not(settings, key.name),
    )
    return Admin(Publishing(settings, store, outbox, deadline), administration)


def open_clients(environment: Mapping[str, str]) -> Clients:
    """Open AWS for what belongs to the stack itself. Raises InvalidSettings."""
    settings = parse_settings(environment)
    dynamodb = _open_dynamodb(settings, environment, Deadline())
    return Clients(settings, dynamodb, _open_route53(settings, environment))


def _policy_of(settings: ServerlessSettings) -> Policy:
    return Policy(
        default_ttl=settings.default_ttl,
        note_interval=settings.note_interval,
        tokens_create_hosts=settings.tokens_create_hosts,
        reserved_names=tuple(settings.reserved_names),
    )


def _open_outbox(
    settings: ServerlessSettings,
    environment: Mapping[str, str],
    store: Store,
    deadline: Deadline,
    budget_seconds: float = _PUBLISHER_SECONDS,
    mark_seconds: float = _MARK_SECONDS,
    *,
    retries_elsewhere: bool = False,
    tells_zones: bool = True,
) -> Outbox:
    """Open Route 53 as a publisher. Where Lambda itself tries again, a zone is left alone only as long as DNS asks.

    Of zones that fail the drain tells, which meets them within five minutes: a hundred update functions would each.
    """
    import random

    from homing.app.publishing import Outbox
    from homing.publishers.pacing import Pace
    from homing.publishers.route53 import Route53Publisher

    clock = SystemClock()
    publisher = Route53Publisher(
        _open_route53(settings, environment),
        settings.zones,
        Pace(settings.requests_per_second, settings.changes_per_second, clock),
        clock,
        budget_seconds=budget_seconds,
        reserved=settings.reserved_names,
        deadline=deadline,
        mark_seconds=mark_seconds,
    )
    jitter = (lambda: 0.0) if retries_elsewhere else random.random
    notifier = _open_notifier(settings, environment, deadline, tells_zones=tells_zones)
    return Outbox(store, publisher, frozenset(settings.zones), clock, jitter, notifier)


def _open_notifier(
    settings: ServerlessSettings, environment: Mapping[str, str], deadline: Deadline, *, tells_zones: bool
) -> Notifier | None:
    if settings.topic_arn is None:
        return None
    from homing.aws.sns import Sns
    from homing.notifiers.sns import SnsNotifier

    endpoint = endpoint_for("sns", settings.region, environment)
    credentials, clock = (lambda: credentials_from(environment)), SystemClock()
    client = Sns(HttpTransport(endpoint), credentials, clock, endpoint.region, deadline)
    tells_changes = settings.notify_changes
    return SnsNotifier(client, settings.topic_arn, settings.stack, tells_changes=tells_changes, tells_zones=tells_zones)


def _open_dynamodb(
    settings: ServerlessSettings,
    environment: Mapping[str, str],
    deadline: Deadline,
    budget_seconds: float = 10.0,
    attempt_seconds: float = 3.0,
) -> DynamoDb:
    endpoint = endpoint_for("dynamodb", settings.region, environment)
    return DynamoDb(
        HttpTransport(endpoint),
        lambda: credentials_from(environment),
        endpoint.region,
        SystemClock(),
        budget_seconds=budget_seconds,
        attempt_seconds=attempt_seconds,
        deadline=deadline,
    )


def _open_route53(settings: ServerlessSettings, environment: Mapping[str, str]) -> Route53:
    from homing.aws.route53 import Route53

    endpoint = endpoint_for("route53", settings.region, environment)
    return Route53(HttpTransport(endpoint), lambda: credentials_from(environment), SystemClock(), endpoint.region)
