"""Clients with public-looking addresses, in a namespace: the server sees where they come from, as on the Internet.

The awslabs clients are told again here, in their own algorithms: their hashing, and how they read answers, is what the
server must suit. Their sources: awslabs/route53-dynamic-dns-with-lambda, v1/ and v2 at 59ed24c, v3 at 353b7f6.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.namespaces import PUBLIC, SERVER_4, SERVER_6
from tests.e2e.programs import need, run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.e2e.conftest import Inside

pytestmark = pytest.mark.e2e

HOME_4, OTHER_4, HOME_6 = "203.0.113.7", "203.0.113.8", "2001:db8::7"

# --- awslabs

V1_SIMPLE = r"""
# simple.sh: the address is every run of digits and dots in the whole answer; nothing is quoted.
myHostname=$1; mySharedSecret=$2; myAPIURL=$3; from=$4
myIp=`curl -q -s --interface $from "http://$myAPIURL?mode=get" | egrep -o '[0-9\.]+'`
myHash=`printf "$myIp$myHostname$mySharedSecret" | sha256sum | awk '{print $1}'`
curl -q -s --interface $from "http://$myAPIURL?mode=set&hostname=$myHostname&hash=$myHash"
"""

V2 = r"""
# route53-ddns-client.sh: JSON by jq, the hash through printf's format, a trailing dot, internalIp always appended.
host=$1; secret=$2; url=$3; from=$4; family=$5; list=$6; internal=$7
case $host in *.) ;; *) host=$host. ;; esac
public=$(curl -q --$family -s --interface $from "$url?mode=get" | jq -r .return_message)
[ "$public" = null ] && { echo "Couldn't find your public IP"; exit 1; }
hash=$(printf "$public$host$secret" | sha256sum | awk '{print $1}')
if [ "$list" = list ]; then
  curl -q --$family -s --interface $from "$url?mode=list_hosts&hostname=$host&hash=$hash" | jq -c .return_message
  exit
fi
query="mode=set&hostname=$host&hash=$hash&internalIp=${internal:-$public}"
answer=$(curl -q --$family -s --interface $from "$url?$query")
[ "$(echo "$answer" | jq -r .return_status)" = success ] || { echo "Request failed: $answer"; exit 1; }
echo "$answer" | jq -r .return_message
"""

V3 = r"""
# dyndns.sh: two POSTs; digits and dots again.
host=$1; secret=$2; url=$3; from=$4
ip=$(curl -q --ipv4 -s --interface $from -H 'content-type: application/json' -d '{"execution_mode":"get"}' "$url" \
  | egrep -o '[0-9.]+')
hash=$(printf %s "$ip$host$secret" | sha256sum | awk '{print $1}')
curl -q --ipv4 -s --interface $from -H 'content-type: application/json' "$url" -w ',{"status_code":"%{http_code}"}' \
  -d '{"execution_mode":"set", "ddns_hostname":"'$host'", "validation_hash":"'$hash'"}'
