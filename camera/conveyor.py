"""The conveyor camera: free-running pictures of a moving belt with parts on it, and nobody who tells of triggers."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Literal, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from camera.belt import Belt
from camera.belt_camera import BeltCamera
from camera.frame import Pixels
from camera.moving_belt import MovingBelt
from camera.scene import Scene

_TEXTURE_PX = 1021  # the belt's pattern repeats after this way; a prime, so that it falls in step with no pitch
_NOISE_FIELDS = 4
_KEPT_PARTS = 16


class Options(BaseModel):
    """What the camera sees, how the belt runs, and what it looks like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(default=1280, ge=16, le=8192, description="picture width in pixels, along the belt")
    height: int = Field(default=480, ge=16, le=8192, description="picture height in pixels, across the belt")
    frame_rate_hz: float = Field(default=30.0, gt=0, le=10_000, description="pictures per second")
    mm_per_px: float = Field(default=0.5, gt=0, le=100, description="scale of the picture")
    direction: Literal["right", "left"] = Field(default="right", description="which way parts go through the picture")
    speed_mm_s: float = Field(default=400.0, gt=0, le=20_000, description="belt speed")
    swing: float = Field(default=0.0, ge=0, le=0.9, description="share by which the speed swings about speed_mm_s")
    swing_period_s: float = Field(default=10.0, gt=0, le=3600, description="duration of one swing of the speed")
    run_s: float | None = Field(default=None, gt=0, le=86_400, description="time between two stops; absent: no stops")
    stop_s: float = Field(default=2.0, ge=0, le=86_400, description="how long a stop lasts")
    length_mm: float = Field(default=160.0, gt=0, le=10_000, description="length of a part along the belt")
    pitch_mm: float = Field(default=300.0, gt=0, le=10_000, description="distance from part to part")
    jitter_mm: float = Field(default=20.0, ge=0, le=4_500, description="a part lies up to this far off its place")
    touching_rate: float = Field(default=0.0, ge=0, le=1, description="share of parts that touch the one before")
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of places, texture and noise")
    parts: int | None = Field(default=None, ge=1, le=10**7, description="parts on the belt; endless when left out")
    paced: bool = Field(default=True, description="false: the next picture comes when the one before was taken")
    belt_level: int = Field(default=60, ge=0, le=255, description="grey level of the empty belt")
    texture: float = Field(default=5.0, ge=0, le=60, description="grey levels (one sigma) of the belt's pattern")
    noise: float = Field(default=2.0, ge=0, le=60, description="grey levels (one sigma) of the camera's noise")
    light_drift: float = Field(default=0.0, ge=0, le=0.9, description="share by which the light swings")
    light_period_s: float = Field(default=60.0, gt=0, le=86_400, description="duration of one swing of the light")

    @model_validator(mode="after")
    def _keep_apart(self) -> Self:
        free_mm = self.pitch_mm - 2 * self.jitter_mm - self.length_mm
        if free_mm <= 0:
            raise ValueError(
                f"parts of length_mm = {self.length_mm:g} with jitter_mm = {self.jitter_mm:g} overlap at pitch_mm = "
                f"{self.pitch_mm:g}; at least {self.length_mm + 2 * self.jitter_mm:g} is needed; raise pitch_mm"
            )
        return self

    def belt(self) -> MovingBelt:
        """Return the belt's course, the same that the pictures show."""
        return MovingBelt(
            self.speed_mm_s, self.pitch_mm, self.length_mm, self.jitter_mm, self.touching_rate, self.swing,
            self.swing_period_s, float("inf") if self.run_s is None else self.run_s, self.stop_s, self.seed,
        )  # fmt: skip


