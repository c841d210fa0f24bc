"""Answers: values into the XML of 2013-04-01 (API reference, "Response Syntax" of each action)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from local_aws.route53.requests_xml import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local_aws.route53.errors import ApiError
    from local_aws.route53.records import RecordSet
    from local_aws.route53.zones import ChangeInfo, HostedZone

_HEAD = '<?xml version="1.0"?>\n'


def document(root: str, *parts: str) -> bytes:
    """A whole answer."""
    return f'{_HEAD}<{root} xmlns="{NAMESPACE}">{"".join(parts)}</{root}>'.encode()


def leaf(name: str, value: object) -> str:
    """One element with text; nothing at all for None."""
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text)}</{name}>"


def node(name: str, *parts: str) -> str:
    """One element with elements."""
    return f"<{name}>{''.join(parts)}</{name}>"


def error(problem: ApiError, request_id: str, *, documented: bool) -> bytes:
    """ErrorResponse; several messages of a refused batch stand in one, as "[first, second]".

    `documented` gives InvalidChangeBatch the other form, the one of the API reference, that older clients met.
    """
    request = leaf("RequestId", request_id)
    if documented and problem.code == "InvalidChangeBatch":
        messages = node("Messages", *(leaf("Message", text) for text in problem.messages))
        return document("InvalidChangeBatch", messages, request)
    batch = problem.code == "InvalidChangeBatch"
    text = f"[{', '.join(problem.messages)}]" if batch else " ".join(problem.messages)
    sender = "Receiver" if problem.status >= 500 else "Sender"
    shown = node("Error", leaf("Type", sender), leaf("Code", problem.code), leaf("Message", text))
    return document("ErrorResponse", shown, request)


def change_info(info: ChangeInfo, now: float) -> str:
    """ChangeInfo."""
    submitted = datetime.fromtimestamp(info.submitted_at, UTC).isoformat(timespec="milliseconds")
    return node(
        "ChangeInfo",
        leaf("Id", f"/change/{info.id}"),
        leaf("Status", info.status(now)),
        leaf("SubmittedAt", submitted.replace("+00:00", "Z")),
        leaf("Comment", info.comment),
    )


def hosted_zone(zone: HostedZone) -> str:
    """HostedZone."""
    return node(
        "HostedZone",
        leaf("Id", f"/hostedzone/{zone.id}"),
        leaf("Name", zone.name),
        leaf("CallerReference", zone.caller_reference),
        node("Config", leaf("Comment", zone.comment), leaf("PrivateZone", zone.private)),
        leaf("ResourceRecordSetCount", zone.count),
    )


def delegation_set(zone: HostedZone) -> str:
    """DelegationSet; private zones have none."""
    if zone.private:
        return ""
    return node("DelegationSet", node("NameServers", *(leaf("NameServer", one[:-1]) for one in zone.name_servers)))


def vpc(zone: HostedZone) -> str:
    """VPC; public zones have none."""
    return node("VPC", leaf("VPCRegion", zone.vpc.region), leaf("VPCId", zone.vpc.id)) if zone.vpc else ""


def record_sets(found: Iterable[RecordSet]) -> str:
    """ResourceRecordSets."""
    return node("ResourceRecordSets", *(_record_set(rrset) for rrset in found))


def _record_set(rrset: RecordSet) -> str:
    return node(
        "ResourceRecordSet",
        leaf("Name", rrset.name),
        leaf("Type", rrset.type),
        leaf("SetIdentifier", rrset.set_identifier),
        *(_routing(name, text) for name, text in rrset.routing),
        leaf("TTL", rrset.ttl),
        _values(rrset),
        _alias(rrset),
    )


def _routing(name: str, text: str) -> str:
    if name != "GeoLocation":
        return leaf(name, text)
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return node(name, *(leaf(part, value) for part, _, value in pairs))


def _values(rrset: RecordSet) -> str:
    records = "".join(node("ResourceRecord", leaf("Value", value)) for value in rrset.values)
    return node("ResourceRecords", records) if records else ""


def _alias(rrset: RecordSet) -> str:
    if rrset.alias is None:
        return ""
    return node(
        "AliasTarget",
        leaf("HostedZoneId", rrset.alias.zone_id),
        leaf("DNSName", rrset.alias.name),
        leaf("EvaluateTargetHealth", rrset.alias.evaluate_health),
    )
