"""Which part a frame belongs to: the right one or none, after any lost, missing, doubled or spurious trigger.

The proof in three lines. An exposure inside a part's window shows that part, because windows are narrower than the
closest distance of two parts; so whatever else went wrong, the only part in whose window a frame lies is the right
one. A frame without a time stamp is placed by its receipt; there the counter must agree as well, so that a frame
that is late by a whole part is not taken for the next one. Everything else is a doubt, and a doubt matches nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from inspection.tracking.match_settings import MatchSettings, Numbering

_PENDING_FRAMES = 16


@dataclass(frozen=True, slots=True)
class Match:
    """A frame that surely shows a part. counter: the frame's, as the camera gave it.

    without_image: parts before it that will never get a frame of this camera, since its frames come in order.
    """

    part: int
    counter: int
    without_image: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Birth:
    """What the birth of a part settled.

    match: its frame, where that overtook the trigger. doubtful: parts that were given a frame which, as is known only
    now, may show this part instead: they must be rejected.
    """

    match: Match | None = None
    doubtful: tuple[int, ...] = ()


@dataclass(slots=True)
class MatchCounters:
    """What the matcher counted; every frame that found no part is in exactly one of the lower rows."""

    matched: int = 0
    resyncs: int = 0  # the relation of counter and part was learnt anew after a doubt
    doubts: int = 0  # counter and place disagreed; nothing is matched until frames in a row agree again
    ambiguous: int = 0  # in the windows of several parts
    stray: int = 0  # in no part's window, or in that of a part that has its frame or is past
    unplaced: int = 0  # without a time stamp where only that could place it
    repeated: int = 0  # the same count once more
    unconfirmed: int = 0  # refused for a doubt, or while a new relation was not yet confirmed


@dataclass(slots=True)
class _Part:
    part: int
    place: int
    ordinal: int
    count: int | None
    open: bool = True  # it may still be given a frame
    exposure: tuple[int, int] | None = None  # where the exposure of the frame that it was given can have been


@dataclass(frozen=True, slots=True)
class _Frame:
    counter: int
    count: int  # unwrapped
    low: int  # the exposure was here at the earliest …
    high: int  # … and here at the latest


class Matcher:
    """Gives each frame of one camera to its part, or to none. Pure: no clock, no thread; owned by the tracker.

    Call `born` for each trigger in their order, `frame` for each frame in the camera's order, `ended` for each part
    that is done. A part that is given no frame is a part without image. For several frames per part use one matcher
    per view, each with the window of its own. Numbering COUNTER with `count` given at birth (a device that numbers its
    triggers) is exact and needs no window. TIME trusts the place of exposure alone; a frame without one is not
    matched. The others ask that counter and place agree; there `arrival` must be a true bound: by receipt alone, a
    camera that missed a trigger and a link that became slower by a whole part look the same.
    """

    def __init__(self, settings: MatchSettings) -> None:
        self.counters = MatchCounters()
        self._settings = settings
        self._parts: deque[_Part] = deque()
        self._pending: deque[_Frame] = deque()
        self._born = 0
        self._last: _Frame | None = None
        self._last_ordinal = -1  # of the youngest part that was given a frame
        self._restarted()

    def _restarted(self) -> None:
        self._offset: int | None = None  # ordinal of a part − count of its frame
        self._proposed: tuple[int, int] | None = None  # another offset, and how many frames in a row say so
        self._locked_once = False

    def restart(self) -> None:
        """Forget the counter after the camera was opened again; no part born before gets a frame any more."""
        for part in self._parts:
            part.open = False
        self._pending.clear()
        self._last = None
        self._restarted()

    def born(self, part: int, place: int, count: int | None = None) -> Birth:
        """Take a trigger: the part's number, its place (host ns or belt position), the device's own count of it.

        Returns what that settles: the part's frame if it came first, and earlier matches that became doubtful.
        """
        known = _Part(part, place, self._born, count)
        self._born += 1
        self._parts.append(known)
        self._forget()
        doubtful = tuple(
            other.part
            for other in self._parts
            if other is not known
            and other.exposure is not None
            and count is None
            and self._sees(known, *other.exposure)
        )
        return Birth(self._early_frame(known), doubtful)

    def _early_frame(self, part: _Part) -> Match | None:
        """Settle the frames that waited for this part, and drop those that no later one can claim."""
        match = None
        for waiting in list(self._pending):
            its_own = waiting.counter == part.count if self._exact else self._sees(part, waiting.low, waiting.high)
            if its_own and match is None:
                self._pending.remove(waiting)
                match = self._settle(waiting)
            elif waiting.high < part.place + (0 if self._exact else self._settings.earliest):
                self._pending.remove(waiting)
                self.counters.stray += 1
        return match

    def ended(self, part: int) -> None:
        """Take note that a part is done: it gets no frame any more. Unknown parts are ignored."""
        for known in self._parts:
            if known.part == part:
                known.open = False
                return

    def frame(self, counter: int, lost_before: int, exposed: int | None, received: int | None) -> Match | None:
        """Return the part that a frame surely shows, None where there is any doubt (or it is not born yet).

        counter: as the camera gave it, wrapped or not. lost_before: frames lost before it, as the driver says.
        exposed: place of the exposure where the device's clock (or the encoder) tells it. received: place of receipt,
        None where nobody knows where the belt is: then the frame is counted, and matches nothing.
        """
        settings = self._settings
        before, count = self._last, self._unwrapped(counter)
        if before is not None and count == before.count:
            self.counters.repeated += 1
            return None
        if before is not None and count - before.count != lost_before + 1:
            self._doubt()
        place = received if exposed is None else exposed
        low = high = place or 0
        if exposed is None:
            low -= settings.arrival
        frame = self._last = _Frame(counter, count, low, high)
        if exposed is None and not self._exact and not (self._receipt_will_do and received is not None):
            self.counters.unplaced += 1
            return None
        return self._settle(frame)

    @property
    def _exact(self) -> bool:
        """True while births carry the device's own count."""
        return self._settings.numbering is Numbering.COUNTER and bool(self._parts) and self._parts[-1].count is not None

    @property
    def _receipt_will_do(self) -> bool:
        return self._settings.numbering is not Numbering.TIME and self._settings.sure_by_receipt

    def _unwrapped(self, counter: int) -> int:
        """Return the counter without wraps; one that went back by less than half its range is a camera's restart."""
        modulus, before = self._settings.modulus, self._last
        if modulus is None:
            if before is not None and counter < before.count:
                self._doubt()
            return counter
        index = counter - self._settings.skips_zero
        if before is None:
            return index
        ahead = (index - before.count) % modulus
        if ahead > modulus // 2:
            self._doubt()
        return before.count + ahead

    def _settle(self, frame: _Frame) -> Match | None:
        if self._exact:
            found = [part for part in self._parts if part.count == frame.counter]
        else:
            found = [part for part in self._parts if self._sees(part, frame.low, frame.high)]
        if not found:
            self._wait(frame)
            return None
        if len(found) > 1:
            self.counters.ambiguous += 1
            return None
        part = found[0]
        if not self._exact and not self._agreed(part.ordinal - frame.count, taken=part.exposure is not None):
            self.counters.unconfirmed += 1
            return None
        if not part.open or part.ordinal <= self._last_ordinal:
            self.counters.stray += 1
            return None
        return self._match(part, frame)

    def _agreed(self, offset: int, *, taken: bool) -> bool:
        """Hold the counter against the place; True when the frame may be matched by its place."""
        if offset == self._offset:
            self._proposed = None
            return True
        if not self._locked_once and not taken:
            self._offset, self._locked_once = offset, True
            return True
        if self._offset is not None:
            self._doubt()
        agreeing = self._proposed[1] + 1 if self._proposed is not None and self._proposed[0] == offset else 1
        self._proposed = offset, agreeing
        if agreeing >= self._settings.confirm or self._settings.numbering is Numbering.TIME:
            self._offset, self._proposed = offset, None
            self.counters.resyncs += 1
            return True
        return False

    def _doubt(self) -> None:
        if self._offset is not None:
            self.counters.doubts += 1
        self._offset = self._proposed = None

    def _match(self, part: _Part, frame: _Frame) -> Match:
        without_image = []
        for other in self._parts:
            if other is not part and other.ordinal < part.ordinal and other.open:
                other.open = False
                without_image.append(other.part)
        part.open, part.exposure, self._last_ordinal = False, (frame.low, frame.high), part.ordinal
        self.counters.matched += 1
        return Match(part.part, frame.counter, tuple(without_image))

    def _sees(self, part: _Part, low: int, high: int) -> bool:
        settings = self._settings
        return part.place + settings.earliest <= high and low <= part.place + settings.latest

    def _wait(self, frame: _Frame) -> None:
        if len(self._pending) == _PENDING_FRAMES:
            self._pending.popleft()
            self.counters.stray += 1
        self._pending.append(frame)

    def _forget(self) -> None:
        """Drop parts that no coming frame can be of; they are kept for a while so that ambiguity is seen."""
        settings = self._settings
        reach = settings.latest + settings.arrival + settings.closest
        newest = self._parts[-1].place
        while len(self._parts) > settings.capacity or (
            len(self._parts) > 1 and not self._parts[0].open and self._parts[0].place + reach < newest
        ):
            self._parts.popleft()
