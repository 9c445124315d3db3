"""The matcher: a frame goes to the part that it shows or to none, whatever was lost, missed, doubled or spurious."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from inspection.tracking.match_settings import MatchSettings, Numbering
from inspection.tracking.matching import Matcher

MS = 1_000_000
EARLIEST, LATEST, ARRIVAL, CLOSEST = 1 * MS, 3 * MS, 20 * MS, 30 * MS


def made(numbering: Numbering, **changes: Any) -> Matcher:
    values: dict[str, Any] = {"earliest": EARLIEST, "latest": LATEST, "arrival": ARRIVAL, "closest": CLOSEST}
    return Matcher(MatchSettings(numbering, **{**values, **changes}))


@dataclass(frozen=True)
class Truth:
    """What an exposure really shows: the physical part (None: bare belt), and whether it must be matched."""

    shows: int | None
    must_match: bool


class Line(RuleBasedStateMachine):
    """Physical parts, a photo-eye, a camera and a link, each with its faults; the matcher sees only their messages."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000 * MS
        self.events: list[tuple[int, int, str, tuple[Any, ...]]] = []
        self.order = 0
        self.physical = 0
        self.edges: dict[int, tuple[int, int | None]] = {}  # part → (place, physical part that broke the beam)
        self.crossings: dict[int, int] = {}
        self.matched: dict[int, Truth] = {}
        self.clean = 0
        self.faults: list[int] = []
        self.lost = 0
        self.last_received = 0
        self.last_birth = 0

    @initialize(
        numbering=st.sampled_from([Numbering.EXPOSURES, Numbering.TIME, Numbering.COUNTER]),
        wrap=st.sampled_from([(None, False), (16, True), (16, False), (4, False)]),
        start=st.integers(0, 70_000),
        stamped=st.booleans(),
    )
    def begin(self, numbering: Numbering, wrap: tuple[int | None, bool], start: int, stamped: bool) -> None:
        self.bits, self.skips = wrap
        self.matcher = made(numbering, counter_bits=self.bits, skips_zero=self.skips)
        self.numbering = numbering
        self.count = start
        self.stamped = stamped or numbering is Numbering.TIME
        self.patience = 0 if numbering is Numbering.TIME else self.matcher._settings.confirm

    def later(self, at: int, kind: str, *what: Any) -> None:
        self.order += 1
        heapq.heappush(self.events, (at, self.order, kind, what))

    def raw(self, count: int) -> int:
        modulus = self.matcher._settings.modulus
        return count if modulus is None else count % modulus + self.skips

    def edge(self, at: int, physical: int | None, latency: int) -> None:
        self.last_birth = max(self.last_birth + 1, at + latency)
        self.later(self.last_birth, "born", at, physical)

    def expose(self, at: int, shows: int | None, delay: int, *, lost: bool, must_match: bool) -> None:
        """One exposure; the camera's counter counts it, the link delivers it in order or loses it."""
        self.later(at, "count", at, shows, delay, lost, must_match)

    def advance(self, gap: int) -> None:
        self.now += gap
        while self.events and self.events[0][0] <= self.now:
            at, _, kind, what = heapq.heappop(self.events)
            getattr(self, f"happens_{kind}")(at, *what)

    def happens_born(self, at: int, place: int, physical: int | None) -> None:
        part = len(self.edges) + 1
        self.edges[part] = (place, physical)
        birth = self.matcher.born(part, place)
        for doubtful in birth.doubtful:
            self.matched.pop(doubtful, None)
        if birth.match is not None:
            self.judge(birth.match.part, self.on_their_way[birth.match.counter, "last"])

    on_their_way: dict[Any, Any]

    def happens_count(self, at: int, place: int, shows: int | None, delay: int, lost: bool, must_match: bool) -> None:
        self.count += 1
        if lost:
            self.lost += 1
            return
        received = max(self.last_received + 1, at + delay)
        self.last_received = received
        self.later(received, "frame", self.count, self.lost, place, Truth(shows, must_match))
        self.lost = 0

    def happens_missed(self, at: int) -> None:
        if self.numbering is Numbering.COUNTER:
            self.count += 1
            self.lost += 1

    def happens_frame(self, at: int, count: int, lost: int, place: int, truth: Truth) -> None:
        if not hasattr(self, "on_their_way"):
            self.on_their_way = {}
        counter = self.raw(count)
        self.on_their_way[counter, "last"] = truth
        match = self.matcher.frame(counter, lost, place if self.stamped else None, at)
        if match is not None:
            assert match.counter == counter
            self.judge(match.part, truth)
        if truth.must_match:
            # Its own birth may still be on its way to the matcher; it is looked at again when the line was emptied.
            self.later(at + 60 * MS, "expected", truth)

    def happens_expected(self, at: int, truth: Truth) -> None:
        assert truth.shows is not None
        crossed = self.crossings[truth.shows]
        if any(crossed <= fault <= crossed + 3 * CLOSEST for fault in self.faults[-50:]):
            return  # the next fault came so soon that it may have clouded this part, too
        assert truth in self.matched.values(), f"{truth} found no part although the line was in order again"

    def judge(self, part: int, truth: Truth) -> None:
        assert part not in self.matched
        self.matched[part] = truth

    def wrong(self) -> list[tuple[int, Truth]]:
        return [(part, truth) for part, truth in self.matched.items() if not self.right(part, truth)]

    def right(self, part: int, truth: Truth) -> bool:
        place, physical = self.edges[part]
        if truth.shows is None or physical == truth.shows:
            return True
        return physical is None and abs(place - self.crossings[truth.shows]) < CLOSEST

    def crossing(self) -> int:
        self.physical += 1
        self.crossings[self.physical] = self.now
        return self.physical

    def faulty(self) -> None:
        self.clean = 0
        self.faults.append(self.now)

    within = st.integers(EARLIEST, LATEST)
    delays = st.integers(0, ARRIVAL)
    latencies = st.sampled_from([0, 0, 1 * MS, 25 * MS])
    pitches = st.one_of(st.integers(CLOSEST, 2 * CLOSEST), st.just(CLOSEST), st.integers(2_000 * MS, 90_000 * MS))

    @rule(pitch=pitches, after=within, delay=delays, latency=latencies, times=st.sampled_from([1, 1, 2, 5]))
    def good_parts(self, pitch: int, after: int, delay: int, latency: int, times: int) -> None:
        """Parts that everything works for; a long pitch is a belt that stood."""
        for _ in range(times):
            self.advance(pitch)
            part = self.crossing()
            self.edge(self.now, part, latency)
            self.clean += 1
            sure = self.clean > self.patience or not self.faults
            placed = self.stamped or self.matcher._settings.sure_by_receipt
            self.expose(self.now + after, part, delay, lost=False, must_match=sure and placed)

    @rule(pitch=pitches, after=within, delay=delays, fault=st.sampled_from(["lost", "missed", "unseen", "both"]))
    def one_fault(self, pitch: int, after: int, delay: int, fault: str) -> None:
        """A frame lost on the link, a trigger that the camera missed, a part that the photo-eye missed, or both did."""
        self.advance(pitch)
        self.faulty()
        part = self.crossing()
        if fault in ("lost", "missed"):
            self.edge(self.now, part, 0)
        if fault in ("lost", "unseen"):
            self.expose(self.now + after, part, delay, lost=fault == "lost", must_match=False)
        elif fault == "missed":
            self.later(self.now + after, "missed")

    @rule(
        pitch=pitches, after=within, delay=delays, bounce=st.integers(1, 2 * MS), latency=latencies,
        doubled=st.sampled_from(["edge", "exposure", "both"]),
    )  # fmt: skip
    def doubled(self, pitch: int, after: int, delay: int, bounce: int, latency: int, doubled: str) -> None:
        """One part breaks the beam twice, is exposed twice, or both."""
        self.advance(pitch)
        self.faulty()
        part = self.crossing()
        self.edge(self.now, part, latency)
        self.expose(self.now + after, part, delay, lost=False, must_match=False)
        if doubled != "exposure":
            self.edge(self.now + bounce, part, latency)
        if doubled != "edge":
            self.expose(self.now + min(after + bounce, LATEST), part, delay, lost=False, must_match=False)

    @rule(pitch=st.integers(1, 2 * CLOSEST), delay=delays, lost=st.booleans())
    def spurious_exposure(self, pitch: int, delay: int, lost: bool) -> None:
        """The camera exposes although no part is there (or one happens to be)."""
        self.advance(pitch)
        self.faulty()
        shows = [n for n, at in self.crossings.items() if at + EARLIEST <= self.now <= at + LATEST]
        self.expose(self.now, shows[-1] if shows else None, delay, lost=lost, must_match=False)

    @rule(pitch=st.integers(1, 2 * CLOSEST), latency=latencies)
    def spurious_edge(self, pitch: int, latency: int) -> None:
        """The photo-eye sees something that is no part."""
        self.advance(pitch)
        self.faulty()
        self.edge(self.now, None, latency)

    gaps = st.one_of(st.integers(1, LATEST - EARLIEST), st.integers(1, CLOSEST))

    @rule(gap=gaps, after=within, delay=delays, latency=latencies, missed=st.sampled_from([None, 0, 1]))
    def close_pair(self, gap: int, after: int, delay: int, latency: int, missed: int | None) -> None:
        """Two parts closer than can be told apart, both seen by the photo-eye; the camera may miss one of them."""
        self.advance(2 * CLOSEST)
        for place in (0, 1):
            self.advance(gap)
            self.faulty()
            part = self.crossing()
            self.edge(self.now, part, latency)
            if missed != place:
                self.expose(self.now + after, part, delay, lost=False, must_match=False)
        self.advance(CLOSEST)

    @precondition(lambda self: self.physical > 0)
    @rule()
    def drain(self) -> None:
        """Everything on its way arrives."""
        self.advance(200 * MS)
        assert self.wrong() == []

    def teardown(self) -> None:
        if hasattr(self, "matcher"):
            self.advance(1_000 * MS)
            assert self.wrong() == []
            counters = self.matcher.counters
            assert counters.matched >= len(self.matched)


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def feed(matcher: Matcher, part: int, count: int, lost: int = 0, *, late: int = 5 * MS) -> int | None:
    """Let part `part`, at part × 100 ms, be born and its frame be received; return the part that it went to."""
    place = part * 100 * MS
    matcher.born(part, place)
    match = matcher.frame(count, lost, None, place + 2 * MS + late)
    return None if match is None else match.part


