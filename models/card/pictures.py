"""Between which limits the pictures lay that the model was made from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.card.section import Count, Finite, Section, Share


class PicturesLearned(Section):
    """What limits of pictures come from, and the share of good pictures that they may stop."""

    pieces: int = Field(ge=1, description="good parts that were measured, of the training and validation images")
    stopped_at_most: Share = Field(description="of further good parts like these, before the limits were widened")
    widened: float = Field(ge=1.0, description="each limit was put so many times as far off")
    tested: Count = Field(default=0, description="good test images that were held against the limits")
    tested_outside: Count = 0


class QualityReference(Section):
    """Between which limits pictures were learned from: keys of the station's [quality], which goes before them."""

    focus_min: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    brightness_min: float | None = Field(default=None, ge=0.0, le=255.0)
    brightness_max: float | None = Field(default=None, ge=0.0, le=255.0)
    saturated_max: Share | None = None
    dark_max: Share | None = None
    x_min: Share | None = None
    x_max: Share | None = None
    y_min: Share | None = None
    y_max: Share | None = None
    uneven_max: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    light: tuple[Annotated[float, Field(ge=0.0, le=1000.0)], ...] | None = Field(default=None, max_length=64)
    usual: dict[str, Finite] | None = Field(default=None, description="the median of each figure")
    learned: PicturesLearned | None = Field(default=None, description="what the limits come from")

    def limits(self) -> dict[str, object]:
        """Give what the station's [quality] takes: all but where it comes from."""
        return self.model_dump(exclude_none=True, exclude={"learned"})
