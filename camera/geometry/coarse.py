"""The first look for a part: its reference, turned in steps, compared with every place of a small picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels
from camera.geometry.fine import Estimate, shrink
from camera.geometry.pose import Place, rigid

_LONG_SIDE_PX = 40  # of the reference on the coarse scale
_OTHER = 0.25  # of half the longer side: what lies further away is another place
_STEP_PX = 2.5  # how far the far end of the reference moves from one turn to the next, on the coarse scale


@dataclass(frozen=True, slots=True)
class Guess:
    """One place where the part may lie: a correlation on the coarse scale and the estimate that belongs to it."""

    score: float
    estimate: Estimate


class CoarseSearch:
    """The reference in every turn that is allowed, small. Immutable, for any thread."""

    def __init__(self, picture: Pixels, origin: Place, region: tuple[int, int, int, int], max_angle_deg: float) -> None:
        """Prepare the turns. picture: grey, the region and what surrounds it, beginning at `origin`."""
        x, y, width, height = region
        self.factor = max(1, round(max(width, height) / _LONG_SIDE_PX))
        self._region, self._centre = region, (x + (width - 1) / 2, y + (height - 1) / 2)
        step_deg = float(np.degrees(_STEP_PX * self.factor / (max(width, height) / 2)))
        count = int(np.ceil(max_angle_deg / step_deg)) if max_angle_deg else 0
        angles = np.linspace(-max_angle_deg, max_angle_deg, 2 * count + 1)
        if max_angle_deg >= 180:
            angles = angles[:-1]  # −180° and 180° are one
        self._turns = [(float(np.deg2rad(angle)), self._turned(picture, origin, angle)) for angle in angles]

    def _turned(self, picture: Pixels, origin: Place, angle_deg: float) -> Pixels:
        x, y, width, height = self._region
        matrix = rigid(np.deg2rad(angle_deg), (0.0, 0.0), self._centre)
        matrix[:, 2] += matrix[:, :2] @ np.asarray(origin) - np.asarray((x, y))
        turned = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return shrink(np.asarray(turned, np.uint8), self.factor)

    def guesses(self, window: Pixels, window_origin: Place, most: int) -> list[Guess]:
        """Return the best guess, and the best ones that are other places or other turns. window: grey, shrunk."""
        found: list[Guess] = []
        for angle, turned in self._turns:
            if window.shape[0] < turned.shape[0] or window.shape[1] < turned.shape[1]:
                return []
            scores = np.nan_to_num(cv2.matchTemplate(window, turned, cv2.TM_CCOEFF_NORMED), posinf=0.0)
            found += self._peaks(np.asarray(scores, np.float32), angle, window_origin)
        found.sort(key=lambda guess: -guess.score)
        guesses: list[Guess] = []
        for guess in found:
            if all(self.is_other(guess.estimate, known.estimate) for known in guesses):
                guesses.append(guess)
            if len(guesses) == most:
                break
        return guesses

    def _peaks(self, scores: NDArray[np.float32], angle: float, window_origin: Place) -> list[Guess]:
        """Return the best place of one turn, and the best one that is another place."""
        row, column = divmod(int(scores.argmax()), scores.shape[1])
        peaks = [Guess(float(scores[row, column]), (angle, *self._shift(window_origin, _between(scores, column, row))))]
        near = max(1, int(_OTHER * max(self._region[2:]) / 2 / self.factor))
        rest = scores.copy()
        rest[max(0, row - near) : row + near + 1, max(0, column - near) : column + near + 1] = -1.0
        row, column = divmod(int(rest.argmax()), rest.shape[1])
        if rest[row, column] > -1.0:
            place = _between(scores, column, row)
            peaks.append(Guess(float(rest[row, column]), (angle, *self._shift(window_origin, place))))
        return peaks

    def is_other(self, one: Estimate, two: Estimate) -> bool:
        """Return whether two estimates are too far from each other to be the same peak."""
        reach = max(self._region[2:]) / 2
        turn = abs((one[0] - two[0] + np.pi) % (2 * np.pi) - np.pi)
        return bool(turn * reach + np.hypot(one[1] - two[1], one[2] - two[2]) > _OTHER * reach)

    def _shift(self, window_origin: Place, place: Place) -> Place:
        x, y = self._region[:2]
        return window_origin[0] + self.factor * place[0] - x, window_origin[1] + self.factor * place[1] - y


def _between(scores: NDArray[np.float32], column: int, row: int) -> Place:
    """Return the peak between the pixels: the vertex of a parabola through it and its neighbours, along each axis."""
    return (
        column + _vertex(scores[row, max(0, column - 1) : column + 2]),
        row + _vertex(scores[max(0, row - 1) : row + 2, column]),
    )


def _vertex(three: NDArray[np.float32]) -> float:
    if len(three) < 3:
        return 0.0
    before, at, after = map(float, three)
    bend = before - 2 * at + after
    return 0.0 if bend >= -1e-9 else max(-0.5, min(0.5, 0.5 * (before - after) / bend))
