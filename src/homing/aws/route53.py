"""Route 53's record sets: changing them in one batch, listing them, and what a zone is called.

One attempt a call: pace and repetition are the caller's. A record set that is an alias, or one of several with a
routing policy, is told apart and never written.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from homing.aws.errors import NoAnswer
from homing.aws.signed_transport import SignedTransport
from homing.aws.sigv4 import quote, render_query
from homing.aws.xml_replies import parse_error, parse_tree
from homing.core.errors import InvalidInput
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from xml.etree.ElementTree import Element

    from homing.aws.budget import Clock
    from homing.aws.sigv4 import Credentials
    from homing.aws.transport import Transport

TIMEOUT_SECONDS = 10.0
MAX_ITEMS = 300
"""The most record sets that one page holds."""

_ZONES = "/2013-04-01/hostedzone/"
_NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_ESCAPE = r"\\([0-7]{3})"
_ROUTING = (
    *("SetIdentifier", "Weight", "Region", "Failover", "MultiValueAnswer", "GeoLocation", "GeoProximityLocation"),
    *("CidrRoutingConfig", "HealthCheckId", "TrafficPolicyInstanceId"),
)

Action: TypeAlias = Literal["CREATE", "DELETE", "UPSERT"]
Start: TypeAlias = "tuple[str, str] | tuple[str, str, str]"
"""Where a page begins: name and type, and the set identifier if the page before ended within a routing policy."""


@frozen
class ResourceRecordSet:
    """A record set. `name` is absolute, lower case, with its last dot, and `*` as itself.

    `alias` is the target of an alias, which has no TTL and no values. `routing` says what else there is to it, such as
    "SetIdentifier=blue Weight=10"; None for the plain record set that this program writes.
    """

    name: str
    type: str
    ttl: int | None
    values: tuple[str, ...]
    alias: str | None = None
    routing: str | None = None


@frozen
class Change:
    """One change of a batch. DELETE takes place only if name, type, TTL and all values are as they stand there."""

    action: Action
    record_set: ResourceRecordSet


@frozen
class Page:
    """Part of a zone, in Route 53's order (labels from the right), and where the next part begins."""

    record_sets: tuple[ResourceRecordSet, ...]
    next_start: Start | None


@frozen
class HostedZone:
    """What a zone is. `name` is written as that of a record set; a private zone has no name servers."""

    id: str
    name: str
    private: bool
    name_servers: tuple[str, ...]


