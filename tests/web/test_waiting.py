"""What the runtime is told to wait for: a commit where DNS follows the store, a thread where it does not."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from homing.core.errors import Conflict, StoreUnavailable
from homing.protocols.http import Request, Response
from homing.web.routes import Access, Application, Blocking, Waiting
from tests.app.builders import CAM, SECRET, WatchedStore, World, fail_with, make_host, make_world
from tests.app.flaky_publisher import FlakyPublisher
from tests.protocols.strategies import V4, basic

if TYPE_CHECKING:
    from homing.core.rows import Commit

NAME = CAM.rstrip(".")


class Queueing(WatchedStore):
    """A store that carries out what was submitted when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: list[tuple[Commit, Future[None]]] = []

    def submit(self, commit: Commit) -> Future[None]:
        future: Future[None] = Future()
        self.queue.append((commit, future))
        return future

    def carry_out(self) -> None:
        (commit, future), *self.queue = self.queue
        try:
            self.commit(commit)
        except (Conflict, StoreUnavailable) as error:
            future.set_exception(error)
        else:
            future.set_result(None)


def application_of(world: World) -> Application:
    return Application(world.service, lambda: 0, Access())


def update(address: str = "1.1.1.1") -> Request:
    return Request("GET", "/nic/update", f"hostname={NAME}&myip={address}", basic(NAME, SECRET), b"", V4)


def queueing() -> tuple[World, Queueing, Application]:
    store = Queueing()
    world = make_world(make_host(), store=store)
    return world, store, application_of(world)


def test_a_changed_update_waits_for_its_commit_and_is_answered_and_shown_after_it() -> None:
    world, store, application = queueing()
    waiting = application.begin(update())
    assert isinstance(waiting, Waiting)
    assert not waiting.done.done()
    assert (world.host().version, world.shown()) == (1, None)
    store.carry_out()
    assert waiting.done.done()
    answer = waiting.proceed()
    assert isinstance(answer, Response)
    assert answer.body == b"good 1.1.1.1\n"
    assert answer.log["outcome"] == "updated"
    assert world.shown() == "1.1.1.1"


def test_a_poll_that_changes_nothing_and_a_refusal_wait_for_nothing() -> None:
    world = make_world(make_host())
    application = application_of(world)
    application.handle(update())
    unchanged = application.begin(update())
    assert isinstance(unchanged, Response)
    assert unchanged.body == b"nochg 1.1.1.1\n"
    stranger = Request("GET", "/nic/update", f"hostname={NAME}", basic(NAME, "wrong"), b"", V4)
    assert isinstance(application.begin(stranger), Response)


def test_after_a_conflict_the_next_commit_is_waited_for() -> None:
    world, store, application = queueing()
    first = application.begin(update())
    assert isinstance(first, Waiting)
    world.administration.set_host(CAM, comment="faster")
    store.carry_out()
    second = first.proceed()
    assert isinstance(second, Waiting)
    store.carry_out()
    answer = second.proceed()
    assert isinstance(answer, Response)
    assert answer.body == b"good 1.1.1.1\n"
    assert (world.host().comment, world.shown()) == ("faster", "1.1.1.1")


def test_a_commit_that_failed_is_answered_so_that_the_client_asks_again() -> None:
    world, store, application = queueing()
    waiting = application.begin(update())
    assert isinstance(waiting, Waiting)
    store.before_commit = fail_with(StoreUnavailable("off"))
    store.carry_out()
    answer = waiting.proceed()
    assert isinstance(answer, Response)
    assert (answer.body, answer.log["outcome"]) == (b"911\n", "unavailable")
    assert world.shown() is None


def test_a_closed_store_is_answered_with_what_the_client_takes_for_temporary() -> None:
    world = make_world(make_host())
    world.store.close()
    answer = application_of(world).handle(update())
    assert answer.body == b"911\n"


def test_handle_waits_for_all_of_it() -> None:
    world = make_world(make_host())
    world.store.before_commit = fail_with(Conflict("moved"), times=3)
    assert application_of(world).handle(update()).body == b"good 1.1.1.1\n"
    assert world.shown() == "1.1.1.1"


def test_where_dns_does_not_follow_the_store_the_update_belongs_into_a_thread() -> None:
    publisher = FlakyPublisher()
    world = make_world(make_host(), publisher=publisher)
    blocking = application_of(world).begin(update())
    assert isinstance(blocking, Blocking)
    assert (world.host().version, publisher.calls) == (1, [])
    assert blocking.run().body == b"good 1.1.1.1\n"
    assert world.shown() == "1.1.1.1"


def test_there_too_a_poll_that_changes_nothing_is_answered_at_once() -> None:
    application = application_of(make_world(make_host(), publisher=FlakyPublisher()))
    application.handle(update())
    unchanged = application.begin(update())
    assert isinstance(unchanged, Response)
    assert unchanged.body == b"nochg 1.1.1.1\n"


def test_what_a_private_address_means_is_noted_in_the_log() -> None:
    application = application_of(make_world(make_host(allow_internal=True)))
    assert application.handle(update("10.1.2.3")).log["note"] == "10.1.2.3 is not global: Private-Use"
    assert "note" not in application.handle(update("1.1.1.1")).log
