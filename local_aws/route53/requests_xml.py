"""Request bodies: strict reading of the XML of 2013-04-01 into values.

What is not XML or has another root is MalformedInput; what is XML and does not follow the schema is InvalidInput with
the words of an XML schema validator, as AWS answers. Raises ApiError only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from local_aws.route53.errors import ApiError
from local_aws.route53.names import BadName, parse_name
from local_aws.route53.records import ACTIONS, RECORD_TYPES, Alias, Change, RecordSet

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
MAX_TTL = 2_147_483_647
MAX_VALUE = 4_000
_ROUTING = ("Weight", "Region", "GeoLocation", "Failover", "MultiValueAnswer")
_RECORD_SET = (
    "Name",
    "Type",
    "SetIdentifier",
    *_ROUTING,
    "TTL",
    "ResourceRecords",
    "AliasTarget",
)


class Reader:
    """Reads elements; `ordered` refuses children that stand in another order than the API reference has them."""

    def __init__(self, *, ordered: bool = False) -> None:
        self._ordered = ordered

    def root(self, body: bytes, name: str) -> ET.Element:
        """The document's element, which has to be the one of the operation."""
        if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
            raise ApiError("MalformedInput", "Could not parse XML")
        try:
            element = ET.fromstring(body)
        except ET.ParseError as error:
            raise ApiError("MalformedInput", "Could not parse XML") from error
        namespace, local = _split(element.tag)
        if local != name:
            raise ApiError("MalformedInput", f"{local} is not valid, expected {name}")
        if namespace != NAMESPACE:
            raise invalid_xml(f"cvc-elt.1: Cannot find the declaration of element '{local}'.")
        return element

    def children(self, element: ET.Element, allowed: Sequence[str], required: Sequence[str]) -> dict[str, ET.Element]:
        """The children by name, each at most once; none that is not allowed, and nothing between them."""
        _no_text(element)
        found: dict[str, ET.Element] = {}
        for child in element:
            name = _local(child)
            if name not in allowed or name in found or (self._ordered and _comes_late(name, found, allowed)):
                raise _unexpected(name, [one for one in allowed if one not in found])
            found[name] = child
        for name in required:
            if name not in found:
                raise _incomplete(_local(element), [name])
        return found

    def listed(self, element: ET.Element, name: str) -> list[ET.Element]:
        """The children of a list: one or more of one name."""
        _no_text(element)
        for child in element:
            if _local(child) != name:
                raise _unexpected(_local(child), [name])
        if not len(element):
            raise _incomplete(_local(element), [name])
        return list(element)

    def change_batch(self, body: bytes) -> tuple[tuple[Change, ...], str | None]:
        """ChangeResourceRecordSetsRequest: the changes, and the comment."""
        root = self.root(body, "ChangeResourceRecordSetsRequest")
        batch = self.children(root, ("ChangeBatch",), ("ChangeBatch",))["ChangeBatch"]
        parts = self.children(batch, ("Comment", "Changes"), ("Changes",))
        comment = _text(parts["Comment"], 256) if "Comment" in parts else None
        return tuple(self._change(one) for one in self.listed(parts["Changes"], "Change")), comment

    def _change(self, element: ET.Element) -> Change:
        parts = self.children(element, ("Action", "ResourceRecordSet"), ("Action", "ResourceRecordSet"))
        action = _one_of(parts["Action"], ACTIONS)
        return Change(action, self._record_set(parts["ResourceRecordSet"], action))

    def _record_set(self, element: ET.Element, action: str) -> RecordSet:
        parts = self.children(element, _RECORD_SET, ("Name", "Type"))
        written, rrtype = _text(parts["Name"], 1024), _one_of(parts["Type"], RECORD_TYPES)
        identifier = _text(parts["SetIdentifier"], 128) if "SetIdentifier" in parts else None
        _one_kind_of_answer(parts, action, written, rrtype, identifier)
        return RecordSet(
            _name(written),
            rrtype,
            _integer(parts["TTL"], MAX_TTL) if "TTL" in parts else None,
            tuple(self._values(parts["ResourceRecords"])) if "ResourceRecords" in parts else (),
            self._alias(parts["AliasTarget"]) if "AliasTarget" in parts else None,
            identifier,
            tuple((name, self._routing(name, parts[name])) for name in _ROUTING if name in parts),
        )

    def _values(self, element: ET.Element) -> list[str]:
        records = self.listed(element, "ResourceRecord")
        return [_text(self.children(one, ("Value",), ("Value",))["Value"], MAX_VALUE) for one in records]

    def _alias(self, element: ET.Element) -> Alias:
        names = ("HostedZoneId", "DNSName", "EvaluateTargetHealth")
        parts = self.children(element, names, names)
        healthy = _one_of(parts["EvaluateTargetHealth"], ("true", "false")) == "true"
        return Alias(_text(parts["HostedZoneId"], 32), _name(_text(parts["DNSName"], 1024)), healthy)

    def _routing(self, name: str, element: ET.Element) -> str:
        if name == "Weight":
            return str(_integer(element, 255))
        if name == "GeoLocation":
            parts = self.children(element, ("ContinentCode", "CountryCode", "SubdivisionCode"), ())
            return ",".join(f"{part}={_text(parts[part], 3)}" for part in sorted(parts))
        return _text(element, 64)


