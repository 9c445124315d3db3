"""The numbers that a stream gives its frames, counted on beyond where they wrap."""

from __future__ import annotations

from dataclasses import dataclass

from camera.errors import CameraLostError, Cause

_LATE = 1024  # a frame comes after its successors by no more than the buffers and the resends of a stream hold


@dataclass(slots=True)
class BlockIds:
    """Makes counters from 1 of a stream's block numbers. Owned by the grabbing thread; make a new one at each open.

    bits: where the numbers wrap; zero_is_skipped: GigE Vision leaves 0 out: block numbers start at 1 and wrap to 1.
    Both are mended by what comes: a device that sends a 0, or a number of more bits, counts as it does. The first
    frame that is seen counts as 1, or goes on from `counter`.
    """

    bits: int = 16
    zero_is_skipped: bool = True
    counter: int = 0
    _last_id: int | None = None

    def restarted(self) -> None:
        """Note that acquisition was started again: the device may begin with any number; the counter goes on."""
        self._last_id = None

    def take(self, block_id: int) -> tuple[int, int] | None:
        """Return the counter of the frame and how many never came before it; None for one that came before.

        None is a number at most 1,024 back: seen, or given up, already. Raises CameraLostError for a jump that no loss
        explains: the device began anew, and nobody knows which exposures are missing.
        """
        self._learn(block_id)
        step = 1 if self._last_id is None else self._step(self._last_id, block_id)
        if step is None:
            return None
        self._last_id = block_id
        self.counter += step
        return self.counter, step - 1

    def _learn(self, block_id: int) -> None:
        if block_id == 0:
            self.zero_is_skipped = False
        while block_id >> self.bits:
            self.bits *= 2  # 16, 32, 64

    def _step(self, last_id: int, block_id: int) -> int | None:
        span = (1 << self.bits) - (1 if self.zero_is_skipped else 0)
        step = (block_id - last_id) % span
        back = (last_id - block_id) % span
        if back <= min(_LATE, span // 4):
            return None
        has_wrapped = block_id < last_id
        if step > span // 2 or (has_wrapped and step > _LATE):
            raise CameraLostError(
                f"the stream's block numbers jumped from {last_id} to {block_id} — they count on by one — the device "
                "began anew; it is opened again. Check its power supply",
                Cause.CONTROL_LOST,
            )
        return step
