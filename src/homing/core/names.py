"""Domain names in canonical form: parsing, membership in a zone, and what may be a host.

A `Name` is absolute, lower case, in A-labels (RFC 5890 section 2.3.2.1), and ends with a dot: `cam.home.example.`.
Two names are the same name exactly when the texts are equal. No lookups are made here, and no policy of a zone
or of a key lives here.

Labels hold letters, digits, hyphens and underscores; `*` may stand alone as the first label (RFC 4592). Other
octets, which RFC 2181 section 11 allows and which nobody's hosts use, are refused rather than escaped.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NewType

from homing.core.errors import InvalidName

if TYPE_CHECKING:
    from collections.abc import Container

Name = NewType("Name", str)

ROOT = Name(".")

MAX_U_NAMES = 8  # in one request: each costs as much as fifty others
MAX_LABEL = 63  # octets, RFC 1035 section 2.3.4
MAX_NAME = 253  # characters without the last dot: 255 octets on the wire
_MAX_TYPED = 512  # what is typed may shrink when it is mapped, but no name worth the work is longer than this
_CACHED = 4096

_NAME = re.compile(r"(?:\*|[a-z0-9_-]{1,63})(?:\.[a-z0-9_-]{1,63})*\.?")
_HOSTNAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.){2,}")
# What programs take for an IPv4 address when it is the last label (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# First labels that programs trust by convention, digits at the end not counted (`ns` stands for ns1 and ns2 as well).
RESERVED_LABELS = frozenset(
    {
        # found by configuration protocols that ask the local domain: proxies, tunnels, device enrolment
        *("wpad", "isatap", "enterpriseregistration", "enterpriseenrollment", "lyncdiscover"),
        # means the machine itself (RFC 6761 section 6.3), so it shares cookies and trust with it
        *("localhost", "localdomain", "broadcasthost"),
        # mail: servers, and what mail programs and other mail servers ask for settings and keys
        *("mail", "smtp", "imap", "pop", "mx", "webmail", "submission"),
        *("autoconfig", "autodiscover", "mta-sts", "openpgpkey"),
        # the zone's own servers
        *("ns", "dns", "www", "ftp", "ntp", "ldap", "kerberos"),
    }
)


def parse_name(text: str) -> Name:
    """Return any domain name in canonical form; U-labels become A-labels (UTS 46 mapping, then IDNA 2008).

    The dot at the end is optional, and "." is the root. Raises InvalidName.
    """
    return _parse_name(text)


def parse_hostname(text: str, *, only_to_look_up: bool = False) -> Name:
    """Return a name that may be a dynamic host, in canonical form.

    `only_to_look_up` takes A-labels as they are: decoding them costs a third of a millisecond, and the name of a host
    was checked when the host was made.

    Beyond `parse_name`: letters, digits and inner hyphens only (RFC 1123 section 2.1), at least two labels, no
    reserved LDH label except a valid A-label (RFC 5890 section 2.3.1), no number as the last label.
    Raises InvalidName.
    """
    return _parse_ldh(text) if only_to_look_up else _parse_hostname(text)


def is_within(name: Name, zone: Name) -> bool:
    """Tell whether `name` is the apex of `zone` or below it, on label boundaries."""
    return zone in (name, ROOT) or name.endswith("." + zone)


def get_zone_of(name: Name, zones: Container[Name]) -> Name | None:
    """Return the deepest of `zones` that `name` is within. One membership test per label: pass a set or a dict."""
    candidate: Name | None = name
    while candidate is not None and candidate not in zones:
        candidate = parent(candidate)
    return candidate


def parent(name: Name) -> Name | None:
    """Return the name without its first label; the root has no parent."""
    if name == ROOT:
        return None
    return Name(name.partition(".")[2] or ROOT)


def labels(name: Name) -> tuple[str, ...]:
    """Return the labels, first one first, without the root."""
    return () if name == ROOT else tuple(name[:-1].split("."))


def is_reserved(name: Name, zone: Name) -> bool:
    """Tell whether nobody may create `name` in `zone` for themselves: only the operator may.

    True for the apex and whatever is not below it, for names with a `*` or an underscore label below the apex, and
    for those whose first label is one of RESERVED_LABELS, with or without digits at its end.
    """
    if name == zone or not is_within(name, zone):
        return True
    own = labels(name)[: len(labels(name)) - len(labels(zone))]
    return own[0].rstrip("0123456789") in RESERVED_LABELS or any(label[0] in "*_" for label in own)


def to_unicode(name: Name) -> str:
    """Return the name as people read it: valid A-labels as U-labels, the rest as it is. For showing only."""
    if "xn--" not in name:
        return name
    return ".".join(_get_u_label(label) or label for label in name.split("."))


@lru_cache(maxsize=_CACHED)
def _parse_name(text: str) -> Name:
    if len(text) > _MAX_TYPED:
        raise InvalidName(f"name longer than {MAX_NAME} characters: {text[:60]!r}")
    name = text.lower() if text.isascii() else _to_ascii(text)
    if name == ROOT:
        return ROOT
    if _NAME.fullmatch(name) is None:
        raise InvalidName(_why_not(name, text))
    absolute = name if name[-1] == "." else name + "."
    if len(absolute) > MAX_NAME + 1:
        raise InvalidName(f"name longer than {MAX_NAME} characters: {text[:60]!r}")
    return Name(absolute)


@lru_cache(maxsize=_CACHED)
def _parse_hostname(text: str) -> Name:
    name = _parse_ldh(text)
    if any(label[2:4] == "--" and _get_u_label(label) is None for label in labels(name)):
        raise InvalidName(f"label with hyphens in places 3 and 4 that is no valid A-label: {text[:60]!r}")
    return name


@lru_cache(maxsize=_CACHED)
def _parse_ldh(text: str) -> Name:
    name = _parse_name(text)
    if _HOSTNAME.fullmatch(name) is None:
        raise InvalidName(f"not a host name of two or more labels of letters, digits and inner hyphens: {text[:60]!r}")
    own = labels(name)
    if _NUMBER.fullmatch(own[-1]):
        raise InvalidName(f"an address, not a host name: {text[:60]!r}")
    return name


def _to_ascii(text: str) -> str:
    """Map what people type (UTS 46, non-transitional) and turn U-labels into A-labels (RFC 5891 section 4)."""
    import idna

    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        return ".".join(_to_a_label(label) for label in mapped.split("."))
    except ValueError as error:  # idna.IDNAError is one, and what Unicode's tables do not know is another
        raise InvalidName(f"not an IDNA 2008 name: {text[:60]!r}") from error


def _to_a_label(label: str) -> str:
    import idna

    if label.isascii():
        return label.lower()
    if len(label) > MAX_LABEL:  # an A-label is never shorter; refused before the costly part
        raise ValueError("label too long")
    return idna.alabel(label).decode("ascii")


def _get_u_label(label: str) -> str | None:
    """Return the U-label of a valid A-label: one that comes back from Unicode as it went (RFC 5891 section 5.4)."""
    import idna

    if not label.startswith("xn--"):
        return None
    try:
        u_label = idna.ulabel(label)
        return u_label if idna.alabel(u_label).decode("ascii") == label else None
    except ValueError:
        return None


def _why_not(name: str, text: str) -> str:
    """Say what is wrong with a name that `_NAME` does not match."""
    shown = repr(text[:60])
    if not name:
        return "empty name"
    if name.startswith(".") or ".." in name:
        return f"empty label: {shown}"
    if any(len(label) > MAX_LABEL for label in name.split(".")):
        return f"label longer than {MAX_LABEL} characters: {shown}"
    return f"character that no name may hold: {shown}"