def _one_kind_of_answer(
    parts: dict[str, ET.Element], action: str, name: str, rrtype: str, identifier: str | None
) -> None:
    """An alias, or a TTL and values: one of the two, whole."""
    alias, plain = "AliasTarget" in parts, {"TTL", "ResourceRecords"} & set(parts)
    if alias + (len(plain) == 2) == 1 and not (alias and plain):
        return
    found = "more than one" if alias else "none"
    raise ApiError(
        "InvalidInput",
        "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
        f"TrafficPolicyInstanceId], but found {found} in Change with [Action={action}, Name={name}, Type={rrtype}, "
        f"SetIdentifier={'null' if identifier is None else identifier}]",
    )


def _name(written: str) -> str:
    try:
        return parse_name(written)
    except BadName as bad:
        raise ApiError("InvalidChangeBatch", f"FATAL problem: {bad} encountered with '{written}'") from bad


def text_of(element: ET.Element, longest: int) -> str:
    """The text of a leaf."""
    return _text(element, longest)


def _text(element: ET.Element, longest: int) -> str:
    if len(element):
        raise invalid_xml(f"cvc-type.3.1.2: Element '{_local(element)}' is a simple type, so it must have no children.")
    text = element.text or ""
    if len(text) > longest:
        raise invalid_xml(_facet(text, "maxLength", str(longest), f" with length = '{len(text)}'"))
    return text


def _integer(element: ET.Element, greatest: int) -> int:
    text = _text(element, 64).strip()
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise invalid_xml(f"cvc-datatype-valid.1.2.1: '{text}' is not a valid value for 'integer'.")
    if int(text) > greatest:
        raise invalid_xml(_facet(text, "maxInclusive", str(greatest)))
    if int(text) < 0:
        raise invalid_xml(_facet(text, "minInclusive", "0"))
    return int(text)


def _one_of(element: ET.Element, values: Sequence[str]) -> str:
    text = _text(element, 64)
    if text not in values:
        shown = ", ".join(values)
        raise invalid_xml(
            f"cvc-enumeration-valid: Value '{text}' is not facet-valid with respect to enumeration '[{shown}]'. "
            "It must be a value from the enumeration."
        )
    return text


def _facet(value: str, facet: str, limit: str, told: str = "") -> str:
    return f"cvc-{facet}-valid: Value '{value}'{told} is not facet-valid with respect to {facet} '{limit}'."


def _no_text(element: ET.Element) -> None:
    texts = [element.text, *(child.tail for child in element)]
    if any(text and text.strip() for text in texts):
        name = _local(element)
        raise invalid_xml(f"cvc-complex-type.2.3: Element '{name}' cannot have character [children].")


def _comes_late(name: str, found: dict[str, ET.Element], allowed: Sequence[str]) -> bool:
    return any(allowed.index(other) > allowed.index(name) for other in found)


def _unexpected(name: str, expected: Sequence[str]) -> ApiError:
    shown = f"cvc-complex-type.2.4.a: Invalid content was found starting with element '{name}'."
    return invalid_xml(f"{shown} One of '{{{_qualified(expected)}}}' is expected.")


def _incomplete(name: str, expected: Sequence[str]) -> ApiError:
    shown = f"cvc-complex-type.2.4.b: The content of element '{name}' is not complete."
    return invalid_xml(f"{shown} One of '{{{_qualified(expected)}}}' is expected.")


def _qualified(names: Sequence[str]) -> str:
    return ", ".join(f'"{NAMESPACE}":{name}' for name in names)


def invalid_xml(reason: str) -> ApiError:
    """The answer to a document that does not follow the schema."""
    return ApiError("InvalidInput", f"Invalid XML ; {reason}")


def _split(tag: str) -> tuple[str, str]:
    namespace, found, local = tag.removeprefix("{").partition("}")
    return (namespace, local) if found else ("", tag)


def _local(element: ET.Element) -> str:
    """The name of an element of the namespace; one of another namespace keeps its braces, and fits nowhere."""
    namespace, local = _split(element.tag)
    return local if namespace == NAMESPACE else element.tag
