"""The DynamoDB store when calls fail, answers get lost or capacity runs out: what it says, and what it must not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from homing.aws.errors import AwsError, NoAnswer, ServiceError
from homing.core.errors import Conflict, StoreUnavailable
from homing.core.hosts import Host
from homing.core.records import RRset
from homing.core.rows import Commit, Row
from homing.stores.dynamodb import DynamoStore
from homing.wiring.system import SystemEntropy
from tests.conformance.store_contract import make_host, put
from tests.stores.dynamodb_server import connect, drop_table, make_table, moto_server
from tests.stores.dynamodb_values import WatchedClient, raw_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["moto_server"]

ONE = RRset(60, ("192.0.2.1",))
TOKEN = "FwoGZXIvYXdzEXAMPLESESSIONTOKEN"
SIGNATURE_REFUSED = (
    "The request signature we calculated does not match the signature you provided.\n\n"
    f"The Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:{TOKEN}\n'"
)


@pytest.fixture(scope="module")
def server(moto_server: str) -> str:
    return moto_server


@pytest.fixture
def watched(server: str) -> Iterator[WatchedClient]:
    client = connect(server)
    yield WatchedClient(client)
    client.close()


@pytest.fixture
def table(watched: WatchedClient) -> Iterator[str]:
    name = make_table(watched.client)
    yield name
    drop_table(watched.client, name)


@pytest.fixture
def store(watched: WatchedClient, table: str) -> DynamoStore:
    return DynamoStore(watched, table, SystemEntropy())  # type: ignore[arg-type]  # a stand-in with the same calls


def repeat_writes(watched: WatchedClient, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Carry out each write, lose the answer, let something happen, and send it again, as the client does."""
    once = [True]

    def before(operation: str, payload: Mapping[str, Any]) -> None:
        if not operation.startswith(("Update", "Transact")) or not once.pop():
            return
        watched.client.call(operation, payload)
        watched.before = lambda *_: None
        meanwhile()
        try:
            watched.client.call(operation, payload)
        except ServiceError as error:
            error.repeated = True
            raise

    watched.before = before


def fail_writes(watched: WatchedClient, error: AwsError) -> None:
    def before(operation: str, _: Mapping[str, Any]) -> None:
        if operation.startswith(("Update", "Transact", "Delete")):
            raise error

    watched.before = before


def load(store: DynamoStore, host: Host) -> Row:
    return store.load([host.key])[host.key]


# --- answers that get lost


def test_a_write_that_met_what_it_had_written_itself_is_a_success(store: DynamoStore, watched: WatchedClient) -> None:
    repeat_writes(watched)
    put(store, make_host())
    repeat_writes(watched)
    put(store, changed := make_host().next(desired=ONE, shared_secret="new"))
    repeat_writes(watched)
    put(store, marked := changed.next(published=ONE))
    assert load(store, marked) == marked


def test_a_write_that_somebody_overtook_between_its_two_sendings_is_a_conflict(
    store: DynamoStore, watched: WatchedClient, table: str
) -> None:
    put(store, make_host())
    other = DynamoStore(watched.client, table, SystemEntropy())
    repeat_writes(watched, lambda: put(other, make_host(version=3, comment="theirs")))
    with pytest.raises(Conflict):
        put(store, make_host().next(comment="ours"))
    row = load(store, make_host())
    assert isinstance(row, Host)
    assert row.comment == "theirs"


@pytest.mark.parametrize("mine", [make_host(version=2, comment="ours"), make_host(version=2)])
def test_somebody_elses_write_of_the_same_version_is_not_taken_for_ours(
    store: DynamoStore, watched: WatchedClient, table: str, mine: Host
) -> None:
    put(store, make_host(comment="here"))
    other = DynamoStore(watched.client, table, SystemEntropy())

    def overtake(operation: str, payload: Mapping[str, Any]) -> None:
        watched.before = lambda *_: None
        put(other, make_host(version=2, comment="theirs"))
        try:
            watched.client.call(operation, payload)
        except ServiceError as error:
            error.repeated = True
            raise

    watched.before = overtake
    with pytest.raises(Conflict):
        put(store, mine)


