"""The settings of the names of a network: where they come from, and what is said of wrong ones."""

from __future__ import annotations

from ipaddress import IPv6Network
from pathlib import Path

import pytest

from homing.core.errors import InvalidSettings
from homing.core.values import defaults_of
from homing.settings.lan import READERS, TABLE, LanSettings, load_lan
from homing.settings.one_machine import LAN_TABLE


def write(folder: Path, text: str) -> Path:
    path = folder / "homing.toml"
    path.write_text(text)
    return path


def test_nothing_has_to_be_set() -> None:
    assert load_lan({}, {}) == LanSettings()
    assert LanSettings().wake


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, '[lan]\ninterfaces = ["a", "b"]\nwake = false\ninterval = "5m"\nprefix = "2001:db8::/64"\n')
    environment = {"HOMING_LAN_WAKE": "yes", "HOMING_LAN_LEASES": "/a, /b", "HOMING_LAN_INTERVAL": "10m"}
    given = {"interval": "1h", "eui64": True, "interfaces": (), "leases": (), "prefix": None}
    assert load_lan(given, environment, file) == LanSettings(
        interfaces=("a", "b"),
        leases=(Path("/a"), Path("/b")),
        prefix=IPv6Network("2001:db8::/64"),
        eui64=True,
        wake=True,
        interval=3600,
    )
    given = {"interfaces": ("br-lan",), "leases": (Path("/x"),), "wake": False}
    loaded = load_lan(given, environment, file)
    assert (loaded.interfaces, loaded.leases, loaded.wake) == (("br-lan",), (Path("/x"),), False)


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    text = '[lan]\ninterface = "eth0"\nprefix = "2001:db8::1/64"\nleases = [7]\ninterfaces = []\ninterval = 3\n'
    with pytest.raises(InvalidSettings) as caught:
        load_lan({}, {"HOMING_LAN_EUI64": "perhaps"}, write(tmp_path, text))
    told = "\n".join(caught.value.problems)
    for words in (
        "interface: no such setting in [lan]; is interfaces meant?",
        "prefix: expected an IPv6 prefix such as 2001:db8:1::/64: prefix with host bits",
        "leases: expected a list of paths",
        "interfaces: expected a list of interfaces",
        "interval: expected",
        "HOMING_LAN_EUI64: expected true or false",
    ):
        assert words in told


@pytest.mark.parametrize("name", ["", " ", "a/b", "a b", "a-name-of-sixteen"])
def test_what_can_be_no_interface_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettings, match="interface"):
        load_lan({"interfaces": [name]}, {})


def test_every_setting_has_a_reader_and_the_table_its_one_name() -> None:
    assert READERS.keys() == defaults_of(LanSettings).keys()
    assert TABLE == LAN_TABLE
