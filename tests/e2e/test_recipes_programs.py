"""The recipes for ddclient and inadyn, and for the routers that run them: the programs, run with the text of the page.

What an EdgeRouter or a UniFi gateway makes of its owner's fields is told again here.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import Household, here, household, recipes_server
from tests.e2e.programs import need, run
from tests.e2e.recipes import FIREWALL, ROUTER, fields_of, settings_of
from tests.pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.programs import Server

pytestmark = pytest.mark.e2e

INADYN, DDCLIENT = "docs/how-to/inadyn.md", "docs/how-to/ddclient.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with recipes_server(tmp_path_factory.mktemp("recipes")) as running:
        yield running


@pytest.fixture
def home(server: Server) -> Iterator[Household]:
    with household(server) as one:
        yield one


# --- ddclient, and the routers that run it


def ddclient(home: Household, folder: Path, configuration: str) -> subprocess.CompletedProcess[str]:
    need("ddclient")
    file = folder / "ddclient.conf"
    file.write_text(configuration.replace("ssl=yes", "ssl=no"))
    file.chmod(0o600)
    line = ("ddclient", "-foreground", "-daemon=0", "-noquiet", "-verbose", "-file", file, "-cache", folder / "cache")
    return run(line, folder)


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ("SUCCESS:  updating cam.home.example: good: IP address set to 203.0.113.7", []),
        ("FAILED:   updating cam.home.example: authorization failed", [("{secret}", "wrong")]),
        ("FAILED:   updating cam.home.example: nohost: The hostname specified does not exist in the database",
         [("203.0.113.7", "192.168.1.1")]),
    ],
    ids=["good", "badauth", "nohost"],
)  # fmt: skip
def test_ddclient_says_what_its_page_says(
    home: Household, tmp_path: Path, told: str, change: list[tuple[str, str]]
) -> None:
    assert f"| `{told}` |" in page(DDCLIENT).text
    text = page(DDCLIENT).of("text")[0].text
    text = re.sub("^use=.*$", "use=ip, ip=203.0.113.7", text, flags=re.MULTILINE).replace("the secret", "{secret}")
    for old, new in change:
        text = text.replace(old, new)
    done = ddclient(home, tmp_path, here(home, text.replace("{secret}", "the secret")))
    assert told in done.stdout + done.stderr, done.stdout + done.stderr
    assert done.returncode == (1 if change else 0)
    if not change:
        again = ddclient(home, tmp_path, here(home, text.replace("{secret}", "the secret")))
        assert "SUCCESS:  cam.home.example: skipped: IP address was already set to 203.0.113.7" in again.stdout
        assert "`SUCCESS:  cam.home.example: skipped: IP address was already set to 203.0.113.7`" in page(DDCLIENT).text


def test_ddclient_is_told_of_no_change_in_the_words_of_its_page(home: Household, tmp_path: Path) -> None:
    shown = "WARNING:  updating cam.home.example: nochg: No update required"
    assert f"`{shown}`" in page(DDCLIENT).text
    text = re.sub("^use=.*$", "use=ip, ip=203.0.113.7", page(DDCLIENT).of("text")[0].text, flags=re.MULTILINE)
    ddclient(home, tmp_path, here(home, text))
    (tmp_path / "cache").unlink()
    assert shown in ddclient(home, tmp_path, here(home, text)).stderr


@pytest.mark.parametrize(
    ("heading", "pattern", "login"),
    [("EdgeRouter", r"set service dns dynamic interface eth0 service custom-homing (?:options )?", "login"),
     ("VyOS", r"set service dns dynamic name homing ", "username")],
)  # fmt: skip
def test_the_lines_of_a_router_make_a_ddclient_that_updates(
    home: Household, tmp_path: Path, heading: str, pattern: str, login: str
) -> None:
    section = page(FIREWALL).text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    given = settings_of(section, pattern)
    assert given.pop("ssl", "true") == "true"
    configuration = f"""\
