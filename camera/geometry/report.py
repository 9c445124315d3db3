"""Pictures for people: where the corners of a calibration lay and how far off they are, and where a part was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import cv2
import numpy as np

from camera.frame import Pixels
from camera.geometry.board import Corners
from camera.geometry.lens import CELLS, Lens
from camera.geometry.locate import corners_of
from camera.geometry.pose import Pose
from camera.geometry.reference import Rectangle, Reference

MAGNIFIED = 100
"""How much longer than true the residuals are drawn."""

Colour = tuple[int, int, int]
_GREEN, _RED, _BLUE, _WHITE, _DARK = (40, 170, 60), (220, 50, 40), (40, 90, 220), (255, 255, 255), (35, 35, 35)
_SIDE_PX = 960  # shortest width of a report: text stays readable


def calibration_report(lens: Lens, found: Mapping[str, Corners]) -> Pixels:
    """Return RGB: the cells that corners lay in are light, each corner a dot, its residual a line, magnified."""
    columns, rows = lens.picture_size
    scale = max(1.0, _SIDE_PX / columns)
    width, height = round(columns * scale), round(rows * scale)
    canvas = np.full((height + 60, width, 3), _DARK, np.uint8)
    pixels = np.concatenate([one.pixels for one in found.values()])
    for column, row in np.unique(
        np.clip((pixels / lens.picture_size * CELLS).astype(int), 0, np.array(CELLS) - 1), axis=0
    ):
        left, top = column * width // CELLS[0], row * height // CELLS[1]
        canvas[top + 1 : (row + 1) * height // CELLS[1], left + 1 : (column + 1) * width // CELLS[0]] = 228
    for name, corners in found.items():
        for place, residual in zip(corners.pixels * scale, lens.residuals[name], strict=True):
            tip = place + residual * MAGNIFIED * scale
            cv2.line(canvas, _point(place), _point(tip), _RED, 1, cv2.LINE_AA)
            cv2.circle(canvas, _point(place), 2, _BLUE, -1, cv2.LINE_AA)
    canvas[height:] = _DARK
    text = f"{len(found)} pictures, {len(pixels)} corners in {lens.coverage:.0%} of the picture (light)"
    error = f"rms {lens.rms_px:.3f} px, 95 % within {lens.p95_px:.3f} px; residuals drawn {MAGNIFIED} times as long"
    for line, words in enumerate((text, error)):
        _write(canvas, words, (10, height + 23 + 26 * line), _WHITE)
    return canvas


def align_overlay(
    image: Pixels, reference: Reference, region: Rectangle | None, pose: Pose | None, words: str
) -> Pixels:
    """Return RGB: the reference's frame where the part was found, green, or red where it would not be judged.

    region: what the model looks at, drawn in blue in the part's coordinates. pose: None where nothing was found.
    """
    canvas = cast(Pixels, cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)) if image.ndim == 2 else image.copy()
    good = words == ""
    if pose is not None:
        estimate = (float(np.deg2rad(pose.angle_deg)), pose.dx, pose.dy)
        _frame(canvas, corners_of(reference.region, estimate, reference.centre), _GREEN if good else _RED)
        if region is not None:
            _frame(canvas, corners_of(region, estimate, reference.centre), _BLUE)
        at = pose.matrix(reference.centre) @ (*reference.centre, 1.0)
        cv2.drawMarker(canvas, _point(at), _GREEN if good else _RED, cv2.MARKER_CROSS, 24, 2, cv2.LINE_AA)
        told = f"{pose.dx:+.1f}, {pose.dy:+.1f} px  {pose.angle_deg:+.2f} deg  score {pose.score:.3f}"
    else:
        told = "not found"
    canvas[:30] = canvas[:30] // 4
    _write(canvas, told if good else f"{told}  REJECTED", (8, 21), _WHITE if good else (255, 120, 110))
    return canvas


def _frame(canvas: Pixels, corners: np.ndarray, colour: Colour) -> None:
    ring = np.round(corners[[0, 1, 3, 2]]).astype(np.int32)
    cv2.polylines(canvas, [ring], True, colour, 2, cv2.LINE_AA)


def _point(place: np.ndarray) -> tuple[int, int]:
    x, y = np.round(place).astype(int).tolist()
    return x, y


def _write(canvas: Pixels, words: str, at: tuple[int, int], colour: Colour) -> None:
    cv2.putText(canvas, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, 1, cv2.LINE_AA)
