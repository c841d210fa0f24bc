"""Who is asking, and which hosts may they update: proofs against the rows that were loaded for them.

Failing looks the same from outside whatever the reason: an unknown name, a wrong secret, a host that has moved on to
signed requests. A dummy comparison stands in where there is nothing to compare with.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from homing.core import credentials
from homing.core.accounts import Account, TokenKey
from homing.core.addresses import limit_key
from homing.core.credentials import Password, SignedRequest, Token
from homing.core.hosts import Host
from homing.core.limits import Buckets, Rate
from homing.core.names import get_zone_of
from homing.core.rows import Row, RowKey, account_key, host_key, token_key_key
from homing.core.values import frozen

if TYPE_CHECKING:
    from homing.app.ports import Clock, Entropy
    from homing.core.addresses import Address
    from homing.core.names import Name
    from homing.core.update import UpdateRequest

Rows = Mapping[RowKey, Row]

_DUMMY_SECRET = "the secret of an unknown host"  # noqa: S105 - stands in where there is nothing to compare with
_DUMMY_PASSWORD = f"scrypt${credentials.SCRYPT_N}${credentials.SCRYPT_R}${credentials.SCRYPT_P}${'00' * 16}${'00' * 32}"
_FAILURES = Rate(burst=5, per_second=1 / 12)
_REMEMBERED = 1_000
_WAITING = 4
"""So many may wait for a slow verification; more would hold up the threads that commit."""


log = logging.getLogger("homing.authentication")


class WouldBlock(Exception):
    """Verifying takes a tenth of a second: ask again from a thread that may take it."""


class TooManyFailures(Exception):
    """So many wrong passwords came from there that the next is not even looked at."""


@frozen
class Authority:
    """Somebody who has proved something: who, which rows that rested on, and which hosts they may update."""

    who: str
    rests_on: tuple[RowKey, ...]
    may_update: Callable[[Host], bool]
    owners: tuple[Host, ...] = ()
    """The hosts whose own secret was shown."""
    only_host: Name | None = None
    """The host that an account means when it names none."""


class Authenticator:
    """Checks proofs. Holds the few secrets and counters that are not in a store."""

    def __init__(
        self,
        clock: Clock,
        entropy: Entropy,
        zone_ids: Mapping[str, Name],
        configured_token_key: str | None,
        has_slow_passwords: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make one; `has_slow_passwords` tells whether any account's password takes long to verify."""
        self._has_slow_passwords = has_slow_passwords
        self._clock = clock
        self._zone_ids = zone_ids
        self._token_key = configured_token_key
        self._passwords = SlowPasswords(clock, entropy)

    def keys(self, request: UpdateRequest) -> list[RowKey]:
        """Return the keys of the rows that `authenticate` needs."""
        keys: list[RowKey] = []
        if isinstance(request.proof, Password) and request.proof.username:
            keys.append(account_key(request.proof.username))
        if isinstance(request.proof, Token) and self._token_key is None:
            keys.append(token_key_key())
        if request.identity is not None:
            keys += family_keys(request.identity)
        return keys

    def authenticate(self, request: UpdateRequest, rows: Rows, *, may_block: bool) -> Authority | None:
        """Return who is asking, or None.

        Raises WouldBlock if that takes long and `may_block` is False, TooManyFailures where guessing is held down.
        """
        match request.proof:
            case Password(username) as proof:
                account = rows.get(account_key(username)) if username else None
                if isinstance(account, Account):
                    # An account may be named as a host is; the host's own secret works on beside it.
                    authority = self._by_secret(request, rows) if request.identity else None
                    return authority or self._by_account(account, proof, request.source, may_block=may_block)
                if username and request.identity is None:
                    self._take_long(proof, request.source, may_block=may_block)
            case Token() as proof:
                return self._by_token(proof, request, rows)
        return self._by_secret(request, rows)

    def _by_account(self, account: Account, proof: Password, source: Address, *, may_block: bool) -> Authority | None:
        if not self._passwords.verify(account.password, proof.password, source, may_block=may_block):
            if not credentials.is_slow(account.password):
                self._take_long(proof, source, may_block=may_block)
            return None
        hostnames = frozenset(account.hostnames)
        key = account_key(account.username)
        only_host = account.hostnames[0] if len(hostnames) == 1 else None
        return Authority(
            f"account {account.username}", (key,), lambda host: host.hostname in hostnames, only_host=only_host
        )

    def _take_long(self, proof: Password, source: Address, *, may_block: bool) -> None:
        """A user that does not exist takes as long, and is limited as soon, as one whose password was imported."""
        if self._has_slow_passwords():
            self._passwords.verify(_DUMMY_PASSWORD, proof.password, source, may_block=may_block)

    def _by_secret(self, request: UpdateRequest, rows: Rows) -> Authority | None:
        """A host's shared secret also opens the hosts that have the same one: that is what makes a group."""
        now = int(self._clock.now())
        is_replayable = not isinstance(request.proof, SignedRequest | Password)
        hosts = hosts_of(request.identity, rows)
        if is_replayable and is_pinned(hosts):
            log.info("%s takes signed requests only; `homing host set` has --no-require-signed", request.identity)
            hosts = []
        secrets = list(dict.fromkeys(secret for host in hosts for secret in host.secrets(now)))
        known = [secret for secret in secrets or [_DUMMY_SECRET] if request.proof.matches(secret)]
        if not secrets or not known:
            return None

        def may_update(host: Host) -> bool:
            if is_replayable and host.signed_only:
                return False
            return any(credentials.is_same_secret(secret, known[0]) for secret in host.secrets(now))

        owners = [host for host in hosts if may_update(host)]
        return Authority(f"host {request.identity}", family_keys(request.identity), may_update, tuple(owners))

    def _by_token(self, proof: Token, request: UpdateRequest, rows: Rows) -> Authority | None:
        key = self._token_key
        rests_on: tuple[RowKey, ...] = ()
        row = rows.get(token_key_key())
        if key is None and isinstance(row, TokenKey):
            key, rests_on = row.secret, (token_key_key(),)
        is_right = proof.matches(key if key is not None else _DUMMY_SECRET)
        zone = self._zone_ids.get(proof.zone_id)
        if key is None or not is_right or zone is None or request.identity is None:
            return None
        if get_zone_of(request.identity, frozenset(self._zone_ids.values())) != zone:
            return None
        if is_pinned(hosts_of(request.identity, rows)):
            return None
        rests_on += family_keys(request.identity)
        return Authority(f"token {request.identity}", rests_on, lambda host: host.hostname == request.identity)


