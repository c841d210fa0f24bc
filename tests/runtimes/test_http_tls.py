"""HTTPS: the handshake, the certificate that changes, and clients that stall it."""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest
import trustme

from homing.core.errors import InvalidSettings
from homing.runtimes.tls import Certificate
from tests.runtimes.http_harness import PARSERS, Echo, Running, limited, read_all, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from homing.runtimes.http_connection import Parser

GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


class Pair:
    """A certificate authority and the pair of files that the server reads."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self.serial = self.renew()

    def renew(self) -> int:
        self.write_chain(leaf := self.ca.issue_cert("127.0.0.1"))
        leaf.private_key_pem.write_to_path(self.key)
        return serial_of(leaf.cert_chain_pems[0].bytes())

    def write_chain(self, leaf: trustme.LeafCert) -> None:
        self.chain.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context


def serial_of(pem: bytes) -> int:
    from cryptography import x509

    serial: int = x509.load_pem_x509_certificate(pem).serial_number
    return serial


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


@pytest.fixture(params=PARSERS)
def running(request: pytest.FixtureRequest, pair: Pair) -> Iterator[Running]:
    parser: Parser = request.param
    with serving(
        Echo(),
        parser=parser,
        tls=[("127.0.0.1", 0)],
        certificate=Certificate(pair.chain, pair.key),
        certificate_interval=0.05,
    ) as server:
        yield server


def tls_port(running: Running) -> int:
    return next(address.port for address in running.server.addresses if address.tls)


def handshake(running: Running, context: ssl.SSLContext) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", tls_port(running)), timeout=5)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def served_serial(running: Running, pair: Pair) -> int:
    with handshake(running, pair.client()) as sock:
        der = sock.getpeercert(binary_form=True)
    assert der is not None
    return serial_of(ssl.DER_cert_to_PEM_cert(der).encode())


def test_plain_and_tls_are_served_at_once(running: Running, pair: Pair) -> None:
    assert running.ask(GET).endswith(b"good 203.0.113.7\n")
    connection = http.client.HTTPSConnection("127.0.0.1", tls_port(running), context=pair.client(), timeout=5)
    for _ in range(2):
        connection.request("POST", "/", body=b"x" * 8000)
        assert connection.getresponse().read() == b"good 203.0.113.7\n"
    connection.close()
    with handshake(running, pair.client()) as sock:
        sock.sendall(b"?\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (["h2"], None), ([], None)]
)
def test_alpn_is_http_1_1_or_nothing(running: Running, pair: Pair, offered: list[str], chosen: str | None) -> None:
    context = pair.client()
    if offered:
        context.set_alpn_protocols(offered)
    with handshake(running, context) as sock:
        assert sock.selected_alpn_protocol() == chosen


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(running: Running, pair: Pair, version: ssl.TLSVersion) -> None:
    context = pair.client()
    context.minimum_version = context.maximum_version = version
    with handshake(running, context) as sock:
        sock.sendall(GET)
        assert read_all(sock).endswith(b"good 203.0.113.7\n")


def test_tls_1_1_is_not_spoken(pair: Pair) -> None:
    assert Certificate(pair.chain, pair.key).context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_renewed_pair_is_used_without_a_restart(running: Running, pair: Pair) -> None:
    assert served_serial(running, pair) == pair.serial
    with handshake(running, pair.client()) as before:
        renewed = pair.renew()
        assert wait_until(lambda: served_serial(running, pair) == renewed)
        before.sendall(GET)
        assert read_all(before).endswith(b"good 203.0.113.7\n")


def test_a_pair_that_does_not_fit_leaves_the_old_one_in_use(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    certificate = Certificate(pair.chain, pair.key)
    context = certificate.context
    leaf = pair.ca.issue_cert("127.0.0.1")
    with caplog.at_level(logging.WARNING):
        pair.write_chain(leaf)
        assert not certificate.reload_if_changed()
        assert not certificate.reload_if_changed()
        assert certificate.context is context
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "does not belong" in caplog.text
    leaf.private_key_pem.write_to_path(pair.key)
    assert certificate.reload_if_changed()
    assert certificate.context is not context
    assert not certificate.reload_if_changed()


def test_files_that_vanish_and_come_back_are_survived(pair: Pair) -> None:
    certificate = Certificate(pair.chain, pair.key)
    pair.key.unlink()
    assert not certificate.reload_if_changed()
    pair.renew()
    assert certificate.reload_if_changed()


def test_a_symbolic_link_that_points_elsewhere_is_a_change(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    other = Pair(tmp_path / "new")
    link_chain, link_key = tmp_path / "live.pem", tmp_path / "live-key.pem"
    link_chain.symlink_to(pair.chain)
    link_key.symlink_to(pair.key)
    certificate = Certificate(link_chain, link_key)
    for link, target in ((link_chain, other.chain), (link_key, other.key)):
        link.unlink()
        link.symlink_to(target)
    assert certificate.reload_if_changed()


def test_what_is_wrong_with_a_pair_is_told(pair: Pair, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(InvalidSettings, match=r"cannot read the TLS file .*missing\.pem: No such file"):
        Certificate(missing, pair.key)
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    with pytest.raises(InvalidSettings, match="cannot be read as PEM"):
        Certificate(rubbish, pair.key)
    with pytest.raises(InvalidSettings, match="cannot be read as PEM"):
        Certificate(pair.chain, rubbish)
    other = tmp_path / "other.pem"
    pair.ca.issue_cert("127.0.0.1").private_key_pem.write_to_path(other)
    with pytest.raises(InvalidSettings, match="does not belong to the certificate"):
        Certificate(pair.chain, other)


def test_an_encrypted_key_is_refused_and_not_asked_for(pair: Pair) -> None:
    from cryptography.hazmat.primitives import serialization as s

    key = s.load_pem_private_key(pair.key.read_bytes(), None)
    locked = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"pw"))
    pair.key.write_bytes(locked)
    with pytest.raises(InvalidSettings, match="is encrypted"):
        Certificate(pair.chain, pair.key)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"], ids=["nothing", "part", "http"])
def test_a_handshake_that_stalls_or_fails_gives_its_place_back(pair: Pair, said: bytes) -> None:
    with serving(
        Echo(),
        tls=[("127.0.0.1", 0)],
        certificate=Certificate(pair.chain, pair.key),
        limits=limited(connections_per_source=2),
    ) as running:
        with socket.create_connection(("127.0.0.1", tls_port(running)), timeout=10) as sock:
            sock.sendall(said)
            started = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                read_all(sock)
            assert time.monotonic() - started < 5
        assert wait_until(lambda: running.server.connections == 0)
        with handshake(running, pair.client()) as good:
            good.sendall(GET)
            assert read_all(good).endswith(b"good 203.0.113.7\n")


def test_connections_are_counted_before_their_handshake(pair: Pair) -> None:
    with (
        serving(
            Echo(),
            tls=[("127.0.0.1", 0)],
            certificate=Certificate(pair.chain, pair.key),
            limits=limited(connections_per_source=1, header_timeout=30),
        ) as running,
        socket.create_connection(("127.0.0.1", tls_port(running)), timeout=5),
    ):
        assert wait_until(lambda: running.server.connections == 1)
        with socket.create_connection(("127.0.0.1", tls_port(running)), timeout=5) as refused:
            assert refused.recv(1) == b""


def test_stop_does_not_wait_long_for_a_handshake(pair: Pair) -> None:
    limits = limited(header_timeout=60, stop_timeout=60)
    certificate = Certificate(pair.chain, pair.key)
    with (
        serving(Echo(), tls=[("127.0.0.1", 0)], certificate=certificate, limits=limits) as running,
        socket.create_connection(("127.0.0.1", tls_port(running)), timeout=5) as sock,
    ):
        assert wait_until(lambda: running.server.connections == 1)
        started = time.monotonic()
        running.stop_soon().result(30)
        assert time.monotonic() - started < 10
        assert sock.recv(1) == b""
        assert running.server.connections == 0


def test_https_works_on_uvloop_too(pair: Pair) -> None:
    uvloop = pytest.importorskip("uvloop")
    with serving(
        Echo(),
        tls=[("127.0.0.1", 0)],
        certificate=Certificate(pair.chain, pair.key),
        loop_factory=uvloop.new_event_loop,
    ) as running:
        with handshake(running, pair.client()) as sock:
            sock.sendall(GET)
            assert read_all(sock).endswith(b"good 203.0.113.7\n")
        with socket.create_connection(("127.0.0.1", tls_port(running)), timeout=5) as rude:
            rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
            read_all(rude)
        assert wait_until(lambda: running.server.connections == 0)
