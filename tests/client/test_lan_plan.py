"""What `homing lan` decides: nothing that was not seen now, nothing of another link, nothing that is not allowed."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from homing.client.lan.leases import Lease
from homing.client.lan.neighbours import ANSWERED, OwnLink, OwnPrefix
from homing.client.lan.plan import hints, macs_of, missing, plan
from homing.core.addresses import parse_address
from homing.core.values import replace
from tests.client.lan_scenes import AIM, EUI64, LINK, MAC, OTHER, PREFIX, member, scene, sight

if TYPE_CHECKING:
    from homing.client.lan.neighbours import Sight
    from homing.client.lan.values import Aim, Member, Scene


def decide(one: Member, seen: Scene, aim: Aim = AIM) -> str | None:
    """Return the address that a member is set to, or None."""
    found = plan([one], seen, aim)
    return str(found.moves[0].address) if found.moves else None


def why(one: Member, seen: Scene, aim: Aim = AIM) -> str:
    found = plan([one], seen, aim)
    assert not found.moves
    return found.kept[0].reason


# --- who is seen


def test_a_machine_that_is_seen_is_set_and_one_that_is_not_keeps_its_name() -> None:
    assert decide(member(), scene(sight("192.168.1.7"))) == "192.168.1.7"
    assert "was not seen on eth0" in why(member(), scene(sight("192.168.1.7", OTHER)))
    assert "was not seen" in why(member(), scene(old=(sight("192.168.1.7", state="stale"),)))


def test_each_family_is_set_to_an_address_of_its_own() -> None:
    seen = scene(sight("192.168.1.7"), sight(f"2600:1:2:3:{EUI64}"))
    assert decide(member("A"), seen) == "192.168.1.7"
    assert decide(member("AAAA"), seen) == f"2600:1:2:3:{EUI64}"
    assert decide(member("AAAA"), scene(sight("192.168.1.7"))) is None


def test_an_address_of_another_link_or_network_is_never_set() -> None:
    assert decide(member(), scene(sight("10.0.0.7"))) is None
    assert decide(member(), scene(sight("192.168.1.7", link="eth1"))) is None
    assert decide(member("AAAA"), scene(sight("2600:9::7"))) is None
    assert decide(member("AAAA"), scene(sight(f"fe80::{EUI64}"))) is None


def test_an_address_that_two_machines_have_is_set_for_neither() -> None:
    seen = scene(sight("192.168.1.7"), sight("192.168.1.7", OTHER))
    assert why(member(), seen) == "another machine has its address too"


def test_a_mac_address_that_answers_for_everybody_is_not_believed() -> None:
    seen = scene(*(sight(f"192.168.1.{number}") for number in range(10, 20)))
    assert why(member(), seen) == f"{MAC} answers for 10 addresses"


def test_an_address_that_is_not_global_is_set_only_where_the_host_allows_it() -> None:
    closed = member(allow_internal=False)
    assert "192.168.1.7 is not global (Private-Use)" in why(closed, scene(sight("192.168.1.7")))
    assert decide(member(allow_internal=None), scene(sight("192.168.1.7"))) == "192.168.1.7"
    assert why(closed, scene()) == "192.168.1.0/24 is not global: homing host set NAME --allow-internal would allow it"
    assert why(closed, scene(links=(replace(LINK, networks=()),))) == "this link has no IPv4 network"
    overlay = replace(AIM, public_networks=(IPv4Network("192.168.0.0/16"),))
    assert decide(closed, scene(sight("192.168.1.7")), overlay) == "192.168.1.7"
    assert decide(member("AAAA", allow_internal=False), scene(sight("2600:1:2:3::7"))) == "2600:1:2:3::7"


def test_own_names_locked_ones_and_ones_without_a_mac_address_are_left_alone() -> None:
    seen = scene(sight("192.168.1.7"))
    assert "this machine's own" in why(member(hostname="me.home.example."), seen)
    assert why(member(is_locked=True), seen) == "locked"
    assert "no MAC address" in why(member(mac=None), seen)


# --- two addresses for one machine


def test_of_two_addresses_the_one_that_answers_is_taken() -> None:
    seen = scene(sight("192.168.1.7"), sight("192.168.1.9", state=ANSWERED))
    assert decide(member(address="192.168.1.7"), seen) == "192.168.1.9"


def test_of_two_addresses_the_leased_one_is_taken_then_the_one_that_it_has() -> None:
    seen = (sight("192.168.1.7"), sight("192.168.1.9"))
    lease = Lease(parse_address("192.168.1.9"), MAC, None)
    assert decide(member(address="192.168.1.7"), scene(*seen, leases=(lease,))) == "192.168.1.9"
    assert decide(member(address="192.168.1.9"), scene(*seen)) == "192.168.1.9"
    assert decide(member(), scene(*seen)) == "192.168.1.7"


def test_what_a_machine_made_of_its_mac_address_is_taken_before_a_privacy_address() -> None:
    seen = scene(sight("2600:1:2:3:5555::1", state=ANSWERED), sight(f"2600:1:2:3:{EUI64}"))
    assert decide(member("AAAA", address="2600:1:2:3:5555::1"), seen) == f"2600:1:2:3:{EUI64}"


def test_of_privacy_addresses_the_published_one_stays_as_long_as_it_is_seen() -> None:
    one, other = sight("2600:1:2:3:1111::1"), sight("2600:1:2:3:2222::1")
    assert decide(member("AAAA", address="2600:1:2:3:2222::1"), scene(one, other)) == "2600:1:2:3:2222::1"
    assert decide(member("AAAA", address="2600:1:2:3:2222::1"), scene(one)) == "2600:1:2:3:1111::1"


# --- prefixes


def link_of(*prefixes: tuple[str, int, bool]) -> OwnLink:
    return replace(LINK, prefixes=tuple(OwnPrefix(IPv6Network(text), left, gone) for text, left, gone in prefixes))


def test_a_prefix_that_is_on_its_way_out_is_not_set_any_more() -> None:
    link = link_of(("2600:2::/64", 1800, False), ("2600:1:2:3::/64", 0, True))
    seen = scene(sight(f"2600:1:2:3:{EUI64}"), links=(link,))
    assert decide(member("AAAA"), seen) is None
    both = scene(sight(f"2600:1:2:3:{EUI64}"), sight(f"2600:2::{EUI64}"), links=(link,))
    assert decide(member("AAAA"), both) == f"2600:2::{EUI64}"
    assert decide(member("AAAA", identifier=0xAA), seen) == "2600:2::aa"
    only = scene(links=(link_of(("2600:1:2:3::/64", 0, True)),))
    assert why(member("AAAA", identifier=0xAA), only) == "this link has no IPv6 prefix in use"


def test_two_routers_that_renew_in_turns_do_not_make_a_name_swing() -> None:
    for first, second in ((1800, 1700), (1700, 1800)):
        link = link_of(("2600:2::/64", first, False), ("2600:3::/64", second, False))
        seen = scene(sight("2600:2::7"), sight("2600:3::7"), links=(link,))
        assert decide(member("AAAA", address="2600:3::7"), seen) == "2600:3::7"
        assert decide(member("AAAA", address="2600:2::7"), seen) == "2600:2::7"
    link = link_of(("2600:2::/64", 86_400, False), ("2600:3::/64", 1800, False))
    seen = scene(sight("2600:2::7"), sight("2600:3::7"), links=(link,))
    assert decide(member("AAAA", address="2600:3::7"), seen) == "2600:2::7"


def test_a_global_prefix_comes_before_a_unique_local_one() -> None:
    link = link_of(("fd00:1::/64", 1 << 31, False), ("2600:2::/64", 1800, False))
    seen = scene(sight("fd00:1::7"), sight("2600:2::7"), links=(link,))
    assert decide(member("AAAA"), seen) == "2600:2::7"
    assert decide(member("AAAA", identifier=7), seen) == "2600:2::7"
    only_local = scene(sight("fd00:1::7"), links=(link_of(("fd00:1::/64", 1800, False)),))
    assert decide(member("AAAA"), only_local) == "fd00:1::7"
    assert "--allow-internal" in why(member("AAAA", identifier=7, allow_internal=False), only_local)


def test_an_interface_identifier_moves_a_machine_that_is_away() -> None:
    away = member("AAAA", mac=None, identifier=0x1234)
    assert decide(away, scene()) == "2600:1:2:3::1234"
    assert why(away, scene(links=(link_of(),))) == "this link has no IPv6 prefix in use"
    other = replace(AIM, prefix=IPv6Network("2600:abcd::/56"))
    assert decide(away, scene(links=()), other) == "2600:abcd::1234"


SITE, SUBNET, PART = "2600:1:2::/56", "2600:1:2:3::/64", "2600:1:2:3::7:0/112"


def test_an_interface_identifier_is_put_into_no_network_that_it_does_not_fit() -> None:
    away = member("AAAA", mac=None, identifier=0x0211_22FF_FE33_4455)
    for order in ((PART, SUBNET), (SUBNET, PART)):
        link = link_of(*((text, 9000 - place, False) for place, text in enumerate(order)))
        assert decide(away, scene(links=(link,))) == f"2600:1:2:3:{EUI64}"
        assert decide(replace(away, identifier=5), scene(links=(link,))) == "2600:1:2:3::5"
    only = scene(links=(link_of((PART, 9000, False)),))
    assert why(away, only) == f"its interface identifier does not fit into {PART}"
    assert decide(replace(away, identifier=5), only) == "2600:1:2:3::7:5"
    assert "does not fit" in why(away, scene(), replace(AIM, prefix=IPv6Network(PART)))


def test_a_sites_prefix_on_the_link_is_no_subnet_of_it() -> None:
    away = member("AAAA", mac=None, identifier=0x1234)
    link = link_of((SITE, 9000, False), (SUBNET, 600, False))
    assert decide(away, scene(links=(link,))) == "2600:1:2:3::1234"
    where = hints(member("AAAA"), MAC, scene(links=(link,)), AIM)
    assert [str(address) for _, address in where] == [f"2600:1:2:3:{EUI64}"]


def test_another_prefix_needs_the_identifier_to_be_seen() -> None:
    other = replace(AIM, prefix=IPv6Network("2600:abcd::/64"))
    assert decide(member("AAAA"), scene(sight(f"fe80::{EUI64}")), other) == f"2600:abcd::{EUI64}"
    assert decide(member("AAAA"), scene(sight("2600:1:2:3:1111::1")), other) is None
    assert decide(member("AAAA"), scene(), replace(other, eui64=True)) == f"2600:abcd::{EUI64}"


def test_eui64_is_believed_unseen_only_if_the_owner_says_so() -> None:
    assert decide(member("AAAA"), scene()) is None
    assert decide(member("AAAA"), scene(), replace(AIM, eui64=True)) == f"2600:1:2:3:{EUI64}"
    assert decide(member("A"), scene(), replace(AIM, eui64=True)) is None


# --- leases


def test_a_lease_tells_the_mac_address_of_a_name_unless_two_claim_it() -> None:
    unknown = member(mac=None, hostname="cam.home.example.")
    lease = Lease(parse_address("192.168.1.7"), MAC, "cam")
    assert decide(unknown, scene(sight("192.168.1.7"), leases=(lease,))) == "192.168.1.7"
    twice = (lease, Lease(parse_address("192.168.1.8"), OTHER, "cam"))
    assert macs_of([unknown], twice) == {}
    assert macs_of([unknown, member(mac=None, hostname="cam.other.example.")], (lease,)) == {}
    assert macs_of([member(mac=OTHER)], (lease,)) == {"cam.home.example.": OTHER}


def test_a_lease_alone_sets_nothing() -> None:
    lease = Lease(parse_address("192.168.1.7"), MAC, "cam")
    assert decide(member(), scene(leases=(lease,))) is None


# --- whom to look for, and where


def test_only_those_are_looked_for_whom_looking_could_help() -> None:
    seen = scene(sight("192.168.1.7"))
    assert missing([member()], seen, AIM) == ()
    assert missing([member(mac=OTHER)], seen, AIM)[0][1] == OTHER
    for one in (member(mac=None), member(hostname="me.home.example."), member(is_locked=True),
                member(mac=OTHER, allow_internal=False), member("AAAA", identifier=7)):  # fmt: skip
        assert missing([one], seen, AIM) == ()


def test_who_is_seen_in_the_wrong_prefix_or_in_two_places_is_looked_for() -> None:
    link = link_of(("2600:2::/64", 86_400, False), ("2600:1:2:3::/64", 600, False))
    assert missing([member("AAAA")], scene(sight(f"2600:1:2:3:{EUI64}"), links=(link,)), AIM)
    assert not missing([member("AAAA")], scene(sight(f"2600:2::{EUI64}"), links=(link,)), AIM)
    assert missing([member()], scene(sight("192.168.1.7"), old=(sight("192.168.1.9", state="stale"),)), AIM)
    assert missing([member()], scene(sight("192.168.1.7"), sight("192.168.1.9")), AIM)
    assert not missing([member()], scene(sight("192.168.1.7", state=ANSWERED), sight("192.168.1.9")), AIM)


def test_hints_are_old_entries_leases_and_what_a_machine_would_make_itself_all_of_this_link() -> None:
    leases = (Lease(parse_address("192.168.1.8"), MAC, None), Lease(parse_address("10.0.0.8"), MAC, None))
    old = (sight("192.168.1.7", state="stale"), sight("192.168.1.70", OTHER, "stale"))
    where = hints(member(address="192.168.1.9"), MAC, scene(leases=leases, old=old), AIM)
    assert [str(address) for _, address in where] == ["192.168.1.7", "192.168.1.8", "192.168.1.9"]
    where = hints(member("AAAA", address="2600:9::1234"), MAC, scene(), AIM)
    assert [str(address) for _, address in where] == [f"2600:1:2:3:{EUI64}", "2600:1:2:3::1234"]
    where = hints(member("AAAA"), MAC, scene(), replace(AIM, prefix=IPv6Network("2600:abcd::/64")))
    assert [str(address) for _, address in where] == [f"fe80::{EUI64}"]


# --- whatever is there

_ADDRESSES = st.sampled_from(
    ["192.168.1.1", "192.168.1.7", "192.168.1.255", "10.0.0.1", "169.254.1.1", "127.0.0.1", "8.8.8.8", "224.0.0.1",
     "2600:1:2:3::7", f"2600:1:2:3:{EUI64}", "2600:1:2:4::7", "fe80::7", f"fe80::{EUI64}", "fd00::7", "ff02::1", "::1"]
)  # fmt: skip
_SIGHTS = st.builds(sight, _ADDRESSES, st.sampled_from([MAC, OTHER]), st.sampled_from(["reachable", "stale", ANSWERED]),
                    st.sampled_from(["eth0", "eth1"]))  # fmt: skip
_MEMBERS = st.builds(
    member,
    st.sampled_from(["A", "AAAA"]),
    hostname=st.sampled_from(["cam.home.example.", "me.home.example.", "nas.home.example."]),
    mac=st.sampled_from([MAC, OTHER, None]),
    identifier=st.none(),
    allow_internal=st.sampled_from([True, False, None]),
    is_locked=st.booleans(),
)


@given(st.lists(_MEMBERS, max_size=5), st.lists(_SIGHTS, max_size=8), st.lists(_SIGHTS, max_size=4))
def test_whatever_is_seen_only_what_is_fresh_and_of_this_link_is_set(
    members: list[Member], fresh: list[Sight], old: list[Sight]
) -> None:
    seen = scene(*fresh, old=tuple(old))
    found = plan(members, seen, AIM)
    assert len(found.moves) + len(found.kept) == len(members)
    for move in found.moves:
        macs = {one.mac for one in members if one.hostname == move.member.hostname}
        assert any(one.address == move.address and one.mac in macs and one.link == "eth0" for one in fresh)
        assert move.address in (LINK.networks[0] if move.address.version == 4 else PREFIX)
        assert move.member.hostname != "me.home.example."
        assert not move.member.is_locked
    assert all(one.reason for one in found.kept)
    assert all(one.mac in (None, mac) for one, mac in missing(members, seen, AIM))
