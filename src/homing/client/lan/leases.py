"""DHCP leases as a file holds them: which machine (MAC) was given which address, and what it calls itself.

Read from dnsmasq's lease file, Kea's memfile (CSV, `lease4` and `lease6`) and ISC dhcpd's `dhcpd.leases`; which of them
it is, the text tells. A lease says where to look for a machine, never that it is there. Lines that cannot be read are
left out, and so is the last one while it has no end: the server that writes the file may be in the middle of it, and
half a name is another name. What a machine calls itself is its own choice, and must not hide the others.
"""

from __future__ import annotations

import calendar
import re
import time
from typing import TYPE_CHECKING

from homing.client.texts import get_address, get_mac
from homing.core.errors import InvalidInput
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from homing.core.addresses import Address

MAX_BYTES = 16 * 1024 * 1024
"""A longer file is refused: no home has so many leases."""

_EXPECTED = "expected the leases of dnsmasq, Kea (CSV) or ISC dhcpd"
_NUMBER = re.compile(r"[0-9]{1,15}")
_INFINITE = 0xFFFFFFFF
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ASSIGNED = "0"
_ADDRESS_LEASE = "0"  # IA_NA; the others are temporary addresses and whole prefixes
_OCTAL = re.compile(r"\\([0-7]{1,3})|\\(.)|([^\\])", re.DOTALL)
_ISC_LINE = re.compile(r"\s*(?:lease|ia-na|server-duid|authoring-byte-order)\s.*")
_LEASE_BLOCK = re.compile(r'^[ \t]*lease[ \t]+([0-9.]+)[ \t]*\{((?:[^{}"]++|"(?:[^"\\]|\\.)*+")*+)\}', re.MULTILINE)
_IA_BLOCK = re.compile(r'^[ \t]*ia-na[ \t]+"((?:[^"\\]|\\.)*+)"[ \t]*\{((?:[^{}]++|\{[^{}]*+\})*+)\}', re.MULTILINE)
_IA_ADDRESS = re.compile(r"iaaddr[ \t]+([0-9a-fA-F:.]+)[ \t]*\{([^{}]*)\}")
_STATEMENT = re.compile(
    r'(?:^|(?<=;))[ \t]*+([a-z][a-z -]{0,60}?)[ \t]++("(?:[^"\\]|\\.)*+"|[^;{}"\n]{0,1000}+);', re.MULTILINE
)
_DATE = re.compile(r"[0-6][ \t]+([0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})")
_EPOCH = re.compile(r"epoch[ \t]+([0-9]{1,15})")


@frozen
class Lease:
    """One address that a machine was given."""

    address: Address
    mac: str | None
    hostname: str | None
    """The first label of what the machine calls itself, in lower case."""
    expires: int | None = None
    """Seconds since 1970; None is never."""


