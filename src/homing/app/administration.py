"""What an operator does: make, change, lock, rotate and remove hosts, and keep accounts and tokens.

Everything goes through the same versioned commits as updates do, so that it is safe beside a running server. Errors
are `Refused` and `InvalidInput`, with a text that says what to do.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from homing.core.accounts import Account, TokenKey, parse_username
from homing.core.credentials import SECRET_RANDOM_BYTES, ddupdate_token, hash_generated, new_secret
from homing.core.errors import Conflict, Refused
from homing.core.hosts import MARK_SECONDS, RECORD_TYPES, Host, RecordType, in_place_of, mark_of
from homing.core.names import get_zone_of, is_reserved
from homing.core.records import RRset, RRsetKey
from homing.core.rows import ABSENT, Commit, Row, RowKey, account_key, host_key, key_of, token_key_key
from homing.core.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from homing.app.ports import Clock, Entropy, Store
    from homing.app.publishing import Outbox
    from homing.core.names import Name
    from homing.core.update import Policy

_ATTEMPTS = 8
_LOADED_AT_ONCE = 90


class Administration:
    """An operator's use cases over one store. `why_not` tells why a zone cannot hold a host, or None."""

    def __init__(
        self,
        *,
        store: Store,
        outbox: Outbox | None,
        clock: Clock,
        entropy: Entropy,
        zones: Collection[Name],
        policy: Policy,
        why_not: Callable[[RRsetKey], str | None],
    ) -> None:
        """Make one; without an outbox DNS follows the store by itself."""
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._entropy = entropy
        self._zones = zones
        self._policy = policy
        self._why_not = why_not

    # --- hosts

    def add_host(
        self, hostname: Name, record_types: Sequence[RecordType] = RECORD_TYPES, group: str | None = None, **policy: Any
    ) -> list[Host]:
        """Register a name; its families, and all hosts of its group, share one secret. Raises Refused."""
        self._check_name(hostname, record_types)
        member = next((host.key for host in self.hosts() if host.group == group), None) if group else None
        keys = _families(hostname)
        settings = {"read_privilege": group is not None} | {k: v for k, v in policy.items() if v is not None}
        random_secret = self._new_secret()

        def add(rows: Mapping[RowKey, Row]) -> list[Row]:
            families = [row for key in keys if isinstance(row := rows.get(key), Host) and not row.is_removed]
            for host in families:
                if host.record_type in record_types:
                    raise Refused(f"{hostname} {host.record_type} is a host already; `homing host set` changes it")
                if host.group != group:
                    raise Refused(f"{hostname} {host.record_type} is in another group; its families share one secret")
            sharing = [row for key in [member, *keys] if isinstance(row := rows.get(key or ("", "")), Host)]
            secret = next((host.shared_secret for host in sharing if not host.is_removed), random_secret)
            fresh = [
                Host(hostname=hostname, record_type=one, shared_secret=secret, group=group, **settings)
                for one in record_types
            ]
            return [in_place_of(rows.get(host.key), host, shares=secret is not random_secret) for host in fresh]

        return _only_hosts(self._change(keys if member is None else [*keys, member], add))

    def set_host(self, hostname: Name, record_types: Sequence[RecordType] = RECORD_TYPES, **changes: Any) -> list[Host]:
        """Change the policy of a name's families. A new TTL shows in DNS at once. Raises Refused."""

        def change(rows: Mapping[RowKey, Row]) -> list[Row]:
            hosts = [host.next(**changes) for host in _live(rows, hostname)]
            return [self._with_ttl(host) for host in hosts] if "ttl" in changes else list(hosts)

        return _only_hosts(self._change([host_key(hostname, one) for one in record_types], change))

    def rotate(self, hostname: Name, overlap: int) -> list[Host]:
        """Give a host, and everything in its group, a new secret; the old one works on for `overlap` seconds."""
        live = _live(self._load(_families(hostname)), hostname)
        members = [host for secret in {host.shared_secret for host in live} for host in self._store.find_group(secret)]
        keys = list(dict.fromkeys(host.key for host in members or live))
        secret = self._new_secret()
        until = int(self._clock.now()) + overlap

        def change(rows: Mapping[RowKey, Row]) -> list[Row]:
            hosts = [row for key in keys if isinstance(row := rows.get(key), Host) and not row.is_removed]
            return [
                host.next(
                    shared_secret=secret,
                    previous_secret=host.shared_secret if overlap else None,
                    previous_secret_until=until if overlap else 0,
                    # Nothing that was signed with the old secret can be sent again, if that ends at once.
                    signed_at=host.signed_at if overlap else 0,
                )
                for host in hosts
            ]

        return _only_hosts(self._change(list(keys), change))

    def remove_host(self, hostname: Name, record_types: Sequence[RecordType] = RECORD_TYPES) -> list[Host]:
        """Take a name out of DNS. Its mark stays for 30 days, so that no old token can take it. Raises Refused.

        Accounts lose the name with its last family, so that whoever gets it next does not share it with them.
        """
        now = self._clock.now()
        named_by = [account_key(account.username) for account in self.accounts() if hostname in account.hostnames]

        def remove(rows: Mapping[RowKey, Row]) -> list[Row]:
            live = _live({key: row for key, row in rows.items() if isinstance(row, Host)}, hostname)
            going: list[Row] = [mark_of(host, now) for host in live if host.record_type in record_types]
            if not going:
                raise Refused(f"{hostname} has no such family")
            if len(going) < len(live):
                return going
            accounts = [row for row in rows.values() if isinstance(row, Account)]
            return going + [
                account.next(hostnames=tuple(name for name in account.hostnames if name != hostname))
                for account in accounts
            ]

        keys = _families(hostname)
        return _only_hosts(self._change([*keys, *named_by], remove))

    def hosts(self) -> Iterator[Host]:
        """Yield every host, in order of names."""
        hosts = [row for row in self._store.scan() if isinstance(row, Host) and not row.is_removed]
        return iter(sorted(hosts, key=key_of))

    def find_host(self, hostname: Name) -> list[Host]:
        """Return the families of a name. Raises Refused if there is none."""
        return _live(self._load(_families(hostname)), hostname)

    def purge_marks(self) -> int:
        """Delete the marks of hosts that were removed long ago; return how many."""
        before = int(self._clock.now()) - MARK_SECONDS
        old = [
            row
            for row in self._store.scan()
            if isinstance(row, Host) and row.removed_at is not None and row.removed_at < before and not row.published
        ]
        for host in old:
            with suppress(Conflict):  # it has just been made anew
                self._store.commit(Commit((), {host.key: host.version}, deletes=(host.key,)))
        return len(old)

    # --- accounts and tokens

    def add_account(self, username: str, hostnames: Sequence[Name], comment: str = "") -> tuple[Account, str]:
        """Make a dyndns2 account for hosts that exist; return it and its password, which is kept nowhere."""
        for hostname in hostnames:
            self.find_host(hostname)
        password = self._new_secret()

        def add(rows: Mapping[RowKey, Row]) -> list[Row]:
            if rows:
                raise Refused(f"there is an account {username} already; `homing account remove` it first")
            account = Account(username=parse_username(username), password=hash_generated(password), comment=comment)
            return [account.next(hostnames=tuple(hostnames))]

        (account,) = self._change([account_key(username)], add)
        assert isinstance(account, Account)
        return account, password

    def set_account(self, username: str, hostnames: Sequence[Name]) -> Account:
        """Give an account other hosts; its password stays. Raises Refused."""
        for hostname in hostnames:
            self.find_host(hostname)

        def change(rows: Mapping[RowKey, Row]) -> list[Row]:
            account = rows.get(account_key(username))
            if not isinstance(account, Account):
                raise Refused(_no_account(username))
            return [account.next(hostnames=tuple(hostnames))]

        (account,) = self._change([account_key(username)], change)
        assert isinstance(account, Account)
        return account

    def remove_account(self, username: str) -> Account:
        """Remove an account; its hosts stay. Raises Refused."""
        key = account_key(username)
        account = self._store.load([key]).get(key)
        if not isinstance(account, Account):
            raise Refused(_no_account(username))
        self._store.commit(Commit((), {key: account.version}, deletes=(key,)))
        return account

    def accounts(self) -> Iterator[Account]:
        """Yield every account, in order of user names."""
        accounts = [row for row in self._store.scan() if isinstance(row, Account)]
        return iter(sorted(accounts, key=key_of))

    def token(self, fqdn: Name, zone_ids: Mapping[str, Name], configured_key: str | None) -> tuple[str, str]:
        """Return the zone id and the token with which a ddupdate client may update `fqdn`. Raises Refused."""
        zone = get_zone_of(fqdn, self._zones)
        zone_id = next((zone_id for zone_id, name in zone_ids.items() if name == zone), None)
        if zone is None or zone_id is None:
            raise Refused(f"{fqdn} is in no zone that is served: {', '.join(sorted(self._zones))}")
        objections = [self._why_not(RRsetKey(fqdn, record_type)) for record_type in RECORD_TYPES]
        if all(objections):
            raise Refused(str(objections[0]))
        if is_reserved(fqdn, zone) and not self._load(_families(fqdn)):
            raise Refused(f"{fqdn} is a reserved name, which no token can make: `homing host add` it first")
        text = fqdn.rstrip(".")
        return zone_id, ddupdate_token(text, zone_id, configured_key or self._token_key())

    # --- what all of it rests on

    def _change(self, keys: Sequence[RowKey], decide: Callable[[Mapping[RowKey, Row]], list[Row]]) -> list[Row]:
        """Load, decide and commit under the versions that were loaded, again while rows move; then publish."""
        for _ in range(_ATTEMPTS):
            rows = self._load(keys)
            after = [self._as_committed(row) for row in decide(rows)]
            if len(after) > self._store.max_rows:
                raise Refused(f"that would change {len(after)} rows at once; {self._store.max_rows} are possible")
            expects = {key: rows[key].version if key in rows else ABSENT for key in keys}
            try:
                self._store.commit(Commit(tuple(after), expects))
            except Conflict:
                continue
            if self._outbox is not None:
                self._outbox.publish(_only_hosts(after))
            return after
        raise Refused("its rows are being changed all the time; try again")

    def _load(self, keys: Sequence[RowKey]) -> dict[RowKey, Row]:
        rows: dict[RowKey, Row] = {}
        for start in range(0, len(keys), _LOADED_AT_ONCE):
            rows |= self._store.load(keys[start : start + _LOADED_AT_ONCE])
        return rows

    def _as_committed(self, row: Row) -> Row:
        follows = self._outbox is None or self._outbox.follows_store
        return replace(row, published=row.desired) if isinstance(row, Host) and follows else row

    def _check_name(self, hostname: Name, record_types: Iterable[RecordType]) -> None:
        if get_zone_of(hostname, self._zones) is None:
            raise Refused(f"{hostname} is in no zone that is served: {', '.join(sorted(self._zones))}")
        for record_type in record_types:
            if objection := self._why_not(RRsetKey(hostname, record_type)):
                raise Refused(objection)

    def _with_ttl(self, host: Host) -> Host:
        if host.desired is None:
            return host
        ttl = self._policy.default_ttl if host.ttl is None else host.ttl
        return replace(host, desired=RRset(ttl, host.desired.rdata))

    def _token_key(self) -> str:
        def make(rows: Mapping[RowKey, Row]) -> list[Row]:
            row = rows.get(token_key_key())
            return [] if row else [TokenKey(version=1, secret=self._new_secret())]

        self._change([token_key_key()], make)
        row = self._store.load([token_key_key()])[token_key_key()]
        assert isinstance(row, TokenKey)
        return row.secret

    def _new_secret(self) -> str:
        return new_secret(self._entropy.bytes(SECRET_RANDOM_BYTES))


def _families(hostname: Name) -> list[RowKey]:
    return [host_key(hostname, record_type) for record_type in RECORD_TYPES]


def _live(rows: Mapping[RowKey, Row], hostname: Name) -> list[Host]:
    hosts = [row for row in rows.values() if isinstance(row, Host) and not row.is_removed]
    if not hosts:
        raise Refused(f"{hostname} is no host; `homing host list` shows all, `homing host add` makes one")
    return hosts


def _no_account(username: str) -> str:
    return f"there is no account {username}; `homing account list` shows all"


def _only_hosts(rows: Sequence[Row]) -> list[Host]:
    return [row for row in rows if isinstance(row, Host)]
