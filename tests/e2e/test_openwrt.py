"""deploy/openwrt: the files for ddns-scripts, in a shell that does with them what ddns-scripts 2.8 does.

That is no router: the substitution, the order of the transfer programs, the answer pattern and the way in which an
update script is read in are rebuilt here after net/ddns-scripts of OpenWrt's packages. The settings are the `uci`
lines of docs/how-to/openwrt.md.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
import trustme

from homing.core.outcomes import Answer, HostOutcome, Outcome, RRsetOutcome
from homing.protocols import dyndns2
from homing.protocols.http import Request
from tests.client.servers import Scripted, answer
from tests.e2e.programs import need, serving
from tests.e2e.thin import SCRIPT, Shell, make_shell
from tests.house import ROOT
from tests.pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.e2e.programs import Server

pytestmark = pytest.mark.e2e

FILES = ROOT / "deploy" / "openwrt"
HOST = "cam.home.example"
EXPANDED = "2001:0db8:0000:0000:0000:0000:0000:0007"
"""As ddns-scripts writes IPv6 addresses: it expands them, so that they can be compared."""
PUBLIC = ("203.0.113.0/24", "2001:db8::/32")
FORBIDDEN = "\"'`$!();><{}?|[]*\\"
"""Characters that ddns-scripts refuses in param_opt."""

DDNS_SCRIPTS = r"""
DATFILE=answer.dat ERRFILE=answer.err
write_log() { # LEVEL TEXT: from 10 on it is the end
  echo "log $*" >>log
  [ "$1" -lt 10 ] || exit 1
}
encode() {
  printf %s "$1" | sed 's/./&\n/g' | while IFS= read -r one; do
    case $one in [-_.~a-zA-Z0-9]) printf %s "$one" ;; ?) printf %%%02x "'$one" ;; esac
  done
}
transfer() {
  tls=
  if wget -V 2>/dev/null | grep -Fq +https; then
    [ "$use_https" -eq 0 ] || tls="--ca-certificate=$cacert"
    wget --hsts-file=hsts -nv -t 1 -O $DATFILE -o $ERRFILE $tls --no-proxy "$1"
  elif command -v curl >/dev/null; then
    [ "$use_https" -eq 0 ] || tls="--cacert $cacert"
    curl -RsS -o $DATFILE --stderr $ERRFILE $tls --noproxy '*' "$1"
  else
    [ "$use_https" -eq 0 ] || write_log 14 "no HTTPS support"
    wget -q -O $DATFILE -Y off "$1" 2>$ERRFILE
  fi
}
send_update() {
  local __IP=$1 __URL
  if [ -n "$update_script" ]; then
    . "$update_script"
  else
    __URL=$(echo $update_url | sed -e "s#\[USERNAME\]#$(encode "$username")#g" \
      -e "s#\[PASSWORD\]#$(encode "$password")#g" -e "s#\[PARAMOPT\]#$param_opt#g" \
      -e "s#\[DOMAIN\]#$domain#g" -e "s#\[IP\]#$__IP#g")
    [ "$use_https" -eq 0 ] || __URL=$(echo $__URL | sed -e 's#^http:#https:#')
    transfer "$__URL" || return 1
    grep -i -E "$UPD_ANSWER" $DATFILE >/dev/null 2>&1
  fi
}
eval "UPD_ANSWER=\"$answer\""
send_update "$1"
"""


def service(name: str, family: int = 4) -> Mapping[str, str]:
    """Read a service file as ddns-scripts does: what begins with http is a URL, everything else a script of its own."""
    file = json.loads((FILES / f"{name}.json").read_text())
    assert file["name"] == name
    part = file[f"ipv{family}"]
    if part["url"].startswith("http"):
        return {"update_url": part["url"], "answer": part["answer"], "update_script": ""}
    return {"update_url": "", "answer": "", "update_script": str(FILES / part["url"])}


def options() -> dict[str, str]:
    """Return the options of the section that the page tells to make."""
    lines = page("docs/how-to/openwrt.md").of("text")[0].text.splitlines()
    return dict(re.findall(r"^uci set ddns\.cam\.(\w+)=(.*)$", "\n".join(lines), re.MULTILINE))


@dataclass(frozen=True)
class Router:
    """ddns-scripts with a section that is set up as the page says, but for where the server is."""

    shell: Shell
    options: Mapping[str, str]

    def update(self, address: str, **other: str) -> int:
        """Send an update; return what send_update does: 0 is success."""
        values = {**self.options, **service(other.pop("service_name", self.options["service_name"])), **other}
        assert not set(values["param_opt"]) & set(FORBIDDEN)
        script = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items()) + DDNS_SCRIPTS
        (self.shell.folder / "ddns.sh").write_text(script)
        done = self.shell.run("ddns.sh", address)
        assert "not found" not in done.stderr, done.stderr
        return done.returncode

    @property
    def answer(self) -> str:
        return (self.shell.folder / "answer.dat").read_text()

    @property
    def log(self) -> str:
        file = self.shell.folder / "log"
        return file.read_text() if file.exists() else ""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with TLS, and over plain HTTP as well."""
    folder = tmp_path_factory.mktemp("server")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    (folder / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    public = [word for network in PUBLIC for word in ("--public-networks", network)]
    flags = ("--https-listen", "127.0.0.1:0", "--tls-cert", "chain.pem", "--tls-key", "key.pem")
    with serving(folder, "--zone", "home.example", *public, *flags) as running:
        running.add_host(HOST)
        yield running


@pytest.fixture
def router(server: Server, tmp_path: Path) -> Router:
    """A router with curl, and nothing else that transfers."""
    secret = server.ask_json("host", "show", HOST, "--secret")[0]["shared_secret"]
    shell = make_shell("busybox", tmp_path)
    (shell.programs / "homing.sh").symlink_to(SCRIPT)
    (shell.programs / "sh").symlink_to(str(shutil.which("busybox")))
    there = {"param_opt": str(server.https[0]), "cacert": str(server.folder / "ca.pem"), "password": secret}
    return Router(shell, {**options(), **there})


def with_programs(router: Router, transfer: str) -> None:
    """Have only this program that transfers."""
    if transfer != "curl":
        (router.shell.programs / "curl").unlink()
        if transfer == "wget":
            need("wget")
        program = shutil.which("wget" if transfer == "wget" else "busybox")
        (router.shell.programs / "wget").symlink_to(str(program))


@pytest.mark.parametrize("transfer", ["wget", "curl"])
def test_a_name_is_set_over_tls_by_each_program(server: Server, router: Router, transfer: str) -> None:
    with_programs(router, transfer)
    address = {"wget": "203.0.113.7", "curl": "203.0.113.8"}[transfer]
    assert router.update(address) == 0, router.log
    assert router.answer.strip() == f"good {address}"
    assert server.dig(HOST) == [address]
    assert router.update(address) == 0
    assert router.answer.strip() == f"nochg {address}"
    assert router.update(EXPANDED, **service("homing", 6)) == 0
    assert server.dig(HOST, "AAAA") == ["2001:db8::7"]


@pytest.mark.parametrize("transfer", ["wget", "curl"])
def test_the_password_never_crosses_in_clear_whatever_the_section_says(
    server: Server, router: Router, transfer: str
) -> None:
    with_programs(router, transfer)
    assert router.update("203.0.113.11", param_opt=str(server.http[0]), use_https="0") == 1


def test_the_wget_of_busybox_does_without_tls_where_the_url_says_so(server: Server, router: Router) -> None:
    with_programs(router, "busybox")
    plain = {"update_url": service("homing")["update_url"].replace("https:", "http:"), "use_https": "0"}
    assert router.update("203.0.113.9", param_opt=str(server.http[0]), **plain) == 0, router.log
    assert server.dig(HOST) == ["203.0.113.9"]
    assert router.update("203.0.113.9") == 1
    assert "no HTTPS support" in router.log


@pytest.mark.parametrize("transfer", ["wget", "curl"])
@pytest.mark.parametrize(
    "wrong",
    [{"password": "wrong"}, {"domain": "none.home.example"}, {"username": "none.home.example"}, {"domain": "nofqdn"},
     {"cacert": "/etc/hosts"}, {"param_opt": "127.0.0.1:9"}],
    ids=str,
)  # fmt: skip
def test_what_fails_is_not_taken_for_success(router: Router, transfer: str, wrong: dict[str, str]) -> None:
    with_programs(router, transfer)
    assert router.update("203.0.113.10", **wrong) == 1


def test_a_server_in_trouble_and_a_captive_portal_are_no_success(router: Router) -> None:
    plain = {"update_url": service("homing")["update_url"].replace("https:", "http:"), "use_https": "0"}
    for text in (answer("911", "503 Service Unavailable"), answer("<p>All the good hotels, nochg</p>"), answer("")):
        with Scripted(text) as portal:
            assert router.update("203.0.113.7", param_opt=portal.url.removeprefix("http://"), **plain) == 1


@pytest.mark.parametrize("outcome", Outcome)
def test_the_answer_pattern_finds_success_and_nothing_else(outcome: Outcome) -> None:
    source = ip_address("203.0.113.7")
    query = f"username=a&password=b&hostname={HOST}"
    asked = dyndns2.parse(Request("GET", "/nic/update", query, (), b"", source), source)
    assert isinstance(asked, dyndns2.Asked)
    rrset = RRsetOutcome("A", outcome, "203.0.113.7" if outcome.is_success else None)
    body = dyndns2.render(asked, Answer(outcome, (HostOutcome(f"{HOST}.", outcome, (rrset,)),))).body
    for family in (4, 6):
        done = subprocess.run(["grep", "-i", "-E", service("homing", family)["answer"]], input=body, check=False,
                              capture_output=True)  # fmt: skip
        assert (done.returncode == 0) is outcome.is_success, body


def test_the_signed_request_sets_a_name_and_shows_the_secret_to_nobody(server: Server, router: Router) -> None:
    log = router.shell.folder / "seen"
    router.shell.add("curl", f'{{ printf "%s\\n" "$*"; /usr/bin/env; }} >>{log}\nexec {shutil.which("curl")} "$@"')
    assert router.update("203.0.113.20", service_name="homing-signed", username="") == 0, router.log
    assert router.update(EXPANDED, service_name="homing-signed", username="") == 0, router.log
    assert server.dig(HOST) == ["203.0.113.20"]
    assert server.dig(HOST, "AAAA") == ["2001:db8::7"]
    assert "log 7 Homing answered: " + f"{HOST}. A 203.0.113.20 updated" in router.log
    assert router.options["password"] not in log.read_text() + router.log


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "wrong"}, "log 3 homing.sh: refused: the secret is not that of"),
        ({"password": ""}, "log 14 Service section not configured correctly! Missing the host's secret"),
        ({"param_opt": ""}, "log 14 Service section not configured correctly! Missing the server"),
        ({"param_opt": "127.0.0.1:9"}, "log 3 homing.sh: https://127.0.0.1:9: (7) "),
        ({"cacert": "IGNORE"}, ": (60) "),
    ],
    ids=str,
)
def test_the_signed_request_says_what_is_wrong(router: Router, wrong: dict[str, str], words: str) -> None:
    assert router.update("203.0.113.21", service_name="homing-signed", **wrong) != 0
    assert words in router.log
    assert router.options["password"] not in router.log


def test_without_homing_sh_the_log_says_where_it_belongs(router: Router) -> None:
    (router.shell.programs / "homing.sh").unlink()
    assert router.update("203.0.113.21", service_name="homing-signed") == 1
    assert "copy it to /usr/bin" in router.log