class Route53:
    """Calls Route 53. May be used by several threads at once. A zone id may begin with `/hostedzone/`."""

    def __init__(
        self,
        transport: Transport,
        credentials: Callable[[], Credentials],
        clock: Clock,
        region: str = "us-east-1",
    ) -> None:
        """`region` is the one that requests are signed for: `Endpoint.region`."""
        self._transport = SignedTransport(transport, credentials, clock, service="route53", region=region)

    def change(self, zone_id: str, changes: Sequence[Change], timeout: float = TIMEOUT_SECONDS) -> str:
        """Apply all changes, or none, and return the id of the change, without `/change/`.

        Raises ServiceError and NoAnswer, and InvalidInput for a record set that is not ours to write.
        """
        operation = "ChangeResourceRecordSets"
        body = _render_changes(changes).encode()
        headers = {"Content-Type": "text/xml"}
        reply = self._transport.send("POST", _zone_path(zone_id) + "/rrset/", headers, body, timeout)
        if reply.status != 200:
            raise parse_error(operation, reply)
        change_id = _bare_id(_find_text(reply.body, b"Id"))
        if not change_id:
            raise NoAnswer(f"{operation}: the answer names no change", may_have_arrived=True)
        return change_id

    def list(
        self,
        zone_id: str,
        start: Start | None = None,
        max_items: int = MAX_ITEMS,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Page:
        """Return a page of record sets, from `start` on. Raises ServiceError and NoAnswer."""
        operation = "ListResourceRecordSets"
        parameters = [("maxitems", str(max_items)), *zip(("name", "type", "identifier"), start or (), strict=False)]
        root = self._get(operation, f"{_zone_path(zone_id)}/rrset?{render_query(parameters)}", timeout)
        try:
            found = tuple(_parse_record_set(one) for one in root.iter("ResourceRecordSet"))
            return Page(found, _parse_next_start(root))
        except ValueError as error:
            raise NoAnswer(f"{operation}: {error}", may_have_arrived=True) from None

    def zone(self, zone_id: str, timeout: float = TIMEOUT_SECONDS) -> HostedZone:
        """Return what a zone is. Raises ServiceError and NoAnswer."""
        root = self._get("GetHostedZone", _zone_path(zone_id), timeout)
        name = root.findtext("HostedZone/Name")
        if not name:
            raise NoAnswer("GetHostedZone: the answer names no zone", may_have_arrived=True)
        servers = tuple(_parse_name(one.text or "") for one in root.iter("NameServer"))
        return HostedZone(_bare_id(zone_id), _parse_name(name), root.findtext(".//PrivateZone") == "true", servers)

    def close(self) -> None:
        """Close the connections. The next call opens one anew."""
        self._transport.close()

    def _get(self, operation: str, target: str, timeout: float) -> Element:
        reply = self._transport.send("GET", target, {}, b"", timeout)
        if reply.status != 200:
            raise parse_error(operation, reply)
        root = parse_tree(reply.body)
        if root is None:
            raise NoAnswer(f"{operation}: the answer is no XML", may_have_arrived=True)
        return root


def _bare_id(identifier: str) -> str:
    """Drop `/hostedzone/` or `/change/`, which AWS writes before an id in some places and not in others."""
    return identifier.rpartition("/")[2]


def _find_text(body: bytes, tag: bytes) -> str:
    """Return what stands in the first element of this name; the XML parser is not needed for a change that worked."""
    return body.partition(b"<%b>" % tag)[2].partition(b"</%b>" % tag)[0].decode(errors="replace").strip()


def _zone_path(zone_id: str) -> str:
    return _ZONES + quote(_bare_id(zone_id))


def _render_changes(changes: Iterable[Change]) -> str:
    """Render a batch, with the elements in AWS's order."""
    rendered = "".join(
        f"<Change><Action>{one.action}</Action>{_render_record_set(one.record_set)}</Change>" for one in changes
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ChangeResourceRecordSetsRequest xmlns="{_NAMESPACE}">'
        f"<ChangeBatch><Changes>{rendered}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
    )


def _render_record_set(record_set: ResourceRecordSet) -> str:
    if record_set.alias is not None or record_set.routing is not None or record_set.ttl is None:
        raise InvalidInput(f"{record_set.name} {record_set.type} is an alias or has a routing policy: it is not ours")
    values = "".join(f"<ResourceRecord><Value>{_escape(one)}</Value></ResourceRecord>" for one in record_set.values)
    return (
        f"<ResourceRecordSet><Name>{_escape(record_set.name)}</Name><Type>{_escape(record_set.type)}</Type>"
        f"<TTL>{record_set.ttl}</TTL><ResourceRecords>{values}</ResourceRecords></ResourceRecordSet>"
    )


def _escape(text: str) -> str:
    if not text.isprintable():  # what XML cannot hold is not printable either
        raise InvalidInput(f"a character that no record set may hold: {text[:60]!r}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _parse_record_set(element: Element) -> ResourceRecordSet:
    ttl = element.findtext("TTL")
    alias = element.findtext("AliasTarget/DNSName")
    routing = " ".join(_describe(child) for child in element if child.tag in _ROUTING)
    return ResourceRecordSet(
        name=_parse_name(element.findtext("Name") or ""),
        type=element.findtext("Type") or "",
        ttl=None if ttl is None else int(ttl),
        values=tuple(one.findtext("Value") or "" for one in element.iter("ResourceRecord")),
        alias=None if alias is None else _parse_name(alias),
        routing=routing or None,
    )


def _describe(element: Element) -> str:
    """Say what an element holds, such as `GeoLocation=CH`."""
    return f"{element.tag}=" + "/".join(text.strip() for text in element.itertext() if text.strip())


def _parse_next_start(root: Element) -> Start | None:
    if root.findtext("IsTruncated") != "true":
        return None
    name, type_ = root.findtext("NextRecordName"), root.findtext("NextRecordType")
    if not name or not type_:
        raise ValueError("the answer goes on, and does not say where")
    identifier = root.findtext("NextRecordIdentifier")
    return (_parse_name(name), type_, identifier) if identifier else (_parse_name(name), type_)


def _parse_name(text: str) -> str:
    r"""Return a name in canonical form: `\052` is `*`; an escaped dot or backslash is no separator and stays escaped.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    """
    name = re.sub(_ESCAPE, _decode, text).lower()
    return name if name.endswith(".") else name + "."


def _decode(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 8))
    return character if "!" <= character <= "~" and character not in ".\\" else escape[0]
