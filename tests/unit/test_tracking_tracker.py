"""The tracker: whatever happens in whatever order, a part ends in exactly one result, and only a release passes."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manual_ejector import ManualEjector

from camera.frame import Frame, Trigger
from inspection.motion import ClockMotion
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Verdict
from inspection.pipeline.decide import not_decidable
from inspection.tracking.fusion import Fusion
from inspection.tracking.geometry import Geometry
from inspection.tracking.part import PartInFlight
from inspection.tracking.tracker import PartTracker

OK = Decision(Evaluation.OK, Verdict.PASS, Reason.NONE, 0.1, 0.5)
BAD = Decision(Evaluation.NOT_OK, Verdict.REJECT, Reason.MODEL, 0.9, 0.5, "scratch")


class Bench:
    def __init__(self, may_pass: bool = True, views: int = 1, reach: int = 0, ahead: int = 0) -> None:
        self.clock_ns = 1
        self.ejector = ManualEjector()
        self.results: list[PartResult] = []
        self.born: list[int] = []
        self.may_pass = may_pass
        self.tracker = PartTracker(
            "run-1",
            Geometry(travel=10**9, lead_ns=10**7, takes_behind=reach, takes_ahead=ahead),
            ClockMotion(),
            self.ejector,
            Fusion(),
            ("top", "side", "bottom")[:views],
            lambda: self.may_pass,
            lambda part: self.born.append(part.number),
            self.results.append,
            lambda: self.clock_ns,
        )
        self.ejector.open(self.tracker.on_actuation, lambda health: None)

    def trigger(self, number: int, at_ns: int | None = None) -> None:
        self.tracker.on_trigger(Trigger(number, number * 10**8 if at_ns is None else at_ns))

    def frame(self, number: int) -> Frame:
        return Frame("top", number, None, self.clock_ns, 0, "Mono8", np.zeros((4, 4), np.uint8))

    def result(self) -> tuple[Verdict, Reason, EjectorAction]:
        assert len(self.results) == 1
        decision = self.results[0].decision
        return decision.verdict, decision.reason, self.results[0].actuation.action


def test_a_good_part_is_released_and_passes() -> None:
    """Trigger, frame, OK, release: PASS, without a reason."""
    bench = Bench()
    bench.trigger(1)
    part = bench.tracker.on_frame(1, bench.frame(1))
    assert part is not None
    bench.tracker.view_decided(part, 0, OK)
    bench.ejector.due(1)
    assert bench.result() == (Verdict.PASS, Reason.NONE, EjectorAction.RELEASED)
    assert bench.born == [1]
    assert bench.tracker.in_flight == 0


def test_a_verdict_before_the_part_is_armed_is_told_after() -> None:
    """A disk that is slow to note a birth costs no good part: its verdict waits until the ejector knows of it."""
    bench = Bench()

    def decided_meanwhile(part: PartInFlight) -> None:
        assert bench.tracker.on_frame(1, bench.frame(1)) is part
        bench.tracker.view_decided(part, 0, OK)

    bench.tracker.born = decided_meanwhile
    bench.trigger(1)
    bench.ejector.due(1)
    assert bench.result() == (Verdict.PASS, Reason.NONE, EjectorAction.RELEASED)


def test_silence_rejects_as_late() -> None:
    """A frame without a verdict by the deadline is LATE."""
    bench = Bench()
    bench.trigger(1)
    bench.tracker.on_frame(1, bench.frame(1))
    bench.ejector.due(1)
    assert bench.result() == (Verdict.REJECT, Reason.LATE, EjectorAction.FIRED)


def test_silence_without_a_frame_is_no_image() -> None:
    """A trigger whose frame never came is NO_IMAGE, without anybody saying so."""
    bench = Bench()
    bench.trigger(1)
    bench.ejector.due(1)
    assert bench.result() == (Verdict.REJECT, Reason.NO_IMAGE, EjectorAction.FIRED)


def test_a_pass_after_the_deadline_is_recorded_as_late() -> None:
    """The ejector fired by default although the model said OK: the part was rejected, and the record says so."""
    bench = Bench()
    bench.trigger(1)
    part = bench.tracker.on_frame(1, bench.frame(1))
    assert part is not None
    bench.ejector.armed[1] = None
    decide, bench.ejector.decide = bench.ejector.decide, lambda part, verdict: None  # type: ignore[method-assign]
    bench.tracker.view_decided(part, 0, OK)
    bench.ejector.decide = decide  # type: ignore[method-assign]
    bench.ejector.due(1)
    assert bench.result() == (Verdict.REJECT, Reason.LATE, EjectorAction.FIRED)
    assert bench.results[0].decision.score == OK.score


def test_nothing_passes_while_the_station_is_in_error() -> None:
    """An OK in state ERROR becomes REJECT(SYSTEM); the score stays readable."""
    bench = Bench(may_pass=False)
    bench.trigger(1)
    part = bench.tracker.on_frame(1, bench.frame(1))
    assert part is not None
    bench.tracker.view_decided(part, 0, OK)
    bench.ejector.due(1)
    assert bench.result() == (Verdict.REJECT, Reason.SYSTEM, EjectorAction.FIRED)
    assert bench.results[0].decision.score == OK.score


def test_a_pass_that_was_not_released_is_no_pass() -> None:
    """The ejector died between PASS and release: nobody knows, so the record does not say PASS."""
    bench = Bench()
    bench.trigger(1)
    part = bench.tracker.on_frame(1, bench.frame(1))
    assert part is not None
    bench.tracker.view_decided(part, 0, OK)
    bench.ejector.due(1, EjectorAction.FAILED)
    assert bench.result() == (Verdict.REJECT, Reason.SYSTEM, EjectorAction.FAILED)


def test_a_lost_frame_costs_its_own_part_only() -> None:
    """Frame 2 is lost: part 2 is NO_IMAGE at once, and frame 3 finds part 3."""
    bench = Bench()
    for number in (1, 2, 3):
        bench.trigger(number)
    bench.tracker.on_frames_lost(2, 2)
    part = bench.tracker.on_frame(3, bench.frame(3))
    assert part is not None
    assert part.number == 3
    assert bench.ejector.armed[2] is Verdict.REJECT
    bench.ejector.due(2)
    assert bench.result()[1] is Reason.NO_IMAGE


def test_a_frame_that_overtakes_its_trigger_finds_its_part() -> None:
    """The two threads of a camera may swap: the frame waits for its trigger."""
    bench = Bench()
    assert bench.tracker.on_frame(1, bench.frame(1)) is None
    part, ((view, frame),) = bench.tracker.on_trigger(Trigger(1, 5))
    assert part is not None
    assert part.views[view].frame is frame


@pytest.mark.parametrize("number", [1, 2])
def test_a_doubled_or_old_trigger_makes_no_second_part(number: int) -> None:
    """A number that was there already is counted, not tracked."""
    bench = Bench()
    bench.trigger(1)
    bench.trigger(2)
    bench.trigger(number)
    assert bench.tracker.counters.doubled_triggers == 1
    assert bench.tracker.in_flight == 2


def test_a_second_frame_or_decision_changes_nothing() -> None:
    """The first decision stands, and a doubled frame is counted."""
    bench = Bench()
    bench.trigger(1)
    part = bench.tracker.on_frame(1, bench.frame(1))
    assert part is not None
    assert bench.tracker.on_frame(1, bench.frame(1)) is None
    bench.tracker.view_decided(part, 0, BAD)
    bench.tracker.view_decided(part, 0, OK)
    bench.ejector.due(1)
    assert bench.result() == (Verdict.REJECT, Reason.MODEL, EjectorAction.FIRED)
    assert bench.tracker.counters.spurious_frames == 1


def test_a_report_about_an_unknown_part_is_counted() -> None:
    """A report without a part makes no record, but is not silent either."""
    bench = Bench()
    bench.tracker.on_actuation(Actuation(7, EjectorAction.FIRED, True, None, None))
    assert bench.results == []
    assert bench.tracker.counters.unknown_actuations == 1


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_any_order_of_events_ends_each_part_exactly_once(count: int, chooser: random.Random) -> None:
    """Triggers come in order; frames, losses, verdicts and due times interleave at will: one result a part, and a
    PASS only where a PASS was decided and released."""
    bench = Bench()
    events: list[tuple[float, str, int]] = []
    for number in range(1, count + 1):
        born = float(number)
        events.append((born, "trigger", number))
        kind = chooser.choice(["ok", "bad", "lost", "silent", "unscored"])
        events.append((born + chooser.uniform(-3, 4), "lost" if kind == "lost" else "frame", number))
        if kind in ("ok", "bad", "unscored"):
            events.append((born + chooser.uniform(0, 6), kind, number))
        events.append((born + 5.0, "due", number))
    passed_in_time, lost = set(), {number for _, event, number in events if event == "lost"}
    for _, event, number in sorted(events):
        part = bench.tracker._parts.get(number)
        if event == "trigger":
            bench.trigger(number)
        elif event == "frame":
            bench.tracker.on_frame(number, bench.frame(number))
        elif event == "lost":
            bench.tracker.on_frames_lost(number, number)
        elif event == "due":
            bench.ejector.due(number)
        elif part is not None:
            if event == "ok" and part.decision is None:
                passed_in_time.add(number)
            decision = {"ok": OK, "bad": BAD, "unscored": not_decidable(Reason.SYSTEM)}[event]
            bench.tracker.view_decided(part, 0, decision)
    assert sorted(result.part for result in bench.results) == list(range(1, count + 1))
    passed = {result.part for result in bench.results if result.decision.verdict is Verdict.PASS}
    assert passed == passed_in_time
    assert lost <= {result.part for result in bench.results if result.decision.reason is Reason.NO_IMAGE}
    assert bench.tracker.wait_empty(0.0)


def test_a_loss_that_overtakes_its_trigger_rejects_the_part_at_its_birth() -> None:
    """Of the parts 2 to 4 of two views, told of before any is born, each is rejected at once; 1 and 5 may yet pass."""
    bench = Bench(views=2)
    for view in (0, 1):
        bench.tracker.on_frames_lost(2, 4, view)
    decided = {}
    for number in range(1, 6):
        bench.trigger(number)
        decided[number] = bench.ejector.armed[number]
    assert decided == {1: None, 2: Verdict.REJECT, 3: Verdict.REJECT, 4: Verdict.REJECT, 5: None}
    assert bench.tracker.counters.lost_frames == 6


def test_a_camera_that_counts_anew_gives_no_part_an_old_frame() -> None:
    """Frame 2 came, its trigger never did; after the camera was opened again part 2 is another one."""
    bench = Bench()
    bench.trigger(1)
    bench.tracker.on_frame(2, bench.frame(2))
    bench.tracker.on_frames_lost(3, 3)
    bench.tracker.forget_early()
    bench.trigger(2)
    bench.trigger(3)
    assert [part.views[0].frame for part in bench.tracker._parts.values()] == [None] * 3
    assert bench.ejector.armed == {1: None, 2: None, 3: None}
    assert bench.tracker.counters.spurious_frames == 1


# ------------------------------------------------------------------------------------------------- several views


def _two_views(first: Decision | None, second: Decision | None) -> tuple[Verdict, Reason, EjectorAction]:
    bench = Bench(views=2)
    bench.trigger(1)
    for view, decision in enumerate((first, second)):
        if decision is not None:
            part = bench.tracker.on_frame(1, bench.frame(1), view)
            assert part is not None
            bench.tracker.view_decided(part, view, decision)
    bench.ejector.due(1)
    return bench.result()


def test_a_part_passes_only_when_each_of_its_views_is_ok() -> None:
    """One view that is NOT_OK rejects; the second view is waited for."""
    assert _two_views(OK, OK) == (Verdict.PASS, Reason.NONE, EjectorAction.RELEASED)
    assert _two_views(OK, BAD) == (Verdict.REJECT, Reason.MODEL, EjectorAction.FIRED)
    assert _two_views(BAD, OK) == (Verdict.REJECT, Reason.MODEL, EjectorAction.FIRED)


def test_a_missing_view_rejects() -> None:
    """A part of which one view never came is MISSING_VIEW; one that another view condemned stays MODEL."""
    assert _two_views(OK, None) == (Verdict.REJECT, Reason.MISSING_VIEW, EjectorAction.FIRED)
    assert _two_views(None, BAD) == (Verdict.REJECT, Reason.MODEL, EjectorAction.FIRED)
    assert _two_views(None, None) == (Verdict.REJECT, Reason.NO_IMAGE, EjectorAction.FIRED)


def test_a_view_that_is_known_to_be_lost_decides_at_once() -> None:
    """The gap in the second camera's counter rejects the part before its deadline, and its record names both views."""
    bench = Bench(views=2)
    bench.trigger(1)
    part = bench.tracker.on_frame(1, bench.frame(1), 0)
    assert part is not None
    bench.tracker.view_decided(part, 0, OK)
    assert bench.ejector.armed[1] is None
    bench.tracker.on_frames_lost(1, 1, 1)
    assert bench.ejector.armed[1] is Verdict.REJECT
    bench.ejector.due(1)
    assert bench.result()[1] is Reason.MISSING_VIEW
    assert [view["missing"] for view in bench.results[0].extra["views"]] == [False, True]
    assert [view["camera"] for view in bench.results[0].extra["views"]] == ["top", "side"]
    assert bench.results[0].extra["views"][0]["place"] == (0, 0, 4, 4)


