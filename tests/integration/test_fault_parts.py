"""What camera and model do to parts: lost and broken frames, a camera that goes, a model that is slow or fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from moody_bundle import BAD, FATAL, GOOD, SLOW, write_moody_bundle
from pipe_camera import CameraDevice
from real_run import (
    RealRun,
    beats_between,
    promises_broken,
    read_records,
    relay_board,
    station_values,
    unjudged_passes,
)

from inspection.ejector.simulated import SimulatedBoard
from inspection.part import EjectorAction, Reason, Verdict
from inspection.records.record import StoredRecord

STALL_S = 8.0  # far longer than the 2 s after which the station speaks of a stall: statuses may come late
QUEUE = 3
SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Story:
    """What was sent past the camera and what came of it. Spans are slices of the parts, in the order of triggers."""

    board: SimulatedBoard
    device: CameraDevice
    records: list[StoredRecord] = field(default_factory=list)
    spans: dict[str, slice] = field(default_factory=dict)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    gone: tuple[int, int] = (0, 0)
    refused: str = ""

    def mark(self, name: str, parts: Callable[[], None]) -> None:
        """Send parts and remember which they were."""
        first = len(self.device.triggers)
        parts()
        self.spans[name] = slice(first, len(self.device.triggers))

    def of(self, name: str) -> list[StoredRecord]:
        """The records of a span, in the order of the triggers."""
        return self.records[self.spans[name]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """One station whose camera is the test: everything below in turn, then the same station once more."""
    folder = tmp_path_factory.mktemp("run")
    bundle = write_moody_bundle(folder / "moody", STALL_S)
    device = CameraDevice(folder / "camera")
    device.plug_in()
    with relay_board() as board:
        told = Story(board, device)
        values = station_values(
            folder, bundle, board,
            camera={"backend": "pipe", "path": device.path},
            region={"width": 64, "height": 48},
            inference={"workers": 1, "max_batch": 1, "queue_capacity": QUEUE},
            reactions={"run_out_s": 0.5, "rejects_in_a_row_limit": 4},
        )  # fmt: skip
        with RealRun(folder, values, with_pipe_camera=True) as station:
            device.wait_for_station()
            station.wait_state("CONTINUOUS_EXECUTION")
            _spoil_frames(station, told)
            _stall_the_model(station, told)
            _take_the_camera_away(station, told)
            _break_the_model(station, told)
            assert station.end() == 0
        with RealRun(folder, values, with_pipe_camera=True) as station:
            device.wait_for_station()
            station.wait_state("CONTINUOUS_EXECUTION")
            _break_the_driver(station, told)
            station.end()
        told.records = sorted(read_records(folder / "records"), key=lambda record: record.trigger_host_ns)
    device.unplug()
    return told


def _spoil_frames(station: RealRun, told: Story) -> None:
    device = told.device
    told.mark("sound", lambda: device.parts(GOOD, GOOD, BAD, GOOD, BAD, GOOD))

    def lost() -> None:
        device.parts(BAD)
        device.part(GOOD, lost=True)
        device.parts(BAD, GOOD, BAD)

    told.mark("lost", lost)

    def incomplete() -> None:
        device.parts(GOOD)
        device.part(GOOD, incomplete=True)
        device.parts(GOOD, BAD)

    told.mark("incomplete", incomplete)
    told.seen["frame_lost"] = station.wait_alarm("NO_IMAGE")
    told.mark("unusable", lambda: (device.part(GOOD, size=(24, 64)), device.parts(GOOD))[0])
    told.seen["frame_unusable"] = station.wait_alarm("FRAME_UNUSABLE")
    told.mark("in a row", lambda: device.parts(*[BAD] * 5))
    told.seen["rejects_in_a_row"] = station.wait_alarm("REJECTS_IN_A_ROW")
    told.mark("sound again", lambda: device.parts(GOOD, GOOD))
    station.wait(lambda status: "REJECTS_IN_A_ROW" not in status["alarms"])


def _stall_the_model(station: RealRun, told: Story) -> None:
    """One slow picture, and behind it more good parts than the queue holds."""
    told.mark("slow", lambda: told.device.parts(SLOW, *[GOOD] * (QUEUE + 5)))
    told.seen["queue_full"] = station.wait_alarm("LATE_VERDICTS")
    told.seen["stalled"] = station.wait_alarm("INFERENCE_STALLED")
    told.mark("while stalled", lambda: told.device.parts(GOOD))
    station.wait(lambda status: "INFERENCE_STALLED" not in status["alarms"])
    station.wait_state("CONTINUOUS_EXECUTION")
    _wait_until_it_dares(station, told.device)


def _wait_until_it_dares(station: RealRun, device: CameraDevice) -> None:
    """Send good parts until one passes: the station takes a while to trust in a model that was so slow."""
    passed, pause = station.statuses[-1]["passed"], threading.Event()
    for _ in range(600):
        device.part(GOOD)
        pause.wait(0.05)
        if station.statuses[-1]["passed"] > passed:
            return
    raise AssertionError(f"no part passed any more: {station.statuses[-1]}")


def _take_the_camera_away(station: RealRun, told: Story) -> None:
    """By default the line is stopped then: it is READY, not running, when the camera is back."""
    told.mark("before it goes", lambda: told.device.parts(GOOD, BAD, GOOD))
    station.wait_more("records", 1)
    began = time.monotonic_ns()
    told.device.unplug()
    told.seen["camera_gone"] = station.wait_alarm("CAMERA_LOST")
    station.wait(lambda status: status["counters"]["in_flight"] == 0 and not status["heartbeat_running"])
    client = station.client()
    with pytest.raises(Exception, match="CAMERA_LOST") as refusal:
        client.start_line()
    told.refused = str(refusal.value)
    told.device.plug_in()
    told.device.wait_for_station()
    station.wait_state("READY")
    told.gone = (began, time.monotonic_ns())
    client.start_line()
    client.close()
    station.wait_state("CONTINUOUS_EXECUTION")
    told.mark("after it came back", lambda: told.device.parts(GOOD, BAD, GOOD))
    station.wait_more("records", 3)


def _break_the_model(station: RealRun, told: Story) -> None:
    told.mark("fatal", lambda: told.device.parts(FATAL))
    told.seen["model_failed"] = station.wait_alarm("MODEL_FAILED")
    told.mark("without a model", lambda: told.device.parts(GOOD, BAD, GOOD))
    told.seen["still"] = station.wait_more("records", 3)


def _break_the_driver(station: RealRun, told: Story) -> None:
    told.mark("a new start", lambda: told.device.parts(GOOD, BAD))
    station.wait(lambda status: status["records"] == 2)
    told.mark("nonsense", lambda: told.device.part(GOOD, nonsense=True))
    told.seen["station_failed"] = station.wait_alarm("STATION_FAILED")
    station.wait(lambda status: status["records"] == 3)
    station.wait(lambda status: not status["heartbeat_running"])


def test_fault_parts_cost_no_part_its_record_or_verdict(story: Story) -> None:
    """Each part that the device sent has one record, none passed unjudged, and the far end saw the right pulses."""
    sent = [host_ns for host_ns, _ in story.device.triggers]
    assert [record.trigger_host_ns for record in story.records] == sent
    assert unjudged_passes(story.records) == []
    levels = [level for _, level in story.device.triggers]
    passed = [level for level, r in zip(levels, story.records, strict=True) if r.verdict is Verdict.PASS]
    assert set(passed) == {GOOD}
    assert promises_broken(len(sent), story.records, story.board) == []


def _fit(records: list[StoredRecord], *reasons: Reason) -> bool:
    """Tell whether each part has its own reason; on a machine that is too slow for a verdict in time it is LATE."""
    judged = (Reason.NONE, Reason.MODEL)
    return len(records) == len(reasons) and all(
        record.reason is reason or (record.reason is Reason.LATE and reason in judged)
        for record, reason in zip(records, reasons, strict=True)
    )


def test_fault_frame_lost(story: Story) -> None:
    """The part whose frame was lost, or incomplete, is NO_IMAGE; the verdicts of the others are not shifted by one."""
    assert _fit(story.of("lost"), Reason.MODEL, Reason.NO_IMAGE, Reason.MODEL, Reason.NONE, Reason.MODEL)
    assert _fit(story.of("incomplete"), Reason.NONE, Reason.NO_IMAGE, Reason.NONE, Reason.MODEL)


def test_fault_frame_unusable(story: Story) -> None:
    """A frame that the region does not fit rejects its part alone, and the record says why."""
    unusable, following = story.of("unusable")
    assert (unusable.verdict, unusable.reason) == (Verdict.REJECT, Reason.SYSTEM)
    assert "reaches out" in unusable.extra["failure"]
    assert _fit([following], Reason.NONE)
    assert story.seen["frame_unusable"]["state"] == "CONTINUOUS_EXECUTION"


def test_fault_rejects_in_a_row(story: Story) -> None:
    """Five bad ones, where four are the limit: somebody is told (the story waits for it), and parts are judged on."""
    assert _fit(story.of("in a row"), *[Reason.MODEL] * 5)
    assert story.seen["rejects_in_a_row"]["state"] == "CONTINUOUS_EXECUTION"
    assert _fit(story.of("sound again"), Reason.NONE, Reason.NONE)


def test_fault_queue_full(story: Story) -> None:
    """Behind a slow picture the queue overflows: those parts are LATE, refused ones are counted, none passes."""
    slow = story.of("slow")
    assert {record.reason for record in slow} == {Reason.LATE}
    assert {record.ejector_action for record in slow} <= {EjectorAction.FIRED, EjectorAction.FIRED_LATE}
    assert story.seen["stalled"]["counters"]["queue_refused"] >= 3


def test_fault_inference_stalled(story: Story) -> None:
    """A batch that takes longer than 2 s: ERROR, nothing passes, the heartbeat goes on since everything is rejected."""
    assert story.seen["stalled"]["state"] == "ERROR"
    assert story.seen["stalled"]["heartbeat_running"]
    assert {record.verdict for record in story.of("while stalled")} == {Verdict.REJECT}


def test_fault_camera_gone(story: Story) -> None:
    """The camera goes: the heartbeat ends, the line stops in order and cannot be started; when the camera is back it
    can, part numbers go on, and verdicts fit their parts."""
    began, ended = story.gone
    assert story.seen["camera_gone"]["state"] == "ERROR"
    assert "CAMERA_LOST" in story.refused
    assert beats_between(story.board, began + 2 * SECOND_NS, ended) == []
    before, after = story.of("before it goes"), story.of("after it came back")
    assert _fit(before, Reason.NONE, Reason.MODEL, Reason.NONE)
    assert _fit(after, Reason.NONE, Reason.MODEL, Reason.NONE)
    assert [r.part for r in after] == [before[-1].part + place for place in (1, 2, 3)]


def test_fault_model_failed(story: Story) -> None:
    """A model that fails is not asked again: ERROR, and every part is rejected, its reject fired."""
    without = story.of("without a model")
    assert story.of("fatal")[0].reason is Reason.SYSTEM
    assert {record.verdict for record in without} == {Verdict.REJECT}
    assert {record.ejector_action for record in without} <= {EjectorAction.FIRED, EjectorAction.FIRED_LATE}
    assert story.seen["still"]["state"] == "ERROR"
    assert story.seen["still"]["heartbeat_running"]


def test_fault_station_failed(story: Story) -> None:
    """A driver that meets what it was not written for ends its thread: ERROR, and the heartbeat stops."""
    assert _fit(story.of("a new start"), Reason.NONE, Reason.MODEL)
    assert story.seen["station_failed"]["state"] == "ERROR"
    assert story.of("nonsense")[0].verdict is Verdict.REJECT
