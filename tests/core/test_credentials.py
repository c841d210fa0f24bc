"""Secrets and proofs: what is made is strong, what is shown is checked, and nothing that is sent can raise."""

from __future__ import annotations

import hashlib
import json
import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core import credentials
from homing.core.credentials import LegacyHash, Password, Token, new_secret, parse_signature, render_signature
from homing.core.errors import InvalidInput

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "requests.json").read_text())
NOTED = re.compile(r'sha256\((?:source address )?"([^"]*)" \+ "([^"]*)" \+ (?:secret )?"([^"]*)"\)')
ANY_TEXT = st.text(st.characters(), max_size=40)  # surrogates too
SCRYPT = credentials.hash_chosen("correct horse", bytes(16))


def recorded_hashes() -> list[tuple[str, str, str, str]]:
    """Address, hostname, secret and the hash that a real client sent for them."""
    found = []
    for vector in VECTORS:
        noted = NOTED.search(vector.get("notes", ""))
        if noted:
            query = parse_qs(urlsplit(vector["request"]["target"]).query)
            body = vector["request"]["body"]
            sent = query["hash"][0] if "hash" in query else json.loads(body)["validation_hash"]
            found.append((noted[1], noted[2], noted[3], sent))
    return found


@given(st.binary(min_size=24, max_size=24))
def test_a_secret_has_32_characters_that_every_client_can_carry(random: bytes) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{31}", new_secret(random))


def test_a_secret_holds_at_least_128_of_its_random_bits() -> None:
    for bit in range(8, 192):
        flipped = bytearray(24)
        flipped[bit // 8] ^= 1 << bit % 8
        assert new_secret(bytes(flipped))[1:] != new_secret(bytes(24))[1:], bit


@given(st.binary(max_size=40).filter(lambda random: len(random) != 24))
def test_a_secret_is_made_of_24_bytes_only(random: bytes) -> None:
    with pytest.raises(ValueError, match="24"):
        new_secret(random)


def test_there_are_recorded_hashes() -> None:
    assert len(recorded_hashes()) >= 8


@pytest.mark.parametrize(("address", "hostname", "secret", "sent"), recorded_hashes())
def test_the_hashes_of_real_clients_match(address: str, hostname: str, secret: str, sent: str) -> None:
    assert LegacyHash(sent, ip_address(address), hostname).matches(secret)
    assert LegacyHash(sent.upper(), ip_address(address), hostname).matches(secret)
    assert not LegacyHash(sent, ip_address(address), hostname).matches(secret + "x")
    assert not LegacyHash(sent, ip_address("192.0.2.1"), hostname).matches(secret)
    assert not LegacyHash(sent, ip_address(address), "x" + hostname).matches(secret)


@given(st.text(st.characters(codec="utf-8")), st.integers(0, 10**15 - 1), st.binary(max_size=60))
def test_a_signature_comes_back_and_only_its_secret_matches(secret: str, at: int, body: bytes) -> None:
    proof = parse_signature(render_signature(secret, at, body), body)
    assert (proof.signed_at, proof.body) == (at, body)
    assert proof.matches(secret)
    assert not proof.matches(secret + "x")


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(1, 10**14), st.integers(1, 10**14))
def test_a_signature_covers_the_exact_body_and_time(body: bytes, other: bytes, at: int, other_at: int) -> None:
    header = render_signature("secret", at, body)
    assert parse_signature(header, other).matches("secret") == (body == other)
    moved = header.replace(f"t={at}", f"t={other_at}")
    assert parse_signature(moved, body).matches("secret") == (at == other_at)


def test_a_signature_is_what_openssl_makes() -> None:
    """`printf '%s.%s' "$t" "$body" | openssl dgst -sha256 -hmac "$secret"`."""
    body = b'{"hostname": "cam.home.example."}'
    reference = "98e007812efce7923355a3870505937fc21334561bd9b899bb7c9ed3d79ceb25"
    for header in (f"t=1795240000123,v1={reference}", f"t=1795240000123, v1={reference.upper()}"):
        assert parse_signature(header, body).matches("SHARED_SECRET_1")