class ConveyorCamera(BeltCamera):
    """A camera without a trigger over a moving belt that carries the parts of a `Scene`; owned by one grabbing thread.

    It reports no triggers: `Frame.counter` counts exposures (from 1), of which many show the same part or none, and
    `device_ns` is the belt's time of the exposure. `truth(n)` tells of the n-th part on the belt, in the order in
    which parts enter the picture; `places` says where that part is, for whoever checks what was detected.
    """

    reports_triggers: ClassVar[bool] = False

    def __init__(self, name: str, options: Options, scene: Scene) -> None:
        super().__init__(name)
        self._options = options
        self._scene = scene
        self.places: MovingBelt = options.belt()
        self._first = 1  # no part before this one can be in the picture any more
        self._pictures: OrderedDict[int, Pixels] = OrderedDict()
        rng = np.random.default_rng(options.seed)
        self._texture = _texture(rng, options)
        self._noise = [_noise(rng, options) for _ in range(_NOISE_FIELDS if options.noise else 0)]

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height as the options have them."""
        return self._options.width, self._options.height

    def truth(self, trigger_number: int) -> str:
        """Tell what the n-th part on the belt really is."""
        return self._scene.truth(trigger_number)

    def crossing_ns(self, part: int, line_px: float) -> int:
        """Return the belt time at which a part's leading edge is `line_px` from where parts enter the picture."""
        return self.places.when_ns(self.places.place_mm(part) + line_px * self._options.mm_per_px)

    def _prepare(self) -> Belt:
        options = self._options
        self._first = 1
        frames = None
        if options.parts is not None:
            way_mm = options.length_mm + (options.width + 1) * options.mm_per_px
            gone_ns = self.places.when_ns(self.places.place_mm(options.parts) + way_mm)
            frames = int(gone_ns * 1e-9 * options.frame_rate_hz) + 2
        return Belt(self._device_ns, parts=frames, paced=options.paced)

    def _device_ns(self, part: int) -> int:
        return round(part * 1e9 / self._options.frame_rate_hz)

    def _picture(self, part: int) -> Pixels | None:
        """Paint the exposure with this count."""
        options, belt_ns = self._options, self._device_ns(part)
        moved_px = self.places.moved_mm(belt_ns) / options.mm_per_px
        parts = self._parts_in_view(moved_px)
        colour = any(picture.ndim == 3 for _, picture in parts) or self._is_colour()
        shift = round(moved_px) % _TEXTURE_PX
        start = _TEXTURE_PX - shift
        picture = self._texture[:, start : start + options.width]
        picture = np.repeat(picture[:, :, None], 3, axis=2) if colour else picture.copy()
        for lead_px, pixels in parts:
            _paste(picture, pixels, round(lead_px))
        if options.light_drift:
            light = 1 + options.light_drift * np.sin(2e-9 * np.pi * belt_ns / options.light_period_s)
            picture = np.asarray(cv2.convertScaleAbs(picture, alpha=float(light)), np.uint8)
        if self._noise:
            brighter, darker = self._noise[part % _NOISE_FIELDS]
            turn = (part * 37) % options.height
            for noise, change in ((brighter, cv2.add), (darker, cv2.subtract)):
                field = np.roll(noise, turn, axis=0)
                field = np.repeat(field[:, :, None], 3, axis=2) if colour else field
                picture = np.asarray(change(picture, field), np.uint8)
        if options.direction == "left":
            picture = picture[:, ::-1]
        return np.ascontiguousarray(picture, np.uint8)

    def _is_colour(self) -> bool:
        return self._picture_of(1).ndim == 3

    def _parts_in_view(self, moved_px: float) -> list[tuple[float, Pixels]]:
        """Return where each visible part's leading edge is, in pixels from the entry, and its picture."""
        options, found = self._options, []
        length_px = options.length_mm / options.mm_per_px
        number = self._first
        while options.parts is None or number <= options.parts:
            lead_px = moved_px - self.places.place_mm(number) / options.mm_per_px
            if lead_px <= 0:
                break
            if lead_px - length_px >= options.width:
                self._first = number + 1
            else:
                found.append((lead_px, self._picture_of(number)))
            number += 1
        return found

    def _picture_of(self, part: int) -> Pixels:
        """Return the part's picture at its length on the belt; upright, whichever way it moves."""
        if part in self._pictures:
            return self._pictures[part]
        options = self._options
        pixels = self._scene.render(part)
        scale = max(1, round(options.length_mm / options.mm_per_px)) / pixels.shape[1]
        scale = min(scale, options.height / pixels.shape[0]) if scale * pixels.shape[0] > options.height else scale
        size = max(1, round(options.length_mm / options.mm_per_px)), max(1, round(pixels.shape[0] * scale))
        fitted = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._pictures[part] = fitted if options.direction == "right" else fitted[:, ::-1]
        while len(self._pictures) > _KEPT_PARTS:
            self._pictures.popitem(last=False)
        return self._pictures[part]

    def _release(self) -> None:
        """Nothing is held: the scene belongs to whoever passed it in."""


def _texture(rng: np.random.Generator, options: Options) -> Pixels:
    """Paint the empty belt: (height, width + two repeats), a soft pattern about `belt_level`."""
    pattern = rng.normal(0.0, 1.0, (options.height, _TEXTURE_PX)).astype(np.float32)
    pattern = np.asarray(cv2.blur(np.hstack([pattern, pattern[:, :8]]), (5, 5))[:, :_TEXTURE_PX], np.float32)
    pattern *= options.texture / max(float(pattern.std()), 1e-6)
    strip = np.clip(pattern + options.belt_level, 0, 255).astype(np.uint8)
    return np.asarray(np.tile(strip, (1, 2 + options.width // _TEXTURE_PX)), np.uint8)


def _noise(rng: np.random.Generator, options: Options) -> tuple[Pixels, Pixels]:
    """Return what one exposure's noise adds and what it takes away."""
    field = np.rint(rng.normal(0.0, options.noise, (options.height, options.width)))
    return np.clip(field, 0, 255).astype(np.uint8), np.clip(-field, 0, 255).astype(np.uint8)


def _paste(picture: Pixels, pixels: Pixels, lead: int) -> None:
    """Lay a part into the picture, its leading edge at column `lead`, in the middle of the belt."""
    height, length = pixels.shape[:2]
    top = (picture.shape[0] - height) // 2
    left, right = max(0, lead - length), min(picture.shape[1], lead)
    if left < right:
        cut = pixels[:, left - (lead - length) : right - (lead - length)]
        picture[top : top + height, left:right] = cut if cut.ndim == picture.ndim else cut[:, :, None]
