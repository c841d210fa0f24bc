"""Steps about how changes reach Route 53: many at once, what drifted, what it refuses, drain, reconcile, the stream."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from real_aws.check_updates import v2_row
from real_aws.steps import Step, expect

if TYPE_CHECKING:
    from real_aws.stage import Stage

MANY = 60
"""Just above Route 53's burst of 50 requests; what else the account does to Route 53 waits for some seconds."""
_ROWS_AT_ONCE = 25
_ATTEMPTS, _PAUSE = 10, 1.5
_DRAINS = 20
ELSEWHERE = "192.0.2.99"


def drifted(stage: Stage) -> None:
    """A record that somebody changed by hand is swapped all the same, by the next update of its host."""
    name, address = stage.update("drifted")
    stage.wait_for_answer(name, address)
    stage.change("UPSERT", name, "A", ELSEWHERE, ttl=77)
    name, address = stage.update("drifted")
    stage.wait_for_answer(name, address)


def refused(stage: Stage) -> str:
    """A host whose name somebody gave a CNAME is quarantined and says so; nothing else suffers."""
    name, secret = stage.host("refused")
    stage.change("CREATE", name, "CNAME", f"elsewhere.{stage.run.zone}")
    try:
        reply = stage.ask(f"/nic/update?hostname={name}&myip={stage.new_address()}", basic=(name, secret))
        expect(reply.status == 503 and reply.body == "911\n", reply)
        shown = [one["state"] for one in stage.homing("host", "show", name) if one["record_type"] == "A"]
        expect(len(shown) == 1 and shown[0].startswith("rejected: "), f"its state is {shown}")
    finally:
        stage.remove_records(name)
    stage.update("refused")
    return str(shown[0])


def drain(stage: Stage) -> str:
    """The operator's function drains when it is called."""
    return json.dumps(stage.admin("drain"))


def reconcile(stage: Stage) -> str:
    """Reconcile finds a record that was changed behind the stack's back, and repairs it when it may."""
    name, address = stage.update("reconciled")
    stage.change("UPSERT", name, "A", ELSEWHERE)
    found = stage.admin("reconcile", repair=False)["differences"]
    expect(found >= 1, "no difference was found")
    stage.admin("reconcile", repair=True)
    expect(stage.records().get((name, "A")) == [address], f"{name} was not repaired")
    told = stage.homing("reconcile", "--dry-run")
    expect(not told["differences"], f"after it the command line sees {len(told['differences'])} differences")
    return f"{found} found and repaired"


def burst(stage: Stage) -> str:
    """60 hosts, typed by hand, change at once: each is acknowledged, and after a drain DNS has them all."""
    return _burst(stage, "burst", is_stream=False)


def stream_burst(stage: Stage) -> str:
    """60 hosts change at once in stream mode, and DNS has them all within 60 s."""
    return _burst(stage, "swarm", is_stream=True)


def _burst(stage: Stage, label: str, *, is_stream: bool) -> str:
    secret = stage.host(label)[1]
    wanted = {f"{label}-{number}.{stage.run.zone}": f"203.0.113.{number}" for number in range(1, MANY + 1)}
    _type_rows(stage, list(wanted), secret)
    with ThreadPoolExecutor(MANY) as pool:
        refusals = sum(pool.map(lambda pair: _set(stage, pair[0], pair[1], secret), wanted.items()))
    waiting = _count_pending(stage)
    began = stage.clock()
    if is_stream:
        stage.wait(lambda: not _missing(stage, wanted), 60, "not all of them are in DNS")
    else:
        drains = 0
        while _count_pending(stage) and drains < _DRAINS:
            stage.admin("drain")
            drains += 1
        expect(not _missing(stage, wanted), f"not in DNS: {_missing(stage, wanted)}")
    took = stage.clock() - began
    return f"{refusals} had to ask again, {waiting} were pending after it, all in DNS {took:.0f} s later"


def _type_rows(stage: Stage, names: list[str], secret: str) -> None:
    for start in range(0, len(names), _ROWS_AT_ONCE):
        puts = [{"PutRequest": {"Item": v2_row(name, secret)}} for name in names[start : start + _ROWS_AT_ONCE]]
        left: Any = {stage.run.table: puts}
        while left:
            left = stage.account.call("dynamodb", "batch_write_item", RequestItems=left).get("UnprocessedItems")


def _set(stage: Stage, name: str, address: str, secret: str) -> int:
    """Ask as a patient client does; return how often it was told to ask again. Raises Failed.

    429 is Lambda's own, in accounts with few concurrent executions.
    """
    for attempt in range(_ATTEMPTS):
        try:
            reply = stage.ask(f"/nic/update?hostname={name}&myip={address}", basic=(name, secret))
        except OSError:
            stage.sleep(_PAUSE)
            continue
        if reply.body in (f"good {address}\n", f"nochg {address}\n"):
            return attempt
        expect(reply.status in (429, 503), f"{name}: {reply}")
        stage.sleep(_PAUSE)
    expect(None, f"{name} was never acknowledged")
    return _ATTEMPTS


