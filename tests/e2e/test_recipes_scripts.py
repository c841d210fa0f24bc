"""The recipes of curl, wget and scripts, and the lines that `homing host add` prints: run as they stand in the page."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.e2e import devices
from tests.e2e.household import HOST, Household, here, household, recipes_server, send
from tests.e2e.programs import HOMING, client, need, run
from tests.e2e.recipes import ROUTER, openwrt
from tests.pages import page

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.programs import Server

pytestmark = pytest.mark.e2e

CRON = "docs/how-to/cron.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with recipes_server(tmp_path_factory.mktemp("recipes")) as running:
        yield running


@pytest.fixture
def home(server: Server) -> Iterator[Household]:
    with household(server) as one:
        yield one


# --- curl and wget


@pytest.mark.parametrize("number", [0, 1], ids=["user-in-url", "password-in-query"])
@pytest.mark.parametrize("program", ["wget -nv -t 1 -O -", "curl -sS", "busybox wget -q -O -"])
def test_openwrts_url_works_with_each_program_that_it_may_use(
    home: Household, tmp_path: Path, program: str, number: int
) -> None:
    need(program.split(maxsplit=1)[0])
    given = openwrt(number)()
    values = {"[USERNAME]": given["username"], "[PASSWORD]": given["password"], "[DOMAIN]": given["domain"],
              "[IP]": "203.0.113.7"}  # fmt: skip
    url = here(home, devices.fill(given["update_url"], values))
    assert "good 203.0.113.7" in client(tmp_path, *program.split(), url)
    assert home.shown() == ("203.0.113.7", None)


def shell(folder: Path, script: str, netrc: str = "") -> subprocess.CompletedProcess[str]:
    """Run lines of a page in the folder that is the reader's home."""
    file = folder / ".netrc"
    file.write_text(netrc)
    file.chmod(0o600)
    return run(["sh", "-c", script], folder)


def netrc(home: Household, secret: str = "") -> str:
    """The page's `.netrc`, which has no place for a port."""
    text = here(home, page(CRON).of("text")[0].text, secret)
    return text.replace(str(home.server.http[0]), home.server.http[0].host)


@pytest.mark.parametrize("program", ["curl", "wget"])
def test_a_line_for_cron_updates_without_a_password_in_the_process_list(
    home: Household, tmp_path: Path, program: str
) -> None:
    need(program)
    line = page(CRON).of(f"sh {program}")[0].text.splitlines()[0]
    assert "the secret" not in line
    done = shell(tmp_path, here(home, line), netrc(home))
    assert (done.returncode, done.stdout) == (0, "good 127.0.0.1\n"), done.stderr
    assert home.shown() == ("127.0.0.1", None)
    refused = shell(tmp_path, here(home, line), netrc(home, "wrong"))
    assert refused.returncode != 0
    assert "good" not in refused.stdout


def test_the_line_for_curl_fails_where_the_name_is_refused(home: Household, tmp_path: Path) -> None:
    need("curl")
    home.server.homing("host", "lock", HOST)
    line = page(CRON).of("sh curl")[0].text.splitlines()[0]
    done = shell(tmp_path, here(home, line), netrc(home))
    assert (done.returncode, done.stdout) == (1, "")


def test_the_crontab_has_the_same_line() -> None:
    (entry,) = (block.text for block in page(CRON).of("text") if block.text.startswith("*/5"))
    line = page(CRON).of("sh curl")[0].text.splitlines()[0]
    assert entry.strip() == "*/5 * * * * " + line.replace("grep -E", "grep -qE")
    assert "%" not in entry, "cron makes a newline of it"


def test_busyboxs_line_updates(home: Household, tmp_path: Path) -> None:
    need("busybox")
    done = shell(tmp_path, here(home, page(CRON).of("sh busybox")[0].text))
    assert (done.returncode, done.stdout) == (0, "good 127.0.0.1\n"), done.stderr


