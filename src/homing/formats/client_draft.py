"""What the configuration of another client comes to: accounts for homing.toml, and every line that was not taken over.

No format is known here. The one mutable value of such an import, `ClientDraft`, lives for one call of a reader.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from homing.core.errors import InvalidInput, InvalidName
from homing.core.names import parse_hostname
from homing.core.values import field, frozen, replace
from homing.settings.client import READERS, ClientSettings, parse_source, parse_url
from homing.settings.client_checks import contradictions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Protocol: TypeAlias = Literal["dyndns2", "duckdns"]
"""What other clients speak that Homing speaks too."""

CHECK_PAGE, CHECK_PAGE_6 = "https://api.ipify.org/", "https://api6.ipify.org/"
"""The page that newer ddclients and inadyn ask where none is configured, for each family."""
SHORTEST, LONGEST, USUAL = 30, 86_400, 300
"""Seconds: the bounds of `interval`, and what it is unless set."""
MAX_HOSTS = 500
"""In one file; one with more is not what it should be."""
MOST_LINES = 8
SERVICES = frozenset({
    *("members.dyndns.org", "members.dyndns.com", "update.dyndns.com", "members.3322.org", "dyn.dns.he.net"),
    *("updates.dnsomatic.com", "carol.selfhost.de", "dynupdate.no-ip.com", "dynupdate.noip.com", "update.spdyn.de"),
    *("ipv4.nsupdate.info", "ipv6.nsupdate.info", "nsupdate.info", "api.dynu.com", "www.duckdns.org", "duckdns.org"),
    *("dyndns.strato.com", "dyndns.inwx.com", "update.dedyn.io", "update6.dedyn.io", "www.ovh.com", "dyndns.loopia.se"),
})  # fmt: skip
"""Hosts of services that everybody may use. Asked for `/ip`, they tell no address, as a Homing server would."""
_SHELL = re.compile(
    r"""[|&;<>()$`*?\[\]{}~#\n]"""
    r"""|\A\s*(?:[A-Za-z_]\w*=|(?:!|:|\.|alias|builtin|case|cd|command|do|eval|exec|exit|export|for|if|local|read"""
    r"""|readonly|return|set|shift|source|time|times|trap|type|ulimit|umask|unset|until|wait|while)(?:\s|\Z))"""
)
"""What a shell takes for more than words: its signs anywhere, and a variable or a word of its own at the beginning."""
_PATH_OF_SERVICE = "/nic/update"


@frozen(kw_only=True)
class ImportedAccount:
    """One account, as a table of homing.toml describes it; what is None is left out of it."""

    names: tuple[str, ...] = ()
    protocol: Protocol
    server: str
    username: str | None = None
    secret: str = field(repr=False)
    ipv4: str | None = None
    ipv6: str | None = None
    ca_file: str | None = None

    def table(self) -> dict[str, str | list[str]]:
        """Return the settings, in the order in which people read them."""
        given: dict[str, str | list[str]] = {
            "names": list(self.names),
            "server": self.server,
            "protocol": self.protocol,
        }
        more = {name: getattr(self, name) for name in ("username", "secret", "ipv4", "ipv6", "ca_file")}
        return given | {name: value for name, value in more.items() if value is not None}


@frozen
class ImportedClient:
    """What a file holds. Each line of `told` is for people: `FILE:LINE: what was not taken over, and why`."""

    accounts: tuple[ImportedAccount, ...]
    interval: int | None
    """Seconds between two looks at the address, where it is not what Homing does by itself."""
    told: tuple[str, ...]
    has_hosts: bool = True
    """Whether any host stands there, taken over or not."""


class ClientDraft:
    """Accounts in the order of the file, and what is to be said about its lines. No text of it holds a secret."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.interval: int | None = None
        self._told: dict[tuple[int, str], None] = {}
        self._names: dict[ImportedAccount, dict[str, None]] = {}
        """The names of each account, which stands here without any."""
        self._problems: dict[ImportedAccount, list[str]] = {}
        self._has_hosts = False

    def tell(self, line: int, text: str) -> None:
        """Say what is not taken over, or not as it was."""
        self._told[line, text] = None

    def add(self, line: int, name: str, account: ImportedAccount) -> bool:
        """Take a name of an account, or say why it is left out; return whether it was taken.

        Names that share all else share an account. A user who is the name itself is left out: so Homing has it.
        """
        self._has_hosts = True
        if account.protocol == "duckdns" or account.username == name:
            account = replace(account, username=None)
        if account not in self._problems:
            self._problems[account] = _problems(account)
        problems = self._problems[account] or _problems_of_name(name, account)
        if problems:
            self.leave_out(line, (name,), "; ".join(problems))
            return False
        self._names.setdefault(account, {})[name] = None
        return True

    def leave_out(self, line: int, names: Collection[str], why: str) -> None:
        """Say which names stay behind, and why."""
        self._has_hosts = True
        shown = list(dict.fromkeys(show_name(name) for name in names))
        self.tell(line, f"{why}; {', '.join(shown)} {'is' if len(shown) == 1 else 'are'} left out")

    def look_every(self, line: int, name: str, seconds: int) -> None:
        """Take over how often the address is looked at."""
        taken = min(max(seconds, SHORTEST), LONGEST)
        if taken != seconds:
            self.tell(line, f"{name}: {taken} seconds are written, the nearest that Homing has")
        self.interval = None if taken == USUAL else taken

    def tell_of_program(self, client: str, found: Mapping[str, int]) -> None:
        """Say in one line which settings are about how the client itself runs; each has its line."""
        if found:
            text = f"{', '.join(found)}: about how {client} itself runs; not taken over"
            self.tell(min(found.values()), text)

    def choose_usual(self, line: int, why: str, server: str, *, wants_six: bool) -> tuple[str | None, str | None]:
        """Return `ipv4` and `ipv6` where the file names no source that can be used, and say what is written.

        A stranger's page is for a public service only, which tells nobody's address. A server of one's own may be
        Homing, which does: nothing is written for it.
        """
        if urlsplit(server).hostname in SERVICES:
            pages = f"{CHECK_PAGE} and {CHECK_PAGE_6} are" if wants_six else f"{CHECK_PAGE} is"
            self.tell(line, f"{why}: {pages} written")
            return CHECK_PAGE, CHECK_PAGE_6 if wants_six else "none"
        text = (
            "no page is written. The agent takes the address of the interface, if the Internet reaches that; else the"
            " server is asked at /ip, which Homing answers. For another server, write a page into ipv4"
        )
        self.tell(line, f"{why}: {text}")
        return None, None if wants_six else "none"

    def imported(self) -> ImportedClient:
        """Return all of it."""
        accounts = [replace(account, names=tuple(names)) for account, names in self._names.items()]
        lines: dict[str, list[int]] = {}
        for line, text in sorted(self._told):
            lines.setdefault(text, []).append(line)
        told = [f"{self.origin}:{where[0]}: {text}{_and_there(where[1:])}" for text, where in lines.items()]
        return ImportedClient(tuple(accounts), self.interval, tuple(told), self._has_hosts)


def show_name(name: str) -> str:
    """Return a name that may be shown. What is no host name may be half of a password that has a blank in it."""
    try:
        return str(parse_hostname(name)).removesuffix(".")
    except InvalidName:
        return "what stands for a host"


def _and_there(lines: list[int]) -> str:
    if not lines:
        return ""
    more = f" and {len(lines) - MOST_LINES} more" if len(lines) > MOST_LINES else ""
    return f" (also in line {', '.join(map(str, lines[:MOST_LINES]))}{more})"


# --- values


def make_server(host: str, path: str, *, is_tls: bool) -> str:
    """Return the URL of a dyndns2 server, whose path is left out where it is the usual one. Raises InvalidInput.

    Homing asks at a path that ends in `/update` as it stands, and below any other at `/nic/update`.
    """
    scheme, separator, rest = host.partition("://")
    if not separator:
        scheme, rest = "https" if is_tls else "http", host
    whole = "/" + path.lstrip("/")
    shown, question, _ = whole.partition("?")  # what stands behind it may be a token
    if question or not shown.rstrip("/").endswith("/update"):
        given = f"{shown[:60]!r}{' with a query behind it' if question else ''}"
        raise InvalidInput(f"expected a path that ends in /update, not {given}, which Homing cannot ask")
    url = f"{scheme}://{rest.rstrip('/')}{whole.rstrip('/').removesuffix(_PATH_OF_SERVICE)}"
    return str(READERS["server"](url))


def make_page(text: str, *, is_tls: bool) -> str:
    """Return a page that tells the address, with the scheme that it may lack. Raises InvalidInput."""
    url = text if "://" in text else f"{'https' if is_tls else 'http'}://{text}"
    return parse_url(url)


def make_interface(name: str) -> str:
    """Return an interface as a source; an alias such as `eth0:1` is one of its addresses. Raises InvalidInput."""
    if name.lower() == "default":
        return "interface"
    return str(parse_source(f"interface:{name.partition(':')[0]}"))


def make_command(command: str) -> str:
    """Return a command as a source. Homing runs it without a shell, so one that needs a shell gets it."""
    words = f"sh -c {shlex.quote(command)}" if _SHELL.search(command) else command
    return str(parse_source(f"command:{words}"))


def _problems(account: ImportedAccount) -> list[str]:
    """Return why Homing would refuse the account whatever its names; no text of a secret is in it."""
    if account.secret[:1].isspace() or account.secret[-1:].isspace():
        return ["secret: begins or ends with a blank, which Homing cannot keep"]
    table: Mapping[str, Any] = account.table() | {"names": ["host.example.com"]}
    found, problems = {}, []
    for name, value in table.items():
        try:
            if isinstance(value, str) and not _is_unicode(value):
                raise InvalidInput("expected UTF-8")
            found[name] = READERS[name](value)
        except InvalidInput as error:
            problems.append(f"{name}: {error}")
    if problems:
        return problems
    return [text.removeprefix("host.example.com: ") for _, text in contradictions(ClientSettings(**found))]


def _is_unicode(text: str) -> bool:
    """Tell whether TOML can hold a text: variables of the environment may be no UTF-8."""
    return not any("\ud800" <= one <= "\udfff" for one in text)


def _problems_of_name(name: str, account: ImportedAccount) -> list[str]:
    """The readers' own words would show what may be half of a password."""
    try:
        read = READERS["names"]([name])
    except InvalidInput:
        read = ()
    is_whole = "." in name or account.protocol == "duckdns"
    return [] if read and is_whole else ["expected a host name of two or more labels"]
