"""Where an address comes from, and whether it may be published. Nothing doubtful ever becomes an address.

An answer that is no address, of the other family, or not reachable from the Internet is refused, and says why: a
captive portal, a proxy and a second NAT all answer something.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from homing.client import igd, portmap, stun
from homing.client.own_address import choose_own, is_left_to_us, why_passing
from homing.client.remote import FamilyAbsent, Line, ServerUnreachable, exchange
from homing.core.addresses import can_be_assigned, describe, parse_address
from homing.core.errors import HomingError, InvalidAddress
from homing.core.values import replace
from homing.protocols import awslabs_client
from homing.protocols.asking import Ask, Heard, Kind, Reply, members_of, read_failure, shorten
from homing.settings.client import Source, parse_place

if TYPE_CHECKING:
    from homing.client.netlink_values import Snapshot
    from homing.core.addresses import Address
    from homing.settings.client import ClientSettings

Family = Literal[4, 6]
_CHECKIP = re.compile(r"Current IP Address: ([0-9A-Fa-f:.]{2,45})")
_MEMBERS = ("ip", "address", "ip_addr", "query", "origin")
_SERVICE_PATHS = ("/nic/update", "/v3/update")


class NoAddress(HomingError):
    """There is no address of the family that could be published. `is_temporary`: it may be there later."""

    def __init__(self, text: str, *, is_temporary: bool) -> None:
        super().__init__(text)
        self.is_temporary = is_temporary


class Absent(NoAddress):
    """This machine, or the way to whoever tells its address, does not have the family."""

    def __init__(self, text: str) -> None:
        super().__init__(text, is_temporary=True)


def find_address(settings: ClientSettings, family: Family, line: Line) -> Address | None:
    """Return the address to set; None leaves it to the server, which takes where the request comes from.

    What nobody has chosen is an address of this machine's own, if there is one that is global and will stay.

    Raises NoAddress, and Absent where the family is not there at all.
    """
    source = settings.source(family)
    tables = _tables() if source.kind != "none" and is_left_to_us(settings, family) else None
    own = choose_own(settings, family, tables).address if tables is not None else None
    if own is not None:
        return check(own, family, settings)
    try:
        found = _find(source, settings, family, line)
    except FamilyAbsent as error:
        raise Absent(str(error)) from None
    except ServerUnreachable as error:
        raise NoAddress(str(error), is_temporary=True) from None
    if found is None:
        return None
    if tables is not None and (why := why_passing(found, tables)):
        raise NoAddress(f"{found} is {why}, and there is no other: name a source to have it all the same",
                        is_temporary=True)  # fmt: skip
    return check(found, family, settings, f"{source.kind}: ", is_typed=source.kind == "address")


def check(
    address: Address, family: Family, settings: ClientSettings, where: str = "", *, is_typed: bool = False
) -> Address:
    """Return the address if it may be published under a name for this family. Raises NoAddress."""
    if address.version != family:
        raise NoAddress(f"{where}{address} is no IPv{family} address", is_temporary=False)
    if not can_be_assigned(address):
        raise NoAddress(f"{where}{address} is no host's address", is_temporary=False)
    if not is_typed and not settings.may_publish(address):
        kind = describe(address) or "not global"
        text = f"{where}{address} cannot be reached from the Internet ({kind}); --allow-internal takes it all the same"
        raise NoAddress(text, is_temporary=False)
    return address


def read_address(heard: Heard) -> Address:
    """Return the address that an answer consists of: bare, as JSON, or on a page such as Dyn's. Raises NoAddress.

    Nothing is searched for: a page with an address somewhere in it is a captive portal's.
    """
    text = heard.text
    if heard.status == 200:
        if found := _CHECKIP.search(text[:2000]):
            text = found[1]
        members = members_of(heard)
        candidates = [text, *(members[name] for name in _MEMBERS if isinstance(members.get(name), str))]
        for candidate in candidates:
            try:
                return parse_address(candidate.strip())
            except InvalidAddress:
                continue
    failure = read_failure(heard)
    why = failure.text if failure else f"HTTP {heard.status} with no address: {shorten(heard.text, 60)}"
    raise NoAddress(
        f"the answer is no address: {why}", is_temporary=failure is not None and failure.kind is not Kind.REFUSED
    )


def _find(source: Source, settings: ClientSettings, family: Family, line: Line) -> Address | None:
    """Raises NoAddress, ServerUnreachable."""
    match source.kind:
        case "none":
            raise Absent("not wanted")
        case "seen":
            return None
        case "address":
            return parse_address(source.argument)
        case "reflector":
            return _reflected(settings, family, line)
        case "url":
            return read_address(exchange(source.argument, Ask("GET", "", family=family), line))
        case "interface":
            return _of_interface(settings, family)
        case "command":
            from homing.client.command import run

            return _pick(run(source.argument, family, line.timeout), family)
        case "nat-pmp":
            return _by_nat_pmp(source.argument, line)
        case "upnp":
            host, port = parse_place(source.argument, igd.PORT) if source.argument else (igd.GROUP, igd.PORT)
            return igd.find_address(host, port, line)
        case "stun":
            return _by_stun(source.argument, family, line)
        case "router":
            return _of_router(settings, family, line)
    raise NoAddress(f"{source} is no source", is_temporary=False)


def _reflected(settings: ClientSettings, family: Family, line: Line) -> Address:
    """Ask the update server itself, in the way of its protocol."""
    key = (("x-api-key", settings.api_key),) if settings.api_key else ()
    if settings.protocol in ("awslabs", "awslabs-post"):
        ask = awslabs_client.make_get(family, is_post=settings.protocol == "awslabs-post")
        told = awslabs_client.read_get(exchange(settings.server, replace(ask, headers=ask.headers + key), line))
        if isinstance(told, Reply):
            is_temporary = told.kind in (Kind.TRY_LATER, Kind.NOT_A_SERVER)
            raise NoAddress(f"reflector: {told.text}", is_temporary=is_temporary)
        return told
    return read_address(exchange(_root(settings.server), Ask("GET", "/ip", headers=key, family=family), line))


def _root(server: str) -> str:
    """Return the URL without the path of a dyndns2 service: `/ip` stands beside it."""
    parts = urlsplit(server)
    path = parts.path.rstrip("/")
    for service in _SERVICE_PATHS:
        path = path.removesuffix(service)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _of_interface(settings: ClientSettings, family: Family) -> Address:
    from homing.client import netlink

    if not netlink.is_available():
        raise NoAddress("interfaces are read on Linux only: use command:...", is_temporary=False)
    try:
        with netlink.Tables() as tables:
            choice = choose_own(settings, family, tables.snapshot())
    except OSError as error:
        raise NoAddress(f"interface: {error.strerror or 'the kernel does not answer'}", is_temporary=True) from None
    if choice.address is None:
        raise Absent(choice.reason)
    return choice.address


def _tables() -> Snapshot | None:
    """Return the kernel's tables, where they can be read."""
    from homing.client import netlink

    try:
        with netlink.Tables() as tables:
            return tables.snapshot()
    except OSError:
        return None


