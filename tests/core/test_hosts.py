"""A host: pending, its secrets over time, and its versions."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.records import RRset, RRsetKey

ONE, TWO = RRset(60, ("192.0.2.1",)), RRset(60, ("192.0.2.2",))
HOST = Host(hostname=Name("cam.home.example."), record_type="A", shared_secret="new")
ROTATED = Host(
    hostname=HOST.hostname, record_type="A", shared_secret="new", previous_secret="old", previous_secret_until=100
)


@pytest.mark.parametrize(
    ("desired", "published", "rejected", "pending"),
    [(None, None, None, False), (ONE, ONE, None, False), (ONE, None, None, True), (None, ONE, None, True),
     (ONE, TWO, None, True), (RRset(61, ONE.rdata), ONE, None, True), (ONE, TWO, "why", False)],
)  # fmt: skip
def test_a_host_is_pending_while_dns_is_still_to_change(
    desired: RRset | None, published: RRset | None, rejected: str | None, pending: bool
) -> None:
    host = HOST.next(desired=desired, published=published, rejected=rejected)
    assert host.pending is pending


@given(st.integers(0, 200))
@example(99)
@example(100)
def test_after_a_rotation_the_old_secret_works_until_its_time(now: int) -> None:
    assert ROTATED.secrets(now) == (("new", "old") if now < 100 else ("new",))


def test_a_removed_host_and_one_without_a_secret_have_none_that_could_match() -> None:
    assert ROTATED.next(removed_at=5).secrets(0) == ()
    assert ROTATED.next(shared_secret="").secrets(0) == ()


def test_next_is_one_version_on_and_leaves_the_host_as_it_was() -> None:
    changed = HOST.next(comment="x")
    assert (HOST.version, HOST.comment) == (0, "")
    assert (changed.version, changed.comment, changed.next().version) == (1, "x", 2)


def test_it_is_known_by_name_and_type_and_shows_its_single_address() -> None:
    assert HOST.key == RRsetKey(HOST.hostname, "A")
    assert HOST.ip_address is None
    assert HOST.next(desired=TWO).ip_address == "192.0.2.2"


def test_its_secrets_are_not_printed() -> None:
    assert "new" not in repr(ROTATED)
    assert "'old'" not in repr(ROTATED)
