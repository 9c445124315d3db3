"""What the API tests stand on: a small line, a real record store that can be filled, and a server around both."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from inspection.api.feed import RecordFeed, ResultFeed
from inspection.api.server import ApiServer
from inspection.camera_history import CameraReport, CameraState
from inspection.control import (
    ActiveAlarm,
    BusyError,
    Confirmation,
    JobRequest,
    Preview,
    State,
    StateError,
    StationStatus,
)
from inspection.observability.api_calls import ApiCalls
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.options import RecordsOptions
from inspection.records.reader import RecordReader
from inspection.records.record import Run, StoredRecord
from inspection.records.store import RecordStore
from inspection.records.writer import RecordWriter

TIMEOUT_S = 30.0
DIGEST = "d" * 64
PASSED = Decision(Evaluation.OK, Verdict.PASS, Reason.NONE, 0.1, 0.5, "", (2.0, -1.0))
REJECTED = Decision(Evaluation.NOT_OK, Verdict.REJECT, Reason.MODEL, 0.9, 0.5, "scratch", (-1.0, 2.0))


def part_result(run: str, part: int, decision: Decision = PASSED, pixels: Any = None) -> PartResult:
    """One part as the line hands it over."""
    action = EjectorAction.RELEASED if decision.verdict is Verdict.PASS else EjectorAction.FIRED
    fired_host_ns = None if action is EjectorAction.RELEASED else part * 10_000_000 + 5_000_000
    return PartResult(
        run=run,
        part=part,
        decision=decision,
        actuation=Actuation(part, action, False, fired_host_ns, None if fired_host_ns is None else 120),
        stages=Stages(trigger_host_ns=part * 10_000_000, decided_host_ns=part * 10_000_000 + 2_000_000),
        due_host_ns=part * 10_000_000 + 5_000_000,
        deadline_host_ns=part * 10_000_000 + 4_000_000,
        pixels=pixels,
    )


class Records:
    """A record store in a folder, with its writer and the feed that the API reads."""

    def __init__(self, folder: Path, run: str = "first") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.run = run
        self.parts = 0
        options = RecordsOptions(dir=folder, commit_linger_ms=0, min_free_mb=0, ok_sample=1, queue_capacity=100_000)
        self.writer = RecordWriter(RecordStore(folder), options)
        self.reader = RecordReader(folder)
        self.feed = RecordFeed(self.reader)
        self.writer.on_durable(lambda _: self.feed.notify())
        self.writer.begin_run(Run(run, "test", "parts", DIGEST, "c" * 64, time.time_ns(), time.monotonic_ns()))

    def add(self, count: int = 1, decision: Decision = PASSED, pixels: Any = None) -> None:
        """Make `count` more parts durable."""
        for _ in range(count):
            self.parts += 1
            assert self.writer.submit(part_result(self.run, self.parts, decision, pixels))
        assert self.writer.flush(TIMEOUT_S)

    def close(self) -> None:
        self.writer.close(timeout_s=TIMEOUT_S)
        self.reader.close()


class BenchLine:
    """A line without a belt: it has a state, judges by brightness, and shows the pictures that it is given."""

    def __init__(self) -> None:
        self.state = State.READY
        self.alarms: tuple[ActiveAlarm, ...] = ()
        self.model_is_free = threading.Event()
        self.model_is_free.set()
        self.model_was_asked = threading.Event()
        self.confirmed_by = ""
        self.judged_shapes: list[tuple[int, ...]] = []
        self._changed = threading.Condition()
        self._preview: Preview | None = None

    def status(self) -> StationStatus:
        if self.state is State.PREOPERATIONAL:
            raise RuntimeError("secret detail")
        return StationStatus(
            "bench", self.state, "first", self.alarms, 7, 7, 5, {"MODEL": 2}, 0, 0, 60.0, 4.0, 9.0, "parts", DIGEST,
            0.5, "CPUExecutionProvider", "top (simulated)", "simulated", True, True, 12.5, {"lost_frames": 3},
            (CameraReport("top", "aravis", CameraState.LOST, "absent", "it is gone", 1.5, None, {"frames": 7}),),
        )  # fmt: skip

    def start_line(self) -> None:
        if self.state is State.ERROR:
            raise StateError("the line cannot start in state ERROR; first mend EJECTOR_LOST")
        self.state = State.CONTINUOUS_EXECUTION

    def start_continuous(self, job: JobRequest) -> str:
        self.start_line()
        return job.job_id or "a job"

    def stop_line(self) -> None:
        self.state = State.READY

    def active_alarms(self) -> tuple[ActiveAlarm, ...]:
        return self.alarms

    def open_questions(self) -> list[StoredRecord]:
        return []

    def camera_reports(self) -> tuple[CameraReport, ...]:
        return self.status().cameras

    def confirm_alarms(self, names: Collection[str], who: str) -> Confirmation:
        self.confirmed_by = who
        return Confirmation(tuple(names), ())

    def inspect(self, pixels: Any, timeout_s: float) -> Decision:
        if self.state is State.ERROR:
            raise StateError("the model is not at hand in state ERROR; first mend EJECTOR_LOST")
        self.judged_shapes.append(np.asarray(pixels).shape)
        self.model_was_asked.set()
        if not self.model_is_free.wait(timeout_s):
            raise BusyError(f"no answer within {timeout_s:.3g} s; allow more time")
        return PASSED if np.asarray(pixels).mean() < 128 else REJECTED

    def wait_preview(self, after_sequence: int, timeout_s: float) -> Preview | None:
        with self._changed:
            self._changed.wait_for(lambda: self._preview and self._preview.sequence > after_sequence, timeout_s)
            return self._preview if self._preview and self._preview.sequence > after_sequence else None

    def show(self, sequence: int) -> None:
        """Make one more picture the newest."""
        _, jpeg = cv2.imencode(".jpg", np.full((48, 64), sequence % 256, np.uint8))
        with self._changed:
            self._preview = Preview(
                sequence, sequence, jpeg.tobytes(), 64, 48, part_result("first", sequence, REJECTED)
            )
            self._changed.notify_all()


@contextlib.contextmanager
def serving(line: BenchLine, feed: ResultFeed, *, address: str = "127.0.0.1:0", **options: int) -> Iterator[str]:
    """Run a server for as long as the block lasts; gives its address."""
    server = ApiServer(line, feed, address=address, calls=ApiCalls(), **options)
    bound = server.start()
    try:
        yield bound
    finally:
        server.stop(1.0)


def wait_until(condition: Callable[[], bool], changed: threading.Condition) -> None:
    """Wait until something holds that `changed` is notified about; fail after the bounded time."""
    with changed:
        assert changed.wait_for(condition, TIMEOUT_S), "what was waited for did not happen"


class CuttingProxy:
    """A TCP relay that cuts its n-th connection after `cuts[n]` bytes from the server; later ones stay whole."""

    def __init__(self, target: str, cuts: list[int]) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._cuts = list(cuts)
        self.connections = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def cut(self) -> None:
        """Cut every connection that there is now; new ones are relayed."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._target)
                except OSError:
                    near.close()
                    continue
                allowed = self._cuts[self.connections] if self.connections < len(self._cuts) else None
                self.connections += 1
                self._open += [near, far]
                threading.Thread(target=self._relay, args=(near, far, None), daemon=True).start()
                threading.Thread(target=self._relay, args=(far, near, allowed), daemon=True).start()

    @staticmethod
    def _relay(source: socket.socket, target: socket.socket, allowed: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096 if allowed is None else min(4096, allowed)):
                target.sendall(data)
                if allowed is not None:
                    allowed -= len(data)
                    if allowed <= 0:
                        break
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