"""


@pytest.mark.parametrize("stage", ["", "prod"])
def test_awslabs_v1_simple_client(inside: Inside, name: str, stage: str) -> None:
    need("bash", "curl")
    secret = inside.server.add_host(name)
    line = ("bash", "-c", V1_SIMPLE, "simple.sh", name, secret, f"{SERVER_4}/{stage}", HOME_4)
    assert json.loads(inside.ok(*line)) == {
        "return_message": f"Your hostname record {name} has been set to {HOME_4}",
        "return_status": "success",
    }
    assert inside.server.dig(name) == [HOME_4]
    assert json.loads(inside.ok(*line))["return_message"] == ("Your IP address matches the current Route53 DNS record.")


@pytest.mark.parametrize(
    ("family", "source", "host", "record_type"),
    [("ipv4", HOME_4, SERVER_4, "A"), ("ipv6", HOME_6, f"[{SERVER_6}]", "AAAA")],
    ids=["ipv4", "ipv6"],
)
def test_awslabs_v2_client(inside: Inside, name: str, family: str, source: str, host: str, record_type: str) -> None:
    need("bash", "curl", "jq")
    secret = inside.server.add_host(name)
    line = ("bash", "-c", V2, "client.sh", name, secret, f"http://{host}/prod", source, family)
    assert inside.ok(*line) == f"Your hostname record {name}. has been set to {source}\n"
    assert inside.server.dig(name, record_type) == [source]
    assert "matches the current" in inside.ok(*line)
    wrong = inside.run(*line[:5], "WRONG", *line[6:])
    assert (wrong.returncode, "Validation hashes do not match." in wrong.stdout) == (1, True)


def test_awslabs_v2_sets_internal_addresses_where_the_host_allows_it(inside: Inside, name: str) -> None:
    need("bash", "curl", "jq")
    url = f"http://{SERVER_4}/prod"
    closed = inside.server.add_host(f"closed-{name}")
    done = inside.run("bash", "-c", V2, "x", f"closed-{name}", closed, url, HOME_4, "ipv4", "", "192.168.1.5")
    assert "disallow internal IPs" in done.stdout

    secret = inside.server.add_host(name, "--allow-internal")
    line = ("bash", "-c", V2, "x", name, secret, url, HOME_4, "ipv4", "")
    inside.ok(*line, "192.168.1.5")
    inside.ok(*line, "2001:DB8::5")
    assert inside.server.dig(name) == ["192.168.1.5"]
    assert inside.server.dig(name, "AAAA") == ["2001:db8::5"]


def test_awslabs_v2_lists_its_group_as_network_discovery_reads_it(inside: Inside, name: str) -> None:
    need("bash", "curl", "jq")
    group = ("--group", name, "--type", "A")
    secret = inside.server.add_host(name, *group, "--mac-address", "00:11:22:33:44:55")
    inside.server.add_host(f"nas-{name}", *group, "--mac-address", "AA:BB:CC:DD:EE:FF", "--allow-internal")
    url = f"http://{SERVER_4}/prod"
    told = inside.ok("bash", "-c", V2, "x", name, secret, url, HOME_4, "ipv4", "list")
    assert told.startswith("[")
    assert json.loads(told) == [
        {"hostname": f"{name}.", "record_type": "A", "mac_address": "00:11:22:33:44:55"},
        {"hostname": f"nas-{name}.", "record_type": "A", "mac_address": "aa:bb:cc:dd:ee:ff"},
    ]
    inside.ok("bash", "-c", V2, "x", f"nas-{name}", secret, url, HOME_4, "ipv4", "", "192.168.1.6")
    assert inside.server.dig(f"nas-{name}") == ["192.168.1.6"]


def test_awslabs_v3_client(inside: Inside, name: str) -> None:
    need("bash", "curl")
    secret = inside.server.add_host(name)
    line = ("bash", "-c", V3, "dyndns.sh", name, secret, f"http://{SERVER_4}/", HOME_4)
    first = f'{{"return_status": "success", "return_message": "{name} has been updated to {HOME_4}"}}'
    assert inside.ok(*line) == first + ',{"status_code":"201"}'
    assert inside.server.dig(name) == [HOME_4]
    assert inside.ok(*line).endswith(',{"status_code":"200"}')
    assert inside.ok(*line[:5], "WRONG", *line[6:]).endswith(',{"status_code":"401"}')


def test_a_captured_hash_is_worth_nothing_from_another_address(inside: Inside, name: str) -> None:
    need("bash", "curl")
    secret = inside.server.add_host(name)
    inside.ok("bash", "-c", V1_SIMPLE, "simple.sh", name, secret, SERVER_4 + "/", HOME_4)
    script = (
        'curl -s --interface $3 "http://$4/?mode=set&hostname=$1&hash=$(printf %s "$5$1$2" | sha256sum | cut -c-64)"'
    )
    told = inside.ok("bash", "-c", script, "x", name, secret, OTHER_4, SERVER_4, HOME_4)
    assert json.loads(told)["return_message"] == "Validation hashes do not match."
    assert inside.server.dig(name) == [HOME_4]


# --- ddupdate

FMEPPO = f"""
import socket, sys, urllib.request
connect = socket.create_connection
socket.create_connection = lambda to, timeout=None, source=None: connect(to, 10, ("{HOME_4}", 0))
answer = urllib.request.urlopen(sys.argv[1] + "?" + "&".join(sys.argv[2:]))
print(answer.status, answer.read().decode(), end="")
"""
"""The way in which it asks: nothing is encoded, the headers are those of urllib."""


def ddupdate(inside: Inside, *fields: str) -> str:
    """Return what it prints; urllib makes an error of every status that is not a success."""
    return inside.ok(sys.executable, "-c", FMEPPO, f"http://{SERVER_4}/Production", *fields)


def test_ddupdate_with_values_of_its_configuration_file(inside: Inside, name: str) -> None:
    made = inside.server.ask_json("token", name)
    fields = (f"fqdn={name}", f"token={made['token']}", f"zoneid={made['zoneid']}")
    assert ddupdate(inside, *fields) == f"200 Hello! {name}. updated {HOME_4}\n"
    assert inside.server.dig(name) == [HOME_4]
    assert ddupdate(inside, *fields) == f"200 Hello! {name}. unchanged {HOME_4}\n"


def test_ddupdate_with_values_of_its_command_line_which_come_as_lists(inside: Inside, name: str) -> None:
    made = inside.server.ask_json("token", name)
    fields = (f"fqdn={name}", f"token={[made['token']]}", "ipv4=['203.0.113.9']", "ipv6=['2001:db8::9']", "ttl=[90]",
              f"zoneid={[made['zoneid']]}")  # fmt: skip
    assert ddupdate(inside, *fields).startswith("200 Hello!")
    assert inside.server.dig(name) == ["203.0.113.9"]
    assert f"{name}.\t90\tIN\tAAAA\t2001:db8::9" in inside.server.dig_all(name, "AAAA").replace("\t\t", "\t")


# --- ddclient


def test_ddclient_reads_its_public_address_off_checkip(inside: Inside, name: str, tmp_path: Path) -> None:
    need("ddclient")
    secret = inside.server.add_host(name)
    file = tmp_path / "ddclient.conf"
    file.write_text(f"""\
