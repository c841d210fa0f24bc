"""What a client may be told: one frozen `ClientSettings` for each account, and how each setting's text is read.

An account is one secret at one server, and the names that it opens. Where the values are collected from stands in
`settings/client_loading.py`. No problem's text holds a secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from homing.core.addresses import is_global, parse_address
from homing.core.errors import InvalidAddress, InvalidInput, InvalidName
from homing.core.names import parse_hostname
from homing.core.values import field, frozen
from homing.settings import values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from homing.core.addresses import Address, Network

Protocol = Literal["signed", "awslabs", "awslabs-post", "dyndns2", "ddupdate", "duckdns"]
PROTOCOLS: tuple[Protocol, ...] = ("signed", "awslabs", "awslabs-post", "dyndns2", "ddupdate", "duckdns")
DUCKDNS = "https://www.duckdns.org"

SourceKind = Literal[
    "auto", "none", "reflector", "seen", "url", "address", "interface", "command", "router", "nat-pmp", "upnp", "stun"
]
_BARE = ("auto", "none", "reflector", "seen", "router", "interface", "nat-pmp", "upnp")
_WITH_ARGUMENT = ("url", "address", "interface", "command", "nat-pmp", "upnp", "stun")
_INTERFACE = re.compile(r"[^\s/:]{1,15}")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@frozen
class Source:
    """Where the address of one family comes from."""

    kind: SourceKind
    argument: str = ""
    """The URL, address, interface, command, router or server; empty where the kind says all."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else self.kind


AUTO = Source("auto")


@frozen(kw_only=True)
class ClientSettings:
    """One account at one server. Times are in seconds."""

    server: str = ""
    """The server's URL, with the stage or path that it has. Needed, but for duckdns."""
    protocol: Protocol = "signed"
    """How the server is spoken to: signed, awslabs, awslabs-post, dyndns2, ddupdate or duckdns."""
    names: tuple[str, ...] = ()
    """The names to keep right, as the server knows them."""
    secret: str | None = field(default=None, repr=False)
    """The host's shared secret; a password for dyndns2, a token for ddupdate and duckdns."""
    username: str | None = None
    """dyndns2: the user. Unset: the name itself, whose secret is the password."""
    api_key: str | None = field(default=None, repr=False)
    """Sent as `x-api-key`, to a server that demands one."""
    zone_id: str | None = None
    """ddupdate: the id of the zone that the token was made for."""
    ttl: int | None = None
    """ddupdate: the TTL to ask for."""
    ipv4: Source = AUTO
    """Where the IPv4 address comes from."""
    ipv6: Source = AUTO
    """Where the IPv6 address comes from."""
    ipv4_only: bool = False
    """Leave IPv6 alone, whatever `ipv6` says."""
    ipv6_only: bool = False
    """Leave IPv4 alone, whatever `ipv4` says."""
    interface: str | None = None
    """Requests leave by this interface only, and its addresses are the ones that `interface` means."""
    stun_server: str | None = None
    """Asked last where the source is `router`, as `HOST` or `HOST:PORT`."""
    allow_internal: bool = False
    """Take an address that is not global too. The server has to allow it as well."""
    public_networks: tuple[Network, ...] = ()
    """Networks that count as global besides those that IANA says are, such as an overlay's."""
    ca_file: Path | None = None
    """Certificates (PEM) that are trusted for HTTPS besides the system's own."""
    dns_server: tuple[str, int] | None = None
    """Whom to ask what DNS shows, as an address and a port. Unset: the system's resolver."""
    cache: int = 0
    """How long an update that DNS shows need not be sent again; 0 sends each one."""
    timeout: int = 10
    """How long one request may take, looking up the server's name included."""
    interval: int = 300
    """How often the agent looks at what tells of no change by itself."""

    @property
    def families(self) -> tuple[Literal[4, 6], ...]:
        """The families that are to be set, as far as they are there."""
        return (4,) if self.ipv4_only else (6,) if self.ipv6_only else (4, 6)

    def source(self, family: Literal[4, 6]) -> Source:
        """Return where the address of a family comes from; `auto` has become what the protocol makes of it."""
        if family not in self.families:
            return Source("none")
        given = self.ipv4 if family == 4 else self.ipv6
        return _automatic(self, family) if given.kind == "auto" else given

    def may_publish(self, address: Address) -> bool:
        """Tell whether an address may be sent that nobody has typed."""
        return self.allow_internal or is_global(address, self.public_networks)


SECRETS = ("secret", "api_key")


