"""`homing demo`, and every block of lines that it prints, run by a shell exactly as printed."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.demos import Demo, begin, check_block, check_https_line
from tests.e2e.programs import HOMING, RUN_SECONDS, need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

_COMMAND = (*HOMING, "demo")
_END = "Ctrl-C ends it and leaves nothing behind."


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    begun = begin(tmp_path_factory.mktemp("demo"), _COMMAND)
    try:
        begun.wait_until(_END)
        yield begun
    finally:
        begun.end()


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
    check_block(demo, title, address, first, second, programs)


def test_https_line_shows_the_address_and_trusts_the_certificate(demo: Demo) -> None:
    check_https_line(demo)


def test_the_agents_block_moves_its_address_and_the_name_follows(demo: Demo) -> None:
    need("bash", "dig")
    block = demo.block("the agent")
    told = demo.paste(block).splitlines()
    assert told[0] == "127.0.0.11"
    assert any(line.endswith("agent.home.test: updated, 127.0.0.11") for line in told)


def test_no_block_is_left_untested(demo: Demo) -> None:
    headings = re.findall(r"^# ([^,:\n]*)", demo.text, re.MULTILINE)
    assert headings == ["dyndns2", "awslabs v1 and v2", "awslabs v3", "ddupdate", "signed", "ddclient", "the agent"]


def test_once_shows_an_update_and_the_agent_and_ends_well(tmp_path: Path) -> None:
    demo = begin(tmp_path, [*_COMMAND, "--once"])
    try:
        assert demo.process.wait(RUN_SECONDS) == 0, demo.text
    finally:
        demo.end()
    lines = demo.text.splitlines()
    assert lines[0] == "DNS before   demo.home.test. has no address"
    assert "DNS after    demo.home.test. 127.0.0.2" in lines
    assert lines[-2].startswith("address      127.0.0.9 becomes 127.0.0.10")
    assert re.fullmatch(r"DNS follows  agent\.home\.test 127\.0\.0\.10 after \d+\.\d\d s", lines[-1])
    assert list(demo.temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_no_file_and_no_process(tmp_path: Path, number: signal.Signals) -> None:
    demo = begin(tmp_path, _COMMAND)
    try:
        demo.wait_until(_END)
        assert list(demo.temporary.iterdir())
        time.sleep(0.1)
        demo.process.send_signal(number)
        assert demo.process.wait(RUN_SECONDS) == 0, demo.text
        with pytest.raises(ProcessLookupError):
            os.killpg(demo.process.pid, 0)
    finally:
        demo.end()
    assert "Traceback" not in demo.text
    assert list(demo.temporary.iterdir()) == []
