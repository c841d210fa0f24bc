"""Neighbour tables and lease files as they are found: other systems' words, contradictions, files half written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.client.lan.leases import parse_leases, read_leases
from homing.client.lan.neighbour_texts import parse_arp, parse_ndp
from homing.client.lan.neighbours import Sight, make_reading
from homing.core.addresses import parse_address
from homing.core.errors import InvalidInput
from tests.client.test_leases import DNSMASQ, ISC, ISC6, KEA4, KEA6, LATER, MAC, NOW
from tests.client.test_neighbours import HERE, near, snapshot

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "00:11:22:33:44:66"

# OpenBSD 7 prints a table; an entry that waits for an answer has no MAC address, an old one has "expired".
OPENBSD_ARP = """\
Host                                 Ethernet Address    Netif Expire    Flags
100.64.1.2                           fe:e1:ba:d0:39:14    vio0 17m38s
100.64.1.3                           FE:E1:BB:D1:72:DC    vio0 permanent l
192.168.66.32                        (incomplete)          em0 expired
192.168.66.33                        00:11:22:33:44:55     em0 expired
10.0.0.1                             00:50:56:ab:cd:ef    em1  (incomplete)
router.example.com                   00:50:56:ab:cd:ef    em1  19m55s
"""
OPENBSD_NDP = """\
Neighbor                                Linklayer Address   Netif Expire    S Flags
2001:db8::1                             fe:e1:ba:d0:39:14    vio0 23h59m58s S R
fe80::fce1:baff:fed0:3914%vio0          fe:e1:ba:d0:39:14    vio0 8s        R R
2001:db8::2                             (incomplete)         vio0 1s        I
"""
MACOS_NDP = """\
Neighbor                                Linklayer Address  Netif Expire    St Flgs Prbs
2001:db8:1763:4351::1000                de:cb:f1:62:24:68    en0 permanent R
fe80::1%lo0                             (incomplete)         lo0 permanent R
fe80::1234:5678:abcd:ef01%en0           (incomplete)         en0 expired   N
fe80::1807:d761:578a:6885%en0           42:6c:f:e9:a8:65     en0 21h58m44s S
240d:f:a5a:1400:edc:91ff:fea2:4db1      c:dc:91:a2:4d:b1    en10 23h56m56s S
fe80::1:2:3:4%en10                      74:6:35:cd:81:88    en10 4s        R  R
ff02::1%en0                             33:33:0:0:0:1        en0 permanent R
"""
FREEBSD_ARP = """\
router.lan (192.168.1.1) at 00:11:22:33:44:55 on vtnet1_vlan10 expires in 1199 seconds [vlan]
? (192.168.1.99) at (incomplete) on em0 expired [ethernet]
? (192.168.1.98) at (incomplete) on em0 [ethernet]
? (192.168.1.97) at 00:11:22:33:44:66 on em0 expired [ethernet]
"""
LINUX_ARP = """\
_gateway (192.168.1.1) at 00:11:22:33:44:55 [ether] on eth0
? (192.168.1.5) at <incomplete> on eth0
? (192.168.1.6) at <from_interface> PERM PUB on eth0
? (192.168.1.7) at 00:11:22:33:44:66 [ether] PUP on wlan0.5
Address                  HWtype  HWaddress           Flags Mask            Iface
192.168.1.8              ether   00:11:22:33:44:77   C                     eth0
"""
WINDOWS_ARP = """\

Interface: 192.168.66.16 --- 0x6
  Internet Address      Physical Address      Type
  192.168.66.1          00-e2-69-3e-73-e6     dynamic
  192.168.66.255        ff-ff-ff-ff-ff-ff     static
