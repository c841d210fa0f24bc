"""DHCP leases of three servers, as their files hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.client.lan.leases import Lease, mac_of_duid, parse_leases, read_leases
from homing.core.addresses import parse_address
from homing.core.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_240_000.0
LATER, BEFORE = int(NOW) + 600, int(NOW) - 600
MAC = "00:11:22:33:44:55"

DNSMASQ = f"""\
{LATER} 00:11:22:33:44:55 192.168.1.7 Cam 01:00:11:22:33:44:55
{BEFORE} 00:11:22:33:44:66 192.168.1.8 old *
0 06-00:11:22:33:44:77 192.168.1.9 * *
broken line
duid 00:01:00:01:2c:00:00:00:00:11:22:33:44:99
{LATER} 1122867 2001:db8::7 cam 00:01:00:01:2c:00:00:00:00:11:22:33:44:55
{LATER} T1122868 2001:db8::8 * 00:02:00:00:ab:11
"""

KEA4 = f"""\
address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
192.168.1.7,00:11:22:33:44:55,,3600,{LATER},1,0,0,old-name,0,,0
192.168.1.7,00:11:22:33:44:55,01:00:11,3600,{LATER},1,0,0,cam.home.example.,0,,0
192.168.1.8,00:11:22:33:44:66,,3600,{LATER},1,0,0,gone,0,,0
192.168.1.8,00:11:22:33:44:66,,0,{LATER},1,0,0,gone,2,,0
192.168.1.9,00:11:22:33:44:77,,3600,{BEFORE},1,0,0,,0,,0
192.168.1.10,00:11:22:33:44:88,,4294967295,{BEFORE},1,0,0,,0,,0
192.168.1.11,00:11:22:33:44:99,,3600,{LATER},1,0,0,declined,1,,0
192.168.1.12,00:11:22:33:44:99,,0,{LATER},1,0,0,removed,0,,0
"""

KEA6 = f"""\
address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state
2001:db8::7,00:03:00:01:00:11:22:33:44:55,3600,{LATER},1,1800,0,7,128,0,0,cam,,0
2001:db8:1::,00:03:00:01:00:11:22:33:44:55,3600,{LATER},1,1800,2,7,56,0,0,,,0
2001:db8::8,00:02:00:00:ab:11,3600,{LATER},1,1800,0,7,128,0,0,,00:11:22:33:44:66,0
"""

ISC = r"""
# The format of this file is documented in the dhcpd.leases(5) manual page.
authoring-byte-order little-endian;
lease 192.168.1.7 {
  starts 4 2026/11/19 10:00:00;
  ends 4 2026/11/19 22:00:00;
  binding state active;
  hardware ethernet 00:11:22:33:44:55;
}
lease 192.168.1.7 {
  starts 6 2026/11/21 10:00:00;
  ends 6 2027/11/21 22:00:00;
  cltt 6 2026/11/21 10:00:00;
  binding state active;
  next binding state free;
  hardware ethernet 00:11:22:33:44:55;
  uid "\001\000\021\"3DU";
  set vendor-class-identifier = "x;y}";
  client-hostname "Cam";
}
lease 192.168.1.8 { binding state free; hardware ethernet 00:11:22:33:44:66; ends never; }
lease 192.168.1.9 {
  ends never;
  binding state active;
  hardware ethernet 00:11:22:33:44:77;
}
lease 192.168.1.10 {
  ends epoch 1; # Thu Jan 1
  binding state active;
}
"""

ISC6 = r"""
ia-na "\007\000\000\000\000\003\000\001\000\021\"3DU" {
  cltt 6 2026/11/21 10:00:00;
  iaaddr 2001:db8::7 {
    binding state active;
    preferred-life 1800;
    max-life 3600;
    ends 6 2027/11/21 22:00:00;
  }
}
"""


def lease(address: str, mac: str | None, hostname: str | None, expires: int | None = LATER) -> Lease:
    return Lease(parse_address(address), mac, hostname, expires)


def test_dnsmasq() -> None:
    assert parse_leases(DNSMASQ, NOW) == (
        lease("192.168.1.7", MAC, "cam"),
        lease("192.168.1.9", "00:11:22:33:44:77", None, None),
        lease("2001:db8::7", MAC, "cam"),
        lease("2001:db8::8", None, None),
    )


def test_kea_counts_the_last_line_of_an_address() -> None:
    assert parse_leases(KEA4, NOW) == (
        lease("192.168.1.7", MAC, "cam"),
        lease("192.168.1.10", "00:11:22:33:44:88", None, None),
    )


def test_kea_for_ipv6_has_addresses_and_no_prefixes() -> None:
    assert parse_leases(KEA6, NOW) == (
        lease("2001:db8::7", MAC, "cam"),
        lease("2001:db8::8", "00:11:22:33:44:66", None),
    )


def test_isc_counts_the_last_block_of_an_address() -> None:
    assert parse_leases(ISC, NOW) == (
        lease("192.168.1.7", MAC, "cam", 1_826_834_400),
        lease("192.168.1.9", "00:11:22:33:44:77", None, None),
    )


def test_isc_for_ipv6_knows_the_mac_address_of_the_duid() -> None:
    assert parse_leases(ISC6, NOW) == (lease("2001:db8::7", MAC, None, 1_826_834_400),)


def test_what_is_no_lease_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "leases"
    file.write_text("\n# nothing\n<html>\n")
    with pytest.raises(InvalidInput, match=r"leases: line 3: expected the leases of dnsmasq, Kea \(CSV\) or ISC dhcpd"):
        read_leases(file, NOW)
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        read_leases(tmp_path / "none", NOW)
    file.write_bytes(b"")
    assert read_leases(file, NOW) == ()


def test_only_an_ethernet_duid_tells_a_mac_address() -> None:
    assert mac_of_duid(bytes.fromhex("00030001001122334455")) == MAC
    assert mac_of_duid(bytes.fromhex("000100012c000000001122334455")) == MAC
    for text in ("", "0003", "00030006001122334455", "0002000000ab", "0003000100112233445566"):
        assert mac_of_duid(bytes.fromhex(text)) is None


@given(st.text(max_size=400), st.sampled_from(["", DNSMASQ, KEA4, KEA6, ISC, ISC6]), st.integers(0, 400))
def test_whatever_is_in_the_middle_of_a_file_it_is_read_or_refused(junk: str, whole: str, at: int) -> None:
    try:
        found = parse_leases(whole[:at] + junk + whole[at:], NOW)
    except InvalidInput as error:
        assert "expected the leases" in str(error)  # noqa: PT017 - what comes of it is one or the other
        return
    assert len({one.address for one in found}) == len(found)
    assert all(one.expires is None or one.expires > NOW for one in found)


@given(st.binary(max_size=300))
def test_any_bytes_are_no_reason_to_crash(data: bytes) -> None:
    mac_of_duid(data)
