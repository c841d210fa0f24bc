"""What dig and dnsperf hear from the DNS server, over every transport."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import INTERNAL, Server, client, need, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shown(server: Server) -> str:
    """A host with an address in each family."""
    secret = server.add_host("shown.home.test", INTERNAL, "--ttl", "77")
    auth = base64.b64encode(f"shown.home.test:{secret}".encode()).decode()
    need("curl")
    url = f"{server.url}/nic/update?myip=127.0.5.1,fd00::51"
    done = run(["curl", "-sS", "-H", f"Authorization: basic {auth}", url], server.folder)
    assert done.stdout == "good 127.0.5.1,fd00::51\n"
    return "shown.home.test"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("+notcp", "+noedns"), id="udp"),
        pytest.param(("+notcp", "+bufsize=1232", "+nocookie"), id="udp-edns"),
        pytest.param(("+notcp", "+cookie"), id="udp-cookie"),
        pytest.param(("+tcp", "+noedns"), id="tcp"),
        pytest.param(("+tcp", "+keepalive", "+dnssec"), id="tcp-edns"),
    ],
)
def test_dig_reads_both_families_over_every_transport(server: Server, shown: str, options: tuple[str, ...]) -> None:
    assert server.dig(shown, "A", *options) == ["127.0.5.1"]
    assert server.dig(shown.upper(), "AAAA", *options) == ["fd00::51"]


def test_dig_sees_an_authoritative_answer_with_the_hosts_ttl(server: Server, shown: str) -> None:
    told = server.dig_all(shown, "A", "+norecurse")
    assert "status: NOERROR" in told
    assert " aa" in told.partition("flags:")[2].partition(";")[0]
    assert f"{shown}.\t77\tIN\tA\t127.0.5.1" in told.replace("\t\t", "\t")
    assert "EDNS: version: 0" in told


@pytest.mark.parametrize(
    ("name", "record_type", "status", "counts"),
    [
        pytest.param("shown.home.test", "TXT", "NOERROR", "ANSWER: 0, AUTHORITY: 1", id="NODATA"),
        pytest.param("nobody.home.test", "A", "NXDOMAIN", "ANSWER: 0, AUTHORITY: 1", id="NXDOMAIN"),
        pytest.param("www.example.com", "A", "REFUSED", "ANSWER: 0, AUTHORITY: 0", id="another-zone"),
        pytest.param("home.test", "SOA", "NOERROR", "ANSWER: 1", id="SOA"),
        pytest.param("home.test", "NS", "NOERROR", "ANSWER: 1", id="NS"),
        pytest.param("shown.home.test", "ANY", "NOERROR", "ANSWER: 1", id="ANY"),
        pytest.param("home.test", "AXFR", "REFUSED", "", id="transfer"),
    ],
)
def test_dig_hears_what_the_standards_say(
    server: Server, shown: str, name: str, record_type: str, status: str, counts: str
) -> None:
    told = server.dig_all(name, record_type)
    if record_type == "AXFR":
        assert "Transfer failed." in told
        return
    assert f"status: {status}" in told
    assert counts in told


def test_the_serial_grows_when_an_address_moves_and_not_at_a_poll(server: Server, name: str, tmp_path: Path) -> None:
    need("curl")
    secret = server.add_host(name, INTERNAL)

    def update(address: str) -> int:
        url = f"{server.url}/nic/update?myip={address}"
        client(tmp_path, "curl", "-sS", "--fail", "-u", f"{name}:{secret}", url)
        return int(server.dig("home.test", "SOA")[0].split()[2])

    first = update("127.0.6.1")
    assert update("127.0.6.1") == first
    assert update("127.0.6.2") > first


def test_dnsperf_gets_an_answer_to_every_question(server: Server, shown: str, tmp_path: Path) -> None:
    need("dnsperf")
    (tmp_path / "questions").write_text(f"{shown} A\n{shown} AAAA\nnobody.home.test A\nhome.test SOA\n")
    place = server.dns[0]
    told = client(
        tmp_path, "dnsperf", "-s", place.host, "-p", str(place.port), "-d", "questions", "-n", "500", "-q", "20"
    )
    assert re.search(r"Queries completed: +2000 \(100\.00%\)", told), told
    assert re.search(r"NOERROR 1500 .*NXDOMAIN 500 ", told), told
