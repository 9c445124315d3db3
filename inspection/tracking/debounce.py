"""What a photo-eye means: one part per broken beam, its bounces left out, parts that touch told apart from one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartBegun:
    """The leading edge of a part broke the beam."""

    place: int


@dataclass(frozen=True, slots=True)
class PartsTouch:
    """The beam stays broken for longer than any part is: begun at `place`, this is more than one part."""

    place: int


@dataclass(frozen=True, slots=True)
class PartLength:
    """The beam is free again: what began at `place` was this long. touching: it was longer than any part."""

    place: int
    length: int
    touching: bool


BeamEvent = PartBegun | PartsTouch | PartLength


@dataclass(slots=True)
class EdgeDebounce:
    """Turns the edges of one photo-eye into parts. Pure; places are host ns or belt positions, never decreasing.

    An edge within `min_gap` of the edge before it belongs to the same part (a bounce, a hole, a glossy spot): two
    parts closer than that are one to it. A beam that is broken for longer than `max_part` means touching parts, told
    once while it lasts so that they can be rejected in time. A sensor without a clearing edge calls `broken` alone;
    then edges within `min_gap` of the last one are doubled edges, and no length is known.
    """

    min_gap: int
    max_part: int
    doubled: int = 0
    _begun: int | None = None
    _last_edge: int | None = None
    _cleared: int | None = None  # where the beam became free; it is so for good after `min_gap`
    _told: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_gap < self.max_part:
            raise ValueError(
                f"min_gap = {self.min_gap}, max_part = {self.max_part}; a gap is at least 0 and shorter than the "
                "longest part; mend the photo-eye's settings"
            )

    def broken(self, place: int) -> list[BeamEvent]:
        """Take an edge of the beam being broken."""
        events = self.passed(place)
        if self._last_edge is not None and place - self._last_edge < self.min_gap:
            self.doubled += 1
            self._cleared = None
            if self._begun is None:  # a sensor without clearing edges, or a second bounce of a part that is past
                self._last_edge = place
            return events
        if self._begun is not None and self._cleared is None:  # its clearing edge never came
            events.append(PartLength(self._begun, place - self._begun, touching=True))
        self._begun, self._last_edge, self._cleared, self._told = place, place, None, False
        events.append(PartBegun(place))
        return events

    def cleared(self, place: int) -> list[BeamEvent]:
        """Take an edge of the beam becoming free."""
        events = self.passed(place)
        if self._begun is not None and self._cleared is None:
            self._cleared = self._last_edge = place
        return events

    def passed(self, place: int) -> list[BeamEvent]:
        """Take note that the belt (or the clock) is at a place; call it now and then so that events come in time."""
        events: list[BeamEvent] = []
        if self._begun is None:
            return events
        end = place if self._cleared is None else self._cleared
        if end - self._begun > self.max_part and not self._told:
            self._told = True
            events.append(PartsTouch(self._begun))
        if self._cleared is not None and place - self._cleared >= self.min_gap:
            events.append(PartLength(self._begun, self._cleared - self._begun, self._told))
            self._begun = self._cleared = None
        return events
