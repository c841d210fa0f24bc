"""Whose certificates are trusted: Amazon's roots, or those of AWS_CA_BUNDLE, and no others."""

from __future__ import annotations

import hashlib
import re
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from homing.aws.connection import AMAZON_ROOTS, make_tls_context
from homing.aws.errors import NoAnswer
from homing.aws.transport import Endpoint, HttpTransport, endpoint_for
from tests.aws.raw_server import RawServer, answer

if TYPE_CHECKING:
    from homing.aws.transport import Reply

FINGERPRINTS = {
    "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e": "Amazon Root CA 1",
    "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4": "Amazon Root CA 2",
    "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4": "Amazon Root CA 3",
    "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092": "Amazon Root CA 4",
    "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5": (
        "Starfield Services Root Certificate Authority - G2"
    ),
}
"""As https://www.amazontrust.com/repository/ lists them."""


def trusted() -> dict[str, dict[str, Any]]:
    """Return what is in the file, by fingerprint."""
    context = make_tls_context(AMAZON_ROOTS)
    encoded = context.get_ca_certs(binary_form=True)
    return {hashlib.sha256(der).hexdigest(): one for der, one in zip(encoded, context.get_ca_certs(), strict=True)}


def test_the_roots_are_amazons_by_their_fingerprints_and_the_file_says_so() -> None:
    names = {digest: dict(pair[0] for pair in one["subject"])["commonName"] for digest, one in trusted().items()}
    assert names == FINGERPRINTS
    header = Path(AMAZON_ROOTS).read_text().partition("-----BEGIN")[0]
    assert dict(re.findall(r"^# ([0-9a-f]{64})  (.+)$", header, re.MULTILINE)) == FINGERPRINTS


def test_the_roots_are_valid_for_years_to_come() -> None:
    in_two_years = time.time() + 2 * 365 * 86400
    for one in trusted().values():
        assert ssl.cert_time_to_seconds(one["notBefore"]) < in_two_years < ssl.cert_time_to_seconds(one["notAfter"])


def test_the_context_trusts_exactly_the_roots_and_nothing_older_than_tls_1_2() -> None:
    context = make_tls_context(AMAZON_ROOTS)
    assert context.cert_store_stats() == {"x509": len(FINGERPRINTS), "crl": 0, "x509_ca": len(FINGERPRINTS)}
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def get(transport: HttpTransport, timeout: float = 5.0) -> Reply:
    return transport.send("GET", "/", {"Host": transport.host}, b"", timeout)


def test_a_private_authority_is_trusted_through_aws_ca_bundle(authority: trustme.CA, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with RawServer(tls=server_context(authority)) as server:
        server.parts.append(server.serve(answer(b"1"), answer(b"2")))
        environment = {"AWS_CA_BUNDLE": str(bundle), "AWS_ENDPOINT_URL_DYNAMODB": server.url}
        transport = HttpTransport(endpoint_for("dynamodb", "eu-central-1", environment))
        assert [get(transport).body, get(transport).body] == [b"1", b"2"]
        assert server.connections == 1
        transport.close()


def test_a_kept_tls_connection_that_was_closed_is_replaced(authority: trustme.CA, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with RawServer(tls=server_context(authority)) as server:
        server.parts += [server.serve_and_close(answer(b"1")), server.serve(answer(b"2"))]
        transport = server.transport(str(bundle))
        assert [get(transport).body, get(transport).body] == [b"1", b"2"]
        transport.close()


def test_a_server_whose_certificate_is_not_amazons_is_refused_before_anything_is_sent(authority: trustme.CA) -> None:
    with RawServer(tls=server_context(authority)) as server:
        server.parts.append(server.serve(answer()))
        with pytest.raises(NoAnswer, match="CERTIFICATE_VERIFY_FAILED") as caught:
            get(HttpTransport(endpoint_for("dynamodb", "eu-central-1", {"AWS_ENDPOINT_URL": server.url})))
        assert not caught.value.may_have_arrived
        assert server.requests == []


def test_a_certificate_for_another_name_is_refused(authority: trustme.CA, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with RawServer(tls=server_context(authority, "dynamodb.example")) as server:
        server.parts.append(server.serve(answer()))
        with pytest.raises(NoAnswer, match="IP address mismatch"):
            get(server.transport(str(bundle)))
        assert server.requests == []


def test_a_server_that_never_ends_its_handshake_is_given_up() -> None:
    with RawServer(lambda connection: connection.recv(65536) and connection.recv(65536)) as server:
        transport = HttpTransport(Endpoint(server.url.replace("http:", "https:"), "eu-central-1"))
        with pytest.raises(NoAnswer, match="timed out") as caught:
            get(transport, timeout=0.3)
        assert not caught.value.may_have_arrived


def test_a_ca_bundle_that_is_not_there_is_no_answer_rather_than_a_crash(tmp_path: Path) -> None:
    transport = HttpTransport(Endpoint("https://127.0.0.1:1", "eu-central-1", str(tmp_path / "none.pem")))
    with pytest.raises(NoAnswer, match="not connected"):
        get(transport)


@pytest.mark.parametrize("length", [100, 8192])
def test_what_comes_behind_a_reply_is_never_the_next_one(authority: trustme.CA, tmp_path: Path, length: int) -> None:
    """In one record of TLS: it is off the socket at once, and in the reader's buffer, or in that of TLS behind it."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: "
    first = head + b"p" * (length - len(head) - 9) + b"\r\n\r\nfirst"
    with RawServer(tls=server_context(authority)) as server:
        server.parts += [server.serve(first + answer(b"evil"), b""), server.serve(answer(b"next"))]
        transport = server.transport(str(bundle))
        assert [get(transport).body, get(transport).body] == [b"first", b"next"]
        assert server.connections == 2
        transport.close()
