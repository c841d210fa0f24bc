"""What a function on Lambda pays for at each cold start, because it imports the clients."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {
    *("boto3", "botocore", "asyncio", "urllib.request", "xml", "uuid", "subprocess", "inspect", "dataclasses"),
    *("tempfile", "pathlib", "concurrent.futures", "decimal", "logging"),
}


def loaded_by(code: str) -> set[str]:
    shown = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-S", "-c", shown], capture_output=True, check=True, timeout=60, text=True)
    return set(json.loads(done.stdout))


def test_the_clients_load_nothing_heavy_and_little_beyond_http_and_tls() -> None:
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    standard = loaded_by(path + "import http.client, ssl, json, hmac, hashlib")
    ours = loaded_by(path + "import homing.aws.dynamodb, homing.aws.route53, homing.aws.sns, homing.aws.transport")
    assert not HEAVY & ours
    few = {"__future__", "_typing", "contextlib", "typing", "typing.io", "typing.re"}
    assert {name for name in ours - standard if not name.startswith("homing")} <= few
