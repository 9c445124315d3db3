"""What the cameras tell of parts whose triggers have not come yet: frames, and frames that were lost."""

from __future__ import annotations

from collections import deque

from camera.frame import Frame

_KEPT_A_VIEW = 16


class EarlyFrames:
    """Keeps what overtook its trigger until the part is born; owned by the tracker, used under its lock.

    Bounded by `_KEPT_A_VIEW` of each view: the oldest gives way. Its length is the number of frames that wait.
    """

    def __init__(self, views: int) -> None:
        self._frames: deque[tuple[int, int, Frame]] = deque(maxlen=_KEPT_A_VIEW * views)  # view, part
        self._lost: deque[tuple[int, int, int]] = deque(maxlen=_KEPT_A_VIEW * views)  # view, first and last part

    def __len__(self) -> int:
        return len(self._frames)

    def keep(self, view: int, number: int, frame: Frame) -> bool:
        """Keep a part's frame; return False where the oldest one had to give way."""
        has_room = len(self._frames) != self._frames.maxlen
        self._frames.append((view, number, frame))
        return has_room

    def lose(self, view: int, first: int, last: int) -> None:
        """Keep in mind that the frames of the parts first…last will never come."""
        self._lost.append((view, first, last))

    def take(self, number: int) -> list[tuple[int, int, Frame]]:
        """Return view, part and frame of what waited for a new part or for those before it, the oldest first."""
        if not self._frames:
            return []
        entries, self._frames = self._frames, deque(maxlen=self._frames.maxlen)
        self._frames.extend(entry for entry in entries if entry[1] > number)
        return [entry for entry in entries if entry[1] <= number]

    def take_lost(self, number: int) -> set[int]:
        """Return the views of a new part whose frames were lost before it was born; forget what is done with."""
        if not self._lost:
            return set()
        entries, self._lost = self._lost, deque(maxlen=self._lost.maxlen)
        self._lost.extend(entry for entry in entries if entry[2] > number)
        return {view for view, first, last in entries if first <= number <= last}

    def forget(self) -> int:
        """Forget everything; return how many frames that were."""
        forgotten = len(self._frames)
        self._frames.clear()
        self._lost.clear()
        return forgotten
