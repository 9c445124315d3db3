"""The rules of the ejector's schedule and heartbeat, with a clock that the test owns."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.ejector.heartbeat import Heartbeat
from inspection.ejector.schedule import Armed, ArmedPart, Schedule
from inspection.motion import ClockMotion, EncoderMotion
from inspection.part import Verdict

PASS, REJECT = Verdict.PASS, Verdict.REJECT
MS = 1_000_000


def pop_due(schedule: Schedule, now_ns: int) -> ArmedPart | None:
    planned_ns = schedule.next_planned_ns()
    return schedule.take(schedule.parts[0]) if planned_ns is not None and planned_ns <= now_ns else None


def fire_all(schedule: Schedule, now_ns: int) -> list[tuple[int, bool]]:
    fired = []
    while (armed := pop_due(schedule, now_ns)) is not None:
        fired.append((armed.part, armed.by_default))
    return fired


def on_a_clock(lead_ns: int = 0, margin_ns: int = 0, capacity: int = 4096) -> Schedule:
    return Schedule(ClockMotion(), lead_ns, margin_ns, capacity)


def test_silence_rejects_by_default() -> None:
    """A part without a verdict fires at its planned moment, lead time before it is due, and not earlier."""
    schedule = on_a_clock(lead_ns=10)
    schedule.expect(1, due=100)
    assert schedule.next_planned_ns() == 90
    assert fire_all(schedule, 89) == []
    assert fire_all(schedule, 90) == [(1, True)]
    assert schedule.next_planned_ns() is None


def test_a_verdict_counts_until_margin_before_the_planned_moment() -> None:
    """A verdict at the very deadline counts; one after it, or after the pulse, changes nothing and is counted."""
    schedule = on_a_clock(lead_ns=10, margin_ns=20)
    schedule.expect(1, 100)
    schedule.expect(2, 100)
    armed = schedule.decide(1, PASS, now_ns=70)
    assert armed is not None
    assert armed.verdict is PASS
    schedule.take(armed)
    assert schedule.decide(2, PASS, now_ns=71) is None
    assert fire_all(schedule, 90) == [(2, True)]
    assert schedule.decide(2, PASS, now_ns=91) is None
    assert schedule.ignored_verdicts == 2


def test_the_first_verdict_stands() -> None:
    """A REJECT in time is reported as decided, and no PASS takes it back."""
    schedule = on_a_clock()
    schedule.expect(1, 100)
    assert schedule.decide(1, REJECT, 10) is not None
    assert schedule.decide(1, PASS, 20) is None
    assert fire_all(schedule, 100) == [(1, False)]
    assert schedule.ignored_verdicts == 1


def test_the_first_arming_of_a_part_stands() -> None:
    """A part that is armed twice fires once, at the place told first; a finished number may come again."""
    schedule = on_a_clock()
    assert schedule.expect(1, 100) is Armed.ARMED
    assert schedule.expect(1, 300) is Armed.DUPLICATE
    assert schedule.duplicate_parts == 1
    assert fire_all(schedule, 1000) == [(1, True)]
    assert schedule.expect(1, 2000) is Armed.ARMED


def test_a_full_schedule_refuses() -> None:
    """What cannot be held is refused and counted, never forgotten."""
    schedule = on_a_clock(capacity=1)
    schedule.expect(1, 100)
    assert schedule.expect(2, 100) is Armed.REFUSED
    assert schedule.refused_parts == 1


def test_a_belt_that_stops_holds_its_parts() -> None:
    """Parts move with the belt: nothing is due while it stands or runs back, verdicts count, and it starts again."""
    motion = EncoderMotion()
    schedule = Schedule(motion, lead_ns=MS, margin_ns=MS)
    schedule.expect(1, due=100)
    schedule.expect(2, due=110)
    assert schedule.next_planned_ns() is None
    for at_ms in range(0, 91, 5):
        motion.observe(at_ms * MS, at_ms)  # one count a millisecond
    assert schedule.next_planned_ns() == 99 * MS
    assert schedule.decide(1, PASS, 98 * MS + 1) is None
    for at_ms in range(95, 160, 5):
        motion.observe(at_ms * MS, 95)
    assert schedule.next_planned_ns() is None
    assert fire_all(schedule, 10_000 * MS) == []
    for at_ms in range(160, 220, 5):
        motion.observe(at_ms * MS, 95 - (at_ms - 160))  # jogged back
    assert schedule.next_planned_ns() is None
    assert schedule.decide(2, PASS, 219 * MS) is not None
    for at_ms in range(220, 280, 5):
        motion.observe(at_ms * MS, 40 + 2 * (at_ms - 220))  # and on, at twice the speed
    planned_ns = schedule.next_planned_ns()
    assert planned_ns is not None
    assert planned_ns == 249 * MS
    assert fire_all(schedule, planned_ns) == [(1, True)]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["expect", "pass", "reject", "fire"]), st.integers(0, 6), st.integers(0, 40)),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(EVENTS)
def test_each_arming_ends_exactly_once(events: list[tuple[str, int, int]]) -> None:
    """Whatever comes in whatever order, each armed part is released by a PASS in time or fires once."""
    schedule = on_a_clock(lead_ns=3, margin_ns=2)
    deadlines: dict[int, int] = {}
    rejected: set[int] = set()
    armed = ended = 0
    for now_ns, (what, part, after) in enumerate(events):
        if what == "expect" and schedule.expect(part, now_ns + after) is Armed.ARMED:
            armed += 1
            deadlines[part] = now_ns + after - 5
        elif what == "pass":
            passed = schedule.decide(part, PASS, now_ns)
            in_time = part in deadlines and part not in rejected and now_ns <= deadlines[part]
            assert (passed is not None) == in_time
            if passed is not None:
                schedule.take(passed)
                del deadlines[part]
                ended += 1
        elif what == "reject":
            counts = part in deadlines and part not in rejected and now_ns <= deadlines[part]
            assert (schedule.decide(part, REJECT, now_ns) is not None) == counts
            if counts:
                rejected.add(part)
        elif what == "fire":
            while (due := pop_due(schedule, now_ns)) is not None:
                assert due.due - 3 <= now_ns
                assert due.by_default == (due.part not in rejected)
                del deadlines[due.part]
                rejected.discard(due.part)
                ended += 1
    rest = schedule.pop_all()
    assert [one.due for one in rest] == sorted(one.due for one in rest)
    assert armed == ended + len(rest)
    assert {one.part for one in rest} == set(deadlines)


def test_the_heartbeat_toggles_only_while_alive() -> None:
    """Edges come one period apart while signs of life come, and none after the station's time has run out."""
    heartbeat = Heartbeat(2, period_ns=100, alive_timeout_ns=250)
    assert heartbeat.next_ns() is None
    heartbeat.alive(0)
    assert [heartbeat.edge(now) for now in (0, 50, 100, 200)] == [True, None, False, True]
    assert heartbeat.running(250)
    assert heartbeat.edge(251) is None
    assert heartbeat.next_ns() is None
    heartbeat.alive(400)
    assert heartbeat.edge(400) is False
    heartbeat.silence()
    assert heartbeat.edge(500) is None


def test_a_late_edge_is_not_made_up_for() -> None:
    """After a long pulse the heartbeat goes on at its period and sends no burst."""
    heartbeat = Heartbeat(2, period_ns=100, alive_timeout_ns=10_000)
    heartbeat.alive(0)
    heartbeat.edge(0)
    assert heartbeat.edge(1000) is False
    assert heartbeat.edge(1001) is None
    assert heartbeat.next_ns() == 1100


def test_without_a_channel_there_is_no_heartbeat() -> None:
    """No channel, no edge, however alive the station is."""
    heartbeat = Heartbeat(None, 100, 250)
    heartbeat.alive(0)
    assert heartbeat.next_ns() is None
    assert not heartbeat.running(0)
