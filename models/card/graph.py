"""What the graph of a model takes and gives: pixels, map, places and golden images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from models.card.section import Count, Section

RESIZE_METHOD: Literal["area-halving-1"] = "area-halving-1"


class InputSpec(Section):
    """The pixels that the graph takes: uint8, (N, height, width, channels)."""

    height: int = Field(ge=1, le=8192, description="rows")
    width: int = Field(ge=1, le=8192, description="columns")
    channels: Literal[1, 3]
    pixel_format: Literal["Mono8", "RGB8"]
    resize: Literal["area-halving-1"] = Field(
        default=RESIZE_METHOD, description="name and version of the function that made the pixels: models.resize.fit"
    )

    @model_validator(mode="after")
    def _format_has_these_channels(self) -> InputSpec:
        expected = {"Mono8": 1, "RGB8": 3}[self.pixel_format]
        if self.channels != expected:
            raise ValueError(f"{self.pixel_format} has {expected} channel(s), the card says {self.channels}")
        return self


class MapSpec(Section):
    """The second output of the graph, "map": float32 (N, height, width), the defect probability of each place."""

    height: int = Field(ge=1, le=8192)
    width: int = Field(ge=1, le=8192)


class PlaceSpec(Section):
    """One of several places that the graph cuts out of its input and judges; a part is as bad as the worst of them."""

    name: str = Field(min_length=1, max_length=100)
    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class GoldenSpec(Section):
    """The golden images that lie in the graph: a part is compared with the one that it looks like most."""

    images: int = Field(ge=1, le=4096)
    stored_bytes: int = Field(ge=1, description="of the graph")
    reach_px: int = Field(ge=0, description="how far beside its golden image a part may lie, at the graph's input")
    correlation_min: float = Field(
        ge=-1.0, le=1.0, allow_inf_nan=False, description="a part that is less like any golden image never passes"
    )
    rescanned: Count = Field(
        default=0, description="good images that are golden ones, shown as if photographed once more"
    )
