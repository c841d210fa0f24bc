"""What must be true of every run of the serverless system, checked on the store's history and Route 53's journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.outcomes import Outcome
from tests.app.serverless_record import KEYS, RATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.core.records import RRsetKey
    from tests.app.serverless_record import Acknowledged, Version
    from tests.app.serverless_runs import Run


def judge(run: Run) -> None:
    """Raise AssertionError for what must not be."""
    run.fake.journal.replayed()
    for acknowledged in run.record.acknowledged:
        _was_kept(acknowledged, run.record.versions[acknowledged.key])
    for key in KEYS:
        _never_goes_back(run, key)
        _is_right_in_the_end(run, key)
    _is_within_the_rate(run)


def _was_kept(told: Acknowledged, versions: Sequence[Version]) -> None:
    """At some moment while the client waited the store held what the client was told."""
    assert told.outcome in (Outcome.UPDATED, Outcome.UNCHANGED), told
    spans = zip(versions, [*(version.seq for version in versions[1:]), told.last_seq + 1], strict=True)
    assert any(
        version.host.ip_address == told.address and version.seq <= told.last_seq and end > told.first_seq
        for version, end in spans
    ), f"lost: {told}"


def _never_goes_back(run: Run, key: RRsetKey) -> None:
    """No swap puts an older address over a newer one, but where addresses return.

    `at` is the latest version that Route 53 has shown. Going back is possible only as an older swap, from one older
    version to a later one, that found the address it was made for there again.
    """
    versions = _addresses(run.record.versions[key])
    at = 0
    for shown in run.record.shown[key]:
        known = [address for seq, address in versions if seq <= shown.seq]
        ahead = [number for number in range(at, len(known)) if known[number] == shown.after]
        if ahead:
            at = ahead[0]
            continue
        befores = [number for number in range(at) if known[number] == shown.before]
        afters = [number for number in range(at) if known[number] == shown.after]
        assert run.plot.returning, f"{key.name} went back from {shown.before} to {shown.after}"
        assert befores, f"{key.name} went back from {shown.before} to {shown.after}: that was nobody's swap"
        assert afters, f"{key.name} went from {shown.before} to {shown.after}, which nobody desired"
        assert befores[0] < afters[-1], f"{key.name} went back from {shown.before} to {shown.after}"


def _addresses(versions: Sequence[Version]) -> list[tuple[int, str | None]]:
    """Return the addresses that were desired, in order, each with the commit since which it is."""
    found: list[tuple[int, str | None]] = []
    for version in versions:
        if not found or found[-1][1] != version.host.ip_address:
            found.append((version.seq, version.host.ip_address))
    return found


def _is_right_in_the_end(run: Run, key: RRsetKey) -> None:
    """A publisher that was killed right behind its late swap cannot swap back: that is what reconciling is for."""
    last = run.record.versions[key][-1].host
    assert not last.pending, key
    assert not any(version.host.rejected for version in run.record.versions[key]), f"{key} was quarantined"
    assert run.held(key) == last.ip_address, f"{key}: DNS shows {run.held(key)}, and {last.ip_address} was promised"
    if key in run.record.left_stale:
        assert run.plot.returning, f"{key} was left stale"
        process = next(shown.process for shown in reversed(run.record.shown[key]) if shown.process)
        assert process.killed, f"{key} was left stale by {process.name}, which was not killed"
        assert not process.name.startswith("publisher"), f"{key} was left stale, though its batch came again"


def _is_within_the_rate(run: Run) -> None:
    for name, times in run.record.sent_at.items():
        assert _most_within_a_second(times) <= RATE, f"{name} sent more than {RATE} requests in a second"


def _most_within_a_second(times: Sequence[float]) -> int:
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= 1 - 1e-6:  # two clocks' roundings
            first += 1
        most = max(most, last - first + 1)
    return most