"""


def rows(text: str) -> list[tuple[str, str, str, str]]:
    return [(one.link, str(one.address), one.mac, one.state) for one in (*parse_arp(text), *parse_ndp(text))]


# --- other systems' words


def test_openbsd_prints_a_table_where_others_print_sentences() -> None:
    assert rows(OPENBSD_ARP)[:2] == [
        ("vio0", "100.64.1.2", "fe:e1:ba:d0:39:14", "stale"),
        ("vio0", "100.64.1.3", "fe:e1:bb:d1:72:dc", "permanent"),
    ]
    told = {(one.link, str(one.address)) for one in parse_arp(OPENBSD_ARP)}
    assert told == {("vio0", "100.64.1.2"), ("vio0", "100.64.1.3")}
    assert rows(OPENBSD_NDP) == [
        ("vio0", "2001:db8::1", "fe:e1:ba:d0:39:14", "stale"),
        ("vio0", "fe80::fce1:baff:fed0:3914", "fe:e1:ba:d0:39:14", "reachable"),
    ]


def test_macos_leaves_out_zeros_and_lists_what_is_no_neighbour() -> None:
    assert rows(MACOS_NDP)[1:4] == [
        ("en0", "fe80::1807:d761:578a:6885", "42:6c:0f:e9:a8:65", "stale"),
        ("en10", "240d:f:a5a:1400:edc:91ff:fea2:4db1", "0c:dc:91:a2:4d:b1", "stale"),
        ("en10", "fe80::1:2:3:4", "74:06:35:cd:81:88", "reachable"),
    ]
    assert not any("incomplete" in word for row in rows(MACOS_NDP) for word in row)


def test_freebsd_names_hosts_and_vlans_and_keeps_expired_entries_for_a_while() -> None:
    assert rows(FREEBSD_ARP) == [
        ("vtnet1_vlan10", "192.168.1.1", MAC, "reachable"),
        ("em0", "192.168.1.97", OTHER, "stale"),
    ]


def test_linux_in_both_of_its_shapes() -> None:
    assert rows(LINUX_ARP) == [("eth0", "192.168.1.1", MAC, "stale"), ("wlan0.5", "192.168.1.7", OTHER, "stale")]


def test_what_windows_prints_tells_nothing_rather_than_something_wrong() -> None:
    assert rows(WINDOWS_ARP) == []


# --- contradictions


def test_an_address_that_two_machines_claim_is_nobodys() -> None:
    for states in (("stale", "stale"), ("reachable", "stale"), ("reachable", "reachable")):
        table = [near("192.168.1.7", MAC, states[0]), near("192.168.1.7", OTHER, states[1]), near("192.168.1.8")]
        assert [str(one.address) for one in make_reading(snapshot(*HERE), table).sights] == ["192.168.1.8"]


def test_an_entry_that_stands_there_twice_is_one_and_as_good_as_the_better_of_them() -> None:
    for states in (("stale", "reachable"), ("reachable", "stale")):
        table = [near("192.168.1.7", text, state) for text, state in zip((MAC, MAC.upper()), states, strict=True)]
        sights = make_reading(snapshot(*HERE), table).sights
        assert sights == (Sight("eth0", parse_address("192.168.1.7"), MAC, "reachable"),)


def test_two_addresses_of_one_machine_are_two_sights_and_no_machine_has_a_groups_mac_address() -> None:
    table = [
        near("192.168.1.7"), near("192.168.1.8"), near("fe80::7"), near("192.168.1.9", "ff:ff:ff:ff:ff:ff"),
        near("192.168.1.10", "33:33:00:00:00:01"), near("192.168.1.11", "00:00:00:00:00:00"),
        near("192.168.1.12", "00-11-22-33-44-55"), near("192.168.1.13", "0:11:22:33:44:55"),
    ]  # fmt: skip
    found = [(str(one.address), one.mac) for one in make_reading(snapshot(*HERE), table).sights]
    assert found[:3] == [("192.168.1.7", MAC), ("192.168.1.8", MAC), ("fe80::7", MAC)]
    assert all(mac == MAC for _, mac in found)


@given(st.text(max_size=200), st.sampled_from([OPENBSD_ARP, OPENBSD_NDP, MACOS_NDP, LINUX_ARP, WINDOWS_ARP]),
       st.integers(0, 400))  # fmt: skip
def test_whatever_is_printed_between_it_is_read_or_left_out(junk: str, whole: str, at: int) -> None:
    for link, address, mac, _ in rows(whole[:at] + junk + whole[at:]):
        assert link
        assert str(parse_address(address)) == address
        assert len(mac) == 17
        assert mac == mac.lower()


# --- lease files


@pytest.mark.parametrize("whole", [DNSMASQ, KEA4, KEA6], ids=["dnsmasq", "Kea", "Kea for IPv6"])
def test_a_line_that_is_being_written_is_not_read_yet(whole: str) -> None:
    """Half a name is another name, and half an address another machine's."""
    lines = whole.splitlines(keepends=True)
    for number, line in enumerate(lines):
        before = parse_leases("".join(lines[:number]), NOW)
        for length in range(1, len(line)):
            assert parse_leases("".join(lines[:number]) + line[:length], NOW) == before


@pytest.mark.parametrize("whole", [ISC, ISC6], ids=["ISC", "ISC for IPv6"])
def test_a_block_that_is_being_written_takes_nothing_away_but_its_own(whole: str) -> None:
    known = {(one.address, one.hostname, one.mac) for one in parse_leases(whole, NOW)}
    for length in range(len(whole)):
        found = {(one.address, one.hostname, one.mac) for one in parse_leases(whole[:length], NOW)}
        assert found <= known | {(parse_address("192.168.1.7"), None, MAC)}


@pytest.mark.parametrize("whole", [DNSMASQ, KEA4, KEA6, ISC, ISC6])
def test_another_end_of_lines_is_the_same_file(whole: str) -> None:
    assert parse_leases(whole.replace("\n", "\r\n"), NOW) == parse_leases(whole, NOW)


