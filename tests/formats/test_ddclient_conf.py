"""ddclient.conf: which host has which settings, as ddclient reads them, and what is told about the rest.

That ddclient 3.10 itself reads these files so is in `tests/e2e/test_client_import.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidInput
from homing.formats import ddclient_conf
from homing.settings.client import READERS

if TYPE_CHECKING:
    from homing.formats.client_draft import ImportedAccount, ImportedClient

TOP = "ssl=yes\nserver=dyn.example.com\nuse=ip, ip=203.0.113.9\n"


def read(text: str, **environment: str) -> ImportedClient:
    return ddclient_conf.read(text, "ddclient.conf", environment)


def only(text: str, **environment: str) -> ImportedAccount:
    (account,) = read(text, **environment).accounts
    return account


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
        ("password=plain", "plain"),
        ("password='it''s'", "it''s"),
        ("password='a b'", "a b"),
        ("password='a,b#c'", "a,b#c"),
        ("password=a#b", "a#b"),
        ("password=x\\y", "x\\y"),
        ('password="quoted"', '"quoted"'),
        ("password=foo'", "foo'"),
        ("password = 'spaced'", "spaced"),
        ("login=bob,password=s", "s"),
        ("password=:/?&%@", ":/?&%@"),
        ("password=fünf", "fünf"),
        ("fw-password=other password=s", "s"),
    ],
)
def test_a_password_is_what_ddclient_would_send(written: str, meant: str) -> None:
    assert only(f"{TOP}login=bob {written} \\\nwww.example.com\n").secret == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [("login=bob", "bob"), ("login='b ob'", "b ob"), ('login="b,ob"', "b,ob"), ("login=b\\ ob", "b ob"),
     ("login='b'o\"b\"", "bob"), ("login=b'  'ob", "b ob")],
)  # fmt: skip
def test_other_values_are_quoted_in_three_ways(written: str, meant: str) -> None:
    assert only(f"{TOP}{written}, password=s www.example.com").username == meant


def test_settings_are_for_the_hosts_behind_them_and_those_of_a_line_win() -> None:
    accounts = read(
        f"{TOP}login=first\npassword=one\na.example.com\nb.example.com,c.example.com\n"
        "login=second, server=other.example.com d.example.com\nlogin=third\ne.example.com\n"
        "f.example.com old-login old-password\n"
    ).accounts
    assert [(one.names, one.username, one.server, one.secret) for one in accounts] == [
        (("a.example.com", "b.example.com", "c.example.com"), "first", "https://dyn.example.com", "one"),
        (("d.example.com",), "second", "https://other.example.com", "one"),
        (("e.example.com",), "third", "https://dyn.example.com", "one"),
        (("f.example.com",), "old-login", "https://dyn.example.com", "old-password"),
    ]


def test_a_line_goes_on_behind_a_backslash_and_ends_at_a_comment() -> None:
    text = (
        f"{TOP}protocol=dyndns2, \\  \n  login=bob, \\ # who\n  password='s' \\\n  a.example.com, \\\r\n b.example.com"
    )
    text += "  # both\n# c.example.com\n"
    assert only(text).names == ("a.example.com", "b.example.com")
    assert read(text).told == ()


def test_a_host_may_be_a_setting_too() -> None:
    assert only(f"{TOP}login=bob password=s host='a.example.com,b.example.com'").names == (
        "a.example.com", "b.example.com",
    )  # fmt: skip


def test_what_stands_in_a_variable_is_looked_up() -> None:
    text = f"{TOP}login_env=WHO\npassword_env=PASS\na.example.com"
    account = only(text, WHO="bob", PASS="it's # \\ fine")
    assert (account.username, account.secret) == ("bob", "it's # \\ fine")
    assert read(text, WHO="bob").accounts == ()
    assert "ddclient.conf:5: password_env=PASS: not set here" in told(text)


def test_a_variable_that_is_no_utf_8_is_told() -> None:
    text = f"{TOP}login=b\npassword_env=PASS\na.example.com"
    assert "secret: expected UTF-8; a.example.com is left out" in "\n".join(read(text, PASS="a\udcff").told)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\nprotocol = dyndns2\n", "ddclient.conf:2: expected NAME=VALUE without blanks around the ="),
        ("login= never a.example.com", "ddclient.conf:1: login: expected a value right behind the ="),
        ("login=, password=x server= never", "ddclient.conf:1: server: expected a value right behind the ="),
        ("protocol= dyndns2", "ddclient.conf:1: protocol: expected a value right behind the ="),
        ("use=web\n\nlogin='bob", "ddclient.conf:3: login: expected ' at the end of the value"),
        ('login=bob, \\\nserver="x', 'ddclient.conf:2: server: expected " at the end of the value'),
        ('password="two words" a.example.com', "ddclient.conf:1: password: expected '...' around a password that has"),
        ("a.example.com bob s more", "ddclient.conf:1: expected HOST[,HOST...] [LOGIN [PASSWORD]], and no more words"),
        ("password='never closed a.example.com", "ddclient.conf:1: password: expected ' at the end of the value"),
        (",".join(f"h{number}.example.com" for number in range(501)), "ddclient.conf:1: expected at most 500 hosts"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_told_with_its_line_and_what_was_expected(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text)
    assert problem in str(caught.value)
    assert "never" not in str(caught.value)


def test_a_setting_without_a_value_is_told_and_the_rest_taken_over_as_by_ddclient() -> None:
    text = "protocol=dyndns2, \\\nuse=if, if=eth0, \\\nlogin= \\\npassword=''\nlogin=b password=s a.example.com\n"
    assert (only(text).username, only(text).secret, only(text).ipv4) == ("b", "s", "interface:eth0")
    for line, name in ((3, "login"), (4, "password")):
        assert f"ddclient.conf:{line}: {name}: no value stands right behind the =; left out, as ddclient does" in told(
            text
        )
    assert "a.example.com is left out" in told(text.replace("password=s ", ""))


def test_all_malformed_lines_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        read("login='x\nuse=web\nserver = y\n")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == ["ddclient.conf:1", "ddclient.conf:3"]


# --- servers and protocols


@pytest.mark.parametrize(
    ("settings", "protocol", "server"),
    [
        ("", "dyndns2", "https://members.dyndns.org"),
        ("ssl=yes", "dyndns2", "https://members.dyndns.org"),
        ("ssl=no", "dyndns2", "http://members.dyndns.org"),
        ("ssl=no server=Dyn.Example.com:8245", "dyndns2", "http://dyn.example.com:8245"),
        ("server=https://dyn.example.com/", "dyndns2", "https://dyn.example.com"),
        ("script=/nic/update", "dyndns2", "https://members.dyndns.org"),
        ("script=/v3/update", "dyndns2", "https://members.dyndns.org/v3/update"),
        ("script=/prod/nic/update server=x.example.com", "dyndns2", "https://x.example.com/prod"),
        ("protocol=DynDNS2", "dyndns2", "https://members.dyndns.org"),
        ("protocol=noip", "dyndns2", "https://dynupdate.no-ip.com"),
        ("protocol=noip, ssl=no, script=/elsewhere", "dyndns2", "https://dynupdate.no-ip.com"),
        ("protocol=duckdns", "duckdns", "https://www.duckdns.org"),
    ],
)
def test_a_protocol_and_a_server_become_a_url(settings: str, protocol: str, server: str) -> None:
    account = only(f"use=ip ip=203.0.113.9\n{settings}\nlogin=bob password=s www.example.com")
    assert (account.protocol, account.server) == (protocol, server)


@pytest.mark.parametrize("protocol", ["cloudflare", "freedns", "namecheap", "dyndns1", "nsupdate", "googledomains"])
def test_a_host_with_another_protocol_is_left_out_with_its_line(protocol: str) -> None:
    text = f"{TOP}login=bob\npassword=s\na.example.com\nprotocol={protocol}, zone=example.com, ttl=1 www.example.com\n"
    assert only(text).names == ("a.example.com",)
    line = f"ddclient.conf:7: protocol {protocol}: not spoken by Homing; www.example.com is left out"
    assert read(text).told == (line,)


def test_a_path_that_homing_cannot_ask_is_told() -> None:
    text = f"{TOP}login=b password=s\nscript=/XDynDNSServer/XDynDNS.php\na.example.com"
    assert read(text).accounts == ()
    assert "ddclient.conf:5: server and script: expected a path that ends in /update" in told(text)
    assert "a.example.com is left out" in told(text)


def test_a_path_is_shown_without_what_may_be_a_token() -> None:
    lines = told(f"{TOP}script=/nic/update?token=T0PS3CRET\nlogin=b password=s a.example.com")
    assert "T0PS3CRET" not in lines
    assert "expected a path that ends in /update, not '/nic/update' with a query behind it" in lines


def test_a_login_that_is_the_name_is_left_out() -> None:
    accounts = read(f"{TOP}password=s\nlogin=a.example.com a.example.com\nlogin=a.example.com b.example.com").accounts
    assert [(one.names, one.username) for one in accounts] == [
        (("a.example.com",), None), (("b.example.com",), "a.example.com"),
    ]  # fmt: skip


def test_duckdns_has_no_user() -> None:
    account = only("protocol=duckdns, password=token mine,yours.duckdns.org")
    assert (account.names, account.username, account.secret) == (("mine", "yours.duckdns.org"), None, "token")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("login=b a.example.com", "expected password= before it; a.example.com is left out"),
        ("login=b password='s ' a.example.com", "secret: begins or ends with a blank"),
        ("login=b password=s @", "expected a host name of two or more labels"),
        ("login=b password=s *.example.com", "expected a host name of two or more labels"),
        ("login=b password=s localhost", "expected a host name of two or more labels"),
    ],
)
def test_a_host_that_cannot_be_kept_is_told(line: str, why: str) -> None:
    found = read(f"{TOP}{line}")
    assert found.accounts == ()
    assert why in "\n".join(found.told)


def test_half_a_password_that_ddclient_takes_for_a_host_is_never_shown() -> None:
    found = read(f"{TOP}login=b\npassword=correct horse\nprotocol=cloudflare\npassword=battery staple\na.example.com")
    assert found.accounts == ()
    assert not any(word in line for line in found.told for word in ("correct", "horse", "battery", "staple"))


def test_a_host_that_is_there_twice_is_taken_as_it_is_said_last() -> None:
    text = f"{TOP}login=b password=one a.example.com\nlogin=b password=two a.example.com"
    assert only(text).secret == "two"
    assert "ddclient.conf:5: a.example.com stands in line 4 already" in told(text)


# --- sources


@pytest.mark.parametrize(
    ("settings", "ipv4", "ipv6"),
    [
        ("use=ip, ip=203.0.113.9", "203.0.113.9", "none"),
        ("use=ip, ip=2001:db8::9", "none", "2001:db8::9"),
        ("use=web", "http://checkip.dyndns.org/", "none"),
        ("use=web, web=dyndns", "http://checkip.dyndns.org/", "none"),
        ("use=web, web=ipify-ipv6", "none", "https://api6.ipify.org/"),
        ("use=web, web=ip.example.com/me, ssl=no", "http://ip.example.com/me", "none"),
        ("use=web, web=https://ip.example.com/me", "https://ip.example.com/me", "none"),
        ("use=web, web=he", "https://api.ipify.org/", "none"),
        ("use=if, if=eth0", "interface:eth0", "none"),
        ("use=if", "interface:ppp0", "none"),
        ("use=if, if=eth0:1", "interface:eth0", "none"),
        ("use=cmd, cmd=/usr/bin/my-ip", "command:/usr/bin/my-ip", "none"),
        ("use=cmd, cmd='my-ip | head -1'", "command:sh -c 'my-ip | head -1'", "none"),
        ("use=linksys, fw=192.168.1.1:80", "router", "none"),
        ("use=fw, fw=192.168.1.1/status.html, fw-skip=WAN", "router", "none"),
        ("usev4=webv4", "https://api.ipify.org/", "none"),
        ("usev4=webv4, webv4=googledomains", "https://api.ipify.org/", "none"),
        ("usev4=ifv4, ifv4=eth0, usev6=ifv6, ifv6=eth1", "interface:eth0", "interface:eth1"),
        ("usev4=ifv4, usev6=ifv6", "interface", "interface"),
        ("usev4=disabled, usev6=webv6", "none", "https://api6.ipify.org/"),
        ("usev4=ipv4, ipv4=203.0.113.9, usev6=no", "203.0.113.9", "none"),
        ("usev4=cmdv4, cmdv4=ip4, usev6=cmdv6, cmdv6=ip6", "command:ip4", "command:ip6"),
        ("usev6=ip, ip=2001:db8::9", "none", "2001:db8::9"),
        ("use=web, usev6=if, if=eth0", "http://checkip.dyndns.org/", "interface:eth0"),
        ("use=no, usev6=ifv6", "none", "interface"),
        ("usev4=fwv4, fwv4=192.168.1.1, usev6=webv6, webv6=https://[2001:db8::1]/", "router", "https://[2001:db8::1]/"),
        ("", "https://api.ipify.org/", "none"),
        ("server=dyn.dns.he.net", "https://api.ipify.org/", "none"),
        ("server=ddns.home.example", None, "none"),
        ("use=cmd, cmd='{ my-ip; }'", "command:sh -c '{ my-ip; }'", "none"),
        ("use=cmd, cmd='LANG=C my-ip'", "command:sh -c 'LANG=C my-ip'", "none"),
    ],
)  # fmt: skip
def test_a_source_becomes_that_of_each_family(settings: str, ipv4: str | None, ipv6: str | None) -> None:
    account = only(f"{settings}\nlogin=bob password=s www.example.com")
    assert (account.ipv4, account.ipv6) == (ipv4, ipv6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("use=linksys, fw=192.168.1.1", 'use=linksys: Homing reads no router\'s web pages; ipv4 = "router" is written'),
        ("use=linksys, fw=192.168.1.1", "fw: belongs to reading a router's web pages"),
        ("usev4=webv4, webv4=googledomains", "webv4=googledomains: Homing cannot read that page"),
        ("use=web, web=https://x.example.com, web-skip='WAN IP'", "web-skip: not taken over"),
        ("use=web, web=ftp://x.example.com", "web: expected an http or https URL"),
        ("use=cmd, cmd='a | b'", "for Homing the command has to print addresses and nothing else"),
        ("use=cmd", "use: expected a command in cmd="),
        ("use=ip", "use: expected an address in ip="),
        ("use=web", "IPv4 only, as here; ipv6 in homing.toml adds the other family"),
        ("", "says where the address comes from: https://api.ipify.org/ is written"),
        ("server=ddns.home.example", "says where the address comes from: no page is written"),
    ],
)
def test_what_a_source_loses_is_told(settings: str, words: str) -> None:
    assert words in told(f"{settings}\nlogin=bob password=s www.example.com")


def test_dyns_own_words_need_not_be_skipped() -> None:
    text = f"{TOP}login=b password=s use=web, web=https://d.example.com/, web-skip='Current IP Address:' a.example.com"
    assert only(text).ipv4 == "https://d.example.com/"
    assert "skip" not in told(text)


# --- what is left


def test_each_setting_that_is_not_taken_over_is_told_with_its_line() -> None:
    lines = told(
        "daemon=10m\nsyslog=yes\nmail=root\npid=/run/d.pid\npostscript=/bin/x\nproxy=p.example.com:80\n"
        "wildcard=yes\nmx=mail.example.com\nbackupmx=no\nmin-interval=1m\nfrobnicate=7\n"
        f"{TOP}login=b\npassword=s\na.example.com\n"
    )
    for line, words in (
        (2, "syslog, pid: about how ddclient itself runs"), (3, "mail: no mail is sent"), (5, "postscript: not taken"),
        (6, "proxy: Homing uses no proxy"), (7, "wildcard: not sent"), (8, "mx: not sent"),
        (10, "min-interval: the agent sends"), (11, "frobnicate: Homing has no such setting"),
    ):  # fmt: skip
        assert f"ddclient.conf:{line}: {words}" in lines
    assert len(lines.splitlines()) == 8, lines


def test_a_setting_that_no_host_uses_is_told() -> None:
    lines = told(f"login=nobody\n{TOP}login=b\npassword=s\na.example.com\n")
    assert lines == "ddclient.conf:1: login: without effect on any host here"


def test_what_stands_behind_a_host_is_for_it_where_nothing_before_says_otherwise() -> None:
    account = only(f"{TOP}password=s\nlogin=b\na.example.com\nlogin=c, protocol=duckdns\n")
    assert (account.protocol, account.username, account.secret) == ("duckdns", None, "s")


@pytest.mark.parametrize(
    ("written", "interval"),
    [("300", None), ("5m", None), ("600", 600), ("10m", 600), ("1hour", 3600), ("7d", 86_400), ("10", 30), ("0", None)],
)
def test_how_often_it_looks_is_taken_over(written: str, interval: int | None) -> None:
    assert read(f"daemon={written}\n{TOP}login=b password=s a.example.com").interval == interval


def test_what_follows_from_no_ssl_is_told() -> None:
    assert "https is written; ddclient before 4.0 used http" in told("use=ip ip=203.0.113.9 login=b password=s a.b.c")


def test_no_secret_is_told_or_shown() -> None:
    text = (
        "mail=x,password=s3cr3t-0\nfw-password=s3cr3t-1\napikey=s3cr3t-2\nlogin=b\npassword='s3cr3t-3',\na.example.com"
    )
    found = read(text)
    assert "s3cr3t" not in "\n".join(found.told)
    assert "s3cr3t" not in repr(found)


# --- any text

_PIECES = st.sampled_from(
    ["password=", "login=", "'", '"', "\\", "\n", "\\\n", "#", ",", " ", "=", "a.example.com", "use=web", "usev6=ifv6",
     "protocol=", "dyndns2", "duckdns", "server=", "daemon=", "5m", "host=", "script=", "x", "ü", "\r", "\t", "ip="]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=30).map("".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused_and_what_is_read_homing_takes(text: str) -> None:
    found, problems = read_or_refused(text)
    assert all(line.startswith("ddclient.conf:") for line in problems)
    for account in found.accounts if found else ():
        for name, value in account.table().items():
            READERS[name](value)


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20))
def test_any_password_in_single_quotes_is_taken_as_it_is(password: str) -> None:
    assert only(f"{TOP}login=b password='{password}' a.example.com").secret == password
