"""A file with which ddclient or inadyn works is imported, and Homing's client then sends the same with the same result.

What the real programs understand is seen by what they send: name, user, password and address, to a server that notes
each request, and to `homing serve`.
"""

from __future__ import annotations

import base64
import threading
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.programs import HOMING, INTERNAL, Server, client, need, run
from tests.pages import page

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


PUBLIC = {"HOMING_CLIENT_PUBLIC_NETWORKS": "203.0.113.0/24, 127.0.0.0/8"}
"""Neither addresses for documentation nor loopback are global; no real host needs this."""


# --- the programs


def ddclient(folder: Path, configuration: str) -> str:
    need("ddclient")
    file = folder / "ddclient.conf"
    file.write_text(configuration)
    file.chmod(0o600)
    return client(folder, "ddclient", "-foreground", "-daemon=0", "-noquiet", "-verbose", "-file", file,
                  "-cache", folder / "ddclient.cache", "-force")  # fmt: skip


def inadyn(folder: Path, configuration: str) -> str:
    need("inadyn")
    file = folder / "inadyn.conf"
    file.write_text(configuration)
    client(folder, "inadyn", "--check-config", "-f", file)
    return client(folder, "inadyn", "-1", "-n", "--force", "-f", file, "--cache-dir", folder, "--no-pidfile")


