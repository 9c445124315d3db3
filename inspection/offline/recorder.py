"""Records raw frames at the camera's full rate: one thread grabs, one writes, a bounded queue between them."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from camera.errors import CameraLostError, RecordingError
from camera.frame import BrokenFrame
from camera.interface import Camera
from camera.raw_recording import RawRecordingWriter
from inspection.offline.asking import Asking
from inspection.offline.waiting_exposures import Exposure, WaitingExposures, size_of

COMPLETE, STOPPED, SOURCE_ENDED = "complete", "stopped", "the source has ended"
GOOD_ENDINGS = (COMPLETE, STOPPED, SOURCE_ENDED)
_GRAB_S = 0.1  # how soon a request to stop is heard
_LOOK_AT_DISK_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be recorded. frames, seconds: whichever is reached first; neither: until it is stopped."""

    folder: Path
    frames: int | None = None
    seconds: float | None = None
    buffer_bytes: int = 512_000_000
    keep_free_bytes: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording is. unrecorded: exposures that came while the buffer was full; buffered: its share in use."""

    frames: int
    broken: int
    lost: int
    unrecorded: int
    bytes_grabbed: int
    elapsed_s: float
    buffered: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a recording holds in the end. ending: why it ended; peak_buffered: the most of the buffer in use.

    damaged: pictures of a recording that is recorded again, that could not be read.
    """

    frames: int
    broken: int
    lost: int
    unrecorded: int
    damaged: int
    bytes_written: int
    elapsed_s: float
    peak_buffered: float
    ending: str
    is_whole: bool


