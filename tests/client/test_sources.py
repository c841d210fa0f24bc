"""Where addresses come from: reflectors that lie, routers that answer oddly, commands that misbehave."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.client import igd, netlink, portmap, sources, stun
from homing.client.remote import Line, ServerUnreachable
from homing.client.sources import Absent, NoAddress, find_address, read_address
from homing.core.values import replace
from homing.protocols.asking import Heard
from homing.settings.client import ClientSettings, parse_source
from tests.client.servers import Datagrams, Scripted, answer

if TYPE_CHECKING:
    from collections.abc import Callable

LINE = Line(timeout=3)
V4, V6 = ip_address("203.0.113.7"), ip_address("2001:db8::7")
PUBLIC = (ip_network("203.0.113.0/24"), ip_network("2001:db8::/32"))
PORTAL = answer("<html><body>Sign in: 203.0.113.7 good OK</body></html>", headers="Content-Type: text/html\r\n")


def settings(source: str = "auto", **options: Any) -> ClientSettings:
    parsed = parse_source(source)
    given: dict[str, Any] = {"public_networks": PUBLIC, "ipv4": parsed, "ipv6": parsed, "server": "http://127.0.0.1:1"}
    return ClientSettings(**(given | options))


def find(source: str, family: Any = 4, **options: Any) -> object:
    return find_address(settings(source, **options), family, LINE)


# --- the server's reflector, and others


@pytest.mark.parametrize(
    ("protocol", "path", "request_line"),
    [
        ("signed", "", b"GET /ip "), ("signed", "/prod", b"GET /prod/ip "), ("dyndns2", "/nic/update", b"GET /ip "),
        ("dyndns2", "/prod/v3/update/", b"GET /prod/ip "), ("awslabs", "/prod", b"GET /prod?mode=get "),
    ],
)  # fmt: skip
def test_the_server_is_asked_in_the_way_of_its_protocol(protocol: Any, path: str, request_line: bytes) -> None:
    body = '{"return_message": "203.0.113.7", "return_status": "success"}' if protocol == "awslabs" else "203.0.113.7\n"
    with Scripted(answer(body)) as server:
        found = find("auto", protocol=protocol, server=server.url + path, api_key="k3y")
    assert found == V4
    assert server.requests[0].startswith(request_line)
    assert b"x-api-key: k3y\r\n" in server.requests[0]


def test_awslabs_v3_is_asked_by_post() -> None:
    with Scripted(answer('{"return_message": "203.0.113.7", "return_status": "success"}')) as server:
        assert find("auto", protocol="awslabs-post", server=server.url) == V4
    assert server.requests[0].endswith(b'{"execution_mode":"get"}')


def test_an_api_key_goes_to_no_other_server() -> None:
    with Scripted(answer("203.0.113.7")) as other:
        assert find(f"url:{other.url}/ip", api_key="k3y") == V4
    assert b"k3y" not in other.requests[0]


@pytest.mark.parametrize("protocol", ["signed", "awslabs", "awslabs-post"])
@pytest.mark.parametrize(
    ("said", "is_temporary"),
    [
        (PORTAL, True), (answer("", "302 Found", "Location: http://portal\r\n"), True), (answer(""), True),
        (answer("<h1>502</h1>", "502 Bad Gateway"), True), (answer("welcome"), None), (answer("203.0.113.7 x"), None),
        (answer("203.0.113.7", "404 Not Found"), True), (answer("10.0.0.1"), None), (answer("2001:db8::7"), None),
        (answer("0.0.0.0"), None), (answer("224.0.0.1"), None), (answer("255.255.255.255"), None),
        (answer('{"message":"Forbidden"}', "403 Forbidden"), False), (b"", True), (answer("203.0.113.7/24"), None),
    ],
    ids=lambda value: value.decode()[-40:] if isinstance(value, bytes) else "",
)  # fmt: skip
def test_what_is_no_address_that_may_be_published_is_refused(
    protocol: Any, said: bytes, is_temporary: bool | None
) -> None:
    with Scripted(said) as server, pytest.raises(NoAddress) as caught:
        find("reflector", protocol=protocol, server=server.url)
    assert is_temporary is None or caught.value.is_temporary == is_temporary


def test_private_and_other_addresses_are_refused_with_their_name_unless_they_are_wanted() -> None:
    for text, family, words in [
        ("192.168.1.5", 4, "Private-Use"), ("100.64.1.1", 4, "Shared Address Space"), ("127.0.0.1", 4, "Loopback"),
        ("fd00::1", 6, "Unique-Local"), ("fe80::1", 6, "Link-Local|Linked-Scoped"), ("::1", 6, "Loopback"),
    ]:  # fmt: skip
        host = "127.0.0.1" if family == 4 else "::1"
        with Scripted(answer(text), host=host) as server:
            with pytest.raises(NoAddress, match=words):
                find("reflector", family, server=server.url)
            assert find("reflector", family, server=server.url, allow_internal=True) == ip_address(text)
    with Scripted(answer("2001:db8::7")) as server, pytest.raises(NoAddress, match="is no IPv4 address"):
        find("reflector", 4, server=server.url, allow_internal=True)


def test_a_family_that_is_absent_is_told_apart_from_a_server_that_is_down() -> None:
    with Scripted(answer("203.0.113.7")) as server, pytest.raises(Absent):
        find("reflector", 6, server=server.url)
    with pytest.raises(NoAddress, match="refused") as caught:
        find("reflector", 4, server=server.url)
    assert not isinstance(caught.value, Absent)
    with pytest.raises(Absent):
        find("none", 4)


@pytest.mark.parametrize(
    "body",
    [
        "203.0.113.7",
        "203.0.113.7\r\n",
        '{"ip":"203.0.113.7"}',
        '{"address": "203.0.113.7"}',
        "::ffff:203.0.113.7",
        '{"origin": "203.0.113.7", "x": 1}',
        "<html><head><title>Current IP Check</title></head><body>Current IP Address: 203.0.113.7</body></html>\r\n",
    ],
)
def test_a_page_that_tells_an_address_is_read(body: str) -> None:
    assert read_address(Heard(200, (), body.encode())) == V4


def test_an_address_that_was_typed_is_taken_as_it_is_but_only_for_its_family() -> None:
    assert find("192.168.1.5") == ip_address("192.168.1.5")
    with pytest.raises(NoAddress, match="no host's address"):
        find("0.0.0.0")
    assert find("seen", protocol="dyndns2") is None


@given(
    status=st.sampled_from([200, 302, 404, 503]),
    body=st.binary(max_size=80) | st.text('0123456789.:af{}" ip').map(str.encode),
)
def test_any_answer_of_a_reflector_is_an_address_or_refused(status: int, body: bytes) -> None:
    try:
        read_address(Heard(status, (), body))
    except NoAddress as error:
        told = str(error)
    else:
        assert status == 200
        return
    assert told.isprintable()


# --- a command


def test_a_command_is_asked_for_a_family_and_never_sees_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMING_CLIENT_SECRET", "s3cret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    script = 'test -z "$HOMING_CLIENT_SECRET$CREDENTIALS_DIRECTORY" && echo 203.0.113.$FAMILY 2001:db8::$FAMILY'
    assert find(f"command:sh -c '{script}'") == ip_address("203.0.113.4")
    assert find(f"command:sh -c '{script}'", 6) == ip_address("2001:db8::6")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo hello", "'hello', which is no address"), ("echo 203.0.113.7 203.0.113.8", "prints 2 IPv4"),
        ("echo 10.0.0.1", "cannot be reached"), ("false", "exit code 1"), ("no-such-program-here", "No such file"),
        ("sh -c 'echo 203.0.113.7; exit 3'", "exit code 3"), ("yes", "too much"),
        ("sh -c 'echo \"x", "quote is not closed"),
        ("sh -c 'exec >&-; sleep 30'", "took too long"), ("echo 2001:db8::7", "prints no IPv4"),
        ("true", "prints no IPv4"),
    ],
)  # fmt: skip
def test_a_command_that_misbehaves_is_a_reason(command: str, words: str) -> None:
    with pytest.raises(NoAddress, match=words):
        find(f"command:{command}")


@pytest.mark.parametrize("end", ["sleep 20", "echo 203.0.113.7"])
def test_a_command_that_hangs_ends_with_everything_that_it_started(tmp_path: Path, end: str) -> None:
    mark = tmp_path / "mark"
    started = time.monotonic()
    with pytest.raises(NoAddress, match="took too long"):
        find_address(settings(f"command:sh -c '(sleep 2; touch {mark}) & {end}'"), 4, replace(LINE, timeout=0.3))
    assert time.monotonic() - started < 2
    time.sleep(2.2)
    assert not mark.exists()


@pytest.mark.parametrize("has_waitid", [True, False])
def test_what_a_command_leaves_behind_ends_with_it_also_if_it_has_closed_its_output(
    has_waitid: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_waitid:  # macOS
        monkeypatch.delattr(os, "waitid", raising=False)
    pid = tmp_path / "pid"
    script = f"sleep 60 >/dev/null 2>&1 & echo $! >{pid}; echo 203.0.113.7"
    assert find(f"command:sh -c '{script}'") == V4
    deadline = time.monotonic() + 5
    while is_running(int(pid.read_text())) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(int(pid.read_text()))


def is_running(pid: int) -> bool:
    """Tell whether a process is there, and no zombie that nobody has reaped yet."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- an interface (netlink)