# ---------------------------------------------------------------------------------------------------- neighbours


def _decide(bench: Bench, number: int, decision: Decision) -> None:
    part = bench.tracker.on_frame(number, bench.frame(number))
    assert part is not None
    bench.tracker.view_decided(part, 0, decision)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_reject_takes_the_part_close_behind_it_along(order: tuple[int, int]) -> None:
    """Part 2 is OK and 10 ms behind a rejected part: one pulse takes both, and the record of part 2 says so."""
    bench = Bench(reach=30)
    bench.trigger(1, at_ns=100)
    bench.trigger(2, at_ns=110)
    for number in order:
        _decide(bench, number, BAD if number == 1 else OK)
    assert bench.ejector.armed == {1: Verdict.REJECT, 2: Verdict.PASS}
    for number in (1, 2):
        bench.ejector.due(number)
    assert [result.decision.reason for result in bench.results] == [Reason.MODEL, Reason.SYSTEM]
    taken = bench.results[1]
    assert (taken.decision.verdict, taken.decision.evaluation) == (Verdict.REJECT, Evaluation.OK)
    assert taken.actuation.action is EjectorAction.TAKEN_ALONG
    assert "takes this one along" in taken.extra["failure"]


def test_a_reject_that_comes_by_default_takes_its_neighbour_along() -> None:
    """Nobody decided about part 1: part 2 waits for it, and is taken along."""
    bench = Bench(reach=30)
    bench.trigger(1, at_ns=100)
    bench.trigger(2, at_ns=110)
    _decide(bench, 2, OK)
    assert bench.ejector.armed[2] is None
    bench.ejector.due(1)
    bench.ejector.due(2)
    assert [result.actuation.action for result in bench.results] == [EjectorAction.FIRED, EjectorAction.TAKEN_ALONG]


