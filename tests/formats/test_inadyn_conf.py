"""inadyn.conf, version 2 and before: which host has which settings, and what is told about the rest.

That inadyn 2.10 itself takes such files is in `tests/e2e/test_client_import.py`.
"""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidInput
from homing.formats import ddclient_conf, inadyn_conf
from homing.formats.client_draft import SERVICES, make_command
from homing.settings.client import READERS

if TYPE_CHECKING:
    from homing.formats.client_draft import ImportedAccount, ImportedClient

CUSTOM = 'ddns-server = dyn.example.com\nddns-path = "/nic/update?hostname=%h&myip=%i"\niface = eth0\n'


def read(text: str, **environment: str) -> ImportedClient:
    return inadyn_conf.read(text, "inadyn.conf", environment)


def only(text: str, **environment: str) -> ImportedAccount:
    (account,) = read(text, **environment).accounts
    return account


def custom(settings: str = "", **environment: str) -> ImportedAccount:
    return only(
        f"custom x {{ {CUSTOM} username = u password = p hostname = a.example.com\n{settings} }}", **environment
    )


def told(text: str) -> str:
    return "\n".join(read(text).told)


def read_or_refused(text: str) -> tuple[ImportedClient | None, list[str]]:
    try:
        return read(text), []
    except InvalidInput as error:
        return None, str(error).splitlines()


# --- syntax


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("p/w;!$%&|~", "p/w;!$%&|~"),
        ('"a b#c"', "a b#c"),
        ("'a \"b\"'", 'a "b"'),
        ('"a\\"b"', 'a"b'),
        ('"\\\\"', "\\"),
        ('"\\x41\\102\\q"', "ABq"),
        ("'it\\'s \\n'", "it's \\n"),
        ("x#comment", "x"),
        ("x//comment", "x"),
        ("x/* comment */", "x"),
        ("${PASS}", "from outside"),
        ('"<${PASS}>"', "<from outside>"),
        ('"${NONE:-instead}"', "instead"),
        ("'${PASS}'", "${PASS}"),
        ('"fünf"', "fünf"),
    ],
)
def test_a_value_is_what_inadyn_reads(written: str, meant: str) -> None:
    assert custom(f"password = {written}\n", PASS="from outside").secret == meant


def test_lines_mean_nothing_and_comments_are_skipped() -> None:
    account = only(
        "# first\nprovider // second\n dyndns.org{username=u password\n=\np/*\n third } */hostname={a.example.com,\n"
        '"b.example.com",}}'
    )
    assert (account.username, account.secret) == ("u", "p")
    assert account.names == ("a.example.com", "b.example.com")


def test_a_list_may_be_added_to_and_the_last_value_counts() -> None:
    assert custom("hostname += { b.example.com }").names == ("a.example.com", "b.example.com")
    assert custom("hostname = b.example.com").names == ("b.example.com",)
    assert only(f"custom x {{ {CUSTOM} username=u password=p alias=a.example.com }}").names == ("a.example.com",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("period 300", "inadyn.conf:1: expected NAME = VALUE"),
        ("\nperiod = =", "inadyn.conf:2: expected a value behind ="),
        ("provider {\n}", "inadyn.conf:1: expected a name behind provider"),
        ("provider a\nb = c", "inadyn.conf:2: expected { behind provider and its name"),
        ("\ncustom a {\nb = c", "inadyn.conf:2: expected } at the end of the custom that begins here"),
        ("provider a { hostname = { b c } }", "inadyn.conf:1: expected a comma, or } at the end of the list"),
        ("provider a { hostname = { = } }", "inadyn.conf:1: expected a list such as"),
        ('provider a {\npassword = "never closed }', 'inadyn.conf:2: expected " at the end of a text that begins here'),
        ("provider a { password = ${NEVER", "inadyn.conf:1: expected } behind ${"),
        ("provider a { checkip-command = /sbin/x eth0 }", "inadyn.conf:1: expected NAME = VALUE; a value with blanks"),
        ("}", "inadyn.conf:1: expected NAME = VALUE"),
        ("username\nalias b.example.com", "inadyn.conf:1: username: expected a value behind it"),
    ],
)
def test_what_is_malformed_is_told_with_its_line_and_what_was_expected(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text)
    assert problem in str(caught.value)
    assert "never" not in str(caught.value).lower()


