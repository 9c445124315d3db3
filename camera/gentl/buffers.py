"""The buffers that a producer's stream fills: announced, queued, lent on, and taken back at the end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from numpy.typing import NDArray

from camera.errors import CameraLostError, Cause
from camera.frame import Pixels
from camera.frame_memory import Filling, MemorySource
from camera.gentl.binding import Binding, GentlError, Handle


class Buffers:
    """One buffer for each place that frames may be lent in; owned by the link, on the grabbing thread.

    is_acquiring: while it is True, a buffer that the producer does not take is missing from then on, and no error.
    not_taken_back: how many were missing, over all acquisitions; from any thread.
    """

    def __init__(self, binding: Binding) -> None:
        self.is_acquiring = False
        self.not_taken_back = 0
        self._binding = binding
        self._announced: dict[int, tuple[int, Pixels]] = {}  # place and memory by buffer
        self._filling: Filling | None = None
        self._withdrawn: set[int] = set()  # the buffers that the producer did not take back in this acquisition
        self._not_taken = ""

    def announce(self, stream: Handle, size: int, filled: int, source: MemorySource) -> None:
        """Announce a buffer for every place, and queue as many as are to wait at most. Raises GentlError."""
        memory = source(size, filled)
        handles: list[int] = []
        for place in range(memory.count):
            slot: NDArray[Any] = memory.slot(place)
            handle = self._binding.opened("DSAnnounceBuffer", stream, slot.ctypes.data, size, None)
            handles.append(int(handle.value or 0))
            self._announced[handles[-1]] = place, slot[:size]
        self._filling = Filling(memory, lambda place: self._queue(stream, handles[place]))
        self._filling.begin(filled)

    def memory(self, buffer: int) -> Pixels | None:
        """Return the memory of a buffer, None when it is none of these."""
        announced = self._announced.get(buffer)
        return None if announced is None else announced[1]

    def lend(self, pixels: Pixels) -> bool:
        """Leave the memory of a buffer to whoever looks at it, if another one can be queued in its place."""
        return self.is_acquiring and self._filling is not None and self._filling.lend(pixels)

    def again(self, buffer: object) -> None:
        """Have the producer fill a buffer again, unless it was lent or is none of these."""
        announced = self._announced.get(buffer)  # type: ignore[call-overload]
        if self.is_acquiring and self._filling is not None and announced is not None:
            self._filling.again(announced[0])

    def require_any(self) -> None:
        """Raise CameraLostError once the producer has no buffer left that it could fill: nothing would come again."""
        if self._withdrawn and self._filling is not None and len(self._withdrawn) >= self._filling.filled:
            raise CameraLostError(
                f"the producer took none of its {len(self._withdrawn)} buffers back ({self._not_taken}), so that no "
                "picture can come; the device is closed and opened again",
                Cause.CONTROL_LOST,
            )

    def revoke(self, stream: Handle) -> None:
        """Take all buffers back from the producer. Never raises."""
        for buffer in self._announced:
            with suppress(GentlError):
                self._binding.call("DSRevokeBuffer", stream, buffer, Handle(), Handle())
        self._announced.clear()
        self._withdrawn.clear()

    def give_up(self) -> None:
        """Give the memory back to whoever it came from: the stream is closed and writes to none of it any more."""
        if self._filling is not None:
            self._filling.end()
            self._filling = None

    def _queue(self, stream: Handle, buffer: int) -> None:
        try:
            self._binding.call("DSQueueBuffer", stream, buffer)
        except GentlError as error:
            if not self.is_acquiring:
                raise
            self._withdrawn.add(buffer)
            self.not_taken_back += 1
            self._not_taken = str(error)