def test_a_transaction_that_met_what_it_had_written_itself_is_a_success(
    store: DynamoStore, watched: WatchedClient
) -> None:
    put(store, make_host("gone"), make_host("read"))
    repeat_writes(watched)
    rows = (make_host("a"), make_host("b", desired=ONE))
    put(
        store,
        *rows,
        also_expects={make_host("gone").key: 1, make_host("read").key: 1},
        deletes=(make_host("gone").key,),
    )
    assert set(store.load([make_host(label).key for label in ("a", "b", "gone")])) == {row.key for row in rows}


def test_a_transaction_of_which_one_row_was_not_ours_is_a_conflict(
    store: DynamoStore, watched: WatchedClient, table: str
) -> None:
    other = DynamoStore(watched.client, table, SystemEntropy())
    repeat_writes(watched, lambda: put(other, make_host("b", version=2, comment="theirs")))
    with pytest.raises(Conflict):
        put(store, make_host("a"), make_host("b"))


def test_a_transaction_that_meets_a_twin_of_one_row_has_not_been_carried_out(
    store: DynamoStore, watched: WatchedClient, table: str
) -> None:
    rows = [make_host(label, shared_secret="ours") for label in ("a", "b")]

    def meet(operation: str, payload: Mapping[str, Any]) -> None:
        watched.before = lambda *_: None
        put(DynamoStore(watched.client, table, SystemEntropy()), rows[1])
        try:
            watched.client.call(operation, payload)
        except ServiceError as error:
            error.repeated = True
            raise

    watched.before = meet
    with pytest.raises(Conflict):
        put(store, *rows)
    assert set(store.load([row.key for row in rows])) == {rows[1].key}


def test_a_refusal_of_the_first_sending_is_a_conflict_even_if_the_row_looks_like_ours(
    store: DynamoStore, watched: WatchedClient
) -> None:
    for rows in [(make_host(),), (make_host("a"), make_host("b"))]:
        put(store, *rows)
        with pytest.raises(Conflict):
            put(store, *rows)


def test_after_no_answer_nothing_is_held_and_loading_tells(store: DynamoStore, watched: WatchedClient) -> None:
    put(store, make_host())

    def lose(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        if operation == "UpdateItem":
            raise NoAnswer("timed out", may_have_arrived=True)
        return answer

    watched.after = lose
    with pytest.raises(StoreUnavailable, match="no answer"):
        put(store, changed := make_host().next(comment="second"))
    watched.calls.clear()
    watched.after = lambda _, answer: answer
    assert load(store, changed) == changed
    put(store, changed.next(comment="third"))
    with pytest.raises(Conflict):
        put(store, changed.next(comment="again"))


# --- refusals


def refusal(code: str, message: str = "", **more: Any) -> ServiceError:
    return ServiceError(code, message, 400, **more)


@pytest.mark.parametrize(
    "error",
    [
        refusal("ConditionalCheckFailedException", "The conditional request failed"),
        refusal("TransactionConflictException", "Transaction is ongoing for the item"),
        refusal("TransactionCanceledException", reasons=[{"Code": "None"}, {"Code": "ConditionalCheckFailed"}]),
        refusal("TransactionCanceledException", reasons=[{"Code": "TransactionConflict"}, {"Code": "ThrottlingError"}]),
        refusal("TransactionCanceledException", reasons=[{"Code": "ConditionalCheckFailed"}], repeated=True),
    ],
)
def test_a_row_that_is_being_moved_is_a_conflict(
    store: DynamoStore, watched: WatchedClient, error: ServiceError
) -> None:
    fail_writes(watched, error)
    with pytest.raises(Conflict):
        put(store, make_host())
    with pytest.raises(Conflict):
        put(store, make_host("a"), make_host("b"))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (refusal("AccessDeniedException", "User: arn:x is not authorized to perform: dynamodb:UpdateItem"), "rights"),
        (refusal("ResourceNotFoundException", "Requested resource not found"), "table name"),
        (refusal("ValidationException", "The provided key element does not match the schema"), "hash key hostname"),
        (refusal("ProvisionedThroughputExceededException", "The level of throughput"), "capacity"),
        (refusal("ThrottlingException"), "capacity"),
        (refusal("InvalidSignatureException", SIGNATURE_REFUSED), "clock"),
        (refusal("IncompleteSignature", SIGNATURE_REFUSED), "does not match"),
        (refusal("ExpiredTokenException", "The security token included in the request is expired"), "run out"),
        (refusal("TransactionCanceledException", reasons=[{"Code": "ThrottlingError"}]), "ThrottlingError"),
        (refusal("HTTP 418", "x" * 9999), "HTTP 418"),
        (NoAnswer("connection refused", may_have_arrived=False), "connection refused"),
    ],
)
def test_every_other_refusal_says_what_to_look_at_and_no_secret(
    store: DynamoStore, watched: WatchedClient, table: str, error: AwsError, told: str
) -> None:
    fail_writes(watched, error)
    with pytest.raises(StoreUnavailable) as raised:
        put(store, make_host())
    text = str(raised.value)
    assert told in text
    assert table in text
    assert len(text) < 600
    assert "\n" not in text
    assert not any(secret in text for secret in (TOKEN, make_host().shared_secret))