@pytest.mark.parametrize("numbering", [Numbering.EXPOSURES, Numbering.COUNTER])
def test_a_missed_trigger_never_shifts_by_one(numbering: Numbering) -> None:
    """The camera misses part 4: where it counts exposures only, one more part is refused, and from then on each frame
    goes to its own part again, with the resynchronisation counted."""
    matcher = made(numbering)
    assert [feed(matcher, part, part) for part in (1, 2, 3)] == [1, 2, 3]
    matcher.born(4, 400 * MS)
    counts = numbering is Numbering.COUNTER
    found = [feed(matcher, part, part if counts else part - 1, int(counts and part == 5)) for part in (5, 6, 7)]
    assert found == ([5, 6, 7] if counts else [None, 6, 7])
    assert matcher.counters.resyncs == (0 if counts else 1)


@given(late=st.integers(1, 300), count=st.integers(4, 12))
@settings(max_examples=40, deadline=None)
def test_a_late_frame_is_not_taken_for_the_next_part(late: int, count: int) -> None:
    """A frame later than any should be, alone or holding up those behind it, never goes to another part."""
    matcher = made(Numbering.EXPOSURES)
    events = [(part * 100 * MS, 0, part) for part in range(1, 20)]
    received = 0
    for part in range(1, 20):
        received = max(received + 1, part * 100 * MS + 7 * MS + (late * MS if part == count else 0))
        events.append((received, 1, part))
    for at, kind, part in sorted(events):
        if kind == 0:
            assert matcher.born(part, at).match is None
        elif (match := matcher.frame(part, 0, None, at)) is not None:
            assert match.part == part
    assert matcher.counters.matched >= 19 - 6


