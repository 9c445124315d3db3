"""Finding the part in its picture: coarse, then fine, then the question whether it is sure enough to judge by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from camera.frame import Pixels
from camera.geometry.coarse import CoarseSearch
from camera.geometry.errors import NotLocatedError
from camera.geometry.fine import Estimate, FineScale, Grey, edges, shrink
from camera.geometry.pose import Matrix, Place, Pose, rigid
from camera.geometry.reference import Rectangle, Reference

_MIDDLE_SIDE_PX, _FINEST_SIDE_PX = 96, 400  # longest sides of the reference on the two fine scales
_STEPS = (12, 6)
_GUESSES = 4
_DOUBTFUL = 0.2  # how much worse on the coarse scale a second guess may be to be looked at again
# Two places whose scores differ by less cannot be told apart: under a light from one side a flange that looks nearly
# the same every 60° is put one bore too far with a lead of up to 0.041 (150 parts, any angle).
_AMBIGUOUS = 0.06
_TURN_ROOM_DEG = 0.5  # the last turn of the coarse look is the limit; the fine one may go on from there
_ROOM_PX = 4  # around a region on a fine scale, for the steps and the filters


@dataclass(frozen=True, slots=True)
class Limits:
    """How far the part may lie from its reference, and from which correlation on it is the part.

    max_angle_deg of 0: no turn is looked for, as a round part has none.
    """

    max_shift_px: float = 40.0
    max_angle_deg: float = 10.0
    min_score: float = 0.6


class Locator:
    """Finds one part in pictures as the reference was learned from. Immutable, for any thread.

    The cost is bounded by the limits: what is looked at, the number of turns and the number of steps are fixed.
    """

    def __init__(self, reference: Reference, limits: Limits) -> None:
        self.reference, self.limits = reference, limits
        x, y, width, height = reference.region
        self._coarse = CoarseSearch(reference.picture, reference.origin, reference.region, limits.max_angle_deg)
        sides = (_MIDDLE_SIDE_PX, _FINEST_SIDE_PX)
        factors = [max(1, math.ceil(max(width, height) / side)) for side in sides]
        self._fine = [
            FineScale(reference.patch, (x, y), reference.centre, factor, turns=limits.max_angle_deg > 0)
            for factor in dict.fromkeys(factors)
        ]

    @property
    def search_window(self) -> Rectangle:
        """What must be looked at, cut at the edges of the picture: x, y, width, height."""
        x, y, width, height = self.reference.region
        turned = max(turned_reach(width, height, self.limits.max_angle_deg))
        more = math.ceil(self.limits.max_shift_px + max(0.0, turned)) + 2 * self._coarse.factor + _ROOM_PX
        columns, rows = self.reference.picture_size
        left, top = max(0, x - more), max(0, y - more)
        return left, top, min(columns, x + width + more) - left, min(rows, y + height + more) - top

    def locate(self, window: Pixels) -> Pose:
        """Return how the part lies. window: grey, the pixels of `search_window`.

        Raises NotLocatedError where it lies nowhere that the limits allow, or at two places alike.
        """
        left, top, width, height = self.search_window
        if window.shape != (height, width):
            raise NotLocatedError(
                f"the picture gives {window.shape[1]}×{window.shape[0]} pixels to look for the part in, the reference "
                f"needs {width}×{height} — pictures must have the size of the one it was learned from — learn it anew"
            )
        guesses = self._coarse.guesses(shrink(window, self._coarse.factor), (left, top), _GUESSES)
        if not guesses:
            raise NotLocatedError("the picture is too small to hold the part — learn it anew, from a smaller region")
        found: list[tuple[float, Estimate]] = []
        for guess in guesses:
            if guess.score < guesses[0].score - _DOUBTFUL:
                break
            estimate, score = self._refined(window, guess.estimate)
            if all(self._coarse.is_other(estimate, known) for _, known in found):
                found.append((score, estimate))
        found.sort(key=lambda one: -one[0])
        (score, (angle, dx, dy)), *others = found
        angle_deg = math.degrees((angle + math.pi) % (2 * math.pi) - math.pi)
        pose = Pose(dx, dy, angle_deg, score, others[0][0] if others else -1.0)
        self._check(pose)
        return pose

    def _refined(self, window: Pixels, estimate: Estimate) -> tuple[Estimate, float]:
        """Follow a guess down the scales; its score is the middle scale's at the end, where noise counts little."""
        middle: tuple[Grey, Place] | None = None
        for scale, steps in zip(self._fine, _STEPS, strict=False):
            part, origin = self._around(window, estimate, scale.factor)
            strength = edges(shrink(part, scale.factor))
            middle = middle or (strength, origin)
            estimate = scale.refine(strength, origin, estimate, steps)
        assert middle is not None
        return estimate, self._fine[0].correlation(*middle, estimate)

    def _around(self, window: Pixels, estimate: Estimate, factor: int) -> tuple[Pixels, tuple[int, int]]:
        """Cut out of the window what the region covers there, and some room."""
        left, top, _, _ = self.search_window
        corners = corners_of(self.reference.region, estimate, self.reference.centre) - (left, top)
        room = (_ROOM_PX + 2) * factor
        x0, y0 = np.floor(np.maximum(corners.min(0) - room, 0)).astype(int).tolist()
        x1, y1 = np.ceil(corners.max(0) + room).astype(int).tolist()
        rows, columns = window.shape
        x0, y0 = min(x0, columns - 2 * room), min(y0, rows - 2 * room)
        x0, y0 = max(x0, 0), max(y0, 0)
        part = window[y0 : max(y1, y0 + 2 * room), x0 : max(x1, x0 + 2 * room)]
        return part, (left + x0, top + y0)

    def _check(self, pose: Pose) -> None:
        limits, shift = self.limits, math.hypot(pose.dx, pose.dy)
        if not pose.score >= limits.min_score:  # what is no number is no place
            why = f"its best place correlates by {pose.score:.2f} — min_score is {limits.min_score:g}"
        elif not (shift <= limits.max_shift_px and abs(pose.angle_deg) <= limits.max_angle_deg + _TURN_ROOM_DEG):
            why = (
                f"it is shifted by {shift:.0f} px and turned by {pose.angle_deg:.1f}° — allowed are "
                f"{limits.max_shift_px:g} px and {limits.max_angle_deg:g}°"
            )
        elif not pose.runner_up <= pose.score - _AMBIGUOUS:
            why = f"two places look alike ({pose.score:.2f} and {pose.runner_up:.2f})"
        else:
            return
        raise NotLocatedError(f"the part was not located: {why} — look at its picture, at the belt and the light", pose)


def turned_reach(width: float, height: float, max_angle_deg: float) -> tuple[float, float]:
    """Return by how much a rectangle, turned by any angle up to the given one, reaches beyond its sides: x, y."""
    angles = np.deg2rad(np.linspace(0, min(max_angle_deg, 90.0), 46))
    across = width * np.cos(angles) + height * np.sin(angles)
    down = width * np.sin(angles) + height * np.cos(angles)
    return float((across.max() - width) / 2), float((down.max() - height) / 2)


def corners_of(rectangle: Rectangle, estimate: Estimate, centre: Place) -> Matrix:
    """Return where the corner pixels of a rectangle of the reference lie in the picture, (4, 2)."""
    x, y, width, height = rectangle
    corners = np.array([(x, y), (x + width - 1, y), (x, y + height - 1), (x + width - 1, y + height - 1)], np.float64)
    matrix = rigid(estimate[0], estimate[1:], centre)
    return corners @ matrix[:, :2].T + matrix[:, 2]
