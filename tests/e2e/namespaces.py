"""A network of one's own: a namespace whose loopback bears public-looking addresses, deleted at the end.

Nothing in it reaches this machine or any other. Addresses are those of RFC 5737 and RFC 3849.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from tests.e2e.programs import lack, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SERVER_4, SERVER_6 = "203.0.113.53", "2001:db8::53"
ADDRESSES = (
    f"{SERVER_4}/32", "203.0.113.7/32", "203.0.113.8/32", "203.0.113.9/32", "198.51.100.7/32",
    f"{SERVER_6}/128", "2001:db8::7/128", "2001:db8::8/128",
)  # fmt: skip
PUBLIC = ("203.0.113.0/24", "198.51.100.0/24", "2001:db8::/32")
"""What a server in there is told to take for global."""

_numbers = count()


@dataclass(frozen=True)
class Namespace:
    """A network namespace by its name."""

    name: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """What stands before a command that is to run in it."""
        return ("ip", "netns", "exec", self.name)

    def prefix_with_files(self, **over: Path) -> tuple[str, ...]:
        """Return the same, with files of ours in the place of `/etc/NAME` for that one process."""
        binds = " && ".join(f"mount --bind '{path}' '/etc/{name.replace('_', '.')}'" for name, path in over.items())
        return (*self.prefix, "sh", "-c", f'{binds} && exec "$@"', "sh")

    def run(self, command: Sequence[str | Path], cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program in it, to its end."""
        return run(command, cwd, prefix=self.prefix, stdin=stdin)


@contextmanager
def namespace(addresses: Sequence[str] = ADDRESSES) -> Iterator[Namespace]:
    """Have a namespace for a while. Skips where that is not possible."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        lack("network namespaces need root and the program ip")
    name = f"homing-{os.getpid()}-{next(_numbers)}"
    made = _ip("netns", "add", name)
    if made.returncode != 0:
        lack(f"no network namespace can be made: {made.stderr.strip()}")
    try:
        for arguments in (("link", "set", "lo", "up"), *(("addr", "add", one, "dev", "lo") for one in addresses)):
            done = _ip("-n", name, *arguments)
            assert done.returncode == 0, done.stderr
        yield Namespace(name)
    finally:
        gone = _ip("netns", "delete", name)
        assert gone.returncode == 0, gone.stderr


def _ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20, check=False)
