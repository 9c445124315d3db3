"""A line that a test moves by hand: real records, counters, previews, alarms and API, but no camera and no ejector."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from datasets.synthetic import PartRenderer
from inspection.alarm_board import AlarmBoard
from inspection.alarms import Reaction
from inspection.api.feed import RecordFeed
from inspection.api.server import ApiServer
from inspection.camera_history import CameraReport
from inspection.challenge.control import ChallengeControl
from inspection.control import (
    ActiveAlarm,
    Confirmation,
    JobRequest,
    Preview,
    State,
    StateChange,
    StateError,
    StationStatus,
    TriggerMissedError,
)
from inspection.observability.api_calls import ApiCalls
from inspection.part import (
    Actuation,
    Decision,
    EjectorAction,
    Evaluation,
    PartResult,
    Reason,
    Stages,
    Verdict,
)
from inspection.preview import PreviewSlot
from inspection.recipes.content import RecipeRef
from inspection.records.options import RecordsOptions
from inspection.records.reader import RecordReader
from inspection.records.record import Run, StoredRecord
from inspection.records.store import RecordStore
from inspection.records.writer import RecordWriter
from inspection.run_counters import RunCounters

RUN = "20260101T000000.000000Z"
_TIMEOUT_S = 30.0


class HandLine:
    """A LineControl whose parts pass when the test says so; owned by the test, safe for the API's threads.

    stands: the state to be in, whatever it does; recipe and lot: what it says that it inspects.
    """

    def __init__(self, folder: Path) -> None:
        self.alarms = AlarmBoard({"PLC_SILENT": Reaction.HOLD})
        self.cameras: tuple[CameraReport, ...] = ()
        self.running = True
        self.stands: State | None = None
        self.recipe: RecipeRef | None = None
        self.lot = ""
        self.last_change: StateChange | None = None
        self._counters = RunCounters()
        self._counters.reset(RUN)
        self._previews = PreviewSlot(min_interval_s=0.0)
        self._renderer = PartRenderer(seed=5)
        self._parts = 0
        self._writer = RecordWriter(RecordStore(folder), RecordsOptions(dir=folder, min_free_mb=0))
        self._reader = RecordReader(folder)
        self._feed = RecordFeed(self._reader)
        self._writer.on_durable(self._on_durable)
        self._writer.begin_run(Run(RUN, "Line 3", "parts", "0" * 64, "1" * 64, time.time_ns(), time.monotonic_ns()))
        self._server: ApiServer | None = None
        self.address = ""

    def _on_durable(self, records: list[StoredRecord]) -> None:
        self._counters.add(records)
        self._previews.durable(records)
        self._feed.notify()

    # --------------------------------------------------------------- the test's side

    def serve(self, address: str = "127.0.0.1:0", challenges: ChallengeControl | None = None) -> str:
        """Open the API; return the address in use."""
        self._server = ApiServer(self, self._feed, address=address, challenges=challenges, calls=ApiCalls())
        self.address = self._server.start()
        return self.address

    def vanish(self) -> None:
        """Close the API, as a station that ends does."""
        if self._server is not None:
            self._server.stop(0.0)

    def close(self) -> None:
        """Close everything."""
        self.vanish()
        self._writer.close(_TIMEOUT_S)
        self._reader.close()

    def pass_part(self, kind: str = "good", reason: Reason = Reason.MODEL) -> int:
        """Let one part pass, recorded durably; return its number."""
        self._parts += 1
        now_host_ns = time.monotonic_ns()
        is_good = kind == "good"
        has_image = reason is not Reason.NO_IMAGE
        decision = (
            Decision(Evaluation.OK, Verdict.PASS, Reason.NONE, 0.02, 0.5)
            if is_good
            else Decision(Evaluation.NOT_OK, Verdict.REJECT, reason, 0.97, 0.5, kind)
            if has_image
            else Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, reason)
        )
        action = EjectorAction.RELEASED if is_good else EjectorAction.FIRED
        result = PartResult(
            run=RUN,
            part=self._parts,
            decision=decision,
            actuation=Actuation(self._parts, action, False, None if is_good else now_host_ns, None if is_good else 120),
            stages=Stages(trigger_host_ns=now_host_ns - 8_000_000, decided_host_ns=now_host_ns),
            due_host_ns=now_host_ns,
            deadline_host_ns=now_host_ns,
            pixel_format="RGB8",
            pixels=self._renderer.render(self._parts, kind).pixels if has_image else None,
        )
        self._previews.offer(result)
        assert self._writer.submit(result)
        assert self._writer.flush(_TIMEOUT_S)
        return self._parts

    # --------------------------------------------------------------- LineControl

    @property
    def state(self) -> State:
        if self.stands is not None:
            return self.stands
        if self.alarms.faulty:
            return State.ERROR
        return State.CONTINUOUS_EXECUTION if self.running else State.READY

    def status(self) -> StationStatus:
        counters = self._counters
        return StationStatus(
            station="Line 3",
            state=self.state,
            run=RUN,
            alarms=self.alarms.active(),
            triggers=self._parts,
            records=counters.records,
            passed=counters.passed,
            rejected_by_reason=dict(counters.rejected_by_reason),
            late=counters.late(),
            wrong_pulses=counters.wrong_pulses,
            parts_per_minute=counters.parts_per_minute(),
            latency_p50_ms=8.0,
            latency_p99_ms=8.0,
            model="parts",
            bundle_digest="0" * 64,
            threshold=0.5,
            provider="CPUExecutionProvider",
            camera="none",
            ejector="none",
            ejector_connected=True,
            heartbeat_running=self.running,
            uptime_s=1.0,
            counters={},
            cameras=self.cameras,
            recipe=self.recipe,
            lot=self.lot,
            last_change=self.last_change,
        )

    def start_line(self) -> None:
        if self.state is State.ERROR:
            raise StateError("the line cannot start in state ERROR; first mend the alarm")
        self.running = True

    def start_continuous(self, _job: JobRequest) -> str:
        if self.running:
            raise StateError("START_CONTINUOUS in state CONTINUOUS_EXECUTION — READY allowed — stop the line")
        self.start_line()
        return "by hand"

    def stop_line(self) -> None:
        self.running = False

    def active_alarms(self) -> tuple[ActiveAlarm, ...]:
        return self.alarms.active()

    def open_questions(self) -> list[StoredRecord]:
        return []

    def camera_reports(self) -> tuple[CameraReport, ...]:
        return self.cameras

    def trigger_once(self) -> int:
        raise TriggerMissedError("this line has no camera: it is moved by hand")

    def confirm_alarms(self, names: Collection[str], who: str) -> Confirmation:
        return self.alarms.confirm(names, who)

    def inspect(self, pixels: object, timeout_s: float) -> Decision:
        raise StateError("this line has no model: it is moved by hand")

    def wait_preview(self, after_sequence: int, timeout_s: float) -> Preview | None:
        return self._previews.wait(after_sequence, timeout_s)
