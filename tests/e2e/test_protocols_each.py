"""`homing update` in each protocol against a real `homing serve` over IPv4 and IPv6: every verdict, code and shape.

What is particular to one protocol, and namespaces with several addresses, are in `test_client_update.py`; servers that
answer oddly are in `test_client_refusals.py` and `test_hostile_servers.py`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.servers import Scripted, answer
from tests.e2e.conftest import ZONE
from tests.e2e.programs import HOMING, Server, run, serving, wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.e2e

PROTOCOLS = ("signed", "awslabs", "awslabs-post", "dyndns2", "ddupdate")
EACH = [(protocol, family) for protocol in PROTOCOLS for family in ("ipv4", "ipv6")
        if (protocol, family) != ("awslabs-post", "ipv6")]  # fmt: skip
"""The third generation of awslabs knows A records only."""
HERE = {"ipv4": "127.0.0.1", "ipv6": "::1"}
TYPES = {"ipv4": "A", "ipv6": "AAAA"}
NOBODY = {"ipv4": "http://127.0.0.1:9", "ipv6": "http://[::1]:9"}
KEY = "k3y-of-the-server"


@dataclass
class Account:
    """A name at a server, and what opens it in one protocol."""

    server: Server
    protocol: str
    name: str
    secret: str
    zone_id: str = ""

    def update(self, family: str, *options: str | Path, url: str = "", secret: str = "") -> Told:
        """Run the command for one family, to where it comes from."""
        protocol = ["--protocol", self.protocol, *(["--zone-id", self.zone_id] if self.zone_id else [])]
        where = ["--server", url or self.url(family), "--timeout", "5", "--allow-internal"]
        source = ["--address", HERE[family]] if self.takes_typed(family) else [f"--{family}"]
        done = run([*HOMING, "update", self.name, *where, *protocol, *source, "--json", *options], self.server.folder,
                   environment={"HOMING_CLIENT_SECRET": secret or self.secret})  # fmt: skip
        return Told(done, secret or self.secret)

    def takes_typed(self, family: str) -> bool:
        """Tell whether the address has to be named: ddupdate's servers see IPv4 only."""
        return self.protocol == "ddupdate" and family == "ipv6"

    def url(self, family: str) -> str:
        (place,) = [one for one in self.server.http if (":" in one.host) == (family == "ipv6")]
        return place.url

    def shown(self, family: str) -> list[str]:
        return self.server.dig(self.name, TYPES[family])


