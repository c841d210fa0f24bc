"""ddclient.conf, what it means: which hosts it updates with what, read as ddclient 3.8 to 4.0 do.

Settings without a host are for the hosts behind them; settings before a host in its own line win. What Homing has no
match for is told, each with its line. Nothing is executed, and no value of a setting is shown that might be a secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.core.values import frozen, replace
from homing.formats.client_draft import (
    MAX_HOSTS,
    ClientDraft,
    ImportedAccount,
    ImportedClient,
    make_server,
    show_name,
)
from homing.formats.ddclient_lines import Assignment, parse_lines
from homing.formats.ddclient_sources import find_sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.formats.ddclient_lines import Entry

NAME = "ddclient"
_LOOKS = re.compile(r"(?m)^[ \t]*(?:daemon|protocol|use|usev4|usev6|server|login|password|ssl)=\S")
_INTERVAL = re.compile(r"([0-9]{1,9})(?:(s|m|h|d)[a-z]*)?", re.IGNORECASE)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}

_SERVERS = {"dyndns2": "members.dyndns.org", "noip": "dynupdate.no-ip.com", "duckdns": "www.duckdns.org"}
"""The protocols that Homing speaks, with the servers that ddclient asks where none is named."""
_YES, _NO = ("y", "yes", "t", "true", "1"), ("n", "no", "f", "false", "0")

_TAKEN = frozenset({
    *("protocol", "server", "script", "login", "password", "host", "ssl", "ssl_ca_file", "daemon"),
    *("use", "usev4", "usev6", "ip", "ipv4", "ipv6", "if", "ifv4", "ifv6"),
    *("web", "webv4", "webv6", "web-skip", "webv4-skip", "webv6-skip", "cmd", "cmdv4", "cmdv6"),
})  # fmt: skip
"""What is taken over, told where it is used, or said about a source that is not in use."""
_WITHOUT_EFFECT = ("if-skip", "fw-banlocal")
_OF_THE_PROGRAM = frozenset({
    *("syslog", "facility", "priority", "pid", "cache", "file", "foreground", "exec", "debug", "verbose", "quiet"),
    *("test", "max-warn", "curl", "retry", "force", "query", "help", "geturl"),
})  # fmt: skip
_OF_ROUTERS = "belongs to reading a router's web pages, which Homing does not"
_OF_UPDATES = "the agent sends each change as it comes, and pauses as the server and its protocol demand"
_OF_DYN = "not sent; services that have such a thing set it on their web pages"
_INSTEAD = {
    "mail": "no mail is sent; `on_change` and `on_failure` in [agent] run a command",
    "mail-failure": "no mail is sent; `on_failure` in [agent] runs a command",
    "postscript": "not taken over; `on_change` in [agent] runs a command",
    "proxy": "Homing uses no proxy",
    "timeout": "not taken over; `timeout` is 10 seconds unless set",
    "ssl_ca_dir": "not taken over; `ca_file` names a file with certificates",
    "web-ssl-validate": "certificates are always checked",
    "fw-ssl-validate": _OF_ROUTERS,
    "redirect": "redirects are never followed: write the URL that is meant into `server`",
    "cmd-skip": "not taken over; for Homing the command has to print addresses and nothing else",
    **dict.fromkeys(
        ("fw", "fwv4", "fwv6", "fw-skip", "fwv4-skip", "fwv6-skip", "fw-login", "fw-password"), _OF_ROUTERS
    ),
    **dict.fromkeys(("min-interval", "max-interval", "min-error-interval"), _OF_UPDATES),
    **dict.fromkeys(("mx", "backupmx", "wildcard", "static", "custom"), _OF_DYN),
}


@frozen
class _Hosts:
    """The hosts of one line, each with the line of its name, and all settings that ddclient would use for them."""

    lines: Mapping[str, int]
    given: Mapping[str, Assignment]

    @property
    def line(self) -> int:
        return min(self.lines.values())

    def value(self, name: str) -> str | None:
        return self.given[name].value if name in self.given else None

    def line_of(self, name: str) -> int:
        return self.given[name].line if name in self.given else self.line


def looks_like(text: str) -> bool:
    """Tell whether a text is a ddclient.conf, as far as one can see."""
    return bool(_LOOKS.search(text))


def read(text: str, origin: str, environment: Mapping[str, str]) -> ImportedClient:
    """Return what a file holds; `environment` is where `password_env=NAME` looks. Raises InvalidInput, line by line."""
    draft = ClientDraft(origin)
    entries = [_resolve(entry, environment, draft) for entry in parse_lines(text.removeprefix("\ufeff"), origin)]
    found, final = _hosts_of(entries, draft)
    used: set[Assignment] = set()
    left: set[Assignment] = set()
    for hosts in found:
        (used if _take(hosts, draft) else left).update(hosts.given.values())
    if daemon := final.get("daemon"):
        _take_interval(daemon, draft)
        used.add(daemon)
    if found:
        _tell_the_rest(entries, used, left - used, draft)
    return draft.imported()


# --- which host has which settings


def _resolve(entry: Entry, environment: Mapping[str, str], draft: ClientDraft) -> Entry:
    """Put in what stands in variables; one that is not set leaves its setting out, as ddclient 3.11 and later do."""
    found = []
    for one in entry.assignments:
        name = one.name.removesuffix("_env")
        if name != one.name and name:
            if one.value not in environment:
                draft.tell(one.line, f"{one.name}={one.value[:60]}: not set here: run this again with that variable")
                continue
            one = Assignment(name, environment[one.value], one.line)  # noqa: PLW2901 - the same, with its value
        found.append(one)
    for name, line in entry.empty:
        draft.tell(line, f"{name}: no value stands right behind the =; left out, as ddclient does")
    return replace(entry, assignments=tuple(found))


def _hosts_of(entries: Sequence[Entry], draft: ClientDraft) -> tuple[list[_Hosts], Mapping[str, Assignment]]:
    """Return the hosts, and what is said without one; ddclient takes from there too what comes after a host."""
    above: dict[str, Assignment] = {}
    seen: dict[str, dict[str, int]] = {}
    found: list[tuple[dict[str, int], dict[str, Assignment]]] = []
    for entry in entries:
        own = {one.name: one for one in entry.assignments if one.name != "host"}
        if not entry.hosts:
            above |= own
            continue
        lines: dict[str, int] = {}
        for name, line in entry.hosts:
            if name in seen:
                before = seen[name].pop(name)
                draft.tell(line, f"{show_name(name)} stands in line {before} already; what is said last is taken")
            lines[name] = line
            seen[name] = lines
        found.append((lines, above | own))
        if len(seen) > MAX_HOSTS:
            raise InvalidInput(f"{draft.origin}:{line}: expected at most {MAX_HOSTS} hosts")
    return [_Hosts(lines, above | given) for lines, given in found if lines], above


def _take(hosts: _Hosts, draft: ClientDraft) -> bool:
    """Take hosts over, or say why not; return whether one was taken."""
    protocol = (hosts.value("protocol") or "dyndns2").lower()
    if protocol not in _SERVERS:
        draft.leave_out(hosts.line_of("protocol"), hosts.lines, f"protocol {protocol[:40]}: not spoken by Homing")
        return False
    secret = hosts.value("password")
    if secret is None:
        draft.leave_out(hosts.line, hosts.lines, "expected password= before it")
        return False
    _tell_of_login(hosts, protocol, secret, draft)
    is_tls = _is_tls(hosts, protocol, draft)
    try:
        server = _server_of(hosts, protocol, is_tls=is_tls)
    except InvalidInput as error:
        draft.leave_out(hosts.line_of("script"), hosts.lines, f"server and script: {error}")
        return False
    account = _account(hosts, protocol, server, secret, _sources(hosts, server, draft, is_tls=is_tls))
    taken = [draft.add(line, name, account) for name, line in hosts.lines.items()]
    return any(taken)


def _account(
    hosts: _Hosts, protocol: str, server: str, secret: str, sources: tuple[str | None, str | None]
) -> ImportedAccount:
    return ImportedAccount(
        protocol="duckdns" if protocol == "duckdns" else "dyndns2",
        server=server,
        username=hosts.value("login"),
        secret=secret,
        ipv4=sources[0],
        ipv6=sources[1],
        ca_file=hosts.value("ssl_ca_file"),
    )


def _tell_of_login(hosts: _Hosts, protocol: str, secret: str, draft: ClientDraft) -> None:
    if secret.endswith(","):
        text = "password: ends in a comma, which ddclient takes for a part of it; if it is none, mend `secret`"
        draft.tell(hosts.line_of("password"), text)
    if protocol != "duckdns" and hosts.value("login") is None:
        draft.tell(hosts.line, "no login= before it: Homing sends the name itself as the user")


def _sources(hosts: _Hosts, server: str, draft: ClientDraft, *, is_tls: bool) -> tuple[str | None, str | None]:
    """Return `ipv4` and `ipv6`."""
    found = find_sources(hosts.given, draft.tell, is_tls=is_tls)
    if found is not None:
        return found.ipv4, found.ipv6
    why = "no use=, usev4= or usev6= says where the address comes from"
    return draft.choose_usual(hosts.line, why, server, wants_six=False)


def _server_of(hosts: _Hosts, protocol: str, *, is_tls: bool) -> str:
    """Raises InvalidInput. The services of noip and duckdns have one path, whatever `script` says."""
    path = (hosts.value("script") or "/nic/update") if protocol == "dyndns2" else "/nic/update"
    return make_server((hosts.value("server") or _SERVERS[protocol]).lower(), path, is_tls=is_tls)


def _is_tls(hosts: _Hosts, protocol: str, draft: ClientDraft) -> bool:
    """Tell whether TLS is used: ddclient 4 does unless told otherwise, 3.x if told so, noip and duckdns always."""
    told = (hosts.value("ssl") or "").lower()
    if told in _NO and protocol == "dyndns2":
        return False
    if told in _NO:
        draft.tell(hosts.line_of("ssl"), f"ssl={told}: https is written, since ddclient uses it with {protocol} anyway")
    elif told not in _YES and protocol == "dyndns2":
        draft.tell(hosts.line_of("ssl"), "no ssl=yes or ssl=no: https is written; ddclient before 4.0 used http")
    return True


def _take_interval(daemon: Assignment, draft: ClientDraft) -> None:
    found = _INTERVAL.fullmatch(daemon.value.strip())
    if not found:
        draft.tell(daemon.line, "daemon: expected a time such as 300 or 5m; not taken over")
    elif seconds := int(found[1]) * _UNITS[(found[2] or "").lower()]:
        draft.look_every(daemon.line, "daemon", seconds)


# --- what is left


def _tell_the_rest(entries: Sequence[Entry], used: set[Assignment], left: set[Assignment], draft: ClientDraft) -> None:
    """Say of each setting that is not taken over what became of it; those of hosts that are left out went with them."""
    program: dict[str, int] = {}
    for one in (one for entry in entries for one in entry.assignments):
        if one in left or one.name == "host":
            continue
        if one.name in _OF_THE_PROGRAM:
            program.setdefault(one.name, one.line)
        elif one not in used:
            draft.tell(one.line, f"{one.name}: without effect on any host here")
        elif one.name not in _TAKEN and not _says_nothing(one):
            draft.tell(one.line, f"{one.name}: {_INSTEAD.get(one.name, 'Homing has no such setting')}")
    draft.tell_of_program(NAME, program)


def _says_nothing(one: Assignment) -> bool:
    """Tell whether it is what Homing does anyway, or what has no effect in ddclient either."""
    is_off = one.name in ("mx", "backupmx", "wildcard", "static", "custom", "proxy") and one.value.lower() in ("", *_NO)
    is_on = one.name in ("web-ssl-validate", "fw-ssl-validate") and one.value.lower() in _YES
    return is_off or is_on or one.name in _WITHOUT_EFFECT
