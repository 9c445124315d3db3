"""The rules of the ejector's schedule and heartbeat, with a clock that the test owns."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.ejector.heartbeat import Heartbeat
from inspection.ejector.schedule import Armed, Schedule
from inspection.part import Verdict

PASS, REJECT = Verdict.PASS, Verdict.REJECT


def fire_all(schedule: Schedule, now_ns: int) -> list[tuple[int, bool]]:
    fired = []
    while (reject := schedule.pop_due(now_ns)) is not None:
        fired.append((reject.part, reject.by_default))
    return fired


def test_silence_rejects_by_default() -> None:
    """A part without a verdict fires at its planned moment, lead time before it is due, and not earlier."""
    schedule = Schedule(lead_ns=10)
    schedule.expect(1, due_ns=100, deadline_ns=80)
    assert schedule.next_planned_ns() == 90
    assert fire_all(schedule, 89) == []
    assert fire_all(schedule, 90) == [(1, True)]
    assert schedule.next_planned_ns() is None


def test_a_pass_by_the_deadline_releases() -> None:
    """A PASS at the very deadline releases the part; nothing fires."""
    schedule = Schedule(0)
    schedule.expect(1, 100, 80)
    assert schedule.decide(1, PASS, now_ns=80)
    assert len(schedule) == 0
    assert fire_all(schedule, 1000) == []


def test_a_late_pass_is_ignored_and_counted() -> None:
    """A PASS after the deadline, or after the pulse, changes nothing and is counted."""
    schedule = Schedule(0)
    schedule.expect(1, 100, 80)
    assert not schedule.decide(1, PASS, now_ns=81)
    assert fire_all(schedule, 100) == [(1, True)]
    assert not schedule.decide(1, PASS, now_ns=101)
    assert schedule.ignored_verdicts == 2


def test_a_reject_is_confirmed_and_stands() -> None:
    """A REJECT in time is reported as decided, and no PASS takes it back."""
    schedule = Schedule(0)
    schedule.expect(1, 100, 80)
    assert not schedule.decide(1, REJECT, 10)
    assert not schedule.decide(1, PASS, 20)
    assert fire_all(schedule, 100) == [(1, False)]
    assert schedule.ignored_verdicts == 1


def test_no_verdict_counts_after_the_planned_moment() -> None:
    """A deadline behind the planned moment is cut to it: a pulse that has been written cannot be taken back."""
    schedule = Schedule(lead_ns=50)
    schedule.expect(1, 100, deadline_ns=100)
    assert not schedule.decide(1, PASS, now_ns=51)
    assert fire_all(schedule, 51) == [(1, True)]


def test_the_first_arming_of_a_part_stands() -> None:
    """A part that is armed twice fires once, at the moment told first; a finished number may come again."""
    schedule = Schedule(0)
    assert schedule.expect(1, 100, 80) is Armed.ARMED
    assert schedule.expect(1, 300, 280) is Armed.DUPLICATE
    assert schedule.duplicate_parts == 1
    assert fire_all(schedule, 1000) == [(1, True)]
    assert schedule.expect(1, 2000, 1900) is Armed.ARMED


def test_a_full_schedule_refuses() -> None:
    """What cannot be held is refused and counted, never forgotten."""
    schedule = Schedule(0, capacity=1)
    schedule.expect(1, 100, 80)
    assert schedule.expect(2, 100, 80) is Armed.REFUSED
    assert schedule.refused_parts == 1


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["expect", "pass", "reject", "fire"]), st.integers(0, 6), st.integers(0, 40), st.integers(0, 40)
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_each_arming_ends_exactly_once(events: list[tuple[str, int, int, int]]) -> None:
    """Whatever comes in whatever order, each armed part is released by a PASS in time or fires once."""
    schedule = Schedule(lead_ns=3)
    deadlines: dict[int, int] = {}
    rejected: set[int] = set()
    armed = ended = 0
    for now_ns, (what, part, first, second) in enumerate(events):
        if what == "expect" and schedule.expect(part, now_ns + first, now_ns + second) is Armed.ARMED:
            armed += 1
            deadlines[part] = min(now_ns + second, now_ns + first - 3)
        elif what == "pass":
            in_time = part in deadlines and part not in rejected and now_ns <= deadlines[part]
            assert schedule.decide(part, PASS, now_ns) == in_time
            if in_time:
                del deadlines[part]
                ended += 1
        elif what == "reject":
            assert not schedule.decide(part, REJECT, now_ns)
            if part in deadlines and now_ns <= deadlines[part]:
                rejected.add(part)
        elif what == "fire":
            while (reject := schedule.pop_due(now_ns)) is not None:
                assert reject.planned_ns <= now_ns
                assert reject.by_default == (reject.part not in rejected)
                del deadlines[reject.part]
                rejected.discard(reject.part)
                ended += 1
    rest = schedule.pop_all()
    planned = [reject.planned_ns for reject in rest]
    assert planned == sorted(planned)
    assert armed == ended + len(rest)
    assert {reject.part for reject in rest} == set(deadlines)


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
