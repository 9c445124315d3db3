"""The way of a part: what the flow asks the model for."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from forgetful_memory import ForgetfulMemory
from manual_ejector import ManualEjector

from camera.frame import Frame, Trigger
from inspection.alarm_board import AlarmBoard
from inspection.flow import FlowSettings, PartFlow
from inspection.motion import ClockMotion
from inspection.part import Decision, Evaluation, Reason, Verdict
from inspection.pipeline.batch_queue import Job, end_jobs
from inspection.pipeline.decide import Judge
from inspection.run_counters import RunCounters
from inspection.tracking.fusion import Fusion
from inspection.tracking.geometry import Geometry

JUDGE = Judge(("good", "bad"), 0, 0.5)


def test_each_view_is_judged_by_its_own_judge() -> None:
    """Two views that were scored in one batch, each held against the threshold of its own."""
    jobs: list[Job] = []
    strict = replace(JUDGE, threshold=0.25)
    ejector = ManualEjector()
    flow = PartFlow(
        FlowSettings(Geometry(10**9, 0), Fusion(), ("top", "side"), (JUDGE, strict), 30.0),
        now=time.monotonic_ns,
        motion=ClockMotion(),
        ejector=ejector,
        submit=lambda job: jobs.append(job) is None,
        memory=ForgetfulMemory(),
        alarms=AlarmBoard(),
        counters=RunCounters(),
    )
    flow.on_trigger(Trigger(1, time.monotonic_ns()))
    for view in (0, 1):
        frame = Frame("top", 1, None, time.monotonic_ns(), 0, "Mono8", np.zeros((4, 4), np.uint8))
        flow.on_frame(1, frame, view)
    assert [job.view for job in jobs] == [0, 1]
    for job in jobs:
        job.raw = np.array([0.85, 0.0], np.float32)  # 0.30 of a defect: good by the one, bad by the other
    end_jobs(jobs)
    (part,) = flow.tracker._parts.values()
    assert part.decision is not None
    assert (part.decision.reason, part.decision.threshold, part.shown) == (Reason.MODEL, 0.25, 1)


@pytest.mark.parametrize(
    ("alarms", "shut", "reason"),
    [
        (["CHALLENGE_DUE"], False, Reason.INTERLOCK),
        (["CHALLENGE_RUNNING", "NO_IMAGE"], False, Reason.INTERLOCK),
        (["CHALLENGE_DUE", "BIN_FULL"], False, Reason.SYSTEM),
        (["CAMERA_LOST"], False, Reason.SYSTEM),
        (["CHALLENGE_DUE"], True, Reason.SYSTEM),
        ([], False, Reason.NONE),
    ],
)
def test_a_good_part_that_is_held_names_what_holds_it(alarms: list[str], shut: bool, reason: Reason) -> None:
    """INTERLOCK where a challenge alone holds the line, SYSTEM where a fault does, too; the score stays readable."""
    board, ejector, results = AlarmBoard(), ManualEjector(), []
    flow = PartFlow(
        FlowSettings(Geometry(10**9, 0), Fusion(), ("top",), (JUDGE,), 30.0),
        now=time.monotonic_ns,
        motion=ClockMotion(),
        ejector=ejector,
        submit=lambda _job: True,
        memory=ForgetfulMemory(),
        alarms=board,
        counters=RunCounters(),
        offer=results.append,
    )
    ejector.open(flow.on_actuation, flow.on_ejector_health)
    for name in alarms:
        board.raise_alarm(name)
    flow.shut(shut)
    flow.on_trigger(Trigger(1, time.monotonic_ns()))
    (part,) = flow.tracker._parts.values()
    flow.tracker.view_decided(part, 0, Decision(Evaluation.OK, Verdict.PASS, Reason.NONE, 0.1, 0.5))
    ejector.due(1)
    (result,) = results
    assert (result.decision.reason, result.decision.score) == (reason, 0.1)
    assert result.decision.verdict is (Verdict.PASS if reason is Reason.NONE else Verdict.REJECT)
