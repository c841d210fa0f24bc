"""`make demo-aws`, and every block of lines that it prints, run by a shell exactly as printed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from local_aws.demo import END

from tests.e2e.demos import Demo, begin, check_block, check_https_line
from tests.e2e.programs import RUN_SECONDS, need, wait_for
from tests.house import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


_COMMAND = (sys.executable, "-m", "local_aws")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    begun = begin(tmp_path_factory.mktemp("demo"), _COMMAND, cwd=ROOT)
    try:
        begun.wait_until(END)
        yield begun
    finally:
        begun.end()


BLOCKS = [
    pytest.param("dyndns2", "127.0.0.3", "good 127.0.0.3", "nochg 127.0.0.3", (), id="dyndns2"),
    pytest.param(
        "awslabs v1 and v2", "127.0.0.14", "has been set to 127.0.0.14", "matches the current", (), id="v1-v2"
    ),
    pytest.param("awslabs v3", "127.0.0.15", "has been updated to 127.0.0.15", "matches the current", (), id="v3"),
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
    check_block(demo, title, address, first, second, programs)


def test_https_line_shows_the_address_and_trusts_the_certificate(demo: Demo) -> None:
    check_https_line(demo)


def test_no_block_is_left_untested(demo: Demo) -> None:
    headings = re.findall(r"^# ([^,:\n]*)", demo.text, re.MULTILINE)
    assert [heading.split(" at ")[0].split(" over ")[0] for heading in headings] == [
        "dyndns2", "awslabs v1 and v2", "awslabs v3", "signed", "ddclient",
    ]  # fmt: skip


def test_once_shows_three_updates_in_dns_and_ends_well(tmp_path: Path) -> None:
    demo = begin(tmp_path, [*_COMMAND, "--once"], cwd=ROOT)
    try:
        assert demo.process.wait(RUN_SECONDS) == 0, demo.text
    finally:
        demo.end()
    shown = [line.split()[2:] for line in demo.text.splitlines() if line.startswith("DNS")]
    none = ["has", "no", "address"]
    assert shown == [
        ["curl.home.test.", *none], ["curl.home.test.", "127.0.0.2"],
        ["v2.home.test.", *none], ["v2.home.test.", "127.0.0.4"],
        ["v3.home.test.", *none], ["v3.home.test.", "127.0.0.5"],
    ]  # fmt: skip
    assert list(demo.temporary.iterdir()) == []


def children_of(pid: int) -> list[str]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.split()


def is_running(pid: str) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False)
    return done.stdout.strip() not in ("", "Z")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it_and_every_process_that_it_started(tmp_path: Path, number: signal.Signals) -> None:
    need("ps")
    demo = begin(tmp_path, _COMMAND, cwd=ROOT)
    try:
        demo.wait_until(END)
        started = children_of(demo.process.pid)
        assert len(started) >= 2  # DynamoDB, and at least one function
        time.sleep(0.1)
        demo.process.send_signal(number)
        assert demo.process.wait(RUN_SECONDS) == (0 if number != signal.SIGKILL else -signal.SIGKILL), demo.text
    finally:
        demo.end()
    assert wait_for(lambda: not [pid for pid in started if is_running(pid)])
    assert "Traceback" not in demo.text
    if number != signal.SIGKILL:
        assert list(demo.temporary.iterdir()) == []
