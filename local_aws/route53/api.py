"""The operations: from method, target and body to what is to be done, and its answer (API reference, 2013-04-01).

Each operation first reads its request, outside any lock, and gives back a function that does it. No faults, limits or
signatures here (fake.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, unquote

from local_aws.route53 import lookup
from local_aws.route53 import replies_xml as xml
from local_aws.route53.errors import ApiError
from local_aws.route53.names import BadName, parse_name, sort_key
from local_aws.route53.records import RECORD_TYPES, Change
from local_aws.route53.requests_xml import Reader, text_of
from local_aws.route53.zones import Vpc, Zones

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSION = "/2013-04-01"
_MAX_ZONES_LISTED = 100
_MAX_SETS_LISTED = 300


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """One request whose operation is known."""

    operation: str
    id: str | None
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that has been read: `run` does it, under the lock, and gives status, headers and body."""

    run: Callable[[], Reply]
    changes: tuple[Change, ...] = field(default=())


_ROUTES = (
    ("POST", r"/hostedzone", "CreateHostedZone", ()),
    ("GET", r"/hostedzone", "ListHostedZones", ("marker", "maxitems", "delegationsetid", "hostedzonetype")),
    ("GET", r"/hostedzonesbyname", "ListHostedZonesByName", ("dnsname", "hostedzoneid", "maxitems")),
    ("GET", r"/hostedzone/([^/]+)", "GetHostedZone", ()),
    ("DELETE", r"/hostedzone/([^/]+)", "DeleteHostedZone", ()),
    ("POST", r"/hostedzone/([^/]+)/rrset/?", "ChangeResourceRecordSets", ()),
    ("GET", r"/hostedzone/([^/]+)/rrset/?", "ListResourceRecordSets", ("name", "type", "identifier", "maxitems")),
    ("GET", r"/change/([^/]+)", "GetChange", ()),
    (
        "GET",
        r"/testdnsanswer",
        "TestDNSAnswer",
        (
            "hostedzoneid",
            "recordname",
            "recordtype",
            "resolverip",
            "edns0clientsubnetip",
            "edns0clientsubnetmask",
        ),
    ),
)


def route(method: str, target: str, body: bytes) -> Request:
    """Find the operation; raises ApiError for one that this fake does not have, and for an unknown parameter."""
    path, _, query = target.partition("?")
    for verb, pattern, operation, known in _ROUTES:
        match = re.fullmatch(VERSION + pattern, path)
        if match and verb == method:
            return Request(operation, unquote(match[1]) if match.groups() else None, _parameters(query, known), body)
    raise ApiError("UnknownOperation", f"{method} {path} is no operation that this fake of Route 53 has.", status=404)


def _parameters(query: str, known: tuple[str, ...]) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    found = dict(pairs)
    for name in found:
        if name not in known:
            raise ApiError("InvalidInput", f"Unknown parameter: {name}")
    if len(found) < len(pairs):
        raise ApiError("InvalidInput", "A parameter is given more than once.")
    return found


