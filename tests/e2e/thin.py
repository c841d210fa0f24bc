"""A shell with a few programs of its own, so that nothing is there but what a test says.

With busybox the programs are busybox's too: a clock that knows seconds only, and no od, as on OpenWrt.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.programs import need, ok, run
from tests.house import ROOT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from pathlib import Path

SCRIPT = ROOT / "clients" / "homing.sh"
SHELLS = {"dash": ("dash",), "bash": ("bash", "--posix"), "busybox": ("busybox", "sh")}
ORDINARY = ("cat", "cut", "date", "grep", "ls", "mv", "rm", "sed", "tail", "tr")


@dataclass(frozen=True)
class Shell:
    """One shell with its own few programs, and how it runs our script."""

    command: tuple[str, ...]
    programs: Path
    folder: Path
    prefix: Sequence[str] = ()

    def homing(self, *arguments: str | Path, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run(SCRIPT, *arguments, stdin=stdin, **variables)

    def run(self, *words: str | Path, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        command = ["/usr/bin/env", f"PATH={self.programs}", *self.command, *words]
        environment = {"HOMING_CLIENT_ALLOW_INTERNAL": "true"} | variables
        return run(command, self.folder, prefix=self.prefix, stdin=stdin, environment=environment)

    def add(self, program: str, text: str) -> None:
        """Have a program of our own, instead of the one that may be there."""
        file = self.programs / program
        file.unlink(missing_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def link(self, *names: str) -> None:
        for name in names:
            need(name)
            (self.programs / name).symlink_to(str(shutil.which(name)))

    def secret(self, text: str, name: str = "secret") -> Path:
        file = self.folder / name
        file.write_bytes(text.encode())
        file.chmod(0o600)
        return file


def make_shell(kind: str, folder: Path, hash_program: str = "sha256sum") -> Shell:
    need(SHELLS[kind][0], "curl")
    programs = folder / "programs"
    programs.mkdir()
    shell = Shell((str(shutil.which(SHELLS[kind][0])), *SHELLS[kind][1:]), programs, folder)
    shell.link("curl")
    if kind == "busybox":
        for name in (*ORDINARY, "hexdump", *([hash_program] if hash_program == "sha256sum" else [])):
            (programs / name).symlink_to(str(shutil.which("busybox")))
        if hash_program != "sha256sum":
            shell.link(hash_program)
    else:
        shell.link(*ORDINARY, "od", hash_program)
    return shell


def done_well(done: subprocess.CompletedProcess[str], *lines: str) -> None:
    assert ok(done).splitlines() == list(lines)
