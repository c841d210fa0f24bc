"""The recipes for devices, as the pages have them: what a device would send is sent, and must do what the page says.

A recipe is read from its page and filled in as its owner does; `devices` knows what the device makes of it. Programs
that can be run are run in `test_recipes_programs`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.e2e import devices
from tests.e2e.devices import Answer, Line
from tests.e2e.household import HOST, SERVER_NAME, Household, recipes_server, send
from tests.e2e.programs import wait_for
from tests.e2e.recipes import (
    FIREWALL,
    NAS,
    ROUTER,
    cisco,
    fritzbox,
    generic,
    home_assistant,
    home_assistant_files,
    mikrotik,
    openwrt,
    synology,
    synology_file,
    table,
)
from tests.pages import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.e2e.programs import Server

pytestmark = pytest.mark.e2e

IDENTIFIER = "::5"
LINE = Line()
NO_IPV6, NO_IPV4 = Line(ipv6="", prefix=""), Line(ipv4="")


@dataclass(frozen=True)
class Recipe:
    """A device, where its fields stand, and what DNS shows once it has had its way."""

    name: str
    device: devices.Device
    read: Callable[[], Mapping[str, str]]
    shown: tuple[str | None, str | None] = ("203.0.113.7", None)
    takes_nohost: bool = False


BOTH = ("203.0.113.7", f"2001:db8:1{IDENTIFIER}")
RECIPES = (
    Recipe("generic", devices.generic, generic),
    Recipe("fritzbox", devices.fritzbox, fritzbox(0), BOTH),
    Recipe("fritzbox-two-urls", devices.fritzbox, fritzbox(1), BOTH),
    Recipe("openwrt", devices.openwrt, openwrt(0)),
    Recipe("openwrt-without-user", devices.openwrt, openwrt(1)),
    Recipe("dd-wrt", devices.dd_wrt, table(ROUTER, "DD-WRT"), ("127.0.0.1", None)),
    Recipe("omada", devices.omada, table(ROUTER, "TP-Link Omada, GL.iNet")),
    Recipe("draytek", devices.draytek, table(ROUTER, "DrayTek")),
    Recipe("cisco", devices.cisco, cisco, takes_nohost=True),
    Recipe("unifi", devices.unifi, table(FIREWALL, "UniFi")),
    Recipe("pfsense", devices.pfsense, table(FIREWALL, "pfSense")),
    Recipe("pfsense-v6", devices.pfsense_v6, table(FIREWALL, "pfSense"), (None, "2001:db8:1::1")),
    Recipe("opnsense", devices.opnsense, table(FIREWALL, "OPNsense"), takes_nohost=True),
    Recipe("synology", devices.synology, synology),
    Recipe("synology-file", devices.synology, synology_file),
    Recipe("qnap", devices.qnap, table(NAS, "QNAP")),
    Recipe("mikrotik", devices.mikrotik, mikrotik, ("203.0.113.7", "2001:db8:1::1")),
    Recipe("home-assistant", devices.home_assistant, home_assistant, ("127.0.0.1", None)),
)
every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.name for recipe in RECIPES])


# --- a household and its server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with recipes_server(tmp_path_factory.mktemp("recipes")) as running:
        running.add_host("other.home.example")
        yield running


@pytest.fixture
def home(server: Server, request: pytest.FixtureRequest) -> Household:
    name = "h" + re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[-40:].strip("-") + ".home.example"
    return Household(server, name, server.add_host(name, "--interface-identifier", IDENTIFIER))


# --- each recipe


@every_recipe
def test_a_device_with_these_fields_updates_its_host_and_knows_it(home: Household, recipe: Recipe) -> None:
    fields = home.enter(recipe.read())
    assert recipe.device(fields, LINE, home.send)
    assert home.shown() == recipe.shown
    assert recipe.device(fields, LINE, home.send), "again, which is nochg"


@every_recipe
def test_a_device_with_a_wrong_password_never_believes_that_it_worked(home: Household, recipe: Recipe) -> None:
    assert not recipe.device(home.enter(recipe.read(), secret="wrong"), LINE, home.send)
    assert home.shown() == (None, None)


@every_recipe
def test_a_device_whose_update_is_refused_notices_unless_its_page_says_otherwise(
    home: Household, recipe: Recipe
) -> None:
    assert home.server.homing("host", "lock", home.name).returncode == 0
    answers: list[Answer] = []

    def listening(request: bytes) -> Answer:
        answers.append(home.send(request))
        return answers[-1]

    assert recipe.device(home.enter(recipe.read()), LINE, listening) == recipe.takes_nohost
    assert (answers[-1].status, answers[-1].body) == (200, "nohost\n")


@pytest.mark.parametrize(("shown", "heading"), [(FIREWALL, "OPNsense"), (ROUTER, "Cisco IOS")])
def test_a_page_warns_where_a_refusal_looks_like_success(shown: str, heading: str) -> None:
    section = page(shown).text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert re.search("`nohost`", section)
    assert "success" in section


@every_recipe
def test_no_device_takes_a_server_in_trouble_for_success(recipe: Recipe, busy: Household) -> None:
    assert not recipe.device(busy.enter(recipe.read()), LINE, busy.send)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    """A host that has changed as often as it may in a minute: 503."""
    with recipes_server(tmp_path_factory.mktemp("busy"), "--changes-per-minute", "1") as running:
        one = Household(running, HOST, running.add_host(HOST))
        for number in range(20):
            asked = f"/nic/update?hostname={HOST}&myip=203.0.113.{100 + number},2001:db8::{number + 1}"
            if send(running, devices.get(asked, SERVER_NAME, devices.basic(HOST, one.secret))).status == 503:
                break
        yield one


# --- lines with one family


@pytest.mark.parametrize("number", [0, 1], ids=["one-url", "two-urls"])
def test_a_fritzbox_without_a_family_leaves_that_record_alone(home: Household, number: int) -> None:
    fields = home.enter(fritzbox(number)())
    assert devices.fritzbox(fields, LINE, home.send)
    assert devices.fritzbox(fields, Line(ipv4="203.0.113.8", ipv6="", prefix=""), home.send)
    assert home.shown() == ("203.0.113.8", BOTH[1])
    if number == 0:
        assert devices.fritzbox(fields, Line(ipv4="", prefix="2001:db8:2::/64"), home.send)
        assert home.shown() == ("203.0.113.8", f"2001:db8:2{IDENTIFIER}")


def test_a_fritzbox_may_name_itself_instead_of_its_network(home: Household) -> None:
    assert "`<ip6addr>` instead of `<ip6lanprefix>`" in page(ROUTER).text
    fields = home.enter(fritzbox(0)())
    fields["Update URL"] = fields["Update URL"].replace("<ip6lanprefix>", "<ip6addr>")
    assert devices.fritzbox(fields, LINE, home.send)
    assert home.shown() == ("203.0.113.7", LINE.ipv6)


@pytest.mark.parametrize("line", [NO_IPV6, NO_IPV4], ids=["no-ipv6", "no-ipv4"])
def test_a_mikrotik_without_a_family_leaves_that_record_alone(home: Household, line: Line) -> None:
    fields = home.enter(mikrotik())
    assert devices.mikrotik(fields, line, home.send)
    assert home.shown() == (line.ipv4 or None, line.ipv6 or None)


# --- the pages themselves


def test_what_the_log_is_said_to_say_is_what_it_says(home: Household) -> None:
    proof = devices.basic(home.name, home.secret)
    mine = f"/nic/update?hostname={home.name}&myip="
    asked = {
        "outcome=updated": [mine + "203.0.113.7", proof],
        "outcome=unchanged": [mine + "203.0.113.7", proof],
        "outcome=challenged": [mine + "203.0.113.7"],
        'outcome="not authenticated"': [mine + "203.0.113.7", devices.basic(home.name, "wrong")],
        'outcome="no such host"': ["/nic/update?hostname=other.home.example", proof],
        'outcome="address not allowed"': [mine + "192.168.1.1", proof],
        'outcome="not a fully qualified domain name"': ["/nic/update?hostname=cam", proof],
        'outcome="no such path"': ["/update", proof],
        "outcome=locked": [mine + "203.0.113.8", proof],
    }
    told = page(ROUTER).text
    for words, (target, *headers) in asked.items():
        if words == "outcome=locked":
            assert home.server.homing("host", "lock", home.name).returncode == 0
        seen = len(home.server.log.read_text())
        answer = send(home.server, devices.get(target, SERVER_NAME, *headers))
        assert wait_for(partial(_is_logged, home.server, words, seen)), words
        (row,) = (row for row in told.splitlines() if row.startswith("| `outcome=") and f"`{words}`" in row)
        answered = row.split("|")[2]
        word = answer.body.split()[0]
        assert f"`{word}" in answered or str(answer.status) in answered, (row, answer)


def _is_logged(server: Server, words: str, seen: int) -> bool:
    return words in server.log.read_text()[seen:]


def test_the_url_for_a_device_without_a_field_for_a_user(home: Household) -> None:
    url = home.enter(generic())["URL, if the device has no field for a user"]
    target, host, _ = devices.take_apart(url)
    assert home.send(devices.get(target, host)).body == "good 127.0.0.1\n"


def test_home_assistants_second_command_and_its_alarm_are_sound(home: Household) -> None:
    configuration, secrets = home_assistant_files()
    commands = configuration["rest_command"]
    assert commands["homing_ipv6"] == commands["homing_ipv4"] | {
        "url": commands["homing_ipv4"]["url"].replace("ddns4", "ddns6")
    }
    assert list(secrets) == [commands["homing_ipv4"]["password"]]
    (automation,) = configuration["automation"]
    called = [step["action"] for step in automation["actions"] if "action" in step]
    assert called == [f"rest_command.{name}" for name in commands]


@pytest.mark.parametrize(
    ("answer", "is_told"),
    [
        ({"status": 200, "content": "good 203.0.113.7\n"}, False),
        ({"status": 200, "content": "nochg 203.0.113.7"}, False),
        ({"status": 200, "content": "nohost"}, True),
        ({"status": 401, "content": "badauth"}, True),
        ({"status": 503, "content": 911}, True),
        (None, True),
    ],
)
def test_home_assistant_tells_its_owner_of_everything_but_success(answer: object, is_told: bool) -> None:
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment()
    environment.tests["match"] = lambda text, pattern: bool(re.match(pattern, text))
    (step,) = (step for step in home_assistant_files()[0]["automation"][0]["actions"] if "if" in step)
    variables = {} if answer is None else {"answer": answer}
    assert environment.from_string(step["if"]).render(variables) == str(is_told)
    assert environment.from_string(step["then"][0]["data"]["message"]).render(variables).strip()


def test_the_table_of_devices_leads_to_every_section_with_fields() -> None:
    listed = set(re.findall(r"^\| \[[^\]]+\]\([\w.-]*#([\w-]+)\) \|", page(ROUTER).text, re.MULTILINE))
    for shown in (ROUTER, FIREWALL, NAS):
        for section in re.split(r"^## ", page(shown).text, flags=re.MULTILINE)[1:]:
            heading = section.partition("\n")[0]
            if "`the secret`" in section or "the secret@" in section:
                assert re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") in listed, heading