class Operations:
    """Every operation as a method that reads a request."""

    def __init__(self, zones: Zones, clock: Callable[[], float], reader: Reader) -> None:
        self._zones, self._clock, self._reader = zones, clock, reader

    def prepare(self, request: Request) -> Prepared:
        """Read the request; raises ApiError."""
        handlers: dict[str, Callable[[Request], Prepared]] = {
            "CreateHostedZone": self._create_zone,
            "ListHostedZones": self._list_zones,
            "ListHostedZonesByName": self._list_zones_by_name,
            "GetHostedZone": self._get_zone,
            "DeleteHostedZone": self._delete_zone,
            "ChangeResourceRecordSets": self._change,
            "ListResourceRecordSets": self._list_record_sets,
            "GetChange": self._get_change,
            "TestDNSAnswer": self._test_dns_answer,
        }
        return handlers[request.operation](request)

    def _create_zone(self, request: Request) -> Prepared:
        root = self._reader.root(request.body, "CreateHostedZoneRequest")
        names = ("Name", "VPC", "CallerReference", "HostedZoneConfig")
        parts = self._reader.children(root, names, ("Name", "CallerReference"))
        config = {}
        if "HostedZoneConfig" in parts:
            config = self._reader.children(parts["HostedZoneConfig"], ("Comment", "PrivateZone"), ())
        vpc = None
        if "VPC" in parts:
            found = self._reader.children(parts["VPC"], ("VPCRegion", "VPCId"), ("VPCRegion", "VPCId"))
            vpc = Vpc(text_of(found["VPCId"], 1024), text_of(found["VPCRegion"], 64))
        elif "PrivateZone" in config and text_of(config["PrivateZone"], 5) == "true":
            raise ApiError("InvalidInput", "A private hosted zone needs VPCId and VPCRegion.")
        comment = text_of(config["Comment"], 256) if "Comment" in config else None
        name, reference = text_of(parts["Name"], 1024), text_of(parts["CallerReference"], 128)

        def run() -> Reply:
            zone, info = self._zones.create(name, reference, comment, vpc)
            told = xml.hosted_zone(zone), xml.change_info(info, self._clock()), xml.delegation_set(zone), xml.vpc(zone)
            location = f"https://route53.amazonaws.com{VERSION}/hostedzone/{zone.id}"
            return Reply(201, {"Location": location}, xml.document("CreateHostedZoneResponse", *told))

        return Prepared(run)

    def _get_zone(self, request: Request) -> Prepared:
        def run() -> Reply:
            zone = self._zones.find(request.id or "")
            vpcs = xml.node("VPCs", xml.vpc(zone)) if zone.private else ""
            return _ok("GetHostedZoneResponse", xml.hosted_zone(zone), xml.delegation_set(zone), vpcs)

        return Prepared(run)

    def _list_zones(self, request: Request) -> Prepared:
        size = _max_items(request, _MAX_ZONES_LISTED)
        marker = request.query.get("marker")

        def run() -> Reply:
            zones = [zone for zone in self._zones.by_id() if marker is None or zone.id >= marker]
            if request.query.get("hostedzonetype") == "PrivateHostedZone":
                zones = [zone for zone in zones if zone.private]
            return _ok(
                "ListHostedZonesResponse",
                xml.node("HostedZones", *map(xml.hosted_zone, zones[:size])),
                xml.leaf("Marker", marker or ""),
                xml.leaf("IsTruncated", len(zones) > size),
                xml.leaf("NextMarker", zones[size].id if len(zones) > size else None),
                xml.leaf("MaxItems", size),
            )

        return Prepared(run)

    def _list_zones_by_name(self, request: Request) -> Prepared:
        size = _max_items(request, _MAX_ZONES_LISTED)
        name, zone_id = request.query.get("dnsname"), request.query.get("hostedzoneid", "")
        if zone_id and name is None:
            raise ApiError("InvalidInput", "hostedzoneid needs dnsname.")
        start = (sort_key(_name(name)), zone_id) if name else ("", "")

        def run() -> Reply:
            zones = [zone for zone in self._zones.by_name() if (sort_key(zone.name), zone.id) >= start]
            after = zones[size] if len(zones) > size else None
            return _ok(
                "ListHostedZonesByNameResponse",
                xml.node("HostedZones", *map(xml.hosted_zone, zones[:size])),
                xml.leaf("DNSName", name),
                xml.leaf("HostedZoneId", zone_id or None),
                xml.leaf("IsTruncated", after is not None),
                xml.leaf("NextDNSName", after and after.name),
                xml.leaf("NextHostedZoneId", after and after.id),
                xml.leaf("MaxItems", size),
            )

        return Prepared(run)

    def _delete_zone(self, request: Request) -> Prepared:
        def run() -> Reply:
            info = self._zones.delete(request.id or "")
            return _ok("DeleteHostedZoneResponse", xml.change_info(info, self._clock()))

        return Prepared(run)

    def _change(self, request: Request) -> Prepared:
        changes, comment = self._reader.change_batch(request.body)

        def run() -> Reply:
            info = self._zones.change(request.id or "", changes, comment)
            return _ok("ChangeResourceRecordSetsResponse", xml.change_info(info, self._clock()))

        return Prepared(run, changes)

    def _list_record_sets(self, request: Request) -> Prepared:
        size = _max_items(request, _MAX_SETS_LISTED)
        start = _start(request.query)

        def run() -> Reply:
            found, after = self._zones.find(request.id or "").page(start, size)
            return _ok(
                "ListResourceRecordSetsResponse",
                xml.record_sets(found),
                xml.leaf("IsTruncated", after is not None),
                xml.leaf("NextRecordName", after and after.name),
                xml.leaf("NextRecordType", after and after.type),
                xml.leaf("NextRecordIdentifier", after and after.set_identifier),
                xml.leaf("MaxItems", size),
            )

        return Prepared(run)

    def _get_change(self, request: Request) -> Prepared:
        def run() -> Reply:
            return _ok("GetChangeResponse", xml.change_info(self._zones.find_change(request.id or ""), self._clock()))

        return Prepared(run)

    def _test_dns_answer(self, request: Request) -> Prepared:
        if not {"hostedzoneid", "recordname", "recordtype"} <= set(request.query):
            raise ApiError("InvalidInput", "hostedzoneid, recordname and recordtype are required.")
        name, rrtype = _name(request.query["recordname"]), _type(request.query["recordtype"])

        def run() -> Reply:
            zone = self._zones.find(request.query["hostedzoneid"])
            if zone.private:
                raise ApiError("InvalidInput", "TestDNSAnswer works with public hosted zones only.")
            code, values = lookup.answer(zone, name, rrtype)
            return _ok(
                "TestDNSAnswerResponse",
                xml.leaf("Nameserver", zone.name_servers[0]),
                xml.leaf("RecordName", name),
                xml.leaf("RecordType", rrtype),
                xml.node("RecordData", *(xml.leaf("RecordDataEntry", value) for value in values)),
                xml.leaf("ResponseCode", code),
                xml.leaf("Protocol", "UDP"),
            )

        return Prepared(run)


def _ok(root: str, *parts: str) -> Reply:
    return Reply(200, {}, xml.document(root, *parts))


def _start(query: Mapping[str, str]) -> tuple[str, str, str]:
    """Where a listing begins; a type needs a name, and an identifier both."""
    name, rrtype, identifier = (query.get(part) for part in ("name", "type", "identifier"))
    if (rrtype and not name) or (identifier and not rrtype):
        raise ApiError("InvalidInput", "The start needs a name for its type, and a type for its identifier.")
    return (sort_key(_name(name)) if name else "", _type(rrtype) if rrtype else "", identifier or "")


def _max_items(request: Request, most: int) -> int:
    text = request.query.get("maxitems", str(most))
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ApiError("InvalidInput", f"maxitems is not a positive number: {text}")
    return min(int(text), most)


def _name(text: str) -> str:
    try:
        return parse_name(text)
    except BadName as bad:
        raise ApiError("InvalidInput", f"FATAL problem: {bad} encountered with '{text}'") from bad


def _type(text: str) -> str:
    if text not in RECORD_TYPES:
        told = f"Value '{text}' at 'type' failed to satisfy constraint: Member must satisfy enum value set: "
        raise ApiError("InvalidInput", f"1 validation error detected: {told}[{', '.join(RECORD_TYPES)}]")
    return text