def test_an_interface_that_has_no_such_address_is_absent() -> None:
    with pytest.raises(Absent, match="no IPv4 address on lo"):
        find("interface:lo")
    with pytest.raises(Absent, match="on no-such0"):
        find("interface", interface="no-such0")


def test_a_kernel_that_does_not_answer_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise TimeoutError(110, "Connection timed out")

    monkeypatch.setattr(netlink.Tables, "snapshot", fail)
    with pytest.raises(NoAddress, match="interface: Connection timed out"):
        find("interface:lo")
    monkeypatch.setattr(netlink, "is_available", lambda: False)
    with pytest.raises(NoAddress, match="on Linux only: use command"):
        find("interface:lo")


# --- NAT-PMP and PCP


def nat_pmp(address: str = "203.0.113.7", code: int = 0) -> Callable[[bytes, int], list[bytes]]:
    packed = b"\0\x80" + struct.pack("!HI", code, 1) + IPv4Address(address).packed
    return lambda data, _: [packed] if data == b"\0\0" else []


def pcp_only(data: bytes, _: int) -> list[bytes]:
    """What a router answers that knows PCP only: its own version to NAT-PMP's question, and a mapping to a request."""
    if data == b"\0\0":
        return [b"\x02\x80\0\x01" + bytes(20)]
    assert data[:2] == b"\x02\x01"
    assert len(data) == 60
    nonce, port = data[24:36], data[40:42]
    stranger = b"\x02\x81\0\0" + bytes(20) + b"another nonce"[:12] + bytes(24)
    mapped = bytes(10) + b"\xff\xff" + V4.packed
    return [stranger, b"\x02\x81\0\0" + data[4:8] + bytes(16) + nonce + b"\x11\0\0\0" + port + b"\x10\0" + mapped]


