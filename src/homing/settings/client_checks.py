"""What is missing from a client's account, what in it does not go together, and what it had better not do.

Only what the settings themselves tell: no file, no network, no server is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from homing.core.addresses import parse_address
from homing.core.errors import InvalidAddress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.settings.client import ClientSettings

NEEDS = {"ddupdate": ("zone_id", "ttl"), "dyndns2": ("username",)}
"""Settings that say something in one protocol only."""


def contradictions(account: ClientSettings, *, is_update: bool = True) -> list[tuple[str, str]]:
    """Return what is missing from an account, and what does not go together, each with the setting to look at.

    Without `is_update` only its addresses are wanted: nothing has to be known that they do not need.
    """
    who = f"{account.names[0]}: " if account.names else ""
    found = []
    asks_server = is_update or any(account.source(family).kind in ("reflector", "seen") for family in account.families)
    if asks_server and not account.server and account.protocol != "duckdns":
        found.append(("server", "server is missing: the URL of the update server"))
    if account.ipv4_only and account.ipv6_only:
        found.append(("ipv6_only", "ipv4_only and ipv6_only leave no family"))
    if is_update:
        found += _missing(account)
        for protocol, names in NEEDS.items():
            found += [
                (name, f"{name} goes with protocol {protocol}")
                for name in names
                if getattr(account, name) is not None and account.protocol != protocol
            ]
        found += [(f"ipv{family}", problem) for family in account.families for problem in _unfit(account, family)]
        if all(account.source(family).kind == "none" for family in account.families):
            found.append(("ipv4", "both families are none: there is nothing to set"))
    told = [(name, who + problem) for name, problem in found]
    return told + _short_names(account) if is_update else told


def is_this_machine(server: str) -> bool:
    """Tell whether a URL leads over no network: to a loopback address, or to `localhost` (RFC 6761 section 6.3)."""
    host = urlsplit(server).hostname or ""
    try:
        return host == "localhost" or parse_address(host).is_loopback
    except InvalidAddress:
        return False


def _missing(account: ClientSettings) -> list[tuple[str, str]]:
    found = []
    if not account.names:
        found.append(("names", "names is missing: the names to set"))
    if account.secret is None:
        where = "secret_file, secret_keyring, HOMING_CLIENT_SECRET or a systemd credential"
        found.append(("secret", f"secret is missing: name it in {where}"))
    if account.protocol == "ddupdate" and account.zone_id is None:
        found.append(("zone_id", "zone_id is missing: a ddupdate token belongs to a zone"))
    return found


def _short_names(account: ClientSettings) -> list[tuple[str, str]]:
    short = [name for name in account.names if "." not in name and account.protocol != "duckdns"]
    return [("names", f"{name}: not a host name of two or more labels") for name in short]


def _unfit(account: ClientSettings, family: Literal[4, 6]) -> list[str]:
    """Return why the source of a family cannot be used with the protocol."""
    source, protocol = account.source(family), account.protocol
    if source.kind == "address" and parse_address(source.argument).version != family:
        return [f"ipv{family}: {source.argument} is no IPv{family} address"]
    if source.kind in ("nat-pmp", "upnp") and family == 6:
        return [f"ipv6: {source.kind} knows the IPv4 address only"]
    if source.kind == "seen":
        if protocol in ("signed", "awslabs", "awslabs-post"):
            return [f"ipv{family}: seen leaves the address to the server, which {protocol} cannot; use reflector"]
        if family == 6 and protocol != "dyndns2":
            return [f"ipv6: {protocol} takes the IPv4 address only from the connection"]
    if protocol == "awslabs-post" and source.kind not in ("reflector", "none"):
        return [f"ipv{family}: awslabs-post sets the address that the server sees and no other; use reflector"]
    if protocol == "duckdns" and source.kind == "reflector":
        return [f"ipv{family}: duckdns tells nobody's address; use seen, a URL, or another source"]
    return []


def warnings_about(account: ClientSettings) -> list[str]:
    """Return what an account would do, but should not."""
    is_clear = account.server.startswith("http://") and not is_this_machine(account.server)
    if is_clear and account.protocol in ("dyndns2", "ddupdate", "duckdns"):
        return [f"{account.server}: the {account.protocol} secret crosses the network in clear; use https"]
    return []


def warnings_about_server(
    account: ClientSettings, usual: str, place: str, inherited: Sequence[tuple[str, str]]
) -> list[str]:
    """Return what an account's own server learns that was given for another, `usual`, which all others ask.

    `place` is where the server is named; `inherited` are secrets that the account has none of its own of, each with
    where it stands.
    """
    if _origin(account.server) == _origin(usual):
        return []
    return [
        f"{place}: {account.server} is given the {name} of {usual} ({origin}): give this account one of its own"
        for name, origin in inherited
    ]


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