class Told:
    """What a command said, which never holds the secret, nor a stack trace."""

    def __init__(self, done: subprocess.CompletedProcess[str], secret: str) -> None:
        assert secret not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        self.code = done.returncode
        self.members: dict[str, Any] = json.loads(done.stdout)
        self.rows: list[dict[str, Any]] = self.members["updates"]
        assert set(self.members) == {"updates", "retry_after", "warnings"}
        for row in self.rows:
            assert set(row) == {"hostname", "record_type", "address", "outcome", "text"}

    def gist(self) -> tuple[int, list[tuple[str, str, str]]]:
        return self.code, [(row["hostname"], row["record_type"], row["outcome"]) for row in self.rows]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on both loopback addresses."""
    flags = ("--zone", ZONE, "--http-listen", "127.0.0.1:0", "--http-listen", "[::1]:0", "--dns-listen", "127.0.0.1:0")
    with serving(tmp_path_factory.mktemp("each"), *flags, loopback=False) as running:
        yield running


def open_account(server: Server, protocol: str, name: str, *options: str) -> Account:
    secret = server.add_host(name, "--allow-internal", *options)
    if protocol != "ddupdate":
        return Account(server, protocol, name, secret)
    made = server.ask_json("token", name)
    return Account(server, protocol, name, made["token"], made["zoneid"])


@pytest.fixture(params=PROTOCOLS)
def account(request: pytest.FixtureRequest, both: Server, name: str) -> Account:
    return open_account(both, request.param, name)


def other(account: Account) -> str:
    """Return a secret of the right shape that opens nothing."""
    return account.secret[:-1] + ("0" if account.secret[-1] != "0" else "1")


@pytest.mark.parametrize(("account", "family"), EACH, indirect=["account"])
def test_updated_then_unchanged(account: Account, family: str) -> None:
    for outcome in ("updated", "unchanged"):
        told = account.update(family)
        assert told.gist() == (0, [(account.name, TYPES[family], outcome)])
        assert told.rows[0]["address"] in (HERE[family], None)
        assert (told.rows[0]["address"] is None) == (account.protocol == "ddupdate" and family == "ipv4")
        assert told.members["retry_after"] is None
        assert account.shown(family) == [HERE[family]]


@pytest.mark.parametrize(("account", "family"), EACH, indirect=["account"])
def test_a_wrong_secret_is_refused(account: Account, family: str) -> None:
    told = account.update(family, secret=other(account))
    assert told.gist() == (1, [(account.name, TYPES[family], "refused")])
    assert told.rows[0]["text"]
    assert account.shown(family) == []


def test_a_host_that_is_locked_is_refused_and_says_so(account: Account) -> None:
    account.server.ask_json("host", "lock", account.name)
    told = account.update("ipv4")
    assert told.gist() == (1, [(account.name, "A", "refused")])
    assert account.shown("ipv4") == []
    account.server.ask_json("host", "unlock", account.name)
    assert account.update("ipv4").code == 0


@pytest.mark.parametrize(("account", "family"), EACH, indirect=["account"])
def test_a_server_that_is_down_is_temporary(account: Account, family: str) -> None:
    told = account.update(family, url=NOBODY[family])
    assert told.gist() == (3, [(account.name, TYPES[family], "try later")])
    assert "Connection refused" in told.rows[0]["text"]


def test_the_api_key_is_asked_for_and_sent(tmp_path: Path, name: str) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "key").chmod(0o600)
    settings = {"HOMING_API_KEY": KEY, "HOMING_API_KEY_PATHS": "all"}
    with serving(tmp_path, "--zone", ZONE, environment=settings) as server:
        for protocol in PROTOCOLS:
            account = open_account(server, protocol, f"{protocol}-{name}")
            without = account.update("ipv4")
            assert without.gist() == (1, [(account.name, "A", "refused")])
            assert "the API key is missing or wrong" in without.rows[0]["text"]
            assert account.update("ipv4", "--api-key-file", "key").gist() == (0, [(account.name, "A", "updated")])
        assert KEY not in server.log.read_text()


def requests(server: Server, name: str) -> int:
    """Return how often the server was asked for anything but an address, by its own log."""
    return len(re.findall(rf"host={re.escape(name)}", server.log.read_text()))


def test_a_dry_run_sends_no_update(account: Account) -> None:
    told = account.update("ipv4", "--dry-run")
    assert told.gist() == (0, [(account.name, "A", "would send")])
    assert account.protocol in told.rows[0]["text"]
    assert account.update("ipv4").gist()[0] == 0
    assert wait_for(lambda: requests(account.server, account.name) >= 1)
    assert requests(account.server, account.name) == 1, "the second command's only"


@pytest.mark.parametrize("protocol", [*PROTOCOLS, "duckdns"])
def test_a_dry_run_with_a_typed_address_opens_no_connection(tmp_path: Path, protocol: str) -> None:
    with Scripted(answer("good 203.0.113.7")) as server:
        zone = ("--zone-id", "Z") if protocol == "ddupdate" else ()
        done = run([*HOMING, "update", "a.example.com", "--server", server.url, "--protocol", protocol, "--address",
                    "203.0.113.7", "--dry-run", *zone], tmp_path,
                   environment={"HOMING_CLIENT_SECRET": "s3cret-of-a-host"})  # fmt: skip
    if protocol == "awslabs-post":
        assert (done.returncode, server.requests) == (1, []), "it cannot set what the server does not see"
        return
    assert (done.returncode, server.requests) == (0, [])


# --- duckdns, of which there is no server but DuckDNS itself


def duckdns(folder: Path, url: str, *options: str) -> tuple[int, list[tuple[str, str, str | None, str]]]:
    done = run([*HOMING, "update", "--protocol", "duckdns", "--server", url, "--json", *options], folder,
               environment={"HOMING_CLIENT_SECRET": "t0ken-of-an-account"})  # fmt: skip
    assert "t0ken" not in done.stdout + done.stderr
    rows = json.loads(done.stdout)["updates"]
    return done.returncode, [(row["hostname"], row["record_type"], row["address"], row["outcome"]) for row in rows]


@pytest.mark.parametrize(
    ("options", "said", "query", "code", "rows"),
    [
        (("--address", "203.0.113.7"), "OK\n203.0.113.7\n\nUPDATED", "ip=203.0.113.7", 0,
         [("A", "203.0.113.7", "updated")]),
        (("--address", "203.0.113.7"), "OK\n203.0.113.7\n2001:db8::7\nNOCHANGE", "ip=203.0.113.7", 0,
         [("A", "203.0.113.7", "unchanged")]),
        (("--address", "2001:db8::7"), "OK\n203.0.113.7\n2001:db8::7\nUPDATED", "ipv6=2001:db8::7", 0,
         [("AAAA", "2001:db8::7", "updated")]),
        (("--address", "203.0.113.7", "--address", "2001:db8::7"), "OK\n203.0.113.7\n2001:db8::7\nUPDATED",
         "ip=203.0.113.7&ipv6=2001:db8::7", 0, [("A", "203.0.113.7", "updated"), ("AAAA", "2001:db8::7", "updated")]),
        (("--address", "203.0.113.7"), "KO", "ip=203.0.113.7", 1, [("A", "203.0.113.7", "refused")]),
        (("--address", "203.0.113.7"), "OK\n203.0.113.9\n\nUPDATED", "ip=203.0.113.7", 1,
         [("A", "203.0.113.7", "refused")]),
        (("--address", "203.0.113.7"), "OK\nfine\n", "ip=203.0.113.7", 3, [("A", "203.0.113.7", "not a server")]),
        ((), "OK\n198.51.100.4\n\nUPDATED", None, 0, [("A", "198.51.100.4", "updated")]),
    ],
)  # fmt: skip
def test_duckdns_as_its_page_has_it(
    tmp_path: Path, options: Sequence[str], said: str, query: str | None, code: int, rows: list[tuple[str, str, str]]
) -> None:
    with Scripted(answer(said)) as server:
        told = duckdns(tmp_path, server.url, "me", *options)
    assert told == (code, [("me", *row) for row in rows])
    middle = f"&{query}" if query else ""
    wanted = f"GET /update?domains=me&token=t0ken-of-an-account{middle}&verbose=true HTTP/1.1\r\n"
    assert [request.startswith(wanted.encode()) for request in server.requests] == [True]


def test_duckdns_takes_several_names_in_one_request_and_is_told_when_it_is_down(tmp_path: Path) -> None:
    with Scripted(answer("OK\n203.0.113.7\n\nUPDATED")) as server:
        code, rows = duckdns(tmp_path, server.url, "me", "you", "--address", "203.0.113.7")
    assert (code, [row[3] for row in rows], len(server.requests)) == (0, ["updated", "updated"], 1)
    assert b"domains=me,you&" in server.requests[0]
    code, rows = duckdns(tmp_path, server.url, "me", "--address", "203.0.113.7")
    assert (code, rows) == (3, [("me", "A", "203.0.113.7", "try later")])


# --- homing lan, and the group as awslabs' own servers list it


def lan(server: Server | Scripted, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [*HOMING, "lan", f"nas.{ZONE}", "--server", server.url, "--interface", "lo", "--no-wake", "--json"]
    return run([*command, *options], folder, environment={"HOMING_CLIENT_SECRET": "s3cret-of-a-group-0123456789abc"})


def v2(message: object, status: str = "success") -> bytes:
    return answer(json.dumps({"return_message": message, "return_status": status}))


GROUP = [
    {"hostname": f"nas.{ZONE}.", "record_type": "A", "mac_address": "00:11:22:33:44:01"},
    {"hostname": f"cam.{ZONE}.", "record_type": "A", "mac_address": "00:11:22:33:44:02"},
    {"hostname": f"tv.{ZONE}.", "record_type": "AAAA", "mac_address": "00:11:22:33:44:03"},
    {"hostname": f"old.{ZONE}.", "record_type": "A", "mac_address": ""},
    {"hostname": f"gone.{ZONE}.", "record_type": "A"},
]
"""What the reference returns: just these three keys, and of hosts without a MAC address just two (section 7.3)."""


def test_lan_reads_the_group_as_the_reference_lists_it(tmp_path: Path) -> None:
    prefix = ("--prefix", "2001:db8:1::/64", "--eui64")
    done_before = v2("Your hostname record has been set")
    with Scripted(v2("203.0.113.7"), v2(GROUP), v2("203.0.113.7"), done_before) as server:
        done = lan(server, tmp_path, "--protocol", "awslabs", *prefix)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {(row["hostname"].partition(".")[0], row["record_type"]): row for row in json.loads(done.stdout)["updates"]}
    assert found["tv", "AAAA"]["address"] == "2001:db8:1:0:211:22ff:fe33:4403"
    assert found["tv", "AAAA"]["outcome"] == "updated"
    assert {key: row["outcome"] for key, row in found.items() if key[0] != "tv"} == dict.fromkeys(
        [("nas", "A"), ("cam", "A"), ("old", "A"), ("gone", "A")], "skipped"
    )
    targets = [request.split(b" ")[1].decode() for request in server.requests]
    assert targets[0] == "/?mode=get"
    assert re.fullmatch(rf"/\?mode=list_hosts&hostname=nas\.{ZONE}\.&hash=[0-9a-f]{{64}}", targets[1])
    assert targets[3].endswith("&internalIp=2001:db8:1:0:211:22ff:fe33:4403")


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (v2("record lacks read permissions", "fail"), 1, "record lacks read permissions"),
        (v2("Validation hashes do not match.", "fail"), 1, "Validation hashes do not match."),
        (v2([]), 0, ""), (v2({}), 3, "not the answer of an awslabs server"), (v2("x"), 3, "not the answer"),
        (v2([1, None, [], {"hostname": 5}, {"hostname": "x y.", "record_type": "A"}, {"record_type": "MX"}]), 0, ""),
    ],
)  # fmt: skip
def test_lan_is_told_what_else_such_a_server_says(tmp_path: Path, said: bytes, code: int, words: str) -> None:
    with Scripted(v2("203.0.113.7"), said) as server:
        done = lan(server, tmp_path, "--protocol", "awslabs")
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stdout
    assert "Traceback" not in done.stderr
    assert len(server.requests) == 2


def test_lan_lists_our_own_servers_group_in_both_protocols(both: Server, name: str) -> None:
    secret = both.add_host(f"nas-{name}", "--group", f"g-{name}", "--allow-internal")
    both.add_host(f"tv-{name}", "--group", f"g-{name}", "--allow-internal", "--mac-address", "00:11:22:33:44:03")
    for protocol, outcome in (("awslabs", "updated"), ("signed", "unchanged")):
        url = next(place.url for place in both.http if ":" not in place.host)
        command = [*HOMING, "lan", f"nas-{name}", "--server", url, "--protocol", protocol, "--interface", "lo"]
        done = run([*command, "--no-wake", "--json", "--prefix", "2001:db8:1::/64", "--eui64"], both.folder,
                   environment={"HOMING_CLIENT_SECRET": secret})  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        rows = {
            (row["hostname"].partition(".")[0], row["record_type"]): row for row in json.loads(done.stdout)["updates"]
        }
        row = rows[f"tv-{name}".partition(".")[0], "AAAA"]
        assert (row["outcome"], row["address"]) == (outcome, "2001:db8:1:0:211:22ff:fe33:4403")
    assert both.dig(f"tv-{name}", "AAAA") == ["2001:db8:1:0:211:22ff:fe33:4403"]
