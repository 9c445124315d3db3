"""The interface that every camera driver fills in: a passive object without thread or policy."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import ClassVar, Self

from camera.errors import CameraError
from camera.frame import BrokenFrame, ClockReading, Frame, Pixels, Trigger
from camera.frame_memory import MemorySource
from camera.genicam.clock import ptp_status
from camera.genicam.nodes import Nodes
from camera.genicam.writing import Applied


class Camera(ABC):
    """One camera, owned by one grabbing thread.

    Life cycle: `open → start → grab … → (cease → grab … →) stop → (start …) → close`; `close` is idempotent and may
    follow any state.
    Callers use the public methods, which check the life cycle once for all drivers; a driver fills in the methods
    with a leading underscore. `grab` and `wait_trigger` may be called from two different threads at once; `stop`
    and `close` make both return within their time-out.
    """

    reports_triggers: ClassVar[bool] = False
    """True where the device tells the host of each trigger apart from its frame, so that a part whose frame is
    lost is known at once; False where a trigger is known only by the counter of the frame (or by its gap)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.applied: tuple[Applied, ...] = ()
        """The settings that the open device took, each with its read-back; empty where it has no features."""
        self._is_open = False
        self._is_started = False
        self._has_ceased = False

    def open(self) -> None:
        """Claim the device; afterwards it is configured and silent. Raises CameraOpenError."""
        if not self._is_open:
            self._open()
            self._is_open = True

    def start(self) -> None:
        """Begin acquisition; afterwards each trigger makes a frame. Counters go on where they were."""
        self._require_open("start")
        if not self._is_started:
            self._has_ceased = False
            self._start()
            self._is_started = True

    def offer_memory(self, memory: MemorySource) -> None:  # noqa: B027 - most drivers have no use for it
        """Offer memory that frames may be made in at once, before `open`; a driver that fills `into` needs none."""

    def grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        """Wait for the next exposure; None when none came in time, when stopped, or at the end of a replay.

        One whose pixels did not come whole, or are not of the size that was set, is a BrokenFrame, never a frame.

        into: a flat uint8 buffer that the frame's pixels become a view of, or None to let the driver allocate.
        Raises CameraLostError when the device has gone, ValueError when `into` is too small for the frame.
        """
        self._require_open("grab")
        return self._grab(into, timeout_s) if self._is_started else None

    def wait_trigger(self, timeout_s: float) -> Trigger | None:
        """Wait for the next trigger; None when none came in time or when stopped. Waiting is never a fault."""
        self._require_open("wait_trigger")
        if not self.reports_triggers:
            raise CameraError(f"camera '{self.name}': this backend does not report triggers; use its frame counter")
        return self._wait_trigger(timeout_s) if self._is_started else None

    def read_clock(self) -> ClockReading | None:
        """Ask for the time of the clock that stamps the frames; None where nobody can ask it, or it does not run."""
        self._require_open("read_clock")
        before_host_ns = time.monotonic_ns()
        device_ns = self._device_now_ns() if self._is_started else None
        return None if device_ns is None else ClockReading(device_ns, before_host_ns, time.monotonic_ns())

    def trigger(self) -> Trigger | None:
        """Make one exposure now; return its number and moment, None when none can be made at present (or stopped).

        From any thread, one call at a time; its frame comes by `grab`, `wait_trigger` does not tell of it. Raises
        CameraError on a camera that follows a trigger of its own, CameraLostError when the device has gone.
        """
        self._require_open("trigger")
        if not self.takes_software_trigger:
            raise CameraError(
                f"camera '{self.name}': follows a trigger of its own and takes none from software; set trigger = "
                '"software" where the backend knows it (simulated, replay)'
            )
        return self._trigger() if self._is_started and not self._has_ceased else None

    def cease(self) -> bool:
        """Let no further exposure begin; those that have are still given, and told of, until `stop`.

        False where the device cannot be kept from following its own trigger: it goes on until it is stopped. From any
        thread. Raises CameraLostError when the device has gone.
        """
        self._require_open("cease")
        self._has_ceased = True
        return self._cease() or self.takes_software_trigger if self._is_started else True

    @property
    def frame_s(self) -> float:
        """How long a frame may take from its trigger, after which none is under way in a device that has ceased.

        0 where each exposure is told of before its frame.
        """
        return 0.0

    @property
    def takes_software_trigger(self) -> bool:
        """True where each exposure is made at a call of `trigger`, and none without."""
        return False

    @property
    def exhausted(self) -> bool:
        """True once a finite source (a replay that does not loop, a belt with N parts) has given everything."""
        return False

    @property
    def waits_for_host(self) -> bool:
        """True for a source without a clock of its own: the next part comes when `grab` is called, not before."""
        return False

    @property
    def lends_frames(self) -> bool:
        """True for a source whose frames may be read-only views of memory that stays as it is: it needs no buffer."""
        return False

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Width and height of the pictures in pixels, where an open source knows them before the first frame."""
        return None

    @property
    def nodes(self) -> Nodes | None:
        """The GenICam features of an open device, None where it has none. Not for the grabbing thread: it may block."""
        return None

    def check_settings(self) -> list[str]:
        """Return which settings are no longer as they were written, a line each; empty where nothing can be asked.

        It asks the device for each: never on the grabbing thread. Raises CameraError when the device does not answer.
        """
        from camera.genicam.settings import check  # it brings OpenCV along, which not every command needs

        nodes = self.nodes
        leave = ("TriggerSelector",) if self._is_started else ()
        return [] if nodes is None else check(nodes, self.applied, leave)

    def ptp_status(self) -> str | None:
        """Return what the device says of its PTP clock (Slave: it follows the network's), None for one without.

        It asks the device: never on the grabbing thread. Raises CameraError when the device has gone.
        """
        nodes = self.nodes
        return None if nodes is None else ptp_status(nodes)

    def counters(self) -> Mapping[str, int]:
        """Return what the driver has counted since it was opened, from any thread; empty where it counts nothing.

        Names in use: frames, broken_frames, lost_frames, missing_packets, resent_packets, resend_requests, underruns,
        unexpected_frames, wrong_size, driver_restarts, missing_chunks, copied_bytes, buffers_not_taken_back,
        dropped_triggers, damaged (pictures of a file); and what the network was set to: packet_size,
        socket_buffer_bytes, socket_buffer_too_small (0 or 1).
        """
        return {}

    def truth(self, trigger_number: int) -> str:
        """Return what the source knows about a part (its label), '' where it knows nothing, as any real camera."""
        del trigger_number
        return ""

    def stop(self) -> None:
        """End acquisition; afterwards `grab` returns None. Idempotent."""
        if self._is_started:
            self._is_started = False
            self._stop()

    def close(self) -> None:
        """Release the device. Idempotent, never raises for a device that is already gone."""
        if self._is_open:
            try:
                self.stop()
            finally:
                self._is_open = False
                self._close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _require_open(self, call: str) -> None:
        if not self._is_open:
            raise CameraError(f"camera '{self.name}': {call}() on a camera that is not open; call open() first")

    @abstractmethod
    def _open(self) -> None: ...

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None: ...

    def _device_now_ns(self) -> int | None:
        return None

    def _wait_trigger(self, timeout_s: float) -> Trigger | None:
        raise NotImplementedError

    def _trigger(self) -> Trigger | None:
        raise NotImplementedError

    def _cease(self) -> bool:
        return False

    @abstractmethod
    def _stop(self) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...
