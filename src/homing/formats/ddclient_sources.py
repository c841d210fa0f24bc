"""Where ddclient takes the address from, as `ipv4` and `ipv6` of homing.toml: `use`, `usev4` and `usev6`.

`use` finds one address, IPv4 wherever there is one. The pages are those of ddclient 3.10 and 4.0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

from homing.core.addresses import parse_address
from homing.core.errors import InvalidAddress, InvalidInput
from homing.core.values import frozen
from homing.formats.client_draft import CHECK_PAGE, CHECK_PAGE_6, make_command, make_interface, make_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.formats.ddclient_lines import Assignment

Family = Literal[4, 6]
Tell: TypeAlias = Callable[[int, str], None]
Way: TypeAlias = tuple[str, str]
"""A setting of homing.toml, `ipv4` or `ipv6`, and its value."""

_OFF = ("no", "disabled")
_PAGES = {
    "dyndns": "http://checkip.dyndns.org/",
    "ipify-ipv4": CHECK_PAGE,
    "ipify-ipv6": CHECK_PAGE_6,
    "loopia": "https://dns.loopia.se/checkip/checkip.php",
    "noip-ipv4": "http://ip1.dynupdate.no-ip.com/",
    "noip-ipv6": "http://ip1.dynupdate6.no-ip.com/",
    "nsupdate.info-ipv4": "https://ipv4.nsupdate.info/myip",
    "nsupdate.info-ipv6": "https://ipv6.nsupdate.info/myip",
}
"""Pages that hold an address and nothing else, or what Dyn's does."""
_OTHER_PAGES = ("freedns", "googledomains", "he", "he.net", "ip4only.me", "ip6only.me", "myonlineportal", "zoneedit")
"""Pages that are written for people, or are no more."""
_DYN_SKIP = "current ip address"


@frozen
class Sources:
    """The sources of both families."""

    ipv4: str
    ipv6: str


