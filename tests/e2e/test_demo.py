"""`homing demo`, and every block of lines that it prints, run by a shell exactly as printed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import HOMING, RUN_SECONDS, START_SECONDS, clean_environment, need, run, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

_END = "Ctrl-C ends it and leaves nothing behind."


@dataclass(frozen=True)
class Demo:
    """A running demo and what it printed."""

    process: subprocess.Popen[bytes]
    text: str
    folder: Path
    temporary: Path

    def block(self, title: str) -> str:
        """Return the lines under a heading, as they were printed."""
        blocks = self.text.split("\n\n")
        found = [block for block in blocks if block.startswith(f"# {title}")]
        assert len(found) == 1, self.text
        return found[0]

    def paste(self, block: str) -> str:
        """Run lines in bash; return what they print."""
        done = run(["bash", "-c", block], self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _begin(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], Path, Path]:
    temporary = folder / "temporary"
    temporary.mkdir()
    printed = folder / "printed"
    with printed.open("wb") as stream:
        process = subprocess.Popen(
            [*HOMING, "demo", *arguments],
            cwd=folder,
            env=clean_environment(folder, TMPDIR=str(temporary)),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process, printed, temporary


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a demo and the agent that it has started: both are one process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    process, printed, temporary = _begin(folder)
    try:
        ready = wait_for(lambda: _END in printed.read_text() or process.poll() is not None, START_SECONDS)
        assert ready, printed.read_text()
        assert process.poll() is None, printed.read_text()
        yield Demo(process, printed.read_text(), folder, temporary)
    finally:
        _end(process)


BLOCKS = [
    pytest.param("dyndns2", "127.0.0.3", "good 127.0.0.3", "nochg 127.0.0.3", (), id="dyndns2"),
    pytest.param("awslabs v1 and v2", "127.0.0.4", "has been set to 127.0.0.4", "matches the current", (), id="v1-v2"),
    pytest.param("awslabs v3", "127.0.0.5", "has been updated to 127.0.0.5", "matches the current", (), id="v3"),
    pytest.param("ddupdate", "127.0.0.6", "updated 127.0.0.6", "unchanged 127.0.0.6", (), id="ddupdate"),
    pytest.param("signed", "127.0.0.8", '"updated"', '"unchanged"', ("openssl",), id="signed"),
    pytest.param(
        "ddclient",
        "127.0.0.7",
        "SUCCESS:  updating ddclient.home.test: good",
        "already set to 127.0.0.7",
        ("ddclient",),
        id="ddclient",
    ),
]


@pytest.mark.parametrize(("title", "address", "first", "second", "programs"), BLOCKS)
def test_a_block_as_printed_changes_what_dig_answers_and_the_second_time_says_unchanged(
    demo: Demo, title: str, address: str, first: str, second: str, programs: tuple[str, ...]
) -> None:
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


def test_https_line_shows_the_address_and_trusts_the_certificate(demo: Demo) -> None:
    need("bash", "curl")
    line = next(line for line in demo.text.splitlines() if line.startswith("curl -s --cacert"))
    assert demo.paste(line) == "127.0.0.1\n"


def test_the_agents_block_moves_its_address_and_the_name_follows(demo: Demo) -> None:
    need("bash", "dig")
    block = demo.block("the agent")
    told = demo.paste(block).splitlines()
    assert told[0] == "127.0.0.11"
    assert any(line.endswith("agent.home.test: updated, 127.0.0.11") for line in told)


def test_no_block_is_left_untested(demo: Demo) -> None:
    headings = re.findall(r"^# ([^,:\n]*)", demo.text, re.MULTILINE)
    assert headings == ["dyndns2", "awslabs v1 and v2", "awslabs v3", "ddupdate", "signed", "ddclient", "the agent"]


def test_once_shows_one_update_in_dns_and_ends_well(tmp_path: Path) -> None:
    process, printed, temporary = _begin(tmp_path, "--once")
    try:
        assert process.wait(RUN_SECONDS) == 0, printed.read_text()
    finally:
        _end(process)
    lines = printed.read_text().splitlines()
    assert lines[0] == "DNS before   demo.home.test. has no address"
    assert "DNS after    demo.home.test. 127.0.0.2" in lines
    assert lines[-2].startswith("address      127.0.0.9 becomes 127.0.0.10")
    assert re.fullmatch(r"DNS follows  agent\.home\.test 127\.0\.0\.10 after \d+\.\d\d s", lines[-1])
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        signal.SIGTERM,
    ],
)
def test_a_signal_ends_it_and_leaves_no_file_and_no_process(tmp_path: Path, number: signal.Signals) -> None:
    process, printed, temporary = _begin(tmp_path)
    try:
        assert wait_for(lambda: _END in printed.read_text(), START_SECONDS), printed.read_text()
        assert list(temporary.iterdir())
        time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(RUN_SECONDS) == 0, printed.read_text()
    finally:
        _end(process)
    assert "Traceback" not in printed.read_text()
    assert list(temporary.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