def test_a_router_tells_its_address_by_nat_pmp() -> None:
    with Datagrams(nat_pmp()) as router:
        assert find(f"nat-pmp:127.0.0.1:{router.port}") == V4


def test_a_router_that_knows_pcp_only_lends_a_mapping_and_gets_it_back() -> None:
    with Datagrams(pcp_only) as router:
        assert find(f"nat-pmp:127.0.0.1:{router.port}") == V4
        deadline = time.monotonic() + 5
        while len(router.heard) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    asked, returned = router.heard[1], router.heard[2]
    assert asked[4:8] == b"\0\0\0\x1e"
    assert returned[4:8] == bytes(4)
    assert returned[8:42] == asked[8:42]
    assert asked[8:24] == bytes(10) + b"\xff\xff" + IPv4Address("127.0.0.1").packed
    assert asked[40:42] == struct.pack("!H", router.senders[1][1])


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (nat_pmp("0.0.0.0"), "does not tell"), (nat_pmp(code=3), "code 3"), (nat_pmp("100.64.3.4"), "Shared Address"),
        (lambda *_: [], "no answer"), (lambda *_: [b"", b"x", b"\0\x81" + bytes(10)], "no answer"),
    ],
)  # fmt: skip
def test_a_router_that_does_not_tell_is_a_reason(reply: Callable[[bytes, int], list[bytes]], words: str) -> None:
    with Datagrams(reply) as router, pytest.raises(NoAddress, match=words):
        find_address(settings(f"nat-pmp:127.0.0.1:{router.port}"), 4, Line(timeout=0.6))


def test_a_question_that_is_lost_is_asked_again() -> None:
    with Datagrams(lambda data, number: nat_pmp()(data, number) if number > 1 else []) as router:
        assert find(f"nat-pmp:127.0.0.1:{router.port}") == V4
        assert len(router.heard) == 2


def test_nobody_on_the_port_is_told_at_once() -> None:
    with Datagrams(lambda *_: []) as router:
        port = router.port
    started = time.monotonic()
    with pytest.raises(ServerUnreachable, match="refused"):
        portmap.find_address("127.0.0.1", port, Line(timeout=5.0))
    assert time.monotonic() - started < 3