def test_the_timer_is_one_that_systemd_understands(tmp_path: Path) -> None:
    need("systemd-analyze")
    files = [tmp_path / "ddns.service", tmp_path / "ddns.timer"]
    for file, info in zip(files, ("ini service", "ini timer"), strict=True):
        file.write_text(page(CRON).of(info)[0].text.replace("/usr/bin/curl", "/bin/true"))
    done = run(["systemd-analyze", "verify", *files], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ddns." not in done.stderr, done.stderr


def test_the_timers_command_updates(home: Household, tmp_path: Path) -> None:
    need("curl")
    (command,) = re.findall("^ExecStart=(.*)$", here(home, page(CRON).of("ini service")[0].text), re.MULTILINE)
    options, _, url = command.rpartition(" ")
    (tmp_path / "netrc").write_text(netrc(home))
    done = shell(tmp_path, f"CREDENTIALS_DIRECTORY={tmp_path}; {options} '{url}'")
    assert (done.returncode, done.stdout) == (0, "good 127.0.0.1\n"), done.stderr


# --- scripts


@pytest.mark.parametrize("interpreter", ["sh", "busybox sh"])
@pytest.mark.parametrize(("secret", "reported"), [("", "1"), ("wrong", "0")], ids=["right", "wrong"])
def test_merlins_script_updates_and_reports(
    home: Household, tmp_path: Path, interpreter: str, secret: str, reported: str
) -> None:
    need("curl", interpreter.split(maxsplit=1)[0])
    file = tmp_path / "ddns-start"
    text = here(home, page(ROUTER).of("sh merlin")[0].text, secret)
    assert "/sbin/ddns_custom_updated" in text
    file.write_text(text.replace("/sbin/ddns_custom_updated", "echo reported").replace("logger -t", "echo logged"))
    told = client(tmp_path, *interpreter.split(), file, "203.0.113.7").splitlines()
    assert told == [f"logged ddns-start {HOST}: {'badauth' if secret else 'good 203.0.113.7'}", f"reported {reported}"]
    assert home.shown() == ((None, None) if secret else ("203.0.113.7", None))


def test_the_first_update_of_the_clients_page_is_three_lines(home: Household, tmp_path: Path) -> None:
    """On loopback, whose address has to be allowed; everything else as it stands there."""
    install, *rest = page("docs/how-to/client.md").of("sh first-update")[0].text.splitlines()
    assert (install, len(rest)) == ("pipx install ./homing", 2)
    script = here(home, "\n".join(rest)).replace(
        "\nhoming ", f"\nHOMING_CLIENT_ALLOW_INTERNAL=true {shlex.join(HOMING)} "
    )
    done = shell(tmp_path, script)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    shown = page("docs/how-to/client.md").of("text")[0].text.splitlines()
    assert done.stdout.splitlines()[0] == shown[0].replace("203.0.113.7", "127.0.0.1")
    assert shell(tmp_path, script).stdout.splitlines()[0] == shown[0].replace(
        "203.0.113.7 updated", "127.0.0.1 unchanged"
    )


def printed_lines(home: Household, name: str) -> dict[str, str]:
    """What is printed for a new host, by the word at its left, with the server's place filled in."""
    printed = home.server.homing("host", "add", name).stdout
    assert len(printed.splitlines()) <= 32
    printed = printed.replace("YOUR-SERVER", str(home.server.http[0])).replace("https://", "http://")
    found = re.findall(
        r"^(\S[^ ]*(?: URL)?) {3,}(.+(?:\n {14}.+)*)", printed.replace("ssl=yes", "ssl=no"), re.MULTILINE
    )
    return {kind: "\n".join(line.strip() for line in lines.splitlines()) for kind, lines in found}


def test_what_homing_host_add_prints_can_be_pasted(home: Household, tmp_path: Path) -> None:
    need("curl", "ddclient")
    name = "printed.home.example"
    lines = printed_lines(home, name)
    assert list(lines) == ["homing", "curl", "ddclient", "FRITZ!Box", "router", "one URL"]

    ours = lines["homing"].replace("homing update", f"{shlex.join(HOMING)} update")
    done = shell(tmp_path, f"{ours} --address 203.0.113.9 --ipv4 --dns-server {home.server.dns[0]}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "printed.secret").stat().st_mode & 0o077 == 0

    assert shell(tmp_path, lines["curl"]).stdout == "good 127.0.0.1\n"
    assert shell(tmp_path, f"curl -s '{lines['one URL']}'").stdout == "nochg 127.0.0.1\n"
    file = tmp_path / "ddclient.conf"
    file.write_text(lines["ddclient"] + "\n")
    file.chmod(0o600)
    line = ("ddclient", "-foreground", "-daemon=0", "-noquiet", "-file", file, "-cache", tmp_path / "cache")
    assert "nochg: No update required" in client(tmp_path, *line)


def test_the_printed_url_for_a_fritzbox_is_one_that_it_can_fill_in(home: Household) -> None:
    name = "box.home.example"
    lines = printed_lines(home, name)
    (secret,) = re.findall(r"printf %s '([^']+)'", lines["homing"])
    fields = {"Update URL": lines["FRITZ!Box"], "Domain name": name, "User name": name, "Password": secret}
    box = Household(home.server, name, secret)
    assert devices.fritzbox(fields, devices.Line(), lambda request: send(home.server, request))
    assert box.shown() == ("203.0.113.7", "2001:db8:1::1")


def test_the_printed_url_for_a_router_waits_for_an_address(home: Household) -> None:
    name = "router.home.example"
    lines = printed_lines(home, name)
    (secret,) = re.findall(r"printf %s '([^']+)'", lines["homing"])
    target, host, _ = devices.take_apart(lines["router"].splitlines()[0] + "203.0.113.7")
    assert send(home.server, devices.get(target, host, devices.basic(name, secret))).body == "good 203.0.113.7\n"
