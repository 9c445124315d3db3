"""Parts found in the stream of a free-running camera: one detection each, with its trigger and its best frame."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import cv2
import numpy as np

from camera.frame import Pixels
from inspection.tracking.belt_shift import BeltShift
from inspection.tracking.detection import Detection, FreeRunCounters, FreeRunSettings, PartRegion
from inspection.tracking.presence import Presence, Run, View

_HISTORY = 512
_LEADS = 12


@dataclass(frozen=True, slots=True)
class _Moment:
    frame: int
    host_ns: int
    way: float  # columns


class FreeRunTriggers:
    """Finds parts in consecutive frames of one camera. Pure: no clock, no thread; owned by the grabbing thread.

    Each column of a frame is a place on the belt: column − the way that the belt has come. Parts are found at places,
    in the belt's order, and the place up to which they were told is kept; so a part in many frames, a part that stands
    for an hour and a part that shivers in the light are one part. While `ready` is False nothing is detected and
    nothing may pass: the belt must be empty, or run, until the empty belt is learned.
    """

    def __init__(self, settings: FreeRunSettings) -> None:
        self.counters = FreeRunCounters()
        self._settings = settings
        self._presence = Presence(settings.presence)
        self._part = settings.part_length / settings.cell
        self._shift: BeltShift | None = None
        self._moments: deque[_Moment] = deque(maxlen=_HISTORY)
        self._intervals: deque[int] = deque(maxlen=15)
        self._leads: deque[float] = deque(maxlen=_LEADS * 8)
        self._told = float("inf")  # places from here on (downstream) were told
        self._unsure = float("inf")  # places from here on were not followed without a gap
        self._speed = 0.0  # columns per ns
        self._covered = 0.0
        self._seen_before = False  # anything was on the belt in the frame before

    @property
    def ready(self) -> bool:
        """True once the empty belt is learned."""
        return self._presence.ready

    @property
    def light(self) -> float:
        """Brightness now, in that of the time of learning."""
        return self._presence.light

    @property
    def covered(self) -> float:
        """Share of the picture's length that looks occupied; one that stays near 1 is a belt that must be relearned."""
        return self._covered

    @property
    def speed_px_s(self) -> float:
        """The belt's speed as last seen on a part."""
        return self._speed * self._settings.cell * 1e9

    def feed(self, frame_pixels: Pixels, exposed_host_ns: int) -> list[Detection]:
        """Take the next frame, uint8 (H, W) or (H, W, 3); return the parts whose best frame is known now.

        Raises ValueError for a picture that is too short for its parts.
        """
        self.counters.frames += 1
        grid = self._grid(frame_pixels)
        self._require_room(grid)
        view = self._presence.feed(grid)
        if view is None:
            return []
        moment = self._follow(view, exposed_host_ns)
        self._leads.extend(run.lead - moment.way for run in view.runs if run.lead < grid.shape[1])
        self._covered = sum(run.lead - run.tail for run in view.runs) / grid.shape[1]
        found = []
        for run, rows in zip(view.runs, view.rows, strict=True):
            found += self._parts_of(run, rows, moment, grid.shape[1], frame_pixels)
        return found

    def _grid(self, pixels: Pixels) -> Pixels:
        """Return the band of a frame in cells, turned so that the belt runs towards greater columns."""
        settings = self._settings
        upright = settings.direction in ("down", "up")
        across = pixels.shape[1] if upright else pixels.shape[0]
        low, high = (round(share * across) for share in settings.band)
        band = pixels[:, low:high] if upright else pixels[low:high]
        small = _shrunk(band, settings.cell)
        grey = small if small.ndim == 2 else small[:, :, settings.channel]
        grey = grey.swapaxes(0, 1) if upright else grey
        return grey[:, ::-1] if settings.direction in ("left", "up") else grey

    def _require_room(self, grid: Pixels) -> None:
        if self._shift is not None:
            return
        if self._part > 0.6 * grid.shape[1]:
            raise ValueError(
                f"part_length = {self._settings.part_length} in a picture of {grid.shape[1] * self._settings.cell} "
                "pixels along the belt; at most 0.6 of it; use a wider view or another direction"
            )
        self._shift = BeltShift(grid.shape[1], max(4, int(0.9 * self._part)))

    def _follow(self, view: View, host_ns: int) -> _Moment:
        """Measure how far the belt has come, and notice where it was not followed."""
        assert self._shift is not None
        last = self._moments[-1] if self._moments else _Moment(0, host_ns, 0.0)
        took_ns = host_ns - last.host_ns
        expected = last.way + self._speed * took_ns
        if took_ns > 2.5 * self._usual_ns(took_ns):
            self.counters.blind += 1
            way = last.way + view.profile.shape[1]  # whatever is in view now counts as new
            self._shift.jump(view.profile, way)
            self._unsure = -way
        elif view.runs and self._seen_before:
            way = self._shift.way(view.profile, expected)
        else:
            way = expected
            self._shift.jump(view.profile, way)
        self._seen_before = bool(view.runs)
        if way - last.way > 0.6 * self._part:
            self.counters.too_fast += 1
            self._unsure = min(self._unsure, -way)
        if took_ns > 0:
            self._intervals.append(took_ns)
        return self._remember(_Moment(self.counters.frames, host_ns, way))

    def _usual_ns(self, otherwise_ns: int) -> int:
        """Return the usual time between frames."""
        return sorted(self._intervals)[len(self._intervals) // 2] if self._intervals else otherwise_ns

    def _remember(self, moment: _Moment) -> _Moment:
        """Keep when the belt was where; of a standing belt, the first and the last moment. Update the speed."""
        moments = self._moments
        if len(moments) >= 4 and all(abs(moment.way - moments[-back].way) < 0.1 for back in (1, 2, 3, 4)):
            moments[-2] = moments[-1]  # keeps the moments of the last frames, drops those in the middle of the stop
            moments.pop()
        moments.append(moment)
        since = moments[-min(4, len(moments))]
        if moment.host_ns > since.host_ns and self._seen_before:
            self._speed = (moment.way - since.way) / (moment.host_ns - since.host_ns)
        return moment

    def _parts_of(
        self, run: Run, rows: tuple[int, int], moment: _Moment, columns: int, pixels: Pixels
    ) -> list[Detection]:
        """Tell the parts of one stretch that were not told and are now as near to the middle as they will be."""
        found: list[Detection] = []
        tail, lead = run.tail - moment.way, run.lead - moment.way
        least = self._settings.min_share * self._part
        half_step = max(0.0, self._speed * self._usual_ns(0) / 2)
        while True:
            behind_told = lead > self._told
            front = min(lead, self._told)
            length = front - tail
            if length < least:
                return found
            several = length > (1 + self._settings.tolerance) * self._part
            count = max(2, round(length / self._part)) if several else 1
            one = length if count == 1 else self._part if run.tail <= 1 else length / count
            middle = front - one / 2 + moment.way
            if middle + half_step < columns / 2:
                return found
            touching = count > 1 or (behind_told and lead - self._told > least)
            cut = not behind_told and run.lead >= columns - 1
            unsure = cut or front > self._unsure
            found.append(self._told_part(front, one, rows, columns, pixels, touching=touching, unsure=unsure))
            self._told = front - one

    def _told_part(
        self,
        front: float,
        one: float,
        rows: tuple[int, int],
        columns: int,
        pixels: Pixels,
        *,
        touching: bool,
        unsure: bool,
    ) -> Detection:
        counters, centre = self.counters, front - one / 2
        recent = [moment for moment in list(self._moments)[-3:] if moment.frame > counters.frames - 3]
        best = min(recent, key=lambda moment: abs(centre + moment.way - columns / 2))
        seen = [lead for lead in self._leads if abs(lead - front) < 2.0]
        edge = sum(seen) / len(seen) if seen else front
        counters.detections += 1
        counters.touching += touching
        counters.unsure += unsure
        return Detection(
            number=counters.detections,
            trigger_host_ns=self._when(self._settings.line * columns - edge),
            best_frame=best.frame,
            region=self._region(front - one + best.way, front + best.way, rows, columns, pixels),
            length_px=one * self._settings.cell,
            speed_px_s=self.speed_px_s,
            touching=touching,
            unsure=unsure,
        )

    def _when(self, way: float) -> int:
        """Return when the belt had come this far, between the frames; beyond what is remembered by its speed."""
        after = self._moments[-1]
        if after.way < way:
            return after.host_ns + (round((way - after.way) / self._speed) if self._speed > 0 else 0)
        for before in reversed(list(self._moments)[:-1]):
            if before.way <= way:
                share = (way - before.way) / (after.way - before.way) if after.way > before.way else 1.0
                return before.host_ns + round(share * (after.host_ns - before.host_ns))
            after = before
        return after.host_ns - (round((after.way - way) / self._speed) if self._speed > 0 else 0)

    def _region(self, tail: float, lead: float, rows: tuple[int, int], columns: int, pixels: Pixels) -> PartRegion:
        """Turn columns and rows of the grid back into a rectangle of the frame, with the margin, inside the frame."""
        settings = self._settings
        along, across = pixels.shape[1], pixels.shape[0]
        if settings.direction in ("down", "up"):
            along, across = across, along
        low, high = tail * settings.cell, lead * settings.cell
        if settings.direction in ("left", "up"):
            low, high = columns * settings.cell - high, columns * settings.cell - low
        first = max(0, min(along - 1, round(low) - settings.margin))
        last = min(along, max(first + 1, round(high) + settings.margin))
        begin = round(settings.band[0] * across)
        top = max(0, begin + rows[0] * settings.cell - settings.margin)
        bottom = min(across, begin + rows[1] * settings.cell + settings.margin)
        region = PartRegion(first, top, last - first, bottom - top)
        if settings.direction in ("down", "up"):
            region = replace(region, x=region.y, y=region.x, width=region.height, height=region.width)
        return region


def _shrunk(pixels: Pixels, cell: int) -> Pixels:
    """Average cells of pixels; by halves as far as that goes, which is several times faster than at once."""
    across, along = pixels.shape[0] // cell, pixels.shape[1] // cell
    pixels = pixels[: across * cell, : along * cell]
    while cell % 2 == 0 and cell > 1:
        cell //= 2
        pixels = np.asarray(cv2.resize(pixels, (along * cell, across * cell), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(pixels, (along, across), interpolation=cv2.INTER_AREA), np.uint8)