class _Chooser:
    def __init__(self, given: Mapping[str, Assignment], tell: Tell, *, is_tls: bool) -> None:
        self.given = given
        self.tell = tell
        self.is_tls = is_tls

    def value(self, *names: str, default: str = "") -> str:
        """Return the first of these settings that is there."""
        return next((self.given[name].value for name in names if name in self.given), default)

    def line(self, *names: str) -> int:
        return next((self.given[name].line for name in names if name in self.given), 1)

    def page(self, family: Family | None, name: str, skip: str, default: str, switch: str) -> Way:
        """Return a page, and the family that it tells."""
        told = self.value(name, default=default)
        line = self.line(name, switch)
        is_six = family == 6 or (family is None and ("ipv6" in told or told == "ip6only.me") and told in _KNOWN)
        usual = CHECK_PAGE_6 if is_six else CHECK_PAGE
        way = "ipv6" if is_six else "ipv4"
        if told in _OTHER_PAGES:
            self.tell(line, f"{name}={told}: Homing cannot read that page, or it is no more; {usual} is written")
            return way, usual
        try:
            page = _PAGES.get(told) or make_page(told, is_tls=self.is_tls)
        except InvalidInput as error:
            self.tell(line, f"{name}: {error}; {usual} is written")
            return way, usual
        text = self.value(skip)
        if text and _DYN_SKIP not in text.lower():
            why = (
                "Homing reads pages with nothing but the address, JSON, or Dyn's; try it with `homing ip --source URL`"
            )
            self.tell(self.line(skip), f"{skip}: not taken over: {why}")
        return way, page

    def interface(self, way: str, default: str, switch: str, *names: str) -> Way:
        told = self.value(*names, default=default)
        line = self.line(*names, switch)
        try:
            source = make_interface(told)
        except InvalidInput as error:
            self.tell(line, f"{names[0]}: {error}; no {way} is written")
            return way, "none"
        if ":" in told:
            self.tell(line, f"{names[0]}={told}: an alias; Homing takes one of the addresses of the whole interface")
        return way, source

    def command(self, way: str, switch: str, *names: str) -> Way:
        line = self.line(*names, switch)
        told = self.value(*names)
        if not told:
            self.tell(line, f"{switch}: expected a command in {names[0]}=; no {way} is written")
            return way, "none"
        self.tell(line, f"{names[0]}: taken over; for Homing the command has to print addresses and nothing else")
        return way, make_command(told)

    def address(self, family: Family | None, switch: str, *names: str) -> Way:
        told = self.value(*names)
        try:
            address = parse_address(told)
        except InvalidAddress:
            line = self.line(*names, switch)
            self.tell(line, f"{switch}: expected an address in {names[0]}=; no source of the address is written")
            return f"ipv{family or 4}", "none"
        return f"ipv{address.version}", str(address)

    def router(self, way: str, switch: str) -> Way:
        strategy = self.value(switch)
        if way == "ipv6":
            self.tell(self.line(switch), f"{switch}={strategy}: Homing reads no router's web pages; no IPv6 is written")
            return way, "none"
        why = 'ipv4 = "router" is written, which asks it by NAT-PMP, PCP or UPnP: see whether `homing ip` finds it so'
        self.tell(self.line(switch), f"{switch}={strategy}: Homing reads no router's web pages; {why}")
        return way, "router"

    # --- the three switches

    def single(self) -> Way:
        """Return what `use` finds."""
        match self.value("use").lower():
            case "ip":
                return self.address(None, "use", "ip")
            case "web":
                return self.page(None, "web", "web-skip", "dyndns", "use")
            case "if":
                return self.interface("ipv4", "ppp0", "use", "if")
            case "cmd":
                return self.command("ipv4", "use", "cmd")
        return self.router("ipv4", "use")

    def fourth(self) -> Way:
        """Return what `usev4` finds."""
        match self.value("usev4").lower():
            case "ipv4":
                return self.address(4, "usev4", "ipv4")
            case "webv4":
                return self.page(4, "webv4", "webv4-skip", "ipify-ipv4", "usev4")
            case "ifv4":
                return self.interface("ipv4", "default", "usev4", "ifv4")
            case "cmdv4":
                return self.command("ipv4", "usev4", "cmdv4")
        return self.router("ipv4", "usev4")

    def sixth(self) -> Way:
        """Return what `usev6` finds."""
        match self.value("usev6").lower():
            case "ipv6" | "ip":
                return self.address(6, "usev6", "ipv6", "ip")
            case "webv6" | "web":
                name = "web" if "webv6" not in self.given and "web" in self.given else "webv6"
                return self.page(6, name, "webv6-skip", "ipify-ipv6", "usev6")
            case "ifv6" | "if":
                return self.interface("ipv6", "default", "usev6", "ifv6", "if")
            case "cmdv6" | "cmd":
                return self.command("ipv6", "usev6", "cmdv6", "cmd")
        return self.router("ipv6", "usev6")


_KNOWN = {*_PAGES, *_OTHER_PAGES}


def find_sources(given: Mapping[str, Assignment], tell: Tell, *, is_tls: bool) -> Sources | None:
    """Return the sources that a host's settings mean, or None where nothing is said about any."""
    chooser = _Chooser(given, tell, is_tls=is_tls)
    switches = {"use": chooser.single, "usev4": chooser.fourth, "usev6": chooser.sixth}
    found: dict[str, str] = {}
    for switch, choose in switches.items():
        if chooser.value(switch, default="no").lower() not in _OFF:
            way, source = choose()
            found[way] = source
    if not any(switch in given for switch in switches):
        return None
    if list(found) == ["ipv4"] and "usev6" not in given and not found["ipv4"][:1].isdigit():
        tell(chooser.line("use", "usev4"), "IPv4 only, as here; ipv6 in homing.toml adds the other family")
    return Sources(found.get("ipv4", "none"), found.get("ipv6", "none"))