def _of_router(settings: ClientSettings, family: Family, line: Line) -> Address:
    """Ask the router by NAT-PMP or PCP, then by UPnP, then what a STUN server sees. The first to answer counts."""
    failed: list[ServerUnreachable] = []
    ways: list[Any] = []
    if family == 4:
        ways += [lambda: _by_nat_pmp("", _part(line, 3)), lambda: igd.find_address(igd.GROUP, igd.PORT, _part(line, 3))]
    if settings.stun_server:
        server = settings.stun_server
        ways.append(lambda: _by_stun(server, family, _part(line, 3)))
    if not ways:
        raise Absent("a router tells its IPv4 address only; a stun_server tells both")
    for way in ways:
        try:
            address: Address = way()
        except ServerUnreachable as error:
            failed.append(error)
        else:
            return address
    told = "; ".join(map(str, failed))
    raise Absent(told) if all(isinstance(one, FamilyAbsent) for one in failed) else NoAddress(told, is_temporary=True)


def _by_nat_pmp(argument: str, line: Line) -> Address:
    host, port = parse_place(argument, portmap.PORT) if argument else (_default_router(line.interface), portmap.PORT)
    return portmap.find_address(host, port, replace(line, timeout=min(line.timeout, 4.0)))


def _by_stun(argument: str, family: Family, line: Line) -> Address:
    host, port = parse_place(argument, stun.PORT)
    address = stun.find_address(host, port, family, line)
    if address is None:
        raise ServerUnreachable(f"{host}: the STUN server tells no address")
    return address


def _default_router(interface: str | None) -> str:
    """Return the gateway of the best default route. Raises ServerUnreachable."""
    from homing.client.lan.neighbours import read_snapshot
    from homing.client.routers import get_router

    try:
        router = get_router(read_snapshot(), interface)
    except OSError:
        raise ServerUnreachable("the router is not known here: name it, as nat-pmp:192.168.1.1") from None
    if router is None:
        raise ServerUnreachable(
            "there is no IPv4 router: no default route leads to one; name it, as nat-pmp:192.168.1.1"
        )
    return str(router)


def _part(line: Line, parts: int) -> Line:
    return replace(line, timeout=line.timeout / parts)


def _pick(text: str, family: Family) -> Address:
    """Return the one address of the family among the words that a command printed, all of which are addresses."""
    found = set()
    for word in text.split():
        try:
            found.add(parse_address(word))
        except InvalidAddress:
            raise NoAddress(f"command: prints {shorten(word, 60)!r}, which is no address", is_temporary=False) from None
    of_family = [address for address in found if address.version == family]
    if len(of_family) > 1:
        raise NoAddress(f"command: prints {len(of_family)} IPv{family} addresses", is_temporary=False)
    if not of_family:
        raise Absent(f"command: prints no IPv{family} address")
    return of_family[0]
