"""UPnP Internet Gateway Device: finding the router by SSDP and asking it for its IPv4 address (GetExternalIPAddress).

UPnP Device Architecture 1.1 sections 1.3 (search) and 2 (description), WANIPConnection:1 section 2.4.18. Anybody may
answer a search: only the router that was asked is believed, or where all were asked this machine's own, or where it
has none whoever is on the link. It may only point to itself, and its XML may be neither long nor have a document type.
"""

from __future__ import annotations

import re
import socket
import time
from ipaddress import IPv4Address
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from homing.client.remote import Line, ServerUnreachable, bind, exchange, look_up
from homing.core.addresses import parse_address
from homing.core.errors import InvalidAddress, InvalidInput
from homing.core.values import frozen, replace
from homing.protocols.asking import Ask, Heard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from xml.etree.ElementTree import Element

    from homing.core.addresses import Address

GROUP, PORT = "239.255.255.250", 1900
_SERVICE = re.compile(r"urn:[A-Za-z0-9.-]{1,60}:service:(WANIPConnection|WANPPPConnection):[0-9]{1,2}")
_TARGETS = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
)
_WAIT = 1
"""Seconds within which a router is told to answer (MX)."""
_MAX_ROUTERS = 3
_ACTION = "GetExternalIPAddress"
_SOAP = (
    '<?xml version="1.0"?>\r\n'
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
    ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
    '<u:{action} xmlns:u="{service}"></u:{action}></s:Body></s:Envelope>\r\n'
)


@frozen
class Service:
    """What of a router can tell its address: the type, and the URL that controls it."""

    kind: str
    control_url: str


def find_address(host: str, port: int, line: Line) -> Address:
    """Return the address of the first router that tells one. GROUP as the host searches the whole link.

    Raises ServerUnreachable.
    """
    deadline = time.monotonic() + line.timeout
    why = ServerUnreachable("no router answers a UPnP search")
    for _, location in zip(range(_MAX_ROUTERS), _search(host, port, line, deadline), strict=False):
        try:
            return _ask_router(location, replace(line, timeout=max(0.1, deadline - time.monotonic())))
        except ServerUnreachable as error:
            why = error
        except InvalidInput:
            why = ServerUnreachable("a router answers a UPnP search with something that is no URL")
    raise why


def make_search(host: str, port: int, target: str) -> bytes:
    """Return a search for devices of a type (section 1.3.2)."""
    head = f'M-SEARCH * HTTP/1.1\r\nHOST: {host}:{port}\r\nMAN: "ssdp:discover"\r\n'
    return f"{head}MX: {_WAIT}\r\nST: {target}\r\n\r\n".encode("ascii")


def parse_location(data: bytes, sender: str) -> str | None:
    """Return where a device that answered a search describes itself; None for any other place than the sender's own."""
    lines = data.decode("latin-1").split("\r\n")
    if not lines[0].upper().startswith("HTTP/1.") or lines[0].split()[1:2] != ["200"]:
        return None
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "location":
            return value.strip() if _is_of(value.strip(), sender) else None
    return None


def parse_description(body: bytes, location: str) -> list[Service]:
    """Return the services that can tell an address, in the order in which they are of use."""
    root = _parse_xml(body)
    if root is None:
        return []
    start = (root.findtext("URLBase") or "").strip() or location
    host = urlsplit(location).hostname or ""
    found = []
    for service in root.iter("service"):
        kind, path = (service.findtext("serviceType") or "").strip(), (service.findtext("controlURL") or "").strip()
        url = _join(start, path)
        if _SERVICE.fullmatch(kind) and path and _is_of(url, host):
            found.append(Service(kind, url))
    return sorted(found, key=lambda one: "WANIPConnection" not in one.kind)