def read_leases(path: Path, now: float) -> tuple[Lease, ...]:
    """Return the leases of a file that are valid at `now` (seconds since 1970). Raises InvalidInput."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"{path}: longer than {MAX_BYTES} bytes; {_EXPECTED}")
    try:
        return parse_leases(data.decode("utf-8", "replace"), now)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None


def parse_leases(text: str, now: float) -> tuple[Lease, ...]:
    """Return the valid leases in a text; of several for one address the last counts. Raises InvalidInput."""
    whole = text.replace("\r\n", "\n").split("\n")[:-1]  # of all that may end a line, only this does in these files
    lines = [line for line in whole if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return ()
    if lines[0].startswith("address,"):
        found = _kea(lines)
    elif any(_ISC_LINE.fullmatch(line) for line in lines):
        found = _isc("\n".join(whole))
    elif len(lines[0].split()) >= 4 or lines[0].startswith("duid "):
        found = _dnsmasq(lines)
    else:
        raise InvalidInput(f"line {whole.index(lines[0]) + 1}: {_EXPECTED}")
    last: dict[Address, Lease | None] = dict(found)
    valid = [one for one in last.values() if one is not None and (one.expires is None or one.expires > now)]
    return tuple(valid)


def mac_of_duid(duid: bytes) -> str | None:
    """Return the MAC address that a DUID was made of: DUID-LLT or DUID-LL of Ethernet (RFC 8415 section 11)."""
    kind, hardware = duid[:2], duid[2:4]
    if hardware != b"\0\1":
        return None
    raw = duid[8:] if kind == b"\0\1" else duid[4:] if kind == b"\0\3" else b""
    return raw.hex(":") if len(raw) == 6 else None


# --- dnsmasq: expiry, MAC, address, name, client id; for IPv6 expiry, IAID, address, name, DUID


def _dnsmasq(lines: list[str]) -> Iterator[tuple[Address, Lease | None]]:
    for line in lines:
        words = [word for word in line.split(" ") if word]
        if len(words) < 4 or not _NUMBER.fullmatch(words[0]):
            continue
        address = get_address(words[2])
        if address is None:
            continue
        expires = int(words[0]) or None
        if address.version == 4:
            mac = get_mac(words[1].rpartition("-")[2] if "-" in words[1] and ":" in words[1] else words[1])
        else:
            mac = mac_of_duid(_hex(words[4] if len(words) > 4 else ""))
        yield address, Lease(address, mac, _hostname(words[3]), expires)


# --- Kea: https://kea.readthedocs.io/en/latest/arm/dhcp4-srv.html, "Memfile"


def _kea(lines: list[str]) -> Iterator[tuple[Address, Lease | None]]:
    """Each change is a line of its own; a lifetime of zero takes a lease away. Commas in values are escaped."""
    names = lines[0].split(",")
    for line in lines[1:]:
        fields = dict(zip(names, line.split(","), strict=False))
        address = get_address(fields.get("address", ""))
        if "state" in names and "state" not in fields:
            continue  # torn
        if address is None or fields.get("lease_type", _ADDRESS_LEASE) != _ADDRESS_LEASE:
            continue
        expires, lifetime = fields.get("expire", ""), fields.get("valid_lifetime", "")
        is_held = fields.get("state", _ASSIGNED) == _ASSIGNED and lifetime.strip("0") != ""
        if not is_held or not _NUMBER.fullmatch(expires):
            yield address, None
            continue
        mac = get_mac(fields.get("hwaddr", "")) or mac_of_duid(_hex(fields.get("duid", "")))
        is_endless = _NUMBER.fullmatch(lifetime) is not None and int(lifetime) == _INFINITE
        yield address, Lease(address, mac, _hostname(fields.get("hostname", "")), None if is_endless else int(expires))


# --- ISC dhcpd: dhcpd.leases(5)


def _isc(text: str) -> Iterator[tuple[Address, Lease | None]]:
    text = re.sub(r"^[ \t]*#.*$", "", text, flags=re.MULTILINE)
    for block in _LEASE_BLOCK.finditer(text):
        address, said = get_address(block[1]), _statements(block[2])
        if address is not None:
            mac = get_mac(said.get("hardware ethernet", ""))
            yield address, _isc_lease(address, mac, said)
    for block in _IA_BLOCK.finditer(text):
        mac = mac_of_duid(_unescape(block[1])[4:])  # the IAID stands before the DUID
        for inner in _IA_ADDRESS.finditer(block[2]):
            address = get_address(inner[1])
            if address is not None:
                yield address, _isc_lease(address, mac, _statements(inner[2]))


def _isc_lease(address: Address, mac: str | None, said: Mapping[str, str]) -> Lease | None:
    if said.get("binding state", "active") != "active":
        return None
    ends = said.get("ends", "never")
    expires = _isc_time(ends)
    if expires is None and ends != "never":
        return None
    return Lease(address, mac, _hostname(said.get("client-hostname", "")), expires)


def _isc_time(text: str) -> int | None:
    if found := _EPOCH.search(text):
        return int(found[1])
    if found := _DATE.fullmatch(text):
        try:
            return calendar.timegm(time.strptime(found[1], "%Y/%m/%d %H:%M:%S"))
        except ValueError:
            return None
    return None


def _statements(body: str) -> dict[str, str]:
    """Return the statements of a block: `binding state active;` is "binding state" and "active"."""
    found = {}
    for name, value in _STATEMENT.findall(body):
        words = f"{name} {value}".split() if not value.startswith('"') else [name, value[1:-1]]
        two = words[:2] in (["hardware", "ethernet"], ["binding", "state"])
        found[" ".join(words[:2]) if two else words[0]] = " ".join(words[2:] if two else words[1:])
    return found


def _unescape(text: str) -> bytes:
    """Return the bytes of a string in which what is not printable stands in octal."""
    whole = b""
    for octal, escaped, plain in _OCTAL.findall(text):
        whole += bytes([int(octal, 8) & 0xFF]) if octal else (escaped or plain).encode("utf-8", "replace")
    return whole


# --- what they share


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(":", ""))
    except ValueError:
        return b""


def _hostname(text: str) -> str | None:
    label = text.partition(".")[0].lower()
    return label if _LABEL.fullmatch(label) else None
