"""The simulated camera: parts on a moving belt, a photo-eye, and the faults of real cameras at stated rates."""

from __future__ import annotations

from typing import Literal, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from camera.belt import Belt, Spacing, chance
from camera.belt_camera import BeltCamera
from camera.commanded_belt import CommandedBelt
from camera.frame import Pixels
from camera.scene import Scene


class Options(BaseModel):
    """How the belt runs and what goes wrong; what lies on it is the scene's business."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    speed_mm_s: float = Field(default=500.0, gt=0, le=20_000, description="belt speed")
    pitch_mm: float = Field(default=100.0, gt=0, le=10_000, description="distance from part to part")
    jitter_mm: float = Field(default=5.0, ge=0, le=4_500, description="a part lies up to this far off its place")
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of jitter and faults")
    parts: int | None = Field(default=None, ge=1, le=10**9, description="parts on the belt; endless when left out")
    paced: bool = Field(default=True, description="false: the next part comes when the frame before was taken")
    trigger: Literal["own", "software"] = Field(
        default="own", description="own: its photo-eye; software: a part lies there when the station asks for it"
    )
    position_mm: float = Field(default=0.0, ge=0, le=100_000, description="from the photo-eye to the place it looks at")
    exposure_us: float = Field(default=500.0, ge=0, le=1_000_000, description="crossing to end of exposure, if paced")
    readout_ms: float = Field(default=5.0, ge=0, le=10_000, description="end of exposure to the last pixel, if paced")
    lost_frame_rate: float = Field(default=0.0, ge=0, le=1, description="share of parts whose frame never arrives")
    late_frame_rate: float = Field(default=0.0, ge=0, le=1, description="share of parts whose frame arrives late")
    late_frame_ms: float = Field(default=100.0, ge=0, le=60_000, description="how late a late frame is")

    poor_from: int = Field(default=1, ge=1, description="the first part that is seen as badly as the next two say")
    poor_to: int | None = Field(default=None, ge=1, description="the last one; left out: it stays so")
    defocus_px: float = Field(default=0.0, ge=0, le=50, description="out of focus: blurred by this standard deviation")
    dim_stops: float = Field(default=0.0, ge=-4, le=8, description="darker by so many halvings of the light")

    @model_validator(mode="after")
    def _keep_the_order(self) -> Self:
        if self.jitter_mm > 0.45 * self.pitch_mm:
            raise ValueError(
                f"jitter_mm = {self.jitter_mm:g} lets parts overtake each other; at most 0.45 × pitch_mm "
                f"= {0.45 * self.pitch_mm:g}; lower jitter_mm or raise pitch_mm"
            )
        if self.trigger == "software" and not self.paced:
            raise ValueError('trigger = "software" and paced = false: each says when a part comes; leave one out')
        return self


class SimulatedCamera(BeltCamera):
    """A camera over a simulated belt that shows the parts of a `Scene`; owned by one grabbing thread.

    A lost frame is a trigger without a frame: the counter shows the gap. A late frame holds up those behind it, as
    on a real link. The device clock is the belt's time (it stands while the belt stands).
    """

    def __init__(self, name: str, options: Options, scene: Scene) -> None:
        super().__init__(name)
        self._options = options
        self._scene = scene
        self._spacing = Spacing(options.pitch_mm, options.speed_mm_s, options.jitter_mm, options.seed)

    @property
    def _way_ns(self) -> int:
        """From the photo-eye to where it looks, in belt time."""
        return round(self._options.position_mm / self._options.speed_mm_s * 1e9)

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of what the scene paints."""
        height, width = self._scene.render(1).shape[:2]
        return width, height

    def truth(self, trigger_number: int) -> str:
        """Tell what the part really is, whether its frame arrived or not."""
        return self._scene.truth(trigger_number)

    def _prepare(self) -> Belt:
        if self._options.trigger == "software":
            return CommandedBelt(self._spacing.crossing_ns, parts=self._options.parts)
        return Belt(self._spacing.crossing_ns, parts=self._options.parts, paced=self._options.paced)

    def _picture(self, part: int) -> Pixels | None:
        lost = chance(self._options.seed, "lost", part) < self._options.lost_frame_rate
        return None if lost else self._seen(part)

    def _seen(self, part: int) -> Pixels:
        """Look at a part as well or as badly as the lens and the light are then."""
        options, picture = self._options, self._scene.render(part)
        if part < options.poor_from or (options.poor_to is not None and part > options.poor_to):
            return picture
        if options.dim_stops:
            picture = cv2.convertScaleAbs(picture, alpha=2.0**-options.dim_stops).astype(np.uint8, copy=False)
        if options.defocus_px:
            picture = cv2.GaussianBlur(picture, (0, 0), options.defocus_px).astype(np.uint8, copy=False)
        return picture

    def _delay_ns(self, part: int) -> int:
        options = self._options
        delay_ns = 0
        if options.paced:
            delay_ns = self._way_ns + round(options.exposure_us * 1e3 + options.readout_ms * 1e6)
        if chance(options.seed, "late", part) < options.late_frame_rate:
            delay_ns += round(options.late_frame_ms * 1e6)
        return delay_ns

    def _device_ns(self, part: int) -> int:
        return self._spacing.crossing_ns(part) + self._way_ns

    def _release(self) -> None:
        """Nothing is held: the scene belongs to whoever passed it in."""
