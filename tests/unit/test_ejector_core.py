"""The scheduler's core on a line in virtual time: whatever happens in whatever order, no part fares worse than told."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import Any

import pytest
from ejector_line import MS, EjectorLine
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from inspection.ejector.commands import ReadInputs, Switch
from inspection.ejector.core import SchedulerCore
from inspection.ejector.messages import Decide, Expect
from inspection.ejector.rules import Rules
from inspection.part import Actuation, EjectorAction, Verdict

FIRED, LATE, FAILED = EjectorAction.FIRED, EjectorAction.FIRED_LATE, EjectorAction.FAILED
RELEASED, DIVERTED = EjectorAction.RELEASED, EjectorAction.DIVERTED
FASTEST = 4.0


def rules(**values: Any) -> Rules:
    usual = {"lead_ns": 4 * MS, "guard_ns": 5 * MS, "pulse_ns": 30 * MS, "window_ns": 5 * MS, "pause_ns": 6 * MS}
    return Rules(**{**usual, **values})


VERDICTS = st.sampled_from([Verdict.PASS] * 5 + [Verdict.REJECT, None])


def is_wild(machine: RuleBasedStateMachine) -> bool:
    return hasattr(machine, "line") and not machine.is_calm  # type: ignore[attr-defined]


class LineMachine(RuleBasedStateMachine):
    """A station that says anything at any time, on a belt that does anything, over a port that comes and goes."""

    positive = False

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        draw = data.draw
        queue = not self.positive and draw(st.booleans())
        self.line = EjectorLine(
            rules(
                positive_release=self.positive,
                queue=queue,
                ends_itself=not queue and draw(st.booleans()),
                encoder_timeout_ns=draw(st.sampled_from([None, 200 * MS])),
                pulse_ns=draw(st.integers(6, 60)) * MS,
                window_ns=draw(st.integers(2, 6)) * MS,
                margin_ns=draw(st.integers(0, 10)) * MS,
                heartbeat_channel=draw(st.sampled_from([None, 2])),
            )
        )
        self.is_calm = draw(st.booleans())
        self.line.jitter_ns = draw(st.sampled_from([0, 200_000, 900_000] if self.is_calm else [0, 900_000, 3 * MS]))
        self.last_due = self.line.place()
        self.line.advance(50 * MS)

    @rule(parts=st.lists(st.tuples(st.integers(0, 40), VERDICTS), min_size=1, max_size=6), ahead_ms=st.integers(60, 90))
    def expect_in_order(self, parts: list[tuple[int, Verdict | None]], ahead_ms: int) -> None:
        """Parts in the order of the belt, most of them decided at once."""
        unit = 1 if self.line.has_encoder else MS
        self.last_due = max(self.last_due, self.line.place() + ahead_ms * unit)
        for gap_ms, verdict in parts:
            part = len(self.line.due)
            self.last_due += gap_ms * unit
            self.line.expect(part, self.last_due)
            if verdict is not None:
                self.line.decide(part, verdict)

    @precondition(is_wild)
    @rule(ahead_ms=st.integers(-50, 100))
    def expect_anywhere(self, ahead_ms: int) -> None:
        self.line.expect(len(self.line.due), self.line.place() + ahead_ms * (1 if self.line.has_encoder else MS))

    @rule(back=st.integers(0, 4), verdict=st.sampled_from([Verdict.PASS, Verdict.PASS, Verdict.REJECT]))
    def decide(self, back: int, verdict: Verdict) -> None:
        self.line.decide(max(0, len(self.line.due) - 1 - back), verdict)

    @rule(for_ms=st.integers(1, 80))
    def advance(self, for_ms: int) -> None:
        self.line.advance(for_ms * MS)

    @precondition(is_wild)
    @rule(for_ms=st.integers(1, 120), late_ms=st.lists(st.integers(0, 120), max_size=3))
    def stall(self, for_ms: int, late_ms: list[int]) -> None:
        """The process sleeps, and hears too late of parts that are gone."""
        self.line.stall(for_ms * MS)
        for ago_ms in late_ms:
            self.line.expect(len(self.line.due), self.line.place() - ago_ms * (1 if self.line.has_encoder else MS))

    @precondition(is_wild)
    @rule()
    def lose(self) -> None:
        self.line.lose()

    @precondition(is_wild)
    @rule()
    def restore(self) -> None:
        self.line.restore()

    @precondition(lambda self: is_wild(self) and self.line.has_encoder)
    @rule(speed=st.sampled_from([0.0, 0.0, -0.5, 0.5, 1.0, FASTEST]), for_ms=st.integers(1, 200))
    def run_belt(self, speed: float, for_ms: int) -> None:
        self.line.run_belt(speed)
        self.line.advance(for_ms * MS)

    @precondition(is_wild)
    @rule(for_ms=st.integers(1, 400))
    def hear_nothing_of_the_belt(self, for_ms: int) -> None:
        self.line.is_heard = False
        self.line.advance(for_ms * MS)
        self.line.is_heard = True

    def teardown(self) -> None:
        if hasattr(self, "line"):
            self.judge(self.line.finish())

    def judge(self, outcome: dict[int, Actuation]) -> None:
        raise NotImplementedError

    def was_passed_in_time(self, part: int) -> bool:
        """Return whether the first verdict was a PASS that came in time, as far as a clock can tell."""
        verdict, told_ns = self.line.told.get(part, (Verdict.REJECT, 0))
        in_time = self.line.has_encoder or told_ns <= self.planned_ns(part) - self.line.rules.margin_ns
        return verdict is Verdict.PASS and in_time

    def planned_ns(self, part: int) -> int:
        return self.line.due[part] - self.line.rules.lead_ns


class RejectMachine(LineMachine):
    """A pulse for each part that was not passed, none for one that was."""

    def judge(self, outcome: dict[int, Actuation]) -> None:
        line, window_ns = self.line, self.line.rules.window_ns
        ons_ns = sorted(at_ns for at_ns, on in line.edges if on)
        written_ns = sorted(one.written_host_ns for one in outcome.values() if one.written_host_ns is not None)
        assert ons_ns == written_ns, "each pulse is one part's, each part has one pulse at most"
        assert line.ons_while_standing == 0
        for part, one in outcome.items():
            assert one.action in (RELEASED, FIRED, LATE, FAILED)
            if one.action is RELEASED:
                assert self.was_passed_in_time(part)
                assert one.written_host_ns is None
            elif not line.has_encoder:
                assert not self.was_passed_in_time(part)
            if one.action is FIRED and not line.has_encoder:
                assert one.written_host_ns is not None
                assert abs(one.written_host_ns - self.planned_ns(part)) <= window_ns
            if self.is_calm and not line.rules.queue:
                assert one.action in (RELEASED, FIRED)
        if line.rules.queue:
            for index, ((before_ns, before), (at_ns, on)) in enumerate(pairwise(line.edges)):
                if not line.resets & {index, index + 1}:
                    assert on is not before, "every pulse of a queue has edges of its own"
                    assert at_ns - before_ns >= min(line.rules.pause_ns, line.rules.pulse_ns)


class ReleaseMachine(LineMachine):
    """A pulse for a part only if it was passed and can be told from its neighbours; the gate is shut for all others."""

    positive = True

    def judge(self, outcome: dict[int, Actuation]) -> None:
        line, window_ns = self.line, self.line.rules.window_ns
        assert line.ons_while_standing == 0
        ends_itself = line.rules.ends_itself
        for part, one in outcome.items():
            assert one.action in (RELEASED, DIVERTED, FAILED)
            if one.action is RELEASED:
                assert self.was_passed_in_time(part)
                assert one.written_host_ns is not None
            if one.written_host_ns is not None:
                assert self.was_passed_in_time(part), "a release for a part that is not passed"
                assert (one.written_host_ns, True) in line.edges
            if line.has_encoder or ends_itself:
                continue
            planned_ns = self.planned_ns(part)
            if one.action is RELEASED:
                assert one.written_host_ns is not None
                assert planned_ns <= one.written_host_ns <= planned_ns + window_ns
                assert not line.shut_in(one.written_host_ns, planned_ns + window_ns)
            if one.action is DIVERTED:
                assert not line.open_in(planned_ns - window_ns, planned_ns + window_ns), "the gate was open for it"
            if self.is_calm:
                assert one.action in (RELEASED, DIVERTED)
        self.judge_neighbours(outcome)

    def judge_neighbours(self, outcome: dict[int, Actuation]) -> None:
        """Parts that the gate cannot tell apart share their fate."""
        if self.line.has_encoder or not self.is_calm:
            return
        for left, right in pairwise(sorted(outcome, key=lambda part: (self.line.due[part], part))):
            if self.line.due[right] - self.line.due[left] < self.line.rules.clear_ns:
                assert outcome[left].action is outcome[right].action


@pytest.mark.parametrize("machine", [RejectMachine, ReleaseMachine])
def test_no_part_fares_worse_than_told(machine: type[LineMachine]) -> None:
    """Whatever the order of messages, stops of the belt and losses of the port: see the machines."""
    run_state_machine_as_test(machine, settings=settings(max_examples=80, stateful_step_count=20, deadline=None))


def test_the_example_of_the_docstring_works() -> None:
    """The five lines that the core's docstring shows drive it, and it says when it is to be called next."""
    assert SchedulerCore.__doc__ is not None
    lines = SchedulerCore.__doc__.split("::", 1)[1].split("\n\n    A Switch")[0]
    reports: list[Actuation] = []
    names: dict[str, Any] = {"SchedulerCore": SchedulerCore, "Rules": Rules, "Expect": Expect, "report": reports.append}
    names |= {"now_ns": 0, "due_ns": 100 * MS}
    exec(textwrap.dedent(lines), names)
    assert names["now_ns"] == 96 * MS
    assert names["core"].next_command(96 * MS) == Switch(1, True, is_pulse=True)