@pytest.mark.parametrize(
    "header",
    ["", "t=1", "v1=" + "0" * 64, "t=1,v1=" + "0" * 63, "t=1,v1=" + "0" * 65, "t=-1,v1=" + "0" * 64,
     "t=1.5,v1=" + "0" * 64, "t=1,v1=" + "0" * 64 + "\n", "t=1,v1=" + "0" * 64 + ",v1=" + "0" * 64,
     "t=" + "9" * 16 + ",v1=" + "0" * 64, "t=\u0661,v1=" + "0" * 64, "t=1,v0=" + "0" * 64],
)  # fmt: skip
def test_what_is_no_signature_is_refused(header: str) -> None:
    with pytest.raises(InvalidInput):
        parse_signature(header, b"")


@given(ANY_TEXT)
def test_no_signature_header_raises_anything_else(header: str) -> None:
    with pytest.raises(InvalidInput):
        parse_signature(header, b"")


@pytest.mark.parametrize(("skew", "fits"), [(0, True), (300, True), (-300, True), (300.001, False), (-300.001, False)])
def test_the_window_is_300_seconds_either_way(skew: float, fits: bool) -> None:
    now = 1_800_000_000.0
    proof = parse_signature(render_signature("secret", round((now + skew) * 1000), b""), b"")
    assert proof.is_in_window(now) is fits


@given(ANY_TEXT, ANY_TEXT)
def test_a_password_is_compared_whole_and_surrogates_never_raise(secret: str, given_text: str) -> None:
    assert Password("user", given_text).matches(secret) == (secret == given_text)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_proofs_of_any_text_never_raise(digest: str, text: str, secret: str, zone_id: str) -> None:
    assert not LegacyHash(digest, ip_address("192.0.2.1"), text).matches(secret)
    assert not Token(digest, text, zone_id).matches(secret)
    right = hashlib.sha256((text + zone_id + secret).encode("utf-8", "surrogatepass")).hexdigest()
    assert Token(right.upper(), text, zone_id).matches(secret)


@given(ANY_TEXT)
def test_a_generated_password_is_verified_by_its_hash_alone(given_text: str) -> None:
    stored = credentials.hash_generated("GeneratedPassword")
    assert not credentials.is_slow(stored)
    assert "GeneratedPassword" not in stored
    assert credentials.verify_password(stored, "GeneratedPassword")
    assert not credentials.verify_password(stored, given_text)


def test_a_chosen_password_is_verified_with_scrypt() -> None:
    assert credentials.is_slow(SCRYPT)
    assert credentials.verify_password(SCRYPT, "correct horse")
    for wrong in ("correct horsf", "", "correct horse ", "\udcff"):
        assert not credentials.verify_password(SCRYPT, wrong)
    assert credentials.hash_chosen("correct horse", b"1" * 16) != SCRYPT


@pytest.mark.parametrize(
    "stored",
    ["", "x", "sha256", "sha256$", "md5$" + "0" * 32, "scrypt$", "scrypt$1$2$3", "scrypt$a$8$1$00$00",
     "scrypt$3$8$1$00$00", "scrypt$1073741824$8$1$00$00", "scrypt$16384$8$1$xy$00", "scrypt$16384$8$1$00$\ud800",
     "scrypt$99999999999999999999999$8$1$00$00", "scrypt$-1$8$1$00$00", "scrypt$16384$8$-1$00$00", "plain text"],
)  # fmt: skip
def test_a_stored_password_that_cannot_be_read_matches_nothing(stored: str) -> None:
    for given_text in ("", "x", stored, "plain text"):
        assert not credentials.verify_password(stored, given_text)


@given(ANY_TEXT.filter(lambda text: not text.startswith("scrypt$")), ANY_TEXT)
def test_no_stored_text_raises(stored: str, given_text: str) -> None:
    assert not credentials.verify_password(stored, given_text)


def test_no_proof_shows_its_secret_when_it_is_printed() -> None:
    for proof in (Password("me", "canary"), Token("canary", "cam", "Z1"),
                  LegacyHash("canary", ip_address("192.0.2.1"), "cam"),
                  credentials.SignedRequest(1, "canary", b"canary")):  # fmt: skip
        assert "canary" not in repr(proof)