protocol=dyndns2
ssl=no
server={SERVER_4}
use=web, web=http://{SERVER_4}/nic/checkip, web-skip='Current IP Address:'
login={name}
password='{secret}'
{name}
""")
    file.chmod(0o600)
    line = ("ddclient", "-foreground", "-daemon=0", "-noquiet", "-verbose", "-file", file, "-cache", tmp_path / "cache")
    told = inside.ok(*line)
    (seen,) = inside.server.dig(name)
    assert f"good: IP address set to {seen}" in told
    assert any(seen.startswith(network.rpartition(".")[0]) for network in PUBLIC)
    assert f"already set to {seen}" in inside.ok(*line)


# --- curl and both families


def test_curl_without_an_address_sets_where_it_comes_from(inside: Inside, name: str) -> None:
    need("curl")
    secret = inside.server.add_host(name)
    basic = ("curl", "-sS", "-u", f"{name}:{secret}")
    assert inside.ok(*basic, "--interface", HOME_4, f"http://{SERVER_4}/nic/update") == f"good {HOME_4}\n"
    assert inside.ok(*basic, "--interface", HOME_6, f"http://[{SERVER_6}]/nic/update") == f"good {HOME_6}\n"
    assert inside.ok(*basic, "--interface", OTHER_4, f"http://{SERVER_4}/nic/update") == f"good {OTHER_4}\n"
    assert inside.server.dig(name) == [OTHER_4]
    assert inside.server.dig(name, "AAAA") == [HOME_6]


def test_curl_sets_both_families_at_once_in_the_order_that_it_named_them(inside: Inside, name: str) -> None:
    need("curl")
    secret = inside.server.add_host(name)
    url = f"http://{SERVER_4}/nic/update?hostname={name}&myip=203.0.113.9,2001:db8:1::/64"
    assert inside.ok("curl", "-gsS", "-u", f"{name}:{secret}", url).startswith("good 203.0.113.9,2001:db8:1::")


@pytest.mark.parametrize("header", ["X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9", "Client-IP: 203.0.113.9"])
def test_no_header_makes_a_client_somebody_else(inside: Inside, header: str) -> None:
    need("curl")
    assert inside.ok("curl", "-sS", "-H", header, "--interface", HOME_4, f"http://{SERVER_4}/ip") == f"{HOME_4}\n"


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.1.1", "fe80::1", "192.168.1.1"])
def test_no_private_address_is_set_where_the_host_forbids_it(inside: Inside, address: str) -> None:
    need("curl")
    host = f"private-{address.replace(':', '-').replace('.', '-').replace('--', '-')}.home.test"
    secret = inside.server.add_host(host)
    url = f"http://{SERVER_4}/nic/update?hostname={host}&myip={address}"
    assert inside.ok("curl", "-gsS", "-u", f"{host}:{secret}", url) == "nohost\n"


# --- inadyn


def inadyn(inside: Inside, folder: Path, configuration: str) -> subprocess.CompletedProcess[str]:
    """Run it once; names are asked of our own DNS server, and dyndns.org's are ours by a hosts file."""
    need("inadyn", "mount")
    file, hosts, resolv = folder / "inadyn.conf", folder / "hosts", folder / "resolv.conf"
    file.write_text("verify-address = false\nallow-ipv6 = true\n" + configuration)
    file.chmod(0o600)
    hosts.write_text(f"127.0.0.1 localhost\n{SERVER_4} members.dyndns.org checkip.dyndns.org checkip.dyndns.com\n")
    resolv.write_text(f"nameserver {SERVER_4}\noptions timeout:2 attempts:1\n")
    prefix = inside.namespace.prefix_with_files(hosts=hosts, resolv_conf=resolv)
    line = ("inadyn", "-1", "-n", "-l", "debug", "--no-pidfile", "-f", file, "--cache-dir", folder)
    return run(line, folder, prefix=prefix)