# --- services


@pytest.mark.parametrize(
    ("title", "protocol", "server"),
    [
        ("default@dyndns.org", "dyndns2", "https://members.dyndns.org"),
        ("dyndns.org:7", "dyndns2", "https://members.dyndns.org"),
        ("Dyn", "dyndns2", "https://members.dyndns.org"),
        ("noip", "dyndns2", "https://dynupdate.noip.com"),
        ("default@no-ip.com:2", "dyndns2", "https://dynupdate.no-ip.com"),
        ("dyndns@he.net", "dyndns2", "https://dyn.dns.he.net"),
        ("dyndns@3322.org", "dyndns2", "https://members.3322.org/dyndns/update"),
        ("ipv4@nsupdate.info", "dyndns2", "https://ipv4.nsupdate.info"),
    ],
)
def test_a_service_that_speaks_dyndns2_is_taken_over(title: str, protocol: str, server: str) -> None:
    account = only(f"provider {title} {{ username = u password = p hostname = a.example.com }}")
    assert (account.protocol, account.server, account.username) == (protocol, server, "u")


@pytest.mark.parametrize("title", ["default@freedns.afraid.org", "cloudflare.com", "loopia", "default@ovh.com", ":1"])
def test_another_service_is_left_out_with_its_line(title: str) -> None:
    found = read(f"\nprovider {title} {{ username = u password = p hostname = {{ a.example.com, b.example.com }} }}")
    assert found.accounts == ()
    assert found.told == (
        f"inadyn.conf:2: provider {title}: not spoken by Homing; a.example.com, b.example.com are left out",
    )


def test_duckdns_has_its_token_in_the_user_name() -> None:
    account = only(
        "provider duckdns.org { username = token password = unused hostname = mine.duckdns.org ssl = false }"
    )
    assert (account.protocol, account.server) == ("duckdns", "https://www.duckdns.org")
    assert (account.username, account.secret) == (None, "token")


@pytest.mark.parametrize(
    ("settings", "server", "names"),
    [
        ("", "https://dyn.example.com", ("a.example.com",)),
        ("ssl = false", "http://dyn.example.com", ("a.example.com",)),
        ('ddns-server = "dyn.example.com:8443"', "https://dyn.example.com:8443", ("a.example.com",)),
        ('ddns-path = "/v3/update?myip=%i&hostname=%h"', "https://dyn.example.com/v3/update", ("a.example.com",)),
        ('ddns-path = "/x/nic/update?system=dyndns&hostname=%h&wildcard=ON"', "https://dyn.example.com/x",
         ("a.example.com",)),
        ('ddns-path = "/nic/update?hostname="', "https://dyn.example.com", ("a.example.com",)),
        ('ddns-path = "/nic/update?hostname=b.example.com&myip=" append-myip = true', "https://dyn.example.com",
         ("b.example.com",)),
        ('ddns-path = "/nic/update?hostname=%h.example.org&myip=%i" hostname = { c, d }', "https://dyn.example.com",
         ("c.example.org", "d.example.org")),
    ],
)  # fmt: skip
def test_a_path_of_dyndns2_is_taken_over(settings: str, server: str, names: tuple[str, ...]) -> None:
    account = custom(settings)
    assert (account.server, account.names) == (server, names)