ssl=yes
use=ip, ip=203.0.113.7
protocol={given["protocol"]}
server={given["server"]}
login={given[login]}
password='{given["password"]}'
{given["host-name"]}
"""
    done = ddclient(home, tmp_path, here(home, configuration))
    assert "good: IP address set to 203.0.113.7" in done.stdout, done.stdout
    assert home.shown() == ("203.0.113.7", None)


def test_the_edgerouters_page_for_its_address_is_one_that_ddclient_reads(home: Household, tmp_path: Path) -> None:
    (url,) = re.findall(r"^set service dns dynamic interface eth0 web (\S+)$", page(FIREWALL).text, re.MULTILINE)
    text = re.sub("^use=.*$", f"use=web, web={url}", page(DDCLIENT).of("text")[0].text, flags=re.MULTILINE)
    done = ddclient(home, tmp_path, here(home, text))
    assert "RECEIVE:  127.0.0.1\n" in done.stdout, done.stdout
    assert "good: IP address set to 127.0.0.1" in done.stdout, done.stdout


def test_both_services_of_vyos_differ_in_their_family_only() -> None:
    text = page(FIREWALL).text
    four, six = (settings_of(text, rf"set service dns dynamic name {name} ") for name in ("homing", "homing6"))
    assert four == six | {"ip-version": "ipv4"}
    assert six["ip-version"] == "ipv6"


# --- inadyn, and the routers that run it


def inadyn(home: Household, folder: Path, block: str, address: str = "203.0.113.7") -> subprocess.CompletedProcess[str]:
    """Run it once with a block of a page; the address is given, since it refuses those of loopback."""
    need("inadyn")
    file = folder / "inadyn.conf"
    block = re.sub(r" +checkip-\w+ +=.*\n", "", here(home, block))
    file.write_text(block.replace("\n}", f'\n    ssl = false\n    checkip-command = "echo {address}"\n}}'))
    line = ("inadyn", "-1", "-n", "-l", "debug", "--no-pidfile", "-f", file, "--cache-dir", folder)
    return run(line, folder)


@pytest.mark.parametrize(("number", "address"), [(0, "203.0.113.7"), (1, "2001:db8::7")], ids=["ipv4", "ipv6"])
def test_inadyn_updates_with_each_block_of_its_page(home: Household, tmp_path: Path, number: int, address: str) -> None:
    done = inadyn(home, tmp_path, page(INADYN).of("text")[number].text, address)
    assert done.returncode == 0, done.stderr
    assert f"Successful alias table update for cam.home.example => new IP# {address}" in done.stderr
    assert address in home.shown()
    assert "No IP# change detected" in inadyn(home, tmp_path, page(INADYN).of("text")[number].text, address).stderr


def test_inadyn_finds_its_address_on_the_page_that_is_named(home: Household, tmp_path: Path) -> None:
    need("inadyn")
    file = tmp_path / "inadyn.conf"
    ours = "ssl = false\n    checkip-ssl = false\n}"
    file.write_text("verify-address = false\n" + here(home, page(INADYN).of("text")[0].text).replace("}", ours))
    done = run(["inadyn", "-1", "-n", "-l", "debug", "--no-pidfile", "-f", file, "--cache-dir", tmp_path], tmp_path)
    assert "new IP# 127.0.0.1" in done.stderr, done.stderr
    assert home.shown() == ("127.0.0.1", None)


def test_inadyns_command_for_ipv6_prints_an_address_that_it_reads(home: Household, tmp_path: Path) -> None:
    need("ip")
    (command,) = re.findall(r'checkip-command = "(.*)"', page(INADYN).text)
    done = subprocess.run(command.replace("eth0", "lo"), shell=True, capture_output=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("told", "secret", "address", "code"),
    [("Error code 50: Authentication failure", "wrong", "203.0.113.7", 50),
     ("Error code 48: DDNS server response not OK", "", "198.51.100.1", 48)],
    ids=["badauth", "nohost"],
)  # fmt: skip
def test_inadyn_says_what_its_page_says(
    home: Household, tmp_path: Path, told: str, secret: str, address: str, code: int
) -> None:
    assert told in page(INADYN).text
    text = page(INADYN).of("text")[0].text
    done = inadyn(home, tmp_path, text.replace("the secret", secret or "the secret"), address)
    assert done.returncode == code
    assert told in done.stderr
    assert home.shown() == (None, None)


@pytest.mark.parametrize("shown", ["UniFi", "DD-WRT"])
def test_inadyn_updates_with_the_fields_of_a_router(home: Household, tmp_path: Path, shown: str) -> None:
    fields = fields_of(page(FIREWALL if shown == "UniFi" else ROUTER), shown)
    if shown == "UniFi":
        server, _, path = fields["Server"].partition("/")
        given = (fields["Username"], fields["Hostname"], server, "/" + path)
    else:
        given = (fields["Username"], fields["Hostname"], fields["DYNDNS Server"], fields["URL"])
    username, hostname, server, path = given
    block = f"""\
custom router {{
    username    = "{username}"
    password    = "{fields["Password"]}"
    ddns-server = "{server}"
    ddns-path   = "{path}"
    hostname    = "{hostname}"
}}
"""
    done = inadyn(home, tmp_path, block)
    assert done.returncode == 0, done.stderr
    assert home.shown() == ("203.0.113.7" if shown == "UniFi" else "127.0.0.1", None)
