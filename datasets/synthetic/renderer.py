"""Renders the picture of one part on the belt, the same for the same seed and index, whatever was rendered before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.synthetic.defects import Patch, Points, paint_chip, paint_scratch, paint_stain
from datasets.synthetic.shape import FLAT_AT, MARGIN, Map, build_shape
from datasets.synthetic.surfaces import sensor_noise, turned_texture, woven_belt

KINDS = ("good", "scratch", "chip", "stain", "wrong_position")
DEFECT_RATE = 0.2  # of `render` where no kind is asked for

_PAINTERS: dict[str, Callable[[Patch, np.random.Generator], Points]] = {
    "scratch": paint_scratch,
    "chip": paint_chip,
    "stain": paint_stain,
}
_METAL = (236.0, 238.0, 242.0)  # R, G, B of metal at brightness 1
_TEXTURES = 6
_SHADOW_STEP = 4  # the shadow is soft enough to be drawn at a quarter of the resolution
_REFERENCE_HEIGHT = 480  # pixel figures below are at this height
_RADIUS_PX = 165.0
_KIND_STREAM, _LOOK_STREAM, _SCENE_STREAM, _FAULT_STREAM = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class RenderedPart:
    """One picture and the truth about it.

    pixels: (H, W, 3) uint8 RGB. truth: one of KINDS. box: x, y, width, height in pixels of the defect in the
    picture (of the whole part where its position is wrong), None for a good part.
    """

    pixels: NDArray[np.uint8]
    truth: str
    box: tuple[int, int, int, int] | None


@dataclass(frozen=True, slots=True)
class _Pose:
    """Where a part lies: `place` maps patch pixels to picture pixels (2×3), `angle` is its turn in radians."""

    place: NDArray[np.float64]
    angle: float


class PartRenderer:
    """A line that shows parts; belt, light and surfaces are made once and never changed, so any thread may render."""

    def __init__(self, seed: int, width: int = 640, height: int = 480) -> None:
        """Prepare a line; `seed` decides about belt, surfaces and every part; 64 ≤ width, height ≤ 8192 pixels."""
        if not (64 <= width <= 8192 and 64 <= height <= 8192):
            raise ValueError(f"picture of {width}×{height} pixels; 64 to 8192 are allowed; choose another size")
        self.seed, self.width, self.height = seed, width, height
        self._scale = min(height / _REFERENCE_HEIGHT, width / 640)
        rng = self._rng(_SCENE_STREAM, 0)
        self._shape = build_shape(_RADIUS_PX * self._scale)
        self._faces = [self._shape.face * turned_texture(self._shape, rng) for _ in range(_TEXTURES)]
        self._edges = np.float32(0.42) * (1 - self._shape.face)
        self._belt = woven_belt(height + 128, width * 2, rng)
        self._noise = [sensor_noise(height + 64, width + 64, sigma, rng) for sigma in (1.2, 2.0, 3.0)]
        self._vignette = _vignette(height, width)
        depth = cv2.GaussianBlur(self._shape.cover, (0, 0), 7 * self._scale)
        self._unshadowed = np.asarray(255 * (1 - 0.62 * depth), np.uint8)

    def kind_of(self, index: int, defect_rate: float) -> str:
        """Return the kind of part `index`: a defect with the probability `defect_rate` (0…1), each kind as often."""
        rng = self._rng(_KIND_STREAM, index)
        return KINDS[1 + int(rng.integers(len(KINDS) - 1))] if rng.random() < defect_rate else "good"

    def render(
        self, index: int, kind: str | None = None, *, shift_px: tuple[float, float] = (0.0, 0.0), turn_deg: float = 0.0
    ) -> RenderedPart:
        """Return part `index` (≥ 0) as `kind`, else as `kind_of(index, DEFECT_RATE)`; ValueError on a bad kind.

        shift_px (right, down), turn_deg (clockwise): how it lies on the belt, beyond what a part's place varies by.

        The part without its defect, its light and its noise depend on the index alone, not on the kind.
        """
        kind = self.kind_of(index, DEFECT_RATE) if kind is None else kind
        if kind not in KINDS:
            raise ValueError(f"no part is of kind '{kind}'; the kinds are {', '.join(KINDS)}")
        rng, fault = self._rng(_LOOK_STREAM, index), self._rng(_FAULT_STREAM, index)
        pose = self._pose(rng, fault if kind == "wrong_position" else None, np.asarray(shift_px, np.float64), turn_deg)
        patch = self._bare(rng, pose.angle)
        corners = self._outline()
        if kind in _PAINTERS:
            corners = _PAINTERS[kind](patch, fault)
        pixels = self._expose(self._compose(patch, pose, rng), rng)
        return RenderedPart(pixels, kind, None if kind == "good" else self._box(corners, pose))

    def place_of(
        self, index: int, kind: str = "good", *, shift_px: tuple[float, float] = (0.0, 0.0), turn_deg: float = 0.0
    ) -> NDArray[np.float64]:
        """Return the 2×3 matrix by which `render` lays the part: from a place on it to its pixel in the picture."""
        fault = self._rng(_FAULT_STREAM, index) if kind == "wrong_position" else None
        return self._pose(self._rng(_LOOK_STREAM, index), fault, np.asarray(shift_px, np.float64), turn_deg).place

    def _rng(self, stream: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream, index])

    def _pose(
        self, rng: np.random.Generator, fault: np.random.Generator | None, laid: NDArray[np.float64], turned: float
    ) -> _Pose:
        """Return a pose near the nominal one; with `fault`, one that is shifted, turned, or both."""
        shift = np.asarray(np.clip(rng.normal(0, 3.0, 2), -8, 8), np.float64)
        angle = float(np.clip(rng.normal(0, 2.0), -5, 5))
        if fault is not None:
            what, heading, way = fault.random(), fault.uniform(0, 2 * np.pi), fault.uniform(38, 95)
            turn = fault.uniform(14, 46) * (1 if fault.random() < 0.5 else -1)
            shift = shift + way * np.array((np.cos(heading), np.sin(heading)), np.float64) * (what < 0.6)
            angle += turn * (what > 0.4)
        angle += turned
        half = (self._shape.side - 1) / 2
        place = np.asarray(cv2.getRotationMatrix2D((half, half), -angle, 1.0), np.float64)
        place[:, 2] += np.array([self.width / 2, self.height / 2]) + shift * self._scale + laid - half
        return _Pose(place, float(np.deg2rad(angle)))

    def _bare(self, rng: np.random.Generator, angle: float) -> Patch:
        """Return the part under this picture's light, without a defect: groove reflexes, chamfers, surface."""
        shape = self._shape
        azimuth = np.deg2rad(-120 + rng.uniform(-14, 14)) - angle
        shine, glint = rng.uniform(0.22, 0.34), rng.uniform(0.38, 0.5)
        light = np.float32(-0.5 * np.cos(2 * azimuth)) * shape.cos2
        light -= np.float32(0.5 * np.sin(2 * azimuth)) * shape.sin2
        light += np.float32(0.5)  # squared sine between groove and light: grooves shine across it (Kajiya and Kay 1989)
        light *= light * light
        light *= np.float32(shine)
        light += np.float32(0.5)
        light *= self._faces[rng.integers(len(self._faces))]
        light += self._edges
        light += np.float32(glint * np.cos(azimuth)) * shape.slope_x
        light += np.float32(glint * np.sin(azimuth)) * shape.slope_y
        return Patch(np.maximum(light, 0, out=light), shape.cover.copy())

    def _compose(self, patch: Patch, pose: _Pose, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return the belt with the part's shadow and the part on it, (H, W, 3) uint8 RGB before the camera."""
        top, left = int(rng.integers(128)), int(rng.integers(self.width))
        scene = self._belt[top : top + self.height, left : left + self.width].copy()
        body = cv2.merge([cv2.convertScaleAbs(patch.light, alpha=tone) for tone in _METAL])
        if patch.film is not None:
            window, factors = patch.film
            body[window] = np.minimum(body[window] * factors, 255)
        x0, y0, x1, y1 = self._around(pose)
        place = pose.place.copy()
        place[:, 2] -= (x0, y0)
        fall = place.copy()
        fall[:, 2] += np.array([5.0, 8.0]) * self._scale
        size = (x1 - x0, y1 - y0)
        small = (size[0] // _SHADOW_STEP + 1, size[1] // _SHADOW_STEP + 1)
        lit = cv2.warpAffine(self._unshadowed, fall / _SHADOW_STEP, small, borderValue=(255.0,))
        lit = cv2.resize(lit, size, interpolation=cv2.INTER_LINEAR)
        ground = cv2.multiply(scene[y0:y1, x0:x1], cv2.merge([lit] * 3), scale=1 / 255)
        cover = cv2.warpAffine(cv2.convertScaleAbs(patch.cover, alpha=255), place, size)
        cover3 = cv2.merge([cover] * 3)
        over = cv2.multiply(cv2.warpAffine(body, place, size), cover3, scale=1 / 255)
        scene[y0:y1, x0:x1] = cv2.add(over, cv2.multiply(ground, cv2.bitwise_not(cover3), scale=1 / 255))
        return scene

    def _around(self, pose: _Pose) -> tuple[int, int, int, int]:
        """Return x0, y0, x1, y1 of the region of the picture that the part and its shadow touch."""
        half = (self._shape.side - 1) / 2
        x, y = pose.place @ (half, half, 1.0)
        reach = 1.2 * half
        x0, y0 = max(0, int(x - reach)), max(0, int(y - reach))
        return x0, y0, min(self.width, int(x + reach) + 1), min(self.height, int(y + reach) + 1)

    def _expose(self, scene: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return what the camera makes of the scene: exposure, vignette, blur, noise."""
        gain = float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.15))
        lit = cv2.multiply(scene, self._vignette, scale=gain / 255)
        sigma = float(rng.uniform(0.3, 0.95)) * self._scale
        seen = cv2.GaussianBlur(lit, (3, 3) if sigma < 0.7 else (5, 5), max(sigma, 0.2))
        brighter, darker = self._noise[rng.integers(len(self._noise))]
        top, left = rng.integers(64, size=2)
        window = (slice(top, top + self.height), slice(left, left + self.width))
        return np.asarray(cv2.subtract(cv2.add(seen, brighter[window]), darker[window]), np.uint8)

    def _box(self, corners: Points, pose: _Pose) -> tuple[int, int, int, int]:
        """Return the upright box around the points, two pixels wider and cut off at the picture's edge."""
        placed = corners @ pose.place[:, :2].T + pose.place[:, 2]
        x0, y0 = np.maximum(np.floor(placed.min(0)) - 2, 0).astype(int)
        x1, y1 = np.minimum(np.ceil(placed.max(0)) + 2, (self.width, self.height)).astype(int)
        return int(x0), int(y0), int(x1 - x0), int(y1 - y0)

    def _outline(self) -> Points:
        """Return points around the whole part, in patch pixels."""
        half, angles = self._shape.side / 2, np.linspace(0, 2 * np.pi, 48, endpoint=False)
        ring = np.stack([np.minimum(np.cos(angles), FLAT_AT), np.sin(angles)], 1)
        return np.asarray(half + ring * half / MARGIN, np.float32)


def _vignette(height: int, width: int) -> NDArray[np.uint8]:
    """Return the falling off of light towards the corners, (H, W, 3) with 255 in the brightest place."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    off: Map = ((x / width - 0.46) ** 2 + (y / height - 0.44) ** 2).astype(np.float32)
    level = np.clip(255 * (1 - 0.36 * off), 0, 255).astype(np.uint8)
    return np.asarray(cv2.merge([level] * 3), np.uint8)