def hosts_of(hostname: Name | None, rows: Rows) -> list[Host]:
    """Return the hosts of a name among the rows, marks of removed ones included."""
    if hostname is None:
        return []
    found = [rows.get(key) for key in family_keys(hostname)]
    return [row for row in found if isinstance(row, Host)]


def is_pinned(hosts: Iterable[Host]) -> bool:
    """Tell whether a name has moved on to signed requests: one of its families is enough."""
    return any(host.signed_only and not host.is_removed for host in hosts)


def family_keys(hostname: Name | None) -> tuple[RowKey, ...]:
    """Return the keys of both families of a name."""
    return () if hostname is None else (host_key(hostname, "A"), host_key(hostname, "AAAA"))


class SlowPasswords:
    """Verifies passwords so that guessing never burns our CPU, and nobody who knows theirs ever waits for it twice.

    A verified password is remembered in memory under a key of this process. Failures are counted by the prefix they
    come from before scrypt runs, and only one scrypt runs at a time.
    """

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._key = entropy.bytes(32)
        self._failures = Buckets(_FAILURES)
        self._remembered: dict[bytes, None] = {}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_WAITING)

    def verify(self, stored: str, password: str, source: Address, *, may_block: bool) -> bool:
        """Tell whether the password is right. Raises WouldBlock or TooManyFailures."""
        if not credentials.is_slow(stored):
            return credentials.verify_password(stored, password)
        tag = hmac.new(self._key, f"{stored}\0{password}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        if tag in self._remembered:
            return True
        if not may_block:
            raise WouldBlock
        if not self._failures.has(limit_key(source), self._clock.now()) or not self._places.acquire(blocking=False):
            raise TooManyFailures
        try:
            with self._lock:
                return self._verify_slowly(stored, password, limit_key(source), tag)
        finally:
            self._places.release()

    def _verify_slowly(self, stored: str, password: str, prefix: str, tag: bytes) -> bool:
        if not self._failures.has(prefix, self._clock.now()):
            raise TooManyFailures
        if not credentials.verify_password(stored, password):
            self._failures.take(prefix, self._clock.now())
            return False
        if len(self._remembered) >= _REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[tag] = None
        return True
