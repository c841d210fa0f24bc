"""What `homing serve` says when it starts: what stands between this server and being useful to the Internet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

NO_ADDRESS = "which has no address"
FORMER = "was served here before and is not now"


def hints(folder: Path, *flags: str) -> list[str]:
    """Start the server and end it, however that goes; return its lines about what to do next."""
    with serving(folder, *flags) as server:
        server.kill()
    return [line for line in server.log.read_text().splitlines() if line.startswith("  next: ")]


def about(words: str, lines: list[str]) -> list[str]:
    return [line for line in lines if words in line]


def write(folder: Path, *lines: str) -> None:
    (folder / "homing.toml").write_text("[[zones]]\nname = 'home.test'\n" + "\n".join(lines))


def test_a_name_server_in_the_zone_without_an_address_is_told(tmp_path: Path) -> None:
    (told,) = about(NO_ADDRESS, hints(tmp_path, "--zone", "home.test"))
    assert "home.test is delegated to ns1.home.test, which has no address: set its ns or records" in told


@pytest.mark.parametrize("record", ["ns1 A 203.0.113.1", "ns1 AAAA 2001:db8::1", "ns1 3600 IN A 203.0.113.1"])
def test_a_name_server_with_an_address_in_the_records_is_not_told(tmp_path: Path, record: str) -> None:
    write(tmp_path, f"records = ['{record}']")
    assert about(NO_ADDRESS, hints(tmp_path)) == []


def test_a_name_server_elsewhere_is_not_ours_to_tell_about(tmp_path: Path) -> None:
    write(tmp_path, "ns = ['ns.elsewhere.example']")
    assert about(NO_ADDRESS, hints(tmp_path)) == []


def test_a_former_zone_is_told_until_it_is_named_again(tmp_path: Path) -> None:
    assert about(FORMER, hints(tmp_path, "--zone", "home.test", "--zone", "attic.test")) == []
    (told,) = about(FORMER, hints(tmp_path, "--zone", "home.test"))
    assert told.startswith("  next: attic.test was served here before")
    assert about(FORMER, hints(tmp_path, "--zone", "home.test", "--zone", "attic.test")) == []