@given(
    st.binary(max_size=80)
    | st.builds(bytes.__add__, st.sampled_from([b"\0\x80\0\0", b"\x02\x81\0\0"]), st.binary(max_size=60))
)
def test_any_datagram_of_a_router_is_read(data: bytes) -> None:
    portmap.parse_nat_pmp(data)
    portmap.parse_map(data, b"n" * 12)


# --- STUN

COOKIE = struct.pack("!I", 0x2112A442)


def stun_answer(data: bytes, address: str, *, kind: int = 0x0101, attribute: int = 0x0020) -> bytes:
    found = ip_address(address)
    mask = (COOKIE + data[8:20]) if attribute == 0x0020 else bytes(16)
    family = 1 if found.version == 4 else 2
    port = struct.pack("!H", 4711 ^ (0x2112 if attribute == 0x0020 else 0))
    value = bytes([0, family]) + port + bytes(a ^ b for a, b in zip(found.packed, mask, strict=False))
    body = struct.pack("!HH", 0x8022, 3) + b"abc\0" + struct.pack("!HH", attribute, len(value)) + value
    return struct.pack("!HH", kind, len(body)) + COOKIE + data[8:20] + body


@pytest.mark.parametrize("attribute", [0x0020, 0x0001])
def test_a_stun_server_tells_what_it_sees(attribute: int) -> None:
    with Datagrams(lambda data, _: [stun_answer(data, "203.0.113.7", attribute=attribute)]) as server:
        assert find(f"stun:127.0.0.1:{server.port}") == V4
        assert server.heard[0][:8] == b"\0\x01\0\0" + COOKIE
    with Datagrams(lambda data, _: [stun_answer(data, "2001:db8::7", attribute=attribute)], "::1") as server:
        assert find(f"stun:[::1]:{server.port}", 6) == V6


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (lambda data: [stun_answer(data, "203.0.113.7", kind=0x0111)], "tells no address"),
        (lambda data: [stun_answer(data, "2001:db8::7")], "no IPv4 address"),
        (lambda data: [stun_answer(data, "10.0.0.1")], "Private-Use"),
        (lambda data: [stun_answer(bytes(20), "203.0.113.7")], "no answer"),
        (lambda data: [data, stun_answer(data, "203.0.113.7")[:-1]], "no answer"),
        (lambda data: [struct.pack("!HH", 0x0101, 0) + data[4:20]], "tells no address"),
    ],
)
def test_what_a_stun_server_may_not_say(reply: Callable[[bytes], list[bytes]], words: str) -> None:
    with Datagrams(lambda data, _: reply(data)) as server, pytest.raises(NoAddress, match=words):
        find_address(settings(f"stun:127.0.0.1:{server.port}"), 4, Line(timeout=0.6))


