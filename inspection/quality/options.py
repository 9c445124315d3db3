"""[quality]: between which limits the pictures of a camera can be judged, and what they look like when all is well."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from camera.figures import CELLS

Share = Annotated[float, Field(ge=0.0, le=1.0)]
MapValues = Annotated[
    tuple[Annotated[float, Field(ge=0.0, le=1000.0)], ...], Field(min_length=CELLS * CELLS, max_length=CELLS * CELLS)
]
Figure = Literal["focus", "brightness", "saturated", "dark", "x", "y", "uneven", "dirt", "smear"]


class QualitySection(BaseModel):
    """[quality], or quality = {…} of a camera; `lineward quality learn` proposes it. A limit left out is not held.

    What a camera says goes before [quality], and that before the model's card, key by key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    focus_min: float | None = Field(None, ge=0, description="least sharpness of the region (Brenner, over brightness²)")
    brightness_min: float | None = Field(None, ge=0, le=255, description="least mean grey value")
    brightness_max: float | None = Field(None, ge=0, le=255, description="largest mean grey value")
    saturated_max: Share | None = Field(None, description="largest share of samples of 250 and more")
    dark_max: Share | None = Field(None, description="largest share of samples of 5 and less")
    x_min: Share | None = Field(None, description="where the centre of the detail may be, as a share of the width")
    x_max: Share | None = None
    y_min: Share | None = Field(None, description="… and of the height")
    y_max: Share | None = None
    uneven_max: float | None = Field(
        None, gt=0, description="how far light at one place may be off `light`, one picture"
    )
    dirt_max: float | None = Field(None, gt=0, description="… over many parts, at the same place: dirt, a moved light")
    smear_max: float | None = Field(
        None, gt=0, le=1, description="share of detail that one place may lose over many parts"
    )
    light: MapValues | None = Field(None, description="brightness of 8 × 8 places over the mean, row by row")
    detail: MapValues | None = Field(None, description="detail of 8 × 8 places over the mean brightness, row by row")
    usual: dict[Figure, float] = Field(default_factory=dict, description="the median of each figure when all is well")
    in_a_row: int = Field(3, ge=1, le=1000, description="pictures outside the limits in a row that raise the alarm")
    drift_share: float = Field(0.6, gt=0, lt=1, description="of the way from usual to a limit: from there on it warns")

    @model_validator(mode="after")
    def _limits_leave_room(self) -> Self:
        for name in ("brightness", "x", "y"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low is not None and high is not None and low >= high:
                raise ValueError(f"{name}_min is {low:g} and {name}_max {high:g}; the first must be the smaller one")
        return self
