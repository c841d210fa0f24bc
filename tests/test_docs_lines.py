"""The lines that a reader pastes, run as they stand against a server, so that they cannot rot.

Blocks marked `sh run` are run in bash, all of a page in one shell, in their order; a block marked `text output` is
what the one before it must print, with … for whatever differs. `sh serve` is how the page starts the server. What a
reader fills in (SERVER, SECRET, TOKEN) and the ports are filled in here.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import clean_environment, need, run, serving
from tests.house import ROOT
from tests.pages import page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.e2e.programs import Server

pytestmark = pytest.mark.e2e

HOST = "cam.home.example"
MARK = "\x1e"
SAMPLES = ROOT / "tests" / "formats" / "samples"
GLOBAL = ("127.0.0.0/8", "203.0.113.0/24", "2001:db8::/32")
"""What the server of a test takes for global, so that the pages need not speak of loopback."""


@pytest.mark.parametrize("shown", ["README.md", "docs/how-to/first-update.md"])
def test_a_first_update_works_as_it_is_written(shown: str, tmp_path: Path) -> None:
    need("bash", "curl", "dig")
    serve = page(shown).of("sh serve")[0].text.split()
    assert serve[:2] == ["homing", "serve"]
    with serving(tmp_path, *serve[2:]) as server:
        run_page(shown, server, tmp_path)


def test_each_protocol_works_from_curl(tmp_path: Path) -> None:
    need("bash", "curl", "openssl", "sha256sum")
    flags = [word for network in GLOBAL for word in ("--public-networks", network)]
    with serving(tmp_path, "--zone", "home.example", *flags) as server:
        server.add_host(HOST, "--group", "home")
        run_page("docs/how-to/curl.md", server, tmp_path)


def test_the_tables_of_other_systems_move_here(tmp_path: Path) -> None:
    need("bash")
    samples = {"config.json": "awslabs_v1.json", "table-v2.json": "awslabs_v2_scan.json", "users.json": "sam_scan.json",
               "table-v3.json": "awslabs_v3_scan.json", "dyndns53.py": "dyndns53.py.txt"}  # fmt: skip
    for name, sample in samples.items():
        shutil.copy(SAMPLES / sample, tmp_path / name)
    zones = [word for zone in ("example.com", "example.org", "example.net") for word in ("--zone", zone)]
    with serving(tmp_path, *zones) as server:
        run_page("docs/how-to/moving.md", server, tmp_path)


def test_the_excerpt_in_the_readme_is_what_the_demo_prints(tmp_path: Path) -> None:
    pytest.importorskip("trustme")
    shown = page("README.md").of("console")[0].text.partition("\n\nPaste these")[0].splitlines()[1:]
    done = run([sys.executable, "-m", "homing", "demo", "--once"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert _without_chance(done.stdout.splitlines()) == _without_chance(shown)


def test_ddclient_works_with_the_configuration_that_is_shown(tmp_path: Path) -> None:
    need("ddclient")
    text = page("docs/how-to/ddclient.md").of("text")[0].text
    with serving(tmp_path, "--zone", "home.example", "--public-networks", "127.0.0.0/8") as server:
        secret = server.add_host(HOST)
        file = tmp_path / "ddclient.conf"
        file.write_text(_filled_in(text, server, secret).replace("ssl=yes", "ssl=no"))
        file.chmod(0o600)
        done = run(["ddclient", "-foreground", "-daemon=0", "-noquiet", "-verbose", "-file", file,
                    "-cache", tmp_path / "cache"], tmp_path)  # fmt: skip
        assert "good: IP address set to 127.0.0.1" in done.stdout + done.stderr, done.stdout + done.stderr


def test_inadyn_works_with_the_configuration_that_is_shown(tmp_path: Path) -> None:
    need("inadyn")
    text = next(block.text for block in page("docs/how-to/inadyn.md").of("text") if "custom home" in block.text)
    with serving(tmp_path, "--zone", "home.example", "--public-networks", "203.0.113.0/24") as server:
        secret = server.add_host(HOST)
        file = tmp_path / "inadyn.conf"
        test_only = 'ssl = false\n    checkip-command = "echo 203.0.113.7"\n}'
        file.write_text("allow-ipv6 = false\n" + _filled_in(text, server, secret).replace("}", test_only))
        done = run(["inadyn", "-1", "-n", "-f", file, "--cache-dir", tmp_path, "--no-pidfile", "-l", "debug"], tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        need("dig")
        assert server.dig(HOST) == ["203.0.113.7"]


def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    need("systemd-analyze")
    unit = page("docs/how-to/systemd.md").of("ini")[0].text.replace("/opt/homing/bin/homing", "/bin/true")
    file = tmp_path / "homing.service"
    file.write_text(unit)
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert file.name not in done.stderr, done.stderr


# --- how it is done


def run_page(shown: str, server: Server, folder: Path) -> None:
    """Run the page's blocks, and compare what each prints with the output that is shown behind it."""
    blocks = page(shown).of("sh run", "text output")
    runs = [block for block in blocks if block.info == "sh run"]
    assert runs, shown
    script = f"\necho -n '{MARK}'\n".join(_with_values(block.text, server) for block in runs)
    printed = _bash(script, server, folder).split(MARK)
    assert len(printed) == len(runs)
    index = -1
    for block in blocks:
        if block.info == "sh run":
            index += 1
        else:
            assert re.fullmatch(_pattern(block.text), printed[index].rstrip()), f"{block.text}\n!=\n{printed[index]}"


def _bash(script: str, server: Server, folder: Path) -> str:
    programs = folder / "bin"
    programs.mkdir()
    homing = programs / "homing"
    homing.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m homing "$@"\n')
    homing.chmod(0o755)
    environment = clean_environment(folder, HOMING_DATABASE=str(server.database))
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=environment | {"PATH": f"{programs}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}\n{server.log.read_text()}"
    return done.stdout


def _with_values(text: str, server: Server) -> str:
    """Fill in what the reader does: variables, and where the server listens."""
    values: Mapping[str, str] = {
        "SERVER": server.url,
        "SECRET": _field(f"homing host show {HOST} --secret --json", "[0]['shared_secret']"),
        "TOKEN": _field(f"homing token {HOST} --json", "['token']"),
    }
    for name, value in values.items():
        text = "\n".join(f"{name}={value}" if line.startswith(f"{name}=") else line for line in text.split("\n"))
    text = text.replace("http://127.0.0.1:8080", server.url)
    return re.sub(r"@127\.0\.0\.1 -p 5300\b", " ".join(server.dig_server()), text)


def _field(command: str, path: str) -> str:
    python = f"import json, sys; print(json.load(sys.stdin){path})"
    return f"$({command} | {shlex.quote(sys.executable)} -c {shlex.quote(python)})"


def _filled_in(text: str, server: Server, secret: str) -> str:
    text = text.replace("https://", "http://").replace("ddns.home.example", str(server.http[0]))
    return text.replace("the secret", secret)


def _pattern(text: str) -> str:
    """Return the lines as a pattern: … stands for anything, and the last lines of an output may be shown alone."""
    lines = [".*".join(map(re.escape, line.rstrip().split("…"))) for line in text.rstrip().splitlines()]
    return r"(?s:.*\n)?" + "\n".join(lines)


def _without_chance(lines: Sequence[str]) -> list[str]:
    chance = re.compile(r"(?<=127\.0\.0\.1:)\d+|(?<=after )\d\.\d+|/\S*homing-demo-\w+")
    return [chance.sub("...", line) for line in lines]