def custom(name: str, login: str, secret: str, address: str) -> str:
    return f"""\
custom test {{
    ssl            = false
    username       = "{login}"
    password       = "{secret}"
    ddns-server    = "{SERVER_4}"
    ddns-path      = "/nic/update?hostname=%h&myip=%i"
    hostname       = "{name}"
    checkip-command = "/bin/echo {address}"
}}
"""


@pytest.mark.parametrize(("address", "record_type"), [("203.0.113.9", "A"), ("2001:db8::9", "AAAA")])
def test_inadyn_custom(inside: Inside, name: str, tmp_path: Path, address: str, record_type: str) -> None:
    secret = inside.server.add_host(name)
    done = inadyn(inside, tmp_path, custom(name, name, secret, address))
    assert done.returncode == 0, done.stderr
    assert f"Successful alias table update for {name} => new IP# {address}" in done.stderr
    assert inside.server.dig(name, record_type) == [address]


def test_inadyn_custom_takes_no_refusal_for_success(inside: Inside, name: str, tmp_path: Path) -> None:
    """It looks for "ok", "good" and "true" anywhere in the body: refusals are bare codes."""
    secret = inside.server.add_host(name)
    done = inadyn(inside, tmp_path, custom("ok-good-true.home.test", name, secret, "203.0.113.9"))
    assert done.returncode != 0, done.stderr
    assert "nohost" in done.stderr
    assert "Successful" not in done.stderr


def test_inadyn_as_its_built_in_dyndns_which_knows_one_server_only(inside: Inside, name: str, tmp_path: Path) -> None:
    secret = inside.server.add_host(name)
    configuration = f"""\
provider default@dyndns.org {{
    ssl            = false
    username       = "{name}"
    password       = "{secret}"
    hostname       = "{name}"
    checkip-server = "checkip.dyndns.org"
    checkip-path   = "/nic/checkip"
    checkip-ssl    = false
}}
"""
    done = inadyn(inside, tmp_path, configuration)
    assert done.returncode == 0, done.stderr
    assert f"Successful alias table update for {name}" in done.stderr
    (seen,) = inside.server.dig(name)
    assert f"new IP# {seen}" in done.stderr

    (tmp_path / f"{name}.cache").unlink(missing_ok=True)
    again = inadyn(inside, tmp_path, configuration)
    assert again.returncode == 0, again.stderr
    assert "No IP# change detected" in again.stderr, again.stderr


# --- dig, in IPv6 too


@pytest.mark.parametrize("server", [SERVER_4, SERVER_6])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_dig_asks_over_both_families_and_transports(inside: Inside, server: str, transport: str) -> None:
    need("dig")
    told = inside.ok("dig", f"@{server}", "home.test", "SOA", transport, "+tries=2", "+time=3")
    assert "status: NOERROR" in told
