"""The numbers that a stream gives its frames, counted on beyond where they wrap."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class BlockIds:
    """Makes counters from 1 of a stream's block numbers. Owned by the grabbing thread; make a new one at each open.

    bits: where the numbers wrap; zero_is_skipped: GigE Vision with 16 bits leaves 0 out (GigE Vision 2.0, 6.1.1: block
    numbers start at 1 and wrap to 1). The first frame that is seen counts as 1, or goes on from `counter`.
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

        A number that went backwards by less than half the range is one that was seen or given up already.
        """
        if self._last_id is None:
            step = 1
        else:
            lowest = 1 if self.zero_is_skipped else 0
            span = (1 << self.bits) - lowest
            step = (block_id - self._last_id) % span
            if step == 0 or step > span // 2:
                return None
        self._last_id = block_id
        self.counter += step
        return self.counter, step - 1

    def take_next(self) -> tuple[int, int]:
        """Return the counter of an exposure whose number did not come: the one after the last that was seen."""
        self.counter += 1
        if self._last_id is not None:
            self._last_id = (self._last_id + 1) % (1 << self.bits)
            if self._last_id == 0 and self.zero_is_skipped:
                self._last_id = 1
        return self.counter, 0
