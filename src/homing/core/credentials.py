"""Secrets: how each kind is made, and how a client shows that it knows one.

| kind | known to | shown as |
|---|---|---|
| shared secret | the host, and its group | `LegacyHash` (awslabs), `SignedRequest`, or the password of HTTP Basic |
| account password | a person or a router | `Password` |
| ddupdate token | one name | `Token`: derived from the server's token key |

Every comparison takes the same time whatever is compared. Random bytes are arguments.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import string
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.core.values import field, frozen

if TYPE_CHECKING:
    from homing.core.addresses import Address

SECRET_RANDOM_BYTES = 24
SIGNATURE_WINDOW = 300
"""Seconds by which a signed request's time may differ from the server's (as TSIG's fudge, RFC 8945 section 10)."""
WEAK_LENGTH = 16
"""An imported secret shorter than this is taken with a warning."""

SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**15, 8, 3
_SCRYPT_MAXMEM = 64 * 1024 * 1024
"""OpenSSL's default limit is below what these parameters need."""


def new_secret(random: bytes) -> str:
    """Make a secret of 32 characters out of 24 random bytes: `[A-Za-z][A-Za-z0-9_-]*`, more than 180 bits.

    The awslabs v2 client runs it through printf and the v3 client refuses a leading '-': hence the alphabet.
    """
    if len(random) != SECRET_RANDOM_BYTES:
        raise ValueError(f"a secret takes {SECRET_RANDOM_BYTES} random bytes")
    first = string.ascii_letters[random[0] % len(string.ascii_letters)]
    return first + base64.urlsafe_b64encode(random).decode()[1:]


# --- how a client shows what it knows


@frozen
class LegacyHash:
    """awslabs: `sha256(source address + hostname + secret)`, replayable from the same address for ever."""

    digest: str = field(repr=False)
    source: Address
    hostname_text: str
    """As received: the client hashed what it typed, not the canonical name."""

    def matches(self, secret: str) -> bool:
        """Tell whether the client knew `secret`."""
        return is_same_secret(legacy_hash(str(self.source), self.hostname_text, secret), self.digest.lower())


@frozen
class SignedRequest:
    """`Homing-Signature: t=<milliseconds>,v1=<hex HMAC-SHA256(secret, t "." body)>`, over the body's exact bytes."""

    signed_at: int
    """Milliseconds since 1970, by the client's clock."""
    digest: str = field(repr=False)
    body: bytes = field(repr=False)

    def matches(self, secret: str) -> bool:
        """Tell whether the client knew `secret`."""
        return is_same_secret(sign(secret, self.signed_at, self.body), self.digest)

    def is_in_window(self, now: float) -> bool:
        """Tell whether the client's clock agrees with `now` (seconds since 1970) within SIGNATURE_WINDOW."""
        return abs(self.signed_at / 1000 - now) <= SIGNATURE_WINDOW


@frozen
class Password:
    """HTTP Basic: an account's password, or a hostname and its shared secret. The user name is empty for a bearer."""

    username: str
    password: str = field(repr=False)

    def matches(self, secret: str) -> bool:
        """Tell whether it is the shared secret of a host."""
        return is_same_secret(secret, self.password)


@frozen
class Token:
    """ddupdate: `sha256(fqdn + zone id + token key)`, with neither an address nor an end in it."""

    digest: str = field(repr=False)
    fqdn_text: str
    zone_id: str

    def matches(self, token_key: str) -> bool:
        """Tell whether it was made with the server's token key."""
        return is_same_secret(ddupdate_token(self.fqdn_text, self.zone_id, token_key), self.digest.lower())


Proof = LegacyHash | SignedRequest | Password | Token


def legacy_hash(address_text: str, hostname_text: str, secret: str) -> str:
    """Return the awslabs hash, lower-case hex; the three texts without anything between them."""
    return hashlib.sha256(_bytes(address_text + hostname_text + secret)).hexdigest()


def sign(secret: str, signed_at: int, body: bytes) -> str:
    """Return the `v1` part of a Homing-Signature; `signed_at` is in milliseconds since 1970."""
    return hmac.new(_bytes(secret), b"%d." % signed_at + body, hashlib.sha256).hexdigest()


_SIGNATURE = re.compile(r"t=([0-9]{1,15}),v1=([0-9a-fA-F]{64})")


def parse_signature(header: str, body: bytes) -> SignedRequest:
    """Parse the value of a Homing-Signature header. Raises InvalidInput."""
    found = _SIGNATURE.fullmatch(header.replace(" ", ""))
    if not found:
        raise InvalidInput("Homing-Signature is not of the form t=<milliseconds>,v1=<64 hex digits>")
    return SignedRequest(int(found[1]), found[2].lower(), body)


def render_signature(secret: str, signed_at: int, body: bytes) -> str:
    """Return the value of a Homing-Signature header: the client's half of `parse_signature`."""
    return f"t={signed_at},v1={sign(secret, signed_at, body)}"


def ddupdate_token(fqdn_text: str, zone_id: str, token_key: str) -> str:
    """Return the ddupdate token of a name, lower-case hex; fqdn as the client sends it."""
    return hashlib.sha256(_bytes(fqdn_text + zone_id + token_key)).hexdigest()


# --- passwords of accounts, which are kept as hashes only


def hash_generated(password: str) -> str:
    """Hash a password that `new_secret` made: nobody guesses 128 bits, so a fast hash is enough."""
    return "sha256$" + hashlib.sha256(password.encode()).hexdigest()


def hash_chosen(password: str, salt: bytes) -> str:
    """Hash a password that a person chose, with scrypt (RFC 7914) and 16 random bytes of salt."""
    return f"scrypt${SCRYPT_N}${SCRYPT_R}${SCRYPT_P}${salt.hex()}${_scrypt(password, salt).hex()}"


def is_slow(stored: str) -> bool:
    """Tell whether verifying takes a tenth of a second, so that failures have to be limited first."""
    return stored.startswith("scrypt$")


def verify_password(stored: str, password: str) -> bool:
    """Tell whether `password` is the one that `stored` was made of. What cannot be read matches nothing."""
    scheme, _, rest = stored.partition("$")
    if scheme == "sha256":
        return is_same_secret(rest, hashlib.sha256(_bytes(password)).hexdigest())
    if scheme == "scrypt":
        try:
            n, r, p, salt, digest = rest.split("$")
            return is_same_secret(digest, _scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p)).hex())
        except (ValueError, TypeError, OverflowError):
            return False
    return False


def _scrypt(password: str, salt: bytes, n: int = SCRYPT_N, r: int = SCRYPT_R, p: int = SCRYPT_P) -> bytes:
    return hashlib.scrypt(_bytes(password), salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_MAXMEM, dklen=32)


def is_same_secret(expected: str, given: str) -> bool:
    """Compare two secrets or digests in a time that does not tell where they differ."""
    return hmac.compare_digest(_bytes(expected), _bytes(given))


def _bytes(text: str) -> bytes:
    """Whatever a client or an old table holds has bytes, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")
