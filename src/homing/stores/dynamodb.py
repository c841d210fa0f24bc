"""The store on AWS: one DynamoDB table, keyed and named as that of awslabs v2, so that such a table works as it is.

One consistent read for an update that changes nothing; one write, or one transaction, for one that does. How items are
spelt is in `dynamodb_items`, what a commit sends in `dynamodb_writes`. No other call to AWS belongs here.

The rights that an update needs: GetItem, BatchGetItem, Query, UpdateItem, ConditionCheckItem on the table. Groups and
pending hosts need Query on their indexes; scans need Scan, and an operator's deletions DeleteItem.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from homing.aws.errors import AwsError, ServiceError
from homing.core.credentials import is_same_secret
from homing.core.errors import Conflict, InvalidInput
from homing.core.hosts import Host
from homing.core.rows import ABSENT, key_of
from homing.stores.dynamodb_errors import to_store_error
from homing.stores.dynamodb_held import Held, HeldItems
from homing.stores.dynamodb_items import from_item, is_possible, key_of_item
from homing.stores.dynamodb_table import MAX_KEYS, NoIndex, Table
from homing.stores.dynamodb_writes import check_commit, checked_keys, to_transaction, to_update, to_write, written_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from homing.app.ports import Entropy
    from homing.aws.dynamodb import DynamoDb
    from homing.core.rows import Commit, Row, RowKey
    from homing.stores.dynamodb_items import Item
    from homing.stores.dynamodb_writes import RowWrite

GROUP_INDEX, PENDING_INDEX = "shared_secret-index", "pending-index"
PAGE_ROWS = 500
"""So many rows a scan reads at once: a table of small provisioned capacity bears no megabyte at a time."""
SETUP_ROW: RowKey = ("#setup", "#secret")
"""What the stack's set-up keeps for itself; no row of ours."""
_NOBODY: RowKey = ("#check", "#check")
_TOKEN_BYTES = 16

log = logging.getLogger("homing.stores")


