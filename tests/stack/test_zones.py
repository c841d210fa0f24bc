"""Which zone is meant: the one public zone of a name, a new one where there is none, and else a person has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.core.errors import Refused
from homing.core.names import Name
from homing.stack.zones import find_zone, get_zone_id

if TYPE_CHECKING:
    from homing.stack.account import Account

ZONE = Name("home.example.")


def make(account: Account, name: str, *, private: bool = False) -> str:
    vpc = {"VPC": {"VPCRegion": account.region, "VPCId": "vpc-1"}, "HostedZoneConfig": {"PrivateZone": True}}
    made = account.client("route53").create_hosted_zone(
        Name=name, CallerReference=f"{name}{private}", **(vpc if private else {})
    )
    return str(made["HostedZone"]["Id"]).removeprefix("/hostedzone/")


def test_the_one_public_zone_of_the_name_is_meant(account: Account) -> None:
    make(account, "a.example.")
    zone_id = make(account, ZONE)
    make(account, "sub.home.example.")
    assert get_zone_id(account, ZONE) == zone_id
    assert find_zone(account, f"/hostedzone/{zone_id}").name == ZONE


def test_where_there_is_none_the_stack_makes_it(account: Account) -> None:
    make(account, "sub.home.example.")
    make(account, "home.example.org.")
    assert get_zone_id(account, ZONE) is None


def test_a_private_zone_is_not_taken_unasked(account: Account) -> None:
    zone_id = make(account, ZONE, private=True)
    with pytest.raises(Refused, match=rf"--zone-id: {zone_id} \(private\)"):
        get_zone_id(account, ZONE)
    assert find_zone(account, zone_id).is_private


def test_of_several_a_person_has_to_choose(account: Account) -> None:
    ids = [make(account, ZONE), make(account, ZONE, private=True)]
    with pytest.raises(Refused) as caught:
        get_zone_id(account, ZONE)
    assert all(one in str(caught.value) for one in ids)
