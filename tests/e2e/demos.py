"""A demo as a process, what it has printed, and a shell to paste its lines into."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.programs import RUN_SECONDS, START_SECONDS, clean_environment, need, run, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """A demo that runs, or has run."""

    process: subprocess.Popen[bytes]
    folder: Path
    temporary: Path
    """Where it keeps its files."""

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return (self.folder / "printed").read_text()

    def wait_until(self, last: str) -> None:
        """Wait until it has printed `last`, and still runs."""
        assert wait_for(lambda: last in self.text or self.process.poll() is not None, START_SECONDS), self.text
        assert self.process.poll() is None, self.text

    def block(self, title: str) -> str:
        """Return the lines under a heading, as they were printed."""
        found = [block for block in self.text.split("\n\n") if block.startswith(f"# {title}")]
        assert len(found) == 1, self.text
        return found[0]

    def paste(self, block: str) -> str:
        """Run lines in bash; return what they print."""
        done = run(["bash", "-c", block], self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end(self) -> None:
        """End it, asked kindly first, and whatever it has started: all is one process group."""
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(RUN_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def begin(folder: Path, command: Sequence[str], cwd: Path | None = None) -> Demo:
    """Start a demo as the Makefile does."""
    temporary = folder / "temporary"
    temporary.mkdir()
    with (folder / "printed").open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=cwd or folder,
            env=clean_environment(folder, TMPDIR=str(temporary)),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Demo(process, folder, temporary)


def check_block(demo: Demo, title: str, address: str, first: str, second: str, programs: Sequence[str]) -> None:
    """A block as printed changes what dig answers, and the second time says unchanged."""
    need("bash", "curl", "dig", *programs)
    block = demo.block(title)
    lookup = next(line for line in block.splitlines() if line.startswith("dig "))
    assert demo.paste(lookup) == ""

    once = demo.paste(block)
    twice = demo.paste(block)

    assert first in once
    assert once.splitlines()[-1] == address
    assert second in twice
    assert first not in twice
    assert twice.splitlines()[-1] == address


def check_https_line(demo: Demo) -> None:
    """The line for HTTPS shows the address, and trusts the certificate."""
    need("bash", "curl")
    line = next(line for line in demo.text.splitlines() if line.startswith("curl -s --cacert"))
    assert demo.paste(line) == "127.0.0.1\n"
