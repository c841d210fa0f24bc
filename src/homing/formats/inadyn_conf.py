"""inadyn.conf, what it means: which hosts it updates with what, read as inadyn 2 does, and as 1.99 did.

What Homing has no match for is told, each with its line. Nothing is executed, and no other file is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.core.values import frozen
from homing.formats import inadyn_blocks, inadyn_lines
from homing.formats.client_draft import (
    MAX_HOSTS,
    ClientDraft,
    ImportedAccount,
    ImportedClient,
    Protocol,
    make_command,
    make_interface,
    make_page,
    make_server,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from homing.formats.inadyn_blocks import Block, Option

NAME = "inadyn"
_BLOCKS = re.compile(r"(?m)^[ \t]*(?:provider|custom)[ \t]+[^\s{}=]+\s*\{")
_OLD = re.compile(r"(?m)^[ \t]*(?:--)?(?:dyndns_system|username|alias|update_period(?:_sec)?)[ \t]+[^\s=]")
_BRACE = re.compile(r"(?m)^[^#\n]*\{")

_SPOKEN: Mapping[str, tuple[Protocol, str, str]] = {
    "default@dyndns.org": ("dyndns2", "members.dyndns.org", "/nic/update"),
    "default@dnsomatic.com": ("dyndns2", "updates.dnsomatic.com", "/nic/update"),
    "default@selfhost.de": ("dyndns2", "carol.selfhost.de", "/nic/update"),
    "default@no-ip.com": ("dyndns2", "dynupdate.no-ip.com", "/nic/update"),
    "default@noip.com": ("dyndns2", "dynupdate.noip.com", "/nic/update"),
    "dyndns@3322.org": ("dyndns2", "members.3322.org", "/dyndns/update"),
    "dyndns@he.net": ("dyndns2", "dyn.dns.he.net", "/nic/update"),
    "default@spdyn.de": ("dyndns2", "update.spdyn.de", "/nic/update"),
    "ipv4@nsupdate.info": ("dyndns2", "ipv4.nsupdate.info", "/nic/update"),
    "default@dynu.com": ("dyndns2", "api.dynu.com", "/nic/update"),
    "default@duckdns.org": ("duckdns", "www.duckdns.org", "/nic/update"),
}
"""What inadyn 2.10 asks where, as far as Homing can ask the same; a part of such a name means the first that has it."""
_TRUE, _FALSE = ("true", "on", "yes"), ("false", "off", "no")
_FIELDS_WITHOUT_EFFECT = ("system", "wildcard", "mx", "backmx", "offline", "url")

_TAKEN = ("username", "password", "hostname", "alias", "ssl", "ddns-server", "ddns-path", "append-myip", "iface",
          "checkip-server", "checkip-path", "checkip-ssl", "checkip-command", "allow-ipv6", "ca-trust-file",
          "period")  # fmt: skip
_OF_THE_PROGRAM = ("cache-dir", "iterations", "user-agent", "fake-address", "forced-update", "background", "syslog",
                   "verbose", "logfile", "pidfile", "drop-privs", "startup-delay", "test")  # fmt: skip
_INSTEAD = {
    "secure-ssl": "certificates are always checked; `ca_file` trusts another authority",
    "broken-rtc": "certificates are always checked, their dates too",
    "verify-address": "not taken over; `allow_internal` takes an address that is not global",
    "proxy": "Homing uses no proxy",
    "wildcard": "not sent; services that have such a thing set it on their web pages",
    "ddns-response": "not needed: the answer has to be one of dyndns2's",
    "exec": "not taken over; `on_change` in [agent] runs a command",
    "bind": "not taken over; `interface` is where requests leave",
    "include": "no other file is read: put what it holds in its place",
}
_WAYS = ("checkip-command", "iface", "checkip-server")
"""What says where the address comes from; the first that is there counts."""
_DEFAULTS = {"secure-ssl": "true", "verify-address": "true", "broken-rtc": "false", "wildcard": "false"}


@frozen
class _Given:
    """The settings of a block, and those of the file where it has none."""

    block: Block
    own: Mapping[str, Option]
    shared: Mapping[str, Option]

    def find(self, name: str) -> Option | None:
        return self.own.get(name) or self.shared.get(name)

    def value(self, name: str) -> str | None:
        option = self.find(name)
        return option.values[0] if option and option.values else None

    def line(self, name: str) -> int:
        option = self.find(name)
        return option.line if option else self.block.line

    def flag(self, name: str, *, default: bool) -> bool:
        return self.value_is(name, _TRUE) or (default and not self.value_is(name, _FALSE))

    def value_is(self, name: str, words: Sequence[str]) -> bool:
        return (self.value(name) or "").lower() in words


def looks_like(text: str) -> bool:
    """Tell whether a text is an inadyn.conf of either form, as far as one can see."""
    return bool(_BLOCKS.search(text) or (_OLD.search(text) and not _BRACE.search(text)))


def read(text: str, origin: str, environment: Mapping[str, str]) -> ImportedClient:
    """Return what a file holds; `environment` is where `${NAME}` looks. Raises InvalidInput, line by line."""
    draft = ClientDraft(origin)
    text = text.removeprefix("\ufeff")
    if _OLD.search(text) and not _BRACE.search(text):
        file = inadyn_lines.parse_lines(text, origin)
    else:
        file = inadyn_blocks.parse_blocks(text, origin, environment)
    shared = _by_name(file.options)
    if sum(len(one.values) for block in file.blocks for one in block.options) > 8 * MAX_HOSTS:
        raise InvalidInput(f"{origin}: expected at most {MAX_HOSTS} hosts")
    for block in file.blocks:
        given = _Given(block, _by_name(block.options), shared)
        if _take(given, draft, is_old=file.kind == inadyn_lines.KIND):
            _tell_the_rest(block.options, draft)
    _take_period(shared.get("period"), draft)
    _tell_the_rest(file.options, draft)
    return draft.imported()


def _by_name(options: Sequence[Option]) -> dict[str, Option]:
    """The last counts, as with inadyn; of hosts too."""
    return {option.name: option for option in options}


# --- one account


def _take(given: _Given, draft: ClientDraft, *, is_old: bool) -> bool:
    """Take the hosts of a block over, or say why not; return whether one was taken."""
    line, who = given.block.line, f"{given.block.kind} {given.block.title[:60]}"
    hosts = given.find("hostname") or given.find("alias")
    if hosts is None or not hosts.values:
        draft.tell(line, f"{who}: expected hostname = ...; left out")
        return False
    try:
        protocol, server, names = _service(given, hosts.values)
        secret = _secret(given, protocol)
    except InvalidInput as error:
        draft.leave_out(line, hosts.values, f"{who}: {error}")
        return False
    if is_old and "ssl" not in given.own:
        draft.tell(line, "no ssl: https is written, where inadyn 1.99 used http")
    if protocol == "dyndns2" and not given.value("username"):
        draft.tell(line, "no username: Homing sends the name itself as the user")
    account = _account(given, protocol, server, secret, _sources(given, server, draft))
    taken = [draft.add(hosts.line, name, account) for name in names]
    return any(taken)


def _account(
    given: _Given, protocol: Protocol, server: str, secret: str, sources: tuple[str | None, str | None]
) -> ImportedAccount:
    return ImportedAccount(
        protocol=protocol,
        server=server,
        username=given.value("username") or None,
        secret=secret,
        ipv4=sources[0],
        ipv6=sources[1],
        ca_file=given.value("ca-trust-file"),
    )


def _secret(given: _Given, protocol: Protocol) -> str:
    """Return the password; of duckdns the token, which stands for the user. Raises InvalidInput."""
    secret = given.value("password")
    if protocol == "duckdns":
        secret = given.value("username") or secret
    if not secret:
        why = " (no other file is read: put what it holds in its place)" if "include" in given.own else ""
        raise InvalidInput(f"expected password = ...{why}")
    return secret


def _service(given: _Given, names: tuple[str, ...]) -> tuple[Protocol, str, tuple[str, ...]]:
    """Return protocol, server and names. Raises InvalidInput for what Homing cannot ask."""
    is_tls = given.flag("ssl", default=True)
    if given.block.kind == "custom":
        server, path = given.value("ddns-server"), given.value("ddns-path")
        if not server or not path:
            raise InvalidInput("expected ddns-server = ... and ddns-path = ...")
        path, names = _custom(path, names, is_ip_appended=given.flag("append-myip", default=False))
        return "dyndns2", make_server(server, path, is_tls=is_tls), names
    title = given.block.title.partition(":")[0].lower()
    found = _SPOKEN.get(title) or next((one for name, one in _SPOKEN.items() if title and title in name), None)
    if found is None:
        raise InvalidInput("not spoken by Homing")
    protocol, server, path = found
    return protocol, make_server(server, path, is_tls=is_tls or protocol == "duckdns"), names


def _custom(path: str, names: tuple[str, ...], *, is_ip_appended: bool) -> tuple[str, tuple[str, ...]]:
    """Return path and names of a `ddns-path` that asks what dyndns2 does. Raises InvalidInput for any other."""
    if "%" not in path:
        path += "%i" if is_ip_appended else "%h"
    path, _, query = path.partition("?")
    fields = [one.partition("=")[::2] for one in query.split("&") if one]
    hosts = [value for name, value in fields if name == "hostname"]
    rest = [one for one in fields if one[0] != "hostname" and one[0] not in _FIELDS_WITHOUT_EFFECT]
    is_odd = "%" in path or any("%" in host.replace("%h", "") for host in hosts)
    if len(hosts) != 1 or is_odd or rest not in ([], [("myip", "%i")]):
        raise InvalidInput("ddns-path: only that of dyndns2 is spoken, such as /nic/update?hostname=%h&myip=%i")
    return path, tuple(dict.fromkeys(hosts[0].replace("%h", name) for name in names))


def _sources(given: _Given, server: str, draft: ClientDraft) -> tuple[str | None, str | None]:
    """Return `ipv4` and `ipv6`. By itself inadyn takes no IPv6 address, and a command comes before all else."""
    wants_six = given.flag("allow-ipv6", default=False)
    why, line = "inadyn asks a page of its own choice for the address", given.block.line
    name, value, make = _way(given)
    if name == "checkip-command":
        text = "taken over; for Homing it has to print addresses and nothing else"
        draft.tell(given.line(name), f"{name}: {text}")
    for other in _WAYS[_WAYS.index(name) + 1 :]:
        if given.value(other) not in (None, "", "default"):
            draft.tell(given.line(other), f"{other}: not taken over beside {name}, which comes first with inadyn")
    if value:
        try:
            return make(value), make(value) if wants_six else "none"
        except InvalidInput as error:
            why, line = f"{name}: {error}", given.line(name)
    return draft.choose_usual(line, why, server, wants_six=wants_six)


def _way(given: _Given) -> tuple[str, str, Callable[[str], str]]:
    """Return the setting that says where the address comes from, its value, and what makes a source of that.

    A page that somebody names is asked by TLS unless `checkip-ssl` says otherwise, whatever `ssl` is.
    """
    if command := given.value("checkip-command"):
        return "checkip-command", command, make_command
    if interface := given.value("iface"):
        return "iface", interface, make_interface
    server, path = given.value("checkip-server"), given.value("checkip-path") or "/"
    page = f"{server}/{path.lstrip('/')}" if server and server != "default" else ""
    is_tls = given.flag("checkip-ssl", default=True)
    return "checkip-server", page, lambda text: make_page(text, is_tls=is_tls)


# --- what is left


def _take_period(period: Option | None, draft: ClientDraft) -> None:
    if period is None:
        return
    text = period.values[0] if period.values else ""
    if text.isascii() and text.isdigit() and len(text) < 10:
        draft.look_every(period.line, "period", int(text))
    else:
        draft.tell(period.line, "period: expected seconds; not taken over")


def _tell_the_rest(options: Sequence[Option], draft: ClientDraft) -> None:
    """Say of each setting that is not taken over what became of it."""
    program: dict[str, int] = {}
    behind = 0
    for one in options:
        if one.name == "password":
            behind = one.line
        if one.name in _OF_THE_PROGRAM:
            program.setdefault(one.name, one.line)
        elif one.name not in _TAKEN and not _says_nothing(one):
            is_half = one.line == behind and one.name not in _INSTEAD  # its second half, perhaps
            name = "what stands behind the password" if is_half else one.name[:40]
            draft.tell(one.line, f"{name}: {_INSTEAD.get(one.name, 'Homing has no such setting')}")
    draft.tell_of_program(NAME, program)


def _says_nothing(one: Option) -> bool:
    """Tell whether it is what inadyn and Homing do anyway."""
    told = one.values[0].lower() if one.values else ""
    words = {"true": _TRUE, "false": _FALSE}.get(_DEFAULTS.get(one.name, ""), ())
    return told in words