def imported(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Import the file beside it; return what was said."""
    return run([*HOMING, "import", name, "--output", "homing.toml", "--force"], folder)


def update(folder: Path) -> str:
    """Update with what was imported; return what was printed, without the warning that there is no TLS here."""
    done = run([*HOMING, "update", "--config", "homing.toml"], folder, environment=PUBLIC)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- a server that notes each request


@dataclass
class Notes:
    """What was sent: name, user, password and address of each update."""

    place: str = ""
    updates: list[tuple[str, str, str, str]] = field(default_factory=list)

    def take(self) -> list[tuple[str, str, str, str]]:
        taken = sorted(self.updates)
        self.updates.clear()
        return taken


@contextmanager
def noting() -> Iterator[Notes]:
    notes = Notes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            _, _, given = self.headers.get("Authorization", "").partition(" ")
            user, _, password = base64.b64decode(given).decode().partition(":")
            names, address = query["hostname"][0].split(","), query["myip"][0]
            notes.updates.extend((name, user, password, address) for name in names)
            body = "".join(f"good {address}\n" for _ in names).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    notes.place = f"127.0.0.1:{server.server_address[1]}"
    try:
        yield notes
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def notes() -> Iterator[Notes]:
    with noting() as noted:
        yield noted


# --- the same is sent


DDCLIENT = """\
# what ddclient's readers trip over
daemon=300, ssl=no
use=ip, ip=203.0.113.9
server={place}
login=global, protocol=dyndns2
password='it''s'
a1.example.com
a2.example.com, a3.example.com   # two of one account
login=own, \\
password=s#1 \\
b1.example.com
b2.example.com old-login old,password
login='with blank' password='a b,c' c1.example.com
login=esc\\ aped password=back\\slash c2.example.com
login=c3.example.com password="quoted" c3.example.com
login=comma, password=comma, c4.example.com
login=spaced password = 'x=y' c5.example.com
login=q password='a' # it's
c6.example.com
fw-password=other password=real c7.example.com
host=c8.example.com,login=late
"""


def test_homing_sends_what_ddclient_sends(notes: Notes, tmp_path: Path) -> None:
    ddclient(tmp_path, DDCLIENT.format(place=notes.place))
    theirs = notes.take()
    assert len(theirs) == 13
    assert imported(tmp_path, "ddclient.conf").returncode == 0
    update(tmp_path)
    assert notes.take() == theirs


INADYN = """\
period = 600
custom one:1 {{
    username = alice  password = p;q$%
    ddns-server = "{place}"  ssl = false
    ddns-path = "/nic/update?hostname=%h&myip=%i"
    hostname = {{ a1.example.com, "a2.example.com" }}   // two of one account
    checkip-command = "echo 203.0.113.9"
}}
custom two {{
    username = "with \\"quotes\\" \\x41" # comment
    password = 'single \\'quoted\\' \\n'
    ddns-server = "{place}" ssl = no
    ddns-path = "/v3/update?hostname=b.example.com&myip="
    append-myip = true
    hostname = b.example.com
    checkip-command = "printf 203.0.113.%d 10 | head -1"
}}
"""


def test_homing_sends_what_inadyn_sends(notes: Notes, tmp_path: Path) -> None:
    inadyn(tmp_path, INADYN.format(place=notes.place))
    theirs = notes.take()
    assert len(theirs) == 3
    assert imported(tmp_path, "inadyn.conf").returncode == 0
    update(tmp_path)
    assert notes.take() == theirs


# --- with the same result


def test_what_works_with_ddclient_works_with_homing(server: Server, name: str, tmp_path: Path) -> None:
    names = [name, f"b-{name}"]
    for one in names:
        server.add_host(one, INTERNAL)
    password = server.add_account(f"dd-{name}", *names)
    configuration = (
        f"protocol=dyndns2\nssl=no\nserver={server.http[0]}\nuse=web, web={server.url}/nic/checkip, "
        f"web-skip='Current IP Address:'\nlogin=dd-{name}\npassword='{password}'\n{','.join(names)}\n"
    )
    told = ddclient(tmp_path, configuration)
    assert told.count("good: IP address set to 127.0.0.1") == 2, told
    assert [server.dig(one) for one in names] == [["127.0.0.1"]] * 2

    assert imported(tmp_path, "ddclient.conf").returncode == 0
    file = tmp_path / "homing.toml"
    assert update(tmp_path).splitlines() == [f"{one} A 127.0.0.1 unchanged" for one in names]

    file.write_text(file.read_text().replace(f'ipv4 = "{server.url}/nic/checkip"', 'ipv4 = "127.0.5.9"'))
    assert update(tmp_path).splitlines() == [f"{one} A 127.0.5.9 updated" for one in names]
    assert [server.dig(one) for one in names] == [["127.0.5.9"]] * 2


def test_what_works_with_inadyn_works_with_homing(server: Server, name: str, tmp_path: Path) -> None:
    secret = server.add_host(name, INTERNAL)
    told = inadyn(
        tmp_path,
        f"verify-address = false\ncustom home {{\n username = {name}\n password = {secret}\n ssl = false\n"
        f' ddns-server = "{server.http[0]}"\n ddns-path = "/nic/update?hostname=%h&myip=%i"\n hostname = {name}\n'
        ' checkip-command = "echo 203.0.113.9"\n}\n',
    )
    assert server.dig(name) == ["203.0.113.9"], told
    done = imported(tmp_path, "inadyn.conf")
    assert "inadyn.conf:1: verify-address: not taken over; `allow_internal` takes an address" in done.stderr
    assert update(tmp_path) == f"{name} A 203.0.113.9 unchanged\n"
    assert "username" not in tomllib.loads((tmp_path / "homing.toml").read_text())["client"], "it is the name itself"


def test_what_ddclient_is_refused_homing_is_refused(server: Server, name: str, tmp_path: Path) -> None:
    server.add_host(name, INTERNAL)
    (tmp_path / "ddclient.conf").write_text(
        f"ssl=no\nserver={server.http[0]}\nuse=ip, ip=127.0.5.8\nlogin={name}\npassword=wrong\n{name}\n"
    )
    assert imported(tmp_path, "ddclient.conf").returncode == 0
    done = run([*HOMING, "update", "--config", "homing.toml"], tmp_path)
    assert done.returncode == 1
    assert "badauth" in done.stderr
    assert "wrong" not in done.stderr.replace("is wrong", "")


# --- the page


def test_moving_works_as_it_is_written(server: Server, name: str, tmp_path: Path) -> None:
    shown = page("docs/how-to/moving-clients.md")
    secret = server.add_host(name, INTERNAL)
    for file, block in zip(("ddclient.conf", "inadyn.conf"), shown.of("text"), strict=True):
        (tmp_path / file).write_text(_filled_in(block.text, server, name, secret))
    lines = [line for block in shown.of("sh run") for line in block.text.splitlines()]
    assert len(lines) == 8
    for line in lines:
        command, *arguments = line.split()
        assert command == "homing"
        done = run([*HOMING, *arguments], tmp_path, environment=PUBLIC)
        assert done.returncode == 0, line + done.stderr
        if "update" in arguments:
            assert f"{name} A 127.0.0.1 would send" in done.stdout, done.stdout
    assert server.dig(name) == [], "nothing is sent"


def _filled_in(text: str, server: Server, name: str, secret: str) -> str:
    """Fill in what a reader has, and leave out TLS, which this server does not speak."""
    for written, meant in (
        ("https://ddns.home.example", server.url), ("ddns.home.example", str(server.http[0])),
        ("cam.home.example", name), ("the secret", secret), ("ssl=yes", "ssl=no"),
        ("    hostname ", "    ssl = false checkip-ssl = false\n    hostname "),
    ):  # fmt: skip
        text = text.replace(written, meant)
    return text