class DynamoStore:
    """Implements Store.

    It holds the items that it has read, and writes only what a commit changes in them: see `dynamodb_writes`. A row
    that is committed should come from this store's own last answer; otherwise it is read once more.
    """

    max_rows = 90

    def __init__(self, client: DynamoDb, table: str, entropy: Entropy) -> None:
        self._table = Table(client, table)
        self._name = table
        self._entropy = entropy
        self._held = HeldItems()
        self._has_told_of_index = False

    def load(self, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        """Return the rows that are there, at most 100 keys at a time: one call."""
        self._table.check_open()
        wanted = [key for key in dict.fromkeys(keys) if is_possible(key)]
        rows = [self._read(item) for item in self._table.get_items(wanted)]
        return {key_of(row): row for row in rows if row}

    def commit(self, commit: Commit) -> None:
        """Write all of it, durably, or raise Conflict or StoreUnavailable."""
        self._table.check_open()
        check_commit(commit)
        checks = checked_keys(commit)
        writes = self._to_writes(commit)
        if not (writes or commit.deletes or checks):
            return
        try:
            if len(writes) == 1 and not (commit.deletes or checks):
                self._update(writes[0])
            else:
                self._transact(commit, writes, checks)
        except AwsError as error:
            self._held.forget(*written_keys(commit))
            raise to_store_error(self._name, error) from error
        self._held.forget(*commit.deletes)
        for row, write in zip(commit.puts, writes, strict=True):
            self._held.put(write.key, Held(write.after(), row, write.wanted))

    def submit(self, commit: Commit) -> Future[None]:
        """Commit at once, and return how that ended: on AWS there is no other thread to leave it to."""
        from concurrent.futures import Future  # only an update that changes something pays for it

        self._table.check_open()
        future: Future[None] = Future()
        try:
            self.commit(commit)
        except Exception as error:  # whatever it is belongs to whoever waits
            future.set_exception(error)
        else:
            future.set_result(None)
        return future

    def find_group(self, shared_secret: str) -> Sequence[Host]:
        """Return the hosts with this current secret that are not removed, in order of their keys."""
        self._table.check_open()
        if not is_possible((shared_secret, "any")):
            return ()
        found = self._table.query(GROUP_INDEX, "shared_secret", {"S": shared_secret}, PAGE_ROWS)
        keys = [key_of_item(item) for item in found]
        rows = [self._read(item) for start in range(0, len(keys), MAX_KEYS)
                for item in self._table.get_items(keys[start : start + MAX_KEYS])]  # fmt: skip
        hosts = [row for row in rows if isinstance(row, Host) and not row.is_removed]
        return sorted((host for host in hosts if is_same_secret(host.shared_secret, shared_secret)), key=key_of)

    def find_pending(self, limit: int, is_wanted: Callable[[Host], bool] = lambda _: True) -> Sequence[Host]:
        """Return at most `limit` pending hosts that are wanted; others and unreadable rows do not crowd them out."""
        self._table.check_open()
        hosts: list[Host] = []
        for item in self._pending_items(min(limit, PAGE_ROWS)) if limit > 0 else ():
            row = self._read(item, may_lag=True)
            if isinstance(row, Host) and row.pending and is_wanted(row):
                hosts.append(row)
            if len(hosts) >= limit:
                break
        return hosts

    def scan(self) -> Iterator[Row]:
        """Yield every row, in any order, reading page by page."""
        for item in self._table.scan(PAGE_ROWS):
            if row := self._read(item):
                yield row

    def scan_damaged(self) -> Sequence[str]:
        """Return one line for each row that cannot be read."""
        lines = [_complaint(item) for item in self._table.scan(PAGE_ROWS) if key_of_item(item) != SETUP_ROW]
        return sorted(line for line in lines if line)

    def check(self) -> None:
        """Return if the table answers."""
        self._table.get_items([_NOBODY])

    def close(self) -> None:
        """Let go of what is held. The client belongs to whoever made it."""
        self._table.close()
        self._held = HeldItems()

    # --- writing

    def _to_writes(self, commit: Commit) -> list[RowWrite]:
        """Compare the rows with the items they were made from. Raises Conflict if those are not there any more."""
        expected = {key_of(row): row.version - 1 for row in commit.puts if row.version - 1 != ABSENT}
        held = self._get_held(expected)
        if unknown := [key for key in expected if key not in held]:
            for item in self._table.get_items(unknown):
                self._read(item)
            held |= self._get_held({key: expected[key] for key in unknown})
        if moved := next((key for key in unknown if key not in held), None):
            raise Conflict(f"row {' '.join(moved)} has moved")
        return [to_write(row, held.get(key_of(row))) for row in commit.puts]

    def _get_held(self, expected: Mapping[RowKey, int]) -> dict[RowKey, Held]:
        """Return what is held in just these versions."""
        found = {key: held for key in expected if (held := self._held.get(key))}
        return {key: held for key, held in found.items() if held.row.version == expected[key]}

    def _update(self, write: RowWrite) -> None:
        try:
            self._table.write("UpdateItem", to_update(self._name, write))
        except ServiceError as error:
            # The first sending may have been carried out, and the second have met what it wrote.
            if not (error.repeated and error.code == "ConditionalCheckFailedException" and write.is_done(error.item)):
                raise

    def _transact(self, commit: Commit, writes: Sequence[RowWrite], checks: Collection[RowKey]) -> None:
        token = self._entropy.bytes(_TOKEN_BYTES).hex()
        try:
            self._table.write("TransactWriteItems", to_transaction(self._name, commit, writes, checks, token))
        except ServiceError as error:
            if not (error.repeated and _is_done(error.reasons, commit, writes)):
                raise

    # --- reading

    def _read(self, item: Item, *, may_lag: bool = False) -> Row | None:
        """Read a row and hold its item; None, and a line in the log, for one that nobody could serve."""
        key = key_of_item(item)
        if key == SETUP_ROW:
            return None
        held = self._held.get(key)
        if held is not None and held.spelt is None and held.item == item:
            return held.row
        try:
            row = from_item(item)
        except InvalidInput as error:
            log.warning("table %s: left out: %s", self._name, error)
            return None
        if not may_lag or held is None or held.row.version < row.version:
            self._held.put(key, Held(item, row))
        return row

    def _pending_items(self, page: int) -> Iterator[Item]:
        """Read the sparse index; a table that awslabs' template made has none, and is read whole instead."""
        try:
            yield from self._table.query(PENDING_INDEX, "pending", {"N": "1"}, page)
            return
        except NoIndex:
            if not self._has_told_of_index:
                self._has_told_of_index = True
                log.warning("table %s has no %s: to find what is pending, all of it is read", self._name, PENDING_INDEX)
        yield from self._table.scan(PAGE_ROWS, having="pending")


def _is_done(reasons: Sequence[Mapping[str, Any]], commit: Commit, writes: Sequence[RowWrite]) -> bool:
    """Tell whether a transaction met what its own first sending had written; the reasons are in the actions' order.

    DynamoDB knows a repeated transaction by its token, for ten minutes; this is for whoever does not.
    """
    failed = [reason for reason in reasons if reason.get("Code") == "ConditionalCheckFailed"]
    end = len(writes) + len(commit.deletes)
    if len(failed) != end or failed != list(reasons[:end]):
        return False
    items = [reason.get("Item") for reason in failed]
    return all(write.is_done(item) for write, item in zip(writes, items, strict=False)) and not any(
        items[len(writes) :]
    )


def _complaint(item: Item) -> str | None:
    try:
        from_item(item)
    except InvalidInput as error:
        return str(error)
    return None
