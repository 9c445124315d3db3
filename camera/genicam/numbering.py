"""Which exposure a buffer is: its number, what was lost before it, and when the device took it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from camera.genicam.block_ids import BlockIds
from camera.genicam.link import Received
from camera.genicam.software_trigger import SoftwareTriggers

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exposure:
    """The exposure of a buffer. doubt: why it may be another one's, '' where it is certain."""

    counter: int
    lost_before: int
    device_ns: int | None
    doubt: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A software trigger that has no picture, and how many before it had none either."""

    counter: int
    lost_before: int
    why: str


class Numbering:
    """Numbers the buffers of one open device; owned by the camera's grabbing thread.

    ids: how the device counts. buffers: pictures that wait at most. counts: where it notes lost_frames, underruns and
    unexpected_frames. triggers: for a camera that the station asks for each picture; then a frame has the number of
    its trigger, and what nobody asked for is none. exposes_alone: it makes pictures that nobody asked for, a wired
    trigger being somebody.
    """

    def __init__(
        self,
        camera: str,
        ids: BlockIds,
        buffers: int,
        counts: dict[str, int],
        triggers: SoftwareTriggers | None,
        exposes_alone: bool,
    ) -> None:
        self._camera, self._ids, self._buffers, self._counts, self._triggers = camera, ids, buffers, counts, triggers
        ids.goes_on = triggers is None and not exposes_alone
        self._forgotten = 0  # exposures known to be lost that no frame has told of yet
        self._in_doubt = self._owed = 0
        self._last_stamp_ns: int | None = None
        self.clock_runs = True

    def began(self) -> None:
        """Note that acquisition was started: the counter goes on, with the number that the device begins with."""
        self._ids.restarted()
        self._in_doubt = self._owed = 0

    def ended(self) -> None:
        """Note that buffers were discarded, and with them the place of what was lost; the next start begins anew."""
        if self._triggers is None:
            self._counts["lost_frames"] += self._owed
        self._owed = 0

    def stopped(self, now_host_ns: int) -> None:
        """Give up the triggers that are still outstanding: the next frame tells of them."""
        if self._triggers is not None:
            self._triggers.restarted()
            self._forgotten += self._triggers.next_lost(now_host_ns) is not None

    def given_up(self, now_host_ns: int) -> Missing | None:
        """Return the software trigger that has no picture; None for none (any more)."""
        lost = None if self._triggers is None else self._triggers.next_lost(now_host_ns)
        if lost is None:
            return None
        return Missing(lost.number, self._tell(0), lost.why)

    def take(self, came: Received, now_host_ns: int) -> Exposure | None:
        """Return the exposure of a buffer; None for one that nobody asked for, or that came before.

        Raises CameraLostError once the device began to count anew.
        """
        numbered = self._ids.take_next() if came.block_id is None else self._ids.take(came.block_id)
        if numbered is None:
            self._counts["unexpected_frames"] += 1
            return None
        counter, lost_before = self._with_underruns(came.underruns, *numbered)
        device_ns = self._stamp(came.device_ns)
        if self._triggers is not None:
            number = self._triggers.take(now_host_ns, lost_before)
            if number is None:
                self._counts["unexpected_frames"] += 1
                return None
            counter, lost_before = number, 0
        doubt = "pictures beside it were lost: it may be another part's" if self._in_doubt else ""
        return Exposure(counter, self._tell(lost_before), device_ns, doubt)

    def _tell(self, lost_before: int) -> int:
        lost_before, self._forgotten = lost_before + self._forgotten, 0
        self._counts["lost_frames"] += lost_before
        return lost_before

    def _with_underruns(self, underruns: int, counter: int, lost_before: int) -> tuple[int, int]:
        """Return the counter and the loss before it, where some SDKs number only what they deliver.

        When pictures found no buffer free, as many as there are buffers were waiting already: the hole is beside one
        of those, nobody can tell which. All of them are in doubt; the loss is told of by the first one after them,
        less what the block numbers show by themselves.
        """
        self._counts["underruns"] += underruns
        if self._in_doubt:
            self._in_doubt -= 1
        if underruns:
            self._owed += underruns
            self._in_doubt = self._buffers
        self._owed -= min(self._owed, lost_before)
        if self._in_doubt or not self._owed:
            return counter, lost_before
        owed, self._owed = self._owed, 0
        self._ids.counter += owed
        return counter + owed, lost_before + owed

    def _stamp(self, stamp_ns: int | None) -> int | None:
        """Return the time stamp; None from the first one that does not come after the one before: it dates nothing.

        A clock that jumps back would give a picture to another part. TLSimu's begins anew each second.
        """
        last_ns = self._last_stamp_ns
        if stamp_ns is not None and last_ns is not None and stamp_ns <= last_ns and self.clock_runs:
            self.clock_runs = False
            _log.warning(
                "camera '%s': its time stamps jump back (%d after %d): not used", self._camera, stamp_ns, last_ns
            )
        self._last_stamp_ns = stamp_ns
        return stamp_ns if self.clock_runs else None