@pytest.mark.parametrize(
    "path",
    ["/update?domain=%u&password=%p&host=%h&ip=%i", "/nic/update?hostname=%h&myip=%h", "/nic/update?hostname=%h&key=%p",
     "/nic/%h/update", "/api?hostname=%h&myip=%i", "/nic/update?hostname=%x", "/nic/update?hostname=%h&token=abc",
     "/nic/update?myip=%i", "/nic/update", "/nic/update?hostname=%h&hostname=%h"],
)  # fmt: skip
def test_any_other_path_is_told(path: str) -> None:
    found = read(f'custom mine {{ {CUSTOM} username=u password=p hostname=a.example.com ddns-path = "{path}" }}')
    assert found.accounts == ()
    (line,) = found.told
    assert line.startswith("inadyn.conf:1: custom mine: ")
    assert line.endswith("; a.example.com is left out")
    assert "abc" not in line


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("provider dyn { username = u password = p }", "provider dyn: expected hostname = ..."),
        (
            "provider dyn { username = u hostname = a.example.com }",
            "expected password = ...; a.example.com is left out",
        ),
        ('provider dyn { include("~/pw") username = u hostname = a.b.c }', "(no other file is read: put what it holds"),
        ("custom x { username = u password = p hostname = a.b.c }", "expected ddns-server = ... and ddns-path = ..."),
        ("provider dyn { username = u password = p hostname = @ }", "expected a host name of two or more labels"),
    ],
)
def test_what_is_missing_is_told(text: str, why: str) -> None:
    found = read(text)
    assert found.accounts == ()
    assert why in "\n".join(found.told)


# --- sources


@pytest.mark.parametrize(
    ("settings", "above", "ipv4", "ipv6"),
    [
        ("", "", "https://api.ipify.org/", "none"),
        ("", "allow-ipv6 = true", "https://api.ipify.org/", "https://api6.ipify.org/"),
        ("checkip-server = ip.example.com ssl = false", "", "https://ip.example.com/", "none"),
        ("checkip-server = ip.example.com ssl = false checkip-ssl = false", "", "http://ip.example.com/", "none"),
        ("checkip-server = default", "", "https://api.ipify.org/", "none"),
        ("checkip-server = ip.example.com", "", "https://ip.example.com/", "none"),
        ('checkip-server = "ip.example.com:8080" checkip-path = /my checkip-ssl = no', "",
         "http://ip.example.com:8080/my", "none"),
        ("checkip-server = ip.example.com", "allow-ipv6 = yes", "https://ip.example.com/", "https://ip.example.com/"),
        ("iface = eth0", "", "interface:eth0", "none"),
        ("", "iface = ppp0 allow-ipv6 = on", "interface:ppp0", "interface:ppp0"),
        ("iface = eth1", "iface = ppp0", "interface:eth1", "none"),
        ('checkip-command = "/bin/ip4" iface = eth0', "", "command:/bin/ip4", "none"),
        ('checkip-command = "a | b"', "", "command:sh -c 'a | b'", "none"),
    ],
)  # fmt: skip
def test_a_source_becomes_that_of_each_family(settings: str, above: str, ipv4: str, ipv6: str) -> None:
    account = only(f"{above}\nprovider dyn {{ username=u password=p hostname=a.example.com {settings} }}")
    assert (account.ipv4, account.ipv6) == (ipv4, ipv6)


@pytest.mark.parametrize(
    ("command", "needs_shell"),
    [
        ("LANG=C /usr/bin/foo", True), ("  A=b foo", True), ("foo {a,b}", True), ("! foo", True), ("cd /x", True),
        (". /etc/profile", True), ("if x", True), ("foo\nbar", True), ("a | b", True), ("exec foo", True),
        ("/usr/bin/foo", False), ("./foo -x", False), ("foo A=b", False), ("iffy x", False), ("cdx", False),
        ("foo 'a b'", False), ("foo !", False),
    ],
)  # fmt: skip
def test_a_command_that_needs_a_shell_gets_one(command: str, needs_shell: bool) -> None:
    assert make_command(command) == (f"command:sh -c {shlex.quote(command)}" if needs_shell else f"command:{command}")


def test_the_words_of_a_command_are_those_that_a_shell_makes_of_it() -> None:
    for command in ("LANG=C printenv LANG", "! false", "printf %s {a,b}", "printf %s 'a b'", "printf %s a\\ b"):
        theirs = subprocess.run(["sh", "-c", command], capture_output=True, timeout=10, check=False)
        words = shlex.split(make_command(command).removeprefix("command:"))
        ours = subprocess.run(words, capture_output=True, timeout=10, check=False)
        assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode), command


