"""The settings of one training run: read once, bounded, frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.card import Costs
from training.arrange import TaskName
from training.errors import SettingsError

Method = Literal["memory", "gaussian"]
Backbone = Literal["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "resnet18", "efficientnet_b0", "compact"]


class TrainSettings(BaseModel):
    """Everything that decides which weights a run ends with, beside the images."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: TaskName = "classify"
    method: Method | None = Field(default=None, description="how anomalies are found; None: the best that is known")
    backbone: Backbone = "mobilenet_v2"
    weights: Path | Literal["download"] | None = Field(
        default=None, description="state dict file, 'download' for torchvision's own, None to start from scratch"
    )
    epochs: int = Field(default=8, ge=1, le=10_000)
    height: int = Field(default=224, ge=32, le=8192)
    width: int = Field(default=224, ge=32, le=8192)
    size: Literal["stated", "auto", "native"] = Field(
        default="stated", description="auto: large enough for the defects that are outlined; native: that of the images"
    )
    tile: int | None = Field(
        default=None, ge=32, le=1024, description="side of the tiles that the input is cut into, or of each place"
    )
    batch_size: int = Field(default=16, ge=2, le=1024)
    lr: float = Field(default=1e-4, gt=0, le=1, description="peak learning rate of AdamW; falls to 0 along a cosine")
    seed: int = Field(default=0, ge=0, lt=2**31)
    find_groups: bool = Field(default=True, description="look for photos of the same piece where no file states them")
    flips: bool = Field(default=True, description="mirrored parts are worth the same label")
    moves: bool = Field(default=True, description="parts shifted by 3 %, turned by 4° or scaled by 5 % keep the label")
    light: bool = Field(default=True, description="parts lit 15 % brighter, darker or flatter keep the label")
    threads: int = Field(default=2, ge=1, le=256)
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: the GPU where torch can use one")
    amp: Literal["auto", "on", "off"] = Field(default="auto", description="mixed precision; auto: on a GPU alone")
    escape_target: float | None = Field(default=None, gt=0, lt=1, description="None: 0.005 unless another is given")
    overkill_target: float | None = Field(default=None, gt=0, lt=1)
    escape_cost: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="in any unit")
    overkill_cost: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="in the same unit")
    defect_share: float = Field(default=0.01, gt=0, lt=1, description="share of bad parts on the line; for the costs")

    @model_validator(mode="after")
    def _costs_come_in_pairs(self) -> TrainSettings:
        if (self.escape_cost is None) != (self.overkill_cost is None):
            raise ValueError("--escape-cost and --overkill-cost are weighed against each other: give both or none")
        return self

    @property
    def method_or_default(self) -> Method:
        """Give how anomalies are found: docs/decisions tells why 'memory' where nothing was asked for."""
        return self.method or "memory"

    @property
    def costs(self) -> Costs | None:
        """Give what wrong verdicts cost, None where nobody said."""
        if self.escape_cost is None or self.overkill_cost is None:
            return None
        return Costs(escape=self.escape_cost, overkill=self.overkill_cost, defect_share=self.defect_share)


def usual_fitting(weights: object) -> dict[str, int | float]:
    """Give epochs and learning rate where nobody chose them: good weights take fewer and smaller steps."""
    return {"epochs": 8, "lr": 1e-4} if weights else {"epochs": 30, "lr": 1e-3}


def make_settings(**values: object) -> TrainSettings:
    """Check the options of a command; raise SettingsError that lists all that are out of bounds."""
    try:
        return TrainSettings.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(
            f"{_option(str(item['loc'][0]))} {item['input']}: {item['msg']}" if item["loc"] else item["msg"]
            for item in error.errors()
        )
        raise SettingsError(f"{problems} — see `lineward train --help` for what is allowed") from error


def _option(field: str) -> str:
    return "--size, " + field if field in ("height", "width") else "--" + field.replace("_", "-")


def size_values(text: str) -> dict[str, object]:
    """Read what --size says as values of the settings: a size in pixels, 'auto' or 'native'; raise SettingsError."""
    if text.lower() in ("auto", "native"):
        return {"size": text.lower()}
    height, width = parse_size(text)
    return {"height": height, "width": width}


def parse_size(text: str) -> tuple[int, int]:
    """Read an input size, 'SIDE' or 'WIDTHxHEIGHT' in pixels, as (height, width); raise SettingsError."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise SettingsError(
            f"--size {text}: is no size — allowed are SIDE or WIDTHxHEIGHT, auto, native — for instance 224 or 320x160"
        )
    return int(parts[-1]), int(parts[0])
