"""Stand-ins for systemctl, launchctl, loginctl and crontab: they note what they were asked, and fail when told to.

They do no more than remember which units are enabled and running, and what the crontab holds. The user database gives
whoever runs the tests a home of theirs, and the clone under test counts as installed by root, wherever it lies: root's
jobs want a program that nobody else could change, and a clone in /tmp is not that.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.programs import HOMING, need, run
from tests.house import ROOT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

_HEAD = '#!/bin/sh\nS="$(dirname "$0")"\necho "$(basename "$0") $*" >>"$S/log"\n'
_FAIL = 'if [ -f "$S/fail" ] && echo "$*" | grep -q -- "$(cat "$S/fail")"; then echo "no such luck" >&2; exit 5; fi\n'
_SYSTEMCTL = """
[ "$1" = --user ] && shift
for last; do :; done
case "$1" in
  enable) touch "$S/enabled-$last" ;;
  restart) touch "$S/running-$last" ;;
  disable) rm -f "$S/enabled-$last" "$S/running-$last" ;;
  show)
    meanwhile
    echo "Result=$(cat "$S/result" 2>/dev/null || echo success)"; echo ExecMainStatus=3; echo NRestarts=2
    [ -f "$S/enabled-$last" ] && echo UnitFileState=enabled
    [ -f "$S/running-$last" ] && echo ActiveState=active && echo "ActiveEnterTimestamp=Fri 2025-11-21 14:25:00 UTC"
    case "$last" in *.timer) echo "NextElapseUSecRealtime=Fri 2025-11-21 14:30:00 UTC" ;; esac
    exit 0 ;;
esac
"""
_LAUNCHCTL = """
case "$1" in
  print) [ -f "$S/loaded-${2##*/}" ] || exit 113
    printf '\\tstate = running\\n\\tpid = 7\\n\\tlast exit code = 0\\n' ;;
  bootstrap) last="${3##*/}"; touch "$S/loaded-${last%.plist}" ;;
  bootout) rm "$S/loaded-${2##*/}" ;;
esac
"""
_CRONTAB = """
case "$1" in
  -l) cat "$S/table" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; }
    meanwhile ;;
  -) cat >"$S/table" ;;
esac
"""
_MEANWHILE = 'if [ -f "$S/meanwhile" ]; then . "$S/meanwhile"; rm "$S/meanwhile"; fi\n'
_USERS = """
import os, pwd
real = pwd.getpwuid
def stand_in(number):
    entry = list(real(number))
    entry[5] = os.environ["STAND_IN_HOME"]
    return pwd.struct_passwd(entry)
pwd.getpwuid = stand_in

import pathlib
real_lstat = pathlib.Path.lstat
clone = pathlib.Path(os.environ["STAND_IN_CLONE"])
def lstat(path):
    found = real_lstat(path)
    if path == clone or path in clone.parents or clone in path.parents:
        return os.stat_result((found.st_mode & ~0o022, *found[1:4], 0, 0, *found[6:10]))
    return found
pathlib.Path.lstat = lstat
"""
_PROGRAMS = {"systemctl": _SYSTEMCTL, "launchctl": _LAUNCHCTL, "crontab": _CRONTAB, "loginctl": ""}


@dataclass
class Machine:
    """A home directory, and the programs that stand before all others."""

    home: Path
    programs: Path

    def homing(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return run([*HOMING, "service", *arguments], self.home, environment=self.environment | variables)

    def answered(self, answer: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it on a terminal, with an answer to its question."""
        need("script")
        command = " ".join(["exec", *HOMING, "service", *arguments])
        words = ["script", "-qec", command, "/dev/null"]
        return run(words, self.home, stdin=f"{answer}\n", environment=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """What has the stand-ins found."""
        path = f"{self.programs}:{os.environ['PATH']}"
        modules = os.pathsep.join([str(self.programs), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {"PATH": path, "PYTHONPATH": modules, "STAND_IN_HOME": str(self.home), "STAND_IN_CLONE": str(ROOT)}

    def ok(self, *arguments: str | Path) -> Any:
        """Run with --json; it must end well."""
        done = self.homing(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def status(self, *arguments: str) -> Any:
        done = self.homing("status", *arguments, "--json")
        told = json.loads(done.stdout)
        assert done.returncode == (0 if told["well"] else 1)
        return told

    @property
    def log(self) -> list[str]:
        """Every call since this was asked last, but for questions."""
        file = self.programs / "log"
        lines = file.read_text().splitlines() if file.exists() else []
        file.write_text("")
        asking = ("systemctl show", "systemctl --user show", "crontab -l", "launchctl print")
        return [line for line in lines if not line.startswith(asking)]

    def fail(self, words: str) -> None:
        """Have every call fail that has these words in it; none, if empty."""
        (self.programs / "fail").write_text(words or "nothing at all")

    def meanwhile(self, line: str) -> None:
        """Have the shell run this once, behind the next look at what is installed."""
        (self.programs / "meanwhile").write_text(line)

    @property
    def crontab(self) -> Path:
        return self.programs / "table"


@contextmanager
def trusted_folder(folder: Path) -> Iterator[Path]:
    """Have a folder under which others cannot put anything, which root's jobs want: for root, none in /tmp."""
    if os.geteuid() != 0:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="homing-test-", dir="/var/lib") as safe:
        yield Path(safe)


def make_machine(folder: Path) -> Machine:
    home, programs = folder / "home", folder / "programs"
    home.mkdir()
    programs.mkdir()
    for name, text in _PROGRAMS.items():
        program = programs / name
        program.write_text(_HEAD + _FAIL + f"meanwhile() {{ {_MEANWHILE}}}\n" + text)
        program.chmod(0o755)
    (programs / "sitecustomize.py").write_text(_USERS)
    (home / "cam.secret").write_text("s3cret-of-cam")
    (home / "cam.secret").chmod(0o600)
    settings = '[client]\nserver = "https://127.0.0.1:9"\nnames = ["cam.home.example"]\nsecret_file = "cam.secret"\n'
    (home / "homing.toml").write_text(settings)
    return Machine(home, programs)