def reject_line(**values: Any) -> EjectorLine:
    line = EjectorLine(rules(**values))
    line.advance(MS)
    return line


def test_pulses_that_queue_are_shortened_as_little_as_possible() -> None:
    """The first pulse ends so that the second begins a jitter before the end of its window, with the pause between."""
    line = reject_line(queue=True, pulse_ns=30 * MS, window_ns=5 * MS, pause_ns=6 * MS)
    start_ns = line.now_ns + 100 * MS
    for part, after_ms in enumerate((0, 20, 200)):
        line.expect(part, start_ns + after_ms * MS + line.rules.lead_ns)
    outcome = line.finish()
    assert [(at_ns - start_ns) // MS for at_ns, _ in line.edges] == [0, 18, 24, 54, 200, 230]
    assert {one.action for one in outcome.values()} == {FIRED}
    assert outcome[1].lateness_us == 4000
    counters = line.core.count()
    assert (counters.queued, counters.shortened, counters.merges) == (1, 1, 0)


def test_a_queued_pulse_that_cannot_begin_in_its_window_is_a_fault() -> None:
    """Two parts closer together than an edge each allows: the second is fired late, and told so."""
    line = reject_line(queue=True, pulse_ns=30 * MS, window_ns=2 * MS, pause_ns=6 * MS)
    due_ns = line.now_ns + 100 * MS
    line.expect(1, due_ns)
    line.expect(2, due_ns + MS)
    outcome = line.finish()
    assert (outcome[1].action, outcome[2].action) == (FIRED, LATE)


def test_a_release_ends_before_the_window_of_a_part_that_is_not_passed() -> None:
    """The pulse of a passed part is cut for an undecided one, and goes on for one that is passed meanwhile."""
    line = reject_line(positive_release=True, pulse_ns=60 * MS, window_ns=5 * MS)
    start_ns = line.now_ns + 100 * MS
    for part, after_ms in enumerate((0, 30, 200, 230)):
        line.expect(part, start_ns + after_ms * MS + line.rules.lead_ns)
    for part in (0, 2, 3):
        line.decide(part, Verdict.PASS)
    outcome = line.finish()
    assert [(at_ns - start_ns) // MS for at_ns, _ in line.edges] == [0, 20, 200, 230, 290]
    assert [outcome[part].action for part in range(4)] == [RELEASED, DIVERTED, RELEASED, RELEASED]
    assert outcome[1].by_default


def test_a_gate_that_shuts_behind_one_part_does_not_spoil_the_release_of_the_next() -> None:
    """It shut within the next part's window, and opened again in time for it: both are released, and none is FAILED."""
    line = reject_line(positive_release=True, pulse_ns=18 * MS, window_ns=6 * MS)
    start_ns = line.now_ns + 100 * MS
    for part, after_us in enumerate((0, 23_500)):
        line.expect(part, start_ns + after_us * 1000 + line.rules.lead_ns)
        line.decide(part, Verdict.PASS)
    outcome = line.finish()
    assert [(at_ns - start_ns) // 1000 for at_ns, _ in line.edges] == [0, 18_000, 23_500, 41_500]
    assert [outcome[part].action for part in range(2)] == [RELEASED, RELEASED]
    assert line.core.count().cut_releases == 0


def test_parts_that_the_gate_cannot_tell_apart_share_one_fate() -> None:
    """One part that is not passed takes its close neighbours along, on both sides; a chain hangs together."""
    line = reject_line(positive_release=True, window_ns=5 * MS, guard_ns=5 * MS)
    start_ns = line.now_ns + 100 * MS
    places = (0, 14, 28, 42, 57)  # the gate tells parts apart that are 15 ms from each other
    for part, after_ms in enumerate(places):
        line.expect(part, start_ns + after_ms * MS)
        if part != 1:
            line.decide(part, Verdict.PASS)
    outcome = line.finish()
    assert [outcome[part].action for part in range(5)] == [DIVERTED] * 4 + [RELEASED]
    assert line.core.count().barred_releases == 3


def test_a_port_that_is_lost_within_a_release_leaves_doubt() -> None:
    """Nobody knows whether the gate shut: parts until the port is back are FAILED, those after it are safe again."""
    line = reject_line(positive_release=True, window_ns=5 * MS)
    start_ns = line.now_ns + 100 * MS
    for part, after_ms in enumerate((0, 100, 300)):
        line.expect(part, start_ns + after_ms * MS + line.rules.lead_ns)
    line.decide(0, Verdict.PASS)
    line.advance(102 * MS)
    line.lose()
    line.advance(200 * MS)
    line.restore()
    outcome = line.finish()
    assert [outcome[part].action for part in range(3)] == [FAILED, FAILED, DIVERTED]


def test_a_part_told_of_too_late_is_not_said_to_be_diverted_by_an_open_gate() -> None:
    """The process slept with the gate open, and shut it before it heard of the parts that had gone through."""
    line = reject_line(positive_release=True, window_ns=5 * MS)
    start_ns = line.now_ns + 100 * MS
    line.expect(0, start_ns + line.rules.lead_ns)
    line.decide(0, Verdict.PASS)
    line.advance(110 * MS)
    line.stall(500 * MS)
    for part, after_ms in ((1, 100), (2, 400), (3, 530), (4, 700)):
        line.expect(part, start_ns + after_ms * MS + line.rules.lead_ns)
    outcome = line.finish()
    assert [outcome[part].action for part in range(5)] == [RELEASED, FAILED, FAILED, DIVERTED, DIVERTED]


def test_a_gate_is_not_trusted_before_its_port_was_open() -> None:
    """The process before may have died while it held the gate: nothing is diverted for sure until all is off."""
    reports: list[Actuation] = []
    core = SchedulerCore(rules(positive_release=True), reports.append)
    core.take(Expect(1, 100 * MS), 0)
    core.take(Expect(2, 200 * MS), 0)
    core.take(Expect(3, 300 * MS), 0)
    core.next_command(150 * MS)
    core.restored(200 * MS)
    core.next_command(400 * MS)
    assert [one.action for one in reports] == [FAILED, FAILED, DIVERTED]


def test_a_port_that_is_lost_just_after_a_release_leaves_doubt() -> None:
    """What was written last may not have arrived: the gate may still be open."""
    line = reject_line(positive_release=True, window_ns=5 * MS)
    start_ns = line.now_ns + 100 * MS
    for part, after_ms in enumerate((0, 100, 300)):
        line.expect(part, start_ns + after_ms * MS + line.rules.lead_ns)
    line.decide(0, Verdict.PASS)
    line.advance(132 * MS)
    assert [on for _, on in line.edges] == [True, False]
    line.lose()
    line.advance(100 * MS)
    line.restore()
    outcome = line.finish()
    assert [outcome[part].action for part in range(3)] == [RELEASED, FAILED, DIVERTED]


@pytest.mark.parametrize("positive_release", [False, True])
def test_a_silent_encoder_is_no_belt_that_stands(positive_release: bool) -> None:
    """Nobody knows where the parts are: rejects fire by the last speed and are told as faults, nothing is released."""
    line = EjectorLine(rules(encoder_timeout_ns=200 * MS, positive_release=positive_release))
    line.advance(100 * MS)
    line.expect(1, line.place() + 500)
    line.expect(2, line.place() + 600)
    line.decide(2, Verdict.PASS)
    line.is_heard = False
    outcome = line.finish()
    assert [outcome[part].action for part in (1, 2)] == ([DIVERTED] * 2 if positive_release else [LATE, RELEASED])
    counters = line.core.count()
    assert (counters.blind_pulses, counters.late_releases) == ((0, 1) if positive_release else (1, 0))
    assert counters.pulses == (0 if positive_release else 1)


def test_parts_follow_a_belt_that_changes_its_speed() -> None:
    """The pulse comes when the part is there, whatever the belt did since its trigger."""
    line = EjectorLine(rules(encoder_timeout_ns=200 * MS, window_ns=2 * MS))
    line.advance(100 * MS)
    due = line.place() + 2000
    line.expect(1, due)
    for speed, for_ms in ((0.5, 300), (0.0, 500), (-0.2, 100), (3.0, 300)):
        line.run_belt(speed)
        line.advance(for_ms * MS)
    line.run_belt(1.5)
    while not line.edges:
        line.advance(MS // 10)
    ahead = due - line.position
    assert abs(ahead / 1.5 - line.rules.lead_ns / MS) < 1.0, "a lead before it is there, to a millisecond"
    line.advance(20 * MS)
    assert line.reports[0].action is FIRED


def braking_line(brake_ms: int) -> tuple[EjectorLine, Actuation]:
    """A part is due 100 ms ahead on a belt whose encoder is read every 20 ms; from 84 ms on the belt brakes."""
    line = EjectorLine(rules(encoder_timeout_ns=45 * MS), sample_ns=20 * MS)
    line.advance(100 * MS)
    line.expect(1, line.place() + 100)
    line.advance(84 * MS)
    steps = 8
    for step in range(1, steps + 1):
        line.advance(brake_ms * MS // steps)
        line.run_belt(1.0 - step / steps)
    line.advance(100 * MS)
    (report,) = line.reports
    return line, report


def test_a_pulse_that_the_part_did_not_come_to_is_told_as_wrong() -> None:
    """The belt brakes hard between two samples: the pulse was in time for where the part should have been, but it stops
    short. Later samples tell, and the report is FIRED_LATE; a belt that brakes gently has its part hit."""
    line, report = braking_line(brake_ms=10)
    due = line.due[1]
    assert due - line.position > 5, "the part lies more than a window before the ejector"
    assert report.written_host_ns is not None
    assert report.action is LATE
    assert line.core.count().misplaced_pulses == 1
    line, report = braking_line(brake_ms=600)
    assert report.action is FIRED
    assert line.core.count().misplaced_pulses == 0


def test_a_pulse_that_its_part_had_passed_is_told_as_wrong_with_its_lateness() -> None:
    """The belt speeds up between two samples: the part was there before its pulse, by as much as the report says."""
    line = EjectorLine(rules(encoder_timeout_ns=45 * MS), sample_ns=20 * MS)
    line.advance(100 * MS)
    line.expect(1, line.place() + 100)
    line.advance(82 * MS)
    line.run_belt(4.0)
    line.advance(60 * MS)
    (report,) = line.reports
    assert report.action is LATE
    assert report.lateness_us is not None
    assert report.lateness_us > line.rules.window_ns // 1000


def test_a_pulse_of_whose_moment_no_sample_tells_is_told_as_wrong() -> None:
    """The encoder falls silent just before a pulse: nobody knows whether the part was there, so it is no FIRED."""
    line = EjectorLine(rules(encoder_timeout_ns=45 * MS), sample_ns=20 * MS)
    line.advance(100 * MS)
    line.expect(1, line.place() + 40)
    line.advance(30 * MS)
    line.is_heard = False
    line.advance(100 * MS)
    (report,) = line.reports
    assert (report.action, line.core.count().blind_pulses) == (LATE, 1)
    assert not line.core.is_busy


def test_a_pulse_just_before_the_port_went_is_told_as_wrong() -> None:
    """It may never have arrived, and the belt's next sample would not tell that."""
    line = EjectorLine(rules(encoder_timeout_ns=45 * MS), sample_ns=20 * MS)
    line.advance(100 * MS)
    line.expect(1, line.place() + 40)
    while not line.edges:
        line.advance(MS)
    assert line.reports == []
    line.lose()
    assert [one.action for one in line.reports] == [LATE]


@pytest.mark.parametrize("ends_itself", [False, True])
def test_a_release_that_is_written_too_late_is_taken_back_at_once(ends_itself: bool) -> None:
    """The port held it back until its part had gone: what is at the gate now is nobody that was passed."""
    reports: list[Actuation] = []
    core = SchedulerCore(rules(positive_release=True, ends_itself=ends_itself), reports.append)
    core.restored(0)
    core.take(Expect(1, 100 * MS), 0)
    core.take(Decide(1, Verdict.PASS), 0)
    planned_ns = 96 * MS
    assert core.next_command(planned_ns) == Switch(1, True, is_pulse=True)
    written_ns = planned_ns + 6 * MS
    core.written(Switch(1, True, is_pulse=True), written_ns)
    assert core.next_command(written_ns) == Switch(1, False)
    core.written(Switch(1, False), written_ns)
    assert core.next_command(written_ns) is None
    assert [one.action for one in reports] == [FAILED]


def watched_line(**values: Any) -> EjectorLine:
    return reject_line(confirm_input=1, bin_full_input=2, confirm_ns=300 * MS, **values)


def test_a_reject_that_the_sensor_saw_is_reported_as_fired() -> None:
    """Each rising edge of the confirming input confirms one reject, the oldest first."""
    line = watched_line()
    line.expect(1, line.now_ns + 100 * MS)
    line.expect(2, line.now_ns + 200 * MS)
    line.advance(250 * MS)
    assert line.reports == []
    for levels in (0b01, 0b01, 0b00, 0b11):
        line.core.inputs(levels)
    outcome = line.finish()
    assert (outcome[1].action, outcome[2].action) == (FIRED, FIRED)
    counters = line.core.count()
    assert (counters.bin_full, counters.not_seen, counters.unwatched) == (1, 0, 0)


def test_a_reject_that_nobody_saw_is_reported() -> None:
    """NOT_SEEN needs a look at the input in time: without one the reject counts as fired, and as unwatched."""
    line = watched_line()
    line.expect(1, line.now_ns + 100 * MS)
    line.advance(200 * MS)
    line.core.inputs(0)
    line.advance(400 * MS)
    line.expect(2, line.now_ns + 100 * MS)
    outcome = line.finish()
    assert (outcome[1].action, outcome[2].action) == (EjectorAction.NOT_SEEN, FIRED)
    counters = line.core.count()
    assert (counters.not_seen, counters.not_seen_in_a_row, counters.unwatched) == (1, 1, 1)
    assert counters.rejects_in_a_row == 2


def test_inputs_are_polled_only_while_no_pulse_is_near() -> None:
    """A question that would still occupy the line when a pulse is due is not asked."""
    line = watched_line(guard_ns=25 * MS)
    pulse_ns = line.now_ns + 500 * MS - line.rules.lead_ns
    line.expect(1, line.now_ns + 500 * MS)
    asked_ns = []
    while line.now_ns < pulse_ns - MS:
        line.now_ns += MS
        if isinstance(line.core.next_command(line.now_ns), ReadInputs):
            asked_ns.append(line.now_ns)
    assert asked_ns
    assert all(pulse_ns - at_ns >= 25 * MS for at_ns in asked_ns)