def test_a_count_that_contradicts_itself_is_a_doubt() -> None:
    """A counter that jumps although the driver says that nothing was lost (a camera that began anew) is believed
    only when two frames in a row agree again."""
    matcher = made(Numbering.EXPOSURES)
    assert feed(matcher, 1, 1) == 1
    matcher.born(2, 200 * MS)
    assert [feed(matcher, 3, 3, 0), feed(matcher, 4, 4), feed(matcher, 5, 5)] == [None, 4, 5]
    assert [feed(matcher, 6, 0), feed(matcher, 7, 1), feed(matcher, 8, 2)] == [None, 7, 8]
    assert matcher.counters.doubts == 2
    assert matcher.counters.resyncs == 2


def test_a_gap_tells_the_parts_without_image() -> None:
    """When frame 5 follows frame 2, parts 3 and 4 are told to have no image, once."""
    matcher = made(Numbering.TIME)
    for part in range(1, 7):
        matcher.born(part, part * 100 * MS)
    told = {}
    for part, lost in ((1, 0), (2, 0), (5, 2), (6, 0)):
        match = matcher.frame(part, lost, part * 100 * MS + 2 * MS, 0)
        assert match is not None
        told[match.part] = match.without_image
    assert told == {1: (), 2: (), 5: (3, 4), 6: ()}