def test_a_table_that_is_not_there_is_unavailable_to_every_call(watched: WatchedClient) -> None:
    store = DynamoStore(watched.client, "no-such-config", SystemEntropy())
    calls: list[Callable[[], object]] = [
        store.check, lambda: store.load([make_host().key]), lambda: store.find_group("x"),
        lambda: store.find_pending(1), lambda: list(store.scan()), store.scan_damaged, lambda: put(store, make_host()),
        lambda: put(store, make_host("a"), make_host("b")),
        lambda: store.load([make_host("a").key, make_host("b").key]),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(StoreUnavailable, match="no-such-config"):
            call()
    done = store.submit(Commit((make_host(),), {make_host().key: 0}))
    assert isinstance(done.exception(1), StoreUnavailable)


def test_a_refused_commit_writes_nothing_and_holds_nothing(
    store: DynamoStore, watched: WatchedClient, table: str
) -> None:
    put(store, make_host())
    before = raw_item(watched.client, table, make_host().key)
    fail_writes(watched, refusal("ThrottlingException"))
    with pytest.raises(StoreUnavailable):
        put(store, make_host().next(comment="x"))
    assert raw_item(watched.client, table, make_host().key) == before
    watched.before = lambda *_: None
    watched.calls.clear()
    put(store, make_host().next(comment="x"))
    assert watched.take_operations() == ["GetItem", "UpdateItem"]


# --- capacity


def leave_out(keys: int) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """DynamoDB answers a batch in part: all but so many keys."""

    def after(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        if operation != "BatchGetItem":
            return answer
        ((table, items),) = answer["Responses"].items()
        kept, left = items[keys:], items[:keys]
        wanted = [{name: item[name] for name in ("hostname", "record_type")} for item in left]
        unprocessed = {table: {"Keys": wanted, "ConsistentRead": True}} if wanted else {}
        return {"Responses": {table: kept}, "UnprocessedKeys": unprocessed}

    return after


def test_keys_that_were_left_out_are_asked_for_again(store: DynamoStore, watched: WatchedClient) -> None:
    hosts = [make_host(f"h{number}") for number in range(10)]
    put(store, *hosts)
    watched.calls.clear()
    rest = iter([leave_out(6), leave_out(2)])

    def after(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        leave = next(rest, None)
        return leave(operation, answer) if leave else answer

    watched.after = after
    assert store.load([host.key for host in hosts]) == {host.key: host for host in hosts}
    sizes = [len(next(iter(payload["RequestItems"].values()))["Keys"]) for _, payload in watched.calls]
    assert sizes == [10, 6, 2]
    assert len(watched.slept) == 2


def test_capacity_that_never_suffices_is_unavailable_and_never_an_absent_row(
    store: DynamoStore, watched: WatchedClient
) -> None:
    hosts = [make_host("a"), make_host("b")]
    put(store, *hosts)
    watched.after = leave_out(1)
    with pytest.raises(StoreUnavailable, match="capacity"):
        store.load([host.key for host in hosts])
    assert 0 < sum(watched.slept) <= 5.0
