"""One round of `homing lan` with leases that cannot be read: everybody else is named, and nobody is blamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from homing.cli import lan as lan_command
from homing.client.lan import round as lan_round
from homing.client.lan.neighbours import Reading
from homing.client.lan.round import Round, make_round, read_all_leases
from homing.client.update import Row
from homing.settings.client import ClientSettings
from homing.settings.lan import LanSettings
from tests.client.lan_scenes import LINK, member, sight

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = ClientSettings(server="https://ddns.example.com", names=("me.home.example",), secret="s")
CAMERA = "pet.home.example."


class Table:
    """One machine is seen."""

    def read(self) -> Reading:
        return Reading((LINK,), (sight("192.168.1.7"),))

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    members = (member(), member(hostname=CAMERA, mac=None), member(hostname="me.home.example.", mac=None))

    def set_members(_: object, moves: Any, __: object) -> Any:
        return tuple(Row(one.member.hostname, "A", str(one.address), "updated") for one in moves), None

    monkeypatch.setattr(lan_round, "list_members", lambda *_: members)
    monkeypatch.setattr(lan_round, "set_members", set_members)


def go(*leases: Path) -> Round:
    return make_round(ACCOUNT, Table(), LanSettings(leases=leases, wake=False), ("me.home.example",))


def outcomes(done: Round) -> dict[str, tuple[str, str]]:
    return {row.hostname: (row.outcome, row.text) for row in done.result.rows}


def test_hosts_known_by_mac_are_set_and_who_needs_the_leases_is_told_so(tmp_path: Path) -> None:
    done = go(tmp_path / "dhcp.leases")
    rows = outcomes(done)
    assert rows["cam.home.example."][0] == "updated"
    assert rows[CAMERA][0] == "skipped"
    assert "leases that cannot be read" in rows[CAMERA][1]
    assert "own name" in rows["me.home.example."][1]
    assert done.result.notes == (
        f"{tmp_path}/dhcp.leases: cannot be read: No such file or directory: going on without these leases",
    )
    assert (done.lacks_leases, done.is_waiting) == (True, True)


def test_with_leases_that_can_be_read_nothing_is_lacking(tmp_path: Path) -> None:
    (tmp_path / "leases").write_text("")
    done = go(tmp_path / "leases")
    assert (done.result.notes, done.lacks_leases, done.is_waiting) == ((), False, False)


def test_one_file_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("0 00:11:22:33:44:66 192.168.1.8 pet *\n")
    bad.write_text("not leases\n")
    leases, notes = read_all_leases((bad, good, tmp_path))
    assert [one.hostname for one in leases] == ["pet"]
    assert [note.partition(":")[0] for note in notes] == [str(bad), str(tmp_path)]


def test_watching_warns_of_leases_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = lan_command._reporter(as_json=False)
    for _ in range(3):
        report(go(tmp_path / "none").result)
    assert capsys.readouterr().err.count("cannot be read: No such file") == 1