class Recorder:
    """One recording of an open camera: `run` grabs in the calling thread, `stop` ends it from any other.

    Where the disk is slower than the camera and the buffer is full, the exposure is let go and counted; the recording
    holds how many are missing where. Nothing is ever overwritten.
    """

    def __init__(self, camera: Camera, wanted: Wanted, about: dict[str, str]) -> None:
        self._camera, self._wanted, self._about = camera, wanted, about
        self._waiting = WaitingExposures(wanted.buffer_bytes)
        self._writer: RawRecordingWriter | None = None
        self._thread = threading.Thread(target=self._write_all, name="recording", daemon=True)
        self._stopped = threading.Event()
        self._trouble: Exception | None = None  # of the writing thread
        self._frames = self._broken = self._lost = self._unrecorded = self._bytes = 0
        self._missed = self._lost_with_missed = 0  # since the last one that was kept
        self._begun_host_ns = 0

    def stop(self) -> None:
        """End the recording with what is there. From any thread or a signal handler."""
        self._stopped.set()

    def run(self, look: Callable[[Progress], None]) -> Outcome:
        """Record until there is enough, and return what there is. look: called between two frames.

        Raises RecordingError when nothing came at all, or the folder cannot be written, or its disk has too little room
        for what is wanted; CameraError. A camera that is lost later or a disk that is full ends the recording, and
        `ending` says so.
        """
        self._check_place()
        self._begun_host_ns = time.monotonic_ns()
        try:
            self._camera.start()
            ending = self._grab_all(look)
        finally:
            self._waiting.close()
            if self._thread.is_alive():
                self._thread.join()
        return self._finish(ending, self._elapsed_s)

    def _finish(self, ending: str, elapsed_s: float) -> Outcome:
        writer, trouble = self._writer, self._trouble
        if writer is None:
            raise RecordingError(
                f"camera '{self._camera.name}': no picture came in {elapsed_s:.1f} s ({ending}); a triggered camera "
                "waits for its trigger: give it one, or let it run free (--option trigger=free_run)"
            )
        if trouble is not None and not isinstance(trouble, RecordingError | OSError):
            raise trouble
        if trouble is not None:
            ending = self._told(trouble)
        try:
            writer.close(ending, self._missed)
        except OSError as error:  # no end mark: what was written before is whole
            ending = ending if trouble is not None else self._told(error)
        damaged = self._camera.counters().get("damaged", 0)
        return Outcome(
            frames=writer.frames,
            broken=writer.broken,
            lost=writer.lost,
            unrecorded=writer.unrecorded,
            damaged=damaged,
            bytes_written=writer.bytes_written,
            elapsed_s=elapsed_s,
            peak_buffered=self._waiting.peak_bytes / self._wanted.buffer_bytes,
            ending=ending,
            is_whole=ending in GOOD_ENDINGS and writer.unrecorded == damaged == 0,
        )

    def _told(self, trouble: RecordingError | OSError) -> str:
        if isinstance(trouble, RecordingError):
            return str(trouble)
        return (
            f"{self._wanted.folder}: {trouble.strerror or trouble}; the recording ended there; free some space, or "
            "record to another disk"
        )

    @property
    def _elapsed_s(self) -> float:
        return (time.monotonic_ns() - self._begun_host_ns) / 1e9

    def _grab_all(self, look: Callable[[Progress], None]) -> str:
        """Grab until there is enough; return why it ended."""
        asking = Asking(self._camera)
        while not (ending := self._ending()):
            try:
                asking.ask()
                exposure = self._camera.grab(None, _GRAB_S)
            except CameraLostError as error:
                if self._writer is None:
                    raise
                return f"the camera was lost: {error}"
            if exposure is not None:
                asking.answered()
                self._take(exposure)
            look(self._progress())
        self._camera.stop()  # what comes while the rest is written is wanted by nobody
        return ending

    def _ending(self) -> str:
        wanted = self._wanted
        if self._trouble is not None:
            return str(self._trouble)
        if self._stopped.is_set():
            return STOPPED
        if wanted.frames is not None and self._frames >= wanted.frames:
            return COMPLETE
        if wanted.seconds is not None and self._elapsed_s >= wanted.seconds:
            return COMPLETE
        return SOURCE_ENDED if self._camera.exhausted else ""

    def _take(self, exposure: Exposure) -> None:
        if self._writer is None:
            self._begin(exposure)
        whole = replace(exposure, lost_before=exposure.lost_before + self._lost_with_missed)
        if not self._waiting.put(whole, self._missed):
            self._missed += 1
            self._unrecorded += 1
            self._lost_with_missed = whole.lost_before
            return
        self._missed = self._lost_with_missed = 0
        self._lost += whole.lost_before
        self._bytes += size_of(exposure)
        if isinstance(exposure, BrokenFrame):
            self._broken += 1
        else:
            self._frames += 1

    def _place(self) -> Path:
        """Return the folder, or the nearest one above it that exists."""
        folder = self._wanted.folder.absolute()
        return next(one for one in (folder, *folder.parents) if one.exists())

    def _check_place(self) -> None:
        try:
            with tempfile.TemporaryFile(dir=self._place()):
                pass
        except OSError as error:
            raise RecordingError(
                f"{self._wanted.folder}: cannot be written ({self._place()}: {error.strerror or error}); name a folder "
                "where this user may write"
            ) from None

    def _begin(self, exposure: Exposure) -> None:
        wanted = self._wanted
        needed = (wanted.frames or 1) * size_of(exposure)
        free = shutil.disk_usage(self._place()).free
        if free < needed + wanted.keep_free_bytes:
            raise RecordingError(
                f"{wanted.folder}: {wanted.frames or 1} frame(s) of {size_of(exposure) / 1e6:.1f} MB need "
                f"{_room(needed)}, and {_room(wanted.keep_free_bytes)} are kept free; the disk has {_room(free)} free; "
                "record less, or elsewhere, or lower --keep-free-gb"
            )
        self._writer = RawRecordingWriter(wanted.folder, self._about, time.time_ns())
        self._thread.start()

    def _progress(self) -> Progress:
        return Progress(
            self._frames, self._broken, self._lost, self._unrecorded, self._bytes, self._elapsed_s, self._waiting.share
        )

    def _write_all(self) -> None:
        try:
            self._write_until_closed()
        except Exception as error:  # noqa: BLE001 - the edge of this thread; `run` raises or tells it
            self._trouble = error

    def _write_until_closed(self) -> None:
        writer = self._writer
        assert writer is not None  # made before this thread was started
        looked_at = 0
        while (item := self._waiting.first()) is not None:
            if writer.bytes_written >= looked_at:
                looked_at = writer.bytes_written + _LOOK_AT_DISK_BYTES
                self._check_disk()
            writer.write(*item)
            self._waiting.drop_first()

    def _check_disk(self) -> None:
        free, least = shutil.disk_usage(self._wanted.folder).free, self._wanted.keep_free_bytes
        if free < least:
            raise RecordingError(
                f"{self._wanted.folder}: the disk has {_room(free)} free, and {_room(least)} are kept; the "
                "recording ended there; free some space, or lower --keep-free-gb"
            )


def _room(size: int) -> str:
    """Return bytes as a person reads them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
