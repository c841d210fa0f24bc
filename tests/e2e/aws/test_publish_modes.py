"""Direct and stream mode against a Route 53 that is busy, slow or wrong: acknowledged is published in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from local_aws.event_kinds import FunctionUrl
from local_aws.event_source import Mapping
from local_aws.route53 import Alias, Fault, Faults, Limits, RecordSet, Route53Fake

from tests.e2e.aws.conftest import UNPACED, Stacks, fronted
from tests.e2e.aws.test_event_kinds import curl
from tests.e2e.programs import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from local_aws.front import Front
    from local_aws.stack import LocalAws

pytestmark = pytest.mark.e2e

HOST = "nas.home.test"


def changes(aws: LocalAws, result: str | None = None) -> list[Any]:
    return aws.fake.journal.calls_of("ChangeResourceRecordSets", result)


def update(front: Front, folder: Path, secret: str, address: str, host: str = HOST) -> str:
    return curl(folder, "-u", f"{host}:{secret}", f"{front.url}/nic/update?hostname={host}&myip={address}")


# --- direct


def test_direct_answers_after_route_53_took_it_and_polls_ask_it_nothing(stacks: Stacks, tmp_path: Path) -> None:
    with stacks.running() as aws, fronted(aws, FunctionUrl()) as front:
        secret = aws.add_host(f"{HOST}.", allow_internal=True)
        assert update(front, tmp_path, secret, "127.0.8.1") == "good 127.0.8.1\n"
        assert aws.dns.ask(HOST) == ["127.0.8.1"]
        for _ in range(5):
            assert update(front, tmp_path, secret, "127.0.8.1") == "nochg 127.0.8.1\n"
        assert [call.operation for call in aws.fake.journal.calls] == ["ChangeResourceRecordSets"]
        assert aws.pending() == []


def test_throttled_is_good_and_pending_and_the_drain_publishes_it(stacks: Stacks, tmp_path: Path) -> None:
    fake = Route53Fake(faults=Faults(throttle=1.0))
    with stacks.running(fake, variables=UNPACED) as aws, fronted(aws, FunctionUrl()) as front:
        secret = aws.add_host(f"{HOST}.", allow_internal=True)
        assert update(front, tmp_path, secret, "127.0.8.2") == "good 127.0.8.2\n"
        assert aws.dns.ask(HOST) == []
        assert [host.hostname for host in aws.pending()] == [f"{HOST}."]
        fake.faults.throttle = 0.0
        assert aws.drain()["status"] == "ok"
        assert aws.dns.ask(HOST) == ["127.0.8.2"]
        assert aws.pending() == []


def test_a_poll_that_finds_its_host_pending_publishes_it_first(stacks: Stacks, tmp_path: Path) -> None:
    fake = Route53Fake(faults=Faults(unavailable=1.0))
    with stacks.running(fake, variables=UNPACED) as aws, fronted(aws, FunctionUrl()) as front:
        secret = aws.add_host(f"{HOST}.", allow_internal=True)
        assert update(front, tmp_path, secret, "127.0.8.3") == "good 127.0.8.3\n"
        assert aws.dns.ask(HOST) == []
        fake.faults.unavailable = 0.0
        assert update(front, tmp_path, secret, "127.0.8.3") == "nochg 127.0.8.3\n"
        assert aws.dns.ask(HOST) == ["127.0.8.3"]


def test_a_lost_answer_is_read_back_and_not_done_twice(stacks: Stacks, tmp_path: Path) -> None:
    fake = Route53Fake()
    with stacks.running(fake, variables=UNPACED) as aws, fronted(aws, FunctionUrl()) as front:
        secret = aws.add_host(f"{HOST}.", allow_internal=True)
        fake.faults.force(Fault.LOST_ANSWER)
        assert update(front, tmp_path, secret, "127.0.8.4") == "good 127.0.8.4\n"
        assert aws.drain()["status"] == "ok"
        history = fake.journal.history(f"{HOST}.", "A")
        assert [one.values for one in history if one] == [("127.0.8.4",)]
        assert aws.pending() == []


def test_what_is_not_ours_is_not_touched_and_its_client_is_told(stacks: Stacks, tmp_path: Path) -> None:
    fake = Route53Fake()
    zone = fake.add_zone("home.test.")
    routed = RecordSet("w.home.test.", "A", 60, ("192.0.2.1",), set_identifier="x", routing=(("Weight", "1"),))
    alias = RecordSet("a.home.test.", "A", alias=Alias("Z2", "elsewhere.test."))
    plain = RecordSet("p.home.test.", "A", 300, ("192.0.2.3",))
    for one in (routed, alias, plain):
        fake.seed(zone, one)
    with stacks.running(fake, variables=UNPACED) as aws, fronted(aws, FunctionUrl()) as front:
        for label in "wa":
            secret = aws.add_host(f"{label}.home.test.", allow_internal=True)
            for _ in range(2):
                assert update(front, tmp_path, secret, "127.0.8.5", f"{label}.home.test") == "911\n"
        secret = aws.add_host("p.home.test.", allow_internal=True)
        assert update(front, tmp_path, secret, "127.0.8.5", "p.home.test") == "good 127.0.8.5\n"
    assert {routed, alias} <= set(fake.record_sets(zone))
    assert plain not in fake.record_sets(zone)


def test_reconcile_repairs_what_somebody_changed_at_the_console(stacks: Stacks, tmp_path: Path) -> None:
    with stacks.running(variables=UNPACED) as aws, fronted(aws, FunctionUrl()) as front:
        secret = aws.add_host(f"{HOST}.", allow_internal=True)
        update(front, tmp_path, secret, "127.0.8.6")
        aws.fake.seed(aws.zone_ids["home.test."], RecordSet(f"{HOST}.", "A", 60, ("192.0.2.9",)))
        assert aws.reconcile(repair=False)["differences"] == 1
        assert wait_for(lambda: any(HOST in line for line in aws.admin.lines))
        assert aws.dns.ask(HOST) == ["192.0.2.9"]
        aws.reconcile(repair=True)
        assert aws.dns.ask(HOST) == ["127.0.8.6"]


# --- stream


def test_stream_answers_after_the_commit_and_publishes_many_at_once(stacks: Stacks, tmp_path: Path) -> None:
    mapping = Mapping(batch_size=1000, batch_window=1.0)
    with stacks.running(publish_mode="stream", mapping=mapping) as aws, fronted(aws, FunctionUrl()) as front:
        names = [f"s{number}.home.test" for number in range(12)]
        secrets = {name: aws.add_host(f"{name}.", allow_internal=True) for name in names}
        for number, name in enumerate(names):
            assert update(front, tmp_path, secrets[name], f"127.0.8.{number}", name) == f"good 127.0.8.{number}\n"
        assert wait_for(lambda: not aws.pending(), 20)
        assert [aws.dns.ask(name) for name in names] == [[f"127.0.8.{number}"] for number in range(12)]
        assert len(changes(aws)) <= 3
        assert aws.source is not None
        woken, published = sum(aws.source.batches), len(aws.publish.lines)
        assert update(front, tmp_path, secrets[names[0]], "127.0.8.0", names[0]) == "nochg 127.0.8.0\n"
        assert not wait_for(lambda: (sum(aws.source.batches), len(aws.publish.lines)) != (woken, published), 1.5)


def test_stream_gets_through_throttling_and_leaves_no_dead_letter(stacks: Stacks, tmp_path: Path) -> None:
    fake = Route53Fake(faults=Faults(seed=1, throttle=0.4, prior_request=0.2, lost_answer=0.1), limits=Limits.none())
    with stacks.running(fake, publish_mode="stream", variables=UNPACED) as aws, fronted(aws, FunctionUrl()) as front:
        secret = aws.add_host(f"{HOST}.", allow_internal=True)
        for last in range(20):
            assert update(front, tmp_path, secret, f"127.0.8.{last}") == f"good 127.0.8.{last}\n"
        assert wait_for(lambda: aws.dns.ask(HOST) == ["127.0.8.19"], 30)
        assert wait_for(lambda: not aws.pending(), 30)
        shown = [one.values[0] for one in fake.journal.history(f"{HOST}.", "A") if one]
        assert shown == sorted(shown, key=lambda address: int(address.rpartition(".")[2]))
        assert aws.dead_letters() == []


def test_a_poisoned_host_does_not_hold_up_the_others_of_its_batch(stacks: Stacks, tmp_path: Path) -> None:
    fake = Route53Fake()
    fake.seed(fake.add_zone("home.test."), RecordSet("w.home.test.", "A", alias=Alias("Z2", "elsewhere.test.")))
    mapping = Mapping(batch_window=1.0)
    with (
        stacks.running(fake, publish_mode="stream", mapping=mapping, variables=UNPACED) as aws,
        fronted(aws, FunctionUrl()) as front,
    ):
        names = ["a.home.test", "w.home.test", "z.home.test"]
        secrets = {name: aws.add_host(f"{name}.", allow_internal=True) for name in names}
        for name in names:
            assert update(front, tmp_path, secrets[name], "127.0.8.7", name) == "good 127.0.8.7\n"
        assert wait_for(lambda: aws.dns.ask("a.home.test") == aws.dns.ask("z.home.test") == ["127.0.8.7"], 20)
        assert wait_for(lambda: bool(aws.host("w.home.test.").rejected), 20)
        assert update(front, tmp_path, secrets["w.home.test"], "127.0.8.7", "w.home.test") == "911\n"


def test_a_publisher_that_cannot_start_loses_nothing(stacks: Stacks, tmp_path: Path) -> None:
    """Its records are given up and buried, and the drain does what they were for."""
    mapping = Mapping(retry_attempts=1)
    with (
        stacks.running(publish_mode="stream", mapping=mapping, publish_variables={"HOMING_TABLE": ""}) as aws,
        fronted(aws, FunctionUrl()) as front,
    ):
        secret = aws.add_host(f"{HOST}.", allow_internal=True)
        assert update(front, tmp_path, secret, "127.0.8.8") == "good 127.0.8.8\n"
        letters: list[Any] = []

        def found() -> bool:
            letters.extend(aws.dead_letters())
            return bool(letters)

        assert wait_for(found, 20)
        assert letters[0]["DDBStreamBatchInfo"]["batchSize"] == 1
        assert aws.dns.ask(HOST) == []
        aws.drain()
        assert aws.dns.ask(HOST) == ["127.0.8.8"]