def make_question(service: Service) -> Ask:
    """Return the SOAP request (section 3.2.1)."""
    body = _SOAP.format(action=_ACTION, service=service.kind)
    headers = (("content-type", 'text/xml; charset="utf-8"'), ("soapaction", f'"{service.kind}#{_ACTION}"'))
    return Ask("POST", "", headers=headers, body=body.encode())


def parse_answer(heard: Heard) -> Address | None:
    """Return the address that a router told; None where it told none, or nothing that is one."""
    root = _parse_xml(heard.body) if heard.status == 200 else None
    found = next(root.iter("NewExternalIPAddress"), None) if root is not None else None
    try:
        address = parse_address((found.text or "").strip()) if found is not None else None
    except InvalidAddress:
        return None
    return None if address is None or address.is_unspecified else address


def _search(host: str, port: int, line: Line, deadline: float) -> Iterator[str]:
    """Yield where each router that answers, and may, describes itself, once. Raises ServerUnreachable."""
    try:
        place = look_up(host, port, 4, deadline, socket.SOCK_DGRAM)[0][4]
        may_answer = _whom_to_believe(IPv4Address(place[0]), line)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 2)
            bind(asking, line)
            for target in _TARGETS:
                asking.sendto(make_search(host, port, target), place)
            yield from _hear(asking, min(deadline, time.monotonic() + _WAIT + 1), may_answer)
    except OSError as error:
        raise ServerUnreachable(f"UPnP: {getattr(error, 'strerror', None) or 'no answer'}") from None


def _whom_to_believe(asked: IPv4Address, line: Line) -> Callable[[IPv4Address], bool]:
    """Return what tells who may answer. By its address alone: many routers answer from another port than was asked."""
    if not asked.is_multicast:
        return lambda sender: sender == asked
    from homing.client.lan.neighbours import read_snapshot
    from homing.client.routers import get_router, is_on_link

    snapshot = read_snapshot()
    router = get_router(snapshot, line.interface)
    if router is not None:
        return lambda sender: sender == router
    return lambda sender: is_on_link(sender, snapshot, line.interface)


def _hear(asking: socket.socket, end: float, may_answer: Callable[[IPv4Address], bool]) -> Iterator[str]:
    seen: set[str] = set()
    others: set[str] = set()
    while (left := end - time.monotonic()) > 0:
        asking.settimeout(left)
        try:
            data, (sender, *_) = asking.recvfrom(4096)
        except TimeoutError:
            break
        location = parse_location(data, str(sender))
        if location is None:
            continue
        if not may_answer(IPv4Address(sender)):
            others.add(str(sender))
        elif location not in seen:
            seen.add(location)
            yield location
    if others and not seen:
        text = f"{min(others)} answers a UPnP search, and is not this machine's router: name that, as upnp:192.168.1.1"
        raise ServerUnreachable(text)


def _ask_router(location: str, line: Line) -> Address:
    """Raises ServerUnreachable, and InvalidInput for a URL that is none."""
    services = parse_description(exchange(location, Ask("GET", ""), line).body, location)
    host = urlsplit(location).hostname
    for service in services:
        address = parse_answer(exchange(service.control_url, make_question(service), line))
        if address is not None:
            return address
    why = "its line is down, or it stands behind another NAT" if services else "it is no router"
    raise ServerUnreachable(f"{host}: a UPnP device that tells no address: {why}")


def _is_of(url: str, host: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname == host and parts.port != 0
    except ValueError:
        return False


def _join(start: str, path: str) -> str:
    try:
        return urljoin(start, path)
    except ValueError:
        return ""


def _parse_xml(body: bytes) -> Element | None:
    """Return the root, with names freed of their namespace; None for what is no XML, or has a document type."""
    from xml.etree import ElementTree

    try:
        text = body.decode("utf-8")  # so that no other encoding hides the declaration from the line below
        if "<!DOCTYPE" in text:
            return None
        root = ElementTree.fromstring(text)  # noqa: S314 entities need a document type, and there is none
    except (ValueError, ElementTree.ParseError, RecursionError):
        return None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