@pytest.mark.parametrize(
    ("settings", "ipv4", "ipv6", "words"),
    [
        ("", None, "none", "no page is written"),
        ("allow-ipv6 = true", None, None, "no page is written"),
        ("checkip-server = default", None, "none", "no page is written"),
        ('checkip-server = "a b"', None, "none", "checkip-server: expected an http or https URL: no page is written"),
        ("ddns-server = dyn.dns.he.net", "https://api.ipify.org/", "none", "https://api.ipify.org/ is written"),
        ("ddns-server = dyn.dns.he.net allow-ipv6 = true", "https://api.ipify.org/", "https://api6.ipify.org/",
         "https://api.ipify.org/ and https://api6.ipify.org/ are written"),
    ],
)  # fmt: skip
def test_a_strangers_page_is_for_public_services_only(
    settings: str, ipv4: str | None, ipv6: str | None, words: str
) -> None:
    server = 'ddns-server = dyn.example.com ddns-path = "/nic/update?hostname=%h&myip=%i"'
    found = read(
        "".join(f"{one}\n" for one in ["allow-ipv6 = true"] if one in settings)
        + f"custom x {{ {server} username=u password=p hostname=a.example.com {settings} }}"
    )
    assert [(one.ipv4, one.ipv6) for one in found.accounts] == [(ipv4, ipv6)]
    assert words in "\n".join(found.told)


def test_every_service_that_is_known_by_name_is_known_by_its_host() -> None:
    assert {server for _, server, _ in inadyn_conf._SPOKEN.values()} <= SERVICES
    assert set(ddclient_conf._SERVERS.values()) <= SERVICES


# --- what is left


def test_each_setting_that_is_not_taken_over_is_told_with_its_line() -> None:
    lines = told(
        "period = 300\ncache-dir = /mnt\nsecure-ssl = false\nuser-agent = x\nca-trust-file = /etc/ca.pem\n"
        "verify-address = true\nfrobnicate = 7\nprovider dyn {\niface = eth0\nusername = u\npassword = p\n"
        'hostname = a.example.com\nwildcard = true\nproxy = "socks5://p:1"\nttl = 60\n}\n'
    )
    for line, words in (
        (2, "cache-dir, user-agent: about how inadyn itself runs"), (3, "secure-ssl: certificates are always checked"),
        (7, "frobnicate: Homing has no such setting"), (13, "wildcard: not sent"), (14, "proxy: Homing uses no proxy"),
        (15, "ttl: Homing has no such setting"),
    ):  # fmt: skip
        assert f"inadyn.conf:{line}: {words}" in lines
    assert len(lines.splitlines()) == 6, lines


@pytest.mark.parametrize(("written", "interval"), [("300", None), ("60", 60), ("10", 30), ("864000", 86_400)])
def test_how_often_it_looks_is_taken_over(written: str, interval: int | None) -> None:
    assert read(f"period = {written}\nprovider dyn {{}}").interval == interval


def test_an_authority_is_taken_over() -> None:
    text = f"ca-trust-file = /etc/ca.pem\ncustom x {{ {CUSTOM} username=u password=p hostname=a.example.com }}"
    assert only(text).ca_file == "/etc/ca.pem"


def test_no_secret_is_told_or_shown() -> None:
    found = read("provider dyn { username = u password = s3cr3t hostname = a.example.com key = s3cr3t }\nx = s3cr3t")
    assert "s3cr3t" not in "\n".join(found.told) + repr(found)


def test_the_second_half_of_a_password_is_not_shown() -> None:
    lines = told("provider dyn {\nusername = u\npassword = my secretpart = x\nhostname = a.example.com\nfrob = 1\n}")
    assert "secretpart" not in lines
    assert "inadyn.conf:3: what stands behind the password: Homing has no such setting" in lines
    assert "inadyn.conf:5: frob: Homing has no such setting" in lines