def test_a_frame_that_overtakes_its_trigger_finds_it() -> None:
    """A frame that is read before its trigger waits for it; one without any part in its window is dropped later."""
    matcher = made(Numbering.TIME)
    assert matcher.frame(1, 0, 102 * MS, 110 * MS) is None
    assert matcher.frame(2, 0, 150 * MS, 160 * MS) is None
    birth = matcher.born(1, 100 * MS)
    assert birth.match is not None
    assert (birth.match.part, birth.match.counter) == (1, 1)
    assert matcher.born(2, 200 * MS).match is None
    assert matcher.counters.stray == 1


def test_two_triggers_in_one_window_make_an_earlier_match_doubtful() -> None:
    """A frame was given to part 1; then a trigger so close to it turns up that the frame may show part 2."""
    matcher = made(Numbering.TIME)
    matcher.born(1, 100 * MS)
    assert matcher.frame(1, 0, 102 * MS, 110 * MS) is not None
    assert matcher.born(2, 101 * MS).doubtful == (1,)


def test_a_device_that_numbers_its_triggers_is_exact() -> None:
    """With the device's own count at birth the frame finds its part however late it is, over a wrap and a gap."""
    matcher = made(Numbering.COUNTER, counter_bits=16, skips_zero=True)
    counts = [65_533, 65_534, 65_535, 1, 2]
    for part, count in enumerate(counts, 1):
        matcher.born(part, part * MS, count)
    found = [matcher.frame(count, lost, None, 10**12) for count, lost in ((65_533, 0), (65_535, 1), (1, 0), (7, 5))]
    assert [None if match is None else match.part for match in found] == [1, 3, 4, None]
    birth = matcher.born(6, 10**12, 7)
    assert birth.match is not None
    assert birth.match.part == 6


def test_an_ended_part_gets_no_frame() -> None:
    """A frame for a part that is done, or that came before a restart of the camera, is a stray."""
    matcher = made(Numbering.TIME)
    matcher.born(1, 100 * MS)
    matcher.ended(1)
    assert matcher.frame(1, 0, 102 * MS, 110 * MS) is None
    matcher.born(2, 200 * MS)
    matcher.restart()
    assert matcher.frame(1, 0, 202 * MS, 210 * MS) is None
    assert matcher.counters.stray == 2


def test_a_frame_without_a_time_stamp_is_not_guessed() -> None:
    """Where receipt alone cannot place a frame it is refused, and counted."""
    for matcher in (made(Numbering.TIME), made(Numbering.EXPOSURES, arrival=2 * CLOSEST)):
        matcher.born(1, 100 * MS)
        assert matcher.frame(1, 0, None, 110 * MS) is None
        assert matcher.counters.unplaced == 1


def test_a_window_as_wide_as_the_pitch_is_refused() -> None:
    """Settings under which no frame could be matched for sure are refused with their values."""
    with pytest.raises(ValueError, match="narrower"):
        MatchSettings(Numbering.TIME, 0, 30, arrival=0, closest=30)
    with pytest.raises(ValueError, match="confirm"):
        MatchSettings(Numbering.TIME, 0, 3, arrival=0, closest=30, confirm=0)


def test_memory_stays_bounded() -> None:
    """Parts that nobody ends and frames of nothing do not pile up."""
    matcher = made(Numbering.TIME, capacity=64)
    for part in range(1, 3_000):
        matcher.born(part, part * 100 * MS)
        matcher.frame(part, 0, part * 100 * MS + 50 * MS, 0)
    assert len(matcher._parts) <= 64
    assert len(matcher._pending) <= 16