@pytest.mark.parametrize("action", [EjectorAction.REMOVED, EjectorAction.FAILED])
def test_a_part_without_a_pulse_takes_nobody_along(action: EjectorAction) -> None:
    """A part that was taken off by hand, or could not be fired at, leaves its neighbour alone."""
    bench = Bench(reach=30)
    bench.trigger(1, at_ns=100)
    bench.trigger(2, at_ns=110)
    _decide(bench, 2, OK)
    bench.ejector.due(1, action)
    bench.ejector.due(2)
    assert bench.results[0].decision.reason is (Reason.OPERATOR if action is EjectorAction.REMOVED else Reason.NO_IMAGE)
    assert bench.results[1].decision.verdict is Verdict.PASS


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=2, max_size=8), st.randoms(use_true_random=False)
)
def test_exactly_the_good_parts_within_reach_of_a_pulse_are_taken_along(
    parts: list[tuple[int, bool]], chooser: random.Random
) -> None:
    """Whatever the gaps and the order of verdicts: bad parts get a pulse each, good ones within its reach are recorded
    as taken along, all others pass; nobody is taken along by one that was taken along."""
    bench = Bench(reach=30, ahead=10)
    at_ns, places = 1000, {}
    for number, (gap, _) in enumerate(parts, 1):
        at_ns += gap
        places[number] = at_ns
        bench.trigger(number, at_ns=at_ns)
    for number in chooser.sample(sorted(places), len(places)):
        _decide(bench, number, OK if parts[number - 1][1] else BAD)
    for number in places:
        bench.ejector.due(number)
    bad = [number for number in places if not parts[number - 1][1]]
    for number, result in enumerate(bench.results, 1):
        within = any(-10 < places[number] - places[other] < 30 for other in bad)
        taken = EjectorAction.TAKEN_ALONG if within else EjectorAction.RELEASED
        expected = EjectorAction.FIRED if number in bad else taken
        assert result.actuation.action is expected
        assert (result.decision.verdict is Verdict.PASS) == (expected is EjectorAction.RELEASED)
