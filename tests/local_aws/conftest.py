"""What the tests of the local Lambda share: a folder that stands in for /var/runtime, and small functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from local_aws.lambda_runtime import make_runtime_folder

if TYPE_CHECKING:
    from pathlib import Path

INDEX = """
import os, sys, time
count = 0
def handler(event, context):
    global count
    count += 1
    print("event", count)
    if "raise" in event: raise ValueError("no")
    if "exit" in event: os._exit(3)
    time.sleep(event.get("sleep", 0))
    return event.get("result", {"count": count, "pid": os.getpid(), "event": event, "path": sys.path,
        "left": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn,
        "environment": dict(os.environ)})
"""


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lambda's own modules."""
    return make_runtime_folder(tmp_path_factory.mktemp("runtime"))


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A function that tells what it sees, and does what the event says."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "index.py").write_text(INDEX)
    (folder / "broken.py").write_text("import nothing_of_this_name\n")
    return folder
