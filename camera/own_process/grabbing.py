"""The grabbing loop of a driver's process: exposures go into shared memory, and the station is told of each."""

from __future__ import annotations

import os
import socket
import threading
import time

import numpy as np

from camera.copying import put
from camera.errors import CameraError, CameraLostError
from camera.frame import BrokenFrame, Frame, Pixels
from camera.interface import Camera
from camera.own_process.lane import portable
from camera.own_process.life import BEAT_S, LifeSigns
from camera.own_process.messages import Failure, FilledSlot, SourceEnd, send
from camera.own_process.slots import SlotWriter, slots_for, whole_pages

_LARGEST_LOG_BYTES = 1 << 18


class Grabbing:
    """Grabs from `start` to `stop` and never waits for the station. `run` is the life of its thread.

    Where the station holds every slot, exposures are still taken from the device and dropped, and the next frame that
    is handed over tells of them in `lost_before`.
    """

    def __init__(self, link: socket.socket, life: LifeSigns, log_fd: int) -> None:
        self.dropped = 0
        self._link = link
        self._life = life
        self._log_fd = log_fd
        self._changed = threading.Condition()
        self._running = False
        self._parked = False
        self._camera: Camera | None = None
        self._slots: SlotWriter | None = None
        self._spare: int | None = None  # the slot that the next frame is copied to, if its driver did not fill one
        self._memory_to_tell: int | None = None
        self._scratch: Pixels | None = None
        self._lost = 0

    def start(self, camera: Camera) -> None:
        """Begin to grab from a camera that was started."""
        with self._changed:
            self._camera = camera
            self._running = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Begin no further grab; `camera.stop` ends the one that waits."""
        with self._changed:
            self._running = False

    def wait_parked(self) -> None:
        """Wait until the last grab has returned and was told of."""
        with self._changed:
            while not self._parked:
                self._changed.wait()

    @property
    def full(self) -> bool:
        """True while the station holds every slot: a picture that is made now would be dropped."""
        slots = self._slots
        return slots is not None and self._spare is None and not slots.has_free

    def memory(self, frame_bytes: int, filled: int) -> SlotWriter:
        """Return slots for a driver whose SDK fills so many at once; the ones that are there, if they fit.

        Called while the camera starts: nothing is grabbed meanwhile.
        """
        slots, lendable = self._slots, slots_for(frame_bytes)
        if slots is None or (slots.slot_bytes, slots.count) != (whole_pages(frame_bytes), lendable + filled):
            slots = self._grow(frame_bytes, filled)
        return slots

    def run(self) -> None:
        """Grab while started, and show life all the time."""
        shown_host_ns = 0
        while True:
            self._life.beat()
            if (now_host_ns := time.monotonic_ns()) - shown_host_ns > BEAT_S * 1e9:
                shown_host_ns = now_host_ns
                self._keep_log_small()
            camera = self._next_camera()
            if camera is None:
                continue
            try:
                more = self._one(camera)
            except Exception as error:  # noqa: BLE001 - the edge of this thread: the station is told
                more = False
                self._tell_at_last(Failure(_lost(error)))
            if not more:
                self.stop()

    def _next_camera(self) -> Camera | None:
        with self._changed:
            if self._running:
                self._parked = False
                return self._camera
            self._parked = True
            self._changed.notify_all()
            self._changed.wait(BEAT_S)
            return None

    def _one(self, camera: Camera) -> bool:
        """Take one exposure; False when nothing more can come."""
        into = self._spare_slot()
        taken = self._grab(camera, into)
        finished = camera.exhausted
        if finished:
            self._life.finish()
        if isinstance(taken, Frame):
            self._hand_over(taken)
        elif taken is not None:
            self._tell_broken(taken)
        elif finished:
            self._tell_at_last(SourceEnd())
            return False
        return True

    def _grab(self, camera: Camera, into: Pixels | None) -> Frame | BrokenFrame | None:
        if into is None or camera.lends_frames:
            return camera.grab(None, BEAT_S)
        try:
            return camera.grab(into, BEAT_S)
        except ValueError:  # a frame larger than those before; it is not lost
            return camera.grab(None, BEAT_S)

    def _spare_slot(self) -> Pixels | None:
        """Return where the next frame may be put: nowhere that is handed over, while the station holds every slot."""
        if self._slots is None:
            return self._scratch
        if self._spare is None:
            self._spare = self._slots.claim()
        return self._scratch if self._spare is None else self._slots.slot(self._spare)

    def _hand_over(self, frame: Frame) -> None:
        slots = self._slots
        place = None if slots is None else slots.place_of(frame.pixels)
        if slots is None or place is None:
            slots, place = self._copied(frame)
        elif place == self._spare:
            self._spare = None
        if place is None:
            self._drop(frame, 1)
            return
        slots.hand_over(place)
        if self._tell(FilledSlot.of(frame, place, self._lost + frame.lost_before)):
            self._lost = 0
        else:
            slots.unclaim(place)
            self._drop(frame, 1)

    def _copied(self, frame: Frame) -> tuple[SlotWriter, int | None]:
        """Copy a frame that its driver put elsewhere; no place where the station holds every slot."""
        size, slots = frame.pixels.nbytes, self._slots
        if slots is None or (self._spare is not None and size > slots.slot_bytes):
            slots = self._grow(size, 0)
            self._spare = slots.claim()
        place, self._spare = self._spare, None
        if place is not None:
            put(slots.slot(place)[:size].view(frame.pixels.dtype).reshape(frame.pixels.shape), frame.pixels)
        elif self._scratch is None or self._scratch.nbytes < size:
            self._scratch = np.empty(size, np.uint8)
        return slots, place

    def _tell_broken(self, broken: BrokenFrame) -> None:
        told = BrokenFrame(
            broken.camera,
            broken.counter,
            broken.device_ns,
            broken.received_host_ns,
            self._lost + broken.lost_before,
            broken.why[:1000],
        )
        if self._tell(told):
            self._lost = 0
        else:
            self._drop(broken, 1)

    def _drop(self, exposure: Frame | BrokenFrame, count: int) -> None:
        self.dropped += count
        self._lost += count + exposure.lost_before

    def _grow(self, size: int, filled: int) -> SlotWriter:
        """Make memory for frames of another size; what the station looks at in the old one stays there."""
        if self._slots is not None:
            self._slots.close()
        self._slots = slots = SlotWriter(size, slots_for(size), filled)
        self._spare = None
        self._memory_to_tell = slots.fd
        return slots

    def _tell(self, message: FilledSlot | BrokenFrame) -> bool:
        self._life.count_sent(1)
        memory = self._memory_to_tell if isinstance(message, FilledSlot) else None
        if not send(self._link, message, memory):
            self._life.count_sent(-1)
            return False
        if memory is not None:
            self._memory_to_tell = None
        return True

    def _tell_at_last(self, message: Failure | SourceEnd) -> None:
        """Tell what a grab is waiting for, as soon as there is room for it; once stopped, nobody waits."""
        while self._running and not send(self._link, message, None):
            self._life.beat()
            time.sleep(BEAT_S)

    def _keep_log_small(self) -> None:
        if os.fstat(self._log_fd).st_size > _LARGEST_LOG_BYTES:
            os.ftruncate(self._log_fd, 0)


def _lost(error: Exception) -> CameraError:
    """Return what the station raises: an error that nobody expected loses the camera, as a driver's own does."""
    if isinstance(error, CameraError):
        return portable(error)
    return CameraLostError(str(portable(error)))
