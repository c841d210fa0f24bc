"""The client's settings: which place wins, what is told about mistakes, and ddupdate's own file as it is."""

from __future__ import annotations

import configparser
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import InvalidInput, InvalidSettings
from homing.settings import client_loading
from homing.settings.client import READERS, SECRETS, ClientSettings, Source, parse_source
from homing.settings.client_ini import parse_ini
from homing.settings.client_loading import LoadedClient, load_client
from tests.pages import page

if TYPE_CHECKING:
    from pathlib import Path

TOML = """\
[[zones]]
name = "home.example"

[client]
server = "https://ddns.example.com/prod"
names = ["cam.home.example", "nas.home.example"]
secret_file = "cam.secret"
ipv6 = "interface:eth0"
cache = "1d"

[[client.hosts]]
names = ["vpn.example.net"]
protocol = "dyndns2"
server = "https://dyn.example.net"
username = "alice"
secret = "pw of alice"
"""
INI = """\
[host.example.com]
url=https://afisn1wec0.execute-api.us-west-1.amazonaws.com/Production
token=d1bc8d3ba4afc7e109612cb73acbdddac052c93025aa1f82942edabb7deb82a1
zoneid=AIE8FCNN2NC9EU
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, on a machine that has no ddupdate file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client_loading, "find_ini", lambda: ())
    (tmp_path / "cam.secret").write_text("of cam\n")
    (tmp_path / "cam.secret").chmod(0o600)
    return tmp_path


def load(
    folder: Path, toml: str = "", flags: dict[str, Any] | None = None, *, is_update: bool = True, **environment: Any
) -> LoadedClient:
    file = folder / "homing.toml"
    file.write_text(toml)
    file.chmod(0o600)
    return load_client(flags, environment, file, is_update=is_update)


def problems(folder: Path, toml: str = "", flags: dict[str, Any] | None = None, **environment: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as caught:
        load(folder, toml, flags, **environment)
    return caught.value.problems


def test_accounts_come_from_the_table_and_from_those_below_it(folder: Path) -> None:
    loaded = load(folder, TOML)
    home, vpn = loaded.accounts
    assert (home.names, home.secret, home.protocol, home.cache) == (
        ("cam.home.example", "nas.home.example"), "of cam", "signed", 86_400,
    )  # fmt: skip
    assert (vpn.names, vpn.secret, vpn.protocol, vpn.username) == (
        ("vpn.example.net",), "pw of alice", "dyndns2", "alice",
    )  # fmt: skip
    assert vpn.ipv6 == home.ipv6 == Source("interface", "eth0"), "what a table leaves out, [client] says for it"
    assert loaded.warnings == ()
    assert loaded.origins[0]["server"].endswith("homing.toml:5")
    assert loaded.origins[0]["secret"].endswith("homing.toml:7: secret_file")
    assert loaded.origins[1]["secret"].endswith("homing.toml:16")
    assert "timeout" not in loaded.origins[0], "it has its default"


def test_a_flag_wins_over_the_environment_and_that_over_the_table_but_not_over_an_accounts_own(folder: Path) -> None:
    variables: Any = {"HOMING_CLIENT_SERVER": "https://env.example", "HOMING_CLIENT_TIMEOUT": "20"}
    home, vpn = load(folder, TOML, {"timeout": "30"}, **variables).accounts
    assert (home.server, vpn.server) == ("https://env.example", "https://dyn.example.net")
    assert (home.timeout, vpn.timeout) == (30, 30)
    assert load(folder, TOML, **variables).accounts[0].timeout == 20


def test_names_choose_among_the_accounts_and_others_belong_to_the_table(folder: Path) -> None:
    loaded = load(folder, TOML, {"names": ("NAS.home.example.", "vpn.example.net", "new.home.example")})
    assert [account.names for account in loaded.accounts] == [
        ("nas.home.example",), ("vpn.example.net",), ("new.home.example",),
    ]  # fmt: skip
    assert loaded.accounts[2].secret == "of cam"
    one = load(folder, "", {"names": ("a.example.com",), "server": "https://s"}, HOMING_CLIENT_SECRET="x")
    assert [account.names for account in one.accounts] == [("a.example.com",)]


def test_a_name_at_two_servers_is_taken_from_both_when_it_is_named(folder: Path) -> None:
    host = '[[client.hosts]]\nnames = ["{}"]\nserver = "https://{}"\nsecret = "x"\n'
    toml = host.format('a.example.com", "c.example.com', "one.example") + host.format("A.example.com", "two.example")
    accounts = load(folder, toml, {"names": ("a.example.com.",)}).accounts
    assert [(one.names, one.server) for one in accounts] == [
        (("a.example.com",), "https://one.example"), (("A.example.com",), "https://two.example"),
    ]  # fmt: skip
    (one,) = load(folder, toml, {"names": ("c.example.com",)}).accounts
    assert one.server == "https://one.example"


def test_a_secret_that_goes_to_the_server_of_one_account_but_was_given_for_another_is_told(folder: Path) -> None:
    usual = '[client]\nserver = "https://one.example/a"\nsecret = "x"\nnames = ["a.example.com"]\n'
    host = '[[client.hosts]]\nnames = ["b.example.com"]\nserver = "https://{}"\n'
    (warning,) = load(folder, usual + host.format("two.example")).warnings
    assert warning == (
        f"{folder}/homing.toml:7: https://two.example is given the secret of https://one.example/a"
        f" ({folder}/homing.toml:3): give this account one of its own"
    )
    (warning,) = load(folder, usual + host.format("two.example"), HOMING_CLIENT_SECRET="y").warnings
    assert "(HOMING_CLIENT_SECRET)" in warning
    assert load(folder, usual + host.format("two.example") + 'secret = "y"\n').warnings == ()
    assert load(folder, usual + host.format("one.example/b")).warnings == (), "it is the same server"
    for_all = '[client]\nsecret = "x"\n' + host.format("two.example") + host.format("one.example")
    assert load(folder, for_all).warnings == (), "a secret without a server is for all"
    (warning,) = load(folder, usual + 'api_key = "k"\n' + host.format("two.example") + 'secret = "y"\n').warnings
    assert "given the api_key" in warning
    assert load(folder, usual + host.format("two.example"), {"server": "https://o.example"}).warnings == ()


def test_a_secret_comes_from_the_environment_a_file_or_a_systemd_credential(folder: Path) -> None:
    base = {"names": ("a.example.com",), "server": "https://s"}
    credentials = folder / "credentials"
    credentials.mkdir()
    (credentials / "homing_client_secret").write_text("of systemd\n")
    (credentials / "homing_client_api_key").write_text("key")
    both = load(folder, "", base, CREDENTIALS_DIRECTORY=str(credentials))
    assert (both.accounts[0].secret, both.accounts[0].api_key) == ("of systemd", "key")
    assert both.origins[0]["secret"] == "credential homing_client_secret"
    assert both.warnings == (), "systemd's own files are as they have to be"
    by_file = load(folder, "", base, HOMING_CLIENT_SECRET_FILE="cam.secret", CREDENTIALS_DIRECTORY=str(credentials))
    assert by_file.accounts[0].secret == "of cam"
    assert load(folder, "", base, HOMING_CLIENT_SECRET="direct").accounts[0].secret == "direct"
    assert load(folder, "", base | {"secret_file": folder / "cam.secret"}).accounts[0].secret == "of cam"


def test_a_file_with_a_secret_that_others_may_read_is_told(folder: Path) -> None:
    (folder / "cam.secret").chmod(0o644)
    (warning,) = load(folder, TOML).warnings
    assert "cam.secret holds a secret and may be read by others: chmod o=" in warning
    (folder / "cam.secret").chmod(0o640)
    (folder / "homing.toml").chmod(0o644)
    loaded = load_client({}, {}, folder / "homing.toml")
    assert [warning.split()[0] for warning in loaded.warnings] == [str(folder / "homing.toml")]
    (folder / "homing.toml").write_text('[client]\nserver = "https://s"\n')
    assert load_client({}, {}, folder / "homing.toml", is_update=False).warnings == (), "there is no secret in it"


def test_a_secret_over_plain_http_is_warned_of_but_not_to_this_machine(folder: Path) -> None:
    base = {"names": ("a.example.com",), "protocol": "dyndns2"}
    assert "in clear" in load(folder, "", base | {"server": "http://s"}, HOMING_CLIENT_SECRET="x").warnings[0]
    for server in ("http://127.0.0.1:8080", "https://s", "http://localhost"):
        assert load(folder, "", base | {"server": server}, HOMING_CLIENT_SECRET="x").warnings == ()


def test_every_mistake_is_told_at_once_with_its_place(folder: Path) -> None:
    found = problems(
        folder,
        '[client]\nsever = "x"\nprotocol = "ftp"\nserver = "https://u:s3cret@x"\nnames = ["a b.example"]\n'
        'secret = ["s3cret"]\n'
        'ipv4 = "eth0"\ntimeout = 0\n[[client.hosts]]\ntll = 5\nttl = "s3cret"\n',
        {"cache": "soon"},
        HOMING_CLIENT_SECRT="s3cret",
    )
    told = "\n".join(found)
    for words in (
        "homing.toml:2: sever: no such setting in [client]; is server meant?",
        "homing.toml:3: protocol: expected signed or",
        "homing.toml:4: server: expected a URL without a user name and password",
        "homing.toml:5: names: character that no name may hold",
        "homing.toml:6: secret: expected a text",
        "homing.toml:7: ipv4: expected an address, a URL, or one of",
        "homing.toml:8: timeout: expected a whole number",
        "homing.toml:10: tll: no such setting in [[client.hosts]]; is ttl meant?",
        "homing.toml:11: ttl: expected a whole number",
        "cache: expected a whole number",
        "HOMING_CLIENT_SECRT: no such setting; is HOMING_CLIENT_SECRET meant?",
    ):
        assert words in told
    assert "s3cret@" not in told
    assert "['s3cret']" not in told


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[client]\nx = ]\n", "homing.toml:2: expected a value"), ("client = 5", "expected a table"),
        ("[client]\nhosts = 5", "expected tables"),
        ("[client]\nhosts = [5]", "expected tables"), ("[client]\nsecret_file = 5", "secret_file: expected a path"),
        ('[client]\nsecret_file = "no-such"', "no-such: cannot be read"), ("[client]\nx = 1", "x: no such setting"),
        ("[client]\nsecret_file = \"empty\"", "expected a secret in one line"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_told_with_its_place(folder: Path, toml: str, words: str) -> None:
    (folder / "empty").write_text("\n")
    found = problems(folder, toml, {"names": ("a.example.com",), "server": "https://s"}, HOMING_CLIENT_SECRET="")
    assert any(words in one for one in found), found
    assert all("homing.toml" in one or one.startswith(("a.example.com: ", "secret")) for one in found)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"server": None}, "server is missing"), ({"names": ()}, "names is missing"),
        ({"protocol": "ddupdate"}, "zone_id is missing"), ({"zone_id": "Z"}, "zone_id goes with protocol ddupdate"),
        ({"ttl": "60"}, "ttl goes with protocol ddupdate"), ({"username": "a"}, "username goes with protocol dyndns2"),
        ({"ipv4": "2001:db8::1"}, "no IPv4 address"), ({"ipv6": "upnp"}, "IPv4 address only"),
        ({"ipv4": "seen"}, "use reflector"), ({"ipv4_only": True, "ipv6_only": True}, "leave no family"),
        ({"ipv4": "none", "ipv6": "none"}, "nothing to set"),
        ({"protocol": "awslabs-post", "ipv4": "203.0.113.7"}, "sets the address that the server sees"),
        ({"protocol": "duckdns", "ipv4": "reflector"}, "duckdns tells nobody's address"),
        ({"protocol": "duckdns", "ipv6": "seen"}, "IPv4 address only from the connection"),
        ({"names": ("label",)}, "not a host name of two or more labels"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_missing_or_does_not_go_together_is_told(folder: Path, flags: dict[str, Any], words: str) -> None:
    base: dict[str, Any] = {"names": ("a.example.com",), "server": "https://s"}
    found = problems(folder, "", base | flags, HOMING_CLIENT_SECRET="x")
    assert any(words in one for one in found), found


def test_what_a_flag_says_wrongly_has_no_place_and_what_a_variable_says_has_its_name(folder: Path) -> None:
    base: dict[str, Any] = {"names": ("a.example.com",), "server": "https://s"}
    told = "a.example.com: username goes with protocol dyndns2"
    assert problems(folder, "", base | {"username": "a"}, HOMING_CLIENT_SECRET="x") == (told,)
    variables = {"HOMING_CLIENT_SECRET": "x", "HOMING_CLIENT_USERNAME": "a"}
    assert problems(folder, "", base, **variables) == (f"HOMING_CLIENT_USERNAME: {told}",)
    in_file = problems(folder, '[client]\nusername = "a"\n', base, HOMING_CLIENT_SECRET="x")
    assert in_file == (f"{folder}/homing.toml:2: {told}",)


def test_a_missing_secret_says_where_it_could_stand(folder: Path) -> None:
    found = problems(folder, "", {"names": ("a.example.com",), "server": "https://s"})
    assert "secret_file, secret_keyring, HOMING_CLIENT_SECRET or a systemd credential" in found[0]
    assert load(folder, "", {"server": "https://s"}, is_update=False).accounts[0].secret is None


def test_where_only_addresses_are_wanted_a_server_is_needed_only_to_tell_them(folder: Path) -> None:
    elsewhere = {"ipv4": "router", "ipv6": "interface:eth0"}
    assert load(folder, "", elsewhere, is_update=False).accounts[0].server == ""
    with pytest.raises(InvalidSettings, match="server is missing"):
        load(folder, "", {"ipv4": "router"}, is_update=False)
    with pytest.raises(InvalidSettings, match="HOMING_CLIENT_API_KEY: expected ASCII"):
        load(folder, "", elsewhere, is_update=False, HOMING_CLIENT_API_KEY="schlüssel")


def test_nobody_sees_a_secret_in_a_value() -> None:
    shown = repr(ClientSettings(server="https://s", secret="s3cret", api_key="k3y"))
    assert "s3cret" not in shown
    assert "k3y" not in shown
    assert set(SECRETS) <= set(READERS)


def test_what_nobody_chose_is_what_the_protocol_can() -> None:
    for protocol, wanted in {
        "signed": "reflector reflector", "dyndns2": "reflector reflector", "awslabs": "reflector reflector",
        "awslabs-post": "reflector none", "ddupdate": "seen none", "duckdns": "seen none",
    }.items():  # fmt: skip
        account = ClientSettings(protocol=protocol)  # type: ignore[arg-type]  # one of them
        assert f"{account.source(4)} {account.source(6)}" == wanted
    assert ClientSettings(ipv6_only=True).source(4).kind == "none"


def test_the_settings_that_the_reference_page_shows_can_be_used(folder: Path) -> None:
    (block,) = [block.text for block in page("docs/reference/client.md").of("toml")]
    for name in ("home.secret", "vpn.secret"):
        (folder / name).write_text("x")
        (folder / name).chmod(0o600)
    home, vpn = load(folder, block).accounts
    assert (home.ipv6, home.protocol, vpn.username, vpn.secret) == (Source("interface", "eth0"), "signed", "alice", "x")


# --- ddupdate's own file


def test_ddupdates_published_example_works_as_it_is(folder: Path) -> None:
    file = folder / "dyndns.conf"
    file.write_text(INI)
    file.chmod(0o600)
    (account,) = load_client({}, {}, ddupdate_file=file).accounts
    assert account == ClientSettings(
        protocol="ddupdate",
        names=("host.example.com",),
        server="https://afisn1wec0.execute-api.us-west-1.amazonaws.com/Production",
        secret="d1bc8d3ba4afc7e109612cb73acbdddac052c93025aa1f82942edabb7deb82a1",
        zone_id="AIE8FCNN2NC9EU",
    )
    assert account.source(4).kind == "seen", "its own client leaves the address to the server"


def test_a_section_that_is_repeated_is_read_like_its_program_reads_it_with_a_warning(folder: Path) -> None:
    file = folder / "dyndns.conf"
    file.write_text(INI + "[other.example.com]\nurl=https://o\ntoken=t\nzoneid=z\nipv4=203.0.113.9\nttl = 60\n"
                    "[host.example.com]\nzoneid=Z2\nipv6: 2001:db8::9\n; a remark\ncolour=blue\n")  # fmt: skip
    loaded = load_client({}, {}, ddupdate_file=file)
    host, other = loaded.accounts
    assert (host.zone_id, host.ipv6, host.secret and host.secret[:4]) == (
        "Z2",
        Source("address", "2001:db8::9"),
        "d1bc",
    )
    assert (other.names, other.ipv4, other.ttl) == (("other.example.com",), Source("address", "203.0.113.9"), 60)
    told = "\n".join(loaded.warnings)
    assert "dyndns.conf:11: [host.example.com] stands in line 1 already" in told
    assert "dyndns.conf:15: colour: ddupdate knows no such setting" in told
    assert "may be read by others" in told


def test_of_its_two_places_the_later_adds_to_the_first_and_both_yield_to_our_own_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = folder / "usr.conf", folder / "etc.conf"
    first.write_text(INI)
    second.write_text("[host.example.com]\nttl=90\n")
    monkeypatch.setattr(client_loading, "find_ini", lambda: (first, second))
    (account,) = load_client({}, {}).accounts
    assert (account.ttl, account.zone_id) == (90, "AIE8FCNN2NC9EU")
    assert load_client({"names": ("host.example.com",)}, {}).accounts == (account,)
    with pytest.raises(InvalidSettings, match=r"no section \[x.example.com\]"):
        load_client({"names": ("x.example.com",)}, {})
    ours = load_client(
        {"names": ("x.example.com",)}, {"HOMING_CLIENT_SERVER": "https://s", "HOMING_CLIENT_SECRET": "x"}
    )
    assert ours.accounts[0].protocol == "signed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url=x\n", "conf:1: expected a section"), ("[a.example.com]\nurl\n", "conf:2: expected NAME=VALUE"),
        ("", "expected a section for each name"),
        ("[a.example.com]\nurl=https://x\n", "conf:1: a.example.com: secret is missing"),
        ("[a.example.com]\nurl=ftp://x\n", "conf:2: url: expected an http or https URL"),
        ("[a.example.com]\ntoken=t\nipv4=eth0\n", "conf:3: ipv4: expected an address"),
        ("[a b]\ntoken=t\n", "conf:1: [a b]: character"),
        ("[a.example.com]\nttl=soon\n", "conf:2: ttl: expected a whole number"),
        ("[a.example.com]\nurl=\xff", "conf:2: expected UTF-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_told_with_the_place(folder: Path, text: str, words: str) -> None:
    file = folder / "dyndns.conf"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidSettings) as caught:
        load_client({}, {}, ddupdate_file=file)
    assert words in str(caught.value)
    with pytest.raises(InvalidSettings, match="cannot be read"):
        load_client({}, {}, ddupdate_file=folder / "none.conf")


# --- any text


@given(st.text(alphabet="[]=:;# \n\tabc.%\r\x00é", max_size=80))
def test_any_ini_is_read_or_refused_and_what_is_read_is_what_configparser_reads(text: str) -> None:
    try:
        found = parse_ini(text, "f", [])
    except InvalidInput:
        return
    parser = configparser.RawConfigParser(strict=False, default_section="\0")
    parser.read_string(text)
    assert set(found) == set(parser.sections())


@given(
    st.text(max_size=40) | st.sampled_from(["url:", "stun:[", "interface:a/b", "command: ", "http://[x", "nat-pmp:a:b"])
)
def test_any_source_is_read_or_refused(text: str) -> None:
    try:
        source = parse_source(text)
    except InvalidInput:
        return
    assert parse_source(str(source)) == source


@given(
    st.dictionaries(
        st.sampled_from(sorted(READERS)),
        st.text(max_size=20) | st.integers() | st.lists(st.text(max_size=5), max_size=2) | st.booleans() | st.none(),
    )
)
def test_any_value_is_read_or_refused(table: dict[str, Any]) -> None:
    for name, value in table.items():
        with contextlib.suppress(InvalidInput):
            READERS[name](value)


@given(st.text(min_size=9))
def test_no_problem_with_a_secret_repeats_it(text: str) -> None:
    for name in SECRETS:
        for value in (text, [text], {text: 1}):
            try:
                READERS[name](value)
            except InvalidInput as error:
                told = str(error)
            else:
                continue
            assert text not in told
