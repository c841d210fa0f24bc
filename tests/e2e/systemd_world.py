"""A real systemd as the first process of namespaces of its own, in which nothing runs but what a test installs.

It sees this machine's files, but has its own units, state and temporary files; what it could set on the machine is
closed to it. It ends with the test. Skips where such namespaces, or control groups, cannot be had.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import dns
import idna
import pytest

import homing
from tests.e2e.programs import lack, need, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SYSTEMD = Path("/lib/systemd/systemd")
PYTHON = "/usr/bin/python3"
"""Debian's own: one in a home directory is hidden from services, which is what `homing service install` says of it."""
LOG = "/run/service.log"
TARGETS = ("hello", "sysinit", "basic", "shutdown", "multi-user", "timers")
UNIT = "[Unit]\nDescription={}\nDefaultDependencies=no\nAllowIsolate=yes\n"
LOGGING = f"[Service]\nStandardOutput=append:{LOG}\nStandardError=append:{LOG}\n"
"""There is no journal."""
BOOT = """
set -e
mount --make-rprivate /
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /etc/homing
mount --bind {world}/opt /opt
mount --bind {world}/console /dev/console
for one in etc/homing usr/lib/systemd/system etc/systemd/system; do mount --bind {world}/$one /$one; done
for one in /usr/lib/systemd/system-generators /var/lib /var/cache /var/tmp /run; do
  mount -t tmpfs -o mode=755 tmpfs $one
done
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs tmpfs /tmp
mount --make-rshared /
export container=test
exec {systemd} --system --unit=hello.target --log-target=null --show-status=0
"""


@dataclass
class World:
    """A running systemd."""

    pid: int
    folder: Path

    def run(self, *command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program in there, as root."""
        enter = ["nsenter", "-t", str(self.pid), "-m", "-p", "-u", "-i", "-n", "-C", "--"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=seconds, cwd="/", check=False)

    def ok(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr + self.log
        return done.stdout

    def show(self, unit: str, name: str) -> str:
        return self.ok("systemctl", "show", "--value", f"--property={name}", unit).strip()

    @property
    def log(self) -> str:
        """What services have said."""
        return self.run("cat", LOG).stdout


@contextmanager
def systemd_world(folder: Path, prefix: Sequence[str], settings: dict[str, str]) -> Iterator[World]:
    """Have one for a while, behind `prefix`; `settings` are the files of /etc/homing, which only root may read."""
    need("unshare", "nsenter", "systemctl")
    if os.geteuid() != 0 or not SYSTEMD.exists():
        lack("a systemd of one's own needs root, and systemd")
    world = folder / "world"
    _furnish(world, settings)
    group = _control_group()
    boot = BOOT.format(world=shlex.quote(str(world)), systemd=SYSTEMD)
    namespaces = ["unshare", "--pid", "--fork", "--mount", "--uts", "--ipc", "--cgroup", "--mount-proc", "--kill-child"]
    enter = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(group), *prefix, *namespaces, "sh", "-c", boot]
    with (folder / "boot.log").open("wb") as log:
        process = subprocess.Popen(enter, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield _wait_for(process, folder)
    finally:
        process.kill()
        process.wait()
        wait_for(lambda: _remove(group), 10)


def _furnish(world: Path, settings: dict[str, str]) -> None:
    """Make what is laid over the machine's own folders: an installation, empty targets, settings."""
    homing_settings, units, own = world / "etc/homing", world / "usr/lib/systemd/system", world / "etc/systemd/system"
    for one in (homing_settings, units, own, world / "opt"):
        one.mkdir(parents=True)
    (world / "console").touch()
    for name in TARGETS:
        (units / f"{name}.target").write_text(UNIT.format(name))
    for name in ("homing-agent", "homing-update"):
        (own / f"{name}.service.d").mkdir()
        (own / f"{name}.service.d/log.conf").write_text(LOGGING)
    for name, text in settings.items():
        (homing_settings / name).write_text(text)
        (homing_settings / name).chmod(0o600)
    _install(world / "opt/homing")


def _install(place: Path) -> None:
    """Install homing and what its client needs, as `pip install` does into an environment of its own."""
    asked = "import sys; sys.exit(sys.version_info < (3, 11))"
    if subprocess.run([PYTHON, "-c", asked], timeout=20, check=False).returncode != 0:
        pytest.skip(f"{PYTHON} is too old")
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", place], check=True, timeout=60)
    packages = next(place.glob("lib/python*/site-packages"))
    for module in (homing, click, dns, idna):
        shutil.copytree(Path(str(module.__file__)).parent, packages / module.__name__,
                        ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    script = place / "bin/homing"
    script.write_text("#!/opt/homing/bin/python3\nimport sys\nfrom homing.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)


def _control_group() -> Path:
    """Make a control group of the second version, for systemd to rule."""
    for root in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        if (root / "cgroup.procs").exists() and (root / "cgroup.controllers").exists():
            group = root / f"homing-test-{os.getpid()}"
            try:
                group.mkdir(exist_ok=True)
            except OSError as error:
                pytest.skip(f"no control group can be made: {error.strerror}")
            return group
    pytest.skip("control groups of the second version are not mounted")


def _wait_for(process: subprocess.Popen[bytes], folder: Path) -> World:
    """Wait until systemd answers."""

    def first_child() -> int | None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        found = children.read_text().split() if children.exists() else []
        return int(found[0]) if found else None

    def answers() -> bool:
        pid = first_child()
        if pid is None:
            return process.poll() is not None
        return World(pid, folder).run("systemctl", "is-system-running").returncode == 0

    if not wait_for(answers, 20) or process.poll() is not None:
        pytest.skip(f"no systemd can be started here: {(folder / 'boot.log').read_text()[-500:]}")
    pid = first_child()
    assert pid
    return World(pid, folder)


def _remove(group: Path) -> bool:
    """Remove a control group and those below it, once their processes are gone."""
    for one in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        try:
            one.rmdir()
        except OSError:
            return False
    try:
        group.rmdir()
    except OSError:
        return False
    return True