def parse_source(value: Any) -> Source:
    """Read a source: a bare word, `kind:argument`, an address, or a URL. Raises InvalidInput."""
    text = values.text(value).strip()
    if text in _BARE:
        return Source(text)  # type: ignore[arg-type]  # one of them
    try:
        return Source("address", str(parse_address(text)))
    except InvalidAddress:
        pass
    if text.startswith(("http://", "https://")):
        return Source("url", parse_url(text))
    kind, _, argument = text.partition(":")
    if kind not in _WITH_ARGUMENT or not argument.strip():
        words = ", ".join(dict.fromkeys((*_BARE, *(f"{one}:..." for one in _WITH_ARGUMENT))))
        raise InvalidInput(f"expected an address, a URL, or one of {words}, not {text[:60]!r}")
    return Source(kind, _parse_argument(kind, argument.strip()))  # type: ignore[arg-type]  # one of them


def _parse_argument(kind: str, argument: str) -> str:
    match kind:
        case "url":
            return parse_url(argument)
        case "address":
            return str(parse_address(argument))
        case "interface":
            return parse_interface(argument)
        case "command":
            return argument
    parse_place(argument)
    return argument


def parse_url(value: Any) -> str:
    """Read an http or https URL. One with a user name or password in it is refused: URLs end up in logs."""
    text = values.text(value).strip()
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise InvalidInput("expected an http or https URL") from None
    if "@" in parts.netloc:
        raise InvalidInput("expected a URL without a user name and password: they have settings of their own")
    if not is_good or not text.isascii() or not text.isprintable() or " " in text or parts.fragment:
        raise InvalidInput("expected an http or https URL")
    return text


def parse_interface(value: Any) -> str:
    """Read the name of a network interface (Linux: up to 15 characters)."""
    text = values.text(value).strip()
    if not _INTERFACE.fullmatch(text):
        raise InvalidInput("expected the name of an interface, such as eth0")
    return text


def parse_place(value: Any, default_port: int = 0) -> tuple[str, int]:
    """Read `HOST`, `HOST:PORT` or `[IPv6]:PORT`."""
    text = values.text(value).strip()
    try:
        parts = urlsplit("//" + text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.path or parts.query or parts.username is not None or not host.isascii() or " " in host:
        raise InvalidInput(f"expected a host, or a host and a port, not {text[:60]!r}")
    return host, port or default_port


def parse_names(value: Any) -> tuple[str, ...]:
    """Read names; each is kept as it is written, since tokens and hashes are made of the text."""
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        raise InvalidInput("expected a list of names")
    names = tuple(name for entry in entries if (name := entry.strip()))
    for name in names:
        if not _LABEL.fullmatch(name):  # a bare label is a name at duckdns
            try:
                parse_hostname(name)
            except InvalidName as error:
                raise InvalidInput(str(error)) from None
    return names


def _parse_dns_server(value: Any) -> tuple[str, int]:
    host, port = parse_place(value, 53)
    return str(parse_address(host)), port


def _parse_protocol(value: Any) -> str:
    return values.one_of(*PROTOCOLS)(value)


def _secret(value: Any) -> str:
    text = values.text(value).strip()
    if not text.isprintable():
        raise InvalidInput("expected a text in one line")
    return text


def _parse_key(value: Any) -> str:
    text = _secret(value)
    if not text.isascii():
        raise InvalidInput("expected ASCII characters: it is sent in a header")
    return text


def _checked(parse: Callable[[Any], Any]) -> Callable[[Any], str]:
    """Return a reader that checks, and keeps the text."""

    def read(value: Any) -> str:
        parse(value)
        return str(value).strip()

    return read


READERS: Mapping[str, Callable[[Any], Any]] = {
    "server": parse_url,
    "protocol": _parse_protocol,
    "names": parse_names,
    "secret": _secret,
    "username": _secret,
    "api_key": _parse_key,
    "zone_id": _secret,
    "ttl": values.seconds(1, 604_800),
    "ipv4": parse_source,
    "ipv6": parse_source,
    "ipv4_only": values.flag,
    "ipv6_only": values.flag,
    "interface": parse_interface,
    "stun_server": _checked(parse_place),
    "allow_internal": values.flag,
    "public_networks": values.networks,
    "ca_file": values.path,
    "dns_server": _parse_dns_server,
    "cache": values.seconds(0, 7 * 86_400),
    "timeout": values.seconds(1, 300),
    "interval": values.seconds(30, 86_400),
}
"""How each setting is read; each raises InvalidInput with what was expected."""


def _automatic(account: ClientSettings, family: Literal[4, 6]) -> Source:
    """What nobody has chosen: the address as the server sees it, by the means that its protocol has.

    The references of ddupdate, duckdns and awslabs v3 know IPv4 only when nobody names an address.
    """
    if family == 6 and account.protocol in ("ddupdate", "duckdns", "awslabs-post"):
        return Source("none")
    return Source("seen" if account.protocol in ("ddupdate", "duckdns") else "reflector")