@given(st.binary(max_size=60), st.binary(min_size=12, max_size=12))
def test_any_datagram_of_a_stun_server_is_read(data: bytes, transaction: bytes) -> None:
    stun.parse_answer(data, transaction)
    head = struct.pack("!HH", 0x0101, len(data) // 4 * 4) + COOKIE + transaction
    found = stun.parse_answer(head + data[: len(data) // 4 * 4], transaction)
    assert found is not None


# --- UPnP

DESCRIPTION = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device><serviceList>
<service><serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1</serviceType><controlURL>/ppp</controlURL></service>
<service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/l3f</controlURL></service>
<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:2</serviceType><controlURL>{}</controlURL></service>
</serviceList></device></deviceList></device></root>"""
SOAP = """<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<u:GetExternalIPAddressResponse xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:2">
<NewExternalIPAddress>{}</NewExternalIPAddress></u:GetExternalIPAddressResponse></s:Body></s:Envelope>"""


WITH_ENTITY = '<!DOCTYPE root [<!ENTITY b "/ip">]>' + DESCRIPTION.partition("?>")[2].strip().format("&b;")


def found_at(location: str) -> Callable[[bytes, int], list[bytes]]:
    reply = f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: x\r\nLocation:  {location}\r\n\r\n".encode()
    return lambda data, _: [reply] if b"ssdp:discover" in data else []


def test_a_router_tells_its_address_by_upnp() -> None:
    with (
        Scripted(answer(DESCRIPTION.format("/ctl/IPConn")), answer(SOAP.format("203.0.113.7"))) as http,
        Datagrams(found_at(http.url + "/rootDesc.xml")) as router,
    ):
        assert find(f"upnp:127.0.0.1:{router.port}") == V4
    description, question = http.requests
    assert description.startswith(b"GET /rootDesc.xml ")
    assert question.startswith(b"POST /ctl/IPConn ")
    assert b'soapaction: "urn:schemas-upnp-org:service:WANIPConnection:2#GetExternalIPAddress"' in question
    assert b"<u:GetExternalIPAddress xmlns:u=" in question


def test_of_two_connections_the_one_that_has_an_address_is_taken() -> None:
    fault = answer("<s:Fault/>", "500 Internal Server Error")
    with (
        Scripted(answer(DESCRIPTION.format("/ip")), fault, answer(SOAP.format("203.0.113.7"))) as http,
        Datagrams(found_at(http.url + "/d.xml")) as router,
    ):
        assert find(f"upnp:127.0.0.1:{router.port}") == V4
    assert http.requests[2].startswith(b"POST /ppp ")


@pytest.mark.parametrize(
    "description",
    [
        "", "no xml", "<a>" * 20_000, DESCRIPTION.format("http://192.0.2.1/ctl"), DESCRIPTION.format("//192.0.2.1/ctl"),
        DESCRIPTION.format("http://[x"), "<root/>", WITH_ENTITY, "x" * 100_000,
    ],
    ids=range(9),
)  # fmt: skip
def test_a_device_that_describes_itself_oddly_is_no_router(description: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igd, "_WAIT", -0.5)
    with (
        Scripted(answer(description.replace("/ppp", "")), answer(SOAP.format("203.0.113.7"))) as http,
        Datagrams(found_at(http.url + "/d.xml")) as router,
        pytest.raises(NoAddress),
    ):
        find(f"upnp:127.0.0.1:{router.port}")
    assert len(http.requests) == 1, "nothing is asked of where it points to"


@pytest.mark.parametrize(
    ("told", "words"), [("0.0.0.0", "tells no address"), ("", "tells no address"), ("router", "tells no address"),
                        ("192.168.1.2", "Private-Use"), ("2001:db8::7", "no IPv4 address")],
)  # fmt: skip
def test_an_address_that_a_router_does_not_have_is_refused(
    told: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(igd, "_WAIT", -0.5)
    with (
        Scripted(answer(DESCRIPTION.format("/ip")), answer(SOAP.format(told))) as http,
        Datagrams(found_at(http.url + "/d.xml")) as router,
        pytest.raises(NoAddress, match=words),
    ):
        find(f"upnp:127.0.0.1:{router.port}")


def test_whoever_answers_a_search_may_only_point_to_itself() -> None:
    good = b"HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1:5000/d.xml\r\n\r\n"
    assert igd.parse_location(good, "192.168.1.1") == "http://192.168.1.1:5000/d.xml"
    assert igd.parse_location(good, "192.168.1.9") is None
    assert igd.parse_location(good.replace(b"http:", b"file:"), "192.168.1.1") is None
    assert igd.parse_location(good.replace(b"200", b"500"), "192.168.1.1") is None
    assert igd.parse_location(b"NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.1.1/\r\n", "192.168.1.1") is None


@given(st.binary(max_size=100) | st.text("HTTP/1. 20\r\nLOCATION:http[]@", max_size=60).map(str.encode))
def test_any_answer_to_a_search_and_any_description_is_read(data: bytes) -> None:
    location = igd.parse_location(data, "127.0.0.1")
    assert location is None or location.startswith("http://")
    igd.parse_description(data, "http://127.0.0.1/d.xml")
    igd.parse_answer(Heard(200, (), data))


# --- whichever way the router knows


def test_a_router_is_asked_in_every_way_that_it_may_know(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        Datagrams(lambda data, _: [stun_answer(data, "203.0.113.7")]) as server,
        Datagrams(nat_pmp("203.0.113.9")) as router,
    ):
        monkeypatch.setattr(sources, "_default_router", lambda _: "127.0.0.1")
        monkeypatch.setattr(portmap, "PORT", router.port)
        assert find("router") == ip_address("203.0.113.9")
        monkeypatch.setattr(portmap, "PORT", 1)
        monkeypatch.setattr(igd, "GROUP", "127.0.0.1")
        monkeypatch.setattr(igd, "PORT", 1)
        with pytest.raises(NoAddress, match=r"127\.0\.0\.1: .*; "):
            find("router")
        assert find("router", stun_server=f"127.0.0.1:{server.port}") == V4
    with pytest.raises(Absent, match="IPv4 address only"):
        find("router", 6)


def test_the_router_of_this_machine_is_found_or_named_as_missing() -> None:
    with contextlib.suppress(ServerUnreachable):
        assert IPv4Address(sources._default_router(None)).is_unspecified is False
    with pytest.raises(ServerUnreachable, match="no default route"):
        sources._default_router("no-such0")
