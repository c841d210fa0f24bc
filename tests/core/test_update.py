"""The decision: every host, wish and time gives one outcome, and a replayed request never changes anything."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from homing.core.addresses import is_global
from homing.core.credentials import LegacyHash, SignedRequest
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.outcomes import Outcome
from homing.core.records import RRset
from homing.core.update import (
    Circumstances,
    Decision,
    Policy,
    SetAddress,
    SetPrefix,
    UpdateRequest,
    Wish,
    Withdraw,
    circumstances,
    clamp_ttl,
    decide,
)

if TYPE_CHECKING:
    from homing.core.addresses import Address

NAME = Name("cam.home.example.")
SOURCE = ip_address("8.8.8.8")
NOW = 1_800_000_000
POLICY = Policy()
V4 = [ip_address(text) for text in ("8.8.8.8", "1.1.1.1", "192.168.1.2", "127.0.0.1")]
V6 = [ip_address(text) for text in ("2a00::1", "2a00:1::5", "fd00::1", "::1")]
PREFIXES = [IPv6Network(text) for text in ("2a00:5::/64", "2a00:6::/56", "fd00:1::/64")]
TTLS = st.none() | st.integers(0, 200_000)


def make(**attributes: Any) -> Host:
    known: dict[str, Any] = {"hostname": NAME, "record_type": "A", "version": 3, "shared_secret": "s"}
    return Host(**(known | attributes))


def rrset(address: object, ttl: int = 60) -> RRset:
    return RRset(ttl, (str(address),))


def when(now: float = NOW, **more: Any) -> Circumstances:
    return Circumstances(now, SOURCE, **({"policy": POLICY} | more))


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    record_type = draw(st.sampled_from(["A", "AAAA"]))
    addresses = V4 if record_type == "A" else V6
    desired = draw(st.none() | st.builds(rrset, st.sampled_from(addresses), st.sampled_from([60, 30])))
    return make(
        record_type=record_type, version=draw(st.integers(1, 9)), desired=desired, published=None,
        ttl=draw(TTLS), allow_internal=draw(st.booleans()), allow_offline=draw(st.booleans()),
        lock_record=draw(st.booleans()), signed_only=draw(st.booleans()),
        removed_at=draw(st.sampled_from([None, None, 5])), rejected=draw(st.sampled_from([None, None, "why"])),
        signed_at=draw(st.integers(NOW - 5, NOW + 5).map(lambda at: at * 1000)),
        last_checked=draw(st.none() | st.integers(NOW - 200_000, NOW)),
        interface_identifier=draw(st.sampled_from([None, "::211:22ff:fe33:4455"])),
    )  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> tuple[Host, Wish, Circumstances]:
    host = draw(hosts())
    sets: st.SearchStrategy[Any] = st.builds(
        SetAddress, st.sampled_from(V4 if host.record_type == "A" else V6), st.booleans()
    )
    if host.record_type == "AAAA":
        sets |= st.builds(SetPrefix, st.sampled_from(PREFIXES))
    wish = draw(sets | st.builds(Withdraw, st.none() | sets))
    signed_at = draw(st.none() | st.integers(NOW - 9, NOW + 9).map(lambda at: at * 1000))
    return host, wish, when(signed_at=signed_at, ttl=draw(TTLS))


@given(cases())
@settings(max_examples=500)
def test_every_decision_keeps_the_rules(case: tuple[Host, Wish, Circumstances]) -> None:
    host, wish, given_ = case
    decision = decide(host, wish, given_)
    after = decision.after
    assert decision.host is host
    if host.is_removed:
        assert decision == Decision(host, Outcome.NO_SUCH_HOST)
    elif host.lock_record:
        assert decision == Decision(host, Outcome.LOCKED)
    if decision.outcome not in (Outcome.UPDATED, Outcome.UNCHANGED):
        assert after is None
    if after is not None:
        assert after.version == host.version + 1
        assert (after.hostname, after.record_type, after.shared_secret) == (host.hostname, host.record_type, "s")
        back = host.pending and after.desired == host.published
        assert after.published == (host.desired if back else host.published)  # only publishing says what is shown
    if decision.outcome is Outcome.UPDATED:
        assert after is not None
        assert after.desired != host.desired
        assert after.rejected is None
        assert after.signed_at >= host.signed_at
    elif after is not None:  # a poll that was noted
        noted = {name: getattr(after, name) for name in ("last_accessed", "last_checked", "signed_at")}
        assert after == host.next(**noted)
        if after.signed_at != host.signed_at:
            assert given_.signed_at is not None
            assert after.signed_at == given_.signed_at > given_.now * 1000


@given(cases())
@settings(max_examples=500)
def test_only_addresses_that_are_allowed_are_ever_desired(case: tuple[Host, Wish, Circumstances]) -> None:
    host, wish, given_ = case
    after = decide(host, wish, given_).after
    if after is None or after.desired in (None, host.desired):
        return
    assert after.desired is not None
    assert len(after.desired.rdata) == 1
    address = ip_address(after.desired.rdata[0])
    assert address.version == (4 if host.record_type == "A" else 6)
    assert host.allow_internal or is_global(address)
    if isinstance(wish, SetAddress) and wish.is_named:
        assert host.allow_internal


@given(cases())
@settings(max_examples=500)
def test_a_signed_change_pins_and_is_newer_than_any_before(case: tuple[Host, Wish, Circumstances]) -> None:
    host, wish, given_ = case
    decision = decide(host, wish, given_)
    if decision.outcome is not Outcome.UPDATED:
        assert decision.after is None or decision.after.signed_only == host.signed_only
        return
    assert decision.after is not None
    if given_.signed_at is not None:
        assert given_.signed_at > host.signed_at
        assert (decision.after.signed_at, decision.after.signed_only) == (given_.signed_at, True)
    else:
        assert decision.after.signed_at == max(host.signed_at, NOW * 1000)
        assert decision.after.signed_only == host.signed_only


@given(cases())
def test_asking_again_changes_nothing(case: tuple[Host, Wish, Circumstances]) -> None:
    host, wish, given_ = case
    first = decide(host, wish, given_)
    if first.outcome is Outcome.UPDATED:
        assert first.after is not None
        assert decide(first.after, wish, given_) == Decision(first.after, Outcome.UNCHANGED)


def test_each_refusal_and_each_success() -> None:
    public, lan = SetAddress(V4[0]), SetAddress(V4[2])
    assert decide(make(removed_at=5, lock_record=True), public, when()).outcome is Outcome.NO_SUCH_HOST
    assert decide(make(lock_record=True, desired=rrset(V4[0])), public, when()).outcome is Outcome.LOCKED
    assert decide(make(), lan, when()).outcome is Outcome.ADDRESS_NOT_ALLOWED
    assert decide(make(), SetAddress(V4[0], is_named=True), when()).outcome is Outcome.ADDRESS_NOT_ALLOWED
    assert decide(make(allow_internal=True), lan, when()).outcome is Outcome.UPDATED
    assert decide(make(desired=rrset(V4[0])), public, when()).outcome is Outcome.UNCHANGED
    rejected = make(desired=rrset(V4[0]), rejected="why")
    assert decide(rejected, public, when()) == Decision(rejected, Outcome.PUBLISH_REJECTED)
    cured = decide(rejected, SetAddress(V4[1]), when())
    assert cured.outcome is Outcome.UPDATED
    assert cured.after is not None
    assert cured.after.rejected is None


def test_an_overlay_network_of_the_settings_counts_as_global() -> None:
    policy = Policy(public_networks=(ip_network("192.168.1.0/24"),))
    assert decide(make(), SetAddress(V4[2]), when(policy=policy)).outcome is Outcome.UPDATED
    assert decide(make(), SetAddress(V4[3]), when(policy=policy)).outcome is Outcome.ADDRESS_NOT_ALLOWED


@given(st.integers(-5, 10**9), st.integers(1, 100), st.integers(100, 90_000))
def test_a_ttl_of_a_client_is_clamped(ttl: int, lowest: int, highest: int) -> None:
    policy = Policy(min_ttl=lowest, max_ttl=highest)
    assert clamp_ttl(ttl, policy) == sorted((lowest, ttl, highest))[1]
    after = decide(make(), SetAddress(V4[0]), when(policy=policy, ttl=ttl)).after
    assert after is not None
    assert after.desired == rrset(V4[0], clamp_ttl(ttl, policy))
    assert after.ttl == clamp_ttl(ttl, policy)


def test_a_ttl_is_the_hosts_own_else_the_default() -> None:
    for ttl, expected in ((None, POLICY.default_ttl), (5, 5)):
        after = decide(make(ttl=ttl), SetAddress(V4[0]), when()).after
        assert after is not None
        assert after.desired == rrset(V4[0], expected)


@given(st.integers(16, 112), st.integers(0, 2**120 - 1), st.integers(0, 2**64 - 1), st.booleans())
def test_a_prefix_keeps_the_interface_identifier(length: int, bits: int, identifier: int, is_set: bool) -> None:
    prefix = IPv6Network((IPv6Address(0x2A << 120 | bits), length), strict=False)
    old = IPv6Address(0x2A00 << 112 | identifier)
    configured = str(IPv6Address(identifier)) if is_set else None
    host = make(record_type="AAAA", desired=rrset(old), interface_identifier=configured, allow_internal=True)
    decision = decide(host, SetPrefix(prefix), when())
    desired = decision.after.desired if decision.after else host.desired
    assert desired is not None
    address = IPv6Address(desired.rdata[0])
    assert address in prefix
    mask = int(prefix.hostmask)
    assert int(address) & mask == (identifier if is_set else int(old)) & mask


def test_a_prefix_changes_nothing_where_nobody_knows_which_machine_is_meant() -> None:
    """The prefix itself is the routers' anycast address (RFC 4291 section 2.6.1), and no host's."""
    decision = decide(make(record_type="AAAA"), SetPrefix(PREFIXES[0]), when())
    assert decision.outcome is Outcome.UNCHANGED
    assert decision.after is None or decision.after.desired is None


def test_a_host_is_withdrawn_only_where_it_allows_that() -> None:
    shown = {"desired": rrset(V4[0])}
    withdrawn = decide(make(allow_offline=True, **shown), Withdraw(SetAddress(V4[1])), when())
    assert withdrawn.outcome is Outcome.UPDATED
    assert withdrawn.after is not None
    assert withdrawn.after.desired is None
    assert decide(make(allow_offline=True), Withdraw(None), when()).outcome is Outcome.UNCHANGED
    kept = decide(make(**shown), Withdraw(None), when())
    assert kept.outcome is Outcome.UNCHANGED
    assert kept.after is None or kept.after.desired == shown["desired"]
    instead = decide(make(**shown), Withdraw(SetAddress(V4[1])), when()).after
    assert instead is not None
    assert instead.desired == rrset(V4[1])


def test_a_poll_is_noted_once_a_day() -> None:
    host, wish = make(desired=rrset(V4[0])), SetAddress(V4[0])
    noted = decide(host, wish, when()).after
    assert noted is not None
    assert (noted.last_checked, noted.last_accessed, noted.last_updated) == (NOW, "8.8.8.8", None)
    assert decide(noted, wish, when(NOW + 86_399)).after is None
    assert decide(noted, wish, when(NOW + 86_400)).after is not None


def test_an_older_or_equal_signed_request_is_stale_only_where_it_would_change_something() -> None:
    host = make(desired=rrset(V4[0]), signed_at=NOW * 1000, last_checked=NOW)
    for at in (NOW * 1000, NOW * 1000 - 1):
        assert decide(host, SetAddress(V4[1]), when(signed_at=at)) == Decision(host, Outcome.STALE)
        assert decide(host, SetAddress(V4[0]), when(signed_at=at)) == Decision(host, Outcome.UNCHANGED)
    assert decide(host, SetAddress(V4[1]), when(signed_at=NOW * 1000 + 1)).outcome is Outcome.UPDATED


def test_circumstances_take_the_time_of_signing_from_a_signature_only() -> None:
    signed, legacy = SignedRequest(5, "", b""), LegacyHash("", SOURCE, "")
    asked = [circumstances(UpdateRequest(proof, (), SOURCE, ttl=9), 7.0, POLICY) for proof in (signed, legacy)]
    assert [one.signed_at for one in asked] == [5, None]
    assert asked[0] == Circumstances(7.0, SOURCE, POLICY, 5, 9)


class Replay(RuleBasedStateMachine):
    """One host, its owner over two protocols, and somebody who recorded every signed request there ever was."""

    def __init__(self) -> None:
        super().__init__()
        self.host = make(version=1)
        self.now = float(NOW)
        self.captured: list[tuple[int, Address]] = []

    @rule(address=st.sampled_from(V4[:2]), pause=st.integers(1, 5_000))
    def the_owner_signs(self, address: Address, pause: int) -> None:
        self.now += pause / 1000
        at = int(self.now * 1000)
        self.captured.append((at, address))
        self._ask(address, at)

    @rule(address=st.sampled_from(V4[:2]), pause=st.integers(1, 5_000))
    def the_owner_uses_another_protocol(self, address: Address, pause: int) -> None:
        self.now += pause / 1000
        self._ask(address, None)

    @rule(data=st.data())
    def a_recorded_request_is_sent_again(self, data: st.DataObject) -> None:
        if self.captured:
            at, address = data.draw(st.sampled_from(self.captured))
            before = (self.host.desired, self.host.signed_only, self.host.signed_at)
            assert self._ask(address, at) in (Outcome.UNCHANGED, Outcome.STALE)
            assert (self.host.desired, self.host.signed_only, self.host.signed_at) == before

    def _ask(self, address: Address, signed_at: int | None) -> Outcome:
        decision = decide(self.host, SetAddress(address), when(self.now, signed_at=signed_at))
        self.host = decision.after or self.host
        return decision.outcome


TestReplay = Replay.TestCase
TestReplay.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
