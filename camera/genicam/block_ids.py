"""The numbers that a stream gives its frames, counted on beyond where they wrap."""

from __future__ import annotations

from dataclasses import dataclass

from camera.errors import CameraLostError, Cause

_LATE = 1024  # a frame comes after its successors by no more than the buffers and the resends of a stream hold

_MANY = 16  # exposures; a start does not lose just as many as came before it by chance


@dataclass(slots=True)
class BlockIds:
    """Makes counters from 1 of a stream's block numbers. Owned by the grabbing thread; make a new one at each open.

    bits: where the numbers wrap; zero_is_skipped: GigE Vision leaves 0 out: block numbers start at 1 and wrap to 1.
    Both are mended by what comes: a device that sends a 0, or a number of more bits, counts as it does.

    begins_with: the number of the first exposure after each start, where the maker says so; then those that were lost
    at the start are known. None: learned from a device that was seen to begin anew with 0 or 1 at a later start.
    goes_on: what a device that does not begin anew counted beyond the last frame before a start was lost, too; False:
    it exposes all the time, and those were discarded at the stop. Where nothing is known, the first frame that is seen
    after a start is taken for the first.
    """

    bits: int = 16
    zero_is_skipped: bool = True
    counter: int = 0
    begins_with: int | None = None
    goes_on: bool = False
    _last_id: int | None = None
    _id_before_start: int | None = None
    _begun_with_zero: bool = False  # at any start
    _unnumbered: int = 0  # exposures since the start, as long as none had a number

    def restarted(self) -> None:
        """Note that acquisition was started again: the device may begin with any number; the counter goes on."""
        if self._last_id is not None:
            self._id_before_start = self._last_id
        self._last_id, self._unnumbered = None, 0

    def take(self, block_id: int) -> tuple[int, int] | None:
        """Return the counter of the frame and how many never came before it; None for one that came before.

        None is a number at most 1,024 back: seen, or given up, already. Raises CameraLostError for a jump that no loss
        explains: the device began anew, and nobody knows which exposures are missing.
        """
        self._learn(block_id)
        step = self._first_step(block_id) if self._last_id is None else self._step(self._last_id, block_id)
        if step is None:
            return None
        self._last_id = block_id
        self.counter += step
        return self.counter, step - 1

    def take_next(self) -> tuple[int, int]:
        """Return the counter of an exposure whose number did not come: the one after the last that was seen."""
        self.counter += 1
        if self._last_id is None:
            self._unnumbered += 1
        else:
            self._last_id = (self._last_id + 1) % (1 << self.bits)
            if self._last_id == 0 and self.zero_is_skipped:
                self._last_id = 1
        return self.counter, 0

    def _learn(self, block_id: int) -> None:
        if block_id == 0:
            self.zero_is_skipped = False
        while block_id >> self.bits:
            self.bits *= 2  # 16, 32, 64

    def _first_step(self, block_id: int) -> int:
        """Return how far the first number since a start is beyond what was counted before it, 1 where nobody knows."""
        before, self._begun_with_zero = self._id_before_start, self._begun_with_zero or block_id == 0
        least = 0 if self._begun_with_zero else 1
        beyond = 0 if before is None else self._beyond(before, block_id)
        began_anew = before is not None and block_id < before and beyond > _LATE
        if self.begins_with is not None:
            if before is not None and before >= _MANY and beyond == 1:  # it goes on, whatever is said
                self.begins_with = None
            else:
                self.begins_with = min(self.begins_with, least)
        elif began_anew and block_id in (0, 1):
            self.begins_with = least
        if self.begins_with is not None or began_anew:
            step = block_id - (least if self.begins_with is None else self.begins_with) + 1
        else:
            step = beyond if self.goes_on else 1
        return max(1, step - self._unnumbered) if step <= _LATE else 1

    def _beyond(self, last_id: int, block_id: int) -> int:
        """Return how many numbers on from the last one this is, over the wrap, too."""
        return (block_id - last_id) % ((1 << self.bits) - (1 if self.zero_is_skipped else 0))

    def _step(self, last_id: int, block_id: int) -> int | None:
        step, back = self._beyond(last_id, block_id), self._beyond(block_id, last_id)
        span = (1 << self.bits) - (1 if self.zero_is_skipped else 0)
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
