"""The loop that every camera needs: open, grab, hand over, and open again when it was lost."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

from camera.errors import CameraError
from camera.frame import BrokenFrame, Frame
from camera.interface import Camera
from inspection.camera_history import CameraHistory, CameraReport
from inspection.camera_presence import CameraEvents, CameraPresence
from inspection.pipeline.frame_pool import FramePool


class CameraLoop(ABC):
    """Drives one camera in a thread of its own. Owned by the station; what becomes of a frame is the subclass's.

    A source that waits for the host is asked for a frame only when `wait_for_room` says that the queue has room; a real
    camera never waits.
    """

    WAIT_S = 0.1
    _POOL_FRAMES = 24
    _RETRY_S = (0.2, 0.5, 1.0, 2.0)
    _MEND_S = 1.0

    def __init__(self, camera: Camera, wait_for_room: Callable[[float], bool], events: CameraEvents) -> None:
        self.camera = camera
        self.history = CameraHistory()
        self._mend_host_ns = 0
        self._wait_for_room = wait_for_room
        self._events = events
        self._pool = FramePool(self._POOL_FRAMES)
        self._stopping = threading.Event()
        self._ceasing = threading.Event()
        self.told_all = threading.Event()  # of every trigger from before `cease`
        self._presence = CameraPresence(camera, self.history, events)
        self._threads: list[threading.Thread] = []
        self._wish: SimpleQueue[Frame] | None = None
        self._wishing = threading.Lock()

    @abstractmethod
    def take(self, frame: Frame) -> None:
        """Hand a frame over, on the grabbing thread."""

    @abstractmethod
    def miss(self, broken: BrokenFrame) -> None:
        """Have the part of an exposure without a picture end as NO_IMAGE, on the grabbing thread."""

    @abstractmethod
    def reopening(self) -> None:
        """Get ready for a camera that counts from the beginning again: it is open, and about to start."""

    def started(self) -> None:  # noqa: B027 - most cameras have nothing to be asked
        """Ask the camera what has to be known before its first frame is taken: it has just started."""

    def prepare(self) -> None:  # noqa: B027 - most cameras need nothing
        """Do what has to be done before a frame is waited for, on the grabbing thread; a CameraError is a loss."""

    def follow(self) -> None:  # noqa: B027 - most cameras have nothing to follow
        """Do what has to be done before a frame is taken, or when none came, on the grabbing thread."""

    def trigger(self) -> int | None:
        """Have a picture made now and its part born; return the part's number, None when none can be made.

        From any thread. Raises CameraError. Most cameras follow a trigger of their own and never can.
        """
        return None

    def next_frame(self, timeout_s: float) -> Frame | None:
        """Return the next whole frame beside its part, None when none came in time; from any thread, while it runs.

        What was lent is copied, for the driver fills it again. Of several who wish at a time each gets one in turn.
        """
        until_host_ns = time.monotonic_ns() + round(timeout_s * 1e9)
        if not self._wishing.acquire(timeout=timeout_s):
            return None
        try:
            wish = self._wish = SimpleQueue[Frame]()
            return wish.get(timeout=max(0.0, (until_host_ns - time.monotonic_ns()) * 1e-9))
        except Empty:
            return None
        finally:
            self._wishing.release()

    def _grant(self, frame: Frame) -> None:
        wish, self._wish = self._wish, None
        if wish is not None:
            wish.put(replace(frame, pixels=frame.pixels.copy()) if self.camera.lends_frames else frame)

    def loops(self) -> dict[str, Callable[[], None]]:
        """Return the loops to run while the line runs, each in a thread of its own, by name."""
        return {"grab": self._grab_all}

    def start(self) -> None:
        """Start acquisition and the threads that follow it. Raises CameraError when it cannot: it is lost then."""
        if self._is_busy:
            raise self._presence.hung_error()
        for flag in (self._stopping, self._ceasing, self.told_all):
            flag.clear()
        try:
            self.camera.start()
            self.started()
        except CameraError as error:
            self.gone(error)
            raise
        self.history.started()
        self._threads = [
            threading.Thread(target=self._guarded, args=(loop,), name=f"{name}-{self.camera.name}", daemon=True)
            for name, loop in self.loops().items()
        ]
        for thread in self._threads:
            thread.start()

    def cease(self) -> None:
        """Begin no further part; what has triggered is born by then, and its frames are taken until `stop`. Bounded."""
        self._ceasing.set()

    def cease_exposing(self) -> bool:
        """Let the device make no further exposure; True where it does not, and is there."""
        with suppress(CameraError):  # the grabbing thread finds that it has gone
            return self.camera.cease()
        return False

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop acquisition and the threads; bounded. Parts in flight go on.

        A thread whose call into the driver does not return is left behind; until it does, nothing else is done with
        the camera, and the history goes on to say that it hangs.
        """
        self._stopping.set()
        self.camera.stop()
        for thread in self._threads:
            thread.join(timeout_s)

    @property
    def lost(self) -> bool:
        """True while the camera is lost; a line that was stopped meanwhile opens it with `mend`."""
        return self._presence.lost

    def absent(self, error: CameraError) -> None:
        """Say that the camera could not be opened when the station was: it is lost from the beginning."""
        self._presence.lose(error)

    def gone(self, error: CameraError) -> None:
        """Say that the camera went while nobody grabs from it: the line stands, or could not be started."""
        if not self._is_busy:
            self.camera.close()
            self._presence.lose(error)

    def mend(self) -> None:
        """Try once to open a camera that is lost while the line is stopped; a second lies between two attempts.

        It takes as long as the device does. Nothing is done while a thread of the line is still about to open it.
        """
        if time.monotonic_ns() < self._mend_host_ns or self._is_busy:
            return
        try:
            self._presence.open()
        except CameraError as error:
            self.camera.close()
            self._presence.still_lost(error)
            return
        finally:
            self._mend_host_ns = time.monotonic_ns() + round(self._MEND_S * 1e9)
        self.reopening()
        self._presence.found()

    def renew(self) -> None:
        """Close a camera whose settings are no longer the recipe's and open it, which writes them; the line stands."""
        self.camera.close()
        try:
            self._presence.open()
        except CameraError as error:
            self.camera.close()
            self._presence.lose(error)
            return
        self.reopening()
        self._events.recovered()

    def tell_hung(self) -> None:
        """Say that a call into the driver does not return, for somebody else's thread noticed it."""
        self._presence.tell_hung()

    def tell_alive(self) -> None:
        """Say that the call has returned after all; one that returned only to say that the camera has gone is lost."""
        self._presence.tell_alive()

    def report(self, backend: str) -> CameraReport:
        """Return one look at the camera."""
        return self.history.report(self.camera.name, backend, self.camera.counters())

    @property
    def exhausted(self) -> bool:
        """True once a finite source has given everything."""
        return self.camera.exhausted

    @property
    def stopping(self) -> bool:
        """True from `stop` on."""
        return self._stopping.is_set()

    @property
    def ceasing(self) -> bool:
        """True from `cease` on: the frames of parts that are born are still wanted, no others."""
        return self._ceasing.is_set()

    def wait_stopping(self, timeout_s: float) -> bool:
        """Wait a while; True once the line is being stopped."""
        return self._stopping.wait(timeout_s)

    def wait_while_lost(self) -> None:
        """Wait a moment for the grabbing thread, which opens the camera again."""
        self._stopping.wait(self.WAIT_S)

    @property
    def _is_busy(self) -> bool:
        """True while a thread of the line lives: nobody else may open or start the camera."""
        return any(thread.is_alive() for thread in self._threads)

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Exception as error:  # noqa: BLE001 - the thread's edge: the station is told and stops passing parts
            self._events.failed(f"{type(error).__name__}: {error}")

    def _grab_all(self) -> None:
        try:
            self._grab_until_stopped()
        finally:
            self.history.stopped()

    def _grab_until_stopped(self) -> None:
        while not self._stopping.is_set():
            if self.camera.waits_for_host and not self._wait_for_room(self.WAIT_S):
                continue
            is_rest = self.ceasing
            try:
                self.prepare()
                frame = self._grab()
            except CameraError as error:
                self._recover(error)
                continue
            self.history.alive()
            self.follow()
            if frame is None:
                if is_rest:
                    self.told_all.set()
                continue
            self.history.exposed(frame.lost_before, broken=isinstance(frame, BrokenFrame))
            if isinstance(frame, BrokenFrame):
                self.miss(frame)
            else:
                if self._wish is not None:
                    self._grant(frame)
                self.take(frame)

    def _grab(self) -> Frame | BrokenFrame | None:
        if self.camera.lends_frames:
            return self.camera.grab(None, self.WAIT_S)
        try:
            frame = self.camera.grab(self._pool.free_buffer(), self.WAIT_S)
        except ValueError:  # a frame larger than those before
            frame = self.camera.grab(None, self.WAIT_S)
        if isinstance(frame, Frame):
            self._pool.learn(frame.pixels)
        return frame

    def _recover(self, error: CameraError) -> None:
        """Close and open the camera until it works again or the line is stopped; one that has ceased stays closed."""
        self._presence.lose(error)
        self.camera.close()
        attempt = 0
        while not self._stopping.wait(self._RETRY_S[min(attempt, len(self._RETRY_S) - 1)]):
            attempt += 1
            if self.ceasing:
                continue
            try:
                self._presence.open()
                self.reopening()
                self.camera.start()
                self.started()
            except CameraError as again:
                self.camera.close()
                self._presence.still_lost(again)
                continue
            self._presence.found()
            if self._stopping.is_set():  # a stop that came meanwhile found nothing that it could stop
                self.camera.stop()
            return