def _missing(stage: Stage, wanted: dict[str, str]) -> list[str]:
    records = stage.records()
    return [name for name, address in wanted.items() if records.get((name, "A")) != [address]]


def _count_pending(stage: Stage) -> int:
    return int(
        stage.account.call(
            "dynamodb",
            "query",
            TableName=stage.run.table,
            IndexName="pending-index",
            KeyConditionExpression="#pending = :one",
            ExpressionAttributeNames={"#pending": "pending"},
            ExpressionAttributeValues={":one": {"N": "1"}},
            Select="COUNT",
        )["Count"]
    )


# --- stream mode


def stream_change(stage: Stage) -> str:
    """In stream mode a change is in DNS within 60 s, though the update function cannot put it there."""
    name, address = stage.update("streamed")
    return f"{stage.wait_for_answer(name, address):.0f} s"


def stream_no_op(stage: Stage) -> str:
    """An UpdateItem that changes nothing puts no record on the table's stream."""
    name = f"silent.{stage.run.zone}"
    stage.account.call("dynamodb", "put_item", TableName=stage.run.table, Item=v2_row(name, stage.host("first")[1]))
    iterators = _iterators(stage)
    _comment(stage, name, "typed by hand")
    _comment(stage, name, "the sentinel")
    seen: list[str] = []

    def has_sentinel() -> bool:
        for position, iterator in enumerate(iterators):
            told = stage.account.call("dynamodbstreams", "get_records", ShardIterator=iterator)
            iterators[position] = told.get("NextShardIterator") or iterator
            images = [one["dynamodb"] for one in told["Records"]]
            seen.extend(
                one.get("NewImage", {}).get("comment", {}).get("S", "")
                for one in images
                if one["Keys"]["hostname"]["S"] == f"{name}."
            )
        return "the sentinel" in seen

    stage.wait(has_sentinel, 60, "the stream did not show the second change")
    expect(seen == ["the sentinel"], f"the stream shows {len(seen)} records, not 1")
    return "one record for the change, none for the other"


def _iterators(stage: Stage) -> list[str]:
    """Return where each shard ends. Waits a little, so that what was written before is behind it."""
    stage.sleep(5.0)
    table = stage.account.call("dynamodb", "describe_table", TableName=stage.run.table)["Table"]
    stream = table["LatestStreamArn"]
    shards = stage.account.call("dynamodbstreams", "describe_stream", StreamArn=stream)["StreamDescription"]["Shards"]
    return [
        stage.account.call(
            "dynamodbstreams",
            "get_shard_iterator",
            StreamArn=stream,
            ShardId=one["ShardId"],
            ShardIteratorType="LATEST",
        )["ShardIterator"]
        for one in shards
        if "EndingSequenceNumber" not in one["SequenceNumberRange"]
    ]


def _comment(stage: Stage, name: str, text: str) -> None:
    stage.account.call(
        "dynamodb",
        "update_item",
        TableName=stage.run.table,
        Key={"hostname": {"S": f"{name}."}, "record_type": {"S": "A"}},
        UpdateExpression="SET #c = :c",
        ExpressionAttributeNames={"#c": "comment"},
        ExpressionAttributeValues={":c": {"S": text}},
    )


def dead_letters(stage: Stage) -> None:
    """The queue of dead letters is empty, and nothing is pending."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    queue = stage.output("deadLetterUrl")
    told = stage.account.call("sqs", "get_queue_attributes", QueueUrl=queue, AttributeNames=names)["Attributes"]
    expect(all(told[name] == "0" for name in names), f"dead letters: {told}")
    stage.wait(lambda: not _count_pending(stage), 60, "rows are pending")


def timers_drain(stage: Stage) -> str:
    """The timer drains by itself: what is made pending by hand is in DNS within six minutes."""
    name, address = stage.update("timed")
    stage.wait_for_answer(name, address)
    fresh = stage.new_address()
    began = time.time()
    stage.account.call(
        "dynamodb",
        "update_item",
        TableName=stage.run.table,
        Key={"hostname": {"S": f"{name}."}, "record_type": {"S": "A"}},
        UpdateExpression="SET #d.rdata = :rdata, #a = :address, #p = :one ADD #v :one",
        ExpressionAttributeNames={"#d": "desired", "#a": "ip_address", "#p": "pending", "#v": "version"},
        ExpressionAttributeValues={
            ":rdata": {"L": [{"S": fresh}]}, ":address": {"S": fresh}, ":one": {"N": "1"},
        },
    )  # fmt: skip
    stage.wait(lambda: stage.answer(name) == [fresh], 400, f"{name} is not {fresh}", pause=10)
    stage.shown[name, "A"] = fresh
    return f"{time.time() - began:.0f} s"


STEPS = tuple(Step(check, "direct") for check in (drifted, refused, drain, reconcile, burst, timers_drain))
STREAM_STEPS = tuple(Step(check, "stream") for check in (stream_change, stream_no_op, stream_burst, dead_letters))
