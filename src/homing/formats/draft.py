"""What a reader has taken so far: rows, and what is to be said about them.

The one mutable value of an import; it lives for one call of `imported.read`. No format is known here.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homing.core.accounts import Account, TokenKey, parse_username
from homing.core.credentials import WEAK_LENGTH, hash_chosen, is_same_secret
from homing.core.errors import InvalidInput
from homing.core.hosts import Host, RecordType
from homing.core.records import RRsetKey
from homing.core.rows import Row, RowKey, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homing.core.names import Name


@dataclass(frozen=True, slots=True)
class _ChosenAccount:
    """An account before its password is hashed, which is costly and waits until all else is well."""

    username: str
    password: str = field(repr=False)
    hostnames: tuple[Name, ...]


class Draft:
    """Rows by key, warnings and problems, in the order of the file."""

    def __init__(self, default_zone: Name | None, secret: Callable[[], str]) -> None:
        self.default_zone = default_zone
        self.warnings: list[str] = []
        self.problems: list[str] = []
        self._secret = secret
        self._rows: dict[RowKey, Row] = {}
        self._accounts: dict[str, _ChosenAccount] = {}
        self._generated: dict[Name, tuple[str, int | None]] = {}

    def warn(self, where: str, text: str) -> None:
        """Say what is taken with reservations."""
        self.warnings.append(f"{where}: {text}")

    def add_problem(self, where: str, text: str) -> None:
        """Say what cannot be taken."""
        self.problems.append(f"{where}: {text}")

    @contextmanager
    def taking(self, where: str) -> Iterator[None]:
        """Make an InvalidInput inside the block a problem of this place, so that the next place is read too."""
        try:
            yield
        except InvalidInput as error:
            self.add_problem(where, str(error))

    def repeat(self, where: str, what: str, *, identical: bool) -> None:
        """Say that something is there twice: a problem, unless both are the same."""
        if identical:
            self.warn(where, f"{what} is there twice, with the same content")
        else:
            self.add_problem(where, f"{what} is there twice, with different content")

    def add(self, where: str, row: Row) -> None:
        """Take a row."""
        key = key_of(row)
        if key in self._rows:
            self.repeat(where, _described(row), identical=self._rows[key] == row)
            return
        self._rows[key] = row
        secret = row.secret if isinstance(row, TokenKey) else row.shared_secret if isinstance(row, Host) else ""
        if secret:
            self.warn_if_weak(where, "secret", secret)

    def add_account(self, where: str, username: str, password: str, hostnames: tuple[Name, ...]) -> None:
        """Take an account whose password a person chose. Raises InvalidInput."""
        if not password:
            raise InvalidInput("the password is empty")
        account = _ChosenAccount(parse_username(username), password, hostnames)
        if username in self._accounts:
            self.repeat(where, "the account", identical=self._accounts[username] == account)
            return
        self._accounts[username] = account
        self.warn_if_weak(where, "password", password)

    def add_generated(self, where: str, hostname: Name, types: tuple[RecordType, ...], ttl: int | None) -> None:
        """Take the hosts of a name that had no secret of its own, only accounts. Several accounts may share it."""
        if hostname not in self._generated:
            self._generated[hostname] = (self._secret(), ttl)
        secret, known_ttl = self._generated[hostname]
        if known_ttl != ttl:
            self.repeat(where, hostname, identical=False)
        for record_type in types:
            host = Host(hostname=hostname, record_type=record_type, shared_secret=secret, ttl=ttl)
            self._rows.setdefault(key_of(host), host)

    def warn_if_weak(self, where: str, kind: str, secret: str) -> None:
        """Warn of a secret that could be guessed."""
        if len(secret) < WEAK_LENGTH:
            self.warn(where, f"the {kind} has fewer than {WEAK_LENGTH} characters; taken as it is, better change it")

    def rows(self, salt: Callable[[], bytes]) -> tuple[Row, ...]:
        """Return all rows, with passwords hashed."""
        self._compare_families()
        accounts = [
            Account(username=one.username, password=hash_chosen(one.password, salt()), hostnames=one.hostnames)
            for one in self._accounts.values()
        ]
        return (*self._rows.values(), *accounts)

    def _compare_families(self) -> None:
        hosts = {row.key: row for row in self._rows.values() if isinstance(row, Host) and not row.is_removed}
        for row in hosts.values():
            other = hosts.get(RRsetKey(row.hostname, "AAAA")) if row.record_type == "A" else None
            if other is not None and not is_same_secret(other.shared_secret, row.shared_secret):
                self.warn(row.hostname, "A and AAAA have different secrets, so one request cannot set both")


def _described(row: Row) -> str:
    match row:
        case Host():
            return f"{row.hostname} {row.record_type}"
        case Account():
            return f"the account {row.username!r}"
        case TokenKey():
            return "the token key"