def test_a_state_in_the_last_column_is_read_before_another_end_of_lines_too() -> None:
    """Kea for IPv6 has it there; 1 is declined, 2 is expired and reclaimed."""
    for state in (1, 2):
        text = KEA6.replace("cam,,0\n", f"cam,,{state}\n").replace("\n", "\r\n")
        assert [str(one.address) for one in parse_leases(text, NOW)] == ["2001:db8::8"]


KEA_HEAD, KEA_LINE = KEA4.splitlines()[0], "{},00:11:22:33:44:55,,3600,{},1,0,0,{},0,,0\n"


@pytest.mark.parametrize("name", ['"evil', "'x", "a&#x2c;b", "x\u2028192.168.1.99", "x\x0b192.168.1.99", "x\x85", "\0"])
def test_what_a_machine_calls_itself_hides_no_other_and_makes_none_up(name: str) -> None:
    kea = f"{KEA_HEAD}\n" + KEA_LINE.format("192.168.1.7", LATER, name) + KEA_LINE.format("192.168.1.8", LATER, "cam")
    dnsmasq = f"{LATER} {MAC} 192.168.1.7 {name} *\n{LATER} {OTHER} 192.168.1.8 cam *\n"
    for text in (kea, dnsmasq):
        found = {str(one.address): one.hostname for one in parse_leases(text, NOW)}
        assert set(found) == {"192.168.1.7", "192.168.1.8"}
        assert found == {"192.168.1.7": None, "192.168.1.8": "cam"}


def test_a_row_that_was_torn_takes_no_lease_away() -> None:
    torn = KEA4 + "192.168.1.7,00:11:22:33:44:55,01:00\n"
    assert parse_leases(torn, NOW) == parse_leases(KEA4, NOW)


def test_isc_leases_that_were_abandoned_released_or_have_ended_are_none() -> None:
    blocks = "".join(
        f"lease 192.168.1.{number} {{\n  ends 6 {year}/11/21 22:00:00;\n  binding state {state};\n"
        f"  hardware ethernet {MAC};\n}}\n"
        for number, (state, year) in enumerate(
            [("abandoned", 2027), ("free", 2027), ("released", 2027), ("backup", 2027), ("active", 2025),
             ("active", 2027), ("expired", 2027)]
        )
    )  # fmt: skip
    assert [str(one.address) for one in parse_leases(blocks, NOW)] == ["192.168.1.5"]
    assert parse_leases(blocks + blocks.replace("state active", "state released"), NOW) == ()


def test_a_file_that_holds_no_leases_names_itself_and_the_line(tmp_path: Path) -> None:
    file = tmp_path / "leases"
    for content in (b"\xff\xfe\0\0\n", b"<html>\n", b'{"leases": []}\n'):
        file.write_bytes(b"# a comment\n\n" + content)
        with pytest.raises(InvalidInput, match=r"leases: line 3: expected the leases"):
            read_leases(file, NOW)
    file.write_bytes(b"x" * (16 * 1024 * 1024 + 1))
    with pytest.raises(InvalidInput, match="longer than"):
        read_leases(file, NOW)
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        read_leases(tmp_path, NOW)


def _isc(number: int) -> str:
    end = "  ends 6 2027/11/21 22:00:00;\n  binding state active;\n"
    return f'lease {_ip(number)} {{\n{end}  hardware ethernet {MAC};\n  client-hostname "h{number}";\n}}\n'


def _ip(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@pytest.mark.parametrize("server", ["dnsmasq", "Kea", "ISC"])
def test_a_hundred_thousand_lines_take_seconds_at_most(server: str) -> None:
    match server:
        case "dnsmasq":
            count, text = 100_000, "".join(f"{LATER} {MAC} {_ip(n)} h{n} *\n" for n in range(100_000))
        case "Kea":
            lines = [KEA_LINE.format(_ip(n), LATER, f"h{n}") for n in range(100_000)]
            count, text = 100_000, f"{KEA_HEAD}\n" + "".join(lines)
        case _:
            count, text = 16_000, "".join(_isc(n) for n in range(16_000))
    begun = time.monotonic()
    assert len(parse_leases(text, NOW)) == count
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    "text",
    [
        "lease 10.0.0.1 {\n" + "x" * 3_000_000 + "\n", 'lease 10.0.0.1 { "\n' * 100_000,
        "lease 10.0.0.1 {\n" * 100_000, 'ia-na "x" {\n' * 100_000, 'ia-na "' + "\\" * 1_000_000 + "\n",
        'lease 1.1.1.1 {"' + "\\" * 1_000_000 + "\n", "lease 10.0.0.1 {\n" + "a " * 1_000_000 + "\n}\n",
        "lease 10.0.0.1 {\n a" + " " * 1_000_000 + "\n}\n", "lease 10.0.0.1 {\n" + "a a;" * 200_000 + "\n}\n",
    ],
    ids=range(9),
)  # fmt: skip
def test_a_file_that_was_made_to_be_slow_is_not(text: str) -> None:
    begun = time.monotonic()
    parse_leases(text, NOW)
    assert time.monotonic() - begun < 20