# --- 1.99 and before


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("password my secretpart", "password"), ("password my -secretpart", "password"), ("-p my --secretpart", "p"),
        ("background secretpart", "background"), ("alias a.example.com secretpart", "alias"),
        ("ip_server_name a b secretpart", "ip-server-name"), ("--ssl password my secretpart", "ssl"),
        ("password my username secretpart", "password"),
    ],
)  # fmt: skip
def test_more_words_behind_a_value_are_a_problem_and_are_not_shown(line: str, name: str) -> None:
    found, problems = read_or_refused(f"username u\n{line}\nalias a.example.com\n")
    assert found is None
    assert problems == [f"inadyn.conf:2: {name}: expected no more words behind it; a value has no blanks"]


def test_the_old_form_is_read_too() -> None:
    found = read(
        "# old\nbackground\nupdate_period_sec 1800 # seconds\nusername bob\npassword p#w\n"
        "dyndns_system default@no-ip.com\nalias one.example.com\nalias two.example.com,hash\n"
        "dyndns_system custom@http_svr_basic_auth\n--username eve --password x\ndyndns_server_name dyn.example.com\n"
        "dyndns_server_url /nic/update?hostname=\nip_server_name ip.example.com /me\nalias three.example.com\nfrob 1\n"
    )
    first, second = found.accounts
    assert (first.names, first.username, first.secret) == (("one.example.com", "two.example.com"), "bob", "p#w")
    assert (first.server, first.ipv4, found.interval) == ("https://dynupdate.no-ip.com", "https://api.ipify.org/", 1800)
    assert (second.names, second.username, second.secret) == (("three.example.com",), "eve", "x")
    assert (second.server, second.ipv4) == ("https://dyn.example.com", "https://ip.example.com/me")
    lines = "\n".join(found.told)
    assert "inadyn.conf:2: background: about how inadyn itself runs" in lines
    assert "inadyn.conf:15: frob: Homing has no such setting" in lines
    assert "no ssl: https is written, where inadyn 1.99 used http" in lines


def test_the_old_form_with_a_server_of_its_own_asks_as_dyndns2() -> None:
    text = "system default@dyndns.org\nssl\nserver-name dyn.example.com\nserver-url /nic/update\n"
    text += "username u\npassword p\nalias a.example.com\nupdate_period 60000\n"
    account = only(text)
    assert read(text).interval == 60
    assert (account.server, account.names) == ("https://dyn.example.com", ("a.example.com",))


# --- any text

_PIECES = st.sampled_from(
    ["provider ", "custom ", "dyn", "{", "}", "=", ",", '"', "'", "\\", "\n", "#", "//", "/*", "*/", "${", "hostname",
     "password", "username", " a.example.com ", "ddns-server", "ddns-path", "%h", "/nic/update?hostname=", "period",
     "600", "include(", ")", "+=", "alias ", "x", "iface = eth0 ", "allow-ipv6 = true "]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=40).map("".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused_and_what_is_read_homing_takes(text: str) -> None:
    found, problems = read_or_refused(text)
    assert all(line.startswith("inadyn.conf:") for line in problems)
    for account in found.accounts if found else ():
        for name, value in account.table().items():
            READERS[name](value)


@given(st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters='"\\$'), min_size=1, max_size=20))
def test_any_password_in_double_quotes_is_taken_as_it_is(password: str) -> None:
    assert custom(f'password = "{password}"').secret == password


def test_a_source_that_another_stands_before_is_told() -> None:
    text = "iface = wan6\nprovider default@dyndns.org {\nusername = u\npassword = p\nhostname = a.example.com\n"
    command = "checkip-command = /x\ncheckip-server = default\n}\n"
    assert only(text + command).ipv4 == "command:/x"
    assert "inadyn.conf:1: iface: not taken over beside checkip-command, which comes first with inadyn" in told(
        text + command
    )
    assert "checkip-server" not in told(text + command)
    assert "7: checkip-server: not taken over beside iface" in told(text + "\ncheckip-server = ip.example.com\n}\n")
    assert "beside" not in told(text + "}\n")
