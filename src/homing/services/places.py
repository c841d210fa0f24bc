"""Who starts services on a machine, and where it keeps its files: one of systemd, launchd and cron, and whose."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from homing.core.errors import Refused
from homing.core.values import frozen
from homing.settings.agent import default_state_file
from homing.settings.ownership import why_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping

Init = Literal["systemd", "launchd", "cron"]
INITS: tuple[Init, ...] = ("systemd", "launchd", "cron")
_BOOTED = Path("/run/systemd/system")
_MACHINE_ID = Path("/etc/machine-id")


@frozen(kw_only=True)
class Place:
    """One service manager, and whose."""

    init: Init
    is_user: bool
    """Of one user, not of the machine; cron's always is."""
    user: int
    """That user's number."""
    folder: Path
    """Where its files are: units, property lists; for cron, what its lines write."""
    logs: Path
    """Where launchd's jobs have their standard error go."""
    home: Path = Path("/")
    """Where the job's HOME is: that of the user database, as cron and systemd have it."""
    seed: str = ""
    """What tells this machine from others."""

    @property
    def systemctl(self) -> tuple[str, ...]:
        """What commands to systemd begin with."""
        return ("systemctl", "--user") if self.is_user else ("systemctl",)

    @property
    def is_roots(self) -> bool:
        """Whether its jobs run as root. systemd has a user made up for those of the machine."""
        return self.user == 0 if self.is_user else self.init != "systemd"

    @property
    def domain(self) -> str:
        """What launchd calls the place: launchctl(1)."""
        return f"gui/{self.user}" if self.is_user else "system"


def find_init(booted: Path = _BOOTED, system: str = sys.platform) -> Init:
    """Return what this machine has: systemd where it runs, launchd on macOS, else cron."""
    return "systemd" if booted.is_dir() else "launchd" if system == "darwin" else "cron"


def find_place(
    init: Init | None, environment: Mapping[str, str], user: int, *, wants_user: bool, changes: bool = True
) -> Place:
    """Return the place that is meant; `user` is the number of who asks, whose home is never that of a variable.

    Raises Refused where `changes` need root.
    """
    init = init or find_init()
    if changes and user != 0 and not wants_user and init != "cron":
        raise Refused("a service of the whole machine needs root: use sudo, or add --user for one of your own")
    is_user = wants_user or init == "cron"
    home = _home_of(user) if is_user else Path("/")
    logs = home / "Library" / "Logs" if is_user else Path("/var/log")
    return Place(
        init=init, is_user=is_user, user=user, folder=_folder(init, environment, home, is_user=is_user), logs=logs,
        home=home, seed=_seed(),
    )  # fmt: skip


def check_folder(place: Place) -> None:
    """Refuse a user's place that others could put links into, or files: what is written there would go elsewhere."""
    if not place.is_user:
        return
    try:
        why = why_untrusted(place.folder, place.user, _group_of(place.user))
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
    if why:
        raise Refused(f"{place.folder}: {why}: let nobody write there but you, with chown and chmod go-w")


def _home_of(user: int) -> Path:
    import pwd

    try:
        return Path(pwd.getpwuid(user).pw_dir)
    except KeyError:
        raise Refused(f"user {user} is not in the user database, and has no home for a service's files") from None


def _group_of(user: int) -> int:
    import pwd

    return pwd.getpwuid(user).pw_gid


def _folder(init: Init, environment: Mapping[str, str], home: Path, *, is_user: bool) -> Path:
    match init:
        case "systemd":
            config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
            return config / "systemd" / "user" if is_user else Path("/etc/systemd/system")
        case "launchd":
            return home / "Library" / ("LaunchAgents" if is_user else "LaunchDaemons")
        case "cron":
            return default_state_file({"HOME": str(home)}).parent


def _seed() -> str:
    try:
        return _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return platform.node()


def current_user() -> int:
    """Return the number of who runs this. Raises Refused on a system without such numbers."""
    if not hasattr(os, "geteuid"):
        raise Refused("this system has none of systemd, launchd and cron")
    return os.geteuid()
