"""A camera over an SDK that delivers buffers: each gets its number, and is held against what was set."""

from __future__ import annotations

import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from camera.errors import CameraError, CameraLostError, CameraOpenError, Cause, NodeError
from camera.frame import BrokenFrame, Frame, Pixels, Trigger
from camera.frame_memory import MemorySource, PrivateMemory
from camera.genicam.chunks import missing_chunks
from camera.genicam.clock import latch_clock
from camera.genicam.link import Link, Received
from camera.genicam.nodes import Nodes
from camera.genicam.numbering import Numbering
from camera.genicam.options import StreamingOptions
from camera.genicam.picture import picture_of
from camera.genicam.settings import apply
from camera.genicam.software_trigger import SoftwareTriggers
from camera.genicam.timing import default_silence_s, frame_s, least_answer_ns
from camera.genicam.writing import Applied
from camera.interface import Camera

_SLICE_S = 0.05  # how soon a waiting grab sees a stop, or the loss of the device
_COUNTED = ("frames", "broken_frames", "lost_frames", "underruns", "unexpected_frames", "wrong_size")

_log = logging.getLogger(__name__)


class StreamingCamera(Camera):
    """A GenICam camera over a `Link`; owned by one grabbing thread.

    A subclass opens the link. What came broken, in another size or in another format than was set is a BrokenFrame;
    pictures that found no buffer free make all broken that may stand in their place.
    """

    silence_hint: ClassVar[str] = "check its cable and power"

    def __init__(self, name: str, options: StreamingOptions) -> None:
        super().__init__(name)
        self._streaming = options
        self._memory: MemorySource = PrivateMemory
        self._link: Link | None = None
        self._lock = threading.Lock()  # who waits in the link, starts or ends it
        self._pending: Received | None = None
        self._frame_s = 0.0

    def offer_memory(self, memory: MemorySource) -> None:
        """Have the SDK fill this memory from the next `start` on; frames that can be are lent in it, not copied."""
        self._memory = memory

    @abstractmethod
    def _connect(self) -> Link:
        """Claim the device. Raises CameraOpenError."""

    def _configure(self, link: Link) -> tuple[Applied, ...]:
        """Bring the device to its settings. Raises CameraOpenError, NodeError, CameraLostError."""
        return apply(link.nodes, self._streaming, self.name)

    def _least_answer_ns(self, nodes: Nodes) -> int:
        """Return how long a picture takes at least from its software trigger."""
        return least_answer_ns(nodes)

    def _open(self) -> None:
        options, link = self._streaming, self._connect()
        try:
            self.applied = self._configure(link)
            self._picture = picture_of(link.nodes, self.name)
            self._silence_s = options.silence_s or default_silence_s(link.nodes)
            self._triggers = self._new_triggers(link.nodes) if self.takes_software_trigger else None
            ids = link.block_ids()
        except (NodeError, CameraLostError) as error:
            link.close()
            raise CameraOpenError(self._named(error), error.cause) from error
        except CameraError:
            link.close()
            raise
        counted = (*_COUNTED, "missing_chunks") if options.chunks else _COUNTED
        self._counts = dict.fromkeys(counted, 0)
        alone = not options.is_triggered
        self._numbering = Numbering(self.name, ids, options.buffers, self._counts, self._triggers, alone)
        self._link = link

    def _new_triggers(self, nodes: Nodes) -> SoftwareTriggers:
        window_s, least_ns = self._streaming.trigger_answer_s, self._least_answer_ns(nodes)
        if least_ns >= window_s * 1e9:
            raise CameraOpenError(
                f"camera '{self.name}': trigger_answer_s = {window_s:g}, but its exposure alone takes "
                f"{least_ns / 1e9:.3g} s — raise trigger_answer_s above that, or shorten the exposure",
                Cause.REFUSED,
            )
        return SoftwareTriggers(int(window_s * 1e9), least_ns=least_ns)

    def _start(self) -> None:
        with self._lock:
            self._begin()

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        deadline = time.monotonic() + timeout_s
        while True:
            rest_s = deadline - time.monotonic()
            with self._lock:
                if not self._is_started or self._link is None:
                    return None
                result = self._next(self._link, into, max(0.0, min(_SLICE_S, rest_s)))
            if result is not None or rest_s <= 0:
                return result

    def _trigger(self) -> Trigger | None:
        assert self._triggers is not None  # takes_software_trigger
        link = self._link
        if link is None or not link.is_ready():
            return None
        now_host_ns = time.monotonic_ns()
        number = self._triggers.fire(now_host_ns)
        if number is None:
            return None
        try:
            link.nodes.execute("TriggerSoftware")
        except (NodeError, CameraLostError) as error:
            self._triggers.failed(number, str(error))
            if isinstance(error, CameraLostError):
                link.give_up()
                raise
        else:
            self._triggers.reached(number)
        return Trigger(number, now_host_ns)

    def _cease(self) -> bool:
        """Let the device end with the picture that it makes now: that is what AcquisitionStop means (SFNC)."""
        link = self._link
        if link is None or not self._streaming.is_triggered or self.takes_software_trigger:
            return False
        try:
            link.nodes.execute("AcquisitionStop")
        except NodeError:
            return False
        except CameraLostError:
            link.give_up()
            raise
        return True

    def _device_now_ns(self) -> int | None:
        link = self._link
        return latch_clock(link.nodes) if link is not None and self._numbering.clock_runs else None

    @property
    def frame_s(self) -> float:
        """As the device's exposure and rate say, no longer than a software trigger would be waited for."""
        return self._frame_s

    @property
    def takes_software_trigger(self) -> bool:
        """True where the configuration says that the station asks for each picture."""
        return self._streaming.trigger == "software"

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Width and height that the device was set to, once it is open."""
        return None if self._link is None else (self._picture.width, self._picture.height)

    @property
    def nodes(self) -> Nodes | None:
        """The GenICam features of the open device."""
        return None if self._link is None else self._link.nodes

    def counters(self) -> Mapping[str, int]:
        """Return what was counted since it was opened."""
        link = self._link
        return {} if link is None else {**self._counts, **link.counted()}

    def _stop(self) -> None:
        with self._lock:
            if self._link is not None:  # another thread may have closed it meanwhile
                self._end()
                self._numbering.stopped(time.monotonic_ns())

    def _close(self) -> None:
        with self._lock:
            link, self._link = self._link, None
            if link is not None:
                link.close()

    def _begin(self) -> None:
        link = self._opened()
        try:
            self._picture = picture_of(link.nodes, self.name)
            self._frame_s = min(frame_s(link.nodes), self._streaming.trigger_answer_s)
            if self._triggers is not None:
                self._triggers.at_least(self._least_answer_ns(link.nodes))
            link.begin(self._memory)
        except (NodeError, CameraOpenError) as error:
            link.end()
            why = f"camera '{self.name}': it cannot be started ({error}); it is closed and opened again"
            raise CameraLostError(why, error.cause) from error
        except CameraLostError:
            link.give_up()
            link.end()
            raise
        self._numbering.began()
        self._last_host_ns = time.monotonic_ns()

    def _end(self) -> None:
        self._pending = None
        self._numbering.ended()
        self._opened().end()

    def _next(self, link: Link, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        """Return what came within a slice of time, None for nothing. Raises CameraLostError."""
        missing = self._numbering.given_up(time.monotonic_ns())
        if missing is not None:
            return self._broken(missing.counter, None, missing.lost_before, missing.why)
        if self._triggers is not None and self._triggers.must_restart:
            self._end()
            self._begin()
            self._triggers.restarted()
        came = self._pending or link.pop(timeout_s)
        if came is None:
            self._check_silence(link)
            return None
        self._last_host_ns = time.monotonic_ns()
        self._pending = came
        trouble = self._picture.trouble_of(came)
        if not trouble and into is not None:
            self._picture.check_room(self.name, into)
        self._pending = None
        try:
            return self._exposure(link, came, trouble, into)
        finally:
            link.give_back(came)

    def _exposure(self, link: Link, came: Received, trouble: str, into: Pixels | None) -> Frame | BrokenFrame | None:
        """Return the frame of a buffer, or the broken one; None for one that is no exposure of ours."""
        found = self._numbering.take(came, self._last_host_ns)
        if found is None:
            return None
        if trouble or found.doubt:
            self._counts["wrong_size"] += bool(trouble and not came.trouble)
            return self._broken(found.counter, found.device_ns, found.lost_before, trouble or found.doubt)
        self._counts["frames"] += 1
        self._look_for_chunks(came)
        return Frame(
            camera=self.name,
            counter=found.counter,
            device_ns=found.device_ns,
            received_host_ns=self._last_host_ns,
            lost_before=found.lost_before,
            pixel_format=self._picture.pixel_format,
            pixels=self._pixels(link, came, into),
            chunks=came.chunks,
        )

    def _pixels(self, link: Link, came: Received, into: Pixels | None) -> Pixels:
        """Return the pixels where the SDK put them, if they can be lent; else copied."""
        is_lent = not came.padding and link.lend(came)
        return self._picture.in_place(came) if is_lent else self._picture.copied(came, into)

    def _look_for_chunks(self, came: Received) -> None:
        """Count a whole picture that came without all the chunks that were asked for; say so the first time."""
        missing = missing_chunks(self._streaming.chunks, came.chunks)
        if missing:
            if not self._counts["missing_chunks"]:
                _log.warning("camera '%s': frames come without chunk %s", self.name, ", ".join(missing))
            self._counts["missing_chunks"] += 1

    def _broken(self, counter: int, device_ns: int | None, lost_before: int, why: str) -> BrokenFrame:
        self._counts["broken_frames"] += 1
        return BrokenFrame(self.name, counter, device_ns, time.monotonic_ns(), lost_before, why)

    def _check_silence(self, link: Link) -> None:
        silent_s = (time.monotonic_ns() - self._last_host_ns) / 1e9
        if not self._streaming.is_triggered and silent_s > self._silence_s:
            link.give_up()
            raise CameraLostError(
                f"camera '{self.name}': no frame for {silent_s:.1f} s — one is due every {self._silence_s:g} s at most "
                f"— {self.silence_hint}",
                Cause.SILENT,
            )

    def _named(self, error: CameraError) -> str:
        of_camera = f"camera '{self.name}': "
        return f"{of_camera}{str(error).removeprefix(of_camera)}"

    def _opened(self) -> Link:
        assert self._link is not None  # the life cycle puts open() before
        return self._link
