"""One DynamoDB table, read by keys and page by page: the calls, and what their failing means. It knows no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.aws.errors import AwsError, ServiceError
from homing.core.errors import StoreUnavailable
from homing.stores.dynamodb_errors import to_store_error
from homing.stores.dynamodb_items import HASH_KEY, key_of_item, to_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from homing.aws.dynamodb import DynamoDb
    from homing.core.rows import RowKey
    from homing.stores.dynamodb_items import AttributeValue, Item

MAX_KEYS = 100
"""Amazon DynamoDB API Reference, "BatchGetItem": so many keys a call."""


_REFUSALS = ("ValidationException", "ResourceNotFoundException")


class NoIndex(StoreUnavailable):
    """The table has no such index, or is still filling it."""


class Table:
    """Reads, consistently but for indexes. Every method raises StoreUnavailable where there is no answer."""

    def __init__(self, client: DynamoDb, name: str) -> None:
        self.name = name
        self._client = client
        self._is_closed = False

    def get_items(self, keys: Sequence[RowKey]) -> list[Item]:
        """Read at most 100 items in one call; both families of one name together cost as much as one of them."""
        if not keys:
            return []
        if len(keys) == 1:
            item = self._call("GetItem", {"Key": to_key(keys[0]), "ConsistentRead": True}).get("Item")
            return [item] if item else []
        if len({hostname for hostname, _ in keys}) > 1:
            return self._get_batch(keys)
        query = _query(HASH_KEY, {"S": keys[0][0]}) | {"ConsistentRead": True}
        return [item for item in self._read_pages("Query", query) if key_of_item(item) in keys]

    def query(self, index: str, attribute: str, value: AttributeValue, page: int) -> Iterator[Item]:
        """Yield what an index projects of the items with this value. May lag a moment. Raises NoIndex."""
        return self._read_pages("Query", _query(attribute, value) | {"IndexName": index, "Limit": page})

    def scan(self, page: int, having: str | None = None) -> Iterator[Item]:
        """Yield every item, or those that have an attribute, reading `page` of them at once."""
        only = {"FilterExpression": "attribute_exists(#a)", "ExpressionAttributeNames": {"#a": having}}
        return self._read_pages("Scan", {"ConsistentRead": True, "Limit": page, **(only if having else {})})

    def write(self, operation: str, payload: Mapping[str, Any]) -> None:
        """Send a write. Raises AwsError: what it means depends on what was written."""
        self.check_open()
        self._client.call(operation, payload)

    def check_open(self) -> None:
        """Raise StoreUnavailable once the table is closed."""
        if self._is_closed:
            raise StoreUnavailable(f"table {self.name}: the store is closed")

    def close(self) -> None:
        """Let nothing through any more. The client belongs to whoever made it."""
        self._is_closed = True

    def _get_batch(self, keys: Sequence[RowKey]) -> list[Item]:
        """Ask again for what DynamoDB had no capacity for at once, within the time that one call has."""
        budget = self._client.new_budget()
        asked: Mapping[str, Any] = {self.name: {"Keys": [to_key(key) for key in keys], "ConsistentRead": True}}
        items: list[Item] = []
        while asked:
            reply = self._call("BatchGetItem", {"RequestItems": asked}, names_table=False)
            items += reply.get("Responses", {}).get(self.name, ())
            asked = reply.get("UnprocessedKeys") or {}
            if asked and not budget.wait():
                raise StoreUnavailable(f"table {self.name}: its capacity is used up, and some rows were not read")
        return items

    def _read_pages(self, operation: str, payload: Mapping[str, Any]) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            reply = self._call(operation, {**payload, **start})
            yield from reply.get("Items", ())
            if not (last := reply.get("LastEvaluatedKey")):
                return
            start = {"ExclusiveStartKey": last}

    def _call(self, operation: str, payload: Mapping[str, Any], *, names_table: bool = True) -> dict[str, Any]:
        self.check_open()
        try:
            return self._client.call(operation, {"TableName": self.name, **payload} if names_table else payload)
        except AwsError as error:
            failure = to_store_error(self.name, error)
            raise (NoIndex(*failure.args) if _is_about(payload.get("IndexName"), error) else failure) from error


def _query(attribute: str, value: AttributeValue) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "#k = :k",
        "ExpressionAttributeNames": {"#k": attribute},
        "ExpressionAttributeValues": {":k": value},
    }


def _is_about(index: str | None, error: AwsError) -> bool:
    """Tell whether an index is refused: ValidationException, "The table does not have the specified index: NAME".

    Or that it is still being filled. moto says ResourceNotFoundException, which DynamoDB says of whole tables.
    """
    is_refusal = isinstance(error, ServiceError) and error.code in _REFUSALS
    return is_refusal and index is not None and index in str(error)
