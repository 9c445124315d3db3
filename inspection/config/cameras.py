"""What the file may say about cameras: which there are, whether the first runs free, and how views become a verdict."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from camera.backends import options_model
from inspection.config.region import RegionSection, listed
from inspection.config.section import Name, Section
from inspection.config.straightening import AlignSection
from inspection.quality.options import QualitySection
from inspection.tracking.detection import Direction, FreeRunSettings
from inspection.tracking.fusion import FusionRule


class CameraSection(Section):
    """[camera], or [[camera]] for each of several: the backend, whatever options it has, and where it looks.

    The first camera sees each part first, and gives the triggers unless [trigger] says otherwise.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    backend: str = Field(
        description="aravis, genicam, pylon, uvc, rtsp, replay, simulated …; `lineward cameras list` shows them"
    )
    name: Name = Field("top", description="names the camera in records")
    frames: int = Field(1, ge=1, le=8, description="frames of each part, one after the other: each is a view")
    position_mm: float = Field(0.0, ge=0, le=100_000, description="from the photo-eye to where this camera looks")
    region: Annotated[tuple[RegionSection, ...], BeforeValidator(listed)] = Field(
        (), description="where the model looks in its pictures; a list has one for each of its frames; absent: [region]"
    )
    quality: QualitySection | None = Field(None, description="limits of this camera's pictures, before [quality]'s")
    lens: str | None = Field(None, min_length=1, description="the file that `lineward cameras calibrate` wrote")
    align: AlignSection | None = Field(
        None, description="where the part is looked for in its pictures; absent: nowhere"
    )
    threshold: float | None = Field(None, ge=0, le=1, description="of this camera's views; absent: [model].threshold")
    weight: float = Field(1.0, gt=0, le=1000, description="of this camera's views, where [fusion] is weighted")
    window_ms: float = Field(10.0, gt=0, le=1000, description="how far from its place a part's exposure may be")
    transfer_ms: float = Field(0.0, ge=0, le=1000, description="how long after its time stamp a frame comes at least")
    arrival_ms: float = Field(200.0, gt=0, le=10_000, description="how long after its exposure a frame may come")

    @model_validator(mode="after")
    def _one_region_or_one_a_frame(self) -> Self:
        if len(self.region) not in (0, 1, self.frames):
            raise ValueError(
                f"camera '{self.name}' has {len(self.region)} regions and frames = {self.frames}; give one region, or "
                "one for each frame"
            )
        return self

    @property
    def is_triggered_by_software(self) -> bool:
        """True where a PLC or a program asks for each picture: `trigger = "software"`, where the backend knows it."""
        return (self.model_extra or {}).get("trigger") == "software"

    @property
    def options(self) -> dict[str, Any]:
        """The backend's options as written in the file, and what else of the section it wants to know."""
        known = options_model(self.backend).model_fields
        place = {"position_mm": self.position_mm} if self.position_mm and "position_mm" in known else {}
        return {**(self.model_extra or {}), **place}


class FreeRunSection(Section):
    """[free_run]: the first camera runs free over the belt, and parts are found in its pictures. Absent: triggers."""

    part_length_px: int = Field(gt=0, le=65_536, description="length of one part along the belt, in pixels")
    direction: Direction = Field("right", description="which way parts go through the picture: right, left, down, up")
    line: float = Field(0.5, gt=0, lt=1, description="where a part triggers, as a share of the picture's length")
    band_from: float = Field(0.0, ge=0, lt=1, description="share of the belt's width from which on it is looked at")
    band_to: float = Field(1.0, gt=0, le=1, description="… and up to which")
    cell_px: int = Field(4, ge=1, le=64, description="pixels that are averaged to one")

    @model_validator(mode="after")
    def _band_has_a_width(self) -> Self:
        if self.band_from >= self.band_to:
            raise ValueError(f"band_from is {self.band_from:g}, band_to {self.band_to:g}; from must be the smaller one")
        return self

    def settings(self) -> FreeRunSettings:
        """Return it as the detection takes it."""
        return FreeRunSettings(
            part_length=self.part_length_px,
            direction=self.direction,
            line=self.line,
            band=(self.band_from, self.band_to),
            cell=self.cell_px,
        )


class FusionSection(Section):
    """[fusion]: how several views become one verdict. A view that is missing rejects the part in any case."""

    rule: FusionRule = Field(FusionRule.ANY, description="any view that is NOT_OK rejects, or weighted mean of scores")
    threshold: float = Field(0.5, ge=0, le=1, description="of the weighted mean")
