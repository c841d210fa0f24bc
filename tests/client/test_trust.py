"""Whom TLS believes: a directory of the system's where there is one, all that the system trusts in any case."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
import trustme

from homing.client.remote import Line, Untrusted, exchange
from homing.client.trust import Trust, explain, find_directory, trust
from homing.protocols.asking import Ask
from tests.client.servers import Scripted, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GET = Ask("GET", "/x", "secret=s3cret")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[Scripted]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Scripted(answer("safe"), tls=context) as made:
        yield made


class System:
    """What the system trusts: a file, and a directory of the hashed names of some of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory, self.file = folder / "certs", folder / "all.pem"
        self.directory.mkdir()
        trustme.CA().cert_pem.write_to_path(str(self.file))
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.setenv("SSL_CERT_DIR", str(self.directory))

        def load(context: ssl.SSLContext, _: object = None) -> None:
            context.load_verify_locations(self.file)
            self.loaded += 1

        self.loaded = 0
        monkeypatch.setattr(ssl.SSLContext, "load_default_certs", load)

    def hash(self, *authorities: trustme.CA) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        for number, one in enumerate(authorities):
            one.cert_pem.write_to_path(str(self.directory / f"{number}.pem"))
        subprocess.run(["openssl", "rehash", self.directory], check=True, timeout=60, capture_output=True)

    def trust(self, *authorities: trustme.CA) -> None:
        self.file.write_bytes(b"".join(one.cert_pem.bytes() for one in authorities))


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    return System(tmp_path, monkeypatch)


def test_who_is_in_the_directory_is_believed_without_reading_all_others(
    system: System, authority: trustme.CA, server: Scripted
) -> None:
    system.hash(authority, trustme.CA())
    assert exchange(server.url, GET, Line(timeout=5)).body == b"safe"
    assert system.loaded == 0


def test_who_is_in_the_file_only_is_believed_as_well(system: System, authority: trustme.CA, server: Scripted) -> None:
    system.hash(trustme.CA())
    system.trust(trustme.CA(), authority)
    assert exchange(server.url, GET, Line(timeout=5)).body == b"safe"
    assert system.loaded == 1


def test_who_is_in_neither_is_not(system: System, server: Scripted) -> None:
    system.hash(trustme.CA())
    with pytest.raises(Untrusted):
        exchange(server.url, GET, Line(timeout=5))
    assert server.requests == []


def test_another_name_is_not_tried_again_with_all_that_is_trusted(system: System, authority: trustme.CA) -> None:
    system.hash(authority)
    system.trust(authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(context)
    with Scripted(answer("evil"), tls=context) as other, pytest.raises(Untrusted, match=r"mismatch|not valid for"):
        exchange(other.url, GET, Line(timeout=5))
    assert other.requests == []
    assert system.loaded == 0


def test_a_file_of_the_owners_is_trusted_besides_the_system(
    system: System, authority: trustme.CA, server: Scripted, tmp_path: Path
) -> None:
    system.hash(trustme.CA())
    own = tmp_path / "own.pem"
    authority.cert_pem.write_to_path(str(own))
    assert exchange(server.url, GET, Line(timeout=5, tls=trust(own))).body == b"safe"
    assert system.loaded == 0


def test_every_check_is_made_with_either(system: System) -> None:
    system.hash(trustme.CA())
    error = ssl.SSLCertVerificationError()
    error.verify_code = 20
    for context in (Trust().first(), Trust().second(error)):
        assert context is not None
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_directory_counts_only_if_it_is_hashed_and_no_file_was_asked_for(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_directory() is None
    (system.directory / "ca-certificates.crt").write_text("x")
    assert find_directory() is None
    (system.directory / "0a1b2c3d.0").write_text("x")
    assert find_directory() == str(system.directory)
    monkeypatch.setenv("SSL_CERT_FILE", str(system.file))
    assert find_directory() is None
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    assert find_directory() is None


@pytest.mark.parametrize(
    ("code", "words", "is_about_time"),
    [(18, "--ca-file FILE (ca_file)", False), (20, "--ca-file FILE (ca_file)", False),
     (62, "has to name the server as its certificate does", False), (64, "has to name the server", False),
     (9, "clock says that it is", True), (10, "clock says that it is", True), (79, "invalid CA certificate", False)],
)  # fmt: skip
def test_why_nobody_is_believed_says_what_to_look_at(code: int, words: str, is_about_time: bool) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "invalid CA certificate"
    assert words in explain(error)
    assert ("clock" in explain(error)) == is_about_time
