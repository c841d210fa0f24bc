"""The DNS server on real sockets, on both event loops, asked by dnspython, dig and bare sockets."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import dns.asyncquery
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
import uvloop

from homing.core.names import Name
from homing.core.records import RRset, RRsetKey
from homing.core.response_rate import RatePolicy
from homing.core.zone import SOA, Zone, Zones
from homing.protocols.zone_file import parse_records
from homing.runtimes.dns_server import DnsServer
from homing.runtimes.dns_tcp import TcpPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Run = Callable[[Awaitable[None]], None]

APEX = Name("z.test.")
SOA_ = SOA(Name("ns.z.test."), Name("admin.z.test."), 7200, 900, 1209600, 60, 300)
LINES = ["@ NS ns", "ns A 192.0.2.53", *(f"big TXT {'x' * 200}{i}" for i in range(10))]
HOST = RRsetKey(Name("host.z.test."), "A")
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def make_zone() -> Zone:
    zone = Zone(APEX, SOA_, parse_records(LINES, APEX, 60), 1)
    zone.apply([(HOST, RRset(60, ("192.0.2.1",)))], 2)
    return zone


@asynccontextmanager
async def serving(
    *listen: str, zones: Zones | None = None, rate: RatePolicy | None = None, tcp: TcpPolicy | None = None
) -> AsyncIterator[DnsServer]:
    hosts = [(host, 0) for host in listen or ("127.0.0.1",)]
    server = DnsServer(zones or Zones([make_zone()]), hosts, rate=rate, tcp=tcp)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    def run_it(scenario: Awaitable[None]) -> None:
        async def main() -> None:
            await scenario

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main())

    return run_it


def query(name: str = "host.z.test", rtype: str = "A") -> dns.message.Message:
    return dns.message.make_query(name, rtype)


def framed(*names: str) -> bytes:
    wires = [query(name).to_wire() for name in names or ("host.z.test",)]
    return b"".join(len(wire).to_bytes(2, "big") + wire for wire in wires)


async def read_message(reader: asyncio.StreamReader) -> dns.message.Message:
    length = int.from_bytes(await reader.readexactly(2), "big")
    return dns.message.from_wire(await reader.readexactly(length))


async def is_cut(reader: asyncio.StreamReader, within: float) -> bool:
    """Tell whether the server ends the connection, however it does, without having sent anything."""
    try:
        return await asyncio.wait_for(reader.read(1), within) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_udp_and_tcp_answer_on_the_same_port_of_every_address(run: Run) -> None:
    async def scenario() -> None:
        async with serving("127.0.0.1", "::1") as server:
            assert len(server.addresses) == 2
            for host, port in server.addresses:
                for ask in (dns.asyncquery.udp, dns.asyncquery.tcp):
                    response = await ask(query(), host, port=port, timeout=5)
                    assert response.answer[0][0].to_text() == "192.0.2.1"
            assert (server.counters.udp, server.counters.tcp) == (2, 2)

    run(scenario())


@pytest.mark.parametrize(("listen", "asked"), [("0.0.0.0", "127.0.0.77"), ("0.0.0.0", "127.0.0.1"), ("::", "::1")])
def test_a_wildcard_address_answers_from_the_address_that_was_asked(run: Run, listen: str, asked: str) -> None:
    async def scenario() -> None:
        async with serving(listen) as server:
            family = socket.AF_INET6 if ":" in asked else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as client:
                client.settimeout(0)
                client.connect((asked, server.addresses[0][1]))  # the kernel lets answers from nowhere else in
                client.send(query().to_wire())
                loop = asyncio.get_running_loop()
                response = await asyncio.wait_for(loop.sock_recv(client, 4096), 5)
            assert dns.message.from_wire(response).answer

    run(scenario())


def test_a_change_is_seen_by_the_next_query(run: Run) -> None:
    async def scenario() -> None:
        zone = make_zone()
        async with serving(zones=Zones([zone])) as server:
            host, port = server.addresses[0]
            for serial in range(3, 30):
                zone.apply([(HOST, RRset(60, (f"192.0.2.{serial}",)))], serial)
                response = await dns.asyncquery.udp(query(), host, port=port, timeout=5)
                assert response.answer[0][0].to_text() == f"192.0.2.{serial}"

    run(scenario())


def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as server:
            host, port = server.addresses[0]
            asked = query("big.z.test", "TXT")
            short = await dns.asyncquery.udp(asked, host, port=port, timeout=5)
            assert short.flags & dns.flags.TC
            response, over_tcp = await dns.asyncquery.udp_with_fallback(asked, host, port=port, timeout=5)
            assert over_tcp
            assert len(response.answer[0]) == 10

    run(scenario())


def test_garbage_does_not_stop_the_answers(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as server:
            host, port = server.addresses[0]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                for wire in (b"", b"x", bytes(11), bytes(12), b"\xff" * 600, query().to_wire()[:-3], bytes(9000)):
                    client.sendto(wire, (host, port))
            for wire in (b"\0\0", b"\0\1x", b"\xff\xff" + bytes(100), b"GET / HTTP/1.0\r\n\r\n"):
                _, writer = await asyncio.open_connection(host, port)
                writer.write(wire)
                writer.close()
            assert (await dns.asyncquery.udp(query(), host, port=port, timeout=5)).answer
            assert (await dns.asyncquery.tcp(query(), host, port=port, timeout=5)).answer
            assert server.counters.failed == 0

    run(scenario())


def test_a_failure_inside_is_servfail_and_logged_once(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        zone = make_zone()
        zone.apply([(HOST, RRset(60, ("no address",)))], 3)
        async with serving(zones=Zones([zone])) as server:
            host, port = server.addresses[0]
            for ask in (dns.asyncquery.udp, dns.asyncquery.udp, dns.asyncquery.tcp):
                response = await ask(query(), host, port=port, timeout=5, one_rr_per_rrset=False)
                assert response.rcode() == dns.rcode.SERVFAIL
            assert server.counters.failed == 3

    with caplog.at_level(logging.ERROR):
        run(scenario())
    assert [record.message for record in caplog.records] == ["could not answer a query"]


def test_pipelined_queries_are_answered_in_order_and_after_a_half_close(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as server:
            reader, writer = await asyncio.open_connection(*server.addresses[0])
            names = [f"n{i}.z.test." for i in range(200)]
            writer.write(framed(*names))
            writer.write_eof()
            answered = [(await read_message(reader)).question[0].name.to_text() for _ in names]
            assert answered == names
            assert await is_cut(reader, 5)
            writer.close()

    run(scenario())


def test_a_message_that_comes_slowly_is_cut_and_udp_does_not_notice(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as server:
            host, port = server.addresses[0]
            reader, writer = await asyncio.open_connection(host, port)
            begun = time.monotonic()
            for octet in framed()[:20]:
                writer.write(bytes([octet]))
                assert (await dns.asyncquery.udp(query(), host, port=port, timeout=5)).answer
                if await is_cut(reader, 0.1):
                    break
            assert 0.4 < time.monotonic() - begun < 1.5
            assert server.counters.tcp == 0
            writer.close()

    run(scenario())


def test_each_message_has_its_own_time(run: Run) -> None:
    async def scenario() -> None:
        async with serving(tcp=TcpPolicy(message=0.5)) as server:
            reader, writer = await asyncio.open_connection(*server.addresses[0])
            message = framed()
            for _ in range(4):
                writer.write(message[:9])
                await asyncio.sleep(0.2)
                writer.write(message[9:])
                assert (await read_message(reader)).answer
            writer.write(message + message[:9])
            assert (await read_message(reader)).answer
            assert await is_cut(reader, 2)
            writer.close()

    run(scenario())


def test_an_idle_connection_is_closed(run: Run) -> None:
    async def scenario() -> None:
        async with serving(tcp=TcpPolicy(idle=0.3)) as server:
            reader, writer = await asyncio.open_connection(*server.addresses[0])
            for _ in range(3):
                await asyncio.sleep(0.15)
                writer.write(framed())
                assert (await read_message(reader)).answer
            assert await is_cut(reader, 3)
            assert server.connections == 0
            writer.close()

    run(scenario())


def test_one_client_can_hold_only_so_many_connections(run: Run) -> None:
    async def scenario() -> None:
        async with serving(tcp=TcpPolicy(per_client=3)) as server:
            host, port = server.addresses[0]
            held = [await asyncio.open_connection(host, port) for _ in range(3)]
            reader, writer = await asyncio.open_connection(host, port)
            assert await is_cut(reader, 5)
            other = await asyncio.open_connection(host, port, local_addr=("127.0.0.9", 0))
            other[1].write(framed())
            assert (await read_message(other[0])).answer
            for _, each in [*held, (reader, writer), other]:
                each.close()

    run(scenario())


def test_beyond_the_total_the_connection_that_was_idle_longest_gives_way(run: Run) -> None:
    async def scenario() -> None:
        async with serving(tcp=TcpPolicy(total=2)) as server:
            host, port = server.addresses[0]
            first = await asyncio.open_connection(host, port)
            second = await asyncio.open_connection(host, port)
            for reader, writer in (second, first):  # the second is now the one idle longest
                writer.write(framed())
                assert (await read_message(reader)).answer
            third = await asyncio.open_connection(host, port)
            assert await is_cut(second[0], 5)
            for reader, writer in (first, third):
                writer.write(framed())
                assert (await read_message(reader)).answer
            assert server.connections == 2
            for _, writer in (first, second, third):
                writer.close()

    run(scenario())


def test_a_client_that_does_not_read_holds_little_and_is_cut(run: Run) -> None:
    async def scenario() -> None:
        async with serving(tcp=TcpPolicy(idle=0.5)) as server:
            host, port = server.addresses[0]
            wire = dns.message.make_query("big.z.test", "TXT").to_wire()
            client = socket.socket()
            with client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect((host, port))
                client.settimeout(0)
                sender = asyncio.create_task(
                    asyncio.get_running_loop().sock_sendall(client, (len(wire).to_bytes(2, "big") + wire) * 500_000)
                )
                await asyncio.sleep(0.3)
                held = server.counters.tcp
                assert 0 < held < 100_000
                assert (await dns.asyncquery.udp(query(), host, port=port, timeout=5)).answer
                with pytest.raises(ConnectionError):
                    await asyncio.wait_for(sender, 10)
            assert server.connections == 0

    run(scenario())


def test_a_flood_over_udp_is_limited_and_tcp_is_not(run: Run) -> None:
    async def scenario() -> None:
        async with serving(rate=RatePolicy(exempt=(), responses_per_second=5)) as server:
            host, port = server.addresses[0]
            loop = asyncio.get_running_loop()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(0)
                client.connect((host, port))
                for _ in range(40):
                    client.send(query().to_wire())
                await asyncio.sleep(0.2)
                client.send(query("other.z.test").to_wire())  # of another kind, and the last
                flags = []
                while True:
                    wire = await asyncio.wait_for(loop.sock_recv(client, 4096), 5)
                    if wire[3] & 0xF == dns.rcode.NXDOMAIN:
                        break
                    flags.append(bool(wire[2] & 0x02))
            assert 5 <= flags.count(False) <= 8
            assert 14 <= flags.count(True) <= 18
            assert server.counters.limited >= 30
            for _ in range(20):
                response = await dns.asyncquery.tcp(query(), host, port=port, timeout=5)
                assert response.answer

    run(scenario())


def test_what_cannot_be_bound_leaves_nothing_open(run: Run) -> None:
    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = DnsServer(Zones([make_zone()]), [("127.0.0.1", 0), ("127.0.0.1", port)])
            with pytest.raises(OSError, match="in use"):
                await server.start()
            assert server.addresses == ()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", port))

    run(scenario())


def test_after_stop_the_port_is_free_and_start_works_again(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as server:
            host, port = server.addresses[0]
            _, writer = await asyncio.open_connection(host, port)
        again = DnsServer(Zones([make_zone()]), [(host, port)])
        await again.start()
        assert (await dns.asyncquery.udp(query(), host, port=port, timeout=5)).answer
        await again.stop()
        writer.close()

    run(scenario())


def test_a_zone_written_by_another_thread_is_served_meanwhile(run: Run) -> None:
    async def scenario() -> None:
        zone = make_zone()
        stop = threading.Event()

        def write() -> None:
            serial = 3
            while not stop.is_set():
                zone.apply([(HOST, RRset(60, ("192.0.2.1",)) if serial % 2 else None)], serial)
                serial += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            async with serving(zones=Zones([zone])) as server:
                host, port = server.addresses[0]
                for _ in range(50):
                    response = await dns.asyncquery.udp(query(), host, port=port, timeout=5)
                    assert response.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}
                assert server.counters.failed == 0
        finally:
            stop.set()
            writer.join()

    run(scenario())


DIG = shutil.which("dig")


@pytest.mark.e2e
@pytest.mark.skipif(DIG is None, reason="dig is not installed")
@pytest.mark.parametrize("options", ["+notcp", "+tcp", "+noedns", "+dnssec +nsid", "+cookie +subnet=192.0.2.0/24"])
def test_dig_is_content(options: str) -> None:
    async def scenario() -> str:
        async with serving() as server:
            host, port = server.addresses[0]
            command = [
                str(DIG),
                f"@{host}",
                "-p",
                str(port),
                "+tries=1",
                "+time=5",
                *options.split(),
                "host.z.test",
                "A",
            ]
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            return (await process.communicate())[0].decode()

    shown = asyncio.run(scenario())
    assert "status: NOERROR" in shown
    assert "192.0.2.1" in shown
    assert "WARNING" not in shown.replace("WARNING: recursion requested but not available", "")
