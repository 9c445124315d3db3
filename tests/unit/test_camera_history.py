"""What a camera has been through: one state at a time, every loss counted by its cause."""

from __future__ import annotations

import time

import pytest

from camera.errors import CameraLostError, Cause
from inspection.alarm_board import AlarmBoard
from inspection.camera_history import CameraHistory, CameraReport, CameraState
from inspection.faults.watch import CameraWatch

S = 1_000_000_000


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now_ns = 10 * S

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(time, "monotonic_ns", moved)
    return moved


def _report(history: CameraHistory) -> CameraReport:
    return history.report("top", "aravis", {"resend_requests": 3})


def test_a_camera_without_triggers_is_idle_and_never_lost(clock: Clock) -> None:
    """A weekend without a part: the driver's calls return, and that is all it takes."""
    history = CameraHistory()
    assert _report(history).state is CameraState.STOPPED
    history.started()
    history.exposed(0, broken=False)
    assert _report(history).state is CameraState.RUNNING
    for _ in range(60):
        clock.now_ns += 3600 * S
        history.alive()
        assert _report(history).state is CameraState.IDLE
    assert not history.hung
    assert _report(history).last_exposure_s == 60 * 3600


def test_a_call_that_does_not_return_is_seen_from_outside(clock: Clock) -> None:
    """The grabbing thread is stuck in C: nobody but the clock can tell."""
    history = CameraHistory()
    history.started()
    clock.now_ns += 11 * S
    assert history.hung
    assert _report(history).state is CameraState.HUNG
    history.alive()
    assert not history.hung


def test_each_loss_has_its_cause_and_its_recovery_a_time(clock: Clock) -> None:
    """Counted by cause; the last one stays readable after it was mended."""
    history = CameraHistory()
    history.started()
    for cause, gone_s in ((Cause.ABSENT, 4), (Cause.HUNG, 2), (Cause.ABSENT, 1)):
        history.lost(CameraLostError(f"gone: {cause}", cause))
        clock.now_ns += gone_s * S
        assert _report(history).state is CameraState.LOST
        history.recovered()
    history.exposed(2, broken=True)
    report = _report(history)
    assert report.state is CameraState.RUNNING
    assert (report.cause, report.detail, report.last_recovery_ms) == ("absent", "gone: absent", 1000.0)
    assert report.counters == {
        "resend_requests": 3, "frames": 0, "broken_frames": 1, "lost_frames": 2, "reopened": 3,
        "lost_absent": 2, "lost_hung": 1,
    }  # fmt: skip


def test_a_link_that_loses_packets_again_and_again_is_told_of(clock: Clock) -> None:
    """Once is nothing; three looks of five are an alarm, which goes when it is quiet again."""
    alarms = AlarmBoard({})
    watch = CameraWatch(alarms)
    lost = [0, 5, 5, 5, 9, 12, 12, 12, 12, 12, 12]
    told = []
    for moment, count in enumerate(lost):
        report = CameraReport("top", "aravis", CameraState.RUNNING, "", "", 0.0, None, {"missing_packets": count})
        watch.look(lambda report=report: [report], moment * 2 * S)  # type: ignore[misc]
        told.append("CAMERA_LINK_POOR" in {alarm.name for alarm in alarms.active()})
    assert told == [False] * 5 + [True, False, False, False, False, False]
