"""The harness itself: what it starts it ends, also when a test fails."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.namespaces import namespace
from tests.e2e.programs import need, serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


class _TestFailedError(Exception):
    """Stands for a test that failed."""


def _ip_netns(*arguments: str) -> str:
    return subprocess.run(["ip", "netns", *arguments], capture_output=True, text=True, check=True).stdout


def _fail_in_a_namespace(folder: Path, seen: list[tuple[str, int]]) -> None:
    with namespace() as network, serving(folder, "--zone", "home.test", prefix=network.prefix) as server:
        seen.append((network.name, server.process.pid))
        assert network.name in _ip_netns("list")
        assert _ip_netns("pids", network.name).split() == [str(server.process.pid)]
        raise _TestFailedError


def test_a_namespace_and_the_server_in_it_are_gone_after_a_failure(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []
    with pytest.raises(_TestFailedError):
        _fail_in_a_namespace(tmp_path, seen)
    (name, pid) = seen[0]
    assert name not in _ip_netns("list")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_program_is_a_skip_or_a_failure(
    monkeypatch: pytest.MonkeyPatch, required: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("HOMING_REQUIRE_CLIENTS", required)
    with pytest.raises(outcome, match="no-such-program is not installed"):
        need("sh", "no-such-program")
